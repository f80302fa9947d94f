use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use crate::analysis::texts::{Which, judged, right_and_wrong, wrong_in_all};
use crate::board::Board;
use crate::dataset::predictions::{self, Predictions};
use crate::dataset::{self, Dataset};
use crate::order::DATA_KEYS;
use crate::spec::{RunId, locate};
use crate::store::{Reader, Split};

/// Texts behind figures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextsQuestion {
    /// The run whose losses and probabilities are shown.
    pub run: RunId,
    /// Which rows.
    pub split: Split,
    /// After which epoch.
    pub epoch: u32,
    /// Which of them.
    pub filter: Filter,
    /// The runs that the filter takes in besides.
    pub others: Vec<RunId>,
}

/// Which rows of a pass are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filter {
    /// Those of one cell of the confusion matrix, by class: the true one, the predicted one.
    Cell(usize, usize),
    /// All mistakes.
    Wrong,
    /// Those that this run and all others get wrong: labels to look at.
    WrongInAll,
    /// Those that this run gets right and the other one wrong.
    Won,
    /// Those that this run gets wrong and the other one right.
    Lost,
}

/// A row with its text.
#[derive(Debug, Clone, PartialEq)]
pub struct TextRow {
    /// Its number in the data file, from 1.
    pub row: u64,
    /// Its text as in the file; `None` if the file has changed.
    pub text: Option<String>,
    /// The true class.
    pub label: String,
    /// The predicted class.
    pub predicted: String,
    /// Cross-entropy.
    pub loss: f32,
    /// The probability of the predicted class.
    pub confidence: f32,
    /// What the others predicted; `None` for one that never saw the row.
    pub others: Vec<Option<String>>,
}

/// The answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Texts {
    /// What it answers.
    pub question: TextsQuestion,
    /// The rows, highest loss first.
    pub rows: Vec<TextRow>,
    /// The classes.
    pub labels: Vec<String>,
    /// Rows that match; more than are listed.
    pub total: usize,
    /// Rows of the pass.
    pub of: usize,
    /// Why there are none, or what is odd about them; one sentence.
    pub problem: Option<String>,
}

/// Rows listed at most.
const MOST: usize = 2000;
/// Passes kept in memory.
const KEPT: usize = 10;

type Stamp = (PathBuf, Option<SystemTime>);

/// Files read lately.
#[derive(Debug, Default)]
pub struct Files {
    passes: Vec<(Stamp, Arc<Predictions>)>,
    data: Option<((Vec<String>, Stamp), Arc<Dataset>)>,
}

fn stamp(path: PathBuf) -> Stamp {
    let modified = fs::metadata(&path).and_then(|m| m.modified()).ok();
    (path, modified)
}

impl Files {
    /// The predictions in a file; read once while it does not change.
    pub fn pass(&mut self, path: PathBuf) -> Result<Arc<Predictions>, String> {
        let stamp = stamp(path);
        if let Some((_, known)) = self.passes.iter().find(|(of, _)| *of == stamp) {
            return Ok(Arc::clone(known));
        }
        let read = Arc::new(predictions::read(&stamp.0).map_err(|e| e.to_string())?);
        if self.passes.len() >= KEPT {
            self.passes.remove(0);
        }
        self.passes.push((stamp, Arc::clone(&read)));
        Ok(read)
    }

    fn data(&mut self, board: &Board, run: &crate::store::Run) -> Result<Arc<Dataset>, String> {
        let words = DATA_KEYS.iter().map(|k| run.spec.get(k).unwrap_or_default()).collect();
        let key = (words, stamp(locate::data_path(board.root(), &run.spec.data)));
        if let Some((of, known)) = &self.data
            && *of == key
        {
            return Ok(Arc::clone(known));
        }
        let read = dataset::load(&run.spec, board.root()).map_err(|e| e.to_string())?;
        let read = Arc::new(read);
        self.data = Some((key, Arc::clone(&read)));
        Ok(read)
    }

