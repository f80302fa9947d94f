//! What was meant by a word that is not known.

/// The candidate nearest to a misspelt word, if any is close.
pub fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<String> {
    let word = word.to_lowercase();
    candidates
        .map(|c| (strsim::damerau_levenshtein(&word, c), !c.starts_with(&word), c))
        .filter(|(distance, _, c)| {
            *distance <= 1 + c.len().max(word.len()) / 4 || c.contains(&word)
        })
        .min()
        .filter(|_| !word.is_empty())
        .map(|(_, _, c)| c.to_owned())
}

/// The end of a sentence about a word that is not known: the nearest one that is, if there is one.
pub fn or_nearest(nearest: Option<&str>) -> String {
    nearest.map_or_else(|| ".".to_owned(), |near| format!("; did you mean `{near}`?"))
}

/// As [`or_nearest`], or else all that are known, behind `all`: `it takes`, say.
pub fn or_one_of<'a>(
    word: &str,
    known: impl Iterator<Item = &'a str> + Clone,
    all: &str,
) -> String {
    match nearest(word, known.clone()) {
        Some(near) => or_nearest(Some(&near)),
        None => format!("; {all} {}.", known.take(20).collect::<Vec<_>>().join(", ")),
    }
}
