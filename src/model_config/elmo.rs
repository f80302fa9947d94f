use serde::Deserialize;
use serde_json::Value;

use crate::model_config::fields::{Activation, in_bounds};

/// Ids per word.
pub const WIDTH: usize = 50;
/// Ids of characters are below it.
pub const VOCABULARY: i64 = 262;

/// `options.json` of a published ELMo.
#[derive(Debug, Clone, Deserialize)]
pub struct Options {
    /// The two stacks of LSTMs.
    pub lstm: Lstm,
    /// What makes a vector of a word.
    pub char_cnn: CharCnn,
}

/// The two stacks of LSTMs, one for each direction.
#[derive(Debug, Clone, Deserialize)]
pub struct Lstm {
    /// Largest absolute value in a memory cell.
    pub cell_clip: Option<f64>,
    /// Largest absolute value of an output.
    pub proj_clip: Option<f64>,
    /// Whether layers from the second on add their input to their output.
    #[serde(default)]
    pub use_skip_connections: bool,
    /// Layers of each direction.
    pub n_layers: i64,
    /// Width of each direction's output.
    pub projection_dim: i64,
    /// Width of the memory cell.
    pub dim: i64,
}

/// Convolutions over the characters of a word.
#[derive(Debug, Clone, Deserialize)]
pub struct CharCnn {
    /// Of a character.
    pub embedding: CharEmbedding,
    /// Width and number of filters.
    pub filters: Vec<(i64, i64)>,
    /// Highway layers behind the filters.
    pub n_highway: i64,
    /// [`VOCABULARY`].
    pub n_characters: i64,
    /// [`WIDTH`].
    pub max_characters_per_token: i64,
    /// Of the largest value of each filter.
    pub activation: Activation,
}

/// The vector of a character.
#[derive(Debug, Clone, Deserialize)]
pub struct CharEmbedding {
    /// Its width.
    pub dim: i64,
}

impl Options {
    /// Reads and checks them.
    ///
    /// # Errors
    /// What is missing or out of bounds, as a fragment.
    pub fn of(json: &Value) -> Result<Self, String> {
        let options = Self::deserialize(json).map_err(|e| e.to_string())?;
        let (lstm, cnn) = (&options.lstm, &options.char_cnn);
        in_bounds(&[
            ("lstm.n_layers", lstm.n_layers, 64),
            ("lstm.projection_dim", lstm.projection_dim, 1 << 14),
            ("lstm.dim", lstm.dim, 1 << 16),
            ("char_cnn.embedding.dim", cnn.embedding.dim, 1 << 12),
            ("the number of char_cnn.filters", cnn.filters.len() as i64, 64),
        ])?;
        for (width, number) in &cnn.filters {
            in_bounds(&[
                ("the width of a filter", *width, WIDTH as i64),
                ("the number of filters of a width", *number, 1 << 14),
            ])?;
        }
        if !(0..=16).contains(&cnn.n_highway) {
            return Err(format!(
                "char_cnn.n_highway is {}; it must be from 0 to 16",
                cnn.n_highway
            ));
        }
        if (cnn.n_characters, cnn.max_characters_per_token) != (VOCABULARY, WIDTH as i64) {
            return Err(format!(
                "char_cnn must have n_characters {VOCABULARY} and max_characters_per_token {WIDTH}, \
                 as all published models; it has {} and {}",
                cnn.n_characters, cnn.max_characters_per_token
            ));
        }
        let clips = [lstm.cell_clip, lstm.proj_clip];
        if clips.into_iter().flatten().any(|clip| !clip.is_finite() || clip <= 0.0) {
            return Err("lstm.cell_clip and lstm.proj_clip must be above 0".into());
        }
        Ok(options)
    }

    /// Filters of all widths together.
    pub fn filters(&self) -> i64 {
        self.char_cnn.filters.iter().map(|(_, number)| number).sum()
    }

    /// Vectors per word: the token's own, and one per layer.
    pub fn layers(&self) -> i64 {
        self.lstm.n_layers + 1
    }

    /// Width of a word's vector: both directions.
    pub fn width(&self) -> i64 {
        2 * self.lstm.projection_dim
    }
}
