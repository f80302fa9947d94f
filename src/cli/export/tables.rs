//! `tuneboard export runs|curves|confusion|predictions`.

use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use polars::prelude::DataFrame;
use serde_json::{Value, json};

use super::pictures;
use crate::analysis::export::{self, Format, Picture};
use crate::board::Board;
use crate::cli::error::CliError;
use crate::cli::figures::counted;
use crate::cli::verb::{self, Context};
use crate::cli::{errors, exit};
use crate::dataset::predictions::read_pass;
use crate::events::Split;
use crate::spec::{Task, or_one_of};
use crate::store::{Listing, Reader, Run};

/// Options of tables.
#[derive(Debug, clap::Args)]
#[group(id = "table")]
pub struct Args {
    /// How it is written; as the file's name says, else csv. Pictures (svg, png) are of curves and confusion
    #[arg(
        long,
        value_parser = PossibleValuesParser::new(Format::WORDS.into_iter().chain(Picture::WORDS)),
        conflicts_with = "to"
    )]
    format: Option<String>,
    /// A file, instead of standard output
    #[arg(long, value_name = "FILE", conflicts_with = "to")]
    pub out: Option<PathBuf>,
    /// Which rows, of confusion and predictions; test if not given
    #[arg(
        long,
        value_parser = PossibleValuesParser::new(["train", "val", "test"]),
        conflicts_with = "to"
    )]
    split: Option<String>,
    /// The pass after that epoch, of confusion and predictions; the last one if not given
    #[arg(long, value_name = "N", conflicts_with = "to")]
    epoch: Option<u32>,
    /// Only this metric, of curves
    #[arg(long, value_name = "NAME", conflicts_with = "to")]
    metric: Option<String>,
    /// For spreadsheets: put ' before texts that begin like a formula (= + - @)
    #[arg(long, conflicts_with = "to")]
    no_formulas: bool,
}

const WHAT: [&str; 4] = ["runs", "curves", "confusion", "predictions"];

/// Writes one table.
pub fn run(
    board: &Board,
    what: &str,
    ids: &[String],
    args: Args,
    context: &mut Context,
) -> Result<u8, CliError> {
    if !WHAT.contains(&what) {
        let hint = or_one_of(what, WHAT.into_iter(), "it takes");
        let model = if what.parse::<crate::spec::RunId>().is_ok() {
            format!(" A model is exported by `tuneboard export {what} --to DIR`.")
        } else {
            String::new()
        };
        return Err(CliError::Usage(format!("There is no table `{what}`{hint}{model}")));
    }
    if let Some(picture) = picture(&args) {
        let reader = verb::reader(board)?;
        let runs = picked(board, &reader, ids)?;
        let svg = match what {
            "curves" => pictures::curves(&reader, &runs, args.metric.as_deref())?,
            "confusion" => pictures::confusion(&runs, &confusions(&reader, &runs, &args)?)?,
            _ => {
                let why = format!("There is no picture of {what}, only of curves and confusion.");
                return Err(CliError::Usage(why));
            }
        };
        return pictures::put(svg, picture, args.out, context);
    }
    let named = args.out.as_deref().map(Format::of_file);
    let format = match (args.format.as_deref().and_then(|f| f.parse().ok()), named) {
        (Some(format), _) => format,
        (None, Some(named)) => named.map_err(CliError::Usage)?,
        (None, None) => Format::Csv,
    };
    let reader = verb::reader(board)?;
    let runs = picked(board, &reader, ids)?;
    let frame = match what {
        "runs" => export::runs(&runs),
        "curves" => export::curves(&curves(&reader, &runs, args.metric.as_deref())?),
        "confusion" => export::confusions(&confusions(&reader, &runs, &args)?),
        _ => {
            let split = args.split.as_deref().unwrap_or("test");
            let other = runs.iter().find(|run| run.spec.task != Task::Classify);
            if let (Some(run), 2..) = (other, runs.len()) {
                return Err(CliError::Usage(format!(
                    "{} learnt task={}: its predictions are exported of one run at a time.",
                    run.id, run.spec.task
                )));
            }
            let pass = |run: &Run| Ok((run.id, errors::pass(board, run, split, args.epoch)?));
            match other {
                Some(run) => {
                    let path = errors::path_of(board, run, split, args.epoch)?;
                    export::pass(run.id, &read_pass(&path, run.spec.task)?)
                }
                None => export::predictions(
                    &runs.iter().map(pass).collect::<Result<Vec<_>, CliError>>()?,
                ),
            }
        }
    };
    let mut frame = frame.map_err(CliError::Internal)?;
    if args.no_formulas {
        let safe = export::without_formulas(&frame);
        frame = safe.map_err(|e| CliError::Internal(e.to_string()))?;
    }
    put(frame, format, args.out, context)
}

