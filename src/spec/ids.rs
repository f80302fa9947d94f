use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::SpecError;

macro_rules! id {
    ($name:ident, $prefix:literal, $what:literal) => {
        #[doc = concat!("The number of a ", $what, ", shown as `", $prefix, "42`.")]
        #[derive(
            Debug,
            Clone,
            Copy,
            Default,
            PartialEq,
            Eq,
            PartialOrd,
            Ord,
            Hash,
            Serialize,
            Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(pub u32);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                // Through `pad`, so that a table's `{:<6}` works.
                f.pad(&format!(concat!($prefix, "{}"), self.0))
            }
        }

        impl FromStr for $name {
            type Err = SpecError;

            /// Accepts `42` and the prefixed form.
            fn from_str(text: &str) -> Result<Self, SpecError> {
                let digits = text.strip_prefix($prefix).unwrap_or(text);
                let all_digits = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
                match digits.parse() {
                    Ok(n) if all_digits => Ok(Self(n)),
                    _ => Err(SpecError::BadId {
                        text: text.to_owned(),
                        what: $what,
                        example: concat!($prefix, "42"),
                    }),
                }
            }
        }
    };
}

id!(RunId, "r", "run");
id!(SweepId, "s", "sweep");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_read_back_what_they_print() {
        assert_eq!("r42".parse::<RunId>().unwrap(), RunId(42));
        assert_eq!("42".parse::<RunId>().unwrap(), RunId(42));
        assert_eq!(format!("{:<5}|", SweepId(7)), "s7   |");
    }

    #[test]
    fn ids_refuse_anything_else() {
        for bad in ["", "r", "r-1", "s3", "r+1", "r99999999999", "runs/r1"] {
            assert!(bad.parse::<RunId>().is_err(), "{bad}");
        }
    }
}
