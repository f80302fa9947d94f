use super::desired::{Step, apply};
use super::error::CliError;
use super::verb::Context;

/// Put ended runs back into the queue
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tuneboard retry r12                resumes from the last checkpoint, if there is one
  tuneboard retry --from-start r12   forgets what was trained and reported")]
pub struct Args {
    /// Runs, or sweeps as s3
    #[arg(value_name = "ID", required = true)]
    ids: Vec<String>,
    /// Forget the checkpoints and all that was reported
    #[arg(long)]
    from_start: bool,
}

/// `tuneboard retry`.
pub fn run(args: Args, context: &mut Context) -> Result<u8, CliError> {
    let from_start = args.from_start;
    let step = |run: &crate::store::Run| match run.state.outcome() {
        None => Step::Cannot(format!("is {}; stop it first.", run.state)),
        Some(outcome) if from_start || outcome.is_resumable() => Step::Requeue(from_start),
        Some(_) => Step::Cannot("is done; add --from-start to train it again.".into()),
    };
    apply(&args.ids, "Back in the queue:", step, context)
}
