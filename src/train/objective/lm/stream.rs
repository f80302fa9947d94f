use std::collections::BTreeMap;

use tch::{Kind, Reduction, Tensor};
use tuneboard::dataset::Dataset;
use tuneboard::events::{Number, Split};

use super::start;
use super::sums::Sums;
use crate::checkpoint::Assets;
use crate::device::Place;
use crate::error::TrainError;
use crate::fastai::{Stream, Words};
use crate::model::{
    Carried, LanguageModel, LoadedLanguageModel, Mode, Parameter, Predicted, Start, regularisation,
};
use crate::native;
use crate::objective::loss::{self, Loss};
use crate::objective::{Learner, Objective, Opened, Pass, Setup, StepLoss, Stop};
use crate::outcome::Outcome;
use crate::rng::{Purpose, Rng};
use crate::splits;
use crate::state::Tally;
use crate::tokenize::Tokens;

/// A language model that reads all texts as one stream, as fastai has it (see
/// [`crate::fastai::Stream`]): the rows of the stream are read side by side, and the network's state is
/// carried from window to window.
struct Windows {
    model: LanguageModel,
    parameters: Vec<Parameter>,
    /// Places for the carried state in `checkpoints/last`, two a layer.
    places: Vec<Parameter>,
    carried: Carried,
    window: usize,
    /// Weights of activation regularisation and of its temporal form.
    regularisation: [f64; 2],
    tokens: Tokens,
    /// Rows of train, val and test.
    rows: [Vec<u32>; 3],
    stream: Stream,
    /// Rows of the stream.
    batch_size: usize,
    seed: u64,
    loss: Loss,
    place: Place,
}

/// A language model of the stream of all texts. The folder it is loaded from is made in the run's.
///
/// # Errors
/// Whatever is wrong with the source, keys that make no sense, too few words.
pub fn open(setup: &Setup, data: &Dataset) -> Result<Opened, TrainError> {
    let Setup { run, source, family, spec, place } = *setup;
    if spec.accumulate != 1 {
        return Err(TrainError::Input(format!(
            "accumulate does not go with task=lm of {} models, whose windows carry their state on; set \
             accumulate=1.",
            family.name()
        )));
    }
    let folder = start::prepare(run, source, data)?;
    let with_weights = source.start == Start::Checkpoint;
    let loaded = LoadedLanguageModel::read(&folder, with_weights, spec.dropout, place.device)?;
    let places = loaded.carried(i64::from(spec.batch_size), place.device)?;
    let LoadedLanguageModel { model, parameters, config, json } = loaded;
    let tokens = Tokens::of(&Words::read(&folder, None)?, &data.texts, place.threads)?;
    let (window, batch_size) = (config.bptt as usize, spec.batch_size as usize);
    let stream = Stream::new(texts(&tokens, &data.train), batch_size, window);
    if stream.windows() == 0 {
        return Err(TrainError::Input(format!(
            "The train rows have too few words for batch_size={}, which reads that many parts of \
             them side by side; lower it.",
            spec.batch_size
        )));
    }
    let objective = Box::new(Windows {
        model,
        parameters,
        places,
        carried: Carried::new(),
        window,
        regularisation: [config.alpha, config.beta],
        tokens,
        rows: [Split::Train, Split::Val, Split::Test].map(|s| splits::rows(data, s).to_vec()),
        stream,
        batch_size,
        seed: spec.seed,
        loss: Loss::of_tokens(spec),
        place: place.clone(),
    });
    Ok(Opened { objective, assets: Assets::with(&folder, &json)?, notes: Vec::new() })
}

impl Windows {
    /// What the network says of a window, `[targets, words]`, and the right words, int64 `[targets]`.
    fn pass(
        &self,
        stream: &Stream,
        index: usize,
        carried: &mut Carried,
        mode: Mode,
    ) -> Result<(Predicted, [Tensor; 2]), TrainError> {
        let (inputs, targets, length) = stream.window(index);
        let device = self.place.device;
        let shape = [stream.rows() as i64, length as i64];
        let inputs = native::send(&Tensor::f_from_slice(&inputs)?.f_view(shape)?, device)?;
        let targets = native::send(&Tensor::f_from_slice(&targets)?, device)?;
        let predicted = self.model.forward(&inputs, carried, mode)?;
        let logits = predicted.logits.f_flatten(0, 1)?;
        Ok((predicted, [logits, targets]))
    }
}

