use std::path::Path;

use tch::{Kind as Format, Tensor};
use tuneboard::dataset::Dataset;
use tuneboard::events::Split;
use tuneboard::spec::RunSpec;

use super::objective::{Learn, Objective, Sums};
use super::start;
use crate::checkpoint::Assets;
use crate::device::Place;
use crate::error::TrainError;
use crate::fastai::{Stream, Words};
use crate::model::{
    Carried, LanguageModel, LoadedLanguageModel, Mode, Parameter, Predicted, regularisation,
};
use crate::report;
use crate::rng::{Purpose, Rng};
use crate::tokenize::Tokens;

/// An AWD-LSTM. All texts are one stream, as fastai has it (see [`crate::fastai::Stream`]): its rows
/// are read side by side, and the network's state is carried from window to window.
pub struct Windows {
    model: LanguageModel,
    /// What learns, and then the carried state, which is only part of `checkpoints/last`.
    parameters: Vec<Parameter>,
    learning: usize,
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
    smoothing: f64,
    place: Place,
}

impl Windows {
    /// Loads the AWD-LSTM of `source`, or makes the built-in one if there is none; gives what its
    /// checkpoints hold besides weights. Whatever is random comes from libtorch's generators.
    ///
    /// # Errors
    /// Whatever is wrong with the folder, keys that make no sense, too few words.
    pub fn open(
        run: &Path,
        source: Option<&Path>,
        with_weights: bool,
        spec: &RunSpec,
        data: &Dataset,
        place: &Place,
    ) -> Result<(Self, Assets), TrainError> {
        if spec.accumulate != 1 {
            return Err(TrainError::Input(
                "accumulate does not go with an AWD-LSTM's task=lm, whose windows carry their state on; \
                 set accumulate=1."
                    .into(),
            ));
        }
        let start = start::prepare(run, source, with_weights, data)?;
        let loaded = LoadedLanguageModel::read(&start, with_weights, spec.dropout, place.device)?;
        let LoadedLanguageModel { model, mut parameters, config, json } = loaded;
        let tokens = Tokens::of(&Words::read(&start, None)?, &data.texts, place.threads)?;
        let (window, batch_size) = (config.bptt as usize, spec.batch_size as usize);
        let stream = Stream::new(texts(&tokens, &data.train), batch_size, window);
        if stream.windows() == 0 {
            return Err(TrainError::Input(format!(
                "The train rows have too few words for batch_size={}, which reads that many parts of \
                 them side by side; lower it.",
                spec.batch_size
            )));
        }
        let learning = parameters.len();
        parameters.extend(config.carried(i64::from(spec.batch_size), place.device)?);
        let objective = Self {
            model,
            parameters,
            learning,
            carried: Carried::new(),
            window,
            regularisation: [config.alpha, config.beta],
            tokens,
            rows: [Split::Train, Split::Val, Split::Test].map(|s| report::rows(data, s).to_vec()),
            stream,
            batch_size,
            seed: spec.seed,
            smoothing: spec.label_smoothing,
            place: Place { kind: Format::Float, ..place.clone() },
        };
        Ok((objective, Assets::with(&start, &json)?))
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
            if mode.training { self.smoothing } else { 0.0 },
        )?;
        let right = logits.f_argmax(-1, false)?.f_eq_tensor(&targets)?.f_sum(Format::Int64)?;
        let count = targets.numel() as u64;
        let sums = Sums {
            targets: count,
            tokens: count,
            right: right.f_int64_value(&[])? as u64,
            loss: loss.f_double_value(&[])? * count as f64,
        };
        Ok((loss, sums, predicted))
    }
}

impl Objective for Windows {
    fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    fn learning(&self) -> usize {
        self.learning
    }

    fn steps(&self) -> u64 {
        self.stream.windows() as u64
    }

    fn begin(&mut self, epoch: u32, step: u64) -> Result<(), TrainError> {
        let mut order = self.rows[0].clone();
        Rng::new(self.seed, Purpose::Order, u64::from(epoch)).shuffle(&mut order);
        self.stream = Stream::new(texts(&self.tokens, &order), self.batch_size, self.window);
        let kept = self.parameters.iter().skip(self.learning).map(|p| p.tensor.copy());
        let kept: Vec<Tensor> = if step > 0 { kept.collect() } else { Vec::new() };
        let pair = |pair: &[Tensor]| Some((pair.first()?.copy(), pair.last()?.copy()));
        self.carried = kept.chunks(2).filter_map(pair).collect();
        Ok(())
    }

    fn step(
        &mut self,
        index: u64,
        _: u32,
        mode: Mode,
        learn: &mut Learn,
    ) -> Result<Sums, TrainError> {
        let mut carried = std::mem::take(&mut self.carried);
        let (loss, sums, predicted) =
            self.pass(&self.stream, index as usize, &mut carried, mode)?;
        self.carried = carried;
        let [alpha, beta] = self.regularisation;
        match regularisation(&predicted, alpha, beta)? {
            Some(more) => learn(&loss.f_add(&more)?)?,
            None => learn(&loss)?,
        }
        Ok(sums)
    }

    /// The rows of a window depend on each other's order through the carried state.
    fn can_halve(&self, _: u32) -> bool {
        false
    }

    /// From a fresh state.
    fn evaluate(&self, split: Split, stop: &dyn Fn() -> bool) -> Result<Option<Sums>, TrainError> {
        let _guard = tch::no_grad_guard();
        let [train, val, test] = &self.rows;
        let rows = match split {
            Split::Train => train,
            Split::Val => val,
            Split::Test => test,
        };
        let mut stream = Stream::new(texts(&self.tokens, rows), self.batch_size, self.window);
        if stream.windows() == 0 {
            stream = Stream::new(texts(&self.tokens, rows), 1, self.window);
        }
        let mut carried = Carried::new();
        let mut all = Sums::default();
        for index in 0..stream.windows() {
            if stop() {
                return Ok(None);
            }
            let mode = Mode::inference(Format::Float);
            let (_, sums, _) = self.pass(&stream, index, &mut carried, mode)?;
            all.add(sums);
        }
        Ok(Some(all))
    }

    fn settle(&mut self) -> Result<(), TrainError> {
        let _guard = tch::no_grad_guard();
        let kept = self.parameters.iter().skip(self.learning);
        let carried = self.carried.iter().flat_map(|(h, c)| [h, c]);
        for (place, tensor) in kept.zip(carried) {
            place.tensor.shallow_clone().f_copy_(tensor)?;
        }
        Ok(())
    }
}

fn texts<'t>(tokens: &'t Tokens, rows: &'t [u32]) -> impl Iterator<Item = &'t [u32]> {
    rows.iter().map(|row| tokens.get(*row))
}
