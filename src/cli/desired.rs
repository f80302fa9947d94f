//! What `stop`, `hold`, `resume` and `retry` share: pick runs, change those that can be changed, and
//! say for each of the others why not.

use serde_json::json;

use super::error::CliError;
use super::exit;
use super::figures::counted;
use super::verb::{self, Context, pick};
use crate::runner;
use crate::spec::{Desired, RunId};
use crate::store::{Run, Store};

/// What is to be done with a run.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// Another desired state.
    Desired(Desired),
    /// Back into the queue, from the last checkpoint or (true) from the start.
    Requeue(bool),
    /// It is so already: not a mistake.
    Already(String),
    /// It cannot be done, and why.
    Cannot(String),
}

/// Does it to all runs that these words mean. `done` says what happened, as in "Stopping".
pub fn apply(
    words: &[String],
    done: &str,
    step: impl Fn(&Run) -> Step,
    context: &mut Context,
) -> Result<u8, CliError> {
    let board = context.board()?;
    let runs = pick(&board, &verb::reader(&board)?, words)?;
    // What is said of a run that was named itself is worth a line; of those that a query or a sweep brought, a number.
    let named: Vec<RunId> = words.iter().filter_map(|word| word.parse().ok()).collect();
    let (mut changed, mut spared, mut refused) = (Vec::new(), Vec::new(), Vec::new());
    let mut left = 0;
    let (mut states, mut queue) = (Vec::<(Desired, RunId)>::new(), Vec::<(bool, RunId)>::new());
    for run in &runs {
        match step(run) {
            Step::Desired(desired) => states.push((desired, run.id)),
            Step::Requeue(from_start) => queue.push((from_start, run.id)),
            Step::Already(why) => {
                left += usize::from(!named.contains(&run.id));
                spared.push(format!("{} {why}", run.id));
                continue;
            }
            Step::Cannot(why) => {
                left += usize::from(!named.contains(&run.id));
                refused.push(format!("{} {why}", run.id));
                continue;
            }
        }
        changed.push(run.id.to_string());
    }
    if changed.is_empty() && spared.is_empty() {
        return Err(CliError::Usage(refused.join("\n")));
    }
    if !changed.is_empty() {
        let mut store = verb::store(&board)?;
        write(&mut store, &states, &queue)?;
        drop(store);
        runner::ensure(&board)?;
    }
    if context.json {
        let untouched: Vec<String> = spared.into_iter().chain(refused).collect();
        context.out.json(&json!({ "runs": changed, "untouched": untouched }))?;
        return Ok(exit::OK);
    }
    match changed.len() {
        0 => {}
        1..=8 => context.out.line(format!("{done} {}.", changed.join(", ")))?,
        n => context.out.line(format!("{done} {}.", counted(n, "run")))?,
    }
    let own = |why: &&String| {
        let id = why.split(' ').next().and_then(|id| id.parse().ok());
        id.is_some_and(|id| named.contains(&id))
    };
    for why in spared.iter().chain(&refused).filter(own) {
        context.out.line(why)?;
    }
    match (left, changed.is_empty()) {
        (0, _) => Ok(()),
        (n, true) => context.out.line(format!("None of {} is to change.", counted(n, "run"))),
        (n, false) => context.out.line(format!("{} more stay as they are.", counted(n, "run"))),
    }?;
    Ok(exit::OK)
}

fn write(
    store: &mut Store,
    states: &[(Desired, RunId)],
    queue: &[(bool, RunId)],
) -> Result<(), CliError> {
    for desired in [Desired::Run, Desired::Hold, Desired::Stop] {
        let ids: Vec<RunId> = states.iter().filter(|s| s.0 == desired).map(|s| s.1).collect();
        if !ids.is_empty() {
            store.set_desired(&ids, desired)?;
        }
    }
    for from_start in [false, true] {
        let ids: Vec<RunId> = queue.iter().filter(|q| q.0 == from_start).map(|q| q.1).collect();
        if !ids.is_empty() {
            store.requeue(&ids, from_start)?;
        }
    }
    Ok(())
}
