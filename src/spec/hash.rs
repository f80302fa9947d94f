use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use super::RunSpec;
use super::keys::KEYS;

/// Keys that came after runs were queued: at their default they leave no trace in the hash, so that those
/// runs keep theirs.
const LATER: [&str; 2] = ["stateful", "layer_norm"];

impl RunSpec {
    /// Identifies what decides the result: the first 16 hex digits of SHA-256 over the sorted
    /// `key=value` lines. `device`, `threads` and `site` are left out: the same experiment on another
    /// machine is the same experiment. So are the keys that the model does not obey.
    pub fn hash(&self) -> String {
        let usual = Self::default();
        let mut lines: Vec<String> = KEYS
            .iter()
            .filter(|k| k.decides && self.obeys(k.name))
            .filter(|k| !LATER.contains(&k.name) || (k.get)(self) != (k.get)(&usual))
            .map(|k| format!("{}={}\n", k.name, self.get(k.name).unwrap_or_default()))
            .collect();
        lines.sort();
        let digest = Sha256::digest(lines.concat().as_bytes());
        digest.iter().take(8).fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        })
    }
}
