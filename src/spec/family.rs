//! The families of networks, one row each. Both executables read it: the dashboard and the command
//! line for what they say about a model, the trainer for what it does with one. Nothing here needs
//! libtorch.

mod files;
mod table;

use std::fmt;

use serde_json::Value;

use super::{Pool, Unfreeze};

pub use files::{ADAPTER_FILES, POOLING_FILE, TOKENIZER_FILES};
pub use table::Family;

/// What a family's networks have in common.
#[derive(Debug)]
pub struct Row {
    /// `model_type` of config.json.
    pub model_type: &'static str,
    /// As people write it.
    pub title: &'static str,
    /// A checkpoint or two of the family, as the hub names them; empty for a built-in network.
    pub examples: &'static str,
    /// Where config.json has the longest text, in tokens; `None` for a family without positions.
    pub positions: Option<Positions>,
    /// Where config.json has the number of layers.
    pub layers: Layers,
    /// What cuts texts into tokens.
    pub tokenizer: TokenizerKind,
    /// Which id fills short rows of a batch.
    pub padding: PaddingId,
    /// The pools for which rows are filled on the left; for all others it is on the right.
    pub left_for: &'static [Pool],
    /// How token vectors may become a text vector, the usual way first.
    pub pools: &'static [Pool],
    /// A learning rate at which the family learns. A tenth of it, or less, is worth a warning.
    pub usual_lr: f64,
    /// Whether matrix products may be in bfloat16; else they are in 32 bits always.
    pub has_half_products: bool,
    /// What `unfreeze=auto` means.
    pub unfreeze: Unfreeze,
    /// Whether it can learn as a language model (`task=lm`), and how.
    pub language_model: LanguageModel,
    /// The layers that LoRA adapts where nothing is said, as peft has them; empty where there is no LoRA.
    pub lora: &'static [&'static str],
    /// The class of transformers that holds a network with the head of each pool.
    pub classes: &'static [(Pool, &'static str)],
}

/// Where config.json has the longest text, in tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Positions {
    /// The key.
    pub key: &'static str,
    /// What holds where the key is absent.
    pub usual: u64,
    /// True if positions count on from the padding id, so that the first `pad + 1` rows of the table are
    /// never a token's.
    pub after_padding: bool,
}

/// Where config.json has the number of layers, as groups of weights that share a learning rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layers {
    /// A JSON pointer; empty where the number is always the same.
    pub at: &'static str,
    /// What holds where it points to nothing.
    pub usual: u32,
}

/// What cuts texts into tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenizerKind {
    /// tokenizer.json, or the files it is made of.
    Subwords,
    /// A list of words: vocab.json.
    Words,
    /// Characters of words; no file.
    Characters,
}

/// Which id fills short rows of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PaddingId {
    /// The keys of config.json that may have it, in this order.
    pub keys: &'static [&'static str],
    /// What holds where none of them does.
    pub usual: u32,
}

/// Whether a family can learn as a language model, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LanguageModel {
    /// It cannot.
    No,
    /// It guesses the next word of the stream of all texts (AWD-LSTM).
    Stream,
    /// It guesses hidden tokens; the class of transformers that holds it.
    Masked(&'static str),
    /// It guesses the next token of each text; the class of transformers that holds it.
    Causal(&'static str),
}

/// Stands before the `model_type` of an exported model whose head no class of transformers has, so that
/// transformers refuses it rather than draw another head.
pub const OWN_HEAD: &str = "tuneboard-";

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl Family {
    /// The family that a config describes: by its `model_type`, with [`OWN_HEAD`] before it or without; or an ELMo's `options.json`, which has
    /// none.
    ///
    /// # Errors
    /// A config of none of the families, as a fragment that names what it has.
    pub fn of_config(config: &Value) -> Result<Self, String> {
        let kind = config.get("model_type").and_then(Value::as_str);
        if kind.is_none() && config.get("lstm").is_some_and(Value::is_object) {
            return Ok(Self::Elmo);
        }
        let own = kind.map(|kind| kind.strip_prefix(OWN_HEAD).unwrap_or(kind));
        let known = Self::ALL.iter().find(|family| own == Some(family.name()));
        known.copied().ok_or_else(|| {
            let kind = kind.map_or("no model_type".to_owned(), |k| format!("model_type `{k}`"));
            let names: Vec<&str> = Self::ALL.iter().map(|family| family.name()).collect();
            format!("it has {kind}; this version trains `{}` models", names.join("`, `"))
        })
    }

    /// The `model_type` of `config.json`.
    pub fn name(self) -> &'static str {
        self.row().model_type
    }

    /// A learning rate at which the family learns.
    pub fn usual_lr(self) -> f64 {
        self.row().usual_lr
    }

    /// The weights that learn: what was asked for, or for `auto` the usual ones.
    pub fn unfreeze(self, asked: Unfreeze) -> Unfreeze {
        if asked == Unfreeze::Auto { self.row().unfreeze } else { asked }
    }

    /// The id that fills short rows of a batch, as its config says.
    pub fn padding(self, config: &Value) -> u32 {
        let row = self.row().padding;
        let id = |key: &&str| {
            let value = config.get(*key)?;
            // Where several tokens end a text, the first one fills.
            let first = value.as_array().map_or(Some(value), |ids| ids.first());
            u32::try_from(whole(first?)?).ok()
        };
        row.keys.iter().find_map(id).unwrap_or(row.usual)
    }

    /// The longest text in tokens, as its config says; `None` for a family without positions.
    pub fn positions(self, config: &Value) -> Option<u64> {
        let row = self.row().positions?;
        let rows = config.get(row.key).and_then(whole);
        let rows = rows.and_then(|rows| u64::try_from(rows).ok()).unwrap_or(row.usual);
        let unused = if row.after_padding { u64::from(self.padding(config)) + 1 } else { 0 };
        Some(rows.saturating_sub(unused))
    }

    /// The number of layers between head and embeddings, as its config says.
    pub fn layers(self, config: &Value) -> u32 {
        let row = self.row().layers;
        let given = config.pointer(row.at).and_then(whole);
        given.and_then(|layers| u32::try_from(layers).ok()).unwrap_or(row.usual)
    }

    /// The pool that is meant: `asked`, or for `auto` the first of `given` that is there (the
    /// checkpoint's own), or else the usual one.
    ///
    /// # Errors
    /// A pool that makes no sense for the family, as a sentence.
    pub fn pool(self, asked: Pool, given: Option<Pool>) -> Result<Pool, String> {
        let pools = self.row().pools;
        let usual = pools.first().copied().unwrap_or(Pool::Mean);
        if asked == Pool::Auto {
            return Ok(given.filter(|pool| pools.contains(pool)).unwrap_or(usual));
        }
        if pools.contains(&asked) {
            return Ok(asked);
        }
        let words: Vec<String> = pools.iter().map(Pool::to_string).collect();
        let (name, words) = (self.name(), words.join(", "));
        Err(format!("pool={asked} does not suit {name} models; they take {words}."))
    }

    /// The class of transformers that holds such a network with the head of `pool`, if there is one.
    pub fn class(self, pool: Pool) -> Option<&'static str> {
        self.row().classes.iter().find(|(of, _)| *of == pool).map(|(_, class)| *class)
    }
}

