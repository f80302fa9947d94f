//! Adapters as peft keeps them: a folder with `adapter_config.json` and `adapter_model.safetensors`, beside the
//! checkpoint that they stand on. Reference: peft `LoraConfig`, `save_and_load.py`.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fs;
use std::path::{self, Component, Path, PathBuf};

use serde_json::{Value, json};
use tch::{Device, Kind, Tensor};
use tuneboard::spec::{Targets, printable};

use super::lora::Lora;
use super::weights;
use crate::error::TrainError;

/// What is said of an adapter.
pub const CONFIG: &str = "adapter_config.json";
/// Its weights.
pub const WEIGHTS: &str = "adapter_model.safetensors";
/// Before the names of the model's weights in an adapter's file.
pub const PREFIX: &str = "base_model.model.";
/// The parts of a model that an adapter may bring along as a whole: its head.
const HEADS: [&str; 6] = ["classifier.", "score.", "pre_classifier.", "pooler.", "head.", "fc1."];
/// A config is never larger.
const LARGEST: u64 = 1 << 20;

/// An adapter that stands, or will stand, beside the weights of a checkpoint.
#[derive(Debug)]
pub struct Adapter {
    /// What is adapted, and how.
    pub lora: Lora,
    /// The checkpoint's folder.
    pub base: PathBuf,
    /// True if what is learnt is added to the checkpoint's weights when these are read, and is no adapter any
    /// more.
    pub is_merged: bool,
    /// A and B by their names in the file without [`PREFIX`]; empty if they are to be drawn.
    narrow: BTreeMap<String, Tensor>,
    /// The head by its names without [`PREFIX`].
    pub head: BTreeMap<String, Tensor>,
    /// The names of `narrow` that the model asked for.
    asked: RefCell<BTreeSet<String>>,
}

/// True if the folder holds an adapter.
pub fn is_adapter(folder: &Path) -> bool {
    folder.join(CONFIG).is_file()
}

impl Adapter {
    /// The adapter that a model from `folder` has: the one there, or the one that is asked for, or both in one.
    ///
    /// # Errors
    /// A damaged folder, one whose base is not there, an adapter other than the one that is asked for.
    pub fn open(folder: &Path, asked: Option<&Lora>) -> Result<Option<Self>, TrainError> {
        if !is_adapter(folder) {
            return Ok(asked.map(|lora| Self {
                lora: lora.clone(),
                base: folder.to_owned(),
                is_merged: false,
                narrow: BTreeMap::new(),
                head: BTreeMap::new(),
                asked: RefCell::default(),
            }));
        }
        let mut read = Self::read(folder)?;
        if let Some(asked) = asked {
            let differs = [
                ("lora_rank", read.lora.rank as f64, asked.rank as f64),
                ("lora_alpha", read.lora.alpha, asked.alpha),
            ];
            if let Some((key, had, given)) = differs.iter().find(|(_, had, given)| had != given) {
                return Err(TrainError::Input(format!(
                    "{} is an adapter with {key}={had}, not {given}: set {key}={had} to go on with it, or \
                     adapter=none to train all weights from where it takes them.",
                    folder.display()
                )));
            }
            read.lora.dropout = asked.dropout;
        }
        read.is_merged = asked.is_none();
        Ok(Some(read))
    }

    fn read(folder: &Path) -> Result<Self, TrainError> {
        let path = folder.join(CONFIG);
        let bad = |why: &str| TrainError::Input(format!("{}: {why}.", path.display()));
        if fs::metadata(&path).map_err(TrainError::read(&path))?.len() > LARGEST {
            return Err(bad("it is too large for a config"));
        }
        let text = fs::read_to_string(&path).map_err(TrainError::read(&path))?;
        let config: Value =
            serde_json::from_str(&text).map_err(|e| bad(&format!("it is not valid JSON: {e}")))?;
        let lora = lora(&config).map_err(|why| bad(&why))?;
        let name = config["base_model_name_or_path"].as_str();
        let name = name.ok_or_else(|| bad("it names no base_model_name_or_path"))?;
        let base = base(folder, name).ok_or_else(|| {
            bad(&format!(
                "its base model `{0}` is not on this machine; `tuneboard models pull {0}` fetches one of the hub",
                printable(name, 200)
            ))
        })?;
        let path = folder.join(WEIGHTS);
        let (mut narrow, mut head) = (BTreeMap::new(), BTreeMap::new());
        for (name, tensor) in weights::read_all(&path)? {
            let short = name.strip_prefix(PREFIX);
            let is_narrow = name.ends_with(".lora_A.weight") || name.ends_with(".lora_B.weight");
            let is_head = short.is_some_and(|n| HEADS.iter().any(|head| n.starts_with(head)));
            match short {
                Some(short) if is_narrow => {
                    narrow.insert(short.to_owned(), sound(tensor, &name, &path)?)
                }
                Some(short) if is_head => {
                    head.insert(short.to_owned(), sound(tensor, &name, &path)?)
                }
                _ => {
                    return Err(TrainError::Input(format!(
                        "{} holds `{}`, which is no part of LoRA or of a head; it is not supported.",
                        path.display(),
                        printable(&name, 200)
                    )));
                }
            };
        }
        let asked = RefCell::default();
        Ok(Self { lora, base, is_merged: true, narrow, head, asked })
    }

