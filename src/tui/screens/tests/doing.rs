//! What is done to runs again, what went wrong, and lines of the command line.

use std::sync::Arc;

use super::{both, large, press};
use crate::spec::RunId;
use crate::tui::command::{Command, Effect, Notice};
use crate::tui::fixtures::{board, many, text};
use crate::tui::snapshot::Health;
use crate::tui::verbs::Verb;
use crate::tui::view::{Popup, ScreenId, View};

fn typed(view: &mut View, snap: &crate::tui::snapshot::Snapshot, words: &str) {
    for letter in words.chars() {
        let key = if letter == ' ' { "space".to_owned() } else { letter.to_string() };
        press(view, snap, &key);
    }
}

#[test]
fn an_empty_board_offers_nothing_that_needs_a_run() {
    let mut snap = board(Vec::new());
    for health in [Health::Ready, Health::NoDatabase] {
        snap.health = health;
        let screen = text(&snap, &mut View::default(), 160, 45);
        let footer = screen.lines().last().unwrap();
        assert!(footer.contains("enter open") && footer.contains("? help"), "{footer}");
        for word in ["stop", "hold", "clone", "mark", "compare"] {
            assert!(!footer.contains(word), "{footer}");
        }
    }
    let mut queue = View { screen: ScreenId::QUEUE, ..View::default() };
    snap.health = Health::Ready;
    for screen in [ScreenId::RUN, ScreenId::CONFUSION, ScreenId::LOG, ScreenId::TEXTS] {
        let shown = text(&snap, &mut View { screen, ..View::default() }, 160, 45);
        assert!(shown.contains("No run is open") && !shown.contains("compare"), "{shown}");
    }
    let screen = text(&snap, &mut queue, 160, 45);
    assert!(!screen.lines().last().unwrap().contains("stop"), "{screen}");
}

#[test]
fn what_went_wrong_stays_until_it_is_dismissed_and_is_listed() {
    let mut snap = board(many());
    let mut view = large();
    let why = "The database is locked by another program; nothing was changed. ".repeat(3);
    view.notice = Some(Notice::bad(why.trim_end()));
    view.remember(snap.now);
    view.remember(snap.now);
    both("error", &snap, &mut view);
    press(&mut view, &snap, "down down");
    assert_eq!(view.runs.cursor, 2, "keys go on working");
    assert!(text(&snap, &mut view, 160, 45).contains("esc dismiss  ! all"));
    press(&mut view, &snap, "esc");
    assert!(view.notice.is_none());
    snap.now += 65_000;
    view.refuse("Type a query with / first; it is saved as it stands.");
    view.remember(snap.now);
    press(&mut view, &snap, "!");
    assert!(view.notice.is_none(), "a refusal goes with the next key");
    both("errors", &snap, &mut view);
    press(&mut view, &snap, "esc");
    assert!(view.popup.is_none());
    assert_eq!(view.errors.len(), 2, "each is kept once");
}

#[test]
fn the_last_action_is_done_to_the_next_run() {
    let snap = board(many());
    let mut view = large();
    press(&mut view, &snap, ".");
    assert!(view.notice.as_ref().is_some_and(|notice| notice.bad));
    let hold = |id: u32| Some(Effect::Do(Command::Hold(vec![RunId(id)])));
    assert_eq!(press(&mut view, &snap, "h"), hold(21));
    // The next one below; then one that was gone to.
    assert_eq!(press(&mut view, &snap, "."), hold(22));
    assert_eq!(press(&mut view, &snap, "down down ."), hold(19));
    // What asks asks again.
    assert_eq!(press(&mut view, &snap, "x"), None);
    let stop = |id: u32| Some(Effect::Do(Command::Stop(vec![RunId(id)])));
    assert_eq!(press(&mut view, &snap, "y"), stop(19));
    assert_eq!(press(&mut view, &snap, "."), None);
    assert_eq!(press(&mut view, &snap, "y"), stop(18));
    // Of tags, those that were new; the next run keeps its own.
    let tagged = |id: u32, tags: &[&str]| {
        let tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
        Some(Effect::Do(Command::Tags(vec![RunId(id)], tags)))
    };
    let at = |id: u32| snap.list.ids.iter().position(|run| *run == RunId(id)).unwrap();
    view.move_to_row(at(11), &snap);
    press(&mut view, &snap, "t");
    typed(&mut view, &snap, "new");
    assert_eq!(press(&mut view, &snap, "enter"), tagged(11, &["new"]));
    assert_eq!(press(&mut view, &snap, "."), tagged(10, &["best", "paper", "new"]));
    press(&mut view, &snap, "end h");
    press(&mut view, &snap, ".");
    assert!(view.notice.is_some_and(|notice| notice.text == "There is no next run."));
}

fn verbs() -> Arc<Vec<Verb>> {
    let verb = |name: &str, usage: &str, about: &str| Verb {
        name: name.into(),
        usage: usage.into(),
        about: about.into(),
        options: vec![("--desc".into(), "Turn the order round".into())],
    };
    Arc::new(vec![
        verb("ls", "[QUERY]...", "List runs"),
        verb("run", "<KEY=VALUE>...", "Queue one run"),
        verb("show", "[ID]", "Show all of a run"),
    ])
}

#[test]
fn the_command_line_is_typed_here_with_completion() {
    let snap = board(many());
    let mut view = View { verbs: verbs(), ..large() };
    press(&mut view, &snap, ":");
    typed(&mut view, &snap, "ru");
    both("verb_found", &snap, &mut view);
    // Letters of an action go first; the verb is below it.
    let at = text(&snap, &mut view, 160, 45);
    let row = at.lines().position(|line| line.contains("Queue one run"));
    assert!(row.is_some(), "{at}");
    view.popup = None;
    press(&mut view, &snap, ":");
    typed(&mut view, &snap, "run batch_");
    both("verb_typed", &snap, &mut view);
    press(&mut view, &snap, "tab");
    typed(&mut view, &snap, "16 name='a b'");
    let Some(Effect::Verb(words, true)) = press(&mut view, &snap, "enter") else { panic!() };
    assert_eq!(words, ["run", "batch_size=16", "name=a b"]);
    assert!(view.popup.is_none());
    // Half a quote is refused, and the line stays.
    press(&mut view, &snap, ":");
    typed(&mut view, &snap, "ls 'acc>0.9");
    assert_eq!(press(&mut view, &snap, "enter"), None);
    assert!(matches!(&view.popup, Some(Popup::Palette(line, _)) if line.text() == "ls 'acc>0.9"));
    assert!(view.notice.is_some_and(|notice| notice.bad));
}
