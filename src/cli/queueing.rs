//! What `run` and `sweep` share: queue all or nothing, start the runner, wait. What is checked before:
//! [`crate::order`].

use serde_json::json;

use super::error::CliError;
use super::figures::counted;
use super::verb::{self, Context};
use super::wait::Awaited;
use super::{exit, wait};
use crate::board::Board;
use crate::runner;
use crate::spec::{Desired, RunId, RunSpec, Sweep, SweepId};
use crate::store::{NewRun, NewStage, NewSweep, Store};

/// Options of both verbs.
#[derive(Debug, clap::Args)]
#[group(id = "queueing")]
pub struct Args {
    /// A name for people
    #[arg(long)]
    pub name: Option<String>,
    /// Put a tag on it; may be given more than once
    #[arg(long, value_name = "WORD")]
    tag: Vec<String>,
    /// Queue it, but leave it waiting for `tuneboard resume`
    #[arg(long)]
    hold: bool,
    /// Show progress until the end; exit 0 only if all went well
    #[arg(long, conflicts_with = "hold")]
    wait: bool,
}

impl Args {
    /// Checks name and tags, before anything else is done.
    pub fn check(&self) -> Result<(), CliError> {
        self.name.as_deref().map(verb::name).transpose()?;
        self.tag.iter().try_for_each(|tag| verb::tag(tag).map(drop))
    }

    /// Queues these runs, tells about it, and waits if asked to.
    pub fn queue(
        self,
        board: &Board,
        sweep: Option<NewSweep>,
        runs: &[(String, RunSpec)],
        context: &mut Context,
    ) -> Result<u8, CliError> {
        let mut store = verb::store(board)?;
        let desired = if self.hold { Desired::Hold } else { Desired::Run };
        let new = |(name, spec): &(String, RunSpec)| NewRun {
            name: name.clone(),
            spec: spec.clone(),
            desired,
        };
        let new: Vec<NewRun> = runs.iter().map(new).collect();
        let is_looked_after = sweep
            .as_ref()
            .is_some_and(|new| new.sweep.is_looked_after() || new.sweep.plan.prune.is_some());
        let planned = sweep.as_ref().map_or(new.len(), |new| new.sweep.planned());
        let (number, ids) = store.enqueue(sweep.as_ref(), &new)?;
        self.put_tags(&mut store, &ids)?;
        drop(store);
        if !self.hold {
            runner::ensure(board)?;
        }
        let sweep = number.map(|s| s.to_string());
        if context.json {
            let words: Vec<String> = ids.iter().map(ToString::to_string).collect();
            context.out.json(&json!({ "sweep": sweep, "runs": words }))?;
        } else {
            self.tell(sweep.as_deref(), &ids, runs, context)?;
            if planned > ids.len() {
                let rest = counted(planned - ids.len(), "run");
                context.out.line(format!(
                    "The search adds {rest}, one whenever a slot is free, where the runs before promise most."
                ))?;
                context.out.flush()?;
            }
        }
        if !self.wait {
            return Ok(exit::OK);
        }
        let what = match number {
            Some(id) if is_looked_after => Awaited::Sweep(id),
            _ => Awaited::Runs(&ids),
        };
        wait::wait(board, what, context)
    }

    /// Queues sweeps of which some start from the runs of others, reports them, and waits if asked to.
    pub fn queue_stages(
        self,
        board: &Board,
        stages: &[NewStage],
        name: fn(&Sweep, &RunSpec) -> String,
        context: &mut Context,
    ) -> Result<u8, CliError> {
        let mut store = verb::store(board)?;
        let desired = if self.hold { Desired::Hold } else { Desired::Run };
        let queued = store.enqueue_stages(stages, desired, name)?;
        let all: Vec<RunId> = queued.iter().flat_map(|(_, ids)| ids).copied().collect();
        self.put_tags(&mut store, &all)?;
        drop(store);
        if !self.hold {
            runner::ensure(board)?;
        }
        if context.json {
            let object = |(sweep, ids): &(SweepId, Vec<RunId>)| {
                let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
                json!({ "sweep": sweep.to_string(), "runs": ids })
            };
            let stages: Vec<_> = queued.iter().map(object).collect();
            context.out.json(&json!({ "stages": stages }))?;
        } else {
            for (sweep, ids) in &queued {
                self.tell(Some(&sweep.to_string()), ids, &[], context)?;
            }
        }
        if self.wait { wait::wait(board, Awaited::Runs(&all), context) } else { Ok(exit::OK) }
    }

    fn put_tags(&self, store: &mut Store, ids: &[RunId]) -> Result<(), CliError> {
        let mut tags = self.tag.iter().map(|t| verb::tag(t)).collect::<Result<Vec<_>, _>>()?;
        tags.dedup();
        if !tags.is_empty() {
            for id in ids {
                store.set_tags(*id, &tags)?;
            }
        }
        Ok(())
    }

    fn tell(
        &self,
        sweep: Option<&str>,
        ids: &[RunId],
        runs: &[(String, RunSpec)],
        context: &mut Context,
    ) -> Result<(), CliError> {
        let queued = if self.hold { "Queued and held" } else { "Queued" };
        let (Some(first), Some(last)) = (ids.first(), ids.last()) else { return Ok(()) };
        let (told, target, look) = if let Some(sweep) = sweep {
            let n = counted(ids.len(), "run");
            let look = format!("tuneboard ls --sweep {sweep}, or tuneboard stop {sweep}");
            (format!("{sweep}: {n}, {first} to {last}"), sweep.to_owned(), look)
        } else {
            let name = runs.first().map(|r| r.0.as_str()).unwrap_or_default();
            let look = format!("tuneboard show {first}, or tuneboard logs -f {first}");
            (format!("{first} ({name})"), first.to_string(), look)
        };
        context.out.line(format!("{queued} {told}."))?;
        match (self.hold, self.wait) {
            (true, _) => context.out.line(format!("Next: tuneboard resume {target}")),
            (false, true) => context.out.flush(),
            (false, false) => context.out.line(format!("Next: tuneboard (the dashboard), {look}")),
        }
    }
}
