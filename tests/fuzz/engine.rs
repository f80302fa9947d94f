//! Fuzzing without a compiler of its own: inputs are made from a corpus by changes that break parsers, and
//! whatever a target does not survive is kept as a file and replayed by every later run.
//!
//! `FUZZ_SECONDS` says for how long each target is fuzzed (1 in the tests of every day), `FUZZ_SEED` where
//! its dice begin. A target is survived if it gives an answer or an error, panics at nothing, takes no
//! longer than [`LONGEST`] and no more memory than [`MOST`].

use std::fs;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// One input may take so long, on a machine that does other things as well.
const LONGEST: Duration = Duration::from_secs(20);
/// One input may raise the memory of the process by so many bytes; other tests of the process need some too.
const MOST: u64 = 4 << 30;
/// So many inputs are made of each target, however slow it is.
const LEAST: u64 = 200;
/// Inputs do not grow beyond this.
const SIZE: usize = 1 << 16;

/// Draws that are the same for the same seed (SplitMix64).
pub struct Dice(u64);

impl Dice {
    pub fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % n.max(1) as u64) as usize
    }
}

/// What parsers stumble over.
const ODD: [&str; 36] = [
    "",
    "0",
    "-1",
    "1e999",
    "-0.0",
    "18446744073709551615",
    "9223372036854775808",
    "4294967296",
    "NaN",
    "null",
    "true",
    "[]",
    "{}",
    "\"\"",
    "[[[[[[[[[[[[[[[[",
    "{\"a\":{\"a\":{\"a\":{\"a\":",
    "\n",
    "\r\n",
    "\0",
    "\u{feff}",
    "\u{202e}",
    "\u{200b}",
    "\u{1b}[2J",
    "\\u0000",
    "\\ud800",
    "\\",
    "\"",
    "'",
    "=",
    ">=",
    "(",
    ")",
    ":",
    ",",
    "../",
    "/dev/zero",
];

/// A new input from those there are.
pub fn mutate(corpus: &[Vec<u8>], words: &[&str], dice: &mut Dice) -> Vec<u8> {
    let mut bytes = corpus[dice.below(corpus.len())].clone();
    for _ in 0..=dice.below(4) {
        let at = dice.below(bytes.len() + 1);
        let end = (at + dice.below(1 + bytes.len() / 4)).min(bytes.len());
        match dice.below(9) {
            0 if at < bytes.len() => bytes[at] ^= 1 << dice.below(8),
            1 if at < bytes.len() => bytes[at] = dice.below(256) as u8,
            2 => drop(bytes.drain(at..end)),
            3 => {
                let piece = bytes[at..end].to_vec();
                bytes.splice(at..at, piece);
            }
            4 => {
                let other = &corpus[dice.below(corpus.len())];
                let from = dice.below(other.len() + 1);
                let to = (from + dice.below(1 + other.len() / 2)).min(other.len());
                bytes.splice(at..end, other[from..to].iter().copied());
            }
            5 => drop(bytes.splice(at..at, ODD[dice.below(ODD.len())].bytes())),
            6 if !words.is_empty() => {
                drop(bytes.splice(at..at, words[dice.below(words.len())].bytes()));
            }
            // A number becomes another one.
            7 => {
                let digit = |b: &u8| b.is_ascii_digit();
                if let Some(from) = bytes[at..].iter().position(digit).map(|n| at + n) {
                    let length = bytes[from..].iter().take_while(|b| digit(b)).count();
                    let odd = ODD[1 + dice.below(7)].bytes();
                    bytes.splice(from..from + length, odd);
                }
            }
            // Eight bytes become a length.
            _ if at + 8 <= bytes.len() => {
                let lengths =
                    [0, 1, 255, 1 << 16, 1 << 31, 1 << 32, 1 << 48, u64::MAX >> 1, u64::MAX];
                let length: u64 = lengths[dice.below(lengths.len())];
                bytes[at..at + 8].copy_from_slice(&length.to_le_bytes());
            }
            _ => {}
        }
    }
    bytes.truncate(SIZE.max(corpus.iter().map(Vec::len).max().unwrap_or(0)));
    bytes
}

fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|rest| rest.trim().split(' ').next()?.parse::<u64>().ok());
    kib.unwrap_or(0) << 10
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/fuzz").join(name)
}

fn variable(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

/// Replays what was kept, then makes new inputs until time is up. `seeds` are sound inputs, `words` what
/// the format is made of.
pub fn fuzz(name: &str, seeds: &[Vec<u8>], words: &[&str], mut target: impl FnMut(&[u8])) {
    let mut kept: Vec<PathBuf> =
        fs::read_dir(folder(name)).into_iter().flatten().flatten().map(|e| e.path()).collect();
    kept.sort();
    let mut corpus = seeds.to_vec();
    for path in &kept {
        let bytes = fs::read(path).unwrap();
        survive(&bytes, &mut target)
            .unwrap_or_else(|why| panic!("{name}, {}: {why}", path.display()));
        corpus.push(bytes);
    }
    for seed in seeds {
        survive(seed, &mut target).unwrap_or_else(|why| panic!("{name}, a sound input: {why}"));
    }
    let seed = variable("FUZZ_SEED", 42);
    let time = Duration::from_secs(variable("FUZZ_SECONDS", 1));
    let mut dice = Dice(seed);
    let (start, mut cases) = (Instant::now(), 0_u64);
    while start.elapsed() < time || cases < LEAST {
        let bytes = mutate(&corpus, words, &mut dice);
        if let Err(why) = survive(&bytes, &mut target) {
            let path = folder(name).join(format!("found-{seed}-{cases}"));
            fs::create_dir_all(folder(name)).unwrap();
            fs::write(&path, &bytes).unwrap();
            panic!("{name}: {why}; the input is kept as {}", path.display());
        }
        cases += 1;
        // What is new now and then is built upon.
        if cases.is_multiple_of(200) && corpus.len() < 200 {
            corpus.push(bytes);
        }
    }
    println!("fuzz {name}: {cases} cases in {:.0} s, {} kept ones", time.as_secs_f64(), kept.len());
}

fn survive(bytes: &[u8], target: &mut impl FnMut(&[u8])) -> Result<(), String> {
    let (before, start) = (peak(), Instant::now());
    let done = panic::catch_unwind(AssertUnwindSafe(|| target(bytes)));
    if done.is_err() {
        return Err("it panicked".to_owned());
    }
    if start.elapsed() > LONGEST {
        return Err(format!("it took {:.1} s", start.elapsed().as_secs_f64()));
    }
    let more = peak().saturating_sub(before);
    if more > MOST { Err(format!("it took {} MiB", more >> 20)) } else { Ok(()) }
}
