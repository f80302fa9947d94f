//! JSON Lines, and JSON documents in the shapes that programs write.
//!
//! ```text
//! {"text": .., "label": ..}  per line       JSON Lines
//! [{..}, {..}]                              an array, on one line or indented
//! {"data": [{..}, {..}]}                    an array under a key
//! {"text": [..], "label": [..]}             columns
//! {"text": {"0": .., "1": ..}, ..}          columns as pandas writes them
//! {"0": {"text": ..}, "1": {..}}            rows by an index
//! {"columns": [..], "data": [[..], ..]}     pandas' orient="split"
//! ```
//! A document is cut into the texts of its rows first ([`cut`]), without a tree of values in memory;
//! each piece is parsed by itself.

mod cut;

use std::borrow::Cow;
use std::collections::HashSet;

use serde::de::IgnoredAny;
use serde_json::{Map, Value};

use self::cut::{Cut, elements, members, values};
use super::error::{DataError, first_few, quoted};
use super::part::part;
use super::sink::Sink;

/// The rows of a JSON file, each still as JSON.
pub(super) struct Rows<'a> {
    pub is_lines: bool,
    /// Of lists and columns; objects bring their own.
    names: Vec<String>,
    shape: Shape<'a>,
}

enum Shape<'a> {
    /// Each an object.
    Objects(Vec<&'a str>),
    /// Each a list, or a single value.
    Lists(Vec<&'a str>),
    /// Of each column the values.
    Columns(Vec<Vec<&'a str>>),
}

/// Finds the rows of a text that is not blank.
///
/// # Errors
/// What is no JSON; documents whose rows cannot be told.
pub(super) fn open<'a>(text: &'a str, path: &str) -> Result<Rows<'a>, DataError> {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let first = lines.first().copied().unwrap_or_default();
    let is_whole = names_of(first).is_ok();
    if is_whole && lines.len() > 1 {
        return Ok(objects(lines, true));
    }
    let odd = |at: Cut| {
        let line = text.get(..at.0).unwrap_or_default().matches('\n').count() + 1;
        DataError::file(path, format!("is not valid JSON at byte {} (line {line})", at.0))
    };
    let documents = match values(text) {
        Ok(documents) => documents,
        // Lines of which one is torn; the row is what a person looks for.
        Err(_)
            if lines.len() > 1
                && first.trim_start().starts_with('{')
                && first.trim_end().ends_with('}') =>
        {
            return Ok(objects(lines, true));
        }
        Err(at) if lines.len() > 1 || text.trim_start().starts_with('[') => return Err(odd(at)),
        Err(_) => return Ok(objects(lines, true)),
    };
    match documents.as_slice() {
        [one] if one.starts_with('[') => list(one, path),
        [one] if one.starts_with('{') => document(one, path),
        // Objects one after the other, indented.
        many if many.len() > 1
            && many.iter().all(|d| d.starts_with('{'))
            && !is_whole
            && first.trim() == "{" =>
        {
            Ok(objects(many.to_vec(), false))
        }
        _ => Ok(objects(lines, true)),
    }
}

fn objects(rows: Vec<&str>, is_lines: bool) -> Rows<'_> {
    Rows { is_lines, names: Vec::new(), shape: Shape::Objects(rows) }
}

/// `[{..}, ..]`, `[["a", 1], ..]` or `["a", ..]`.
fn list<'a>(text: &'a str, path: &str) -> Result<Rows<'a>, DataError> {
    let rows = elements(text);
    match rows.first() {
        None => Err(DataError::file(path, "holds an empty list")),
        Some(first) if first.starts_with('{') => Ok(objects(rows, false)),
        Some(first) => {
            let width = if first.starts_with('[') { elements(first).len() } else { 1 };
            let names = (1..=width).map(|n| n.to_string()).collect();
            Ok(Rows { names, is_lines: false, shape: Shape::Lists(rows) })
        }
    }
}

