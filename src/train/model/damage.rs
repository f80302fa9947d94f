//! What is wrong with a file that is no sound safetensors file, by the name of the tensor.

use safetensors::SafeTensorError;
use serde_json::{Map, Value};
use tuneboard::spec::printable;

/// The first thing that is wrong with the bytes, as a fragment. `error` is what the parser says of them;
/// it names no tensor for most of what can be wrong. Nothing is allocated but the header's own JSON,
/// which is no longer than the file.
pub fn damage(bytes: &[u8], error: &SafeTensorError) -> String {
    let length = bytes.len() as u64;
    let Some(head) = bytes.first_chunk::<8>() else {
        return format!("it is only {length} bytes long");
    };
    let announced = u64::from_le_bytes(*head);
    let Some(header) = usize::try_from(announced).ok().and_then(|n| bytes.get(8..)?.get(..n))
    else {
        return format!(
            "it announces a header of {announced} bytes and has {length} in all; it is cut short or no \
             safetensors file"
        );
    };
    let data = length - 8 - announced;
    let known = serde_json::from_slice::<Map<String, Value>>(header).ok();
    known.and_then(|tensors| first_odd(&tensors, data)).unwrap_or_else(|| error.to_string())
}

/// Where a tensor lies in the data.
struct Range<'a> {
    name: &'a str,
    begin: u64,
    end: u64,
}

fn first_odd(tensors: &Map<String, Value>, data: u64) -> Option<String> {
    let mut ranges = Vec::new();
    for (name, tensor) in tensors.iter().filter(|(name, _)| *name != "__metadata__") {
        match range(name, tensor) {
            Ok(range) => ranges.push(range),
            Err(why) => return Some(format!("the tensor `{}` {why}", printable(name, 100))),
        }
    }
    ranges.sort_by_key(|range| (range.begin, range.end));
    let mut before: Option<&Range> = None;
    for range in &ranges {
        let name = printable(range.name, 100);
        if range.end > data {
            return Some(format!(
                "the tensor `{name}` ends at byte {} of the data, of which there are {data}; the file is \
                 cut short",
                range.end
            ));
        }
        let reached = before.map_or(0, |before| before.end);
        if range.begin < reached {
            let other = before.map(|before| printable(before.name, 100)).unwrap_or_default();
            return Some(format!("the tensors `{other}` and `{name}` overlap"));
        }
        if range.begin > reached {
            let hole = range.begin - reached;
            return Some(format!("the {hole} bytes before the tensor `{name}` belong to none"));
        }
        before = Some(range);
    }
    let last = before.filter(|last| last.end < data)?;
    let (name, behind) = (printable(last.name, 100), data - last.end);
    Some(format!("the {behind} bytes behind the last tensor, `{name}`, belong to none"))
}

fn range<'a>(name: &'a str, tensor: &Value) -> Result<Range<'a>, String> {
    let dtype = tensor["dtype"].as_str().ok_or("has no dtype")?;
    let numbers = |key: &str| -> Option<Vec<u64>> {
        tensor[key].as_array()?.iter().map(Value::as_u64).collect()
    };
    let shape = numbers("shape").ok_or("has no shape of whole numbers")?;
    let offsets = numbers("data_offsets").ok_or("has no data_offsets")?;
    let [begin, end] = offsets.try_into().map_err(|_| "has not two data_offsets")?;
    let size = end.checked_sub(begin).ok_or("ends before it begins")?;
    let bits =
        bits(dtype).ok_or_else(|| format!("is of the unknown type {}", printable(dtype, 20)))?;
    let wanted = shape.iter().try_fold(bits, |all, n| all.checked_mul(*n));
    match wanted.map(|bits| bits.div_ceil(8)) {
        None => Err(format!("has a shape that no memory holds: {shape:?}")),
        Some(wanted) if wanted != size => Err(format!(
            "of shape {shape:?} takes {wanted} bytes as {dtype}, and the header gives it {size}"
        )),
        Some(_) => Ok(Range { name, begin, end }),
    }
}

/// Bits of a number, by the format's names (<https://huggingface.co/docs/safetensors>).
fn bits(dtype: &str) -> Option<u64> {
    Some(match dtype {
        "F4" => 4,
        "F6_E2M3" | "F6_E3M2" => 6,
        "BOOL" | "U8" | "I8" | "F8_E5M2" | "F8_E4M3" | "F8_E8M0" => 8,
        "I16" | "U16" | "F16" | "BF16" => 16,
        "I32" | "U32" | "F32" => 32,
        "C64" | "F64" | "I64" | "U64" => 64,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use safetensors::SafeTensors;

    fn said(header: &str, data: usize) -> String {
        let head = (header.len() as u64).to_le_bytes();
        let bytes = [&head[..], header.as_bytes(), &vec![0; data]].concat();
        let error = SafeTensors::deserialize(&bytes).expect_err("the file is unsound");
        damage(&bytes, &error)
    }

    #[test]
    fn what_is_wrong_is_said_of_a_tensor() {
        let one = |shape: &str, begin: u64, end: u64| {
            format!(r#"{{"a":{{"dtype":"F32","shape":{shape},"data_offsets":[{begin},{end}]}}}}"#)
        };
        let two = |begin: u64, end: u64| {
            format!(
                r#"{{"a":{{"dtype":"F32","shape":[2],"data_offsets":[0,8]}},
                "b":{{"dtype":"F32","shape":[2],"data_offsets":[{begin},{end}]}}}}"#
            )
        };
        for (header, data, want) in [
            (one("[2]", 0, 8), 7, "`a` ends at byte 8 of the data, of which there are 7"),
            (one("[2]", 0, 8), 9, "the 1 bytes behind the last tensor, `a`"),
            (one("[2]", 8, 0), 8, "`a` ends before it begins"),
            (
                one("[3]", 0, 8),
                8,
                "`a` of shape [3] takes 12 bytes as F32, and the header gives it 8",
            ),
            (one("[4611686018427387904,8]", 0, 8), 8, "`a` has a shape that no memory holds"),
            (two(4, 12), 12, "`a` and `b` overlap"),
            (two(12, 20), 20, "the 4 bytes before the tensor `b`"),
            (two(0, 8), 8, "overlap"),
            (one("[2]", 0, 8).replace("F32", "F99"), 8, "`a` is of the unknown type F99"),
            (one("[-2]", 0, 8), 8, "`a` has no shape"),
            ("[]".into(), 0, "JSON"),
        ] {
            let said = said(&header, data);
            assert!(said.contains(want), "{header}: {said}");
        }
        let error = SafeTensors::deserialize(b"").err().unwrap();
        assert!(damage(b"PAR1", &error).contains("only 4 bytes"));
        assert!(damage(&[255; 100], &error).contains("announces a header of 18446744073709551615"));
    }
}
