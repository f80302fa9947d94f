use std::path::Path;

use tch::{Device, Tensor};
use tuneboard::model_config::awd_lstm::AwdLstmConfig;

use crate::error::TrainError;
use crate::fastai::Vocab;
use crate::model::WeightFiles;
use crate::model::config::{self, bad};

/// The weights of a folder's language model (or of a classifier's encoder) for the words of `new`, by
/// their names in a file. Reference: fastai `match_embeds`.
///
/// # Errors
/// Whatever is wrong with the folder.
pub fn matched(folder: &Path, new: &Vocab) -> Result<Vec<(String, Tensor)>, TrainError> {
    let json = config::read(folder)?;
    let config = AwdLstmConfig::of(&json).map_err(|why| bad(folder, &why))?;
    let old = Vocab::read(&folder.join("vocab.json"))?;
    let (words, rows) = (old.words().len(), config.vocab_sz);
    if words as i64 != rows {
        return Err(bad(folder, &format!("vocab_sz is {rows}, but vocab.json has {words} words")));
    }
    let files = WeightFiles::open(folder, "encoder.weight")?;
    let mut tensors = Vec::new();
    for name in files.names() {
        // Of a classifier only the encoder is wanted, and no copy of the recurrent weights that a
        // dropout has been at.
        let tied = name == "encoder_dp.emb.weight" || name == "1.decoder.weight";
        let dropped = name.starts_with("rnns.") && name.ends_with("module.weight_hh_l0");
        let head = name.starts_with("1.") && name != "1.decoder.bias";
        if tied || dropped || head {
            continue;
        }
        let shape = files.shape(name).unwrap_or_default();
        let shape: Vec<i64> = shape.iter().map(|n| *n as i64).collect();
        let tensor = files.get(name, &shape, Device::Cpu)?;
        let by_word = name == "encoder.weight" || name == "1.decoder.bias";
        let tensor = if by_word { match_rows(&tensor, &old, new)? } else { tensor };
        let full = if name.starts_with("1.") { name.to_owned() } else { format!("0.{name}") };
        tensors.push((full, tensor));
    }
    Ok(tensors)
}

/// Rows of an embedding table (or of a decoder's bias) for another vocabulary: known words keep
/// theirs, unknown ones begin with the mean of all. `[old words, ..]` -> `[new words, ..]`.
///
/// # Errors
/// What libtorch reports.
pub fn match_rows(table: &Tensor, old: &Vocab, new: &Vocab) -> Result<Tensor, TrainError> {
    let mean = table.f_mean_dim(&[0i64][..], true, None)?;
    let extended = Tensor::f_cat(&[table, &mean], 0)?;
    let unknown = table.size().first().copied().unwrap_or(0);
    let row = |word: &String| old.id(word).map_or(unknown, i64::from);
    let rows: Vec<i64> = new.words().iter().map(row).collect();
    let rows = Tensor::f_from_slice(&rows)?.f_to_device(table.device())?;
    Ok(extended.f_index_select(0, &rows)?)
}
