//! One table of keys: what they do, where, and how help, the key line, the command palette and
//! `[tui] keys` name them.

use std::collections::BTreeMap;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::TuiError;
use super::view::Screen::{self, Compare, Confusion, Launch, Log, Queue, Run, Runs, Sweep, Texts};
use crate::spec::keys::nearest;

macro_rules! table {
    ($($action:ident $name:literal $keys:literal $on:expr, $hint:literal, $help:literal;)+) => {
        /// What a key can do.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Action {
            $(#[doc = $help] $action,)+
        }

        /// Every action, in the order of help.
        pub static TABLE: &[Binding] = &[
            $(Binding {
                action: Action::$action, name: $name, keys: $keys, on: $on, hint: $hint, help: $help,
            },)+
        ];
    };
}

/// A row of [`TABLE`].
#[derive(Debug)]
pub struct Binding {
    /// What it does.
    pub action: Action,
    /// Its name in `[tui] keys` and in the command palette.
    pub name: &'static str,
    /// The keys, separated by spaces.
    pub keys: &'static str,
    /// Where; empty = everywhere.
    pub on: &'static [Screen],
    /// Its word in the key line; empty = not shown there.
    pub hint: &'static str,
    /// One line of help.
    pub help: &'static str,
}

const LISTS: &[Screen] = &[Runs, Queue, Compare, Sweep];
const ONE: &[Screen] = &[Run, Confusion];
const RUNS: &[Screen] = &[Runs, Run, Confusion, Queue, Log, Texts, Compare, Sweep];

