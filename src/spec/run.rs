use serde::{Deserialize, Serialize};

use super::metrics::val;
use super::{
    Adapter, ClassWeights, Delimiter, Escape, EvalEvery, EvalRows, Header, Init, Keep, Optimizer,
    Pool, Precision, Preset, Quote, Schedule, Targets, Task, Unfreeze,
};

/// Everything that decides a run's result. What each field means: [`KEYS`](super::keys::KEYS).
///
/// Stored as JSON in the database and as `spec.toml` in the run's folder. A field that an older
/// tuneboard did not write takes what runs of that age were trained with: [`Key::frozen`](super::keys::Key::frozen).
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
    pub adapter: Adapter,
    pub lora_rank: u32,
    pub lora_alpha: f64,
    pub lora_dropout: f64,
    pub lora_targets: Targets,
    pub clip: f64,
    pub label_smoothing: f64,
    pub class_weights: ClassWeights,
    pub precision: Precision,
    pub seed: u64,
    pub early_stop: u32,
    pub eval_every: EvalEvery,
    pub eval_rows: EvalRows,
    pub best: String,
    pub keep: Keep,
    pub device: String,
    pub threads: u32,
    pub site: String,
}

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
            adapter: Adapter::None,
            lora_rank: 8,
            lora_alpha: 8.0,
            lora_dropout: 0.0,
            lora_targets: Targets::Auto,
            clip: 1.0,
            label_smoothing: 0.0,
            class_weights: ClassWeights::None,
            precision: Precision::Auto,
            seed: 0,
            early_stop: 0,
            eval_every: EvalEvery::Auto,
            eval_rows: EvalRows::Auto,
            best: val::LOSS.to_owned(),
            keep: Keep::Best,
            device: "auto".to_owned(),
            threads: 0,
            site: "local".to_owned(),
        }
    }
}
