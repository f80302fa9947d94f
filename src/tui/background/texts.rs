use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use crate::analysis::compare::same_rows;
use crate::analysis::errors::{self, Case, Cell};
use crate::analysis::export::{self, Format};
use crate::analysis::mistakes::{Mistake, What, mistakes};
use crate::board::Board;
use crate::dataset::predictions::{self, Predictions};
use crate::dataset::{self, Dataset};
use crate::spec::{RunId, Task, locate};
use crate::store::{Reader, Run, Split};

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
    /// Of labels and entities: what was missed and what was added.
    pub differs: Option<String>,
    /// What the others predicted; `None` for one that never saw the row.
    pub others: Vec<Option<String>>,
}

impl From<Mistake> for TextRow {
    fn from(mistake: Mistake) -> Self {
        let is_number = matches!(mistake.what, What::Number { .. });
        Self {
            row: mistake.row,
            text: mistake.text,
            label: mistake.truth,
            predicted: mistake.predicted,
            loss: mistake.loss,
            confidence: f32::NAN,
            differs: (!is_number).then(|| mistake.what.words()),
            others: Vec::new(),
        }
    }
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

/// A file and when it was changed last.
type Stamp = (PathBuf, Option<SystemTime>);
/// What decides the rows of a data set: the keys' values, and the file.
type DataKey = (Vec<String>, Stamp);

/// Files read lately.
#[derive(Debug, Default)]
pub struct Files {
    passes: Vec<(Stamp, Arc<Predictions>)>,
    data: Option<(DataKey, Arc<Dataset>)>,
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

    fn data(&mut self, board: &Board, run: &Run) -> Result<Arc<Dataset>, String> {
        let key =
            (run.spec.rows_identity(), stamp(locate::data_path(board.root(), &run.spec.data)));
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
    ) -> Result<Arc<Predictions>, String> {
        let folder = board.predictions(id);
        let (_, path) = predictions::latest(&folder, &split.to_string())
            .ok_or_else(|| format!("{id} keeps no predictions of {split} rows."))?;
        self.pass(path)
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

    /// The mistakes of a run whose task has no classes; `None` for one that classifies.
    fn others(
        &mut self,
        board: &Board,
        question: &TextsQuestion,
    ) -> Result<Option<Others>, String> {
        let TextsQuestion { run: id, split, epoch, filter, .. } = *question;
        let reader = Reader::open(&board.database()).map_err(|e| e.to_string())?;
        let run = reader.run(id).map_err(|e| e.to_string())?;
        let Some(run) = run.filter(|run| run.spec.task != Task::Classify) else { return Ok(None) };
        if !matches!(filter, Filter::Cell(..) | Filter::Wrong) {
            let task = run.spec.task;
            return Err(format!("{id} learnt task={task}: its mistakes are shown by themselves."));
        }
        let path = board.predictions_of(id, split, epoch);
        if !path.exists() {
            return Err(format!("{id} keeps no predictions of {split} rows after epoch {epoch}."));
        }
        let pass = predictions::read_pass(&path, run.spec.task).map_err(|e| e.to_string())?;
        let (data, problem) = match self.data(board, &run) {
            Ok(data) => (data, None),
            Err(why) => (Arc::default(), Some(why)),
        };
        let seen = run.facts.as_ref().map_or("", |f| f.data_hash.as_str());
        let known = errors::texts(&data, &split.to_string(), seen);
        Ok(Some(Others { of: pass.rows().len(), found: mistakes(&pass, &known), problem }))
    }

    fn fill(&mut self, board: &Board, texts: &mut Texts) -> Result<(), String> {
        if let Some(others) = self.others(board, &texts.question)? {
            (texts.of, texts.total, texts.problem) =
                (others.of, others.found.len(), others.problem);
            texts.rows = others.found.into_iter().take(MOST).map(TextRow::from).collect();
            return Ok(());
        }
        let asked = self.read(board, &texts.question)?;
        texts.of = asked.own.rows.len();
        texts.labels.clone_from(&asked.own.label_names);
        texts.problem.clone_from(&asked.problem);
        let by_row = asked.texts();
        let (wrong, right, cell, _) = asked.sides()?;
        let mut found = errors::cases(&wrong, &right, cell, &by_row);
        texts.total = found.len();
        let said: Vec<HashMap<u64, u32>> = asked
            .beside
            .iter()
            .map(|pass| {
                let pass = pass.iter().flat_map(|p| p.rows.iter().zip(&p.predicted));
                pass.map(|(row, class)| (*row, *class)).collect()
            })
            .collect();
        let name = |class: &u32| asked.own.label_names.get(*class as usize).cloned();
        // Verdicts come in the order of `wrong`, then `right`.
        let place = if asked.question.filter == Filter::Won { wrong.len() } else { 0 };
        // The loss that is shown is that of the run, and the order is by it.
        let loss = |case: &Case<'_>| case.verdicts.get(place).map_or(f32::NAN, |v| v.loss);
        let rank = |case: &Case<'_>| if loss(case).is_nan() { f32::INFINITY } else { loss(case) };
        found.sort_by(|a, b| rank(b).total_cmp(&rank(a)));
        let row = |case: Case<'_>| {
            let verdict = case.verdicts.get(place)?;
            Some(TextRow {
                row: case.row,
                text: case.text.map(str::to_owned),
                label: case.label.to_owned(),
                predicted: verdict.predicted.to_owned(),
                loss: verdict.loss,
                confidence: verdict.probability,
                differs: None,
                others: said.iter().map(|said| said.get(&case.row).and_then(name)).collect(),
            })
        };
        texts.rows = found.into_iter().take(MOST).filter_map(row).collect();
        if texts.problem.is_none() && texts.rows.iter().any(|row| row.text.is_none()) {
            let data = &asked.run.spec.data;
            texts.problem = Some(format!("{data} has changed since: some rows are not in it."));
        }
        Ok(())
    }

