use serde_json::json;

use super::error::CliError;
use super::exit;
use super::verb::{self, Context, one};
use crate::runner;

/// Write a note on a run, or read it
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tuneboard note r12 \"lr too high? loss jumps in epoch 2\"
  tuneboard note r12         prints it
  tuneboard note r12 --edit  opens it in $VISUAL or $EDITOR
  tuneboard note r12 ''      removes it")]
pub struct Args {
    /// The run
    #[arg(value_name = "ID")]
    id: String,
    /// The note; it replaces the one before
    text: Option<String>,
    /// Write it in your editor
    #[arg(short, long, conflicts_with = "text")]
    edit: bool,
}

/// `tuneboard note`.
pub fn run(args: Args, context: &mut Context) -> Result<u8, CliError> {
    let board = context.board()?;
    let run = one(&verb::reader(&board)?, &args.id)?;
    let text = if args.edit {
        let edited = runner::edit(&run.note, &format!("{}.md", run.id))?;
        Some(edited.ok_or_else(|| CliError::Usage("The editor gave up; the note stays.".into()))?)
    } else {
        args.text
    };
    let note = match text {
        None => run.note,
        Some(text) => {
            let note = verb::readable("note", &text, 10_000)?;
            verb::store(&board)?.set_note(run.id, &note)?;
            note
        }
    };
    if context.json {
        context.out.json(&json!({ "id": run.id.to_string(), "note": note }))?;
    } else if note.is_empty() {
        context.out.line(format!("{}: no note", run.id))?;
    } else {
        context.out.line(format!("{}: {note}", run.id))?;
    }
    Ok(exit::OK)
}
