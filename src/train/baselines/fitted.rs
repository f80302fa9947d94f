use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde_json::{Map, Value, json};
use tuneboard::spec::{Baseline, Task};

use super::linear::{Column, Linear};
use super::vocabulary::Vocabulary;
use super::words::Text;
use super::{logistic, naive_bayes};
use crate::checkpoint::{PAIRS, Put, TASK, kept, task_of};
use crate::error::TrainError;
use crate::model::damage;

const CONFIG: &str = "config.json";
const WEIGHTS: &str = "model.safetensors";
const WORDS: &str = "vocabulary.json";

/// A baseline that has learnt.
#[derive(Debug, Clone, PartialEq)]
pub struct Fitted {
    /// Which.
    pub model: Baseline,
    /// What it learnt.
    pub task: Task,
    /// The classes, labels or targets, in order.
    pub label_names: Vec<String>,
    /// Whether it reads pairs of texts.
    pub are_pairs: bool,
    pub(super) vocabulary: Vocabulary,
    pub(super) linear: Linear,
    /// What its config.json holds besides: the scale of numbers, the thresholds of labels.
    pub(super) entries: Map<String, Value>,
}

/// What a baseline learns from.
pub struct Examples<'a> {
    /// One text or pair per row.
    pub texts: Vec<Text<'a>>,
    /// The class of each row, an index into `label_names`.
    pub labels: Vec<u32>,
    /// The classes.
    pub label_names: &'a [String],
    /// How much each class's rows count.
    pub weights: Vec<f64>,
}

/// What any baseline is fitted to, but for what is to be learnt.
pub struct Ready<'a> {
    /// Which.
    pub model: Baseline,
    /// One text or pair per row.
    pub texts: Vec<Text<'a>>,
    /// The labels or targets.
    pub names: &'a [String],
}

impl Ready<'_> {
    pub(super) fn cannot(&self, task: Task) -> TrainError {
        TrainError::Input(format!("model={} does not learn task={task}.", self.model))
    }

    /// What was learnt, with the column of weights and intercept of each label or target.
    pub(super) fn learnt(
        self,
        task: Task,
        columns: &[Column],
        vocabulary: Vocabulary,
        words: u64,
        note: Option<String>,
    ) -> Learnt {
        let fitted = Fitted {
            model: self.model,
            task,
            label_names: self.names.to_vec(),
            are_pairs: are_pairs(&self.texts),
            linear: Linear::side_by_side(columns, vocabulary.len()),
            vocabulary,
            entries: Map::new(),
        };
        Learnt { fitted, words, note }
    }
}