    /// What a question is answered from.
    fn read(&mut self, board: &Board, question: &TextsQuestion) -> Result<Asked, String> {
        let TextsQuestion { run: id, split, epoch, filter, others } = question.clone();
        let path = board.predictions_of(id, split, epoch);
        if !path.exists() {
            return Err(format!("{id} keeps no predictions of {split} rows after epoch {epoch}."));
        }
        let own = self.pass(path)?;
        let reader = Reader::open(&board.database()).map_err(|e| e.to_string())?;
        let run = |id: RunId| {
            let run = reader.run(id).map_err(|e| e.to_string())?;
            run.ok_or_else(|| format!("{id} does not exist any more."))
        };
        let mine = run(id)?;
        let mut beside: Vec<Option<Arc<Predictions>>> = Vec::new();
        for other in &others {
            let pass = self.latest(board, *other, split).and_then(|pass| {
                same_rows((&mine, &own), (&run(*other)?, &pass))?;
                Ok(pass)
            });
            match pass {
                Ok(pass) => beside.push(Some(pass)),
                // Who has nothing to say on a run's own mistakes is left out.
                Err(_) if matches!(filter, Filter::Cell(..) | Filter::Wrong) => beside.push(None),
                Err(why) => return Err(why),
            }
        }
        // Without its data file a row still tells its classes and its loss.
        let (data, problem) = match self.data(board, &mine) {
            Ok(data) => (data, None),
            Err(why) => (Arc::default(), Some(why)),
        };
        Ok(Asked { question: question.clone(), run: mine, own, beside, data, problem })
    }
}

/// What is wrong in a pass of a task without classes.
struct Others {
    found: Vec<Mistake>,
    /// Rows of the pass.
    of: usize,
    /// Why there are no texts.
    problem: Option<String>,
}

/// What a question is answered from: the passes of its run and of the others, and their texts.
struct Asked {
    question: TextsQuestion,
    run: Run,
    own: Arc<Predictions>,
    /// In the order of the question's others; `None` for one that has nothing to say.
    beside: Vec<Option<Arc<Predictions>>>,
    data: Arc<Dataset>,
    /// Why there are no texts.
    problem: Option<String>,
}

/// Passes that are to be wrong, passes that are to be right, the cell, and whose they are in that order.
type Sides<'a> = (Vec<&'a Predictions>, Vec<&'a Predictions>, Cell, Vec<RunId>);

impl Asked {
    fn texts(&self) -> HashMap<u64, &str> {
        let seen = self.run.facts.as_ref().map_or("", |f| f.data_hash.as_str());
        errors::texts(&self.data, &self.question.split.to_string(), seen)
    }

    fn sides(&self) -> Result<Sides<'_>, String> {
        let own = &*self.own;
        let others = self.question.others.iter().zip(&self.beside);
        let (ids, rest): (Vec<RunId>, Vec<&Predictions>) =
            others.filter_map(|(id, pass)| Some((*id, pass.as_deref()?))).unzip();
        let me = vec![self.question.run];
        Ok(match self.question.filter {
            Filter::Cell(truth, predicted) => {
                let (truth, predicted) = (Some(truth as u32), Some(predicted as u32));
                (vec![own], vec![], Cell { truth, predicted }, me)
            }
            Filter::Wrong => (vec![own], vec![], Cell::default(), me),
            _ if rest.is_empty() => {
                return Err("Mark other runs on the runs screen first.".to_owned());
            }
            Filter::WrongInAll => {
                ([vec![own], rest].concat(), vec![], Cell::default(), [me, ids].concat())
            }
            Filter::Won => (rest, vec![own], Cell::default(), [ids, me].concat()),
            Filter::Lost => (vec![own], rest, Cell::default(), [me, ids].concat()),
        })
    }
}

/// Writes every row that a question asks for into a CSV file, and says how many there are.
pub fn export_texts(board: &Board, question: TextsQuestion, path: &Path) -> Result<usize, String> {
    if let Some(others) = Files::default().others(board, &question)? {
        export::save(export::mistakes(&others.found)?, Format::Csv, path)?;
        return Ok(others.found.len());
    }
    let asked = Files::default().read(board, &question)?;
    let by_row = asked.texts();
    let (wrong, right, cell, ids) = asked.sides()?;
    let found = errors::cases(&wrong, &right, cell, &by_row);
    export::save(export::cases(&found, &ids)?, Format::Csv, path)?;
    Ok(found.len())
}
