use serde::{Deserialize, Serialize};

use super::keys::{self, KEYS, Key, Role};
use super::metrics::val;
use super::{
    BuiltIn, ClassWeights, Delimiter, Escape, EvalEvery, EvalRows, Header, Init, Optimizer, Pool,
    Precision, Preset, Quote, Schedule, SpecError, Task, Unfreeze,
};

/// Everything that decides a run's result. What each field means: [`keys::KEYS`].
///
/// Stored as JSON in the database and as `spec.toml` in the run's folder. A field that an older
/// tuneboard did not write takes what runs of that age were trained with: [`keys::Key::frozen`].
#[expect(missing_docs, reason = "each field is documented by the key of its name")]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default = "RunSpec::before_all_keys")]
pub struct RunSpec {
    pub preset: Preset,
    pub task: Task,
    pub model: String,
    pub init: Init,
    pub pool: Pool,
    pub data: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub val: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    pub quote: Quote,
    pub escape: Escape,
    pub delimiter: Delimiter,
    pub header: Header,
    pub encoding: String,
    pub split: [f64; 3],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub split_column: Option<String>,
    pub split_seed: u64,
    pub stratify: bool,
    pub max_length: u32,
    pub limit: u64,
    pub lr: f64,
    pub epochs: u32,
    pub batch_size: u32,
    pub accumulate: u32,
    pub optimizer: Optimizer,
    pub beta1: f64,
    pub beta2: f64,
    pub eps: f64,
    pub momentum: f64,
    pub weight_decay: f64,
    pub decay_all: bool,
    pub schedule: Schedule,
    pub warmup: f64,
    pub layer_decay: f64,
    pub unfreeze: Unfreeze,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dropout: Option<f64>,
    pub stateful: bool,
    pub layer_norm: bool,
    pub clip: f64,
    pub label_smoothing: f64,
    pub class_weights: ClassWeights,
    pub precision: Precision,
    pub seed: u64,
    pub early_stop: u32,
    pub eval_every: EvalEvery,
    pub eval_rows: EvalRows,
    pub best: String,
    pub device: String,
    pub threads: u32,
    pub site: String,
}

/// Stands for the value of a key that means nothing to a run's model.
pub const IGNORED: &str = "–";

impl Default for RunSpec {
    fn default() -> Self {
        Self {
            preset: Preset::None,
            task: Task::Classify,
            model: String::new(),
            init: Init::Pretrained,
            pool: Pool::Auto,
            data: String::new(),
            val: None,
            test: None,
            text: None,
            label: None,
            quote: Quote::Auto,
            escape: Escape::Auto,
            delimiter: Delimiter::Auto,
            header: Header::Auto,
            encoding: "auto".to_owned(),
            split: [0.8, 0.1, 0.1],
            split_column: None,
            split_seed: 35,
            stratify: false,
            max_length: 128,
            limit: 0,
            lr: 5e-5,
            epochs: 3,
            batch_size: 32,
            accumulate: 1,
            optimizer: Optimizer::AdamW,
            beta1: 0.9,
            beta2: 0.999,
            eps: 1e-8,
            momentum: 0.0,
            weight_decay: 0.01,
            decay_all: false,
            schedule: Schedule::Linear,
            warmup: 0.1,
            layer_decay: 1.0,
            unfreeze: Unfreeze::Auto,
            dropout: None,
            stateful: false,
            layer_norm: false,
            clip: 1.0,
            label_smoothing: 0.0,
            class_weights: ClassWeights::None,
            precision: Precision::Auto,
            seed: 0,
            early_stop: 0,
            eval_every: EvalEvery::Auto,
            eval_rows: EvalRows::Auto,
            best: val::LOSS.to_owned(),
            device: "auto".to_owned(),
            threads: 0,
            site: "local".to_owned(),
        }
    }
}

impl RunSpec {
    /// Sets one key from its text.
    ///
    /// # Errors
    /// An unknown key, or a value outside what the key takes.
    pub fn set(&mut self, key: &str, value: &str) -> Result<(), SpecError> {
        let known = keys::find(key)?;
        (known.set)(self, value.trim()).map_err(|why| SpecError::BadValue {
            key: key.to_owned(),
            value: value.trim().to_owned(),
            why,
        })
    }

    /// The text of one key, as `set` would take it; `None` for a key that does not exist.
    pub fn get(&self, key: &str) -> Option<String> {
        KEYS.iter().find(|k| k.name == key).map(|k| (k.get)(self))
    }

    /// Epochs that the run will train: `epochs`, or 1 for a model that is fitted at once.
    pub fn planned_epochs(&self) -> u32 {
        match BuiltIn::named(&self.model) {
            Some(BuiltIn::Baseline(_)) => 1,
            Some(BuiltIn::Gru | BuiltIn::Ulmfit) | None => self.epochs,
        }
    }

