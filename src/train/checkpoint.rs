//! Folders that a killed trainer can go on from, and the folder with the best weights.
//!
//! A checkpoint is written beside its place, synced, and renamed into it:
//!
//! ```text
//! last.tmp-PID   being written, or left by a killed trainer: worthless
//! last.new       complete, about to become `last`
//! last           the checkpoint
//! last.old       its predecessor, about to be deleted
//! ```
//! At every moment the first that exists of `last.new`, `last`, `last.old` is whole and the newest.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tch::Tensor;
pub use tuneboard::spec::family::TOKENIZER_FILES;
use tuneboard::spec::{Keep, TO_RESUME};

use tuneboard::spec::Task;

pub use crate::entries::{FITTED, PAIRS, SCALE, TASK, TEMPERATURE, THRESHOLDS, kept, task_of};
use crate::error::TrainError;
use crate::model::{ADAPTER_CONFIG, ADAPTER_WEIGHTS, FamilyExt, Loaded, Parameter, parts, weights};
use crate::state::State;

const WEIGHTS: &str = "model.safetensors";
const OPTIMIZER: &str = TO_RESUME[0];
const STATE: &str = TO_RESUME[1];

/// The folder `checkpoints/` of a run.
pub struct Checkpoints {
    folder: PathBuf,
}

/// What a checkpoint holds besides weights, so that transformers can load it.
#[derive(Clone)]
pub struct Assets {
    /// `config.json`.
    config: Value,
    /// The text of `adapter_config.json`, where an adapter is what learns.
    adapter: Option<String>,
    /// Numbers of the weights that an adapter stands beside, which no checkpoint holds.
    pub frozen: u64,
    /// Names and contents.
    tokenizer: Vec<(&'static str, Vec<u8>)>,
}

impl Assets {
    /// Takes over what the model's folder holds.
    ///
    /// # Errors
    /// A tokenizer file that cannot be read.
    pub fn new(
        model_folder: &Path,
        model: &Loaded,
        task: Task,
        labels: &[String],
    ) -> Result<Self, TrainError> {
        let mut config = model.json.clone();
        let learn = model.parameters.iter().map(|p| p.name.as_str());
        let names: Vec<_> =
            learn.chain(model.frozen.iter().map(|(name, _)| name.as_str())).collect();
        let has = |end: &str| names.iter().any(|name| name.ends_with(end));
        let class = match task {
            Task::Tag => model.family.tagger(),
            _ => model.family.architecture(model.pool, has).map(str::to_owned),
        };
        if let Some(config) = config.as_object_mut() {
            let by_id = labels.iter().enumerate().map(|(i, l)| (i.to_string(), json!(l)));
            let by_label = labels.iter().enumerate().map(|(i, l)| (l.clone(), json!(i)));
            // Words of the source that would be lies here: code of its own, another number of labels.
            for key in ["architectures", "auto_map", "num_labels", "_num_labels", "_name_or_path"] {
                config.remove(key);
            }
            if let Some(name) = &class {
                config.insert("architectures".into(), json!([name]));
            }
            for key in ["problem_type", TASK, PAIRS, THRESHOLDS, SCALE, TEMPERATURE, FITTED] {
                config.remove(key);
            }
            let problem = match task {
                Task::Classify => Some("single_label_classification"),
                Task::Multilabel => Some("multi_label_classification"),
                Task::Regress => Some("regression"),
                Task::Tag | Task::Lm => None,
            };
            if let Some(problem) = problem {
                config.insert("problem_type".into(), json!(problem));
            }
            if task != Task::Classify {
                config.insert(TASK.into(), json!(task));
            }
            config.insert("id2label".into(), Value::Object(by_id.collect()));
            config.insert("label2id".into(), Value::Object(by_label.collect()));
            // Of the weights beside it, whatever the source's were. transformers 4 and 5 each read
            // their own key.
            config.insert("torch_dtype".into(), json!("float32"));
            config.insert("dtype".into(), json!("float32"));
            config.insert("tuneboard_pool".into(), json!(model.pool));
        }
        let mut assets = Self::with(model_folder, &config)?;
        assets.frozen = model.frozen.iter().map(|(_, numbers)| numbers).sum();
        assets.adapter = model.adapter.clone().map(|mut adapter| {
            if let (Some(adapter), Some(_)) = (adapter.as_object_mut(), &class) {
                let kind = if task == Task::Tag { "TOKEN_CLS" } else { "SEQ_CLS" };
                adapter.insert("task_type".into(), json!(kind));
            }
            format!("{adapter:#}\n")
        });
        Ok(assets)
    }

    /// For a model that reads pairs of texts, if it does.
    pub fn of_pairs(self, is_so: bool) -> Self {
        if is_so { self.and([(PAIRS.to_owned(), json!(true))]) } else { self }
    }

