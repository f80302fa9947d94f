//! What the user looks at and how: everything a screen draws from besides the snapshot.

use std::collections::BTreeSet;
use std::sync::Arc;

use ratatui::layout::Rect;

use super::effects::Command;
use super::form::{Form, Row};
use super::line::Line;
use super::query::Query;
use super::snapshot::{Detail, GroupBy, Snapshot};
use super::study::{
    CompareQuestion, Filter, Question, ScoresQuestion, Shelf, TextsQuestion, Which,
};
use crate::analysis::confusion::Normalise;
use crate::spec::RunId;
use crate::store::{Confusion, Listing, Sort, Split};

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
    /// The log of one run, in full.
    Log,
    /// The texts behind its confusion matrix.
    Texts,
}

impl Screen {
    /// In the order of the tabs, then those without one.
    pub const ALL: [Self; 8] = [
        Self::Runs,
        Self::Run,
        Self::Confusion,
        Self::Queue,
        Self::Launch,
        Self::Compare,
        Self::Log,
        Self::Texts,
    ];
    /// Screens that have a tab.
    pub const TABS: usize = 6;

    /// Its tab.
    pub fn title(self) -> &'static str {
        match self {
            Self::Runs => "Runs",
            Self::Run => "Run",
            Self::Confusion => "Confusion",
            Self::Queue => "Queue",
            Self::Launch => "Launch",
            Self::Compare => "Compare",
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

/// What lies over a screen and takes the keys.
#[derive(Debug, Clone, PartialEq)]
pub enum Popup {
    /// All keys; the number of lines scrolled.
    Help(usize),
    /// Actions by name; the row.
    Palette(Line, usize),
    /// What to sort by; the row.
    Sort(usize),
    /// A question and what a yes does.
    Confirm(String, Command),
    /// A line to edit.
    Prompt(Prompt, Line),
    /// A list of models or data files to choose from.
    Pick(Pick),
}

/// What a typed line is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Prompt {
    /// The words of the filter, applied while typing.
    Filter,
    /// The tags of these runs.
    Tags(Vec<RunId>),
    /// The note of a run.
    Note(RunId),
    /// The class to go to.
    Class,
    /// A line of the launch form.
    Field(Row),
    /// The name under which the launch form is saved.
    SweepName,
}

/// A list of models or data files, narrowed by what is typed.
#[derive(Debug, Clone, PartialEq)]
pub struct Pick {
    /// The line of the form it is for.
    pub row: Row,
    /// What is listed.
    pub which: Which,
    /// What is typed: part of a name, or a path of one's own.
    pub line: Line,
    /// The line under the cursor.
    pub at: usize,
}

impl Pick {
    /// The names that contain what is typed.
    pub fn names<'a>(&self, snap: &'a Snapshot) -> Vec<&'a str> {
        let words = self.line.text().to_lowercase();
        let shelf = snap.study.shelf.as_deref().filter(|shelf| shelf.which == self.which);
        let names = shelf.map(Shelf::names).unwrap_or_default();
        names.into_iter().filter(|name| name.to_lowercase().contains(words.trim())).collect()
    }
}

/// The runs screen.
#[derive(Debug, Clone)]
pub struct RunsView {
    /// The row under the cursor.
    pub cursor: usize,
    /// The run there, which the cursor follows when rows come and go.
    pub at: Option<RunId>,
    /// The first row shown.
    pub top: usize,
    /// Marked runs.
    pub marks: BTreeSet<RunId>,
    /// The filter as typed.
    pub filter: String,
    /// The order.
    pub sort: Sort,
    /// Turned round.
    pub descending: bool,
    /// Archived runs too.
    pub archived: bool,
    /// How rows fold.
    pub group: GroupBy,
    /// Only the runs of an opened group, with its name.
    pub only: Option<(String, Arc<Vec<RunId>>)>,
}

impl Default for RunsView {
    fn default() -> Self {
        Self {
            cursor: 0,
            at: None,
            top: 0,
            marks: BTreeSet::new(),
            filter: String::new(),
            sort: Sort::Id,
            descending: true,
            archived: false,
            group: GroupBy::None,
            only: None,
        }
    }
}

/// What curves run over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum XAxis {
    /// Optimiser steps.
    Step,
    /// Epochs.
    #[default]
    Epoch,
    /// Time since the first point.
    Time,
}

/// The run screen.
#[derive(Debug, Clone, Default)]
pub struct RunView {
    /// Losses on a logarithmic axis.
    pub log_y: bool,
    /// What curves run over.
    pub x: XAxis,
    /// An index into [`SMOOTHING`].
    pub smooth: usize,
    /// The reading cursor, in columns from the left edge of the plot.
    pub read: Option<u16>,
}

/// Weights of the exponential mean behind smoothed curves.
pub const SMOOTHING: [f64; 6] = [0.0, 0.5, 0.75, 0.9, 0.96, 0.99];

/// Which confusion matrix is shown and how.
#[derive(Debug, Clone)]
pub struct PassView {
    /// Whose rows.
    pub split: Split,
    /// Which epoch; `None` = the latest.
    pub epoch: Option<u32>,
    /// Counts or shares.
    pub normalise: Normalise,
    /// The class under the cursor: the row of the matrix.
    pub class: usize,
    /// The predicted class under the cursor: the column.
    pub column: usize,
    /// The first row shown.
    pub top: usize,
    /// The first column shown.
    pub left: usize,
    /// The whole matrix as a picture.
    pub overview: bool,
    /// What the probabilities say, instead of the matrix.
    pub scores: bool,
    /// From how many percent on a row is taken for the second of two classes.
    pub threshold: u8,
}

