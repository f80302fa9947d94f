use super::edit;
use crate::tui::keys::Does::{Act, Go, Set};
use crate::tui::keys::{Action, actions};
use crate::tui::screen::About;
use crate::tui::view::{Prompt, ScreenId};

/// What this screen is.
pub static ABOUT: About = About {
    id: ScreenId::LAUNCH,
    title: "Launch",
    tab: Some(&GO),
    under: ScreenId::LAUNCH,
    keys: &[&[&EDIT, &LESS, &MORE, &RESET, &UNFOLD, &LAUNCH, &SAVE_SWEEP, &FIND_RATE, &FIND]],
};

actions! {
    EDIT "edit" "enter e", "edit", "Edit the key, unfold the group, or launch", Act(edit::edit);
    LESS "value-down" "left", "less", "The value before; half of a rate",
        Set(|view, snap| edit::step(view, snap, false));
    MORE "value-up" "right", "more", "The next value; twice a rate",
        Set(|view, snap| edit::step(view, snap, true));
    RESET "value-reset" "u del", "undo", "Back to what the key was at first",
        Set(|view, _| edit::reset(view));
    UNFOLD "unfold" "space", "fold", "Show or hide the keys of the group",
        Set(|view, _| edit::unfold(view));
    LAUNCH "launch" "L ctrl-g", "launch", "Queue the runs; a runner starts them", Act(edit::launch);
    SAVE_SWEEP "save-sweep" "w", "save", "Save as [sweeps.NAME] in config.toml",
        Set(|view, _| edit::save(view));
    FIND_RATE "find-rate" "f", "find lr", "Look for a learning rate: a test of some steps, whose bounds the form takes",
        Act(edit::find_rate);
    FIND "find-key" "/", "find key", "Go to the key whose name begins with what is typed, or contains it",
        Set(|view, _| view.prompt(Prompt::Key, ""));
    GO "go-launch" "5", "", "The launch form, as it was left", Go(ScreenId::LAUNCH);
}