    /// With more entries of `config.json`.
    pub fn and(mut self, entries: impl IntoIterator<Item = (String, Value)>) -> Self {
        if let Some(config) = self.config.as_object_mut() {
            config.extend(entries);
        }
        self
    }

    /// Takes over what the model's folder holds, with this `config.json`.
    ///
    /// # Errors
    /// As `new`.
    pub fn with(model_folder: &Path, config: &Value) -> Result<Self, TrainError> {
        let mut tokenizer = Vec::new();
        let from = parts(model_folder)?.tokenizer;
        for name in TOKENIZER_FILES {
            let path = from.join(name);
            if path.is_file() {
                tokenizer.push((name, fs::read(&path).map_err(TrainError::read(&path))?));
            }
        }
        Ok(Self { config: config.clone(), adapter: None, frozen: 0, tokenizer })
    }
}

impl Assets {
    /// Writes the model's files: weights, config, tokenizer.
    fn write(&self, weights: &[u8], write: &Put) -> Result<(), TrainError> {
        let file = if self.adapter.is_some() { ADAPTER_WEIGHTS } else { WEIGHTS };
        write(file, weights)?;
        write("config.json", format!("{:#}\n", self.config).as_bytes())?;
        if let Some(adapter) = &self.adapter {
            write(ADAPTER_CONFIG, adapter.as_bytes())?;
        }
        for (name, bytes) in &self.tokenizer {
            write(name, bytes)?;
        }
        Ok(())
    }
}

/// The best weights so far, as they will be written; in memory, wherever the model is.
pub struct Best {
    assets: Assets,
    weights: Vec<u8>,
}

impl Best {
    /// Copies the weights as they are now.
    ///
    /// # Errors
    /// Tensors that cannot be copied from their device.
    pub fn new(assets: Assets, parameters: &[Parameter]) -> Result<Self, TrainError> {
        Ok(Self { assets, weights: file_of(parameters)? })
    }
}

impl Checkpoints {
    /// The checkpoints of a run's folder. Finishes or clears away what a killed trainer left.
    ///
    /// # Errors
    /// A folder that cannot be written.
    pub fn open(run: &Path) -> Result<Self, TrainError> {
        let folder = run.join("checkpoints");
        fs::create_dir_all(&folder).map_err(TrainError::write(&folder))?;
        let checkpoints = Self { folder };
        for name in ["last", "best"] {
            checkpoints.settle(name)?;
        }
        let entries = fs::read_dir(&checkpoints.folder);
        for entry in entries.map_err(TrainError::read(&checkpoints.folder))?.flatten() {
            if entry.file_name().to_string_lossy().contains(".tmp-") {
                remove(&entry.path())?;
            }
        }
        Ok(checkpoints)
    }

    /// Where the run stands by its last checkpoint; `None` before the first.
    ///
    /// # Errors
    /// A checkpoint that cannot be read.
    pub fn state(&self) -> Result<Option<State>, TrainError> {
        let path = self.folder.join("last").join(STATE);
        match fs::read(&path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(TrainError::read(&path)(e)),
            Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|e| {
                TrainError::Input(format!(
                    "{} is damaged ({e}); delete checkpoints/last to start over.",
                    path.display()
                ))
            }),
        }
    }

    /// Writes `last`: everything that going on takes. `weights` are the model's and the state that batches
    /// carry on; `memory` is what the optimiser remembers, and what the network keeps from batch to batch.
    ///
    /// # Errors
    /// A full disk, say; the checkpoint before it stays.
    pub fn save_last(
        &self,
        assets: &Assets,
        weights: [&[Parameter]; 2],
        memory: &[(String, Tensor)],
        state: &State,
    ) -> Result<(), TrainError> {
        let json = serde_json::to_vec_pretty(state)
            .map_err(|e| TrainError::Failed(format!("The run's state cannot be written: {e}.")))?;
        self.write("last", |write| {
            // One file's bytes at a time.
            assets.write(&file_of(weights.into_iter().flatten())?, write)?;
            write(OPTIMIZER, &weights::to_bytes(memory)?)?;
            write(STATE, &json)
        })
    }

    /// Writes `best`: weights, config and tokenizer.
    ///
    /// # Errors
    /// As `save_last`.
    pub fn save_best(&self, best: &Best) -> Result<(), TrainError> {
        self.write("best", |write| best.assets.write(&best.weights, write))
    }

