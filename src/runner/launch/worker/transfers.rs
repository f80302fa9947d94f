use std::time::Instant;

use super::tracked::Stage;
use super::{PAUSES, Worker};
use crate::board::Fetch;
use crate::runner::exit::Exit;
use crate::runner::launch::call::CallError;
use crate::runner::launch::transfer::{Transfer, Transferred};
use crate::runner::launch::update::Update;
use crate::spec::RunId;

/// How often a transfer is tried that fails for a reason of its own.
const TRIES: u32 = 3;

/// What is copied: inputs on their way there, results on their way back.
impl Worker {
    /// Takes in what has become of a transfer.
    pub(super) fn transferred(&mut self, result: Transferred) {
        match result {
            Transferred::Progress(id, text) => self.status(id, &text),
            Transferred::Refused(id, why) => self.refuse(id, why),
            Transferred::Ready(ready) => {
                let id = ready.job.id;
                if let Some(tracked) = self.jobs.get_mut(&id) {
                    tracked.enter(Stage::Ready(ready));
                    self.status(id, "");
                }
            }
            Transferred::Fetched(id) => {
                if let Some(Stage::Fetching(exit)) = self.jobs.get(&id).map(|job| &job.stage) {
                    self.ended(id, *exit);
                }
            }
            Transferred::Failed(transfer, error) => self.transfer_failed(transfer, &error),
        }
    }

    pub(super) fn transfer(&mut self, id: RunId, transfer: Transfer) {
        if self.transfers.send(transfer).is_err() {
            self.refuse(id, "The thread that copies files is gone.".to_owned());
        }
    }

    /// A transfer did not go through. While the host is away it waits with everything else.
    fn transfer_failed(&mut self, transfer: Box<Transfer>, error: &CallError) {
        let id = transfer.id();
        let Some(tracked) = self.jobs.get_mut(&id) else { return };
        if let CallError::Unreachable(_) = error {
            tracked.retry = Some(transfer);
            self.is_down(error);
            return;
        }
        tracked.failures += 1;
        if tracked.failures < TRIES {
            tracked.retry = Some(transfer);
            self.pause = Some((PAUSES.0, Instant::now() + PAUSES.0));
        } else if let Stage::Fetching(exit) = tracked.stage {
            let note = format!(
                "{id}: its results stay on {} for now: {} `tuneboard sites fetch {id}` fetches them.",
                self.name,
                error.why()
            );
            self.tell(Update::Note(note));
            self.ended(id, exit);
        } else {
            let why = format!("Its inputs cannot be copied to {}: {}", self.name, error.why());
            self.refuse(id, why);
        }
    }

    /// Fetches what an ended job has made. Of one that was asked to end only the predictions: it will
    /// go on from its checkpoint over there.
    pub(super) fn fetch(&mut self, id: RunId, exit: Exit) {
        let Some(tracked) = self.jobs.get_mut(&id) else { return };
        let folders: &[&str] = match self.fetch {
            Fetch::None => &[],
            Fetch::Predictions => &["predictions"],
            Fetch::All if tracked.end => &["predictions"],
            Fetch::All => &["checkpoints", "predictions"],
        };
        if folders.is_empty() {
            self.ended(id, exit);
            return;
        }
        tracked.enter(Stage::Fetching(exit));
        let job = Box::new(tracked.job.clone());
        self.tell(Update::Freed(id));
        self.status(id, "fetching results");
        let folders = folders.iter().map(|f| (*f).to_owned()).collect();
        self.transfer(id, Transfer::Results(job, folders));
    }
}
