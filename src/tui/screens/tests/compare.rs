//! Runs side by side: none marked, two, eight, refused; the tables; flips.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{both, large, narrow, press};
use crate::analysis::compare::{Entry, compare};
use crate::dataset::predictions::Predictions;
use crate::spec::{Outcome, RunId, RunState};
use crate::store::{Confusion, Curve, Split};
use crate::tui::background::{Compared, Filter, Question};
use crate::tui::events;
use crate::tui::fixtures::{board, many, text, trained};
use crate::tui::screens;
use crate::tui::snapshot::{Detail, Snapshot};
use crate::tui::view::{Popup, ScreenId, View};

fn curve(points: impl Iterator<Item = (f64, f64)>) -> Curve {
    let (epoch, value): (Vec<f64>, Vec<f64>) = points.unzip();
    Curve {
        step: epoch.iter().map(|e| (e * 140.0) as u64).collect(),
        time: vec![0; epoch.len()],
        total: epoch.len(),
        value,
        epoch,
    }
}

/// A run that gets every `wrong`th of 200 rows wrong.
fn entry(id: u32, wrong: usize, tested: bool) -> Entry {
    let run = trained(id, RunState::Ended(Outcome::Done), 3.0);
    let labels: Vec<u32> = (0..200).map(|i| u32::from(i % 7 == 0)).collect();
    let predicted: Vec<u32> =
        labels.iter().enumerate().map(|(i, l)| if i % wrong == 1 { 1 - l } else { *l }).collect();
    let mut counts = vec![vec![0; 2]; 2];
    for (label, guess) in labels.iter().zip(&predicted) {
        counts[*label as usize][*guess as usize] += 1;
    }
    let names = vec!["ham".to_owned(), "spam".to_owned()];
    let predictions = Predictions {
        rows: (1..=200).collect(),
        loss: vec![0.1; 200],
        probabilities: vec![vec![0.5; 200]; 2],
        label_names: names.clone(),
        labels,
        predicted,
    };
    let worse = wrong as f64 * 0.002;
    let falling = |e: f64| (e, 0.09 - worse / 2.0 + 0.5 * (-1.4 * e).exp());
    let curves = BTreeMap::from([
        ("val/loss".to_owned(), curve((1..=3).map(|e| falling(f64::from(e))))),
        (
            "val/acc".to_owned(),
            curve((1..=3).map(|e| (f64::from(e), 0.9 + worse + 0.01 * f64::from(e)))),
        ),
        ("test/acc".to_owned(), curve([(3.0, 1.0 - 1.0 / wrong as f64)].into_iter())),
    ]);
    Entry {
        run,
        curves,
        confusion: Some(Confusion { split: Split::Test, epoch: 3, labels: names, counts }),
        predictions: if tested {
            Ok(predictions)
        } else {
            Err("has no saved predictions of the test rows".into())
        },
        other: None,
    }
}

/// Marks these runs and answers what the screen asks.
fn comparing(entries: Vec<Entry>) -> (Snapshot, View) {
    let mut snap = board(many());
    let mut view = large();
    view.runs.marks = entries.iter().map(|e| e.run.id).collect();
    press(&mut view, &snap, "C");
    answered(&mut snap, &view, &entries);
    (snap, view)
}

/// The same of runs with these numbers, all of them tested.
pub(super) fn marked(ids: &[u32]) -> (Snapshot, View) {
    comparing(ids.iter().map(|id| entry(*id, *id as usize, true)).collect())
}

pub(super) fn answered(snap: &mut Snapshot, view: &View, entries: &[Entry]) {
    let Some(Question::Compare(question)) = events::question(view, snap) else {
        panic!("{view:?}")
    };
    let of = |id: &RunId| entries.iter().find(|e| e.run.id == *id).unwrap().clone();
    let entries: Vec<Entry> = question.runs.iter().map(of).collect();
    let compared = Compared {
        runs: entries.iter().map(|e| e.run.clone()).collect(),
        comparison: compare(&entries, 0),
        curves: entries.iter().map(|e| e.curves.clone()).collect(),
    };
    snap.answers.compared = Some((question, Arc::new(Ok(compared))));
}

