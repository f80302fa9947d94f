//! Tasks on texts that go through an encoder with a head, as objectives. What they differ in is an [`Aim`].

use std::collections::BTreeMap;

use serde_json::Value;
use tch::{Kind, Tensor};
use tuneboard::dataset::Dataset;
use tuneboard::events::{Number, Split};
use tuneboard::spec::{Init, RunSpec, Task, metrics};

use super::encoded::{Encoded, Head};
use super::{Learner, Objective, Opened, Pass, Setup, StepLoss, Stop};
use crate::checkpoint::{Assets, TASK};
use crate::error::TrainError;
use crate::model::{Loaded, Memory, Parameter};
use crate::outcome::Outcome;
use crate::splits;
use crate::state::Tally;

/// What a task makes of the head's scores.
pub trait Aim {
    /// What the targets of some rows count together. The loss of a step is the sum over its targets, divided by this.
    fn weight(&self, rows: &[u32]) -> f64 {
        rows.len() as f64
    }

    /// Of the head's scores of some rows, 32-bit, `[rows, outputs]` or those of their tokens: the sum of the losses,
    /// `[]`, how many targets are met, int64 `[]`, and how many there are.
    ///
    /// # Errors
    /// What libtorch reports.
    fn learning(&self, scores: &Tensor, rows: &[u32]) -> Result<(Tensor, Tensor, u64), TrainError>;

    /// See [`Objective::has_examples`].
    fn has_examples(&self) -> bool {
        true
    }

    /// See [`Objective::train_values`].
    fn train_values(&self, tally: &Tally) -> BTreeMap<String, Number> {
        let rows = tally.rows as f64;
        BTreeMap::from([
            (metrics::LOSS.to_owned(), Number(tally.loss / rows)),
            (metrics::EXAMPLES_PER_S.to_owned(), Number(rows / tally.seconds)),
            (metrics::TOKENS_PER_S.to_owned(), Number(tally.tokens as f64 / tally.seconds)),
        ])
    }

    /// See [`Objective::evaluate`].
    ///
    /// # Errors
    /// As there.
    fn evaluate(
        &mut self,
        texts: &mut Encoded,
        split: Split,
        most: Option<u64>,
        stop: &Stop,
    ) -> Result<Option<Outcome>, TrainError>;

    /// See [`Objective::tuned`].
    fn tuned(&self) -> Vec<(String, Value)> {
        Vec::new()
    }

    /// See [`Objective::take_up`].
    fn take_up(&mut self, config: &Value) {
        let _ = config;
    }
}

/// The sum of the losses of some rows, for an [`Aim`] whose targets are met more or less.
///
/// # Errors
/// What libtorch reports.
pub fn unmet(loss: Tensor, rows: &[u32]) -> Result<(Tensor, Tensor, u64), TrainError> {
    let right = Tensor::f_zeros([], (Kind::Int64, loss.device()))?;
    Ok((loss, right, rows.len() as u64))
}

/// What `outcome` makes of rows of a split and of the head's scores of them, `[rows * outputs]`, row by row.
///
/// # Errors
/// What libtorch reports.
pub fn scored(
    texts: &mut Encoded,
    (split, most): (Split, Option<u64>),
    stop: &Stop,
    outcome: impl FnOnce(&[u32], &[f32]) -> Outcome,
) -> Result<Option<Outcome>, TrainError> {
    let rows = splits::sample(texts.rows(split), most);
    let all = texts.scores(&rows, stop)?;
    Ok(all.map(|all| outcome(&rows, &all.values)))
}

/// A task on texts.
pub struct OfTexts<A> {
    /// Their encoder with its head.
    pub texts: Encoded,
    /// What is learnt of them.
    pub aim: A,
}

