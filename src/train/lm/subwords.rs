use std::path::Path;

use serde_json::{Value, json};
use tch::{Kind, Reduction, Tensor};
use tuneboard::dataset::Dataset;
use tuneboard::events::Split;
use tuneboard::spec::RunSpec;

use super::mask::Masker;
use super::objective::{Learn, Objective, Sums};
use super::pieces::{Frame, Pieces};
use crate::batch;
use crate::checkpoint::Assets;
use crate::device::Place;
use crate::epoch::parts;
use crate::error::TrainError;
use crate::model::{self, FamilyExt, Inputs, LoadedPredictor, Mode, Parameter, Start};
use crate::rng::{Purpose, Rng};
use crate::session;
use crate::tokenize::{Tokens, must_fit};

/// A BERT that guesses hidden tokens, or a GPT-2 that guesses the next one, text by text.
pub struct Subwords {
    model: LoadedPredictor,
    pieces: Pieces,
    /// `None` = the next token is predicted.
    masker: Option<Masker>,
    /// The steps of the epoch, each of `accumulate` batches of pieces.
    steps: Vec<Vec<Vec<u32>>>,
    epoch: u32,
    batch_size: usize,
    accumulate: usize,
    seed: u64,
    smoothing: f64,
    place: Place,
}

/// What [`Subwords::open`] gives.
pub struct Opened {
    /// Ready for the first epoch.
    pub objective: Subwords,
    /// What checkpoints hold besides weights.
    pub assets: Assets,
    /// A sentence for the user.
    pub note: Option<String>,
}

/// The targets of a batch.
struct Targets {
    inputs: Inputs,
    /// Which tokens of the batch the predictions are read at: `row * length + column`, int64 `[targets]`.
    places: Tensor,
    /// The right ids, int64 `[targets]`.
    ids: Tensor,
    count: u64,
    tokens: u64,
}

/// Vectors that are turned into word scores at once where nothing is learnt: scores of a large vocabulary
/// are what fills the memory.
const AT_ONCE: i64 = 1024;

impl Subwords {
    /// Loads the model of `source` and cuts the texts. Whatever is random comes from libtorch's
    /// generators.
    ///
    /// # Errors
    /// Whatever is wrong with the folder, or texts that do not fit.
    pub fn open(
        source: &Path,
        with_weights: bool,
        spec: &RunSpec,
        data: &Dataset,
        place: &Place,
    ) -> Result<Opened, TrainError> {
        let start = if with_weights { Start::Checkpoint } else { Start::Random };
        let model = model::load_predictor(source, start, spec.dropout, place.device, place.kind)?;
        session::check_length(source, spec, model.limits)?;
        let tokenizer = model.family.tokenizer(source, None)?;
        let masker = if model.is_causal {
            None
        } else {
            Some(Masker {
                mask: model::mask_id(source, &*tokenizer)?,
                vocabulary: model.limits.vocabulary as u32,
            })
        };
        let end = model.json.get("eos_token_id").and_then(Value::as_u64);
        let end = end.and_then(|id| u32::try_from(id).ok()).filter(|_| model.is_causal);
        let counts = |frame: &Frame, ids: &[u32]| match masker {
            Some(_) => ids.iter().any(|id| !frame.holds(*id)),
            None => ids.len() > 1,
        };
        let length = spec.max_length as usize;
        let pieces = Pieces::cut(&*tokenizer, data, length, end, place.threads, counts)?;
        must_fit(&pieces.tokens, model.limits)?;
        let note = (!model.head_given && masker.is_some())
            .then(|| "The layers that predict hidden tokens are new.".to_owned());
        let assets = Assets::with(source, &described(&model))?;
        let mut objective = Self {
            model,
            pieces,
            masker,
            steps: Vec::new(),
            epoch: 0,
            batch_size: spec.batch_size as usize,
            accumulate: spec.accumulate as usize,
            seed: spec.seed,
            smoothing: spec.label_smoothing,
            place: place.clone(),
        };
        objective.lay_out(0);
        Ok(Opened { objective, assets, note })
    }

    fn lay_out(&mut self, epoch: u32) {
        let [train, ..] = &self.pieces.parts;
        let batches =
            batch::training(train, &self.pieces.tokens, self.batch_size, self.seed, epoch);
        self.steps = batches.chunks(self.accumulate).map(<[Vec<u32>]>::to_vec).collect();
        self.epoch = epoch;
    }

    /// What is to be predicted of some pieces. `draw` names the tokens that are hidden, given a piece.
    fn targets(&self, rows: &[u32], draw: impl Fn(u32) -> Rng) -> Result<Targets, TrainError> {
        let (padding, device) = (self.model.padding, self.place.device);
        let mut shown = Tokens::default();
        let mut found = Vec::new();
        for (row, piece) in (0_i64..).zip(rows) {
            let mut ids = self.pieces.tokens.get(*piece).to_vec();
            if let Some(masker) = self.masker {
                let is_word = |id| !self.pieces.frame.holds(id);
                let hidden = masker.hide(&mut ids, is_word, &mut draw(*piece));
                found.extend(hidden.into_iter().map(|(at, id)| (row, at as i64, id)));
            } else {
                found.extend(ids.iter().skip(1).zip(0..).map(|(id, at)| (row, at, *id)));
            }
            shown.push(&ids);
        }
        let inputs = batch::collate(0..rows.len() as u32, &shown, padding, device)?;
        let (_, length) = inputs.ids.size2()?;
        let places: Vec<i64> = found.iter().map(|(row, at, _)| row * length + at).collect();
        let ids: Vec<i64> = found.iter().map(|(.., id)| i64::from(*id)).collect();
        Ok(Targets {
            inputs,
            places: Tensor::f_from_slice(&places)?.f_to_device(device)?,
            ids: Tensor::f_from_slice(&ids)?.f_to_device(device)?,
            count: found.len() as u64,
            tokens: rows.iter().map(|row| self.pieces.tokens.count(*row)).sum(),
        })
    }

