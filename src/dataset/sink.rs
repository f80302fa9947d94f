use std::borrow::Cow;
use std::collections::HashMap;

use super::error::DataError;

/// One column as text; `None` where the file has no value.
pub(super) type Column = Vec<Option<String>>;

/// A column of few different values, such as labels: each value once, and which one each row has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Words {
    pub words: Vec<String>,
    /// Indices into `words`; [`MISSING`] where the file has no value.
    pub ids: Vec<u32>,
}

/// Stands for no value.
pub(super) const MISSING: u32 = u32::MAX;

impl Words {
    /// A column of these values.
    pub fn of<'a>(values: impl Iterator<Item = Option<&'a str>>) -> Self {
        let mut words = Interner::default();
        values.for_each(|value| words.push(value.map(Cow::Borrowed)));
        words.words
    }

    /// The value of each row.
    pub fn iter(&self) -> impl Iterator<Item = Option<&str>> {
        self.ids.iter().map(|id| self.words.get(*id as usize).map(String::as_str))
    }

    /// Rewrites each different value; those that come out equal become one.
    pub fn rewrite(&mut self, new: impl Fn(&str) -> Option<String>) {
        let mut fresh = Interner::default();
        let ids: Vec<u32> =
            self.words.iter().map(|word| fresh.id(new(word).map(Cow::Owned))).collect();
        for id in &mut self.ids {
            *id = ids.get(*id as usize).copied().unwrap_or(MISSING);
        }
        self.words = fresh.words.words;
    }
}

#[derive(Debug, Default)]
struct Interner {
    known: HashMap<String, u32>,
    words: Words,
}

impl Interner {
    fn id(&mut self, value: Option<Cow<'_, str>>) -> u32 {
        let Some(value) = value else { return MISSING };
        // Rows of one class often follow each other.
        if let Some(last) = self.words.ids.last()
            && self.words.words.get(*last as usize).is_some_and(|word| *word == value)
        {
            return *last;
        }
        if let Some(id) = self.known.get(value.as_ref()) {
            return *id;
        }
        let id = self.words.words.len() as u32;
        let value = value.into_owned();
        self.known.insert(value.clone(), id);
        self.words.words.push(value);
        id
    }

    fn push(&mut self, value: Option<Cow<'_, str>>) {
        let id = self.id(value);
        self.words.ids.push(id);
    }
}

/// Takes the columns that are asked for, row by row: some of texts, and some of words.
#[derive(Debug, Default)]
pub(super) struct Sink {
    texts: Vec<usize>,
    others: Vec<usize>,
    /// Whether lists are taken, as JSON.
    pub lists: bool,
    rows: usize,
    columns: Vec<Column>,
    words: Vec<Interner>,
}

impl Sink {
    /// `texts` and `others` are positions in the file.
    pub fn new(texts: &[usize], others: &[usize]) -> Self {
        Self {
            texts: texts.to_vec(),
            others: others.to_vec(),
            lists: false,
            rows: 0,
            columns: texts.iter().map(|_| Column::new()).collect(),
            words: others.iter().map(|_| Interner::default()).collect(),
        }
    }

    /// The same columns in another file of the same data set.
    pub fn move_to(&mut self, texts: &[usize], others: &[usize]) {
        self.texts = texts.to_vec();
        self.others = others.to_vec();
    }

    /// The positions, those of the texts first.
    pub fn wanted(&self) -> Vec<usize> {
        self.texts.iter().chain(&self.others).copied().collect()
    }

    /// Takes a row; `value` gives what stands at a position.
    pub fn fill<'a, T: Into<Cow<'a, str>>>(
        &mut self,
        mut value: impl FnMut(usize) -> Result<Option<T>, DataError>,
    ) -> Result<(), DataError> {
        for (column, index) in self.columns.iter_mut().zip(&self.texts) {
            column.push(value(*index)?.map(|text| text.into().into_owned()));
        }
        for (column, index) in self.words.iter_mut().zip(&self.others) {
            column.push(value(*index)?.map(Into::into));
        }
        self.rows += 1;
        Ok(())
    }

    pub fn rows(&self) -> usize {
        self.rows
    }

    pub fn finish(self) -> (Vec<Column>, Vec<Words>) {
        (self.columns, self.words.into_iter().map(|interner| interner.words).collect())
    }
}
