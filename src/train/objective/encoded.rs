//! Texts that go through an encoder with a head: all that a task on whole texts needs besides its
//! targets.

use std::fs;
use std::sync::Arc;

use serde_json::Value;
use tch::Tensor;
use tuneboard::dataset::Dataset;
use tuneboard::events::Split;
use tuneboard::spec::{Adapter, RunSpec, Unfreeze};

mod vectors;

use self::vectors::Vectors;
use super::judge::{Outputs, log_probabilities, raw};
use super::{Learner, Pass, Setup, Stop};
use crate::ahead::Ahead;
use crate::batch::{self, Epoch, parts};
use crate::cache::{Cache, Name};
use crate::checkpoint::TOKENIZER_FILES;
use crate::device::Place;
use crate::error::TrainError;
use crate::model::{self, Context, Inputs, Loaded, Lora, Mode, Reads, Request};
use crate::splits;
use crate::tokenize::{Tokens, must_fit};

/// A model with a head, the token ids of all rows, and the batches of an epoch.
pub struct Encoded {
    /// Encoder and head.
    pub model: Loaded,
    /// The ids of all rows.
    pub tokens: Arc<Tokens>,
    /// Makes batches beforehand, where the device computes by itself.
    ahead: Option<Ahead>,
    /// How many rows that is.
    pub(super) texts: usize,
    pub(super) place: Place,
    pub(super) cache: Cache,
    /// True if nothing but the head ever learns.
    pub(super) is_frozen: bool,
    /// Of all rows, while the encoder is frozen.
    pub(super) vectors: Option<Vectors>,
    spec: RunSpec,
    /// The rows of train, val and test.
    rows: [Vec<u32>; 3],
    epoch: Epoch,
}

/// The head that a task wants.
pub struct Head {
    /// How many scores it gives.
    pub outputs: usize,
    /// Whether it gives them of each token, not of a text.
    pub of_tokens: bool,
    /// False if it is new even where the checkpoint has one of that many outputs.
    pub keep: bool,
}

impl Encoded {
    /// Loads the model, puts the head on it that `head` asks for given the checkpoint's config.json, and
    /// cuts all texts into tokens.
    ///
    /// # Errors
    /// Whatever is wrong with the model's folder, or texts that do not fit it.
    pub fn open(
        setup: &Setup,
        data: &Dataset,
        head: impl FnOnce(&Value) -> Head,
    ) -> Result<Self, TrainError> {
        Self::with(setup, head, |cache, model| {
            let rows = [Split::Train, Split::Val, Split::Test];
            Ok((
                tokens(setup, cache, model, data)?,
                rows.map(|split| splits::rows(data, split).to_vec()),
            ))
        })
    }

    /// As [`Self::open`], with what `cut` makes of the data: the tokens of all rows, and which rows are those of
    /// train, val and test.
    ///
    /// # Errors
    /// As there.
    pub fn with(
        setup: &Setup,
        head: impl FnOnce(&Value) -> Head,
        cut: impl FnOnce(&Cache, &Loaded) -> Result<(Tokens, [Vec<u32>; 3]), TrainError>,
    ) -> Result<Self, TrainError> {
        let Setup { source, spec, place, .. } = *setup;
        let head = head(&model::read_config(&source.folder)?);
        let request = Request {
            start: source.start,
            classes: Some(head.outputs),
            of_tokens: head.of_tokens,
            keep_head: head.keep,
            pool: spec.pool,
            length: Some(spec.max_length as usize),
            dropout: spec.dropout,
            elmo: Some(Context { stateful: spec.stateful, layer_norm: spec.layer_norm }),
            device: place.device,
            kind: place.kind,
            lora: (spec.adapter == Adapter::Lora).then(|| Lora::of(spec)),
            adapter: None,
        };
        let model = model::load(&source.folder, &request)?;
        source.check_length(spec, model.limits)?;
        let cache = Cache::from_env();
        let (tokens, rows) = cut(&cache, &model)?;
        must_fit(&tokens, model.limits.vocabulary)?;
        let (texts, tokens) = (tokens.len(), Arc::new(tokens));
        let ahead = || Ahead::new(Arc::clone(&tokens), model.padding, place.device);
        Ok(Self {
            ahead: place.device.is_cuda().then(ahead),
            texts,
            model,
            tokens,
            place: place.clone(),
            cache,
            is_frozen: spec.unfreeze == Unfreeze::Head,
            vectors: None,
            spec: spec.clone(),
            rows,
            epoch: Epoch::default(),
        })
    }

