use std::collections::BTreeMap;

use crate::spec::{Desired, Outcome, RunId, RunState, locate};
use crate::store::Run;

use super::error::Result;
use super::slots::LOCAL;
use super::state::Runner;
use super::waiting::Waiting;

/// What a run that goes on from another one may do by now.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Turn {
    /// Start.
    Now,
    /// Wait: the other one is not done yet.
    Later,
    /// Never start; the reason.
    Never(String),
}

impl Runner<'_> {
    /// The runs of the queue that may be started. A run that goes on from another one (`init=rN`) waits until
    /// that is done; if that ended in another way, or is gone, it ends too.
    pub(super) fn in_turn(&mut self) -> Result<Vec<Waiting>> {
        let mut turns: BTreeMap<RunId, Turn> = BTreeMap::new();
        let (mut waiting, mut never) = (Vec::new(), Vec::new());
        for run in self.queue.values().filter(|run| run.desired == Desired::Run) {
            let turn = match run.spec.init.parent() {
                None => Turn::Now,
                Some(parent) => {
                    if let Some(turn) = turns.get(&parent) {
                        turn.clone()
                    } else {
                        let turn = self.turn_after(parent)?;
                        turns.insert(parent, turn.clone());
                        turn
                    }
                }
            };
            match turn {
                Turn::Now => waiting.push(Waiting::of(run)),
                Turn::Later => {}
                Turn::Never(why) => never.push((run.id, why)),
            }
        }
        for (id, why) in never {
            self.fail(id, why)?;
        }
        Ok(waiting)
    }

    fn turn_after(&self, parent: RunId) -> Result<Turn> {
        if self.queue.contains_key(&parent) || self.live.contains_key(&parent) {
            return Ok(Turn::Later);
        }
        let known = self.store.reader().run(parent)?;
        let folder = locate::kept_checkpoint(self.board.root(), parent);
        Ok(turn(parent, known.as_ref(), folder.join("config.json").is_file()))
    }
}

/// What a run may do that goes on from `parent`, which is `known` as that.
fn turn(parent: RunId, known: Option<&Run>, has_checkpoint: bool) -> Turn {
    let never = |why: &str| Turn::Never(format!("init={parent}: {why}"));
    let Some(run) = known else {
        return never("that run is gone.");
    };
    match &run.state {
        RunState::Ended(Outcome::Done) if has_checkpoint => Turn::Now,
        RunState::Ended(Outcome::Done) => match &run.placement {
            Some(at) if at.site != LOCAL => never(&format!(
                "its best checkpoint is still on {}; fetch it with `tuneboard sites fetch {parent}`.",
                at.site
            )),
            _ => never("its best checkpoint is gone."),
        },
        RunState::Ended(outcome) => never(&format!(
            "that run {}, so there is nothing to go on from; resume it to its end first.",
            match outcome {
                Outcome::Failed { .. } => "failed",
                Outcome::Lost { .. } => "was lost",
                Outcome::Pruned(_) => "was pruned",
                Outcome::Stopped | Outcome::Done => "was stopped",
            }
        )),
        RunState::Queued | RunState::Starting | RunState::Running | RunState::Stopping => {
            Turn::Later
        }
    }
}
