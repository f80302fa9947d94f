//! A head that gives numbers in standard deviations from the mean, rewritten so that it gives them in their own
//! units: what transformers makes of the exported model then is what `tuneboard predict` says.

use std::fs;
use std::path::Path;

use serde_json::{Map, Value, json};

use crate::cli::error::CliError;

const CONFIG: &str = "config.json";
const WEIGHTS: &str = "model.safetensors";
/// As the trainer writes it (`checkpoint::SCALE`).
const SCALE: &str = "tuneboard_scale";

/// Multiplies the last layer of a regression head by the standard deviations of the targets and adds their means
/// to its bias, in the model folder `folder`. A head without a bias, as decoders have, stays as it is: config.json
/// keeps the means and deviations.
///
/// # Errors
/// Files that do not belong together.
pub fn restore(folder: &Path) -> Result<(), CliError> {
    let odd = |why: &str| CliError::Place(format!("{}: {why}.", folder.join(WEIGHTS).display()));
    let read = |name: &str| fs::read(folder.join(name)).map_err(|e| odd(&e.to_string()));
    let mut config: Value =
        serde_json::from_slice(&read(CONFIG)?).map_err(|e| odd(&format!("config.json: {e}")))?;
    let Some(scale) = config.get(SCALE) else { return Ok(()) };
    let list =
        |key: &str| serde_json::from_value::<Vec<f64>>(scale[key].clone()).unwrap_or_default();
    let (mean, sd) = (list("mean"), list("sd"));
    let Some(head) = scale["head"].as_str().map(str::to_owned) else { return Ok(()) };
    let mut bytes = read(WEIGHTS)?;
    let layout = header(&bytes).ok_or_else(|| odd("it is no sound file of weights"))?;
    let place = |name: &str, numbers: usize| {
        let tensor = layout.1.get(name)?;
        let [from, to]: [usize; 2] = serde_json::from_value(tensor["data_offsets"].clone()).ok()?;
        let range = layout.0.checked_add(from)?..layout.0.checked_add(to)?;
        let fits = tensor["dtype"] == "F32" && range.len() % (4 * numbers.max(1)) == 0;
        (fits && range.end <= bytes.len()).then_some(range)
    };
    if mean.is_empty() || mean.len() != sd.len() {
        return Err(odd("config.json names no targets"));
    }
    let Some(bias) = place(&format!("{head}.bias"), mean.len()) else { return Ok(()) };
    let weight = place(&format!("{head}.weight"), mean.len());
    let weight = weight.ok_or_else(|| odd("it lacks the head that config.json names"))?;
    for (range, shift) in [(weight, false), (bias, true)] {
        let Some(part) = bytes.get_mut(range) else { continue };
        let width = part.len() / mean.len();
        for ((row, mean), sd) in part.chunks_mut(width.max(4)).zip(&mean).zip(&sd) {
            for number in row.as_chunks_mut::<4>().0 {
                let x =
                    f64::from(f32::from_le_bytes(*number)) * sd + if shift { *mean } else { 0.0 };
                *number = (x as f32).to_le_bytes();
            }
        }
    }
    config[SCALE] =
        json!({ "mean": vec![0.0; mean.len()], "sd": vec![1.0; sd.len()], "head": head });
    let write = |name: &str, bytes: &[u8]| {
        fs::write(folder.join(name), bytes).map_err(|e| odd(&e.to_string()))
    };
    write(WEIGHTS, &bytes)?;
    write(CONFIG, format!("{config:#}\n").as_bytes())
}

/// Where the numbers of a safetensors file begin, and what it says of each tensor.
fn header(bytes: &[u8]) -> Option<(usize, Map<String, Value>)> {
    let length = u64::from_le_bytes(*bytes.first_chunk::<8>()?);
    let end = usize::try_from(length).ok()?.checked_add(8)?;
    Some((end, serde_json::from_slice(bytes.get(8..end)?).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_gives_its_numbers_in_their_units() {
        let folder = tempfile::tempdir().unwrap();
        let header = json!({
            "out.weight": { "dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16] },
            "out.bias": { "dtype": "F32", "shape": [2], "data_offsets": [16, 24] },
        })
        .to_string();
        let numbers = [1.0_f32, 2.0, 3.0, 4.0, 0.5, 0.25];
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend(header.bytes().chain(numbers.iter().flat_map(|x| x.to_le_bytes())));
        let scale = json!({ "mean": [10.0, -1.0], "sd": [2.0, 4.0], "head": "out" });
        fs::write(folder.path().join(WEIGHTS), &bytes).unwrap();
        fs::write(folder.path().join(CONFIG), json!({ SCALE: scale }).to_string()).unwrap();
        restore(folder.path()).unwrap();
        let read = || {
            let bytes = fs::read(folder.path().join(WEIGHTS)).unwrap();
            let data = &bytes[8 + header.len()..];
            data.as_chunks::<4>().0.iter().map(|x| f32::from_le_bytes(*x)).collect::<Vec<_>>()
        };
        assert_eq!(read(), [2.0, 4.0, 12.0, 16.0, 11.0, 0.0]);
        let once = read();
        restore(folder.path()).unwrap();
        assert_eq!(read(), once, "it is done once");
        fs::write(folder.path().join(WEIGHTS), b"torn").unwrap();
        assert!(restore(folder.path()).is_err());
    }
}
