use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use hdf5_reader::Hdf5File;
use tch::{Kind, Tensor};
use tuneboard::model_config::elmo::Options;

use crate::error::TrainError;
use crate::model::builder::Builder;
use crate::model::parameters::Fresh;
use crate::model::weights;

/// Every ELMo has it, under whatever prefix AllenNLP's module had.
const ANCHOR: &str = "_token_embedder._char_embedding_weights";

/// The weights of a folder by AllenNLP's names, or none for a model that is drawn anew.
pub struct Source {
    path: PathBuf,
    tensors: Option<BTreeMap<String, Tensor>>,
}

impl Source {
    /// Nothing is given.
    pub fn none() -> Self {
        Self { path: PathBuf::new(), tensors: None }
    }

    /// Reads `model.safetensors` or `lm_weights.safetensors`, or else the folder's one HDF5 file. Names
    /// may be AllenNLP's (a prefix is dropped) or those of the published TensorFlow files.
    ///
    /// # Errors
    /// No such file, or one that is damaged or holds another model.
    pub fn open(folder: &Path, options: &Options) -> Result<Self, TrainError> {
        let path = file(folder)?;
        let is_hdf5 = path.extension().is_some_and(|e| e == "hdf5" || e == "h5");
        let given = if is_hdf5 { hdf5(&path, options)? } else { weights::read_all(&path)? };
        let prefix = given.keys().find_map(|name| name.strip_suffix(ANCHOR));
        let tensors = match prefix.map(str::to_owned) {
            Some(prefix) => given
                .into_iter()
                .map(|(name, t)| (name.strip_prefix(&prefix).unwrap_or(&name).to_owned(), t))
                .collect(),
            None => from_tensorflow(&given, options, &path)?,
        };
        Ok(Self { path, tensors: Some(tensors) })
    }

    /// True if the tensor is given in this shape.
    pub fn has(&self, name: &str, shape: &[i64]) -> bool {
        let tensors = self.tensors.as_ref();
        tensors.and_then(|t| t.get(name)).is_some_and(|t| t.size() == shape)
    }

    /// The shape of a tensor, if it is given.
    pub fn shape(&self, name: &str) -> Option<Vec<i64>> {
        Some(self.tensors.as_ref()?.get(name)?.size())
    }

    /// A weight of the language model; see [`Builder::encoder`].
    ///
    /// # Errors
    /// It is missing or has another shape.
    pub fn encoder(
        &self,
        builder: &mut Builder,
        name: &str,
        shape: &[i64],
        fresh: Fresh,
        depth: u32,
    ) -> Result<Tensor, TrainError> {
        let full = format!("{}{name}", builder.prefix);
        let tensor = match &self.tensors {
            Some(tensors) => take(tensors, name, shape, &self.path)?,
            None => builder.fresh(shape, fresh)?,
        };
        let tensor = tensor.f_to_device(builder.device)?;
        builder.keep(full, tensor, depth, false)
    }

    /// A weight of the head, where it is given in this shape; see [`Builder::head`].
    ///
    /// # Errors
    /// What libtorch reports.
    pub fn head(
        &self,
        builder: &mut Builder,
        name: &str,
        shape: &[i64],
        fresh: Fresh,
        given: bool,
    ) -> Result<Tensor, TrainError> {
        let tensor = match &self.tensors {
            Some(tensors) if given => take(tensors, name, shape, &self.path)?,
            _ => builder.fresh(shape, fresh)?,
        };
        let tensor = tensor.f_to_device(builder.device)?;
        builder.keep(name.to_owned(), tensor, 0, true)
    }
}

fn file(folder: &Path) -> Result<PathBuf, TrainError> {
    for name in ["model.safetensors", "lm_weights.safetensors"] {
        if folder.join(name).is_file() {
            return Ok(folder.join(name));
        }
    }
    let entries = fs::read_dir(folder).map_err(TrainError::read(folder))?;
    let mut found: Vec<PathBuf> = entries
        .flatten()
        .map(|e| e.path())
        .filter(|p| p.extension().is_some_and(|e| e == "hdf5" || e == "h5"))
        .collect();
    match (found.pop(), found.is_empty()) {
        (Some(path), true) => Ok(path),
        (None, _) => Err(TrainError::Input(format!(
            "{} holds options.json but no weights.hdf5 or model.safetensors.",
            folder.display()
        ))),
        (Some(_), false) => Err(TrainError::Input(format!(
            "{} holds several HDF5 files; leave the one with the weights of its options.json.",
            folder.display()
        ))),
    }
}

/// The tensors that the options call for, as 32-bit floats.
fn hdf5(path: &Path, options: &Options) -> Result<BTreeMap<String, Tensor>, TrainError> {
    let bad = |e: &dyn std::fmt::Display| {
        TrainError::Input(format!("{} is no sound file of ELMo weights: {e}.", path.display()))
    };
    let file = Hdf5File::open(path).map_err(|e| bad(&e))?;
    let mut tensors = BTreeMap::new();
    for name in names(options) {
        let dataset = file.dataset(&name).map_err(|e| bad(&e))?;
        let array = dataset.read_array::<f32>().map_err(|e| bad(&e))?;
        let shape: Vec<i64> = array.shape().iter().map(|n| *n as i64).collect();
        let values: Vec<f32> = array.iter().copied().collect();
        tensors.insert(name, Tensor::f_from_slice(&values)?.f_view(&shape[..])?);
    }
    Ok(tensors)
}

