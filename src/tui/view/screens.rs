//! What each screen keeps of what its user has set.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::screen_id::ScreenId;
use crate::analysis::confusion::Normalise;
use crate::query::{Query, QueryError};
use crate::spec::{ListColumn, RunId, SweepId};
use crate::store::{Sort, Split};
use crate::tui::background::Filter;
use crate::tui::preview::Preview;
use crate::tui::snapshot::GroupBy;

/// The runs screen.
#[derive(Debug, Clone)]
pub struct RunsView {
    /// The row under the cursor.
    pub cursor: usize,
    /// The run there, which the cursor follows when rows come and go.
    pub at: Option<RunId>,
    /// The run that was just queued, until the list has it.
    pub queued: Option<RunId>,
    /// The first row shown.
    pub top: usize,
    /// Columns that the table is scrolled to the right.
    pub left: usize,
    /// Marked runs.
    pub marks: BTreeSet<RunId>,
    /// The query as typed.
    pub filter: String,
    /// The last one that could be read: what the list shows.
    pub query: Query,
    /// What is wrong with the one that is typed.
    pub wrong: Option<QueryError>,
    /// Which of the proposed ways to go on is chosen.
    pub candidate: usize,
    /// The order.
    pub sort: Sort,
    /// Turned round.
    pub descending: bool,
    /// Archived runs too.
    pub archived: bool,
    /// How rows fold.
    pub group: GroupBy,
    /// Where the run under the cursor is shown.
    pub preview: Preview,
    /// The step of a board's beginning that the cursor is on; `None` is the next one to do.
    pub step: Option<usize>,
    /// How many things were done for the beginning of a board.
    pub begun: u32,
    /// Only the runs of an opened group, with its name.
    pub only: Option<(String, Arc<Vec<RunId>>)>,
}

impl Default for RunsView {
    fn default() -> Self {
        Self {
            cursor: 0,
            at: None,
            queued: None,
            top: 0,
            left: 0,
            marks: BTreeSet::new(),
            filter: String::new(),
            query: Query::default(),
            wrong: None,
            candidate: 0,
            sort: Sort::Id,
            descending: true,
            archived: false,
            group: GroupBy::None,
            preview: Preview::default(),
            step: None,
            begun: 0,
            only: None,
        }
    }
}

/// What curves run over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum XAxis {
    /// Optimiser steps.
    Step,
    /// Epochs.
    #[default]
    Epoch,
    /// Time since the first point.
    Time,
}

/// The run screen.
#[derive(Debug, Clone, Default)]
pub struct RunView {
    /// Losses on a logarithmic axis.
    pub log_y: bool,
    /// Learning rates in place of accuracies.
    pub rates: bool,
    /// What curves run over.
    pub x: XAxis,
    /// An index into [`SMOOTHING`].
    pub smooth: usize,
    /// The reading cursor, in columns from the left edge of the plot.
    pub read: Option<u16>,
}

/// Weights of the exponential mean behind smoothed curves.
pub const SMOOTHING: [f64; 6] = [0.0, 0.5, 0.75, 0.9, 0.96, 0.99];

/// Which confusion matrix is shown and how.
#[derive(Debug, Clone)]
pub struct PassView {
    /// Whose rows.
    pub split: Split,
    /// Which epoch; `None` = the latest.
    pub epoch: Option<u32>,
    /// Counts or shares.
    pub normalise: Normalise,
    /// The class under the cursor: the row of the matrix.
    pub class: usize,
    /// The predicted class under the cursor: the column.
    pub column: usize,
    /// The first row shown.
    pub top: usize,
    /// The first column shown.
    pub left: usize,
    /// The whole matrix as a picture.
    pub overview: bool,
    /// What the probabilities say, instead of the matrix.
    pub scores: bool,
    /// From how many percent on a row is taken for the second of two classes.
    pub threshold: u8,
    /// The setting whose runs are counted together, instead of the open run.
    pub together: Option<Together>,
}

impl Default for PassView {
    fn default() -> Self {
        Self {
            split: Split::Val,
            epoch: None,
            normalise: Normalise::Row,
            class: 0,
            column: 0,
            top: 0,
            left: 0,
            overview: false,
            scores: false,
            threshold: 50,
            together: None,
        }
    }
}

/// Runs of one setting that are looked at as one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Together {
    /// What they share.
    pub name: String,
    /// Its folds, or its seeds.
    pub runs: Arc<Vec<RunId>>,
    /// The screen they were come to from.
    pub from: ScreenId,
}

/// Which texts are listed, and which is read.
#[derive(Debug, Clone)]
pub struct TextsView {
    /// Which rows.
    pub filter: Filter,
    /// The row under the cursor.
    pub cursor: usize,
    /// It fills the screen.
    pub full: bool,
    /// Lines it is scrolled down then.
    pub scroll: usize,
    /// The one run they are held against, instead of the marked ones.
    pub against: Option<RunId>,
    /// The screen they were come to from.
    pub from: ScreenId,
}

impl Default for TextsView {
    fn default() -> Self {
        Self {
            filter: Filter::Wrong,
            cursor: 0,
            full: false,
            scroll: 0,
            against: None,
            from: ScreenId::CONFUSION,
        }
    }
}

/// What the compare screen shows beside the curves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Panel {
    /// Keys of the specs.
    #[default]
    Keys,
    /// The best value of each metric.
    Best,
    /// The last value of each metric.
    Last,
    /// F1 of each class.
    Classes,
    /// Changes of the confusion counts.
    Confusion,
}

impl Panel {
    /// The next table.
    pub fn next(self) -> Self {
        match self {
            Self::Keys => Self::Best,
            Self::Best => Self::Last,
            Self::Last => Self::Classes,
            Self::Classes => Self::Confusion,
            Self::Confusion => Self::Keys,
        }
    }
}

/// The compare screen.
#[derive(Debug, Clone, Default)]
pub struct CompareView {
    /// The run that the others are measured against; the first marked one unless chosen.
    pub baseline: Option<RunId>,
    /// The run under the cursor.
    pub cursor: usize,
    /// The table, or the first of them.
    pub panel: Panel,
    /// The curves.
    pub charts: Charts,
    /// Keys that are the same in all runs, too.
    pub all_keys: bool,
    /// Rows the table is scrolled down.
    pub top: usize,
}

/// What the sweep screen shows of a sweep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Picture {
    /// A heat map of two keys, or a scatter plot of one.
    Axes,
    /// A line for each setting through all keys.
    Lines,
    /// The score against the time of a run.
    Cost,
    /// The ladder of rungs.
    Rungs,
    /// Any figure or key over any other.
    Over,
}

/// How the compare screen shows curves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Charts {
    /// All runs over each other, loss and score.
    #[default]
    Overlaid,
    /// A panel for each run with its loss.
    EachLoss,
    /// A panel for each run with its score.
    EachScore,
}

/// The sweep screen.
#[derive(Debug, Clone, Default)]
pub struct SweepView {
    /// Which sweep.
    pub sweep: Option<SweepId>,
    /// The setting under the cursor.
    pub cursor: usize,
    /// The first axis of the picture.
    pub axis: usize,
    /// The picture; `None` = the one that fits the number of its keys.
    pub picture: Option<Picture>,
    /// The axes of [`Picture::Over`], x and y, if they were chosen.
    pub over: [Option<ListColumn>; 2],
}
