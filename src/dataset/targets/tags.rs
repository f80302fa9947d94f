use std::collections::BTreeSet;

use super::File;
use crate::dataset::error::{DataError, quoted, shown};
use crate::dataset::labels;
use crate::dataset::sink::Words;
use crate::spec::printable;

/// The words of each row, and its tags by name. The texts become the words with spaces between them.
pub(super) fn tagged(
    words: &mut Vec<Vec<String>>,
    file: File<'_>,
    columns: &[Words],
    texts: &mut [Option<String>],
) -> Result<Vec<Vec<String>>, DataError> {
    let Some(column) = columns.first() else { return Ok(Vec::new()) };
    let mut named = Vec::with_capacity(texts.len());
    for (row, (given, tags)) in (1_u64..).zip(texts.iter_mut().zip(column.iter())) {
        let bad = |why: String| DataError::row(file.path, row, why);
        let own = given.as_deref().and_then(json_list).ok_or_else(|| {
            bad("has no list of words; task=tag reads CoNLL files, or lists under `tokens` and `ner_tags`".into())
        })?;
        let tags = tags.and_then(json_list).ok_or_else(|| {
            bad(format!(
                "has no list of tags under {}; a label for each text asks for task=classify",
                file.column(0)
            ))
        })?;
        if own.len() != tags.len() {
            return Err(bad(format!("has {} words and {} tags", own.len(), tags.len())));
        }
        let name = |tag: String| match (file.classes, tag.parse::<usize>()) {
            (Some(names), Ok(n)) => names.get(n).cloned().unwrap_or(tag),
            _ => tag,
        };
        *given = Some(own.join(" "));
        words.push(own);
        named.push(tags.into_iter().map(name).collect());
    }
    Ok(named)
}

/// The words of a JSON list; `None` for anything else.
pub fn json_list(text: &str) -> Option<Vec<String>> {
    let items: Vec<serde_json::Value> = serde_json::from_str(text.trim()).ok()?;
    let is_word = |value: &serde_json::Value| value.is_string() || value.is_number();
    items.iter().all(is_word).then(|| items.iter().map(self::text).collect())
}

/// `O` first, then by type, and for each type B, I, E, S.
pub(super) fn tag_names<'a>(tags: impl Iterator<Item = &'a str>) -> Vec<String> {
    let different: BTreeSet<&str> = tags.collect();
    let mut names: Vec<String> = different.into_iter().map(str::to_owned).collect();
    let rank = |name: &String| {
        let (mark, kind) = name.split_once('-').unwrap_or(("", name));
        let mark = ["B", "I", "L", "E", "U", "S"].iter().position(|m| *m == mark);
        (name != "O", kind.to_owned(), mark, name.clone())
    };
    names.sort_by_key(rank);
    names
}

pub(super) fn refuse_tags(
    names: &[String],
    file: File<'_>,
    notes: &mut Vec<String>,
) -> Result<(), DataError> {
    let column = file.column(0);
    if names.len() > labels::MAX_CLASSES {
        let why =
            format!("{column} holds {} different tags; is it the column of tags?", names.len());
        return Err(DataError::within(file.path, why));
    }
    if names.iter().all(|name| name.parse::<i64>().is_ok()) {
        let why = format!(
            "{column} holds tags by number, and the file does not name them; write them as O, B-PER, I-PER"
        );
        return Err(DataError::within(file.path, why));
    }
    if names.len() < 2 {
        let only = names.first().map_or("", String::as_str);
        let why = format!("every word has the tag {} in {column}; two are needed", quoted(only));
        return Err(DataError::within(file.path, why));
    }
    let has_mark = |name: &String| {
        name.split_once('-').is_some_and(|(mark, _)| ["B", "I", "E", "S"].contains(&mark))
    };
    if !names.iter().any(has_mark) {
        let some = printable(&names.join(", "), 80).into_owned();
        notes.push(format!(
            "{}: no tag of {column} begins with B-, I-, E- or S- ({some}): they mark no entities, and acc alone \
             says how good a run is.",
            shown(file.path)
        ));
    }
    Ok(())
}

/// A JSON value as text.
pub(super) fn text(value: &serde_json::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