/// The names of the published files.
fn names(options: &Options) -> Vec<String> {
    let mut names = vec!["char_embed".to_owned()];
    for index in 0..options.char_cnn.filters.len() {
        names.extend(["W_cnn", "b_cnn"].map(|part| format!("CNN/{part}_{index}")));
    }
    for index in 0..options.char_cnn.n_highway {
        let parts = ["W_carry", "b_carry", "W_transform", "b_transform"];
        names.extend(parts.map(|part| format!("CNN_high_{index}/{part}")));
    }
    names.extend(["W_proj", "b_proj"].map(|part| format!("CNN_proj/{part}")));
    for direction in 0..2 {
        for layer in 0..options.lstm.n_layers {
            names.extend(["B", "W_0", "W_P_0"].map(|part| cell(direction, layer, part)));
        }
    }
    names
}

fn cell(direction: usize, layer: i64, part: &str) -> String {
    format!("RNN_{direction}/RNN/MultiRNNCell/Cell{layer}/LSTMCell/{part}")
}

/// The same weights as AllenNLP holds them. Its highway layer stacks transform and negated carry; its
/// LSTM has the gates in the order input, forget, memory, output (TensorFlow: input, memory, forget,
/// output) and the forget bias of 1 inside the bias.
fn from_tensorflow(
    given: &BTreeMap<String, Tensor>,
    options: &Options,
    path: &Path,
) -> Result<BTreeMap<String, Tensor>, TrainError> {
    let (lstm, cnn) = (&options.lstm, &options.char_cnn);
    let get = |name: &str, shape: &[i64]| take(given, name, shape, path);
    let mut all = BTreeMap::new();
    let dim = cnn.embedding.dim;
    let embedding = get("char_embed", &[cnn.n_characters - 1, dim])?;
    // Row 0 fills padded words.
    let embedding = Tensor::f_cat(
        &[Tensor::f_zeros([1, dim], (Kind::Float, embedding.device()))?, embedding],
        0,
    )?;
    all.insert(ANCHOR.to_owned(), embedding);
    for (index, (width, number)) in cnn.filters.iter().enumerate() {
        let weight = get(&format!("CNN/W_cnn_{index}"), &[1, *width, dim, *number])?;
        let weight = weight.f_squeeze_dim(0)?.f_permute([2, 1, 0])?.f_contiguous()?;
        let bias = get(&format!("CNN/b_cnn_{index}"), &[*number])?;
        all.insert(format!("_token_embedder.char_conv_{index}.weight"), weight);
        all.insert(format!("_token_embedder.char_conv_{index}.bias"), bias);
    }
    let filters = options.filters();
    for index in 0..cnn.n_highway {
        let get = |part: &str, shape: &[i64]| get(&format!("CNN_high_{index}/{part}"), shape);
        let square = [filters, filters];
        let transform = get("W_transform", &square)?.f_tr()?;
        let carry = get("W_carry", &square)?.f_tr()?.f_neg()?;
        let (bias, carry_bias) = (get("b_transform", &[filters])?, get("b_carry", &[filters])?);
        let name = format!("_token_embedder._highways._layers.{index}");
        all.insert(format!("{name}.weight"), Tensor::f_cat(&[transform, carry], 0)?);
        all.insert(format!("{name}.bias"), Tensor::f_cat(&[bias, carry_bias.f_neg()?], 0)?);
    }
    let outputs = lstm.projection_dim;
    let weight = get("CNN_proj/W_proj", &[filters, outputs])?.f_tr()?.f_contiguous()?;
    all.insert("_token_embedder._projection.weight".to_owned(), weight);
    let bias = get("CNN_proj/b_proj", &[outputs])?;
    all.insert("_token_embedder._projection.bias".to_owned(), bias);
    for (direction, word) in ["forward", "backward"].into_iter().enumerate() {
        for layer in 0..lstm.n_layers {
            let get = |part: &str, shape: &[i64]| get(&cell(direction, layer, part), shape);
            let name = format!("_elmo_lstm.{word}_layer_{layer}");
            let gates = get("W_0", &[2 * outputs, 4 * lstm.dim])?.f_tr()?;
            let gates = reorder(&gates)?;
            let part = |start: i64| gates.f_narrow(1, start, outputs)?.f_contiguous();
            all.insert(format!("{name}.input_linearity.weight"), part(0)?);
            all.insert(format!("{name}.state_linearity.weight"), part(outputs)?);
            let bias = reorder(&get("B", &[4 * lstm.dim])?)?;
            let _ = bias.f_narrow(0, lstm.dim, lstm.dim)?.f_add_scalar_(1.0)?;
            all.insert(format!("{name}.state_linearity.bias"), bias);
            let projection = get("W_P_0", &[lstm.dim, outputs])?.f_tr()?.f_contiguous()?;
            all.insert(format!("{name}.state_projection.weight"), projection);
        }
    }
    Ok(all)
}

/// Gates along the first axis: input, memory, forget, output -> input, forget, memory, output.
fn reorder(gates: &Tensor) -> Result<Tensor, TrainError> {
    let parts = gates.f_chunk(4, 0)?;
    let order = [0, 2, 1, 3].map(|at| parts.get(at));
    let order: Vec<&Tensor> = order.into_iter().flatten().collect();
    Ok(Tensor::f_cat(&order, 0)?)
}

fn take(
    tensors: &BTreeMap<String, Tensor>,
    name: &str,
    shape: &[i64],
    path: &Path,
) -> Result<Tensor, TrainError> {
    let file = path.display().to_string();
    let Some(tensor) = tensors.get(name) else {
        return Err(TrainError::MissingTensor { name: name.to_owned(), file });
    };
    if tensor.size() != shape {
        let sizes = |shape: &[i64]| shape.iter().map(|n| *n as usize).collect();
        let (got, want) = (sizes(&tensor.size()), sizes(shape));
        return Err(TrainError::WrongShape { name: name.to_owned(), file, got, want });
    }
    Ok(tensor.f_to_kind(Kind::Float)?)
}