fn are_pairs(texts: &[Text<'_>]) -> bool {
    texts.iter().any(|text| matches!(text, Text::Pair(..)))
}

/// A fit, and what it cost.
pub struct Learnt {
    /// The model.
    pub fitted: Fitted,
    /// Words of the train rows.
    pub words: u64,
    /// What a person should know.
    pub note: Option<String>,
}

impl Fitted {
    /// Fits `model`; `None` if `stop` was set on the way.
    ///
    /// # Errors
    /// Fewer than two classes for a logistic regression.
    pub fn fit(
        model: Baseline,
        examples: &Examples,
        vocabulary: Vocabulary,
        stop: &AtomicBool,
    ) -> Result<Option<Learnt>, TrainError> {
        let classes = examples.label_names.len();
        // Every class that has a row gets a place; scikit-learn knows no others.
        let mut present: Vec<u32> = examples.labels.clone();
        present.sort_unstable();
        present.dedup();
        let places: BTreeMap<u32, u32> = present.iter().copied().zip(0..).collect();
        let labels: Vec<u32> =
            examples.labels.iter().map(|l| places.get(l).copied().unwrap_or(0)).collect();
        let weight = |class: &u32| examples.weights.get(*class as usize).copied().unwrap_or(1.0);
        let weights: Vec<f64> = present.iter().map(weight).collect();

        let columns = vocabulary.len();
        let (rows, words) = vocabulary.rows(examples.texts.iter().copied());
        let mut note = None;
        let linear = match model {
            Baseline::Majority => shares(&labels, present.len()),
            Baseline::CountNb | Baseline::TfidfNb => {
                naive_bayes::fit(&rows, &labels, columns, &weights)
            }
            Baseline::TfidfLogreg => {
                if present.len() < 2 {
                    return Err(TrainError::Input(format!(
                        "All train rows are of one class; model={model} needs two at least."
                    )));
                }
                let fit = logistic::fit(&rows, &labels, columns, &weights, stop);
                let Some(fit) = fit else { return Ok(None) };
                if !fit.converged {
                    note = Some(format!(
                        "The logistic regression did not converge in {} iterations.",
                        fit.iterations
                    ));
                }
                fit.linear
            }
            Baseline::TfidfRidge => {
                let why = "model=tfidf-ridge does not learn task=classify.";
                return Err(TrainError::Input(why.to_owned()));
            }
        };
        let linear = spread(&linear, &present, classes);
        let label_names = examples.label_names.to_vec();
        let are_pairs = are_pairs(&examples.texts);
        let (task, entries) = (Task::Classify, Map::new());
        let fitted = Self { model, task, label_names, are_pairs, vocabulary, linear, entries };
        Ok(Some(Learnt { fitted, words, note }))
    }

    /// The natural logarithm of each class's probability, text by text: `[texts * classes]`. None is
    /// below that of float64's epsilon, where scikit-learn's `log_loss` clips too.
    pub fn log_probabilities<'a, T: Into<Text<'a>>>(
        &self,
        texts: impl IntoIterator<Item = T>,
    ) -> Vec<f64> {
        let (rows, _) = self.vocabulary.rows(texts);
        let mut all = self.linear.log_probabilities(&rows);
        for x in &mut all {
            *x = x.max(f64::EPSILON.ln());
        }
        all
    }

    /// Logits of labels, or numbers in standard deviations, text by text: `[texts * outputs]`.
    pub fn scores<'a, T: Into<Text<'a>>>(&self, texts: impl IntoIterator<Item = T>) -> Vec<f64> {
        let (rows, _) = self.vocabulary.rows(texts);
        rows.iter().flat_map(|(columns, values)| self.linear.scores(columns, values)).collect()
    }

    /// Keeps entries for `config.json`.
    pub fn keep(&mut self, entries: impl IntoIterator<Item = (String, Value)>) {
        self.entries.extend(entries);
    }

    /// Writes `config.json` (`model_type`, `id2label`), `vocabulary.json` (the words in the order of
    /// their columns) and `model.safetensors` (float64: `weight` `[words, classes]`, `bias`
    /// `[classes]`, for TF-IDF `idf` `[words]`).
    ///
    /// # Errors
    /// A full disk, say.
    pub fn save(&self, write: &Put) -> Result<(), TrainError> {
        let failed = |e: &dyn std::fmt::Display| TrainError::Failed(format!("{WEIGHTS}: {e}."));
        let (words, classes) = (self.vocabulary.len(), self.label_names.len());
        let bytes = |x: &[f64]| x.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>();
        let mut tensors = vec![
            ("weight", vec![words, classes], bytes(&self.linear.weight)),
            ("bias", vec![classes], bytes(&self.linear.bias)),
        ];
        if let Some(idf) = self.vocabulary.idf() {
            tensors.push(("idf", vec![words], bytes(idf)));
        }
        let views = tensors
            .iter()
            .map(|(name, shape, bytes)| {
                Ok((*name, TensorView::new(Dtype::F64, shape.clone(), bytes)?))
            })
            .collect::<Result<Vec<_>, safetensors::SafeTensorError>>()
            .map_err(|e| failed(&e))?;
        write(WEIGHTS, &safetensors::serialize(views, None).map_err(|e| failed(&e))?)?;
        write(WORDS, format!("{:#}\n", json!(self.vocabulary.words())).as_bytes())?;
        let by_id = self.label_names.iter().enumerate().map(|(i, l)| (i.to_string(), json!(l)));
        let mut config = json!({
            "model_type": self.model,
            "id2label": Value::Object(by_id.collect()),
        });
        if self.are_pairs {
            config[PAIRS] = json!(true);
        }
        if self.task != Task::Classify {
            config[TASK] = json!(self.task);
        }
        for (key, value) in &self.entries {
            config[key.as_str()] = value.clone();
        }
        write(CONFIG, format!("{config:#}\n").as_bytes())
    }

    /// Reads what [`Self::save`] wrote into `folder`.
    ///
    /// # Errors
    /// Files that are missing, damaged, or do not belong together.
    pub fn load(folder: &Path) -> Result<Self, TrainError> {
        let path = folder.join(CONFIG);
        let config: Value = read_json(&path)?;
        let bad = |why: &str| TrainError::Input(format!("{}: {why}.", path.display()));
        let model = config["model_type"].as_str().and_then(|name| name.parse::<Baseline>().ok());
        let model = model.ok_or_else(|| bad("`model_type` names no baseline"))?;
        let labels = config["id2label"].as_object().ok_or_else(|| bad("it has no id2label"))?;
        let label = |id: usize| Some(labels.get(&id.to_string())?.as_str()?.to_owned());
        let label_names: Option<Vec<String>> = (0..labels.len()).map(label).collect();
        let label_names = label_names.ok_or_else(|| bad("id2label does not count from 0"))?;
        if label_names.is_empty() {
            return Err(bad("its id2label is empty"));
        }
        let words: Vec<String> = read_json(&folder.join(WORDS))?;

        let path = folder.join(WEIGHTS);
        let bytes = fs::read(&path).map_err(TrainError::read(&path))?;
        let unsound = |e: &dyn std::fmt::Display| {
            TrainError::Input(format!("{} is no sound file of weights: {e}.", path.display()))
        };
        let tensors = SafeTensors::deserialize(&bytes).map_err(|e| unsound(&damage(&bytes, &e)))?;
        let take = |name: &str, shape: &[usize]| -> Result<Vec<f64>, TrainError> {
            let tensor = tensors.tensor(name).map_err(|e| unsound(&e))?;
            if tensor.shape() != shape || tensor.dtype() != Dtype::F64 {
                return Err(unsound(&format!(
                    "`{name}` is {:?} {:?} instead of F64 {shape:?}",
                    tensor.dtype(),
                    tensor.shape()
                )));
            }
            let numbers = tensor.data().as_chunks::<8>().0;
            let numbers: Vec<f64> = numbers.iter().map(|n| f64::from_le_bytes(*n)).collect();
            // A class without a row has a bias of minus infinity.
            if numbers.iter().any(|n| n.is_nan() || *n == f64::INFINITY) {
                return Err(unsound(&format!("`{name}` holds NaN or infinity")));
            }
            Ok(numbers)
        };
        let (columns, classes) = (words.len(), label_names.len());
        let idf = tensors.names().contains(&"idf");
        let idf = if idf { Some(take("idf", &[columns])?) } else { None };
        let linear = Linear {
            weight: take("weight", &[columns, classes])?,
            bias: take("bias", &[classes])?,
        };
        let vocabulary = Vocabulary::new(words, idf);
        let are_pairs = config[PAIRS] == json!(true);
        let entries = kept(&config).into_iter().filter(|(key, _)| key != PAIRS).collect();
        let task = task_of(&config);
        Ok(Self { model, task, label_names, are_pairs, vocabulary, linear, entries })
    }
}

/// The classes' shares of the rows: scikit-learn's `DummyClassifier(strategy="prior")`. It predicts the
/// most frequent class, and its loss is the least that any model without a look at the texts has.
fn shares(labels: &[u32], classes: usize) -> Linear {
    let mut counts = vec![0_u32; classes];
    for label in labels {
        if let Some(count) = counts.get_mut(*label as usize) {
            *count += 1;
        }
    }
    let ln_share = |n: &u32| (f64::from(*n) / labels.len() as f64).ln();
    Linear { weight: Vec::new(), bias: counts.iter().map(ln_share).collect() }
}

/// Gives the classes that had no row a place, with probability 0.
fn spread(linear: &Linear, present: &[u32], classes: usize) -> Linear {
    let mut wide = Linear {
        weight: vec![0.0; linear.weight.len() / present.len().max(1) * classes],
        bias: vec![f64::NEG_INFINITY; classes],
    };
    let places = |class: &u32| *class as usize;
    let rows =
        wide.weight.chunks_mut(classes.max(1)).zip(linear.weight.chunks(present.len().max(1)));
    for (wide, narrow) in rows.chain([(&mut wide.bias[..], &linear.bias[..])]) {
        for (place, value) in present.iter().map(places).zip(narrow) {
            if let Some(slot) = wide.get_mut(place) {
                *slot = *value;
            }
        }
    }
    wide
}

fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, TrainError> {
    let bytes = fs::read(path).map_err(TrainError::read(path))?;
    serde_json::from_slice(&bytes)
        .map_err(|e| TrainError::Input(format!("{} is damaged: {e}.", path.display())))
}
