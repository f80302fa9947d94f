//! `task=classify`: one class per text.

use std::collections::BTreeMap;

use tch::{Device, Reduction, Tensor};
use tuneboard::analysis::metrics::macro_f1;
use tuneboard::dataset::Dataset;
use tuneboard::dataset::predictions::{Pass, Predictions};
use tuneboard::events::{Number, Split};
use tuneboard::spec::{Init, Preset, RunId, Task, metrics, printable};

use super::encoded::{Encoded, Head};
use super::loss::{self, Loss};
use super::own_head::{OwnHead, head_labels};
use super::whole::{Aim, OfTexts};
use super::{Opened, Scores, Setup, Stop, judge};
use crate::checkpoint::Assets;
use crate::error::TrainError;
use crate::model::Loaded;
use crate::native;
use crate::outcome::Outcome;
use crate::splits;
use crate::state::Tally;

struct Classify {
    data: Dataset,
    loss: Loss,
    device: Device,
    batch_size: usize,
    /// Whether the notebook's average is reported as well (docs/notebook.md).
    is_notebook: bool,
}

/// A classifier of the data's classes.
///
/// # Errors
/// As [`super::open`].
pub fn open(setup: &Setup, data: Dataset) -> Result<Opened, TrainError> {
    let spec = setup.spec;
    let labels = &data.label_names;
    let texts = Encoded::open(setup, &data, |config| Head {
        outputs: labels.len(),
        of_tokens: false,
        keep: !matches!(OwnHead::of(config, labels), OwnHead::Other),
    })?;
    let model = &texts.model;
    let own = OwnHead::of(&model.json, labels);
    if let (OwnHead::Ordered(order), true) = (&own, model.head_given) {
        model.reorder_head(order)?;
    }
    let notes = match spec.init {
        Init::Run(parent) => vec![lineage(parent, model, labels)],
        _ => own.told(model, labels).into_iter().collect(),
    };
    let assets = Assets::new(&setup.source.folder, model, Task::Classify, labels)?;
    let assets = assets.of_pairs(!data.pairs.is_empty());
    let loss = Loss::of_classes(spec, &data, setup.place.device)?;
    let (batch_size, is_notebook) = (spec.batch_size as usize, spec.preset == Preset::Notebook);
    let device = setup.place.device;
    let aim = Classify { data, loss, device, batch_size, is_notebook };
    Ok(Opened { objective: Box::new(OfTexts { texts, aim }), assets, notes })
}

impl Classify {
    /// The class of a row.
    fn label(&self, row: u32) -> u32 {
        self.data.labels.get(row as usize).copied().unwrap_or(0)
    }

    /// The classes of some rows, int64 `[rows]`.
    fn labels(&self, rows: &[u32]) -> Result<Tensor, TrainError> {
        let labels: Vec<i64> = rows.iter().map(|row| i64::from(self.label(*row))).collect();
        native::send(&Tensor::f_from_slice(&labels)?, self.device)
    }
}

impl Aim for Classify {
    /// The shares of a step add up to PyTorch's weighted, smoothed mean cross-entropy over its batches.
    fn weight(&self, rows: &[u32]) -> f64 {
        rows.iter().map(|row| self.loss.share(self.label(*row))).sum()
    }

    fn learning(&self, logits: &Tensor, rows: &[u32]) -> Result<(Tensor, Tensor, u64), TrainError> {
        let labels = self.labels(rows)?;
        let loss = self.loss.learning(logits, &labels, Reduction::Sum)?;
        Ok((loss, loss::right(logits, &labels)?, rows.len() as u64))
    }

    fn train_values(&self, tally: &Tally) -> BTreeMap<String, Number> {
        let rows = tally.rows as f64;
        let mut values = BTreeMap::from([
            (metrics::LOSS.to_owned(), Number(tally.loss / rows)),
            (metrics::ACC.to_owned(), Number(tally.right as f64 / rows)),
            (metrics::EXAMPLES_PER_S.to_owned(), Number(rows / tally.seconds)),
            (metrics::TOKENS_PER_S.to_owned(), Number(tally.tokens as f64 / tally.seconds)),
        ]);
        if self.is_notebook {
            values.extend([notebook_loss(tally.step_losses, tally.rows as usize)]);
        }
        values
    }

    fn evaluate(
        &mut self,
        texts: &mut Encoded,
        split: Split,
        most: Option<u64>,
        stop: &Stop,
    ) -> Result<Option<Outcome>, TrainError> {
        let rows = splits::sample(texts.rows(split), most);
        let Some(all) = texts.judge(&rows, stop)? else { return Ok(None) };
        let labels = rows.iter().map(|row| self.label(*row)).collect();
        let scores = judge::scores(labels, &all.values, self.data.label_names.len());
        let notebook = (self.is_notebook && split == Split::Val && most.is_none())
            .then(|| notebook_loss(scores.batch_losses(self.batch_size), scores.labels.len()));
        let mut outcome = outcome(&self.data, &rows, scores);
        outcome.values.extend(notebook);
        Ok(Some(outcome))
    }
}

/// The figures, the confusion counts and the predictions of a pass over `rows`; `scores` has them in
/// their order.
pub fn outcome(data: &Dataset, rows: &[u32], scores: Scores) -> Outcome {
    let classes = data.label_names.len();
    let confusion = scores.confusion(classes);
    let values = [
        (metrics::LOSS, scores.loss()),
        (metrics::ACC, scores.accuracy()),
        (metrics::F1, macro_f1(&confusion)),
    ]
    .map(|(name, value)| (name.to_owned(), Number(value)));
    let predictions = Predictions {
        rows: rows.iter().filter_map(|r| data.rows.get(*r as usize).copied()).collect(),
        probabilities: (0..classes)
            .map(|c| scores.probabilities.iter().skip(c).step_by(classes).copied().collect())
            .collect(),
        labels: scores.labels,
        predicted: scores.predicted,
        loss: scores.losses,
        label_names: data.label_names.clone(),
    };
    let predictions = Some(Pass::Classes(predictions));
    Outcome { values: BTreeMap::from(values), confusion: Some(confusion), predictions }
}

/// The notebook's average: mean losses of batches, summed, over the number of rows
/// (docs/notebook.md).
fn notebook_loss(batch_losses: f64, rows: usize) -> (String, Number) {
    (metrics::NOTEBOOK_LOSS.to_owned(), Number(batch_losses / rows as f64))
}

/// A sentence about the run that this one goes on from, and about what became of its head.
fn lineage(parent: RunId, model: &Loaded, labels: &[String]) -> String {
    const MANY: usize = 200;
    let listed = |labels: &[&str]| printable(&labels.join(", "), MANY).into_owned();
    let head = match (head_labels(&model.json), model.head_given) {
        (Some(had), true) => {
            format!(
                "its classification head is kept, for the labels are the same: {}",
                listed(&had)
            )
        }
        (Some(had), false) if had == labels => {
            "the classification head is new, for it reads the text in another way".to_owned()
        }
        (Some(had), false) => {
            format!("the classification head is new, for {parent} had the labels {}", listed(&had))
        }
        (None, true) => "its head is kept".to_owned(),
        (None, false) => {
            format!("the classification head is new, for {parent} is a language model")
        }
    };
    format!("Goes on from the best checkpoint of {parent}; {head}.")
}
