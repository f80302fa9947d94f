//! The keys of a run, in one table.
//!
//! Adding a key means: a field in [`RunSpec`], a row in [`KEYS`], and code in the trainer that obeys
//! it. Nothing else lists keys.

use std::str::FromStr;

use super::{
    ClassWeights, Init, Optimizer, Pool, Precision, Preset, RunSpec, Schedule, SpecError, Task,
    Unfreeze, short,
};

/// One key of [`RunSpec`].
#[derive(Debug)]
pub struct Key {
    /// As written in `key=value` and in TOML.
    pub name: &'static str,
    /// One line for help and forms.
    pub help: &'static str,
    /// What values it takes.
    pub kind: Kind,
    /// False for keys that do not belong to the experiment's identity (see [`RunSpec::hash`]).
    pub decides: bool,
    /// The value as text that `set` accepts; empty for "not given".
    pub get: fn(&RunSpec) -> String,
    /// Sets the value, or says what is accepted, as a fragment.
    pub set: fn(&mut RunSpec, &str) -> Result<(), String>,
}

/// The type of a key's value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// Any text.
    Text,
    /// A file or folder.
    Path,
    /// `true` or `false`.
    Flag,
    /// A whole number in a closed range.
    Int(u64, u64),
    /// A finite number in a closed range.
    Float(f64, f64),
    /// One of these words.
    Choice(&'static [&'static str]),
    /// Three shares that sum to 1.
    Split,
}

/// The keys that decide which rows a run trains and is tested on.
pub const DATA_KEYS: [&str; 11] = [
    "task",
    "data",
    "val",
    "test",
    "text",
    "label",
    "split",
    "split_column",
    "split_seed",
    "stratify",
    "limit",
];

/// TOML integers are signed.
const MAX_SEED: u64 = i64::MAX as u64;

macro_rules! word {
    ($name:literal, $field:ident, $type:ident, $help:literal) => {
        Key {
            name: $name,
            help: $help,
            kind: Kind::Choice($type::WORDS),
            decides: true,
            get: |s| s.$field.to_string(),
            set: |s, v| choice::<$type>(v, $type::WORDS).map(|x| s.$field = x),
        }
    };
}
macro_rules! int {
    ($name:literal, $field:ident, $min:expr, $max:expr, $decides:literal, $help:literal) => {
        Key {
            name: $name,
            help: $help,
            kind: Kind::Int($min, $max),
            decides: $decides,
            get: |s| s.$field.to_string(),
            set: |s, v| int(v, $min, $max).map(|x| s.$field = x as _),
        }
    };
}
macro_rules! float {
    ($name:literal, $field:ident, $min:expr, $max:expr, $help:literal) => {
        Key {
            name: $name,
            help: $help,
            kind: Kind::Float($min, $max),
            decides: true,
            get: |s| short(s.$field),
            set: |s, v| float(v, $min, $max).map(|x| s.$field = x),
        }
    };
}
macro_rules! flag {
    ($name:literal, $field:ident, $help:literal) => {
        Key {
            name: $name,
            help: $help,
            kind: Kind::Flag,
            decides: true,
            get: |s| s.$field.to_string(),
            set: |s, v| flag(v).map(|x| s.$field = x),
        }
    };
}
macro_rules! text {
    ($name:literal, $field:ident, $kind:expr, $help:literal) => {
        Key {
            name: $name,
            help: $help,
            kind: $kind,
            decides: true,
            get: |s| s.$field.clone().unwrap_or_default(),
            set: |s, v| {
                s.$field = clean(v)?;
                Ok(())
            },
        }
    };
}
macro_rules! required {
    ($name:literal, $field:ident, $decides:literal, $help:literal) => {
        Key {
            name: $name,
            help: $help,
            kind: Kind::Path,
            decides: $decides,
            get: |s| s.$field.clone(),
            set: |s, v| {
                s.$field = clean(v)?.ok_or("it must not be empty")?;
                Ok(())
            },
        }
    };
}

