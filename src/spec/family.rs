//! The families of networks, one row each. Both executables read it: the dashboard and the command
//! line for what they say about a model, the trainer for what it does with one. Nothing here needs
//! libtorch.

use std::fmt;

use serde_json::Value;

use super::{Pool, Unfreeze};

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

/// The pools of encoders whose head in transformers reads the first token.
const ENCODER_POOLS: &[Pool] = &[Pool::Cls, Pool::Mean, Pool::Max];
/// The pools of decoders, whose head reads the last token.
const DECODER_POOLS: &[Pool] = &[Pool::Last, Pool::Mean, Pool::Max];
/// The id of a config's padding token, and nothing else.
const PAD: &[&str] = &["pad_token_id"];
/// The token that ends a text fills short rows where no other does.
const PAD_OR_END: &[&str] = &["pad_token_id", "eos_token_id"];

const POSITIONS: Option<Positions> =
    Some(Positions { key: "max_position_embeddings", usual: 512, after_padding: false });
/// Positions that count on from the padding id.
const LATE_POSITIONS: Option<Positions> =
    Some(Positions { key: "max_position_embeddings", usual: 514, after_padding: true });
const LAYERS: Layers = Layers { at: "/num_hidden_layers", usual: 12 };

/// The files of a tokenizer: tokenizer.json, or what one is made of, and what belongs to both.
pub const TOKENIZER_FILES: [&str; 11] = [
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "spiece.model",
    "spm.model",
    "sentencepiece.bpe.model",
    "tokenizer.model",
];

/// The sets of files that a tokenizer of subwords can be read from.
const SUBWORDS: [&[&str]; 7] = [
    &["tokenizer.json"],
    &["vocab.txt"],
    &["vocab.json", "merges.txt"],
    &["spiece.model"],
    &["spm.model"],
    &["sentencepiece.bpe.model"],
    &["tokenizer.model"],
];

/// How a sentence encoder pools, beside its model.
pub const POOLING_FILE: &str = "1_Pooling/config.json";

impl TokenizerKind {
    /// The file that a folder lacks, which `has` some files; `None` if it lacks none.
    pub fn lacks(self, has: impl Fn(&str) -> bool) -> Option<&'static str> {
        match self {
            Self::Characters => None,
            Self::Words => (!has("vocab.json")).then_some("vocab.json"),
            Self::Subwords => {
                let whole = |files: &&[&str]| files.iter().all(|file| has(file));
                (!SUBWORDS.iter().any(whole)).then_some("tokenizer.json")
            }
        }
    }
}

