mod entities;
mod subject;

use clap::builder::PossibleValuesParser;
use serde_json::json;

use self::subject::Subject;
use super::error::CliError;
use super::exit;
use super::figures::{count, maybe, value};
use super::table::{Cell, Table, Tone};
use super::verb::{self, Context, means_several, one};
use crate::analysis::confusion::{Matrix, Normalise};
use crate::analysis::metrics::{CountReport, ProbabilityReport};
use crate::events::Split;
use crate::spec::Task;
use crate::store::{Confusion, Reader, Run};

/// Show which classes a run takes for which
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Rows are the true classes, columns the predicted ones. Each cell holds the count and, unless
--normalize none, the share: of its row (true), its column (pred) or of everything (all).

Examples:
  tuneboard confusion r12                       the test rows, best epoch's weights
  tuneboard confusion r12 --split val --epoch 2
  tuneboard confusion r12 --normalize pred
  tuneboard confusion r12 r15                   what r15 does otherwise than r12
  tuneboard confusion r12 --calibration         is a probability of 0.9 right nine times in ten?
  tuneboard confusion r12 --threshold spam      precision against recall of one class
  tuneboard confusion r1..r5                    held-out folds of one setting together, or its seeds
  tuneboard confusion s3                        the same of the best setting of a sweep
  tuneboard confusion r12 --json | jq .counts")]
pub struct Args {
    /// The run, or the runs of a setting as r1..r5 or s3
    #[arg(value_name = "ID")]
    id: String,
    /// Another run: its counts minus those of the first
    #[arg(value_name = "OTHER")]
    other: Option<String>,
    /// Which rows; test if there is such a pass, else val
    #[arg(long, value_parser = PossibleValuesParser::new(["train", "val", "test"]))]
    split: Option<String>,
    /// The pass after that epoch; the last one if not given
    #[arg(long, value_name = "N")]
    epoch: Option<u32>,
    /// What the shares are shares of
    #[arg(
        long,
        value_name = "OF",
        default_value = "true",
        value_parser = PossibleValuesParser::new(["none", "true", "pred", "all"])
    )]
    normalize: String,
    /// The reliability diagram: accuracy against confidence in 15 bins
    #[arg(long, conflicts_with = "other")]
    calibration: bool,
    /// Precision, recall and more of this class at thresholds of its probability
    #[arg(long, value_name = "CLASS", conflicts_with = "other")]
    threshold: Option<String>,
}

/// `tuneboard confusion`.
pub fn run(args: Args, context: &mut Context) -> Result<u8, CliError> {
    let board = context.board()?;
    let reader = verb::reader(&board)?;
    let found = |run: &Run| find(&reader, run, args.split.as_deref(), args.epoch);
    let subject = if means_several(&args.id) {
        if args.other.is_some() {
            let why = "Counts are subtracted run by run: name two runs, as r12 r15.";
            return Err(CliError::Usage(why.into()));
        }
        Subject::of_setting(&board, &reader, &args.id, found)?
    } else {
        let run = one(&reader, &args.id)?;
        let confusion = found(&run)?;
        if let Some(other) = &args.other {
            let other = one(&reader, other)?;
            let theirs = find(&reader, &other, Some(&confusion.split.to_string()), args.epoch)?;
            return delta((&run, &confusion), (&other, &theirs), context);
        }
        Subject::of_run(&board, &run, confusion)
    };
    if args.calibration || args.threshold.is_some() {
        let (pass, of) = (subject.predictions?, &subject.heading);
        return match (&args.threshold, subject.runs.first()) {
            (Some(class), Some(run)) => {
                let positive = super::errors::class(*run, &pass, class)?;
                super::scores::thresholds(of, &pass, positive, context)
            }
            _ => super::scores::calibration(of, &pass, context),
        };
    }
    let by = match args.normalize.as_str() {
        "none" => Normalise::None,
        "pred" => Normalise::Column,
        "all" => Normalise::All,
        _ => Normalise::Row,
    };
    show(&subject, by, context)
}

