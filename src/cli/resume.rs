use super::desired::{Step, apply};
use super::error::CliError;
use super::verb::{self, Context, pick};
use super::wait::{Awaited, wait};
use crate::spec::keys::KEYS;
use crate::spec::{Desired, Outcome, RunId};

/// Resume held, stopped or failed runs from their last checkpoint
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tuneboard resume r12
  tuneboard resume s3        every run of the sweep that can go on, but for those that were pruned
  tuneboard resume r7        of a run that was pruned: it goes on and is not judged again
  tuneboard resume s3 --wait")]
pub struct Args {
    /// Runs, or sweeps as s3
    #[arg(value_name = "ID", required = true)]
    ids: Vec<String>,
    /// Show progress until the end; exit 0 only if all went well
    #[arg(long)]
    wait: bool,
}

/// `tuneboard resume`.
pub fn run(args: Args, context: &mut Context) -> Result<u8, CliError> {
    let (pairs, ids): (Vec<&String>, Vec<&String>) =
        args.ids.iter().partition(|word| is_pair(word));
    // Alone, a pair is a query.
    if let (Some(id), false) = (ids.first(), pairs.is_empty()) {
        let pairs: Vec<&str> = pairs.into_iter().map(String::as_str).collect();
        let pairs = pairs.join(" ");
        return Err(CliError::Usage(format!(
            "A run is resumed as it was queued, with its own schedule and optimiser, so it takes no `{pairs}`. \
             `tuneboard clone {id} init={id} {pairs}` queues a run that goes on from its best weights, with a \
             schedule of its own; `tuneboard clone {id} {pairs}` trains it anew from the start."
        )));
    }
    let step = |run: &crate::store::Run| match (run.state.outcome(), run.desired) {
        (Some(Outcome::Pruned(_)), _) if !is_named(&args.ids, run.id) => {
            Step::Already(format!("was pruned; `tuneboard resume {}` lets it go on.", run.id))
        }
        (Some(outcome), _) if outcome.is_resumable() => Step::Requeue(false),
        (Some(_), _) => Step::Cannot(format!(
            "is done; `tuneboard retry --from-start {}` trains it again.",
            run.id
        )),
        (None, Desired::Run) => Step::Already(format!("is {} already.", run.state)),
        (None, Desired::Hold | Desired::Stop) => Step::Desired(Desired::Run),
    };
    let code = apply(&args.ids, "Resuming", step, context)?;
    if !args.wait {
        return Ok(code);
    }
    let board = context.board()?;
    let ids: Vec<_> =
        pick(&board, &verb::reader(&board)?, &args.ids)?.iter().map(|r| r.id).collect();
    wait(&board, Awaited::Runs(&ids), context)
}

/// True for a run that was asked for by its number, alone or in a range, and not by a query or its sweep.
fn is_named(words: &[String], id: RunId) -> bool {
    words.iter().any(|word| match word.split_once("..") {
        Some((low, high)) => {
            let ends = (low.parse::<RunId>(), high.parse::<RunId>());
            matches!(ends, (Ok(low), Ok(high)) if (low..=high).contains(&id))
        }
        None => word.parse() == Ok(id),
    })
}

/// True for `key=value` with a key of a run.
fn is_pair(word: &str) -> bool {
    word.split_once('=').is_some_and(|(key, _)| KEYS.iter().any(|known| known.name == key))
}
