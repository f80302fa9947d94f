//! What keys and clicks do to the view.

mod compare;
mod form;
pub mod sweep;
mod texts;

use std::collections::BTreeSet;

use crossterm::event::{
    Event, KeyCode, KeyEvent, KeyEventKind, MouseButton, MouseEvent, MouseEventKind,
};
use ratatui::layout::{Position, Rect};

use super::canvas::Target;
use super::effects::Command;
use super::keys::{Action, Keymap};
use super::popup;
use super::screens::runs::sort_choices;
use super::snapshot::{GroupBy, Snapshot};
use super::view::{Notice, Popup, Prompt, SMOOTHING, Screen, View, XAxis, group_choices};
use super::{line::Line, screens};
use crate::spec::RunId;
use crate::store::Split;

/// What a key asks for outside of the view.
#[derive(Debug, PartialEq)]
pub enum Effect {
    /// Leave.
    Quit,
    /// Change the board.
    Do(Command),
    /// Take the mouse, or give it back, as the view now says.
    Mouse,
    /// Draw everything.
    Redraw,
    /// Write the screen to a file.
    Picture,
    /// Dark or light.
    Theme,
    /// Back to the shell.
    Suspend,
    /// Edit a run's note in the user's editor, beginning with this text.
    Editor(RunId, String),
}

/// Takes an event; false if it changes nothing.
pub fn input(
    event: Event,
    view: &mut View,
    snap: &Snapshot,
    keymap: &Keymap,
    hits: &[(Rect, Target)],
) -> (bool, Option<Effect>) {
    match event {
        Event::Key(key) if key.kind != KeyEventKind::Release => {
            view.notice = None;
            (true, press(key, view, snap, keymap))
        }
        Event::Paste(text) => (popup::paste(&text, view), None),
        Event::Mouse(mouse) => click(mouse, view, snap, keymap, hits),
        _ => (false, None),
    }
}

fn press(key: KeyEvent, view: &mut View, snap: &Snapshot, keymap: &Keymap) -> Option<Effect> {
    if view.popup.is_some() {
        return popup::press(key, view, snap, keymap);
    }
    keymap.action(view.screen, key).and_then(|action| act(action, view, snap))
}

