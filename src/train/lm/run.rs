use std::collections::BTreeMap;
use std::env;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tch::{Kind as Format, Tensor};
use tuneboard::dataset::{self, Dataset};
use tuneboard::events::{Ending, Kind, Level, Number, Saved, Split, Started};
use tuneboard::spec::schedule::Stage;
use tuneboard::spec::{BuiltIn, Init, Rates, RunSpec};

use super::start;
use crate::checkpoint::{Assets, Checkpoints};
use crate::device::Place;
use crate::error::TrainError;
use crate::fastai::{Stream, Words};
use crate::fit::End;
use crate::journal::{History, Journal};
use crate::model::{
    self, Carried, LanguageModel, LoadedLanguageModel, Mode, Parameter, Predicted, regularisation,
};
use crate::optim::{self, Optimizer};
use crate::report;
use crate::rng::{Purpose, Rng, seed_torch};
use crate::session;
use crate::state::State;
use crate::tokenize::Tokens;

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
    tokens: Tokens,
    model: LanguageModel,
    /// What learns, and then the carried state, which is only part of `checkpoints/last`.
    parameters: Vec<Parameter>,
    learning: usize,
    carried: Carried,
    window: usize,
    /// Weights of activation regularisation and of its temporal form.
    regularisation: [f64; 2],
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

/// Sums over the targets of a pass.
#[derive(Default)]
struct Sums {
    targets: u64,
    right: u64,
    loss: f64,
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
        if spec.accumulate != 1 {
            return Err(TrainError::Input(
                "accumulate does not go with task=lm, whose windows carry their state on; set \
                 accumulate=1."
                    .into(),
            ));
        }
        let root = env::current_dir().map_err(TrainError::read(Path::new(".")))?;
        // `model=ulmfit` has no folder, nor weights.
        let source = match BuiltIn::named(&spec.model) {
            Some(BuiltIn::Ulmfit) => None,
            _ => Some(session::find_model(&root, &spec.model)?),
        };
        if let Some(source) = &source {
            model::must_be_language_model(source)?;
        }
        let place = Place { kind: Format::Float, ..Place::choose(&spec)? };
        let data = dataset::load(&spec, &root)?;
        let with_weights = spec.init == Init::Pretrained && source.is_some();
        let start = start::prepare(folder, source.as_deref(), with_weights, &data)?;

        // Whatever is random in a new model comes from the seed, on any device.
        seed_torch(spec.seed, Purpose::Init, 0);
        let loaded = LoadedLanguageModel::read(&start, with_weights, spec.dropout, place.device)?;
        let LoadedLanguageModel { model, mut parameters, config, json } = loaded;
        let tokens = Tokens::of(&Words::read(&start, None)?, &data.texts, place.threads)?;
        let window = config.bptt as usize;
        let stream = Stream::new(texts(&tokens, &data.train), spec.batch_size as usize, window);
        if stream.windows() == 0 {
            return Err(TrainError::Input(format!(
                "The train rows have too few words for batch_size={}, which reads that many parts of \
                 them side by side; lower it.",
                spec.batch_size
            )));
        }

        let groups = parameters.iter().map(Parameter::group).max().unwrap_or(0) + 1;
        let rates = Rates::new(&spec, stream.windows() as u64, groups);
        let learning = parameters.len();
        parameters.extend(config.carried(i64::from(spec.batch_size), place.device)?);

        let checkpoints = Checkpoints::open(folder)?;
        let mut state =
            State { spec_hash: spec.hash(), data_hash: data.hash.clone(), ..State::default() };
        let mut carried = Carried::new();
        if let Some(saved) = checkpoints.state()? {
            saved.must_fit(&state)?;
            checkpoints.load_weights("last", &parameters)?;
            state = saved;
            if state.step_in_epoch > 0 {
                let kept = parameters.iter().skip(learning).map(|p| p.tensor.copy());
                let kept: Vec<Tensor> = kept.collect();
                carried = kept
                    .chunks(2)
                    .filter_map(|pair| Some((pair.first()?.copy(), pair.last()?.copy())))
                    .collect();
            }
        }
        let stage = rates.stage(state.step);
        let mut optimizer = Optimizer::new(&spec, &parameters, stage.groups)?;
        if state.step > stage.first {
            optimizer.restore(&checkpoints.memory()?, state.step - stage.first)?;
        }
        state.attempt = history.attempts + 1;
        journal.step = state.step;
        let assets = Assets::with(&start, &json)?;
        let regularisation = [config.alpha, config.beta];
        let run = Self {
            spec,
            data,
            tokens,
            model,
            parameters,
            learning,
            carried,
            window,
            regularisation,
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
        run.tell(history)
    }

