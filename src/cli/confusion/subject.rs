//! Whose confusion counts are shown: those of one pass of a run, or of all runs of a setting together.

use crate::analysis::groups::{Spread, are_folds};
use crate::analysis::metrics::EntityConfusion;
use crate::analysis::sweeps;
use crate::analysis::together::{added, one_setting};
use crate::board::Board;
use crate::cli::error::CliError;
use crate::cli::errors;
use crate::cli::figures::{counted, value};
use crate::cli::verb;
use crate::dataset::predictions::{Pass, Predictions, Tags, read_pass};
use crate::spec::{RunId, Task};
use crate::store::{Confusion, Reader, Run};

/// What is looked at.
pub struct Subject {
    /// Which runs, which rows: a line without an end.
    pub heading: String,
    /// The runs.
    pub runs: Vec<RunId>,
    /// Their counts, added up. The epoch is that of the only run.
    pub confusion: Confusion,
    /// Their predictions; kept for a while only.
    pub predictions: Result<Predictions, CliError>,
    /// What taggers take for what, where their predictions are kept.
    pub entities: Option<EntityConfusion>,
    /// The share of right predictions of each run.
    pub accuracy: Spread,
}

impl Subject {
    /// One pass of one run.
    pub fn of_run(board: &Board, run: &Run, confusion: Confusion) -> Self {
        let split = confusion.split.to_string();
        let (predictions, tags) = said(board, run, &split, confusion.epoch);
        Self {
            heading: format!(
                "{} {}: {split} rows after epoch {}",
                run.id, run.name, confusion.epoch
            ),
            runs: vec![run.id],
            predictions,
            entities: tags.map(|tags| EntityConfusion::of_passes([&tags])),
            accuracy: Spread::default(),
            confusion,
        }
    }

    /// The last passes of the runs that differ in seed and fold alone: `r1..r5`, or the best setting of a sweep.
    ///
    /// # Errors
    /// Runs of several settings, or that were not tested on rows with the same classes.
    pub fn of_setting(
        board: &Board,
        reader: &Reader,
        word: &str,
        find: impl Fn(&Run) -> Result<Confusion, CliError>,
    ) -> Result<Self, CliError> {
        let (runs, of) = members(board, reader, word)?;
        let mut counts = Vec::new();
        let mut accuracy = Vec::new();
        let (mut passes, mut tags) = (Vec::new(), Vec::new());
        for run in &runs {
            let own = find(run)?;
            accuracy.push(crate::analysis::confusion::Matrix::new(&own).accuracy());
            let (pass, of_words) = said(board, run, &own.split.to_string(), own.epoch);
            passes.push(pass.map(Pass::Classes));
            tags.push(of_words);
            counts.push((run.id, own));
        }
        let tags: Option<Vec<Tags>> = tags.into_iter().collect();
        let entities = tags.map(|tags| EntityConfusion::of_passes(&tags));
        let confusion = added(counts).map_err(CliError::Usage)?;
        let passes = passes.into_iter().collect::<Result<Vec<_>, _>>();
        let predictions = passes.and_then(|passes| match Pass::joined(passes) {
            Some(Pass::Classes(all)) => Ok(all),
            _ => Err(CliError::Usage(format!("The predictions of {word} do not fit together."))),
        });
        let is_held_out = runs.iter().all(|run| are_folds(&run.spec));
        let (n, split) = (runs.len(), confusion.split.to_string());
        let what = if is_held_out { counted(n, "held-out fold") } else { counted(n, "run") };
        let accuracy = Spread::of(accuracy);
        let mean = accuracy.mean.map_or_else(String::new, |mean| {
            let sd = accuracy.sd.map(|sd| format!(" +- {sd:.4}")).unwrap_or_default();
            format!(" (accuracy {}{sd} over them)", value(mean))
        });
        let heading = format!("{of}: {split} rows of {what} together{mean}");
        let runs = runs.iter().map(|run| run.id).collect();
        Ok(Self { heading, runs, confusion, predictions, entities, accuracy })
    }
}

/// What a run said of its rows; of tags each word is one, and they come along as they are.
fn said(
    board: &Board,
    run: &Run,
    split: &str,
    epoch: u32,
) -> (Result<Predictions, CliError>, Option<Tags>) {
    if run.spec.task != Task::Tag {
        return (errors::pass(board, run, split, Some(epoch)), None);
    }
    let path = errors::path_of(board, run, split, Some(epoch));
    let read = path.and_then(|path| Ok(read_pass(&path, Task::Tag)?));
    let (words, tags) = match read {
        Err(why) => return (Err(why), None),
        Ok(Pass::Tags(tags)) => (tags.by_word(), Some(tags)),
        Ok(_) => (None, None),
    };
    let why = || {
        CliError::Usage(format!(
            "{} keeps the tags of its {split} rows without their probabilities.",
            run.id
        ))
    };
    (words.ok_or_else(why), tags)
}

/// The runs of one setting, and what they are called.
fn members(board: &Board, reader: &Reader, word: &str) -> Result<(Vec<Run>, String), CliError> {
    if word.starts_with('s') {
        let id = word.parse()?;
        verb::sweep_runs(reader, id)?;
        let facts = sweeps::read(reader, id, &|run| board.predictions(run))?;
        let facts = facts.ok_or_else(|| CliError::Usage(format!("There is no sweep {id}.")))?;
        let settings = &facts.report.settings;
        let best = settings.first().map(|best| best.runs.clone()).unwrap_or_default();
        let values =
            facts.report.axes.iter().zip(settings.first().into_iter().flat_map(|s| &s.values));
        let values: Vec<String> = values.map(|(key, value)| format!("{key}={value}")).collect();
        let values = values.join(" ");
        let of = if settings.len() > 1 {
            format!("{id}, the best of {} settings, {values}", settings.len())
        } else {
            id.to_string()
        };
        return Ok((reader.runs(&best)?, of));
    }
    let runs = verb::several(board, reader, word)?;
    one_setting(&runs).map_err(CliError::Usage)?;
    Ok((runs, word.to_owned()))
}
