use super::settings::{here, step};
use crate::tui::command::{Command, Effect};
use crate::tui::keys::Does::{Act, Go, Set};
use crate::tui::keys::{Action, COMPARE, OF_RUNS, OPEN, actions};
use crate::tui::screen::About;
use crate::tui::view::ScreenId;

/// What this screen is.
pub static ABOUT: About = About {
    id: ScreenId::SWEEP,
    title: "Sweep",
    tab: Some(&GO),
    under: ScreenId::SWEEP,
    keys: &[&[&OPEN, &COMPARE, &NEXT_AXIS, &COST, &MARK_SETTING, &RUNGS, &EXTEND], OF_RUNS],
};

actions! {
    NEXT_AXIS "next-axis" "a", "axes", "Other axes in the picture",
        Set(|view, _| {
            view.sweep.axis += 1;
            (view.sweep.cost, view.sweep.rungs) = (false, false);
        });
    COST "cost" "p", "cost",
        "Accuracy against the time of a run, with its Pareto front, or the axes again",
        Set(|view, _| (view.sweep.cost, view.sweep.rungs) = (!view.sweep.cost, false));
    RUNGS "rungs" "l", "rungs",
        "The ladder: what runs need at each rung, who is there and who was cut, or the axes again",
        Set(|view, _| (view.sweep.rungs, view.sweep.cost) = (!view.sweep.rungs, false));
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
