mod columns;

use std::collections::BTreeSet;

use clap::builder::PossibleValuesParser;

use super::contract::RunObject;
use super::error::CliError;
use super::exit;
use super::figures;
use super::table::{Cell, Table, Tone};
use super::verb::{self, Context};
use crate::board::Board;
use crate::query::STATES;
use crate::runner::Doubts;
use crate::spec::keys::KEYS;
use crate::spec::metrics::{self, test, val};
use crate::spec::{RunState, SweepId, Task, nearest};
use crate::store::{Listing, Reader, Run, Sort};

/// List runs
#[derive(Debug, Clone, Default, clap::Args)]
#[command(after_help = "\
A query is words that must all occur in a run's id, name, spec, state, tags or note, and tests of keys,
metrics, state, tags and time (docs/query.md). Quote it, since < and > mean something to a shell.

Examples:
  tuneboard ls                          every run that is not archived
  tuneboard ls minilm sms               those that name both
  tuneboard ls 'acc>0.9 lr<3e-5 model:minilm tag:best -state:failed since:7d'
  tuneboard ls 'view:good loss<0.1'     `good = \"acc>0.9\"` stands under [views] in config.toml
  tuneboard ls 'acc>0.9 tag:best' --save good     from now on `tuneboard ls view:good`
  tuneboard ls --state running          those that train now
  tuneboard ls --sweep s3 --sort val/acc --desc --limit 5
  tuneboard ls --columns id,model,lr,val/acc,disk     these columns
  tuneboard ls --sort lr                by any key of a run (`tuneboard show` lists them)
  tuneboard ls --json | jq '.[] | select(.outcome == \"failed\") | .id'")]
pub struct Args {
    /// Words that must all occur, and tests
    #[arg(value_name = "QUERY")]
    query: Vec<String>,
    /// A query saved under [views] in config.toml
    #[arg(long, value_name = "NAME")]
    view: Option<String>,
    /// Save the query under this name in [views] of config.toml
    #[arg(long, value_name = "NAME", requires = "query", conflicts_with = "view")]
    save: Option<String>,
    /// Only runs in this state; may be given more than once
    #[arg(long, value_name = "STATE", value_parser = PossibleValuesParser::new(STATES))]
    state: Vec<String>,
    /// Only the runs of this sweep
    #[arg(long, value_name = "sN")]
    sweep: Option<String>,
    /// By id, name, state, time, a key of a run, or the best value of a metric
    #[arg(long, value_name = "KEY")]
    sort: Option<String>,
    /// Turn the order round
    #[arg(long)]
    desc: bool,
    /// Which columns, with commas between: id, state, name, curve, time, disk, speed, flags, tags, keys, metrics,
    /// last:METRIC, METRIC@3 for its value at the end of epoch 3
    #[arg(long, value_name = "NAMES")]
    columns: Option<String>,
    /// At most that many
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Archived runs too
    #[arg(long, visible_alias = "all")]
    archived: bool,
    /// Runs in the trash instead
    #[arg(long)]
    trash: bool,
}

/// The words of `--sort` that are neither keys nor metrics.
const ORDERS: [&str; 4] = ["id", "name", "state", "time"];

/// What is said of runs that are `lost?`.
pub const LOST: &str = "The trainer of a run that is lost? is dead, and no runner has written since; \
                        `tuneboard runner` starts one, which resumes the run.";

/// `tuneboard ls`.
pub fn run(args: Args, context: &mut Context) -> Result<u8, CliError> {
    let board = context.board()?;
    let reader = verb::reader(&board)?;
    let listing = args.listing(&board)?;
    let filtered = listing.trash
        || !listing.query.is_empty()
        || !listing.states.is_empty()
        || listing.sweep.is_some();
    if let Some(sweep) = listing.sweep {
        super::verb::sweep_runs(&reader, sweep)?;
    }
    let ids = match args.limit {
        Some(limit) => reader.first_ids(&listing, limit)?,
        None => reader.ids(&listing)?,
    };
    let runs = reader.runs(&ids)?;
    if let Some(name) = &args.save {
        board.save_view(name, &args.query.join(" "))?;
        let with = "The query is saved, without sorting and other options";
        context.out.aside(format!("{with}: tuneboard ls view:{name}"))?;
    }
    if context.json {
        let objects: Vec<RunObject<'_>> = runs.iter().map(RunObject::new).collect();
        context.out.json(&objects)?;
    } else if runs.is_empty() {
        context.out.line(empty(&reader, filtered)?)?;
    } else {
        let doubts = Doubts::read(&reader)?;
        context.out.table(&match &args.columns {
            Some(names) => {
                let columns = columns::parse(names)?;
                let wanted: Vec<(String, u32)> = columns
                    .iter()
                    .filter_map(|column| column.at_epoch())
                    .map(|(metric, epoch)| (metric.to_owned(), epoch))
                    .collect();
                let mut runs = runs.clone();
                for run in &mut runs {
                    reader.add_epochs(run, &wanted)?;
                }
                columns::table(&runs, &columns, &board, &doubts, context.out.utf8)
            }
            None => table(&runs, &doubts),
        })?;
        if runs.iter().any(|run| doubts.of(run) == Some("lost?")) {
            context.out.aside(LOST)?;
        }
    }
    Ok(exit::OK)
}

