use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use serde_json::Value;

/// Longest header that is believed; the format allows 100 MB, real ones stay below 1 MB.
const LONGEST_HEADER: u64 = 100 << 20;

/// The header of a safetensors file: 8 bytes of length, then JSON
/// (<https://huggingface.co/docs/safetensors>).
pub(super) fn header(path: &Path) -> io::Result<serde_json::Map<String, Value>> {
    let bad = |why: &str| io::Error::new(io::ErrorKind::InvalidData, why.to_owned());
    let mut file = File::open(path)?;
    let mut length = [0; 8];
    file.read_exact(&mut length).map_err(|_| bad("shorter than its header"))?;
    let length = u64::from_le_bytes(length);
    let size = file.metadata()?.len();
    if length > LONGEST_HEADER.min(size) {
        return Err(bad("not a safetensors file"));
    }
    let mut header = Vec::new();
    file.take(length).read_to_end(&mut header)?;
    let header: serde_json::Map<String, Value> =
        serde_json::from_slice(&header).map_err(|_| bad("its header is not JSON"))?;
    let tensors = header.iter().filter(|(name, _)| *name != "__metadata__");
    let ends = tensors.clone().filter_map(|(_, tensor)| tensor["data_offsets"][1].as_u64());
    if ends.max().is_some_and(|end| end > size.saturating_sub(8 + length)) {
        return Err(bad("it is cut short"));
    }
    Ok(header)
}
