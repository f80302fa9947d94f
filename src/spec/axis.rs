use serde::{Deserialize, Serialize};

use super::keys::{self, ValueKind};
use super::{RunSpec, SpecError, columns, short};

/// One varied key of a sweep.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Axis {
    /// A key of [`keys::KEYS`].
    pub key: String,
    /// What it takes.
    pub values: Values,
}

/// The values of an [`Axis`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Values {
    /// These, in this order; each is text that [`RunSpec::set`] takes.
    List(Vec<String>),
    /// Drawn uniformly from `[low, high]`; needs `trials`.
    Uniform(f64, f64),
    /// Drawn log-uniformly from `[low, high]`; needs `trials`.
    Log(f64, f64),
}

/// More values than this on one axis are taken for a typing error.
const MAX_VALUES: u64 = 10_000;

impl Axis {
    /// Reads what follows `key=`: one value, `a,b,c`, `0..2` (both ends included),
    /// `log(low,high)` or `uniform(low,high)`. `None` if it is a single value, hence no axis.
    ///
    /// A comma inside a path or a column name is written `\,`.
    ///
    /// # Errors
    /// An unknown key or a value that the key does not take.
    pub fn parse(key: &str, text: &str) -> Result<Option<Self>, SpecError> {
        let known = keys::find(key)?;
        if known.kind.owns_commas(text) {
            return Ok(None);
        }
        let bad = |why: &str| SpecError::BadValue {
            key: key.to_owned(),
            value: text.to_owned(),
            why: why.to_owned(),
        };
        let values = if let Some((name, low, high)) = distribution(text) {
            let (Ok(low), Ok(high)) = (low.parse::<f64>(), high.parse::<f64>()) else {
                return Err(bad("two numbers are expected, as in log(1e-6,1e-3)"));
            };
            if !matches!(known.kind, ValueKind::Float(..) | ValueKind::Int(..)) {
                return Err(bad("only keys that take numbers can be drawn at random"));
            }
            if !(low < high && low.is_finite() && high.is_finite()) || (name == "log" && low <= 0.0)
            {
                return Err(bad("the lower bound must be below the upper, and above 0 for log"));
            }
            if name == "log" { Values::Log(low, high) } else { Values::Uniform(low, high) }
        } else if let (ValueKind::Int(..), Some((low, high))) = (known.kind, text.split_once(".."))
        {
            let (Ok(low), Ok(high)) = (low.trim().parse::<u64>(), high.trim().parse::<u64>())
            else {
                return Err(bad("a range is written 0..2, both ends included"));
            };
            if low > high || high - low >= MAX_VALUES {
                return Err(bad("a range goes upwards and has at most 10000 values"));
            }
            Values::List((low..=high).map(|n| n.to_string()).collect())
        } else if let (ValueKind::Float(..), Some((low, high))) =
            (known.kind, text.split_once(".."))
        {
            let (low, high) = (low.trim(), high.trim());
            return Err(bad(&format!(
                "numbers between two others are drawn: {key}=uniform({low},{high}) with trials=N"
            )));
        } else {
            Values::List(columns(text))
        };
        let axis = Self { key: key.to_owned(), values };
        axis.check()?;
        Ok(match &axis.values {
            Values::List(v) if v.len() < 2 => None,
            _ => Some(axis),
        })
    }

    /// How many values a grid takes from it.
    pub(super) fn len(&self) -> usize {
        if let Values::List(values) = &self.values { values.len() } else { 1 }
    }

    /// The values of a list as a spec tells them; none of a distribution.
    pub(super) fn told(&self) -> Vec<String> {
        let Values::List(values) = &self.values else { return Vec::new() };
        let told = |value: &String| {
            let mut scratch = RunSpec::default();
            // `parse` has refused what cannot be set.
            let _ = scratch.set(&self.key, value);
            scratch.get(&self.key).unwrap_or_default()
        };
        values.iter().map(told).collect()
    }

    /// Where a run lies on an axis with these told values; `None` where it has another value than the axis takes.
    pub(super) fn place(&self, told: &[String], spec: &RunSpec) -> Option<f64> {
        let text = spec.get(&self.key)?;
        match &self.values {
            Values::List(_) => {
                told.iter().position(|value| *value == text).map(|place| place as f64)
            }
            Values::Uniform(low, high) | Values::Log(low, high) => {
                let x = text.parse::<f64>().ok()?;
                // Three digits of a draw at the very end may lie beyond it.
                let slack = 0.005 * (x.abs() + f64::from(x == 0.0));
                (*low - slack..=*high + slack).contains(&x).then(|| x.clamp(*low, *high))
            }
        }
    }

    /// Every value must be one that the key takes, and no value may come twice.
    fn check(&self) -> Result<(), SpecError> {
        let mut scratch = RunSpec::default();
        match &self.values {
            Values::List(values) => {
                let mut seen = Vec::with_capacity(values.len());
                for value in values {
                    scratch.set(&self.key, value)?;
                    let canonical = scratch.get(&self.key);
                    if values.len() > 1 && seen.contains(&canonical) {
                        return Err(SpecError::BadValue {
                            key: self.key.clone(),
                            value: values.join(","),
                            why: format!("`{value}` is listed twice"),
                        });
                    }
                    seen.push(canonical);
                }
                Ok(())
            }
            Values::Uniform(low, high) | Values::Log(low, high) => {
                scratch.set(&self.key, &short(*low))?;
                scratch.set(&self.key, &short(*high))
            }
        }
    }
}

/// `log(1e-6,1e-3)` -> ("log", "1e-6", "1e-3").
fn distribution(text: &str) -> Option<(&str, &str, &str)> {
    let (name, rest) = text.split_once('(')?;
    let (low, high) = rest.strip_suffix(')')?.split_once(',')?;
    matches!(name, "log" | "uniform").then_some((name, low.trim(), high.trim()))
}
