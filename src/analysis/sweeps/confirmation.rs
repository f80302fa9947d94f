//! The best settings of a sweep on seeds that chose nothing: which one wins, and whether that is more than chance.

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::analysis::compare::{Contrast, Entry, FoldContrast, compare, word};
use crate::analysis::groups::{Spread, fold, setting_hash};
use crate::analysis::metrics::student;
use crate::spec::{Part, RunId};
use crate::store::{Reader, Run, StoreError};

/// What came of the runs that confirm the best settings.
#[derive(Debug, Clone, PartialEq)]
pub struct Confirmation {
    /// The settings, best first, each over its fresh seeds.
    pub settings: Vec<Confirmed>,
    /// Of all these runs so many have not ended.
    pub open: usize,
    /// Whether the first is ahead of the second by more than chance; `None` where that cannot be said.
    pub lead: Option<Lead>,
}

/// A setting over its fresh seeds.
#[derive(Debug, Clone, PartialEq)]
pub struct Confirmed {
    /// One value per axis.
    pub values: Vec<String>,
    /// The runs.
    pub runs: Vec<RunId>,
    /// The fresh seeds of those that have a figure; with each of them all folds, if there are.
    pub seeds: usize,
    /// The figure that the sweep goes by, over seeds and folds.
    pub score: Spread,
    /// The score of the test rows.
    pub test: Spread,
}

/// The first setting against the second.
#[derive(Debug, Clone, PartialEq)]
pub enum Lead {
    /// By their predictions on the test rows, over seeds and rows.
    Rows(Contrast),
    /// By their predictions on the rows that their folds hold out, fold by fold: the corrected resampled t-test.
    Folds(FoldContrast),
    /// By the figure of the sweep seed by seed, where there are no classes to compare: Student's paired t.
    Seeds {
        /// The mean difference, first minus second.
        diff: f64,
        /// Two-sided.
        p: f64,
        /// Seeds that both have.
        seeds: usize,
    },
}

impl Lead {
    /// True if the lead is more than chance (p < 0.05).
    pub fn is_real(&self) -> bool {
        match self {
            Self::Rows(contrast) => contrast.is_real(),
            Self::Folds(contrast) => contrast.is_real(),
            Self::Seeds { p, .. } => *p < 0.05,
        }
    }

    /// The two-sided p of the lead.
    pub fn p(&self) -> f64 {
        match self {
            Self::Rows(contrast) => contrast.accuracy.p,
            Self::Folds(found) => found.figures.first().map_or(f64::NAN, |f| f.over_folds.p),
            Self::Seeds { p, .. } => *p,
        }
    }

    /// `may be noise, p=0.42 over 3+3 seeds, n=487`.
    pub fn badge(&self) -> String {
        match self {
            Self::Rows(contrast) => contrast.to_string(),
            Self::Folds(contrast) => contrast.to_string(),
            Self::Seeds { p, seeds, .. } => {
                format!("{}, p={p:.3} over {seeds} pairs of seeds", word(self.is_real()))
            }
        }
    }
}

impl Confirmation {
    /// The setting that won, once all runs have ended and it is ahead by more than chance.
    pub fn winner(&self) -> Option<&Confirmed> {
        let is_ahead = self.lead.as_ref().is_some_and(Lead::is_real) || self.settings.len() == 1;
        self.settings.first().filter(|_| self.open == 0 && is_ahead)
    }

