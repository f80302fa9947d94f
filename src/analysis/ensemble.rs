//! Runs that answer together: the mean of what they say of the same test rows, judged as a run is.

use std::collections::BTreeMap;

use super::compare::{Entry, Pair, ScorePair, compare};
use super::metrics::{Multilabel, best_thresholds, figures, given};
use crate::dataset::predictions::Pass;
use crate::spec::{RunId, metrics};

/// Stands for the ensemble where a run's id is asked for; no run has it.
const TOGETHER: RunId = RunId(0);

/// What runs say together of their test rows.
#[derive(Debug, Clone)]
pub struct Ensemble {
    /// The mean of their predictions.
    pub pass: Pass,
    /// Its figures by short name, the task's score first.
    pub figures: Vec<(&'static str, f64)>,
    /// Of many labels a row: of each label the threshold that is best for the mean on the val rows, and the macro F1
    /// of the test rows under these.
    pub tuned: Option<(Vec<f64>, f64)>,
    /// The runs, in the order in which they were named.
    pub members: Vec<Member>,
}

/// A run of an ensemble.
#[derive(Debug, Clone)]
pub struct Member {
    /// Which.
    pub run: RunId,
    /// Its own figures on the same rows.
    pub figures: Vec<(&'static str, f64)>,
    /// The ensemble against it.
    pub against: Against,
}

/// The ensemble against one of its runs on the same rows; differences are the ensemble minus the run.
#[derive(Debug, Clone)]
pub enum Against {
    /// By their classes.
    Classes(Pair),
    /// By the score of a task without classes.
    Score(ScorePair),
    /// It cannot be told.
    Untold,
}

/// Judges what these runs say together. `on_val` has what each said of its val rows, if that is known of all.
///
/// # Errors
/// Runs that were not tested on the same rows, or of which no probabilities are kept; a sentence.
pub fn ensemble(entries: &[Entry], on_val: Option<&[Pass]>) -> Result<Ensemble, String> {
    let mut passes = Vec::new();
    for entry in entries {
        passes.push(entry.pass()?);
    }
    let id = |at: usize| entries.get(at).map_or_else(String::new, |entry| entry.run.id.to_string());
    let pass = Pass::mean(&passes).map_err(|(at, why)| match at {
        0 => format!("{} {why}.", id(0)),
        _ => format!("{} {why} than {}.", id(at), id(0)),
    })?;
    let members = entries.iter().zip(&passes).map(|(entry, own)| Member {
        run: entry.run.id,
        figures: figures(own),
        against: against(entry, &pass),
    });
    let members = members.collect();
    let tuned = on_val.and_then(|val| tuned(&Pass::mean(val).ok()?, &pass));
    Ok(Ensemble { figures: figures(&pass), tuned, members, pass })
}

/// The tests of `tuneboard compare`, of the run and a run that said what the ensemble says.
fn against(entry: &Entry, pass: &Pass) -> Against {
    let mut together = Entry { curves: BTreeMap::new(), confusion: None, ..entry.clone() };
    together.run.id = TOGETHER;
    match pass {
        Pass::Classes(pass) => together.predictions = Ok(pass.clone()),
        pass => together.other = Some(pass.clone()),
    }
    let mut compared = compare(&[entry.clone(), together], 0);
    match (compared.pairs.pop(), compared.scores.pop()) {
        (Some(pair), _) => Against::Classes(pair),
        (None, Some(score)) => Against::Score(score),
        (None, None) => Against::Untold,
    }
}

fn tuned(val: &Pass, test: &Pass) -> Option<(Vec<f64>, f64)> {
    let (Pass::Sets(val), Pass::Sets(test)) = (val, test) else { return None };
    let thresholds = best_thresholds(&val.truth, &val.probabilities);
    let judged = Multilabel::of(&test.truth, &given(&test.probabilities, &thresholds))?;
    Some((thresholds, judged.macro_.f1))
}

impl Ensemble {
    /// The figures, that of the tuned thresholds among them.
    pub fn all_figures(&self) -> Vec<(&'static str, f64)> {
        let tuned = self.tuned.iter().map(|(_, f1)| (metrics::TUNED_F1, *f1));
        self.figures.iter().copied().chain(tuned).collect()
    }
}
