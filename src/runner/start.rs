use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::thread;

use crate::spec::{Outcome, Placement, RunId, RunState};
use crate::store::Run;

use super::error::{Result, RunnerError};
use super::exit::Exit;
use super::folder::{self, MetaSweep};
use super::launch::{self, trainer_command};
use super::live::{Live, Wake};
use super::plan::{Assignments, plan};
use super::process::{find_trainer, identify};
use super::slots::LOCAL;
use super::state::Runner;

impl Runner<'_> {
    /// Gives free slots to waiting runs.
    pub(super) fn start(&mut self) -> Result<()> {
        if !self.replan || self.waits_for_room() {
            return Ok(());
        }
        let waiting = self.in_turn()?;
        let sites: Vec<String> = waiting.iter().map(|run| run.site.clone()).collect();
        self.connect(&sites);
        let taken = self.live.iter().filter(|(_, live)| !live.freed);
        let taken: Vec<_> = taken.map(|(id, live)| (*id, &live.placement)).collect();
        // Where the answer fails, nobody shares.
        let peak = |id| self.store.reader().alike_peak(id).ok().flatten();
        let plan = plan(&waiting, &self.offers(), &taken, &peak);
        let moved = plan != Assignments::default();
        let mut again = false;
        for (id, why) in plan.never {
            self.fail(id, why)?;
        }
        for (id, placement) in plan.start {
            let Some(run) = self.queue.get(&id).cloned() else { continue };
            if let Err(e) = self.start_run(run, placement) {
                let passing = match &e {
                    RunnerError::Io { source, .. } => is_passing(source),
                    RunnerError::Store(_) => true,
                    _ => false,
                };
                if passing {
                    return Err(e);
                }
                self.fail(id, e.to_string())?;
                // Its slot is free for another one.
                again = true;
            }
        }
        self.replan = again;
        if moved && self.more {
            // Fill up the head of the queue.
            self.seen = None;
        }
        Ok(())
    }

    /// Starts the trainer of a run on this machine.
    fn launch(&self, trainer: &Path, id: RunId, at: &Placement, log: File) -> io::Result<Child> {
        launch::start(self.board, trainer, id, (at, self.machine.alone(&at.device)), log)
    }

    /// Starts one run, or takes its trainer over if one is at work in its folder already.
    fn start_run(&mut self, mut run: Run, placement: Placement) -> Result<()> {
        let id = run.id;
        let elsewhere = placement.site != LOCAL;
        let trainer = if elsewhere { PathBuf::new() } else { trainer_command(self.board)? };
        let sweep = self.sweep(&run)?;
        let folder = self.board.run(id);
        let ready = folder::prepare(self.board, &run, &placement, sweep);
        let ready = ready.map_err(RunnerError::io(&folder))?;
        let events = fs::metadata(self.board.events(id)).map_or(0, |m| m.len());
        let mut offset = self.store.offset(id)?;
        if offset > events {
            // The disk lost what the database remembers (a power cut). The file is the truth.
            self.store.forget(id)?;
            offset = 0;
        }
        run.attempt += u32::from(ready.is_some());
        self.store.lease(id, run.attempt, &placement, None)?;
        run.state = RunState::Starting;
        self.queue.remove(&id);
        let mut live = Live::new(run, placement, offset);
        if elsewhere {
            // Its site appends to the log; nobody here holds it.
            self.note(&format!("{id}: goes to {} {}", live.placement.site, live.placement.slot));
            self.live.insert(id, live);
            self.hand_over(id, true);
            return Ok(());
        }
        match ready {
            None => live.process = find_trainer(self.board.root(), id),
            Some(log) => match self.launch(&trainer, id, &live.placement, log) {
                Ok(mut child) => {
                    let pid = child.id();
                    // Before anybody waits for it: until then even its zombie keeps the pid.
                    live.process = identify(pid);
                    let waker = self.waker.clone();
                    let waiter = thread::Builder::new().name(id.to_string()).spawn(move || {
                        let exit = child.wait().map_or(Exit::Vanished, Exit::from);
                        let _ = waker.send(Wake::Exited(id, exit));
                    });
                    live.is_child = waiter.is_ok();
                    self.note(&format!("{id}: started on {}, process {pid}", live.placement.slot));
                }
                Err(e) => {
                    self.store.set_state(id, &RunState::Queued)?;
                    self.seen = None;
                    return Err(RunnerError::io(&trainer)(e));
                }
            },
        }
        if let Some(process) = &live.process {
            // Should this fail, `look_after` makes up for it.
            live.recorded =
                self.store.lease(id, live.run.attempt, &live.placement, Some(process)).is_ok();
        }
        self.live.insert(id, live);
        Ok(())
    }

    /// Ends a run that cannot be started.
    pub(super) fn fail(&mut self, id: RunId, why: String) -> Result<()> {
        self.note(&format!("{id}: cannot be started: {why}"));
        let outcome = Outcome::Failed { why, last_lines: String::new() };
        self.store.set_state(id, &RunState::Ended(outcome))?;
        self.queue.remove(&id);
        Ok(())
    }

    fn sweep(&self, run: &Run) -> Result<Option<MetaSweep>> {
        let Some(id) = run.sweep else { return Ok(None) };
        Ok(self.store.reader().sweep(id)?.map(|known| MetaSweep::new(id, known)))
    }
}

/// True for errors that pass: the run stays in the queue and is tried again.
fn is_passing(error: &io::Error) -> bool {
    use io::ErrorKind as K;
    matches!(
        error.kind(),
        K::StorageFull
            | K::QuotaExceeded
            | K::OutOfMemory
            | K::WouldBlock
            | K::Interrupted
            | K::ExecutableFileBusy
    ) || error.raw_os_error() == Some(libc::EMFILE)
}
