//! Which entities a tagger takes for which.

use crate::analysis::metrics::EntityConfusion;
use crate::cli::error::CliError;
use crate::cli::figures::count;
use crate::cli::table::{Cell, Table, Tone};
use crate::cli::verb::Context;

/// As a table: rows are the true types, columns the predicted ones.
pub fn show(found: &EntityConfusion, context: &mut Context) -> Result<(), CliError> {
    context.out.line(
        "\nEntities; rows are true, columns predicted, those with the same words or else with some",
    )?;
    let heads = found.types.iter().map(|kind| format!(">{kind}"));
    let heads: Vec<String> = std::iter::once("true \\ predicted".to_owned())
        .chain(heads)
        .chain([">missed".to_owned(), ">of other bounds".to_owned()])
        .collect();
    let mut table = Table::new(&heads.iter().map(String::as_str).collect::<Vec<_>>());
    let cell = |n: u64, is_right: bool| {
        let tone = match (is_right, n) {
            (true, _) => Tone::Good,
            (false, 0) => Tone::Faint,
            (false, _) => Tone::Bad,
        };
        Cell::toned(count(n), tone)
    };
    for (row, kind) in found.types.iter().enumerate() {
        let of = |counts: &[u64]| counts.get(row).copied().unwrap_or_default();
        let counts = found.counts.get(row).into_iter().flatten().enumerate();
        let cells = counts.map(|(column, n)| cell(*n, row == column));
        let rest = [cell(of(&found.missed), false), cell(of(&found.bounds), false)];
        table.row(std::iter::once(Cell::from(kind.as_str())).chain(cells).chain(rest));
    }
    let spurious = found.spurious.iter().map(|n| cell(*n, false));
    table.row(std::iter::once(Cell::from("spurious")).chain(spurious));
    context.out.table(&table)
}
