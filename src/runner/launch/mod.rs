//! Ways to start a trainer. On this machine it is a child of the runner ([`local`]). Every other site is
//! served by a thread ([`worker`]), which brings what the trainer writes there into the run's folder here, so
//! that nothing behind it knows the difference.
//!
//! ```text
//! runner -> Connection -> worker   -> Scheduler (processes, Slurm) -> Host -> Transport (this machine, ssh)
//!                         transfer -------------------------------> Host         -> script/ over there
//! ```
//!
//! A kind of site is a [`Transport`](transport::Transport), which knows how bytes and commands get to a
//! machine and nothing of jobs, and a [`Scheduler`](scheduler::Scheduler), which knows who starts and ends
//! jobs there and nothing of the way. The worker's loop, the copies, the checks and the protocol are the same
//! for all; [`kinds`] is the one table that names which goes with which.
//!
//! # How to add a scheduler
//!
//! 1. `src/board/site.rs`: a variant of `SiteKind`. The compiler asks for its word and its rank; it does not
//!    ask for the line of `Site::read` that reads the word, nor for the rows of `KEYS` that it takes.
//! 2. `script/NAME.sh`: the hooks that `script/common.sh` lists. Where the scheduler has to be asked for
//!    something else (a queue), an operation `op_WORD`. If attempts need something while the trainer
//!    runs (heartbeats, a time limit), `script/NAME_job.sh` with the hooks that `script/job.sh` lists.
//! 3. `scheduler/NAME.rs`: a `KIND` ([`SchedulerKind`](scheduler::SchedulerKind)) and an implementation of
//!    [`Scheduler`](scheduler::Scheduler). `process.rs` is the shortest example; `slurm.rs` weighs a queue's word
//!    against heartbeats. Then `mod NAME;` in `scheduler.rs`.
//! 4. [`kinds`]: one line of the `match`, which the compiler asks for.
//! 5. A test with fake commands on `PATH`, as `tests/it/slurm.rs`, and a section of docs/sites.md.
//!
//! Tried with a dummy scheduler: three files edited, two new ones, before test and documentation.
//!
//! # How to add a transport
//!
//! 1. `transport/NAME.rs`: an implementation of [`Transport`](transport::Transport); `local.rs` has ten lines.
//!    Then `mod NAME;` in `transport.rs`.
//! 2. [`kinds::host`]: when a site is reached by it, as its keys in `src/board/site.rs` say.

mod call;
mod check;
mod connection;
mod host;
mod inputs;
mod install;
mod job;
mod kinds;
mod local;
mod packages;
mod progress;
mod protocol;
mod scheduler;
mod transfer;
mod transport;
mod unpack;
mod update;
mod worker;

pub use check::{SiteCheck, check_site, fetch};
pub(super) use connection::Connection;
pub use install::install;
pub(super) use job::{Device, HostInfo, Job};
pub(super) use kinds::scheduler;
pub(super) use local::start;
pub use local::{trainer_command, trainer_lines, trainer_output};
pub use packages::{packages, packages_of};
pub(super) use update::Update;
