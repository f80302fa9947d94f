//! Batches without their padding: the real tokens of all texts side by side, `[1, tokens, ..]`, with the cumulative
//! lengths of the texts. Layers that look at each token by itself run on these; attention through libtorch's kernel
//! for sequences of various lengths (Dao et al. 2022), or padded again where that kernel is not to be had.

use std::sync::OnceLock;

use tch::{Device, Kind, Tensor};

use super::attention::{HIDDEN, attend};
use crate::error::TrainError;
use crate::native::{self, Flash};

/// Where the real tokens of a padded batch lie.
#[derive(Debug)]
pub struct Unpadded {
    /// Their places in the flattened batch, int64 `[tokens]`.
    indices: Tensor,
    /// Their places in their texts, padding included, int64 `[1, tokens]`.
    pub columns: Tensor,
    /// Where each text begins among them, and the end, int32 `[batch + 1]`.
    cu_seqlens: Tensor,
    /// Tokens of the longest text.
    longest: i64,
    batch: i64,
    length: i64,
}

/// What attention of an unpadded batch is asked for.
pub struct How<'a> {
    /// Added to the scores where the batch has to be padded again, `[batch or 1, 1, length or 1, length]`.
    pub bias: Option<&'a Tensor>,
    pub scale: f64,
    /// Whether later tokens are hidden.
    pub is_causal: bool,
    /// How far a token sees; `None` = everything.
    pub reach: Option<i64>,
    /// The dropout of the weights.
    pub p: f64,
}

impl Unpadded {
    /// Of `mask`, row by row, `length` a row, 1 for real tokens.
    ///
    /// # Errors
    /// What libtorch reports.
    pub fn of(mask: &[i64], length: usize, device: Device) -> Result<Self, TrainError> {
        let (mut indices, mut columns, mut ends) = (Vec::new(), Vec::new(), vec![0_i32]);
        let mut longest = 0;
        for (row, mask) in mask.chunks(length.max(1)).enumerate() {
            let before = indices.len();
            for column in mask.iter().enumerate().filter(|(_, real)| **real != 0).map(|(at, _)| at)
            {
                indices.push((row * length + column) as i64);
                columns.push(column as i64);
            }
            longest = longest.max(indices.len() - before);
            ends.push(indices.len() as i32);
        }
        let send = |tensor: Tensor| native::send(&tensor, device);
        Ok(Self {
            indices: send(Tensor::f_from_slice(&indices)?)?,
            columns: send(Tensor::f_from_slice(&columns)?.f_unsqueeze(0)?)?,
            batch: ends.len() as i64 - 1,
            cu_seqlens: send(Tensor::f_from_slice(&ends)?)?,
            longest: longest as i64,
            length: length as i64,
        })
    }

    /// `[batch, length, ..]` -> `[1, tokens, ..]`.
    ///
    /// # Errors
    /// What libtorch reports.
    pub fn take(&self, x: &Tensor) -> Result<Tensor, TrainError> {
        Ok(x.f_flatten(0, 1)?.f_index_select(0, &self.indices)?.f_unsqueeze(0)?)
    }

    /// `[1, tokens, ..]` -> `[batch, length, ..]`, 0 where there is padding.
    ///
    /// # Errors
    /// What libtorch reports.
    pub fn put_back(&self, x: &Tensor) -> Result<Tensor, TrainError> {
        let x = x.f_squeeze_dim(0)?;
        let mut shape = x.size();
        shape[0] = self.batch * self.length;
        let empty = Tensor::f_zeros(&shape, (x.f_kind()?, x.device()))?;
        shape.splice(0..1, [self.batch, self.length]);
        Ok(empty.f_index_copy(0, &self.indices, &x)?.f_view(shape.as_slice())?)
    }

    /// softmax(scale Q Kᵀ) V within each text: query, key and value `[1, tokens, heads, size]` ->
    /// `[1, tokens, heads * size]`.
    ///
    /// # Errors
    /// What libtorch reports.
    pub fn attend(&self, parts: [&Tensor; 3], how: &How) -> Result<Tensor, TrainError> {
        let [query, ..] = parts;
        if suits(query) {
            return self.by_flash(parts, how);
        }
        let mut padded = Vec::with_capacity(3);
        for part in parts {
            padded.push(self.put_back(part)?.f_transpose(1, 2)?);
        }
        let [query, key, value] = [&padded[0], &padded[1], &padded[2]];
        let mixed = attend([query, key, value], how.bias, how.scale, how.p)?;
        self.take(&mixed.f_transpose(1, 2)?.f_flatten(2, 3)?)
    }

