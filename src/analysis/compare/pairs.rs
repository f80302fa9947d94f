//! Two runs on the same rows: McNemar's exact test and the paired bootstrap. What they say holds for these two
//! models on such rows; whether the settings differ, only several seeds can tell ([`super::settings`]).

use std::fmt;

use super::Entry;
use super::settings::{self, Contrast, LEVEL, Seeds, said};
use crate::analysis::bootstrap::{Bootstrap, RESAMPLES, SEED, interval95};
use crate::analysis::confusion::Matrix;
use crate::analysis::groups::setting_hash;
use crate::analysis::metrics::Discordant;
use crate::dataset::predictions::Predictions;
use crate::spec::RunId;
use crate::spec::keys::{KEYS, Key, Role};
use crate::store::Run;

/// Two runs tested on the same rows. Differences are `b` minus `a`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pair {
    /// The earlier one of the comparison; the baseline where it is one of the two.
    pub a: RunId,
    /// The other one.
    pub b: RunId,
    /// Test rows.
    pub n: usize,
    /// Difference of the shares of right predictions.
    pub accuracy_diff: f64,
    /// 95 % interval of that difference: paired bootstrap, percentile method.
    pub accuracy_ci95: [f64; 2],
    /// Difference of the macro F1.
    pub f1_diff: f64,
    /// 95 % interval of that difference.
    pub f1_ci95: [f64; 2],
    /// Rows on which exactly one of the two is right.
    pub discordant: Discordant,
    /// McNemar's exact test, two-sided.
    pub mcnemar_p: f64,
    /// True if they differ by their seed alone: they are one setting, however they differ on these rows.
    pub is_one_setting: bool,
}

impl Pair {
    /// True if these two models differ on these rows by more than chance would make them (p < 0.05).
    pub fn is_real(&self) -> bool {
        self.mcnemar_p < LEVEL
    }
}

/// The badge: `alike on these rows, p=0.42, n=487`; of two seeds of a setting `seed alone, p=0.002 on these rows`.
impl fmt::Display for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let p = said(self.mcnemar_p);
        if self.is_one_setting {
            return f.pad(&format!("seed alone, {p} on these rows, n={}", self.n));
        }
        let word = if self.is_real() { "differ" } else { "alike" };
        f.pad(&format!("{word} on these rows, {p}, n={}", self.n))
    }
}

/// Two runs that cannot be tested against each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The earlier one.
    pub a: RunId,
    /// The other one.
    pub b: RunId,
    /// Why, as one sentence.
    pub why: String,
}

/// Class indices of the test rows in the order of their numbers.
struct Tested<'a> {
    position: usize,
    run: &'a Run,
    names: &'a [String],
    rows: Vec<u64>,
    truth: Vec<u32>,
    predicted: Vec<u32>,
}

impl<'a> Tested<'a> {
    fn of(position: usize, run: &'a Run, p: &'a Predictions) -> Self {
        let mut order: Vec<usize> = (0..p.rows.len()).collect();
        order.sort_by_key(|i| p.rows.get(*i));
        let pick = |from: &[u32]| order.iter().filter_map(|i| from.get(*i).copied()).collect();
        Self {
            position,
            run,
            names: &p.label_names,
            rows: order.iter().filter_map(|i| p.rows.get(*i).copied()).collect(),
            truth: pick(&p.labels),
            predicted: pick(&p.predicted),
        }
    }

    fn matrix(&self) -> Matrix {
        Matrix::from_predictions(&Predictions {
            labels: self.truth.clone(),
            predicted: self.predicted.clone(),
            label_names: self.names.to_vec(),
            ..Predictions::default()
        })
    }

    /// Why the two were not tested on the same rows.
    fn differs_from(&self, other: &Self) -> Option<String> {
        let (a, b) = (self.run, other.run);
        let (of_a, of_b) = (hash(a), hash(b));
        if !of_a.is_empty() && !of_b.is_empty() && of_a != of_b {
            let differs = |key: &&Key| (key.get)(&a.spec) != (key.get)(&b.spec);
            let key =
                KEYS.iter().filter(|key| key.is(Role::Rows)).find(differs).map(|key| key.name);
            let value = |run: &Run, key: &str| {
                run.spec.get(key).filter(|v| !v.is_empty()).unwrap_or_else(|| "not given".into())
            };
            return Some(match key {
                Some(key) => format!(
                    "They saw other rows: {key} is {} in {} and {} in {}.",
                    value(a, key),
                    a.id,
                    value(b, key),
                    b.id
                ),
                None => format!(
                    "They saw other rows: {} has changed between {} and {}.",
                    a.spec.data, a.id, b.id
                ),
            });
        }
        if self.names != other.names {
            return Some(format!("{} and {} have other classes.", a.id, b.id));
        }
        let same = self.rows == other.rows && self.truth == other.truth;
        (!same).then(|| format!("{} and {} were tested on other rows.", a.id, b.id))
    }
}

