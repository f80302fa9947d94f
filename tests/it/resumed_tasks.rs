//! A run of each task that is stopped in the middle of an epoch gives what the uninterrupted one gives, to the bit.

#![cfg(feature = "train")]

use std::fs;

use serde_json::json;

use super::tasks::{labelled, matching, scores};
use super::trainer::{Desk, events, figures};

fn tagged(rows: usize) -> String {
    let row = |i: usize| {
        let (name, town) = (["ann", "bob", "eve"][i % 3], ["rome", "york"][(i / 2) % 2]);
        let tokens = [name, "lives", "in", town, "no", ["one", "two"][i % 2]];
        json!({ "tokens": tokens, "ner_tags": ["B-PER", "O", "O", "B-LOC", "O", "O"] }).to_string()
            + "\n"
    };
    (0..rows).map(row).collect()
}

#[test]
fn a_stopped_run_of_every_task_goes_on_to_the_same_bits() {
    let desk = Desk::new();
    for (task, file, text, more) in [
        (
            "classify",
            "pairs.tsv",
            matching(2400),
            "loss = \"focal\"\nclass_weights = \"balanced\"\n",
        ),
        ("regress", "scores.csv", scores(2400), "loss = \"huber\"\nbest = \"val/mae\"\n"),
        (
            "multilabel",
            "lists.csv",
            labelled(2400, "lists"),
            "stratify = true\nbest = \"val/f1\"\n",
        ),
        ("tag", "tags.jsonl", tagged(2400), "class_weights = \"balanced\"\n"),
    ] {
        fs::write(desk.path(file), text).unwrap();
        let spec = format!(
            "model = \"tiny\"\ndata = \"{file}\"\ntask = \"{task}\"\nprecision = \"fp32\"\nkeep = \"both\"\nepochs = 2\n\
             batch_size = 12\nmax_length = 16\nlr = 1e-3\n{more}"
        );
        let [whole, broken] = ["whole", "broken"].map(|name| format!("{task}-{name}"));
        for run in [&whole, &broken] {
            fs::write(desk.run_folder(run, "").join("spec.toml"), &spec).unwrap();
        }
        assert!(desk.train(&whole).status.success(), "{task}");
        desk.stop_at(&broken, 10);
        let stopped = events(&desk.path(&broken)).last().unwrap().step;
        assert!((10..320).contains(&stopped), "{task}: stopped at {stopped}");
        assert!(desk.train(&broken).status.success(), "{task}");
        let of = |run: &str| figures(&events(&desk.path(run)));
        let want = of(&whole);
        assert!(want.keys().any(|name| name.starts_with("test/loss")), "{task}: {want:?}");
        assert_eq!(of(&broken), want, "{task}");
        // What is kept beside the weights as well: thresholds, scale, temperature.
        let config = |run: &str| {
            fs::read_to_string(desk.path(run).join("checkpoints/best/config.json")).unwrap()
        };
        assert_eq!(config(&broken), config(&whole), "{task}");
    }
}
