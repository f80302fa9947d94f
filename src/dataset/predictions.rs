//! What a pass predicted for every row of a split: one Parquet file per pass, written by the trainer
//! and read by `confusion`, `errors`, `compare` and anything else that reads Parquet.
//!
//! Columns of a classifier's: `row` (number in the data file, from 1), `label` and `predicted` (class names), `loss`
//! (cross-entropy, natural logarithm), and `p_CLASS` with the probability of each class, in class order.

mod passes;
mod several;
mod tags;

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use super::error::DataError;
use super::parquet::{self, Cells, Table, Values};
use super::sink::Words;
use crate::spec::{Task, printable};

pub use self::passes::{Numbers, Sets};
pub use self::tags::Tags;

/// The predictions of one pass. All vectors but `label_names` and `probabilities` have one entry per row.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Predictions {
    /// Numbers of the rows in their data file, from 1.
    pub rows: Vec<u64>,
    /// True classes, indices into `label_names`.
    pub labels: Vec<u32>,
    /// Predicted classes, indices into `label_names`.
    pub predicted: Vec<u32>,
    /// Cross-entropy of each row.
    pub loss: Vec<f32>,
    /// `[class][row]`.
    pub probabilities: Vec<Vec<f32>>,
    /// The classes.
    pub label_names: Vec<String>,
}

/// The predictions of one pass of any task.
#[derive(Debug, Clone, PartialEq)]
pub enum Pass {
    /// One class per row.
    Classes(Predictions),
    /// Numbers.
    Numbers(Numbers),
    /// Any number of labels per row.
    Sets(Sets),
    /// A tag for each word.
    Tags(Tags),
}

impl Pass {
    /// Numbers of the rows in their data file, from 1.
    pub fn rows(&self) -> &[u64] {
        match self {
            Self::Classes(pass) => &pass.rows,
            Self::Numbers(pass) => &pass.rows,
            Self::Sets(pass) => &pass.rows,
            Self::Tags(pass) => &pass.rows,
        }
    }

    /// The loss of each row.
    pub fn loss(&self) -> &[f32] {
        match self {
            Self::Classes(pass) => &pass.loss,
            Self::Numbers(pass) => &pass.loss,
            Self::Sets(pass) => &pass.loss,
            Self::Tags(pass) => &pass.loss,
        }
    }
}

/// Writes the file whole or not at all: a temporary file beside it is synced and renamed.
///
/// # Errors
/// Vectors that do not fit together, a folder that cannot be written, a full disk.
pub fn write(path: &Path, predictions: &Predictions) -> Result<(), DataError> {
    save(path, predictions.rows.len(), columns(predictions))
}

/// As [`write`], for any task.
///
/// # Errors
/// As there.
pub fn write_pass(path: &Path, pass: &Pass) -> Result<(), DataError> {
    let columns = match pass {
        Pass::Classes(pass) => columns(pass),
        Pass::Numbers(pass) => pass.columns(),
        Pass::Sets(pass) => pass.columns(),
        Pass::Tags(pass) => pass.columns(),
    };
    save(path, pass.rows().len(), columns)
}

