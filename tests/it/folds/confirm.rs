use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::authored;
use crate::shell::Shell;

/// Both settings run again over three seeds and all folds; the test is that of the folds.
#[test]
fn settings_over_folds_are_confirmed_on_fresh_seeds_and_all_folds() {
    let shell = Shell::training();
    shell.write("data/authored.csv", authored());
    let words = ["sweep", "model=tfidf-logreg", "data=data/authored.csv", "group=author"];
    let plan = ["class_weights=none,balanced", "folds=3", "fold=1..3", "confirm=2"];
    let planned = shell.ok(&[&words[..], &plan, &["--dry-run"]].concat());
    assert!(planned.contains("on 3 fresh seeds and all 3 folds: 18 runs"), "{planned}");
    shell.ok(&[&words[..], &plan, &["--wait"]].concat());
    let found = &shell.json(&["show", "s1", "--analysis"])["confirmation"];
    let settings = found["settings"].as_array().unwrap();
    assert_eq!((settings.len(), &found["open"]), (2, &json!(0)), "{found}");
    for setting in settings {
        let specs = setting["runs"].as_array().unwrap().iter().map(|run| {
            let spec = shell.json(&["show", run.as_str().unwrap()])["spec"].clone();
            (spec["seed"].as_u64().unwrap(), spec["fold"].as_u64().unwrap())
        });
        let specs: BTreeSet<(u64, u64)> = specs.collect();
        let want = (1..=3).flat_map(|seed| (1..=3).map(move |fold| (seed, fold)));
        assert_eq!(specs, want.collect::<BTreeSet<_>>(), "{setting}");
        assert_eq!(setting["score"]["n"], 9, "{setting}");
    }
    // The same runs compared by hand give the same p.
    let runs: Vec<&str> = settings
        .iter()
        .flat_map(|s| s["runs"].as_array().unwrap())
        .filter_map(Value::as_str)
        .collect();
    let compared = shell.json(&[&["compare"], &runs[..]].concat());
    let p = &compared["folds"][0]["figures"][0]["p"];
    assert!(p.is_number() && *p == found["p"], "{compared} {found}");
    let said = shell.ok(&["show", "s1"]);
    assert!(
        said.contains("over 3 fresh seeds") && said.contains("over 3 folds (9+9 runs)"),
        "{said}"
    );
}
