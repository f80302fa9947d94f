//! The confusion matrix of a setting: from a folded row and from a sweep, of folds and of numbers.

use std::sync::Arc;

use super::{both, press};
use crate::analysis::groups::Spread;
use crate::analysis::together::{Together, added};
use crate::dataset::predictions::{Numbers, Pass, Predictions};
use crate::spec::{RunId, Task};
use crate::store::{Confusion, Split};
use crate::tui::background::{Question, TogetherAnswer};
use crate::tui::events;
use crate::tui::fixtures::{board, many, text};
use crate::tui::screens;
use crate::tui::snapshot::{Group, GroupBy, Snapshot};
use crate::tui::view::{ScreenId, View};

/// Two folded rows on the runs screen, of which the second holds out five folds.
fn grouped() -> (Snapshot, View) {
    let mut snap = board(many());
    let group = |label: &str, ids: std::ops::Range<u32>| Group {
        label: label.into(),
        task: Task::Classify,
        members: Arc::new(ids.map(RunId).collect()),
        counts: snap.counts,
        figures: [].into(),
    };
    snap.list.groups = Some(Arc::new(vec![group("lr=1e-5", 1..2), group("lr=2e-5", 4..9)]));
    let mut view = super::large();
    view.runs.group = GroupBy::Seeds;
    (snap, view)
}

/// 40 rows of each fold, of which a few are wrong.
fn folds() -> Together {
    let labels: Vec<u32> = (0..200).map(|i| u32::from(i % 4 == 0)).collect();
    let wrong = |i: usize| (i * 37).is_multiple_of(11);
    let second = |(i, label): (usize, &u32)| {
        let sure = 0.6 + 0.039 * (i % 10) as f32;
        if (*label == 1) == wrong(i) { 1.0 - sure } else { sure }
    };
    let second: Vec<f32> = labels.iter().enumerate().map(second).collect();
    let names = vec!["ham".to_owned(), "spam".to_owned()];
    let like = Predictions {
        rows: (1..=200).collect(),
        label_names: names.clone(),
        labels,
        ..Predictions::default()
    };
    let first = second.iter().map(|p| 1.0 - p).collect();
    let pass = Predictions::of_probabilities(&like, vec![first, second]);
    let fold = |fold: usize| {
        let mut counts = vec![vec![0; 2]; 2];
        for row in fold * 40..(fold + 1) * 40 {
            counts[pass.labels[row] as usize][pass.predicted[row] as usize] += 1;
        }
        let own = Confusion { split: Split::Test, epoch: 3, labels: names.clone(), counts };
        (RunId(4 + fold as u32), own)
    };
    let counts: Vec<_> = (0..5).map(fold).collect();
    let right = |own: &Confusion| (own.counts[0][0] + own.counts[1][1]) as f64 / 40.0;
    Together {
        runs: (4..9).map(RunId).collect(),
        missing: 0,
        task: Task::Classify,
        are_folds: true,
        accuracy: Spread::of(counts.iter().map(|(_, own)| right(own))),
        confusion: Some(added(counts).unwrap()),
        pass: Ok(Pass::Classes(pass)),
    }
}

fn answer(snap: &mut Snapshot, view: &View, facts: Result<Together, String>) {
    let Some(Question::Together(question)) = events::question(view, snap) else {
        panic!("{view:?}")
    };
    let facts = facts.map(Into::into);
    snap.answers.together = Some(Arc::new(TogetherAnswer { question, facts }));
}

#[test]
fn a_folded_row_is_one_matrix_by_the_key_of_a_run() {
    let (mut snap, mut view) = grouped();
    press(&mut view, &snap, "down 3");
    assert_eq!(view.screen, ScreenId::CONFUSION);
    assert!(text(&snap, &mut view, 100, 30).contains("reading"));
    answer(&mut snap, &view, Ok(folds()));
    both("together", &snap, &mut view);
    // Keys of a matrix work, and those that act on runs mean all of them.
    press(&mut view, &snap, "m");
    assert_ne!(view.pass.class, view.pass.column);
    let targets = screens::of(view.screen).targets(&view, &snap);
    assert_eq!(targets, (4..9).map(RunId).collect::<Vec<_>>());
    press(&mut view, &snap, "p");
    both("together_probabilities", &snap, &mut view);
    press(&mut view, &snap, "p e");
    assert_eq!(view.screen, ScreenId::CONFUSION);
    assert!(view.notice.as_ref().unwrap().text.contains("run by run"));
    press(&mut view, &snap, "left");
    assert!(view.notice.as_ref().unwrap().text.contains("the last pass of each"));
    // The val rows are another question.
    press(&mut view, &snap, "v");
    let Some(Question::Together(question)) = events::question(&view, &snap) else { panic!() };
    assert_eq!((question.split, question.runs.len()), (Split::Val, 5));
    assert!(text(&snap, &mut view, 100, 30).contains("reading"));
    answer(&mut snap, &view, Err("r4 and r6 differ in lr.".into()));
    assert!(text(&snap, &mut view, 100, 30).contains("r4 and r6 differ in lr."));
    // Back where it was come from; a run's own matrix is not the setting's.
    press(&mut view, &snap, "esc");
    assert_eq!(view.screen, ScreenId::RUNS);
    press(&mut view, &snap, "up 3");
    assert!(view.together().is_none(), "a row of one run is a run");
    press(&mut view, &snap, "1 down 3 2");
    assert!(view.together().is_none() && view.screen == ScreenId::RUN);
    press(&mut view, &snap, "3");
    assert!(view.together().is_none(), "come to from a run");
}

#[test]
fn a_setting_of_a_sweep_is_one_matrix() {
    let (mut snap, mut view) =
        super::sweep::looking(Ok(super::sweep::grid()), &["lr", "epochs", "seed"]);
    press(&mut view, &snap, "3");
    let together = view.together().unwrap();
    assert_eq!((together.name.as_str(), together.runs.len()), ("s3 lr=5e-5 epochs=3", 2));
    answer(&mut snap, &view, Ok(Together { are_folds: false, missing: 1, ..folds() }));
    let shown = text(&snap, &mut view, 120, 40);
    assert!(
        shown.contains("5 runs together, 1 to come") && shown.contains("s3 lr=5e-5"),
        "{shown}"
    );
    press(&mut view, &snap, "esc");
    assert_eq!(view.screen, ScreenId::SWEEP);
}

#[test]
fn held_out_numbers_are_one_picture() {
    let (mut snap, mut view) = grouped();
    press(&mut view, &snap, "down 3");
    let truth: Vec<f64> = (0..50).map(f64::from).collect();
    let predicted = truth.iter().map(|y| y + (y * 7.0) % 5.0 - 2.0).collect();
    let pass = Pass::Numbers(Numbers {
        rows: (1..=50).collect(),
        loss: vec![0.0; 50],
        names: vec!["score".into()],
        truth: vec![truth],
        predicted: vec![predicted],
    });
    let of = Together {
        task: Task::Regress,
        confusion: None,
        accuracy: Spread::default(),
        pass: Ok(pass),
        ..folds()
    };
    answer(&mut snap, &view, Ok(of));
    both("together_numbers", &snap, &mut view);
}
