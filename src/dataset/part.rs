/// One of the three parts that rows are divided into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Train,
    Val,
    Test,
}

/// What a split column may say, regardless of case.
pub(super) fn part(word: &str) -> Option<Part> {
    match word.trim().to_ascii_lowercase().as_str() {
        "train" | "training" => Some(Part::Train),
        "val" | "valid" | "validation" | "dev" => Some(Part::Val),
        "test" | "testing" | "eval" => Some(Part::Test),
        _ => None,
    }
}
