use serde_json::Value;
use tch::{Device, Kind, Tensor};

use crate::error::TrainError;
use crate::model::config::Fields;

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

/// Cosines and sines for the positions of a batch, `[length or batch, .., 1, width]`.
pub struct Turns {
    cosines: Tensor,
    sines: Tensor,
    width: i64,
}

impl Rope {
    /// The angle per position of each pair, `[width / 2]`, 32-bit as in transformers.
    fn frequencies(&self, device: Device) -> Result<Tensor, TrainError> {
        let steps = Tensor::f_arange_start_step(0, self.width, 2, (Kind::Float, device))?;
        let usual = steps
            .f_div_scalar(self.width as f64)?
            .f_mul_scalar(self.base.ln())?
            .f_neg()?
            .f_exp()?;
        Ok(match self.scaling {
            Scaling::Default => usual,
            Scaling::Linear(factor) => usual.f_div_scalar(factor)?,
            Scaling::Llama3 { factor, low, high, original } => {
                // original / wavelength, from low to high as 0 to 1.
                let share = usual
                    .f_mul_scalar(original / std::f64::consts::TAU)?
                    .f_sub_scalar(low)?
                    .f_div_scalar(high - low)?
                    .f_clamp(0.0, 1.0)?;
                let kept = share.f_neg()?.f_add_scalar(1.0)?.f_div_scalar(factor)?.f_add(&share)?;
                usual.f_mul(&kept)?
            }
        })
    }

    /// For `length` tokens; `given` are positions `[batch, length]` that do not count from 0.
    ///
    /// # Errors
    /// What libtorch reports.
    pub fn turns(
        &self,
        length: i64,
        given: Option<&Tensor>,
        (kind, device): (Kind, Device),
    ) -> Result<Turns, TrainError> {
        let positions = match given {
            Some(given) => given.f_to_kind(Kind::Float)?,
            None => Tensor::f_arange(length, (Kind::Float, device))?,
        };
        let angles = positions.f_unsqueeze(-1)?.f_mul(&self.frequencies(device)?)?;
        let angles = Tensor::f_cat(&[&angles, &angles], -1)?.f_unsqueeze(-2)?;
        Ok(Turns {
            cosines: angles.f_cos()?.f_to_kind(kind)?,
            sines: angles.f_sin()?.f_to_kind(kind)?,
            width: self.width,
        })
    }
}

impl Turns {
    /// Turns `[batch, length, heads, size]`.
    ///
    /// # Errors
    /// What libtorch reports.
    pub fn turn(&self, x: &Tensor) -> Result<Tensor, TrainError> {
        let size = x.size().last().copied().unwrap_or(0);
        if size == self.width {
            return self.turn_all(x);
        }
        let turned = self.turn_all(&x.f_narrow(-1, 0, self.width)?)?;
        Ok(Tensor::f_cat(&[turned, x.f_narrow(-1, self.width, size - self.width)?], -1)?)
    }

    fn turn_all(&self, x: &Tensor) -> Result<Tensor, TrainError> {
        let half = self.width / 2;
        let (first, second) = (x.f_narrow(-1, 0, half)?, x.f_narrow(-1, half, half)?);
        let crossed = Tensor::f_cat(&[second.f_neg()?, first], -1)?;
        Ok(x.f_mul(&self.cosines)?.f_add(&crossed.f_mul(&self.sines)?)?)
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

    #[test]
    fn linear_scaling_stretches_positions() {
        let rope = |scaling| Rope { base: 100.0, width: 4, scaling };
        let here = (Kind::Float, Device::Cpu);
        let x = Tensor::from_slice(&[1_f32, 2.0, 3.0, 4.0]).view([1, 1, 1, 4]);
        let all = x.expand([1, 9, 1, 4], false);
        let plain = rope(Scaling::Default).turns(9, None, here).unwrap().turn(&all).unwrap();
        let slow = rope(Scaling::Linear(4.0)).turns(9, None, here).unwrap().turn(&all).unwrap();
        let gap = (slow.select(1, 8) - plain.select(1, 2)).abs().max().double_value(&[]);
        assert!(gap < 1e-6, "{gap}");
        // Lengths stay, and given positions are those of a row.
        let norm = |x: &Tensor| x.norm().double_value(&[]);
        assert!((norm(&plain.select(1, 5)) - norm(&x)).abs() < 1e-5);
        let given = Tensor::from_slice(&[2_i64]).view([1, 1]);
        let turned = rope(Scaling::Default).turns(1, Some(&given), here).unwrap().turn(&x).unwrap();
        assert!((turned.select(1, 0) - plain.select(1, 2)).abs().max().double_value(&[]) < 1e-6);
    }
}
