use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::Averages;
use super::multilabel::{LabelCounts, weighted_mean};
use crate::dataset::predictions::Tags;

/// The type of a tag that names none, as seqeval calls it.
const UNTYPED: &str = "_";

/// Words in a row that are one thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entity<'a> {
    /// What it is: `PER` of `B-PER`.
    pub kind: &'a str,
    /// Its first word.
    pub first: usize,
    /// Its last word.
    pub last: usize,
}

/// How tags are read as entities.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tagging {
    /// What conlleval reads, and seqeval by default: an `I-` that goes on from nothing of its type begins
    /// an entity. Tags of IO, IOB, IOE and BIOES are all understood.
    Lenient,
    /// An entity is a `B-` and the `I-` of its type behind it; other `I-` belong to none.
    StrictIob2,
    /// An entity is an `S-`, or a `B-`, any `I-` and an `E-` of one type; what is not complete is none.
    StrictBioes,
}

impl Tagging {
    /// The strict way to read tags with these names: BIOES where an `S-` or an `E-` is among them, IOB2
    /// where a `B-` is. Tags of IO have no strict way.
    pub fn strict<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let marks: BTreeSet<Mark> = names.into_iter().map(|name| Tag::of(name).mark).collect();
        if marks.contains(&Mark::Single) || marks.contains(&Mark::End) {
            Self::StrictBioes
        } else if marks.contains(&Mark::Begin) {
            Self::StrictIob2
        } else {
            Self::Lenient
        }
    }

    /// The entities of one text, in order.
    pub fn entities<'a>(self, tags: &[&'a str]) -> Vec<Entity<'a>> {
        let tags: Vec<Tag<'a>> = tags.iter().map(|tag| Tag::of(tag)).collect();
        match self {
            Self::Lenient => lenient(&tags),
            Self::StrictIob2 | Self::StrictBioes => self.strictly(&tags),
        }
    }

    fn strictly<'a>(self, tags: &[Tag<'a>]) -> Vec<Entity<'a>> {
        let bioes = self == Self::StrictBioes;
        let mut found = Vec::new();
        let mut open: Option<Entity<'a>> = None;
        for (at, tag) in tags.iter().enumerate() {
            let goes_on = open.filter(|entity| entity.kind == tag.kind);
            open = match (tag.mark, goes_on) {
                (Mark::Inside, Some(entity)) => Some(Entity { last: at, ..entity }),
                (Mark::End, Some(entity)) if bioes => {
                    found.push(Entity { last: at, ..entity });
                    None
                }
                (mark, _) => {
                    // What ends here without a mark of its end is an entity of IOB2 alone.
                    found.extend(open.filter(|_| !bioes));
                    let begun = Entity { kind: tag.kind, first: at, last: at };
                    found.extend((mark == Mark::Single && bioes).then_some(begun));
                    (mark == Mark::Begin).then_some(begun)
                }
            };
        }
        found.extend(open.filter(|_| !bioes));
        found
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Mark {
    Begin,
    Inside,
    End,
    Single,
    Outside,
}

#[derive(Debug, Clone, Copy)]
struct Tag<'a> {
    mark: Mark,
    kind: &'a str,
}

impl<'a> Tag<'a> {
    /// `B-PER`: the type is what follows the first hyphen. Anything without such a mark is outside.
    fn of(text: &'a str) -> Self {
        let mark = match text.as_bytes().first() {
            Some(b'B') => Mark::Begin,
            Some(b'I') => Mark::Inside,
            Some(b'E') => Mark::End,
            Some(b'S') => Mark::Single,
            _ => Mark::Outside,
        };
        let rest = text.char_indices().nth(1).map_or("", |(at, _)| &text[at..]);
        let kind = rest.split_once('-').map_or(rest, |(_, kind)| kind);
        Self { mark, kind: if kind.is_empty() { UNTYPED } else { kind } }
    }
}

/// conlleval's rules: a tag begins an entity, or goes on with that of the tag before it.
fn lenient<'a>(tags: &[Tag<'a>]) -> Vec<Entity<'a>> {
    let mut found: Vec<Entity<'a>> = Vec::new();
    let mut before = Tag { mark: Mark::Outside, kind: UNTYPED };
    for (at, tag) in tags.iter().enumerate() {
        let follows = matches!(before.mark, Mark::Begin | Mark::Inside) && before.kind == tag.kind;
        match (tag.mark, found.last_mut()) {
            (Mark::Outside, _) => {}
            (Mark::Inside | Mark::End, Some(entity)) if follows => entity.last = at,
            _ => found.push(Entity { kind: tag.kind, first: at, last: at }),
        }
        before = *tag;
    }
    found
}