impl Objective for Windows {
    fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    fn carried(&self) -> &[Parameter] {
        &self.places
    }

    fn steps(&self) -> u64 {
        self.stream.windows() as u64
    }

    fn begin(&mut self, epoch: u32, step: u64, _: &Stop) -> Result<bool, TrainError> {
        let mut order = self.rows[0].clone();
        Rng::new(self.seed, Purpose::Order, u64::from(epoch)).shuffle(&mut order);
        self.stream = Stream::new(texts(&self.tokens, &order), self.batch_size, self.window);
        let kept = self.places.iter().map(|place| place.tensor.copy());
        let kept: Vec<Tensor> = if step > 0 { kept.collect() } else { Vec::new() };
        let pair = |pair: &[Tensor]| Some((pair.first()?.copy(), pair.last()?.copy()));
        self.carried = kept.chunks(2).filter_map(pair).collect();
        Ok(true)
    }

    fn step(&mut self, index: u64, _: u32, learner: &mut Learner) -> Result<Vec<Pass>, TrainError> {
        let mut carried = std::mem::take(&mut self.carried);
        let (predicted, [logits, targets]) =
            self.pass(&self.stream, index as usize, &mut carried, learner.mode)?;
        self.carried = carried;
        let loss = self.loss.learning(&logits, &targets, Reduction::Mean)?;
        let [alpha, beta] = self.regularisation;
        match regularisation(&predicted, alpha, beta)? {
            Some(more) => learner.learn(&loss.f_add(&more)?)?,
            None => learner.learn(&loss)?,
        }
        let count = targets.numel() as u64;
        let right = loss::right(&logits, &targets)?;
        Ok(vec![Pass { loss: loss.f_detach()?, right, targets: count, tokens: count }])
    }

    /// The one pass of a step gives a mean.
    fn step_loss(&self, sum: f64, targets: u64) -> StepLoss {
        let sum = sum * targets as f64;
        StepLoss { mean: sum / targets as f64, sum }
    }

    /// The rows of a window depend on each other's order through the carried state.
    fn can_halve(&self) -> bool {
        false
    }

    fn has_examples(&self) -> bool {
        false
    }

    fn train_values(&self, tally: &Tally) -> BTreeMap<String, Number> {
        Sums::train_values(tally)
    }

    /// From a fresh state. A window counts as many rows as the stream has.
    fn evaluate(
        &mut self,
        split: Split,
        most: Option<u64>,
        stop: &Stop,
    ) -> Result<Option<Outcome>, TrainError> {
        let _guard = tch::no_grad_guard();
        let rows = splits::part(&self.rows, split);
        let mut stream = Stream::new(texts(&self.tokens, rows), self.batch_size, self.window);
        if stream.windows() == 0 {
            stream = Stream::new(texts(&self.tokens, rows), 1, self.window);
        }
        let mut carried = Carried::new();
        let mut all = Sums::default();
        let most = most.map_or(usize::MAX, |rows| (rows as usize / stream.rows()).max(1));
        let windows = stream.windows().min(most);
        for index in 0..windows {
            if stop.asked_at(index, windows) {
                return Ok(None);
            }
            let mode = Mode::inference(Kind::Float);
            let (_, [logits, targets]) = self.pass(&stream, index, &mut carried, mode)?;
            let loss = loss::judging(&logits, &targets, Reduction::Mean)?;
            let count = targets.numel() as u64;
            all.add(Sums {
                targets: count,
                right: loss::right(&logits, &targets)?.f_int64_value(&[])? as u64,
                loss: loss.f_double_value(&[])? * count as f64,
            });
        }
        Ok(Some(all.outcome()))
    }

    fn settle(&mut self) -> Result<(), TrainError> {
        let _guard = tch::no_grad_guard();
        let carried = self.carried.iter().flat_map(|(h, c)| [h, c]);
        for (place, tensor) in self.places.iter().zip(carried) {
            place.tensor.shallow_clone().f_copy_(tensor)?;
        }
        Ok(())
    }
}

fn texts<'t>(tokens: &'t Tokens, rows: &'t [u32]) -> impl Iterator<Item = &'t [u32]> {
    rows.iter().map(|row| tokens.get(*row))
}
