use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::text::as_text;
use super::{columns, nearest, printable, short};

/// The weight of each class in the loss.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum ClassWeights {
    /// All equal.
    #[default]
    None,
    /// For classes and tags `rows / (classes * rows of the class)`, as scikit-learn's `balanced`; for labels of
    /// `task=multilabel` the weight of the rows that have it: `rows without it / rows with it`.
    Balanced,
    /// By name; classes that are not named weigh 1.
    Given(Vec<(String, f64)>),
}

impl ClassWeights {
    /// Its words; names with weights are the other form.
    pub const WORDS: &'static [&'static str] = &["none", "balanced"];

    /// The first name that is none of `names`, with the nearest that is: the end of a sentence.
    pub fn unknown(&self, names: &[String]) -> Option<String> {
        let Self::Given(given) = self else { return None };
        let (name, _) = given.iter().find(|(name, _)| !names.contains(name))?;
        let shown = printable(name, 40);
        if let Some(near) = nearest(name, names.iter().map(String::as_str)) {
            return Some(format!("`{shown}`; did you mean `{}`?", printable(&near, 40)));
        }
        let all = names.iter().take(8).map(|n| printable(n, 40)).collect::<Vec<_>>().join(", ");
        Some(format!("`{shown}`; there are {all}"))
    }

    /// The weight of each of `names`, of which there are so many among `rows`; `None` where all count alike. A
    /// class without a row weighs 0 where the rows decide.
    pub fn of_classes(&self, names: &[String], counts: &[u64], rows: u64) -> Option<Vec<f32>> {
        let classes = counts.len() as f64;
        let balanced = |n: &u64| {
            if *n == 0 { 0.0 } else { (rows as f64 / (classes * *n as f64)) as f32 }
        };
        self.of(names, counts, balanced)
    }

    /// The weight of the rows that have each of the labels `names`; see [`Self::of_classes`].
    pub fn of_labels(&self, names: &[String], counts: &[u64], rows: u64) -> Option<Vec<f32>> {
        let balanced = |n: &u64| if *n == 0 { 1.0 } else { ((rows - n) as f64 / *n as f64) as f32 };
        self.of(names, counts, balanced)
    }

    fn of(
        &self,
        names: &[String],
        counts: &[u64],
        balanced: impl Fn(&u64) -> f32,
    ) -> Option<Vec<f32>> {
        match self {
            Self::None => None,
            Self::Balanced => Some(counts.iter().map(balanced).collect()),
            Self::Given(given) => {
                let weight = |name: &String| given.iter().find(|(of, _)| of == name);
                Some(
                    names.iter().map(|name| weight(name).map_or(1.0, |(_, x)| *x as f32)).collect(),
                )
            }
        }
    }
}

impl fmt::Display for ClassWeights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.pad("none"),
            Self::Balanced => f.pad("balanced"),
            Self::Given(given) => {
                let pair = |(name, x): &(String, f64)| {
                    format!("{}:{}", name.replace(',', "\\,"), short(*x))
                };
                f.pad(&given.iter().map(pair).collect::<Vec<_>>().join(","))
            }
        }
    }
}

impl FromStr for ClassWeights {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const EXPECTED: &str = "it takes none, balanced, or weights as in spam:2,ham:1";
        match text {
            "none" | "" => return Ok(Self::None),
            "balanced" => return Ok(Self::Balanced),
            _ => {}
        }
        let mut given: Vec<(String, f64)> = Vec::new();
        for part in columns(text) {
            let (name, weight) = part.rsplit_once(':').ok_or(EXPECTED)?;
            let weight: f64 = weight.trim().parse().map_err(|_| EXPECTED)?;
            let name = name.trim().to_owned();
            if !(0.0..=1e6).contains(&weight) {
                return Err("a weight is a number from 0 to 1e6".into());
            }
            if name.is_empty() || name.chars().any(char::is_control) {
                return Err(EXPECTED.into());
            }
            if given.iter().any(|(known, _)| *known == name) {
                return Err(format!("`{name}` is listed twice"));
            }
            given.push((name, weight));
        }
        if given.iter().all(|(_, weight)| *weight == 0.0) {
            return Err("some weight must be above 0".into());
        }
        Ok(Self::Given(given))
    }
}

as_text!(ClassWeights);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_words_or_names() {
        for text in ["none", "balanced", "spam:2,ham:0.5", "a\\,b:3", "x:y:2"] {
            assert_eq!(text.parse::<ClassWeights>().unwrap().to_string(), text);
        }
        for text in ["both", "spam", "spam:x", "spam:-1", "spam:1,spam:2", ":1", "a:0"] {
            assert!(text.parse::<ClassWeights>().is_err(), "{text}");
        }
        let names = ["ham", "spam"].map(str::to_owned);
        let given: ClassWeights = "spam:2".parse().unwrap();
        assert_eq!(given.of_classes(&names, &[3, 1], 4), Some(vec![1.0, 2.0]));
        assert_eq!(given.unknown(&names), None);
        let odd: ClassWeights = "spma:2".parse().unwrap();
        assert_eq!(odd.unknown(&names).unwrap(), "`spma`; did you mean `spam`?");
        assert_eq!(
            ClassWeights::Balanced.of_classes(&names, &[3, 1], 4),
            Some(vec![2.0 / 3.0, 2.0])
        );
        assert_eq!(
            ClassWeights::Balanced.of_labels(&names, &[3, 1], 4),
            Some(vec![1.0 / 3.0, 3.0])
        );
        assert_eq!(ClassWeights::None.of_classes(&names, &[3, 1], 4), None);
    }
}
