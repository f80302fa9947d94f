use serde_json::json;

use super::error::CliError;
use super::exit;
use super::verb::{self, Context};

/// Bring runs back from the trash
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tuneboard restore r12
  tuneboard restore s3
  tuneboard restore 'acc>0.9'    those in the trash that match")]
pub struct Args {
    /// Runs, sweeps as s3, or a query
    #[arg(value_name = "ID|QUERY", required = true)]
    ids: Vec<String>,
}

/// `tuneboard restore`.
pub fn run(args: Args, context: &mut Context) -> Result<u8, CliError> {
    let board = context.board()?;
    let reader = verb::reader(&board)?;
    let ids = verb::ids_anywhere(&board, &reader, &args.ids)?;
    let there = reader.trashed(&ids)?;
    if there.is_empty() {
        let words: Vec<String> = ids.iter().map(ToString::to_string).collect();
        return Err(CliError::Usage(format!("Not in the trash: {}.", words.join(", "))));
    }
    verb::store(&board)?.restore(&there)?;
    let words: Vec<String> = there.iter().map(ToString::to_string).collect();
    if context.json {
        context.out.json(&json!({ "runs": words }))?;
    } else {
        context.out.line(format!("Back in the lists: {}.", words.join(", ")))?;
    }
    Ok(exit::OK)
}
