//! Ways to start a trainer. Today: as a process of this machine.

mod local;

pub(super) use local::start;
pub use local::{trainer_command, trainer_output};
