use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::choice::choice;

choice! {
    /// Models that `model=` names without a folder: they learn from the train rows alone.
    ///
    /// The names are reserved. A folder of the same name is reached by its path, `models/majority`.
    BuiltIn {
        /// Always the most frequent class of the train rows.
        Majority = "majority",
        /// Multinomial naive Bayes on word counts.
        CountNb = "count-nb",
        /// Multinomial naive Bayes on TF-IDF.
        TfidfNb = "tfidf-nb",
        /// Logistic regression on TF-IDF.
        TfidfLogreg = "tfidf-logreg",
    }
}

impl BuiltIn {
    /// The built-in model that `model=NAME` means, if it means one.
    pub fn named(name: &str) -> Option<Self> {
        name.parse().ok()
    }

    /// True for models that are fitted in one go: they have one epoch, whatever `epochs` says.
    pub fn fits_at_once(self) -> bool {
        match self {
            Self::Majority | Self::CountNb | Self::TfidfNb | Self::TfidfLogreg => true,
        }
    }
}
