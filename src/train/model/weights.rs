use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use memmap2::Mmap;
use safetensors::{Dtype, SafeTensors};
use serde_json::Value;
use tch::{Device, Kind, Tensor};

use super::damage::damage;
use crate::error::TrainError;

/// The weights of a checkpoint folder, by today's names.
///
/// Folders differ in two ways that are mended here: a prefix before all names (`bert.`,
/// `0.auto_model.`), and the LayerNorm names of 2018 (`gamma`, `beta`).
pub struct WeightFiles {
    files: Vec<(PathBuf, Mmap)>,
    /// Name without prefix -> file and the name in it.
    names: BTreeMap<String, (usize, String)>,
}

impl WeightFiles {
    /// Opens `model.safetensors`, or the shards that `model.safetensors.index.json` names. `anchor` is
    /// a tensor that every model of the family has, whatever the prefix.
    ///
    /// # Errors
    /// No such file, or one that is cut short, lies about its contents or has no `anchor`.
    pub fn open(folder: &Path, anchor: &str) -> Result<Self, TrainError> {
        let mut files = Vec::new();
        let mut full_names = BTreeMap::new();
        for path in safetensors_files(folder)? {
            let map = map(&path)?;
            let tensors = parse(&path, &map)?;
            for name in tensors.names() {
                full_names.insert(name.to_owned(), files.len());
            }
            files.push((path, map));
        }
        let prefix = full_names
            .keys()
            .filter_map(|name| name.strip_suffix(anchor))
            .filter(|prefix| prefix.is_empty() || prefix.ends_with('.'))
            .min_by_key(|prefix| prefix.len())
            .map(str::to_owned)
            .ok_or_else(|| TrainError::MissingTensor {
                name: anchor.to_owned(),
                file: folder.join("model.safetensors").display().to_string(),
            })?;
        let names = full_names
            .into_iter()
            .map(|(name, file)| {
                let short = name.strip_prefix(&prefix).unwrap_or(&name);
                let today = short
                    .strip_suffix("LayerNorm.gamma")
                    .map(|stem| format!("{stem}LayerNorm.weight"))
                    .or_else(|| {
                        short.strip_suffix("LayerNorm.beta").map(|s| format!("{s}LayerNorm.bias"))
                    });
                (today.unwrap_or_else(|| short.to_owned()), (file, name))
            })
            .collect();
        Ok(Self { files, names })
    }

    /// Every name, without prefix.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.keys().map(String::as_str)
    }

    /// True if the tensor is there.
    pub fn has(&self, name: &str) -> bool {
        self.names.contains_key(name)
    }

    /// The shape of a tensor, if it is there.
    ///
    /// # Errors
    /// A file that lies about its contents.
    pub fn shape(&self, name: &str) -> Result<Option<Vec<usize>>, TrainError> {
        let Some((file, full_name)) = self.find(name) else { return Ok(None) };
        let tensors = parse(&file.0, &file.1)?;
        Ok(tensors.tensor(full_name).ok().map(|t| t.shape().to_vec()))
    }

    /// A tensor as 32-bit floats.
    ///
    /// # Errors
    /// It is missing, has another shape, or holds no floats.
    pub fn get(&self, name: &str, shape: &[i64], device: Device) -> Result<Tensor, TrainError> {
        let folder = self.files.first().map(|f| f.0.display().to_string()).unwrap_or_default();
        let missing = || TrainError::MissingTensor { name: name.to_owned(), file: folder.clone() };
        let ((path, map), full_name) = self.find(name).ok_or_else(missing)?;
        let tensors = parse(path, map)?;
        let view = tensors.tensor(full_name).map_err(|_| missing())?;
        let want: Vec<usize> = shape.iter().map(|n| *n as usize).collect();
        if view.shape() != want {
            return Err(TrainError::WrongShape {
                name: full_name.to_owned(),
                file: path.display().to_string(),
                got: view.shape().to_vec(),
                want,
            });
        }
        let kind = kind_of(view.dtype()).filter(|kind| is_float(*kind)).ok_or_else(|| {
            TrainError::Input(format!(
                "The tensor `{full_name}` of {} holds {:?}; F32, F16, BF16 or F64 is expected.",
                path.display(),
                view.dtype()
            ))
        })?;
        let tensor = Tensor::f_from_data_size(view.data(), shape, kind)?;
        let tensor = tensor.f_to_kind(Kind::Float)?;
        // A flipped bit of an exponent shows here, not as a loss that is no number an hour later.
        if tensor.f_isfinite()?.f_all()?.f_int64_value(&[])? == 0 {
            return Err(TrainError::Input(format!(
                "The tensor `{full_name}` of {} holds values that are no finite numbers: the file is \
                 damaged, or its training had diverged.",
                path.display()
            )));
        }
        Ok(tensor.f_to_device(device)?)
    }

    fn find(&self, name: &str) -> Option<(&(PathBuf, Mmap), &str)> {
        let (file, full_name) = self.names.get(name)?;
        Some((self.files.get(*file)?, full_name))
    }
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

fn safetensors_files(folder: &Path) -> Result<Vec<PathBuf>, TrainError> {
    let single = folder.join("model.safetensors");
    if single.is_file() {
        return Ok(vec![single]);
    }
    let index = folder.join("model.safetensors.index.json");
    if !index.is_file() {
        let hint = if folder.join("pytorch_model.bin").is_file() {
            "only pytorch_model.bin; load it in transformers and save it with \
             save_pretrained(..., safe_serialization=True)"
        } else {
            "no model.safetensors"
        };
        return Err(TrainError::Input(format!("{} holds {hint}.", folder.display())));
    }
    let bad = |why: &str| TrainError::Input(format!("{}: {why}.", index.display()));
    let text = fs::read_to_string(&index).map_err(TrainError::read(&index))?;
    let json: Value = serde_json::from_str(&text).map_err(|e| bad(&e.to_string()))?;
    let weights = json.get("weight_map").and_then(Value::as_object);
    let weights = weights.ok_or_else(|| bad("it has no weight_map"))?;
    let shards: BTreeSet<&str> = weights.values().filter_map(Value::as_str).collect();
    if shards.iter().any(|name| name.contains(['/', '\\']) || name.starts_with('.')) {
        return Err(bad("a shard lies outside the folder"));
    }
    Ok(shards.into_iter().map(|name| folder.join(name)).collect())
}

fn map(path: &Path) -> Result<Mmap, TrainError> {
    let file = File::open(path).map_err(TrainError::read(path))?;
    // SAFETY: the mapping is read-only and lives as long as the loading of a model. A file that
    // another process shortens meanwhile would end this one with SIGBUS; checkpoints are written
    // once and renamed into place, never changed.
    unsafe { Mmap::map(&file) }.map_err(TrainError::read(path))
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
