use std::fmt;

use sha1::Sha1;
use sha2::{Digest, Sha256};

use crate::spec::hex;

/// A checksum that a hub gives for a file, in lower-case hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sum {
    /// Of the contents: large files.
    Sha256(String),
    /// Git's, SHA-1 of `blob LENGTH\0` and the contents: small files.
    Git(String),
}

impl Sum {
    /// By the number of digits; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        match text.len() {
            64 if digits => Some(Self::Sha256(text.to_owned())),
            40 if digits => Some(Self::Git(text.to_owned())),
            _ => None,
        }
    }

    /// Starts to add up a file of that length.
    pub(super) fn start(&self, length: u64) -> Adder {
        match self {
            Self::Sha256(_) => Adder::Sha256(Sha256::new()),
            Self::Git(_) => Adder::Git(Sha1::new_with_prefix(format!("blob {length}\0"))),
        }
    }
}

impl fmt::Display for Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sha256(digits) | Self::Git(digits) => f.write_str(digits),
        }
    }
}

/// A sum in the making.
pub(super) enum Adder {
    Sha256(Sha256),
    Git(Sha1),
}

impl Adder {
    pub fn add(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(sum) => sum.update(bytes),
            Self::Git(sum) => sum.update(bytes),
        }
    }

    pub fn finish(self) -> Sum {
        match self {
            Self::Sha256(sum) => Sum::Sha256(hex(&sum.finalize())),
            Self::Git(sum) => Sum::Git(hex(&sum.finalize())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_those_of_git_and_sha256sum() {
        // printf 'hello\n' | git hash-object --stdin; printf 'hello\n' | sha256sum
        for digits in [
            "ce013625030ba8dba906f756967f9e9ca394464a",
            "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03",
        ] {
            let sum = Sum::parse(digits).unwrap();
            let mut adder = sum.start(6);
            adder.add(b"hel");
            adder.add(b"lo\n");
            assert_eq!(adder.finish(), sum);
        }
        for odd in ["", "ce01", "CE013625030BA8DBA906F756967F9E9CA394464A", &"../".repeat(20)] {
            assert_eq!(Sum::parse(odd), None);
        }
    }
}
