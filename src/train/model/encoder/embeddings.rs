use tch::{Kind, Tensor};
use tuneboard::model_config::encoder::{EncoderConfig, Places};

use super::layout::Layout;
use crate::error::TrainError;
use crate::model::Inputs;
use crate::model::builder::Builder;
use crate::model::layers::{LayerNorm, Linear, dropout};
use crate::model::parameters::Fresh;

/// Word + position + segment embeddings, normalised, and brought to the width of the blocks where theirs
/// is another. Reference: transformers `BertEmbeddings` and its kin.
pub struct Embeddings {
    /// `[vocabulary, width]`.
    pub words: Tensor,
    positions: Option<Tensor>,
    segments: Option<Tensor>,
    norm: LayerNorm,
    project: Option<Linear>,
    /// Its row of `words` learns nothing from being looked up.
    padding: i64,
    /// Positions count from the padding id on, without padding.
    after_padding: bool,
    /// Vectors of padding are 0 (DeBERTa).
    is_masked: bool,
}

impl Embeddings {
    /// Takes its weights from `builder`; they lie below `depth` layers.
    ///
    /// # Errors
    /// See [`Builder::encoder`].
    pub fn new(
        builder: &mut Builder,
        layout: &Layout,
        config: &EncoderConfig,
        depth: u32,
    ) -> Result<Self, TrainError> {
        let width = config.embedding;
        let mut table = |name: &str, rows: i64, fresh| {
            let name = format!("embeddings.{name}.weight");
            builder.encoder(&name, &[rows, width], fresh, depth)
        };
        let fresh_words = Fresh::Words { padding: config.padding };
        let words = table("word_embeddings", config.vocabulary, fresh_words)?;
        let after_padding = matches!(config.places, Places::AfterPadding(_));
        let positions = match config.places {
            Places::FromZero(rows) => Some(table("position_embeddings", rows, Fresh::Normal)?),
            Places::AfterPadding(rows) => Some(table("position_embeddings", rows, fresh_words)?),
            Places::Nowhere(_) => None,
        };
        let segments = match config.segments {
            0 => None,
            rows => Some(table("token_type_embeddings", rows, Fresh::Normal)?),
        };
        let norm = LayerNorm::encoder(builder, "embeddings.LayerNorm", width, config.eps, depth)?;
        // ALBERT has the layer always.
        let project = match layout.project {
            Some(name) if width != config.hidden || config.sharing.is_some() => {
                Some(Linear::encoder(builder, name, [config.hidden, width], depth)?)
            }
            _ => None,
        };
        let is_masked = matches!(config.places, Places::Nowhere(_));
        let padding = config.padding;
        Ok(Self { words, positions, segments, norm, project, padding, after_padding, is_masked })
    }

    /// `[batch, length, hidden]` of that kind, with dropout `p`.
    ///
    /// # Errors
    /// What libtorch reports, such as an id outside the vocabulary.
    pub fn forward(&self, inputs: &Inputs, kind: Kind, p: f64) -> Result<Tensor, TrainError> {
        let mut sum =
            Tensor::f_embedding(&self.words, &inputs.ids, self.padding, false, inputs.by_row)?;
        let mut places = self.places(inputs)?;
        match (&self.segments, &inputs.segments) {
            (Some(table), Some(ids)) => {
                sum = sum.f_add(&Tensor::f_embedding(table, ids, -1, false, false)?)?;
            }
            // One row for every token: added to the positions, which are few, not to the words.
            (Some(table), None) => {
                let row = table.f_narrow(0, 0, 1)?;
                places = Some(match places {
                    Some(places) => places.f_add(&row)?,
                    None => row,
                });
            }
            (None, _) => {}
        }
        if let Some(places) = places {
            sum = sum.f_add(&places)?;
        }
        let mut x = self.norm.forward(&sum)?;
        if let (true, Some(mask)) = (self.is_masked, &inputs.mask) {
            x = x.f_mul(&mask.f_unsqueeze(-1)?)?;
        }
        let x = dropout(x.f_to_kind(kind)?, p)?;
        match &self.project {
            Some(project) => project.forward(&x),
            None => Ok(x),
        }
    }

    /// `[batch or nothing, length, width]`.
    fn places(&self, inputs: &Inputs) -> Result<Option<Tensor>, TrainError> {
        let Some(table) = &self.positions else { return Ok(None) };
        let (_, length) = inputs.ids.size2()?;
        let padding = if self.after_padding { self.padding } else { -1 };
        let look_up = |ids: &Tensor| Tensor::f_embedding(table, ids, padding, false, false);
        Ok(Some(match &inputs.positions {
            Some(ids) => look_up(ids)?,
            None if self.after_padding => {
                let real = inputs.ids.f_ne(self.padding)?.f_to_kind(Kind::Int64)?;
                look_up(&real.f_cumsum(1, Kind::Int64)?.f_mul(&real)?.f_add_scalar(self.padding)?)?
            }
            None => table.f_narrow(0, 0, length)?,
        }))
    }
}
