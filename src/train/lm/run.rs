use std::collections::BTreeMap;
use std::env;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tuneboard::dataset::{self, Dataset};
use tuneboard::events::{Ending, Kind, Level, Number, Saved, Split, Started};
use tuneboard::spec::family::LanguageModel;
use tuneboard::spec::schedule::Stage;
use tuneboard::spec::{Init, Rates, RunSpec, Unfreeze};

use super::objective::{Objective, Sums};
use super::stream::Windows;
use super::subwords::Subwords;
use crate::checkpoint::{Assets, Checkpoints};
use crate::device::{self, Place};
use crate::error::TrainError;
use crate::fit::End;
use crate::journal::{History, Journal};
use crate::model::{self, Family, FamilyExt, Mode, Parameter};
use crate::optim::{self, Optimizer};
use crate::report;
use crate::rng::{Purpose, seed_torch};
use crate::session;
use crate::state::State;

/// Trains a language model, tests its best epoch.
///
/// # Errors
/// Whatever ends the run early.
pub fn run(
    folder: &Path,
    spec: RunSpec,
    history: History,
    journal: &mut Journal,
    stop: &AtomicBool,
) -> Result<End, TrainError> {
    let mut run = Run::open(folder, spec, history, journal, stop)?;
    while run.state.epoch < run.spec.epochs && !run.state.is_stuck(run.spec.early_stop) {
        let finished = run.train_epoch()? && run.judge_epoch()?;
        run.save()?;
        if !finished {
            return Ok((Ending::Stopped, run.best_epoch()));
        }
    }
    let finished = run.test_best()?;
    Ok((if finished { Ending::Done } else { Ending::Stopped }, run.best_epoch()))
}

struct Run<'a> {
    spec: RunSpec,
    data: Dataset,
    objective: Box<dyn Objective>,
    optimizer: Optimizer,
    rates: Rates,
    stage: Stage,
    place: Place,
    state: State,
    told: Instant,
    journal: &'a mut Journal,
    checkpoints: Checkpoints,
    assets: Assets,
    stop: &'a AtomicBool,
}

/// At most ten reports a second.
const BETWEEN_REPORTS: Duration = Duration::from_millis(100);

impl<'a> Run<'a> {
    fn open(
        folder: &Path,
        spec: RunSpec,
        history: History,
        journal: &'a mut Journal,
        stop: &'a AtomicBool,
    ) -> Result<Self, TrainError> {
        let root = env::current_dir().map_err(TrainError::read(Path::new(".")))?;
        let source = session::source(&root, &spec)?;
        let mut place = Place::choose(&spec)?;
        let data = dataset::load(&spec, &root)?;
        let family = family(source.as_deref())?;
        place.kind = family.products(place.kind);
        // Whatever is random in a new model comes from the seed, on any device.
        seed_torch(spec.seed, Purpose::Init, 0);
        let with_weights = spec.init != Init::Random && source.is_some();
        let mut notes = Vec::new();
        let (objective, assets): (Box<dyn Objective>, Assets) = match source {
            Some(source) if family != Family::AwdLstm => {
                let opened = Subwords::open(&source, with_weights, &spec, &data, &place)?;
                notes.extend(opened.note);
                (Box::new(opened.objective), opened.assets)
            }
            source => {
                let source = source.as_deref();
                let opened = Windows::open(folder, source, with_weights, &spec, &data, &place)?;
                (Box::new(opened.0), opened.1)
            }
        };
        let mut state = State::start(&spec, &data.hash);
        let spec = RunSpec { unfreeze: family.unfreeze(spec.unfreeze), ..spec };

        let parameters = objective.parameters();
        let groups = parameters.iter().map(Parameter::group).max().unwrap_or(0) + 1;
        let has_head = parameters.iter().any(|p| p.is_head && p.learns);
        if spec.unfreeze != Unfreeze::All && !has_head {
            return Err(TrainError::Input(format!(
                "unfreeze={} begins with the layer above the trunk, and a {} language model has none of \
                 its own: its word embeddings are its output layer; set unfreeze=all.",
                spec.unfreeze,
                family.name()
            )));
        }
        let rates = Rates::new(&spec, objective.steps(), groups);
        let checkpoints = Checkpoints::open(folder)?;
        if let Some(saved) = checkpoints.state()? {
            state = state.go_on_from(saved)?;
            checkpoints.load_weights("last", parameters)?;
        }
        let stage = rates.stage(state.step);
        let mut optimizer = Optimizer::new(&spec, parameters, stage.groups)?;
        if state.step > stage.first {
            optimizer.restore(&checkpoints.memory()?, state.step - stage.first)?;
        }
        state.attempt = history.attempts + 1;
        journal.step = state.step;
        let run = Self {
            spec,
            data,
            objective,
            optimizer,
            rates,
            stage,
            place,
            state,
            told: Instant::now(),
            journal,
            checkpoints,
            assets,
            stop,
        };
        run.tell(history, notes)
    }

