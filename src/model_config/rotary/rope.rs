use serde_json::Value;

use crate::model_config::fields::Fields;

/// Rotary positions (Su et al. 2021): pairs of a head's numbers are turned by an angle that grows with the
/// position, each pair at a frequency of its own.
#[derive(Debug, Clone, PartialEq)]
pub struct Rope {
    /// The wavelength of the slowest pair, divided by 2 pi.
    pub base: f64,
    /// Numbers of a head that are turned, an even number; those behind them stay.
    pub width: i64,
    /// How frequencies are changed for texts that are longer than those of the pretraining.
    pub scaling: Scaling,
}

/// How frequencies are changed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scaling {
    /// Not at all.
    Default,
    /// All divided by this.
    Linear(f64),
    /// Low ones divided, high ones not, those between blended (Llama 3.1).
    Llama3 {
        /// What low ones are divided by.
        factor: f64,
        /// Waves longer than `original / low` are low ones.
        low: f64,
        /// Waves shorter than `original / high` are high ones.
        high: f64,
        /// The longest text of the pretraining.
        original: f64,
    },
}

impl Scaling {
    /// Reads `rope_scaling` or `rope_parameters`.
    ///
    /// # Errors
    /// As a fragment: a kind that is not supported, numbers that make no frequency.
    pub fn of(json: &Value, positions: i64) -> Result<Self, String> {
        let fields = Fields(json);
        let kind = match fields.word("rope_type")? {
            Some(kind) => kind,
            None => fields.word("type")?.unwrap_or("default"),
        };
        let above_zero = |key: &str, usual: f64| {
            let value = fields.number(&[key], usual)?;
            if value > 0.0 && value.is_finite() {
                Ok(value)
            } else {
                Err(format!("{key} of the rotary positions is {value}; it must be above 0"))
            }
        };
        match kind {
            "default" => Ok(Self::Default),
            "linear" => Ok(Self::Linear(above_zero("factor", 1.0)?)),
            "llama3" => {
                let low = above_zero("low_freq_factor", 1.0)?;
                let high = above_zero("high_freq_factor", 4.0)?;
                if high <= low {
                    return Err(format!(
                        "high_freq_factor {high} must be more than low_freq_factor {low}"
                    ));
                }
                Ok(Self::Llama3 {
                    factor: above_zero("factor", 8.0)?,
                    low,
                    high,
                    original: above_zero("original_max_position_embeddings", positions as f64)?,
                })
            }
            other => Err(format!(
                "rotary positions of the kind `{other}` are not supported; default, linear and \
                 llama3 are"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn kinds_of_scaling_are_read_and_others_named() {
        let of = |json| Scaling::of(&json, 64);
        assert_eq!(of(json!(null)), Ok(Scaling::Default));
        assert_eq!(of(json!({ "type": "linear", "factor": 4 })), Ok(Scaling::Linear(4.0)));
        let llama3 = of(json!({ "rope_type": "llama3", "factor": 8.0 })).unwrap();
        let want = Scaling::Llama3 { factor: 8.0, low: 1.0, high: 4.0, original: 64.0 };
        assert_eq!(llama3, want);
        assert!(of(json!({ "rope_type": "yarn" })).unwrap_err().contains("`yarn`"));
        assert!(of(json!({ "type": "linear", "factor": 0 })).unwrap_err().contains("above 0"));
    }
}
