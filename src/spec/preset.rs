use super::{Preset, RunSpec};

impl Preset {
    /// The values it gives, in the order of [`super::keys::KEYS`].
    pub fn pairs(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::None => &[],
            Self::Notebook => NOTEBOOK,
        }
    }

    /// Gives its values to a spec; whatever is set afterwards overrides them.
    pub fn apply(self, spec: &mut RunSpec) {
        spec.preset = self;
        for (key, value) in self.pairs() {
            // A test holds that every pair is one that its key takes.
            let _ = spec.set(key, value);
        }
    }
}

/// What the notebook's cells do; the reasons are in docs/notebook.md.
const NOTEBOOK: &[(&str, &str)] = &[
    ("task", "classify"),
    ("init", "pretrained"),
    ("pool", "flatten"),
    ("split", "0.8,0.1,0.1"),
    ("split_seed", "35"),
    ("stratify", "false"),
    ("max_length", "128"),
    ("lr", "1e-5"),
    ("epochs", "1"),
    ("batch_size", "2"),
    ("accumulate", "1"),
    ("optimizer", "adam"),
    ("beta1", "0.9"),
    ("beta2", "0.999"),
    ("eps", "1e-8"),
    ("weight_decay", "0"),
    ("schedule", "constant"),
    ("warmup", "0"),
    ("layer_decay", "1"),
    ("unfreeze", "all"),
    ("dropout", "0"),
    ("clip", "0"),
    ("label_smoothing", "0"),
    ("class_weights", "none"),
    ("precision", "fp32"),
    ("early_stop", "0"),
];

#[cfg(test)]
mod tests {
    use crate::spec::{RunSpec, Sweep};

    #[test]
    fn every_value_of_a_preset_is_taken() {
        for (key, value) in super::NOTEBOOK {
            let mut spec = RunSpec::default();
            spec.set(key, value).unwrap();
            let got = spec.get(key).unwrap();
            let same = |a: &str, b: &str| a == b || a.parse::<f64>().ok() == b.parse::<f64>().ok();
            assert!(same(&got, value), "{key}={value}: {got}");
        }
    }

    #[test]
    fn what_the_user_gives_overrides_the_preset_wherever_it_stands() {
        let pairs = [("lr", "3e-4"), ("model", "m"), ("preset", "notebook"), ("data", "d.csv")];
        let spec = Sweep::parse(RunSpec::default(), pairs).unwrap().base;
        assert_eq!((spec.lr, spec.batch_size, spec.max_length), (3e-4, 2, 128));
        let mut copy = RunSpec::default();
        copy.read_toml(&spec.to_toml()).unwrap();
        assert_eq!(copy, spec);
    }

    #[test]
    fn a_preset_is_the_same_experiment_as_its_values_written_out() {
        let mut spec = RunSpec::default();
        spec.set("preset", "notebook").unwrap();
        let mut written = RunSpec::default();
        for (key, value) in super::NOTEBOOK {
            written.set(key, value).unwrap();
        }
        assert_eq!(spec.hash(), written.hash());
        let refused = Sweep::parse(spec, [("preset", "notebook,none")]).unwrap_err().to_string();
        assert!(refused.contains("it takes none, notebook"), "{refused}");
    }
}
