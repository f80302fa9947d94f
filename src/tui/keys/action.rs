use crate::spec::RunId;
use crate::store::Run;
use crate::tui::command::Effect;
use crate::tui::snapshot::Snapshot;
use crate::tui::view::{ScreenId, View};

/// What a key can do: its names, its words, and what comes of it.
#[derive(Debug)]
pub struct Action {
    /// Its name in `[tui] keys` and in the command palette.
    pub name: &'static str,
    /// The keys, separated by spaces, unless `[tui] keys` says otherwise.
    pub keys: &'static str,
    /// Its word in the key line; empty = not shown there.
    pub hint: &'static str,
    /// One line of help.
    pub help: &'static str,
    /// What it does.
    pub does: Does,
    /// Whether it would change a run; true of what does not ask for the run's state.
    pub applies: fn(&Run) -> bool,
}

/// What comes of a key.
#[derive(Debug)]
pub enum Does {
    /// Changes the view.
    Set(fn(&mut View, &Snapshot)),
    /// Changes the view, or asks for something outside of it.
    Act(fn(&mut View, &Snapshot) -> Option<Effect>),
    /// The same, for the marked runs or the one under the cursor; nothing if there is none.
    ToRuns(fn(Vec<RunId>, &mut View, &Snapshot) -> Option<Effect>),
    /// Goes to a screen.
    Go(ScreenId),
    /// Goes so many tabs to the right.
    Tab(isize),
    /// Moves the screen's cursor so many rows down.
    Step(isize),
    /// Moves it so many pages down.
    Page(isize),
    /// One step back.
    Back,
    /// Does to the next run what was done last.
    Repeat,
}

impl PartialEq for Action {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Action {}

/// Declares actions, where [`Action`] is in scope: name, keys, word in the key line, help, what it does, and for which runs.
macro_rules! actions {
    ($($id:ident $name:literal $keys:literal, $hint:literal, $help:literal, $does:expr $(, if $when:expr)?;)+) => {
        $(
            #[doc = $help]
            pub static $id: Action = Action {
                name: $name,
                keys: $keys,
                hint: $hint,
                help: $help,
                does: $does,
                applies: actions!(@when $($when)?),
            };
        )+
    };
    (@when) => { |_| true };
    (@when $when:expr) => { $when };
}
pub(in crate::tui) use actions;
