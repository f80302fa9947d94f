use std::fmt::Write as _;
use std::sync::LazyLock;

use sha2::{Digest, Sha256};

use super::keys::{KEYS, Key, Role};
use super::{BuiltIn, RunSpec};

/// How a hash is made: the first 16 hex digits of SHA-256 over sorted `key=value` lines.
struct Rule {
    /// Keys up to this version always have a line, later ones only where they differ from their frozen
    /// value.
    always: u8,
    /// Whether a key has a line at all.
    obeyed: fn(&Key, &RunSpec) -> bool,
}

/// The rule of today. It never changes: a key that comes is a later one, so that a run keeps its hash for good.
const RULE: Rule = Rule { always: 0, obeyed: |key, spec| spec.obeys_row(key) };

/// The rules of the tuneboards before there was [`RULE`]: checkpoints of their age hold their hashes.
const PAST: [Rule; 4] = [
    Rule { always: 0, obeyed: |_, _| true },
    Rule { always: 1, obeyed: |_, _| true },
    Rule { always: 2, obeyed: |_, _| true },
    Rule {
        always: 2,
        obeyed: |key, spec| {
            let built_in = BuiltIn::named(&spec.model);
            key.is(Role::Baseline) || !matches!(built_in, Some(BuiltIn::Baseline(_)))
        },
    },
];

impl Rule {
    fn hash(&self, spec: &RunSpec, counts: fn(&Key) -> bool) -> String {
        let mut lines: Vec<String> = KEYS
            .iter()
            .filter(|key| counts(key) && (self.obeyed)(key, spec))
            .map(|key| (key, (key.get)(spec)))
            .filter(|(key, value)| key.since <= self.always || *value != key.frozen)
            .map(|(key, value)| format!("{}={value}\n", key.name))
            .collect();
        lines.sort_unstable();
        let digest = Sha256::digest(lines.concat().as_bytes());
        hex(digest.get(..8).unwrap_or_default())
    }
}

impl RunSpec {
    /// Identifies what decides the result. `device`, `threads` and `site` are left out: the same experiment on
    /// another machine is the same experiment. So are the keys that the model or the task does not obey.
    pub fn hash(&self) -> String {
        RULE.hash(self, |key| key.decides)
    }

    /// Identifies what decides how much memory the run takes.
    pub fn memory_hash(&self) -> String {
        RULE.hash(self, |key| key.is(Role::Memory))
    }

    /// True if a tuneboard of some age would have given this spec that hash.
    pub fn is_known_as(&self, hash: &str) -> bool {
        self.hash() == hash || PAST.iter().any(|rule| rule.hash(self, |key| key.decides) == hash)
    }

    /// The keys that make the two different experiments, in the order of [`KEYS`].
    pub fn deciding_differences(&self, other: &Self) -> Vec<&'static str> {
        let obeyed = |key: &Key, spec: &Self| spec.obeys_row(key).then(|| (key.get)(spec));
        KEYS.iter()
            .filter(|key| key.decides && obeyed(key, self) != obeyed(key, other))
            .map(|key| key.name)
            .collect()
    }

    /// What a stored spec starts from: keys that it does not name came later than it, and were as frozen
    /// in their rows.
    pub fn before_all_keys() -> Self {
        static FROZEN: LazyLock<RunSpec> = LazyLock::new(|| {
            let mut spec = RunSpec::default();
            for key in KEYS.iter().filter(|key| key.since > 0) {
                // A test holds that every frozen value is one that its key takes.
                let _ = (key.set)(&mut spec, key.frozen);
            }
            spec
        });
        FROZEN.clone()
    }
}

