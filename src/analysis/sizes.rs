//! What a run takes beside time: weights that learn, and memory.

use crate::spec::metrics::train;
use crate::store::Run;

/// How many weights of a run learn; all of them where older trainers did not say.
pub fn trainable(run: &Run) -> Option<u64> {
    let facts = run.facts.as_ref()?;
    facts.trainable.or(Some(facts.parameters)).filter(|_| facts.parameters > 0)
}

/// True if some weights of a run do not learn.
pub fn is_part(run: &Run) -> bool {
    let facts = run.facts.as_ref();
    facts.is_some_and(|facts| facts.trainable.is_some_and(|learn| learn < facts.parameters))
}

/// The most memory that a run took, in bytes.
pub fn memory(run: &Run) -> Option<u64> {
    let known =
        [train::PEAK_MEMORY, train::STEP_MEMORY].iter().find_map(|name| run.last.get(*name));
    known.filter(|bytes| bytes.is_finite() && **bytes > 0.0).map(|bytes| *bytes as u64)
}
