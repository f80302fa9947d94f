use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::calibrate;
use super::compare::pair_cells;
use super::error::CliError;
use super::exit;
use super::figures::{counted, interval, value};
use super::table::{Cell, Table};
use super::verb::{self, Context};
use crate::analysis::compare::{Entry, Pair, ScorePair};
use crate::analysis::ensemble::{Against, Ensemble, Member, ensemble};
use crate::analysis::export::{self, Format};
use crate::analysis::metrics::at_temperature;
use crate::board::Board;
use crate::dataset::predictions::{Pass, read_pass};
use crate::events::{Number, Split};
use crate::spec::metrics::heading;
use crate::spec::{RunId, Task};
use crate::store::Run;

/// Let runs answer together, and say whether that is better than each of them
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The ensemble says the mean of its runs' probabilities (of task=regress: of their numbers). It is judged on the
test rows by what each run said of them, without a model being loaded, and tested against each run as
`tuneboard compare` tests two: McNemar's exact test and the paired bootstrap, or a randomisation test of the
score. All runs must have been tested on the same rows. `tuneboard predict r1..r5` asks all of them.

Examples:
  tuneboard ensemble r1..r5
  tuneboard ensemble s3                     every run of a sweep
  tuneboard ensemble r1 r4 r9 --out together.parquet
  tuneboard ensemble r1..r5 --json | jq .figures
  tuneboard predict r1..r5 --data new.csv   the same runs on new texts")]
