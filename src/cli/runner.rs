use super::error::CliError;
use super::exit;
use super::verb::Context;

/// Run the queue in the foreground
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Nobody needs to type this: whoever queues a run starts a runner in the background if there is none.
It is for service managers and for looking at what it does; it leaves when the queue is empty.")]
pub struct Args {}

/// `tuneboard runner`.
pub fn run(_: Args, context: &mut Context) -> Result<u8, CliError> {
    let left = crate::runner::run(&context.board()?)?;
    context.out.line(left.to_string())?;
    Ok(exit::OK)
}
