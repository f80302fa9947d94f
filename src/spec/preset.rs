use super::keys::{KEYS, Key};
use super::{Preset, RunSpec};

impl Preset {
    /// The keys it sets, in the order of [`KEYS`], and their values.
    pub fn pairs(self) -> impl Iterator<Item = (&'static Key, &'static str)> {
        KEYS.iter().filter_map(move |key| match self {
            Self::None => None,
            // What the notebook's cells do; the reasons are in docs/notebook.md.
            Self::Notebook => Some((key, key.notebook?)),
        })
    }

    /// Gives its values to a spec; whatever is set afterwards overrides them.
    pub fn apply(self, spec: &mut RunSpec) {
        spec.preset = self;
        for (key, value) in self.pairs() {
            // A test holds that every value is one that its key takes.
            let _ = (key.set)(spec, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::spec::{Preset, RunSpec, Sweep};

    #[test]
    fn every_value_of_a_preset_is_taken() {
        for (key, value) in Preset::Notebook.pairs() {
            let mut spec = RunSpec::default();
            spec.set(key.name, value).unwrap();
            assert_eq!((key.get)(&spec), value, "{}", key.name);
        }
        assert_eq!(Preset::Notebook.pairs().count(), 26);
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
        for (key, value) in Preset::Notebook.pairs() {
            written.set(key.name, value).unwrap();
        }
        assert_eq!(spec.hash(), written.hash());
        let refused = Sweep::parse(spec, [("preset", "notebook,none")]).unwrap_err().to_string();
        assert!(refused.contains("it takes none, notebook"), "{refused}");
    }
}
