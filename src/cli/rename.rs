use serde_json::json;

use super::error::CliError;
use super::exit;
use super::verb::{self, Context, one};

/// Give a run another name
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The id stays. Example:
  tuneboard rename r12 \"first good one\"")]
pub struct Args {
    /// The run
    #[arg(value_name = "ID")]
    id: String,
    /// The new name
    name: String,
}

/// `tuneboard rename`.
pub fn run(args: Args, context: &mut Context) -> Result<u8, CliError> {
    let board = context.board()?;
    let name = verb::name(&args.name)?;
    let run = one(&verb::reader(&board)?, &args.id)?;
    verb::store(&board)?.rename(run.id, &name)?;
    if context.json {
        context.out.json(&json!({ "id": run.id.to_string(), "name": name }))?;
    } else {
        context.out.line(format!("{} is now called {name}.", run.id))?;
    }
    Ok(exit::OK)
}
