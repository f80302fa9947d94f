//! How numbers are written: short, aligned, the same everywhere.

use chrono::{DateTime, Local, TimeDelta};

use crate::spec::metrics::{self, Unit};
use crate::store::Millis;

/// A span of time in at most five columns: `42s`, `3m05`, `2h14`, `3d4h`.
pub fn span(millis: Millis) -> String {
    let s = (millis.max(0) + 500) / 1000;
    match s {
        0..60 => format!("{s}s"),
        60..3600 => format!("{}m{:02}", s / 60, s % 60),
        3600..86_400 => format!("{}h{:02}", s / 3600, s % 3600 / 60),
        86_400..8_640_000 => format!("{}d{}h", s / 86_400, s % 86_400 / 3600),
        _ => format!("{}d", s / 86_400),
    }
}

/// A metric in at most seven columns, to four figures behind the point where they tell something.
pub fn metric(x: f64) -> String {
    let size = x.abs();
    if x.is_nan() {
        "nan".into()
    } else if x.is_infinite() {
        if x > 0.0 { "inf".into() } else { "-inf".into() }
    } else if x == 0.0 {
        "0".into()
    } else if size < 0.001 {
        format!("{x:.1e}")
    } else if size < 10.0 {
        format!("{x:.4}")
    } else if size < 1000.0 {
        format!("{x:.1}")
    } else {
        count(x)
    }
}

/// A figure's value, in its unit.
pub fn of(name: &str, x: f64) -> String {
    match metrics::unit(name) {
        Unit::Bytes if x.is_finite() => bytes(x),
        Unit::PerSecond if x.is_finite() => count(x),
        Unit::Share if x.is_finite() => format!("{:.1}%", x * 100.0),
        _ => metric(x),
    }
}

/// A key's value, or a range of values; a number that was drawn at random to four figures, since nobody reads
/// sixteen.
pub fn brief(value: &str) -> String {
    if let Some((low, high)) = value.split_once("..") {
        return format!("{}..{}", brief(low), brief(high));
    }
    match value.parse::<f64>() {
        Ok(x) if value.len() > 9 && x.is_finite() => {
            format!("{x:.3e}").parse().map_or_else(|_| value.to_owned(), crate::spec::short)
        }
        _ => value.to_owned(),
    }
}

/// A large number with three figures and a letter: `512`, `31.2k`, `22.7M`.
pub fn count(x: f64) -> String {
    for (unit, letter) in [(1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")] {
        if x.abs() >= unit * 0.9995 {
            let scaled = x / unit;
            return if scaled.abs() < 99.95 {
                format!("{scaled:.1}{letter}")
            } else {
                format!("{scaled:.0}{letter}")
            };
        }
    }
    format!("{x:.0}")
}

/// A whole number with thin groups of three: `100 000`.
pub fn whole(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() * 2);
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push('\u{2009}');
        }
        out.push(c);
    }
    // A thin space is as wide as a space in a terminal, but never breaks a word in two.
    out.replace('\u{2009}', " ")
}

/// Bytes: `512 MiB`, `2.1 GiB`.
pub fn bytes(n: f64) -> String {
    for (unit, name) in [(30, "GiB"), (20, "MiB"), (10, "KiB")] {
        let scaled = n / f64::from(1u32 << unit);
        if scaled >= 1.0 {
            return if scaled < 10.0 {
                format!("{scaled:.1} {name}")
            } else {
                format!("{scaled:.0} {name}")
            };
        }
    }
    format!("{n:.0} B")
}

/// Round numbers that divide `low..=high` into about `wanted` parts, as axis labels want them.
pub fn ticks(low: f64, high: f64, wanted: usize) -> Vec<f64> {
    let range = high - low;
    if !range.is_finite() || range <= 0.0 || wanted == 0 {
        return Vec::new();
    }
    let rough = range / wanted as f64;
    let power = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|m| m * power).into_iter().find(|s| *s >= rough * 0.999);
    let step = step.unwrap_or(power * 10.0);
    let first = (low / step - 1e-9).ceil() as i64;
    let last = (high / step + 1e-9).floor() as i64;
    (first..=last.min(first + 64)).map(|i| i as f64 * step).collect()
}

/// A tick's label with as many figures as its neighbours need.
pub fn tick(x: f64, step: f64) -> String {
    if x == 0.0 {
        return "0".into();
    }
    if x.abs() >= 10_000.0 {
        return count(x);
    }
    let places = (-step.abs().log10().floor()).clamp(0.0, 9.0) as usize;
    if x.abs() >= 1e-3 && places <= 4 {
        return format!("{x:.places$}");
    }
    // 1.2e-5 and 1.4e-5 are not both 1e-5; more than that has no room.
    let power = |x: f64| (x.abs().log10() + 1e-9).floor();
    let figures = usize::from(power(x) > power(step));
    format!("{x:.figures$e}")
}