/// How well entities were found: one that is right in type and in both ends counts.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct EntityScores {
    /// The decisions about each type that occurs, in truth or in prediction.
    pub types: BTreeMap<String, LabelCounts>,
    /// The share of words with the right tag; `None` without words.
    pub tag_accuracy: Option<f64>,
}

impl EntityScores {
    /// Counts one text; `truth` and `predicted` have one tag per word.
    pub fn add(&mut self, truth: &[&str], predicted: &[&str], tagging: Tagging) {
        let there: BTreeSet<Entity> = tagging.entities(truth).into_iter().collect();
        let told: BTreeSet<Entity> = tagging.entities(predicted).into_iter().collect();
        for entity in there.union(&told) {
            let counts = self.types.entry(entity.kind.to_owned()).or_default();
            match (there.contains(entity), told.contains(entity)) {
                (true, true) => counts.hits += 1,
                (true, false) => counts.misses += 1,
                _ => counts.alarms += 1,
            }
        }
    }

    /// The scores of texts, each a tag per word.
    pub fn of(truth: &[Vec<&str>], predicted: &[Vec<&str>], tagging: Tagging) -> Self {
        let mut scores = Self::default();
        let (mut words, mut right) = (0_u64, 0_u64);
        for (truth, predicted) in truth.iter().zip(predicted) {
            scores.add(truth, predicted, tagging);
            words += truth.len() as u64;
            right += truth.iter().zip(predicted).filter(|(a, b)| a == b).count() as u64;
        }
        scores.tag_accuracy = (words > 0).then(|| right as f64 / words as f64);
        scores
    }

    /// All entities taken together: what papers report as F1.
    pub fn micro(&self) -> Averages {
        let mut all = LabelCounts::default();
        for counts in self.types.values() {
            all.hits += counts.hits;
            all.alarms += counts.alarms;
            all.misses += counts.misses;
        }
        all.scores()
    }

    /// The plain mean over the types; `None` without any.
    pub fn macro_(&self) -> Option<Averages> {
        let scores = self.types.values().map(|counts| (1.0, counts.scores()));
        (!self.types.is_empty()).then(|| weighted_mean(scores))
    }

    /// The mean over the types, weighted by their entities in the truth.
    pub fn weighted(&self) -> Averages {
        weighted_mean(self.types.values().map(|counts| (counts.support() as f64, counts.scores())))
    }
}

/// Which types of entities are taken for which. An entity of the truth meets the predicted one with the same words,
/// whatever its type; where there is none, one that shares a word and that no other meets. The categories are those of
/// MUC-5 (Chinchor & Sundheim 1993): what meets is correct, of another type, or of other bounds; the rest was missed, or
/// is spurious.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct EntityConfusion {
    /// Types that occur, sorted.
    pub types: Vec<String>,
    /// `[true type][predicted type]`, of entities that meet.
    pub counts: Vec<Vec<u64>>,
    /// Of each type, those that meet their own type in other bounds; they are in `counts`, too.
    pub bounds: Vec<u64>,
    /// Of each type, those that nothing meets.
    pub missed: Vec<u64>,
    /// Of each type, predicted ones that meet nothing.
    pub spurious: Vec<u64>,
}