/// Every key, in the order of forms, tables and `tuneboard show`.
pub static KEYS: &[Key] = &[
    Key {
        name: "preset",
        help: "a named set of values, which the other keys override: docs/notebook.md",
        kind: Kind::Choice(Preset::WORDS),
        decides: false,
        get: |s| if s.preset == Preset::None { String::new() } else { s.preset.to_string() },
        set: |s, v| {
            let word = if v.is_empty() { "none" } else { v };
            choice::<Preset>(word, Preset::WORDS).map(|preset| preset.apply(s))
        },
    },
    word!("task", task, Task, "what is learnt"),
    required!("model", model, true, "a folder under models/, or a path to a checkpoint folder"),
    Key {
        name: "init",
        help: "where the weights come from: pretrained, random, or the best checkpoint of a run, as r12",
        kind: Kind::Text,
        decides: true,
        get: |s| s.init.to_string(),
        set: |s, v| v.parse().map(|init: Init| s.init = init),
    },
    word!("pool", pool, Pool, "how token vectors become one text vector"),
    required!("data", data, true, "a CSV, TSV, JSON Lines or Parquet file"),
    text!("val", val, Kind::Path, "a file with the validation rows, instead of a share of data"),
    text!("test", test, Kind::Path, "a file with the test rows, instead of a share of data"),
    text!("text", text, Kind::Text, "the column with the texts; found by its name if not given"),
    text!("label", label, Kind::Text, "the column with the labels; found by its name if not given"),
    Key {
        name: "split",
        help: "shares of train, validation and test rows",
        kind: Kind::Split,
        decides: true,
        get: |s| s.split.map(short).join(","),
        set: |s, v| split(v).map(|x| s.split = x),
    },
    text!(
        "split_column",
        split_column,
        Kind::Text,
        "a column that says train, val or test per row"
    ),
    int!("split_seed", split_seed, 0, MAX_SEED, true, "the seed of the shuffle before the split"),
    flag!("stratify", stratify, "keep the class shares equal in all three splits"),
    int!(
        "max_length",
        max_length,
        4,
        8192,
        true,
        "tokens per text, specials included; longer texts are cut"
    ),
    int!(
        "limit",
        limit,
        0,
        u32::MAX as u64,
        true,
        "use only that many rows, after the shuffle; 0 = all"
    ),
    float!("lr", lr, 0.0, 10.0, "the peak learning rate"),
    int!("epochs", epochs, 1, 100_000, true, "passes over the training rows"),
    int!("batch_size", batch_size, 1, 65_536, true, "texts per forward and backward pass"),
    int!("accumulate", accumulate, 1, 65_536, true, "batches per optimiser step"),
    word!("optimizer", optimizer, Optimizer, "the optimiser"),
    float!("beta1", beta1, 0.0, 0.9999, "Adam: how much of the mean gradient is kept each step"),
    float!("beta2", beta2, 0.0, 0.999_999, "Adam: how much of the mean square is kept each step"),
    float!("eps", eps, 1e-12, 1.0, "Adam: added to the root of the mean square"),
    float!("momentum", momentum, 0.0, 0.9999, "SGD: how much of the last step is kept"),
    float!("weight_decay", weight_decay, 0.0, 10.0, "decoupled decay of the weight matrices"),
    flag!(
        "decay_all",
        decay_all,
        "decay biases and the weights of normalisations as well, as plain AdamW does"
    ),
    word!("schedule", schedule, Schedule, "the learning rate after warm-up"),
    float!(
        "warmup",
        warmup,
        0.0,
        1e9,
        "warm-up: below 1 a share of all steps, from 1 a number of steps"
    ),
    float!(
        "layer_decay",
        layer_decay,
        0.01,
        100.0,
        "factor on the learning rate per layer below the head; above 1 = divide by it, as ULMFiT's 2.6"
    ),
    word!("unfreeze", unfreeze, Unfreeze, "which weights learn"),
    Key {
        name: "dropout",
        help: "dropout of the trunk and the head; not given = as the checkpoint's config says",
        kind: Kind::Float(0.0, 0.95),
        decides: true,
        get: |s| s.dropout.map(short).unwrap_or_default(),
        set: |s, v| {
            s.dropout = if v.is_empty() { None } else { Some(float(v, 0.0, 0.95)?) };
            Ok(())
        },
    },
    flag!("stateful", stateful, "ELMo: a batch goes on from the state of the one before"),
    flag!("layer_norm", layer_norm, "ELMo: layers are normalised before they are mixed"),
    float!("clip", clip, 0.0, 1e9, "largest gradient norm; 0 = no clipping"),
    float!("label_smoothing", label_smoothing, 0.0, 0.99, "mass moved from the true class to all"),
    word!("class_weights", class_weights, ClassWeights, "weight of each class in the loss"),
    word!("precision", precision, Precision, "number format of the matrix products"),
    int!("seed", seed, 0, MAX_SEED, true, "seed of the head, the dropout and the batch order"),
    int!(
        "early_stop",
        early_stop,
        0,
        100_000,
        true,
        "epochs without a better val loss before stopping; 0 = never"
    ),
    Key {
        name: "device",
        help: "auto, cpu or cuda:N",
        kind: Kind::Text,
        decides: false,
        get: |s| s.device.clone(),
        set: |s, v| device(v).map(|x| s.device = x),
    },
    int!("threads", threads, 0, 1024, false, "CPU threads of the trainer; 0 = as the slot has"),
    Key {
        name: "site",
        help: "where it runs: local, any, or a [sites.NAME] of config.toml",
        kind: Kind::Text,
        decides: false,
        get: |s| s.site.clone(),
        set: |s, v| {
            s.site = clean(v)?.ok_or("it must not be empty")?;
            Ok(())
        },
    },
];

