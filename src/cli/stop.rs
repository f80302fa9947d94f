use super::desired::{Step, apply};
use super::error::CliError;
use super::verb::Context;
use crate::spec::Desired;

/// Save runs and end them
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A training run writes a checkpoint first, so `tuneboard resume` can go on with it.

Examples:
  tuneboard stop r12
  tuneboard stop r12 r13 r14
  tuneboard stop s3          the whole sweep")]
pub struct Args {
    /// Runs, or sweeps as s3
    #[arg(value_name = "ID", required = true)]
    ids: Vec<String>,
}

/// `tuneboard stop`.
pub fn run(args: Args, context: &mut Context) -> Result<u8, CliError> {
    let step = |run: &crate::store::Run| match (run.state.outcome(), run.desired) {
        (Some(outcome), _) => Step::Already(format!("has ended already ({}).", outcome.word())),
        (None, Desired::Stop) => Step::Already("is being stopped already.".into()),
        (None, _) => Step::Desired(Desired::Stop),
    };
    apply(&args.ids, "Stopping", step, context)
}
