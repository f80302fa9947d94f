//! Every screen of boards in every condition, at three usual sizes.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::spec::{Outcome, RunState};
use crate::store::{Confusion, Run};
use crate::tui::fixtures::{board, failed, many, opened, text, trained};
use crate::tui::screens;
use crate::tui::snapshot::Snapshot;
use crate::tui::text::width;
use crate::tui::view::View;

const SIZES: [(u16, u16); 3] = [(80, 24), (120, 36), (200, 60)];

/// One snapshot a size, with all screens in it.
fn each(name: &str, make: impl Fn() -> (Snapshot, View)) {
    for (columns, rows) in SIZES {
        let all = screens::TABLE.iter().map(|screen| {
            let about = screen.about();
            let (snap, mut view) = make();
            let targets = screen.targets(&view, &snap);
            screen.enter(&mut view, &snap, &targets);
            view.screen = about.id;
            let shown = text(&snap, &mut view, columns, rows);
            assert_eq!(shown.lines().count(), usize::from(rows), "{name} {}", about.id.0);
            for line in shown.lines() {
                assert!(width(line) <= usize::from(columns), "{name} {}: {line}", about.id.0);
            }
            format!("==== {}\n{shown}", about.id.0)
        });
        insta::assert_snapshot!(format!("board_{name}_{columns}"), all.collect::<String>());
    }
}

/// These runs, the first of them open.
fn with(runs: &[Run]) -> (Snapshot, View) {
    let (mut snap, view) = opened(runs[0].clone(), 3);
    let whole = board(runs.to_vec());
    (snap.list, snap.counts, snap.live) = (whole.list, whole.counts, whole.live);
    (snap.queue, snap.recent, snap.slots) = (whole.queue, whole.recent, whole.slots);
    (snap, view)
}

#[test]
fn an_empty_board() {
    each("empty", || (board(Vec::new()), View::default()));
}

#[test]
fn a_board_of_one_run() {
    each("one", || with(&[trained(1, RunState::Ended(Outcome::Done), 3.0)]));
}

#[test]
fn a_board_of_many_runs() {
    each("many", || with(&many()));
}

#[test]
fn a_board_on_which_everything_runs() {
    let live = |id| trained(id, RunState::Running, f64::from(id) * 0.4);
    each("live", || with(&[live(5), live(4), live(3), live(2), live(1)]));
}

#[test]
fn a_board_on_which_everything_failed() {
    each("failed", || with(&[failed(3), failed(2), failed(1)]));
}

/// Nothing that somebody named is short: runs, files, labels, tags.
#[test]
fn a_board_of_long_names() {
    let label = |i: usize| format!("card_payment_not_recognised_by_the_customer_at_all_{i}");
    let long = |id: u32| {
        let mut run = trained(id, RunState::Ended(Outcome::Done), 3.0);
        run.name =
            format!("a name that says what was tried, why it was tried and by whom, number {id}");
        run.spec.data =
            format!("data/exports/2026-11/customer_messages_of_the_last_quarter_{id}.csv");
        run.spec.model = "sentence-transformers-paraphrase-multilingual-mpnet-base-v2".into();
        run.tags = vec!["a-tag-of-many-letters".into(), "baseline-for-the-paper".into()];
        run
    };
    each("long", || {
        let (mut snap, view) = with(&[long(3), long(2), long(1)]);
        let renamed = snap.passes.counts.iter().map(|(pass, confusion)| {
            let labels = (0..confusion.labels.len()).map(label).collect();
            (*pass, Arc::new(Confusion { labels, ..Confusion::clone(confusion) }))
        });
        snap.passes.counts = renamed.collect::<BTreeMap<_, _>>();
        (snap, view)
    });
}
