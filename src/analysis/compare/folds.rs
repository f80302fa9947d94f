//! Two settings under cross-validation: what each scores on the held-out rows, fold by fold.
//!
//! Both settings saw the same rows in each fold, so the differences of their scores are paired by fold. They are not
//! independent, since any two folds learn from mostly the same rows; the usual t-test takes them as if they were and
//! finds too much (Dietterich, Neural Computation 10(7), 1998). The corrected resampled t-test (Nadeau & Bengio, Machine
//! Learning 52(3), 2003; for folds Bouckaert & Frank, PAKDD 2004) takes the variance of the mean as
//! `(1 / folds + test rows / train rows) * variance of the differences`, with `folds - 1` degrees of freedom. Of several
//! seeds the mean over them counts in each fold.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::Entry;
use super::pairs::{discordant, hash};
use super::settings::{Estimate, LEVEL, judge, said, squares, word};
use crate::analysis::groups::{are_folds, setting_hash};
use crate::analysis::metrics::{Discordant, figures};
use crate::dataset::predictions::Pass;
use crate::spec::RunId;

/// Two settings that held out the same folds. Differences are `b` minus `a`.
#[derive(Debug, Clone, PartialEq)]
pub struct FoldContrast {
    /// The runs of the one; the baseline's setting where it is one of the two.
    pub a: Vec<RunId>,
    /// The runs of the other.
    pub b: Vec<RunId>,
    /// Folds that both were tested on.
    pub folds: usize,
    /// Folds that the rows were dealt into.
    pub of: usize,
    /// Rows of these folds; each is held out once.
    pub n: usize,
    /// The task's score, then its other figures.
    pub figures: Vec<FoldFigure>,
    /// Rows on which exactly one of the two is right, over all folds: where rows have classes, and each was predicted once
    /// by each setting.
    pub discordant: Option<Discordant>,
}

/// One figure of two settings under cross-validation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FoldFigure {
    /// Its short name: `acc`.
    pub metric: &'static str,
    /// Of both settings, over the held-out rows of all folds at once; of several seeds each row counts as often.
    pub pooled: [f64; 2],
    /// The mean over folds of the difference, and the corrected resampled t-test of it.
    pub over_folds: Estimate,
}

impl FoldContrast {
    /// True if one setting beats the other on the held-out folds by more than chance (p < 0.05).
    pub fn is_real(&self) -> bool {
        self.figures.first().is_some_and(|score| score.over_folds.p < LEVEL)
    }

    /// Whether both runs belong to it.
    pub fn has(&self, runs: [RunId; 2]) -> bool {
        runs.iter().all(|run| self.a.contains(run) || self.b.contains(run))
    }
}

/// The badge: `may be noise, p=0.42 over 5 folds, n=1000`.
impl fmt::Display for FoldContrast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = word(self.is_real());
        let p = self.figures.first().map_or(f64::NAN, |score| score.over_folds.p);
        let missing = if self.folds < self.of { format!(" of {}", self.of) } else { String::new() };
        let (a, b) = (self.a.len(), self.b.len());
        let seeds = if a.max(b) > self.folds { format!(" ({a}+{b} runs)") } else { String::new() };
        let (p, n) = (said(p), self.n);
        f.pad(&format!("{word}, {p} over {} folds{missing}{seeds}, n={n}", self.folds))
    }
}

/// A run that held out a fold, and what it said of its rows.
struct Held<'a> {
    entry: &'a Entry,
    pass: Pass,
}

/// The runs of a setting by fold.
type Folds<'a> = BTreeMap<u32, Vec<Held<'a>>>;

