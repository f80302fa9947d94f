//! The classification head of a transformer, and what a checkpoint tells of its own.

use std::fs;
use std::path::Path;

use serde_json::Value;
use tch::Tensor;
use tuneboard::model_config::Activation;
use tuneboard::spec::{Family, Pool};

use super::builder::Builder;
use super::family::{FamilyExt, written_pool};
use super::layers::{Head, LayerNorm, activate, dropout};
use super::parameters::Fresh;
use super::{Mode, Request, WeightFiles};
use crate::error::TrainError;

/// Dropout, dense, activation, normalisation, dropout, linear; all but the last where the family has
/// them. 32-bit: it is tiny, and near-ties stay apart.
pub struct ClassHead {
    /// Dropout before the dense layer.
    before: f64,
    dense: Option<(Head, Activation)>,
    norm: Option<LayerNorm>,
    /// Dropout before the last layer.
    after: f64,
    out: Head,
}

impl ClassHead {
    /// A head of one layer.
    pub fn plain(out: Head, dropout: f64) -> Self {
        Self { before: 0.0, dense: None, norm: None, after: dropout, out }
    }

    /// A head with a dense layer before the last one; dropouts before each.
    pub fn deep(
        dense: (Head, Activation),
        norm: Option<LayerNorm>,
        out: Head,
        [before, after]: [f64; 2],
    ) -> Self {
        Self { before, dense: Some(dense), norm, after, out }
    }

    /// Class scores `[batch, classes]` of text vectors `[batch, width]`, both 32-bit.
    ///
    /// # Errors
    /// What libtorch reports.
    pub fn forward(&self, vectors: &Tensor, mode: Mode) -> Result<Tensor, TrainError> {
        let p = |p: f64| if mode.training { p } else { 0.0 };
        let mut x = vectors.shallow_clone();
        if let Some((dense, activation)) = &self.dense {
            x = activate(*activation, &dense.forward(&dropout(x, p(self.before))?)?)?;
        }
        if let Some(norm) = &self.norm {
            x = norm.forward(&x)?;
        }
        self.out.forward(&dropout(x, p(self.after))?)
    }
}

/// The head that a model will have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Choice {
    /// Classes.
    pub classes: i64,
    /// How token vectors become a text vector.
    pub pool: Pool,
    /// True if the checkpoint's own head is taken.
    pub is_given: bool,
    /// True if the pool is that of a sentence encoder, which knows no head.
    pub is_sentence_encoders: bool,
}

/// The last layer of a family's head: its name, and its inputs.
#[derive(Debug, Clone, Copy)]
pub struct Last<'a> {
    /// Without `.weight`.
    pub name: &'a str,
    /// Width of what it reads.
    pub inputs: i64,
    /// Whether it has a bias.
    pub has_bias: bool,
    /// The pool that transformers' head of the family is trained on.
    pub pool: Pool,
    /// The pool that the config asks for where there is no head.
    pub asked: Option<Pool>,
}

impl Choice {
    /// Decides what is asked for (`request`) against what the checkpoint in `folder` has.
    ///
    /// # Errors
    /// A pool that does not suit the family, a damaged file.
    pub fn make(
        family: Family,
        (folder, json, files): (&Path, &Value, Option<&WeightFiles>),
        request: &Request,
        last: Last,
    ) -> Result<Self, TrainError> {
        let at = |part: &str| format!("{}.{part}", last.name);
        let shape = match files {
            Some(files) if !last.has_bias || files.has(&at("bias")) => files.shape(&at("weight")),
            _ => None,
        };
        let shape = shape.filter(|shape| {
            shape.len() == 2
                && shape.last().is_some_and(|inputs| *inputs as i64 == last.inputs)
                && is_of_texts(json)
        });
        let own = shape.and_then(|shape| shape.first().copied());
        let classes = request.classes.or(own).unwrap_or(2);
        // A head that was trained on one kind of text vector means nothing on another.
        let trained_on = own
            .filter(|own| *own == classes && request.keep_head)
            .map(|_| written_pool(json).unwrap_or(last.pool));
        let sentence = if trained_on.is_none() { sentence_pool(folder) } else { None };
        let pool = family.pool_of(request.pool, trained_on.or(sentence).or(last.asked))?;
        Ok(Self {
            classes: classes as i64,
            pool,
            is_given: trained_on == Some(pool),
            is_sentence_encoders: request.pool == Pool::Auto && sentence == Some(pool),
        })
    }
}

