//! Other plans for a sweep that was queued.

use super::{OrderError, name_in};
use crate::spec::{Desired, Part, SweepId};
use crate::store::{NewRun, NewSweep, Reader};

/// A sweep as it is to be, and what comes of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Amended {
    /// The sweep.
    pub sweep: NewSweep,
    /// Runs that it has now; [`crate::store::Store::amend`] refuses it with another number.
    pub before: usize,
    /// Draws that need no history: they are queued at once.
    pub runs: Vec<NewRun>,
    /// Trials that are still to be chosen.
    pub to_come: usize,
}

/// The sweep after these pairs; `None` if there is no such sweep.
///
/// # Errors
/// What is fixed once a sweep is queued, a bad value; what the store says.
pub fn amended<'a>(
    reader: &Reader,
    id: SweepId,
    pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Result<Option<Amended>, OrderError> {
    let Some(known) = reader.sweep(id)? else { return Ok(None) };
    let sweep = known.sweep.amended(pairs)?;
    let old = known.sweep.expand()?.len();
    let all = reader.trials(id)?;
    let is_held = all.iter().all(|run| run.desired == Desired::Hold);
    let desired = if is_held { Desired::Hold } else { Desired::Run };
    let new = sweep.expand()?.into_iter().skip(old);
    let runs: Vec<NewRun> =
        new.map(|spec| NewRun { name: name_in(&sweep, &spec), spec, desired }).collect();
    let trials = all.iter().filter(|run| run.part != Part::Confirmation).count();
    let to_come = sweep.planned().saturating_sub(trials + runs.len());
    let sweep = NewSweep { name: known.name, sweep };
    Ok(Some(Amended { sweep, before: all.len(), runs, to_come }))
}
