use super::{Form, Row};
use crate::spec::SWEEP_KEYS;
use crate::spec::keys::{KEYS, ValueKind};

impl Form {
    /// Steps through the values of a line: words go round, numbers of a scale halve or double, others
    /// count.
    pub fn step(&mut self, row: Row, up: bool) {
        if let Row::Sweep(i) = row {
            let words: Vec<&str> = match SWEEP_KEYS.get(i).map_or("", |key| key.name) {
                "search" => vec!["", "grid", "random", "tpe"],
                "prune" => vec!["", "asha", "median"],
                "confirm" => vec!["", "2", "3", "5"],
                _ => return,
            };
            if let Some(next) = round(&words, self.text(row), up).map(str::to_owned) {
                self.set(row, &next);
            }
            return;
        }
        let Row::Key(i) = row else { return };
        let Some(key) = KEYS.get(i) else { return };
        let now = self.text(row).to_owned();
        let next = match key.kind {
            ValueKind::Choice(words) | ValueKind::Weights(words) => {
                round(words, &now, up).map(str::to_owned)
            }
            ValueKind::Flag => round(&["false", "true"], &now, up).map(str::to_owned),
            ValueKind::Float(low, high) => now.parse::<f64>().ok().map(|x| {
                let next = if up { x * 2.0 } else { x / 2.0 };
                crate::spec::short(next.clamp(low, high))
            }),
            ValueKind::Int(low, high) => now.parse::<u64>().ok().map(|n| {
                let next = match (n.is_power_of_two() && n >= 16, up) {
                    (true, true) => n.saturating_mul(2),
                    (true, false) => n / 2,
                    (false, true) => n.saturating_add(1),
                    (false, false) => n.saturating_sub(1),
                };
                next.clamp(low, high).to_string()
            }),
            ValueKind::Text | ValueKind::Path | ValueKind::Split | ValueKind::Columns => None,
        };
        if let Some(next) = next {
            self.set(row, &next);
        }
    }
}

/// The word behind, or before, the present one; round and round.
pub fn round<'a>(words: &[&'a str], now: &str, up: bool) -> Option<&'a str> {
    let at = words.iter().position(|w| *w == now)?;
    let to = if up { at + 1 } else { at + words.len() - 1 };
    words.get(to % words.len()).copied()
}