/// False for a model whose head says something of tokens or of spans, whatever its weights are called.
fn is_of_texts(json: &Value) -> bool {
    let classes = json.get("architectures").and_then(Value::as_array);
    let mut names = classes.into_iter().flatten().filter_map(Value::as_str);
    !names.any(|name| {
        ["ForTokenClassification", "ForQuestionAnswering", "ForMultipleChoice"]
            .iter()
            .any(|end| name.ends_with(end))
    })
}

/// True for a model whose head says something of each token.
pub fn is_of_tokens(json: &Value) -> bool {
    let classes = json.get("architectures").and_then(Value::as_array);
    let mut names = classes.into_iter().flatten().filter_map(Value::as_str);
    names.any(|name| name.ends_with("ForTokenClassification"))
}

/// The pool of a sentence encoder, as sentence-transformers keeps it beside the model.
pub fn sentence_pool(folder: &Path) -> Option<Pool> {
    let text = fs::read(folder.join("1_Pooling").join("config.json")).ok()?;
    let json: Value = serde_json::from_slice(&text).ok()?;
    let modes = [
        ("pooling_mode_cls_token", "cls", Pool::Cls),
        ("pooling_mode_mean_tokens", "mean", Pool::Mean),
        ("pooling_mode_max_tokens", "max", Pool::Max),
        ("pooling_mode_lasttoken", "lasttoken", Pool::Last),
    ];
    // Newer files have one word instead of a switch for each.
    let word = json.get("pooling_mode").and_then(Value::as_str);
    let is_on = |key: &str| json.get(key).and_then(Value::as_bool) == Some(true);
    let mut on = modes.iter().filter(|(key, name, _)| is_on(key) || word == Some(*name));
    match (on.next(), on.next()) {
        (Some((_, _, pool)), None) => Some(*pool),
        _ => None,
    }
}

/// The usual start of a head's layer: its weight, and its bias where it has one.
pub fn fresh(has_bias: bool) -> (Fresh, Option<Fresh>) {
    (Fresh::Normal, has_bias.then_some(Fresh::Zeros))
}

/// The last layer of a head; see [`Head::new`].
///
/// # Errors
/// As there.
pub fn last_layer(builder: &mut Builder, last: Last, choice: Choice) -> Result<Head, TrainError> {
    let shape = [choice.classes, last.inputs];
    Head::new(builder, last.name, shape, fresh(last.has_bias), choice.is_given)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_encoder_says_how_it_pools() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(sentence_pool(folder.path()), None);
        fs::create_dir(folder.path().join("1_Pooling")).unwrap();
        let of = |text: &str| {
            fs::write(folder.path().join("1_Pooling/config.json"), text).unwrap();
            sentence_pool(folder.path())
        };
        let both = r#"{"pooling_mode_cls_token": true, "pooling_mode_mean_tokens": true}"#;
        assert_eq!(
            of(r#"{"pooling_mode_cls_token": true, "pooling_mode_mean_tokens": false}"#),
            Some(Pool::Cls)
        );
        assert_eq!(of(r#"{"pooling_mode_mean_tokens": true}"#), Some(Pool::Mean));
        assert_eq!(of(r#"{"pooling_mode": "lasttoken"}"#), Some(Pool::Last));
        assert_eq!(of(both), None);
        assert_eq!(of("{"), None);
    }
}
