use std::path::Path;

use serde_json::Value;
use tch::{Kind, Tensor};
use tuneboard::spec::{Family, Pool};

use super::{Encoder, EncoderConfig, Layout, limits};
use crate::error::TrainError;
use crate::model::config::bad;
use crate::model::head::{fresh, is_of_tokens};
use crate::model::layers::{Head, dropout};
use crate::model::{Inputs, Loaded, Mode, Network, Padding, Request, Side};

/// The head's name in all families.
const HEAD: &str = "classifier";

/// Encoder, dropout, one linear layer on each token. Reference: transformers `BertForTokenClassification` and
/// its kin, which have no pooler.
struct Tagger {
    encoder: Encoder,
    head: Head,
    dropout: f64,
}

impl Network for Tagger {
    fn vectors(&self, inputs: &Inputs, mode: Mode) -> Result<Tensor, TrainError> {
        // The head is tiny: 32-bit costs nothing and keeps near-ties apart.
        Ok(self.encoder.forward(inputs, mode)?.f_to_kind(Kind::Float)?)
    }

    fn logits(&self, vectors: &Tensor, mode: Mode) -> Result<Tensor, TrainError> {
        let p = if mode.training { self.dropout } else { 0.0 };
        self.head.forward(&dropout(vectors.shallow_clone(), p)?)
    }

    fn inside(
        &self,
        inputs: &Inputs,
        mode: Mode,
    ) -> Result<Vec<(&'static str, Tensor)>, TrainError> {
        Ok(vec![("last_hidden_state", self.encoder.forward(inputs, mode)?)])
    }

    /// The vectors of all tokens are too many to be kept.
    fn depends_on_batch(&self) -> bool {
        true
    }
}

/// Reads the checkpoint of an encoder with a head on each token; see [`crate::model::load`].
///
/// # Errors
/// Whatever is wrong with the folder.
pub fn load_tagger(
    family: Family,
    folder: &Path,
    json: Value,
    request: &Request,
) -> Result<Loaded, TrainError> {
    let layout = Layout::of(family, folder)?;
    let config = EncoderConfig::of(family, &json).map_err(|why| bad(folder, &why))?;
    let files = request.files(folder, "embeddings.word_embeddings.weight")?;
    let shape = files.as_ref().and_then(|files| files.shape(&format!("{HEAD}.weight")));
    let own = shape.filter(|shape| shape.len() == 2 && is_of_tokens(&json));
    let own = own.and_then(|shape| shape.first().copied());
    let classes = request.classes.or(own).unwrap_or(2);
    let is_given = request.keep_head && own == Some(classes);
    let dropouts = config.dropouts.or_all(request.dropout);
    let mut builder = request.builder(family, files.as_ref(), layout.prefix, config.std);
    let encoder = Encoder::new(&mut builder, layout, &config, false, dropouts)?;
    let shape = [classes as i64, config.hidden];
    let head = Head::new(&mut builder, HEAD, shape, fresh(true), is_given)?;
    let built = builder.finish()?;
    Ok(Loaded {
        family,
        parameters: built.parameters,
        frozen: built.frozen,
        adapter: built.adapter,
        network: Box::new(Tagger { encoder, head, dropout: dropouts.head }),
        limits: limits(&config),
        padding: Padding { id: config.padding, side: Side::Right, length: None },
        pool: Pool::Cls,
        json,
        head_given: is_given,
    })
}
