//! What the configs of all families share.

use std::fs;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;
use tch::Tensor;
use tuneboard::spec::family::{OWN_HEAD, whole};
use tuneboard::spec::locate;

use crate::error::TrainError;

/// No config is larger.
const LARGEST: u64 = 16 << 20;

/// Reads `config.json` as it stands, under the family's own `model_type`, or a published ELMo's `options.json` with the `model_type` that it
/// lacks.
///
/// # Errors
/// A missing file, or one that is not JSON.
pub fn read(folder: &Path) -> Result<Value, TrainError> {
    let path = folder.join(name(folder));
    // A pipe would be waited for without end.
    if fs::metadata(&path).map_err(TrainError::read(&path))?.len() > LARGEST || !path.is_file() {
        return Err(bad(folder, &format!("it is no file of at most {} MiB", LARGEST >> 20)));
    }
    let text = fs::read_to_string(&path).map_err(TrainError::read(&path))?;
    let mut json: Value = serde_json::from_str(&text)
        .map_err(|e| bad(folder, &format!("it is not valid JSON: {e}")))?;
    if name(folder) != "config.json"
        && let Some(options) = json.as_object_mut()
    {
        options.insert("model_type".into(), "elmo".into());
    }
    // An exported model comes back.
    let family = json["model_type"].as_str().and_then(|kind| kind.strip_prefix(OWN_HEAD));
    if let Some(family) = family.map(str::to_owned) {
        json["model_type"] = family.into();
    }
    Ok(json)
}

/// True if the folder describes a model.
pub fn exists(folder: &Path) -> bool {
    locate::DESCRIPTIONS.iter().any(|name| folder.join(name).is_file())
}

/// The file that describes the model of a folder.
fn name(folder: &Path) -> &'static str {
    let [usual, others @ ..] = locate::DESCRIPTIONS;
    others
        .into_iter()
        .find(|n| !folder.join(usual).exists() && folder.join(n).is_file())
        .unwrap_or(usual)
}

/// What is wrong with a folder's `config.json`.
pub fn bad(folder: &Path, why: &str) -> TrainError {
    TrainError::Input(format!("{}: {why}.", folder.join(name(folder)).display()))
}

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

    /// For [`crate::native::bias_gelu`]; `None` for what is no GELU.
    pub fn by_tanh(self) -> Option<bool> {
        match self {
            Self::Gelu => Some(false),
            Self::GeluNew => Some(true),
            Self::Relu | Self::Tanh | Self::Silu | Self::QuickGelu => None,
        }
    }

    /// Element by element.
    ///
    /// # Errors
    /// What libtorch reports.
    pub fn apply(self, x: &Tensor) -> Result<Tensor, TrainError> {
        Ok(match self {
            Self::Gelu => x.f_gelu("none")?,
            Self::GeluNew => x.f_gelu("tanh")?,
            Self::Relu => x.f_relu()?,
            Self::Tanh => x.f_tanh()?,
            Self::Silu => x.f_silu()?,
            Self::QuickGelu => x.f_mul(&x.f_mul_scalar(1.702)?.f_sigmoid()?)?,
        })
    }
}
