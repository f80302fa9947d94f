use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use safetensors::Dtype;

use super::code::{Object, bytes_of};
use super::pickle::Machine;
use super::{archive, legacy};
use crate::spec::printable;

/// The tensors of a file that `torch.save` made of a state dict.
#[derive(Debug)]
pub struct StateDict {
    tensors: BTreeMap<String, Stored>,
}

/// Where the numbers of a tensor lie in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// What they are.
    pub dtype: Dtype,
    /// The axes.
    pub shape: Vec<usize>,
    /// Numbers from one step along an axis to the next.
    strides: Vec<usize>,
    /// The byte that the first begins at.
    first: usize,
}

impl Stored {
    /// Numbers in the order of the axes, the first of which begins at that byte of the file.
    pub fn in_order(dtype: Dtype, shape: &[usize], first: usize) -> Self {
        let mut strides = vec![0; shape.len()];
        let mut step = 1_usize;
        for (stride, size) in strides.iter_mut().zip(shape).rev() {
            *stride = step;
            step = step.saturating_mul(*size);
        }
        Self { dtype, shape: shape.to_vec(), strides, first }
    }

    /// How many numbers there are.
    pub fn elements(&self) -> usize {
        self.shape.iter().product()
    }

    /// The numbers in the order of the axes, given the bytes of the file: as they lie there where that is
    /// their order, else a copy.
    pub fn data<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        let size = bytes_of(self.dtype);
        let at = |number: usize, count: usize| {
            let first = self.first + number * size;
            bytes.get(first..first + count * size).unwrap_or_default()
        };
        if self.strides == Self::in_order(self.dtype, &self.shape, 0).strides {
            return Cow::Borrowed(at(0, self.elements()));
        }
        let mut copy = Vec::with_capacity(self.elements() * size);
        let mut index = vec![0_usize; self.shape.len()];
        for _ in 0..self.elements() {
            let steps = index.iter().zip(&self.strides).map(|(i, stride)| i * stride);
            copy.extend_from_slice(at(steps.sum(), 1));
            for (i, size) in index.iter_mut().zip(&self.shape).rev() {
                *i += 1;
                if *i < *size {
                    break;
                }
                *i = 0;
            }
        }
        Cow::Owned(copy)
    }
}

impl StateDict {
    /// Reads the names and places of all tensors.
    ///
    /// # Errors
    /// What is no state dict, as a fragment that says of the file (`it`) what is wrong.
    pub fn read(bytes: &[u8]) -> Result<Self, String> {
        if bytes.starts_with(b"PK") {
            return Self::of_archive(bytes);
        }
        if legacy::is_legacy(bytes) {
            let (machine, root, storages) = legacy::read(bytes)?;
            return Self::new(&machine, root, &storages);
        }
        Err("it is no file of torch.save (a file that Git LFS was to fetch?)".to_owned())
    }

    fn of_archive(bytes: &[u8]) -> Result<Self, String> {
        let entries = archive::entries(bytes)?;
        let mut pickles = entries.keys().filter_map(|name| name.strip_suffix("data.pkl"));
        let prefix = pickles.find(|prefix| prefix.matches('/').count() <= 1);
        let prefix = prefix.ok_or_else(|| "its archive has no data.pkl".to_owned())?;
        let place = |name: &str| entries.get(format!("{prefix}{name}").as_str()).cloned();
        let taken = |range: Range<usize>| bytes.get(range).unwrap_or_default();
        if place("byteorder").is_some_and(|range| taken(range) == b"big") {
            return Err("it was written by a big-endian machine".to_owned());
        }
        let code = place("data.pkl").map(taken).unwrap_or_default();
        let mut machine = Machine::default();
        let (root, _) = machine.run(code)?;
        let range = |key: &str| {
            place(&format!("data/{key}"))
                .ok_or_else(|| format!("its archive lacks the storage {}", printable(key, 40)))
        };
        let storages =
            machine.storages.iter().map(|s| range(s.key)).collect::<Result<Vec<_>, _>>()?;
        Self::new(&machine, root, &storages)
    }

    fn new(machine: &Machine, root: Object, storages: &[Range<usize>]) -> Result<Self, String> {
        let Object::Dict(root) = root else {
            return Err("it holds something other than a state dict".to_owned());
        };
        for (storage, range) in machine.storages.iter().zip(storages) {
            let size = storage.numel.checked_mul(bytes_of(storage.dtype));
            if size.is_none_or(|size| size > range.len()) {
                return Err(format!(
                    "its storage {} is to hold {} numbers and has {} bytes",
                    printable(storage.key, 40),
                    storage.numel,
                    range.len()
                ));
            }
        }
        let mut tensors = BTreeMap::new();
        for pair in machine.dicts.get(root).into_iter().flatten() {
            if let (Object::Text(name), Object::Tensor(tensor)) = pair
                && let Some(tensor) = machine.tensors.get(*tensor)
                && let Some(storage) = machine.storages.get(tensor.storage)
                && let Some(range) = storages.get(tensor.storage)
            {
                let stored = Stored {
                    dtype: storage.dtype,
                    shape: tensor.shape.clone(),
                    strides: tensor.strides.clone(),
                    first: range.start + tensor.offset * bytes_of(storage.dtype),
                };
                tensors.insert((*name).to_owned(), stored);
            }
        }
        if tensors.is_empty() {
            return Err("it holds no tensors by name".to_owned());
        }
        Ok(Self { tensors })
    }

    /// All tensors by name.
    pub fn tensors(&self) -> impl Iterator<Item = (&str, &Stored)> {
        self.tensors.iter().map(|(name, stored)| (name.as_str(), stored))
    }
}
