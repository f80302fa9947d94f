//! `tuneboard export`: what leaves the board, one file per kind.

mod card;
mod model;
mod own_head;
mod pictures;
mod tables;
mod units;

use std::path::PathBuf;

use serde_json::json;

use super::checkpoint::{Which, checkpoint};
use super::error::CliError;
use super::exit;
use super::figures::bytes;
use super::verb::{self, Context, one};

/// Write runs, curves, confusion counts or predictions as a table, or a run's model as a folder
#[derive(Debug, clap::Args)]
#[command(after_help = "\
With --to: a run's model as a Hugging Face folder. It holds config.json, model.safetensors, the
tokenizer's files and a README.md that says where they come from. transformers loads it; so does
model=DIR. A run with adapter=lora gives a folder for peft; --merge makes one model of it and of
what it stands beside. Otherwise a table of every run that is named, or of all of them.

Examples:
  tuneboard export r12 --to models/spam-filter
  tuneboard export r12 --checkpoint last --to /tmp/r12
  tuneboard export r12 --merge --to models/merged
  tuneboard export runs 'acc>0.9 since:7d' --out good.parquet
  tuneboard export curves r12 r15 --format jsonl
  tuneboard export confusion s3 --split val --format md
  tuneboard export predictions r12 > predictions.csv
  tuneboard export predictions r12 --no-formulas --out for-a-spreadsheet.csv
  tuneboard export curves r12 r15 --metric val/acc --out curves.svg   or .png
  tuneboard export confusion r12 --out confusion.png")]
pub struct Args {
    /// `runs`, `curves`, `confusion` or `predictions`; with --to the run
    #[arg(value_name = "WHAT")]
    what: String,
    /// Runs, sweeps as s3, or queries (each in quotes); all runs if not given
    #[arg(value_name = "ID|QUERY", conflicts_with = "to")]
    ids: Vec<String>,
    /// A folder that does not exist yet, or is empty
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,
    /// Which weights
    #[arg(long, value_enum, default_value = "best", requires = "to")]
    checkpoint: Which,
    /// An adapter (adapter=lora) and the checkpoint that it stands beside, as one model
    #[arg(long, requires = "to")]
    merge: bool,
    #[command(flatten)]
    table: tables::Args,
}

/// `tuneboard export`.
pub fn run(args: Args, context: &mut Context) -> Result<u8, CliError> {
    let board = context.board()?;
    let Some(to) = args.to else {
        return tables::run(&board, &args.what, &args.ids, args.table, context);
    };
    let run = one(&verb::reader(&board)?, &args.what)?;
    let from = checkpoint(&board, &run, args.checkpoint)?;
    let to = std::path::absolute(&to).unwrap_or(to);
    let written = model::export(&board, &run, &from, &to, args.merge)?;
    if context.json {
        let id = run.id.to_string();
        context.out.json(&json!({ "run": id, "to": to, "files": written.files }))?;
    } else {
        let (size, to) = (bytes(written.bytes), to.display());
        context.out.line(format!("{to}: {} ({size})", written.files.join(", ")))?;
        if let Some(notice) = written.notice {
            context.out.aside(notice)?;
        }
    }
    Ok(exit::OK)
}
