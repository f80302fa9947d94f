use std::collections::{BTreeMap, BTreeSet};

use super::rows::Rows;
use super::words::Text;

/// The words that a model knows, and how it weighs them.
///
/// `TfidfVectorizer()` and `CountVectorizer()` of scikit-learn, with their defaults.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Vocabulary {
    /// Word -> column; columns are in the order of the words' code points.
    columns: BTreeMap<String, u32>,
    /// For TF-IDF, of each column: `ln((1 + rows) / (1 + rows with the word)) + 1`.
    idf: Option<Vec<f64>>,
}

impl Vocabulary {
    /// All words of `texts`, weighed by TF-IDF or only counted.
    pub fn learn<'a, T: Into<Text<'a>>>(texts: impl IntoIterator<Item = T>, tfidf: bool) -> Self {
        let mut in_rows: BTreeMap<String, u32> = BTreeMap::new();
        let mut rows = 0_u32;
        for text in texts {
            rows += 1;
            for word in text.into().words().into_iter().collect::<BTreeSet<_>>() {
                *in_rows.entry(word).or_default() += 1;
            }
        }
        let idf = |n: &u32| ((1.0 + f64::from(rows)) / (1.0 + f64::from(*n))).ln() + 1.0;
        let idf = tfidf.then(|| in_rows.values().map(idf).collect());
        Self::new(in_rows.into_keys().collect(), idf)
    }

    /// From words in the order of their columns.
    pub fn new(words: Vec<String>, idf: Option<Vec<f64>>) -> Self {
        Self { columns: words.into_iter().zip(0..).collect(), idf }
    }

    /// How many words.
    pub fn len(&self) -> usize {
        self.columns.len()
    }

    /// The words in the order of their columns.
    pub fn words(&self) -> Vec<&str> {
        let mut words: Vec<(&str, u32)> =
            self.columns.iter().map(|(word, column)| (word.as_str(), *column)).collect();
        words.sort_by_key(|(_, column)| *column);
        words.into_iter().map(|(word, _)| word).collect()
    }

    /// The weight of each column; `None` = words are only counted.
    pub fn idf(&self) -> Option<&[f64]> {
        self.idf.as_deref()
    }

    /// One row per text: counts, or counts times idf scaled to length 1. Words that are not known
    /// are left out. Also gives how many words were known.
    pub fn rows<'a, T: Into<Text<'a>>>(&self, texts: impl IntoIterator<Item = T>) -> (Rows, u64) {
        let (mut rows, mut known) = (Rows::default(), 0);
        for text in texts {
            let row = self.row(text.into(), &mut known);
            rows.push(row);
        }
        (rows, known)
    }

    fn row(&self, text: Text, known: &mut u64) -> BTreeMap<u32, f64> {
        let mut row: BTreeMap<u32, f64> = BTreeMap::new();
        for word in text.words() {
            if let Some(column) = self.columns.get(&word) {
                *row.entry(*column).or_default() += 1.0;
                *known += 1;
            }
        }
        let Some(idf) = &self.idf else { return row };
        for (column, value) in &mut row {
            *value *= idf.get(*column as usize).copied().unwrap_or(0.0);
        }
        let length = row.values().map(|x| x * x).sum::<f64>().sqrt();
        if length > 0.0 {
            for x in row.values_mut() {
                *x /= length;
            }
        }
        row
    }
}
