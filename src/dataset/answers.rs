use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;

use serde_json::{Map, Value, json};

use super::error::DataError;
use super::left_over::remove_left_over;
use super::parquet::{self, Values};

/// What a model says of texts whose classes nobody knows. All vectors but the names have one entry per
/// text, or none at all; `probabilities` are `[text][class]`, `values` `[text][target]`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Answers {
    /// The texts; the first ones of pairs.
    pub texts: Vec<String>,
    /// Other columns of texts, by name: `pair`, `words`.
    pub others: Vec<(&'static str, Vec<String>)>,
    /// The most probable class of each, by name; for other tasks a JSON list of labels or of tags. Empty where
    /// numbers are predicted.
    pub predicted: Vec<String>,
    /// Of each text, in the order of the classes; NaN where a diverged model said so.
    pub probabilities: Vec<Vec<f32>>,
    /// The classes.
    pub label_names: Vec<String>,
    /// Of each label the least probability that gives it; empty where one class is predicted.
    pub thresholds: Vec<f64>,
    /// Of each text the predicted numbers, in the order of the targets.
    pub values: Vec<Vec<f64>>,
    /// The targets.
    pub target_names: Vec<String>,
}

/// How a file of answers is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnswerFormat {
    /// `.parquet`, `.pq`
    Parquet,
    /// `.csv`
    Csv,
    /// `.jsonl`, `.ndjson`
    JsonLines,
}

impl AnswerFormat {
    /// By the name's extension; `None` for any other.
    pub fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_string_lossy().to_lowercase().as_str() {
            "parquet" | "pq" => Some(Self::Parquet),
            "csv" => Some(Self::Csv),
            "jsonl" | "ndjson" => Some(Self::JsonLines),
            _ => None,
        }
    }
}

impl Answers {
    /// Writes the columns `row` (from 1), `text`, other texts, `predicted`, `p_CLASS` of each class, and each
    /// target; whole or not at all.
    ///
    /// # Errors
    /// A folder that cannot be written, a full disk.
    pub fn write(&self, path: &Path, format: AnswerFormat) -> Result<(), DataError> {
        let shown = path.display().to_string();
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}.tmp", std::process::id()));
        let temporary = path.with_file_name(name);
        let own = path.file_name().unwrap_or_default().to_string_lossy();
        remove_left_over(temporary.parent().unwrap_or(path), &format!("{own}."), ".tmp");
        let written = File::create(&temporary).and_then(|mut file| {
            match format {
                AnswerFormat::Parquet => self.parquet(&file)?,
                AnswerFormat::Csv => file.write_all(self.csv().as_bytes())?,
                AnswerFormat::JsonLines => file.write_all(self.json_lines().as_bytes())?,
            }
            file.sync_all()?;
            fs::rename(&temporary, path)
        });
        written.map_err(|e| {
            let _ = fs::remove_file(&temporary);
            DataError::io(&shown, e)
        })
    }

    fn parquet(&self, file: &File) -> io::Result<()> {
        let rows: Vec<u64> = (1..=self.texts.len() as u64).collect();
        let mut columns = vec![("row".to_owned(), Values::Whole(&rows))];
        for (name, texts) in self.words() {
            columns.push((name.to_owned(), Values::Texts(some(texts))));
        }
        for (class, name) in self.label_names.iter().enumerate() {
            let of = |row: &Vec<f32>| row.get(class).copied().unwrap_or(f32::NAN);
            columns.push((
                format!("p_{name}"),
                Values::Real(self.probabilities.iter().map(of).collect()),
            ));
        }
        for (target, name) in self.target_names.iter().enumerate() {
            let of = |row: &Vec<f64>| row.get(target).copied().unwrap_or(f64::NAN);
            columns.push((name.clone(), Values::Exact(self.values.iter().map(of).collect())));
        }
        parquet::write(file, self.texts.len(), columns)
    }

    /// The columns of texts.
    fn words(&self) -> impl Iterator<Item = (&'static str, &[String])> {
        let others = self.others.iter().map(|(name, texts)| (*name, texts.as_slice()));
        let predicted =
            (!self.predicted.is_empty()).then_some(("predicted", self.predicted.as_slice()));
        std::iter::once(("text", self.texts.as_slice())).chain(others).chain(predicted)
    }

    fn csv(&self) -> String {
        let names = self.words().map(|(name, _)| name.to_owned());
        let names = names.chain(self.label_names.iter().map(|name| format!("p_{name}")));
        let names = names.chain(self.target_names.iter().cloned());
        let mut text = String::from("row");
        for name in names {
            text.push(',');
            text.push_str(&field(&name));
        }
        text.push('\n');
        for at in 0..self.texts.len() {
            let _ = write!(text, "{}", at + 1);
            for (_, texts) in self.words() {
                let _ = write!(text, ",{}", field(texts.get(at).map_or("", String::as_str)));
            }
            for p in self.probabilities.get(at).into_iter().flatten() {
                let _ = write!(text, ",{p}");
            }
            for x in self.values.get(at).into_iter().flatten() {
                let _ = write!(text, ",{x}");
            }
            text.push('\n');
        }
        text
    }

    fn json_lines(&self) -> String {
        let mut text = String::new();
        for at in 0..self.texts.len() {
            let mut line = Map::new();
            line.insert("row".into(), json!(at + 1));
            for (name, texts) in self.words() {
                let words = texts.get(at).map_or("", String::as_str);
                // Lists are lists here.
                let list = super::targets::json_list(words).filter(|_| self.holds_lists(name));
                line.insert(name.into(), list.map_or_else(|| json!(words), |list| json!(list)));
            }
            let probabilities = self.probabilities.get(at).into_iter().flatten();
            for (name, p) in self.label_names.iter().zip(probabilities) {
                line.insert(format!("p_{name}"), json!(p));
            }
            for (name, x) in self.target_names.iter().zip(self.values.get(at).into_iter().flatten())
            {
                line.insert(name.clone(), json!(x));
            }
            let _ = writeln!(text, "{}", Value::Object(line));
        }
        text
    }

    /// Whether a column of texts holds lists: that of words, and what is predicted of several labels or tags.
    fn holds_lists(&self, column: &str) -> bool {
        let is_list = |text: &String| text.starts_with('[');
        let are_words = self.others.iter().any(|(name, _)| *name == "words");
        column == "words"
            || (column == "predicted"
                && (are_words || !self.predicted.iter().any(|p| self.label_names.contains(p)))
                && self.predicted.iter().all(is_list))
    }
}

