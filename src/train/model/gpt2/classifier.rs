use std::path::Path;

use serde_json::Value;
use tch::{Kind, Tensor};
use tuneboard::spec::Pool;

use super::{Gpt2, Gpt2Config};
use crate::error::TrainError;
use crate::model::config::bad;
use crate::model::family::written_pool;
use crate::model::layers::{Head, dropout};
use crate::model::parameters::Fresh;
use crate::model::{
    Family, FamilyExt, Inputs, Limits, Loaded, Mode, Network, Padding, Request, Side, WeightFiles,
    pooling,
};

/// Decoder, pooling, dropout, linear.
struct Classifier {
    gpt2: Gpt2,
    head: Head,
    pool: Pool,
    padding: i64,
    head_dropout: f64,
}

impl Network for Classifier {
    fn vectors(&self, inputs: &Inputs, mode: Mode) -> Result<Tensor, TrainError> {
        let hidden = self.gpt2.forward(inputs, mode)?.f_to_kind(Kind::Float)?;
        match self.pool {
            Pool::Last => pooling::last(&hidden, &inputs.ids, self.padding),
            Pool::Flatten => Ok(hidden.f_flatten(1, 2)?),
            pool => pooling::pool(pool, &hidden, inputs.mask.as_ref()),
        }
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
        Ok(vec![("last_hidden_state", self.gpt2.forward(inputs, mode)?)])
    }
}

/// The head of a checkpoint, as far as it can be read from its files.
struct Saved {
    pool: Pool,
    classes: usize,
    inputs: usize,
}

impl Saved {
    /// `score.weight` is transformers' and `fc1` the notebook's.
    fn find(files: &WeightFiles, json: &Value) -> Option<Self> {
        let (name, usual) = if files.has("fc1.weight") && files.has("fc1.bias") {
            ("fc1.weight", Pool::Flatten)
        } else {
            ("score.weight", Pool::Last)
        };
        let shape = files.shape(name)?;
        let &[classes, inputs] = shape.as_slice() else { return None };
        Some(Self { pool: written_pool(json).unwrap_or(usual), classes, inputs })
    }
}

/// Reads a GPT-2 checkpoint; see [`crate::model::load`].
///
/// # Errors
/// Whatever is wrong with the folder.
pub fn load(folder: &Path, mut json: Value, request: &Request) -> Result<Loaded, TrainError> {
    let config = Gpt2Config::of(&json).map_err(|why| bad(folder, &why))?;
    let files = request.files(folder, "wte.weight")?;
    let saved = files.as_ref().and_then(|files| Saved::find(files, &json));
    let hidden = config.n_embd as usize;
    let classes = request.classes.or(saved.as_ref().map(|h| h.classes)).unwrap_or(2);
    let saved = saved.filter(|head| head.classes == classes && request.keep_head);
    let pool = Family::Gpt2.pool_of(request.pool, saved.as_ref().map(|head| head.pool))?;
    let saved = saved.filter(|head| head.pool == pool);
    let length = request.length.or(saved.as_ref().map(|head| head.inputs / hidden)).unwrap_or(1);
    let inputs = if pool == Pool::Flatten { hidden * length } else { hidden };
    // A head that was trained on one kind of text vector means nothing on another.
    let head_given = saved.is_some_and(|head| head.inputs == inputs);

    let dropouts = config.dropouts().or_all(request.dropout);
    let prefix = if pool == Pool::Flatten { "gpt2model." } else { "transformer." };
    let mut builder =
        request.builder(Family::Gpt2, files.as_ref(), prefix, config.initializer_range);
    let gpt2 = Gpt2::new(&mut builder, &config, dropouts)?;
    let shape = [classes as i64, inputs as i64];
    let head = if pool == Pool::Flatten {
        // PyTorch's nn.Linear, as in the notebook: the usual spread would be far too wide for so
        // many inputs.
        let fresh = Fresh::Uniform(1.0 / (inputs as f64).sqrt());
        Head::new(&mut builder, "fc1", shape, (fresh, Some(fresh)), head_given)?
    } else {
        Head::new(&mut builder, "score", shape, (Fresh::Normal, None), head_given)?
    };
    let padding = Padding {
        id: config.padding(),
        side: if pool == Pool::Flatten { Side::Left } else { Side::Right },
        length: (pool == Pool::Flatten).then_some(length),
    };
    // GPT2ForSequenceClassification finds the last token of padded rows by it.
    if let Some(config) = json.as_object_mut() {
        config.insert("pad_token_id".into(), padding.id.into());
    }
    let built = builder.finish()?;
    Ok(Loaded {
        family: Family::Gpt2,
        parameters: built.parameters,
        frozen: built.frozen,
        adapter: built.adapter,
        network: Box::new(Classifier {
            gpt2,
            head,
            pool,
            padding: padding.id,
            head_dropout: dropouts.head,
        }),
        limits: Limits::plain(config.vocab_size, config.n_positions, 1),
        padding,
        pool,
        json,
        head_given,
    })
}
