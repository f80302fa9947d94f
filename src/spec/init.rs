use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::RunId;
use super::text::as_text;

/// Where the weights come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Init {
    /// The checkpoint's weights.
    Pretrained,
    /// Random weights of the checkpoint's shape, drawn from `seed`.
    Random,
    /// The weights of the best epoch of another run, instead of the checkpoint's.
    Run(RunId),
}

impl Init {
    /// What it can be, for people.
    pub const WORDS: &'static str = "pretrained, random or a run as r12";

    /// The run that this one starts from.
    pub fn parent(self) -> Option<RunId> {
        match self {
            Self::Run(id) => Some(id),
            Self::Pretrained | Self::Random => None,
        }
    }
}

impl fmt::Display for Init {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pretrained => f.pad("pretrained"),
            Self::Random => f.pad("random"),
            Self::Run(id) => id.fmt(f),
        }
    }
}

impl FromStr for Init {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "pretrained" => Ok(Self::Pretrained),
            "random" => Ok(Self::Random),
            _ => match text.parse() {
                // A number alone is more likely a typing error than a run.
                Ok(id) if text.starts_with('r') => Ok(Self::Run(id)),
                _ if text.contains('/') => Err(format!(
                    "it takes {}; a folder is what model= takes, an adapter's too",
                    Self::WORDS
                )),
                _ => Err(format!("it takes {}", Self::WORDS)),
            },
        }
    }
}

as_text!(Init);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_runs_read_back() {
        for text in ["pretrained", "random", "r12"] {
            let init: Init = text.parse().unwrap();
            assert_eq!(init.to_string(), text);
            let json = serde_json::to_string(&init).unwrap();
            assert_eq!(json, format!("\"{text}\""));
            assert_eq!(serde_json::from_str::<Init>(&json).unwrap(), init);
        }
        assert_eq!("r12".parse::<Init>().unwrap().parent(), Some(RunId(12)));
        for bad in ["", "12", "r", "s3", "runs/r1", "Random"] {
            assert!(bad.parse::<Init>().unwrap_err().contains("a run as r12"), "{bad}");
        }
    }
}
