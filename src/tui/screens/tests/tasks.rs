//! The pictures of the tasks beside classification: residuals, a line for each label, tags, and their errors.

use std::collections::HashMap;
use std::sync::Arc;

use super::{both, press};
use crate::analysis::mistakes::mistakes;
use crate::dataset::predictions::{Numbers, Pass, Sets, Tags};
use crate::spec::{Outcome, RunState, Task};
use crate::tui::background::{Question, ScoresAnswer, TextRow, Texts, of_words, other};
use crate::tui::events;
use crate::tui::fixtures::{opened, text, trained};
use crate::tui::snapshot::Snapshot;
use crate::tui::view::{ScreenId, View};

/// The texts of the rows, which are numbered from 1.
const TEXTS: [&str; 6] = [
    "A plane is taking off.",
    "Two dogs play in the snow \u{1b}[2J and nobody watches them, for it is late and cold outside.",
    "日本語のテキスト",
    "Mary Ann lives in New York",
    "",
    "nobody said so",
];

fn numbers() -> Pass {
    let truth: Vec<f64> = (0..60).map(|i| f64::from(i % 6) * 0.8 + 0.25).collect();
    let off = |(i, y): (usize, &f64)| y + ((i * 37 % 11) as f64 - 5.0) * 0.12;
    let predicted: Vec<f64> = truth.iter().enumerate().map(off).collect();
    let loss = truth.iter().zip(&predicted).map(|(y, p)| ((y - p) * (y - p)) as f32).collect();
    Pass::Numbers(Numbers {
        rows: (1..=60).collect(),
        loss,
        names: vec!["score".into()],
        truth: vec![truth],
        predicted: vec![predicted],
    })
}

fn sets() -> Pass {
    let names = ["bug", "praise", "urgent, now", "日本"].map(str::to_owned);
    let has = |label: usize| (0..60).map(|i| i % (label + 2) == 0).collect::<Vec<bool>>();
    let truth: Vec<Vec<bool>> = (0..4).map(has).collect();
    let p = |(label, truth): (usize, &Vec<bool>)| {
        let one = |(i, has): (usize, &bool)| {
            let sure = 0.97 - 0.05 * label as f32 - 0.05 * (i * 37 % 11) as f32;
            if *has { sure } else { 1.0 - sure }
        };
        truth.iter().enumerate().map(one).collect::<Vec<f32>>()
    };
    let probabilities = truth.iter().enumerate().map(p).collect();
    let like = Sets { rows: (1..=60).collect(), names: names.to_vec(), truth, ..Sets::default() };
    Pass::Sets(Sets::of_probabilities(&like, probabilities))
}

fn tags() -> Pass {
    let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
    Pass::Tags(Tags {
        rows: vec![4, 6],
        loss: vec![1.25, 0.5],
        words: vec![words("Mary Ann lives in New York"), words("nobody said so")],
        truth: vec![words("B-PER I-PER O O B-LOC I-LOC"), words("O O O")],
        predicted: vec![words("B-PER I-PER O O B-ORG O"), words("O B-PER O")],
        ..Tags::default()
    })
}

/// A done run of that task whose test pass is this one, on the confusion screen.
fn looking(task: Task, pass: &Pass) -> (Snapshot, View) {
    let mut run = trained(12, RunState::Ended(Outcome::Done), 3.0);
    run.spec.task = task;
    let (mut snap, mut view) = opened(run, 3);
    view.area = ratatui::layout::Rect::new(0, 0, 160, 45);
    view.screen = ScreenId::CONFUSION;
    answer(&mut snap, &view, pass);
    (snap, view)
}

/// Answers what the view asks, as the background thread does.
fn answer(snap: &mut Snapshot, view: &View, pass: &Pass) {
    match events::question(view, snap) {
        Some(Question::Scores(question)) => {
            let found = match pass {
                Pass::Tags(_) => of_words(pass),
                _ => Err("there are no classes.".to_owned()),
            };
            let other = other(pass);
            snap.answers.scores = Some(Arc::new(ScoresAnswer { question, found, other }));
        }
        Some(Question::Texts(question)) => {
            let texts: HashMap<u64, &str> = (1..).zip(TEXTS).collect();
            let found = mistakes(pass, &texts);
            let total = found.len();
            let rows = found.into_iter().map(TextRow::from).collect();
            let (labels, of) = (Vec::new(), pass.rows().len());
            snap.answers.texts =
                Some(Arc::new(Texts { question, rows, labels, total, of, problem: None }));
        }
        _ => {}
    }
}

/// The picture of a task, its errors, and the first of them in full.
fn pictures(name: &str, task: Task, pass: &Pass) {
    let (mut snap, mut view) = looking(task, pass);
    both(&format!("task_{name}"), &snap, &mut view);
    press(&mut view, &snap, "e");
    assert_eq!(view.screen, ScreenId::TEXTS, "{name}");
    answer(&mut snap, &view, pass);
    both(&format!("task_{name}_errors"), &snap, &mut view);
    press(&mut view, &snap, "enter");
    both(&format!("task_{name}_error"), &snap, &mut view);
}

#[test]
fn predicted_against_true_numbers_and_the_largest_residuals() {
    pictures("regress", Task::Regress, &numbers());
}

#[test]
fn a_line_for_each_label_and_what_was_missed_and_added() {
    pictures("multilabel", Task::Multilabel, &sets());
}

/// Each word is a row: how sure of its tag, and how rightly. Passes of older trainers have no probabilities.
#[test]
fn tags_say_how_sure_they_are() {
    let Pass::Tags(older) = tags() else { panic!() };
    let names = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC", "B-ORG"].map(str::to_owned).to_vec();
    let word = |tag: &String| {
        let p = |name: &String| if name == tag { 0.75_f32 } else { 0.05 };
        names.iter().map(|name| p(name).ln()).collect::<Vec<f32>>()
    };
    let log_p = older.predicted.iter().map(|row| row.iter().flat_map(word).collect()).collect();
    let sure = Pass::Tags(Tags { names: names.clone(), log_p, ..older.clone() });
    let (mut snap, mut view) = looking(Task::Tag, &sure);
    press(&mut view, &snap, "p");
    answer(&mut snap, &view, &sure);
    let shown = text(&snap, &mut view, 120, 40);
    // Six of nine words have their tag, all with 0.75.
    assert!(shown.contains("reliability") && shown.contains("ECE 0.0833"), "{shown}");
    assert!(shown.contains("9 rows"), "{shown}");
    both("task_tag_entities", &snap, &mut view);
    answer(&mut snap, &view, &Pass::Tags(older));
    let shown = text(&snap, &mut view, 120, 40);
    assert!(shown.contains("no probabilities are kept"), "{shown}");
}

#[test]
fn tags_word_by_word_and_texts_with_wrong_entities() {
    pictures("tag", Task::Tag, &tags());
}
