use tuneboard::dataset::predictions::Pass;
use tuneboard::spec::Task;

use super::{board, figure, labelled, run, scores, test_pass};

#[test]
fn baselines_learn_numbers_and_labels() {
    let shell = board();
    shell.write("data/scores.csv", scores(90));
    shell.write("data/lists.csv", labelled(90, "lists"));
    let mean = run(&shell, &["model=majority", "data=data/scores.csv", "task=regress"]);
    let ridge = run(&shell, &["model=tfidf-ridge", "data=data/scores.csv", "task=regress"]);
    assert!(figure(&ridge, "test/rmse") < figure(&mean, "test/rmse"), "{ridge}");
    assert!(figure(&ridge, "test/pearson") > 0.5, "{ridge}");
    // What is predicted is what was measured, in the units of the file.
    let Pass::Numbers(pass) = test_pass(&shell, "r2", Task::Regress) else { panic!() };
    let rows = shell.json(&["predict", "r2", "good good bad bad bad 1"]);
    let value = rows[0]["values"]["score"].as_f64().unwrap();
    let all = pass.truth[0].iter().copied();
    let (low, high) = all.fold((f64::MAX, f64::MIN), |(l, h), x| (l.min(x), h.max(x)));
    let span = high - low;
    assert!(value > low - span && value < high + span, "{value} in {low}..{high}");
    let mut f1 = Vec::new();
    for model in ["majority", "count-nb", "tfidf-nb", "tfidf-logreg"] {
        let words = format!("model={model}");
        let shown = run(&shell, &[&words, "data=data/lists.csv", "task=multilabel"]);
        f1.push(figure(&shown, "test/tuned_f1"));
        assert!(shown["last"]["test/ece"].is_number(), "{model}: {shown}");
    }
    assert!(f1[1..].iter().all(|x| *x >= f1[0]), "{f1:?}");
    let labels = shell.json(&["predict", "r6", "it crashes right now number 1"]);
    assert!(labels[0]["labels"].is_array() && labels[0]["probabilities"]["bug"].is_number());
    shell.ok(&["ensemble", "r4", "r5", "r6"]);
    shell.ok(&["compare", "r1", "r2"]);
    shell.ok(&["export", "r2", "--to", "ridge"]);
    shell.refuses(
        &["run", "model=tfidf-ridge", "data=data/lists.csv", "task=multilabel"],
        2,
        "model=tfidf-ridge predicts numbers; model=tfidf-logreg does",
    );
    shell.refuses(
        &["run", "model=tfidf-logreg", "data=data/ner.conll", "task=tag"],
        2,
        "encoders such as BERT",
    );
}
