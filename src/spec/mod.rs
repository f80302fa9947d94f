//! WHAT a run is: pure data, no clock, no input or output.
//!
//! [`RunSpec`] holds everything that decides a result. Its keys are listed once, in [`keys::KEYS`];
//! the command line, `config.toml`, tables, the diff of two runs and shell completion all read
//! that list. [`Sweep`] turns one base spec and some [`Axis`] values into many specs.

mod adapter;
mod amend;
mod axis;
mod built_in;
mod by_key;
mod check;
mod choice;
mod clean;
mod columns;
mod confirm;
mod error;
mod evaluation;
pub mod family;
mod flag;
mod group;
mod hash;
mod ids;
mod init;
mod keep;
pub mod keys;
mod list_column;
pub mod locate;
pub mod metrics;
mod name;
mod nearest;
mod number;
mod plan;
mod preset;
mod proposal;
mod run;
pub mod schedule;
pub mod search;
mod stand_in;
mod state;
mod strategy;
mod sweep;
mod task;
mod text;
mod weights;

pub use adapter::Targets;
pub use axis::{Axis, Values};
pub use built_in::{Baseline, BuiltIn};
pub use by_key::IGNORED;
pub use choice::{
    Adapter, Delimiter, Escape, Header, Loss, Optimizer, Pool, Precision, Preset, Quote, Schedule,
    Task, Unfreeze,
};
pub use clean::{has_no_colours, is_hidden, printable, without_sequences};
pub use columns::columns;
pub use error::SpecError;
pub use evaluation::{DECIDING, EvalEvery, EvalRows, counts_as_best};
pub use family::Family;
pub use flag::Flag;
pub use group::KeyGroup;
pub use hash::hex;
pub use ids::{RunId, SweepId};
pub use init::Init;
pub use keep::{Keep, TO_RESUME};
pub use list_column::{ChosenColumn, LIST_COLUMNS, ListColumn};
pub use name::{name_in, name_of};
pub use nearest::{nearest, or_nearest, or_one_of};
pub use number::short;
pub use plan::{CONFIRM_SEEDS, Plan, SWEEP_KEYS, SweepKey, Until, is_sweep_key, turned};
pub use run::RunSpec;
pub use schedule::{LrSchedule, Rates};
pub use stand_in::stand_in;
pub use state::{Desired, Outcome, Part, Placement, PrunedAt, RunState};
pub use strategy::Strategy;
pub use sweep::Sweep;
pub use weights::ClassWeights;
