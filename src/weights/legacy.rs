//! What `torch.save` wrote before it wrote archives (PyTorch 1.6, 2020): five pickles, one behind the other,
//! then the storages. Reference: `_legacy_save` of `torch/serialization.py`.

use std::collections::HashMap;
use std::ops::Range;

use super::code::{Object, bytes_of};
use super::pickle::{Machine, Storage};
use crate::spec::printable;

/// 0x1950a86a20f9469cfc6c, as little-endian bytes.
const MAGIC: [u8; 10] = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];

/// True if the bytes begin as such a file does.
pub fn is_legacy(bytes: &[u8]) -> bool {
    matches!(Machine::default().run(bytes), Ok((Object::Long(magic), _)) if magic == MAGIC)
}

/// Runs the pickles. Gives the one with the tensors, what it made, and where each of its storages lies.
///
/// # Errors
/// As a fragment: pickles of another kind, a file that is cut short.
pub fn read(bytes: &[u8]) -> Result<(Machine<'_>, Object<'_>, Vec<Range<usize>>), String> {
    let rest = |at: usize| bytes.get(at..).unwrap_or_default();
    let mut at = 0;
    for index in 0..3 {
        let mut machine = Machine::default();
        let (made, length) = machine.run(rest(at))?;
        at += length;
        if index == 2 && !is_little_endian(&machine, made) {
            return Err("it was written by a big-endian machine".to_owned());
        }
    }
    let mut machine = Machine::default();
    let (root, length) = machine.run(rest(at))?;
    at += length;
    let mut keys = Machine::default();
    let (names, length) = keys.run(rest(at))?;
    at += length;
    let known: HashMap<&str, Storage> = machine.storages.iter().map(|s| (s.key, *s)).collect();
    let mut places: HashMap<&str, Range<usize>> = HashMap::new();
    for name in keys.items(names)? {
        let storage = match name {
            Object::Text(name) => known.get(name),
            _ => None,
        };
        let storage = storage.ok_or_else(|| "it has a storage of no tensor".to_owned())?;
        let cut = || format!("it ends within the storage {}", printable(storage.key, 40));
        let head = rest(at).first_chunk::<8>().ok_or_else(cut)?;
        let numel = usize::try_from(u64::from_le_bytes(*head)).map_err(|_| cut())?;
        let size = numel.checked_mul(bytes_of(storage.dtype)).ok_or_else(cut)?;
        let begin = at + 8;
        at = begin.checked_add(size).filter(|end| *end <= bytes.len()).ok_or_else(cut)?;
        places.insert(storage.key, begin..at);
    }
    let place = |key: &str| {
        places.get(key).cloned().ok_or_else(|| "one of its storages is missing".to_owned())
    };
    let ranges = machine.storages.iter().map(|s| place(s.key)).collect::<Result<_, _>>()?;
    Ok((machine, root, ranges))
}

fn is_little_endian(machine: &Machine, made: Object) -> bool {
    let Object::Dict(dict) = made else { return true };
    let pairs = machine.dicts.get(dict).map(Vec::as_slice).unwrap_or_default();
    !pairs.contains(&(Object::Text("little_endian"), Object::Flag(false)))
}
