use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use memmap2::Mmap;
use safetensors::{Dtype, SafeTensors};
use tch::{Device, Kind, Tensor};
use tuneboard::weights::{self, Files, Format, StateDict, Stored};

use super::damage::damage;
use crate::error::TrainError;

/// The weights of a checkpoint folder, by today's names.
///
/// Folders differ in two ways that are mended here: a prefix before all names (`bert.`,
/// `0.auto_model.`), and the LayerNorm names of 2018 (`gamma`, `beta`).
pub struct WeightFiles {
    files: Vec<(PathBuf, Arc<Mmap>)>,
    /// By the name without prefix.
    tensors: BTreeMap<String, Held>,
    /// Tensors that stand for those of the files (the head of an adapter).
    instead: BTreeMap<String, Tensor>,
}

/// A tensor of the files.
struct Held {
    file: usize,
    /// What it is called there.
    name: String,
    stored: Stored,
}

impl Held {
    /// Its kind, a float's.
    fn kind(&self, path: &Path) -> Result<Kind, TrainError> {
        kind_of(self.stored.dtype).filter(|kind| is_float(*kind)).ok_or_else(|| {
            TrainError::Input(format!(
                "The tensor `{}` of {} holds {:?}; F32, F16, BF16 or F64 is expected.",
                self.name,
                path.display(),
                self.stored.dtype
            ))
        })
    }
}

impl WeightFiles {
    /// Opens the weights of a folder (see [`Files::of`]). `anchor` is a tensor that every model of the family
    /// has, whatever the prefix.
    ///
    /// # Errors
    /// No such file, or one that is cut short, lies about its contents or has no `anchor`.
    pub fn open(folder: &Path, anchor: &str) -> Result<Self, TrainError> {
        let found = Files::of(folder).map_err(|e| {
            let why = e.to_string();
            let why = why.strip_prefix("no ").map_or_else(
                || format!("{}: {why}.", folder.display()),
                |lacks| format!("{} holds no {lacks}.", folder.display()),
            );
            TrainError::Input(why)
        })?;
        let mut files = Vec::new();
        let mut all = BTreeMap::new();
        for path in found.paths {
            let map = map(&path)?;
            for (name, stored) in tensors(&path, &map, found.format)? {
                all.insert(name.clone(), Held { file: files.len(), name, stored });
            }
            files.push((path, Arc::new(map)));
        }
        let prefix = all
            .keys()
            .filter_map(|name| name.strip_suffix(anchor))
            .filter(|prefix| prefix.is_empty() || prefix.ends_with('.'))
            .min_by_key(|prefix| prefix.len())
            .map(str::to_owned)
            .ok_or_else(|| TrainError::MissingTensor {
                name: anchor.to_owned(),
                file: files.first().map_or(folder, |file| &file.0).display().to_string(),
            })?;
        let tensors = all.into_iter().map(|(name, held)| (today(&name, &prefix), held)).collect();
        Ok(Self { files, tensors, instead: BTreeMap::new() })
    }

    /// Puts tensors in the place of those of the files.
    pub fn put(&mut self, instead: impl IntoIterator<Item = (String, Tensor)>) {
        self.instead.extend(instead);
    }

    /// True if [`Self::put`] gave the tensor.
    pub fn is_put(&self, name: &str) -> bool {
        self.instead.contains_key(name)
    }

    /// Every name, without prefix.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// True if the tensor is there.
    pub fn has(&self, name: &str) -> bool {
        self.instead.contains_key(name) || self.tensors.contains_key(name)
    }

    /// The shape of a tensor, if it is there.
    pub fn shape(&self, name: &str) -> Option<Vec<usize>> {
        if let Some(tensor) = self.instead.get(name) {
            return Some(tensor.size().iter().map(|n| *n as usize).collect());
        }
        self.tensors.get(name).map(|held| held.stored.shape.clone())
    }

