//! Networks with rotary positions: ModernBERT, and the decoders Llama, Qwen 2 and 3, Gemma 3 and GPT-NeoX.
//! One block, normalised before each half; what differs is in [`layout`] and [`config`].

mod attention;
mod classifier;
mod layout;
mod norm;
mod predictor;
mod rope;

use tch::{Kind, Tensor};
use tuneboard::model_config::rotary::{BlockKind, RotaryConfig};
use tuneboard::model_config::{Activation, Dropouts};

use self::attention::{Attention, Sight};
pub use self::classifier::load;
use self::layout::{Layout, Widen};
use self::norm::Norm;
pub use self::predictor::load_predictor;
use self::rope::Turns;
use super::attention::HIDDEN;
use super::builder::Builder;
use super::layers::{Projection, activate, dropout};
use super::lora::Learning;
use super::parameters::Fresh;
use super::unpadded::Unpadded;
use super::{Inputs, Limits, Mode};
use crate::error::TrainError;

/// Word embeddings, blocks, a last normalisation.
pub struct Rotary {
    words: Tensor,
    words_norm: Option<Norm>,
    blocks: Vec<Block>,
    norm: Norm,
    config: RotaryConfig,
    dropouts: Dropouts,
    inner_dropout: f64,
    learning: Learning,
}

/// One block, normalised before each half. Reference: transformers `LlamaDecoderLayer` and its kin.
struct Block {
    kind: BlockKind,
    attention_norm: Option<Norm>,
    attention: Attention,
    wide_norm: Norm,
    widen: Projection,
    is_gated: bool,
    narrow: Projection,
    /// Of what the two halves give.
    out_norms: Option<[Norm; 2]>,
    activation: Activation,
    is_parallel: bool,
}

/// What ids the network takes.
fn limits(config: &RotaryConfig) -> Limits {
    Limits::plain(config.vocabulary, config.positions, 2)
}

impl Rotary {
    /// Takes its weights from `builder`. `given` replaces all dropouts.
    ///
    /// # Errors
    /// See [`Builder::encoder`].
    pub fn new(
        builder: &mut Builder,
        layout: &Layout,
        config: &RotaryConfig,
        given: Option<f64>,
    ) -> Result<Self, TrainError> {
        let depth = config.blocks.len() as u32;
        let name = format!("{}.weight", layout.words);
        let fresh = config.idle_row.map_or(Fresh::Normal, |padding| Fresh::Words { padding });
        let words = builder.table(&name, &[config.vocabulary, config.hidden], fresh, depth)?;
        let mut norm = |name: &str, depth| {
            Norm::new(builder, name, config.norm, config.hidden, config.eps, depth)
        };
        let words_norm = layout.words_norm.map(|name| norm(name, depth)).transpose()?;
        let blocks = (0..config.blocks.len())
            .map(|index| Block::new(builder, layout, config, index))
            .collect::<Result<_, _>>()?;
        let name = layout.last_norm;
        let norm = Norm::new(builder, name, config.norm, config.hidden, config.eps, 0)?;
        Ok(Self {
            words,
            words_norm,
            blocks,
            norm,
            config: config.clone(),
            dropouts: config.dropouts.or_all(given),
            inner_dropout: given.unwrap_or(config.inner_dropout),
            learning: builder.learning.clone(),
        })
    }

    /// The last block's token vectors, normalised, `[batch, length, hidden]`. Positions count from 0
    /// with padding, unless they are given.
    ///
    /// # Errors
    /// What libtorch reports.
    pub fn forward(&self, inputs: &Inputs, mode: Mode) -> Result<Tensor, TrainError> {
        self.learning.set(mode.training);
        let drop = mode.drops(self.dropouts);
        let inner = if mode.training { self.inner_dropout } else { 0.0 };
        let idle = self.config.idle_row.unwrap_or(-1);
        let x = Tensor::f_embedding(&self.words, &inputs.ids, idle, false, inputs.by_row)?;
        let mut x = x.f_to_kind(Kind::Float)?;
        if let Some(scale) = self.config.words_scale {
            x = x.f_mul_scalar(scale)?;
        }
        if let Some(norm) = &self.words_norm {
            x = norm.forward(&x)?;
        }
        let mut x = dropout(x.f_to_kind(mode.kind)?, drop.embeddings)?;
        let sights = self.sights(inputs, &x)?;
        if let Some(unpadded) = &inputs.unpadded {
            x = unpadded.take(&x)?;
        }
        for block in &self.blocks {
            let sight = sights.iter().find(|(kind, _)| *kind == block.kind);
            let Some((_, sight)) = sight else { continue };
            x = block.forward(&x, sight, &drop, inner)?;
        }
        Unpadded::padded(inputs.unpadded.as_ref(), self.norm.forward(&x)?)
    }

