use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::text::as_text;

/// Which layers LoRA adapts: `lora_targets`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Targets {
    /// Those that peft adapts of the family where nothing is said.
    Auto,
    /// Every linear layer but the head.
    AllLinear,
    /// Those whose name is one of these, or ends with a dot and one of these.
    Named(Vec<String>),
}

impl Targets {
    /// True if a layer of that name is meant; `usual` are the family's own.
    pub fn mean(&self, layer: &str, usual: &[&str]) -> bool {
        let is = |target: &str| {
            layer.strip_suffix(target).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        };
        match self {
            Self::Auto => usual.iter().any(|target| is(target)),
            Self::AllLinear => true,
            Self::Named(targets) => targets.iter().any(|target| is(target)),
        }
    }
}

impl fmt::Display for Targets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.pad("auto"),
            Self::AllLinear => f.pad("all-linear"),
            Self::Named(targets) => f.pad(&targets.join("+")),
        }
    }
}

impl FromStr for Targets {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        match text {
            "auto" => return Ok(Self::Auto),
            "all-linear" => return Ok(Self::AllLinear),
            _ => {}
        }
        let targets: Vec<String> = text.split(['+', ',', ' ']).map(str::to_owned).collect();
        if targets.iter().any(|target| target.is_empty() || !target.chars().all(plain)) {
            return Err("it takes auto, all-linear or names of layers, as query+value".into());
        }
        Ok(Self::Named(targets))
    }
}

as_text!(Targets);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_whole_parts_at_the_end_of_a_name() {
        let of = |text: &str, layer: &str| text.parse::<Targets>().unwrap().mean(layer, &["value"]);
        let query = "encoder.layer.0.attention.self.query";
        assert!(of("query+value", query) && of("self.query", query) && of("all-linear", query));
        assert!(!of("uery", query) && !of("key", query) && !of("auto", query));
        assert!(of("auto", "a.value") && of(query, query));
        for bad in ["", "query++value", "que\u{1b}ry", "a/b"] {
            assert!(bad.parse::<Targets>().is_err(), "{bad:?}");
        }
    }
}
