//! Every screen at 80x24 and 160x45, as text; and at sizes nobody would choose.

mod boards;
mod columns;
mod compare;
mod doing;
mod history;
mod ladder;
mod launch;
mod pictures;
mod preview;
mod sites;
mod sweep;
mod tasks;
mod texts;
mod together;
mod wall;

use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};

use crate::spec::{Outcome, RunId, RunState, Task};
use crate::tui::background::{Question, Start};
use crate::tui::command::Command;
use crate::tui::command::Effect;
use crate::tui::events;
use crate::tui::fixtures::{board, cells, failed, many, opened, text, trained};
use crate::tui::form::Row;
use crate::tui::screens;
use crate::tui::snapshot::{Group, GroupBy, Health, Snapshot, Spread};
use crate::tui::theme::{Depth, Theme};
use crate::tui::view::{Popup, ScreenId, View};

const SMALL: (u16, u16) = (80, 24);
const LARGE: (u16, u16) = (160, 45);

fn both(name: &str, snap: &Snapshot, view: &mut View) {
    for (size, (width, height)) in [("small", SMALL), ("large", LARGE)] {
        insta::assert_snapshot!(format!("{name}_{size}"), text(snap, view, width, height));
    }
}

/// As narrow and low as it may be and still show something.
fn narrow(name: &str, snap: &Snapshot, view: &mut View) {
    insta::assert_snapshot!(format!("{name}_narrow"), text(snap, view, 52, 14));
}

fn press(view: &mut View, snap: &Snapshot, keys: &str) -> Option<Effect> {
    let keymap = screens::keymap(&std::collections::BTreeMap::new()).unwrap();
    let mut effect = None;
    for word in keys.split(' ') {
        let (word, mods) = match word.strip_prefix("ctrl-") {
            Some(rest) => (rest, KeyModifiers::CONTROL),
            None => (word, KeyModifiers::NONE),
        };
        let code = match word {
            "enter" => KeyCode::Enter,
            "esc" => KeyCode::Esc,
            "up" => KeyCode::Up,
            "down" => KeyCode::Down,
            "left" => KeyCode::Left,
            "right" => KeyCode::Right,
            "tab" => KeyCode::Tab,
            "home" => KeyCode::Home,
            "end" => KeyCode::End,
            "space" => KeyCode::Char(' '),
            word => KeyCode::Char(word.chars().next().unwrap()),
        };
        let event = Event::Key(KeyEvent::new(code, mods));
        effect = events::input(event, view, snap, &keymap, &[]).1;
        screens::settle(view, snap);
    }
    effect
}

fn large() -> View {
    View { area: ratatui::layout::Rect::new(0, 0, LARGE.0, LARGE.1), ..View::default() }
}

#[test]
fn an_empty_board_says_what_to_type() {
    let mut snap = board(Vec::new());
    snap.slots = std::sync::Arc::default();
    both("empty", &snap, &mut View::default());
    // Enter does what is next; the cursor goes elsewhere by its keys.
    let mut view = large();
    let verb = |effect: Option<Effect>| match effect {
        Some(Effect::Verb(words, _)) => words.join(" "),
        other => format!("{other:?}"),
    };
    assert_eq!(events::question(&view, &snap), Some(Question::Start(0)));
    assert_eq!(verb(press(&mut view, &snap, "enter")), "demo --queue-only");
    let pull = "models pull sentence-transformers/all-MiniLM-L6-v2 --name minilm";
    assert_eq!(verb(press(&mut view, &snap, "down enter")), pull);
    let start = Start { models: vec!["minilm".into()], files: vec!["data/a.csv".into()] };
    snap.answers.start = Some(std::sync::Arc::new(start));
    let mut view = large();
    both("empty_with_files", &snap, &mut view);
    press(&mut view, &snap, "enter");
    let form = view.form.as_ref().unwrap();
    assert_eq!((view.screen, form.row()), (ScreenId::LAUNCH, Row::Launch));
    assert_eq!(
        (form.one("model"), form.one("data")),
        (Some("minilm".into()), Some("data/a.csv".into()))
    );
    let mut view = large();
    press(&mut view, &snap, "up enter");
    assert!(matches!(&view.popup, Some(Popup::Pick(pick)) if pick.key() == "data"));
    snap.health = Health::NoDatabase;
    assert!(text(&snap, &mut View::default(), 80, 24).contains("See it work"));
}

#[test]
fn runs_in_every_state() {
    both("runs", &board(many()), &mut View::default());
}

