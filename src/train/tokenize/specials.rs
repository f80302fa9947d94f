//! The tokens that stand for no text of their own, and those that were added to a vocabulary.

use std::fs;
use std::path::Path;

use serde_json::Value;
use tokenizers::AddedToken;

/// A token with a part to play.
#[derive(Debug, Clone)]
pub struct Special {
    /// Its key in tokenizer_config.json: `cls_token`.
    pub key: &'static str,
    /// Its text.
    pub text: String,
    /// As it is found in texts.
    pub token: AddedToken,
}

/// The tokens of a folder that its vocabulary may lack.
#[derive(Debug, Default)]
pub struct Specials {
    /// Those with a part to play, in the order in which missing ones are added.
    pub parts: Vec<Special>,
    /// Others, with the ids that they must get where those are known.
    pub more: Vec<(Option<u32>, AddedToken)>,
}

/// The order in which transformers adds missing ones.
pub const KEYS: [&str; 7] =
    ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];

impl Specials {
    /// The usual tokens of a tokenizer in the order of [`KEYS`], empty where it has none, with what the folder
    /// says over them. `spaced` is true if the mask swallows the spaces before it.
    ///
    /// # Errors
    /// As a fragment: a token that is neither a text nor an object with one.
    pub fn read(
        folder: &Path,
        config: &Value,
        usual: [&str; 7],
        spaced: bool,
    ) -> Result<Self, String> {
        let map = object(&folder.join("special_tokens_map.json"));
        let mut specials = Self::default();
        for (key, usual) in KEYS.into_iter().zip(usual) {
            let given =
                [config.get(key), map.get(key)].into_iter().flatten().find(|v| !v.is_null());
            let token = match given {
                Some(given) => token(given).ok_or_else(|| {
                    format!("{key} is {given}; it must be a text, or an object with its content")
                })?,
                None if usual.is_empty() => continue,
                None => plain(usual),
            };
            let is_bare = given.is_none_or(Value::is_string);
            let token =
                if is_bare && spaced && key == "mask_token" { token.lstrip(true) } else { token };
            specials.parts.push(Special { key, text: token.content.clone(), token });
        }
        for key in ["additional_special_tokens", "extra_special_tokens"] {
            let listed = [config.get(key), map.get(key)].into_iter().flatten();
            for given in listed.filter_map(Value::as_array).flatten() {
                let token = token(given).ok_or_else(|| format!("{key} holds {given}"))?;
                specials.more.push((None, token));
            }
        }
        // Their ids come last: they say where the others must be, too.
        if let Some(added) = config.get("added_tokens_decoder").and_then(Value::as_object) {
            for (id, given) in added {
                let found = token(given).zip(id.parse().ok());
                let (token, id) =
                    found.ok_or_else(|| format!("added_tokens_decoder holds {id}: {given}"))?;
                specials.more.push((Some(id), token));
            }
        }
        if let Some(added) = object(&folder.join("added_tokens.json")).as_object() {
            for (text, id) in added {
                let id = id.as_u64().and_then(|id| u32::try_from(id).ok());
                let id = id.ok_or_else(|| format!("added_tokens.json gives `{text}` no id"))?;
                let token = AddedToken::from(text.clone(), false).normalized(true);
                specials.more.push((Some(id), token));
            }
        }
        Ok(specials)
    }

    /// The text of the token with that key.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.parts.iter().find(|part| part.key == key).map(|part| part.text.as_str())
    }

    /// All of them in the order in which they are added: by id where ids are known. A token that is named
    /// more than once comes once; what `added_tokens_decoder` says of it holds.
    pub fn in_order(&self) -> Vec<(Option<u32>, AddedToken)> {
        let parts = self.parts.iter().map(|part| (None, part.token.clone()));
        let mut all: Vec<(Option<u32>, AddedToken)> = Vec::new();
        for (id, token) in parts.chain(self.more.iter().cloned()) {
            match all.iter_mut().find(|(_, known)| known.content == token.content) {
                None => all.push((id, token)),
                Some(known) if known.0.is_none() && id.is_some() => {
                    let special = known.1.special || token.special;
                    *known = (id, token.special(special));
                }
                Some(_) => {}
            }
        }
        // Stable: those without an id keep their order, behind the others.
        all.sort_by_key(|(id, _)| id.unwrap_or(u32::MAX));
        all
    }
}

fn plain(text: &str) -> AddedToken {
    AddedToken::from(text, true).normalized(false)
}

/// A token as configs write it: its text, or an object with `content` and switches.
fn token(value: &Value) -> Option<AddedToken> {
    if let Some(text) = value.as_str() {
        return (!text.is_empty()).then(|| plain(text));
    }
    let text = value.get("content")?.as_str().filter(|text| !text.is_empty())?;
    let is = |key: &str, usual: bool| value.get(key).and_then(Value::as_bool).unwrap_or(usual);
    Some(
        AddedToken::from(text, is("special", true))
            .lstrip(is("lstrip", false))
            .rstrip(is("rstrip", false))
            .single_word(is("single_word", false))
            .normalized(is("normalized", false)),
    )
}

fn object(path: &Path) -> Value {
    let text = fs::read(path).unwrap_or_default();
    serde_json::from_slice(&text).unwrap_or_default()
}
