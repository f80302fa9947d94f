use std::collections::BTreeMap;
use std::sync::Arc;

use ratatui::layout::Rect;

use super::popup::{Popup, Prompt};
use super::screen_id::ScreenId;
use super::screens::{CompareView, PassView, RunView, RunsView, SweepView, TextsView, Together};
use crate::spec::{ChosenColumn, RunId};
use crate::store::{Confusion, Listing, Millis, Split};
use crate::tui::background::{Filter, TogetherAnswer};
use crate::tui::command::{Command, Notice};
use crate::tui::form::{Form, Row};
use crate::tui::line::Line;
use crate::tui::query::Query;
use crate::tui::snapshot::{Detail, Snapshot};
use crate::tui::verbs::Verb;

/// Passes kept on either side of the one shown, so that a held arrow key finds them ready.
const NEAR: usize = 12;

/// So many of what went wrong are kept.
const ERRORS: usize = 50;

/// Everything the user has set.
#[derive(Debug, Clone, Default)]
pub struct View {
    /// The terminal.
    pub area: Rect,
    /// Which screen.
    pub screen: ScreenId,
    /// What lies over it.
    pub popup: Option<Popup>,
    /// What happened last; goes with the next key.
    pub notice: Option<Notice>,
    /// What went wrong since the start, and when, the last one last.
    pub errors: Vec<(Millis, String)>,
    /// What was done to runs last, which can be done to the next.
    pub repeat: Option<Command>,
    /// How fast frames are, while that is shown.
    pub pace: Option<String>,
    /// The verbs of the command line.
    pub verbs: Arc<Vec<Verb>>,
    /// Whether clicks come here.
    pub mouse: bool,
    /// Saved queries by name.
    pub views: Arc<BTreeMap<String, String>>,
    /// The columns that were chosen for the runs screen, by the saved query that they belong to, or
    /// [`ALL_RUNS`](crate::board::ALL_RUNS).
    pub columns: BTreeMap<String, Vec<ChosenColumn>>,
    /// The runs screen.
    pub runs: RunsView,
    /// The run of the screens Run, Confusion, Log and Texts.
    pub open: Option<RunId>,
    /// The run screen.
    pub run: RunView,
    /// The confusion matrix, there and in small on the run screen.
    pub pass: PassView,
    /// Lines that the log is scrolled up from its end; 0 follows.
    pub log_up: usize,
    /// The row of the queue screen.
    pub queue: usize,
    /// The run in that row when the cursor came there.
    pub queue_at: Option<RunId>,
    /// The marked runs side by side.
    pub compare: CompareView,
    /// A sweep as a whole.
    pub sweep: SweepView,
    /// The texts.
    pub texts: TextsView,
    /// The launch form, once it was opened; leaving it loses nothing.
    pub form: Option<Form>,
}

impl View {
    /// Shows a screen, with nothing over it.
    pub fn go(&mut self, screen: ScreenId) {
        self.screen = screen;
        self.popup = None;
    }

    /// Asks for a line to be typed.
    pub fn prompt(&mut self, prompt: Prompt, text: &str) {
        self.popup = Some(Popup::Prompt(prompt, Line::new(text)));
    }

    /// Tells that something worked.
    pub fn tell(&mut self, text: impl Into<String>) {
        self.notice = Some(Notice::good(text));
    }

    /// Tells that something did not work.
    pub fn refuse(&mut self, text: impl Into<String>) {
        self.notice = Some(Notice { sticks: false, ..Notice::bad(text) });
    }

    /// Lets go of what is told, unless it has to be read.
    pub fn let_go(&mut self) {
        self.notice.take_if(|notice| !notice.sticks);
    }

    /// Keeps what went wrong for later, each once.
    pub fn remember(&mut self, now: Millis) {
        let Some(notice) = self.notice.as_ref().filter(|notice| notice.bad) else { return };
        if self.errors.last().is_none_or(|(_, last)| *last != notice.text) {
            self.errors.push((now, notice.text.clone()));
            let over = self.errors.len().saturating_sub(ERRORS);
            self.errors.drain(..over);
        }
    }

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

