//! The command line as people and scripts use it.

mod help;
mod pruned;
mod tables;
mod waiting;

use std::fs;

use serde_json::{Value, json};

use super::rig::until;
use super::shell::Shell;

const RUN: [&str; 3] = ["run", "model=fake epoch_ms=20", "data=data/mail.csv"];

/// What `show --json` says beyond `ls --json`.
const DETAIL: [&str; 11] = [
    "temperature",
    "fitted_temperature",
    "children",
    "classes",
    "curves",
    "differs",
    "facts",
    "note",
    "parent",
    "waits_for",
    "why",
];

fn keys(object: &Value) -> Vec<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}

/// A board with a finished run r1, a finished sweep s1 (r2, r3) and a failed run r4.
fn worked() -> Shell {
    let shell = Shell::board();
    shell.ok(&[&RUN[..], &["epochs=2", "--wait"]].concat());
    shell.ok(&["sweep", RUN[1], RUN[2], "epochs=1", "lr=1e-5,5e-5", "--wait"]);
    let failed =
        shell.run(&["run", "model=fake epoch_ms=20 fail", RUN[2], "--wait", "--name", "bad"]);
    assert_eq!(failed.code, 1, "{failed}");
    shell
}

#[test]
fn without_a_board_every_verb_says_what_to_do() {
    let shell = Shell::empty();
    for verb in [
        &["ls"][..],
        &[],
        &["run", "lr=1"],
        &["show", "r1"],
        &["stop", "r1"],
        &["models"],
        &["reindex"],
        &["runner"],
        &["logs", "r1"],
        &["confusion", "r1"],
        &["sweep", "lr=1,2"],
    ] {
        shell.refuses(verb, 3, "`tuneboard init` makes one.");
    }
    shell.refuses(&["--board", "nowhere", "ls"], 3, "There is no board in nowhere");
}

