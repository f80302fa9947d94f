//! The preview of the runs screen: below, beside, of a failed run, of marked runs, while the next one is read.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::press;
use crate::analysis::compare::{Entry, compare};
use crate::spec::{Outcome, RunId, RunState};
use crate::store::{Curve, Split};
use crate::tui::background::{Compared, Question};
use crate::tui::command::{Command, Effect};
use crate::tui::events;
use crate::tui::fixtures::{failed, opened, text, trained};
use crate::tui::preview::Preview;
use crate::tui::screens;
use crate::tui::snapshot::Snapshot;
use crate::tui::view::{ScreenId, View};

const SIZES: [(u16, u16); 3] = [(80, 24), (120, 36), (200, 60)];

fn each(name: &str, snap: &Snapshot, view: &mut View) {
    for (width, height) in SIZES {
        insta::assert_snapshot!(format!("{name}_{width}"), text(snap, view, width, height));
    }
}

/// The runs screen of a board, with the cursor on this run, which is loaded.
fn on(run: crate::store::Run, down: &str) -> (Snapshot, View) {
    let (snap, _) = opened(run, 2);
    let mut view = View { area: ratatui::layout::Rect::new(0, 0, 200, 60), ..View::default() };
    press(&mut view, &snap, down);
    assert_eq!(view.open, snap.detail.as_ref().map(|detail| detail.run.id));
    (snap, view)
}

fn live() -> (Snapshot, View) {
    on(trained(18, RunState::Running, 2.4), "down down down down")
}

#[test]
fn the_run_under_the_cursor_is_shown_where_there_is_room() {
    let (snap, mut view) = live();
    each("preview_below", &snap, &mut view);
    view.area = ratatui::layout::Rect::new(0, 0, 200, 60);
    let kept = |preview| Some(Effect::Do(Command::SavePreview(preview)));
    assert_eq!(press(&mut view, &snap, "z"), kept(Preview::Beside));
    each("preview_beside", &snap, &mut view);
    assert_eq!(press(&mut view, &snap, "z"), kept(Preview::None));
    assert!(!text(&snap, &mut view, 200, 60).contains("accuracy"));
    assert_eq!(press(&mut view, &snap, "z"), kept(Preview::Below));
    press(&mut view, &snap, "enter");
    assert_eq!((view.screen, view.open), (ScreenId::RUN, Some(RunId(18))));
}

#[test]
fn a_failed_run_says_why_at_once() {
    let (snap, mut view) = on(failed(16), "down down down down down down");
    each("preview_failed", &snap, &mut view);
    assert!(text(&snap, &mut view, 200, 60).contains("CUDA is out of memory"));
}

#[test]
fn only_what_is_shown_is_loaded() {
    let (_, mut view) = live();
    let query = screens::query(&view);
    assert_eq!((query.run, query.curves, query.near), (Some(RunId(18)), true, 0));
    assert_eq!(query.pass, (Split::Val, None));
    view.runs.preview = Preview::None;
    assert_eq!(screens::query(&view).run, None);
    view.runs.preview = Preview::Below;
    view.area = ratatui::layout::Rect::new(0, 0, 80, 24);
    assert_eq!(screens::query(&view).run, None, "there is no room for it");
}

#[test]
fn the_last_pictures_stay_until_the_next_are_there() {
    let (snap, mut view) = live();
    let before = text(&snap, &mut view, 200, 60);
    press(&mut view, &snap, "down");
    let after = text(&snap, &mut view, 200, 60);
    let picture = |screen: &str| {
        let from = screen.lines().position(|line| line.contains("preview")).unwrap();
        screen.lines().skip(from + 1).take(10).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(picture(&before), picture(&after));
    let title = after.lines().find(|line| line.contains("preview")).unwrap();
    assert!(title.contains("r17"), "{title}");
}

#[test]
fn marked_runs_lie_over_each_other() {
    let (mut snap, mut view) = live();
    let curve = |end: f64| Curve {
        step: vec![140, 280, 420],
        epoch: vec![1.0, 2.0, 3.0],
        time: vec![0; 3],
        value: vec![0.5, 0.3, end],
        total: 3,
    };
    let entries: Vec<Entry> = [11, 12]
        .map(|id| Entry {
            run: trained(id, RunState::Ended(Outcome::Done), 3.0),
            curves: BTreeMap::from([
                ("val/loss".to_owned(), curve(0.01 * f64::from(id))),
                ("val/acc".to_owned(), curve(1.0 - 0.01 * f64::from(id))),
            ]),
            confusion: None,
            predictions: Err("has no saved predictions".into()),
            other: None,
        })
        .into();
    view.runs.marks = [RunId(11), RunId(12)].into();
    assert_eq!(screens::query(&view).run, None);
    let Some(Question::Compare(question)) = events::question(&view, &snap) else {
        panic!("{view:?}")
    };
    let compared = Compared {
        runs: entries.iter().map(|entry| entry.run.clone()).collect(),
        comparison: compare(&entries, 0),
        curves: entries.iter().map(|entry| entry.curves.clone()).collect(),
    };
    snap.answers.compared = Some((question, Arc::new(Ok(compared))));
    each("preview_marked", &snap, &mut view);
}
