//! What the configs of all families share.

use serde::Deserialize;
use serde_json::Value;

use crate::spec::family::whole;

/// Holds sizes (name, value, most) against bounds far above any real model, so that a lying file
/// cannot ask for endless memory.
///
/// # Errors
/// The first that is out of bounds, as a fragment.
pub fn in_bounds(sizes: &[(&str, i64, i64)]) -> Result<(), String> {
    match sizes.iter().find(|(_, value, most)| !(1..=*most).contains(value)) {
        Some((name, value, most)) => Err(format!("{name} is {value}; it must be from 1 to {most}")),
        None => Ok(()),
    }
}

/// Holds dropouts against [0, 1).
///
/// # Errors
/// The first that is no such share, as a fragment.
pub fn are_shares(dropouts: &[(&str, f64)]) -> Result<(), String> {
    match dropouts.iter().find(|(_, value)| !(0.0..1.0).contains(value)) {
        Some((name, value)) => Err(format!("{name} is {value}; it must be from 0 to below 1")),
        None => Ok(()),
    }
}

/// The fields of a `config.json`; null counts as absent.
#[derive(Debug, Clone, Copy)]
pub struct Fields<'a>(pub &'a Value);

impl<'a> Fields<'a> {
    /// The first of `keys` that is there.
    fn find<'k>(self, keys: &[&'k str]) -> Option<(&'k str, &'a Value)> {
        keys.iter().find_map(|key| {
            let value = self.0.get(*key).filter(|value| !value.is_null())?;
            Some((*key, value))
        })
    }

    /// A whole number, under the first of `keys` that is there. Some writers make it 12.0.
    ///
    /// # Errors
    /// Another value, as a fragment; so do all of these.
    pub fn whole(self, keys: &[&str], usual: i64) -> Result<i64, String> {
        let Some((key, value)) = self.find(keys) else { return Ok(usual) };
        whole(value).ok_or_else(|| format!("{key} is {value}; it must be a whole number"))
    }

    /// A number.
    ///
    /// # Errors
    /// As above.
    pub fn number(self, keys: &[&str], usual: f64) -> Result<f64, String> {
        let Some((key, value)) = self.find(keys) else { return Ok(usual) };
        value.as_f64().ok_or_else(|| format!("{key} is {value}; it must be a number"))
    }

    /// True or false.
    ///
    /// # Errors
    /// As above.
    pub fn switch(self, key: &str, usual: bool) -> Result<bool, String> {
        let Some((key, value)) = self.find(&[key]) else { return Ok(usual) };
        value.as_bool().ok_or_else(|| format!("{key} is {value}; it must be true or false"))
    }

    /// A text.
    ///
    /// # Errors
    /// As above.
    pub fn word(self, key: &str) -> Result<Option<&'a str>, String> {
        let Some((key, value)) = self.find(&[key]) else { return Ok(None) };
        let word = value.as_str().ok_or_else(|| format!("{key} is {value}; it must be a text"))?;
        Ok(Some(word))
    }

    /// An activation.
    ///
    /// # Errors
    /// As above; one that is not known.
    pub fn activation(self, keys: &[&str], usual: Activation) -> Result<Activation, String> {
        let Some((key, value)) = self.find(keys) else { return Ok(usual) };
        Activation::deserialize(value)
            .map_err(|_| format!("{key} is {value}, which is not supported; {}", Activation::NAMES))
    }
}

/// Names as transformers' `ACT2FN`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// x Φ(x).
    #[serde(alias = "gelu_python")]
    Gelu,
    /// The tanh approximation of GELU.
    #[serde(alias = "gelu_pytorch_tanh", alias = "gelu_fast")]
    GeluNew,
    /// max(x, 0).
    Relu,
    /// Hyperbolic tangent.
    Tanh,
    /// x sigmoid(x).
    #[serde(alias = "swish")]
    Silu,
    /// x sigmoid(1.702 x).
    QuickGelu,
}

impl Activation {
    /// What a config may name.
    const NAMES: &'static str =
        "it can be gelu, gelu_new, gelu_pytorch_tanh, gelu_fast, relu, tanh, silu or quick_gelu";

    /// Whether it is the tanh approximation of GELU; `None` for what is no GELU.
    pub fn by_tanh(self) -> Option<bool> {
        match self {
            Self::Gelu => Some(false),
            Self::GeluNew => Some(true),
            Self::Relu | Self::Tanh | Self::Silu | Self::QuickGelu => None,
        }
    }
}

/// The dropouts of a transformer.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Dropouts {
    /// Of the embeddings.
    pub embeddings: f64,
    /// Of attention weights.
    pub attention: f64,
    /// Of what a block adds to the residual stream.
    pub residual: f64,
    /// Before the head.
    pub head: f64,
}

impl Dropouts {
    /// One value everywhere, where the user gives one.
    pub fn or_all(self, given: Option<f64>) -> Self {
        let all = |p| Self { embeddings: p, attention: p, residual: p, head: p };
        given.map_or(self, all)
    }
}
