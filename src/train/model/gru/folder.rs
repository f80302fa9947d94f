use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::{Map, Value, json};
use tokenizers::NormalizedString;

use crate::error::TrainError;
use crate::tokenize::split_words;

/// The most words that get a vector of their own: the most frequent ones.
const MOST_WORDS: usize = 20_000;
/// A word that occurs less often teaches nothing; it shares the vector of unknown words.
const LEAST_OFTEN: u32 = 2;
/// Fills short rows, and stands for unknown words.
const SPECIALS: [&str; 2] = ["[PAD]", "[UNK]"];
/// Stands between the two texts of a pair.
const BETWEEN: &str = "[SEP]";

/// Makes a model's folder from the texts it is to learn from: `config.json`, and a `tokenizer.json`
/// that knows their words. A word is a stretch of word characters or of punctuation, in lower case.
/// The same texts make the same folder. For pairs of texts there is a mark that stands between the two.
///
/// # Errors
/// A folder that cannot be written.
pub fn make<'a>(
    folder: &Path,
    texts: impl IntoIterator<Item = &'a str>,
    are_pairs: bool,
) -> Result<(), TrainError> {
    let mut counts: BTreeMap<String, u32> = BTreeMap::new();
    for text in texts {
        let mut lower = NormalizedString::from(text);
        lower.lowercase();
        for word in split_words(lower)? {
            *counts.entry(word).or_default() += 1;
        }
    }
    let mut known: Vec<(String, u32)> =
        counts.into_iter().filter(|(_, n)| *n >= LEAST_OFTEN).collect();
    // The sort is stable: equally frequent words stay in alphabetical order.
    known.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
    known.truncate(MOST_WORDS);
    let specials = SPECIALS.into_iter().chain(are_pairs.then_some(BETWEEN));
    let words = specials.map(str::to_owned).chain(known.into_iter().map(|(w, _)| w));
    let vocabulary: Map<String, Value> = words.zip(0_u32..).map(|(w, i)| (w, json!(i))).collect();

    let config = json!({
        "model_type": "gru",
        "vocab_size": vocabulary.len(),
        "embedding_size": 100,
        "hidden_size": 128,
        "dropout": 0.3,
        "initializer_range": 0.1,
        "pad_token_id": 0,
    });
    let sequence = |id: &str| json!({ "Sequence": { "id": id, "type_id": 0 } });
    let between = json!({
        "type": "TemplateProcessing",
        "single": [sequence("A")],
        "pair": [sequence("A"), { "SpecialToken": { "id": BETWEEN, "type_id": 0 } }, sequence("B")],
        "special_tokens": { BETWEEN: { "id": BETWEEN, "ids": [SPECIALS.len()], "tokens": [BETWEEN] } },
    });
    let tokenizer = json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": [],
        "normalizer": { "type": "Lowercase" },
        "pre_tokenizer": { "type": "Whitespace" },
        "post_processor": if are_pairs { between } else { Value::Null },
        "decoder": null,
        "model": { "type": "WordLevel", "vocab": vocabulary, "unk_token": SPECIALS[1] },
    });
    fs::create_dir_all(folder).map_err(TrainError::write(folder))?;
    for (name, json) in [("config.json", config), ("tokenizer.json", tokenizer)] {
        let path = folder.join(name);
        fs::write(&path, format!("{json:#}\n")).map_err(TrainError::write(&path))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokenize::{Subwords, Tokenizer as _};

    #[test]
    fn words_that_come_twice_are_known() {
        let folder = tempfile::tempdir().unwrap();
        make(folder.path(), ["Go, go! été", "now?! go once [PAD]", "ÉTÉ now?!"], false).unwrap();
        let tokenizer = Subwords::read(folder.path(), Some(6)).unwrap();
        let ids = |text: &str| tokenizer.ids(text, true).unwrap();
        assert_eq!(ids("go"), [2]);
        assert_eq!(ids("now ?! \u{e9}T\u{c9}"), [4, 3, 5]);
        // Once, never, and the name of a special: unknown.
        assert_eq!(ids("once never [PAD]"), [1, 1, 1, 1, 1]);
        assert_eq!(ids(""), Vec::<u32>::new());
        assert_eq!(ids("go go go go go go go").len(), 6);
    }

    #[test]
    fn a_mark_stands_between_the_texts_of_a_pair() {
        let folder = tempfile::tempdir().unwrap();
        make(folder.path(), ["go go", "go [SEP]"], true).unwrap();
        let tokenizer = Subwords::read(folder.path(), Some(4)).unwrap();
        assert_eq!(tokenizer.pair("go", "go").unwrap().0, [3, 2, 3]);
        assert_eq!(tokenizer.pair("go go go", "go").unwrap().0, [3, 3, 2, 3]);
        assert_eq!(tokenizer.ids("[SEP]", true).unwrap(), [1, 1, 1]);
    }
}
