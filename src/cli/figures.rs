//! How numbers, times and curves are written for people.

use chrono::{DateTime, Local, SecondsFormat, Utc};

use crate::spec::metrics::{self, Unit};
use crate::spec::short;
use crate::store::Millis;

/// Stands for a missing value.
pub const NOTHING: &str = "-";

/// A point in time, where the reader lives.
pub fn local(time: Millis) -> String {
    match DateTime::<Utc>::from_timestamp_millis(time) {
        Some(t) => t.with_timezone(&Local).format("%Y-%m-%d %H:%M:%S").to_string(),
        None => NOTHING.to_owned(),
    }
}

/// A point in time for scripts: RFC 3339, UTC.
pub fn rfc3339(time: Millis) -> Option<String> {
    let time = DateTime::<Utc>::from_timestamp_millis(time)?;
    Some(time.to_rfc3339_opts(SecondsFormat::Millis, true))
}

/// A duration, in its two largest units.
pub fn duration(millis: Millis) -> String {
    let seconds = millis.max(0) / 1000;
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match () {
        () if minutes == 0 => format!("{seconds}s"),
        () if hours == 0 => format!("{minutes}m {:02}s", seconds % 60),
        () if days == 0 => format!("{hours}h {:02}m", minutes % 60),
        () => format!("{days}d {:02}h", hours % 24),
    }
}

/// A metric's value: four decimals, or powers of ten where those would say nothing.
pub fn value(x: f64) -> String {
    match x.abs() {
        _ if x.is_nan() => "NaN".to_owned(),
        size if size.is_infinite() => if x > 0.0 { "inf" } else { "-inf" }.to_owned(),
        0.0 => "0".to_owned(),
        size if size < 1e-3 => format!("{x:.2e}"),
        size if size < 100.0 => format!("{x:.4}"),
        size if size < 1e7 => format!("{x:.0}"),
        _ => format!("{x:.3e}"),
    }
}

/// A figure's value, in its unit.
pub fn of(metric: &str, x: f64) -> String {
    if metrics::unit(metric) == Unit::Bytes { bytes(x as u64) } else { value(x) }
}

/// A value that may not be there yet.
pub fn maybe(x: Option<f64>) -> String {
    x.map_or_else(|| NOTHING.to_owned(), value)
}

/// Bytes, in powers of 1024.
pub fn bytes(n: u64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut size = n as f64;
    let mut unit = 0;
    while size >= 1024.0 && unit + 1 < units.len() {
        size /= 1024.0;
        unit += 1;
    }
    let unit_name = units.get(unit).copied().unwrap_or("B");
    if unit == 0 { format!("{n} B") } else { format!("{size:.1} {unit_name}") }
}

/// A count with marks between the thousands: `33,360,770`.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut marked = String::with_capacity(digits.len() * 4 / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            marked.push(',');
        }
        marked.push(digit);
    }
    marked
}

/// `1 run`, `3 runs`.
pub fn counted(n: usize, what: &str) -> String {
    format!("{} {what}{}", count(n as u64), if n == 1 { "" } else { "s" })
}

/// A point within the epochs: `0.5`, `1.25`.
pub fn epoch(at: f64) -> String {
    short((at * 1000.0).round() / 1000.0)
}

/// Epochs done of epochs asked for: `2/3`, `1.4/3`.
pub fn epochs(done: f64, of: u32) -> String {
    if done.fract().abs() < 0.05 || !done.is_finite() {
        format!("{done:.0}/{of}")
    } else {
        // Rounded down: 2.98 is not 3 yet.
        format!("{:.1}/{of}", (done * 10.0).floor() / 10.0)
    }
}

/// A curve in one line; `!` stands for values that are no numbers.
pub fn sparkline(values: impl IntoIterator<Item = f64> + Clone, utf8: bool) -> String {
    let steps: &[char] = if utf8 {
        &['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█']
    } else {
        &['_', '.', '-', '~', '=', '+', '*', '#']
    };
    let finite = values.clone().into_iter().filter(|v| v.is_finite());
    let (low, high) =
        finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
    let top = (steps.len() - 1) as f64;
    let step = |v: f64| {
        let share = if high > low { (v - low) / (high - low) } else { 0.5 };
        steps.get((share * top).round() as usize).copied().unwrap_or('?')
    };
    values.into_iter().map(|v| if v.is_finite() { step(v) } else { '!' }).collect()
}

/// The ends of an interval of differences.
pub fn interval([low, high]: [f64; 2]) -> String {
    format!("{low:+.4} to {high:+.4}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_two_units() {
        for (millis, text) in [
            (-5, "0s"),
            (59_999, "59s"),
            (60_000, "1m 00s"),
            (3_725_000, "1h 02m"),
            (90_000_000, "1d 01h"),
        ] {
            assert_eq!(duration(millis), text);
        }
    }

    #[test]
    fn values_keep_what_matters() {
        for (x, text) in [
            (0.991_07, "0.9911"),
            (5e-5, "5.00e-5"),
            (0.0, "0"),
            (1234.56, "1235"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-inf"),
            (1e12, "1.000e12"),
        ] {
            assert_eq!(value(x), text);
        }
        assert_eq!(bytes(1023), "1023 B");
        assert_eq!(bytes(90_900_480), "86.7 MiB");
        assert_eq!(count(33_360_770), "33,360,770");
        assert_eq!(count(999), "999");
    }

    #[test]
    fn an_epoch_that_is_not_over_does_not_count() {
        assert_eq!(epochs(3.0, 3), "3/3");
        assert_eq!(epochs(2.99, 3), "2.9/3");
        assert_eq!(epochs(0.0, 3), "0/3");
    }

    #[test]
    fn sparklines_show_the_shape() {
        assert_eq!(sparkline([3.0, 2.0, f64::NAN, 1.0], true), "█▅!▁");
        assert_eq!(sparkline([3.0, 2.0, 1.0], false), "#=_");
        assert_eq!(sparkline([1.0], false), "=");
        assert_eq!(sparkline([], false), "");
    }

    #[test]
    fn scripts_get_utc() {
        assert_eq!(rfc3339(1_700_000_000_123).as_deref(), Some("2023-11-14T22:13:20.123Z"));
        assert_eq!(rfc3339(i64::MAX), None);
    }
}
