//! Tokenizers of folders without a tokenizer.json: from `vocab.txt`, from `vocab.json` and `merges.txt`, or
//! from a model of sentencepiece, put together as transformers' converters do.

use std::fs;
use std::path::Path;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use tokenizers::models::ModelWrapper;
use tokenizers::models::unigram::Unigram;
use tokenizers::normalizers::{NormalizerWrapper, Precompiled, Sequence};
use tokenizers::{Model, Tokenizer};
use tuneboard::spec::Family;

use super::sentencepiece::{self, Algorithm, Kind, Piece, Pieces};
use super::specials::Specials;

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
            Self::Albert | Self::Deberta | Self::XlmRoberta | Self::Camembert | Self::Gemma => {
                let usual = match self {
                    Self::Albert => "spiece.model",
                    Self::Deberta => "spm.model",
                    Self::Gemma => "tokenizer.model",
                    _ => "sentencepiece.bpe.model",
                };
                let found = PIECES.into_iter().find(|name| folder.join(name).is_file());
                vec![found.unwrap_or(usual)]
            }
        }
    }

    /// The usual tokens by key, and the one that swallows spaces before it.
    fn specials(self) -> (&'static [(&'static str, &'static str)], Option<&'static str>) {
        const BERT: &[(&str, &str)] = &[
            ("unk_token", "[UNK]"),
            ("sep_token", "[SEP]"),
            ("pad_token", "[PAD]"),
            ("cls_token", "[CLS]"),
            ("mask_token", "[MASK]"),
        ];
        const ROBERTA: &[(&str, &str)] = &[
            ("bos_token", "<s>"),
            ("eos_token", "</s>"),
            ("unk_token", "<unk>"),
            ("sep_token", "</s>"),
            ("pad_token", "<pad>"),
            ("cls_token", "<s>"),
            ("mask_token", "<mask>"),
        ];
        const MPNET: &[(&str, &str)] = &[
            ("bos_token", "<s>"),
            ("eos_token", "</s>"),
            ("unk_token", "[UNK]"),
            ("sep_token", "</s>"),
            ("pad_token", "<pad>"),
            ("cls_token", "<s>"),
            ("mask_token", "<mask>"),
        ];
        const ALBERT: &[(&str, &str)] = &[
            ("bos_token", "[CLS]"),
            ("eos_token", "[SEP]"),
            ("unk_token", "<unk>"),
            ("sep_token", "[SEP]"),
            ("pad_token", "<pad>"),
            ("cls_token", "[CLS]"),
            ("mask_token", "[MASK]"),
        ];
        const DEBERTA: &[(&str, &str)] = &[
            ("bos_token", "[CLS]"),
            ("eos_token", "[SEP]"),
            ("unk_token", "[UNK]"),
            ("sep_token", "[SEP]"),
            ("pad_token", "[PAD]"),
            ("cls_token", "[CLS]"),
            ("mask_token", "[MASK]"),
        ];
        const GPT2: &[(&str, &str)] = &[("eos_token", "<|endoftext|>")];
        const GEMMA: &[(&str, &str)] = &[
            ("bos_token", "<bos>"),
            ("eos_token", "<eos>"),
            ("unk_token", "<unk>"),
            ("pad_token", "<pad>"),
        ];
        match self {
            Self::Bert => (BERT, None),
            Self::MpNet => (MPNET, Some("mask_token")),
            Self::Roberta | Self::XlmRoberta | Self::Camembert => (ROBERTA, Some("mask_token")),
            Self::Gpt2 | Self::Qwen2 => (GPT2, None),
            Self::Albert => (ALBERT, Some("mask_token")),
            Self::Deberta => (DEBERTA, None),
            Self::Gemma => (GEMMA, None),
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

/// What surrounds a text, and a pair of texts.
fn frame(
    recipe: Recipe,
    specials: &Specials,
    config: &Value,
    tokenizer: &Tokenizer,
) -> Result<Value, String> {
    let is = |key: &str, usual: bool| config.get(key).and_then(Value::as_bool).unwrap_or(usual);
    let token = |key: &str| {
        let text = specials.text(key).ok_or_else(|| format!("it has no {key}"))?;
        let id = tokenizer.token_to_id(text).ok_or_else(|| format!("it has no token `{text}`"))?;
        Ok::<_, String>((text.to_owned(), id))
    };
    match recipe {
        Recipe::Gpt2 | Recipe::Qwen2 => Ok(
            json!({ "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": true }),
        ),
        Recipe::Roberta | Recipe::MpNet => {
            let (cls, sep) = (token("cls_token")?, token("sep_token")?);
            Ok(json!({
                "type": "RobertaProcessing", "cls": cls, "sep": sep, "trim_offsets": true,
                "add_prefix_space": is("add_prefix_space", false),
            }))
        }
        Recipe::Bert | Recipe::Albert | Recipe::Deberta => {
            let (cls, sep) = (token("cls_token")?, token("sep_token")?);
            Ok(template(&["cls", "A", "sep"], &["cls", "A", "sep", "B1", "sep1"], &cls, &sep))
        }
        Recipe::XlmRoberta | Recipe::Camembert => {
            let (cls, sep) = (token("cls_token")?, token("sep_token")?);
            let pair = ["cls", "A", "sep", "sep", "B", "sep"];
            Ok(template(&["cls", "A", "sep"], &pair, &cls, &sep))
        }
        Recipe::Gemma => {
            let bos = token("bos_token")?;
            Ok(template(&["cls", "A"], &["cls", "A", "cls1", "B1"], &bos, &bos))
        }
    }
}

/// A frame of `cls`, `sep` and the texts `A` and `B`; a 1 behind a name is its segment.
fn template(single: &[&str], pair: &[&str], cls: &(String, u32), sep: &(String, u32)) -> Value {
    let item = |name: &&str| {
        let segment = u8::from(name.ends_with('1'));
        match name.trim_end_matches('1') {
            "cls" => json!({ "SpecialToken": { "id": cls.0, "type_id": segment } }),
            "sep" => json!({ "SpecialToken": { "id": sep.0, "type_id": segment } }),
            text => json!({ "Sequence": { "id": text, "type_id": segment } }),
        }
    };
    let mut tokens = Map::new();
    for (text, id) in [cls, sep] {
        tokens.insert(text.clone(), json!({ "id": text, "ids": [id], "tokens": [text] }));
    }
    json!({
        "type": "TemplateProcessing",
        "single": single.iter().map(item).collect::<Vec<_>>(),
        "pair": pair.iter().map(item).collect::<Vec<_>>(),
        "special_tokens": tokens,
    })
}

/// BERT's word pieces: a line of vocab.txt each.
fn word_pieces(folder: &Path, config: &Value, specials: &Specials) -> Result<Parts, String> {
    let text = text(folder, "vocab.txt")?;
    let mut vocabulary = Map::new();
    for (id, line) in text.lines().enumerate() {
        vocabulary.insert(line.to_owned(), json!(id));
    }
    let is = |key: &str, usual: bool| config.get(key).and_then(Value::as_bool).unwrap_or(usual);
    let unknown = specials.text("unk_token").unwrap_or("[UNK]");
    if !vocabulary.contains_key(unknown) {
        return Err(format!("vocab.txt has no line `{unknown}`"));
    }
    Ok(Parts {
        model: part(json!({
            "type": "WordPiece", "vocab": vocabulary, "unk_token": unknown,
            "continuing_subword_prefix": "##", "max_input_chars_per_word": 100,
        }))?,
        normalizer: Some(part(json!({
            "type": "BertNormalizer", "clean_text": true,
            "handle_chinese_chars": is("tokenize_chinese_chars", true),
            "strip_accents": config.get("strip_accents").cloned().unwrap_or_default(),
            "lowercase": is("do_lower_case", true),
        }))?),
        words: json!({ "type": "BertPreTokenizer" }),
        decoder: json!({ "type": "WordPiece", "prefix": "##", "cleanup": true }),
        controls: Vec::new(),
    })
}

/// How Qwen splits texts into words.
const QWEN_WORDS: &str = "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| \
                          ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

/// Byte pairs: ids in vocab.json, merges in merges.txt, the best first.
fn byte_pairs(folder: &Path, recipe: Recipe, config: &Value) -> Result<Parts, String> {
    let vocabulary: Map<String, Value> = serde_json::from_str(&text(folder, "vocab.json")?)
        .map_err(|e| format!("vocab.json is no list of tokens: {e}"))?;
    let merges = text(folder, "merges.txt")?;
    let merges: Vec<(&str, &str)> = merges
        .lines()
        .enumerate()
        .filter(|(at, line)| !(line.is_empty() || *at == 0 && line.starts_with("#version")))
        .map(|(at, line)| {
            line.split_once(' ')
                .filter(|(_, right)| !right.contains(' '))
                .ok_or_else(|| format!("line {} of merges.txt is no pair", at + 1))
        })
        .collect::<Result<_, _>>()?;
    let is = |key: &str| config.get(key).and_then(Value::as_bool).unwrap_or(false);
    let spaced = is("add_prefix_space");
    let byte_level = |regex: bool| {
        json!({
            "type": "ByteLevel", "add_prefix_space": spaced, "trim_offsets": true,
            "use_regex": regex,
        })
    };
    let is_qwen = recipe == Recipe::Qwen2;
    let words = if is_qwen {
        let split = json!({
            "type": "Split", "pattern": { "Regex": QWEN_WORDS }, "behavior": "Isolated",
            "invert": false,
        });
        json!({ "type": "Sequence", "pretokenizers": [split, byte_level(false)] })
    } else {
        byte_level(true)
    };
    let normalizer = if is_qwen { Some(part(json!({ "type": "NFC" }))?) } else { None };
    Ok(Parts {
        model: part(json!({
            "type": "BPE", "vocab": vocabulary, "merges": merges, "dropout": null,
            "unk_token": null, "continuing_subword_prefix": "", "end_of_word_suffix": "",
            "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
        }))?,
        normalizer,
        words,
        decoder: json!({
            "type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true,
            "use_regex": true,
        }),
        controls: Vec::new(),
    })
}

/// A model of sentencepiece.
fn from_pieces(folder: &Path, file: &str, recipe: Recipe, config: &Value) -> Result<Parts, String> {
    let bytes = fs::read(folder.join(file)).map_err(|e| format!("it cannot be read: {e}"))?;
    let mut pieces = sentencepiece::read(&bytes)?;
    rearrange(&mut pieces, recipe)?;
    let model = match pieces.algorithm {
        Algorithm::Unigram => {
            let scored = pieces.all.iter().map(|piece| (piece.text.clone(), piece.score));
            let model = Unigram::from(scored.collect(), Some(pieces.unknown), pieces.has_bytes);
            ModelWrapper::from(model.map_err(|e| e.to_string())?)
        }
        Algorithm::Bpe => {
            let ids = pieces.all.iter().enumerate();
            let ids: Map<String, Value> =
                ids.map(|(id, piece)| (piece.text.clone(), json!(id))).collect();
            let unknown = pieces.all.get(pieces.unknown).map(|piece| piece.text.as_str());
            part(json!({
                "type": "BPE", "vocab": ids, "merges": sentencepiece::merges(&pieces.all),
                "dropout": null, "unk_token": unknown, "continuing_subword_prefix": null,
                "end_of_word_suffix": null, "fuse_unk": true, "byte_fallback": pieces.has_bytes,
                "ignore_merges": false,
            }))?
        }
    };
    let controls = pieces
        .all
        .iter()
        .filter(|piece| matches!(piece.kind, Kind::Control | Kind::UserDefined))
        .filter(|piece| model.token_to_id(&piece.text).is_some())
        .map(|piece| (piece.text.clone(), piece.kind == Kind::Control))
        .collect();
    let metaspace = json!({
        "type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true,
    });
    let is = |key: &str, usual: bool| config.get(key).and_then(Value::as_bool).unwrap_or(usual);
    let words = match recipe {
        Recipe::Gemma => json!({
            "type": "Split", "pattern": { "String": " " }, "behavior": "MergedWithPrevious",
            "invert": false,
        }),
        Recipe::Deberta if is("split_by_punct", false) => {
            let punctuation = json!({ "type": "Punctuation", "behavior": "Isolated" });
            json!({ "type": "Sequence", "pretokenizers": [punctuation, metaspace.clone()] })
        }
        _ => metaspace.clone(),
    };
    let decoder = match recipe {
        Recipe::Gemma => {
            let spaces = json!({ "type": "Replace", "pattern": { "String": "▁" }, "content": " " });
            let bytes = json!({ "type": "ByteFallback" });
            json!({ "type": "Sequence", "decoders": [spaces, bytes, { "type": "Fuse" }] })
        }
        _ => metaspace,
    };
    Ok(Parts {
        model,
        normalizer: Some(normalizer(&pieces, recipe, &is)?),
        words,
        decoder,
        controls,
    })
}

/// What happens to characters before a text is cut.
fn normalizer(
    pieces: &Pieces,
    recipe: Recipe,
    is: &impl Fn(&str, bool) -> bool,
) -> Result<NormalizerWrapper, String> {
    let replace = |what: &str, by: &str| {
        part(json!({ "type": "Replace", "pattern": { "String": what }, "content": by }))
    };
    let spaces = |by: &str| {
        part(json!({ "type": "Replace", "pattern": { "Regex": " {2,}" }, "content": by }))
    };
    let strip =
        |left: bool| part(json!({ "type": "Strip", "strip_left": left, "strip_right": true }));
    let named = |name: &str| part(json!({ "type": name }));
    let mut steps: Vec<NormalizerWrapper> = Vec::new();
    let map = if pieces.character_map.is_empty() {
        None
    } else {
        let map = Precompiled::from(&pieces.character_map).map_err(|e| e.to_string())?;
        Some(NormalizerWrapper::from(map))
    };
    match recipe {
        Recipe::Gemma => return replace(" ", "▁"),
        Recipe::Albert => {
            steps.extend([replace("``", "\"")?, replace("''", "\"")?]);
            if !is("keep_accents", false) {
                steps.extend([named("NFKD")?, named("StripAccents")?]);
            }
            if is("do_lower_case", true) {
                steps.push(named("Lowercase")?);
            }
            steps.extend(map);
            steps.push(spaces(" ")?);
        }
        Recipe::Deberta => {
            if is("do_lower_case", false) {
                steps.push(named("Lowercase")?);
            }
            steps.push(strip(true)?);
            steps.extend(map);
            steps.push(spaces(" ")?);
        }
        _ => {
            steps.extend(map);
            steps.extend([strip(false)?, spaces("▁")?]);
        }
    }
    Ok(NormalizerWrapper::from(Sequence::new(steps)))
}

/// Brings the pieces into the order that a model was trained with, where that is not the file's.
fn rearrange(pieces: &mut Pieces, recipe: Recipe) -> Result<(), String> {
    let piece = |text: &str, score: f64| Piece { text: text.into(), score, kind: Kind::Normal };
    let few = || "it holds too few pieces".to_owned();
    match recipe {
        Recipe::XlmRoberta => {
            let rest = pieces.all.get(3..).ok_or_else(few)?.to_vec();
            let first = ["<s>", "<pad>", "</s>", "<unk>"].map(|text| piece(text, 0.0));
            pieces.all = first.into_iter().chain(rest).chain([piece("<mask>", 0.0)]).collect();
            pieces.unknown = 3;
        }
        Recipe::Camembert => {
            let rest = pieces.all.get(1..).ok_or_else(few)?.to_vec();
            let first = [
                piece("<s>NOTUSED", 0.0),
                piece("<pad>", 0.0),
                piece("</s>NOTUSED", 0.0),
                piece("<unk>", 0.0),
                piece("<unk>NOTUSED", -100.0),
            ];
            pieces.all = first.into_iter().chain(rest).chain([piece("<mask>", 0.0)]).collect();
            pieces.unknown = 3;
        }
        // A number and the comma behind it are better apart.
        Recipe::Albert => {
            for piece in &mut pieces.all {
                let mut last = piece.text.chars().rev();
                let (comma, digit) = (last.next(), last.next());
                if comma == Some(',') && digit.is_some_and(char::is_numeric) {
                    piece.score -= 100.0;
                }
            }
        }
        _ => {}
    }
    Ok(())
}

fn text(folder: &Path, name: &str) -> Result<String, String> {
    fs::read_to_string(folder.join(name)).map_err(|e| format!("{name} cannot be read: {e}"))
}