fn click(
    mouse: MouseEvent,
    view: &mut View,
    snap: &Snapshot,
    keymap: &Keymap,
    hits: &[(Rect, Target)],
) -> (bool, Option<Effect>) {
    let steps = |code: KeyCode, action, view: &mut View| {
        for _ in 0..3 {
            if view.popup.is_some() {
                popup::press(code.into(), view, snap, keymap);
            } else {
                act(action, view, snap);
            }
        }
        (true, None)
    };
    match mouse.kind {
        MouseEventKind::ScrollUp => return steps(KeyCode::Up, Action::Up, view),
        MouseEventKind::ScrollDown => return steps(KeyCode::Down, Action::Down, view),
        MouseEventKind::Down(MouseButton::Left) | MouseEventKind::Drag(MouseButton::Left) => {}
        _ => return (false, None),
    }
    let at = Position { x: mouse.column, y: mouse.row };
    let drag = matches!(mouse.kind, MouseEventKind::Drag(_));
    let hit = hits.iter().rev().find(|(area, _)| area.contains(at));
    if view.popup.is_some() {
        if drag {
            return (false, None);
        }
        view.notice = None;
        return match hit {
            Some((_, Target::Choice(i))) => (true, popup::choose(*i, view, snap, keymap)),
            Some((_, Target::Press(code))) => {
                (true, popup::press((*code).into(), view, snap, keymap))
            }
            Some((_, Target::Popup)) => (false, None),
            // A click beside what lies over the screen leaves it; what was typed of a query stays.
            _ => {
                let is_query = matches!(view.popup, Some(Popup::Prompt(Prompt::Filter, _)));
                let code = if is_query { KeyCode::Enter } else { KeyCode::Esc };
                (true, popup::press(code.into(), view, snap, keymap))
            }
        };
    }
    // What happened stands where the keys were; a click anywhere brings them back.
    let Some((area, target)) = hit else { return (!drag && view.notice.take().is_some(), None) };
    if !drag {
        view.notice = None;
    }
    match (target, view.screen) {
        (Target::Plot, _) => view.run.read = Some(at.x - area.x),
        _ if drag => return (false, None),
        (Target::Tab(i), _) => {
            if let Some(screen) = Screen::ALL.get(*i) {
                visit(*screen, view, snap);
            }
        }
        (Target::Do(action), _) => return (true, act(*action, view, snap)),
        (Target::Mark(i), _) => {
            move_to(*i, view, snap);
            mark(view, snap);
            move_to(*i, view, snap);
        }
        (Target::Row(i), Screen::Runs) => {
            if view.runs.cursor == *i {
                return (true, act(Action::Open, view, snap));
            }
            move_to(*i, view, snap);
        }
        (Target::Row(i), Screen::Queue) => {
            if view.queue == *i {
                return (true, act(Action::Open, view, snap));
            }
            view.queue = *i;
        }
        (Target::Row(i), Screen::Launch) => {
            if view.form.as_ref().is_some_and(|form| form.cursor == *i) {
                return (true, form::edit(view, snap));
            }
            if let Some(form) = &mut view.form {
                form.cursor = *i;
            }
        }
        (Target::Title(i), _) => {
            if let Some((_, sort)) = sort_choices(snap).into_iter().nth(*i) {
                screens::runs::sort_by(sort, view);
            }
        }
        (Target::Class(i), _) => {
            (view.pass.class, view.pass.column) = (*i, *i);
            screens::confusion::scroll(view, snap);
        }
        (Target::Cell(truth, predicted), Screen::Confusion) => {
            if (view.pass.class, view.pass.column) == (*truth, *predicted) {
                return (true, act(Action::Texts, view, snap));
            }
            (view.pass.class, view.pass.column) = (*truth, *predicted);
            screens::confusion::scroll(view, snap);
        }
        // The small matrix of the run screen leads to the large one.
        (Target::Cell(..), _) => go(Screen::Confusion, view),
        (Target::Epoch(i), _) => {
            let (epochs, _) = view.epochs(snap);
            view.pass.epoch = epochs.get(*i).copied().filter(|_| i + 1 < epochs.len());
        }
        (Target::Row(i), Screen::Compare) => {
            if view.compare.cursor == *i {
                return (true, act(Action::Open, view, snap));
            }
            view.compare.cursor = *i;
        }
        (Target::Row(i), Screen::Sweep) => {
            if view.sweep.cursor == *i {
                return (true, act(Action::Open, view, snap));
            }
            view.sweep.cursor = *i;
        }
        (Target::Row(i), Screen::Texts) => {
            if view.texts.cursor == *i {
                return (true, act(Action::OpenText, view, snap));
            }
            view.texts.cursor = *i;
        }
        (Target::Row(_) | Target::Choice(_) | Target::Press(_) | Target::Popup, _) => {
            return (false, None);
        }
    }
    (true, None)
}

fn go(screen: Screen, view: &mut View) {
    view.screen = screen;
    view.popup = None;
}

/// Goes to a screen by its tab.
fn visit(screen: Screen, view: &mut View, snap: &Snapshot) {
    match screen {
        Screen::Launch => form::show(view, snap),
        Screen::Compare => compare::show(view),
        Screen::Sweep => sweep::show(view, snap),
        screen => go(screen, view),
    }
}

fn move_to(row: usize, view: &mut View, snap: &Snapshot) {
    view.runs.cursor = row.min(View::row_count(snap).saturating_sub(1));
    view.runs.at = None;
}