    /// What the loader brings whichever screen is shown: the list.
    pub fn query(&self) -> Query {
        let rows = usize::from(self.area.height).max(24);
        let r = &self.runs;
        Query {
            listing: self.listing(),
            only: r.only.as_ref().map(|(_, ids)| Arc::clone(ids)),
            group: r.group,
            // Whole screens, so that a step of the cursor asks for nothing new.
            window: ((r.top / rows * rows).saturating_sub(rows), 4 * rows),
            run: None,
            curves: false,
            // Several to a column: the thinner the buckets, the less a new point shifts them.
            buckets: 4 * usize::from(self.area.width).max(40).next_multiple_of(40),
            pass: (self.pass.split, self.pass.epoch),
            near: NEAR,
            log: 0,
            queue: false,
            disk: false,
            at: Vec::new(),
            wall: false,
        }
    }

    /// Goes to where runs that were just queued are seen.
    pub fn launched(&mut self, first: RunId) {
        self.go(ScreenId::RUNS);
        let (archived, preview) = (self.runs.archived, self.runs.preview);
        let (at, queued) = (Some(first), Some(first));
        self.runs = RunsView { at, queued, archived, preview, ..RunsView::default() };
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

    /// Puts the cursor of the runs screen on a row.
    pub fn move_to_row(&mut self, row: usize, snap: &Snapshot) {
        self.runs.cursor = row.min(snap.list.count().saturating_sub(1));
        (self.runs.at, self.runs.queued) = (None, None);
    }

    /// Marks these runs, or drops their marks if all of them are marked.
    pub fn toggle_marks(&mut self, ids: &[RunId]) {
        let marks = &mut self.runs.marks;
        if ids.iter().all(|id| marks.contains(id)) {
            marks.retain(|id| !ids.contains(id));
        } else {
            marks.extend(ids);
        }
    }

    /// Lists texts of the pass in view, against one run or the marked ones; esc leads back to `from`.
    pub fn list_texts(&mut self, filter: Filter, against: Option<RunId>, from: ScreenId) {
        if self.together().is_some() {
            self.refuse("Texts are listed run by run: open one of these runs first.");
            return;
        }
        self.texts = TextsView { filter, against, from, ..TextsView::default() };
        self.go(ScreenId::TEXTS);
    }

    /// The open run, once it is loaded.
    pub fn detail<'a>(&self, snap: &'a Snapshot) -> Option<&'a Detail> {
        snap.detail.as_deref().filter(|d| Some(d.run.id) == self.open)
    }

    /// The setting whose runs are in view as one.
    pub fn together(&self) -> Option<&Together> {
        self.pass.together.as_ref().filter(|_| self.screen == ScreenId::CONFUSION)
    }

    /// What these runs say together, as far as it is known.
    pub fn together_answer<'a>(&self, snap: &'a Snapshot) -> Option<&'a TogetherAnswer> {
        let runs = &self.together()?.runs;
        let answer = snap.answers.together.as_deref()?;
        let of = &answer.question;
        (of.runs == *runs && of.split == self.pass.split).then_some(answer)
    }

    /// The epochs of the split in view that have confusion counts, and which of them is in view.
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

    /// The pass in view: run, split, epoch.
    pub fn shown_pass(&self, snap: &Snapshot) -> Option<(RunId, Split, u32)> {
        let (epochs, at) = self.epochs(snap);
        Some((self.open?, self.pass.split, *epochs.get(at?)?))
    }

    /// The confusion counts in view, if they are loaded.
    pub fn confusion<'a>(&self, snap: &'a Snapshot) -> Option<&'a Arc<Confusion>> {
        if self.together().is_some() {
            return self.together_answer(snap)?.facts.as_ref().ok()?.confusion.as_ref();
        }
        let (run, split, epoch) = self.shown_pass(snap)?;
        let passes = Some(&snap.passes).filter(|p| p.run == Some(run))?;
        passes.counts.get(&(split, epoch))
    }

    /// Number of classes in view.
    pub fn class_count(&self, snap: &Snapshot) -> usize {
        self.confusion(snap).map_or(0, |c| c.labels.len())
    }

    /// The line of the form that is being typed, and its text.
    pub fn draft(&self) -> Option<(Row, &str)> {
        match &self.popup {
            Some(Popup::Prompt(Prompt::Field(row), line)) => Some((*row, line.text())),
            _ => None,
        }
    }
}