    /// A or B (`part`) of the layer `module`, whose name in the family's files begins with `prefix`; `None` if
    /// they are to be drawn, or if the layer is not adapted.
    ///
    /// # Errors
    /// Another shape; `-1` is any length.
    pub fn narrow(
        &self,
        prefix: &str,
        module: &str,
        part: &str,
        shape: [i64; 2],
    ) -> Result<Option<Tensor>, TrainError> {
        // peft leaves the prefix out where it adapted the network without a head.
        let names = [prefix, ""].map(|prefix| format!("{prefix}{module}.{part}.weight"));
        let Some((name, tensor)) = names.iter().find_map(|name| self.narrow.get_key_value(name))
        else {
            return Ok(None);
        };
        self.asked.borrow_mut().insert(name.clone());
        let size = tensor.size();
        let fits = |(got, want): (&i64, &i64)| *want == -1 || got == want;
        if size.len() != 2 || !size.iter().zip(&shape).all(fits) {
            return Err(TrainError::Input(format!(
                "{WEIGHTS}: `{name}` has the shape {size:?}, which does not fit its layer and rank."
            )));
        }
        Ok(Some(tensor.f_mul_scalar(1.0)?))
    }

    /// True if there is an adapter already.
    pub fn is_given(&self) -> bool {
        !self.narrow.is_empty()
    }

    /// Refuses an adapter of a layer that the model does not have.
    ///
    /// # Errors
    /// Its name.
    pub fn must_be_used(&self) -> Result<(), TrainError> {
        let asked = self.asked.borrow();
        match self.narrow.keys().find(|name| !asked.contains(*name)) {
            None => Ok(()),
            Some(name) => Err(TrainError::Input(format!(
                "{WEIGHTS} holds `{}`, and {} has no such layer that can be adapted.",
                printable(name, 200),
                self.base.display()
            ))),
        }
    }

    /// `adapter_config.json` of an adapter of the layers `modules` with the whole modules `saved` beside it.
    pub fn config(
        &self,
        modules: &BTreeSet<String>,
        saved: &BTreeSet<String>,
        usual: &[&str],
    ) -> Value {
        let targets = match self.lora.targets {
            Targets::Auto => json!(usual),
            _ => json!(modules),
        };
        let whole = ["classifier", "score"].into_iter().chain(saved.iter().map(String::as_str));
        json!({
            "peft_type": "LORA",
            "task_type": null,
            "base_model_name_or_path": named(&self.base),
            "r": self.lora.rank,
            "lora_alpha": self.lora.alpha,
            "lora_dropout": self.lora.dropout,
            "use_rslora": self.lora.is_stabilised,
            "target_modules": targets,
            "modules_to_save": whole.collect::<BTreeSet<_>>(),
            "bias": "none",
            "fan_in_fan_out": usual == ["c_attn"],
            "inference_mode": true,
            "init_lora_weights": true,
            "use_dora": false,
            "alpha_pattern": {},
            "rank_pattern": {},
        })
    }
}

fn sound(tensor: Tensor, name: &str, path: &Path) -> Result<Tensor, TrainError> {
    let bad = |why: &str| {
        let name = printable(name, 200);
        TrainError::Input(format!("The tensor `{name}` of {} {why}.", path.display()))
    };
    if !matches!(tensor.kind(), Kind::Float | Kind::Half | Kind::BFloat16 | Kind::Double) {
        return Err(bad("holds no floats"));
    }
    if tensor.f_isfinite()?.f_all()?.f_int64_value(&[])? == 0 {
        return Err(bad("holds values that are no finite numbers"));
    }
    Ok(tensor.f_to_device(Device::Cpu)?.f_to_kind(Kind::Float)?)
}

