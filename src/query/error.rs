use thiserror::Error;

/// What is wrong with a query, and where.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("Column {column} of the query: {why}")]
pub struct QueryError {
    /// From 1, in characters.
    pub column: usize,
    /// A sentence.
    pub why: String,
}
