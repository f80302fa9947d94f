//! `tuneboard errors` for the tasks that learn no classes.

use std::collections::HashMap;

use serde_json::json;

use super::Args;
use crate::analysis::errors::texts;
use crate::analysis::export::{self, Format};
use crate::analysis::mistakes::{Mistake, mistakes};
use crate::board::Board;
use crate::cli::error::CliError;
use crate::cli::exit;
use crate::cli::figures::counted;
use crate::cli::sanitize::one_line;
use crate::cli::table::{Table, cut};
use crate::cli::verb::Context;
use crate::dataset::predictions::read_pass;
use crate::spec::Task;
use crate::store::Run;

/// The rows that one run gets most wrong.
pub fn run(
    args: &Args,
    board: &Board,
    run: &Run,
    split: &str,
    context: &mut Context,
) -> Result<u8, CliError> {
    let path = super::path_of(board, run, split, args.epoch)?;
    let pass = read_pass(&path, run.spec.task)?;
    let seen = run.facts.as_ref().map(|f| f.data_hash.as_str()).unwrap_or_default();
    let data = crate::dataset::load(&run.spec, board.root());
    let known = data.as_ref().map_or_else(|_| HashMap::new(), |data| texts(data, split, seen));
    let found = mistakes(&pass, &known);
    let notice = match &data {
        Err(e) => Some(format!("The texts cannot be shown: {e}")),
        Ok(_) if known.is_empty() => {
            Some(format!("The texts cannot be shown: {} has changed since.", run.spec.data))
        }
        Ok(_) => None,
    };
    if let Some(path) = &args.out {
        let format = Format::of_file(path).map_err(CliError::Usage)?;
        let frame = export::mistakes(&found).map_err(CliError::Internal)?;
        export::save(frame, format, path).map_err(CliError::Place)?;
        let rows = counted(found.len(), "row");
        context.out.line(format!("{rows} written to {}.", path.display()))?;
        return Ok(exit::OK);
    }
    let limit = if args.limit == 0 { found.len() } else { args.limit.min(found.len()) };
    let shown = found.get(..limit).unwrap_or(&found);
    if context.json {
        let errors = json!(shown);
        context.out.json(&json!({
            "split": split, "total": found.len(), "errors": errors, "notice": notice,
        }))?;
        return Ok(exit::OK);
    }
    let what = match run.spec.task {
        Task::Regress => "the largest errors first",
        Task::Multilabel => "rows with labels missed or added, the highest loss first",
        Task::Tag => "texts with entities missed or added, the highest loss first",
        Task::Classify | Task::Lm => "the highest loss first",
    };
    let rows = counted(pass.rows().len(), "row");
    context.out.line(format!("{}: {} of {rows} of {split}; {what}", run.id, found.len()))?;
    notice.map_or(Ok(()), |notice| context.out.aside(notice))?;
    if args.full {
        in_full(shown, context)?;
    } else {
        table(shown, run.spec.task, context)?;
    }
    if limit < found.len() {
        context.out.line(format!("The first {limit} of {}; --limit 0 shows all.", found.len()))?;
    }
    Ok(exit::OK)
}

fn table(shown: &[Mistake], task: Task, context: &mut Context) -> Result<(), CliError> {
    let mut table = match task {
        Task::Tag => Table::new(&[">row", ">loss", "~wrong", "~predicted"]),
        _ => Table::new(&[">row", ">loss", "~true", "~predicted", "~wrong", "~text"]),
    };
    for mistake in shown {
        let short = |text: &str, most| cut(&one_line(text), most);
        let head = [mistake.row.to_string(), format!("{:.3}", mistake.loss)];
        let wrong = short(&mistake.what.words(), 60);
        let rest = match task {
            Task::Tag => vec![wrong, short(&mistake.predicted, 100)],
            _ => vec![
                short(&mistake.truth, 30),
                short(&mistake.predicted, 30),
                wrong,
                short(mistake.text.as_deref().unwrap_or("–"), 60),
            ],
        };
        table.row(head.into_iter().chain(rest).map(crate::cli::table::Cell::from));
    }
    context.out.table(&table)
}

fn in_full(shown: &[Mistake], context: &mut Context) -> Result<(), CliError> {
    for mistake in shown {
        let (loss, what) = (mistake.loss, one_line(&mistake.what.words()));
        context.out.line(format!("\nrow {}, loss {loss:.3}: {what}", mistake.row))?;
        context.out.line(format!("  true       {}", one_line(&mistake.truth)))?;
        context.out.line(format!("  predicted  {}", one_line(&mistake.predicted)))?;
        if let Some(text) = &mistake.text {
            context.out.line(format!("  text       {}", one_line(text)))?;
        }
    }
    Ok(())
}