fn save(path: &Path, rows: usize, columns: Vec<(String, Values<'_>)>) -> Result<(), DataError> {
    let shown = path.display().to_string();
    let temporary = path.with_extension(format!("{}.tmp", std::process::id()));
    let written = File::create(&temporary).map_err(|e| DataError::io(&shown, e)).and_then(|file| {
        parquet::write(&file, rows, columns).map_err(|e| odd(&shown, &e.to_string()))?;
        file.sync_all().map_err(|e| DataError::io(&shown, e))?;
        fs::rename(&temporary, path).map_err(|e| DataError::io(&shown, e))
    });
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    written
}

/// Reads a file that [`write`] made.
///
/// # Errors
/// A file that is missing, torn, or without the columns that [`write`] gives it.
pub fn read(path: &Path) -> Result<Predictions, DataError> {
    of_columns(cells(path)?).map_err(|why| odd(&path.display().to_string(), why))
}

/// Reads a file that [`write_pass`] made for a run of that task.
///
/// # Errors
/// As [`read`].
pub fn read_pass(path: &Path, task: Task) -> Result<Pass, DataError> {
    let found = match task {
        Task::Classify | Task::Lm => return read(path).map(Pass::Classes),
        Task::Regress => Numbers::of(cells(path)?).map(Pass::Numbers),
        Task::Multilabel => Sets::of(cells(path)?).map(Pass::Sets),
        Task::Tag => Tags::of(cells(path)?).map(Pass::Tags),
    };
    found.ok_or_else(|| odd(&path.display().to_string(), "it lacks columns of the task"))
}

fn cells(path: &Path) -> Result<Vec<(String, Cells)>, DataError> {
    let shown = path.display().to_string();
    let file = File::open(path).map_err(|e| DataError::io(&shown, e))?;
    let cells = Table::open(file, &shown).and_then(|mut table| table.cells(&shown));
    cells.map_err(|e| odd(&shown, &e.to_string()))
}

/// The file of a split's latest pass in a run's folder of predictions (`test-0003.parquet`), with its
/// epoch; `None` if there is none.
pub fn latest(folder: &Path, split: &str) -> Option<(u32, PathBuf)> {
    passes(folder)
        .into_iter()
        .filter(|(s, ..)| s == split)
        .map(|(_, e, path)| (e, path))
        .next_back()
}

/// Every pass in a run's folder of predictions: split, epoch and file, sorted. What has another kind of
/// name is not listed.
pub fn passes(folder: &Path) -> Vec<(String, u32, PathBuf)> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let pass = |path: PathBuf| {
        let name = path.file_name()?.to_str()?.strip_suffix(".parquet")?;
        let (split, epoch) = name.split_once('-')?;
        Some((split.to_owned(), epoch.parse().ok()?, path))
    };
    let mut found: Vec<_> = entries.flatten().filter_map(|e| pass(e.path())).collect();
    found.sort();
    found
}

fn columns(p: &Predictions) -> Vec<(String, Values<'_>)> {
    let name = |class: &u32| p.label_names.get(*class as usize).map(String::as_str);
    let names = |classes: &[u32]| Values::Texts(classes.iter().map(name).collect());
    let mut columns = vec![
        ("row".to_owned(), Values::Whole(&p.rows)),
        ("label".to_owned(), names(&p.labels)),
        ("predicted".to_owned(), names(&p.predicted)),
        ("loss".to_owned(), Values::Real(p.loss.clone())),
    ];
    for (class, values) in p.label_names.iter().zip(&p.probabilities) {
        columns.push((format!("p_{class}"), Values::Real(values.clone())));
    }
    columns
}

fn of_columns(columns: Vec<(String, Cells)>) -> Result<Predictions, &'static str> {
    let mut found = Predictions::default();
    let (mut labels, mut predicted) = (None, None);
    let mut is_whole = [false; 2];
    for (name, cells) in columns {
        match (name.as_str(), name.strip_prefix("p_"), cells) {
            ("row", _, Cells::Numbers(numbers)) => {
                found.rows = numbers.iter().map(|x| *x as u64).collect();
                is_whole[0] = true;
            }
            ("loss", _, Cells::Numbers(numbers)) => {
                found.loss = numbers.iter().map(|x| *x as f32).collect();
                is_whole[1] = true;
            }
            ("label", _, Cells::Words(words)) => labels = Some(words),
            ("predicted", _, Cells::Words(words)) => predicted = Some(words),
            (_, Some(class), Cells::Numbers(numbers)) => {
                found.label_names.push(class.to_owned());
                found.probabilities.push(numbers.iter().map(|x| *x as f32).collect());
            }
            _ => {}
        }
    }
    let names = &found.label_names;
    let ids_of = |words: Option<Words>| {
        let words = words.ok_or("it has no column of classes")?;
        let class = |word: &String| names.iter().position(|n| n == word).map(|id| id as u32);
        let ids: Vec<Option<u32>> = words.words.iter().map(class).collect();
        let known = |id: &u32| ids.get(*id as usize).copied().flatten();
        let known = words.ids.iter().map(known).collect::<Option<Vec<u32>>>();
        known.ok_or("a class has no column of its probabilities")
    };
    (found.labels, found.predicted) = (ids_of(labels)?, ids_of(predicted)?);
    if is_whole == [true; 2] { Ok(found) } else { Err("it has no column of rows or losses") }
}

