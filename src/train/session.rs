use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;
use tch::{Device, Kind as Format, Tensor};
use tuneboard::dataset::{self, Dataset};
use tuneboard::events::{Kind, Level, Number, Saved, Split, Started};
use tuneboard::spec::schedule::Stage;
use tuneboard::spec::{
    BuiltIn, ClassWeights, Init, Precision, Preset, Rates, RunId, RunSpec, Unfreeze, locate,
    printable,
};

use crate::cache::{Cache, Name};
use crate::checkpoint::{Assets, Checkpoints, TOKENIZER_FILES};
use crate::device::{self, Place};
use crate::epoch::Meter;
use crate::error::TrainError;
use crate::evaluate::evaluate;
use crate::fastai;
use crate::frozen::Vectors;
use crate::journal::{History, Journal};
use crate::model::{
    self, Context, FamilyExt, Limits, Loaded, Memory, Mode, Parameter, Request, Start,
};
use crate::optim::Optimizer;
use crate::report::{self, Pass};
use crate::rng::{Purpose, seed_torch};
use crate::state::State;
use crate::tokenize::{Tokens, must_fit};

/// A run in memory, ready for its next step.
pub struct Session<'a> {
    pub(crate) spec: RunSpec,
    pub(crate) data: Dataset,
    pub(crate) tokens: Tokens,
    pub(crate) model: Loaded,
    pub(crate) optimizer: Optimizer,
    pub(crate) rates: Rates,
    /// Which groups the optimiser is made for.
    stage: Stage,
    pub(crate) place: Place,
    /// Weight of each class in the loss, `[classes]`; `None` = all 1.
    pub(crate) class_weights: Option<Vec<f32>>,
    pub(crate) state: State,
    pub(crate) meter: Meter,
    pub(crate) journal: &'a mut Journal,
    folder: PathBuf,
    checkpoints: Checkpoints,
    assets: Assets,
    stop: &'a AtomicBool,
    pub(crate) cache: Cache,
    /// Of all rows, while the trunk is frozen.
    pub(crate) vectors: Option<Vectors>,
}

/// Whether to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// What was asked for is complete.
    Finished,
    /// A stop was asked for first.
    Stopped,
}

impl Flow {
    /// Goes on only if nobody asked for a stop.
    ///
    /// # Errors
    /// Those of `next`.
    pub fn and_then(
        self,
        next: impl FnOnce() -> Result<Self, TrainError>,
    ) -> Result<Self, TrainError> {
        if self == Self::Finished { next() } else { Ok(self) }
    }
}