    fn tell(self, history: History, notes: Vec<String>) -> Result<Self, TrainError> {
        let (epoch, attempt) = (self.state.epoch, self.state.attempt);
        if history.attempts > 0 || self.state.step > 0 {
            self.journal.write(Kind::Resumed { epoch, attempt })?;
        }
        self.journal.write(Kind::Started(Box::new(Started {
            spec_hash: self.state.spec_hash.clone(),
            attempt,
            pid: std::process::id(),
            host: session::host_name(),
            device: self.place.device_name(),
            threads: self.place.threads as u32,
            precision: self.place.precision_name().to_owned(),
            trainer: env!("CARGO_PKG_VERSION").to_owned(),
            parameters: self.learning().iter().map(|p| p.tensor.numel() as u64).sum(),
            data_hash: self.data.hash.clone(),
            labels: Vec::new(),
            rows: [&self.data.train, &self.data.val, &self.data.test].map(|r| r.len() as u64),
            epochs: self.spec.epochs,
            total_steps: self.rates.total(),
        })))?;
        if history.attempts == 0 {
            for note in notes {
                self.journal.note(Level::Info, note)?;
            }
            for note in &self.data.notes {
                self.journal.note(Level::Warning, note)?;
            }
        }
        Ok(self)
    }

    /// The model's own parameters.
    fn learning(&self) -> &[Parameter] {
        let all = self.objective.parameters();
        all.get(..self.objective.learning()).unwrap_or(all)
    }

    fn best_epoch(&self) -> Option<u32> {
        self.state.best.map(|best| best.epoch)
    }

