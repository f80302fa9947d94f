//! One row for each family: what it has otherwise than the row that it is based on.

use super::{LanguageModel, Layers, PaddingId, Positions, Row, TokenizerKind};
use crate::spec::{Pool, Unfreeze};

/// The pools of encoders whose head in transformers reads the first token.
const ENCODER_POOLS: &[Pool] = &[Pool::Cls, Pool::Mean, Pool::Max];
/// The pools of decoders, whose head reads the last token.
const DECODER_POOLS: &[Pool] = &[Pool::Last, Pool::Mean, Pool::Max];
/// The id of a config's padding token, and nothing else.
const PAD: &[&str] = &["pad_token_id"];
/// The token that ends a text fills short rows where no other does.
const PAD_OR_END: &[&str] = &["pad_token_id", "eos_token_id"];

/// Positions that count on from the padding id.
const LATE_POSITIONS: Option<Positions> =
    Some(Positions { key: "max_position_embeddings", usual: 514, after_padding: true });

const fn positions(usual: u64) -> Positions {
    Positions { key: "max_position_embeddings", usual, after_padding: false }
}

const fn hidden_layers(usual: u32) -> Layers {
    Layers { at: "/num_hidden_layers", usual }
}

/// Encoders such as BERT.
const ENCODER: Row = Row {
    model_type: "",
    title: "",
    examples: "",
    positions: Some(positions(512)),
    layers: hidden_layers(12),
    padding: PaddingId { keys: PAD, usual: 0 },
    left_for: &[],
    pools: ENCODER_POOLS,
    usual_lr: 5e-5,
    tokenizer: TokenizerKind::Subwords,
    has_half_products: true,
    unfreeze: Unfreeze::All,
    language_model: LanguageModel::No,
    // Families that peft does not know do as those that they came from.
    lora: &["query", "value"],
    classes: &[],
};
/// Decoders such as Llama.
const DECODER: Row = Row {
    lora: &["q_proj", "v_proj"],
    positions: Some(positions(2048)),
    layers: hidden_layers(32),
    padding: PaddingId { keys: PAD_OR_END, usual: 0 },
    pools: DECODER_POOLS,
    usual_lr: 2e-5,
    ..ENCODER
};
/// Recurrent networks, whose products are in 32 bits.
const RECURRENT: Row =
    Row { positions: None, usual_lr: 1e-3, has_half_products: false, lora: &[], ..ENCODER };