    /// What each kind of block sees of a batch.
    fn sights<'a>(
        &self,
        inputs: &'a Inputs,
        x: &Tensor,
    ) -> Result<Vec<(BlockKind, Sight<'a>)>, TrainError> {
        let (_, length) = inputs.ids.size2()?;
        let hide = |mask: &Tensor| -> Result<Tensor, TrainError> {
            Ok(mask.f_eq(0)?.f_to_kind(Kind::Float)?.f_mul_scalar(HIDDEN)?)
        };
        let padding = inputs.mask.as_ref().map(hide).transpose()?;
        let unpadded = inputs.unpadded.as_ref();
        let positions = match (unpadded, &inputs.positions) {
            (Some(unpadded), Some(given)) => Some(unpadded.take(given)?),
            (Some(unpadded), None) => Some(unpadded.columns.shallow_clone()),
            (None, given) => given.as_ref().map(Tensor::shallow_clone),
        };
        let mut sights: Vec<(BlockKind, Sight)> = Vec::new();
        for block in &self.blocks {
            if sights.iter().any(|(kind, _)| *kind == block.kind) {
                continue;
            }
            let Some(rope) = self.config.ropes.get(block.kind.rope) else { continue };
            let place = (x.f_kind()?, x.device());
            let turns = Turns::of(rope, length, positions.as_ref(), place)?;
            let how = (self.config.is_causal, block.kind.reach);
            let sight = Sight::new(length, (padding.as_ref(), unpadded), how, turns, x)?;
            sights.push((block.kind, sight));
        }
        Ok(sights)
    }
}

impl Block {
    fn new(
        builder: &mut Builder,
        layout: &Layout,
        config: &RotaryConfig,
        index: usize,
    ) -> Result<Self, TrainError> {
        let depth = (config.blocks.len() - 1 - index) as u32;
        let (hidden, wide) = (config.hidden, config.wide);
        let name = format!("layers.{index}");
        let at = |part: &str| format!("{name}.{part}");
        let kind = config.blocks.get(index).copied();
        let norm = |builder: &mut Builder, part: &str| {
            Norm::new(builder, &at(part), config.norm, hidden, config.eps, depth)
        };
        let attention_norm = if layout.starts_bare && index == 0 {
            None
        } else {
            Some(norm(builder, layout.attention_norm)?)
        };
        let attention = Attention::new(builder, &name, layout, config, depth)?;
        let wide_norm = norm(builder, layout.wide_norm)?;
        let (widen, is_gated) = match layout.widen {
            Widen::Plain(name) => (vec![(at(name), wide)], false),
            Widen::Gated([gate, up]) => (vec![(at(gate), wide), (at(up), wide)], true),
            Widen::GatedHalves(name) => (vec![(at(name), 2 * wide)], true),
        };
        let has_bias = config.biases.wide;
        let widen = Projection::stacked(builder, &widen, hidden, has_bias, depth)?;
        let narrow = [(at(layout.narrow), hidden)];
        let narrow = Projection::stacked(builder, &narrow, wide, has_bias, depth)?;
        let out_norms = match layout.out_norms {
            Some([mixed, narrowed]) => Some([norm(builder, mixed)?, norm(builder, narrowed)?]),
            None => None,
        };
        Ok(Self {
            kind: kind.unwrap_or(BlockKind { rope: 0, reach: None }),
            attention_norm,
            attention,
            wide_norm,
            widen,
            is_gated,
            narrow,
            out_norms,
            activation: config.activation,
            is_parallel: config.is_parallel,
        })
    }

    fn forward(
        &self,
        x: &Tensor,
        sight: &Sight,
        drop: &Dropouts,
        inner: f64,
    ) -> Result<Tensor, TrainError> {
        let normed = match &self.attention_norm {
            Some(norm) => norm.forward(x)?,
            None => x.shallow_clone(),
        };
        let mut mixed = self.attention.forward(&normed, sight, drop)?;
        if let Some([norm, _]) = &self.out_norms {
            mixed = norm.forward(&mixed)?;
        }
        let middle = dropout(mixed, drop.residual)?.f_add(x)?;
        let read = if self.is_parallel { x } else { &middle };
        let mut wide = self.wide(&self.wide_norm.forward(read)?, inner)?;
        if let Some([_, norm]) = &self.out_norms {
            wide = norm.forward(&wide)?;
        }
        Ok(dropout(wide, drop.residual)?.f_add(&middle)?)
    }

    /// The feed-forward block.
    fn wide(&self, x: &Tensor, inner: f64) -> Result<Tensor, TrainError> {
        let wide = self.widen.forward(x)?;
        let wide = if self.is_gated {
            let half = wide.size().last().map_or(0, |width| width / 2);
            let gate = activate(self.activation, &wide.f_narrow(-1, 0, half)?)?;
            gate.f_mul(&wide.f_narrow(-1, half, half)?)?
        } else {
            activate(self.activation, &wide)?
        };
        self.narrow.forward(&dropout(wide, inner)?)
    }
}
