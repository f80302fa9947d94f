use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::tui::figures::bytes;
use crate::tui::link::Link;

/// Bytes a second are counted over this time.
const SPAN: Duration = Duration::from_secs(5);

/// How fast frames are.
#[derive(Debug, Default)]
pub struct Pace {
    link: String,
    frames: VecDeque<(Instant, u64)>,
    last: Duration,
}

impl Pace {
    /// Takes in a frame of so many bytes.
    pub fn drawn(&mut self, began: Instant, sent: u64) {
        let now = Instant::now();
        self.frames.retain(|(at, _)| now.duration_since(*at) < SPAN);
        if sent > 0 {
            self.frames.push_back((now, sent));
            self.last = now.duration_since(began);
        }
    }

    /// Finds out how far away the terminal is; nobody else may read it meanwhile.
    pub fn measure(&mut self) {
        self.link = Link::measure().map_or_else(|error| error.to_string(), |link| link.words());
    }

    /// Of the terminal, and of the frames until now.
    pub fn words(&self) -> String {
        let sum: u64 = self.frames.iter().map(|(_, sent)| sent).sum();
        let last = self.frames.back().map_or(0, |(_, sent)| *sent);
        let rate = bytes(sum as f64 / SPAN.as_secs_f64());
        let ms = self.last.as_secs_f64() * 1e3;
        format!("{} · frame {} in {ms:.1} ms · {rate}/s", self.link, bytes(last as f64))
    }
}
