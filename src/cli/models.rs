use super::error::CliError;
use super::exit;
use super::figures::{NOTHING, bytes, count};
use super::table::Table;
use super::verb::Context;
use crate::board::Model;

/// List the checkpoints under models/
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A checkpoint is a folder as Hugging Face lays it out: config.json, tokenizer.json and
model.safetensors. Its name is what model=NAME takes; a path works too.

Examples:
  tuneboard models
  tuneboard models --json")]
pub struct Args {}

/// `tuneboard models`.
pub fn run(_: Args, context: &mut Context) -> Result<u8, CliError> {
    let board = context.board()?;
    let look = |name: &String| Model::look(&board.models().join(name), name);
    let models: Vec<Model> = board.model_names().iter().map(look).collect();
    if context.json {
        context.out.json(&models)?;
        return Ok(exit::OK);
    }
    if models.is_empty() {
        let folder = board.models();
        context.out.line(format!(
            "No models yet. Put a checkpoint folder (config.json, tokenizer.json, \
             model.safetensors) under {}.",
            folder.display()
        ))?;
        return Ok(exit::OK);
    }
    let mut table = Table::new(&["name", "family", ">weights", ">on disk", "~problem"]);
    for model in models {
        table.row([
            model.name.into(),
            model.family.unwrap_or_else(|| NOTHING.to_owned()).into(),
            model.parameters.map_or_else(|| NOTHING.to_owned(), count).into(),
            bytes(model.bytes).into(),
            model.problem.unwrap_or_default().into(),
        ]);
    }
    context.out.table(&table)?;
    Ok(exit::OK)
}