    fn by_flash(&self, parts: [&Tensor; 3], how: &How) -> Result<Tensor, TrainError> {
        let flash = Flash {
            longest: self.longest,
            scale: how.scale,
            p: how.p,
            is_causal: how.is_causal,
            reach: how.reach.unwrap_or(-1),
        };
        let squeezed = parts.map(|part| part.f_squeeze_dim(0));
        let [query, key, value] = squeezed;
        let mixed = native::flash([&query?, &key?, &value?], &self.cu_seqlens, &flash)?;
        Ok(mixed.f_flatten(1, 2)?.f_unsqueeze(0)?)
    }
}

/// Whether the kernel for sequences of various lengths takes such queries.
fn suits(query: &Tensor) -> bool {
    let size = query.size().last().copied().unwrap_or(0);
    matches!(query.device(), Device::Cuda(_))
        && query.kind() == Kind::BFloat16
        && size % 8 == 0
        && size <= 256
        && flash_is_right(query.device())
}

/// Whether the kernel is there and gives what padded attention gives, output and gradients; asked once.
fn flash_is_right(device: Device) -> bool {
    static IS_RIGHT: OnceLock<bool> = OnceLock::new();
    *IS_RIGHT.get_or_init(|| gap(device).is_ok_and(|gap| gap < 0.05))
}

/// How far the kernel is from padded attention at most, on two short texts.
fn gap(device: Device) -> Result<f64, TrainError> {
    let texts = Unpadded::of(&[1, 1, 1, 1, 1, 1, 1, 0, 0, 0], 5, device)?;
    let count = 3 * 7 * 2 * 16;
    let numbers: Vec<f32> = (0..count).map(|i| (i as f32 * 0.7).sin()).collect();
    let qkv = Tensor::f_from_slice(&numbers)?.f_view([3, 1, 7, 2, 16])?;
    let qkv = qkv.f_to_device(device)?.f_to_kind(Kind::BFloat16)?.f_set_requires_grad(true)?;
    let hidden =
        Tensor::f_from_slice(&[0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, HIDDEN, HIDDEN, HIDDEN])?;
    let bias = hidden.f_view([2, 1, 1, 5])?.f_to_device(device)?;
    let how = How { bias: Some(&bias), scale: 0.25, is_causal: false, reach: None, p: 0.0 };
    let part = |index| qkv.f_select(0, index);
    let (query, key, value) = (part(0)?, part(1)?, part(2)?);
    let flash = texts.by_flash([&query, &key, &value], &how)?;
    let mut padded = Vec::with_capacity(3);
    for part in [&query, &key, &value] {
        padded.push(texts.put_back(part)?.f_transpose(1, 2)?);
    }
    let mixed = attend([&padded[0], &padded[1], &padded[2]], how.bias, how.scale, 0.0)?;
    let plain = texts.take(&mixed.f_transpose(1, 2)?.f_flatten(2, 3)?)?;
    let mut most = 0.0;
    let gradient = |y: &Tensor| -> Result<Tensor, TrainError> {
        let loss = y.f_to_kind(Kind::Float)?.f_sin()?.f_sum(Kind::Float)?;
        Ok(Tensor::f_run_backward(&[loss], &[&qkv], true, false)?.remove(0))
    };
    for (one, other) in [(gradient(&flash)?, gradient(&plain)?), (flash, plain)] {
        let apart = one.f_to_kind(Kind::Float)?.f_sub(&other.f_to_kind(Kind::Float)?)?;
        most = f64::max(most, apart.f_abs()?.f_max()?.f_double_value(&[])?);
    }
    // NaN is not small.
    Ok(if most.is_nan() { f64::INFINITY } else { most })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_out_is_put_back_where_it_was() {
        let mask = [0, 1, 1, 1, 1, 0, 0, 0, 0, 1, 0, 1];
        let texts = Unpadded::of(&mask, 4, Device::Cpu).unwrap();
        assert_eq!(Vec::<i64>::try_from(texts.columns.view([-1])).unwrap(), [1, 2, 3, 0, 1, 3]);
        assert_eq!(Vec::<i32>::try_from(&texts.cu_seqlens).unwrap(), [0, 3, 4, 6]);
        assert_eq!(texts.longest, 3);
        let x = Tensor::arange(12 * 2, (Kind::Float, Device::Cpu)).view([3, 4, 2]);
        let back = texts.put_back(&texts.take(&x).unwrap()).unwrap();
        let mask = Tensor::from_slice(&mask).view([3, 4, 1]);
        assert_eq!(back, x * mask);
    }

    /// Asked of a machine without a GPU, it says no and nothing breaks.
    #[test]
    fn without_a_gpu_the_kernel_is_not_asked_twice() {
        assert!(gap(Device::Cpu).is_err());
        assert!(!suits(&Tensor::zeros([1, 3, 2, 16], (Kind::BFloat16, Device::Cpu))));
    }
}