/// Does what a key of the table says.
pub fn act(action: Action, view: &mut View, snap: &Snapshot) -> Option<Effect> {
    match action {
        Action::Quit => return Some(Effect::Quit),
        Action::Suspend => return Some(Effect::Suspend),
        Action::Redraw => return Some(Effect::Redraw),
        Action::Theme => return Some(Effect::Theme),
        Action::Picture => return Some(Effect::Picture),
        Action::Mouse => {
            view.mouse = !view.mouse;
            let text = if view.mouse {
                "The mouse works here; M leaves it to the terminal."
            } else {
                "The mouse is the terminal's again: text can be selected."
            };
            view.notice = Some(Notice { text: text.into(), bad: false });
            return Some(Effect::Mouse);
        }
        Action::Help => view.popup = Some(Popup::Help(0)),
        Action::Palette => view.popup = Some(Popup::Palette(Line::default(), 0)),
        Action::GoRuns => go(Screen::Runs, view),
        Action::GoRun | Action::CloseLog => go(Screen::Run, view),
        Action::GoConfusion | Action::Confusion => go(Screen::Confusion, view),
        Action::GoQueue => go(Screen::Queue, view),
        Action::ToggleLog => {
            view.log_up = 0;
            go(Screen::Log, view);
        }
        Action::Follow => view.log_up = 0,
        Action::NextScreen => step_screen(view, snap, 1),
        Action::PrevScreen => step_screen(view, snap, Screen::TABS - 1),
        Action::Compare | Action::GoCompare => compare::show(view),
        Action::Sweep | Action::GoSweep => sweep::show(view, snap),
        Action::NextAxis => (view.sweep.axis, view.sweep.cost) = (view.sweep.axis + 1, false),
        Action::Pareto => view.sweep.cost = !view.sweep.cost,
        Action::MarkSetting => sweep::mark(view, snap),
        Action::Baseline => compare::baseline(view),
        Action::NextPanel => compare::panel(view),
        Action::AllKeys => {
            view.compare.panel = super::view::Panel::Keys;
            view.compare.all_keys = !view.compare.all_keys;
        }
        Action::Flips => compare::flips(view, snap),
        Action::Unmark => compare::drop_run(view),
        Action::GoLaunch => form::show(view, snap),
        Action::NewRun => form::new(view, snap),
        Action::Clone => form::of(view.targets(snap).first().copied(), view, snap),
        Action::Edit => return form::edit(view, snap),
        Action::Less => form::step(view, snap, false),
        Action::More => form::step(view, snap, true),
        Action::Reset => form::reset(view),
        Action::Unfold => form::unfold(view),
        Action::Launch => return form::launch(view, snap),
        Action::SaveSweep => form::save(view),
        Action::Open => open(view, snap),
        Action::Back => back(view, snap),
        Action::Up => step(view, snap, -1),
        Action::Down => step(view, snap, 1),
        // Its cursor has eight places at most; pages are those of the table.
        Action::PageUp if view.screen == Screen::Compare => {
            view.compare.top = view.compare.top.saturating_sub(8);
        }
        Action::PageDown if view.screen == Screen::Compare => view.compare.top += 8,
        Action::PageUp => step(view, snap, -page(view, snap)),
        Action::PageDown => step(view, snap, page(view, snap)),
        Action::Home => step(view, snap, isize::MIN),
        Action::End => step(view, snap, isize::MAX),
        Action::Filter => prompt(view, Prompt::Filter, &view.runs.filter.clone()),
        Action::Sort => {
            let at = sort_choices(snap).iter().position(|(_, s)| *s == view.runs.sort);
            view.popup = Some(Popup::Sort(at.unwrap_or(0)));
        }
        Action::Reverse => view.runs.descending = !view.runs.descending,
        Action::Group => {
            let choices = group_choices(snap);
            let at = choices.iter().position(|(_, by)| *by == view.runs.group).unwrap_or(0);
            view.popup = Some(Popup::Group(at));
        }
        Action::Views => view.popup = Some(Popup::Views(0)),
        Action::SaveView => {
            if view.runs.filter.is_empty() || view.runs.wrong.is_some() {
                let text = "Type a query with / first; it is saved as it stands.".into();
                view.notice = Some(Notice { text, bad: true });
            } else {
                prompt(view, Prompt::ViewName, "");
            }
        }
        Action::Trash => confirm(view, snap, "Throw away", Command::Trash),
        Action::Undo => return Some(Effect::Do(Command::Undo)),
        Action::Rename => {
            if let Some(id) = view.targets(snap).first() {
                let name = find(snap, *id).map(|r| r.name.clone()).unwrap_or_default();
                prompt(view, Prompt::Name(*id), &name);
            }
        }
        Action::ShowArchived => view.runs.archived = !view.runs.archived,
        Action::Mark => mark(view, snap),
        Action::MarkAll => {
            let all: BTreeSet<RunId> = snap.list.ids.iter().copied().collect();
            view.runs.marks = if view.runs.marks.is_superset(&all) { BTreeSet::new() } else { all };
        }
        Action::Rates => view.run.rates = !view.run.rates,
        Action::LogY => view.run.log_y = !view.run.log_y,
        Action::XAxis => {
            view.run.read = None;
            view.run.x = match view.run.x {
                XAxis::Epoch => XAxis::Step,
                XAxis::Step => XAxis::Time,
                XAxis::Time => XAxis::Epoch,
            };
        }
        Action::SmoothLess => view.run.smooth = view.run.smooth.saturating_sub(1),
        Action::SmoothMore => view.run.smooth = (view.run.smooth + 1).min(SMOOTHING.len() - 1),
        Action::ReadLeft => {
            view.run.read = Some(view.run.read.unwrap_or(u16::MAX).saturating_sub(1));
            screens::run::settle_reading(view);
        }
        Action::ReadRight => {
            view.run.read = Some(view.run.read.map_or(0, |at| at.saturating_add(1)));
            screens::run::settle_reading(view);
        }
        Action::EpochPrev => scrub(view, snap, -1),
        Action::EpochNext => scrub(view, snap, 1),
        Action::Normalise => view.pass.normalise = view.pass.normalise.next(),
        Action::Split => next_split(view, snap),
        Action::Jump => prompt(view, Prompt::Class, ""),
        Action::ColumnLeft => texts::column(view, snap, -1),
        Action::ColumnRight => texts::column(view, snap, 1),
        Action::NextMistake => texts::next_mistake(view, snap),
        Action::Texts => texts::of_cell(view),
        Action::Mistakes => texts::mistakes(view),
        Action::OpenText => texts::open(view),
        Action::TextBack => texts::walk(view, snap, -1),
        Action::TextOn => texts::walk(view, snap, 1),
        Action::OtherRows => texts::other_rows(view),
        Action::ExportTexts => return texts::export(view, snap),
        Action::Scores => view.pass.scores = !view.pass.scores,
        Action::Lower => view.pass.threshold = view.pass.threshold.saturating_sub(1),
        Action::Higher => view.pass.threshold = (view.pass.threshold + 1).min(100),
        Action::Overview => view.pass.overview = !view.pass.overview,
        Action::Stop => confirm(view, snap, "Stop", Command::Stop),
        Action::Hold => return command(view, snap, Command::Hold),
        Action::Resume => return command(view, snap, Command::Resume),
        Action::Retry => confirm(view, snap, "Train again from the start", Command::Retry),
        Action::Archive => return command(view, snap, Command::Archive),
        Action::Tag => {
            let ids = view.targets(snap);
            let tags = ids.first().and_then(|id| find(snap, *id)).map(|r| r.tags.join(" "));
            if !ids.is_empty() {
                prompt(view, Prompt::Tags(ids), &tags.unwrap_or_default());
            }
        }
        Action::Note => {
            if let Some(id) = view.targets(snap).first() {
                let note = find(snap, *id).map(|r| r.note.clone()).unwrap_or_default();
                if note.contains('\n') {
                    // A line cannot hold it.
                    return Some(Effect::Editor(*id, note));
                }
                prompt(view, Prompt::Note(*id), &note);
            }
        }
    }
    None
}