fn show(subject: &Subject, by: Normalise, context: &mut Context) -> Result<u8, CliError> {
    let confusion = &subject.confusion;
    let whole = Matrix::new(confusion);
    let shares = whole.normalised(by);
    // Predictions are kept for a while only; the counts stay.
    let scores = subject.predictions.as_ref().ok().map(ProbabilityReport::of);
    if context.json {
        let is_one = subject.runs.len() == 1;
        context.out.json(&json!({
            "labels": confusion.labels,
            "counts": confusion.counts,
            "normalized": shares,
            "split": confusion.split.to_string(),
            "epoch": is_one.then_some(confusion.epoch),
            "runs": subject.runs.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "accuracy_over_runs": (!is_one).then_some(subject.accuracy),
            "entities": subject.entities,
            "classes": whole.classes(),
            "figures": CountReport::of(&whole),
            "probabilities": scores,
        }))?;
        return Ok(exit::OK);
    }
    context.out.line(format!("{}; rows are true, columns predicted", subject.heading))?;
    if let Some(found) = &subject.entities {
        entities::show(found, context)?;
        context.out.line("\nTags, word by word")?;
    }
    let with_shares = (by != Normalise::None).then_some(shares);
    for table in matrix(confusion, with_shares.as_deref(), context.out.width()) {
        context.out.line("")?;
        context.out.table(&table)?;
    }
    classes(confusion, &whole, context)?;
    probabilities(scores.as_ref(), context)?;
    mistakes(confusion, &whole, context)?;
    Ok(exit::OK)
}

/// What the second does otherwise than the first.
fn delta(
    (a, first): (&Run, &Confusion),
    (b, second): (&Run, &Confusion),
    context: &mut Context,
) -> Result<u8, CliError> {
    if first.labels != second.labels {
        return Err(CliError::Usage(format!("{} and {} have other classes.", a.id, b.id)));
    }
    let difference = Matrix::new(second).minus(&Matrix::new(first));
    if context.json {
        context.out.json(&json!({
            "a": a.id.to_string(),
            "b": b.id.to_string(),
            "labels": first.labels,
            "delta": difference,
            "split": first.split.to_string(),
            "epochs": [first.epoch, second.epoch],
        }))?;
        return Ok(exit::OK);
    }
    context.out.line(format!(
        "{} minus {}: {} rows after epochs {} and {}; rows are true, columns predicted",
        b.id, a.id, first.split, second.epoch, first.epoch
    ))?;
    let cell = |row: usize, column: usize| {
        let by = difference.get(row).and_then(|r| r.get(column)).copied().unwrap_or_default();
        let tone = match by.signum() * if row == column { 1 } else { -1 } {
            0 => Tone::Faint,
            1 => Tone::Good,
            _ => Tone::Bad,
        };
        Cell::toned(if by == 0 { "0".to_owned() } else { format!("{by:+}") }, tone)
    };
    for table in tables(&first.labels, cell, context.out.width()) {
        context.out.line("")?;
        context.out.table(&table)?;
    }
    Ok(exit::OK)
}

/// What `errors` has in the place of counts, of a task without classes.
fn instead(task: Task) -> Option<&'static str> {
    match task {
        // A language model has its perplexity alone.
        Task::Classify | Task::Tag | Task::Lm => None,
        Task::Regress => Some("the largest residuals"),
        Task::Multilabel => Some("labels missed and added"),
    }
}

/// The pass that is asked for, or what there is instead.
fn find(
    reader: &Reader,
    run: &Run,
    split: Option<&str>,
    epoch: Option<u32>,
) -> Result<Confusion, CliError> {
    let wanted: Option<Split> = split.and_then(|s| s.parse().ok());
    let passes = reader.confusions(run.id)?;
    let last = |split| passes.iter().any(|p| p.0 == split).then_some(split);
    let split = wanted.or_else(|| last(Split::Test)).or_else(|| last(Split::Val));
    let split = split.unwrap_or(Split::Test);
    if let Some(found) = reader.confusion(run.id, split, epoch)? {
        return Ok(found);
    }
    if let Some(what) = instead(run.spec.task) {
        return Err(CliError::Usage(format!(
            "{} learnt task={}, which takes no class for another; `tuneboard errors {}` lists {what}.",
            run.id, run.spec.task, run.id
        )));
    }
    let pass = epoch.map(|e| format!(" after epoch {e}")).unwrap_or_default();
    let there: Vec<String> = passes.iter().map(|(s, e)| format!("{s} {e}")).collect();
    let there = match there.len() {
        0 => "none was counted yet".to_owned(),
        1..=20 => format!("there are {}", there.join(", ")),
        n => format!(
            "there are {n} others, the last is {}",
            there.join(", ").rsplit(", ").next().unwrap_or_default()
        ),
    };
    Err(CliError::Usage(format!("{} has no confusion counts of {split}{pass}: {there}.", run.id)))
}

