//! Which entities a tagger takes for which.

use crate::analysis::metrics::EntityConfusion;
use crate::board::Board;
use crate::cli::error::CliError;
use crate::cli::errors;
use crate::cli::figures::count;
use crate::cli::table::{Cell, Table, Tone};
use crate::cli::verb::Context;
use crate::dataset::predictions::{Pass, Tags, read_pass};
use crate::events::Split;
use crate::spec::Task;
use crate::store::Run;

/// Those of passes, each of a run, a split and an epoch; `None` unless all are of taggers whose predictions are kept.
pub fn of_passes<'a>(
    board: &Board,
    passes: impl IntoIterator<Item = (&'a Run, Split, u32)>,
) -> Option<EntityConfusion> {
    let read = |(run, split, epoch): (&Run, Split, u32)| -> Option<Tags> {
        (run.spec.task == Task::Tag).then_some(())?;
        let path = errors::path_of(board, run, &split.to_string(), Some(epoch)).ok()?;
        match read_pass(&path, Task::Tag).ok()? {
            Pass::Tags(tags) => Some(tags),
            _ => None,
        }
    };
    let passes: Vec<Tags> = passes.into_iter().map(read).collect::<Option<_>>()?;
    Some(EntityConfusion::of_passes(&passes))
}

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
