//! What the beginning of a tokenizer.json tells of it: the vocabulary, at its end, may be megabytes.

use std::cell::RefCell;
use std::fmt;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use serde::Deserializer;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde_json::Value;

use crate::spec::printable;

/// The steps of a tokenizer before its vocabulary, and the kinds of each that the crate `tokenizers` 0.23 knows.
const KINDS: [(&str, &[&str]); 4] = [
    (
        "normalizer",
        &[
            "BertNormalizer",
            "Bert",
            "Strip",
            "StripAccents",
            "NFC",
            "NFD",
            "NFKC",
            "NFKD",
            "Sequence",
            "Lowercase",
            "Nmt",
            "Precompiled",
            "Replace",
            "Prepend",
            "ByteLevel",
        ],
    ),
    (
        "pre_tokenizer",
        &[
            "BertPreTokenizer",
            "ByteLevel",
            "Delimiter",
            "CharDelimiterSplit",
            "Metaspace",
            "Whitespace",
            "Sequence",
            "Split",
            "Punctuation",
            "WhitespaceSplit",
            "Digits",
            "UnicodeScripts",
            "FixedLength",
        ],
    ),
    (
        "post_processor",
        &["BertProcessing", "RobertaProcessing", "ByteLevel", "TemplateProcessing", "Sequence"],
    ),
    (
        "decoder",
        &[
            "BPEDecoder",
            "ByteLevel",
            "WordPiece",
            "Metaspace",
            "CTC",
            "Sequence",
            "Replace",
            "Fuse",
            "Strip",
            "ByteFallback",
        ],
    ),
];
/// The version of the format, which says little: new kinds of steps came without another.
const VERSION: &str = "1.0";
/// No more of a file than this is looked at.
const MOST: u64 = 4 << 20;

/// What keeps a tokenizer.json from being read, as a fragment, as far as its beginning tells.
pub fn problem(path: &Path) -> Option<String> {
    let file = File::open(path).ok()?;
    if file.metadata().is_ok_and(|meta| meta.len() == 0) {
        return Some("tokenizer.json: it is empty".to_owned());
    }
    let file = BufReader::new(file.take(MOST));
    let found = RefCell::new(None);
    let mut json = serde_json::Deserializer::from_reader(file);
    // It stops before the vocabulary, which is an error to the parser and none to us.
    let ended = json.deserialize_map(Beginning { found: &found });
    if let Some(why) = found.into_inner() {
        return Some(format!("tokenizer.json: {why}"));
    }
    match ended {
        Err(e) if e.is_syntax() && e.line() == 1 && e.column() <= 1 => {
            Some("tokenizer.json: it is not JSON".to_owned())
        }
        _ => None,
    }
}

struct Beginning<'a> {
    found: &'a RefCell<Option<String>>,
}

impl<'de> Visitor<'de> for Beginning<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a tokenizer")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            let kinds = KINDS.iter().find(|(step, _)| *step == key);
            let why = match (key.as_str(), kinds) {
                ("model", _) => return Ok(()),
                ("version", _) => version(&map.next_value::<Value>()?),
                (_, Some((step, kinds))) => unknown(step, &map.next_value::<Value>()?, kinds),
                _ => {
                    map.next_value::<IgnoredAny>()?;
                    None
                }
            };
            if why.is_some() {
                self.found.replace(why);
                return Ok(());
            }
        }
        Ok(())
    }
}

fn version(value: &Value) -> Option<String> {
    let version = value.as_str().filter(|version| *version != VERSION)?;
    let version = printable(version, 40);
    Some(format!("it is of version {version}; this version of tuneboard reads {VERSION}"))
}

/// The first kind of a step, or of a step within it, that is not known.
fn unknown(step: &str, value: &Value, kinds: &[&str]) -> Option<String> {
    let kind = value.get("type").and_then(Value::as_str);
    if let Some(kind) = kind.filter(|kind| !kinds.contains(kind)) {
        return Some(format!(
            "its {step} is of the kind `{}`, which this version of tuneboard does not know",
            printable(kind, 40)
        ));
    }
    let within = ["normalizers", "pretokenizers", "processors", "decoders"];
    let parts = within.iter().filter_map(|key| value.get(*key)?.as_array()).flatten();
    parts.into_iter().find_map(|part| unknown(step, part, kinds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_of_an_unknown_kind_is_named_and_the_vocabulary_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokenizer.json");
        let said = |text: &str| {
            std::fs::write(&path, text).unwrap();
            problem(&path).unwrap_or_default()
        };
        let of = |steps: &str| format!(r#"{{"version": "1.0", {steps}, "model": {{ nonsense"#);
        assert_eq!(said(&of(r#""normalizer": null, "pre_tokenizer": {"type": "ByteLevel"}"#)), "");
        let told = said(&of(r#""pre_tokenizer": {"type": "QuantumSplit", "pattern": "x"}"#));
        assert!(told.contains("pre_tokenizer is of the kind `QuantumSplit`"), "{told}");
        let told = said(&of(
            r#""normalizer": {"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type": "NF9"}]}"#,
        ));
        assert!(told.contains("normalizer is of the kind `NF9`"), "{told}");
        assert!(said("version https://git-lfs.github.com/spec/v1").contains("not JSON"));
        assert!(said(r#"{"version": "2.0", "model": {}}"#).contains("version 2.0"));
    }
}