impl<'a> Session<'a> {
    /// Loads model and data, takes up the last checkpoint if there is one, and tells of it.
    ///
    /// # Errors
    /// Whatever is wrong with model, data, checkpoint or device.
    pub fn open(
        folder: &Path,
        spec: RunSpec,
        history: History,
        journal: &'a mut Journal,
        stop: &'a AtomicBool,
    ) -> Result<Self, TrainError> {
        let root = env::current_dir().map_err(TrainError::read(Path::new(".")))?;
        let place = Place::choose(&spec)?;
        let data = dataset::load(&spec, &root)?;
        let source = source(&root, &spec)?;
        let is_made = source.is_none();
        let own = folder.join("model");
        let model_folder = match (source, BuiltIn::named(&spec.model)) {
            (Some(folder), _) => folder,
            (None, None | Some(BuiltIn::Baseline(_))) => find_model(&root, &spec.model)?,
            (None, Some(BuiltIn::Gru)) => {
                model::make_gru(&own, report::texts(&data, Split::Train))?;
                own
            }
            (None, Some(BuiltIn::Ulmfit)) => {
                fastai::scratch(&own, report::texts(&data, Split::Train))?;
                own
            }
        };

        // Whatever is random in a new model comes from the seed, on any device.
        seed_torch(spec.seed, Purpose::Init, 0);
        let start = match spec.init {
            Init::Pretrained | Init::Run(_) if !is_made => Start::Checkpoint,
            _ => Start::Random,
        };
        let config = model::read_config(&model_folder)?;
        let request = Request {
            start,
            classes: Some(data.label_names.len()),
            keep_head: keeps_head(&config, &data.label_names),
            pool: spec.pool,
            length: Some(spec.max_length as usize),
            dropout: spec.dropout,
            elmo: Some(Context { stateful: spec.stateful, layer_norm: spec.layer_norm }),
            device: place.device,
            kind: place.kind,
        };
        let model = model::load(&model_folder, &request)?;
        let place = Place { kind: model.family.products(place.kind), ..place };
        let cache = Cache::from_env();
        let tokens = tokens(&cache, &model_folder, &spec, &model, &data.texts, place.threads)?;
        must_fit(&tokens, model.limits)?;
        let mut state = State::start(&spec, &data.hash);
        let spec = RunSpec { unfreeze: model.family.unfreeze(spec.unfreeze), ..spec };

        let batches = data.train.len().div_ceil(spec.batch_size as usize);
        let steps_per_epoch = batches.div_ceil(spec.accumulate as usize) as u64;
        let groups = model.parameters.iter().map(Parameter::group).max().unwrap_or(0) + 1;
        let rates = Rates::new(&spec, steps_per_epoch, groups);

        let checkpoints = Checkpoints::open(folder)?;
        if let Some(saved) = checkpoints.state()? {
            state = state.go_on_from(saved)?;
            checkpoints.load_weights("last", &model.parameters)?;
            if let Some(memory) = model.network.memory() {
                memory.restore(&checkpoints.memory()?, place.device)?;
            }
        }
        let stage = rates.stage(state.step);
        let mut optimizer = Optimizer::new(&spec, &model.parameters, stage.groups)?;
        if state.step > stage.first {
            optimizer.restore(&checkpoints.memory()?, state.step - stage.first)?;
        }
        state.attempt = history.attempts + 1;
        journal.step = state.step;

        let assets = Assets::new(&model_folder, &model, &data.label_names)?;
        let predictions = folder.join("predictions");
        fs::create_dir_all(&predictions).map_err(TrainError::write(&predictions))?;

        let session = Self {
            class_weights: class_weights(&spec, &data),
            meter: Meter::default(),
            folder: folder.to_path_buf(),
            spec,
            data,
            tokens,
            model,
            optimizer,
            rates,
            stage,
            place,
            state,
            journal,
            checkpoints,
            assets,
            stop,
            cache,
            vectors: None,
        };
        session.tell(history)
    }

    fn tell(self, history: History) -> Result<Self, TrainError> {
        if history.attempts > 0 || self.state.step > 0 {
            let (epoch, attempt) = (self.state.epoch, self.state.attempt);
            self.journal.write(Kind::Resumed { epoch, attempt })?;
        }
        self.journal.write(Kind::Started(Box::new(Started {
            spec_hash: self.state.spec_hash.clone(),
            attempt: self.state.attempt,
            pid: std::process::id(),
            host: host_name(),
            device: self.place.device_name(),
            threads: self.place.threads as u32,
            precision: self.place.precision_name().to_owned(),
            trainer: env!("CARGO_PKG_VERSION").to_owned(),
            parameters: self.model.parameters.iter().map(|p| p.tensor.numel() as u64).sum(),
            data_hash: self.data.hash.clone(),
            labels: self.data.label_names.clone(),
            rows: [&self.data.train, &self.data.val, &self.data.test].map(|r| r.len() as u64),
            epochs: self.spec.epochs,
            total_steps: self.rates.total(),
        })))?;
        if history.attempts == 0 {
            if let Init::Run(parent) = self.spec.init {
                let text = lineage(parent, &self.model, &self.data.label_names);
                self.journal.note(Level::Info, text)?;
            } else if !self.model.head_given {
                self.journal.note(Level::Info, "The classification head is new.")?;
            }
            let frozen = self.rates.never_reached();
            if frozen > 0 {
                let text = format!(
                    "unfreeze=gradual thaws one group an epoch: with epochs={} the lowest {frozen} of \
                     {} groups never learn.",
                    self.spec.epochs,
                    self.rates.groups()
                );
                self.journal.note(Level::Warning, text)?;
            }
            if self.spec.precision == Precision::Bf16 && self.place.kind == Format::Float {
                let family = self.model.family.name();
                let text =
                    format!("precision=bf16 changes nothing: {family} models compute in 32 bits.");
                self.journal.note(Level::Info, text)?;
            }
            let usual = self.model.family.usual_lr();
            if self.spec.lr <= usual / 10.0 {
                let (family, lr) = (self.model.family.name(), self.spec.lr);
                self.journal.note(
                    Level::Warning,
                    format!(
                        "lr={lr:e} is slow for a {family} model; it learns at about {usual:e}."
                    ),
                )?;
            }
            for note in &self.data.notes {
                self.journal.note(Level::Warning, note)?;
            }
        }
        Ok(self)
    }

