//! Files of texts and labels: finds the columns, reads them, names the classes, splits the rows.
//!
//! ```text
//! place (files) -> source (packed, encoding; dialect + delimited | json | parquet)
//!       -> columns -> labels -> split -> Dataset
//! ```
//! [`load`] is what the trainer calls, [`profile()`] what `tuneboard data FILE` prints, [`predictions`]
//! the Parquet files that each pass leaves behind, and [`Answers`] what `tuneboard predict` writes. Everything in a data file is
//! untrusted: no message carries its control characters.
//!
//! CSV and JSON Lines are read by our own small readers and Parquet by polars. polars 0.55 refuses
//! CSV files that pandas and Python's csv read (a quote inside an unquoted field, text behind a
//! closing quote, CR line ends), fills short rows up without a word, takes a blank line for a row, and
//! refuses a JSON column that holds both `true` and `0`; none of its messages names the row.
//!
//! Rows are numbered as a person counts them: from 1, without the header and without blank lines.

mod answers;
mod columns;
mod conll;
mod delimited;
mod dialect;
mod encoding;
mod error;
mod fasttext;
mod folds;
mod header;
mod json;
mod labels;
mod left_over;
mod load;
mod names;
mod options;
mod packed;
mod parquet;
mod part;
mod pieces;
mod place;
pub mod predictions;
mod profile;
mod reading;
mod rows;
mod shuffle;
mod sink;
mod source;
mod split;
mod stratify;
mod targets;
mod texts;

pub use answers::{AnswerFormat, Answers};
pub use error::DataError;
pub use left_over::remove_left_over;
pub use load::{Dataset, load};
pub use options::Options;
pub use profile::{ClassRows, Duplicates, Lengths, Profile, SplitRows, profile};
pub use reading::Reading;
pub use targets::Targets;
pub use texts::{Inputs, columns_of, inputs};
