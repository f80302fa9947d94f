use super::over;
use super::settings::{here, step};
use crate::tui::command::{Command, Effect};
use crate::tui::keys::Does::{Act, Go, Set};
use crate::tui::keys::{Action, COMPARE, OF_RUNS, OPEN, actions};
use crate::tui::screen::About;
use crate::tui::view::{Picture, Popup, ScreenId, View};

/// What this screen is.
pub static ABOUT: About = About {
    id: ScreenId::SWEEP,
    title: "Sweep",
    tab: Some(&GO),
    under: ScreenId::SWEEP,
    keys: &[
        &[&OPEN, &COMPARE, &NEXT_AXIS, &LINES, &COST, &OVER, &MARK_SETTING, &RUNGS, &EXTEND],
        OF_RUNS,
    ],
};

actions! {
    NEXT_AXIS "next-axis" "a", "axes", "Other axes in the picture",
        Set(|view, _| {
            // The first one brings the heat map back.
            if view.sweep.picture.replace(Picture::Axes).is_none_or(|now| now == Picture::Axes) {
                view.sweep.axis += 1;
            }
        });
    LINES "lines" "i", "lines", "A line for each setting through all keys to its score",
        Set(|view, _| toggle(view, Picture::Lines));
    OVER "over" "o", "scatter", "Any figure or key over any other, a point for each run",
        Set(|view, snap| {
            let [x, _] = over::axes(view, snap);
            let at = over::choices(view, snap).iter().position(|column| Some(column) == x.as_ref());
            view.sweep.picture = Some(Picture::Over);
            view.popup = Some(Popup::Over(false, at.unwrap_or(0)));
        });
    COST "cost" "p", "cost",
        "Accuracy against the time of a run, with its Pareto front, or the axes again",
        Set(|view, _| toggle(view, Picture::Cost));
    RUNGS "rungs" "l", "rungs",
        "The ladder: what runs need at each rung, who is there and who was cut, or the axes again",
        Set(|view, _| toggle(view, Picture::Rungs));
    EXTEND "extend" "+", "extend", "Ten trials more, of a sweep that was drawn or is searched",
        Act(|view, _| Some(Effect::Do(Command::Extend(view.sweep.sweep?, 10))));
    MARK_SETTING "mark-setting" "space", "mark", "Mark all seeds of the setting, to compare them",
        Act(|view, snap| {
            view.toggle_marks(&here(view, snap)?.runs);
            step(view, snap, 1);
            None
        });
    GO "go-sweep" "7", "", "The sweep of the run as a whole", Go(ScreenId::SWEEP);
}

/// Shows a picture, or the one that was there before all others.
fn toggle(view: &mut View, picture: Picture) {
    let now = view.sweep.picture;
    view.sweep.picture = (now != Some(picture)).then_some(picture);
}