/// Round numbers of 1, 2 and 5 on a logarithmic axis between two powers of ten, as powers of ten; decades only, where
/// there are many.
pub fn log_ticks(low: f64, high: f64, wanted: usize) -> Vec<f64> {
    if !(low.is_finite() && high.is_finite()) || high - low > 600.0 {
        return Vec::new();
    }
    let steps: &[f64] =
        if 3.0 * (high - low) <= 1.5 * wanted as f64 { &[1.0, 2.0, 5.0] } else { &[1.0] };
    let decades = low.floor() as i32..=high.ceil() as i32;
    let all = decades.flat_map(|power| steps.iter().map(move |s| f64::from(power) + s.log10()));
    all.filter(|x| (low - 1e-9..=high + 1e-9).contains(x)).collect()
}

/// A day as people say it: within the last six days by its name.
pub fn day(millis: Millis, now: DateTime<Local>) -> String {
    let Some(then) = DateTime::from_timestamp_millis(millis) else { return String::new() };
    let then = then.with_timezone(&now.timezone());
    let days = now.date_naive().signed_duration_since(then.date_naive());
    let pattern = match days {
        d if d == TimeDelta::zero() => "today %H:%M",
        d if d > TimeDelta::zero() && d < TimeDelta::days(7) => "%a",
        _ => "%-d %b %Y",
    };
    then.format(pattern).to_string()
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;

    use super::*;

    #[test]
    fn figures_are_short() {
        for (ms, want) in [
            (900, "1s"),
            (59_400, "59s"),
            (185_000, "3m05"),
            (8_040_000, "2h14"),
            (277_200_000, "3d5h"),
        ] {
            assert_eq!(span(ms), want);
        }
        for (x, want) in [
            (0.98764, "0.9876"),
            (f64::NAN, "nan"),
            (12.345, "12.3"),
            (0.00004, "4.0e-5"),
            (31234.0, "31.2k"),
            (999.96, "1.0k"),
        ] {
            assert!(metric(x) == want || count(x) == want, "{x} {} {}", metric(x), count(x));
        }
        for (value, want) in [
            ("2.6366508987303556e-5", "2.637e-5"),
            ("0.12345678901", "0.1235"),
            ("1.832980710832437e-5..3.79e-5", "1.833e-5..3.79e-5"),
            ("5e-5", "5e-5"),
            ("distilbert-base", "distilbert-base"),
        ] {
            assert_eq!(brief(value), want);
        }
        assert_eq!(whole(100_000), "100 000");
        assert_eq!(bytes(2.1 * 1024f64.powi(3)), "2.1 GiB");
    }

    #[test]
    fn ticks_are_round_and_inside() {
        assert_eq!(ticks(0.0, 1.0, 4), [0.0, 0.5, 1.0]);
        assert_eq!(ticks(0.13, 0.71, 3), [0.2, 0.4, 0.6000000000000001]);
        assert!(ticks(1.0, 1.0, 3).is_empty());
        assert!(ticks(f64::NAN, 1.0, 3).is_empty());
        assert_eq!(tick(0.25, 0.05), "0.25");
        assert_eq!(tick(20_000.0, 10_000.0), "20.0k");
        let rates: Vec<String> = ticks(1e-5, 2e-5, 5).iter().map(|x| tick(*x, 2e-6)).collect();
        assert_eq!(rates, ["1.0e-5", "1.2e-5", "1.4e-5", "1.6e-5", "1.8e-5", "2.0e-5"]);
        assert_eq!(tick(3e-5, 1e-5), "3e-5");
        let rates = log_ticks(-5.3, -3.9, 6);
        let rates: Vec<String> = rates.iter().map(|x| format!("{:.0e}", 10f64.powf(*x))).collect();
        assert_eq!(rates, ["1e-5", "2e-5", "5e-5", "1e-4"]);
        assert_eq!(log_ticks(-6.1, 0.1, 4), [-6.0, -5.0, -4.0, -3.0, -2.0, -1.0, 0.0]);
    }

    #[test]
    fn days_are_written_as_people_say_them() {
        let at = |day, hour| Local.with_ymd_and_hms(2026, 3, day, hour, 5, 0).unwrap();
        let say = |then: DateTime<Local>| super::day(then.timestamp_millis(), at(20, 18));
        assert_eq!(say(at(20, 9)), "today 09:05");
        assert_eq!(say(at(17, 9)), "Tue");
        assert_eq!(say(at(1, 9)), "1 Mar 2026");
    }
}
