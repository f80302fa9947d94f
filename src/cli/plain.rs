//! `tuneboard --plain`: the dashboard as lines, one for each change.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use super::error::CliError;
use super::figures::counted;
use super::verb::{self, Context};
use super::wait::Told;
use super::{exit, ls};
use crate::runner;
use crate::spec::RunId;
use crate::store::{Counts, Run};

const POLL: Duration = Duration::from_millis(300);
/// Runs that wait, of which each has a line.
const WAITING: usize = 100;

/// Says what there is, then a line for each change, until nothing runs and nothing waits.
pub fn run(context: &mut Context) -> Result<u8, CliError> {
    let board = context.board()?;
    let reader = verb::reader(&board)?;
    let interrupted = runner::interrupted().map_err(|e| CliError::Place(e.to_string()))?;
    let counts = reader.counts()?;
    context.out.line(format!("{}: {}", board.root().display(), sum(&counts)))?;
    if counts.queued + counts.live > 0 {
        runner::ensure(&board)?;
    }
    let mut told = Told::default();
    let mut followed: BTreeSet<RunId> = BTreeSet::new();
    let mut version = None;
    while !interrupted.load(Ordering::Relaxed) {
        let now = reader.data_version()?;
        if version.replace(now) != Some(now) {
            let open = reader.open_runs(WAITING)?;
            for run in &open {
                if followed.insert(run.id) {
                    told.begin(run);
                    context.out.line(format!("{} is {}", run.id, run.name))?;
                }
            }
            let ids: Vec<RunId> = followed.iter().copied().collect();
            let runs = reader.runs(&ids)?;
            for line in told.news(&reader, &runs)? {
                context.out.line(line)?;
            }
            // What has ended has told its end.
            for run in runs.iter().filter(|run| run.state.outcome().is_some()) {
                followed.remove(&run.id);
            }
            context.out.flush()?;
            if open.iter().all(held) {
                let words = if open.is_empty() {
                    "Nothing runs and nothing waits."
                } else {
                    "Only held runs are left."
                };
                context.out.line(words)?;
                return Ok(exit::OK);
            }
        }
        thread::sleep(POLL);
    }
    Ok(exit::OK)
}

fn held(run: &Run) -> bool {
    ls::state(run).text == "held"
}

/// Runs by what they do, in words.
fn sum(counts: &Counts) -> String {
    let parts = [
        (counts.live, "running"),
        (counts.queued, "waiting"),
        (counts.held, "held"),
        (counts.done, "done"),
        (counts.failed, "failed"),
        (counts.stopped, "stopped"),
    ];
    let words: Vec<String> =
        parts.iter().filter(|(n, _)| *n > 0).map(|(n, word)| format!("{n} {word}")).collect();
    if words.is_empty() { counted(0, "run") } else { words.join(", ") }
}
