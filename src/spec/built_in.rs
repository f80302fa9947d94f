use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Family;
use super::choice::choice;

choice! {
    /// Models that are fitted to the train rows at once.
    Baseline {
        /// Always the most frequent class of the train rows, or the mean of their numbers.
        Majority = "majority",
        /// Multinomial naive Bayes on word counts.
        CountNb = "count-nb",
        /// Multinomial naive Bayes on TF-IDF.
        TfidfNb = "tfidf-nb",
        /// Logistic regression on TF-IDF.
        TfidfLogreg = "tfidf-logreg",
        /// Ridge regression on TF-IDF, of numbers.
        TfidfRidge = "tfidf-ridge",
    }
}

/// Models that `model=` names without a folder: they learn from the train rows alone.
///
/// The names are reserved. A folder of the same name is reached by its path, `models/majority`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BuiltIn {
    /// Fitted at once: it has one epoch, whatever `epochs` says.
    Baseline(Baseline),
    /// A recurrent network that starts from random weights and is trained like any other.
    Gru,
    /// A small AWD-LSTM with ULMFiT's head, from random weights as well.
    Ulmfit,
}

impl BuiltIn {
    /// Every name, the simplest first.
    pub const WORDS: &'static [&'static str] =
        &["majority", "count-nb", "tfidf-nb", "tfidf-logreg", "tfidf-ridge", "gru", "ulmfit"];

    /// The built-in model that `model=NAME` means, if it means one.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "gru" => Some(Self::Gru),
            "ulmfit" => Some(Self::Ulmfit),
            _ => name.parse().ok().map(Self::Baseline),
        }
    }
}

impl BuiltIn {
    /// The rate at which it usually learns; none for one that is no network.
    pub fn usual_lr(self) -> Option<f64> {
        match self {
            Self::Baseline(_) => None,
            Self::Gru => Some(Family::Gru.usual_lr()),
            Self::Ulmfit => Some(Family::AwdLstm.usual_lr()),
        }
    }

    /// Layers between its head and its word vectors; none for one that is no network.
    pub fn layers(self) -> Option<u32> {
        match self {
            Self::Baseline(_) => None,
            Self::Gru => Some(1),
            Self::Ulmfit => Some(3),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_names_one() {
        assert!(BuiltIn::WORDS.iter().all(|word| BuiltIn::named(word).is_some()));
        assert_eq!(BuiltIn::WORDS.len(), Baseline::WORDS.len() + 2);
        assert_eq!(BuiltIn::named("models/gru"), None);
    }
}
