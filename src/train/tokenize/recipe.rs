//! Tokenizers of folders without a tokenizer.json: from `vocab.txt`, from `vocab.json` and `merges.txt`, or
//! from a model of sentencepiece, put together as transformers' converters do.

mod files;
mod frame;
mod pieces;

use std::fs;
use std::path::Path;

use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokenizers::Tokenizer;
use tokenizers::models::ModelWrapper;
use tokenizers::normalizers::NormalizerWrapper;
use tuneboard::spec::Family;

use super::specials::Specials;
use files::{byte_pairs, word_pieces};
use frame::frame;
use pieces::from_pieces;

/// A way of putting a tokenizer together, named after transformers' class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Recipe {
    Bert,
    MpNet,
    Gpt2,
    Roberta,
    Qwen2,
    Albert,
    Deberta,
    XlmRoberta,
    Camembert,
    Gemma,
    Llama,
}

/// The files of each kind of vocabulary.
const WORD_PIECES: &[&str] = &["vocab.txt"];
const BYTE_PAIRS: &[&str] = &["vocab.json", "merges.txt"];
const PIECES: [&str; 4] =
    ["spiece.model", "spm.model", "sentencepiece.bpe.model", "tokenizer.model"];

impl Recipe {
    /// As `tokenizer_class` names it, or else as the family usually has it.
    fn of(class: Option<&str>, family: Option<Family>, folder: &Path) -> Option<Self> {
        let class = class.map(|class| class.trim_end_matches("Fast").trim_end_matches("Tokenizer"));
        let named = class.and_then(|class| {
            Some(match class {
                "Bert" | "DistilBert" | "Electra" => Self::Bert,
                "MPNet" => Self::MpNet,
                "GPT2" => Self::Gpt2,
                "Roberta" => Self::Roberta,
                "Qwen2" => Self::Qwen2,
                "Albert" => Self::Albert,
                "DebertaV2" => Self::Deberta,
                "XLMRoberta" => Self::XlmRoberta,
                "Camembert" => Self::Camembert,
                "Gemma" => Self::Gemma,
                "Llama" | "CodeLlama" => Self::Llama,
                _ => return None,
            })
        });
        let usual = || {
            Some(match family? {
                Family::Bert | Family::DistilBert | Family::Electra => Self::Bert,
                Family::MpNet => Self::MpNet,
                Family::Gpt2 => Self::Gpt2,
                Family::Roberta => Self::Roberta,
                Family::Qwen2 | Family::Qwen3 => Self::Qwen2,
                Family::Albert => Self::Albert,
                Family::DebertaV2 => Self::Deberta,
                Family::XlmRoberta => Self::XlmRoberta,
                Family::Camembert => Self::Camembert,
                Family::Gemma3 => Self::Gemma,
                // Later Llamas have byte pairs of another kind, always as a tokenizer.json.
                Family::Llama => Self::Llama,
                _ => return None,
            })
        };
        let has = |name: &str| folder.join(name).is_file();
        let by_files = || {
            if has("vocab.txt") {
                Some(Self::Bert)
            } else if BYTE_PAIRS.iter().all(|name| has(name)) {
                Some(Self::Gpt2)
            } else {
                None
            }
        };
        named.or_else(usual).or_else(|| if family.is_none() { by_files() } else { None })
    }

    /// What it is made of; of pieces the first file that is there.
    fn files(self, folder: &Path) -> Vec<&'static str> {
        match self {
            Self::Bert | Self::MpNet => WORD_PIECES.to_vec(),
            Self::Gpt2 | Self::Roberta | Self::Qwen2 => BYTE_PAIRS.to_vec(),
            Self::Albert
            | Self::Deberta
            | Self::XlmRoberta
            | Self::Camembert
            | Self::Gemma
            | Self::Llama => {
                let usual = match self {
                    Self::Albert => "spiece.model",
                    Self::Deberta => "spm.model",
                    Self::Gemma | Self::Llama => "tokenizer.model",
                    _ => "sentencepiece.bpe.model",
                };
                let found = PIECES.into_iter().find(|name| folder.join(name).is_file());
                vec![found.unwrap_or(usual)]
            }
        }
    }

    /// The usual tokens in the order of [`KEYS`](super::specials::KEYS), and whether the mask swallows the
    /// spaces before it.
    fn specials(self) -> ([&'static str; 7], bool) {
        match self {
            Self::Bert => (["", "", "[UNK]", "[SEP]", "[PAD]", "[CLS]", "[MASK]"], false),
            Self::MpNet => (["<s>", "</s>", "[UNK]", "</s>", "<pad>", "<s>", "<mask>"], true),
            Self::Roberta | Self::XlmRoberta | Self::Camembert => {
                (["<s>", "</s>", "<unk>", "</s>", "<pad>", "<s>", "<mask>"], true)
            }
            Self::Gpt2 | Self::Qwen2 => (["", "<|endoftext|>", "", "", "", "", ""], false),
            Self::Albert => {
                (["[CLS]", "[SEP]", "<unk>", "[SEP]", "<pad>", "[CLS]", "[MASK]"], true)
            }
            Self::Deberta => {
                (["[CLS]", "[SEP]", "[UNK]", "[SEP]", "[PAD]", "[CLS]", "[MASK]"], false)
            }
            Self::Gemma => (["<bos>", "<eos>", "<unk>", "", "<pad>", "", ""], false),
            Self::Llama => (["<s>", "</s>", "<unk>", "", "", "", ""], false),
        }
    }
}

