use super::{Popup, Prompt, Screen, View};
use crate::spec::RunId;
use crate::store::Split;
use crate::tui::form::Row;
use crate::tui::snapshot::Snapshot;
use crate::tui::study::{
    CompareQuestion, Filter, Question, ScoresQuestion, SweepQuestion, TextsQuestion,
};

/// Runs beside the open one that texts are held against.
const BESIDE: usize = 7;

impl View {
    /// What the study thread has to find out for this view.
    pub fn question(&self, snap: &Snapshot) -> Option<Question> {
        if let Some(Popup::Pick(pick)) = &self.popup {
            let name = pick.names(snap).get(pick.at).map(|name| (*name).to_owned());
            return Some(Question::Shelf(pick.which, name));
        }
        if let Some(Popup::Prompt(Prompt::Filter, _)) = &self.popup {
            return Some(Question::Known);
        }
        match self.screen {
            Screen::Launch => {
                let sweep = self.form.as_ref()?.check(self.draft()).sweep?;
                Some(Question::Form(Box::new(sweep)))
            }
            Screen::Compare => self.compare_question(snap).map(Question::Compare),
            Screen::Sweep => self.sweep_question(snap).map(Question::Sweep),
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

    /// What is asked of the sweep in view.
    pub fn sweep_question(&self, snap: &Snapshot) -> Option<SweepQuestion> {
        let sweep = self.sweep.sweep?;
        let live = snap.live.iter().filter(|run| run.sweep == Some(sweep));
        let c = &snap.counts;
        let steps = live.map(|run| run.step + 1).sum::<u64>() + c.done + c.failed + c.stopped;
        Some(SweepQuestion { sweep, steps })
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
}