#[test]
fn one_run() {
    let snap = board(vec![trained(1, RunState::Running, 1.2)]);
    both("one", &snap, &mut View::default());
}

#[test]
fn runs_folded_into_groups() {
    let mut snap = board(many());
    let mut spread = Spread::default();
    for x in [0.95, 0.96, 0.97] {
        spread.add(x);
    }
    let group = |label: &str, ids: std::ops::Range<u32>| Group {
        label: label.into(),
        task: Task::Classify,
        members: std::sync::Arc::new(ids.map(RunId).collect()),
        counts: snap.counts,
        figures: [("val/acc", spread), ("val/loss", spread)].into(),
    };
    snap.list.groups =
        Some(std::sync::Arc::new(vec![group("lr=1e-5", 1..4), group("lr=2e-5", 4..8)]));
    let mut view = View::default();
    view.runs.group = GroupBy::Seeds;
    both("groups", &snap, &mut view);
    press(&mut view, &snap, "down enter");
    assert_eq!(
        view.runs.only.as_ref().map(|(name, ids)| (name.as_str(), ids.len())),
        Some(("lr=2e-5", 4))
    );
}

#[test]
fn an_open_run() {
    let (snap, mut view) = opened(trained(18, RunState::Running, 2.4), 2);
    view.screen = ScreenId::RUN;
    both("run", &snap, &mut view);
    press(&mut view, &snap, "l a + + [ [ left");
    both("run_settings", &snap, &mut view);
}

#[test]
fn a_failed_run_and_its_last_words() {
    let (snap, mut view) = opened(failed(16), 2);
    view.screen = ScreenId::RUN;
    both("failed", &snap, &mut view);
}

#[test]
fn a_confusion_matrix_of_two_and_of_150_classes() {
    let done = || trained(12, RunState::Ended(Outcome::Done), 3.0);
    let (snap, mut view) = opened(done(), 2);
    view.screen = ScreenId::CONFUSION;
    both("confusion_2", &snap, &mut view);
    let (snap, mut view) = opened(done(), 150);
    view.screen = ScreenId::CONFUSION;
    both("confusion_150", &snap, &mut view);
    press(&mut view, &snap, "/ u p _ 1 4 9");
    press(&mut view, &snap, "enter");
    assert_eq!(view.pass.class, 149, "found as it is typed");
    both("confusion_150_end", &snap, &mut view);
    press(&mut view, &snap, "z");
    both("confusion_150_overview", &snap, &mut view);
}

#[test]
fn the_queue_and_its_devices() {
    let snap = board(many());
    let mut view = View { screen: ScreenId::QUEUE, ..View::default() };
    both("queue", &snap, &mut view);
}

#[test]
fn help_palette_sort_confirm_and_typed_lines() {
    let snap = board(many());
    for (name, keys) in [
        ("help", "?"),
        ("palette", ": r e"),
        ("sort", "s down down down"),
        ("confirm", "down down down down x"),
        ("filter", "/ l r = 1"),
        ("tags", "t a b"),
    ] {
        let mut view = large();
        press(&mut view, &snap, keys);
        both(name, &snap, &mut view);
    }
}

#[test]
fn the_log_in_full() {
    let (snap, mut view) = opened(trained(18, RunState::Running, 2.4), 2);
    view.screen = ScreenId::LOG;
    both("log", &snap, &mut view);
}

#[test]
fn every_screen_survives_every_size_and_theme() {
    for (width, height) in [
        (1, 1),
        (2, 50),
        (200, 2),
        (49, 12),
        (50, 11),
        (50, 12),
        (51, 13),
        (79, 23),
        (109, 30),
        (110, 19),
        (400, 100),
    ] {
        for theme in [Theme::new(true, Depth::Named), Theme::new(false, Depth::Mono)] {
            for (run, classes) in
                [(trained(18, RunState::Running, 2.4), 2), (failed(16), 0), (failed(16), 150)]
            {
                let (snap, mut view) = opened(run, classes);
                for screen in screens::TABLE.iter().map(|screen| screen.about().id) {
                    for popup in [
                        None,
                        Some(Popup::Help(90)),
                        Some(Popup::Sort(3)),
                        Some(Popup::Palette(crate::tui::line::Line::new("x"), 0)),
                    ] {
                        (view.screen, view.popup) = (screen, popup);
                        cells(&snap, &mut view, width, height, &theme);
                    }
                }
            }
        }
    }
    let snap = board(many());
    insta::assert_snapshot!("too_small", text(&snap, &mut View::default(), 40, 8));
}