/// The matrix as tables, as many columns in each as the terminal takes.
fn matrix(confusion: &Confusion, shares: Option<&[Vec<f64>]>, width: Option<usize>) -> Vec<Table> {
    let cell = |row: usize, column: usize| {
        let counts = confusion.counts.get(row).and_then(|r| r.get(column));
        let text = count(counts.copied().unwrap_or_default());
        let share = shares.and_then(|s| s.get(row)?.get(column).copied());
        let text = share.map_or(text.clone(), |share| format!("{text} {share:.3}"));
        let tone = match (row == column, counts) {
            (true, _) => Tone::Good,
            (false, Some(0)) => Tone::Faint,
            (false, _) => Tone::Bad,
        };
        Cell::toned(text, tone)
    };
    tables(&confusion.labels, cell, width)
}

/// A square of cells under and beside the names of the classes.
fn tables(
    labels: &[String],
    cell: impl Fn(usize, usize) -> Cell,
    width: Option<usize>,
) -> Vec<Table> {
    let n = labels.len();
    let label = |i: usize| super::table::cut(&labels.get(i).cloned().unwrap_or_default(), 20);
    // Room for the widest count and share, or the label above it.
    let widest = (0..n).map(|i| label(i).len().max(cell(i, i).text.len())).max().unwrap_or(1) + 2;
    let at_once = width.map_or(n, |w| (w.saturating_sub(widest) / widest).max(1)).max(1);
    let starts = (0..n).step_by(at_once);
    starts
        .map(|start| {
            let columns: Vec<usize> = (start..n.min(start + at_once)).collect();
            let mut heads = vec!["true \\ predicted".to_owned()];
            heads.extend(columns.iter().map(|c| format!(">{}", label(*c))));
            let mut table = Table::new(&heads.iter().map(String::as_str).collect::<Vec<_>>());
            for row in 0..n {
                let cells = columns.iter().map(|c| cell(row, *c));
                table.row(std::iter::once(Cell::from(label(row))).chain(cells));
            }
            table
        })
        .collect()
}

/// Precision, recall and F1 of every class and over all, then agreement beyond chance.
fn classes(confusion: &Confusion, whole: &Matrix, context: &mut Context) -> Result<(), CliError> {
    let mut table = Table::new(&["~class", ">rows", ">precision", ">recall", ">f1"]);
    let mut row = |label: &str, rows: u64, figures: [f64; 3]| {
        let figures = figures.map(|x| Cell::from(value(x)));
        table.row([label.into(), count(rows).into()].into_iter().chain(figures));
    };
    for (label, class) in confusion.labels.iter().zip(whole.classes()) {
        row(label, class.support, [class.precision, class.recall, class.f1]);
    }
    let report = CountReport::of(whole);
    for (name, mean) in [("macro mean", report.macro_average), ("weighted mean", report.weighted)] {
        row(name, whole.total(), [mean.precision, mean.recall, mean.f1]);
    }
    context.out.line("")?;
    context.out.table(&table)?;
    let figures = [
        ("accuracy", Some(report.accuracy)),
        ("balanced accuracy", report.balanced_accuracy),
        ("macro F1", Some(whole.macro_f1())),
        ("MCC", Some(report.mcc)),
        ("kappa", report.kappa),
    ];
    context.out.line(sentence(&figures))
}

/// What only the probabilities tell; nothing once the pass's predictions are gone.
fn probabilities(
    scores: Option<&ProbabilityReport>,
    context: &mut Context,
) -> Result<(), CliError> {
    let Some(scores) = scores else { return Ok(()) };
    let figures = [
        ("log loss", scores.log_loss),
        ("Brier", scores.brier),
        ("ROC-AUC", scores.roc_auc),
        ("average precision", scores.average_precision),
        ("ECE", scores.ece),
        ("MCE", scores.mce),
    ];
    context.out.line(sentence(&figures))
}

fn sentence(figures: &[(&str, Option<f64>)]) -> String {
    let words: Vec<String> =
        figures.iter().map(|(name, figure)| format!("{name} {}", maybe(*figure))).collect();
    words.join(", ")
}

/// The commonest mistakes, in words.
fn mistakes(confusion: &Confusion, whole: &Matrix, context: &mut Context) -> Result<(), CliError> {
    const SHOWN: usize = 10;
    let pairs = whole.mistakes(SHOWN);
    if pairs.is_empty() {
        return context.out.line("\nNo mistakes.");
    }
    context.out.line("\nCommonest mistakes")?;
    let label = |i: usize| Cell::from(confusion.labels.get(i).cloned().unwrap_or_default());
    let mut table = Table::new(&[">count", "true", "taken for"]);
    for pair in pairs {
        table.row([count(pair.count).into(), label(pair.truth), label(pair.predicted)]);
    }
    context.out.table(&table)
}
