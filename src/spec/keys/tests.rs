use super::table::MAX_SEED;
use super::*;
use crate::spec::Preset;

fn base() -> RunSpec {
    RunSpec { model: "m".into(), data: "d.csv".into(), ..RunSpec::default() }
}

/// Values of a key other than its default.
pub(crate) fn other_values(key: &Key) -> Vec<String> {
    let text = |words: &[&str]| words.iter().map(ToString::to_string).collect();
    match (key.name, key.kind) {
        ("init", _) => text(&["random", "r12"]),
        ("device", _) => text(&["cpu", "cuda:1"]),
        ("encoding", _) => text(&["utf-8", "latin1"]),
        ("folds", _) => text(&["2", "1000"]),
        ("eval_every", _) => text(&["epoch", "0.25", "100s"]),
        ("eval_rows", _) => text(&["all", "64"]),
        ("lora_targets", _) => text(&["query+value", "all-linear"]),
        ("loss", _) => text(&["cross_entropy", "focal"]),
        ("best", _) => text(&["val/acc", "val/f1"]),
        (_, ValueKind::Text) => text(&["a b", "Größe, in \"cm\""]),
        (_, ValueKind::Path) => text(&["data/x y.csv", "/tmp/ü.csv"]),
        (_, ValueKind::Flag) => vec![((key.get)(&base()) != "true").to_string()],
        (_, ValueKind::Int(low, high)) => [low + 1, high].map(|n| n.to_string()).into(),
        (_, ValueKind::Float(low, high)) => [0.75 * low + 0.25 * high, high].map(short).into(),
        (_, ValueKind::Choice(words)) => {
            let other = |word: &&&str| **word != (key.get)(&base()) && **word != "none";
            text(&words.iter().filter(other).copied().collect::<Vec<_>>())
        }
        (_, ValueKind::Split) => text(&["0.7,0.2,0.1"]),
        (_, ValueKind::Weights(_)) => text(&["balanced", "spam:2,a\\,b:0.5"]),
        (_, ValueKind::Columns) => {
            text(&["a b", "premise,hypothesis", "*_label", "Größe\\, in \"cm\""])
        }
    }
}

#[test]
fn every_value_of_every_key_survives_text_toml_and_json() {
    for key in KEYS {
        for value in other_values(key) {
            let mut spec = base();
            spec.set(key.name, &value).unwrap();
            assert_eq!((key.get)(&spec), value, "{}", key.name);
            assert_ne!(spec, base(), "{}", key.name);
            assert_eq!(RunSpec::from_toml(&spec.to_toml()).unwrap(), spec, "{}", key.name);
            let json = serde_json::to_string(&spec).unwrap();
            assert_eq!(serde_json::from_str::<RunSpec>(&json).unwrap(), spec, "{}", key.name);
            // It counts for the identity if and only if its row says so; a preset sets other keys.
            // Of a task that obeys it.
            let task = key.tasks.first().copied().filter(|_| !key.is_for(spec.task));
            let of = |spec: RunSpec| RunSpec { task: task.unwrap_or(spec.task), ..spec }.hash();
            let differs = of(spec.clone()) != of(base());
            assert_eq!(differs, key.decides || spec.preset != Preset::None, "{}", key.name);
        }
    }
}

#[test]
fn every_key_reads_back_its_own_text() {
    for key in KEYS {
        let mut copy = base();
        copy.set(key.name, &(key.get)(&base())).unwrap();
        assert_eq!(copy, base(), "{}", key.name);
    }
    assert_eq!(MAX_SEED, i64::MAX as u64);
}

#[test]
fn a_task_and_a_baseline_leave_out_the_keys_that_mean_nothing_to_them() {
    let unobeyed = |pairs: &[(&str, &str)]| {
        let mut spec = base();
        for (key, value) in pairs {
            spec.set(key, value).unwrap();
        }
        KEYS.iter().filter(|key| !spec.obeys_row(key)).map(|key| key.name).collect::<Vec<_>>()
    };
    for word in Task::WORDS {
        // A new task says here which keys it leaves out.
        let want: &[&str] = match word.parse::<Task>().unwrap() {
            Task::Classify => &["huber_delta"],
            Task::Lm => &["pool", "loss", "focal_gamma", "huber_delta", "class_weights"],
            Task::Regress => &["label_smoothing", "focal_gamma", "class_weights"],
            Task::Multilabel => &["label_smoothing", "huber_delta"],
            Task::Tag => &["pool", "huber_delta"],
        };
        assert_eq!(unobeyed(&[("task", word)]), want, "{word}");
    }
    let obeyed = KEYS.len() - unobeyed(&[("model", "majority")]).len();
    assert_eq!(obeyed, 23);
    assert!(!unobeyed(&[("model", "majority")]).contains(&"class_weights"));
}

#[test]
fn errors_name_the_nearest_choice() {
    let mut spec = RunSpec::default();
    for (key, value, want) in [
        ("epoch", "3", "There is no key `epoch`; did you mean `epochs`?"),
        ("batchsize", "3", "There is no key `batchsize`; did you mean `batch_size`?"),
        ("nonsense", "3", "There is no key `nonsense`."),
        ("lr", "fast", "`lr=fast` is not valid: a number from 0 to 10 is expected."),
        ("lr", "nan", "`lr=nan` is not valid: a number from 0 to 10 is expected."),
        (
            "pool",
            "men",
            "`pool=men` is not valid: did you mean `mean`? It takes auto, cls, mean, max, last, flatten, concat.",
        ),
        (
            "device",
            "cuda",
            "`device=cuda` is not valid: did you mean `cuda:0`? It takes auto, cpu or cuda:N.",
        ),
        ("epochs", "0", "`epochs=0` is not valid: a whole number from 1 to 100000 is expected."),
    ] {
        assert_eq!(spec.set(key, value).unwrap_err().to_string(), want);
    }
}
