//! Pictures of many runs: lines through three keys, any figure over any other, panels of one run each, tables side
//! by side.

use super::compare::marked;
use super::sweep::{grid, looking};
use super::{large, press};
use crate::spec::{ListColumn, RunState};
use crate::tui::fixtures::{cells, opened, text, trained};
use crate::tui::snapshot::Snapshot;
use crate::tui::theme::{Depth, Plot, Theme};
use crate::tui::view::{Charts, Picture, Popup, ScreenId, View};

const SIZES: [(u16, u16); 3] = [(80, 24), (120, 36), (200, 60)];

fn each(name: &str, snap: &Snapshot, view: &mut View) {
    for (width, height) in SIZES {
        insta::assert_snapshot!(format!("{name}_{width}"), text(snap, view, width, height));
    }
    view.area = large().area;
}

#[test]
fn curves_are_drawn_with_what_the_font_has() {
    let (snap, mut view) = opened(trained(18, RunState::Running, 2.4), 2);
    view.screen = ScreenId::RUN;
    for plot in [Plot::Block, Plot::Ascii] {
        let mut theme = Theme::new(false, Depth::True);
        theme.plot = plot;
        let buf = cells(&snap, &mut view, 80, 24, &theme);
        let braille = |symbol: &str| symbol.chars().any(|c| ('\u{2801}'..='\u{28ff}').contains(&c));
        let symbols = || buf.content.iter().map(ratatui::buffer::Cell::symbol);
        assert!(!symbols().any(braille), "{plot:?}");
        let rows: Vec<String> = buf
            .content
            .chunks(80)
            .map(|row| row.iter().map(ratatui::buffer::Cell::symbol).collect::<String>())
            .map(|row| row.trim_end().to_owned())
            .collect();
        insta::assert_snapshot!(format!("plot_{plot:?}"), rows.join("\n"));
    }
}

/// The grid, with a third key of words.
fn three() -> (Snapshot, View) {
    let mut runs = grid();
    for (at, run) in runs.iter_mut().enumerate() {
        run.spec.model = ["minilm", "distil", "bert"][at % 3].into();
    }
    looking(Ok(runs), &["lr", "epochs", "model", "seed"])
}

#[test]
fn settings_of_three_keys_are_lines() {
    let (snap, mut view) = three();
    let screen = text(&snap, &mut view, 200, 60);
    assert!(screen.contains("a line for each setting"), "{screen}");
    press(&mut view, &snap, "down down");
    each("lines", &snap, &mut view);
    press(&mut view, &snap, "a");
    assert_eq!(view.sweep.picture, Some(Picture::Axes));
    assert!(text(&snap, &mut view, 200, 60).contains("other axes"));
    press(&mut view, &snap, "i");
    assert_eq!(view.sweep.picture, Some(Picture::Lines));
    // Of two keys a heat map is the first picture, and lines are a key away.
    let (snap, mut view) = looking(Ok(grid()), &["lr", "epochs", "seed"]);
    assert!(text(&snap, &mut view, 200, 60).contains("lr ↓  epochs →"));
    press(&mut view, &snap, "i");
    assert!(text(&snap, &mut view, 200, 60).contains("a line for each setting"));
}

#[test]
fn any_figure_lies_over_any_other() {
    let (snap, mut view) = three();
    press(&mut view, &snap, "o");
    assert!(matches!(view.popup, Some(Popup::Over(false, 0))));
    let choices = super::super::sweep::over::choices(&view, &snap);
    let at = |column: &ListColumn| choices.iter().position(|known| known == column);
    let time = at(&ListColumn::Time).unwrap();
    assert!(at(&ListColumn::Key("lr")).is_some() && at(&ListColumn::Key("batch_size")).is_none());
    let model = at(&ListColumn::Key("model")).unwrap();
    for _ in 0..time {
        press(&mut view, &snap, "down");
    }
    press(&mut view, &snap, "enter");
    assert!(matches!(view.popup, Some(Popup::Over(true, _))));
    press(&mut view, &snap, "enter down");
    each("over", &snap, &mut view);
    let screen = text(&snap, &mut view, 200, 60);
    assert!(screen.contains("best val acc over time"), "{screen}");
    // Its points tell the setting under the cursor.
    let plot: String = screen.lines().take(32).collect();
    assert_eq!(plot.matches('◆').count(), 1, "{screen}");
    // Words stand in their order, which a line below the plot gives.
    press(&mut view, &snap, "o");
    for _ in 0..choices.len() {
        press(&mut view, &snap, "up");
    }
    for _ in 0..model {
        press(&mut view, &snap, "down");
    }
    press(&mut view, &snap, "enter enter");
    let screen = text(&snap, &mut view, 200, 60);
    assert!(screen.contains("over model"), "{screen}");
    assert!(screen.contains("model: 0 bert  1 distil  2 minilm"), "{screen}");
}

#[test]
fn runs_side_by_side_fill_the_screen() {
    let (snap, mut view) = marked(&[5, 6, 7]);
    each("beside", &snap, &mut view);
    let screen = text(&snap, &mut view, 200, 60);
    for title in ["keys that differ", "best, at epoch", "F1 of each class", "confusion, test"] {
        assert!(screen.contains(title), "{title}\n{screen}");
    }
    press(&mut view, &snap, "m");
    assert_eq!(view.compare.charts, Charts::EachLoss);
    each("multiples", &snap, &mut view);
    let screen = text(&snap, &mut view, 200, 60);
    for run in ["╭─ 1 r5", "╭─ 2 r6", "╭─ 3 r7"] {
        assert!(screen.contains(run), "{run}\n{screen}");
    }
    press(&mut view, &snap, "m");
    assert!(text(&snap, &mut view, 200, 60).contains("val/acc 0."));
    press(&mut view, &snap, "m");
    assert_eq!(view.compare.charts, Charts::Overlaid);
}