fn odd(path: &str, why: &str) -> DataError {
    let first = why.lines().next().unwrap_or_default();
    DataError::within(path, format!("not a file of predictions ({})", printable(first, 120)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Predictions {
        Predictions {
            rows: vec![17, 4],
            labels: vec![0, 1],
            predicted: vec![1, 1],
            loss: vec![1.25, 0.5],
            probabilities: vec![vec![0.25, 0.5], vec![0.75, 0.5]],
            label_names: vec!["p_odd \u{1b}[2J".into(), "日本".into()],
        }
    }

    #[test]
    fn what_is_written_reads_back_and_no_other_file_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("test.parquet");
        for predictions in [sample(), Predictions { label_names: vec![], ..Predictions::default() }]
        {
            write(&path, &predictions).unwrap();
            assert_eq!(read(&path).unwrap(), predictions);
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn passes_of_every_task_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("test.parquet");
        let words = |list: &[&str]| list.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>();
        let (rows, loss) = (vec![3, 1], vec![0.5, 0.25]);
        let numbers = Numbers {
            rows: rows.clone(),
            loss: loss.clone(),
            names: words(&["x", "target_y"]),
            truth: vec![vec![0.1, 2.0], vec![1e9, -1.0]],
            predicted: vec![vec![0.3, f64::NAN], vec![1e9 + 0.5, 0.0]],
        };
        let sets = Sets {
            rows: rows.clone(),
            loss: loss.clone(),
            names: words(&["a", "b\"c"]),
            truth: vec![vec![true, false], vec![true, false]],
            probabilities: vec![vec![0.9, 0.1], vec![0.2, 0.5]],
        };
        let tags = Tags {
            rows,
            loss,
            words: vec![words(&["New", "York"]), words(&["日本"])],
            truth: vec![words(&["B-LOC", "I-LOC"]), words(&["O"])],
            predicted: vec![words(&["O", "O"]), words(&["O"])],
            names: words(&["O", "B-LOC", "I-LOC"]),
            log_p: vec![vec![-0.25, -2.5, -3.0, 0.0, -9.75, -11.0], vec![-0.5, -1.0, -100.0]],
        };
        let older = Tags { names: Vec::new(), log_p: Vec::new(), ..tags.clone() };
        assert_eq!(sets.of_row(0), (vec!["a", "b\"c"], vec!["a"]));
        assert_eq!(sets.of_row(1), (vec![], vec!["b\"c"]));
        write_pass(&path, &Pass::Numbers(numbers.clone())).unwrap();
        let Pass::Numbers(back) = read_pass(&path, Task::Regress).unwrap() else { panic!() };
        assert!(back.predicted[0][1].is_nan());
        assert_eq!((back.names, back.truth), (numbers.names, numbers.truth));
        assert!(read_pass(&path, Task::Multilabel).is_err() && read(&path).is_err());
        let all = [
            (Pass::Sets(sets), Task::Multilabel),
            (Pass::Tags(tags), Task::Tag),
            (Pass::Tags(older), Task::Tag),
        ];
        for (pass, task) in all {
            write_pass(&path, &pass).unwrap();
            assert_eq!(read_pass(&path, task).unwrap(), pass);
            assert!(read(&path).is_err());
        }
    }

    #[test]
    fn passes_are_found_by_their_names_in_the_order_of_epochs() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["val-0010.parquet", "val-0002.parquet", "test-0002.parquet", "val-3.tmp", "x"]
        {
            fs::write(folder.path().join(name), b"").unwrap();
        }
        let found = passes(folder.path());
        let seen: Vec<_> = found.iter().map(|(split, epoch, _)| (split.as_str(), *epoch)).collect();
        assert_eq!(seen, [("test", 2), ("val", 2), ("val", 10)]);
        assert_eq!(latest(folder.path(), "val").unwrap().0, 10);
        assert_eq!(latest(folder.path(), "train"), None);
        assert_eq!(latest(&folder.path().join("none"), "val"), None);
    }

    #[test]
    fn what_cannot_be_read_or_written_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.parquet");
        let uneven = Predictions { loss: vec![], ..sample() };
        assert!(
            write(&path, &uneven).unwrap_err().to_string().contains("not a file of predictions")
        );
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        fs::write(&path, b"PAR1 torn").unwrap();
        assert!(
            read(&path).unwrap_err().to_string().contains("x.parquet: not a file of predictions")
        );
        assert!(
            read(&folder.path().join("none")).unwrap_err().to_string().contains("No such file")
        );
    }
}
