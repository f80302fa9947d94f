//! Ways to start a trainer. On this machine it is a child of the runner ([`local`]). On every other site
//! a thread ([`clerk`]) serves the site through a [`Launcher`], and brings what the trainer writes there
//! into the run's folder here, so that nothing behind it knows the difference.
//!
//! ```text
//! runner -> Desk -> clerk: submit, poll     -> Launcher (ssh, slurm) -> host -> script.sh over there
//!                   freight: inputs, results                         -> host
//! ```

mod call;
mod clerk;
mod desk;
mod freight;
mod gate;
mod host;
mod inputs;
mod job;
mod local;
mod pulse;
mod slurm;
mod ssh;
mod visit;
mod wire;

pub(super) use desk::{Desk, Report};
pub(super) use job::{Device, Job, Look};
pub(super) use local::start;
pub use local::{trainer_command, trainer_output};
pub use visit::{Visit, fetch, install, visit};

use call::Trouble;
use job::{Answer, Ready, Sight, Watch};

/// A way to have jobs done elsewhere. Every call blocks, and ends in bounded time.
trait Launcher: Send {
    /// What the host is and has.
    fn look(&mut self) -> Result<Look, Trouble>;
    /// Starts jobs, one answer for each. The same ticket is never started twice, so that a call whose
    /// answer was lost can be repeated.
    fn submit(&mut self, jobs: &[Ready]) -> Result<Vec<Answer>, Trouble>;
    /// How many jobs one submission takes.
    fn together(&self) -> usize;
    /// True if jobs that are ready at nearly the same time should go in one submission.
    fn gathers(&self) -> bool;
    /// Looks at all jobs in one call: passes signals on, brings states and new bytes.
    fn poll(&mut self, watches: &[Watch]) -> Result<Vec<Sight>, Trouble>;
}
