use super::action::Does::{Act, Back, Page, Set, Step, Tab};
use super::action::{Action, actions};
use crate::tui::command::Effect;
use crate::tui::form::Form;
use crate::tui::line::Line;
use crate::tui::view::{Popup, ScreenId};

/// Those of every screen that help lists before the tabs.
pub static BEFORE_TABS: &[&Action] = &[&UP, &DOWN, &PAGE_UP, &PAGE_DOWN, &HOME, &END, &BACK];
/// Those that help lists after the tabs.
pub static AFTER_TABS: &[&Action] = &[
    &NEW_RUN,
    &NEXT_SCREEN,
    &PREV_SCREEN,
    &PALETTE,
    &HELP,
    &ERRORS,
    &MOUSE,
    &PICTURE,
    &THEME,
    &REDRAW,
    &PACE,
    &SUSPEND,
    &QUIT,
];

actions! {
    UP "up" "up k", "", "Up", Step(-1);
    DOWN "down" "down j", "", "Down", Step(1);
    PAGE_UP "page-up" "pgup ctrl-b", "", "One page up", Page(-1);
    PAGE_DOWN "page-down" "pgdn ctrl-f", "", "One page down", Page(1);
    HOME "first" "home", "", "To the first row", Step(isize::MIN);
    END "last" "end G", "", "To the last row", Step(isize::MAX);
    BACK "back" "esc backspace", "", "Back; on the runs screen: drop marks, group, filter", Back;
    NEW_RUN "new-run" "N", "", "An empty launch form", Set(|view, snap| {
        view.form = Some(Form::new(&snap.defaults));
        view.go(ScreenId::LAUNCH);
    });
    NEXT_SCREEN "next-screen" "tab", "", "The next screen", Tab(1);
    PREV_SCREEN "previous-screen" "shift-tab", "", "The screen before", Tab(-1);
    PALETTE "commands" ":", "commands", "Find an action by part of its name, or type a line of the command line",
        Set(|view, _| view.popup = Some(Popup::Palette(Line::default(), 0)));
    HELP "help" "?", "help", "All keys", Set(|view, _| view.popup = Some(Popup::Help(0)));
    ERRORS "errors" "!", "", "What went wrong since the dashboard was opened",
        Set(|view, _| view.popup = Some(Popup::Errors(0)));
    MOUSE "mouse" "M", "", "Use the mouse here, or leave it to the terminal", Act(|view, _| {
        view.mouse = !view.mouse;
        view.tell(if view.mouse {
            "The mouse works here; M leaves it to the terminal."
        } else {
            "The mouse is the terminal's again: text can be selected."
        });
        Some(Effect::Mouse)
    });
    PICTURE "picture" "P", "", "Write the screen to exports/ as SVG and PNG",
        Act(|_, _| Some(Effect::Picture));
    THEME "theme" "T", "", "Dark or light", Act(|_, _| Some(Effect::Theme));
    REDRAW "redraw" "ctrl-l", "", "Draw everything again", Act(|_, _| Some(Effect::Redraw));
    PACE "pace" "ctrl-g", "", "How fast the terminal and the last frames are, or that no more", Act(|view, _| {
        view.pace = if view.pace.is_some() { None } else { Some(String::new()) };
        view.pace.is_some().then_some(Effect::Measure)
    });
    SUSPEND "suspend" "ctrl-z", "", "Back to the shell; `fg` returns",
        Act(|_, _| Some(Effect::Suspend));
    QUIT "quit" "q ctrl-c", "quit", "Leave; runs go on", Act(|_, _| Some(Effect::Quit));
}