macro_rules! families {
    ($($(#[$doc:meta])* $name:ident { $($field:ident: $value:expr),+ $(,)? })+) => {
        /// The kinds of network that tuneboard trains.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Family { $($(#[$doc])* $name),+ }

        impl Family {
            /// All of them, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// What its networks have in common.
            pub fn row(self) -> &'static Row {
                match self {
                    $(Self::$name => const { &Row { $($field: $value),+ } }),+
                }
            }
        }
    };
}

families! {
    /// Devlin et al. 2019.
    Bert {
        model_type: "bert",
        title: "BERT",
        examples: "google-bert/bert-base-uncased, sentence-transformers/all-MiniLM-L6-v2",
        positions: POSITIONS,
        layers: LAYERS,
        tokenizer: TokenizerKind::Subwords,
        padding: PaddingId { keys: PAD, usual: 0 },
        left_for: &[],
        pools: &[Pool::Mean, Pool::Cls, Pool::Max],
        usual_lr: 5e-5,
        has_half_products: true,
        unfreeze: Unfreeze::All,
        language_model: LanguageModel::Masked("BertForMaskedLM"),
        classes: &[(Pool::Cls, "BertForSequenceClassification")],
    }
    /// Liu et al. 2019.
    Roberta {
        model_type: "roberta",
        title: "RoBERTa",
        examples: "FacebookAI/roberta-base",
        positions: LATE_POSITIONS,
        layers: LAYERS,
        tokenizer: TokenizerKind::Subwords,
        padding: PaddingId { keys: PAD, usual: 1 },
        left_for: &[],
        pools: ENCODER_POOLS,
        usual_lr: 5e-5,
        has_half_products: true,
        unfreeze: Unfreeze::All,
        language_model: LanguageModel::Masked("RobertaForMaskedLM"),
        classes: &[(Pool::Cls, "RobertaForSequenceClassification")],
    }
    /// Conneau et al. 2020.
    XlmRoberta {
        model_type: "xlm-roberta",
        title: "XLM-RoBERTa",
        examples: "FacebookAI/xlm-roberta-base, intfloat/multilingual-e5-base",
        positions: LATE_POSITIONS,
        layers: LAYERS,
        tokenizer: TokenizerKind::Subwords,
        padding: PaddingId { keys: PAD, usual: 1 },
        left_for: &[],
        pools: ENCODER_POOLS,
        usual_lr: 5e-5,
        has_half_products: true,
        unfreeze: Unfreeze::All,
        language_model: LanguageModel::Masked("XLMRobertaForMaskedLM"),
        classes: &[(Pool::Cls, "XLMRobertaForSequenceClassification")],
    }
    /// Martin et al. 2020.
    Camembert {
        model_type: "camembert",
        title: "CamemBERT",
        examples: "almanach/camembert-base",
        positions: LATE_POSITIONS,
        layers: LAYERS,
        tokenizer: TokenizerKind::Subwords,
        padding: PaddingId { keys: PAD, usual: 1 },
        left_for: &[],
        pools: ENCODER_POOLS,
        usual_lr: 5e-5,
        has_half_products: true,
        unfreeze: Unfreeze::All,
        language_model: LanguageModel::Masked("CamembertForMaskedLM"),
        classes: &[(Pool::Cls, "CamembertForSequenceClassification")],
    }
    /// Sanh et al. 2019.
    DistilBert {
        model_type: "distilbert",
        title: "DistilBERT",
        examples: "distilbert/distilbert-base-uncased",
        positions: POSITIONS,
        layers: Layers { at: "/n_layers", usual: 6 },
        tokenizer: TokenizerKind::Subwords,
        padding: PaddingId { keys: PAD, usual: 0 },
        left_for: &[],
        pools: ENCODER_POOLS,
        usual_lr: 5e-5,
        has_half_products: true,
        unfreeze: Unfreeze::All,
        language_model: LanguageModel::Masked("DistilBertForMaskedLM"),
        classes: &[(Pool::Cls, "DistilBertForSequenceClassification")],
    }
    /// Clark et al. 2020.
    Electra {
        model_type: "electra",
        title: "ELECTRA",
        examples: "google/electra-small-discriminator",
        positions: POSITIONS,
        layers: LAYERS,
        tokenizer: TokenizerKind::Subwords,
        padding: PaddingId { keys: PAD, usual: 0 },
        left_for: &[],
        pools: ENCODER_POOLS,
        usual_lr: 5e-5,
        has_half_products: true,
        unfreeze: Unfreeze::All,
        language_model: LanguageModel::Masked("ElectraForMaskedLM"),
        classes: &[(Pool::Cls, "ElectraForSequenceClassification")],
    }
    /// Song et al. 2020.
    MpNet {
        model_type: "mpnet",
        title: "MPNet",
        examples: "microsoft/mpnet-base, sentence-transformers/all-mpnet-base-v2",
        positions: LATE_POSITIONS,
        layers: LAYERS,
        tokenizer: TokenizerKind::Subwords,
        padding: PaddingId { keys: &[], usual: 1 },
        left_for: &[],
        pools: ENCODER_POOLS,
        usual_lr: 5e-5,
        has_half_products: true,
        unfreeze: Unfreeze::All,
        language_model: LanguageModel::Masked("MPNetForMaskedLM"),
        classes: &[(Pool::Cls, "MPNetForSequenceClassification")],
    }
    /// Lan et al. 2020.
    Albert {
        model_type: "albert",
        title: "ALBERT",
        examples: "albert/albert-base-v2",
        positions: POSITIONS,
        layers: Layers { at: "/num_hidden_groups", usual: 1 },
        tokenizer: TokenizerKind::Subwords,
        padding: PaddingId { keys: PAD, usual: 0 },
        left_for: &[],
        pools: ENCODER_POOLS,
        usual_lr: 5e-5,
        has_half_products: true,
        unfreeze: Unfreeze::All,
        language_model: LanguageModel::Masked("AlbertForMaskedLM"),
        classes: &[(Pool::Cls, "AlbertForSequenceClassification")],
    }
    /// He, Gao & Chen 2021.
    DebertaV2 {
        model_type: "deberta-v2",
        title: "DeBERTa-v3",
        examples: "microsoft/deberta-v3-small",
        positions: POSITIONS,
        layers: LAYERS,
        tokenizer: TokenizerKind::Subwords,
        padding: PaddingId { keys: PAD, usual: 0 },
        left_for: &[],
        pools: ENCODER_POOLS,
        usual_lr: 5e-5,
        has_half_products: true,
        unfreeze: Unfreeze::All,
        language_model: LanguageModel::No,
        classes: &[(Pool::Cls, "DebertaV2ForSequenceClassification")],
    }
    /// Warner et al. 2024.
    ModernBert {
        model_type: "modernbert",
        title: "ModernBERT",
        examples: "answerdotai/ModernBERT-base",
        positions: Some(Positions {
            key: "max_position_embeddings",
            usual: 8192,
            after_padding: false,
        }),
        layers: Layers { at: "/num_hidden_layers", usual: 22 },
        tokenizer: TokenizerKind::Subwords,
        padding: PaddingId { keys: PAD, usual: 50283 },
        left_for: &[],
        pools: ENCODER_POOLS,
        usual_lr: 5e-5,
        has_half_products: true,
        unfreeze: Unfreeze::All,
        language_model: LanguageModel::Masked("ModernBertForMaskedLM"),
        classes: &[
            (Pool::Cls, "ModernBertForSequenceClassification"),
            (Pool::Mean, "ModernBertForSequenceClassification"),
        ],
    }
    /// Radford et al. 2019.
    Gpt2 {
        model_type: "gpt2",
        title: "GPT-2",
        examples: "openai-community/gpt2, distilbert/distilgpt2",
        positions: Some(Positions { key: "n_positions", usual: 1024, after_padding: false }),
        layers: Layers { at: "/n_layer", usual: 12 },
        tokenizer: TokenizerKind::Subwords,
        padding: PaddingId { keys: PAD_OR_END, usual: 0 },
        left_for: &[Pool::Flatten],
        pools: &[Pool::Last, Pool::Mean, Pool::Max, Pool::Flatten],
        usual_lr: 5e-5,
        has_half_products: true,
        unfreeze: Unfreeze::All,
        language_model: LanguageModel::Causal("GPT2LMHeadModel"),
        classes: &[(Pool::Last, "GPT2ForSequenceClassification")],
    }
    /// Yang et al. 2024.
    Qwen2 {
        model_type: "qwen2",
        title: "Qwen 2",
        examples: "Qwen/Qwen2.5-0.5B",
        positions: Some(Positions {
            key: "max_position_embeddings",
            usual: 32768,
            after_padding: false,
        }),
        layers: Layers { at: "/num_hidden_layers", usual: 32 },
        tokenizer: TokenizerKind::Subwords,
        padding: PaddingId { keys: PAD_OR_END, usual: 0 },
        left_for: &[],
        pools: DECODER_POOLS,
        usual_lr: 2e-5,
        has_half_products: true,
        unfreeze: Unfreeze::All,
        language_model: LanguageModel::Causal("Qwen2ForCausalLM"),
        classes: &[(Pool::Last, "Qwen2ForSequenceClassification")],
    }
    /// Yang et al. 2025.
    Qwen3 {
        model_type: "qwen3",
        title: "Qwen 3",
        examples: "Qwen/Qwen3-0.6B, Qwen/Qwen3-Embedding-0.6B",
        positions: Some(Positions {
            key: "max_position_embeddings",
            usual: 32768,
            after_padding: false,
        }),
        layers: Layers { at: "/num_hidden_layers", usual: 32 },
        tokenizer: TokenizerKind::Subwords,
        padding: PaddingId { keys: PAD_OR_END, usual: 0 },
        left_for: &[],
        pools: DECODER_POOLS,
        usual_lr: 2e-5,
        has_half_products: true,
        unfreeze: Unfreeze::All,
        language_model: LanguageModel::Causal("Qwen3ForCausalLM"),
        classes: &[(Pool::Last, "Qwen3ForSequenceClassification")],
    }
    /// Touvron et al. 2023.
    Llama {
        model_type: "llama",
        title: "Llama",
        examples: "meta-llama/Llama-3.2-1B, HuggingFaceTB/SmolLM2-135M",
        positions: Some(Positions {
            key: "max_position_embeddings",
            usual: 2048,
            after_padding: false,
        }),
        layers: Layers { at: "/num_hidden_layers", usual: 32 },
        tokenizer: TokenizerKind::Subwords,
        padding: PaddingId { keys: PAD_OR_END, usual: 0 },
        left_for: &[],
        pools: DECODER_POOLS,
        usual_lr: 2e-5,
        has_half_products: true,
        unfreeze: Unfreeze::All,
        language_model: LanguageModel::Causal("LlamaForCausalLM"),
        classes: &[(Pool::Last, "LlamaForSequenceClassification")],
    }
    /// Gemma Team 2025, the text model.
    Gemma3 {
        model_type: "gemma3_text",
        title: "Gemma 3 (text)",
        examples: "google/gemma-3-270m",
        positions: Some(Positions {
            key: "max_position_embeddings",
            usual: 131_072,
            after_padding: false,
        }),
        layers: Layers { at: "/num_hidden_layers", usual: 26 },
        tokenizer: TokenizerKind::Subwords,
        padding: PaddingId { keys: PAD, usual: 0 },
        left_for: &[],
        pools: DECODER_POOLS,
        usual_lr: 2e-5,
        has_half_products: true,
        unfreeze: Unfreeze::All,
        language_model: LanguageModel::Causal("Gemma3ForCausalLM"),
        classes: &[(Pool::Last, "Gemma3TextForSequenceClassification")],
    }
    /// Black et al. 2022.
    GptNeoX {
        model_type: "gpt_neox",
        title: "GPT-NeoX (Pythia)",
        examples: "EleutherAI/pythia-160m",
        positions: Some(Positions {
            key: "max_position_embeddings",
            usual: 2048,
            after_padding: false,
        }),
        layers: Layers { at: "/num_hidden_layers", usual: 44 },
        tokenizer: TokenizerKind::Subwords,
        padding: PaddingId { keys: PAD_OR_END, usual: 0 },
        left_for: &[],
        pools: DECODER_POOLS,
        usual_lr: 2e-5,
        has_half_products: true,
        unfreeze: Unfreeze::All,
        language_model: LanguageModel::No,
        classes: &[(Pool::Last, "GPTNeoXForSequenceClassification")],
    }
    /// Peters et al. 2018.
    Elmo {
        model_type: "elmo",
        title: "ELMo",
        examples: "",
        positions: None,
        layers: Layers { at: "/lstm/n_layers", usual: 2 },
        tokenizer: TokenizerKind::Characters,
        padding: PaddingId { keys: &[], usual: 0 },
        left_for: &[],
        pools: &[Pool::Mean],
        usual_lr: 1e-3,
        has_half_products: false,
        // As its authors had it: the head and the mix of layers.
        unfreeze: Unfreeze::Head,
        language_model: LanguageModel::No,
        classes: &[],
    }
    /// A small recurrent network with words of its own.
    Gru {
        model_type: "gru",
        title: "GRU",
        examples: "",
        positions: None,
        layers: Layers { at: "", usual: 1 },
        tokenizer: TokenizerKind::Subwords,
        padding: PaddingId { keys: PAD, usual: 0 },
        left_for: &[],
        pools: &[Pool::Max, Pool::Mean],
        usual_lr: 1e-3,
        has_half_products: false,
        unfreeze: Unfreeze::All,
        language_model: LanguageModel::No,
        classes: &[],
    }
    /// Merity, Keskar & Socher 2018, with the classifier of ULMFiT.
    AwdLstm {
        model_type: "awd_lstm",
        title: "AWD-LSTM (ULMFiT)",
        examples: "",
        positions: None,
        layers: Layers { at: "/n_layers", usual: 3 },
        tokenizer: TokenizerKind::Words,
        padding: PaddingId { keys: &["pad_token"], usual: 1 },
        left_for: &[],
        pools: &[Pool::Concat],
        usual_lr: 4e-3,
        has_half_products: false,
        unfreeze: Unfreeze::All,
        language_model: LanguageModel::Stream,
        classes: &[],
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl Family {
    /// The family that a config describes: by its `model_type`, or an ELMo's `options.json`, which has
    /// none.
    ///
    /// # Errors
    /// A config of none of the families, as a fragment that names what it has.
    pub fn of_config(config: &Value) -> Result<Self, String> {
        let kind = config.get("model_type").and_then(Value::as_str);
        if kind.is_none() && config.get("lstm").is_some_and(Value::is_object) {
            return Ok(Self::Elmo);
        }
        let known = Self::ALL.iter().find(|family| kind == Some(family.name()));
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

    /// What keeps a config of this family from making a model, as far as it shows without the trainer.
    ///
    /// # Errors
    /// As a fragment.
    pub fn check(self, config: &Value) -> Result<(), String> {
        let position = config.get("position_embedding_type").and_then(Value::as_str);
        if let Some(position) = position.filter(|position| *position != "absolute") {
            return Err(format!(
                "position_embedding_type `{position}` is not supported, only `absolute`"
            ));
        }
        for (key, value) in config.as_object().into_iter().flatten() {
            let is_dropout = key.contains("dropout") || key.ends_with("_pdrop");
            let share = value.as_f64().filter(|_| is_dropout);
            if let Some(share) = share.filter(|share| !(0.0..1.0).contains(share)) {
                return Err(format!("{key} is {share}; it must be from 0 to below 1"));
            }
        }
        let words = config.get("vocab_size").and_then(whole);
        let given = self.row().padding.keys.iter().find_map(|key| config.get(*key)?.as_i64());
        match (given, words) {
            (Some(id), Some(words)) if !(0..words).contains(&id) => {
                Err(format!("pad_token_id {id} is outside the vocabulary of {words}"))
            }
            _ => Ok(()),
        }
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
        "| `model_type` | family | pools, the usual one first | as in transformers | task=lm | usual lr \
         | products | checkpoints |"
            .to_owned(),
        "|---|---|---|---|---|---|---|---|".to_owned(),
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
            "| `{}` | {} | {} | {} | {learns} | {:e} | {} | {} |",
            row.model_type,
            row.title,
            pools.join(", "),
            or_dash(classes.join(", ")),
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