    /// A tensor as 32-bit floats.
    ///
    /// # Errors
    /// It is missing, has another shape, or holds no floats.
    pub fn get(&self, name: &str, shape: &[i64], device: Device) -> Result<Tensor, TrainError> {
        self.read(name, shape, |tensor| Ok(tensor.f_to_kind(Kind::Float)?.f_to_device(device)?))
    }

    /// A tensor that is never written: in the kind `kind`, or as the file has it where that is of 16 bits and
    /// loses nothing. On the CPU it stays where it is in the mapped file if nothing has to be changed.
    ///
    /// # Errors
    /// As `get`.
    pub fn frozen(
        &self,
        name: &str,
        shape: &[i64],
        kind: Option<Kind>,
        device: Device,
    ) -> Result<Tensor, TrainError> {
        if let Some(tensor) = self.mapped(name, shape, kind, device)? {
            return Ok(tensor);
        }
        self.read(name, shape, |tensor| {
            let kind = kind.unwrap_or_else(|| match tensor.kind() {
                Kind::BFloat16 => Kind::BFloat16,
                _ => Kind::Float,
            });
            Ok(tensor.f_to_kind(kind)?.f_to_device(device)?)
        })
    }

    /// A tensor of the files, checked, and brought to where it is wanted by `bring`.
    fn read(
        &self,
        name: &str,
        shape: &[i64],
        bring: impl FnOnce(Tensor) -> Result<Tensor, TrainError>,
    ) -> Result<Tensor, TrainError> {
        if let Some(tensor) = self.instead.get(name) {
            let held: Vec<usize> = tensor.size().iter().map(|n| *n as usize).collect();
            must_be(name, "adapter_model.safetensors", &held, shape)?;
            // What is read may learn; what it was read from is asked again.
            return bring(tensor.f_mul_scalar(1.0)?);
        }
        let (path, map, held) = self.find(name)?;
        let kind = held.kind(path)?;
        must_be(&held.name, &path.display().to_string(), &held.stored.shape, shape)?;
        let tensor = Tensor::f_from_data_size(&held.stored.data(map), shape, kind)?;
        must_be_finite(&tensor, held, path)?;
        bring(tensor)
    }

    /// The tensor over the mapped file itself, if it can be taken as it is.
    fn mapped(
        &self,
        name: &str,
        shape: &[i64],
        kind: Option<Kind>,
        device: Device,
    ) -> Result<Option<Tensor>, TrainError> {
        if device != Device::Cpu || self.instead.contains_key(name) {
            return Ok(None);
        }
        let (path, map, held) = self.find(name)?;
        let has = held.kind(path)?;
        must_be(&held.name, &path.display().to_string(), &held.stored.shape, shape)?;
        let fits = kind.map_or(matches!(has, Kind::Float | Kind::BFloat16), |kind| kind == has);
        let std::borrow::Cow::Borrowed(bytes) = held.stored.data(map) else { return Ok(None) };
        let size = has.elt_size_in_bytes();
        let is_whole = bytes.len() == held.stored.elements() * size;
        if !fits || !is_whole || bytes.is_empty() || bytes.as_ptr().align_offset(size) != 0 {
            return Ok(None);
        }
        let strides: Vec<i64> = (0..shape.len())
            .map(|axis| shape.get(axis + 1..).unwrap_or_default().iter().product())
            .collect();
        // The tensor may outlive this: the mapping stays for as long as the process, which loads one model.
        std::mem::forget(Arc::clone(map));
        // SAFETY: the bytes are of that shape and kind, aligned, and mapped for good. They are mapped for reading
        // only, and nobody writes a frozen weight.
        let tensor =
            unsafe { Tensor::f_from_blob(bytes.as_ptr(), shape, &strides, has, Device::Cpu) }?;
        must_be_finite(&tensor, held, path)?;
        Ok(Some(tensor))
    }

