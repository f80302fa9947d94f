use std::path::Path;

use serde_json::Value;
use tch::{Kind, Tensor};
use tuneboard::spec::Pool;

use super::{Bert, BertConfig};
use crate::error::TrainError;
use crate::model::config::bad;
use crate::model::family::written_pool;
use crate::model::layers::{Head, dropout};
use crate::model::parameters::Fresh;
use crate::model::{
    Builder, Family, FamilyExt, Inputs, Limits, Loaded, Mode, Network, Padding, Request, Side,
    pooling,
};

/// Encoder, pooling, dropout, linear. Reference for `pool=cls`: transformers
/// `BertForSequenceClassification`.
struct Classifier {
    bert: Bert,
    head: Head,
    pool: Pool,
    head_dropout: f64,
}

impl Network for Classifier {
    fn vectors(&self, inputs: &Inputs, mode: Mode) -> Result<Tensor, TrainError> {
        let hidden = self.bert.forward(inputs, mode)?;
        let vectors = match self.pool {
            Pool::Cls => match self.bert.pooled(&hidden)? {
                Some(pooled) => pooled,
                None => hidden.f_select(1, 0)?,
            },
            pool => pooling::pool(pool, &hidden, inputs.mask.as_ref())?,
        };
        // The head is tiny: 32-bit costs nothing and keeps near-ties apart.
        Ok(vectors.f_to_kind(Kind::Float)?)
    }

    fn logits(&self, vectors: &Tensor, mode: Mode) -> Result<Tensor, TrainError> {
        let p = if mode.training { self.head_dropout } else { 0.0 };
        self.head.forward(&dropout(vectors.shallow_clone(), p)?)
    }

    fn inside(
        &self,
        inputs: &Inputs,
        mode: Mode,
    ) -> Result<Vec<(&'static str, Tensor)>, TrainError> {
        let hidden = self.bert.forward(inputs, mode)?;
        let pooled = self.bert.pooled(&hidden)?.map(|pooled| ("pooler_output", pooled));
        Ok([("last_hidden_state", hidden)].into_iter().chain(pooled).collect())
    }
}

/// Reads a BERT checkpoint; see [`crate::model::load`].
///
/// # Errors
/// Whatever is wrong with the folder.
pub fn load(folder: &Path, json: Value, request: &Request) -> Result<Loaded, TrainError> {
    let config = BertConfig::of(&json).map_err(|why| bad(folder, &why))?;
    let files = request.start.files(folder, "embeddings.word_embeddings.weight")?;
    let has_pooler = files.as_ref().is_none_or(|f| f.has("pooler.dense.weight"));
    let width = config.hidden_size;
    let head = match &files {
        Some(files) if files.has("classifier.bias") => files.shape("classifier.weight")?,
        _ => None,
    };
    let head = head.filter(|shape| shape.len() == 2 && shape.last() == Some(&(width as usize)));
    let classes = request.classes.or(head.as_ref().and_then(|shape| shape.first().copied()));
    let classes = classes.unwrap_or(2);
    // A head that was trained on one kind of text vector means nothing on another.
    let trained_on = head
        .filter(|shape| shape.first() == Some(&classes) && request.keep_head)
        .map(|_| written_pool(&json).unwrap_or(Pool::Cls));
    let pool = Family::Bert.pool_of(request.pool, trained_on)?;
    let head_given = trained_on == Some(pool);

    let dropouts = config.dropouts().or_all(request.dropout);
    let mut builder = Builder {
        files: files.as_ref(),
        prefix: "bert.",
        std: config.initializer_range,
        device: request.device,
        kind: request.kind,
        parameters: Vec::new(),
    };
    let bert = Bert::new(&mut builder, &config, pool == Pool::Cls && has_pooler, dropouts)?;
    let fresh = (Fresh::Normal, Some(Fresh::Zeros));
    let shape = [classes as i64, width];
    let head = Head::new(&mut builder, "classifier", shape, fresh, head_given)?;
    Ok(Loaded {
        family: Family::Bert,
        parameters: builder.parameters,
        network: Box::new(Classifier { bert, head, pool, head_dropout: dropouts.head }),
        limits: Limits {
            vocabulary: config.vocab_size,
            positions: config.max_position_embeddings,
            segments: config.type_vocab_size,
        },
        padding: Padding { id: config.padding(), side: Side::Right, length: None },
        pool,
        json,
        head_given,
    })
}