/// The content hash of the rows that a run saw; empty where it is not known.
pub(super) fn hash(run: &Run) -> &str {
    run.facts.as_ref().map_or("", |facts| facts.data_hash.as_str())
}

/// On how many of the rows, which must be the same, exactly one of two runs is right.
pub(super) fn discordant(a: (&Run, &Predictions), b: (&Run, &Predictions)) -> Discordant {
    let (a, b) = (Tested::of(0, a.0, a.1), Tested::of(1, b.0, b.1));
    Discordant::of(&a.truth, &a.predicted, &b.predicted)
}

/// Whether two runs predicted the same rows, so that they can be set against each other row by row.
///
/// # Errors
/// One sentence that says in what their rows differ.
pub fn same_rows(a: (&Run, &Predictions), b: (&Run, &Predictions)) -> Result<(), String> {
    let (a, b) = (Tested::of(0, a.0, a.1), Tested::of(1, b.0, b.1));
    a.differs_from(&b).map_or(Ok(()), Err)
}

/// Tests every pair that was tested on the same rows; the baseline's pairs come first.
pub(super) fn all(entries: &[Entry], baseline: usize) -> (Vec<Pair>, Vec<Refused>, Vec<Contrast>) {
    let tested: Vec<Result<Tested<'_>, String>> = entries
        .iter()
        .enumerate()
        .map(|(i, entry)| match &entry.predictions {
            Ok(predictions) => Ok(Tested::of(i, &entry.run, predictions)),
            Err(why) => Err(format!("{} {}.", entry.run.id, why.trim_end_matches('.'))),
        })
        .collect();
    let mut places: Vec<usize> = (0..entries.len()).collect();
    // Stable: the others stay in order.
    places.sort_by_key(|place| *place != baseline);
    let groups = groups(&tested);
    let (mut pairs, mut refused) = (Vec::new(), Vec::new());
    for (nth, i) in places.iter().enumerate() {
        for j in places.iter().skip(nth + 1) {
            let (Some(a), Some(b)) = (tested.get(*i), tested.get(*j)) else { continue };
            let ids = [entries.get(*i), entries.get(*j)].map(|e| e.map(|e| e.run.id));
            let [Some(of_a), Some(of_b)] = ids else { continue };
            let why = match (a, b) {
                (Err(why), _) | (_, Err(why)) => Some(why.clone()),
                (Ok(a), Ok(b)) => a.differs_from(b),
            };
            match (why, a, b) {
                (Some(why), _, _) => refused.push(Refused { a: of_a, b: of_b, why }),
                (None, Ok(a), Ok(b)) => pairs.extend(pair(a, b, &groups)),
                _ => {}
            }
        }
    }
    let contrasts = groups.iter().flat_map(|group| contrasts(group, &tested, baseline)).collect();
    (pairs, refused, contrasts)
}

/// Runs tested on the same rows, resampled together.
struct Group<'a> {
    first: &'a Tested<'a>,
    members: Vec<usize>,
    bootstrap: Bootstrap,
}

