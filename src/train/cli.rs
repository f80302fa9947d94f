//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::lines::Shape;
use crate::predict::How;

/// Trains one run of a tuneboard, or shows the inside of a model.
#[derive(Debug, Parser)]
#[command(name = "tuneboard-train", version, args_conflicts_with_subcommands = true)]
#[command(arg_required_else_help = true)]
pub struct Args {
    /// A folder with a spec.toml; events, checkpoints and predictions are written into it.
    pub run_dir: Option<PathBuf>,
    /// Something else than training.
    #[command(subcommand)]
    pub verb: Option<Verb>,
}

/// What else it can do.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// JSON lines {"text"} or {"text","pair"} on stdin -> {"tokens","ids"} on stdout.
    Tokenize {
        /// A folder with a tokenizer.json, or a name under models/.
        model: String,
        /// Specials, cutting, padding.
        #[command(flatten)]
        shape: Shape,
    },
    /// JSON lines {"text"} on stdin -> the number of tokens of each on stdout.
    Lengths {
        /// A folder with a tokenizer.json, or a name under models/.
        model: String,
    },
    /// One pass over given ids: input_ids, attention_mask, token_type_ids, position_ids ->
    /// last_hidden_state, pooler_output, logits.
    Forward {
        /// A checkpoint folder, or a name under models/.
        model: String,
        /// A safetensors file with int64 tensors [batch, length].
        #[arg(long)]
        input: PathBuf,
        /// The safetensors file to write.
        #[arg(long)]
        output: PathBuf,
    },
    /// JSON lines {"text"} on stdin -> {"labels"}, then {"label","probabilities"} of each on stdout.
    Predict {
        /// A checkpoint folder, or a name under models/.
        model: String,
        /// Lengths, batches, device.
        #[command(flatten)]
        how: How,
    },
    /// An adapter and the checkpoint that it stands beside -> one checkpoint in a new folder.
    Merge {
        /// A folder with an adapter_config.json.
        adapter: PathBuf,
        /// The folder to write.
        to: PathBuf,
    },
    /// Steps whose learning rate grows from one to another -> {"step","rate","loss"} of each on stdout. Writes
    /// into the folder, which is to be thrown away.
    LrFind {
        /// A folder with a spec.toml.
        folder: PathBuf,
        /// The first rate.
        #[arg(long)]
        from: f64,
        /// The last rate.
        #[arg(long)]
        to: f64,
        /// Steps.
        #[arg(long)]
        steps: u64,
    },
    /// What libtorch finds on this machine, as JSON.
    Probe,
    /// What steps ask of the device: operations, kernels launched, how often the processor waits, as JSON. Writes into
    /// the folder, which is to be thrown away.
    #[command(hide = true)]
    Watch {
        /// A folder with a spec.toml.
        folder: PathBuf,
        /// Steps.
        #[arg(long, default_value_t = 4)]
        steps: u64,
    },
    /// Where the time of an optimiser step goes.
    #[command(hide = true)]
    Bench {
        /// A checkpoint folder, or a name under models/.
        model: String,
        /// Texts of a batch.
        #[arg(long, default_value_t = 32)]
        batch: usize,
        /// Tokens of each.
        #[arg(long, default_value_t = 25)]
        length: usize,
    },
}