table! {
    Open "open" "enter" LISTS, "open", "Open the run, or show the runs of the group";
    Confusion "confusion" "enter" &[Run], "confusion", "Open the confusion matrix";
    Texts "texts" "enter" &[Confusion], "texts", "The texts of the cell";
    Mistakes "mistakes" "e" ONE, "mistakes", "The texts of all mistakes";
    NextMistake "next-mistake" "m" &[Confusion], "next", "To the next most frequent mistake";
    OpenText "text" "enter" &[Texts], "text or list", "The whole text, or the list";
    TextBack "text-back" "left" &[Texts], "", "The text before";
    TextOn "text-on" "right" &[Texts], "", "The next text";
    OtherRows "other-rows" "f" &[Texts], "other rows", "The cell, all mistakes, wrong in all marked runs, won or lost against the first";
    ExportTexts "export-texts" "E" &[Texts], "export", "Write these rows to a CSV file in exports/";
    Edit "edit" "enter e" &[Launch], "edit", "Edit the key, unfold the group, or launch";
    Less "value-down" "left" &[Launch], "less", "The value before; half of a rate";
    More "value-up" "right" &[Launch], "more", "The next value; twice a rate";
    Reset "value-reset" "u del" &[Launch], "undo", "Back to what the key was at first";
    Unfold "unfold" "space" &[Launch], "fold", "Show or hide the keys of the group";
    Launch "launch" "L ctrl-g" &[Launch], "launch", "Queue the runs; a runner starts them";
    SaveSweep "save-sweep" "w" &[Launch], "save", "Save as [sweeps.NAME] in config.toml";
    Filter "filter" "/" &[Runs], "filter", "Show only some runs: words, acc>0.9 lr<3e-5 tag:best since:7d";
    Compare "compare" "C" &[Runs, Run, Confusion, Sweep], "compare", "The marked runs side by side";
    Sweep "sweep" "W" &[Runs, Run], "sweep", "The sweep of the run as a whole";
    NextAxis "next-axis" "a" &[Sweep], "axes", "Other axes in the picture";
    Pareto "cost" "p" &[Sweep], "cost", "Accuracy against the time of a run, with its Pareto front, or the axes again";
    MarkSetting "mark-setting" "space" &[Sweep], "mark", "Mark all seeds of the setting, to compare them";
    Baseline "baseline" "b" &[Compare], "baseline", "Measure the others against this run";
    NextPanel "next-table" "v" &[Compare], "table", "Keys, best and last figures, classes, confusion";
    AllKeys "all-keys" "a" &[Compare], "all keys", "All keys, or only those that differ";
    Flips "flips" "f" &[Compare], "flips", "The texts that this run gets right and the baseline wrong";
    Unmark "unmark" "space" &[Compare], "", "Leave the run out";
    Sort "sort" "s" &[Runs], "sort", "Choose the column to sort by";
    Reverse "reverse" "S" &[Runs], "", "Turn the order round";
    Group "group" "g" &[Runs], "group", "Fold rows by sweep, by all but the seed, or by any key";
    Views "views" "V" &[Runs], "", "Saved queries";
    SaveView "save-view" "ctrl-s" &[Runs], "", "Save the query under [views] in config.toml";
    Mark "mark" "space" &[Runs], "mark", "Mark the run; keys below then act on all marked runs";
    MarkAll "mark-all" "*" &[Runs], "", "Mark every row shown, or none";
    LogY "log-scale" "l" &[Run], "log scale", "Losses on a logarithmic or linear axis";
    Rates "rates" "y" &[Run], "rates", "Learning rates by layer group in place of accuracies";
    XAxis "x-axis" "a" &[Run], "axis", "Curves over steps, epochs or time";
    SmoothLess "smooth-less" "-" &[Run], "", "Smooth the curves less";
    SmoothMore "smooth-more" "+ =" &[Run], "smooth", "Smooth the curves more";
    ReadLeft "read-left" "[" &[Run], "", "Read the values under a cursor, moving left";
    ReadRight "read-right" "]" &[Run], "read", "Read the values under a cursor, moving right";
    EpochPrev "epoch-back" "left" ONE, "", "The confusion matrix one epoch earlier";
    EpochNext "epoch-on" "right" ONE, "epoch", "The confusion matrix one epoch later";
    ToggleLog "log" "o" &[Run], "log", "Show the log in full, or back";
    CloseLog "log-close" "o" &[Log], "back", "Back to the run";
    Follow "follow" "f" &[Log], "follow", "Follow new lines";
    Normalise "normalise" "n" &[Confusion], "normalise", "Counts, or shares of the row, the column or all";
    Split "split" "v" ONE, "split", "The matrix of validation, test or training rows";
    Jump "jump" "/" &[Confusion], "find class", "Go to the class with this name";
    ColumnLeft "column-left" "< ," &[Confusion], "", "The cell to the left";
    ColumnRight "column-right" "> ." &[Confusion], "", "The cell to the right";
    Scores "probabilities" "p" &[Confusion], "probabilities", "Reliability, ROC, precision and recall instead of the matrix";
    Lower "threshold-down" "[" &[Confusion], "", "A lower threshold of the second of two classes";
    Higher "threshold-up" "]" &[Confusion], "", "A higher threshold";
    Overview "overview" "z" &[Confusion], "overview", "The whole matrix as a picture, or with its numbers";
    Stop "stop" "x" RUNS, "stop", "Save and end the run";
    Hold "hold" "h" RUNS, "hold", "Keep it in the queue; a running one saves and makes room";
    Resume "resume" "r" RUNS, "resume", "Go on: from the last checkpoint, or out of hold";
    Retry "retry" "R" RUNS, "", "Train again from the start";
    Clone "clone" "c" RUNS, "clone", "Open the launch form with the spec of the run";
    Tag "tag" "t" RUNS, "", "Edit the tags of the run";
    Note "note" "n" &[Runs, Run, Queue, Log, Texts, Compare, Sweep], "", "Edit the note of the run";
    Rename "rename" "F" RUNS, "", "Edit the name of the run";
    Trash "trash" "D del" RUNS, "", "Throw the run away; undo brings it back";
    Undo "undo" "Z" RUNS, "", "Take back the last change of tags, notes, names or the archive";
    Archive "archive" "A" RUNS, "", "Hide the run from lists, or show it again";
    ShowArchived "show-archived" "H" &[Runs], "", "Show archived runs too";
    Up "up" "up k" &[], "", "Up";
    Down "down" "down j" &[], "", "Down";
    PageUp "page-up" "pgup ctrl-b" &[], "", "One page up";
    PageDown "page-down" "pgdn ctrl-f" &[], "", "One page down";
    Home "first" "home" &[], "", "To the first row";
    End "last" "end G" &[], "", "To the last row";
    Back "back" "esc backspace" &[], "", "Back; on the runs screen: drop marks, group, filter";
    GoRuns "go-runs" "1" &[], "", "The runs screen";
    GoRun "go-run" "2" &[], "", "The open run";
    GoConfusion "go-confusion" "3" &[], "", "The confusion matrix of the open run";
    GoQueue "go-queue" "4" &[], "", "Queue and devices";
    GoLaunch "go-launch" "5" &[], "", "The launch form, as it was left";
    GoCompare "go-compare" "6" &[], "", "The marked runs side by side";
    GoSweep "go-sweep" "7" &[], "", "The sweep of the run as a whole";
    NewRun "new-run" "N" &[], "", "An empty launch form";
    NextScreen "next-screen" "tab" &[], "", "The next screen";
    PrevScreen "previous-screen" "shift-tab" &[], "", "The screen before";
    Palette "commands" ":" &[], "commands", "Find an action by typing part of its name";
    Help "help" "?" &[], "help", "All keys";
    Mouse "mouse" "M" &[], "", "Use the mouse here, or leave it to the terminal";
    Picture "picture" "P" &[], "", "Write the screen to exports/ as SVG and PNG";
    Theme "theme" "T" &[], "", "Dark or light";
    Redraw "redraw" "ctrl-l" &[], "", "Draw everything again";
    Suspend "suspend" "ctrl-z" &[], "", "Back to the shell; `fg` returns";
    Quit "quit" "q ctrl-c" &[], "quit", "Leave; runs go on";
}

