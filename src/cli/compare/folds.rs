use serde_json::{Value, json};

use super::{ids, ids_of, tone};
use crate::analysis::compare::{Comparison, FoldContrast, FoldFigure};
use crate::analysis::metrics::Discordant;
use crate::cli::error::CliError;
use crate::cli::figures::{count, interval, value};
use crate::cli::table::{Cell, Table};
use crate::cli::verb::Context;
use crate::spec::{RunId, metrics};

/// The contract of `folds`.
pub(super) fn object(c: &FoldContrast) -> Value {
    let figure = |f: &FoldFigure| {
        json!({
            "metric": f.metric,
            "a": f.pooled[0],
            "b": f.pooled[1],
            "diff": f.over_folds.diff,
            "ci95": f.over_folds.ci95,
            "p": f.over_folds.p,
        })
    };
    json!({
        "a": ids_of(&c.a),
        "b": ids_of(&c.b),
        "n": c.n,
        "folds": c.folds,
        "of": c.of,
        "figures": c.figures.iter().map(figure).collect::<Vec<_>>(),
        "mcnemar_p": c.discordant.map(Discordant::p),
        "only_a_right": c.discordant.map(|d| d.first_right),
        "only_b_right": c.discordant.map(|d| d.second_right),
        "real": c.is_real(),
    })
}

/// The settings under cross-validation, and what was tested; nothing without any.
pub(super) fn table(comparison: &Comparison, context: &mut Context) -> Result<(), CliError> {
    if comparison.folds.is_empty() {
        return Ok(());
    }
    context.out.line(
        "\nIs it noise? Settings over the folds that both held out, b minus a, 95 % interval of the mean over folds",
    )?;
    let mut table = Table::new(&[
        "a",
        "b",
        "figure",
        ">a, all rows",
        ">b, all rows",
        ">difference",
        "interval",
        "badge",
    ]);
    for c in &comparison.folds {
        // Of classes the macro F1 as well; other tasks have many figures, of which --json has all.
        let shown = 1 + usize::from(c.figures.get(1).is_some_and(|f| f.metric == metrics::F1));
        for (nth, figure) in c.figures.iter().take(shown).enumerate() {
            let test = figure.over_folds;
            let badge = match nth {
                0 => Cell::toned(c.to_string(), tone(c.is_real(), test.diff)),
                _ => Cell::from(format!("p={:.4}", test.p)),
            };
            let of = |runs: &[RunId]| if nth == 0 { ids(runs) } else { String::new() };
            table.row([
                of(&c.a).into(),
                of(&c.b).into(),
                figure.metric.into(),
                value(figure.pooled[0]).into(),
                value(figure.pooled[1]).into(),
                format!("{:+.4}", test.diff).into(),
                interval(test.ci95).into(),
                badge,
            ]);
        }
    }
    context.out.table(&table)?;
    for (c, counts) in comparison.folds.iter().filter_map(|c| Some((c, c.discordant?))) {
        context.out.line(format!(
            "Of {} held-out rows {} alone are right on {}, {} alone on {}: McNemar p={:.4}, of these models.",
            count(c.n as u64),
            ids(&c.a),
            count(counts.first_right),
            ids(&c.b),
            count(counts.second_right),
            counts.p(),
        ))?;
    }
    context.out.line(
        "The test is the corrected resampled t-test over folds (Nadeau & Bengio 2003): folds share train rows.",
    )
}
