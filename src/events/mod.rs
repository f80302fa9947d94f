//! WHAT HAPPENED: the events file, the only contract between trainer and board.
//!
//! One JSON object per line, appended and never rewritten; docs/events.md describes each field.
//! [`EventWriter`] belongs to the trainer, [`Tail`] to whoever reads. A torn last line is not an
//! error: it is read again when it is whole.

mod event;
mod number;
mod tail;
mod write;

pub use crate::spec::metrics::{PEAK_MEMORY, is_of_machine};
pub use event::{Ending, Event, EventKind, Level, Saved, Split, Started, VERSION};
pub use number::Number;
pub use tail::{Batch, Foreign, KEPT, Tail};
pub use write::EventWriter;
