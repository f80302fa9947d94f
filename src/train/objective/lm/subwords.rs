use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};
use tch::{Reduction, Tensor};
use tuneboard::dataset::Dataset;
use tuneboard::events::{Number, Split};
use tuneboard::spec::RunSpec;

use super::mask::Masker;
use super::pieces::{Frame, Pieces};
use super::sums::Sums;
use crate::batch::{self, Epoch, parts};
use crate::checkpoint::Assets;
use crate::device::Place;
use crate::error::TrainError;
use crate::model::{self, Inputs, LoadedPredictor, Mode, Parameter, Reads};
use crate::native;
use crate::objective::loss::{self, Loss};
use crate::objective::{Learner, Objective, Opened, Pass, Setup, Stop};
use crate::outcome::Outcome;
use crate::rng::{Purpose, Rng};
use crate::splits;
use crate::state::Tally;
use crate::tokenize::{Tokens, must_fit};

/// A model that guesses hidden tokens, or the next one, text by text.
struct Subwords {
    model: LoadedPredictor,
    pieces: Pieces,
    /// `None` = the next token is predicted.
    masker: Option<Masker>,
    spec: RunSpec,
    loss: Loss,
    place: Place,
    epoch: u32,
    batches: Epoch,
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

/// A language model that learns text by text.
///
/// # Errors
/// Whatever is wrong with the folder, or texts that do not fit.
pub fn open(setup: &Setup, data: &Dataset) -> Result<Opened, TrainError> {
    let Setup { source, spec, place, .. } = *setup;
    let folder: &Path = &source.folder;
    let model =
        model::load_predictor(folder, source.start, spec.dropout, place.device, place.kind)?;
    source.check_length(spec, model.limits)?;
    let tokenizer = model.family.tokenizer(folder, None)?;
    let masker = if model.is_causal {
        None
    } else {
        Some(Masker {
            mask: model::mask_id(folder, &*tokenizer)?,
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
    must_fit(&pieces.tokens, model.limits.vocabulary)?;
    let note = (!model.head_given && masker.is_some())
        .then(|| "The layers that predict hidden tokens are new.".to_owned());
    let assets = Assets::with(folder, &described(&model))?;
    let objective = Box::new(Subwords {
        model,
        pieces,
        masker,
        spec: spec.clone(),
        loss: Loss::of_tokens(spec),
        place: place.clone(),
        epoch: 0,
        batches: Epoch::default(),
    });
    Ok(Opened { objective, assets, notes: note.into_iter().collect() })
}

impl Subwords {
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
            places: native::send(&Tensor::f_from_slice(&places)?, device)?,
            ids: native::send(&Tensor::f_from_slice(&ids)?, device)?,
            count: found.len() as u64,
            tokens: rows.iter().map(|row| self.pieces.tokens.count(*row)).sum(),
        })
    }

    /// The vectors that the predictions are made from, `[targets, width]`.
    fn vectors(&self, targets: &Targets, mode: Mode) -> Result<Tensor, TrainError> {
        let hidden = self.model.network.hidden(&targets.inputs, mode)?;
        Ok(hidden.f_flatten(0, 1)?.f_index_select(0, &targets.places)?)
    }
}

impl Objective for Subwords {
    fn parameters(&self) -> &[Parameter] {
        &self.model.parameters
    }

    fn steps(&self) -> u64 {
        Epoch::steps(splits::part(&self.pieces.parts, Split::Train).len(), &self.spec)
    }

    fn begin(&mut self, epoch: u32, _: u64, _: &Stop) -> Result<bool, TrainError> {
        let train = splits::part(&self.pieces.parts, Split::Train);
        self.batches = Epoch::lay_out(train, &self.pieces.tokens, &self.spec, epoch);
        self.epoch = epoch;
        Ok(true)
    }

    fn step(
        &mut self,
        index: u64,
        halvings: u32,
        learner: &mut Learner,
    ) -> Result<Vec<Pass>, TrainError> {
        // Each piece is masked anew in every epoch.
        let epoch = u64::from(self.epoch) << 32;
        let draw = |piece| Rng::new(self.spec.seed, Purpose::Mask, epoch | u64::from(piece));
        let batches = self.batches.step(index).iter();
        let of_parts = batches.flat_map(|batch| parts(batch, halvings));
        let all = of_parts.map(|rows| self.targets(rows, draw)).collect::<Result<Vec<_>, _>>()?;
        let total = all.iter().map(|targets| targets.count).sum::<u64>() as f64;
        let mut passes = Vec::with_capacity(all.len());
        for targets in all {
            let vectors = self.vectors(&targets, learner.mode)?;
            let scores = self.model.network.scores(&vectors)?;
            let loss = self.loss.learning(&scores, &targets.ids, Reduction::Sum)?;
            let right = loss::right(&scores, &targets.ids)?;
            learner.learn(&loss.f_div_scalar(total)?)?;
            passes.push(Pass {
                loss: loss.f_detach()?,
                right,
                targets: targets.count,
                tokens: targets.tokens,
            });
        }
        Ok(passes)
    }

    fn has_examples(&self) -> bool {
        false
    }

    fn train_values(&self, tally: &Tally) -> BTreeMap<String, Number> {
        Sums::train_values(tally)
    }

    fn evaluate(
        &mut self,
        split: Split,
        most: Option<u64>,
        stop: &Stop,
    ) -> Result<Option<Outcome>, TrainError> {
        let _guard = tch::no_grad_guard();
        let rows = splits::sample(splits::part(&self.pieces.parts, split), most);
        let mode = Mode::inference(self.place.kind);
        // Not the run's seed: runs with different seeds are judged by the same tokens.
        let draw = |piece| Rng::new(0, Purpose::Mask, u64::from(piece));
        let (mut all, mut done) = (Sums::default(), 0);
        let at_once = self.spec.batch_size as usize;
        for positions in batch::evaluation(&rows, &self.pieces.tokens, at_once) {
            if stop.asked_at(done, rows.len()) {
                return Ok(None);
            }
            done += positions.len();
            let batch = positions.iter().filter_map(|at| rows.get(*at).copied());
            let targets = self.targets(&batch.collect::<Vec<_>>(), draw)?;
            let vectors = self.vectors(&targets, mode)?;
            all.targets += targets.count;
            let pairs = vectors.f_split(AT_ONCE, 0)?.into_iter();
            for (vectors, ids) in pairs.zip(targets.ids.f_split(AT_ONCE, 0)?) {
                let scores = self.model.network.scores(&vectors)?;
                let loss = loss::judging(&scores, &ids, Reduction::Sum)?;
                all.right += loss::right(&scores, &ids)?.f_int64_value(&[])? as u64;
                all.loss += loss.f_double_value(&[])?;
            }
        }
        Ok(Some(all.outcome()))
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
