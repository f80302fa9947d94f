use std::ops::Range;
use std::path::Path;

use super::columns::{self, Found};
use super::error::{DataError, counted, first_few, quoted, shown};
use super::folds;
use super::labels;
use super::options::Options;
use super::part::{Part, part};
use super::place::{self, Shard};
use super::reading::Reading;
use super::sink::{Column, Words};
use super::source::Source;
use super::targets::{File, Targets};
use crate::spec::{RunSpec, nearest, printable};

/// The rows of all files of a spec, one after the other, before the split.
#[derive(Debug)]
pub(super) struct Rows {
    pub texts: Vec<String>,
    /// The second text of each row; empty unless rows are pairs.
    pub pairs: Vec<String>,
    pub labels: Vec<u32>,
    pub label_names: Vec<String>,
    pub targets: Targets,
    /// The number of each row in its own file, from 1.
    pub numbers: Vec<u64>,
    /// Which rows come from `data=`, `val=` and `test=`.
    pub data: Range<u32>,
    pub val: Range<u32>,
    pub test: Range<u32>,
    /// For `split_column`: what the column says of each row of `data`.
    pub marks: Option<Vec<Part>>,
    /// For `group`: what the column says of each row of `data`; rows with the same number stay together.
    pub groups: Option<Vec<u32>>,
    pub columns: Vec<String>,
    /// How `data` was read. Without a label column all rows have the label 0, and no class has a name.
    pub reading: Reading,
    /// Sentences about what is odd and yet allowed.
    pub notes: Vec<String>,
}

impl Rows {
    /// Reads `data=`, `val=` and `test=`. The classes are those of `data`.
    pub fn read(spec: &RunSpec, root: &Path) -> Result<Self, DataError> {
        let options = Options::of(spec);
        let place = place::find(root, &spec.data)?;
        let mut source = Source::open(&place.data, &spec.data, &options)?;
        source.refuse_idle_options()?;
        let sample = source.sample();
        let found = columns::find(&source, &sample, spec)?;
        let columns = source.names.clone();
        let column = |index: usize| columns.get(index).cloned().unwrap_or_default();
        let reading = Reading {
            text_column: column(found.text),
            pair_column: found.pair.map(column),
            label_column: (!found.labels.is_empty())
                .then(|| found.labels.iter().map(|i| column(*i)).collect::<Vec<_>>().join(", ")),
            left_aside: columns::left_aside(&source, &sample, &found),
            ..std::mem::take(&mut source.reading)
        };
        let mut rows = Self {
            texts: Vec::new(),
            pairs: Vec::new(),
            labels: Vec::new(),
            label_names: Vec::new(),
            targets: Targets::of(spec.task),
            numbers: Vec::new(),
            data: 0..0,
            val: 0..0,
            test: 0..0,
            marks: None,
            groups: None,
            reading,
            columns: Vec::new(),
            notes: std::mem::take(&mut source.notes),
        };
        let lists = |label: usize| {
            let values = sample.get(label).into_iter().flatten().flatten();
            source.holds_lists(label)
                || values.clone().next().is_some() && values.clone().all(|v| v.starts_with('['))
        };
        if rows.targets.are_classes()
            && let Some(label) = found.labels.iter().copied().find(|label| lists(*label))
        {
            let column = columns.get(label).map_or("", String::as_str);
            return Err(labels::are_lists(&source.path, column, lists(found.text)));
        }
        rows.notes.extend(unused_split_column(spec, &columns));
        rows.notes.extend(rows.aside(&source, &sample, &found));
        drop(sample);
        rows.data = rows.add_data(source, &found)?;
        let own = [(&spec.val, &place.val, true), (&spec.test, &place.test, false)];
        for (file, shards, is_val) in own {
            let range = match file {
                Some(file) => {
                    let place = place::find(root, file)?;
                    let part = if is_val { place.val } else { place.test };
                    let shards = if part.is_empty() { place.data } else { part };
                    rows.add_file(&shards, file, &options, &columns, &found)?
                }
                None => rows.add_split(shards, is_val, &options, &columns, &found)?,
            };
            if is_val { rows.val = range } else { rows.test = range }
        }
        rows.columns = columns;
        Ok(rows)
    }

