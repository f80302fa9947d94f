use std::fmt;
use std::str::FromStr;

use chrono::{Local, NaiveDate, NaiveTime, TimeZone};

/// A point in time as people write it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// That many seconds ago: `90m`, `7d`.
    Ago(i64),
    /// The start of a day where the reader lives: `2026-01-05`.
    Day(NaiveDate),
}

/// Longest first, so that a stretch is written in the unit that fits.
const UNITS: [(char, i64); 5] =
    [('w', 7 * 86_400), ('d', 86_400), ('h', 3600), ('m', 60), ('s', 1)];

impl When {
    /// In milliseconds since the Unix epoch; `now` is too.
    pub fn at(self, now: i64) -> i64 {
        match self {
            Self::Ago(seconds) => now.saturating_sub(seconds.saturating_mul(1000)),
            Self::Day(day) => {
                let start = day.and_time(NaiveTime::MIN);
                // A day that begins within a change of the clocks begins at the earlier of the two.
                let start = Local.from_local_datetime(&start).earliest();
                start.map_or(0, |t| t.timestamp_millis())
            }
        }
    }
}

/// Seconds of `90s`, `5m`, `2h`, `7d`, `3w`.
pub(super) fn seconds(text: &str) -> Option<i64> {
    let unit = text.chars().next_back()?;
    let (_, length) = UNITS.iter().find(|(letter, _)| *letter == unit)?;
    let count: i64 = text.strip_suffix(unit)?.parse().ok().filter(|n| *n >= 0)?;
    count.checked_mul(*length)
}

/// The stretch in its largest whole unit.
pub(super) fn stretch(seconds: i64) -> String {
    let whole = UNITS.iter().find(|(_, length)| seconds != 0 && seconds % length == 0);
    let (unit, length) = whole.copied().unwrap_or(('s', 1));
    format!("{}{unit}", seconds / length)
}

impl FromStr for When {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        if let Some(seconds) = seconds(text) {
            return Ok(Self::Ago(seconds));
        }
        NaiveDate::parse_from_str(text, "%Y-%m-%d").map(Self::Day).map_err(|_| ())
    }
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ago(seconds) => f.write_str(&stretch(*seconds)),
            Self::Day(day) => write!(f, "{}", day.format("%Y-%m-%d")),
        }
    }
}
