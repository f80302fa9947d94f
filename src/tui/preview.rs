//! Where the runs screen shows the run under the cursor.

/// Where the runs screen shows the run under the cursor, if there is room.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Preview {
    /// Nowhere.
    None,
    /// Under the table.
    #[default]
    Below,
    /// At its right.
    Beside,
}

impl Preview {
    /// The word for it in `[tui] preview`.
    pub fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Below => "below",
            Self::Beside => "beside",
        }
    }

    /// What a word stands for.
    pub fn of(word: &str) -> Option<Self> {
        [Self::None, Self::Below, Self::Beside].into_iter().find(|preview| preview.word() == word)
    }
}
