//! What the user looks at and how: everything a screen draws from besides the snapshot.

mod columns;
mod filter;
mod popup;
mod screen_id;
mod screens;
mod whole;

pub use popup::{ColumnsPopup, Pick, Popup, Prompt};
pub use screen_id::ScreenId;
pub use screens::{Charts, Panel, Picture, SMOOTHING, Together, XAxis};
pub use whole::View;
