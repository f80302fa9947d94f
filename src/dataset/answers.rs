use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;

use serde_json::{Map, Value, json};

use super::error::DataError;
use super::left_over::remove_left_over;
use super::parquet::{self, Values};

/// What a model says of texts whose classes nobody knows. All vectors but the names have one entry per
/// text; `probabilities` are `[text][class]`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Answers {
    /// The texts.
    pub texts: Vec<String>,
    /// The most probable class of each, by name.
    pub predicted: Vec<String>,
    /// Of each text, in the order of the classes; NaN where a diverged model said so.
    pub probabilities: Vec<Vec<f32>>,
    /// The classes.
    pub label_names: Vec<String>,
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
    /// Writes the columns `row` (from 1), `text`, `predicted` and `p_CLASS` of each class; whole or not
    /// at all.
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
        let mut columns = vec![
            ("row".to_owned(), Values::Whole(&rows)),
            ("text".to_owned(), Values::Texts(some(&self.texts))),
            ("predicted".to_owned(), Values::Texts(some(&self.predicted))),
        ];
        for (class, name) in self.label_names.iter().enumerate() {
            columns.push((format!("p_{name}"), Values::Real(self.probability(class).collect())));
        }
        parquet::write(file, self.texts.len(), columns)
    }

    fn probability(&self, class: usize) -> impl Iterator<Item = f32> {
        self.probabilities.iter().map(move |row| row.get(class).copied().unwrap_or(f32::NAN))
    }

    fn csv(&self) -> String {
        let mut text = String::from("row,text,predicted");
        for name in &self.label_names {
            text.push(',');
            text.push_str(&field(&format!("p_{name}")));
        }
        text.push('\n');
        for (at, (words, predicted)) in self.texts.iter().zip(&self.predicted).enumerate() {
            let _ = write!(text, "{},{},{}", at + 1, field(words), field(predicted));
            for p in self.probabilities.get(at).into_iter().flatten() {
                let _ = write!(text, ",{p}");
            }
            text.push('\n');
        }
        text
    }

    fn json_lines(&self) -> String {
        let mut text = String::new();
        for (at, (words, predicted)) in self.texts.iter().zip(&self.predicted).enumerate() {
            let mut line = Map::new();
            line.insert("row".into(), json!(at + 1));
            line.insert("text".into(), json!(words));
            line.insert("predicted".into(), json!(predicted));
            let probabilities = self.probabilities.get(at).into_iter().flatten();
            for (name, p) in self.label_names.iter().zip(probabilities) {
                line.insert(format!("p_{name}"), json!(p));
            }
            let _ = writeln!(text, "{}", Value::Object(line));
        }
        text
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
    use crate::dataset::{self, Options};

    fn texts(name: &str, column: Option<&str>, root: &Path) -> Result<Vec<String>, DataError> {
        dataset::texts(name, column, &Options::default(), root)
    }

    #[test]
    fn texts_come_back_from_every_format() {
        let answers = Answers {
            texts: vec!["a, \"b\"\r\nc".into(), String::new(), " 日本 ".into()],
            predicted: vec!["x,y".into(), "z".into(), "z".into()],
            probabilities: vec![vec![0.75, 0.25], vec![0.1, 0.9], vec![f32::NAN, f32::NAN]],
            label_names: vec!["x,y".into(), "z".into()],
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