    fn tell(self, history: History) -> Result<Self, TrainError> {
        let (epoch, attempt) = (self.state.epoch, self.state.attempt);
        if history.attempts > 0 || self.state.step > 0 {
            self.journal.write(Kind::Resumed { epoch, attempt })?;
        }
        let learning = self.parameters.iter().take(self.learning);
        self.journal.write(Kind::Started(Box::new(Started {
            spec_hash: self.state.spec_hash.clone(),
            attempt,
            pid: std::process::id(),
            host: session::host_name(),
            device: self.place.device_name(),
            threads: self.place.threads as u32,
            precision: self.place.precision_name().to_owned(),
            trainer: env!("CARGO_PKG_VERSION").to_owned(),
            parameters: learning.map(|p| p.tensor.numel() as u64).sum(),
            data_hash: self.data.hash.clone(),
            labels: Vec::new(),
            rows: [&self.data.train, &self.data.val, &self.data.test].map(|r| r.len() as u64),
            epochs: self.spec.epochs,
            total_steps: self.rates.total(),
        })))?;
        if history.attempts == 0 {
            for note in &self.data.notes {
                self.journal.note(Level::Warning, note)?;
            }
        }
        Ok(self)
    }

    fn best_epoch(&self) -> Option<u32> {
        self.state.best.map(|best| best.epoch)
    }

