//! How long and how much a tokenizer may take to load.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

/// The largest tokenizers that are published have a tenth of this.
pub(super) const LARGEST: u64 = 256 << 20;
/// Time and bytes that building a tokenizer may take: its rules are a program of somebody else.
pub(super) const LIMITS: (Duration, u64) = (Duration::from_mins(2), 8 << 30);

/// Does `work` on a thread of its own, and leaves it alone once it has taken too long or too much: the
/// process that asked ends with the refusal, and the thread with it.
pub(super) fn within_limits<T: Send + 'static>(
    (time, bytes): (Duration, u64),
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, String> {
    let (send, done) = mpsc::channel();
    let thread = thread::Builder::new().name("tokenizer".into()).spawn(move || {
        let _ = send.send(work());
    });
    thread.map_err(|e| e.to_string())?;
    let (start, before) = (Instant::now(), resident());
    loop {
        match done.recv_timeout(Duration::from_millis(50)) {
            Ok(answer) => return Ok(answer),
            Err(RecvTimeoutError::Disconnected) => return Err("its rules are damaged".into()),
            Err(RecvTimeoutError::Timeout) if start.elapsed() > time => {
                return Err(format!("it takes longer than {} s to load", time.as_secs()));
            }
            Err(RecvTimeoutError::Timeout) if resident().saturating_sub(before) > bytes => {
                return Err(format!("it takes more than {} MiB to load", bytes >> 20));
            }
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
}

/// Bytes of memory that this process holds; 0 where nobody tells.
fn resident() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").ok();
    let pages = pages.and_then(|text| text.split(' ').nth(1)?.parse::<u64>().ok());
    pages.unwrap_or(0) * 4096
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_that_never_end_are_left_alone() {
        assert_eq!(within_limits(LIMITS, || 7), Ok(7));
        let short = (Duration::from_millis(200), u64::MAX);
        let why = within_limits(short, || thread::sleep(Duration::from_secs(30))).unwrap_err();
        assert!(why.contains("takes longer"), "{why}");
        let why = within_limits((Duration::from_mins(1), 64 << 20), || {
            let filled = vec![1_u8; 512 << 20];
            thread::sleep(Duration::from_secs(30));
            filled.len()
        });
        assert!(why.unwrap_err().contains("takes more than 64 MiB"));
    }
}
