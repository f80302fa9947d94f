use std::path::PathBuf;

use serde_json::json;

use super::error::CliError;
use super::exit;
use super::verb::{self, Context};
use crate::board::Board;

/// Make a board: config.toml, data/, models/ and runs/
#[derive(Debug, clap::Args)]
#[command(after_help = "\
What exists already stays as it is, so it is safe to repeat.

Examples:
  tuneboard init              makes this folder a board
  tuneboard init my-board     makes a new folder")]
pub struct Args {
    /// The folder; this one if not given
    #[arg(value_hint = clap::ValueHint::DirPath)]
    dir: Option<PathBuf>,
}

/// `tuneboard init`.
pub fn run(args: Args, context: &mut Context) -> Result<u8, CliError> {
    let dir = args.dir.or_else(|| context.board_dir.clone()).unwrap_or_else(|| PathBuf::from("."));
    let board = Board::init(&dir)?;
    verb::store(&board)?;
    let root = board.root().display();
    if context.json {
        context.out.json(&json!({ "board": root.to_string() }))?;
        return Ok(exit::OK);
    }
    context.out.line(format!("The board is {root}."))?;
    context
        .out
        .line("Next: put a checkpoint folder under models/ and a data file under data/, then")?;
    context.out.line("  tuneboard run model=NAME data=data/FILE.csv")?;
    Ok(exit::OK)
}