    fn stop_asked(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Trains to the end of the epoch; false if a stop was asked for first.
    fn train_epoch(&mut self) -> Result<bool, TrainError> {
        self.objective.begin(self.state.epoch, self.state.step_in_epoch)?;
        for index in self.state.step_in_epoch..self.objective.steps() {
            if self.stop_asked() {
                return Ok(false);
            }
            self.step(index)?;
        }
        Ok(true)
    }

    fn step(&mut self, index: u64) -> Result<(), TrainError> {
        let begun = Instant::now();
        let stage = self.rates.stage(self.state.step);
        if stage != self.stage {
            let parameters = self.objective.parameters();
            self.optimizer = Optimizer::new(&self.spec, parameters, stage.groups)?;
            self.stage = stage;
        }
        let lr = self.rates.lr(self.state.step);
        let (mut gradients, sums) = loop {
            match self.gradients(index) {
                Err(e) if e.is_out_of_memory() && self.objective.can_halve(self.state.halvings) => {
                    self.state.halvings += 1;
                    let text = session::halved(self.spec.batch_size, self.state.halvings);
                    self.journal.note(Level::Warning, text)?;
                }
                done => break done?,
            }
        };
        let mean = sums.mean();
        if !mean.is_finite() {
            return Err(TrainError::Diverged { loss: mean, step: self.state.step + 1, lr });
        }
        let clip = self.spec.clip;
        let scale = if clip > 0.0 { optim::clip(&mut gradients, clip)? } else { 1.0 };
        self.optimizer.step(&gradients, scale, lr)?;
        self.state.step += 1;
        self.state.step_in_epoch += 1;
        self.journal.step = self.state.step;
        self.journal.console.step(self.state.step);
        self.state.smooth.push(mean);
        let tally = &mut self.state.tally;
        tally.rows += sums.targets;
        tally.tokens += sums.tokens;
        tally.right += sums.right;
        tally.loss += sums.loss;
        let seconds = begun.elapsed().as_secs_f64();
        tally.seconds += seconds;
        let last = index + 1 == self.objective.steps();
        if last || self.told.elapsed() >= BETWEEN_REPORTS {
            self.tell_metrics(lr, sums.tokens as f64 / seconds)?;
        }
        Ok(())
    }

    /// The gradients of a step, and what its passes gave.
    fn gradients(&mut self, index: u64) -> Result<(Vec<tch::Tensor>, Sums), TrainError> {
        seed_torch(self.spec.seed, Purpose::Dropout, self.state.step);
        let mode = Mode::training(self.place.kind);
        let mut gradients = Vec::new();
        let optimizer = &self.optimizer;
        let sums = self.objective.step(index, self.state.halvings, mode, &mut |loss| {
            optim::accumulate(&mut gradients, optimizer.gradients(loss)?)
        })?;
        Ok((gradients, sums))
    }

    fn tell_metrics(&mut self, lr: f64, tokens_per_s: f64) -> Result<(), TrainError> {
        self.told = Instant::now();
        let mut values = BTreeMap::from([
            ("train/step_loss".to_owned(), Number(self.state.smooth.value())),
            ("train/step_lr".to_owned(), Number(lr)),
            ("train/step_tokens_per_s".to_owned(), Number(tokens_per_s)),
        ]);
        values.extend(report::group_rates(&self.rates, self.state.step.saturating_sub(1)));
        if let Some(bytes) = self.place.memory() {
            values.insert("train/step_memory_bytes".to_owned(), Number(bytes as f64));
        }
        let per_epoch = self.rates.total() as f64 / f64::from(self.spec.epochs);
        let epoch = f64::from(self.state.epoch) + self.state.step_in_epoch as f64 / per_epoch;
        self.journal.write(Kind::Metrics { epoch, values })
    }

    /// Judges the epoch that was just trained, and counts it; false if a stop was asked for first.
    fn judge_epoch(&mut self) -> Result<bool, TrainError> {
        let epoch = self.state.epoch + 1;
        let Some(val) = self.evaluate(Split::Val)? else { return Ok(false) };
        let tally = std::mem::take(&mut self.state.tally);
        let train = Sums {
            targets: tally.rows,
            right: tally.right,
            tokens: tally.tokens,
            loss: tally.loss,
        };
        let mut values = train.values();
        let rate = Number(tally.tokens as f64 / tally.seconds);
        values.insert("tokens_per_s".to_owned(), rate);
        values.extend(device::peak_memory(self.place.device));
        self.journal.write(Kind::Eval { split: Split::Train, epoch, values })?;
        self.journal.write(Kind::Eval { split: Split::Val, epoch, values: val.values() })?;
        if self.state.judge(epoch, val.mean()) {
            self.checkpoints.save_best(&self.assets, self.learning())?;
            self.saved(Saved::Best, epoch, "checkpoints/best")?;
        }
        self.state.epoch = epoch;
        self.state.step_in_epoch = 0;
        Ok(true)
    }

    fn save(&mut self) -> Result<(), TrainError> {
        self.objective.settle()?;
        let (parameters, memory) = (self.objective.parameters(), self.optimizer.state());
        self.checkpoints.save_last(&self.assets, parameters, &memory, &self.state)?;
        self.saved(Saved::Last, self.state.epoch, "checkpoints/last")
    }

    fn test_best(&mut self) -> Result<bool, TrainError> {
        let mut epoch = self.state.epoch;
        if let Some(best) = self.state.best {
            self.checkpoints.load_weights("best", self.learning())?;
            epoch = best.epoch;
        }
        let Some(test) = self.evaluate(Split::Test)? else { return Ok(false) };
        self.journal.write(Kind::Eval { split: Split::Test, epoch, values: test.values() })?;
        Ok(true)
    }

    fn evaluate(&self, split: Split) -> Result<Option<Sums>, TrainError> {
        self.objective.evaluate(split, &|| self.stop_asked())
    }

    fn saved(&mut self, what: Saved, epoch: u32, path: &str) -> Result<(), TrainError> {
        self.journal.write(Kind::Saved { what, epoch, path: path.to_owned() })
    }
}

/// The family of the model in `source`; the built-in one, which has no folder, is an AWD-LSTM.
fn family(source: Option<&Path>) -> Result<Family, TrainError> {
    let Some(source) = source else { return Ok(Family::AwdLstm) };
    let family = Family::of(source, &model::read_config(source)?)?;
    if family.row().language_model == LanguageModel::No {
        let learn = |family: &&Family| family.row().language_model != LanguageModel::No;
        let names: Vec<&str> = Family::ALL.iter().filter(learn).map(|f| f.name()).collect();
        return Err(TrainError::Input(format!(
            "task=lm trains {} models; {} holds a {family} model.",
            names.join(", "),
            source.display()
        )));
    }
    Ok(family)
}