/// The key of that name.
///
/// # Errors
/// [`SpecError::UnknownKey`] with the nearest key.
pub fn find(name: &str) -> Result<&'static Key, SpecError> {
    KEYS.iter().find(|k| k.name == name).ok_or_else(|| SpecError::UnknownKey {
        key: name.to_owned(),
        nearest: nearest(name, KEYS.iter().map(|k| k.name)),
    })
}

/// The candidate that a typing error most likely meant, if any is close.
pub fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<String> {
    let word = word.to_lowercase();
    candidates
        .map(|c| (strsim::damerau_levenshtein(&word, c), !c.starts_with(&word), c))
        .filter(|(distance, _, c)| {
            *distance <= 1 + c.len().max(word.len()) / 4 || c.contains(&word)
        })
        .min()
        .filter(|_| !word.is_empty())
        .map(|(_, _, c)| c.to_owned())
}

/// Splits `key=value`.
///
/// # Errors
/// [`SpecError::NotAPair`].
pub fn pair(text: &str) -> Result<(&str, &str), SpecError> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => Ok((key.trim(), value.trim())),
        _ => Err(SpecError::NotAPair {
            text: text.to_owned(),
            nearest: nearest(text, KEYS.iter().map(|k| k.name)).map(|k| format!("{k}=...")),
        }),
    }
}

/// The text of a TOML value, as it would stand behind `key=` on the command line.
///
/// # Errors
/// Tables and dates are no values of keys.
pub fn toml_text(key: &str, value: &toml::Value) -> Result<String, SpecError> {
    Ok(match value {
        toml::Value::String(s) => s.clone(),
        toml::Value::Integer(n) => n.to_string(),
        toml::Value::Float(x) => short(*x),
        toml::Value::Boolean(b) => b.to_string(),
        toml::Value::Array(items) => {
            items.iter().map(|item| toml_text(key, item)).collect::<Result<Vec<_>, _>>()?.join(",")
        }
        toml::Value::Table(_) | toml::Value::Datetime(_) => {
            return Err(SpecError::BadValue {
                key: key.to_owned(),
                value: value.to_string(),
                why: "a number, a text, true, false or a list is expected".into(),
            });
        }
    })
}

fn choice<T: FromStr>(text: &str, words: &[&str]) -> Result<T, String> {
    text.parse().map_err(|_| match nearest(text, words.iter().copied()) {
        Some(word) if words.len() > 1 => {
            format!("did you mean `{word}`? It takes {}", words.join(", "))
        }
        _ => format!("it takes {}", words.join(", ")),
    })
}

fn int(text: &str, min: u64, max: u64) -> Result<u64, String> {
    let fail = || format!("a whole number from {min} to {max} is expected");
    let n = match text.parse::<u64>() {
        Ok(n) => n,
        // `1e3` and `32.0` are whole numbers too.
        Err(_) => match text.parse::<f64>() {
            Ok(x) if x.fract() == 0.0 && (0.0..=9e15).contains(&x) => x as u64,
            _ => return Err(fail()),
        },
    };
    if (min..=max).contains(&n) { Ok(n) } else { Err(fail()) }
}