#[test]
fn a_new_board_says_what_to_do_next() {
    let shell = Shell::empty();
    insta::assert_snapshot!(shell.ok(&["init"]), @r#"
    The board is [board].
    Next: put a checkpoint folder under models/ and a data file under data/, then
      tuneboard run model=NAME data=data/FILE.csv
    "#);
    let config = fs::read_to_string(shell.path("config.toml")).unwrap();
    shell.write("config.toml", format!("{config}# mine\n"));
    shell.ok(&["init"]);
    assert!(fs::read_to_string(shell.path("config.toml")).unwrap().ends_with("# mine\n"));
    insta::assert_snapshot!(shell.ok(&["ls"]), @"No runs yet. `tuneboard run model=NAME data=FILE` queues one; `tuneboard models` lists the models.");
    insta::assert_snapshot!(shell.ok(&["models"]), @"No models yet. `tuneboard models pull ORG/NAME` fetches one; or put a checkpoint folder (config.json, tokenizer.json, model.safetensors) under [board]/models.");
    let done = shell.run::<&str>(&[]);
    assert!(
        done.out.starts_with("No runs yet.") && done.err.contains("needs a terminal"),
        "{done}"
    );
    assert_eq!(shell.json(&["ls"]), json!([]));
    // From a folder below, the board is found.
    fs::create_dir(shell.path("data/below")).unwrap();
    let below = shell.command(&["ls"]).current_dir(shell.path("data/below")).output().unwrap();
    assert!(below.status.success());
}

#[test]
fn a_run_from_the_queue_to_its_figures() {
    let shell = Shell::board();
    let queued = shell.ok(&[&RUN[..], &["epochs=2", "--wait"]].concat());
    let lines: Vec<&str> = queued.lines().collect();
    assert_eq!(lines[0], "Queued r1 (fake epoch_ms=20-mail).");
    assert!(
        lines.contains(
            &"r1 epoch 1/2  train/loss 0.0909  train/acc 0.5000  val/loss 0.0909  val/acc 0.5000"
        ) || lines.iter().any(|l| l.starts_with("r1 epoch 2/2")),
        "{queued}"
    );
    let end = lines.last().unwrap();
    assert!(
        end.starts_with("r1 done in ") && end.ends_with("test/loss 0.5000  test/acc 0.7500"),
        "{end}"
    );

    let listed = shell.json(&["ls"]);
    let run = &listed[0];
    let contract = [
        "id",
        "name",
        "state",
        "outcome",
        "spec",
        "epoch",
        "epochs",
        "last",
        "best",
        "created",
        "device_seconds",
        "flags",
        "pass",
        "started",
        "ended",
        "site",
        "sweep",
        "part",
        "pruned",
        "tags",
        "trainable_parameters",
        "peak_memory_bytes",
    ];
    let mut sorted = contract;
    sorted.sort_unstable();
    assert_eq!(keys(run), sorted);
    assert_eq!(
        (&run["id"], &run["state"], &run["outcome"]),
        (&json!("r1"), &json!("ended"), &json!("done"))
    );
    assert_eq!((&run["epoch"], &run["epochs"]), (&json!(2.0), &json!(2)));
    assert_eq!(run["last"]["test/acc"], json!(0.75));
    assert_eq!(run["best"]["val/acc"], json!(2.0 / 3.0));
    assert_eq!(
        (&run["site"], &run["sweep"], &run["tags"]),
        (&json!("local"), &json!(null), &json!([]))
    );
    for time in ["created", "started", "ended"] {
        let text = run[time].as_str().unwrap();
        assert!(text.ends_with('Z'), "{text}");
        chrono::DateTime::parse_from_rfc3339(text).unwrap();
    }
    assert_eq!(run["spec"]["epochs"], json!(2));

    let shown = shell.json(&["show", "r1"]);
    let mut detail: Vec<&str> = contract.iter().copied().chain(DETAIL).collect();
    detail.sort_unstable();
    assert_eq!(keys(&shown), detail);
    assert_eq!(shown["curves"]["val/acc"], json!([[1.0, 0.5], [2.0, 2.0 / 3.0]]));
    assert_eq!(shown["differs"], json!(["model", "data", "epochs"]));
    assert_eq!(shown["facts"]["labels"], json!(["ham", "spam"]));

    let confusion = shell.json(&["confusion", "r1", "--split", "test"]);
    assert_eq!(confusion["labels"], json!(["ham", "spam"]));
    assert_eq!(confusion["counts"], json!([[5, 1], [2, 3]]));
    assert_eq!(confusion["normalized"], json!([[5.0 / 6.0, 1.0 / 6.0], [0.4, 0.6]]));
    let all = shell.json(&["confusion", "1", "--normalize", "all"]);
    assert_eq!(all["normalized"][1][0], json!(2.0 / 11.0));
}

#[test]
fn texts_longer_than_a_model_takes_are_refused_before_they_are_queued() {
    let shell = Shell::board();
    let config = r#"{"model_type":"bert","max_position_embeddings":40}"#;
    shell.fake_model("short", config);
    let sweep = ["sweep", "model=short", RUN[2], "max_length=32,128"];
    shell.refuses(&sweep, 2, "more than the 40 positions of short; set max_length=40 or less");
    assert_eq!(shell.json(&["ls"]), json!([]));
    shell.ok(&["run", "model=short", RUN[2], "max_length=40", "--hold"]);
}

#[test]
fn numbers_that_json_lacks_are_words() {
    let shell = Shell::board();
    shell.ok(&["run", "model=fake epoch_ms=20 nan", RUN[2], "epochs=1", "--wait"]);
    assert_eq!(shell.json(&["ls"])[0]["last"]["val/loss"], json!("NaN"));
    assert_eq!(shell.json(&["show", "r1"])["curves"]["val/loss"], json!([[1.0, "NaN"]]));
}

#[test]
fn desired_states_change_what_they_say_and_nothing_else() {
    let shell = Shell::board();
    let held = shell.json(&[&RUN[..], &["--hold"]].concat());
    assert_eq!(held, json!({ "sweep": null, "runs": ["r1"] }));
    let sweep = shell.json(&["sweep", RUN[1], RUN[2], "epochs=1", "seed=0..1", "--hold"]);
    assert_eq!(sweep, json!({ "sweep": "s1", "runs": ["r2", "r3"] }));
    assert!(shell.ok(&["ls"]).contains("held"));
    assert_eq!(shell.ok(&["hold", "r1"]), "r1 is held already.\n");
    shell.refuses(&["retry", "r1"], 2, "r1 is queued; stop it first.");
    // One that does not exist: nothing is done to the others.
    shell.refuses(&["resume", "s1", "r7"], 2, "There is no run r7");
    assert_eq!(shell.json(&["ls", "--state", "held"]).as_array().unwrap().len(), 3);
    assert_eq!(shell.ok(&["resume", "s1"]), "Resuming r2, r3.\n");
    until("the sweep is done", || {
        shell.json(&["ls", "--state", "done"]).as_array().unwrap().len() == 2
    });
    shell.refuses(&["resume", "r2"], 2, "`tuneboard retry --from-start r2` trains it again.");
    shell.refuses(&["retry", "s1"], 2, "add --from-start");
    assert_eq!(shell.ok(&["stop", "r1", "r2"]), "Stopping r1.\nr2 has ended already (done).\n");
    until("r1 is stopped", || shell.json(&["show", "r1"])["outcome"] == json!("stopped"));
    shell.refuses(&["resume", "r1", "epochs=8"], 2, "`tuneboard clone r1 init=r1 epochs=8`");
    shell.refuses(&["resume", "epochs=8", "r1"], 2, "so it takes no `epochs=8`");
    assert_eq!(shell.ok(&["resume", "r1"]), "Resuming r1.\n");
    until("r1 is done", || shell.json(&["show", "r1"])["outcome"] == json!("done"));
    assert_eq!(shell.ok(&["retry", "--from-start", "r1"]), "Back in the queue: r1.\n");
    until("r1 is done again", || shell.json(&["show", "r1"])["outcome"] == json!("done"));
    assert_eq!(shell.json(&["show", "r1"])["curves"]["val/acc"].as_array().unwrap().len(), 3);
}

#[test]
fn sweeps_take_lists_ranges_draws_and_names() {
    let shell = Shell::board();
    let config = "[defaults]\nepochs = 1\n[sweeps.first]\nmodel = \"fake\"\ndata = \"data/mail.csv\"\nlr = [1e-5, 2e-5]\n";
    shell.write("config.toml", config);
    let runs = |args: &[&str]| {
        let plan = shell.json(&[&["sweep", "--dry-run"], args].concat());
        let names =
            plan["runs"].as_array().unwrap().iter().map(|r| r["name"].as_str().unwrap().to_owned());
        names.collect::<Vec<_>>().join(" | ")
    };
    assert_eq!(runs(&["first"]), "lr=1e-5 | lr=2e-5");
    assert_eq!(runs(&["first", "lr=3e-5", "seed=1..2"]), "seed=1 | seed=2");
    let drawn = runs(&["first", "lr=log(1e-6,1e-3)", "trials=3", "sweep_seed=7"]);
    assert_eq!(drawn.matches("lr=").count(), 3);
    assert_eq!(drawn, runs(&["first", "lr=log(1e-6,1e-3)", "trials=3", "sweep_seed=7"]));
    assert_eq!(shell.json(&["ls"]), json!([]), "a dry run queues nothing");
}

#[test]
fn the_database_can_be_made_again() {
    let shell = worked();
    shell.ok(&["note", "r1", "keep me"]);
    let before = shell.json(&["show", "r1"]);
    until("the runner has left", || shell.run(&["reindex"]).code == 0);
    assert_eq!(shell.json(&["show", "r1"]), before);
    shell.write("runs/board.db", "this is no database, though it is long enough to be one");
    shell.refuses(&["ls"], 3, "run `tuneboard reindex`");
    let done = shell.run(&["reindex"]);
    assert!(
        done.code == 0 && done.err.contains("Nothing of the old database can be read"),
        "{done}"
    );
    // The note too: it stands in the journal.
    assert_eq!(shell.json(&["show", "r1"]), before);
}

#[test]
fn the_doctor_finds_what_is_broken() {
    let shell = Shell::board();
    let level = |name: &str| {
        let done = shell.run(&["doctor", "--json"]);
        let checks: Value = serde_json::from_str(&done.out).unwrap();
        let found = checks.as_array().unwrap().iter().find(|c| c["name"] == name).cloned();
        (done.code, found.unwrap_or_default()["level"].as_str().unwrap_or("absent").to_owned())
    };
    for name in ["disk", "clock", "file locks", "SQLite", "database", "runner"] {
        assert_eq!(level(name).1, "ok", "{name}");
    }
    // The fake trainer knows nothing of libtorch.
    assert_eq!(level("libtorch"), (1, "fail".into()));
    shell.write("runs/board.db", "this is no database, though it is long enough to be one");
    assert_eq!(level("database"), (1, "fail".into()));
    shell.write("config.toml", "[nonsense]");
    assert_eq!(level("board"), (1, "fail".into()));
}

/// From the command to the figures with the real trainer: `run --wait`, `data --model`, `doctor`.
#[cfg(feature = "train")]
#[test]
fn a_real_model_is_trained() {
    let shell = Shell::training();
    let done = shell.run(&[
        "run",
        "model=tiny",
        "data=data/mail.csv",
        "epochs=2",
        "max_length=16",
        "device=cpu",
        "threads=1",
        "split=0.6,0.2,0.2",
        "--wait",
    ]);
    assert_eq!(done.code, 0, "{done}");
    let shown = shell.json(&["show", "r1"]);
    for metric in ["train/loss", "train/acc", "val/loss", "val/acc", "val/f1"] {
        assert_eq!(shown["curves"][metric].as_array().unwrap().len(), 2, "{metric}");
    }
    for metric in ["test/loss", "test/acc", "test/f1", "train/examples_per_s", "train/tokens_per_s"]
    {
        assert!(shown["last"][metric].is_number(), "{metric}: {shown}");
    }
    let confusion = shell.json(&["confusion", "r1", "--split", "test"]);
    let rows = confusion["counts"].as_array().unwrap().iter().flat_map(|r| r.as_array().unwrap());
    assert_eq!(rows.map(|n| n.as_u64().unwrap()).sum::<u64>(), 8);
    assert_eq!(confusion["figures"]["accuracy"], shown["last"]["test/acc"]);
    let supports = confusion["classes"].as_array().unwrap().iter().map(|c| c["support"].as_u64());
    assert_eq!(supports.flatten().sum::<u64>(), 8);
    let loss = |value: &serde_json::Value| value.as_f64().unwrap();
    let (from_file, reported) =
        (&confusion["probabilities"]["log_loss"], &shown["last"]["test/loss"]);
    assert!((loss(from_file) - loss(reported)).abs() < 1e-6, "{confusion}");
    let profile = shell.json(&["data", "data/mail.csv", "--model", "tiny"]);
    assert!(profile["tokens"]["min"].as_u64().unwrap() >= 5, "two specials and three words");
    let doctor = shell.json(&["doctor"]);
    let torch = doctor.as_array().unwrap().iter().find(|c| c["name"] == "libtorch").unwrap();
    assert_eq!(torch["level"], json!("ok"), "{torch}");
}