    /// The rows of a split.
    pub fn rows(&self, split: Split) -> &[u32] {
        splits::part(&self.rows, split)
    }

    /// Optimiser steps of an epoch.
    pub fn steps(&self) -> u64 {
        Epoch::steps(self.rows(Split::Train).len(), &self.spec)
    }

    /// Lays out an epoch; see [`super::Objective::begin`].
    ///
    /// # Errors
    /// As there.
    pub fn begin(&mut self, epoch: u32, step: u64, stop: &Stop) -> Result<bool, TrainError> {
        if !self.freeze(stop)? {
            return Ok(false);
        }
        if step == 0 {
            self.forget();
        }
        self.epoch = Epoch::lay_out(self.rows(Split::Train), &self.tokens, &self.spec, epoch);
        Ok(true)
    }

    /// The batches of a step of the epoch.
    pub fn batches(&self, step: u64) -> &[Vec<u32>] {
        self.epoch.step(step)
    }

    /// The passes of a step of the epoch; see [`super::Objective::step`]. Of the head's scores of some rows
    /// `judge` gives their share of the step's loss, `[]`, how many targets are met, int64 `[]`, and how many
    /// targets there are.
    ///
    /// # Errors
    /// What libtorch reports.
    pub fn step(
        &self,
        index: u64,
        halvings: u32,
        learner: &mut Learner,
        judge: impl Fn(&Tensor, &[u32]) -> Result<(Tensor, Tensor, u64), TrainError>,
    ) -> Result<Vec<Pass>, TrainError> {
        let mut passes = Vec::new();
        let of = |index| self.batches(index).iter().flat_map(|batch| parts(batch, halvings));
        let (mut all, mut then) = (of(index), of(index + 1));
        let mut now = all.next();
        while let Some(rows) = now {
            now = all.next();
            let scores = self.learning(rows, now.or_else(|| then.next()), learner)?;
            let (loss, right, targets) = judge(&scores, rows)?;
            learner.learn(&loss)?;
            passes.push(Pass { loss: loss.f_detach()?, right, targets, tokens: self.count(rows) });
        }
        Ok(passes)
    }

    /// True if batches can go through the network in parts.
    pub fn can_halve(&self) -> bool {
        // Rows that follow each other would carry what rows beside each other do.
        self.model.network.memory().is_none()
    }

    /// Tokens of some rows, without padding.
    pub fn count(&self, rows: &[u32]) -> u64 {
        rows.iter().map(|row| self.tokens.count(*row)).sum()
    }

    /// The head's scores of rows that are learnt from, `[rows, outputs]`; `next` come after them.
    ///
    /// # Errors
    /// What libtorch reports.
    fn learning(
        &self,
        rows: &[u32],
        next: Option<&[u32]>,
        learner: &mut Learner,
    ) -> Result<Tensor, TrainError> {
        if self.vectors.is_some() {
            return self.logits(rows, learner.mode);
        }
        let mut inputs = match &self.ahead {
            Some(ahead) => ahead.take(rows, next)?,
            None => self.inputs(rows)?,
        };
        learner.prepare(&mut inputs)?;
        self.model.network.forward(&inputs, learner.mode)
    }

    /// The logarithms of the class probabilities of some rows, in their order; `None` if `stop` asked
    /// for a stop first.
    ///
    /// # Errors
    /// What libtorch reports.
    pub fn judge(&mut self, rows: &[u32], stop: &Stop) -> Result<Option<Outputs>, TrainError> {
        if !self.freeze(stop)? {
            return Ok(None);
        }
        self.forget();
        log_probabilities(&self.tokens, rows, self.evaluation_batch(), self.judging(), stop)
    }