    /// Puts the weights of `last` or `best` into the model.
    ///
    /// # Errors
    /// A checkpoint that is missing, damaged or of another model.
    pub fn load_weights<'p>(
        &self,
        name: &str,
        parameters: impl IntoIterator<Item = &'p Parameter>,
    ) -> Result<(), TrainError> {
        let folder = self.folder.join(name);
        let adapter = folder.join(ADAPTER_WEIGHTS);
        let path = if adapter.is_file() { adapter } else { folder.join(WEIGHTS) };
        let saved = weights::read_all(&path)?;
        for parameter in parameters {
            let missing = || TrainError::MissingTensor {
                name: parameter.name.clone(),
                file: path.display().to_string(),
            };
            let tensor: &Tensor = saved.get(&parameter.name).ok_or_else(missing)?;
            if tensor.size() != parameter.tensor.size() {
                let sizes = |t: &Tensor| t.size().iter().map(|n| *n as usize).collect();
                return Err(TrainError::WrongShape {
                    name: parameter.name.clone(),
                    file: path.display().to_string(),
                    got: sizes(tensor),
                    want: sizes(&parameter.tensor),
                });
            }
            parameter.set(tensor)?;
        }
        Ok(())
    }

    /// The `config.json` of `last` or `best`; null if it cannot be read.
    pub fn config(&self, name: &str) -> Value {
        let text = fs::read(self.folder.join(name).join("config.json")).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }

    /// The memory of `last`, by name.
    ///
    /// # Errors
    /// A checkpoint that is damaged.
    pub fn memory(&self) -> Result<BTreeMap<String, Tensor>, TrainError> {
        weights::read_all(&self.folder.join("last").join(OPTIMIZER))
    }

    /// Writes the checkpoint `name` out of the files that `files` puts into it.
    ///
    /// # Errors
    /// A full disk, say; the checkpoint before it stays.
    pub fn write(
        &self,
        name: &str,
        files: impl FnOnce(&Put) -> Result<(), TrainError>,
    ) -> Result<(), TrainError> {
        let temporary = self.folder.join(format!("{name}.tmp-{}", std::process::id()));
        let written = fill(&temporary, files);
        if written.is_err() {
            // Whatever was written only fills the disk.
            let _ = fs::remove_dir_all(&temporary);
            return written;
        }
        let new = self.folder.join(format!("{name}.new"));
        remove(&new)?;
        rename(&temporary, &new)?;
        sync(&self.folder)?;
        self.settle(name)
    }

    /// Brings `name` to its place from wherever a save was interrupted.
    fn settle(&self, name: &str) -> Result<(), TrainError> {
        let [new, place, old] = [format!("{name}.new"), name.to_owned(), format!("{name}.old")]
            .map(|n| self.folder.join(n));
        if new.exists() {
            if place.exists() {
                remove(&old)?;
                rename(&place, &old)?;
            }
            rename(&new, &place)?;
        } else if !place.exists() && old.exists() {
            rename(&old, &place)?;
        }
        sync(&self.folder)?;
        remove(&old)
    }
}

/// Writes a model as a folder of its own.
///
/// # Errors
/// A full disk, say.
pub fn write_model(
    folder: &Path,
    assets: &Assets,
    parameters: &[Parameter],
) -> Result<(), TrainError> {
    fill(folder, |write| assets.write(&file_of(parameters)?, write))
}

/// The bytes of a file with these weights.
fn file_of<'p>(parameters: impl IntoIterator<Item = &'p Parameter>) -> Result<Vec<u8>, TrainError> {
    let tensors = parameters.into_iter().map(|p| (p.name.clone(), p.tensor.shallow_clone()));
    weights::to_bytes(&tensors.collect::<Vec<_>>())
}

/// Deletes what a run keeps no more now that it is done. What cannot be deleted stays: the run is done all the same.
pub fn drop_after_done(run: &Path, keep: Keep) {
    let folder = run.join("checkpoints");
    let [best, last] = ["best", "last"].map(|name| folder.join(name).is_dir());
    for name in keep.drops(best, last) {
        let path = folder.join(name);
        let _ = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    }
}

/// Writes all files of a checkpoint into `folder`, and syncs them.
fn fill(
    folder: &Path,
    files: impl FnOnce(&Put) -> Result<(), TrainError>,
) -> Result<(), TrainError> {
    remove(folder)?;
    fs::create_dir_all(folder).map_err(TrainError::write(folder))?;
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.join(name);
        let mut file = File::create(&path).map_err(TrainError::write(&path))?;
        file.write_all(bytes).map_err(TrainError::write(&path))?;
        file.sync_all().map_err(TrainError::write(&path))
    };
    files(&write)?;
    sync(folder)
}

/// Writes one file of a checkpoint: its name and its bytes.
pub type Put<'a> = dyn Fn(&str, &[u8]) -> Result<(), TrainError> + 'a;

fn rename(from: &Path, to: &Path) -> Result<(), TrainError> {
    fs::rename(from, to).map_err(TrainError::write(to))
}

fn remove(folder: &Path) -> Result<(), TrainError> {
    match fs::remove_dir_all(folder) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(TrainError::write(folder)(e)),
        _ => Ok(()),
    }
}

/// Makes renames in a folder durable.
fn sync(folder: &Path) -> Result<(), TrainError> {
    File::open(folder).and_then(|f| f.sync_all()).map_err(TrainError::write(folder))
}