/// Bytes as small hexadecimal digits, two each.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// A spec as the first tuneboard stored it.
    fn first() -> Value {
        json!({
            "task": "classify", "model": "minilm", "init": "pretrained", "pool": "mean",
            "data": "data/sms_spam.csv", "split": [0.8, 0.1, 0.1], "split_seed": 35,
            "stratify": false, "max_length": 128, "limit": 0, "lr": 1e-6, "epochs": 3,
            "batch_size": 32, "accumulate": 1, "optimizer": "adamw", "weight_decay": 0.01,
            "schedule": "linear", "warmup": 0.1, "layer_decay": 1.0, "unfreeze": "all",
            "clip": 1.0, "label_smoothing": 0.0, "class_weights": "none", "precision": "auto",
            "seed": 0, "early_stop": 0, "device": "auto", "threads": 0
        })
    }

    fn stored(later: &[&Value]) -> RunSpec {
        let mut spec = first();
        for more in later {
            for (key, value) in more.as_object().unwrap() {
                spec[key] = value.clone();
            }
        }
        serde_json::from_value(spec).unwrap()
    }

    #[test]
    fn a_stored_spec_of_any_age_has_one_hash_and_is_known_by_the_one_it_was_given() {
        let groups = json!({"beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "momentum": 0.0});
        let presets = json!({"site": "local", "preset": "none", "decay_all": false});
        let elmo = json!({"stateful": false, "layer_norm": false});
        let all = [&groups, &presets, &elmo];
        let with = |more: &Value| stored(&[all[0], all[1], all[2], more]);
        // What it was given then is written out; so is what it has for good.
        for (spec, then, now) in [
            (stored(&[]), "1242d113af4bcb7b", "1242d113af4bcb7b"),
            (stored(&all[..1]), "a3f4fc42ee7fabc2", "1242d113af4bcb7b"),
            (stored(&all[..2]), "cf515cf6f830a074", "1242d113af4bcb7b"),
            (stored(&all), "cf515cf6f830a074", "1242d113af4bcb7b"),
            (with(&json!({"model": "majority"})), "65e87828d47a2d28", "65e87828d47a2d28"),
            (with(&json!({"task": "lm"})), "f0831bec3b968c91", "9727f12fb74c8499"),
            (
                with(&json!({"model": "elmo", "stateful": true, "beta2": 0.98})),
                "2b2725cbb95e3249",
                "dbed26a9d36da263",
            ),
        ] {
            assert_eq!(spec.hash(), now, "does a new key lack `.later(N, VALUE)`?");
            assert!(spec.is_known_as(then) && spec.is_known_as(now), "{then}");
            let other = RunSpec { stratify: true, ..spec };
            assert!(!other.is_known_as(then) && !other.is_known_as(now), "{then}");
        }
    }

    #[test]
    fn the_hash_ignores_where_it_runs_and_what_nobody_obeys() {
        let a = RunSpec { model: "m".into(), ..RunSpec::default() };
        let b = RunSpec { device: "cuda:1".into(), threads: 4, site: "box".into(), ..a.clone() };
        let c = RunSpec { lr: 1e-4, ..a.clone() };
        assert_eq!(a.hash(), b.hash());
        assert_ne!(a.hash(), c.hash());
        assert_eq!(a.deciding_differences(&b), Vec::<&str>::new());
        assert_eq!(a.deciding_differences(&c), ["lr"]);
        let [a, c] = [a, c].map(|spec| RunSpec { model: "majority".into(), ..spec });
        assert_eq!((a.hash(), a.deciding_differences(&c)), (c.hash(), vec![]));
    }

    #[test]
    fn memory_is_decided_by_fewer_keys() {
        let a = RunSpec { model: "m".into(), ..RunSpec::default() };
        let tuned = RunSpec { lr: 1e-3, epochs: 9, seed: 4, threads: 2, ..a.clone() };
        let wider = RunSpec { batch_size: 64, ..a.clone() };
        assert_eq!(a.memory_hash(), tuned.memory_hash());
        assert_ne!(a.memory_hash(), wider.memory_hash());
        // Peaks are looked up by it: one that changes forgets them all.
        assert_eq!(a.memory_hash(), "349ea46b334286ef");
    }

    #[test]
    fn frozen_values_are_written_as_their_keys_write_them() {
        let frozen = RunSpec::before_all_keys();
        for key in KEYS {
            assert!(key.since == 0 || (key.get)(&frozen) == key.frozen, "{}", key.name);
            let mut spec = RunSpec::default();
            assert!(key.since == 0 || (key.set)(&mut spec, key.frozen).is_ok(), "{}", key.name);
        }
    }
}