#[test]
fn without_marks_it_says_how_to_mark() {
    let snap = board(many());
    let mut view = large();
    press(&mut view, &snap, "C");
    both("compare_none", &snap, &mut view);
    assert_eq!(events::question(&view, &snap), None);
}

#[test]
fn two_runs_and_their_tables() {
    let entries = vec![entry(12, 20, true), entry(10, 4, true)];
    let (mut snap, mut view) = comparing(entries.clone());
    both("compare_two", &snap, &mut view);
    narrow("compare_two", &snap, &mut view);
    for name in ["best", "last", "classes", "confusion"] {
        press(&mut view, &snap, "v");
        both(&format!("compare_two_{name}"), &snap, &mut view);
    }
    press(&mut view, &snap, "a");
    assert!(text(&snap, &mut view, 160, 45).contains("weight_decay"));
    press(&mut view, &snap, "down b");
    assert_eq!(
        screens::compare::compared(&view),
        [RunId(12), RunId(10)],
        "the baseline comes first"
    );
    answered(&mut snap, &view, &entries);
    assert!(text(&snap, &mut view, 160, 45).contains("baseline"));
}

#[test]
fn eight_runs_of_which_one_cannot_be_tested() {
    let entries = (5..=12).map(|id| entry(id, id as usize, id != 9)).collect();
    let (snap, mut view) = comparing(entries);
    press(&mut view, &snap, "down down v");
    both("compare_eight", &snap, &mut view);
}

/// Three folds of two settings: one answer for all of them.
#[test]
fn folds_of_two_settings() {
    let fold = |id: u32, wrong| {
        let mut entry = entry(id, wrong, true);
        let (fold, lr) = (1 + id % 3, if id > 9 { 5e-5 } else { 1e-5 });
        (entry.run.spec.folds, entry.run.spec.fold, entry.run.spec.lr) = (3, fold, lr);
        if let Ok(predictions) = &mut entry.predictions {
            predictions.rows.iter_mut().for_each(|row| *row += u64::from(fold) * 200);
        }
        entry
    };
    let wrong = [9, 10, 12, 30, 33, 40];
    let entries = (7..=12).zip(wrong).map(|(id, wrong)| fold(id, wrong)).collect();
    let (snap, mut view) = comparing(entries);
    both("compare_folds", &snap, &mut view);
}

#[test]
fn the_run_under_the_cursor_is_what_keys_act_on() {
    let (snap, mut view) = comparing(vec![entry(12, 20, true), entry(10, 4, true)]);
    press(&mut view, &snap, "down c");
    assert_eq!(view.form.as_ref().unwrap().from, Some(RunId(12)));
    press(&mut view, &snap, "6 x");
    assert!(view.popup.is_none(), "it has ended");
    press(&mut view, &snap, "D");
    assert!(matches!(view.popup, Some(Popup::Confirm(..))));
    press(&mut view, &snap, "esc space");
    assert_eq!(screens::compare::compared(&view), [RunId(10)]);
}

#[test]
fn flips_are_the_texts_of_the_test_rows_against_the_baseline() {
    let (mut snap, mut view) = comparing(vec![entry(12, 20, true), entry(10, 4, true)]);
    press(&mut view, &snap, "f");
    assert!(view.notice.as_ref().unwrap().bad, "the baseline has no flips against itself");
    press(&mut view, &snap, "down f");
    assert_eq!((view.screen, view.open), (ScreenId::TEXTS, Some(RunId(12))));
    let run = trained(12, RunState::Ended(Outcome::Done), 3.0);
    let passes = vec![(Split::Val, 3), (Split::Test, 3)];
    snap.detail = Some(Arc::new(Detail { run, curves: BTreeMap::new(), buckets: 0, passes }));
    let Some(Question::Texts(question)) = events::question(&view, &snap) else {
        panic!("{view:?}")
    };
    assert_eq!((question.split, question.filter), (Split::Test, Filter::Won));
    assert_eq!(question.others, [RunId(10)]);
    press(&mut view, &snap, "f");
    let Some(Question::Texts(question)) = events::question(&view, &snap) else {
        panic!("{view:?}")
    };
    assert_eq!((question.filter, question.others), (Filter::Lost, vec![RunId(10)]));
    press(&mut view, &snap, "esc");
    assert_eq!(view.screen, ScreenId::COMPARE);
}
