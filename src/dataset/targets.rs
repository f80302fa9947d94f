//! What is to be learnt of each row, task by task: [`Targets`] beside the classes of [`super::Dataset`].

mod lists;
mod read;
mod tags;

use std::collections::BTreeMap;

use self::lists::lists;
use self::read::{flags, numbers, refuse_constant, unknown};
pub(super) use self::tags::json_list;
use self::tags::{refuse_tags, tag_names, tagged};
use super::error::{DataError, quoted};
use super::sink::Words;
use crate::spec::Task;

/// What a task learns of each row.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Targets {
    /// One class: [`super::Dataset::labels`]. Also where nothing asks for labels.
    #[default]
    Classes,
    /// Numbers in the units of the file, `[row][target]`, row by row; the names of the targets are
    /// [`super::Dataset::label_names`].
    Numbers(Vec<f64>),
    /// Any of the labels [`super::Dataset::label_names`]: `[row][label]`, row by row.
    Sets(Vec<bool>),
    /// The words of each row and the tag of each word, an index into [`super::Dataset::label_names`].
    Tags {
        /// `[row][word]`
        words: Vec<Vec<String>>,
        /// `[row][word]`
        tags: Vec<Vec<u32>>,
    },
}

impl Targets {
    /// Without rows, for a task.
    pub(super) fn of(task: Task) -> Self {
        match task {
            Task::Classify | Task::Lm => Self::Classes,
            Task::Regress => Self::Numbers(Vec::new()),
            Task::Multilabel => Self::Sets(Vec::new()),
            Task::Tag => Self::Tags { words: Vec::new(), tags: Vec::new() },
        }
    }

    /// Whether each row has one class.
    pub fn are_classes(&self) -> bool {
        matches!(self, Self::Classes)
    }

    /// The numbers of a row of `targets` numbers; empty for other tasks.
    pub fn numbers(&self, row: u32, targets: usize) -> &[f64] {
        match self {
            Self::Numbers(values) => part(values, row, targets),
            _ => &[],
        }
    }

    /// Which of `labels` labels a row has; empty for other tasks.
    pub fn set(&self, row: u32, labels: usize) -> &[bool] {
        match self {
            Self::Sets(values) => part(values, row, labels),
            _ => &[],
        }
    }

    /// The words and tags of a row; empty for other tasks.
    pub fn tagged(&self, row: u32) -> (&[String], &[u32]) {
        let Self::Tags { words, tags } = self else { return (&[], &[]) };
        let row = row as usize;
        (words.get(row).map_or(&[], Vec::as_slice), tags.get(row).map_or(&[], Vec::as_slice))
    }

    /// How many rows there are of each label of `names`, or words of each tag. Zeros for numbers, and for
    /// classes, which are told by their labels.
    pub fn counts(&self, rows: impl Iterator<Item = u32>, names: usize) -> Vec<u64> {
        let mut counts = vec![0_u64; names];
        for row in rows {
            for (count, has) in counts.iter_mut().zip(self.set(row, names)) {
                *count += u64::from(*has);
            }
            for tag in self.tagged(row).1 {
                if let Some(count) = counts.get_mut(*tag as usize) {
                    *count += 1;
                }
            }
        }
        counts
    }

    /// Adds the rows of a file. `names` are those of the columns that hold the targets and `columns` their
    /// values; `texts` are the words of each row for tags. The names of labels and tags are those of the
    /// first file, for which `known` is empty.
    ///
    /// # Errors
    /// A row that has no such target; targets that ask for another task.
    pub(super) fn add(
        &mut self,
        file: File<'_>,
        columns: &[Words],
        texts: &mut [Option<String>],
        known: &mut Vec<String>,
        notes: &mut Vec<String>,
    ) -> Result<(), DataError> {
        let is_first = known.is_empty();
        match self {
            Self::Classes => Ok(()),
            Self::Numbers(all) => {
                let start = all.len();
                numbers(all, file, columns)?;
                if is_first {
                    known.extend(file.names.iter().cloned());
                    refuse_constant(all.get(start..).unwrap_or_default(), file)?;
                }
                Ok(())
            }
            Self::Sets(all) if columns.len() == 1 => lists(all, file, columns, known, notes),
            Self::Sets(all) => {
                if is_first {
                    known.extend(file.names.iter().cloned());
                }
                flags(all, file, columns)
            }
            Self::Tags { words, tags } => {
                let start = tags.len();
                let named = tagged(words, file, columns, texts)?;
                if is_first {
                    *known = tag_names(named.iter().flatten().map(String::as_str));
                    refuse_tags(known, file, notes)?;
                }
                let places: BTreeMap<&str, u32> =
                    known.iter().map(String::as_str).zip(0..).collect();
                for (row, named) in (1_u64..).zip(&named) {
                    let place = |tag: &String| {
                        places
                            .get(tag.as_str())
                            .copied()
                            .ok_or_else(|| unknown(file.path, row, tag, known))
                    };
                    tags.push(named.iter().map(place).collect::<Result<_, _>>()?);
                }
                debug_assert_eq!(tags.len() - start, named.len());
                Ok(())
            }
        }
    }
}

