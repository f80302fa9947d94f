//! One file per screen. Each draws from the snapshot and the view alone.

pub mod compare;
pub mod confusion;
pub mod launch;
pub mod log;
pub mod popups;
pub mod queue;
pub mod run;
pub mod runs;
pub mod site;
pub mod state;
pub mod sweep;
pub mod texts;

#[cfg(test)]
mod tests;
