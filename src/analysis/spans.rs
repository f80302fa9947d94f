//! Texts with their entities marked.

use super::metrics::{Entity, Tagging};

/// The words with spaces between them and the entities in brackets: `[Mary Ann PER] lives in [Rome LOC]`. Words
/// whose tags mark no entity stay as they are. Nothing is made printable.
pub fn marked(words: &[String], tags: &[String]) -> String {
    let tags: Vec<&str> = tags.iter().map(String::as_str).collect();
    let entities = Tagging::Lenient.entities(&tags);
    let mut parts = Vec::with_capacity(words.len());
    for (at, word) in words.iter().enumerate() {
        let begins = entities.iter().find(|e| e.first == at);
        let ends = entities.iter().find(|e| e.last == at);
        let open = if begins.is_some() { "[" } else { "" };
        let close = ends.map(|e| format!(" {}]", e.kind)).unwrap_or_default();
        parts.push(format!("{open}{word}{close}"));
    }
    parts.join(" ")
}

/// The entities of `truth` that `predicted` lacks, and those of `predicted` that `truth` lacks.
pub fn differences<'a>(truth: &'a [String], predicted: &'a [String]) -> [Vec<Entity<'a>>; 2] {
    let of = |tags: &'a [String]| {
        let tags: Vec<&str> = tags.iter().map(String::as_str).collect();
        Tagging::Lenient.entities(&tags)
    };
    let (truth, predicted) = (of(truth), of(predicted));
    let missed = truth.iter().filter(|e| !predicted.contains(e)).copied().collect();
    let added = predicted.iter().filter(|e| !truth.contains(e)).copied().collect();
    [missed, added]
}

/// An entity as its words and its type: `Mary Ann PER`.
pub fn named(words: &[String], entity: &Entity<'_>) -> String {
    let words = words.get(entity.first..=entity.last).unwrap_or_default();
    format!("{} {}", words.join(" "), entity.kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn entities_stand_in_brackets_and_differ_by_place_and_type() {
        let text = words("Mary Ann lives in Rome");
        let truth = words("B-PER I-PER O O B-LOC");
        assert_eq!(marked(&text, &truth), "[Mary Ann PER] lives in [Rome LOC]");
        assert_eq!(marked(&text, &words("O O O O O")), "Mary Ann lives in Rome");
        let said = words("B-PER O O O B-LOC");
        let [missed, added] = differences(&truth, &said);
        let name = |all: &[Entity]| all.iter().map(|e| named(&text, e)).collect::<Vec<_>>();
        assert_eq!(
            (name(&missed), name(&added)),
            (vec!["Mary Ann PER".into()], vec!["Mary PER".into()])
        );
    }
}