    fn find(&self, name: &str) -> Result<(&Path, &Arc<Mmap>, &Held), TrainError> {
        let found =
            self.tensors.get(name).and_then(|held| Some((held, self.files.get(held.file)?)));
        let Some((held, (path, map))) = found else {
            let file = self.files.first().map(|f| f.0.display().to_string()).unwrap_or_default();
            return Err(TrainError::MissingTensor { name: name.to_owned(), file });
        };
        Ok((path, map, held))
    }
}

/// A name without the prefix that all have, as it is written today.
fn today(name: &str, prefix: &str) -> String {
    let short = name.strip_prefix(prefix).unwrap_or(name);
    let renamed = [("LayerNorm.gamma", "LayerNorm.weight"), ("LayerNorm.beta", "LayerNorm.bias")]
        .into_iter()
        .find_map(|(old, new)| Some(format!("{}{new}", short.strip_suffix(old)?)));
    renamed.unwrap_or_else(|| short.to_owned())
}

/// Where each tensor of a file lies.
fn tensors(path: &Path, bytes: &[u8], format: Format) -> Result<Vec<(String, Stored)>, TrainError> {
    if format == Format::Pickle {
        let dict = StateDict::read(bytes)
            .map_err(|why| TrainError::Input(format!("{}: {why}.", path.display())))?;
        return Ok(dict.tensors().map(|(name, s)| (name.to_owned(), s.clone())).collect());
    }
    let start = bytes.as_ptr() as usize;
    let named = parse(path, bytes)?.tensors().into_iter().map(|(name, view)| {
        let first = view.data().as_ptr() as usize - start;
        (name, Stored::in_order(view.dtype(), view.shape(), first))
    });
    Ok(named.collect())
}

fn must_be(name: &str, file: &str, got: &[usize], shape: &[i64]) -> Result<(), TrainError> {
    let want: Vec<usize> = shape.iter().map(|n| *n as usize).collect();
    if got == want {
        return Ok(());
    }
    Err(TrainError::WrongShape {
        name: name.to_owned(),
        file: file.to_owned(),
        got: got.to_vec(),
        want,
    })
}

/// A flipped bit of an exponent shows here, not as a loss that is no number an hour later.
fn must_be_finite(tensor: &Tensor, held: &Held, path: &Path) -> Result<(), TrainError> {
    if tensor.f_isfinite()?.f_all()?.f_int64_value(&[])? != 0 {
        return Ok(());
    }
    Err(TrainError::Input(format!(
        "The tensor `{}` of {} holds values that are no finite numbers: the file is damaged, or its training \
         had diverged.",
        held.name,
        path.display()
    )))
}

/// All tensors of a file, with their kinds as stored.
///
/// # Errors
/// A file that cannot be read or lies about its contents.
pub fn read_all(path: &Path) -> Result<BTreeMap<String, Tensor>, TrainError> {
    from_bytes(&map(path)?, path)
}

/// As [`read_all`], from the bytes of a file; `path` is what errors call it.
///
/// # Errors
/// As `read_all`.
pub fn from_bytes(bytes: &[u8], path: &Path) -> Result<BTreeMap<String, Tensor>, TrainError> {
    let mut all = BTreeMap::new();
    for (name, view) in parse(path, bytes)?.iter() {
        let kind = kind_of(view.dtype()).ok_or_else(|| {
            TrainError::Input(format!(
                "The tensor `{name}` of {} holds {:?}, which is not supported.",
                path.display(),
                view.dtype()
            ))
        })?;
        let shape: Vec<i64> = view.shape().iter().map(|n| *n as i64).collect();
        all.insert(name.to_owned(), Tensor::f_from_data_size(view.data(), &shape, kind)?);
    }
    Ok(all)
}

