//! What the user looks at and how: everything a screen draws from besides the snapshot.

mod parts;
mod questions;

use std::collections::BTreeMap;
use std::sync::Arc;

use ratatui::layout::Rect;

use super::form::Form;
use super::query::Query;
use super::snapshot::{Detail, GroupBy, Snapshot};
use crate::spec::RunId;
use crate::spec::keys::KEYS;
use crate::store::{Confusion, Listing, Split};

pub use parts::{
    CompareView, Panel, PassView, Pick, Popup, Prompt, RunView, RunsView, SMOOTHING, SweepView,
    TextsView, XAxis,
};

/// The screens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Screen {
    /// The table of all runs.
    #[default]
    Runs,
    /// One run.
    Run,
    /// Its confusion matrix.
    Confusion,
    /// Queue and devices.
    Queue,
    /// The launch form.
    Launch,
    /// The marked runs side by side.
    Compare,
    /// A sweep as a whole.
    Sweep,
    /// The log of one run, in full.
    Log,
    /// The texts behind its confusion matrix.
    Texts,
}

impl Screen {
    /// In the order of the tabs, then those without one.
    pub const ALL: [Self; 9] = [
        Self::Runs,
        Self::Run,
        Self::Confusion,
        Self::Queue,
        Self::Launch,
        Self::Compare,
        Self::Sweep,
        Self::Log,
        Self::Texts,
    ];
    /// Screens that have a tab.
    pub const TABS: usize = 7;

    /// Its tab.
    pub fn title(self) -> &'static str {
        match self {
            Self::Runs => "Runs",
            Self::Run => "Run",
            Self::Confusion => "Confusion",
            Self::Queue => "Queue",
            Self::Launch => "Launch",
            Self::Compare => "Compare",
            Self::Sweep => "Sweep",
            Self::Log => "Log",
            Self::Texts => "Texts",
        }
    }
}

/// Everything the user has set.
#[derive(Debug, Clone, Default)]
pub struct View {
    /// The terminal.
    pub area: Rect,
    /// Which screen.
    pub screen: Screen,
    /// What lies over it.
    pub popup: Option<Popup>,
    /// What happened last; goes with the next key.
    pub notice: Option<Notice>,
    /// Whether clicks come here.
    pub mouse: bool,
    /// Saved queries by name.
    pub views: Arc<BTreeMap<String, String>>,
    /// The runs screen.
    pub runs: RunsView,
    /// The run of the screens Run, Confusion and Log.
    pub open: Option<RunId>,
    /// The run screen.
    pub run: RunView,
    /// The confusion matrix, there and in small on the run screen.
    pub pass: PassView,
    /// Lines that the log is scrolled up from its end; 0 follows.
    pub log_up: usize,
    /// The row of the queue screen.
    pub queue: usize,
    /// The marked runs side by side.
    pub compare: CompareView,
    /// A sweep as a whole.
    pub sweep: SweepView,
    /// The texts.
    pub texts: TextsView,
    /// The launch form, once it was opened; leaving it loses nothing.
    pub form: Option<Form>,
}

/// A line that tells what came of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// One sentence.
    pub text: String,
    /// True if it did not work.
    pub bad: bool,
}

impl View {
    /// Which runs are wanted, in which order.
    pub fn listing(&self) -> Listing {
        let r = &self.runs;
        Listing {
            query: r.query.clone(),
            sort: r.sort.clone(),
            descending: r.descending,
            archived: r.archived,
            ..Listing::default()
        }
    }

    /// What the loader has to bring for this view.
    pub fn query(&self) -> Query {
        let rows = usize::from(self.area.height).max(24);
        let r = &self.runs;
        let shows_run =
            matches!(self.screen, Screen::Run | Screen::Confusion | Screen::Log | Screen::Texts);
        let open = self.open.filter(|_| shows_run);
        Query {
            listing: self.listing(),
            only: r.only.as_ref().map(|(_, ids)| Arc::clone(ids)),
            group: r.group,
            // Whole screens, so that a step of the cursor asks for nothing new.
            window: ((r.top / rows * rows).saturating_sub(rows), 4 * rows),
            run: open,
            curves: open.is_some() && self.screen == Screen::Run,
            // Several to a column: the thinner the buckets, the less a new point shifts them.
            buckets: 4 * usize::from(self.area.width).max(40).next_multiple_of(40),
            pass: (self.pass.split, self.pass.epoch),
            log: self.screen == Screen::Run || self.screen == Screen::Log,
            queue: self.screen == Screen::Queue,
        }
    }

    /// The position of the shown pass in the open run's list, and that list for its split.
    pub fn epochs(&self, snap: &Snapshot) -> (Vec<u32>, Option<usize>) {
        let passes = self.detail(snap).map(|d| d.passes.as_slice()).unwrap_or_default();
        let epochs: Vec<u32> =
            passes.iter().filter(|(s, _)| *s == self.pass.split).map(|(_, e)| *e).collect();
        let at = match self.pass.epoch {
            Some(epoch) => epochs.iter().position(|e| *e == epoch),
            None => epochs.len().checked_sub(1),
        };
        (epochs, at)
    }

