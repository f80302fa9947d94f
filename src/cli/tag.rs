use serde_json::json;

use super::error::CliError;
use super::exit;
use super::verb::{self, Context, pick};

/// Put tags on runs, or take them off
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tuneboard tag r12 best sms         adds two tags
  tuneboard tag s3 --remove best     takes one off every run of a sweep
  tuneboard tag r12                  prints the tags
  tuneboard ls best                  finds them again")]
pub struct Args {
    /// A run, or a sweep as s3
    #[arg(value_name = "ID")]
    id: String,
    /// Words without spaces
    #[arg(value_name = "TAG")]
    tags: Vec<String>,
    /// Take these off instead
    #[arg(short, long)]
    remove: bool,
}

/// `tuneboard tag`.
pub fn run(args: Args, context: &mut Context) -> Result<u8, CliError> {
    let board = context.board()?;
    let words = args.tags.iter().map(|t| verb::tag(t)).collect::<Result<Vec<_>, _>>()?;
    let runs = pick(&board, &verb::reader(&board)?, &[args.id])?;
    let mut store = verb::store(&board)?;
    let mut told = Vec::new();
    for run in runs {
        let mut tags = run.tags.clone();
        tags.retain(|t| !words.contains(t));
        if !args.remove {
            tags.extend(words.iter().cloned());
        }
        if tags != run.tags && !words.is_empty() {
            store.set_tags(run.id, &tags)?;
        }
        told.push((run.id.to_string(), tags));
    }
    if context.json {
        let object = |(id, tags)| json!({ "id": id, "tags": tags });
        context.out.json(&told.into_iter().map(object).collect::<Vec<_>>())?;
        return Ok(exit::OK);
    }
    for (id, tags) in told {
        let tags = if tags.is_empty() { "no tags".to_owned() } else { tags.join(" ") };
        context.out.line(format!("{id}: {tags}"))?;
    }
    Ok(exit::OK)
}