/// A run that is loaded for any of the screens.
pub fn find(snap: &Snapshot, id: RunId) -> Option<&crate::store::Run> {
    let detail = snap.detail.iter().map(|d| &d.run);
    let compared = snap.study.compared.iter().filter_map(|(_, c)| c.as_ref().as_ref().ok());
    let compared = compared.flat_map(|compared| &compared.runs);
    let swept = snap.study.sweep.iter().filter_map(|(_, s)| s.as_ref().as_ref().ok());
    let compared = compared.chain(swept.flat_map(|sweep| &sweep.runs));
    let mut known = snap.list.rows.iter().chain(detail).chain(snap.live.iter()).chain(compared);
    known.find(|run| run.id == id)
}

fn prompt(view: &mut View, prompt: Prompt, text: &str) {
    view.popup = Some(Popup::Prompt(prompt, Line::new(text)));
}

fn command(view: &View, snap: &Snapshot, what: fn(Vec<RunId>) -> Command) -> Option<Effect> {
    let ids = view.targets(snap);
    (!ids.is_empty()).then(|| Effect::Do(what(ids)))
}

fn confirm(view: &mut View, snap: &Snapshot, verb: &str, what: fn(Vec<RunId>) -> Command) {
    let ids = view.targets(snap);
    let question = match ids.as_slice() {
        [] => return,
        [id] => match find(snap, *id) {
            Some(run) => format!("{verb}: {id} {}?", run.name),
            None => format!("{verb}: {id}?"),
        },
        [first, ..] => format!("{verb}: {first} and {} more?", ids.len() - 1),
    };
    view.popup = Some(Popup::Confirm(question, what(ids)));
}