/// Puts the tokenizer of a folder together.
///
/// # Errors
/// What is missing or wrong, as a sentence.
pub fn make(folder: &Path, family: Option<Family>) -> Result<Tokenizer, String> {
    let shown = folder.display();
    let path = folder.join("tokenizer_config.json");
    let config: Value = match fs::read(&path) {
        Err(_) => json!({}),
        Ok(text) => serde_json::from_slice(&text)
            .map_err(|e| format!("{} is not valid JSON: {e}.", path.display()))?,
    };
    let class = config.get("tokenizer_class").and_then(Value::as_str);
    let Some(recipe) = Recipe::of(class, family, folder) else {
        let whose = family.map_or("its".to_owned(), |family| format!("a {family} model's"));
        return Err(format!(
            "{shown} holds no tokenizer.json, which {whose} tokenizer is made of."
        ));
    };
    let files = recipe.files(folder);
    if let Some(missing) = files.iter().find(|name| !folder.join(name).is_file()) {
        return Err(format!("{shown} holds no tokenizer.json, and no {missing} to make one of."));
    }
    let names = files.join(" and ");
    let bad = |why: String| format!("{shown}: no tokenizer can be made of {names}: {why}.");
    let (usual, spaced) = recipe.specials();
    let specials = Specials::read(folder, &config, usual, spaced).map_err(bad)?;
    let parts = match recipe {
        Recipe::Bert | Recipe::MpNet => word_pieces(folder, &config, &specials),
        Recipe::Gpt2 | Recipe::Roberta | Recipe::Qwen2 => byte_pairs(folder, recipe, &config),
        _ => from_pieces(folder, files.first().copied().unwrap_or_default(), recipe, &config),
    };
    parts.and_then(|parts| parts.assemble(recipe, &specials, &config)).map_err(bad)
}

/// What a tokenizer is made of, but for the tokens that were added and the frame of texts.
struct Parts {
    model: ModelWrapper,
    normalizer: Option<NormalizerWrapper>,
    words: Value,
    decoder: Value,
    /// Tokens of the model that no text is cut into, and those that are never cut.
    controls: Vec<(String, bool)>,
}

impl Parts {
    fn assemble(
        self,
        recipe: Recipe,
        specials: &Specials,
        config: &Value,
    ) -> Result<Tokenizer, String> {
        let mut tokenizer = Tokenizer::new(self.model);
        tokenizer.with_normalizer(self.normalizer).map_err(|e| e.to_string())?;
        if !self.words.is_null() {
            let words: tokenizers::PreTokenizerWrapper = part(self.words)?;
            tokenizer.with_pre_tokenizer(Some(words));
        }
        let decoder: tokenizers::DecoderWrapper = part(self.decoder)?;
        tokenizer.with_decoder(Some(decoder));
        let controls = self
            .controls
            .into_iter()
            .map(|(text, special)| tokenizers::AddedToken::from(text, special).normalized(false));
        for token in controls {
            if specials.in_order().iter().all(|(_, known)| known.content != token.content) {
                tokenizer.add_tokens([token]).map_err(|e| e.to_string())?;
            }
        }
        for (id, token) in specials.in_order() {
            let text = token.content.clone();
            // Byte pairs know no unknown token, and a config that names one adds none.
            if id.is_none() && recipe == Recipe::Qwen2 && tokenizer.token_to_id(&text).is_none() {
                continue;
            }
            if token.special {
                tokenizer.add_special_tokens([token]).map_err(|e| e.to_string())?;
            } else {
                tokenizer.add_tokens([token]).map_err(|e| e.to_string())?;
            }
            let got = tokenizer.token_to_id(&text);
            if id.is_some() && id != got {
                return Err(format!("the token `{text}` gets another id than {id:?}: {got:?}"));
            }
        }
        let frame = frame(recipe, specials, config, &tokenizer)?;
        let frame: tokenizers::PostProcessorWrapper = part(frame)?;
        tokenizer.with_post_processor(Some(frame));
        Ok(tokenizer)
    }
}

/// A part of a tokenizer from the form that it has in a tokenizer.json.
fn part<T: DeserializeOwned>(json: Value) -> Result<T, String> {
    serde_json::from_value(json).map_err(|e| e.to_string())
}
