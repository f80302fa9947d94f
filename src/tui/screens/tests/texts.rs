//! From a cell of the confusion matrix to its texts, and what the probabilities say.

use std::sync::Arc;

use super::{both, narrow, press};
use crate::dataset::predictions::Predictions;
use crate::spec::{Outcome, RunId, RunState};
use crate::tui::background::{Filter, Question, ScoresAnswer, TextRow, Texts, found};
use crate::tui::command::Command;
use crate::tui::command::Effect;
use crate::tui::events;
use crate::tui::fixtures::{opened, text, trained};
use crate::tui::snapshot::Snapshot;
use crate::tui::view::{ScreenId, View};

fn on_confusion(classes: usize) -> (Snapshot, View) {
    let done = trained(12, RunState::Ended(Outcome::Done), 3.0);
    let (snap, mut view) = opened(done, classes);
    view.area = ratatui::layout::Rect::new(0, 0, 160, 45);
    view.screen = ScreenId::CONFUSION;
    (snap, view)
}

fn answered(snap: &mut Snapshot, view: &View, rows: usize, problem: Option<&str>) {
    let Some(Question::Texts(question)) = events::question(view, snap) else { panic!("{view:?}") };
    let words = "Free entry in 2 a wkly comp to win FA Cup final tkts 21st May 2005. ";
    let row = |i: usize| TextRow {
        row: 7 + 31 * i as u64,
        text: (i != 3).then(|| match i {
            1 => "日本語のテキスト \u{1b}[31mred\u{202e} 🙂".to_owned(),
            2 => words.repeat(30),
            _ => format!("{i} {words}"),
        }),
        label: "ham".into(),
        predicted: "spam".into(),
        loss: 4.2 - 0.1 * i as f32,
        confidence: 0.985 - 0.01 * i as f32,
        differs: None,
        others: question.others.iter().map(|_| (i != 2).then(|| "ham".to_owned())).collect(),
    };
    let texts = Texts {
        rows: (0..rows).map(row).collect(),
        labels: vec!["ham".into(), "spam".into()],
        total: rows,
        of: 557,
        problem: problem.map(str::to_owned),
        question,
    };
    snap.answers.texts = Some(Arc::new(texts));
}

#[test]
fn a_cell_leads_to_its_texts_and_a_text_in_full() {
    let (mut snap, mut view) = on_confusion(2);
    view.runs.marks = [RunId(11), RunId(12)].into();
    press(&mut view, &snap, "m");
    assert_eq!((view.pass.class, view.pass.column), (0, 1), "the most frequent mistake");
    press(&mut view, &snap, "enter");
    assert_eq!(view.texts.filter, Filter::Cell(0, 1));
    assert!(text(&snap, &mut view, 80, 24).contains("reading predictions"));
    answered(&mut snap, &view, 12, None);
    press(&mut view, &snap, "down down");
    both("texts", &snap, &mut view);
    narrow("texts", &snap, &mut view);
    let Some(Effect::Do(Command::Texts(question))) = press(&mut view, &snap, "E") else {
        panic!("{view:?}")
    };
    assert_eq!((question.filter, question.others), (Filter::Cell(0, 1), vec![RunId(11)]));
    assert_eq!(press(&mut view, &snap, "P"), Some(Effect::Picture));
    press(&mut view, &snap, "enter down down");
    both("texts_full", &snap, &mut view);
    press(&mut view, &snap, "left left");
    assert_eq!(view.texts.cursor, 0);
    press(&mut view, &snap, "esc");
    assert!(!view.texts.full);
    press(&mut view, &snap, "esc");
    assert_eq!(view.screen, ScreenId::CONFUSION);
}

#[test]
fn other_rows_are_one_key_away() {
    let (mut snap, mut view) = on_confusion(2);
    view.runs.marks = [RunId(11), RunId(10)].into();
    press(&mut view, &snap, "e");
    let mut seen = Vec::new();
    for _ in 0..5 {
        let Some(Question::Texts(question)) = events::question(&view, &snap) else { panic!() };
        seen.push((question.filter, question.others.len()));
        press(&mut view, &snap, "f");
    }
    let wanted = [
        (Filter::Wrong, 2),
        (Filter::WrongInAll, 2),
        (Filter::Won, 1),
        (Filter::Lost, 1),
        (Filter::Cell(0, 0), 2),
    ];
    assert_eq!(seen, wanted);
    answered(&mut snap, &view, 5, None);
    both("texts_wrong", &snap, &mut view);
}

#[test]
fn a_pass_without_predictions_says_so() {
    let (mut snap, mut view) = on_confusion(2);
    press(&mut view, &snap, "enter");
    answered(&mut snap, &view, 0, Some("r12 keeps no predictions of val rows after epoch 3."));
    both("texts_none", &snap, &mut view);
}

fn scored(snap: &mut Snapshot, view: &View, classes: usize) {
    let Some(Question::Scores(question)) = events::question(view, snap) else { panic!("{view:?}") };
    let rows = 200;
    let labels: Vec<u32> = (0..rows).map(|i| (i % classes) as u32).collect();
    let own = |i: usize| 0.3 + 0.69 * ((i * 37 % 100) as f32 / 100.0);
    let probability = |class: usize, i: usize| match (i % classes == class, i.is_multiple_of(11)) {
        (true, false) | (false, true) if classes == 2 => own(i),
        (true, _) => own(i),
        _ => (1.0 - own(i)) / (classes - 1) as f32,
    };
    let pass = Predictions {
        rows: (1..=rows as u64).collect(),
        predicted: labels.clone(),
        loss: vec![0.1; rows],
        probabilities: (0..classes)
            .map(|c| (0..rows).map(|i| probability(c, i)).collect())
            .collect(),
        label_names: ["ham", "spam", "other"].iter().take(classes).map(|l| (*l).into()).collect(),
        labels,
    };
    snap.answers.scores =
        Some(Arc::new(ScoresAnswer { question, found: Ok(found(&pass)), other: None }));
}

#[test]
fn probabilities_of_two_and_of_more_classes() {
    let (mut snap, mut view) = on_confusion(2);
    press(&mut view, &snap, "p ] ] ]");
    assert_eq!(view.pass.threshold, 53);
    scored(&mut snap, &view, 2);
    both("scores_2", &snap, &mut view);
    press(&mut view, &snap, "esc");
    assert!(!view.pass.scores);
    let (mut snap, mut view) = on_confusion(3);
    press(&mut view, &snap, "p");
    scored(&mut snap, &view, 3);
    both("scores_3", &snap, &mut view);
}