fn some(texts: &[String]) -> Vec<Option<&str>> {
    texts.iter().map(|text| Some(text.as_str())).collect()
}

/// A field of RFC 4180: quoted where it must be. An empty text is quoted too, because an unquoted one
/// reads back as a missing one.
fn field(text: &str) -> String {
    if text.is_empty() || text.contains([',', '"', '\n', '\r']) || text.trim() != text {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset;
    use crate::spec::RunSpec;

    fn texts(name: &str, column: Option<&str>, root: &Path) -> Result<Vec<String>, DataError> {
        Ok(dataset::inputs(name, column, false, &RunSpec::default(), root)?.texts)
    }

    #[test]
    fn texts_come_back_from_every_format() {
        let answers = Answers {
            texts: vec!["a, \"b\"\r\nc".into(), String::new(), " 日本 ".into()],
            predicted: vec!["x,y".into(), "z".into(), "z".into()],
            probabilities: vec![vec![0.75, 0.25], vec![0.1, 0.9], vec![f32::NAN, f32::NAN]],
            label_names: vec!["x,y".into(), "z".into()],
            ..Answers::default()
        };
        let folder = tempfile::tempdir().unwrap();
        for name in ["a.parquet", "a.csv", "a.jsonl"] {
            let path = folder.path().join(name);
            answers.write(&path, AnswerFormat::of(&path).unwrap()).unwrap();
            assert_eq!(texts(name, Some("text"), folder.path()).unwrap(), answers.texts, "{name}");
            let predicted = texts(name, Some("predicted"), folder.path()).unwrap();
            assert_eq!(predicted, answers.predicted, "{name}");
            let p = &texts(name, Some("p_x,y"), folder.path());
            assert!(name != "a.csv" || p.as_ref().unwrap()[..2] == ["0.75", "0.1"], "{p:?}");
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
        assert_eq!(AnswerFormat::of(Path::new("x.xlsx")), None);
        let nowhere = folder.path().join("no/a.csv");
        assert!(answers.write(&nowhere, AnswerFormat::Csv).is_err());
    }
}