    /// False for a key that means nothing to the model or to the task: a baseline has no learning rate, and a
    /// language model pools nothing.
    pub fn obeys(&self, key: &str) -> bool {
        KEYS.iter().find(|k| k.name == key).is_none_or(|row| self.obeys_row(row))
    }

    /// As [`Self::obeys`].
    pub fn obeys_row(&self, key: &Key) -> bool {
        key.is_for(self.task)
            && match BuiltIn::named(&self.model) {
                Some(BuiltIn::Baseline(_)) => key.is(Role::Baseline),
                Some(BuiltIn::Gru | BuiltIn::Ulmfit) | None => true,
            }
    }

    /// The texts of the keys that decide which rows the run reads, in the order of [`KEYS`].
    pub fn rows_identity(&self) -> Vec<String> {
        KEYS.iter().filter(|key| key.is(Role::Rows)).map(|key| (key.get)(self)).collect()
    }

    /// The text of a key as tables show it: [`IGNORED`] where the model does not obey it.
    pub fn shown(&self, key: &str) -> String {
        if self.obeys(key) { self.get(key).unwrap_or_default() } else { IGNORED.to_owned() }
    }

    /// Checks what no single key can: required keys, and keys that exclude each other.
    ///
    /// # Errors
    /// The first thing found wrong.
    pub fn check(&self) -> Result<(), SpecError> {
        let missing = |key: &str, hint: &str| {
            Err(SpecError::Missing { key: key.to_owned(), hint: hint.to_owned() })
        };
        if self.model.is_empty() {
            return missing("model", "give model=NAME, a folder under models/ or a path");
        }
        if self.data.is_empty() {
            return missing("data", "give data=FILE, a CSV, TSV, JSON Lines or Parquet file");
        }
        if BuiltIn::named(&self.model).is_some_and(|model| !model.can_learn(self.task)) {
            return Err(SpecError::BadValue {
                key: "task".into(),
                value: self.task.to_string(),
                why: format!(
                    "model={} only classifies; BERT, GPT-2 and AWD-LSTM checkpoints and model=ulmfit learn \
                     as language models",
                    self.model
                ),
            });
        }
        if let (Init::Run(parent), Some(BuiltIn::Baseline(model))) =
            (self.init, BuiltIn::named(&self.model))
        {
            return Err(SpecError::BadValue {
                key: "init".into(),
                value: parent.to_string(),
                why: format!("model={model} is fitted anew each time and starts from no other run"),
            });
        }
        let figures = self.task.figures();
        if !self.best.strip_prefix("val/").is_some_and(|short| figures.contains(&short)) {
            return Err(SpecError::BadValue {
                key: "best".into(),
                value: self.best.clone(),
                why: format!("task={} has val/{}", self.task, figures.join(", val/")),
            });
        }
        if self.split_column.is_some() && (self.val.is_some() || self.test.is_some()) {
            return Err(SpecError::BadValue {
                key: "split_column".into(),
                value: self.split_column.clone().unwrap_or_default(),
                why: "the rows already come split through val= or test=; drop one of the two"
                    .into(),
            });
        }
        if self.split_column.is_none() && self.test.is_none() && self.split[2] == 0.0 {
            return Err(SpecError::BadValue {
                key: "split".into(),
                value: self.get("split").unwrap_or_default(),
                why: "the test share is 0 and no test= file is given".into(),
            });
        }
        Ok(())
    }

    /// The keys whose text differs from `other`'s, in the order of [`KEYS`].
    pub fn differing_keys(&self, other: &Self) -> Vec<&'static str> {
        KEYS.iter().filter(|k| (k.get)(self) != (k.get)(other)).map(|k| k.name).collect()
    }

    /// Reads the `spec.toml` of a run's folder.
    ///
    /// # Errors
    /// As [`Self::read_toml`].
    pub fn from_toml(text: &str) -> Result<Self, SpecError> {
        let mut spec = Self::before_all_keys();
        spec.read_toml(text)?;
        Ok(spec)
    }

    /// Reads the keys of a TOML text over `self`.
    ///
    /// # Errors
    /// TOML that does not parse (with line and column), unknown keys, bad values.
    pub fn read_toml(&mut self, text: &str) -> Result<(), SpecError> {
        let table: toml::Table = text
            .parse()
            .map_err(|e: toml::de::Error| SpecError::Toml(e.to_string().trim_end().to_owned()))?;
        self.read_table(&table)
    }

    /// Reads the keys of a TOML table over `self`, a preset first: it would override what stands before it.
    ///
    /// # Errors
    /// Unknown keys, bad values.
    pub fn read_table(&mut self, table: &toml::Table) -> Result<(), SpecError> {
        for pass in [true, false] {
            for (key, value) in table.iter().filter(|(key, _)| (*key == "preset") == pass) {
                self.set(key, &keys::toml_text(key, value)?)?;
            }
        }
        Ok(())
    }

    /// The `spec.toml` of a run's folder: every key that has a value.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).unwrap_or_default()
    }
}