    /// The vectors that the predictions are made from, `[targets, width]`.
    fn vectors(&self, targets: &Targets, mode: Mode) -> Result<Tensor, TrainError> {
        let hidden = self.model.network.hidden(&targets.inputs, mode)?;
        Ok(hidden.f_flatten(0, 1)?.f_index_select(0, &targets.places)?)
    }

    /// Summed cross-entropy of some vectors' predictions, and how many of them were right.
    fn loss(
        &self,
        vectors: &Tensor,
        ids: &Tensor,
        smoothing: f64,
    ) -> Result<(Tensor, Tensor), TrainError> {
        let scores = self.model.network.scores(vectors)?;
        let loss =
            scores.f_cross_entropy_loss(ids, None::<&Tensor>, Reduction::Sum, -100, smoothing)?;
        let right = scores.f_argmax(-1, false)?.f_eq_tensor(ids)?.f_sum(Kind::Int64)?;
        Ok((loss, right))
    }
}

impl Objective for Subwords {
    fn parameters(&self) -> &[Parameter] {
        &self.model.parameters
    }

    fn steps(&self) -> u64 {
        self.steps.len() as u64
    }

    fn begin(&mut self, epoch: u32, _: u64) -> Result<(), TrainError> {
        self.lay_out(epoch);
        Ok(())
    }

    fn step(
        &mut self,
        index: u64,
        halvings: u32,
        mode: Mode,
        learn: &mut Learn,
    ) -> Result<Sums, TrainError> {
        let batches = self.steps.get(index as usize).map_or(&[][..], Vec::as_slice);
        // Each piece is masked anew in every epoch.
        let epoch = u64::from(self.epoch) << 32;
        let draw = |piece| Rng::new(self.seed, Purpose::Mask, epoch | u64::from(piece));
        let of_parts = batches.iter().flat_map(|batch| parts(batch, halvings));
        let all = of_parts.map(|rows| self.targets(rows, draw)).collect::<Result<Vec<_>, _>>()?;
        let total = all.iter().map(|targets| targets.count).sum::<u64>() as f64;
        let mut sums = Sums::default();
        for targets in all {
            let vectors = self.vectors(&targets, mode)?;
            let (loss, right) = self.loss(&vectors, &targets.ids, self.smoothing)?;
            learn(&loss.f_div_scalar(total)?)?;
            sums.add(Sums {
                targets: targets.count,
                right: right.f_int64_value(&[])? as u64,
                tokens: targets.tokens,
                loss: loss.f_double_value(&[])?,
            });
        }
        Ok(sums)
    }

    fn can_halve(&self, halvings: u32) -> bool {
        self.batch_size >> halvings > 1
    }

    fn evaluate(&self, split: Split, stop: &dyn Fn() -> bool) -> Result<Option<Sums>, TrainError> {
        let _guard = tch::no_grad_guard();
        let [train, val, test] = &self.pieces.parts;
        let rows = match split {
            Split::Train => train,
            Split::Val => val,
            Split::Test => test,
        };
        let mode = Mode::inference(self.place.kind);
        // Not the run's seed: runs with different seeds are judged by the same tokens.
        let draw = |piece| Rng::new(0, Purpose::Mask, u64::from(piece));
        let mut all = Sums::default();
        for positions in batch::evaluation(rows, &self.pieces.tokens, self.batch_size) {
            if stop() {
                return Ok(None);
            }
            let batch = positions.iter().filter_map(|at| rows.get(*at).copied());
            let targets = self.targets(&batch.collect::<Vec<_>>(), draw)?;
            let vectors = self.vectors(&targets, mode)?;
            all.targets += targets.count;
            all.tokens += targets.tokens;
            let pairs = vectors.f_split(AT_ONCE, 0)?.into_iter();
            for (vectors, ids) in pairs.zip(targets.ids.f_split(AT_ONCE, 0)?) {
                let (loss, right) = self.loss(&vectors, &ids, 0.0)?;
                all.right += right.f_int64_value(&[])? as u64;
                all.loss += loss.f_double_value(&[])?;
            }
        }
        Ok(Some(all))
    }
}

/// `config.json` of the checkpoints: the source's, for what the weights are now.
fn described(model: &LoadedPredictor) -> Value {
    let mut json = model.json.clone();
    let Some(config) = json.as_object_mut() else { return json };
    let of_others = [
        "auto_map",
        "num_labels",
        "_num_labels",
        "_name_or_path",
        "problem_type",
        "id2label",
        "label2id",
        "tuneboard_pool",
    ];
    for key in of_others {
        config.remove(key);
    }
    config.insert("architectures".into(), json!([model.architecture]));
    config.insert("tie_word_embeddings".into(), json!(true));
    config.insert("torch_dtype".into(), json!("float32"));
    config.insert("dtype".into(), json!("float32"));
    json
}