fn empty(reader: &Reader, filtered: bool) -> Result<&'static str, CliError> {
    let all = Listing { archived: true, ..Listing::default() };
    Ok(match (reader.first_ids(&all, 1)?.is_empty(), filtered) {
        (true, _) => {
            "No runs yet. `tuneboard run model=NAME data=FILE` queues one; `tuneboard models` \
             lists the models."
        }
        (false, true) => "No run matches.",
        (false, false) => "All runs are archived; `tuneboard ls --archived` lists them.",
    })
}

impl Args {
    fn listing(&self, board: &Board) -> Result<Listing, CliError> {
        let view = self.view.iter().map(|name| format!("view:\"{name}\""));
        let text: Vec<String> = view.chain(self.query.iter().cloned()).collect();
        let sweep = self.sweep.as_deref().map(str::parse::<SweepId>).transpose()?;
        Ok(Listing {
            query: verb::query(board, &text.join(" "))?,
            states: self.state.clone(),
            sweep,
            archived: self.archived,
            trash: self.trash,
            sort: sort(self.sort.as_deref().unwrap_or("id"))?,
            descending: self.desc,
            ..Listing::default()
        })
    }
}

fn sort(word: &str) -> Result<Sort, CliError> {
    Ok(match word {
        "id" => Sort::Id,
        "name" => Sort::Name,
        "state" => Sort::State,
        "time" => Sort::Duration,
        metric if metric.contains('/') => Sort::Best(metric.to_owned()),
        key if KEYS.iter().any(|k| k.name == key) => Sort::Key(key.to_owned()),
        other => {
            let known = ORDERS.iter().copied().chain(KEYS.iter().map(|k| k.name));
            let near = nearest(other, known.chain([val::ACC, val::LOSS, test::ACC]));
            let near = near.unwrap_or_else(|| val::ACC.to_owned());
            return Err(CliError::Usage(format!(
                "Runs cannot be sorted by `{other}`; did you mean `{near}`?"
            )));
        }
    })
}

/// Runs as a table for people; `doubts` says whose state is in doubt.
fn table(runs: &[Run], doubts: &Doubts) -> Table {
    // Each run's own score, and its name where all have the same.
    let scores: BTreeSet<[&str; 2]> = runs.iter().map(|run| run.spec.task.score()).collect();
    let names = match scores.iter().next() {
        Some(names) if scores.len() == 1 => names.map(metrics::heading),
        Some(_) => ["val score", "test score"].map(str::to_owned),
        None => Task::Classify.score().map(metrics::heading),
    };
    let [val_score, test_score] = names.map(|name| format!(">{name}"));
    let mut table = Table::new(&[
        "id",
        "state",
        "~name",
        ">epoch",
        &val_score,
        ">val loss",
        &test_score,
        ">time",
        "tags",
    ]);
    for run in runs {
        let best = |metric: &str| figures::maybe(run.best.get(metric).copied());
        table.row([
            run.id.to_string().into(),
            doubts.of(run).map_or_else(|| marked(run), |word| Cell::toned(word, Tone::Plain)),
            run.name.as_str().into(),
            progress(run).into(),
            best(run.spec.task.score()[0]).into(),
            best(val::LOSS).into(),
            figures::maybe(run.last.get(run.spec.task.score()[1]).copied()).into(),
            elapsed(run).into(),
            run.tags.join(" ").into(),
        ]);
    }
    table
}

/// The state's word, and whether that is good news. A queued run that is held says so.
pub fn state(run: &Run) -> Cell {
    use crate::spec::{Desired, Outcome};
    let tone = match &run.state {
        RunState::Queued => Tone::Faint,
        RunState::Ended(Outcome::Done) => Tone::Good,
        RunState::Ended(Outcome::Failed { .. } | Outcome::Lost { .. }) => Tone::Bad,
        RunState::Ended(_) => Tone::Plain,
        _ => Tone::Live,
    };
    match (&run.state, run.desired) {
        (RunState::Queued, Desired::Hold) => Cell::toned("held", tone),
        _ if run.testing().is_some() => Cell::toned("testing", tone),
        _ => Cell::toned(run.state.to_string(), tone),
    }
}

/// The state, with a mark if something went wrong in the run all the same.
fn marked(run: &Run) -> Cell {
    let state = state(run);
    let is_done = run.state.outcome() == Some(&crate::spec::Outcome::Done);
    if is_done && !run.flags.is_empty() {
        return Cell::toned(format!("{} !", state.text), Tone::Bad);
    }
    state
}

/// Time on a device, over all attempts.
pub fn elapsed(run: &Run) -> String {
    run.device_time.map_or_else(|| figures::NOTHING.to_owned(), figures::duration)
}

/// Epochs done of those asked for, `1.4/3`; how much of the test rows is done: `test 40%`.
pub fn progress(run: &Run) -> String {
    match run.testing() {
        Some(share) => format!("test {:.0}%", (share * 100.0).floor()),
        None => figures::epochs(run.epoch, run.spec.planned_epochs()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_of_sort_is_understood_or_corrected() {
        assert_eq!(sort("val/acc").unwrap(), Sort::Best("val/acc".into()));
        assert_eq!(sort("lr").unwrap(), Sort::Key("lr".into()));
        assert_eq!(sort("time").unwrap(), Sort::Duration);
        for (word, near) in [("batchsize", "batch_size"), ("nam", "name"), ("acc", "val/acc")] {
            let message = sort(word).unwrap_err().to_string();
            assert!(message.contains(&format!("`{near}`")), "{message}");
        }
    }
}