fn float(text: &str, min: f64, max: f64) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(x) if x.is_finite() && (min..=max).contains(&x) => Ok(x),
        _ => Err(format!("a number from {} to {} is expected", short(min), short(max))),
    }
}

fn flag(text: &str) -> Result<bool, String> {
    match text {
        "true" | "yes" | "1" => Ok(true),
        "false" | "no" | "0" => Ok(false),
        _ => Err("it takes true or false".into()),
    }
}

fn clean(text: &str) -> Result<Option<String>, String> {
    if text.chars().any(char::is_control) {
        return Err("control characters are not allowed".into());
    }
    Ok(if text.is_empty() { None } else { Some(text.to_owned()) })
}

fn split(text: &str) -> Result<[f64; 3], String> {
    let expected = || "three shares that sum to 1 are expected, as in 0.8,0.1,0.1".to_owned();
    let parts: Vec<f64> = text
        .split([',', '/'])
        .map(|p| float(p.trim(), 0.0, 1.0))
        .collect::<Result<_, _>>()
        .map_err(|_| expected())?;
    let shares: [f64; 3] = parts.try_into().map_err(|_| expected())?;
    if (shares.iter().sum::<f64>() - 1.0).abs() > 1e-6 {
        return Err(expected());
    }
    if shares[0] == 0.0 {
        return Err("the train share must be above 0".into());
    }
    Ok(shares)
}

fn device(text: &str) -> Result<String, String> {
    let number = text.strip_prefix("cuda:").map(str::parse::<u16>);
    match (text, number) {
        ("auto" | "cpu", _) | (_, Some(Ok(_))) => Ok(text.to_owned()),
        ("cuda" | "gpu", _) => Err("name the GPU: did you mean `cuda:0`".into()),
        _ => Err("it takes auto, cpu or cuda:N".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_reads_back_its_own_text() {
        let base = RunSpec { model: "m".into(), data: "d.csv".into(), ..RunSpec::default() };
        for key in KEYS {
            let mut copy = base.clone();
            copy.set(key.name, &(key.get)(&base)).unwrap();
            assert_eq!(copy, base, "{}", key.name);
        }
    }

    #[test]
    fn toml_and_json_read_back() {
        let mut spec = RunSpec { model: "m".into(), data: "d".into(), ..RunSpec::default() };
        spec.set("dropout", "0.2").unwrap();
        spec.set("seed", &MAX_SEED.to_string()).unwrap();
        let mut copy = RunSpec::default();
        copy.read_toml(&spec.to_toml()).unwrap();
        assert_eq!(copy, spec);
        let json = serde_json::to_string(&spec).unwrap();
        assert_eq!(serde_json::from_str::<RunSpec>(&json).unwrap(), spec);
    }

    #[test]
    fn errors_name_the_nearest_choice() {
        let mut spec = RunSpec::default();
        for (key, value, want) in [
            ("epoch", "3", "There is no key `epoch`; did you mean `epochs`?."),
            ("batchsize", "3", "There is no key `batchsize`; did you mean `batch_size`?."),
            ("lr", "fast", "`lr=fast` is not valid: a number from 0 to 10 is expected."),
            ("lr", "nan", "`lr=nan` is not valid: a number from 0 to 10 is expected."),
            (
                "pool",
                "men",
                "`pool=men` is not valid: did you mean `mean`? It takes auto, cls, mean, max, last, flatten, concat.",
            ),
            ("device", "cuda", "`device=cuda` is not valid: name the GPU: did you mean `cuda:0`."),
            (
                "epochs",
                "0",
                "`epochs=0` is not valid: a whole number from 1 to 100000 is expected.",
            ),
        ] {
            let got = spec.set(key, value).unwrap_err().to_string();
            assert_eq!(got, want.replace("?.", if want.ends_with("?.") { "?." } else { "?" }));
        }
    }

    #[test]
    fn the_hash_ignores_where_it_runs() {
        let a = RunSpec { model: "m".into(), ..RunSpec::default() };
        let b = RunSpec { device: "cuda:1".into(), threads: 4, site: "box".into(), ..a.clone() };
        let c = RunSpec { lr: 1e-4, ..a.clone() };
        assert_eq!(a.hash(), b.hash());
        assert_ne!(a.hash(), c.hash());
    }
}
