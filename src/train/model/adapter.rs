//! Adapters as peft keeps them: a folder with `adapter_config.json` and `adapter_model.safetensors`, beside the
//! checkpoint that they stand on. Reference: peft `save_and_load.py`.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::path::{self, Component, Path, PathBuf};

use serde_json::{Value, json};
use tch::{Device, Kind, Tensor};
use tuneboard::model_config::adapter::{AdapterConfig, Parts};
pub use tuneboard::model_config::adapter::{CONFIG, WEIGHTS, is_adapter};
use tuneboard::spec::{Targets, printable};

use super::lora::Lora;
use super::weights;
use crate::error::TrainError;

/// Before the names of the model's weights in an adapter's file.
pub const PREFIX: &str = "base_model.model.";
/// The parts of a model that an adapter may bring along as a whole: its head.
const HEADS: [&str; 6] = ["classifier.", "score.", "pre_classifier.", "pooler.", "head.", "fc1."];

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

/// Where the parts of the model in `folder` lie, as this process looks for them.
///
/// # Errors
/// An adapter that is damaged, or whose base is not on this machine.
pub fn parts(folder: &Path) -> Result<Parts, TrainError> {
    Parts::of(folder, &here()).map_err(|why| bad(folder, &why))
}

fn here() -> PathBuf {
    env::current_dir().unwrap_or_default()
}

fn bad(folder: &Path, why: &str) -> TrainError {
    TrainError::Input(format!("{}: {why}.", folder.display()))
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
        let config = AdapterConfig::read(folder).map_err(|why| bad(folder, &why))?;
        let differs = asked.and_then(|asked| config.differs(asked.rank, asked.alpha));
        if let Some(why) = differs {
            return Err(bad(folder, &why));
        }
        let mut read = Self::read(folder, config)?;
        if let Some(asked) = asked {
            read.lora.dropout = asked.dropout;
        }
        read.is_merged = asked.is_none();
        Ok(Some(read))
    }

    fn read(folder: &Path, config: AdapterConfig) -> Result<Self, TrainError> {
        let base = config.base(folder, &here()).map_err(|why| bad(folder, &why))?;
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
        Ok(Self { lora: config.into(), base, is_merged: true, narrow, head, asked })
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

/// What a config calls a base: from here on if it lies below, so that a board can move.
fn named(base: &Path) -> String {
    // A link on a site leads to where no other machine has it, so that only what has to be resolved is.
    let is_plain = base.components().all(|part| part != Component::ParentDir);
    let whole = if is_plain { path::absolute(base) } else { base.canonicalize() };
    let whole = whole.unwrap_or_else(|_| base.to_owned());
    whole.strip_prefix(here()).unwrap_or(&whole).display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_is_named_from_here_on_if_it_lies_below() {
        assert_eq!(named(&here().join("models/m")), "models/m");
        let elsewhere = tempfile::tempdir().unwrap();
        assert!(Path::new(&named(elsewhere.path())).is_absolute());
    }
}
