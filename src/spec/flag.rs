use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::choice::choice;

choice! {
    /// What went wrong in a run that ended well all the same; the worst first. Their places are bits of a number
    /// in the database: new ones come last.
    Flag {
        /// The train loss is far above where it began.
        Diverged = "diverged",
        /// The val loss is no number.
        Nan = "nan",
        /// Every row is taken for one class, though there are more; of the val rows and of the test rows.
        OneClass = "one_class",
        /// Always saying the most frequent class would be right more often.
        BelowMajority = "below_majority",
    }
}

impl Flag {
    const ALL: [Self; 4] = [Self::Diverged, Self::Nan, Self::OneClass, Self::BelowMajority];

    /// What it says, for people.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Diverged => {
                "It diverged: its train loss is more than twice what it began with. Lower lr, or set warmup and clip."
            }
            Self::Nan => "Its val loss is no number. Lower lr, or set clip.",
            Self::OneClass => {
                "It takes every test row and every val row for one class: it learnt nothing that tells them apart."
            }
            Self::BelowMajority => {
                "It is right less often than model=majority, which always says the most frequent class."
            }
        }
    }

    /// Its bit.
    pub fn bit(self) -> i64 {
        1 << self as i64
    }

    /// Those whose bits are set; bits of a later tuneboard are passed over.
    pub fn of_bits(bits: i64) -> Vec<Self> {
        Self::ALL.into_iter().filter(|flag| bits & flag.bit() != 0).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_bits_read_back() {
        assert_eq!(Flag::WORDS.len(), Flag::ALL.len());
        for (flag, word) in Flag::ALL.into_iter().zip(Flag::WORDS) {
            assert_eq!((flag.to_string().as_str(), word.parse()), (*word, Ok(flag)));
            assert_eq!(Flag::of_bits(flag.bit() | 1 << 40), [flag]);
        }
        assert_eq!(Flag::ALL.map(Flag::bit), [1, 2, 4, 8], "they are stored");
    }
}
