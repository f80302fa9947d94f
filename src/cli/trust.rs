use std::path::PathBuf;

use serde_json::json;

use super::error::CliError;
use super::exit;
use super::verb::Context;
use crate::board::{set_trust, trusted};

/// Trust a board that others can write, or no longer
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A board's config.toml names executables and hosts, and its queue says what is started: whoever can
write it can run code as you. One that belongs to somebody else, or that others can write, is
therefore refused until it is trusted by name (docs/security.md).

Examples:
  tuneboard trust /srv/lab/board            trusts this one folder, not those in it
  tuneboard trust --remove /srv/lab/board
  tuneboard trust                           lists what is trusted")]
pub struct Args {
    /// The board's folder
    #[arg(value_hint = clap::ValueHint::DirPath)]
    dir: Option<PathBuf>,
    /// Trust it no longer
    #[arg(long, requires = "dir")]
    remove: bool,
}

/// `tuneboard trust`.
pub fn run(args: Args, context: &mut Context) -> Result<u8, CliError> {
    if let Some(dir) = args.dir.or_else(|| context.board_dir.clone()) {
        let (root, changed) = set_trust(&dir, !args.remove)?;
        if !context.json {
            let root = root.display();
            context.out.line(match (args.remove, changed) {
                (false, true) => format!("{root} is trusted."),
                (false, false) => format!("{root} is trusted already."),
                (true, true) => format!("{root} is not trusted any more."),
                (true, false) => format!("{root} was not trusted by name."),
            })?;
            return Ok(exit::OK);
        }
    }
    let known: Vec<String> = trusted().iter().map(|path| path.display().to_string()).collect();
    if context.json {
        context.out.json(&json!({ "trusted": known }))?;
        return Ok(exit::OK);
    }
    for path in &known {
        context.out.line(path)?;
    }
    if known.is_empty() {
        context.out.aside("No board is trusted by name; your own need no trust.")?;
    }
    Ok(exit::OK)
}