macro_rules! families {
    ($($(#[$doc:meta])* $name:ident: $base:ident { $($field:ident: $value:expr),+ $(,)? })+) => {
        /// The kinds of network that tuneboard trains.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Family { $($(#[$doc])* $name),+ }

        impl Family {
            /// All of them, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// What its networks have in common.
            pub fn row(self) -> &'static Row {
                match self {
                    $(Self::$name => const { &Row { $($field: $value,)+ ..$base } }),+
                }
            }
        }
    };
}

families! {
    /// Devlin et al. 2019.
    Bert: ENCODER {
        model_type: "bert",
        title: "BERT",
        examples: "google-bert/bert-base-uncased, sentence-transformers/all-MiniLM-L6-v2",
        pools: &[Pool::Mean, Pool::Cls, Pool::Max],
        language_model: LanguageModel::Masked("BertForMaskedLM"),
        classes: &[(Pool::Cls, "BertForSequenceClassification")],
    }
    /// Liu et al. 2019.
    Roberta: ENCODER {
        model_type: "roberta",
        title: "RoBERTa",
        examples: "FacebookAI/roberta-base",
        positions: LATE_POSITIONS,
        padding: PaddingId { keys: PAD, usual: 1 },
        language_model: LanguageModel::Masked("RobertaForMaskedLM"),
        classes: &[(Pool::Cls, "RobertaForSequenceClassification")],
    }
    /// Conneau et al. 2020.
    XlmRoberta: ENCODER {
        model_type: "xlm-roberta",
        title: "XLM-RoBERTa",
        examples: "FacebookAI/xlm-roberta-base, intfloat/multilingual-e5-base",
        positions: LATE_POSITIONS,
        padding: PaddingId { keys: PAD, usual: 1 },
        language_model: LanguageModel::Masked("XLMRobertaForMaskedLM"),
        classes: &[(Pool::Cls, "XLMRobertaForSequenceClassification")],
    }
    /// Martin et al. 2020.
    Camembert: ENCODER {
        model_type: "camembert",
        title: "CamemBERT",
        examples: "almanach/camembert-base",
        positions: LATE_POSITIONS,
        padding: PaddingId { keys: PAD, usual: 1 },
        language_model: LanguageModel::Masked("CamembertForMaskedLM"),
        classes: &[(Pool::Cls, "CamembertForSequenceClassification")],
    }
    /// Sanh et al. 2019.
    DistilBert: ENCODER {
        model_type: "distilbert",
        title: "DistilBERT",
        examples: "distilbert/distilbert-base-uncased",
        layers: Layers { at: "/n_layers", usual: 6 },
        language_model: LanguageModel::Masked("DistilBertForMaskedLM"),
        lora: &["q_lin", "v_lin"],
        classes: &[(Pool::Cls, "DistilBertForSequenceClassification")],
    }
    /// Clark et al. 2020.
    Electra: ENCODER {
        model_type: "electra",
        title: "ELECTRA",
        examples: "google/electra-small-discriminator",
        language_model: LanguageModel::Masked("ElectraForMaskedLM"),
        classes: &[(Pool::Cls, "ElectraForSequenceClassification")],
    }
    /// Song et al. 2020.
    MpNet: ENCODER {
        model_type: "mpnet",
        title: "MPNet",
        examples: "microsoft/mpnet-base, sentence-transformers/all-mpnet-base-v2",
        positions: LATE_POSITIONS,
        padding: PaddingId { keys: &[], usual: 1 },
        language_model: LanguageModel::Masked("MPNetForMaskedLM"),
        lora: &["attn.q", "attn.v"],
        classes: &[(Pool::Cls, "MPNetForSequenceClassification")],
    }
    /// Lan et al. 2020.
    Albert: ENCODER {
        model_type: "albert",
        title: "ALBERT",
        examples: "albert/albert-base-v2",
        layers: Layers { at: "/num_hidden_groups", usual: 1 },
        language_model: LanguageModel::Masked("AlbertForMaskedLM"),
        classes: &[(Pool::Cls, "AlbertForSequenceClassification")],
    }
    /// He, Gao & Chen 2021.
    DebertaV2: ENCODER {
        model_type: "deberta-v2",
        title: "DeBERTa-v3",
        examples: "microsoft/deberta-v3-small",
        lora: &["query_proj", "value_proj"],
        classes: &[(Pool::Cls, "DebertaV2ForSequenceClassification")],
    }
    /// Warner et al. 2024.
    ModernBert: ENCODER {
        model_type: "modernbert",
        title: "ModernBERT",
        examples: "answerdotai/ModernBERT-base",
        positions: Some(positions(8192)),
        layers: hidden_layers(22),
        padding: PaddingId { keys: PAD, usual: 50283 },
        language_model: LanguageModel::Masked("ModernBertForMaskedLM"),
        lora: &["Wqkv"],
        classes: &[
            (Pool::Cls, "ModernBertForSequenceClassification"),
            (Pool::Mean, "ModernBertForSequenceClassification"),
        ],
    }
    /// Radford et al. 2019.
    Gpt2: DECODER {
        model_type: "gpt2",
        title: "GPT-2",
        examples: "openai-community/gpt2, distilbert/distilgpt2",
        positions: Some(Positions { key: "n_positions", usual: 1024, after_padding: false }),
        layers: Layers { at: "/n_layer", usual: 12 },
        left_for: &[Pool::Flatten],
        pools: &[Pool::Last, Pool::Mean, Pool::Max, Pool::Flatten],
        usual_lr: 5e-5,
        language_model: LanguageModel::Causal("GPT2LMHeadModel"),
        lora: &["c_attn"],
        classes: &[(Pool::Last, "GPT2ForSequenceClassification")],
    }
    /// Yang et al. 2024.
    Qwen2: DECODER {
        model_type: "qwen2",
        title: "Qwen 2",
        examples: "Qwen/Qwen2.5-0.5B",
        positions: Some(positions(32768)),
        language_model: LanguageModel::Causal("Qwen2ForCausalLM"),
        classes: &[(Pool::Last, "Qwen2ForSequenceClassification")],
    }
    /// Yang et al. 2025.
    Qwen3: DECODER {
        model_type: "qwen3",
        title: "Qwen 3",
        examples: "Qwen/Qwen3-0.6B, Qwen/Qwen3-Embedding-0.6B",
        positions: Some(positions(32768)),
        language_model: LanguageModel::Causal("Qwen3ForCausalLM"),
        classes: &[(Pool::Last, "Qwen3ForSequenceClassification")],
    }
    /// Touvron et al. 2023.
    Llama: DECODER {
        model_type: "llama",
        title: "Llama",
        examples: "meta-llama/Llama-3.2-1B, HuggingFaceTB/SmolLM2-135M",
        language_model: LanguageModel::Causal("LlamaForCausalLM"),
        classes: &[(Pool::Last, "LlamaForSequenceClassification")],
    }
    /// Gemma Team 2025, the text model.
    Gemma3: DECODER {
        model_type: "gemma3_text",
        title: "Gemma 3 (text)",
        examples: "google/gemma-3-270m",
        positions: Some(positions(131_072)),
        layers: hidden_layers(26),
        padding: PaddingId { keys: PAD, usual: 0 },
        language_model: LanguageModel::Causal("Gemma3ForCausalLM"),
        classes: &[(Pool::Last, "Gemma3TextForSequenceClassification")],
    }
    /// Black et al. 2022.
    GptNeoX: DECODER {
        model_type: "gpt_neox",
        title: "GPT-NeoX (Pythia)",
        examples: "EleutherAI/pythia-160m",
        layers: hidden_layers(44),
        lora: &["query_key_value"],
        classes: &[(Pool::Last, "GPTNeoXForSequenceClassification")],
    }
    /// Peters et al. 2018.
    Elmo: RECURRENT {
        model_type: "elmo",
        title: "ELMo",
        layers: Layers { at: "/lstm/n_layers", usual: 2 },
        tokenizer: TokenizerKind::Characters,
        padding: PaddingId { keys: &[], usual: 0 },
        pools: &[Pool::Mean],
        // As its authors had it: the head and the mix of layers.
        unfreeze: Unfreeze::Head,
    }
    /// A small recurrent network with words of its own.
    Gru: RECURRENT {
        model_type: "gru",
        title: "GRU",
        layers: Layers { at: "", usual: 1 },
        pools: &[Pool::Max, Pool::Mean],
    }
    /// Merity, Keskar & Socher 2018, with the classifier of ULMFiT.
    AwdLstm: RECURRENT {
        model_type: "awd_lstm",
        title: "AWD-LSTM (ULMFiT)",
        layers: Layers { at: "/n_layers", usual: 3 },
        tokenizer: TokenizerKind::Words,
        padding: PaddingId { keys: &["pad_token"], usual: 1 },
        pools: &[Pool::Concat],
        usual_lr: 4e-3,
        language_model: LanguageModel::Stream,
    }
}
