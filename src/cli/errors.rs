mod others;

use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use serde_json::{Value, json};

use super::error::CliError;
use super::exit;
use super::figures::{NOTHING, counted};
use super::table::{Table, cut};
use super::verb::{self, Context, one};
use crate::analysis::compare::same_rows;
use crate::analysis::errors::{Case, Cell, cases, texts};
use crate::analysis::export::{self, Format};
use crate::board::Board;
use crate::dataset::predictions::{self, Predictions};
use crate::spec::{RunId, Task, or_one_of};
use crate::store::Run;

/// Show the texts that runs get wrong, the surest mistakes first
#[derive(Debug, clap::Args)]
#[command(after_help = "\
With several runs: the rows that all of them get wrong, which are often labels that are wrong. With
--right-in: the rows that those runs get right. All runs must have been tested on the same rows.

Examples:
  tuneboard errors r12                              its mistakes on the test rows
  tuneboard errors r12 --true spam --predicted ham  one cell of its confusion matrix
  tuneboard errors r12 r15 r16                      what none of them gets right
  tuneboard errors r12 --right-in r15               what r15 gets right and r12 wrong
  tuneboard errors r12 --full --limit 3             whole texts
  tuneboard errors s3 --out suspects.csv            for whoever labels the data")]
pub struct Args {
    /// Runs that are wrong, or a sweep as s3
    #[arg(value_name = "ID", required = true)]
    ids: Vec<String>,
    /// Only rows of this class
    #[arg(long = "true", value_name = "CLASS")]
    truth: Option<String>,
    /// Only rows predicted as this class
    #[arg(long, value_name = "CLASS")]
    predicted: Option<String>,
    /// A run that gets them right; may be given more than once
    #[arg(long, value_name = "ID")]
    right_in: Vec<String>,
    /// Which rows; test if they were predicted, else val
    #[arg(long, value_parser = PossibleValuesParser::new(["train", "val", "test"]))]
    split: Option<String>,
    /// The pass after that epoch; the last one if not given
    #[arg(long, value_name = "N")]
    epoch: Option<u32>,
    /// At most that many; 0 = all
    #[arg(long, value_name = "N", default_value_t = 20)]
    limit: usize,
    /// Whole texts instead of their first line's worth
    #[arg(long)]
    full: bool,
    /// Write all of them to a file instead: .csv, .jsonl, .md or .parquet
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// `tuneboard errors`.
pub fn run(args: Args, context: &mut Context) -> Result<u8, CliError> {
    let board = context.board()?;
    let reader = verb::reader(&board)?;
    let format = args.out.as_deref().map(|path| Format::of_file(path).map_err(CliError::Usage));
    let format = format.transpose()?;
    let wrong = verb::pick(&board, &reader, &args.ids)?;
    let right = args.right_in.iter().map(|id| one(&reader, id)).collect::<Result<Vec<_>, _>>()?;
    if let Some(both) = right.iter().find(|run| wrong.iter().any(|w| w.id == run.id)) {
        return Err(CliError::Usage(format!("{} cannot be both right and wrong.", both.id)));
    }
    let runs: Vec<&Run> = wrong.iter().chain(&right).collect();
    let split = split(args.split.as_deref(), &board, &runs);
    if let Some(run) = runs.iter().find(|run| run.spec.task != Task::Classify) {
        if runs.len() > 1 || args.truth.is_some() || args.predicted.is_some() {
            return Err(CliError::Usage(format!(
                "{} learnt task={}: its errors are shown of one run at a time, without --true and --predicted.",
                run.id, run.spec.task
            )));
        }
        return others::run(&args, &board, run, &split, context);
    }
    let passes = runs
        .iter()
        .map(|run| pass(&board, run, &split, args.epoch))
        .collect::<Result<Vec<_>, _>>()?;
    let Some((first, first_pass)) = runs.first().zip(passes.first()) else { return Ok(exit::OK) };
    for (run, pass) in runs.iter().zip(&passes).skip(1) {
        same_rows((first, first_pass), (run, pass)).map_err(CliError::Usage)?;
    }
    let class = |name: &Option<String>| {
        name.as_deref().map(|name| class(first.id, first_pass, name)).transpose()
    };
    let cell = Cell { truth: class(&args.truth)?, predicted: class(&args.predicted)? };

    let seen = first.facts.as_ref().map(|f| f.data_hash.as_str()).unwrap_or_default();
    let data = crate::dataset::load(&first.spec, board.root());
    let known = data.as_ref().map(|data| texts(data, &split, seen)).unwrap_or_default();
    let all: Vec<&Predictions> = passes.iter().collect();
    let (wrong_passes, right_passes) = all.split_at(wrong.len());
    let found = cases(wrong_passes, right_passes, cell, &known);
    let notice = match &data {
        Err(e) => Some(format!("The texts cannot be shown: {e}")),
        Ok(_) if known.is_empty() => {
            Some(format!("The texts cannot be shown: {} has changed since.", first.spec.data))
        }
        Ok(_) => None,
    };
    if let (Some(path), Some(format)) = (&args.out, format) {
        let ids: Vec<RunId> = runs.iter().map(|run| run.id).collect();
        let frame = export::cases(&found, &ids).map_err(CliError::Internal)?;
        export::save(frame, format, path).map_err(CliError::Place)?;
        notice.map_or(Ok(()), |notice| context.out.aside(notice))?;
        context.out.line(format!(
            "{} written to {}.",
            counted(found.len(), "row"),
            path.display()
        ))?;
        return Ok(exit::OK);
    }
    let limit = if args.limit == 0 { found.len() } else { args.limit.min(found.len()) };
    let shown = found.get(..limit).unwrap_or(&found);
    if context.json {
        let rows: Vec<Value> = shown.iter().map(|case| object(case, &runs)).collect();
        context.out.json(&json!({
            "split": split,
            "total": found.len(),
            "errors": rows,
            "notice": notice,
        }))?;
        return Ok(exit::OK);
    }
    head(&args, &split, found.len(), &wrong, &right, context)?;
    notice.map_or(Ok(()), |notice| context.out.aside(notice))?;
    if args.full {
        in_full(shown, &runs, context)?;
    } else {
        table(shown, &runs, context)?;
    }
    if limit < found.len() {
        context.out.line(format!("The first {limit} of {}; --limit 0 shows all.", found.len()))?;
    }
    Ok(exit::OK)
}

/// The split that is asked for, else the first of test and val that all runs have predictions of.
fn split(asked: Option<&str>, board: &Board, runs: &[&Run]) -> String {
    let has = |split: &str| {
        runs.iter().all(|run| predictions::latest(&board.predictions(run.id), split).is_some())
    };
    let known = asked.or_else(|| ["test", "val"].into_iter().find(|split| has(split)));
    known.unwrap_or("test").to_owned()
}

/// The saved predictions of one pass, or what there is instead.
pub fn pass(
    board: &Board,
    run: &Run,
    split: &str,
    epoch: Option<u32>,
) -> Result<Predictions, CliError> {
    if run.spec.task != Task::Classify {
        return Err(CliError::Usage(format!(
            "{} learnt task={}, which has no classes.",
            run.id, run.spec.task
        )));
    }
    Ok(predictions::read(&path_of(board, run, split, epoch)?)?)
}

/// The file of the saved predictions of one pass.
///
/// # Errors
/// There is none; the sentence says what there is instead.
pub fn path_of(
    board: &Board,
    run: &Run,
    split: &str,
    epoch: Option<u32>,
) -> Result<PathBuf, CliError> {
    let folder = board.predictions(run.id);
    let path = match epoch {
        Some(epoch) => Some(board.predictions_of(run.id, split, epoch)).filter(|p| p.is_file()),
        None => predictions::latest(&folder, split).map(|(_, path)| path),
    };
    let Some(path) = path else {
        let passes = predictions::passes(&folder);
        let there: Vec<String> = passes.iter().map(|(s, e, _)| format!("{s} {e}")).collect();
        let there = if there.is_empty() { "none at all".into() } else { there.join(", ") };
        let epoch = epoch.map(|e| format!(" after epoch {e}")).unwrap_or_default();
        return Err(CliError::Usage(format!(
            "{} has no saved predictions of the {split} rows{epoch}; it has {there}.",
            run.id
        )));
    };
    Ok(path)
}

/// The index of a class, or the one that may have been meant.
pub fn class(run: RunId, p: &Predictions, name: &str) -> Result<u32, CliError> {
    if let Some(at) = p.label_names.iter().position(|known| known == name) {
        return Ok(at as u32);
    }
    let names = p.label_names.iter().map(String::as_str);
    let hint = or_one_of(name, names, "it has");
    Err(CliError::Usage(format!("{run} has no class `{name}`{hint}")))
}

fn object(case: &Case<'_>, runs: &[&Run]) -> Value {
    let of = |(run, verdict): (&&Run, &crate::analysis::errors::Verdict<'_>)| {
        json!({
            "id": run.id.to_string(),
            "predicted": verdict.predicted,
            "probability": verdict.probability,
            "probability_of_label": verdict.probability_of_label,
            "loss": verdict.loss,
        })
    };
    let verdicts: Vec<Value> = runs.iter().zip(&case.verdicts).map(of).collect();
    let first = case.verdicts.first();
    json!({
        "row": case.row,
        "text": case.text,
        "label": case.label,
        "predicted": first.map(|v| v.predicted),
        "probability": first.map(|v| v.probability),
        "loss": first.map(|v| v.loss),
        "characters": case.characters,
        "words": case.words,
        "runs": verdicts,
    })
}

fn head(
    args: &Args,
    split: &str,
    total: usize,
    wrong: &[Run],
    right: &[Run],
    context: &mut Context,
) -> Result<(), CliError> {
    let list = |runs: &[Run]| -> String {
        runs.iter().map(|run| run.id.to_string()).collect::<Vec<_>>().join(", ")
    };
    let rows = counted(total, &format!("{split} row"));
    let (wrong, right) = (list(wrong), list(right));
    let mut words = match &args.predicted {
        Some(class) => format!("{rows} that {wrong} takes for {class}"),
        None if args.ids.len() > 1 || wrong.contains(',') => {
            format!("{rows} that {wrong} all get wrong")
        }
        None => format!("{rows} that {wrong} gets wrong"),
    };
    if let Some(class) = &args.truth {
        words.extend([", of class ", class]);
    }
    if !right.is_empty() {
        words.extend([", right in ", &right]);
    }
    context.out.line(format!("{words}; highest loss first"))
}

fn table(shown: &[Case<'_>], runs: &[&Run], context: &mut Context) -> Result<(), CliError> {
    let mut heads = vec![">row".to_owned(), "true".into()];
    for run in runs {
        // One run needs no name above its columns.
        let id = if runs.len() > 1 { format!("{} ", run.id) } else { String::new() };
        heads.extend([format!("{id}predicted"), format!(">{id}p"), format!(">{id}loss")]);
    }
    heads.extend([">chars".into(), "~text".into()]);
    let mut table = Table::new(&heads.iter().map(String::as_str).collect::<Vec<_>>());
    for case in shown {
        let mut cells = vec![case.row.to_string().into(), case.label.into()];
        for verdict in &case.verdicts {
            cells.push(verdict.predicted.into());
            cells.push(format!("{:.3}", verdict.probability).into());
            cells.push(format!("{:.3}", verdict.loss).into());
        }
        cells.push(case.characters.map_or_else(|| NOTHING.into(), |n| n.to_string()).into());
        cells.push(cut(&super::sanitize::one_line(case.text.unwrap_or(NOTHING)), 200).into());
        table.row(cells);
    }
    if shown.is_empty() { Ok(()) } else { context.out.table(&table) }
}

fn in_full(shown: &[Case<'_>], runs: &[&Run], context: &mut Context) -> Result<(), CliError> {
    for case in shown {
        let said = runs.iter().zip(&case.verdicts).map(|(run, v)| {
            format!("{}: {} p={:.3} loss={:.3}", run.id, v.predicted, v.probability, v.loss)
        });
        context.out.line(format!(
            "\nrow {}  {}  {}",
            case.row,
            case.label,
            said.collect::<Vec<_>>().join("  ")
        ))?;
        for line in case.text.unwrap_or(NOTHING).lines() {
            context.out.line(format!("  {line}"))?;
        }
    }
    Ok(())
}
