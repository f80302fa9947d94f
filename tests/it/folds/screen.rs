use super::authored;
use crate::shell::Shell;
use crate::tui::Session;

/// In a real terminal: the held-out rows of a sweep's setting as one matrix, and its two settings against each other.
#[test]
fn folds_are_seen_as_one_in_the_dashboard() {
    let shell = Shell::training();
    shell.write("data/authored.csv", authored());
    let sweep = ["sweep", "model=tfidf-logreg", "data=data/authored.csv", "folds=4", "fold=1..4"];
    shell.ok(&[&sweep[..], &["class_weights=none,balanced", "--wait"]].concat());
    let counts = shell.json(&["confusion", "s1"]);
    let accuracy = counts["figures"]["accuracy"].as_f64().unwrap();
    let mut session = Session::start(&shell.path(""));
    session.sees("8 done");
    session.press("W");
    session.sees("settings, folds and seeds folded");
    session.press("3");
    session.sees("4 held-out folds together");
    session.sees(&format!("accuracy {accuracy:.4}"));
    session.press("p");
    session.sees("reliability");
    // Out of the probabilities, out of the matrix.
    session.press("\x1b");
    session.sees("most confused");
    session.press("\x1b");
    session.sees("settings, folds and seeds folded");
    session.press("  C");
    session.sees("over 4 folds");
    session.press("q");
    assert_eq!(session.ends(), 0);
}
