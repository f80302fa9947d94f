use crate::analysis::groups::Spread;
use crate::tui::figures;

/// `0.9713 ±0.0021`.
pub fn mean(spread: &Spread) -> String {
    match (spread.mean, spread.sd) {
        (Some(mean), Some(sd)) => format!("{} ±{sd:.4}", figures::metric(mean)),
        (Some(mean), None) => figures::metric(mean),
        (None, _) => "–".to_owned(),
    }
}