    /// What the model will not see, if it is worth a word.
    fn aside(&self, source: &Source, sample: &[Column], found: &Found) -> Vec<String> {
        let path = shown(&source.path);
        let mut notes = Vec::new();
        if !self.reading.left_aside.is_empty() {
            let names = first_few(&self.reading.left_aside, |n| quoted(n));
            let chosen = quoted(&self.reading.text_column);
            let chosen = match &self.reading.pair_column {
                Some(pair) => format!("{chosen} and {} alone", quoted(pair)),
                None => format!("{chosen} alone"),
            };
            notes.push(format!(
                "{path}: the model reads {chosen}; other texts are left aside: {names}."
            ));
        }
        let hot = columns::hot_columns(sample, Some(found.text));
        if let ([label], true) = (found.labels.as_slice(), self.targets.are_classes())
            && hot.contains(label)
            && hot.len() > 1
        {
            let others: Vec<String> = hot
                .iter()
                .filter(|i| *i != label)
                .filter_map(|i| source.names.get(*i))
                .map(|name| quoted(name))
                .collect();
            notes.push(format!(
                "{path}: other columns hold 0 and 1 as well ({}); task=multilabel would learn them together.",
                first_few(&others, String::clone)
            ));
        }
        notes
    }

    fn add_data(&mut self, source: Source, found: &Found) -> Result<Range<u32>, DataError> {
        let path = source.path.clone();
        let split = found.split;
        let split_name = split.and_then(|i| source.names.get(i)).cloned().unwrap_or_default();
        let order = found.labels.first().and_then(|label| source.class_names(*label));
        let order = order.map(<[String]>::to_vec);
        let (labels, marks, groups) = self.add_texts(source, found)?;
        self.groups = found.group.map(|_| folds::numbered(groups));
        if let (Some(labels), Some(column)) = (&labels, &self.reading.label_column) {
            self.label_names = labels::class_names(labels.words.iter().map(String::as_str));
            if let Some(order) = order {
                // The file's own order, which its numbers mean.
                let at =
                    |name: &String| order.iter().position(|n| n == name).unwrap_or(order.len());
                self.label_names.sort_by_key(at);
            }
            labels::check(&path, column, &self.label_names, labels.ids.len())?;
            let (counts, first) = self.count(labels);
            let column = column.clone();
            self.notes.extend(labels::notes(&column, &self.label_names, &counts, &first));
        }
        self.add_labels(&path, labels)?;
        if split.is_some() {
            let marks = marks.iter().zip(1_u64..).map(|(mark, row)| {
                part(mark.unwrap_or_default()).ok_or_else(|| {
                    let mark = mark.map_or("nothing".to_owned(), quoted);
                    let name = quoted(&split_name);
                    let why = format!("says {mark} under {name}; it takes train, val or test");
                    DataError::row(&path, row, why)
                })
            });
            self.marks = Some(marks.collect::<Result<_, _>>()?);
        }
        Ok(0..self.labels.len() as u32)
    }

    /// Of each class the rows and the first of them.
    fn count(&self, labels: &Words) -> (Vec<u64>, Vec<u64>) {
        let place = |word: &String| self.label_names.iter().position(|name| name == word);
        let places: Vec<Option<usize>> = labels.words.iter().map(place).collect();
        let (mut counts, mut first) = (vec![0; places.len()], vec![0; places.len()]);
        for (id, row) in labels.ids.iter().zip(1_u64..) {
            let Some(class) = places.get(*id as usize).copied().flatten() else { continue };
            counts[class] += 1;
            if first[class] == 0 {
                first[class] = row;
            }
        }
        (counts, first)
    }

    fn add_file(
        &mut self,
        shards: &[Shard],
        path: &str,
        options: &Options,
        first: &[String],
        found: &Found,
    ) -> Result<Range<u32>, DataError> {
        let mut source = Source::open(shards, path, options)?;
        let found = columns::find_same(&source, first, found)?;
        let start = self.labels.len() as u32;
        self.notes.append(&mut source.notes);
        let (labels, ..) = self.add_texts(source, &found)?;
        self.add_labels(path, labels)?;
        Ok(start..self.labels.len() as u32)
    }

