//! A sweep as a whole: a picture of its axes, what each of them matters, what it cost, and its settings best
//! first, with seeds folded and the Pareto front marked.
//!
//! ```text
//! s3 lr x epochs   24 of 24 done   2.3 GPU hours
//! ╭ val acc, lr ↓ epochs → ─╮╭ effect ──────────╮
//! ├ settings ───────────────┴┴──────────────────┤
//! ```

mod keys;
mod lines;
mod mean;
pub mod over;
mod panels;
mod picture;
mod rungs;
mod settings;
mod table;

use ratatui::layout::{Constraint, Layout, Rect};

use crate::spec::RunId;
use crate::tui::background::Question;
use crate::tui::canvas::{Canvas, Target};
use crate::tui::keys::{Action, Keymap, OPEN};
use crate::tui::screen::{About, Click, Screen, click_row};
use crate::tui::snapshot::Snapshot;
use crate::tui::view::{Picture, View};
use crate::tui::widgets::message::message;

/// The name and the runs of the setting under the cursor.
pub fn setting(view: &View, snap: &Snapshot) -> Option<(String, Vec<RunId>)> {
    let sweep = view.sweep.sweep?;
    let here = settings::here(view, snap)?;
    let axes = &settings::answer(snap, view)?.as_ref().ok()?.report.axes;
    let values = axes.iter().zip(&here.values).map(|(key, value)| format!("{key}={value}"));
    let name = std::iter::once(sweep.to_string()).chain(values).collect::<Vec<_>>().join(" ");
    Some((name, here.runs.clone()))
}

/// The runs of the two best settings: those of which one wants to know whether they differ.
pub fn best_two(view: &View, snap: &Snapshot) -> Vec<RunId> {
    let settings = settings::all(view, snap).iter().take(2);
    settings.flat_map(|setting| setting.runs.iter().copied()).collect()
}

/// A sweep as a whole.
pub struct Sweep;

impl Screen for Sweep {
    fn about(&self) -> &'static About {
        &keys::ABOUT
    }

    /// Shows the sweep of the run that keys acted on; without one, the sweep that was shown last.
    fn enter(&self, view: &mut View, snap: &Snapshot, targets: &[RunId]) {
        let run = targets.first().and_then(|id| snap.run(*id));
        if let Some(sweep) = run.and_then(|run| run.sweep)
            && view.sweep.sweep != Some(sweep)
        {
            view.sweep.sweep = Some(sweep);
            (view.sweep.cursor, view.sweep.axis) = (0, 0);
        }
    }

    /// Without a sweep nothing is done to it.
    fn offers(&self, action: &Action, view: &View, snap: &Snapshot) -> bool {
        let drawn = || {
            let facts = settings::answer(snap, view).and_then(|facts| facts.as_ref().ok());
            facts.is_none_or(|facts| facts.is_drawn)
        };
        view.sweep.sweep.is_some() && (*action != keys::EXTEND || drawn())
    }

    /// The first run of the setting under the cursor.
    fn targets(&self, view: &View, snap: &Snapshot) -> Vec<RunId> {
        let setting = settings::here(view, snap);
        setting.and_then(|setting| setting.runs.first().copied()).into_iter().collect()
    }

    fn question(&self, view: &View, snap: &Snapshot) -> Option<Question> {
        settings::question(view, snap).map(Question::Sweep)
    }

    fn step(&self, view: &mut View, snap: &Snapshot, by: isize) {
        settings::step(view, snap, by);
    }

    fn click(&self, target: &Target, _: u16, view: &mut View, _: &Snapshot) -> Click {
        match target {
            Target::Row(row) => click_row(&mut view.sweep.cursor, *row, &OPEN),
            _ => Click::Nothing,
        }
    }

    fn draw(&self, canvas: &mut Canvas, area: Rect, snap: &Snapshot, view: &View, _: &Keymap) {
        draw(canvas, area, snap, view);
    }
}

/// Draws the sweep.
fn draw(canvas: &mut Canvas, area: Rect, snap: &Snapshot, view: &View) {
    if view.sweep.sweep.is_none() {
        let words = [
            "No sweep is chosen.",
            "",
            "Choose a run that belongs to one on the runs screen, then press W.",
        ];
        return message(canvas, area, &words);
    }
    let facts = match settings::answer(snap, view) {
        None => return message(canvas, area, &["reading the sweep"]),
        Some(Err(why)) => {
            return message(canvas, area, std::slice::from_ref(why));
        }
        Some(Ok(facts)) => facts,
    };
    let said = panels::confirmed(facts);
    let lines = u16::from(said.is_some());
    let [title, line, body] =
        Layout::vertical([Constraint::Length(1), Constraint::Length(lines), Constraint::Fill(1)])
            .areas(area);
    panels::head(canvas, title, facts, view);
    if let Some(said) = said {
        canvas.put(line.x + 1, line.y, line.width.saturating_sub(2), &said, canvas.theme.good);
    }
    let [above, below] = Layout::vertical([Constraint::Fill(55), Constraint::Fill(45)]).areas(body);
    let side = (area.width * 2 / 5).clamp(30, 60);
    let [left, right] =
        Layout::horizontal([Constraint::Fill(1), Constraint::Length(side)]).areas(above);
    // A heat map shows two keys; of more, lines do.
    let usual = if facts.report.axes.len() > 2 { Picture::Lines } else { Picture::Axes };
    match view.sweep.picture.unwrap_or(usual) {
        Picture::Rungs => rungs::draw(canvas, left, facts),
        Picture::Lines => lines::draw(canvas, left, facts, view),
        Picture::Over => over::draw(canvas, left, facts, snap, view),
        Picture::Axes | Picture::Cost => picture::draw(canvas, left, facts, view),
    }
    panels::effects(canvas, right, facts);
    table::draw(canvas, below, facts, view);
}
