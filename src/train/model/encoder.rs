//! Encoders of BERT's kind: BERT itself, RoBERTa and its kin, DistilBERT, ELECTRA, ALBERT, MPNet and
//! DeBERTa. One block, normalised after each half; what differs is in [`layout`] and [`config`].

mod attention;
mod classifier;
mod distances;
mod embeddings;
mod layout;
mod masked;
mod tagger;

use tch::Tensor;
use tuneboard::model_config::encoder::EncoderConfig;
use tuneboard::model_config::{Activation, Dropouts};

use self::attention::SelfAttention;
pub use self::classifier::load;
use self::distances::{Sight, Table};
use self::embeddings::Embeddings;
use self::layout::Layout;
pub use self::masked::load_masked;
pub use self::tagger::load_tagger;
use super::builder::Builder;
use super::layers::{LayerNorm, Linear};
use super::lora::Learning;
use super::unpadded::Unpadded;
use super::{Inputs, Limits, Mode};
use crate::error::TrainError;

/// The encoder of Devlin et al. 2019 and what came of it.
pub struct Encoder {
    embeddings: Embeddings,
    table: Table,
    /// The blocks in the order of their names.
    blocks: Vec<Block>,
    /// The blocks that a text goes through, as indices: some come more than once where they are shared.
    order: Vec<usize>,
    pooler: Option<Linear>,
    dropouts: Dropouts,
    learning: Learning,
}

/// One transformer block, normalised after each half. Reference: transformers `BertLayer`.
struct Block {
    attention: SelfAttention,
    mix: Linear,
    mix_norm: LayerNorm,
    widen: Linear,
    narrow: Linear,
    narrow_norm: LayerNorm,
    activation: Activation,
    /// Whether what the two halves add is dropped out.
    drops: [bool; 2],
}

impl Encoder {
    /// Takes its weights from `builder`; the pooler only where `with_pooler`.
    ///
    /// # Errors
    /// See [`Builder::encoder`].
    pub fn new(
        builder: &mut Builder,
        layout: &Layout,
        config: &EncoderConfig,
        with_pooler: bool,
        dropouts: Dropouts,
    ) -> Result<Self, TrainError> {
        let (names, order) = blocks(layout, config);
        // Blocks of a group learn together.
        let groups = config.sharing.map_or(config.layers, |sharing| sharing.groups);
        let per_group = names.len() as i64 / groups.max(1);
        let depth = |index: usize| (groups - 1 - index as i64 / per_group.max(1)) as u32;
        let embeddings = Embeddings::new(builder, layout, config, groups as u32)?;
        let table = Table::new(builder, config, groups as u32)?;
        let named = names.iter().enumerate();
        let blocks = named
            .map(|(index, name)| Block::new(builder, name, layout, config, depth(index)))
            .collect::<Result<_, _>>()?;
        let pooler = match layout.pooler {
            Some(name) if with_pooler => {
                Some(Linear::encoder(builder, name, [config.hidden; 2], 0)?)
            }
            _ => None,
        };
        let learning = builder.learning.clone();
        Ok(Self { embeddings, table, blocks, order, pooler, dropouts, learning })
    }

    /// The last block's token vectors, `[batch, length, hidden]`.
    ///
    /// # Errors
    /// What libtorch reports.
    pub fn forward(&self, inputs: &Inputs, mode: Mode) -> Result<Tensor, TrainError> {
        self.learning.set(mode.training);
        let drop = mode.drops(self.dropouts);
        let (_, length) = inputs.ids.size2()?;
        let (mask, unpadded) = (inputs.mask.as_ref(), inputs.unpadded.as_ref());
        let sight = self.table.sight(length, mask, unpadded, drop.residual)?;
        let mut x = self.embeddings.forward(inputs, mode.kind, drop.embeddings)?;
        if let Some(unpadded) = sight.unpadded {
            x = unpadded.take(&x)?;
        }
        for block in self.order.iter().filter_map(|index| self.blocks.get(*index)) {
            x = block.forward(&x, &sight, &drop)?;
        }
        Unpadded::padded(sight.unpadded, x)
    }

    /// The word embeddings, `[vocabulary, width]`.
    pub fn words(&self) -> &Tensor {
        &self.embeddings.words
    }

    /// The first token's vector through dense and tanh, `[batch, hidden]`, where the checkpoint has
    /// a pooler.
    ///
    /// # Errors
    /// What libtorch reports.
    pub fn pooled(&self, hidden: &Tensor) -> Result<Option<Tensor>, TrainError> {
        let Some(pooler) = &self.pooler else { return Ok(None) };
        Ok(Some(pooler.forward(&hidden.f_select(1, 0)?)?.f_tanh()?))
    }
}

/// The names of all blocks, and the order in which a text goes through them.
fn blocks(layout: &Layout, config: &EncoderConfig) -> (Vec<String>, Vec<usize>) {
    let Some(sharing) = config.sharing else {
        let names = (0..config.layers).map(|index| format!("{}.{index}", layout.block));
        return (names.collect(), (0..config.layers as usize).collect());
    };
    let (groups, inner) = (sharing.groups, sharing.inner);
    let block = |group, index| format!("{}.{group}.albert_layers.{index}", layout.block);
    let names = (0..groups).flat_map(|group| (0..inner).map(move |index| block(group, index)));
    let group = |layer: i64| {
        // As transformers divides: layers / groups need not be whole.
        let each = config.layers as f64 / groups as f64;
        ((layer as f64 / each) as i64).min(groups - 1)
    };
    let order = (0..config.layers)
        .flat_map(|layer| (0..inner).map(move |index| (group(layer) * inner + index) as usize));
    (names.collect(), order.collect())
}

/// What ids an encoder takes.
fn limits(config: &EncoderConfig) -> Limits {
    Limits {
        vocabulary: config.vocabulary,
        positions: config.places.longest(config.padding),
        places: config.places.rows(),
        // Where there are no segments, a tokenizer's ids for them mean nothing.
        segments: if config.segments == 0 { 2 } else { config.segments },
    }
}

impl Block {
    fn new(
        builder: &mut Builder,
        name: &str,
        layout: &Layout,
        config: &EncoderConfig,
        depth: u32,
    ) -> Result<Self, TrainError> {
        let (hidden, wide, eps) = (config.hidden, config.wide, config.eps);
        let at = |part: &str| format!("{name}.{part}");
        let [mix, mix_norm] = layout.mix.map(at);
        let [narrow, narrow_norm] = layout.narrow.map(at);
        Ok(Self {
            attention: SelfAttention::new(builder, name, layout, config, depth)?,
            mix: Linear::encoder(builder, &mix, [hidden; 2], depth)?,
            mix_norm: LayerNorm::encoder(builder, &mix_norm, hidden, eps, depth)?,
            widen: Linear::encoder(builder, &at(layout.widen), [wide, hidden], depth)?,
            narrow: Linear::encoder(builder, &narrow, [hidden, wide], depth)?,
            narrow_norm: LayerNorm::encoder(builder, &narrow_norm, hidden, eps, depth)?,
            activation: config.activation,
            drops: layout.drops,
        })
    }

    fn forward(&self, x: &Tensor, sight: &Sight, drop: &Dropouts) -> Result<Tensor, TrainError> {
        let [mix, narrow] = self.drops.map(|drops| if drops { drop.residual } else { 0.0 });
        let mixed = self.attention.forward(x, sight, drop.attention)?;
        let x = self.mix_norm.close(&self.mix, &mixed, x, mix)?;
        let wide = self.widen.activated(&x, self.activation)?;
        self.narrow_norm.close(&self.narrow, &wide, &x, narrow)
    }
}
