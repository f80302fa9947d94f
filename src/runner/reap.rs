use std::time::{Duration, Instant};

use crate::spec::{Desired, Outcome, RunId, RunState};
use crate::store::Run;

use super::clock::now;
use super::error::{Result, RunnerError};
use super::exit::Exit;
use super::folder::{self, Meta};
use super::process::{
    Signal, find_trainer, identify, is_alive, is_here, memory_kills, signal_group,
};
use super::state::Runner;
use super::text::last_lines;
use super::verdict::{End, Verdict};
use super::waste::{remove, waste};

/// So long one tick reads what a dead run has reported, at most.
const READ: Duration = Duration::from_millis(100);
/// How much of `out.log` a failed run keeps.
const LAST_LINES: usize = 20;

impl Runner<'_> {
    /// Notices ended trainers and decides what becomes of their runs.
    pub(super) fn reap(&mut self) -> Result<()> {
        self.each_live(|runner, id| {
            runner.look_after(id)?;
            runner.end_flood(id);
            runner.settle_decided(id)?;
            match runner.live.get(&id).and_then(|live| live.exit) {
                Some(exit) => runner.settle(id, exit),
                None => Ok(()),
            }
        })
    }

    /// Finds out whether a trainer that is not our child still lives, and writes down its process if
    /// that has not been done.
    fn look_after(&mut self, id: RunId) -> Result<()> {
        let Some(live) = self.live.get_mut(&id) else { return Ok(()) };
        if live.is_elsewhere() {
            return Ok(());
        }
        if !live.is_child && live.exit.is_none() {
            if live.process.is_none() {
                live.process = find_trainer(self.board.root(), id);
            }
            let alive = match &live.process {
                Some(process) if is_here(process) => is_alive(process),
                // Of another machine or boot, or not found yet: a living one holds the log.
                _ => folder::is_in_use(self.board, id),
            };
            if !alive {
                live.exit = Some(Exit::Vanished);
            }
        }
        if let (false, Some(process)) = (live.recorded, &live.process) {
            self.store.lease(id, live.run.attempt, &live.placement, Some(process))?;
            live.recorded = true;
        }
        Ok(())
    }

    /// Takes in a dead trainer's last events and gives its run the state that follows.
    fn settle(&mut self, id: RunId, exit: Exit) -> Result<()> {
        self.end_leftovers(id);
        let start = Instant::now();
        while self.ingest_batch(id)? {
            if start.elapsed() > READ {
                // The next tick reads on: nobody waits for the reports of a dead run.
                return Ok(());
            }
        }
        // It may have fallen behind with the last that it reported, or before this runner came.
        self.judge(id)?;
        let Some(live) = self.live.get(&id) else { return Ok(()) };
        // The row as it is now: the last events moved its epoch, and a client may have moved its desired state.
        let Some(mut run) = self.store.reader().run(id)? else {
            self.live.remove(&id);
            return Ok(());
        };
        let mut meta = Meta::read(self.board, id);
        meta.resumes = if run.epoch as u32 > meta.resumed_at { 0 } else { meta.resumes };
        let end = End {
            desired: run.desired,
            exit,
            said: self.store.ending(id)?,
            asked: live.asked.is_some() || live.run.state == RunState::Stopping,
            cut: live.cut.clone(),
            memory: !live.is_elsewhere() && memory_kills() > live.memory_kills,
            resumes: meta.resumes,
        };
        let verdict = match &live.flood {
            Some(why) => {
                Verdict::Over(Outcome::Failed { why: why.clone(), last_lines: String::new() })
            }
            None => end.verdict(),
        };
        let here = !live.is_elsewhere();
        let verdict = match verdict {
            // Not its fault, and the next one would fare no better.
            Verdict::Over(Outcome::Failed { why, .. })
                if here && end.desired == Desired::Run && self.is_for_want_of_room(&end, &why) =>
            {
                self.wants_room(&why);
                Verdict::Resume(why)
            }
            verdict => verdict,
        };
        if here {
            self.remove_half_written(id);
        }
        let (state, why) = match verdict {
            Verdict::Over(Outcome::Failed { why, .. }) => {
                let last_lines = last_lines(&self.board.out_log(id), LAST_LINES);
                (RunState::Ended(Outcome::Failed { why: why.clone(), last_lines }), why)
            }
            Verdict::Over(outcome) => {
                let why = outcome.why().unwrap_or_default();
                (RunState::Ended(outcome), why)
            }
            Verdict::Queue => (RunState::Queued, "as the user wants it".to_owned()),
            Verdict::Resume(why) => {
                meta.resumes += 1;
                (RunState::Queued, format!("goes on from its last checkpoint: {why}"))
            }
        };
        if state.outcome().is_some() {
            // A user who resumes it gives it a new chance.
            meta.resumes = 0;
        }
        meta.resumed_at = run.epoch as u32;
        meta.desired = Some(end.desired);
        meta.outcome = state.outcome().cloned();
        meta.settled = meta.outcome.as_ref().map(|_| now());
        meta.write(self.board, id).map_err(RunnerError::io(&self.board.run(id)))?;
        self.store.settle(id, &state, meta.settled)?;
        self.note(&format!("{id}: {exit:?}, now {state}: {why}"));
        // Only now is the log let go of that says whose folder it is.
        self.live.remove(&id);
        if state.outcome().is_some() {
            self.drop_waste(id);
        }
        if state == RunState::Queued {
            run.state = state;
            self.queue.insert(id, run);
        }
        self.replan = true;
        Ok(())
    }

    /// Deletes what a done run keeps no more, and what the others of its sweep keep no more because of it.
    fn drop_waste(&mut self, id: RunId) {
        let reader = self.store.reader();
        let of_sweep = |run: Run| match run.sweep {
            Some(sweep) => reader.trials(sweep),
            None => Ok(vec![run]),
        };
        let runs = reader.run(id).and_then(|run| run.map_or(Ok(Vec::new()), of_sweep));
        let found = runs.and_then(|runs| waste(self.board, reader, &runs, None));
        let found = found.unwrap_or_default();
        for waste in found {
            if let Err(e) = remove(&waste) {
                self.note(&format!("{} cannot be deleted: {e}", waste.path.display()));
            }
        }
    }

    /// Ends what a dead trainer started and left behind, so that it neither writes into the run's
    /// folder nor keeps the device. The log is still held then, which proves the group to be ours.
    fn end_leftovers(&self, id: RunId) {
        let leader = self.live.get(&id).and_then(|live| live.process.as_ref());
        if let Some(leader) = leader
            && is_here(leader)
            && identify(leader.pid).is_none()
            && folder::is_in_use(self.board, id)
        {
            let _ = signal_group(leader, Signal::Kill);
        }
    }
}
