//! A sweep that prunes, is amended and confirmed, from the command line.

use std::fs;

use serde_json::{Value, json};

use crate::shell::Shell;

const MODEL: &str = "fake epoch_ms=250 skill evals=2";
/// The last but one comes late and is bad; the one before it is behind the best of four.
const RATES: &str = "lr=1e-6,1e-5,1e-4,2e-4,1e-7,9e-5";

#[test]
fn a_pruned_sweep_is_told_from_its_plan_to_its_winner() {
    let shell = Shell::board();
    shell.fake_model(MODEL, r#"{"model_type":"bert"}"#);
    let config = format!(
        "[sites.local]\nslots = 1\n[sweeps.cut]\nmodel = \"{MODEL}\"\ndata = \"data/mail.csv\"\nepochs = 4\n\
         prune = \"asha\"\nconfirm = 2\n"
    );
    shell.write("config.toml", config);
    let plan = shell.ok(&["sweep", "cut", RATES, "until=2h", "--dry-run"]);
    for words in [
        "From the third run on, what is among the best there (about one in 2) or among those with the lowest val loss \
         goes on after epoch 0.5, 1, 1.5, 2, 2.5, 3, 3.5.",
        "Then the best 2 settings run again on 3 fresh seeds: 6 runs.",
        "No further trial starts after 2h.",
    ] {
        assert!(plan.contains(words), "{plan}");
    }
    for (pair, why) in [
        ("prune=ashes", "it takes none, asha, median"),
        ("prun=asha", "did you mean `prune`?"),
        ("metric=val/pearson", "task=classify has val/loss, val/acc, val/f1"),
    ] {
        shell.refuses(&["sweep", "cut", RATES, pair], 2, why);
    }
    shell.refuses(
        &["run", "confirm=2", "data=data/mail.csv", "model=fake"],
        2,
        "belongs to a sweep",
    );

    let waited = shell.ok(&["sweep", "cut", RATES, "eval_every=0.5", "--wait"]);
    assert!(
        waited.contains("Pruning (eta=2, from epoch 0.5 on) stopped 2 of 6 runs; "),
        "{waited}"
    );
    assert!(waited.contains("over 3 fresh seeds"), "{waited}");

    let pruned = shell.json(&["ls", "state:pruned"]);
    let pruned = pruned.as_array().unwrap();
    let run = &pruned.iter().find(|run| run["id"] == json!("r5")).unwrap()["pruned"];
    assert_eq!(
        (pruned.len(), &run["rung"], &run["rank"], &run["of"]),
        (2, &json!(1), &json!(5), &json!(5))
    );
    assert_eq!(run["metric"], json!("val/acc"));
    assert!((run["value"].as_f64().unwrap() - 1.0 / 12.0).abs() < 1e-9, "{run}");
    let told = shell.ok(&["show", "r5"]);
    assert!(
        told.contains("pruned: val/acc 0.083")
            && told.contains(" at rung 1 of 8 (epoch 0.5) was place 5 of 5;"),
        "{told}"
    );

    let shown = shell.ok(&["show", "s1"]);
    assert!(shown.contains("Rungs: val/acc, and what a run needs to go on"), "{shown}");
    assert!(shown.contains("over 3 fresh seeds"), "{shown}");
    let all = shell.json(&["show", "s1", "--analysis"]);
    let first = &all["rungs"][0];
    assert_eq!((&first["rung"], &first["pruned"]), (&json!(1), &json!(["r4", "r5"])));
    assert_eq!(all["confirmation"]["settings"].as_array().unwrap().len(), 2);
    assert_eq!((&all["confirmation"]["open"], &all["planned"]), (&json!(0), &json!(6)));
    assert_eq!(all["settings"].as_array().unwrap().len(), 6, "confirmations are no trials");
    let replayed = shell.json(&["sweep", "--replay", "s1"]);
    let trials = replayed["trials"].as_array().unwrap();
    assert!(trials.len() == 6 && trials.iter().all(|trial| trial["same"] == json!(true)));

    // The sweep leaves it alone; by its number it goes on.
    assert!(shell.run(&["resume", "s1"]).out.contains("None of 12 runs is to change."));
    assert_eq!(shell.ok(&["resume", "r5", "--wait"]).lines().next(), Some("Resuming r5."));
    let spared = shell.json(&["show", "r5"]);
    assert_eq!((&spared["outcome"], &spared["part"]), (&json!("done"), &json!("spared")));

    // Which part a run has is known without the database.
    let parts = || {
        let runs = shell.json(&["show", "s1"]);
        let part = |run: &Value| format!("{} {}", run["id"], run["part"]);
        runs.as_array().unwrap().iter().map(part).collect::<Vec<_>>()
    };
    let before = parts();
    super::until("the runner has left", || shell.run(&["reindex"]).code == 0);
    assert_eq!(parts(), before);
    for file in ["board.db", "board.db-wal", "board.db-shm"] {
        let _ = fs::remove_file(shell.path("runs").join(file));
    }
    super::until("the board is made anew", || shell.run(&["reindex"]).code == 0);
    assert_eq!(parts(), before);
}

#[test]
fn a_sweep_that_was_drawn_gets_more_trials() {
    let shell = Shell::board();
    let drawn = ["model=fake", "data=data/mail.csv", "epochs=1", "lr=log(1e-6,1e-3)", "trials=2"];
    shell.ok(&[&["sweep", "--wait"], &drawn[..]].concat());
    shell.refuses(&["sweep", "s1", "lr=1e-5"], 2, "fixed once a sweep is queued");
    shell.refuses(&["sweep", "s1", "trials=1"], 2, "it has 2 trials");
    shell.refuses(&["sweep", "s9", "trials+=1"], 2, "There is no sweep s9");
    shell.refuses(&["sweep", "s1"], 2, "trials+=20");
    assert_eq!(
        shell.ok(&["sweep", "s1", "trials+=3", "--dry-run"]),
        "s1 would be changed; nothing was. 3 trials more.\n"
    );
    assert_eq!(shell.ok(&["sweep", "s1", "trials+=3"]), "s1 changed. 3 trials more.\n");
    let plan = shell.json(&[
        "sweep",
        "--dry-run",
        "model=fake",
        "data=data/mail.csv",
        "epochs=1",
        "lr=log(1e-6,1e-3)",
        "trials=5",
    ]);
    let runs = shell.json(&["show", "s1"]);
    for (run, planned) in runs.as_array().unwrap().iter().zip(plan["runs"].as_array().unwrap()) {
        assert_eq!(run["spec"]["lr"], planned["spec"]["lr"]);
    }
    assert_eq!(runs.as_array().unwrap().len(), 5);
    // A search goes on by itself.
    shell
        .ok(&[&["sweep", "search=tpe", "sweep_seed=4"], &drawn[..4], &["trials=11", "--wait"]]
            .concat());
    shell.ok(&["sweep", "s2", "trials+=2", "confirm=1"]);
    super::until("the search has all its trials, and has confirmed one", || {
        let runs = shell.json(&["show", "s2"]);
        let runs = runs.as_array().unwrap();
        let of = |part: &str| runs.iter().filter(|run| run["part"] == json!(part)).count();
        (of("trial"), of("confirmation")) == (13, 3)
            && runs.iter().all(|run| run["outcome"] == json!("done"))
    });
}