fn groups<'a>(tested: &'a [Result<Tested<'a>, String>]) -> Vec<Group<'a>> {
    let mut groups: Vec<(Group<'a>, Vec<&'a [u32]>)> = Vec::new();
    for run in tested.iter().flatten() {
        let group = groups.iter_mut().find(|(group, _)| group.first.differs_from(run).is_none());
        if let Some((group, answers)) = group {
            group.members.push(run.position);
            answers.push(&run.predicted);
        } else {
            let members = vec![run.position];
            let group = Group { first: run, members, bootstrap: Bootstrap::default() };
            groups.push((group, vec![&run.predicted]));
        }
    }
    let draw = |(mut group, answers): (Group<'a>, Vec<&'a [u32]>)| {
        if answers.len() > 1 {
            group.bootstrap = Bootstrap::of(&group.first.truth, &answers, RESAMPLES, SEED);
        }
        group
    };
    groups.into_iter().map(draw).collect()
}

fn pair(a: &Tested<'_>, b: &Tested<'_>, groups: &[Group<'_>]) -> Option<Pair> {
    let group = groups.iter().find(|g| g.members.contains(&a.position))?;
    let place = |of: usize| group.members.iter().position(|member| *member == of);
    let (of_a, of_b) = (place(a.position)?, place(b.position)?);
    let interval = |of: &[Vec<f64>]| interval95(of.get(of_a)?, of.get(of_b)?);
    let (of_first, of_second) = (a.matrix(), b.matrix());
    let discordant = Discordant::of(&a.truth, &a.predicted, &b.predicted);
    Some(Pair {
        a: a.run.id,
        b: b.run.id,
        n: a.truth.len(),
        accuracy_diff: of_second.accuracy() - of_first.accuracy(),
        accuracy_ci95: interval(&group.bootstrap.accuracy)?,
        f1_diff: of_second.macro_f1() - of_first.macro_f1(),
        f1_ci95: interval(&group.bootstrap.macro_f1)?,
        discordant,
        mcnemar_p: discordant.p(),
        is_one_setting: setting_hash(&a.run.spec) == setting_hash(&b.run.spec),
    })
}

/// A setting: the runs of a group that differ in their seed alone, with their places among its members.
struct Setting<'a> {
    runs: Vec<(&'a Tested<'a>, usize)>,
}

impl Setting<'_> {
    fn ids(&self) -> Vec<RunId> {
        self.runs.iter().map(|(run, _)| run.run.id).collect()
    }

    /// The runs' seeds, if no two have the same.
    fn seeds(&self) -> Option<Vec<u64>> {
        let mut seeds: Vec<u64> = self.runs.iter().map(|(run, _)| run.run.spec.seed).collect();
        let count = seeds.len();
        seeds.dedup();
        (seeds.len() == count).then_some(seeds)
    }

    fn of<'b>(&self, figures: &'b [Vec<f64>], figure: impl Fn(&Matrix) -> f64) -> Seeds<'b> {
        let resamples = self.runs.iter().filter_map(|(_, place)| figures.get(*place));
        Seeds {
            figures: self.runs.iter().map(|(run, _)| figure(&run.matrix())).collect(),
            resamples: resamples.map(Vec::as_slice).collect(),
        }
    }
}

/// Every two settings of a group, the baseline's first, of which one has two seeds at least.
fn contrasts<'a>(
    group: &Group<'a>,
    tested: &'a [Result<Tested<'a>, String>],
    baseline: usize,
) -> Vec<Contrast> {
    let members = group.members.iter().enumerate();
    let mut runs: Vec<(&Tested<'_>, usize)> = members
        .filter_map(|(place, member)| Some((tested.get(*member)?.as_ref().ok()?, place)))
        .collect();
    let base = runs.iter().find(|(run, _)| run.position == baseline);
    let base = base.map(|(run, _)| setting_hash(&run.run.spec));
    runs.sort_by_key(|(run, _)| (run.run.spec.seed, run.run.id));
    let mut settings: Vec<(String, Setting<'_>)> = Vec::new();
    for (run, place) in runs {
        let hash = setting_hash(&run.run.spec);
        match settings.iter_mut().find(|(known, _)| *known == hash) {
            Some((_, setting)) => setting.runs.push((run, place)),
            None => settings.push((hash, Setting { runs: vec![(run, place)] })),
        }
    }
    settings.sort_by_key(|(hash, setting)| (Some(hash) != base.as_ref(), setting.ids()));
    let mut found = Vec::new();
    for (nth, (_, a)) in settings.iter().enumerate() {
        found.extend(settings.iter().skip(nth + 1).filter_map(|(_, b)| contrast(group, a, b)));
    }
    found
}

/// Runs of the same seeds are set against each other; with two of them, more is known of the seeds without.
fn contrast(group: &Group<'_>, a: &Setting<'_>, b: &Setting<'_>) -> Option<Contrast> {
    let by_seed = a.runs.len() > 2 && a.seeds().is_some() && a.seeds() == b.seeds();
    let estimate = |figures: &[Vec<f64>], figure: fn(&Matrix) -> f64| {
        settings::estimate(&a.of(figures, figure), &b.of(figures, figure), by_seed)
    };
    Some(Contrast {
        a: a.ids(),
        b: b.ids(),
        n: group.first.truth.len(),
        by_seed,
        accuracy: estimate(&group.bootstrap.accuracy, Matrix::accuracy)?,
        f1: estimate(&group.bootstrap.macro_f1, Matrix::macro_f1)?,
    })
}
