//! Batches without their padding: the real tokens of all texts side by side, `[1, tokens, ..]`, with the cumulative
//! lengths of the texts. Layers that look at each token by itself run on these, attention is that of [`super::varlen`].

use tch::{Device, Tensor};

use crate::error::TrainError;
use crate::native;

/// Where the real tokens of a padded batch lie.
#[derive(Debug)]
pub struct Unpadded {
    /// Their places in the flattened batch, int64 `[tokens]`.
    indices: Tensor,
    /// Their places in their texts, padding included, int64 `[1, tokens]`.
    pub columns: Tensor,
    /// Where each text begins among them, and the end, int32 `[batch + 1]`.
    pub cu_seqlens: Tensor,
    /// Tokens of the longest text.
    pub longest: i64,
    batch: i64,
    length: i64,
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

    /// The same of a batch that may never have been unpadded.
    ///
    /// # Errors
    /// What libtorch reports.
    pub fn padded(unpadded: Option<&Self>, x: Tensor) -> Result<Tensor, TrainError> {
        match unpadded {
            Some(unpadded) => unpadded.put_back(&x),
            None => Ok(x),
        }
    }
}

#[cfg(test)]
mod tests {
    use tch::Kind;

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
}
