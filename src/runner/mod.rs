//! The daemon that starts trainers and writes down what they report. It owns processes, signals and
//! lock files; nothing else in the library touches them.
//!
//! One `tick()` is ingest, reap, stop, plan, start. A runner may die at any moment: what it knows is in
//! the database, in the run's folder or in `/proc`, and the next one takes the living trainers over.
//!
//! Its files form no circle. From the ground up: `error`, `clock`, `text`, `exit`; `process`, `lock`, `log`,
//! `gpu`, `slots`; `folder`, `plan`, `verdict`; [`launch`](launch) with the threads that serve sites
//! elsewhere; `live`, `remote`; `state`, which holds the [`Runner`](state::Runner); the steps of a tick
//! (`ingest`, `reap`, `stop`, `start` with `lineage` and `sites`, `report`), each an `impl Runner`; `tick`;
//! `run`, the loop around it.

mod clock;
mod detach;
mod doubts;
mod editor;
mod error;
mod exit;
mod folder;
mod ingest;
mod interrupt;
mod launch;
mod lineage;
mod live;
mod lock;
mod log;
pub mod plan;
mod process;
mod pruning;
mod reap;
mod reindex;
mod remote;
mod report;
mod room;
mod run;
mod search;
mod searches;
mod sites;
pub mod slots;
mod start;
mod state;
mod stop;
mod text;
mod tick;
mod verdict;
mod waiting;
mod waste;

pub use detach::{ensure, ensure_with, lock_holder};
pub use doubts::Doubts;
pub use editor::{edit, verb};
pub use error::RunnerError;
pub use interrupt::interrupted;
pub use launch::{
    SiteCheck, check_site, fetch, install, packages, packages_of, trainer_command, trainer_lines,
    trainer_output,
};
pub use process::alive;
pub use reindex::{Reindexed, reindex};
pub use run::{Left, run};
pub use waste::{Waste, remove, waste};