/// A model with one output for each of the data's labels or targets. `aim` is what they mean; it also gives
/// entries of config.json that never change.
///
/// # Errors
/// As [`super::open`].
pub fn open<A: Aim + 'static>(
    setup: &Setup,
    data: Dataset,
    task: Task,
    aim: impl FnOnce(&Encoded, Dataset) -> Result<(A, Vec<(String, Value)>), TrainError>,
) -> Result<Opened, TrainError> {
    let labels = data.label_names.clone();
    let texts = Encoded::open(setup, &data, |config| Head {
        outputs: labels.len(),
        of_tokens: false,
        keep: keeps_head(config, task, &labels),
    })?;
    let notes = notes(setup.spec, &texts.model);
    let assets = Assets::new(&setup.source.folder, &texts.model, task, &labels)?;
    let assets = assets.of_pairs(!data.pairs.is_empty());
    let (aim, entries) = aim(&texts, data)?;
    Ok(Opened { objective: Box::new(OfTexts { texts, aim }), assets: assets.and(entries), notes })
}

/// What a person should know of how the head starts.
pub fn notes(spec: &RunSpec, model: &Loaded) -> Vec<String> {
    let head = if model.head_given { "its head is kept" } else { "the head is new" };
    match spec.init {
        Init::Run(parent) => vec![format!("Goes on from the best checkpoint of {parent}; {head}.")],
        _ if !model.head_given => vec!["The head is new.".to_owned()],
        _ => Vec::new(),
    }
}

/// Whether a checkpoint's head can be one for these labels: it was trained on the same task and labels, or
/// another program says that it was on such a task.
pub fn keeps_head(config: &Value, task: Task, labels: &[String]) -> bool {
    let own = config.get(TASK).and_then(Value::as_str);
    let Some(names) = config.get("tuneboard_pool").and(config.get("id2label")) else {
        let problem = config.get("problem_type").and_then(Value::as_str);
        return match task {
            Task::Regress => problem == Some("regression"),
            Task::Multilabel => problem == Some("multi_label_classification"),
            Task::Tag => true,
            Task::Classify | Task::Lm => false,
        };
    };
    let same = |(at, label): (usize, &String)| names[at.to_string()].as_str() == Some(label);
    own == Some(&task.to_string())
        && names.as_object().is_some_and(|names| names.len() == labels.len())
        && labels.iter().enumerate().all(same)
}

impl<A: Aim> Objective for OfTexts<A> {
    fn parameters(&self) -> &[Parameter] {
        &self.texts.model.parameters
    }

    fn memory(&self) -> Option<&Memory> {
        self.texts.model.network.memory()
    }

    fn steps(&self) -> u64 {
        self.texts.steps()
    }

    fn begin(&mut self, epoch: u32, step: u64, stop: &Stop) -> Result<bool, TrainError> {
        self.texts.begin(epoch, step, stop)
    }

    fn step(
        &mut self,
        index: u64,
        halvings: u32,
        learner: &mut Learner,
    ) -> Result<Vec<Pass>, TrainError> {
        let total = self.aim.weight(&self.texts.batches(index).concat());
        // Targets that all weigh nothing teach nothing.
        let total = if total > 0.0 { total } else { 1.0 };
        self.texts.step(index, halvings, learner, |scores, rows| {
            let (loss, right, targets) = self.aim.learning(scores, rows)?;
            Ok((loss.f_div_scalar(total)?, right, targets))
        })
    }

    fn step_loss(&self, sum: f64, targets: u64) -> StepLoss {
        StepLoss { mean: sum, sum: sum * targets as f64 }
    }

    fn can_halve(&self) -> bool {
        self.texts.can_halve()
    }

    fn has_examples(&self) -> bool {
        self.aim.has_examples()
    }

    fn train_values(&self, tally: &Tally) -> BTreeMap<String, Number> {
        self.aim.train_values(tally)
    }

    fn evaluate(
        &mut self,
        split: Split,
        most: Option<u64>,
        stop: &Stop,
    ) -> Result<Option<Outcome>, TrainError> {
        self.aim.evaluate(&mut self.texts, split, most, stop)
    }

    fn tuned(&self) -> Vec<(String, Value)> {
        self.aim.tuned()
    }

    fn take_up(&mut self, config: &Value) {
        self.aim.take_up(config);
    }
}