    /// Rows that the folder of `data=` itself holds for a part. Test rows are often published without their
    /// labels; these are left aside.
    fn add_split(
        &mut self,
        shards: &[Shard],
        is_val: bool,
        options: &Options,
        first: &[String],
        found: &Found,
    ) -> Result<Range<u32>, DataError> {
        let Some(shard) = shards.first() else { return Ok(0..0) };
        let path = shard.name.as_str();
        if !is_val && let Some(&label) = found.labels.first() {
            let source = Source::open(shards, path, options)?;
            let name = first.get(label).map_or("", String::as_str);
            let Some(at) = source.names.iter().position(|n| n == name) else {
                self.notes.push(format!("{} has no labels and is left aside.", shown(path)));
                return Ok(0..0);
            };
            let classes = source.class_names(at).map(<[String]>::to_vec);
            let mut labels = source.read(&[], &[at])?.words.pop().unwrap_or_default();
            name_classes(&mut labels, classes.as_deref());
            labels::tidy(&mut labels);
            let hidden = labels.words.is_empty() || labels.words == ["-1"];
            if hidden && !self.label_names.iter().any(|n| n == "-1") {
                self.notes
                    .push(format!("{}: all labels are hidden; it is left aside.", shown(path)));
                return Ok(0..0);
            }
        }
        self.add_file(shards, path, options, first, found)
    }

    /// Appends the texts of a file, and its targets unless they are classes. Hands back its labels, where
    /// these are asked for, split marks and groups.
    fn add_texts(
        &mut self,
        source: Source,
        found: &Found,
    ) -> Result<(Option<Words>, Words, Words), DataError> {
        let path = source.path.clone();
        let name = |i: &usize| source.names.get(*i).cloned().unwrap_or_default();
        let names: Vec<String> = found.labels.iter().map(name).collect();
        let classes = found.labels.first().and_then(|label| source.class_names(*label));
        let classes = classes.map(<[String]>::to_vec);
        let of_text = found.texts().iter().position(|column| Some(*column) == found.group);
        let group = found.group.filter(|_| of_text.is_none());
        let others = found.labels.iter().copied().chain(found.split).chain(group);
        let read = source.read(&found.texts(), &others.collect::<Vec<_>>())?;
        self.notes.extend(read.notes);
        let mut words = read.words;
        let groups = match of_text.and_then(|at| read.texts.get(at)) {
            Some(texts) => Words::of(texts.iter().map(Option::as_deref)),
            None => group.and_then(|_| words.pop()).unwrap_or_default(),
        };
        let marks = if found.split.is_some() { words.pop() } else { None }.unwrap_or_default();
        let mut columns = read.texts.into_iter();
        let mut texts = columns.next().unwrap_or_default();
        if !self.targets.are_classes() {
            let file = File { path: &path, names: &names, classes: classes.as_deref() };
            let (known, notes) = (&mut self.label_names, &mut self.notes);
            self.targets.add(file, &words, &mut texts, known, notes)?;
            words.clear();
        }
        let mut labels = words.pop();
        let no_text = numbered(texts.iter().map(Option::is_none));
        refuse_missing(&path, &no_text, "text", "write \"\" for an empty text, or delete them")?;
        if let Some(pairs) = columns.next() {
            let none = numbered(pairs.iter().map(Option::is_none));
            let what = "second text of the pair";
            refuse_missing(&path, &none, what, "write \"\" for an empty text, or delete them")?;
            self.pairs.extend(pairs.into_iter().map(Option::unwrap_or_default));
        }
        if let Some(labels) = &mut labels {
            name_classes(labels, classes.as_deref());
            labels::refuse_lists(&path, names.first().map_or("", String::as_str), labels)?;
            if labels::tidy(labels) {
                let path = shown(&path);
                self.notes.push(format!(
                    "{path}: labels that are the same number, as 1 and 1.0, are one class."
                ));
            }
            let no_label = numbered(labels.iter().map(|l| l.is_none()));
            refuse_missing(&path, &no_label, "label", "fill them in or delete them")?;
        }
        if u32::try_from(self.texts.len() + texts.len()).is_err() {
            return Err(DataError::file(&path, "has more than 4294967295 rows"));
        }
        self.numbers.extend(1..=texts.len() as u64);
        let empty =
            numbered(texts.iter().map(|t| t.as_deref().is_none_or(|t| t.trim().is_empty())));
        if !empty.is_empty() {
            let text = match empty.len() {
                1 => "1 text is empty".to_owned(),
                n => format!("{n} texts are empty"),
            };
            self.notes.push(format!("{}: {text}: {}.", shown(&path), row_list(&empty)));
        }
        let texts = texts.into_iter().map(Option::unwrap_or_default);
        if self.texts.is_empty() {
            // In place, without a second list.
            self.texts = texts.collect();
        } else {
            self.texts.extend(texts);
        }
        Ok((labels, marks, groups))
    }

