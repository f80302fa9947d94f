//! `tuneboard models`: what is under models/, and what comes there.

mod add;
mod list;
mod pull;

use std::path::PathBuf;

use clap::Subcommand;

use super::error::CliError;
use super::verb::Context;
use crate::hub::RepoName;

/// List the checkpoints under models/, add one, or fetch one from a Hugging Face hub
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A checkpoint is a folder as Hugging Face lays it out: config.json, tokenizer.json and
model.safetensors. Its name is what model=NAME takes; a path works too.

Examples:
  tuneboard models
  tuneboard models pull sentence-transformers/all-MiniLM-L6-v2 --name minilm
  tuneboard models add ~/checkpoints/minilm
  tuneboard models --json")]
pub struct Args {
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Copy a checkpoint folder into models/
    #[command(after_help = "\
Takes config.json, the weights and the JSON and text files beside them. Weights that are only there
as pytorch_model.bin are written as safetensors; nothing in such a file is ever executed.

Example:
  tuneboard models add ~/checkpoints/minilm --name my-minilm")]
    Add {
        /// The folder, or its model.safetensors
        #[arg(value_name = "DIR|FILE")]
        from: PathBuf,
        /// What model= will call it; the folder's name if not given
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
    },
    /// Fetch a checkpoint from a Hugging Face hub into models/
    #[command(after_help = "\
HF_ENDPOINT, HF_TOKEN and HF_HOME mean what they mean to every tool of the hub. Only weights, JSON
and text files are fetched, each is compared with its checksum, and an interrupted pull goes on
where it stopped. Where there is no safetensors file, the hub's own conversion of the same commit
is taken, or else pytorch_model.bin, which is read as tensors, never executed, and kept as safetensors.

Examples:
  tuneboard models pull google-bert/bert-base-uncased
  tuneboard models pull sentence-transformers/all-MiniLM-L6-v2@main --name minilm")]
    Pull {
        /// The repository, with a branch, tag or commit if it is not the main branch
        #[arg(value_name = "ORG/NAME[@REVISION]")]
        repo: RepoName,
        /// What model= will call it; the repository's name if not given
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
    },
}

/// `tuneboard models`.
pub fn run(args: Args, context: &mut Context) -> Result<u8, CliError> {
    match args.verb {
        None => list::run(context),
        Some(Verb::Add { from, name }) => add::run(&from, name, context),
        Some(Verb::Pull { repo, name }) => pull::run(&repo, name, context),
    }
}
