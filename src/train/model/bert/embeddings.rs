use tch::{Kind, Tensor};

use super::config::BertConfig;
use crate::error::TrainError;
use crate::model::Inputs;
use crate::model::layers::{LayerNorm, dropout};
use crate::model::parameters::{Builder, Fresh};

/// Word + position + segment embeddings, normalised.
/// Reference: transformers `BertEmbeddings`.
pub struct Embeddings {
    /// `[vocabulary, hidden]`.
    pub words: Tensor,
    positions: Tensor,
    segments: Tensor,
    norm: LayerNorm,
}

impl Embeddings {
    /// Takes its weights from `builder`.
    ///
    /// # Errors
    /// See [`Builder::encoder`].
    pub fn new(builder: &mut Builder, config: &BertConfig) -> Result<Self, TrainError> {
        let depth = config.num_hidden_layers as u32;
        let width = config.hidden_size;
        let mut table = |name: &str, rows: i64, fresh| {
            let name = format!("embeddings.{name}.weight");
            builder.encoder(&name, &[rows, width], fresh, depth)
        };
        let fresh_words = Fresh::Words { padding: config.padding() };
        let words = table("word_embeddings", config.vocab_size, fresh_words)?;
        let positions =
            table("position_embeddings", config.max_position_embeddings, Fresh::Normal)?;
        let segments = table("token_type_embeddings", config.type_vocab_size, Fresh::Normal)?;
        let eps = config.layer_norm_eps;
        let norm = LayerNorm::encoder(builder, "embeddings.LayerNorm", width, eps, depth)?;
        Ok(Self { words, positions, segments, norm })
    }

    /// `[batch, length, hidden]` of that kind, with dropout `p`.
    ///
    /// # Errors
    /// What libtorch reports, such as an id outside the vocabulary.
    pub fn forward(&self, inputs: &Inputs, kind: Kind, p: f64) -> Result<Tensor, TrainError> {
        let (_, length) = inputs.ids.size2()?;
        let positions = match &inputs.positions {
            Some(ids) => Tensor::f_embedding(&self.positions, ids, -1, false, false)?,
            None => self.positions.f_narrow(0, 0, length)?,
        };
        let words = Tensor::f_embedding(&self.words, &inputs.ids, -1, false, inputs.by_row)?;
        let sum = match &inputs.segments {
            Some(ids) => {
                let segments = Tensor::f_embedding(&self.segments, ids, -1, false, false)?;
                words.f_add(&segments)?.f_add(&positions)?
            }
            // One row for every token: added to the positions, which are few, not to the words.
            None => words.f_add(&positions.f_add(&self.segments.f_narrow(0, 0, 1)?)?)?,
        };
        dropout(self.norm.forward(&sum)?.f_to_kind(kind)?, p)
    }
}