impl Binding {
    /// True if the action exists on the screen.
    pub fn is_on(&self, screen: Screen) -> bool {
        self.on.is_empty() || self.on.contains(&screen)
    }
}

type Key = (KeyCode, KeyModifiers);

/// The table with the user's own keys in it.
#[derive(Debug, Clone)]
pub struct Keymap {
    /// The keys of each row of [`TABLE`], as shown.
    shown: Vec<Vec<String>>,
    keys: Vec<Vec<Key>>,
}

impl Keymap {
    /// The table, with `[tui] keys` in place of its own.
    ///
    /// # Errors
    /// An action or a key that does not exist.
    pub fn new(own: &BTreeMap<String, String>) -> Result<Self, TuiError> {
        for name in own.keys() {
            if !TABLE.iter().any(|b| b.name == name) {
                let names = TABLE.iter().map(|b| b.name);
                return Err(TuiError::Action { name: name.clone(), nearest: nearest(name, names) });
            }
        }
        let (mut shown, mut keys) = (Vec::new(), Vec::new());
        for binding in TABLE {
            let text = own.get(binding.name).map_or(binding.keys, String::as_str);
            let names: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
            let read = names.iter().map(|name| {
                read_key(name).ok_or_else(|| TuiError::Key {
                    action: binding.name.to_owned(),
                    key: name.clone(),
                })
            });
            keys.push(read.collect::<Result<Vec<_>, _>>()?);
            shown.push(names);
        }
        Ok(Self { shown, keys })
    }

    /// What the key does on the screen; a screen's own keys go before those of all screens.
    pub fn action(&self, screen: Screen, event: KeyEvent) -> Option<Action> {
        let key = normal(event.code, event.modifiers);
        let found = |own: bool| {
            TABLE
                .iter()
                .zip(&self.keys)
                .find(|(b, keys)| b.is_on(screen) && b.on.is_empty() != own && keys.contains(&key))
        };
        found(true).or_else(|| found(false)).map(|(b, _)| b.action)
    }

    /// The table's rows with their keys as shown.
    pub fn rows(&self) -> impl Iterator<Item = (&'static Binding, &[String])> {
        TABLE.iter().zip(self.shown.iter().map(Vec::as_slice))
    }

    /// The first key of an action, as shown.
    pub fn key_of(&self, action: Action) -> &str {
        let found = self.rows().find(|(b, _)| b.action == action);
        found.and_then(|(_, keys)| keys.first()).map_or("", String::as_str)
    }
}

/// Reads `x`, `S`, `space`, `ctrl-l`, `shift-tab`, `f5`.
fn read_key(name: &str) -> Option<Key> {
    let (mut rest, mut mods) = (name, KeyModifiers::NONE);
    loop {
        let (prefix, tail) = match rest.split_once('-') {
            Some((prefix, tail)) if !tail.is_empty() => (prefix, tail),
            _ => break,
        };
        mods |= match prefix {
            "ctrl" => KeyModifiers::CONTROL,
            "alt" => KeyModifiers::ALT,
            "shift" => KeyModifiers::SHIFT,
            _ => return None,
        };
        rest = tail;
    }
    let code = match rest {
        "enter" => KeyCode::Enter,
        "esc" => KeyCode::Esc,
        "space" => KeyCode::Char(' '),
        "tab" => KeyCode::Tab,
        "backspace" => KeyCode::Backspace,
        "del" => KeyCode::Delete,
        "up" => KeyCode::Up,
        "down" => KeyCode::Down,
        "left" => KeyCode::Left,
        "right" => KeyCode::Right,
        "pgup" => KeyCode::PageUp,
        "pgdn" => KeyCode::PageDown,
        "home" => KeyCode::Home,
        "end" => KeyCode::End,
        _ => {
            let mut chars = rest.chars();
            match (chars.next(), chars.next()) {
                (Some(c), None) if !c.is_control() => KeyCode::Char(c),
                (Some('f'), Some(_)) => KeyCode::F(rest.get(1..)?.parse().ok()?),
                _ => return None,
            }
        }
    };
    Some(normal(code, mods))
}