fn document<'a>(text: &'a str, path: &str) -> Result<Rows<'a>, DataError> {
    let members = named_members(text, path)?;
    let starts = |value: &str, c: char| value.starts_with(c);
    let of = |name: &str| members.iter().find(|(key, _)| key == name).map(|(_, value)| *value);
    if let (Some(columns), Some(data)) = (of("columns"), of("data"))
        && starts(columns, '[')
        && starts(data, '[')
    {
        let name = |text: &str| {
            serde_json::from_str::<Value>(text)
                .map(|v| v.as_str().map_or(v.to_string(), str::to_owned))
        };
        let names = elements(columns)
            .into_iter()
            .map(name)
            .collect::<Result<_, _>>()
            .map_err(|_| odd_document(path, &members))?;
        return Ok(Rows { names, is_lines: false, shape: Shape::Lists(elements(data)) });
    }
    let rows_under = |value: &str| {
        starts(value, '[') && elements(value).first().is_some_and(|e| e.starts_with('{'))
    };
    let lists: Vec<&(String, &str)> =
        members.iter().filter(|(_, value)| rows_under(value)).collect();
    if let [(_, rows)] = lists.as_slice() {
        return Ok(objects(elements(rows), false));
    }
    if !lists.is_empty() {
        let names = |name: &&(String, &str)| quoted(&name.0);
        let hint = if lists.iter().all(|(name, _)| part(name).is_some()) {
            "one file for each split"
        } else {
            "a file of one"
        };
        let key = lists.first().map_or("", |(name, _)| name);
        return Err(DataError::file(
            path,
            format!(
                "holds the lists {}; write {hint}: `jq -c '.{key}[]' FILE`",
                first_few(&lists, names)
            ),
        ));
    }
    if !members.is_empty() && members.iter().all(|(_, value)| starts(value, '[')) {
        let columns = members.iter().map(|(_, value)| elements(value)).collect();
        return columns_of(members.into_iter().map(|(name, _)| name).collect(), columns, path);
    }
    if members.is_empty() || !members.iter().all(|(_, value)| starts(value, '{')) {
        // One row.
        let is_row =
            !members.is_empty() && members.iter().all(|(_, value)| !value.starts_with(['{', '[']));
        return if is_row {
            Ok(objects(vec![text], true))
        } else {
            Err(odd_document(path, &members))
        };
    }
    let inner = members
        .iter()
        .map(|(_, value)| named_members(value, path))
        .collect::<Result<Vec<_>, _>>()?;
    let is_index = |key: &str| key.parse::<u64>().is_ok();
    if inner.iter().all(|column| column.iter().all(|(key, _)| is_index(key)))
        && !inner.iter().all(Vec::is_empty)
    {
        let first: Vec<&String> = inner.first().into_iter().flatten().map(|(key, _)| key).collect();
        if inner.iter().any(|column| !column.iter().map(|(key, _)| key).eq(first.iter().copied())) {
            return Err(DataError::file(path, "has columns whose rows differ"));
        }
        let columns =
            inner.into_iter().map(|column| column.into_iter().map(|(_, value)| value).collect());
        let columns = columns.collect();
        return columns_of(members.into_iter().map(|(name, _)| name).collect(), columns, path);
    }
    Ok(objects(members.into_iter().map(|(_, value)| value).collect(), false))
}

fn columns_of<'a>(
    names: Vec<String>,
    columns: Vec<Vec<&'a str>>,
    path: &str,
) -> Result<Rows<'a>, DataError> {
    if names.len() > 1 && names.iter().all(|name| part(name).is_some()) {
        let key = names.first().map_or("", String::as_str);
        let splits = first_few(&names, |name| quoted(name));
        let why =
            format!("holds the splits {splits}; write one file for each: `jq -c '.{key}[]' FILE`");
        return Err(DataError::file(path, why));
    }
    let lengths: HashSet<usize> = columns.iter().map(Vec::len).collect();
    if lengths.len() > 1 {
        let lengths: Vec<String> = names
            .iter()
            .zip(&columns)
            .map(|(name, c)| format!("{} {}", quoted(name), c.len()))
            .collect();
        let why =
            format!("has columns of different lengths ({})", first_few(&lengths, String::clone));
        return Err(DataError::file(path, why));
    }
    Ok(Rows { names, is_lines: false, shape: Shape::Columns(columns) })
}

fn odd_document(path: &str, members: &[(String, &str)]) -> DataError {
    let names = first_few(members, |(name, _)| quoted(name));
    DataError::file(
        path,
        format!(
            "is a JSON document without a list of rows; it has {names}; write JSON Lines, one object per line"
        ),
    )
}

