//! Which runs are meant: `acc>0.9 lr<3e-5 model:minilm tag:best -state:failed since:7d "free text"`.
//!
//! One language for `ls`, `tag`, `archive`, `rm`, `export` and the dashboard's filter; docs/query.md has the
//! grammar. This module is pure: it reads, writes and completes queries. The store answers
//! them.

mod complete;
mod error;
mod fields;
mod parse;
mod term;
#[cfg(test)]
mod tests;
mod when;

pub use complete::{Candidate, Completion, complete};
pub use error::QueryError;
pub use fields::STATES;
pub use term::{Number, Op, Query, Term, Test, Text};
pub use when::When;
