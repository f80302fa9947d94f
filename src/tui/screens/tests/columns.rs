//! The columns of the runs screen: chosen, ordered, as wide as wanted, kept for each saved query, scrolled.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::press;
use crate::spec::{ChosenColumn, RunId};
use crate::store::Sort;
use crate::tui::command::{Command, Effect};
use crate::tui::fixtures::{board, many, text};
use crate::tui::screens;
use crate::tui::snapshot::{GroupBy, Snapshot};
use crate::tui::view::{Popup, View};

const SIZES: [(u16, u16); 3] = [(80, 24), (120, 36), (200, 60)];

fn each(name: &str, snap: &Snapshot, view: &mut View) {
    for (width, height) in SIZES {
        insta::assert_snapshot!(format!("{name}_{width}"), text(snap, view, width, height));
    }
}

fn at(width: u16, height: u16) -> View {
    View { area: ratatui::layout::Rect::new(0, 0, width, height), ..View::default() }
}

fn with(columns: &str) -> View {
    let columns = BTreeMap::from([("all".to_owned(), columns.to_owned())]);
    View { columns: View::read_columns(&columns), ..at(80, 24) }
}

fn typed(view: &mut View, snap: &Snapshot, words: &str) {
    for letter in words.chars() {
        press(view, snap, &letter.to_string());
    }
}

fn chosen(view: &View) -> String {
    view.chosen_columns().map(ChosenColumn::text).unwrap_or_default()
}

fn kept(effect: Option<Effect>) -> (String, String) {
    match effect {
        Some(Effect::Do(Command::SaveColumns(view, columns))) => (view, columns),
        other => panic!("{other:?}"),
    }
}

#[test]
fn columns_are_chosen_ordered_and_made_wider() {
    let snap = board(many());
    let mut view = at(120, 36);
    press(&mut view, &snap, "o");
    each("columns_popup", &snap, &mut view);
    view.area = ratatui::layout::Rect::new(0, 0, 120, 36);
    // The name goes behind the key lr, and gets wider; the epoch goes.
    press(&mut view, &snap, "down down right");
    press(&mut view, &snap, "+ + home");
    let before = chosen(&view);
    assert!(before.starts_with("state,id,lr,name="), "{before}");
    typed(&mut view, &snap, "epo");
    press(&mut view, &snap, "space");
    assert!(!chosen(&view).contains("epoch"), "{}", chosen(&view));
    let Some(Popup::Columns(popup)) = &mut view.popup else { panic!("{view:?}") };
    popup.line = crate::tui::line::Line::default();
    typed(&mut view, &snap, "tokens");
    press(&mut view, &snap, "space");
    let (name, columns) = kept(press(&mut view, &snap, "enter"));
    assert_eq!(name, "all");
    assert!(columns.ends_with(",train/tokens_per_s"), "{columns}");
    assert_eq!(columns, chosen(&view));
    // Leaving it changes nothing.
    press(&mut view, &snap, "o space down space esc");
    assert_eq!(columns, chosen(&view));
    // The table chooses again.
    assert_eq!(kept(press(&mut view, &snap, "o =")), ("all".into(), String::new()));
    assert_eq!(view.chosen_columns(), None);
    view.runs.group = GroupBy::Seeds;
    let mut folded = board(many());
    folded.list.groups = Some(Arc::default());
    press(&mut view, &folded, "o");
    assert!(view.popup.is_none() && view.notice.is_some());
}

#[test]
fn any_key_and_figure_is_shown_in_its_unit() {
    let mut snap = board(many());
    let mut rows = snap.list.rows.to_vec();
    for run in rows.iter_mut().map(Arc::make_mut) {
        run.last.insert("train/peak_memory_bytes".into(), 3.3e9);
        run.note = format!("the note of {}", run.id);
    }
    snap.list.rows = Arc::new(rows.into());
    snap.disk = Arc::new([(RunId(18), 91 << 20), (RunId(17), 4 << 10)].into());
    let columns = "id,state,best:val/acc,last:val/acc,speed,disk,last:train/peak_memory_bytes,\
                   batch_size,name=12,flags,note=18,created=3";
    let mut view = with(columns);
    assert!(screens::query(&view).disk);
    view.columns = with(columns.trim_end_matches(",created=3")).columns;
    each("columns_chosen", &snap, &mut view);
    let screen = text(&snap, &mut view, 200, 60);
    for words in ["91 MiB", "4.0 KiB", "3.1 GiB", "examples/s", "the note of r18"] {
        assert!(screen.contains(words), "{words}\n{screen}");
    }
    assert!(!screens::query(&with("id,name")).disk, "nobody measures what is not shown");
}

#[test]
fn columns_without_room_are_scrolled_to() {
    let snap = board(many());
    let columns = "id,state,name=30,lr,seed,model,val/acc,last:val/acc,val/loss,time,tags";
    let mut view = with(columns);
    let title =
        |view: &mut View| text(&snap, view, 80, 24).lines().nth(5).unwrap_or_default().to_owned();
    let first = title(&mut view);
    assert!(first.contains("name") && !first.contains("val loss"), "{first}");
    each("columns_left", &snap, &mut view);
    view.area = ratatui::layout::Rect::new(0, 0, 80, 24);
    press(&mut view, &snap, "right");
    let second = title(&mut view);
    assert!(
        second.contains("id") && second.contains("state") && !second.contains("name"),
        "{second}"
    );
    for _ in 0..20 {
        press(&mut view, &snap, "right");
    }
    let last = title(&mut view);
    assert!(last.contains("id") && last.contains("tags"), "{last}");
    each("columns_right", &snap, &mut view);
    view.area = ratatui::layout::Rect::new(0, 0, 80, 24);
    for _ in 0..20 {
        press(&mut view, &snap, "left");
    }
    assert_eq!(title(&mut view), first);
    // Columns that the table chose, too.
    let mut view = at(80, 24);
    assert!(text(&snap, &mut view, 80, 24).contains("columns"));
    press(&mut view, &snap, "right");
    assert_eq!(view.runs.left, 1);
}

#[test]
fn a_chosen_column_can_be_sorted_by() {
    let snap = board(many());
    let view = with("id,speed,batch_size");
    let choices = super::super::runs::choices::sort_choices(&snap, &view);
    let speed = Sort::Last("train/examples_per_s".into());
    assert!(choices.iter().any(|(title, sort)| title == "examples/s" && *sort == speed));
}