impl EntityConfusion {
    /// Of passes of taggers, all together.
    pub fn of_passes<'a>(passes: impl IntoIterator<Item = &'a Tags>) -> Self {
        let words = |row: &'a [String]| row.iter().map(String::as_str).collect();
        let (mut truth, mut predicted) = (Vec::new(), Vec::new());
        for pass in passes {
            truth.extend(pass.truth.iter().map(|row| words(row)));
            predicted.extend(pass.predicted.iter().map(|row| words(row)));
        }
        Self::of(&truth, &predicted, Tagging::Lenient)
    }

    /// Of texts, each a tag per word.
    pub fn of(truth: &[Vec<&str>], predicted: &[Vec<&str>], tagging: Tagging) -> Self {
        let texts = truth.iter().zip(predicted);
        let texts: Vec<[Vec<Entity<'_>>; 2]> =
            texts.map(|(a, b)| [tagging.entities(a), tagging.entities(b)]).collect();
        let types: BTreeSet<&str> = texts.iter().flatten().flatten().map(|e| e.kind).collect();
        let n = types.len();
        let place = |kind: &str| types.iter().position(|known| *known == kind).unwrap_or(0);
        let mut found = Self {
            types: types.iter().map(|kind| (*kind).to_owned()).collect(),
            counts: vec![vec![0; n]; n],
            bounds: vec![0; n],
            missed: vec![0; n],
            spurious: vec![0; n],
        };
        let add = |column: Option<&mut u64>| column.into_iter().for_each(|count| *count += 1);
        for [truth, told] in &texts {
            let mut free: Vec<bool> = vec![true; told.len()];
            let mut left = Vec::new();
            for entity in truth {
                let same =
                    |other: &Entity<'_>| (other.first, other.last) == (entity.first, entity.last);
                match told.iter().position(same) {
                    Some(at) => {
                        free[at] = false;
                        let row = found.counts.get_mut(place(entity.kind));
                        add(row.and_then(|row| row.get_mut(place(told[at].kind))));
                    }
                    None => left.push(entity),
                }
            }
            for entity in left {
                let kind = place(entity.kind);
                let meets = |(at, other): &(usize, &Entity<'_>)| {
                    free[*at] && other.first <= entity.last && entity.first <= other.last
                };
                match told.iter().enumerate().find(meets) {
                    Some((at, other)) => {
                        free[at] = false;
                        if other.kind == entity.kind {
                            add(found.bounds.get_mut(kind));
                        }
                        let row = found.counts.get_mut(kind);
                        add(row.and_then(|row| row.get_mut(place(other.kind))));
                    }
                    None => add(found.missed.get_mut(kind)),
                }
            }
            for (other, _) in told.iter().zip(&free).filter(|(_, is_free)| **is_free) {
                add(found.spurious.get_mut(place(other.kind)));
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(tagging: Tagging, tags: &str) -> Vec<(&str, usize, usize)> {
        let tags: Vec<&str> = tags.split(' ').collect();
        tagging.entities(&tags).iter().map(|e| (e.kind, e.first, e.last)).collect()
    }

    #[test]
    fn entities_meet_by_their_words_and_the_rest_is_missed_or_spurious() {
        let tags = |text: &'static str| text.split(' ').collect::<Vec<&str>>();
        let truth = [tags("B-PER I-PER O B-LOC O B-ORG O"), tags("B-LOC O")];
        // Right; another type of the same words; other bounds of the same type; nothing, and something from nothing.
        let told = [tags("B-PER I-PER O B-ORG O B-ORG I-ORG"), tags("O B-PER")];
        let found = EntityConfusion::of(&truth, &told, Tagging::Lenient);
        assert_eq!(found.types, ["LOC", "ORG", "PER"]);
        assert_eq!(found.counts, [[0, 1, 0], [0, 1, 0], [0, 0, 1]]);
        assert_eq!((found.bounds, found.missed), (vec![0, 1, 0], vec![1, 0, 0]));
        assert_eq!(found.spurious, [0, 0, 1]);
        assert_eq!(EntityConfusion::of(&[], &[], Tagging::Lenient), EntityConfusion::default());
    }

    #[test]
    fn every_entity_is_counted_once() {
        const TAGS: [&str; 5] = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"];
        let text = |salt: usize| -> Vec<&str> {
            (0..40).map(|i| TAGS[(i * i * 7 + i * salt + salt / 3) % TAGS.len()]).collect()
        };
        for salt in 1..60 {
            let (truth, told) = ([text(salt)], [text(salt + 2)]);
            let found = EntityConfusion::of(&truth, &told, Tagging::Lenient);
            let met: u64 = found.counts.iter().flatten().sum();
            let all = |tags: &[Vec<&str>]| Tagging::Lenient.entities(&tags[0]).len() as u64;
            assert_eq!(met + found.missed.iter().sum::<u64>(), all(&truth), "{found:?}");
            assert_eq!(met + found.spurious.iter().sum::<u64>(), all(&told), "{found:?}");
        }
    }

    /// Values of seqeval 1.2.2, mode `strict` with the scheme IOBES.
    #[test]
    fn complete_entities_alone_count_in_strict_bioes() {
        let strict = |tags| found(Tagging::StrictBioes, tags);
        assert_eq!(strict("B-A I-A E-A S-B O"), [("A", 0, 2), ("B", 3, 3)]);
        assert_eq!(strict("B-A E-A B-A O E-A"), [("A", 0, 1)]);
        assert_eq!(strict("I-A E-A S-A"), [("A", 2, 2)]);
        assert_eq!(strict("B-A I-B E-B"), []);
    }

    #[test]
    fn every_scheme_is_understood_leniently() {
        let lenient = |tags| found(Tagging::Lenient, tags);
        assert_eq!(lenient("B-A I-A E-A S-B O"), [("A", 0, 2), ("B", 3, 3)]);
        assert_eq!(lenient("I-A I-A I-B O I-B"), [("A", 0, 1), ("B", 2, 2), ("B", 4, 4)]);
        assert_eq!(lenient("S-A I-A E-A E-A"), [("A", 0, 0), ("A", 1, 2), ("A", 3, 3)]);
    }

    #[test]
    fn the_strict_way_is_that_of_the_tags() {
        assert_eq!(Tagging::strict(["O", "B-A", "I-A"]), Tagging::StrictIob2);
        assert_eq!(Tagging::strict(["O", "B-A", "S-A"]), Tagging::StrictBioes);
        assert_eq!(Tagging::strict(["O", "I-A"]), Tagging::Lenient);
    }
}
