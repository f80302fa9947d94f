use super::Role::{Baseline, Memory, Rows};
use super::row::{flag, float, int, required, text, word};
use super::{Key, ValueKind, values};
use crate::spec::metrics::val;
use crate::spec::{
    Adapter, ClassWeights, DECIDING, Delimiter, Escape, Header, Init, Keep, KeyGroup, Loss,
    Optimizer, Pool, Precision, Preset, Quote, Schedule, Task, Unfreeze, short,
};

/// TOML integers are signed.
pub(super) const MAX_SEED: u64 = i64::MAX as u64;

/// The version that the keys came with which say how a data file is written.
const FILES: u8 = 4;

/// The version that the keys of adapters came with.
const ADAPTERS: u8 = 6;

/// The version that the keys of the losses came with.
const TASKS: u8 = 7;

/// The version that cross-validation came with.
const FOLDS: u8 = 8;

/// Every key, in the order of forms, tables and `tuneboard show`.
pub static KEYS: &[Key] = &[
    Key::new(
        "preset",
        "a named set of values, which the other keys override: docs/notebook.md",
        ValueKind::Choice(Preset::WORDS),
        |s| if s.preset == Preset::None { String::new() } else { s.preset.to_string() },
        |s, v| {
            let word = if v.is_empty() { "none" } else { v };
            values::choice::<Preset>(word, Preset::WORDS).map(|preset| preset.apply(s))
        },
    )
    .group_in(KeyGroup::Model)
    .roles(&[Baseline])
    .aside()
    .later(2, ""),
    word!(task: Task, "what is learnt")
        .group_in(KeyGroup::Model)
        .roles(&[Rows, Memory, Baseline])
        .notebook("classify"),
    required!(model, ValueKind::Path, "a folder under models/, or a path to a checkpoint folder")
        .group_in(KeyGroup::Experiment)
        .roles(&[Memory, Baseline]),
    Key::new(
        "init",
        "where the weights come from: pretrained, random, or the best checkpoint of a run, as r12",
        ValueKind::Text,
        |s| s.init.to_string(),
        |s, v| v.parse().map(|init: Init| s.init = init),
    )
    .group_in(KeyGroup::Model)
    .notebook("pretrained"),
    word!(pool: Pool, "how token vectors become one text vector")
        .group_in(KeyGroup::Model)
        .roles(&[Memory])
        .only(&[Task::Classify, Task::Regress, Task::Multilabel])
        .notebook("flatten"),
    required!(data, ValueKind::Path, "a CSV, TSV, JSON or Parquet file, or a folder or pattern of such")
        .group_in(KeyGroup::Experiment)
        .roles(&[Rows, Memory, Baseline]),
    text!(val, ValueKind::Path, "a file with the validation rows, instead of a share of data")
        .group_in(KeyGroup::Data)
        .roles(&[Rows, Memory, Baseline]),
    text!(test, ValueKind::Path, "a file with the test rows, instead of a share of data")
        .group_in(KeyGroup::Data)
        .roles(&[Rows, Memory, Baseline]),
    text!(text, ValueKind::Columns, "the column with the texts, or two of pairs as a,b; found if not given")
        .group_in(KeyGroup::Data)
        .roles(&[Rows, Memory, Baseline]),
    text!(label, ValueKind::Columns, "the column with the labels, or several as a,b or *_label; found if not given")
        .group_in(KeyGroup::Data)
        .roles(&[Rows, Baseline]),
    word!(quote: Quote, "CSV: double = quotes enclose fields, none = they are letters")
        .group_in(KeyGroup::Data)
        .roles(&[Rows, Baseline])
        .later(FILES, "auto"),
    word!(escape: Escape, "CSV: backslash = one takes the meaning of a quote behind it")
        .group_in(KeyGroup::Data)
        .roles(&[Rows, Baseline])
        .later(FILES, "auto"),
    Key::new(
        "delimiter",
        "CSV: what stands between two fields",
        ValueKind::Choice(Delimiter::WORDS),
        |s| s.delimiter.to_string(),
        |s, v| values::delimiter(v).map(|x| s.delimiter = x),
    )
    .group_in(KeyGroup::Data)
    .roles(&[Rows, Baseline])
    .later(FILES, "auto"),
    word!(header: Header, "CSV: yes = the first line names the columns, no = it is a row")
        .group_in(KeyGroup::Data)
        .roles(&[Rows, Baseline])
        .later(FILES, "auto"),
    Key::new(
        "encoding",
        "of text files: auto, utf-8, windows-1252, utf-16le, shift_jis, gbk ...",
        ValueKind::Text,
        |s| s.encoding.clone(),
        |s, v| values::encoding(v).map(|x| s.encoding = x),
    )
    .group_in(KeyGroup::Data)
    .roles(&[Rows, Baseline])
    .later(FILES, "auto"),
    Key::new(
        "split",
        "shares of train, validation and test rows",
        ValueKind::Split,
        |s| s.split.map(short).join(","),
        |s, v| values::split(v).map(|x| s.split = x),
    )
    .group_in(KeyGroup::Data)
    .roles(&[Rows, Baseline])
    .notebook("0.8,0.1,0.1"),
    text!(split_column, ValueKind::Text, "a column that says train, val or test per row")
        .group_in(KeyGroup::Data)
        .roles(&[Rows, Baseline]),
    int!(split_seed, 0, MAX_SEED, "the seed of the shuffle before the split")
        .group_in(KeyGroup::Data)
        .roles(&[Rows, Baseline])
        .notebook("35"),
    flag!(stratify, "keep the class shares equal in all three splits")
        .group_in(KeyGroup::Data)
        .roles(&[Rows, Baseline])
        .notebook("false"),
    int!(folds, 0, 1000, "cross-validation: data is dealt into that many parts of like classes, and one is tested; 0 = none")
        .group_in(KeyGroup::Data)
        .roles(&[Rows, Baseline])
        .later(FOLDS, "0"),
    int!(fold, 0, 1000, "which of the folds is held out and tested, from 1; fold=1..5 holds out each in turn")
        .group_in(KeyGroup::Data)
        .roles(&[Rows, Baseline])
        .later(FOLDS, "0"),
    text!(group, ValueKind::Text, "a column: rows with the same value in it are never in different parts")
        .group_in(KeyGroup::Data)
        .roles(&[Rows, Baseline])
        .later(FOLDS, ""),
    int!(max_length, 4, 8192, "tokens per text, specials included; longer texts are cut")
        .group_in(KeyGroup::Experiment)
        .roles(&[Memory])
        .notebook("128"),
    int!(limit, 0, u32::MAX as u64, "use only that many rows of data, after the shuffle; the files of val and test are taken whole; 0 = all")
        .group_in(KeyGroup::Data)
        .roles(&[Rows, Memory, Baseline]),
    float!(lr, 0.0, 10.0, "the peak learning rate").group_in(KeyGroup::Experiment).notebook("1e-5"),
    int!(epochs, 1, 100_000, "passes over the training rows")
        .group_in(KeyGroup::Experiment)
        .notebook("1"),
    int!(batch_size, 1, 65_536, "texts per forward and backward pass")
        .group_in(KeyGroup::Experiment)
        .roles(&[Memory])
        .notebook("2"),
    int!(accumulate, 1, 65_536, "batches per optimiser step").roles(&[Memory]).notebook("1"),
    word!(optimizer: Optimizer, "the optimiser").roles(&[Memory]).notebook("adam"),
    float!(beta1, 0.0, 0.9999, "Adam: how much of the mean gradient is kept each step")
        .later(1, "0.9")
        .notebook("0.9"),
    float!(beta2, 0.0, 0.999_999, "Adam: how much of the mean square is kept each step")
        .later(1, "0.999")
        .notebook("0.999"),
    float!(eps, 1e-12, 1.0, "Adam: added to the root of the mean square")
        .later(1, "1e-8")
        .notebook("1e-8"),
    float!(momentum, 0.0, 0.9999, "SGD: how much of the last step is kept")
        .roles(&[Memory])
        .later(1, "0"),
    float!(weight_decay, 0.0, 10.0, "decoupled decay of the weight matrices").notebook("0"),
    flag!(decay_all, "decay biases and the weights of normalisations as well, as plain AdamW does")
        .later(2, "false"),
    word!(schedule: Schedule, "the learning rate after warm-up")
        .group_in(KeyGroup::Experiment)
        .notebook("constant"),
    float!(warmup, 0.0, 1e9, "warm-up: below 1 a share of all steps, from 1 a number of steps")
        .group_in(KeyGroup::Experiment)
        .notebook("0"),
    float!(
        layer_decay,
        0.01,
        100.0,
        "factor on the learning rate per layer below the head; above 1 = divide by it, as ULMFiT's 2.6"
    )
    .notebook("1"),
    word!(unfreeze: Unfreeze, "which weights learn")
        .group_in(KeyGroup::Model)
        .roles(&[Memory])
        .notebook("all"),
    Key::new(
        "dropout",
        "dropout of the encoder and the head; not given = as the checkpoint's config says",
        ValueKind::Float(0.0, 0.95),
        |s| s.dropout.map(short).unwrap_or_default(),
        |s, v| {
            s.dropout = if v.is_empty() { None } else { Some(values::float(v, 0.0, 0.95)?) };
            Ok(())
        },
    )
    .group_in(KeyGroup::Model)
    .roles(&[Memory])
    .notebook("0"),
    flag!(stateful, "ELMo: a batch goes on from the state of the one before")
        .group_in(KeyGroup::Model)
        .roles(&[Memory])
        .later(3, "false"),
    flag!(layer_norm, "ELMo: layers are normalised before they are mixed")
        .group_in(KeyGroup::Model)
        .roles(&[Memory])
        .later(3, "false"),
    word!(adapter: Adapter, "lora = the checkpoint stays as it is, and narrow matrices beside it learn")
        .group_in(KeyGroup::Model)
        .roles(&[Memory])
        .later(ADAPTERS, "none"),
    int!(lora_rank, 1, 4096, "LoRA: how wide the narrow matrices are")
        .group_in(KeyGroup::Model)
        .roles(&[Memory])
        .later(ADAPTERS, "8"),
    float!(lora_alpha, 0.0, 65_536.0, "LoRA: what is learnt counts lora_alpha / lora_rank times")
        .group_in(KeyGroup::Model)
        .later(ADAPTERS, "8"),
    float!(lora_dropout, 0.0, 0.95, "LoRA: dropout of what the narrow matrices read")
        .group_in(KeyGroup::Model)
        .later(ADAPTERS, "0"),
    Key::new(
        "lora_targets",
        "LoRA: auto (as peft for the family), all-linear, or names of layers, as query+value",
        ValueKind::Text,
        |s| s.lora_targets.to_string(),
        |s, v| v.parse().map(|targets| s.lora_targets = targets),
    )
    .group_in(KeyGroup::Model)
    .roles(&[Memory])
    .later(ADAPTERS, "auto"),
    float!(clip, 0.0, 1e9, "largest gradient norm; 0 = no clipping").notebook("0"),
    float!(label_smoothing, 0.0, 0.99, "mass moved from the true class to all")
        .only(&[Task::Classify, Task::Lm, Task::Tag])
        .notebook("0"),
    word!(loss: Loss, "what is minimised; auto = as is usual for the task")
        .only(&[Task::Classify, Task::Regress, Task::Multilabel, Task::Tag])
        .later(TASKS, "auto"),
    float!(focal_gamma, 0.0, 20.0, "loss=focal: how much less counts what is learnt already")
        .only(&[Task::Classify, Task::Multilabel, Task::Tag])
        .later(TASKS, "2"),
    float!(huber_delta, 1e-6, 1e6, "loss=huber: errors above it, in standard deviations, count linearly")
        .only(&[Task::Regress])
        .later(TASKS, "1"),
    Key::new(
        "class_weights",
        "weight of each class, tag or label in the loss: none, balanced, or spam:2,ham:1",
        ValueKind::Weights(ClassWeights::WORDS),
        |s| s.class_weights.to_string(),
        |s, v| v.parse().map(|weights| s.class_weights = weights),
    )
    .roles(&[Baseline])
    .only(&[Task::Classify, Task::Multilabel, Task::Tag])
    .notebook("none"),
    word!(precision: Precision, "number format of the matrix products")
        .group_in(KeyGroup::Machine)
        .roles(&[Memory])
        .notebook("fp32"),
    int!(seed, 0, MAX_SEED, "seed of the head, the dropout and the batch order")
        .group_in(KeyGroup::Experiment),
    int!(
        early_stop,
        0,
        100_000,
        "evaluations of all val rows without a better one before stopping; 0 = never"
    )
    .notebook("0"),
    Key::new(
        "eval_every",
        "val rows within an epoch: auto, epoch (only at its end), a share of it (0.25), or steps (100s)",
        ValueKind::Text,
        |s| s.eval_every.to_string(),
        |s, v| v.parse().map(|every| s.eval_every = every),
    )
    .later(5, "auto"),
    Key::new(
        "eval_rows",
        "val rows looked at within an epoch: auto, a number, or all, and then the best may be one of these",
        ValueKind::Text,
        |s| s.eval_rows.to_string(),
        |s, v| v.parse().map(|rows| s.eval_rows = rows),
    )
    .later(5, "auto"),
    Key::new(
        "best",
        "the figure of the val rows that decides about the best checkpoint and early_stop",
        ValueKind::Choice(DECIDING),
        |s| s.best.clone(),
        |s, v| values::one_of(v, DECIDING).map(|best| best.clone_into(&mut s.best)),
    )
    .later(5, val::LOSS),
    word!(keep: Keep, "the checkpoints that stay once it is done, without what only resuming needs")
        .aside()
        .later(6, "best"),
    Key::new(
        "device",
        "auto, cpu or cuda:N",
        ValueKind::Text,
        |s| s.device.clone(),
        |s, v| values::device(v).map(|x| s.device = x),
    )
    .group_in(KeyGroup::Machine)
    .aside(),
    int!(threads, 0, 1024, "CPU threads of the trainer; 0 = as the slot has")
        .group_in(KeyGroup::Machine)
        .aside(),
    required!(site, ValueKind::Text, "where it runs: local, any, or a [sites.NAME] of config.toml")
        .roles(&[Baseline])
        .aside()
        .later(1, "local"),
];
