//! `init=rN`: a run starts from another one's best checkpoint, waits for it, and says so.

use serde_json::{Value, json};

use super::rig::until;
use super::shell::Shell;

#[cfg(feature = "train")]
fn remarks(shell: &Shell, id: &str) -> String {
    shell.ok(&["show", id])
}

/// Adapt, then classify: one sweep of two stages, from the config to the end.
#[cfg(feature = "train")]
#[test]
fn a_language_model_is_adapted_and_carries_classifiers_in_one_sweep() {
    let shell = Shell::training();
    let texts = "free prize number 1\nsee you at home\nwin a prize\n".repeat(20);
    shell.write("data/texts.csv", format!("note\n{texts}"));
    let config = std::fs::read_to_string(shell.path("config.toml")).unwrap();
    let sweep = "\n[sweeps.chain]\nmodel = \"tiny\"\nmax_length = 16\nepochs = 1\ndevice = \"cpu\"\n\
                 precision = \"fp32\"\n\n[[sweeps.chain.stages]]\nname = \"adapt\"\ntask = \"lm\"\n\
                 data = \"data/texts.csv\"\nlr = [1e-3, 2e-3]\n\n[[sweeps.chain.stages]]\n\
                 name = \"classify\"\ninit = \"adapt\"\ndata = \"data/mail.csv\"\nseed = [0, 1]\n";
    shell.write("config.toml", config + sweep);

    let shown = shell.ok(&["sweep", "chain", "--dry-run"]);
    for words in ["adapt: 2 runs", "classify: 4 runs, from the runs of adapt", "adapt 2", "6 runs"]
    {
        assert!(shown.contains(words), "{words} in {shown}");
    }
    let dry = shell.json(&["sweep", "chain", "--dry-run"]);
    assert_eq!(dry["stages"][1]["from"], json!("adapt"));
    assert_eq!(dry["stages"][1]["varied"], json!(["init", "seed"]));
    assert_eq!(dry["stages"][1]["runs"][3]["spec"]["init"], json!("adapt 2"));
    shell.refuses(&["sweep", "chain", "init=random"], 2, "leave init= out");
    shell.refuses(&["sweep", "chainn"], 2, "did you mean `chain`?");

    shell.ok(&["sweep", "chain", "--wait"]);
    let runs = shell.json(&["ls"]);
    let runs = runs.as_array().unwrap();
    assert_eq!(runs.len(), 6);
    assert!(runs.iter().all(|run| run["outcome"] == json!("done")), "{runs:?}");
    let of = |run: &Value, key: &str| run["spec"][key].as_str().unwrap().to_owned();
    let inits: Vec<String> = runs.iter().map(|run| of(run, "init")).collect();
    let mut sorted = inits.clone();
    sorted.sort();
    assert_eq!(sorted, ["pretrained", "pretrained", "r1", "r1", "r2", "r2"], "{inits:?}");
    let adapted = runs.iter().filter(|run| of(run, "task") == "lm");
    assert!(adapted.clone().all(|run| run["last"]["test/ppl"].as_f64().unwrap() > 1.0));
    assert!(adapted.clone().all(|run| run["last"].get("test/f1").is_none()));

    // Lineage, both ways, and what became of the head.
    let parent = shell.json(&["show", "r1"]);
    assert_eq!((&parent["parent"], &parent["children"]), (&Value::Null, &json!(["r3", "r4"])));
    let child = shell.json(&["show", "r3"]);
    assert_eq!((&child["parent"], &child["waits_for"]), (&json!("r1"), &Value::Null));
    let told = remarks(&shell, "r3");
    assert!(told.contains("starts from r1 (done)"), "{told}");
    assert!(told.contains("the classification head is new, for r1 is a language model"), "{told}");
    assert!(remarks(&shell, "r1").contains("runs that start from it: r3, r4"));
    // The database is made again from the folders, lineage and all.
    shell.ok(&["reindex"]);
    assert_eq!(shell.json(&["show", "r1"])["children"], json!(["r3", "r4"]));
}

#[cfg(feature = "train")]
#[test]
fn a_head_is_kept_for_the_same_labels_and_new_for_others() {
    let shell = Shell::training();
    let common = ["epochs=1", "max_length=16", "device=cpu", "precision=fp32", "--wait"];
    let run = |pairs: &[&str]| shell.ok(&[&["run"], pairs, &common[..]].concat());
    run(&["model=tiny", "data=data/mail.csv"]);
    run(&["init=r1", "data=data/mail.csv"]);
    assert_eq!(shell.json(&["show", "r2"])["spec"]["model"], json!("tiny"));
    let told = remarks(&shell, "r2");
    assert!(told.contains("head is kept, for the labels are the same: ham, spam"), "{told}");
    let others = (0..40).map(|i| format!("text {i},{}\n", if i % 2 == 0 { "yes" } else { "no" }));
    shell.write("data/other.csv", format!("text,label\n{}", others.collect::<String>()));
    run(&["init=r2", "data=data/other.csv"]);
    let told = remarks(&shell, "r3");
    assert!(told.contains("head is new, for r2 had the labels ham, spam"), "{told}");
    let config = std::fs::read(shell.path("runs/r3/checkpoints/best/config.json")).unwrap();
    let config: Value = serde_json::from_slice(&config).unwrap();
    assert_eq!(config["id2label"], json!({ "0": "no", "1": "yes" }));
    // A classifier's trunk is one to adapt, too.
    run(&["init=r1", "task=lm", "data=data/mail.csv"]);
    assert!(remarks(&shell, "r4").contains("layers that predict hidden tokens are new"));
}

#[test]
fn a_run_waits_for_its_parent_and_ends_with_a_parent_that_fails() {
    let shell = Shell::board();
    shell.refuses(&["run", "init=r1", "data=data/mail.csv"], 2, "There is no run r1");
    shell.ok(&["run", "model=fake epoch_ms=20 fail", "data=data/mail.csv", "epochs=2", "--hold"]);
    shell.refuses(
        &["run", "init=r1", "model=fake", "data=data/mail.csv"],
        2,
        "starts from a run of model=fake epoch_ms=20 fail, not of model=fake",
    );
    shell.refuses(&["run", "init=r", "model=fake", "data=data/mail.csv"], 2, "a run as r12");
    shell.refuses(
        &["run", "init=r1", "model=majority", "data=data/mail.csv"],
        2,
        "starts from no other run",
    );
    shell.ok(&["run", "init=r1", "data=data/mail.csv"]);
    let child = shell.json(&["show", "r2"]);
    assert_eq!((&child["state"], &child["waits_for"]), (&json!("queued"), &json!("r1")));
    assert!(shell.ok(&["show", "r2"]).contains("starts from r1 (queued), which it waits for"));

    let ended = |id: &str| shell.json(&["show", id])["state"] == json!("ended");
    shell.ok(&["resume", "r1"]);
    until("the parent fails and the child with it", || ended("r1") && ended("r2"));
    let why = |id: &str| shell.json(&["show", id])["why"].as_str().unwrap().to_owned();
    assert!(why("r2").starts_with("init=r1: that run failed"), "{}", why("r2"));
    shell.refuses(&["run", "init=r1", "data=data/mail.csv"], 2, "that run is failed");

    // Done, but what it saved is gone.
    shell.ok(&["run", "model=fake", "data=data/mail.csv", "epochs=1", "--hold"]);
    shell.ok(&["run", "init=r3", "data=data/mail.csv"]);
    shell.ok(&["resume", "r3"]);
    until("the parent ends and the child with it", || ended("r3") && ended("r4"));
    assert!(why("r4").contains("its best checkpoint is gone"), "{}", why("r4"));
}