/// The bytes of a safetensors file.
///
/// # Errors
/// Tensors that cannot be copied from their device.
pub fn to_bytes(tensors: &[(String, Tensor)]) -> Result<Vec<u8>, TrainError> {
    let mut held = Vec::with_capacity(tensors.len());
    for (name, tensor) in tensors {
        let tensor = tensor.f_detach()?.f_to_device(Device::Cpu)?.f_contiguous()?;
        let kind = tensor.f_kind()?;
        let dtype = dtype_of(kind).ok_or_else(|| {
            TrainError::Failed(format!("the tensor {name} of kind {kind:?} cannot be saved."))
        })?;
        let mut bytes = vec![0; tensor.numel() * kind.elt_size_in_bytes()];
        tensor.f_copy_data_u8(&mut bytes, tensor.numel())?;
        let shape: Vec<usize> = tensor.size().iter().map(|n| *n as usize).collect();
        held.push((name.as_str(), dtype, shape, bytes));
    }
    let mut views = Vec::with_capacity(held.len());
    for (name, dtype, shape, bytes) in &held {
        let view = safetensors::tensor::TensorView::new(*dtype, shape.clone(), bytes);
        views.push((*name, view.map_err(unsaved)?));
    }
    // transformers refuses files without this word.
    let format = Some([("format".to_owned(), "pt".to_owned())].into());
    safetensors::serialize(views, format).map_err(unsaved)
}

fn unsaved(e: safetensors::SafeTensorError) -> TrainError {
    TrainError::Failed(format!("The weights cannot be written as safetensors: {e}."))
}

fn map(path: &Path) -> Result<Mmap, TrainError> {
    weights::map(path).map_err(TrainError::read(path))
}

fn parse<'a>(path: &Path, map: &'a [u8]) -> Result<SafeTensors<'a>, TrainError> {
    SafeTensors::deserialize(map).map_err(|e| {
        let why = damage(map, &e);
        let why = why.trim_end_matches('.');
        TrainError::Input(format!("{} is no sound safetensors file: {why}.", path.display()))
    })
}

fn kind_of(dtype: Dtype) -> Option<Kind> {
    Some(match dtype {
        Dtype::F32 => Kind::Float,
        Dtype::F16 => Kind::Half,
        Dtype::BF16 => Kind::BFloat16,
        Dtype::F64 => Kind::Double,
        Dtype::I64 => Kind::Int64,
        Dtype::I32 => Kind::Int,
        Dtype::U8 => Kind::Uint8,
        Dtype::BOOL => Kind::Bool,
        _ => return None,
    })
}

fn dtype_of(kind: Kind) -> Option<Dtype> {
    Some(match kind {
        Kind::Float => Dtype::F32,
        Kind::Half => Dtype::F16,
        Kind::BFloat16 => Dtype::BF16,
        Kind::Double => Dtype::F64,
        Kind::Int64 => Dtype::I64,
        _ => return None,
    })
}

fn is_float(kind: Kind) -> bool {
    matches!(kind, Kind::Float | Kind::Half | Kind::BFloat16 | Kind::Double)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frozen_weights_stay_in_the_mapped_file_where_its_format_is_the_one_wanted() {
        let families = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/families");
        let name = "embeddings.word_embeddings.weight";
        let files = WeightFiles::open(&families.join("roberta"), name).unwrap();
        let shape: Vec<i64> = files.shape(name).unwrap().iter().map(|n| *n as i64).collect();
        let of = |kind| files.frozen(name, &shape, kind, Device::Cpu).unwrap();
        let within = |tensor: &Tensor| {
            let map = files.files.first().unwrap().1.as_ptr_range();
            map.contains(&tensor.data_ptr().cast_const().cast::<u8>())
        };
        assert!(within(&of(Some(Kind::Float))) && within(&of(None)));
        let half = of(Some(Kind::BFloat16));
        assert!(!within(&half) && half.kind() == Kind::BFloat16);
        let learns = files.get(name, &shape, Device::Cpu).unwrap();
        assert!(!within(&learns) && learns == of(Some(Kind::Float)));
    }
}