/// The picture that is asked for, by word or by the file's name.
fn picture(args: &Args) -> Option<Picture> {
    match &args.format {
        Some(word) => Picture::of(word),
        None => Picture::of(&args.out.as_deref()?.extension()?.to_string_lossy()),
    }
}

fn picked(board: &Board, reader: &Reader, ids: &[String]) -> Result<Vec<Run>, CliError> {
    if ids.is_empty() {
        return Ok(reader.runs(&reader.ids(&Listing::default())?)?);
    }
    verb::pick(board, reader, ids)
}

fn curves(
    reader: &Reader,
    runs: &[Run],
    metric: Option<&str>,
) -> Result<Vec<(crate::spec::RunId, String, crate::store::Curve)>, CliError> {
    let mut found = Vec::new();
    for run in runs {
        for name in reader.metrics(run.id)? {
            if metric.is_none_or(|metric| metric == name) {
                let curve = reader.curve(run.id, &name, 0)?;
                found.push((run.id, name, curve));
            }
        }
    }
    Ok(found)
}

/// The pass of each run that has one.
fn confusions(
    reader: &Reader,
    runs: &[Run],
    args: &Args,
) -> Result<Vec<(crate::spec::RunId, crate::store::Confusion)>, CliError> {
    let split = args.split.as_deref().and_then(|s| s.parse().ok()).unwrap_or(Split::Test);
    let mut found = Vec::new();
    for run in runs {
        found.extend(reader.confusion(run.id, split, args.epoch)?.map(|pass| (run.id, pass)));
    }
    if found.is_empty() && !runs.is_empty() {
        return Err(CliError::Usage(format!(
            "None of {} has confusion counts of the {split} rows.",
            counted(runs.len(), "run")
        )));
    }
    Ok(found)
}

fn put(
    frame: DataFrame,
    format: Format,
    out: Option<PathBuf>,
    context: &mut Context,
) -> Result<u8, CliError> {
    let rows = frame.height();
    if let Some(path) = out {
        export::save(frame, format, &path).map_err(CliError::Place)?;
        if context.json {
            context.out.json(&json!({ "rows": rows, "file": path }))?;
        } else {
            context.out.line(format!("{} written to {}.", counted(rows, "row"), path.display()))?;
        }
        return Ok(exit::OK);
    }
    let mut bytes = Vec::new();
    let format = if context.json { Format::Jsonl } else { format };
    if format == Format::Parquet && context.out.tty {
        return Err(CliError::Usage(
            "Parquet is nothing for a terminal: give --out FILE, or let a program read it.".into(),
        ));
    }
    export::write(frame, format, &mut bytes)?;
    if context.json {
        let text = String::from_utf8_lossy(&bytes);
        let rows = text.lines().map(serde_json::from_str).collect::<Result<Vec<Value>, _>>()?;
        context.out.json(&rows)?;
    } else if context.out.tty {
        // Texts and labels may hold what a terminal would obey.
        context.out.line(String::from_utf8_lossy(&bytes).trim_end())?;
    } else {
        context.out.raw(&bytes)?;
    }
    Ok(exit::OK)
}
