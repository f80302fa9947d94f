//! How far away the terminal is: the time until it answers, and what it takes in a second.

use std::io::{self, IsTerminal, Write};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use crossterm::terminal::{disable_raw_mode, enable_raw_mode, is_raw_mode_enabled};

/// A terminal that has not answered by then does not.
const PATIENCE: Duration = Duration::from_secs(2);
/// Round trips of which the shortest counts: the others waited for somebody.
const TRIES: usize = 3;
/// Bytes are sent in growing lots until one takes so long that the round trip no longer matters.
const LONG: Duration = Duration::from_millis(60);
const LOTS: [usize; 4] = [1 << 11, 1 << 13, 1 << 15, 1 << 17];
/// "Where is the cursor?" (DSR 6)
const ASK: &[u8] = b"\x1b[6n";
/// Changes nothing, and no terminal leaves it out.
const NOTHING: &[u8] = b"\x1b[0m";

/// What the terminal at the other end of standard input and output can do.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Link {
    /// From a question to its answer.
    pub round_trip: Duration,
    /// Bytes a second that it reads; of a fast one, what it took at least.
    pub bytes_per_s: f64,
}

impl Link {
    /// Asks the terminal where its cursor is, and then again behind lots of bytes that change nothing. Nobody else may
    /// read standard input meanwhile; keys that are pressed meanwhile are lost.
    ///
    /// # Errors
    /// No terminal at standard input or output, or one that says nothing within two seconds.
    pub fn measure() -> io::Result<Self> {
        if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
            return Err(io::Error::other("standard input and output are not a terminal"));
        }
        let was_raw = is_raw_mode_enabled()?;
        enable_raw_mode()?;
        let measured = Self::ask();
        if !was_raw {
            disable_raw_mode()?;
        }
        measured
    }

    fn ask() -> io::Result<Self> {
        let mut round_trip = PATIENCE;
        for _ in 0..TRIES {
            round_trip = round_trip.min(answered(0)?);
        }
        let mut bytes_per_s = 0.0;
        for lot in LOTS {
            let took = answered(lot)?;
            let alone = took.saturating_sub(round_trip).max(Duration::from_micros(50));
            bytes_per_s = f64::max(bytes_per_s, lot as f64 / alone.as_secs_f64());
            if alone > LONG {
                bytes_per_s = lot as f64 / alone.as_secs_f64();
                break;
            }
        }
        Ok(Self { round_trip, bytes_per_s })
    }

    /// `answers in 0.2 ms, takes 41 MB/s`.
    pub fn words(&self) -> String {
        let ms = self.round_trip.as_secs_f64() * 1e3;
        let digits = usize::from(ms < 10.0);
        let rate = super::figures::bytes(self.bytes_per_s);
        format!("answers in {ms:.digits$} ms, takes {rate}/s")
    }
}

/// Sends so many bytes that change nothing, asks, and waits for the answer's last byte.
fn answered(bytes: usize) -> io::Result<Duration> {
    let began = Instant::now();
    let mut out = io::stdout().lock();
    out.write_all(&NOTHING.repeat(bytes / NOTHING.len()))?;
    out.write_all(ASK)?;
    out.flush()?;
    let (end, input) = (began + PATIENCE, io::stdin().as_raw_fd());
    let mut byte = 0u8;
    while byte != b'R' {
        let left = end.saturating_duration_since(Instant::now()).as_millis() as libc::c_int;
        let mut asked = libc::pollfd { fd: input, events: libc::POLLIN, revents: 0 };
        // SAFETY: poll reads and writes the one entry that it is given; read writes the one byte that it is given.
        let got = unsafe {
            libc::poll(&raw mut asked, 1, left) == 1
                && libc::read(input, (&raw mut byte).cast(), 1) == 1
        };
        if !got {
            let words = format!("the terminal answered nothing within {PATIENCE:?}");
            return Err(io::Error::new(io::ErrorKind::TimedOut, words));
        }
    }
    Ok(began.elapsed())
}
