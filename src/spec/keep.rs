use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::choice::choice;

choice! {
    /// Which checkpoints of a run stay once it is done. Until then both are needed: one to resume from, one to test.
    Keep {
        /// That of the best evaluation: what `init=`, `predict` and `export` take.
        Best = "best",
        /// That of the last epoch.
        Last = "last",
        /// Both.
        Both = "both",
        /// None; figures and predictions stay.
        None = "none",
    }
}

/// The files of `checkpoints/last` that only a run needs which is not done: the optimiser's memory, and where it
/// stands.
pub const TO_RESUME: [&str; 2] = ["optimizer.safetensors", "trainer_state.json"];

impl Keep {
    /// What a done run drops, relative to its `checkpoints/`, given which of `best` and `last` it has. What it
    /// keeps is always one of them, unless it is to keep none.
    pub fn drops(self, has_best: bool, has_last: bool) -> Vec<String> {
        let resumes = TO_RESUME.map(|file| format!("last/{file}")).to_vec();
        let all = |name: &str| vec![name.to_owned()];
        match self {
            Self::Best if has_best => all("last"),
            Self::Last if has_last => [all("best"), resumes].concat(),
            Self::None => [all("best"), all("last")].concat(),
            Self::Best | Self::Last | Self::Both => resumes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_done_run_keeps_what_it_is_told_and_nothing_to_resume_from() {
        assert_eq!(Keep::Best.drops(true, true), ["last"]);
        assert_eq!(Keep::None.drops(true, true), ["best", "last"]);
        let resumes = ["last/optimizer.safetensors", "last/trainer_state.json"];
        assert_eq!(Keep::Both.drops(true, true), resumes);
        assert_eq!(Keep::Last.drops(true, true), ["best", resumes[0], resumes[1]]);
        // The only one there is stays.
        assert_eq!(Keep::Best.drops(false, true), resumes);
        assert_eq!(Keep::Last.drops(true, false), resumes);
    }
}
