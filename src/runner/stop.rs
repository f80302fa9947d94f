use std::time::{Duration, Instant};

use crate::spec::{Desired, Outcome, RunId, RunState};

use super::clock::milliseconds;
use super::error::Result;
use super::process::{Signal, is_alive, signal_group};
use super::state::Runner;

impl Runner<'_> {
    /// Ends queued runs that are to be stopped, and asks live ones that are no longer wanted to save
    /// and end; after the grace they are killed.
    pub(super) fn stop(&mut self) -> Result<()> {
        while let Some(id) = self.unwanted.last().copied() {
            self.store.set_state(id, &RunState::Ended(Outcome::Stopped))?;
            self.unwanted.pop();
            self.queue.remove(&id);
            self.note(&format!("{id}: stopped before it started"));
        }
        let grace = milliseconds("TUNEBOARD_GRACE_MS", 60_000);
        self.each_live(|runner, id| runner.stop_live(id, grace))
    }

    fn stop_live(&mut self, id: RunId, grace: Duration) -> Result<()> {
        let desired = self.desired(id);
        let Some(live) = self.live.get_mut(&id) else { return Ok(()) };
        let is_wanted = desired == Desired::Run && live.cut.is_none();
        let why = if live.cut.is_some() { "pruned".to_owned() } else { desired.to_string() };
        if live.is_elsewhere() {
            if is_wanted || live.asked.is_some() {
                return Ok(());
            }
            // Its site sees to the grace.
            live.asked = Some(Instant::now());
            let placement = live.placement.clone();
            self.end_elsewhere(id, &placement);
            self.note(&format!("{id}: asked to end ({why}) on {}", placement.site));
            return self.enter(id, RunState::Stopping);
        }
        let Some(process) = live.process.as_ref().filter(|process| is_alive(process)) else {
            return Ok(());
        };
        let signal = match live.asked {
            None if !is_wanted => Signal::Terminate,
            Some(asked) if !live.killed && asked.elapsed() >= grace => Signal::Kill,
            None => return Ok(()),
            Some(_) => return self.enter(id, RunState::Stopping),
        };
        // It may end between the look and the signal; then there is nobody to ask.
        let _ = signal_group(process, signal);
        live.killed = signal == Signal::Kill;
        live.asked = live.asked.or(Some(Instant::now()));
        self.note(&format!(
            "{id}: {}",
            match signal {
                Signal::Terminate => format!("asked to end ({why})"),
                Signal::Kill => format!("killed, {:.1} s after it was asked", grace.as_secs_f32()),
            }
        ));
        // Written after the signal, so that the state never claims what was not done.
        self.enter(id, RunState::Stopping)
    }
}
