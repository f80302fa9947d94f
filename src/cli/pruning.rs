//! What pruning made of a sweep, or would have: told by `sweep --replay`, `show s3` and `--wait`.

use serde_json::{Value, json};

use super::figures::{self, counted};
use crate::analysis::sweeps::Pruning;
use crate::spec::RunId;

/// What pruning saved, or would have.
pub fn sentence(pruning: &Pruning) -> String {
    let rule =
        format!("eta={}, from epoch {} on", pruning.rule.eta, figures::epoch(pruning.rule.grace));
    let share = |x: f64| format!("{:.0} %", x * 100.0);
    if pruning.is_pruned {
        return format!(
            "Pruning ({rule}) stopped {} of {}; {} of their schedules was not walked.",
            pruning.cut.len(),
            counted(pruning.runs, "run"),
            share(pruning.saved)
        );
    }
    if pruning.runs == 0 {
        return "No run has evaluations within its schedule, so there is nothing to prune by."
            .into();
    }
    let lost = match (pruning.best, pruning.kept) {
        (Some((best, _)), Some((kept, _))) if best == kept => {
            format!("{best}, the best, would have been kept")
        }
        (Some((best, x)), Some((kept, y))) => format!(
            "{best}, the best with {}, would have been lost to {kept} with {}",
            figures::value(x),
            figures::value(y)
        ),
        _ => "no run has come to its end yet".into(),
    };
    format!(
        "Pruning ({rule}) would have stopped {} of {} and saved {} of their schedules; {lost}.",
        pruning.cut.len(),
        counted(pruning.runs, "run"),
        share(pruning.saved)
    )
}

/// The same as JSON.
pub fn object(pruning: &Pruning) -> Value {
    let of = |run: Option<(RunId, f64)>| run.map(|(id, _)| id.to_string());
    let cut = |(run, rung, share): &(RunId, u32, f64)| json!({ "run": run.to_string(), "rung": rung, "share": share });
    json!({
        "pruned": pruning.is_pruned,
        "eta": pruning.rule.eta,
        "grace": pruning.rule.grace,
        "runs": pruning.runs,
        "cut": pruning.cut.iter().map(cut).collect::<Vec<_>>(),
        "saved": pruning.saved,
        "best": of(pruning.best),
        "best_kept": of(pruning.kept),
    })
}
