use super::action::Does::{Go, Set, ToRuns};
use super::action::{Action, actions};
use crate::store::Split;
use crate::tui::background::Filter;
use crate::tui::snapshot::Snapshot;
use crate::tui::view::{ScreenId, View};

actions! {
    OPEN "open" "enter", "open", "Open the run, or show the runs of the group",
        ToRuns(|ids, view, _| {
            view.show(*ids.first()?);
            view.go(ScreenId::RUN);
            None
        });
    COMPARE "compare" "C", "compare", "The marked runs side by side", Go(ScreenId::COMPARE);
    SWEEP "sweep" "W", "sweep", "The sweep of the run as a whole", Go(ScreenId::SWEEP);
    MISTAKES "mistakes" "e", "mistakes", "The texts of all mistakes", Set(|view, _| {
        let from = view.screen;
        view.list_texts(Filter::Wrong, None, from);
    });
    EPOCH_PREV "epoch-back" "left", "", "The confusion matrix one epoch earlier",
        Set(|view, snap| scrub(view, snap, -1));
    EPOCH_NEXT "epoch-on" "right", "epoch", "The confusion matrix one epoch later",
        Set(|view, snap| scrub(view, snap, 1));
    SPLIT "split" "v", "split", "The matrix of validation, test or training rows",
        Set(next_split);
}

fn scrub(view: &mut View, snap: &Snapshot, by: isize) {
    if view.together().is_some() {
        view.refuse("Of several runs the last pass of each is counted.");
        return;
    }
    let (epochs, at) = view.epochs(snap);
    let Some(at) = at.or_else(|| epochs.len().checked_sub(1)) else { return };
    let to = at.saturating_add_signed(by).min(epochs.len().saturating_sub(1));
    // The last epoch is "the latest": the view follows a live run.
    view.pass.epoch = if to + 1 >= epochs.len() { None } else { epochs.get(to).copied() };
}

fn next_split(view: &mut View, snap: &Snapshot) {
    if view.together().is_some() {
        // Train rows are judged by runs of few kinds only.
        let is_test = view.pass.split == Split::Test;
        view.pass.split = if is_test { Split::Val } else { Split::Test };
        return;
    }
    let passes = view.detail(snap).map(|d| d.passes.as_slice()).unwrap_or_default();
    let order = [Split::Val, Split::Test, Split::Train];
    let at = order.iter().position(|s| *s == view.pass.split).unwrap_or(0);
    let mut next = order.iter().cycle().skip(at + 1).take(2);
    if let Some(split) = next.find(|s| passes.iter().any(|(p, _)| p == *s)) {
        view.pass.split = *split;
        view.pass.epoch = None;
    } else {
        view.refuse(format!("Only {} rows have confusion counts so far.", view.pass.split));
    }
}
