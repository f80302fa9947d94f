use crate::spec::{Desired, RunId, RunState};
use crate::store::Run;

use super::error::Result;
use super::live::Live;
use super::process::find_trainer;
use super::slots::LOCAL;
use super::state::Runner;

/// How much of the queue is kept in memory: reading 100,000 runs at every change of a desired state would take
/// seconds. So many runs that wait for one busy device do keep those behind them waiting.
const AHEAD: usize = 1_000;

impl Runner<'_> {
    /// One round. Every step does what it finds to do and can be repeated at will: what an error, or
    /// the runner's death, leaves undone is done by the next round, or the next runner.
    pub(super) fn tick(&mut self) -> Result<()> {
        self.store.reader().check_in_place()?;
        self.refresh()?;
        let steps =
            [self.ingest(), self.reap(), self.stop(), self.search(), self.start(), self.report()];
        steps.into_iter().collect()
    }

    /// Reads desired states and queue, if anybody has written to the database since the last look.
    fn refresh(&mut self) -> Result<()> {
        let held = self.board.held_sites();
        self.replan |= held != self.held;
        self.held = held;
        let version = self.store.reader().data_version()?;
        if self.seen == Some(version) {
            return Ok(());
        }
        self.queue.clear();
        self.unwanted = self.store.reader().unwanted()?;
        let open = self.store.reader().open_runs(AHEAD)?;
        self.more = open.iter().filter(|run| !run.state.is_live()).count() >= AHEAD;
        for run in open {
            match self.live.get_mut(&run.id) {
                // The state of a live run is ours to write, so ours is newer.
                Some(live) => live.run = Run { state: live.run.state.clone(), ..run },
                None if run.state.is_live() => self.adopt(run)?,
                None => {
                    if matches!(run.state, RunState::Ended(_)) {
                        self.store.set_state(run.id, &RunState::Queued)?;
                    }
                    self.queue.insert(run.id, Run { state: RunState::Queued, ..run });
                }
            }
        }
        self.look_for_searches()?;
        self.seen = Some(version);
        self.replan = true;
        Ok(())
    }

    /// Takes over a run that another runner started. Whether its trainer still lives is `reap`'s
    /// question.
    fn adopt(&mut self, run: Run) -> Result<()> {
        let elsewhere = run.placement.as_ref().is_some_and(|at| at.site != LOCAL);
        let known = self.store.process(run.id)?;
        let recorded = known.is_some();
        let process =
            known.or_else(|| find_trainer(self.board.root(), run.id)).filter(|_| !elsewhere);
        // A live run without a placement cannot be; one that takes no slot does no harm.
        let placement = run.placement.clone().unwrap_or(crate::spec::Placement {
            site: LOCAL.to_owned(),
            slot: String::new(),
            device: String::new(),
            threads: 0,
        });
        self.note(&match &process {
            Some(process) => format!("{}: taken over, process {}", run.id, process.pid),
            None if elsewhere => format!("{}: looked for on {}", run.id, placement.site),
            None => format!("{}: taken over, process unknown", run.id),
        });
        let (id, offset) = (run.id, self.store.offset(run.id)?);
        let live = Live { process, recorded, ..Live::new(run, placement, offset) };
        self.live.insert(id, live);
        if elsewhere {
            self.hand_over(id, false);
        }
        self.judge(id)
    }

    /// Does `what` for each live run; one that fails does not keep the others waiting.
    pub(super) fn each_live(
        &mut self,
        what: impl Fn(&mut Self, RunId) -> Result<()>,
    ) -> Result<()> {
        let ids: Vec<RunId> = self.live.keys().copied().collect();
        let done: Vec<Result<()>> = ids.into_iter().map(|id| what(self, id)).collect();
        done.into_iter().collect()
    }

    /// Writes a live run's state, unless it is that already.
    pub(super) fn enter(&mut self, id: RunId, state: RunState) -> Result<()> {
        let Some(live) = self.live.get_mut(&id) else { return Ok(()) };
        if live.run.state != state {
            self.store.set_state(id, &state)?;
            live.run.state = state;
        }
        Ok(())
    }

    /// What the user wants of a live run.
    pub(super) fn desired(&self, id: RunId) -> Desired {
        self.live.get(&id).map_or(Desired::Run, |live| live.run.desired)
    }
}