pub struct Args {
    /// Two runs or more: r12, r3..r8, a sweep as s3
    #[arg(value_name = "ID", required = true)]
    ids: Vec<String>,
    /// Write what it says of each test row: .csv, .jsonl, .md or .parquet
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// `tuneboard ensemble`.
pub fn run(args: Args, context: &mut Context) -> Result<u8, CliError> {
    let board = context.board()?;
    let reader = verb::reader(&board)?;
    let format = args.out.as_deref().map(|path| Format::of_file(path).map_err(CliError::Usage));
    let format = format.transpose()?;
    let runs = verb::pick(&board, &reader, &args.ids)?;
    check(&runs)?;
    let mut entries = Vec::new();
    for run in &runs {
        let entry = Entry::read(&reader, run.clone(), &board.predictions(run.id))?;
        entries.push(as_predicted(&board, entry));
    }
    let on_val = on_val(&board, &runs);
    let found = ensemble(&entries, on_val.as_deref()).map_err(CliError::Usage)?;
    if let (Some(path), Some(format)) = (&args.out, format) {
        let first = runs.first().map_or(RunId(0), |run| run.id);
        let frame = match &found.pass {
            Pass::Classes(pass) => export::predictions(&[(first, pass.clone())]),
            pass => export::pass(first, pass),
        };
        export::save(frame.map_err(CliError::Internal)?, format, path).map_err(CliError::Place)?;
    }
    if context.json {
        context.out.json(&object(&found))?;
        return Ok(exit::OK);
    }
    show(&found, context)?;
    if let Some(path) = &args.out {
        let rows = counted(found.pass.rows().len(), "row");
        context.out.line(format!("\n{rows} written to {}.", path.display()))?;
    }
    Ok(exit::OK)
}

/// Refuses runs that cannot be judged together, whatever they said.
fn check(runs: &[Run]) -> Result<(), CliError> {
    let [first, _, ..] = runs else {
        let only = runs.first().map(|run| run.id.to_string()).unwrap_or_default();
        return Err(CliError::Usage(format!(
            "{only} alone is no ensemble: name two runs or more."
        )));
    };
    same_task(runs)?;
    if let Some(other) = runs.iter().find(|run| run.spec.fold != first.spec.fold) {
        return Err(CliError::Usage(format!(
            "{} and {} hold out other folds, so that no row was tested by both; `tuneboard confusion` puts folds \
             together, and `tuneboard predict {}..{}` asks all of them about new texts.",
            first.id, other.id, first.id, other.id
        )));
    }
    Ok(())
}

/// Refuses runs that learnt different tasks, and tasks whose answers have no mean.
pub fn same_task(runs: &[Run]) -> Result<(), CliError> {
    let Some(first) = runs.first() else { return Ok(()) };
    if let Some(other) = runs.iter().find(|run| run.spec.task != first.spec.task) {
        return Err(CliError::Usage(format!(
            "{} learnt task={} and {} task={}: they cannot answer together.",
            first.id, first.spec.task, other.id, other.spec.task
        )));
    }
    match first.spec.task {
        Task::Classify | Task::Regress | Task::Multilabel | Task::Tag => Ok(()),
        Task::Lm => Err(CliError::Usage(format!(
            "{} learnt task=lm, which answers no texts; ensembles are of tasks with a head.",
            first.id
        ))),
    }
}

/// With the probabilities that the run's `predict` says.
fn as_predicted(board: &Board, entry: Entry) -> Entry {
    let Some(temperature) = calibrate::of_run(board, &entry.run).0 else { return entry };
    let at = |pass: Pass| at_temperature(&pass, temperature);
    let predictions = entry.predictions.map(|p| match at(Pass::Classes(p.clone())) {
        Pass::Classes(honest) => honest,
        _ => p,
    });
    Entry { predictions, other: entry.other.map(at), ..entry }
}

/// What each run said of its val rows with its best weights; nothing unless it is kept of all.
fn on_val(board: &Board, runs: &[Run]) -> Option<Vec<Pass>> {
    let read = |run: &Run| {
        let path = board.predictions_of(run.id, Split::Val, run.best_epoch?);
        let pass = read_pass(&path, run.spec.task).ok()?;
        Some(calibrate::of_run(board, run).0.map_or(pass.clone(), |t| at_temperature(&pass, t)))
    };
    runs.iter().map(read).collect()
}

fn object(found: &Ensemble) -> Value {
    let named = |figures: &[(&'static str, f64)]| -> BTreeMap<&'static str, Number> {
        figures.iter().map(|(name, x)| (*name, Number(*x))).collect()
    };
    let member = |member: &Member| {
        json!({
            "id": member.run.to_string(),
            "figures": named(&member.figures),
            "against": match &member.against {
                Against::Classes(pair) => json!({
                    "accuracy_diff": pair.accuracy_diff,
                    "accuracy_ci95": pair.accuracy_ci95,
                    "f1_diff": pair.f1_diff,
                    "f1_ci95": pair.f1_ci95,
                    "only_run_right": pair.discordant.first_right,
                    "only_ensemble_right": pair.discordant.second_right,
                    "mcnemar_p": pair.mcnemar_p,
                }),
                Against::Score(pair) => json!({
                    "metric": pair.metric, "diff": pair.diff, "ci95": pair.ci95, "p": pair.p,
                }),
                Against::Untold => Value::Null,
            },
        })
    };
    json!({
        "split": "test",
        "rows": found.pass.rows().len(),
        "figures": named(&found.all_figures()),
        "thresholds": found.tuned.as_ref().map(|(thresholds, _)| thresholds),
        "runs": found.members.iter().map(member).collect::<Vec<_>>(),
    })
}

fn show(found: &Ensemble, context: &mut Context) -> Result<(), CliError> {
    let rows = counted(found.pass.rows().len(), "test row");
    let what = if let Pass::Numbers(_) = found.pass { "numbers" } else { "probabilities" };
    context
        .out
        .line(format!("The mean of {what} of {}, {rows}", counted(found.members.len(), "run")))?;
    let all = found.all_figures();
    let short = |name: &str| heading(&format!("test/{name}")).replacen("test ", "", 1);
    let heads: Vec<String> = all.iter().map(|(name, _)| format!(">{}", short(name))).collect();
    let heads: Vec<&str> = std::iter::once("").chain(heads.iter().map(String::as_str)).collect();
    let mut table = Table::new(&heads);
    let cells = |name: String, figures: &[(&'static str, f64)]| {
        let of = |(wanted, _): &(&'static str, f64)| {
            let figure = figures.iter().find(|(name, _)| name == wanted);
            figure.map_or_else(Cell::default, |(_, x)| value(*x).into())
        };
        std::iter::once(Cell::from(name)).chain(all.iter().map(of)).collect::<Vec<_>>()
    };
    table.row(cells("together".to_owned(), &all));
    for member in &found.members {
        table.row(cells(member.run.to_string(), &member.figures));
    }
    context.out.table(&table)?;
    context.out.line("\nIs it better? The ensemble minus each run on these rows, 95 % interval of 2000 resamples")?;
    let pairs: Vec<(&Member, &Pair)> = found
        .members
        .iter()
        .filter_map(
            |m| if let Against::Classes(pair) = &m.against { Some((m, pair)) } else { None },
        )
        .collect();
    if !pairs.is_empty() {
        return of_classes(&pairs, context);
    }
    let scores = found.members.iter();
    let scores = scores
        .filter_map(|m| if let Against::Score(pair) = &m.against { Some((m, pair)) } else { None });
    of_scores(&scores.collect::<Vec<_>>(), context)
}

fn of_classes(pairs: &[(&Member, &Pair)], context: &mut Context) -> Result<(), CliError> {
    let heads = [
        "than",
        ">accuracy",
        "interval",
        ">macro F1",
        "interval",
        ">only it right",
        ">only together right",
        "badge",
    ];
    let mut table = Table::new(&heads);
    for (member, pair) in pairs {
        // The ensemble is another setting than each of its runs.
        let pair = Pair { is_one_setting: false, ..**pair };
        table.row(std::iter::once(member.run.to_string().into()).chain(pair_cells(&pair)));
    }
    context.out.table(&table)
}

fn of_scores(pairs: &[(&Member, &ScorePair)], context: &mut Context) -> Result<(), CliError> {
    let mut table = Table::new(&["than", "score", ">difference", "interval", ">p"]);
    for (member, pair) in pairs {
        table.row([
            member.run.to_string().into(),
            pair.metric.into(),
            format!("{:+.4}", pair.diff).into(),
            interval(pair.ci95).into(),
            format!("{:.4}", pair.p).into(),
        ]);
    }
    context.out.table(&table)
}
