use std::path::Path;

use serde_json::Value;
use tch::{Kind, Tensor};
use tuneboard::spec::{Family, Pool};

use super::{Layout, Rotary, RotaryConfig, limits};
use crate::error::TrainError;
use crate::model::config::bad;
use crate::model::head::{Choice, ClassHead, Last, fresh, last_layer};
use crate::model::layers::{Head, LayerNorm};
use crate::model::{Inputs, Loaded, Mode, Network, Padding, Request, Side, pooling};

/// Network, pooling, head. Reference for `pool=last`: transformers `LlamaForSequenceClassification` and its
/// kin; for `cls` and `mean` of ModernBERT: `ModernBertForSequenceClassification`.
struct Classifier {
    network: Rotary,
    head: ClassHead,
    pool: Pool,
    padding: i64,
}

impl Network for Classifier {
    fn vectors(&self, inputs: &Inputs, mode: Mode) -> Result<Tensor, TrainError> {
        let hidden = self.network.forward(inputs, mode)?.f_to_kind(Kind::Float)?;
        match self.pool {
            Pool::Cls => Ok(hidden.f_select(1, 0)?),
            Pool::Last => pooling::last(&hidden, &inputs.ids, self.padding),
            pool => pooling::pool(pool, &hidden, inputs.mask.as_ref()),
        }
    }

    fn logits(&self, vectors: &Tensor, mode: Mode) -> Result<Tensor, TrainError> {
        self.head.forward(vectors, mode)
    }

    fn inside(
        &self,
        inputs: &Inputs,
        mode: Mode,
    ) -> Result<Vec<(&'static str, Tensor)>, TrainError> {
        Ok(vec![("last_hidden_state", self.network.forward(inputs, mode)?)])
    }
}

/// Reads the checkpoint of a network with rotary positions; see [`crate::model::load`].
///
/// # Errors
/// Whatever is wrong with the folder.
pub fn load(
    family: Family,
    folder: &Path,
    mut json: Value,
    request: &Request,
) -> Result<Loaded, TrainError> {
    let layout = Layout::of(family, folder)?;
    let config = RotaryConfig::of(family, &json).map_err(|why| bad(folder, &why))?;
    let files = request.files(folder, &layout.anchor())?;
    let last = Last {
        name: if config.head.is_some() { "classifier" } else { "score" },
        inputs: config.hidden,
        has_bias: config.head.is_some(),
        pool: config.head.map_or(Pool::Last, |head| head.pool),
        asked: config.head.map(|head| head.pool),
    };
    let choice = Choice::make(family, (folder, &json, files.as_ref()), request, last)?;
    let mut builder = request.builder(family, files.as_ref(), layout.prefix, config.std);
    let network = Rotary::new(&mut builder, layout, &config, request.dropout)?;
    let p = request.dropout.unwrap_or(config.dropouts.head);
    let head = match config.head {
        None => ClassHead::plain(last_layer(&mut builder, last, choice)?, p),
        Some(head) => {
            // The layers that predicted hidden tokens go by the same names, and are of use.
            let has = |name: &str| files.as_ref().is_some_and(|files| files.has(name));
            let is_given = has("head.dense.weight") && has("head.norm.weight");
            let (width, eps) = (config.hidden, config.eps);
            let how = fresh(head.has_bias);
            let dense = Head::new(&mut builder, "head.dense", [width; 2], how, is_given)?;
            let norm = LayerNorm::of_head(
                &mut builder,
                "head.norm",
                (width, eps),
                config.norm.has_bias(),
                is_given,
            )?;
            let out = last_layer(&mut builder, last, choice)?;
            ClassHead::deep((dense, head.activation), Some(norm), out, [0.0, p])
        }
    };
    // transformers finds the vector of a text by these.
    if let Some(json) = json.as_object_mut() {
        match (config.head, choice.pool) {
            (Some(_), Pool::Cls | Pool::Mean) => {
                json.insert("classifier_pooling".into(), choice.pool.to_string().into());
            }
            (Some(_), _) => {}
            (None, _) => {
                json.insert("pad_token_id".into(), config.padding.into());
            }
        }
    }
    let built = builder.finish()?;
    Ok(Loaded {
        family,
        parameters: built.parameters,
        frozen: built.frozen,
        adapter: built.adapter,
        network: Box::new(Classifier { network, head, pool: choice.pool, padding: config.padding }),
        limits: limits(&config),
        padding: Padding { id: config.padding, side: Side::Right, length: None },
        pool: choice.pool,
        json,
        head_given: choice.is_given,
    })
}