    /// What is to be said of it, in sentences.
    pub fn sentences(&self, axes: &[String], metric: &str) -> Vec<String> {
        let count: usize = self.settings.iter().map(|setting| setting.runs.len()).sum();
        if self.open > 0 {
            return vec![format!(
                "The best settings run again on fresh seeds; {} of {count} runs are still to come.",
                self.open
            )];
        }
        let said = |setting: &Confirmed| {
            let pairs =
                axes.iter().zip(&setting.values).map(|(key, value)| format!("{key}={value}"));
            let (mean, sd) = (setting.score.mean.unwrap_or(f64::NAN), setting.score.sd);
            let sd = sd.map(|sd| format!(" ± {sd:.4}")).unwrap_or_default();
            format!("{} ({metric} {mean:.4}{sd})", pairs.collect::<Vec<_>>().join(" "))
        };
        let seeds = |setting: &Confirmed| setting.seeds;
        match (self.settings.as_slice(), &self.lead) {
            ([], _) => Vec::new(),
            ([only], _) => vec![format!("Over {} fresh seeds: {}.", seeds(only), said(only))],
            ([first, second, ..], Some(lead)) if lead.is_real() => vec![format!(
                "The winner over {} fresh seeds is {}, ahead of {}: {}.",
                seeds(first),
                said(first),
                said(second),
                lead.badge()
            )],
            ([first, second, ..], Some(lead)) => vec![format!(
                "The leaders cannot be told apart over {} fresh seeds: {} and {}: {}.",
                seeds(first),
                said(first),
                said(second),
                lead.badge()
            )],
            ([first, second, ..], None) => vec![format!(
                "Over {} fresh seeds {} is ahead of {}; too little is known to say whether by chance.",
                seeds(first),
                said(first),
                said(second)
            )],
        }
    }
}

/// What the runs say that confirm settings; `None` where there are none. `folder` is where the predictions of a
/// run lie; `lower` says that a lower score is a better one.
///
/// # Errors
/// What the store says.
pub fn confirmation(
    reader: &Reader,
    runs: &[Run],
    axes: &[String],
    lower: bool,
    score: impl Fn(&Run) -> Option<f64>,
    folder: &dyn Fn(RunId) -> PathBuf,
) -> Result<Option<Confirmation>, StoreError> {
    let own = runs.iter().filter(|run| run.part == Part::Confirmation);
    let mut own: Vec<Run> = own.cloned().collect();
    if own.is_empty() {
        return Ok(None);
    }
    own.sort_by_key(|run| run.id);
    let open = own.iter().filter(|run| run.state.outcome().is_none()).count();
    let test = |run: &Run| run.last.get(run.spec.task.score()[1]).copied();
    let groups = fold(&own, |run| setting_hash(&run.spec), &score);
    let setting = |group: &crate::analysis::groups::Group<String>| {
        let members: Vec<&Run> = group.members.iter().filter_map(|i| own.get(*i)).collect();
        let spec = members.first().map(|run| &run.spec);
        Confirmed {
            values: spec
                .map_or_else(Vec::new, |spec| axes.iter().map(|key| spec.shown(key)).collect()),
            runs: members.iter().map(|run| run.id).collect(),
            seeds: members
                .iter()
                .filter(|run| score(run).is_some_and(f64::is_finite))
                .map(|run| run.spec.seed)
                .collect::<BTreeSet<u64>>()
                .len(),
            score: group.spread,
            test: Spread::of(members.iter().filter_map(|run| test(run))),
        }
    };
    let mut settings: Vec<Confirmed> = groups.iter().map(setting).collect();
    let sign = if lower { -1.0 } else { 1.0 };
    let mean = |s: &Confirmed| s.score.mean.map_or(f64::NEG_INFINITY, |mean| sign * mean);
    settings.sort_by(|a, b| mean(b).total_cmp(&mean(a)).then_with(|| a.runs.cmp(&b.runs)));
    let lead = match settings.as_slice() {
        [first, second, ..] if open == 0 => lead(reader, &own, [first, second], &score, folder)?,
        _ => None,
    };
    Ok(Some(Confirmation { settings, open, lead }))
}

