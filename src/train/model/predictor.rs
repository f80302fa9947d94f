use std::fs;
use std::path::Path;

use serde_json::Value;
use tch::{Kind, Tensor};
use tuneboard::model_config::Activation;

use super::config::bad;
use super::layers::{Head, LayerNorm, activate};
use super::{Family, Inputs, Limits, Mode, Padding, Parameter};
use crate::error::TrainError;
use crate::tokenize::Tokenizer;

/// An encoder with an output layer that scores every token of the vocabulary.
pub trait TokenPredictor {
    /// The encoder's token vectors, `[batch, length, hidden]`.
    ///
    /// # Errors
    /// What libtorch reports.
    fn hidden(&self, inputs: &Inputs, mode: Mode) -> Result<Tensor, TrainError>;

    /// Scores of all tokens, `[tokens, vocabulary]`, 32-bit, from `[tokens, hidden]`.
    ///
    /// # Errors
    /// What libtorch reports.
    fn scores(&self, vectors: &Tensor) -> Result<Tensor, TrainError>;
}

/// What turns token vectors into scores of words: the word embeddings, which are the output layer, and before
/// them the layers of a masked language model.
pub struct Output {
    /// Those layers, where the family has them.
    pub transform: Option<Transform>,
    /// Number format of the product with the word embeddings.
    pub kind: Kind,
}

/// Dense, activation, normalisation, and a bias for each word, 32-bit.
pub struct Transform {
    /// The dense layer.
    pub dense: Head,
    /// Its activation.
    pub activation: Activation,
    /// The normalisation.
    pub norm: LayerNorm,
    /// `[vocabulary]`.
    pub bias: Tensor,
}

impl Output {
    /// Scores of all words `[tokens, vocabulary]`, 32-bit, from `[tokens, hidden]`, given the word embeddings.
    ///
    /// # Errors
    /// What libtorch reports.
    pub fn scores(&self, words: &Tensor, vectors: &Tensor) -> Result<Tensor, TrainError> {
        let words = words.f_to_kind(self.kind)?;
        let scored = |x: &Tensor| -> Result<Tensor, TrainError> {
            let scores = x.f_to_kind(self.kind)?.f_linear(&words, None::<&Tensor>)?;
            Ok(scores.f_to_kind(Kind::Float)?)
        };
        let Some(transform) = &self.transform else { return scored(vectors) };
        let x = transform.dense.forward(&vectors.f_to_kind(Kind::Float)?)?;
        let x = transform.norm.forward(&activate(transform.activation, &x)?)?;
        Ok(scored(&x)?.f_add(&transform.bias)?)
    }
}

/// A language model that is ready to train.
pub struct LoadedPredictor {
    /// Its family.
    pub family: Family,
    /// The class of transformers that holds such a model.
    pub architecture: &'static str,
    /// True if a token's vector predicts the next token, false if it predicts the token itself.
    pub is_causal: bool,
    /// The network.
    pub network: Box<dyn TokenPredictor>,
    /// All its weights, in a fixed order. The output layer's are those of the word embeddings.
    pub parameters: Vec<Parameter>,
    /// What ids it takes.
    pub limits: Limits,
    /// How short rows of a batch are filled.
    pub padding: Padding,
    /// `config.json` as it stands.
    pub json: Value,
    /// True if all its weights came from the checkpoint.
    pub head_given: bool,
}

/// What is said of a family that is no language model.
pub(super) fn speaks_not(folder: &Path, family: Family) -> TrainError {
    bad(folder, &format!("a {family} model predicts no tokens"))
}

/// The id of the token that hides others, for the tokenizer of `folder`.
///
/// # Errors
/// A tokenizer without one.
pub fn mask_id(folder: &Path, tokenizer: &dyn Tokenizer) -> Result<u32, TrainError> {
    let path = folder.join("tokenizer_config.json");
    let known = fs::read_to_string(path).unwrap_or_default();
    let known: Value = serde_json::from_str(&known).unwrap_or_default();
    let named = known.get("mask_token");
    let named = named.and_then(|token| token.as_str().or_else(|| token.get("content")?.as_str()));
    let usual = ["[MASK]", "<mask>"];
    let tokens = named.map_or(usual.to_vec(), |token| vec![token]);
    for token in &tokens {
        if let [id] = tokenizer.ids(token, false)?.as_slice()
            && tokenizer.token(*id) == *token
        {
            return Ok(*id);
        }
    }
    Err(TrainError::Input(format!(
        "The tokenizer of {} has no token {}, which stands for hidden tokens.",
        folder.display(),
        tokens.join(" or ")
    )))
}

/// Refuses a model whose output layer has weights of its own.
///
/// # Errors
/// `tie_word_embeddings` is false.
pub(super) fn must_tie(folder: &Path, json: &Value) -> Result<(), TrainError> {
    if json.get("tie_word_embeddings").and_then(Value::as_bool) == Some(false) {
        return Err(unties(folder));
    }
    Ok(())
}

/// What is said of a model whose output layer has weights of its own.
pub(super) fn unties(folder: &Path) -> TrainError {
    let why = "tie_word_embeddings is false; only models whose output layer is their word embeddings \
               learn as language models";
    bad(folder, why)
}