    /// Makes the optimiser for the next step's groups anew where a stage begins.
    ///
    /// # Errors
    /// What libtorch reports, such as too little memory.
    pub(crate) fn enter_stage(&mut self) -> Result<(), TrainError> {
        let stage = self.rates.stage(self.state.step);
        if stage != self.stage {
            self.optimizer.settle()?;
            self.optimizer = Optimizer::new(&self.spec, &self.model.parameters, stage.groups)?;
            self.stage = stage;
        }
        Ok(())
    }

    /// True if nothing but the head ever learns.
    pub(crate) fn is_trunk_frozen(&self) -> bool {
        self.spec.unfreeze == Unfreeze::Head
    }

    /// Rows that are evaluated together: without gradients more fit.
    pub(crate) fn evaluation_batch(&self) -> usize {
        self.spec.batch_size.max(64) as usize
    }

    /// True once every epoch is done, or nothing better came for too long.
    pub fn is_trained(&self) -> bool {
        self.state.epoch >= self.spec.epochs || self.state.is_stuck(self.spec.early_stop)
    }

    /// The epoch with the lowest val loss so far.
    pub fn best_epoch(&self) -> Option<u32> {
        self.state.best.map(|best| best.epoch)
    }

    /// True once someone asked for a stop.
    pub(crate) fn stop_asked(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Reports the figures of the epoch that was just trained, and counts it. A stop in the middle
    /// of it leaves the epoch trained but not judged.
    ///
    /// # Errors
    /// A full disk, say, or what libtorch reports.
    pub fn judge_epoch(&mut self) -> Result<Flow, TrainError> {
        let epoch = self.state.epoch + 1;
        let train = std::mem::take(&mut self.state.tally);
        let mut values = train.values();
        if self.spec.preset == Preset::Notebook {
            values.extend([notebook_loss(train.step_losses, train.rows as usize)]);
        }
        let Some(loss) = self.judge(Split::Val, epoch, Some(values))? else {
            self.state.tally = train;
            return Ok(Flow::Stopped);
        };
        if self.state.judge(epoch, loss) {
            self.checkpoints.save_best(&self.assets, &self.model.parameters)?;
            self.saved(Saved::Best, epoch, "checkpoints/best")?;
        }
        self.state.epoch = epoch;
        self.state.step_in_epoch = 0;
        Ok(Flow::Finished)
    }

    /// Writes the checkpoint to resume from.
    ///
    /// # Errors
    /// A full disk, say.
    pub fn save(&mut self) -> Result<(), TrainError> {
        let mut memory = self.optimizer.state();
        memory.extend(self.model.network.memory().map(Memory::state).unwrap_or_default());
        let parameters = &self.model.parameters;
        self.checkpoints.save_last(&self.assets, parameters, &memory, &self.state)?;
        self.saved(Saved::Last, self.state.epoch, "checkpoints/last")
    }

    /// Reports the figures of the best epoch's weights on the test rows.
    ///
    /// # Errors
    /// As `judge_epoch`.
    pub fn test_best(&mut self) -> Result<Flow, TrainError> {
        let epoch = match self.state.best {
            Some(best) => {
                self.checkpoints.load_weights("best", &self.model.parameters)?;
                best.epoch
            }
            None => self.state.epoch,
        };
        let loss = self.judge(Split::Test, epoch, None)?;
        Ok(if loss.is_some() { Flow::Finished } else { Flow::Stopped })
    }

    /// One pass over a split: figures, confusion counts, predictions; gives the loss. `before` are
    /// the train figures of the same epoch.
    fn judge(
        &mut self,
        split: Split,
        epoch: u32,
        mut before: Option<BTreeMap<String, Number>>,
    ) -> Result<Option<f64>, TrainError> {
        if !self.freeze()? {
            return Ok(None);
        }
        let mode = Mode::inference(self.place.kind);
        let rows = report::rows(&self.data, split);
        let Some(scores) = evaluate(self, rows, mode)? else { return Ok(None) };
        if let Some(train) = &mut before {
            train.extend(device::peak_memory(self.place.device));
        }
        let more = if self.spec.preset == Preset::Notebook && split == Split::Val {
            vec![notebook_loss(scores.batch_losses(self.spec.batch_size as usize), rows.len())]
        } else {
            Vec::new()
        };
        let pass = Pass { split, epoch, before, more };
        report::report(self.journal, &self.folder, &self.data, pass, scores).map(Some)
    }

    fn saved(&mut self, what: Saved, epoch: u32, path: &str) -> Result<(), TrainError> {
        self.journal.write(Kind::Saved { what, epoch, path: path.to_owned() })
    }

    /// The class of each of some rows, `[rows]`.
    pub(crate) fn labels(&self, rows: &[u32]) -> Result<Tensor, TrainError> {
        let labels: Vec<i64> = rows.iter().map(|row| i64::from(self.label(*row))).collect();
        Ok(Tensor::f_from_slice(&labels)?.f_to_device(self.place.device)?)
    }

    /// The class of a row.
    pub(crate) fn label(&self, row: u32) -> u32 {
        self.data.labels.get(row as usize).copied().unwrap_or(0)
    }
}

/// The notebook's average: mean losses of batches, summed, over the number of rows
/// (docs/notebook.md).
fn notebook_loss(batch_losses: f64, rows: usize) -> (String, Number) {
    ("notebook_loss".to_owned(), Number(batch_losses / rows as f64))
}

/// The folder that a run starts from: the best checkpoint of the run that `init` names, or else the
/// model's; `None` for a built-in model, which has none.
///
/// # Errors
/// A model or checkpoint that does not exist.
pub fn source(root: &Path, spec: &RunSpec) -> Result<Option<PathBuf>, TrainError> {
    if let Init::Run(parent) = spec.init {
        let folder = locate::best_checkpoint(root, parent);
        if folder.join("config.json").is_file() {
            return Ok(Some(folder));
        }
        return Err(TrainError::Input(format!(
            "init={parent} goes on from the best checkpoint of {parent}, but {} is not there.",
            folder.join("config.json").display()
        )));
    }
    match BuiltIn::named(&spec.model) {
        Some(_) => Ok(None),
        None => find_model(root, &spec.model).map(Some),
    }
}

/// Whether a checkpoint's head can be one for these labels. Only for checkpoints of ours it is known what
/// their head was trained on; of others the number of classes decides.
fn keeps_head(config: &Value, labels: &[String]) -> bool {
    config.get("tuneboard_pool").is_none() || head_labels(config).is_some_and(|had| had == labels)
}

/// The labels that a checkpoint's head was trained on, by `id2label`.
fn head_labels(config: &Value) -> Option<Vec<&str>> {
    let names = config.get("id2label")?.as_object()?;
    (0..names.len()).map(|class| names.get(&class.to_string())?.as_str()).collect()
}

/// A sentence about the run that was gone on from, and what became of its head.
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

/// What is said when batches go through the network in `2^halvings` parts from now on.
pub fn halved(batch_size: u32, halvings: u32) -> String {
    format!(
        "Memory did not suffice: batches of {batch_size} rows go through the network in {} parts from now \
         on; the steps stay the same.",
        1_u32 << halvings
    )
}

/// The folder that `model=` means: one that holds a config.json, or at least a tokenizer.json.
pub fn find_model(root: &Path, name: &str) -> Result<PathBuf, TrainError> {
    if BuiltIn::named(name).is_some() {
        return Err(TrainError::Input(format!(
            "model={name} is built in and has no folder: it makes its words from the train rows."
        )));
    }
    let [first, second] = locate::model_candidates(root, name);
    let holds = |folder: &&PathBuf| {
        locate::DESCRIPTIONS
            .iter()
            .chain(&["tokenizer.json"])
            .any(|name| folder.join(name).is_file())
    };
    [&first, &second].into_iter().find(holds).cloned().ok_or_else(|| {
        TrainError::Input(format!(
            "There is no model `{name}`: neither {} nor {} exists.",
            first.join("config.json").display(),
            second.join("config.json").display()
        ))
    })
}

/// The ids of all texts; from the cache if another run had the same texts and tokenizer.
fn tokens(
    cache: &Cache,
    folder: &Path,
    spec: &RunSpec,
    model: &Loaded,
    texts: &[String],
    threads: usize,
) -> Result<Tokens, TrainError> {
    check_length(folder, spec, model.limits)?;
    let how = format!("{} {}", model.family.name(), spec.max_length);
    let mut name = Name::new("tokens").part(how.as_bytes());
    for file in TOKENIZER_FILES.iter().chain(&["config.json"]) {
        name = name.part(&fs::read(folder.join(file)).unwrap_or_default());
    }
    let name = texts.iter().fold(name, |name, text| name.part(text.as_bytes())).finish();
    let known = || cache.get(&name).and_then(|file| Tokens::kept(file, texts.len()));
    if let Some(known) = known() {
        return Ok(known);
    }
    let tokenizer = model.family.tokenizer(folder, Some(spec.max_length as usize))?;
    let tokens = Tokens::of(&*tokenizer, texts, threads)?;
    cache.put(&name, &tokens.to_bytes());
    // Later runs of a sweep share the pages with this one.
    Ok(known().unwrap_or(tokens))
}

/// Holds `max_length` against the model's positions.
///
/// # Errors
/// A length that is more than the model takes.
pub fn check_length(folder: &Path, spec: &RunSpec, limits: Limits) -> Result<(), TrainError> {
    let positions = limits.positions;
    if i64::from(spec.max_length) > positions {
        return Err(TrainError::Input(format!(
            "max_length={} is more than the {positions} positions of {}; set max_length={positions} \
             or less.",
            spec.max_length,
            folder.display()
        )));
    }
    Ok(())
}

/// The machine's name, or nothing.
pub fn host_name() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    name.trim().to_owned()
}

/// `rows / (classes * rows of the class)` over the train rows; 0 for a class without any.
pub fn class_weights(spec: &RunSpec, data: &Dataset) -> Option<Vec<f32>> {
    if spec.class_weights == ClassWeights::None {
        return None;
    }
    let mut counts = vec![0_u32; data.label_names.len()];
    for row in &data.train {
        let label = data.labels.get(*row as usize).copied().unwrap_or(0);
        if let Some(count) = counts.get_mut(label as usize) {
            *count += 1;
        }
    }
    let rows = data.train.len() as f64;
    let weight = |n: &u32| {
        if *n == 0 { 0.0 } else { (rows / (counts.len() as f64 * f64::from(*n))) as f32 }
    };
    Some(counts.iter().map(weight).collect())
}

/// Where a run's class weights are used: next to the logits.
pub(crate) fn place_weights(
    weights: Option<&[f32]>,
    device: Device,
) -> Result<Option<Tensor>, TrainError> {
    weights
        .map(|w| Ok(Tensor::f_from_slice(w)?.f_to_device(device)?.f_to_kind(Format::Float)?))
        .transpose()
}
