//! The columns that `--columns` names.

use crate::board::{Board, disk};
use crate::cli::error::CliError;
use crate::cli::figures;
use crate::cli::table::{Cell, Table, Tone};
use crate::runner::Doubts;
use crate::spec::keys::{KEYS, ValueKind};
use crate::spec::metrics::{test, val};
use crate::spec::nearest;
use crate::store::Run;

/// A column of the list.
pub(super) enum Column {
    /// One of [`WORDS`].
    Word(&'static str),
    /// A key of the spec.
    Key(&'static str),
    /// The last value of a metric of the test rows, the best of any other.
    Metric(String),
}

/// The columns that are neither keys nor metrics.
const WORDS: [&str; 11] =
    ["id", "state", "name", "epoch", "time", "disk", "flags", "tags", "note", "created", "site"];

/// Reads the names.
///
/// # Errors
/// A name that is no column, with the nearest that is.
pub(super) fn parse(names: &str) -> Result<Vec<Column>, CliError> {
    let one = |name: &str| {
        if let Some(word) = WORDS.iter().find(|word| **word == name) {
            return Ok(Column::Word(word));
        }
        if let Some(key) = KEYS.iter().find(|key| key.name == name) {
            return Ok(Column::Key(key.name));
        }
        if name.contains('/') {
            return Ok(Column::Metric(name.to_owned()));
        }
        let known = WORDS.iter().copied().chain(KEYS.iter().map(|key| key.name));
        let known = known.chain([val::ACC, val::LOSS, val::F1, test::ACC]);
        let near = nearest(name, known).unwrap_or_else(|| "id".to_owned());
        Err(CliError::Usage(format!("`{name}` is no column; did you mean `{near}`?")))
    };
    names.split(',').map(str::trim).filter(|name| !name.is_empty()).map(one).collect()
}

/// The runs, in these columns.
pub(super) fn table(runs: &[Run], columns: &[Column], board: &Board, doubts: &Doubts) -> Table {
    let heads: Vec<String> = columns.iter().map(head).collect();
    let mut table = Table::new(&heads.iter().map(String::as_str).collect::<Vec<_>>());
    for run in runs {
        table.row(columns.iter().map(|column| cell(run, column, board, doubts)));
    }
    table
}

fn head(column: &Column) -> String {
    match column {
        Column::Word(word @ ("time" | "disk" | "epoch")) => format!(">{word}"),
        Column::Word("name") => "~name".to_owned(),
        Column::Word(word) => (*word).to_owned(),
        Column::Key(name) => {
            let key = KEYS.iter().find(|key| key.name == *name);
            let is_number =
                key.is_some_and(|k| matches!(k.kind, ValueKind::Int(..) | ValueKind::Float(..)));
            format!("{}{name}", if is_number { ">" } else { "" })
        }
        Column::Metric(name) => format!(">{name}"),
    }
}

fn cell(run: &Run, column: &Column, board: &Board, doubts: &Doubts) -> Cell {
    let words = match column {
        Column::Key(key) => run.spec.shown(key),
        Column::Metric(name) => {
            let from = if name.starts_with("test/") { &run.last } else { &run.best };
            let value = from.get(name).or_else(|| run.last.get(name));
            value.map_or_else(|| figures::NOTHING.to_owned(), |x| figures::of(name, *x))
        }
        Column::Word("id") => run.id.to_string(),
        Column::Word("state") => {
            let plain = |word| Cell::toned(word, Tone::Plain);
            return doubts.of(run).map_or_else(|| super::marked(run), plain);
        }
        Column::Word("name") => run.name.clone(),
        Column::Word("epoch") => super::progress(run),
        Column::Word("time") => super::elapsed(run),
        Column::Word("disk") => figures::bytes(disk::bytes_below(&board.run(run.id))),
        Column::Word("flags") => {
            run.flags.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
        }
        Column::Word("tags") => run.tags.join(" "),
        Column::Word("note") => run.note.clone(),
        Column::Word("created") => figures::local(run.created),
        Column::Word(_) => run.placement.as_ref().map_or_else(String::new, |at| at.site.clone()),
    };
    words.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_words_keys_and_metrics_or_corrected() {
        let heads: Vec<String> =
            parse("id, disk,lr,model,val/acc").unwrap().iter().map(head).collect();
        assert_eq!(heads, ["id", ">disk", ">lr", "model", ">val/acc"]);
        for (word, near) in [("disc", "disk"), ("batchsize", "batch_size"), ("flag", "flags")] {
            let Err(error) = parse(word) else { panic!("{word}") };
            assert!(error.to_string().contains(&format!("`{near}`")), "{error}");
        }
    }
}
