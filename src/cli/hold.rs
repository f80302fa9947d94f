use super::desired::{Step, apply};
use super::error::CliError;
use super::verb::Context;
use crate::spec::Desired;

/// Keep runs waiting in the queue
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A training run saves, gives its slot back and waits; `tuneboard resume` lets it go on.

Examples:
  tuneboard hold r12
  tuneboard hold s3          the whole sweep")]
pub struct Args {
    /// Runs, or sweeps as s3
    #[arg(value_name = "ID", required = true)]
    ids: Vec<String>,
}

/// `tuneboard hold`.
pub fn run(args: Args, context: &mut Context) -> Result<u8, CliError> {
    let step = |run: &crate::store::Run| match (run.state.outcome(), run.desired) {
        (Some(outcome), _) => Step::Already(format!("has ended already ({}).", outcome.word())),
        (None, Desired::Hold) => Step::Already("is held already.".into()),
        (None, Desired::Stop) => Step::Cannot("is being stopped.".into()),
        (None, Desired::Run) => Step::Desired(Desired::Hold),
    };
    apply(&args.ids, "Holding", step, context)
}