/// Every two settings that held out the same rows, the baseline's first.
pub(super) fn all(entries: &[Entry], baseline: usize) -> Vec<FoldContrast> {
    let base = entries.get(baseline).map(|entry| setting_hash(&entry.run.spec));
    let mut settings: Vec<(String, Folds<'_>)> = Vec::new();
    for entry in entries.iter().filter(|entry| are_folds(&entry.run.spec)) {
        let Ok(pass) = entry.pass() else { continue };
        let (hash, fold) = (setting_hash(&entry.run.spec), entry.run.spec.fold);
        let place = settings.iter().position(|(known, _)| *known == hash).unwrap_or_else(|| {
            settings.push((hash, Folds::new()));
            settings.len() - 1
        });
        if let Some((_, folds)) = settings.get_mut(place) {
            folds.entry(fold).or_default().push(Held { entry, pass });
        }
    }
    settings.sort_by_key(|(hash, _)| Some(hash) != base.as_ref());
    let mut found = Vec::new();
    for (nth, (_, a)) in settings.iter().enumerate() {
        found.extend(settings.iter().skip(nth + 1).filter_map(|(_, b)| contrast(a, b)));
    }
    found
}

/// `None` unless both held out two folds at least, of the same rows each.
fn contrast(a: &Folds<'_>, b: &Folds<'_>) -> Option<FoldContrast> {
    let common: BTreeSet<u32> = a.keys().filter(|fold| b.contains_key(fold)).copied().collect();
    let of = |folds: &'_ Folds<'_>| -> Vec<RunId> {
        let runs = common.iter().filter_map(|fold| folds.get(fold)).flatten();
        runs.map(|held| held.entry.run.id).collect()
    };
    let both = || common.iter().filter_map(|fold| Some((a.get(fold)?, b.get(fold)?)));
    let is_same = both().all(|(a, b)| a.iter().chain(b).all(|held| same_rows(a, held)));
    if common.len() < 2 || !is_same {
        return None;
    }
    let by_fold: Vec<[Vec<(&str, f64)>; 2]> = both().map(|(a, b)| [means(a), means(b)]).collect();
    let weight = 1.0 / common.len() as f64 + ratio(both().flat_map(|(a, b)| a.iter().chain(b)));
    let pooled = [pooled(both().map(|(a, _)| a))?, pooled(both().map(|(_, b)| b))?];
    let figure = |(at, (metric, of_a)): (usize, &(&'static str, f64))| {
        let value = |of: &[(&str, f64)]| of.get(at).map_or(f64::NAN, |(_, value)| *value);
        let differences: Vec<f64> = by_fold.iter().map(|[a, b]| value(b) - value(a)).collect();
        let mean = differences.iter().sum::<f64>() / differences.len() as f64;
        let df = differences.len() as f64 - 1.0;
        let over_folds = judge(mean, squares(&differences) / df * weight, df)?;
        Some(FoldFigure { metric, pooled: [*of_a, value(&pooled[1])], over_folds })
    };
    let figures: Vec<FoldFigure> = pooled[0].iter().enumerate().filter_map(figure).collect();
    // Without a value of the score there is nothing to judge by.
    figures.first().filter(|score| Some(score.metric) == pooled[0].first().map(|f| f.0))?;
    Some(FoldContrast {
        a: of(a),
        b: of(b),
        folds: common.len(),
        of: both().next()?.0.first()?.entry.run.spec.folds as usize,
        n: both().filter_map(|(a, _)| a.first()).map(|held| held.pass.rows().len()).sum(),
        figures,
        discordant: only_one_right(both()),
    })
}

/// Whether a run was tested on the rows of that fold.
fn same_rows(fold: &[Held<'_>], held: &Held<'_>) -> bool {
    let Some(first) = fold.first() else { return false };
    let sorted = |pass: &Pass| {
        let mut rows = pass.rows().to_vec();
        rows.sort_unstable();
        rows
    };
    let is_known = |hash: &str| !hash.is_empty();
    let hashes = [hash(&first.entry.run), hash(&held.entry.run)];
    let is_other = hashes.iter().all(|hash| is_known(hash)) && hashes[0] != hashes[1];
    !is_other
        && first.entry.run.spec.task == held.entry.run.spec.task
        && sorted(&first.pass) == sorted(&held.pass)
}

/// The figures of a fold: the mean over the seeds of a setting.
fn means(runs: &[Held<'_>]) -> Vec<(&'static str, f64)> {
    let all: Vec<_> = runs.iter().map(|held| figures(&held.pass)).collect();
    let mean = |(at, (name, _)): (usize, &(&'static str, f64))| {
        let values = all.iter().filter_map(|of| of.get(at)).map(|(_, value)| value);
        (*name, values.sum::<f64>() / all.len() as f64)
    };
    all.first().into_iter().flatten().enumerate().map(mean).collect()
}

/// Test rows for a train row. Without the trainer's counts it is that of folds of equal size that all learn.
fn ratio<'a>(runs: impl Iterator<Item = &'a Held<'a>>) -> f64 {
    let (mut train, mut test, mut folds) = (0, 0, 2);
    for held in runs {
        let rows = held.entry.run.facts.as_ref().map_or([0; 3], |facts| facts.rows);
        train += rows[0];
        test += rows[2];
        folds = held.entry.run.spec.folds.max(2);
    }
    if train > 0 && test > 0 { test as f64 / train as f64 } else { 1.0 / f64::from(folds - 1) }
}

fn pooled<'a>(folds: impl Iterator<Item = &'a Vec<Held<'a>>>) -> Option<Vec<(&'static str, f64)>> {
    let passes = folds.flatten().map(|held| held.pass.clone()).collect();
    Some(figures(&Pass::joined(passes)?))
}

/// McNemar's counts over all folds; `None` where a row has no class or was predicted more than once by a setting.
fn only_one_right<'a>(
    folds: impl Iterator<Item = (&'a Vec<Held<'a>>, &'a Vec<Held<'a>>)>,
) -> Option<Discordant> {
    let mut sum = Discordant::default();
    for (a, b) in folds {
        let ([a], [b]) = (a.as_slice(), b.as_slice()) else { return None };
        let (Pass::Classes(of_a), Pass::Classes(of_b)) = (&a.pass, &b.pass) else { return None };
        let own = discordant((&a.entry.run, of_a), (&b.entry.run, of_b));
        sum.first_right += own.first_right;
        sum.second_right += own.second_right;
    }
    Some(sum)
}