#[test]
fn drawing_is_pure() {
    let (snap, mut view) = opened(trained(18, RunState::Running, 2.4), 6);
    let theme = Theme::new(false, Depth::True);
    for screen in screens::TABLE.iter().map(|screen| screen.about().id) {
        view.screen = screen;
        let first = cells(&snap, &mut view, 160, 45, &theme);
        assert_eq!(first, cells(&snap, &mut view, 160, 45, &theme), "{screen:?}");
    }
}

#[test]
fn no_escape_reaches_a_cell() {
    let mut runs = many();
    for run in &mut runs {
        run.name = "a\u{1b}[2Jb\u{7}\u{9b}31m\u{202e}c".into();
        run.note = "\u{1b}]0;title\u{7}".into();
        run.tags = vec!["\u{1b}[31m".into()];
        run.spec.model = "m\u{1b}[0m".into();
    }
    let mut run = failed(16);
    run.name.clone_from(&runs[0].name);
    let (mut snap, mut view) = opened(run, 3);
    snap.list = board(runs).list;
    for screen in screens::TABLE.iter().map(|screen| screen.about().id) {
        view.screen = screen;
        let shown = text(&snap, &mut view, 160, 45);
        assert!(
            !shown.chars().any(|c| c != '\n' && (c.is_control() || c == '\u{202e}')),
            "{shown}"
        );
    }
}

#[test]
fn wide_characters_keep_columns_apart() {
    let snap = board(many());
    let shown = text(&snap, &mut View::default(), 160, 45);
    let column = |line: &str| {
        let at = line.find("3/3").unwrap();
        crate::tui::text::width(&line[..at])
    };
    let rows: Vec<&str> =
        shown.lines().filter(|l| l.contains("✓ done") && l.contains("3/3")).collect();
    assert!(rows.len() > 5 && rows.iter().any(|l| l.contains("日本")));
    assert!(rows.iter().all(|l| column(l) == column(rows[0])), "{shown}");
}

#[test]
fn keys_change_runs_only_after_a_yes() {
    let snap = board(many());
    let mut view = large();
    assert_eq!(press(&mut view, &snap, "down down down down x"), None);
    assert_eq!(press(&mut view, &snap, "n"), None);
    assert_eq!(view.popup, None);
    let stop = Effect::Do(Command::Stop(vec![RunId(18)]));
    assert_eq!(press(&mut view, &snap, "x y"), Some(stop));
    press(&mut view, &snap, "space space");
    let hold = Effect::Do(Command::Hold(vec![RunId(17), RunId(18)]));
    assert_eq!(press(&mut view, &snap, "h"), Some(hold));
    let tags = Effect::Do(Command::Tags(vec![RunId(17), RunId(18)], vec!["a".into(), "b".into()]));
    assert_eq!(press(&mut view, &snap, "t a space b enter"), Some(tags));
    assert!(view.runs.marks.is_empty());
}

#[test]
fn the_cursor_stays_on_its_run_when_others_come() {
    let mut view = large();
    let snap = board(many());
    press(&mut view, &snap, "down down down");
    assert_eq!(view.runs.at, Some(RunId(19)));
    let mut more: Vec<_> = (1..=2).map(|i| crate::tui::fixtures::queued(30 + i)).collect();
    more.extend(many());
    let snap = board(more);
    screens::settle(&mut view, &snap);
    assert_eq!((view.runs.cursor, view.runs.at), (5, Some(RunId(19))));
}

#[test]
fn a_new_order_begins_at_its_first_row() {
    let mut view = large();
    let mut snap = board(many());
    press(&mut view, &snap, "down down down s down down down enter");
    assert_eq!((view.runs.cursor, view.runs.at), (0, None), "until the answer is here");
    let mut runs = many();
    runs.reverse();
    snap = board(runs);
    snap.list.listing = view.listing();
    screens::settle(&mut view, &snap);
    assert_eq!((view.runs.cursor, view.runs.at), (0, Some(RunId(1))));
}

#[test]
fn epochs_are_walked_and_the_last_one_follows_the_run() {
    let (snap, mut view) = opened(trained(12, RunState::Ended(Outcome::Done), 3.0), 2);
    view.screen = ScreenId::CONFUSION;
    assert_eq!(view.pass.epoch, None);
    press(&mut view, &snap, "left left left left");
    assert_eq!(view.pass.epoch, Some(1));
    press(&mut view, &snap, "right right right");
    assert_eq!(view.pass.epoch, None);
}
