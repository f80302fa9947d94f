use super::error::CliError;
use super::verb::{self, Context};
use super::{exit, paths, queueing};
use crate::order::{check_inputs, name_in, name_of_clone};
use crate::spec::metrics::test::ACC;
use crate::spec::{RunSpec, Sweep, keys};
use crate::store::{NewSweep, Reader};

/// Queue a run like another one, with some keys changed
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Everything is as in that run, whatever the defaults say today. Lists and ranges make a sweep.

Examples:
  tuneboard clone r12 lr=1e-5
  tuneboard clone r12 seed=1..4 --tag seeds
  tuneboard clone r12 lr=1e-5 --dry-run      what would run
  tuneboard clone r12                        the same once more")]
pub struct Args {
    /// The run
    #[arg(value_name = "ID")]
    id: String,
    /// What is to be different
    #[arg(value_name = "KEY=VALUE")]
    pairs: Vec<String>,
    /// Check everything and show what would run, but queue nothing
    #[arg(long, conflicts_with_all = ["wait", "hold"])]
    dry_run: bool,
    #[command(flatten)]
    queue: queueing::Args,
}

/// `tuneboard clone`.
pub fn run(args: Args, context: &mut Context) -> Result<u8, CliError> {
    let board = context.board()?;
    args.queue.check()?;
    let reader = verb::reader(&board)?;
    let like = verb::one(&reader, &args.id)?;
    let pairs: Vec<_> = args.pairs.iter().map(|p| keys::pair(p)).collect::<Result<_, _>>()?;
    let pairs = paths::resolved(&pairs, board.root());
    let pairs = pairs.iter().map(|(key, value)| (*key, value.as_ref()));
    let sweep = Sweep::parse(like.spec.clone(), pairs)?;
    let specs = sweep.expand()?;
    for sentence in check_inputs(&board, &specs)? {
        context.out.aside(sentence)?;
    }
    let is_sweep = !sweep.axes.is_empty();
    if args.dry_run && is_sweep {
        return super::sweep::dry_run(&board, &sweep, &specs, context);
    }
    let runs: Vec<(String, RunSpec)> = specs
        .into_iter()
        .map(|spec| {
            let name = if is_sweep {
                name_in(&sweep, &spec)
            } else {
                name_of_clone(&like.name, &like.spec, &spec)
            };
            (args.queue.name.clone().filter(|_| !is_sweep).unwrap_or(name), spec)
        })
        .collect();
    if args.dry_run {
        let Some((name, spec)) = runs.into_iter().next() else { return Ok(exit::OK) };
        return super::run::dry_run(&board, &name, spec, context);
    }
    tell(&reader, &like.spec, &runs, context)?;
    let new = is_sweep.then(|| {
        let varied: Vec<&str> = sweep.varied().collect();
        let name = args.queue.name.clone().unwrap_or_else(|| varied.join("-"));
        NewSweep { name, sweep: sweep.clone() }
    });
    args.queue.queue(&board, new, &runs, context)
}

/// What changes, and what ran already; aside, so that scripts read only the result.
fn tell(
    reader: &Reader,
    like: &RunSpec,
    runs: &[(String, RunSpec)],
    context: &mut Context,
) -> Result<(), CliError> {
    for (name, spec) in runs {
        let changes: Vec<String> = spec
            .differing_keys(like)
            .into_iter()
            .map(|key| {
                let text = |spec: &RunSpec| spec.get(key).unwrap_or_default();
                format!("{key} {} -> {}", text(like), text(spec))
            })
            .collect();
        let changes =
            if changes.is_empty() { "nothing changes".into() } else { changes.join(", ") };
        let twins = reader.same_spec(&spec.hash())?;
        let twin = twins.first().map(|id| reader.run(*id)).transpose()?.flatten();
        let already = twin.map(|run| {
            let acc = run.last.get(ACC).map(|x| format!(", {ACC} {x:.4}"));
            format!("; already run: {} ({}{})", run.id, run.state, acc.unwrap_or_default())
        });
        context.out.aside(format!("{name}: {changes}{}", already.unwrap_or_default()))?;
    }
    Ok(())
}
