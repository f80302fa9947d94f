use crate::board::Model;
use crate::cli::error::CliError;
use crate::cli::exit;
use crate::cli::figures::{NOTHING, bytes, count};
use crate::cli::table::Table;
use crate::cli::verb::Context;

/// `tuneboard models`.
pub fn run(context: &mut Context) -> Result<u8, CliError> {
    let board = context.board()?;
    let look = |name: &String| Model::look(&board.models().join(name), board.root(), name);
    let models: Vec<Model> = board.model_names().iter().map(look).collect();
    if context.json {
        context.out.json(&models)?;
        return Ok(exit::OK);
    }
    if models.is_empty() {
        let folder = board.models();
        context.out.line(format!(
            "No models yet. `tuneboard models pull ORG/NAME` fetches one; or put a checkpoint folder \
             (config.json, tokenizer.json, model.safetensors) under {}.",
            folder.display()
        ))?;
        return Ok(exit::OK);
    }
    let mut table = Table::new(&["name", "family", ">weights", ">on disk", "licence", "~problem"]);
    for model in models {
        table.row([
            model.name.into(),
            model.family.unwrap_or_else(|| NOTHING.to_owned()).into(),
            model.parameters.map_or_else(|| NOTHING.to_owned(), count).into(),
            bytes(model.bytes).into(),
            model.licence.unwrap_or_else(|| NOTHING.to_owned()).into(),
            model.problem.unwrap_or_default().into(),
        ]);
    }
    context.out.table(&table)?;
    Ok(exit::OK)
}