/// What a config says, as far as it is LoRA and nothing more.
fn lora(config: &Value) -> Result<Lora, String> {
    let kind = config["peft_type"].as_str().unwrap_or_default();
    if kind != "LORA" {
        return Err(format!("peft_type is `{}`; only LORA is supported", printable(kind, 40)));
    }
    // What is null, false, empty or the word that means nothing is as if it were not there.
    let is_idle = |value: &Value| match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(word) => word == "none" || word.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        _ => false,
    };
    let others = [
        "use_dora",
        "use_qalora",
        "bias",
        "lora_bias",
        "alpha_pattern",
        "rank_pattern",
        "layer_replication",
        "layers_to_transform",
        "trainable_token_indices",
        "target_parameters",
        "alora_invocation_tokens",
        "arrow_config",
        "use_bdlora",
        "exclude_modules",
    ];
    if let Some(key) = others.iter().find(|key| config.get(**key).is_some_and(|v| !is_idle(v))) {
        return Err(format!("{key} is set, which is not supported"));
    }
    let start = config.get("init_lora_weights").unwrap_or(&Value::Null);
    if start.as_str().is_some_and(|word| word != "gaussian") {
        return Err(format!(
            "init_lora_weights={start} changes the base's weights; it is not supported"
        ));
    }
    let number = |key: &str, usual: f64| config.get(key).map_or(Some(usual), Value::as_f64);
    let rank = config.get("r").map_or(Some(8), Value::as_i64).filter(|r| (1..=1 << 16).contains(r));
    let rank = rank.ok_or("r must be a whole number from 1 on")?;
    let alpha =
        number("lora_alpha", 8.0).filter(|a| a.is_finite()).ok_or("lora_alpha must be a number")?;
    let dropout = number("lora_dropout", 0.0).filter(|p| (0.0..1.0).contains(p));
    let dropout = dropout.ok_or("lora_dropout must be from 0 to below 1")?;
    let is_stabilised = config["use_rslora"].as_bool().unwrap_or(false);
    let targets = match &config["target_modules"] {
        Value::Array(list) => {
            Targets::Named(list.iter().filter_map(Value::as_str).map(str::to_owned).collect())
        }
        _ => Targets::AllLinear,
    };
    Ok(Lora { rank, alpha, is_stabilised, dropout, targets })
}

/// The folder of the model that an adapter in `folder` stands beside, by the name that it gives it: as a path
/// from here, from the folder, or from the board whose run it is, or as a name under models/.
fn base(folder: &Path, name: &str) -> Option<PathBuf> {
    let leaf = name.rsplit('/').next().unwrap_or(name);
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let here = env::current_dir().unwrap_or_default();
    let boards = [Some(here.as_path()), folder.ancestors().nth(4)];
    let by_board = boards.into_iter().flatten().flat_map(|board| {
        [board.join(name), board.join("models").join(name), board.join("models").join(leaf)]
    });
    let mut all = [folder.join(name)].into_iter().chain(by_board);
    all.find(|base| base.join("config.json").is_file() && !is_adapter(base))
}

/// What a config calls a base: from here on if it lies below, so that a board can move.
fn named(base: &Path) -> String {
    // A link on a site leads to where no other machine has it, so that only what has to be resolved is.
    let is_plain = base.components().all(|part| part != Component::ParentDir);
    let whole = if is_plain { path::absolute(base) } else { base.canonicalize() };
    let whole = whole.unwrap_or_else(|_| base.to_owned());
    let here = env::current_dir().unwrap_or_default();
    whole.strip_prefix(&here).unwrap_or(&whole).display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_is_found_from_the_board_of_the_run_wherever_one_stands() {
        let board = tempfile::tempdir().unwrap();
        let best = board.path().join("runs/r1/checkpoints/best");
        let model = board.path().join("models/m");
        for folder in [&best, &model] {
            fs::create_dir_all(folder).unwrap();
        }
        assert_eq!(base(&best, "models/m"), None);
        fs::write(model.join("config.json"), "{}").unwrap();
        for name in ["models/m", "m", "/elsewhere/m", "org/m", "../../../../models/m"] {
            let found = base(&best, name).expect(name).canonicalize().unwrap();
            assert_eq!(found, model.canonicalize().unwrap(), "{name}");
        }
        assert_eq!(base(&best, "other"), None);
        let here = env::current_dir().unwrap();
        assert_eq!(named(&here.join("models/m")), "models/m");
        assert!(Path::new(&named(&model)).is_absolute());
    }
}
