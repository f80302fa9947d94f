//! The columns that `--columns` names.

use crate::board::{Board, disk};
use crate::cli::error::CliError;
use crate::cli::figures;
use crate::cli::table::{Cell, Table, Tone};
use crate::runner::Doubts;
use crate::spec::ListColumn;
use crate::spec::keys::{KEYS, ValueKind};
use crate::store::Run;

/// Reads the names.
///
/// # Errors
/// A name that is no column, with the nearest that is.
pub(super) fn parse(names: &str) -> Result<Vec<ListColumn>, CliError> {
    let names = names.split(',').map(str::trim).filter(|name| !name.is_empty());
    names.map(|name| ListColumn::read(name).map_err(CliError::Usage)).collect()
}

/// The runs, in these columns; `utf8` if the terminal shows it.
pub(super) fn table(
    runs: &[Run],
    columns: &[ListColumn],
    board: &Board,
    doubts: &Doubts,
    utf8: bool,
) -> Table {
    let heads: Vec<String> = columns.iter().map(head).collect();
    let mut table = Table::new(&heads.iter().map(String::as_str).collect::<Vec<_>>());
    for run in runs {
        table.row(columns.iter().map(|column| match column {
            ListColumn::State => {
                let plain = |word| Cell::toned(word, Tone::Plain);
                doubts.of(run).map_or_else(|| super::marked(run), plain)
            }
            ListColumn::Curve => {
                figures::sparkline(run.spark.iter().map(|x| f64::from(*x)), utf8).into()
            }
            column => words(run, column, board).into(),
        }));
    }
    table
}

fn head(column: &ListColumn) -> String {
    let right = match column {
        ListColumn::Time
        | ListColumn::Disk
        | ListColumn::Epoch
        | ListColumn::Speed
        | ListColumn::Best(_)
        | ListColumn::Last(_) => true,
        ListColumn::Name => return "~name".to_owned(),
        ListColumn::Key(name) => {
            let key = KEYS.iter().find(|key| key.name == *name);
            key.is_some_and(|k| matches!(k.kind, ValueKind::Int(..) | ValueKind::Float(..)))
        }
        _ => false,
    };
    format!("{}{column}", if right { ">" } else { "" })
}

fn words(run: &Run, column: &ListColumn, board: &Board) -> String {
    match column {
        ListColumn::Key(key) => run.spec.shown(key),
        ListColumn::Best(_) | ListColumn::Last(_) | ListColumn::Speed => {
            let Some((name, best)) = column.metric() else { return String::new() };
            let from = if best { &run.best } else { &run.last };
            let value = from.get(name).or_else(|| run.last.get(name));
            value.map_or_else(|| figures::NOTHING.to_owned(), |x| figures::of(name, *x))
        }
        ListColumn::Id => run.id.to_string(),
        ListColumn::Name => run.name.clone(),
        ListColumn::Epoch => super::progress(run),
        ListColumn::Time => super::elapsed(run),
        ListColumn::Disk => figures::bytes(disk::bytes_below(&board.run(run.id))),
        ListColumn::Flags => {
            run.flags.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
        }
        ListColumn::Tags => run.tags.join(" "),
        ListColumn::Note => run.note.clone(),
        ListColumn::Created => figures::local(run.created),
        ListColumn::Site => run.placement.as_ref().map_or_else(String::new, |at| at.site.clone()),
        // Drawn by the table itself.
        ListColumn::State | ListColumn::Curve => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_at_the_right_under_the_names_that_were_given() {
        let heads: Vec<String> =
            parse("id, disk,lr,model,val/acc,last:val/acc").unwrap().iter().map(head).collect();
        assert_eq!(heads, ["id", ">disk", ">lr", "model", ">val/acc", ">last:val/acc"]);
        assert!(parse("disc").unwrap_err().to_string().contains("`disk`"));
    }
}