    fn stop_asked(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Trains to the end of the epoch; false if a stop was asked for first.
    fn train_epoch(&mut self) -> Result<bool, TrainError> {
        let mut order = self.data.train.clone();
        Rng::new(self.spec.seed, Purpose::Order, u64::from(self.state.epoch)).shuffle(&mut order);
        let rows = self.spec.batch_size as usize;
        let stream = Stream::new(texts(&self.tokens, &order), rows, self.window);
        if self.state.step_in_epoch == 0 {
            self.carried.clear();
        }
        for index in self.state.step_in_epoch as usize..stream.windows() {
            if self.stop_asked() {
                return Ok(false);
            }
            self.step(&stream, index)?;
        }
        Ok(true)
    }

    fn step(&mut self, stream: &Stream, index: usize) -> Result<(), TrainError> {
        let begun = Instant::now();
        let stage = self.rates.stage(self.state.step);
        if stage != self.stage {
            self.optimizer = Optimizer::new(&self.spec, &self.parameters, stage.groups)?;
            self.stage = stage;
        }
        let lr = self.rates.lr(self.state.step);
        seed_torch(self.spec.seed, Purpose::Dropout, self.state.step);
        let mode = Mode::training(Format::Float);
        let mut carried = std::mem::take(&mut self.carried);
        let (loss, sums, predicted) = self.pass(stream, index, &mut carried, mode)?;
        self.carried = carried;
        let [alpha, beta] = self.regularisation;
        let whole = match regularisation(&predicted, alpha, beta)? {
            Some(more) => loss.f_add(&more)?,
            None => loss,
        };
        let mean = sums.loss / sums.targets as f64;
        if !mean.is_finite() {
            return Err(TrainError::Diverged { loss: mean, step: self.state.step + 1, lr });
        }
        let mut gradients = self.optimizer.gradients(&whole)?;
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
        tally.tokens += sums.targets;
        tally.right += sums.right;
        tally.loss += sums.loss;
        let seconds = begun.elapsed().as_secs_f64();
        tally.seconds += seconds;
        let last = index + 1 == stream.windows();
        if last || self.told.elapsed() >= BETWEEN_REPORTS {
            self.tell_metrics(lr, sums.targets as f64 / seconds)?;
        }
        Ok(())
    }

    fn tell_metrics(&mut self, lr: f64, tokens_per_s: f64) -> Result<(), TrainError> {
        self.told = Instant::now();
        let mut values = BTreeMap::from([
            ("train/step_loss".to_owned(), Number(self.state.smooth.value())),
            ("train/step_lr".to_owned(), Number(lr)),
            ("train/step_tokens_per_s".to_owned(), Number(tokens_per_s)),
        ]);
        values.extend(report::group_rates(&self.rates, self.state.step.saturating_sub(1)));
        let per_epoch = self.rates.total() as f64 / f64::from(self.spec.epochs);
        let epoch = f64::from(self.state.epoch) + self.state.step_in_epoch as f64 / per_epoch;
        self.journal.write(Kind::Metrics { epoch, values })
    }

    /// One window: its mean loss, the sums over its targets, and what the network gave.
    fn pass(
        &self,
        stream: &Stream,
        index: usize,
        carried: &mut Carried,
        mode: Mode,
    ) -> Result<(Tensor, Sums, Predicted), TrainError> {
        let (inputs, targets, length) = stream.window(index);
        let device = self.place.device;
        let shape = [stream.rows() as i64, length as i64];
        let inputs = Tensor::f_from_slice(&inputs)?.f_view(shape)?.f_to_device(device)?;
        let targets = Tensor::f_from_slice(&targets)?.f_to_device(device)?;
        let predicted = self.model.forward(&inputs, carried, mode)?;
        let logits = predicted.logits.f_flatten(0, 1)?;
        let loss = logits.f_cross_entropy_loss(
            &targets,
            None::<&Tensor>,
            tch::Reduction::Mean,
            -100,
            self.spec.label_smoothing,
        )?;
        let right = logits.f_argmax(-1, false)?.f_eq_tensor(&targets)?.f_sum(Format::Int64)?;
        let count = targets.numel() as u64;
        let sums = Sums {
            targets: count,
            right: right.f_int64_value(&[])? as u64,
            loss: loss.f_double_value(&[])? * count as f64,
        };
        Ok((loss, sums, predicted))
    }

    /// Judges the epoch that was just trained, and counts it; false if a stop was asked for first.
    fn judge_epoch(&mut self) -> Result<bool, TrainError> {
        let epoch = self.state.epoch + 1;
        let Some(val) = self.evaluate(Split::Val)? else { return Ok(false) };
        let tally = std::mem::take(&mut self.state.tally);
        let train = Sums { targets: tally.rows, right: tally.right, loss: tally.loss };
        let mut values = train.values();
        let rate = Number(tally.tokens as f64 / tally.seconds);
        values.insert("tokens_per_s".to_owned(), rate);
        self.journal.write(Kind::Eval { split: Split::Train, epoch, values })?;
        self.journal.write(Kind::Eval { split: Split::Val, epoch, values: val.values() })?;
        if self.state.judge(epoch, val.loss / val.targets as f64) {
            let learning = self.parameters.get(..self.learning).unwrap_or_default();
            self.checkpoints.save_best(&self.assets, learning)?;
            self.saved(Saved::Best, epoch, "checkpoints/best")?;
        }
        self.state.epoch = epoch;
        self.state.step_in_epoch = 0;
        Ok(true)
    }

    fn save(&mut self) -> Result<(), TrainError> {
        let kept = self.parameters.iter().skip(self.learning);
        let carried = self.carried.iter().flat_map(|(h, c)| [h, c]);
        for (place, tensor) in kept.zip(carried) {
            place.tensor.shallow_clone().f_copy_(tensor)?;
        }
        let parameters = &self.parameters;
        let memory = self.optimizer.state();
        self.checkpoints.save_last(&self.assets, parameters, &memory, &self.state)?;
        self.saved(Saved::Last, self.state.epoch, "checkpoints/last")
    }

    fn test_best(&mut self) -> Result<bool, TrainError> {
        let mut epoch = self.state.epoch;
        if let Some(best) = self.state.best {
            let learning = self.parameters.get(..self.learning).unwrap_or_default();
            self.checkpoints.load_weights("best", learning)?;
            epoch = best.epoch;
        }
        let Some(test) = self.evaluate(Split::Test)? else { return Ok(false) };
        self.journal.write(Kind::Eval { split: Split::Test, epoch, values: test.values() })?;
        Ok(true)
    }

    /// One pass over a split, from a fresh state; `None` if a stop was asked for on the way.
    fn evaluate(&self, split: Split) -> Result<Option<Sums>, TrainError> {
        let _guard = tch::no_grad_guard();
        let rows = report::rows(&self.data, split);
        let side_by_side = self.spec.batch_size as usize;
        let mut stream = Stream::new(texts(&self.tokens, rows), side_by_side, self.window);
        if stream.windows() == 0 {
            stream = Stream::new(texts(&self.tokens, rows), 1, self.window);
        }
        let mut carried = Carried::new();
        let mut all = Sums::default();
        for index in 0..stream.windows() {
            if self.stop_asked() {
                return Ok(None);
            }
            let mode = Mode::inference(Format::Float);
            let (_, sums, _) = self.pass(&stream, index, &mut carried, mode)?;
            all.targets += sums.targets;
            all.right += sums.right;
            all.loss += sums.loss;
        }
        Ok(Some(all))
    }

    fn saved(&mut self, what: Saved, epoch: u32, path: &str) -> Result<(), TrainError> {
        self.journal.write(Kind::Saved { what, epoch, path: path.to_owned() })
    }
}

impl Sums {
    /// Mean cross-entropy per word, the share of words that were the most probable, and the
    /// perplexity.
    fn values(&self) -> BTreeMap<String, Number> {
        let loss = self.loss / self.targets as f64;
        BTreeMap::from([
            ("loss".to_owned(), Number(loss)),
            ("acc".to_owned(), Number(self.right as f64 / self.targets as f64)),
            ("ppl".to_owned(), Number(loss.exp())),
        ])
    }
}

fn texts<'t>(tokens: &'t Tokens, rows: &'t [u32]) -> impl Iterator<Item = &'t [u32]> {
    rows.iter().map(|row| tokens.get(*row))
}