    /// The head's scores of some rows as they are; else as [`Self::judge`].
    ///
    /// # Errors
    /// What libtorch reports.
    pub fn scores(&mut self, rows: &[u32], stop: &Stop) -> Result<Option<Outputs>, TrainError> {
        if !self.freeze(stop)? {
            return Ok(None);
        }
        self.forget();
        raw(&self.tokens, rows, self.evaluation_batch(), self.judging(), stop)
    }

    /// The head's scores of some rows, without learning.
    pub fn judging(&self) -> impl Fn(&[u32]) -> Result<Tensor, TrainError> {
        let mode = Mode::inference(self.place.kind);
        move |rows| self.logits(rows, mode)
    }

    /// Rows that are evaluated together: without gradients more fit.
    pub(super) fn evaluation_batch(&self) -> usize {
        self.spec.batch_size.max(64) as usize
    }

    pub(super) fn inputs(&self, rows: &[u32]) -> Result<Inputs, TrainError> {
        let (padding, device) = (self.model.padding, self.place.device);
        batch::collate(rows.iter().copied(), &self.tokens, padding, device)
    }

    fn logits(&self, rows: &[u32], mode: Mode) -> Result<Tensor, TrainError> {
        match &self.vectors {
            Some(vectors) => self.model.network.logits(&vectors.of(rows)?, mode),
            None => self.model.network.forward(&self.inputs(rows)?, mode),
        }
    }

    /// A pass over texts begins: nothing is carried into it.
    fn forget(&self) {
        if let Some(memory) = self.model.network.memory() {
            memory.put(Vec::new());
        }
    }
}

/// The ids of all texts; from the cache if another run had the same texts and tokenizer.
fn tokens(
    setup: &Setup,
    cache: &Cache,
    model: &Loaded,
    data: &Dataset,
) -> Result<Tokens, TrainError> {
    let (texts, pairs) = (&data.texts, &data.pairs);
    let (folder, most) = (&setup.source.folder, setup.spec.max_length);
    let how = format!("{} {most}", model.family.name());
    let mut name = Name::new("tokens").part(how.as_bytes());
    let at = model::parts(folder)?;
    let files = TOKENIZER_FILES.iter().map(|file| at.tokenizer.join(file));
    for file in files.chain([at.config.join("config.json")]) {
        name = name.part(&fs::read(file).unwrap_or_default());
    }
    let name = texts.iter().fold(name, |name, text| name.part(text.as_bytes()));
    let known = |name: &str| cache.get(name).and_then(|file| Tokens::kept(file, texts.len()));
    let tokenizer = || model.family.tokenizer(folder, Some(most as usize));
    let threads = setup.place.threads;
    if pairs.is_empty() {
        let name = name.finish();
        if let Some(known) = known(&name) {
            return Ok(known);
        }
        let tokens = Tokens::of(&*tokenizer()?, texts, threads)?;
        cache.put(&name, &tokens.to_bytes());
        // Later runs of a sweep share the pages with this one.
        return Ok(known(&name).unwrap_or(tokens));
    }
    let name =
        pairs.iter().fold(name.part(b"pairs"), |name, pair| name.part(pair.as_bytes())).finish();
    let segments = format!("{name}-segments");
    let both = || Some(known(&name)?.with_segments(known(&segments)?));
    let tokens = if let Some(known) = both() {
        known
    } else {
        let tokens = Tokens::of_pairs(&*tokenizer()?, texts, pairs, threads)?;
        cache.put(&name, &tokens.to_bytes());
        if let Some(of) = tokens.segments() {
            cache.put(&segments, &of.to_bytes());
        }
        both().unwrap_or(tokens)
    };
    // A model that knows one segment is fed none.
    let none = Tokens::default();
    Ok(if model.limits.segments > 1 { tokens } else { tokens.with_segments(none) })
}