/// A file whose targets are read.
#[derive(Debug, Clone, Copy)]
pub(super) struct File<'a> {
    /// As in the spec.
    pub path: &'a str,
    /// The names of its columns of targets.
    pub names: &'a [String],
    /// By number the tags or labels that the file's metadata names.
    pub classes: Option<&'a [String]>,
}

impl File<'_> {
    fn column(&self, index: usize) -> String {
        self.names.get(index).map(|name| quoted(name)).unwrap_or_default()
    }
}

fn part<T>(values: &[T], row: u32, width: usize) -> &[T] {
    let start = row as usize * width;
    values.get(start..start + width).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(values: &[&str]) -> Words {
        Words::of(values.iter().map(|v| (!v.is_empty()).then_some(*v)))
    }

    fn read(
        task: Task,
        names: &[&str],
        columns: &[&[&str]],
    ) -> Result<(Targets, Vec<String>), String> {
        let names: Vec<String> = names.iter().map(|n| (*n).to_owned()).collect();
        let columns: Vec<Words> = columns.iter().map(|c| words(c)).collect();
        let mut texts = vec![Some(r#"["a", "b"]"#.to_owned()); columns[0].ids.len()];
        let (mut targets, mut known) = (Targets::of(task), Vec::new());
        let file = File { path: "d.csv", names: &names, classes: None };
        targets
            .add(file, &columns, &mut texts, &mut known, &mut Vec::new())
            .map_err(|e| e.to_string())?;
        Ok((targets, known))
    }

    #[test]
    fn sets_come_from_columns_and_from_lists_of_any_form() {
        let want = Targets::Sets(vec![true, false, true, true, false, false]);
        let names = ["bug", "urgent"].map(str::to_owned).to_vec();
        let columns =
            read(Task::Multilabel, &["bug", "urgent"], &[&["1", "1.0", "0"], &["0", "true", "no"]]);
        assert_eq!(columns, Ok((want.clone(), names.clone())));
        for lists in [
            ["bug", "bug,urgent", ""],
            ["bug", "urgent ; bug", ""],
            [r#"["bug"]"#, r#"["urgent", "bug"]"#, "[]"],
            ["['bug']", "['bug', 'urgent']", "[]"],
        ] {
            let got = read(Task::Multilabel, &["labels"], &[&lists]);
            assert_eq!(got, Ok((want.clone(), names.clone())), "{lists:?}");
        }
        let refused =
            |columns: &[&str]| read(Task::Multilabel, &["labels"], &[columns]).unwrap_err();
        assert!(refused(&["a", "b"]).contains("that is task=classify"));
        assert!(refused(&["", ""]).contains("no row has a label under `labels`"));
    }

    #[test]
    fn numbers_are_read_or_named_by_their_row() {
        let got = read(Task::Regress, &["x", "y"], &[&["1", "2.5"], &["-3", "1e2"]]);
        let names = ["x", "y"].map(str::to_owned).to_vec();
        assert_eq!(got, Ok((Targets::Numbers(vec![1.0, -3.0, 2.5, 100.0]), names)));
        for (values, want) in [
            (
                ["1", "good"],
                "row 2 has `good` under `score`, which is no number; labels that are words ask for",
            ),
            (["1,5", "2"], "row 1 has `1,5` under `score`; numbers are written with a point"),
            (["1", ""], "row 2 has no number under `score`"),
            (["1", "nan"], "which is no number"),
            (["2", "2.0"], "every row has 2 under `score`"),
        ] {
            let got = read(Task::Regress, &["score"], &[&values]).unwrap_err();
            assert!(got.contains(want), "{got}");
        }
    }

    #[test]
    fn tags_have_an_order_and_fit_their_words() {
        let (targets, names) =
            read(Task::Tag, &["ner_tags"], &[&[r#"["I-PER", "O"]"#, r#"["B-PER", "B-LOC"]"#]])
                .unwrap();
        assert_eq!(names, ["O", "B-LOC", "B-PER", "I-PER"]);
        assert_eq!(targets.tagged(1), (&["a".to_owned(), "b".to_owned()][..], &[2, 1][..]));
        assert_eq!(targets.counts(0..2, 4), [1, 1, 1, 1]);
        for (tags, want) in [
            (r#"["O"]"#, "row 1 has 2 words and 1 tags"),
            ("spam", "asks for task=classify"),
            ("[1, 0]", "tags by number"),
            (r#"["O", "O"]"#, "every word has the tag `O`"),
        ] {
            let got = read(Task::Tag, &["ner_tags"], &[&[tags]]).unwrap_err();
            assert!(got.contains(want), "{got}");
        }
    }
}
