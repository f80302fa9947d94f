/// Where a form shows a key: what decides most comes first, the rest is folded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyGroup {
    /// What nearly every experiment sets.
    Experiment,
    /// Columns and splits.
    Data,
    /// What is learnt, and what of the checkpoint is used and how.
    Model,
    /// The rest of the optimisation.
    Training,
    /// Where and with which numbers it runs.
    Machine,
}

impl KeyGroup {
    /// In the order of forms.
    pub const ALL: [Self; 5] =
        [Self::Experiment, Self::Data, Self::Model, Self::Training, Self::Machine];

    /// Its title.
    pub fn title(self) -> &'static str {
        match self {
            Self::Experiment => "experiment",
            Self::Data => "data",
            Self::Model => "model",
            Self::Training => "training",
            Self::Machine => "machine",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::keys::KEYS;

    #[test]
    fn every_group_has_keys_and_the_important_ones_come_first() {
        for group in KeyGroup::ALL {
            assert!(KEYS.iter().any(|k| k.group == group), "{group:?}");
        }
        for name in ["model", "data", "lr", "epochs", "batch_size", "seed"] {
            let key = KEYS.iter().find(|k| k.name == name).unwrap();
            assert_eq!(key.group, KeyGroup::Experiment, "{name}");
        }
    }
}