/// A whole number of a config; some writers make it 12.0.
pub fn whole(value: &Value) -> Option<i64> {
    let is_whole = |x: &f64| x.fract() == 0.0 && x.abs() < (1_i64 << 53) as f64;
    value.as_i64().or_else(|| value.as_f64().filter(is_whole).map(|x| x as i64))
}

/// The families as a table in Markdown: what docs/models.md shows.
pub fn markdown() -> String {
    let mut lines = vec![
        "| `model_type` | family | pools, the usual one first | as in transformers | task=lm | LoRA by \
         itself | usual lr | products | checkpoints |"
            .to_owned(),
        "|---|---|---|---|---|---|---|---|---|".to_owned(),
    ];
    for family in Family::ALL {
        let row = family.row();
        let pools: Vec<String> = row.pools.iter().map(Pool::to_string).collect();
        let classes: Vec<String> =
            row.classes.iter().map(|(pool, class)| format!("`{class}` ({pool})")).collect();
        let learns = match row.language_model {
            LanguageModel::No => "–",
            LanguageModel::Stream => "next word",
            LanguageModel::Masked(_) => "hidden tokens",
            LanguageModel::Causal(_) => "next token",
        };
        let or_dash = |text: String| if text.is_empty() { "–".to_owned() } else { text };
        lines.push(format!(
            "| `{}` | {} | {} | {} | {learns} | {} | {:e} | {} | {} |",
            row.model_type,
            row.title,
            pools.join(", "),
            or_dash(classes.join(", ")),
            or_dash(row.lora.join(", ")),
            row.usual_lr,
            if row.has_half_products { "bf16 or 32-bit" } else { "32-bit" },
            or_dash(row.examples.to_owned()),
        ));
    }
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;

    use serde_json::json;

    use super::*;

    #[test]
    fn each_family_has_a_name_of_its_own_and_a_usual_pool() {
        let names: BTreeSet<&str> = Family::ALL.iter().map(|family| family.name()).collect();
        assert_eq!(names.len(), Family::ALL.len());
        for family in Family::ALL {
            assert_eq!(Family::of_config(&json!({ "model_type": family.name() })), Ok(*family));
            let own = format!("{OWN_HEAD}{family}");
            assert_eq!(Family::of_config(&json!({ "model_type": own })), Ok(*family));
            let row = family.row();
            assert!(row.pools.iter().all(|pool| family.pool(*pool, None) == Ok(*pool)));
            assert!(!row.pools.is_empty() && !row.pools.contains(&Pool::Auto), "{family}");
            let listed = |pool| row.pools.contains(pool);
            assert!(row.left_for.iter().all(listed), "{family}");
            assert!(row.classes.iter().all(|(pool, _)| listed(pool)), "{family}");
        }
    }

    #[test]
    fn an_unknown_family_is_named() {
        let said = Family::of_config(&json!({ "model_type": "t5" })).unwrap_err();
        assert!(said.starts_with("it has model_type `t5`; this version trains `bert`"), "{said}");
        assert!(Family::of_config(&json!({})).unwrap_err().contains("no model_type"));
        assert_eq!(Family::of_config(&json!({ "lstm": {} })), Ok(Family::Elmo));
    }

    #[test]
    fn a_config_gives_padding_positions_and_layers() {
        let gpt2 = json!({ "eos_token_id": [7, 8], "n_positions": 40, "n_layer": 3 });
        let of = Family::Gpt2;
        assert_eq!((of.padding(&gpt2), of.positions(&gpt2), of.layers(&gpt2)), (7, Some(40), 3));
        let none = json!({});
        assert_eq!(Family::Bert.positions(&none), Some(512));
        assert_eq!(Family::Gru.positions(&none), None);
        assert_eq!(Family::AwdLstm.layers(&none), 3);
        assert_eq!(Family::Elmo.layers(&json!({ "lstm": { "n_layers": 5 } })), 5);
    }

    #[test]
    fn the_documentation_shows_this_table() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/models.md");
        let page = fs::read_to_string(path).unwrap();
        let want = markdown();
        assert!(page.contains(&want), "docs/models.md does not show this table:\n{want}");
    }
}