    fn add_labels(&mut self, path: &str, labels: Option<Words>) -> Result<(), DataError> {
        let Some(labels) = labels else {
            self.labels.resize(self.texts.len(), 0);
            return Ok(());
        };
        let place = |word: &String| self.label_names.iter().position(|name| name == word);
        let places: Vec<Option<usize>> = labels.words.iter().map(place).collect();
        self.labels.reserve(labels.ids.len());
        for (id, row) in labels.ids.iter().zip(1_u64..) {
            let class = places.get(*id as usize).copied().flatten().ok_or_else(|| {
                let label = labels.words.get(*id as usize).map_or("", String::as_str);
                let near = nearest(label, self.label_names.iter().map(String::as_str));
                let hint = match near.filter(|near| near.chars().count() > 2) {
                    Some(near) => format!("did you mean {}?", quoted(&near)),
                    None => format!("it has {}", first_few(&self.label_names, |n| quoted(n))),
                };
                let why = format!("has the label {}, which data= does not have", quoted(label));
                DataError::row(path, row, format!("{why}; {hint}"))
            })?;
            self.labels.push(class as u32);
        }
        Ok(())
    }
}

/// Labels by number become the names that the file's metadata gives them; -1 stands for none.
fn name_classes(labels: &mut Words, names: Option<&[String]>) {
    let Some(names) = names else { return };
    labels.rewrite(|word| match word.parse::<i64>() {
        Ok(-1) => None,
        Ok(n) => Some(
            usize::try_from(n)
                .ok()
                .and_then(|n| names.get(n))
                .map_or(word.to_owned(), String::clone),
        ),
        Err(_) => Some(word.to_owned()),
    });
}

/// A column called `split` that nobody asked for is worth a word.
fn unused_split_column(spec: &RunSpec, columns: &[String]) -> Option<String> {
    let ignored = spec.split_column.is_none() && spec.val.is_none() && spec.test.is_none();
    let name = columns.iter().find(|c| c.eq_ignore_ascii_case("split")).filter(|_| ignored)?;
    let (path, name) = (shown(&spec.data), printable(name, 40));
    Some(format!(
        "{path} has a column `{name}` that is not used; split_column={name} would use it."
    ))
}

pub(super) fn refuse_missing(
    path: &str,
    missing: &[u64],
    what: &str,
    hint: &str,
) -> Result<(), DataError> {
    if missing.is_empty() {
        return Ok(());
    }
    let have = if missing.len() == 1 { "has" } else { "have" };
    let rows = counted(missing.len(), "row");
    let which = row_list(missing);
    Err(DataError::within(path, format!("{rows} {have} no {what}: {which}; {hint}")))
}

/// The numbers of the rows that are so, from 1.
pub(super) fn numbered(rows: impl Iterator<Item = bool>) -> Vec<u64> {
    rows.zip(1..).filter(|(is, _)| *is).map(|(_, row)| row).collect()
}

fn row_list(rows: &[u64]) -> String {
    let word = if rows.len() == 1 { "row" } else { "rows" };
    format!("{word} {}", first_few(rows, u64::to_string))
}