fn lead(
    reader: &Reader,
    runs: &[Run],
    [first, second]: [&Confirmed; 2],
    score: impl Fn(&Run) -> Option<f64>,
    folder: &dyn Fn(RunId) -> PathBuf,
) -> Result<Option<Lead>, StoreError> {
    let mut entries = Vec::new();
    for run in
        runs.iter().filter(|run| first.runs.contains(&run.id) || second.runs.contains(&run.id))
    {
        entries.push(Entry::read(reader, run.clone(), &folder(run.id))?);
    }
    let compared = compare(&entries, 0);
    if let Some(contrast) = compared.folds.into_iter().next() {
        return Ok(Some(Lead::Folds(contrast)));
    }
    if let Some(contrast) = compared.contrasts.into_iter().next() {
        return Ok(Some(Lead::Rows(contrast)));
    }
    // Of folds the seeds' mean counts: rows that any two folds learn from are mostly the same.
    let of = |ids: &[RunId], seed: u64| {
        let own = runs.iter().filter(|run| ids.contains(&run.id) && run.spec.seed == seed);
        Spread::of(own.filter_map(&score)).mean
    };
    let seeds: BTreeSet<u64> =
        runs.iter().filter(|run| first.runs.contains(&run.id)).map(|run| run.spec.seed).collect();
    let differences: Vec<f64> = seeds
        .into_iter()
        .filter_map(|seed| Some(of(&first.runs, seed)? - of(&second.runs, seed)?))
        .collect();
    let spread = Spread::of(differences.iter().copied());
    Ok(spread.mean.zip(spread.sd).map(|(diff, sd)| {
        let error = sd / (spread.n as f64).sqrt();
        let p = match (diff == 0.0, error > 0.0) {
            (true, _) => 1.0,
            (false, true) => student::p(diff / error, spread.n as f64 - 1.0),
            (false, false) => 0.0,
        };
        Lead::Seeds { diff, p, seeds: spread.n }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{Outcome, RunSpec, RunState};
    use crate::store::Store;

    fn run(id: u32, lr: f64, seed: u64, acc: f64) -> Run {
        let spec = RunSpec { lr, seed, ..RunSpec::default() };
        Run {
            state: RunState::Ended(Outcome::Done),
            part: Part::Confirmation,
            best: [("val/acc".to_owned(), acc)].into(),
            ..Run::example(id, spec)
        }
    }

    fn said(runs: &[Run]) -> (Confirmation, String) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("board.db")).unwrap();
        let axes = ["lr".to_owned()];
        let acc = |run: &Run| run.best.get("val/acc").copied();
        let none = |_: RunId| folder.path().join("none");
        let found = confirmation(store.reader(), runs, &axes, false, acc, &none).unwrap().unwrap();
        let said = found.sentences(&axes, "val/acc").join(" ");
        (found, said)
    }

    #[test]
    fn a_winner_is_named_and_leaders_that_are_alike_are_not_told_apart() {
        let mut runs: Vec<Run> =
            (0..3).map(|i| run(i + 1, 1e-5, u64::from(i), 0.90 + 0.001 * f64::from(i))).collect();
        runs.extend((0..3).map(|i| run(i + 4, 2e-5, u64::from(i), 0.95 + 0.0012 * f64::from(i))));
        let (found, words) = said(&runs);
        assert!(
            words.starts_with("The winner over 3 fresh seeds is lr=2e-5 (val/acc 0.9512 ± 0.0012)"),
            "{words}"
        );
        assert_eq!(found.winner().unwrap().runs, [RunId(4), RunId(5), RunId(6)]);
        for (i, run) in runs[3..].iter_mut().enumerate() {
            run.best.insert("val/acc".into(), [0.91, 0.89, 0.905][i]);
        }
        let (found, words) = said(&runs);
        assert!(words.starts_with("The leaders cannot be told apart"), "{words}");
        assert_eq!(found.winner(), None);
        runs[5].state = RunState::Running;
        let (found, words) = said(&runs);
        assert!(
            words.contains("1 of 6 runs are still to come") && found.winner().is_none(),
            "{words}"
        );
    }
}