/// Terminals report Shift with capitals or not, and Shift-Tab in two ways: one form for each.
fn normal(code: KeyCode, mods: KeyModifiers) -> Key {
    let mods = mods & (KeyModifiers::CONTROL | KeyModifiers::ALT | KeyModifiers::SHIFT);
    match code {
        KeyCode::Char(c) if mods.contains(KeyModifiers::CONTROL) => {
            (KeyCode::Char(c.to_ascii_lowercase()), mods - KeyModifiers::SHIFT)
        }
        KeyCode::Char(c) => (KeyCode::Char(c), mods - KeyModifiers::SHIFT),
        KeyCode::BackTab => (KeyCode::Tab, mods | KeyModifiers::SHIFT),
        code => (code, mods),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(map: &Keymap, screen: Screen, code: KeyCode, mods: KeyModifiers) -> Option<Action> {
        map.action(screen, KeyEvent::new(code, mods))
    }

    #[test]
    fn every_key_reads_and_none_means_two_things_on_one_screen() {
        let map = Keymap::new(&BTreeMap::new()).unwrap();
        for screen in Screen::ALL {
            let mut seen = BTreeMap::new();
            for (binding, keys) in map.rows().filter(|(b, _)| b.is_on(screen)) {
                for key in keys {
                    let before = seen.insert((key.clone(), binding.on.is_empty()), binding.name);
                    assert_eq!(before, None, "{key} on {screen:?}");
                }
            }
        }
        let names: std::collections::BTreeSet<_> = TABLE.iter().map(|b| b.name).collect();
        assert_eq!(names.len(), TABLE.len());
    }

    #[test]
    fn shifted_and_plain_reports_of_a_key_are_the_same() {
        let map = Keymap::new(&BTreeMap::new()).unwrap();
        for mods in [KeyModifiers::NONE, KeyModifiers::SHIFT] {
            assert_eq!(press(&map, Runs, KeyCode::Char('S'), mods), Some(Action::Reverse));
            assert_eq!(press(&map, Runs, KeyCode::BackTab, mods), Some(Action::PrevScreen));
        }
        assert_eq!(
            press(&map, Runs, KeyCode::Char('l'), KeyModifiers::CONTROL),
            Some(Action::Redraw)
        );
        assert_eq!(
            press(&map, Run, KeyCode::Char('-'), KeyModifiers::NONE),
            Some(Action::SmoothLess)
        );
        assert_eq!(
            press(&map, Confusion, KeyCode::Char('n'), KeyModifiers::NONE),
            Some(Action::Normalise)
        );
        assert_eq!(press(&map, Runs, KeyCode::Char('n'), KeyModifiers::NONE), Some(Action::Note));
    }

    #[test]
    fn own_keys_replace_those_of_the_table() {
        let own = BTreeMap::from([("stop".to_owned(), "ctrl-x f8".to_owned())]);
        let map = Keymap::new(&own).unwrap();
        assert_eq!(press(&map, Runs, KeyCode::Char('x'), KeyModifiers::NONE), None);
        assert_eq!(
            press(&map, Runs, KeyCode::Char('x'), KeyModifiers::CONTROL),
            Some(Action::Stop)
        );
        assert_eq!(press(&map, Runs, KeyCode::F(8), KeyModifiers::NONE), Some(Action::Stop));
        assert_eq!(map.key_of(Action::Stop), "ctrl-x");
        for (name, key) in [("stopp", "x"), ("stop", "hyper-x"), ("stop", "wheel")] {
            let own = BTreeMap::from([(name.to_owned(), key.to_owned())]);
            let error = Keymap::new(&own).unwrap_err().to_string();
            assert!(error.contains(name) && error.contains("stop"), "{error}");
        }
    }
}
