use std::collections::HashMap;
use std::ops::Range;
use std::path::Path;

use super::columns::{self, Found};
use super::error::{DataError, counted, first_few, quoted, shown};
use super::labels;
use super::source::{Column, Source};
use super::split::{Part, part};
use crate::spec::keys::nearest;
use crate::spec::{RunSpec, printable};

/// The rows of all files of a spec, one after the other, before the split.
#[derive(Debug)]
pub(super) struct Rows {
    pub texts: Vec<String>,
    pub labels: Vec<u32>,
    pub label_names: Vec<String>,
    /// The number of each row in its own file, from 1.
    pub numbers: Vec<u64>,
    /// Which rows come from `data=`, `val=` and `test=`.
    pub data: Range<u32>,
    pub val: Range<u32>,
    pub test: Range<u32>,
    /// For `split_column`: what the column says of each row of `data`.
    pub marks: Option<Vec<Part>>,
    pub columns: Vec<String>,
    pub text_column: String,
    /// `None` where nothing asks for labels; then all rows have the label 0, and no class has a name.
    pub label_column: Option<String>,
    /// Sentences about what is odd and yet allowed.
    pub notes: Vec<String>,
}

impl Rows {
    /// Reads `data=`, `val=` and `test=`. The classes are those of `data`.
    pub fn read(spec: &RunSpec, root: &Path) -> Result<Self, DataError> {
        let source = Source::open(root, &spec.data)?;
        let found = columns::find(&source, spec)?;
        let columns = source.names.clone();
        let column = |index: usize| columns.get(index).cloned().unwrap_or_default();
        let mut rows = Self {
            texts: Vec::new(),
            labels: Vec::new(),
            label_names: Vec::new(),
            numbers: Vec::new(),
            data: 0..0,
            val: 0..0,
            test: 0..0,
            marks: None,
            text_column: column(found.text),
            label_column: found.label.map(column),
            columns: Vec::new(),
            notes: Vec::new(),
        };
        rows.notes.extend(unused_split_column(spec, &columns));
        rows.data = rows.add_data(source, found)?;
        for (file, is_val) in [(&spec.val, true), (&spec.test, false)] {
            let Some(file) = file else { continue };
            let source = Source::open(root, file)?;
            let found = columns::find_same(&source, &columns, found)?;
            let range = rows.add_file(source, found)?;
            if is_val { rows.val = range } else { rows.test = range }
        }
        rows.columns = columns;
        Ok(rows)
    }

    fn add_data(&mut self, source: Source, found: Found) -> Result<Range<u32>, DataError> {
        let path = source.path.clone();
        let split = found.split;
        let split_name = split.and_then(|i| source.names.get(i)).cloned().unwrap_or_default();
        let (labels, marks) = self.add_texts(source, found)?;
        if let (Some(labels), Some(column)) = (&labels, &self.label_column) {
            self.label_names = labels::class_names(labels.iter().map(String::as_str));
            labels::check(&path, column, &self.label_names, labels.len())?;
        }
        self.add_labels(&path, labels)?;
        if split.is_some() {
            let marks = marks.into_iter().zip(1_u64..).map(|(mark, row)| {
                part(mark.as_deref().unwrap_or_default()).ok_or_else(|| {
                    let mark = mark.map_or("nothing".to_owned(), |mark| quoted(&mark));
                    let name = quoted(&split_name);
                    let why = format!("says {mark} under {name}; it takes train, val or test");
                    DataError::row(&path, row, why)
                })
            });
            self.marks = Some(marks.collect::<Result<_, _>>()?);
        }
        Ok(0..self.labels.len() as u32)
    }

    fn add_file(&mut self, source: Source, found: Found) -> Result<Range<u32>, DataError> {
        let path = source.path.clone();
        let start = self.labels.len() as u32;
        let (labels, _) = self.add_texts(source, found)?;
        self.add_labels(&path, labels)?;
        Ok(start..self.labels.len() as u32)
    }

    /// Appends the texts of a file and hands back its labels, where they are asked for, and split marks.
    fn add_texts(
        &mut self,
        source: Source,
        found: Found,
    ) -> Result<(Option<Vec<String>>, Column), DataError> {
        let path = source.path.clone();
        let wanted = [Some(found.text), found.label, found.split];
        let wanted: Vec<usize> = wanted.into_iter().flatten().collect();
        let mut columns = source.read(&wanted)?.into_iter();
        let texts = columns.next().unwrap_or_default();
        let mut labels = found.label.map(|_| columns.next().unwrap_or_default());
        let marks = columns.next().unwrap_or_default();
        refuse_missing(&path, &texts, "text", "write \"\" for an empty text, or delete them")?;
        if let Some(labels) = &mut labels {
            labels::tidy(labels);
            refuse_missing(&path, labels, "label", "fill them in or delete them")?;
        }
        if u32::try_from(self.texts.len() + texts.len()).is_err() {
            return Err(DataError::file(&path, "has more than 4294967295 rows"));
        }
        self.numbers.extend(1..=texts.len() as u64);
        let empty = numbered(&texts, |t| t.as_deref().is_none_or(|t| t.trim().is_empty()));
        if !empty.is_empty() {
            let text = match empty.len() {
                1 => "1 text is empty".to_owned(),
                n => format!("{n} texts are empty"),
            };
            self.notes.push(format!("{}: {text}: {}.", shown(&path), row_list(&empty)));
        }
        self.texts.extend(texts.into_iter().map(Option::unwrap_or_default));
        let labels =
            labels.map(|labels| labels.into_iter().map(Option::unwrap_or_default).collect());
        Ok((labels, marks))
    }

    fn add_labels(&mut self, path: &str, labels: Option<Vec<String>>) -> Result<(), DataError> {
        let Some(labels) = labels else {
            self.labels.resize(self.texts.len(), 0);
            return Ok(());
        };
        let ids: HashMap<&str, u32> =
            self.label_names.iter().map(String::as_str).zip(0_u32..).collect();
        for (label, row) in labels.iter().zip(1_u64..) {
            let id = ids.get(label.as_str()).ok_or_else(|| {
                let near = nearest(label, self.label_names.iter().map(String::as_str));
                let hint = match near.filter(|near| near.chars().count() > 2) {
                    Some(near) => format!("did you mean {}?", quoted(&near)),
                    None => format!("it has {}", first_few(&self.label_names, |n| quoted(n))),
                };
                let why = format!("has the label {}, which data= does not have", quoted(label));
                DataError::row(path, row, format!("{why}; {hint}"))
            })?;
            self.labels.push(*id);
        }
        Ok(())
    }
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
    column: &Column,
    what: &str,
    hint: &str,
) -> Result<(), DataError> {
    let missing = numbered(column, Option::is_none);
    if missing.is_empty() {
        return Ok(());
    }
    let have = if missing.len() == 1 { "has" } else { "have" };
    let rows = counted(missing.len(), "row");
    let which = row_list(&missing);
    Err(DataError::within(path, format!("{rows} {have} no {what}: {which}; {hint}")))
}

/// The numbers of the rows that are so, from 1.
fn numbered(column: &Column, is: impl Fn(&Option<String>) -> bool) -> Vec<u64> {
    column.iter().zip(1..).filter(|(value, _)| is(value)).map(|(_, row)| row).collect()
}

fn row_list(rows: &[u64]) -> String {
    let word = if rows.len() == 1 { "row" } else { "rows" };
    format!("{word} {}", first_few(rows, u64::to_string))
}