fn named_members<'a>(text: &'a str, path: &str) -> Result<Vec<(String, &'a str)>, DataError> {
    let named = |(key, value): (&str, &'a str)| Ok((serde_json::from_str::<String>(key)?, value));
    let found: Result<Vec<_>, serde_json::Error> = members(text).into_iter().map(named).collect();
    found.map_err(|_| DataError::file(path, "is not valid JSON: it has a key that is no text"))
}

impl Rows<'_> {
    /// The names of all columns: the keys of all objects, in the order of their first appearance.
    ///
    /// # Errors
    /// A row that is no object.
    pub fn names(&self, path: &str) -> Result<Vec<String>, DataError> {
        let Shape::Objects(rows) = &self.shape else { return Ok(self.names.clone()) };
        let mut names = Vec::new();
        let mut seen = HashSet::new();
        for (row, text) in (1..).zip(rows) {
            for key in names_of(text).map_err(|e| bad_row(path, row, &e))? {
                if !seen.contains(&key) {
                    seen.insert(key.clone());
                    names.push(key);
                }
            }
        }
        Ok(names)
    }

    /// Reads the rows into the columns of a sink, or only the first so many; `names` are all columns'.
    pub fn read(
        &self,
        names: &[String],
        sink: &mut Sink,
        limit: usize,
        path: &str,
    ) -> Result<(), DataError> {
        let lists = sink.lists;
        match &self.shape {
            Shape::Objects(rows) => {
                for (row, text) in (1..).zip(rows).take(limit) {
                    let mut object = object_of(text).map_err(|e| bad_row(path, row, &e))?;
                    sink.fill(|index| {
                        let name = names.get(index).map_or("", String::as_str);
                        text_of(object.get_mut(name).map(Value::take), name, path, row, lists)
                    })?;
                }
            }
            Shape::Lists(rows) => {
                for (row, text) in (1..).zip(rows).take(limit) {
                    let cells = if text.starts_with('[') { elements(text) } else { vec![*text] };
                    if cells.len() != self.names.len() {
                        let why = format!(
                            "has {} values, and {} are expected",
                            cells.len(),
                            self.names.len()
                        );
                        return Err(DataError::row(path, row, why));
                    }
                    sink.fill(|index| {
                        self.cell(cells.get(index).copied(), index, path, row, lists)
                    })?;
                }
            }
            Shape::Columns(columns) => {
                let rows = columns.first().map_or(0, Vec::len);
                for row in 0..rows.min(limit) {
                    sink.fill(|index| {
                        let cell = columns.get(index).and_then(|c| c.get(row)).copied();
                        self.cell(cell, index, path, row as u64 + 1, lists)
                    })?;
                }
            }
        }
        Ok(())
    }

    fn cell(
        &self,
        cell: Option<&str>,
        index: usize,
        path: &str,
        row: u64,
        lists: bool,
    ) -> Result<Option<String>, DataError> {
        let value = cell.map(|text| lenient(text, |text| serde_json::from_str(text))).transpose();
        let value = value.map_err(|e| bad_row(path, row, &e))?;
        text_of(value, self.names.get(index).map_or("", String::as_str), path, row, lists)
    }
}

/// Numbers and booleans as JSON writes them, `null` and an absent key as missing; lists as JSON where
/// they are taken.
fn text_of(
    value: Option<Value>,
    name: &str,
    path: &str,
    row: u64,
    lists: bool,
) -> Result<Option<String>, DataError> {
    Ok(match value {
        Some(value @ (Value::Array(_) | Value::Object(_))) if lists => Some(value.to_string()),
        None | Some(Value::Null) => None,
        Some(Value::String(s)) => Some(s),
        Some(Value::Bool(b)) => Some(b.to_string()),
        Some(Value::Number(n)) => Some(n.to_string()),
        Some(Value::Array(_) | Value::Object(_)) => {
            let why = format!("holds a list or an object under {}, not a text", quoted(name));
            return Err(DataError::row(path, row, why));
        }
    })
}

/// Python writes NaN and Infinity, which are no JSON; they count as missing.
fn lenient<T>(
    text: &str,
    parse: impl Fn(&str) -> Result<T, serde_json::Error>,
) -> Result<T, serde_json::Error> {
    parse(text).or_else(|error| match without_nan(text) {
        Cow::Owned(text) => parse(&text),
        Cow::Borrowed(_) => Err(error),
    })
}

/// The text with `null` where NaN and the infinities stand outside of strings.
fn without_nan(text: &str) -> Cow<'_, str> {
    if !text.contains("NaN") && !text.contains("Infinity") {
        return Cow::Borrowed(text);
    }
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(quote) = rest.find('"') {
        clean.push_str(&nulls(&rest[..quote]));
        let end = cut::string_end(rest.as_bytes(), quote).unwrap_or(rest.len());
        clean.push_str(&rest[quote..end]);
        rest = &rest[end..];
    }
    clean.push_str(&nulls(rest));
    Cow::Owned(clean)
}

fn nulls(text: &str) -> String {
    text.replace("-Infinity", "null").replace("Infinity", "null").replace("NaN", "null")
}

fn object_of(text: &str) -> Result<Map<String, Value>, serde_json::Error> {
    lenient(text, |text| serde_json::from_str(text))
}

fn names_of(text: &str) -> Result<Vec<String>, serde_json::Error> {
    lenient(text, |text| serde_json::from_str(text).map(|Keys(keys)| keys))
}

fn bad_row(path: &str, row: u64, error: &serde_json::Error) -> DataError {
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
