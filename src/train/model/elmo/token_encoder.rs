use tch::Tensor;
use tuneboard::model_config::Activation;
use tuneboard::model_config::elmo::Options;

use super::source::Source;
use crate::error::TrainError;
use crate::model::builder::Builder;
use crate::model::layers::activate;
use crate::model::parameters::Fresh;

/// A word's characters -> its vector. Reference: AllenNLP `_ElmoCharacterEncoder`.
pub struct TokenEncoder {
    characters: Tensor,
    /// Weight `[filters, dim, width]` and bias of each width.
    convolutions: Vec<[Tensor; 2]>,
    activation: Activation,
    /// Weight `[2 * filters, filters]` and bias: transform, then negated carry.
    highways: Vec<[Tensor; 2]>,
    projection: [Tensor; 2],
}

impl TokenEncoder {
    /// Takes its weights from `source`.
    ///
    /// # Errors
    /// See [`Source::encoder`].
    pub fn new(
        builder: &mut Builder,
        source: &Source,
        options: &Options,
    ) -> Result<Self, TrainError> {
        let (cnn, filters) = (&options.char_cnn, options.filters());
        let depth = options.lstm.n_layers as u32;
        let mut make = |part: &str, shape: &[i64], fresh| {
            source.encoder(builder, &format!("_token_embedder.{part}"), shape, fresh, depth)
        };
        let dim = cnn.embedding.dim;
        let rows = [cnn.n_characters, dim];
        let padding = Fresh::Words { padding: 0 };
        let characters = make("_char_embedding_weights", &rows, padding)?;
        let mut pair = |name: &str, shape: &[i64]| -> Result<[Tensor; 2], TrainError> {
            let bias = shape.first().copied().unwrap_or_default();
            Ok([
                make(&format!("{name}.weight"), shape, Fresh::Normal)?,
                make(&format!("{name}.bias"), &[bias], Fresh::Zeros)?,
            ])
        };
        let convolutions = cnn
            .filters
            .iter()
            .enumerate()
            .map(|(i, (width, number))| pair(&format!("char_conv_{i}"), &[*number, dim, *width]))
            .collect::<Result<_, _>>()?;
        let highways = (0..cnn.n_highway)
            .map(|i| pair(&format!("_highways._layers.{i}"), &[2 * filters, filters]))
            .collect::<Result<_, _>>()?;
        let projection = pair("_projection", &[options.lstm.projection_dim, filters])?;
        Ok(Self { characters, convolutions, activation: cnn.activation, highways, projection })
    }

    /// `[batch, words, 50]` -> `[batch, words, projection]`.
    ///
    /// # Errors
    /// What libtorch reports.
    pub fn forward(&self, characters: &Tensor) -> Result<Tensor, TrainError> {
        let (batch, words, width) = characters.size3()?;
        let characters = characters.f_view([batch * words, width])?;
        let x = Tensor::f_embedding(&self.characters, &characters, -1, false, false)?;
        let x = x.f_transpose(1, 2)?;
        let mut found = Vec::with_capacity(self.convolutions.len());
        for [weight, bias] in &self.convolutions {
            // Of equal values the first takes the whole gradient, as in AllenNLP; `amax` would share it.
            let found_here = x.f_conv1d(weight, Some(bias), [1], [0], [1], 1)?;
            found.push(activate(self.activation, &found_here.f_max_dim(-1, false)?.0)?);
        }
        let mut x = Tensor::f_cat(&found, -1)?;
        for [weight, bias] in &self.highways {
            let both = x.f_linear(weight, Some(bias))?.f_chunk(2, -1)?;
            if let [transform, carry] = &both[..] {
                // carry * x + (1 - carry) * relu(transform)
                x = transform.f_relu()?.f_lerp_tensor(&x, &carry.f_sigmoid()?)?;
            }
        }
        let [weight, bias] = &self.projection;
        Ok(x.f_linear(weight, Some(bias))?.f_view([batch, words, -1])?)
    }
}