impl Default for PassView {
    fn default() -> Self {
        Self {
            split: Split::Val,
            epoch: None,
            normalise: Normalise::Row,
            class: 0,
            column: 0,
            top: 0,
            left: 0,
            overview: false,
            scores: false,
            threshold: 50,
        }
    }
}

/// Which texts are listed, and which is read.
#[derive(Debug, Clone)]
pub struct TextsView {
    /// Which rows.
    pub filter: Filter,
    /// The row under the cursor.
    pub cursor: usize,
    /// It fills the screen.
    pub full: bool,
    /// Lines it is scrolled down then.
    pub scroll: usize,
    /// The one run they are held against, instead of the marked ones.
    pub against: Option<RunId>,
    /// The screen they were come to from.
    pub from: Screen,
}

impl Default for TextsView {
    fn default() -> Self {
        Self {
            filter: Filter::Wrong,
            cursor: 0,
            full: false,
            scroll: 0,
            against: None,
            from: Screen::Confusion,
        }
    }
}

/// What the compare screen shows beside the curves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Panel {
    /// Keys of the specs.
    #[default]
    Keys,
    /// The best value of each metric.
    Best,
    /// The last value of each metric.
    Last,
    /// F1 of each class.
    Classes,
    /// Changes of the confusion counts.
    Confusion,
}

/// The compare screen.
#[derive(Debug, Clone, Default)]
pub struct CompareView {
    /// The run that the others are measured against; the first marked one unless chosen.
    pub baseline: Option<RunId>,
    /// The run under the cursor.
    pub cursor: usize,
    /// The table.
    pub panel: Panel,
    /// Keys that are the same in all runs, too.
    pub all_keys: bool,
    /// Rows the table is scrolled down.
    pub top: usize,
}

/// Runs beside the open one that texts are held against.
const BESIDE: usize = 7;

impl View {
    /// Which runs are wanted, in which order.
    pub fn listing(&self) -> Listing {
        let r = &self.runs;
        Listing {
            words: r.filter.split_whitespace().map(str::to_owned).collect(),
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

    /// What the study thread has to find out for this view.
    pub fn question(&self, snap: &Snapshot) -> Option<Question> {
        if let Some(Popup::Pick(pick)) = &self.popup {
            let name = pick.names(snap).get(pick.at).map(|name| (*name).to_owned());
            return Some(Question::Shelf(pick.which, name));
        }
        match self.screen {
            Screen::Launch => {
                let sweep = self.form.as_ref()?.check(self.draft()).sweep?;
                Some(Question::Form(Box::new(sweep)))
            }
            Screen::Compare => self.compare_question(snap).map(Question::Compare),
            Screen::Texts => self.texts_question(snap).map(Question::Texts),
            Screen::Confusion if self.pass.scores => {
                self.scores_question(snap).map(Question::Scores)
            }
            _ => None,
        }
    }

    /// The pass in view: run, split, epoch.
    pub fn shown_pass(&self, snap: &Snapshot) -> Option<(RunId, Split, u32)> {
        let (epochs, at) = self.epochs(snap);
        Some((self.open?, self.pass.split, *epochs.get(at?)?))
    }

    /// The runs of the compare screen, the baseline first.
    pub fn compared(&self) -> Vec<RunId> {
        let most = crate::analysis::compare::MAX_RUNS;
        let mut ids: Vec<RunId> = self.runs.marks.iter().copied().take(most).collect();
        if let Some(at) = ids.iter().position(|id| Some(*id) == self.compare.baseline) {
            let baseline = ids.remove(at);
            ids.insert(0, baseline);
        }
        ids
    }

    /// How the runs of the compare screen are set against each other.
    pub fn compare_question(&self, snap: &Snapshot) -> Option<CompareQuestion> {
        let runs = self.compared();
        if runs.len() < 2 {
            return None;
        }
        let live = snap.live.iter().filter(|run| runs.contains(&run.id));
        let steps = live.map(|run| run.step + 1).sum();
        let buckets = usize::from(self.area.width).max(80).next_multiple_of(40);
        Some(CompareQuestion { runs, buckets, steps })
    }

    /// Which texts the texts screen shows.
    pub fn texts_question(&self, snap: &Snapshot) -> Option<TextsQuestion> {
        let (run, split, epoch) = self.shown_pass(snap)?;
        let filter = self.texts.filter;
        let most = if matches!(filter, Filter::Won | Filter::Lost) { 1 } else { BESIDE };
        let others = match self.texts.against {
            Some(id) => vec![id],
            None => self.runs.marks.iter().copied().filter(|id| *id != run).take(most).collect(),
        };
        Some(TextsQuestion { run, split, epoch, filter, others })
    }

    /// Whose probabilities the confusion screen shows.
    pub fn scores_question(&self, snap: &Snapshot) -> Option<ScoresQuestion> {
        let (run, split, epoch) = self.shown_pass(snap)?;
        Some(ScoresQuestion { run, split, epoch })
    }

    /// The line of the form that is being typed, and its text.
    pub fn draft(&self) -> Option<(Row, &str)> {
        match &self.popup {
            Some(Popup::Prompt(Prompt::Field(row), line)) => Some((*row, line.text())),
            _ => None,
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
        let end = self.runs.top + super::screens::runs::page(self.area, snap, self);
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
        let page = super::screens::runs::page(self.area, snap, self);
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
