use super::edit;
use crate::tui::keys::Does::{Act, Go};
use crate::tui::keys::{Action, actions};
use crate::tui::view::ScreenId;

/// The actions of the launch form.
pub static KEYS: &[&[&Action]] = &[&[&EDIT, &LESS, &MORE, &RESET, &UNFOLD, &LAUNCH, &SAVE_SWEEP]];

actions! {
    EDIT "edit" "enter e", "edit", "Edit the key, unfold the group, or launch", Act(edit::edit);
    LESS "value-down" "left", "less", "The value before; half of a rate", Act(|view, snap| {
        edit::step(view, snap, false);
        None
    });
    MORE "value-up" "right", "more", "The next value; twice a rate", Act(|view, snap| {
        edit::step(view, snap, true);
        None
    });
    RESET "value-reset" "u del", "undo", "Back to what the key was at first", Act(|view, _| {
        edit::reset(view);
        None
    });
    UNFOLD "unfold" "space", "fold", "Show or hide the keys of the group", Act(|view, _| {
        edit::unfold(view);
        None
    });
    LAUNCH "launch" "L ctrl-g", "launch", "Queue the runs; a runner starts them", Act(edit::launch);
    SAVE_SWEEP "save-sweep" "w", "save", "Save as [sweeps.NAME] in config.toml", Act(|view, _| {
        edit::save(view);
        None
    });
    GO "go-launch" "5", "", "The launch form, as it was left", Go(ScreenId::LAUNCH);
}