fn step_screen(view: &mut View, snap: &Snapshot, by: usize) {
    let tabs = Screen::TABS;
    let at = Screen::ALL.iter().position(|s| *s == view.screen).filter(|i| *i < tabs).unwrap_or(1);
    if let Some(screen) = Screen::ALL.get((at + by) % tabs) {
        visit(*screen, view, snap);
    }
}

fn open(view: &mut View, snap: &Snapshot) {
    if view.screen == Screen::Runs
        && let Some(groups) = &snap.list.groups
    {
        if let Some(group) = groups.get(view.runs.cursor) {
            view.runs.only = Some((group.label.clone(), std::sync::Arc::clone(&group.members)));
            view.runs.group = GroupBy::None;
            (view.runs.cursor, view.runs.top, view.runs.at) = (0, 0, None);
        }
        return;
    }
    let id = match view.screen {
        Screen::Runs => snap.list.ids.get(view.runs.cursor).copied(),
        _ => view.targets(snap).first().copied(),
    };
    if let Some(id) = id {
        view.show(id);
        go(Screen::Run, view);
    }
}

/// One step back: out of a screen, then out of marks, an opened group, a filter, folding.
fn back(view: &mut View, snap: &Snapshot) {
    let r = &mut view.runs;
    match view.screen {
        Screen::Texts if view.texts.full => view.texts.full = false,
        Screen::Texts => go(view.texts.from, view),
        Screen::Confusion if view.pass.scores => view.pass.scores = false,
        Screen::Log | Screen::Confusion => go(Screen::Run, view),
        Screen::Run if view.run.read.is_some() => view.run.read = None,
        Screen::Run | Screen::Queue | Screen::Launch | Screen::Compare | Screen::Sweep => {
            go(Screen::Runs, view);
        }
        Screen::Runs if !r.marks.is_empty() => r.marks.clear(),
        Screen::Runs if r.only.is_some() => {
            r.only = None;
            move_to(0, view, snap);
        }
        Screen::Runs if !r.filter.is_empty() => view.filter_to(""),
        Screen::Runs => r.group = GroupBy::None,
    }
}