    /// Another run's latest pass over the same rows.
    fn latest(
        &mut self,
        board: &Board,
        id: RunId,
        split: Split,
        own: &Predictions,
    ) -> Result<Arc<Predictions>, String> {
        let folder = board.predictions(id);
        let (_, path) = predictions::latest(&folder, &split.to_string())
            .ok_or_else(|| format!("{id} keeps no predictions of {split} rows."))?;
        let pass = self.pass(path)?;
        if pass.label_names == own.label_names {
            Ok(pass)
        } else {
            Err(format!("{id} knows other classes."))
        }
    }

    /// The texts that a question asks for.
    pub fn texts(&mut self, board: &Board, question: TextsQuestion) -> Texts {
        let mut texts = Texts {
            question,
            rows: Vec::new(),
            labels: Vec::new(),
            total: 0,
            of: 0,
            problem: None,
        };
        if let Err(why) = self.fill(board, &mut texts) {
            texts.problem = Some(why);
        }
        texts
    }

    fn fill(&mut self, board: &Board, texts: &mut Texts) -> Result<(), String> {
        let TextsQuestion { run: id, split, epoch, filter, others } = texts.question.clone();
        let path = board.predictions_of(id, split, epoch);
        if !path.exists() {
            return Err(format!("{id} keeps no predictions of {split} rows after epoch {epoch}."));
        }
        let own = self.pass(path)?;
        texts.of = own.rows.len();
        texts.labels.clone_from(&own.label_names);
        let mut beside: Vec<Option<Arc<Predictions>>> = Vec::new();
        for other in &others {
            let needed = !matches!(filter, Filter::Cell(..) | Filter::Wrong);
            match self.latest(board, *other, split, &own) {
                Ok(pass) => beside.push(Some(pass)),
                Err(why) if needed => return Err(why),
                Err(_) => beside.push(None),
            }
        }
        let rows: BTreeSet<u64> = match (filter, beside.first()) {
            (Filter::Cell(..) | Filter::Wrong, _) => BTreeSet::new(),
            (Filter::WrongInAll, Some(_)) => {
                let all: Vec<&Predictions> =
                    std::iter::once(&*own).chain(beside.iter().flatten().map(|p| &**p)).collect();
                wrong_in_all(&all)
            }
            (Filter::Won, Some(Some(other))) => right_and_wrong(&own, other),
            (Filter::Lost, Some(Some(other))) => right_and_wrong(other, &own),
            _ => return Err("Mark other runs on the runs screen first.".to_owned()),
        };
        let which = match filter {
            Filter::Cell(truth, predicted) => {
                Which::Cell { truth: truth as u32, predicted: predicted as u32 }
            }
            Filter::Wrong => Which::Wrong,
            _ => Which::Rows(&rows),
        };
        let reader = Reader::open(&board.database()).map_err(|e| e.to_string())?;
        let run = reader.run(id).map_err(|e| e.to_string())?.ok_or("The run is gone.")?;
        // Without its data file a row still tells its classes and its loss.
        let data = match self.data(board, &run) {
            Ok(data) => data,
            Err(why) => {
                texts.problem = Some(why);
                Arc::default()
            }
        };
        let found = judged(&own, &data, &split.to_string(), which, usize::MAX);
        texts.total = found.len();
        let said: Vec<HashMap<u64, u32>> = beside
            .iter()
            .map(|pass| {
                let pass = pass.iter().flat_map(|p| p.rows.iter().zip(&p.predicted));
                pass.map(|(row, class)| (*row, *class)).collect()
            })
            .collect();
        let name = |class: &u32| own.label_names.get(*class as usize).cloned();
        texts.rows = found
            .into_iter()
            .take(MOST)
            .map(|found| TextRow {
                row: found.row,
                text: found.text.map(str::to_owned),
                label: found.label.to_owned(),
                predicted: found.predicted.to_owned(),
                loss: found.loss,
                confidence: found.confidence,
                others: said.iter().map(|said| said.get(&found.row).and_then(name)).collect(),
            })
            .collect();
        if texts.problem.is_none() && texts.rows.iter().any(|row| row.text.is_none()) {
            let data = &run.spec.data;
            texts.problem = Some(format!("{data} has changed since: some rows are not in it."));
        }
        Ok(())
    }
}
