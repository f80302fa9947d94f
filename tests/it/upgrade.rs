//! Boards of older tuneboards: what they hold is found again, and what they stopped goes on.

use std::fs;
use std::path::Path;

use tuneboard::spec::{RunId, RunSpec};
use tuneboard::store::{Listing, Reader};

/// A database of the fixtures, where it may be brought up to date.
fn opened(fixture: &str) -> (tempfile::TempDir, Reader) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("board.db");
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    fs::copy(fixtures.join(fixture), &path).unwrap();
    let reader = Reader::open(&path).unwrap();
    (dir, reader)
}

#[test]
fn the_hash_of_every_run_of_a_stored_board_is_what_the_rule_says() {
    // As stored by the first tuneboard, whose hashes hold for good, and by the last one before the rule.
    for (fixture, runs, first) in [
        ("board_v1.db", 20, "1242d113af4bcb7b"),
        ("board_stopped/runs/board.db", 2, "f46238a8b4ffca76"),
    ] {
        let (_dir, reader) = opened(fixture);
        let ids = reader.ids(&Listing::default()).unwrap();
        assert_eq!(ids.len(), runs);
        for run in reader.runs(&ids).unwrap() {
            assert_eq!(run.spec_hash, run.spec.hash(), "{}", run.id);
            assert!(reader.same_spec(&run.spec_hash).unwrap().contains(&run.id));
            let toml = RunSpec::from_toml(&run.spec.to_toml()).unwrap();
            assert_eq!(toml.hash(), run.spec_hash, "{}", run.id);
        }
        assert_eq!(reader.run(RunId(1)).unwrap().unwrap().spec_hash, first);
    }
}

/// `board_stopped` was made by the commit before the rule: r1 is done, r2 is the same run stopped at step 20 of 192.
#[cfg(feature = "train")]
#[test]
fn a_run_that_was_stopped_before_an_upgrade_ends_as_if_it_had_not_been() {
    use serde_json::Value;

    let shell = super::shell::Shell::training();
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/board_stopped");
    copy(&from, &from, &shell);
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/sms_spam.csv");
    shell.write("data/sms_spam.csv", fs::read(data).unwrap());

    let outcome = |id: &str| shell.json(&["show", id])["outcome"].clone();
    assert_eq!((outcome("r1"), outcome("r2")), ("done".into(), "stopped".into()));
    shell.ok(&["resume", "r2"]);
    super::rig::until("r2 is over", || outcome("r2") != "stopped" && !outcome("r2").is_null());
    assert_eq!(outcome("r2"), "done", "{}", shell.ok(&["logs", "r2"]));

    let [whole, resumed] = ["r1", "r2"].map(|id| shell.json(&["show", id]));
    let mut compared = 0;
    for (name, value) in whole["last"].as_object().unwrap() {
        if !tuneboard::events::is_of_machine(name) {
            let (a, b) = (value.as_f64().unwrap(), resumed["last"][name].as_f64().unwrap());
            // To the bit on the machine that made r1; others round differently.
            assert!((a - b).abs() <= 1e-3 * a.abs().max(1.0), "{name}: {a} and {b}");
            compared += 1;
        }
    }
    assert!(compared >= 9, "{compared}");
    // The resumed one has points within its epochs as well.
    let is_end = |point: &&Value| point[0].as_f64().unwrap().fract() == 0.0;
    let epochs =
        |run: &Value| run["curves"]["val/loss"].as_array().unwrap().iter().filter(is_end).count();
    assert_eq!((epochs(&whole), epochs(&resumed)), (4, 4));
}

#[cfg(feature = "train")]
fn copy(root: &Path, folder: &Path, shell: &super::shell::Shell) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            copy(root, &path, shell);
        } else {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            shell.write(&name, fs::read(&path).unwrap());
        }
    }
}
