use std::env;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use tch::Kind;
use tuneboard::dataset::{self, Dataset};
use tuneboard::events::{EventKind, Level, Started};
use tuneboard::spec::{Adapter, Family, Precision, Rates, RunSpec, printable};

use super::{Meter, Trainer};
use crate::checkpoint::Checkpoints;
use crate::device::Place;
use crate::error::TrainError;
use crate::journal::{History, Journal};
use crate::model::{self, FamilyExt, Parameter};
use crate::objective::{self, Opened, Setup};
use crate::optim::Optimizer;
use crate::rng::{Purpose, seed_torch};
use crate::source::Source;
use crate::state::State;

/// What learns beside large weights starts at 0 and wants larger steps than they do.
const SLOW_FOR_ADAPTERS: f64 = 1e-4;

/// What is told about a run when it opens.
struct Story {
    history: History,
    started: Started,
    family: Family,
    /// About the model.
    notes: Vec<String>,
    /// How the data was read, and which of its columns.
    reading: String,
    /// About the data.
    warnings: Vec<String>,
}

impl<'a> Trainer<'a> {
    /// Loads model and data, takes up the last checkpoint if there is one, and reports it.
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
        let source = Source::open(&root, folder, &spec, &data)?;
        let family = Family::of(&source.folder, &model::read_config(&source.folder)?)?;
        let place = Place { kind: family.products(place.kind), ..place };
        let mut state = State::start(&spec, &data.hash);
        let spec = RunSpec { unfreeze: family.unfreeze(spec.unfreeze), ..spec };
        let mut story = Story::new(&data, history, family);

        // Whatever is random in a new model comes from the seed, on any device.
        seed_torch(spec.seed, Purpose::Init, 0);
        let setup = Setup { run: folder, source: &source, family, spec: &spec, place: &place };
        let Opened { objective, assets, notes } = objective::open(&setup, data)?;
        story.notes = notes;

        let parameters = objective.parameters();
        let groups = parameters.iter().map(Parameter::group).max().unwrap_or(0) + 1;
        let rates = Rates::new(&spec, objective.steps(), groups);
        let checkpoints = Checkpoints::open(folder)?;
        if let Some(saved) = checkpoints.state()? {
            state = state.go_on_from(saved)?;
            checkpoints.load_weights("last", parameters.iter().chain(objective.carried()))?;
            if let Some(memory) = objective.memory() {
                memory.restore(&checkpoints.memory()?, place.device)?;
            }
        }
        let stage = rates.stage(state.step);
        let mut optimizer = Optimizer::new(&spec, parameters, stage.groups)?;
        if state.step > stage.first {
            optimizer.restore(&checkpoints.memory()?, state.step - stage.first)?;
        }
        state.attempt = history.attempts + 1;
        journal.step = state.step;
        let mut trainer = Self {
            spec,
            objective,
            optimizer,
            rates,
            stage,
            place,
            state,
            meter: Meter::default(),
            journal,
            folder: folder.to_path_buf(),
            checkpoints,
            best: None,
            saved: None,
            assets,
            stop,
        };
        trainer.tell(story)?;
        Ok(trainer)
    }

    /// Reports that this attempt begins, and the first time what is worth knowing.
    fn tell(&mut self, story: Story) -> Result<(), TrainError> {
        let (epoch, attempt) = (self.state.epoch, self.state.attempt);
        if story.history.attempts > 0 || self.state.step > 0 {
            self.journal.write(EventKind::Resumed { epoch, attempt })?;
        }
        let parameters = self.objective.parameters();
        let numbers = |of: &dyn Fn(&Parameter) -> bool| -> u64 {
            let those = parameters.iter().filter(|parameter| of(parameter));
            those.map(|p| p.tensor.numel() as u64).sum()
        };
        let reached = self.rates.most_groups();
        self.journal.write(EventKind::Started(Box::new(Started {
            spec_hash: self.state.spec_hash.clone(),
            device: self.place.device_name(),
            threads: self.place.threads as u32,
            precision: self.place.precision_name().to_owned(),
            parameters: numbers(&|_| true) + self.assets.frozen,
            trainable: Some(numbers(&|p| p.learns && p.group() < reached)),
            epochs: self.spec.epochs,
            total_steps: self.rates.total(),
            ..story.started
        })))?;
        if story.history.attempts > 0 {
            return Ok(());
        }
        for note in story.notes {
            self.journal.note(Level::Info, note)?;
        }
        for (level, note) in self.notes(story.family) {
            self.journal.note(level, note)?;
        }
        let data = printable(&self.spec.data, 200);
        self.journal.note(Level::Info, format!("{data}: {}", story.reading))?;
        self.journal.warnings(&story.warnings)
    }

    /// Sentences about keys that do little or nothing for this model.
    fn notes(&self, family: Family) -> Vec<(Level, String)> {
        let mut notes = Vec::new();
        let (name, spec) = (family.name(), &self.spec);
        let frozen = self.rates.never_reached();
        if frozen > 0 {
            let text = format!(
                "unfreeze=gradual unfreezes one group an epoch: with epochs={} the lowest {frozen} of \
                 {} groups never learn.",
                spec.epochs,
                self.rates.groups()
            );
            notes.push((Level::Warning, text));
        }
        if spec.precision == Precision::Bf16 && self.place.kind == Kind::Float {
            let text = format!("precision=bf16 changes nothing: {name} models compute in 32 bits.");
            notes.push((Level::Info, text));
        }
        if spec.adapter == Adapter::Lora && spec.lr < SLOW_FOR_ADAPTERS {
            let text =
                format!("lr={:e} is slow for an adapter, which learns at 1e-4 to 1e-3.", spec.lr);
            notes.push((Level::Info, text));
        }
        let (lr, usual) = (spec.lr, family.usual_lr());
        if lr <= usual / 10.0 {
            let text =
                format!("lr={lr:e} is slow for a {name} model; it learns at about {usual:e}.");
            notes.push((Level::Warning, text));
        }
        notes
    }
}

impl Story {
    fn new(data: &Dataset, history: History, family: Family) -> Self {
        let started = history.started(data);
        let (reading, warnings) = (data.reading.sentence(), data.notes.clone());
        Self { history, started, family, notes: Vec::new(), reading, warnings }
    }
}