fn page(view: &View, snap: &Snapshot) -> isize {
    let rows = match view.screen {
        Screen::Runs => screens::runs::page(view.area, snap),
        _ => usize::from(view.area.height.saturating_sub(8)),
    };
    rows.max(1) as isize
}

fn step(view: &mut View, snap: &Snapshot, by: isize) {
    let moved = |at: usize, last: usize| at.saturating_add_signed(by).min(last);
    match view.screen {
        Screen::Runs => {
            let last = View::row_count(snap).saturating_sub(1);
            let to = moved(view.runs.cursor, last);
            move_to(to, view, snap);
        }
        // On a run, the neighbours in the list are one key away.
        Screen::Run => {
            let ids = &snap.list.ids;
            let at = ids.iter().position(|id| Some(*id) == view.open).unwrap_or(view.runs.cursor);
            let to = moved(at, ids.len().saturating_sub(1));
            if let Some(id) = ids.get(to).copied() {
                if snap.list.groups.is_none() {
                    move_to(to, view, snap);
                }
                view.show(id);
            }
        }
        Screen::Confusion => {
            view.pass.class = moved(view.pass.class, view.class_count(snap).saturating_sub(1));
            screens::confusion::scroll(view, snap);
        }
        Screen::Launch => form::walk(view, by),
        Screen::Compare => compare::walk(view, by),
        Screen::Sweep => sweep::walk(view, snap, by),
        Screen::Texts if view.texts.full => {
            view.texts.scroll = view.texts.scroll.saturating_add_signed(by).min(100_000);
        }
        Screen::Texts => texts::walk(view, snap, by),
        Screen::Queue => {
            let last = (snap.live.len() + snap.queue.len()).saturating_sub(1);
            view.queue = moved(view.queue, last);
        }
        Screen::Log => {
            let lines = snap.log.as_ref().map_or(0, |log| log.lines.len());
            let most = lines.saturating_sub(screens::log::page(view.area));
            view.log_up = view.log_up.saturating_add_signed(by.saturating_neg()).min(most);
        }
    }
}

fn scrub(view: &mut View, snap: &Snapshot, by: isize) {
    let (epochs, at) = view.epochs(snap);
    let Some(at) = at.or_else(|| epochs.len().checked_sub(1)) else { return };
    let to = at.saturating_add_signed(by).min(epochs.len().saturating_sub(1));
    // The last epoch is "the latest": the view follows a live run.
    view.pass.epoch = if to + 1 >= epochs.len() { None } else { epochs.get(to).copied() };
}

fn next_split(view: &mut View, snap: &Snapshot) {
    let passes = view.detail(snap).map(|d| d.passes.as_slice()).unwrap_or_default();
    let order = [Split::Val, Split::Test, Split::Train];
    let at = order.iter().position(|s| *s == view.pass.split).unwrap_or(0);
    let next = order.iter().cycle().skip(at + 1).take(2);
    if let Some(split) = next.into_iter().find(|s| passes.iter().any(|(p, _)| p == *s)) {
        view.pass.split = *split;
        view.pass.epoch = None;
    } else {
        let text = format!("Only {} rows have confusion counts so far.", view.pass.split);
        view.notice = Some(Notice { text, bad: true });
    }
}

fn mark(view: &mut View, snap: &Snapshot) {
    let ids: Vec<RunId> = match &snap.list.groups {
        Some(groups) => {
            groups.get(view.runs.cursor).map(|g| g.members.to_vec()).unwrap_or_default()
        }
        None => snap.list.ids.get(view.runs.cursor).copied().into_iter().collect(),
    };
    let marks = &mut view.runs.marks;
    if ids.iter().all(|id| marks.contains(id)) {
        marks.retain(|id| !ids.contains(id));
    } else {
        marks.extend(ids);
    }
    step(view, snap, 1);
}
