//! `tuneboard-train forward`: one pass over given ids, to check the inside of a model.

use std::fs;
use std::path::Path;

use tch::{Device, Kind};

use crate::error::TrainError;
use crate::model::{self, Inputs, Loaded, Mode, Request, weights};

/// Reads `input_ids` and, where given, `attention_mask`, `token_type_ids` and `position_ids`
/// (int64, `[batch, length]`) from `input`; writes `last_hidden_state`, `pooler_output` where the
/// checkpoint has a pooler and `logits` where it has a head to `output`.
///
/// # Errors
/// Whatever is wrong with the folder or the files.
pub fn forward(folder: &Path, input: &Path, output: &Path) -> Result<(), TrainError> {
    let of_tokens = model::is_of_tokens(&model::read_config(folder)?);
    let request = Request { of_tokens, ..Request::as_saved(Device::Cpu, Kind::Float) };
    let model = model::load(folder, &request)?;
    let inputs = read_inputs(input, &model)?;
    let _guard = tch::no_grad_guard();
    let mode = Mode::inference(Kind::Float);
    let inside = model.network.inside(&inputs, mode)?;
    let mut results: Vec<_> = inside.into_iter().map(|(name, x)| (name.to_owned(), x)).collect();
    if model.head_given {
        results.push(("logits".to_owned(), model.network.forward(&inputs, mode)?));
    }
    fs::write(output, weights::to_bytes(&results)?).map_err(TrainError::write(output))
}

fn read_inputs(path: &Path, model: &Loaded) -> Result<Inputs, TrainError> {
    let limits = model.limits;
    let bad = |why: String| TrainError::Input(format!("{}: {why}.", path.display()));
    let mut tensors = weights::read_all(path)?;
    let mut take = |name: &str, below: i64| -> Result<_, TrainError> {
        let Some(tensor) = tensors.remove(name) else { return Ok(None) };
        if tensor.f_kind()? != Kind::Int64 || tensor.dim() != 2 || tensor.numel() == 0 {
            return Err(bad(format!("`{name}` must be int64 [batch, length] and not empty")));
        }
        let (low, high) = (tensor.f_min()?, tensor.f_max()?);
        let (low, high) = (low.f_int64_value(&[])?, high.f_int64_value(&[])?);
        if low < 0 || high >= below {
            return Err(bad(format!(
                "`{name}` holds {}; it must be from 0 to {}",
                if low < 0 { low } else { high },
                below - 1
            )));
        }
        Ok(Some(tensor))
    };
    let ids = take("input_ids", limits.vocabulary)?;
    let mask = take("attention_mask", 2)?;
    let segments = take("token_type_ids", limits.segments)?;
    let positions = take("position_ids", limits.places)?;
    let ids = ids.ok_or_else(|| bad("it has no `input_ids`".into()))?;
    let (_, length) = ids.size2()?;
    if length > limits.positions {
        return Err(bad(format!(
            "{length} tokens are more than the {} positions of the model",
            limits.positions
        )));
    }
    if model.head_given && model.padding.length.is_some_and(|fixed| fixed as i64 != length) {
        let fixed = model.padding.length.unwrap_or_default();
        return Err(bad(format!("the model's head takes {fixed} tokens, not {length}")));
    }
    if [&mask, &segments, &positions].into_iter().flatten().any(|t| t.size() != ids.size()) {
        return Err(bad("all tensors must have the shape of `input_ids`".into()));
    }
    Ok(Inputs { ids, mask, segments, positions, by_row: false, unpadded: None })
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    /// RoBERTa's table has two rows more than its longest text has tokens: the padding id's and one before it.
    #[test]
    fn positions_that_are_given_may_be_any_row_of_their_table() {
        let families = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/families");
        let model =
            model::load(&families.join("roberta"), &Request::as_saved(Device::Cpu, Kind::Float))
                .unwrap();
        let rows = model.json["max_position_embeddings"].as_i64().unwrap();
        assert_eq!(model.limits.positions, rows - 2);
        let folder = tempfile::tempdir().unwrap();
        let said = |positions: [i64; 2]| {
            let path: PathBuf = folder.path().join("in.safetensors");
            let tensor = |x: [i64; 2]| tch::Tensor::from_slice(&x).unsqueeze(0);
            let tensors = [("input_ids", tensor([5, 6])), ("position_ids", tensor(positions))];
            let tensors = tensors.map(|(name, tensor)| (name.to_owned(), tensor));
            fs::write(&path, weights::to_bytes(&tensors).unwrap()).unwrap();
            let inputs = match read_inputs(&path, &model) {
                Ok(inputs) => inputs,
                Err(e) => return e.to_string(),
            };
            let _guard = tch::no_grad_guard();
            let logits = model.network.forward(&inputs, Mode::inference(Kind::Float)).unwrap();
            assert!(logits.isfinite().all().int64_value(&[]) == 1);
            String::new()
        };
        assert_eq!(said([rows - 2, rows - 1]), "");
        assert!(said([2, rows]).contains(&format!("must be from 0 to {}", rows - 1)));
    }
}
