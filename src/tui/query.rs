//! What the screen in view needs of the board.

use std::sync::Arc;

use super::snapshot::GroupBy;
use crate::spec::RunId;
use crate::store::{Listing, Split};

/// One value that says it all; the loader thread compares it with the last one.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    /// Which runs, in which order.
    pub listing: Listing,
    /// Only these of them, in this order (an opened group).
    pub only: Option<Arc<Vec<RunId>>>,
    /// How they fold.
    pub group: GroupBy,
    /// First row and number of rows to load.
    pub window: (usize, usize),
    /// The open run, while a screen shows it.
    pub run: Option<RunId>,
    /// Its curves too.
    pub curves: bool,
    /// Into how many buckets curves are thinned.
    pub buckets: usize,
    /// The pass whose confusion counts are shown; epoch `None` = the latest.
    pub pass: (Split, Option<u32>),
    /// How many passes on either side of it are brought too.
    pub near: usize,
    /// Bytes wanted of the end of its log; 0 = none.
    pub log: u64,
    /// The queue in full.
    pub queue: bool,
    /// The sizes of the folders of the rows in view.
    pub disk: bool,
    /// Figures of the rows at the ends of epochs.
    pub at: Vec<(String, u32)>,
    /// The curves of all live runs.
    pub wall: bool,
}
