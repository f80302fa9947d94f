use std::time::Instant;

use super::tracked::Stage;
use super::{Clerk, PAUSES};
use crate::board::Fetch;
use crate::runner::launch::call::Trouble;
use crate::runner::launch::desk::Report;
use crate::runner::launch::freight::{Cargo, Delivered};
use crate::runner::live::Exit;
use crate::spec::RunId;

/// What is copied: inputs on their way there, results on their way back.
impl Clerk {
    /// Takes in what has become of a copy.
    pub(super) fn delivered(&mut self, delivered: Delivered) {
        match delivered {
            Delivered::Progress(id, text) => self.remark(id, &text),
            Delivered::Refused(id, why) => self.refuse(id, why),
            Delivered::Ready(ready) => {
                let id = ready.job.id;
                if let Some(tracked) = self.jobs.get_mut(&id) {
                    tracked.enter(Stage::Ready(ready));
                    self.remark(id, "");
                }
            }
            Delivered::Fetched(id) => {
                if let Some(Stage::Fetching(exit)) = self.jobs.get(&id).map(|job| &job.stage) {
                    self.ended(id, *exit);
                }
            }
            Delivered::Failed(cargo, trouble) => self.undelivered(cargo, &trouble),
        }
    }

    pub(super) fn carry(&mut self, id: RunId, cargo: Cargo) {
        if self.cargo.send(cargo).is_err() {
            self.refuse(id, "The thread that copies files is gone.".to_owned());
        }
    }

    /// A copy did not go through. While the host is away it waits with everything else.
    fn undelivered(&mut self, cargo: Box<Cargo>, trouble: &Trouble) {
        let id = match &*cargo {
            Cargo::Inputs(job, _) | Cargo::Results(job, _) => job.id,
        };
        let Some(tracked) = self.jobs.get_mut(&id) else { return };
        if let Trouble::Away(_) = trouble {
            tracked.again = Some(cargo);
            self.is_in_trouble(trouble);
            return;
        }
        tracked.vain += 1;
        if tracked.vain < 3 {
            tracked.again = Some(cargo);
            self.pause = Some((PAUSES.0, Instant::now() + PAUSES.0));
        } else if let Stage::Fetching(exit) = tracked.stage {
            let note = format!(
                "{id}: its results stay on {} for now: {} `tuneboard sites fetch {id}` fetches them.",
                self.name,
                trouble.why()
            );
            self.tell(Report::Note(note));
            self.ended(id, exit);
        } else {
            self.refuse(
                id,
                format!("Its inputs cannot be copied to {}: {}", self.name, trouble.why()),
            );
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
        self.tell(Report::Freed(id));
        self.remark(id, "fetching results");
        let folders = folders.iter().map(|f| (*f).to_owned()).collect();
        self.carry(id, Cargo::Results(job, folders));
    }
}
