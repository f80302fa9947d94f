use std::path::Path;

use serde_json::Value;
use tch::{Kind, Tensor};
use tuneboard::spec::{Family, Pool};

use super::{Encoder, EncoderConfig, Layout, limits};
use crate::error::TrainError;
use crate::model::config::bad;
use crate::model::head::{Choice, ClassHead, Last, fresh, last_layer};
use crate::model::layers::Head;
use crate::model::{Inputs, Loaded, Mode, Network, Padding, Request, Side, pooling};

/// Encoder, pooling, head. Reference for `pool=cls`: transformers `BertForSequenceClassification` and
/// its kin.
struct Classifier {
    encoder: Encoder,
    head: ClassHead,
    pool: Pool,
}

impl Network for Classifier {
    fn vectors(&self, inputs: &Inputs, mode: Mode) -> Result<Tensor, TrainError> {
        let hidden = self.encoder.forward(inputs, mode)?;
        let vectors = match self.pool {
            Pool::Cls => match self.encoder.pooled(&hidden)? {
                Some(pooled) => pooled,
                None => hidden.f_select(1, 0)?,
            },
            pool => pooling::pool(pool, &hidden, inputs.mask.as_ref())?,
        };
        // The head is tiny: 32-bit costs nothing and keeps near-ties apart.
        Ok(vectors.f_to_kind(Kind::Float)?)
    }

    fn logits(&self, vectors: &Tensor, mode: Mode) -> Result<Tensor, TrainError> {
        self.head.forward(vectors, mode)
    }

    fn inside(
        &self,
        inputs: &Inputs,
        mode: Mode,
    ) -> Result<Vec<(&'static str, Tensor)>, TrainError> {
        let hidden = self.encoder.forward(inputs, mode)?;
        let pooled = self.encoder.pooled(&hidden)?.map(|pooled| ("pooler_output", pooled));
        Ok([("last_hidden_state", hidden)].into_iter().chain(pooled).collect())
    }
}

/// Reads the checkpoint of an encoder; see [`crate::model::load`].
///
/// # Errors
/// Whatever is wrong with the folder.
pub fn load(
    family: Family,
    folder: &Path,
    json: Value,
    request: &Request,
) -> Result<Loaded, TrainError> {
    let layout = Layout::of(family, folder)?;
    let config = EncoderConfig::of(family, &json).map_err(|why| bad(folder, &why))?;
    let files = request.files(folder, "embeddings.word_embeddings.weight")?;
    let has = |name: &str| files.as_ref().is_none_or(|files| files.has(&format!("{name}.weight")));
    let has_pooler = layout.pooler.is_some_and(has);
    let last = Last {
        name: layout.head.out,
        inputs: config.hidden,
        has_bias: true,
        pool: Pool::Cls,
        asked: None,
    };
    let choice = Choice::make(family, (folder, &json, files.as_ref()), request, last)?;
    // A sentence encoder's vector is the first token's own.
    let with_pooler = choice.pool == Pool::Cls && has_pooler && !choice.is_sentence_encoders;

    let dropouts = config.dropouts.or_all(request.dropout);
    let mut builder = request.builder(family, files.as_ref(), layout.prefix, config.std);
    let encoder = Encoder::new(&mut builder, layout, &config, with_pooler, dropouts)?;
    let head = match layout.head.dense {
        None => ClassHead::plain(last_layer(&mut builder, last, choice)?, dropouts.head),
        Some((name, usual)) => {
            let shape = [config.hidden; 2];
            let dense = Head::new(&mut builder, name, shape, fresh(true), choice.is_given)?;
            let activation = config.head_activation.unwrap_or(usual);
            let drops = [request.dropout.unwrap_or(config.head_before), dropouts.head];
            let out = last_layer(&mut builder, last, choice)?;
            ClassHead::deep((dense, activation), None, out, drops)
        }
    };
    let built = builder.finish()?;
    Ok(Loaded {
        family,
        parameters: built.parameters,
        frozen: built.frozen,
        adapter: built.adapter,
        network: Box::new(Classifier { encoder, head, pool: choice.pool }),
        limits: limits(&config),
        padding: Padding { id: config.padding, side: Side::Right, length: None },
        pool: choice.pool,
        json,
        head_given: choice.is_given,
    })
}