    /// The runs that a key acts on: the marked ones, else the one under the cursor.
    pub fn targets(&self, snap: &Snapshot) -> Vec<RunId> {
        match self.screen {
            Screen::Runs if !self.runs.marks.is_empty() => {
                self.runs.marks.iter().copied().collect()
            }
            Screen::Runs => match &snap.list.groups {
                Some(groups) => groups
                    .get(self.runs.cursor)
                    .map(|g| g.members.as_ref().clone())
                    .unwrap_or_default(),
                None => snap.list.ids.get(self.runs.cursor).copied().into_iter().collect(),
            },
            Screen::Queue => {
                let rows = snap.live.iter().chain(snap.queue.iter());
                rows.map(|r| r.id).nth(self.queue).into_iter().collect()
            }
            Screen::Run | Screen::Confusion | Screen::Log | Screen::Texts => {
                self.open.into_iter().collect()
            }
            Screen::Compare => {
                self.compared().get(self.compare.cursor).copied().into_iter().collect()
            }
            Screen::Sweep => super::act::sweep::here(self, snap).into_iter().collect(),
            Screen::Launch => Vec::new(),
        }
    }

    /// Goes to where runs that were just queued are seen.
    pub fn launched(&mut self, first: RunId) {
        self.screen = Screen::Runs;
        self.popup = None;
        let archived = self.runs.archived;
        self.runs = RunsView { at: Some(first), archived, ..RunsView::default() };
    }

    /// Opens a run on the screens that show one.
    pub fn show(&mut self, id: RunId) {
        if self.open != Some(id) {
            self.open = Some(id);
            self.pass.epoch = None;
            self.pass.split = Split::Val;
            (self.pass.class, self.pass.column) = (0, 0);
            (self.pass.top, self.pass.left) = (0, 0);
            (self.texts.cursor, self.texts.full) = (0, false);
            self.run.read = None;
            self.log_up = 0;
        }
    }

    /// The confusion counts in view, if they are loaded.
    pub fn confusion<'a>(&self, snap: &'a Snapshot) -> Option<&'a Arc<Confusion>> {
        let (epochs, at) = self.epochs(snap);
        let epoch = epochs.get(at?)?;
        let passes = Some(&snap.passes).filter(|p| p.run == self.open)?;
        passes.counts.get(&(self.pass.split, *epoch))
    }

    /// Number of classes in view.
    pub fn class_count(&self, snap: &Snapshot) -> usize {
        self.confusion(snap).map_or(0, |c| c.labels.len())
    }

    /// The open run, once it is loaded.
    pub fn detail<'a>(&self, snap: &'a Snapshot) -> Option<&'a Detail> {
        snap.detail.as_deref().filter(|d| Some(d.run.id) == self.open)
    }

    /// True if rows that the screen shows are not loaded.
    pub fn lacks_rows(&self, snap: &Snapshot) -> bool {
        let last = Self::row_count(snap).saturating_sub(1);
        let end = self.runs.top + super::screens::runs::page(self.area, snap);
        self.screen == Screen::Runs
            && snap.list.groups.is_none()
            && !snap.list.ids.is_empty()
            && [self.runs.top, end.saturating_sub(1).min(last)]
                .iter()
                .any(|at| snap.list.row(*at).is_none())
    }

    /// Rows of the runs table as a whole.
    pub fn row_count(snap: &Snapshot) -> usize {
        snap.list.groups.as_ref().map_or(snap.list.ids.len(), |g| g.len())
    }

    /// Brings cursors and scroll positions back inside what there is.
    pub fn settle(&mut self, snap: &Snapshot) {
        let count = Self::row_count(snap);
        let only = self.runs.only.as_ref().map(|(_, ids)| ids);
        // A list that answers an older question says nothing of where the cursor belongs.
        let answered = snap.list.listing == self.listing() && snap.list.only.as_ref() == only;
        let here = snap.list.ids.get(self.runs.cursor).copied();
        let mut lost = false;
        if answered
            && snap.list.groups.is_none()
            && let Some(at) = self.runs.at.filter(|at| here != Some(*at))
        {
            // The cursor stays on its run when others come and go above it.
            match snap.list.ids.iter().position(|id| *id == at) {
                Some(found) => {
                    // The row keeps its place on the screen as far as the list allows.
                    self.runs.top = (self.runs.top + found).saturating_sub(self.runs.cursor);
                    self.runs.cursor = found;
                }
                None => lost = !snap.list.complete,
            }
        }
        self.runs.cursor = self.runs.cursor.min(count.saturating_sub(1));
        let page = super::screens::runs::page(self.area, snap);
        self.runs.top = scrolled(self.runs.top, self.runs.cursor, page, count);
        if snap.list.groups.is_some() {
            self.runs.at = None;
        } else if answered && !lost {
            self.runs.at = snap.list.ids.get(self.runs.cursor).copied();
        }
        self.queue = self.queue.min((snap.live.len() + snap.queue.len()).saturating_sub(1));
        // The other screens show the run under the cursor of the list.
        if let Some(at) =
            self.runs.at.filter(|_| self.screen == Screen::Runs || self.open.is_none())
        {
            self.show(at);
        }
    }
}

/// What rows can be folded by, with the words for it: every key, those that differ first.
pub fn group_choices(snap: &Snapshot) -> Vec<(String, GroupBy)> {
    let mut choices = vec![
        ("not at all".to_owned(), GroupBy::None),
        ("sweep".to_owned(), GroupBy::Sweep),
        ("all but the seed".to_owned(), GroupBy::Seeds),
    ];
    let varied = snap.list.varied.iter().copied();
    let rest = KEYS.iter().map(|k| k.name).filter(|key| !snap.list.varied.contains(key));
    choices.extend(varied.chain(rest).map(|key| (key.to_owned(), GroupBy::Key(key))));
    choices
}

/// The first row shown, so that the cursor's row is.
pub fn scrolled(top: usize, cursor: usize, page: usize, count: usize) -> usize {
    let page = page.max(1);
    let top = top.min(count.saturating_sub(page));
    if cursor < top {
        cursor
    } else if cursor >= top + page {
        cursor + 1 - page
    } else {
        top
    }
}
