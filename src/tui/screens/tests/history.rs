//! The query line: what is wrong with it, how it goes on; views, groups, names, the trash.

use std::sync::Arc;

use super::{both, large, press};
use crate::query::Query;
use crate::spec::RunId;
use crate::tui::background::Question;
use crate::tui::command::Command;
use crate::tui::command::Effect;
use crate::tui::events;
use crate::tui::fixtures::{board, many, text};
use crate::tui::snapshot::{GroupBy, Snapshot};
use crate::tui::view::View;

fn typed(view: &mut View, snap: &Snapshot, words: &str) {
    for c in words.chars() {
        press(view, snap, &if c == ' ' { "space".to_owned() } else { c.to_string() });
    }
}

fn known(snap: &mut Snapshot) {
    let values = [
        ("tag", vec!["best", "paper"]),
        ("metric", vec!["val/acc", "val/loss"]),
        ("model", vec!["minilm", "gpt2"]),
    ];
    let values = values.map(|(k, v)| (k.to_owned(), v.into_iter().map(str::to_owned).collect()));
    snap.answers.known = Some(Arc::new(values.into()));
}

#[test]
fn a_query_that_is_wrong_points_at_its_column_and_leaves_the_list() {
    let snap = board(many());
    let mut view = large();
    typed(&mut view, &snap, "/acc>0.9 batchsize=3");
    let good = Query::parse("acc>0.9").unwrap();
    both("query_wrong", &snap, &mut view);
    let error = view.runs.wrong.clone().unwrap();
    assert_eq!(error.column, 9);
    assert_eq!(view.listing().query.terms.first(), good.terms.first());
    press(&mut view, &snap, "esc");
    assert!(view.runs.wrong.is_none() && view.listing().query.is_empty());
}

#[test]
fn keys_and_values_are_completed() {
    let mut snap = board(many());
    let mut view = large();
    typed(&mut view, &snap, "/ta");
    assert_eq!(events::question(&view, &snap), Some(Question::Known));
    known(&mut snap);
    press(&mut view, &snap, "tab");
    assert_eq!(view.runs.filter, "tag:");
    both("query_values", &snap, &mut view);
    press(&mut view, &snap, "tab enter");
    assert_eq!(view.runs.filter, "tag:best");
    assert_eq!(view.listing().query, Query::parse("tag:best").unwrap());
    typed(&mut view, &snap, "/ -sta");
    press(&mut view, &snap, "tab");
    typed(&mut view, &snap, "fa");
    press(&mut view, &snap, "tab enter");
    assert_eq!(view.runs.filter, "tag:best -state:failed");
}

#[test]
fn views_are_saved_and_chosen() {
    let snap = board(many());
    let mut view = large();
    press(&mut view, &snap, "V");
    both("views_none", &snap, &mut view);
    press(&mut view, &snap, "esc");
    view.filter_to("acc>0.9");
    let keymap_free = press(&mut view, &snap, "ctrl-s");
    assert_eq!(keymap_free, None);
    typed(&mut view, &snap, "good");
    let saved = press(&mut view, &snap, "enter");
    let wanted = Command::SaveView("good".into(), "acc>0.9".into());
    assert_eq!(saved, Some(Effect::Do(wanted)));
    let views = [("good", "acc>0.9"), ("slow", "time>2h state:done")];
    view.views = Arc::new(views.map(|(a, b)| (a.to_owned(), b.to_owned())).into());
    press(&mut view, &snap, "V down");
    both("views", &snap, &mut view);
    press(&mut view, &snap, "enter");
    assert_eq!(view.runs.filter, "time>2h state:done");
    typed(&mut view, &snap, "/");
    press(&mut view, &snap, "esc");
    view.filter_to("view:good");
    assert!(view.runs.wrong.is_none(), "{:?}", view.runs.wrong);
}

#[test]
fn rows_fold_by_any_key() {
    let snap = board(many());
    let mut view = large();
    press(&mut view, &snap, "g down down down");
    both("group_by", &snap, &mut view);
    press(&mut view, &snap, "enter");
    assert_eq!(view.runs.group, GroupBy::Key("lr"));
    assert!(text(&snap, &mut view, 160, 45).contains("by lr"));
}

#[test]
fn names_notes_and_the_trash() {
    let mut runs = many();
    runs[1].note = "two\nlines".into();
    let snap = board(runs);
    let mut view = large();
    press(&mut view, &snap, "F");
    typed(&mut view, &snap, "x");
    let Some(Effect::Do(Command::Rename(id, name))) = press(&mut view, &snap, "enter") else {
        panic!("{view:?}")
    };
    assert_eq!((id, name.ends_with('x')), (RunId(21), true));
    assert_eq!(press(&mut view, &snap, "n a ctrl-o"), Some(Effect::Editor(RunId(21), "a".into())));
    let long = press(&mut view, &snap, "esc down n");
    assert_eq!(long, Some(Effect::Editor(RunId(22), "two\nlines".into())));
    press(&mut view, &snap, "D");
    let thrown = press(&mut view, &snap, "y");
    assert_eq!(thrown, Some(Effect::Do(Command::Trash(vec![RunId(22)]))));
    assert_eq!(press(&mut view, &snap, "Z"), Some(Effect::Do(Command::Undo)));
}
