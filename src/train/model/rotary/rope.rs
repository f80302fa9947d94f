use tch::{Device, Kind, Tensor};
use tuneboard::model_config::rotary::{Rope, Scaling};

use crate::error::TrainError;

/// Cosines and sines for the positions of a batch, `[length or batch, .., 1, width]`.
pub struct Turns {
    cosines: Tensor,
    sines: Tensor,
    width: i64,
}

impl Turns {
    /// For `length` tokens; `given` are positions `[batch, length]` that do not count from 0.
    ///
    /// # Errors
    /// What libtorch reports.
    pub fn of(
        rope: &Rope,
        length: i64,
        given: Option<&Tensor>,
        (kind, device): (Kind, Device),
    ) -> Result<Self, TrainError> {
        let positions = match given {
            Some(given) => given.f_to_kind(Kind::Float)?,
            None => Tensor::f_arange(length, (Kind::Float, device))?,
        };
        let angles = positions.f_unsqueeze(-1)?.f_mul(&frequencies(rope, device)?)?;
        let angles = Tensor::f_cat(&[&angles, &angles], -1)?.f_unsqueeze(-2)?;
        Ok(Self {
            cosines: angles.f_cos()?.f_to_kind(kind)?,
            sines: angles.f_sin()?.f_to_kind(kind)?,
            width: rope.width,
        })
    }

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

/// The angle per position of each pair, `[width / 2]`, 32-bit as in transformers.
fn frequencies(rope: &Rope, device: Device) -> Result<Tensor, TrainError> {
    let steps = Tensor::f_arange_start_step(0, rope.width, 2, (Kind::Float, device))?;
    let usual =
        steps.f_div_scalar(rope.width as f64)?.f_mul_scalar(rope.base.ln())?.f_neg()?.f_exp()?;
    Ok(match rope.scaling {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn linear_scaling_stretches_positions() {
        let rope = |scaling| Rope { base: 100.0, width: 4, scaling };
        let here = (Kind::Float, Device::Cpu);
        let x = Tensor::from_slice(&[1_f32, 2.0, 3.0, 4.0]).view([1, 1, 1, 4]);
        let all = x.expand([1, 9, 1, 4], false);
        let plain = Turns::of(&rope(Scaling::Default), 9, None, here).unwrap().turn(&all).unwrap();
        let slow =
            Turns::of(&rope(Scaling::Linear(4.0)), 9, None, here).unwrap().turn(&all).unwrap();
        let gap = (slow.select(1, 8) - plain.select(1, 2)).abs().max().double_value(&[]);
        assert!(gap < 1e-6, "{gap}");
        // Lengths stay, and given positions are those of a row.
        let norm = |x: &Tensor| x.norm().double_value(&[]);
        assert!((norm(&plain.select(1, 5)) - norm(&x)).abs() < 1e-5);
        let given = Tensor::from_slice(&[2_i64]).view([1, 1]);
        let turned =
            Turns::of(&rope(Scaling::Default), 1, Some(&given), here).unwrap().turn(&x).unwrap();
        assert!((turned.select(1, 0) - plain.select(1, 2)).abs().max().double_value(&[]) < 1e-6);
    }
}
