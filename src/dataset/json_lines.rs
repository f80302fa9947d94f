use std::collections::HashSet;

use serde::de::IgnoredAny;
use serde_json::{Map, Value};

use super::error::{DataError, quoted};
use super::source::Column;

/// The keys of all objects, in the order of their first appearance.
pub(super) fn names(text: &str, path: &str) -> Result<Vec<String>, DataError> {
    let mut names = Vec::new();
    let mut seen = HashSet::new();
    for (row, line) in lines(text) {
        let Keys(keys) = serde_json::from_str(line).map_err(|e| bad_line(path, row, &e))?;
        for key in keys {
            if !seen.contains(&key) {
                seen.insert(key.clone());
                names.push(key);
            }
        }
    }
    Ok(names)
}

/// The values of some keys as text: numbers and booleans as JSON writes them, `null` and an absent
/// key as missing.
pub(super) fn read(
    text: &str,
    names: &[String],
    wanted: &[usize],
    path: &str,
) -> Result<Vec<Column>, DataError> {
    let mut columns = vec![Column::new(); wanted.len()];
    for (row, line) in lines(text) {
        let mut object: Map<String, Value> =
            serde_json::from_str(line).map_err(|e| bad_line(path, row, &e))?;
        for (column, name) in columns.iter_mut().zip(wanted.iter().filter_map(|i| names.get(*i))) {
            column.push(match object.get_mut(name).map(Value::take) {
                None | Some(Value::Null) => None,
                Some(Value::String(s)) => Some(s),
                Some(Value::Bool(b)) => Some(b.to_string()),
                Some(Value::Number(n)) => Some(n.to_string()),
                Some(Value::Array(_) | Value::Object(_)) => {
                    let why = format!("holds a list or an object under {}", quoted(name));
                    return Err(DataError::row(path, row, format!("{why}, not a text")));
                }
            });
        }
    }
    Ok(columns)
}

/// Lines that hold something, numbered as rows.
fn lines(text: &str) -> impl Iterator<Item = (u64, &str)> {
    (1..).zip(text.lines().filter(|line| !line.trim().is_empty()))
}

fn bad_line(path: &str, row: u64, error: &serde_json::Error) -> DataError {
    let column = error.column();
    let why = match error.classify() {
        serde_json::error::Category::Data => "is not a JSON object".to_owned(),
        serde_json::error::Category::Eof => "ends in the middle of its JSON object".to_owned(),
        _ => format!("is not valid JSON at column {column}"),
    };
    DataError::row(path, row, why)
}

/// The keys of an object in the order of the file; the values are passed over.
struct Keys(Vec<String>);

impl<'de> serde::Deserialize<'de> for Keys {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> serde::de::Visitor<'de> for Object {
            type Value = Keys;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Keys, A::Error> {
                let mut keys = Vec::new();
                while let Some((key, IgnoredAny)) = map.next_entry()? {
                    keys.push(key);
                }
                Ok(Keys(keys))
            }
        }
        deserializer.deserialize_map(Object)
    }
}
