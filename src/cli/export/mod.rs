//! `tuneboard export`: what leaves the board, one file per kind.

mod model;

use std::path::PathBuf;

use serde_json::json;

use super::checkpoint::{Which, checkpoint};
use super::error::CliError;
use super::exit;
use super::figures::bytes;
use super::verb::{self, Context, one};

/// Write a run's model as a Hugging Face folder
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The folder holds config.json, model.safetensors, the tokenizer's files and a README.md that says
where they come from. transformers loads it; so does model=DIR.

Examples:
  tuneboard export r12 --to models/spam-filter
  tuneboard export r12 --checkpoint last --to /tmp/r12")]
pub struct Args {
    /// The run
    #[arg(value_name = "ID")]
    id: String,
    /// A folder that does not exist yet, or is empty
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    /// Which weights
    #[arg(long, value_enum, default_value = "best")]
    checkpoint: Which,
}

/// `tuneboard export`.
pub fn run(args: Args, context: &mut Context) -> Result<u8, CliError> {
    let board = context.board()?;
    let run = one(&verb::reader(&board)?, &args.id)?;
    let from = checkpoint(&board, &run, args.checkpoint)?;
    let to = std::path::absolute(&args.to).unwrap_or(args.to);
    let written = model::export(&run, &from, &to)?;
    if context.json {
        let id = run.id.to_string();
        context.out.json(&json!({ "run": id, "to": to, "files": written.files }))?;
    } else {
        let (size, to) = (bytes(written.bytes), to.display());
        context.out.line(format!("{to}: {} ({size})", written.files.join(", ")))?;
    }
    Ok(exit::OK)
}
