mod folds;

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::contract::Extremes;
use super::error::CliError;
use super::exit;
use super::figures::{NOTHING, bytes, count, counted, interval, maybe, value};
use super::table::{Cell, Table, Tone};
use super::verb::{self, Context, one, pick};
use crate::analysis::compare::{
    Change, Comparison, Contrast, Entry, Extreme, MAX_RUNS, Pair, compare,
};
use crate::analysis::groups::setting_hash;
use crate::analysis::sizes;
use crate::spec::{RunId, short};

/// Put runs side by side and say whether they differ by more than chance
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The first run, or --baseline, is what the others are measured against. Runs that differ in their seed alone
are one setting. Settings with several seeds are tested over seeds and rows: `real` means that one beats the
other by more than both do by chance (p < 0.05). Two single runs are tested on their rows, by McNemar's exact
test and the paired bootstrap: that tells these two models apart, and says nothing of other seeds. Settings
under cross-validation (folds=5 fold=1..5) are tested fold by fold, by the corrected resampled t-test.

Examples:
  tuneboard compare r12 r15
  tuneboard compare r12 r15 r16 --baseline r16
  tuneboard compare r3..r8                   two settings of three seeds: does one beat the other?
  tuneboard compare r1..r5 r6..r10           two settings of five folds each
  tuneboard compare s3 --all                 every key, also those that are the same
  tuneboard compare r12 r15 --json | jq '.pairs[] | .mcnemar_p'")]
pub struct Args {
    /// 2 to 8 runs or settings: r12, r3..r8, a sweep as s3
    #[arg(value_name = "ID", required = true)]
    ids: Vec<String>,
    /// The run that the others are measured against; the first if not given
    #[arg(long, value_name = "ID")]
    baseline: Option<String>,
    /// Every key, also those that are the same in all runs
    #[arg(long)]
    all: bool,
}

/// `tuneboard compare`.
pub fn run(args: Args, context: &mut Context) -> Result<u8, CliError> {
    let board = context.board()?;
    let reader = verb::reader(&board)?;
    let mut runs = pick(&board, &reader, &args.ids)?;
    let baseline = args.baseline.as_deref().map(|id| one(&reader, id)).transpose()?;
    if let Some(base) = &baseline
        && runs.iter().all(|run| run.id != base.id)
    {
        runs.insert(0, base.clone());
    }
    if let [only] = runs.as_slice() {
        return Err(CliError::Usage(format!(
            "There is nothing to compare {} with: name two to {MAX_RUNS} runs.",
            only.id
        )));
    }
    let settings: BTreeSet<String> = runs.iter().map(|run| setting_hash(&run.spec)).collect();
    let settings = settings.len();
    if settings > MAX_RUNS {
        return Err(CliError::Usage(format!(
            "{} of {} are too many to compare: name two to {MAX_RUNS}.",
            counted(runs.len(), "run"),
            counted(settings, "setting")
        )));
    }
    let base = baseline.and_then(|base| runs.iter().position(|run| run.id == base.id)).unwrap_or(0);
    let entries = runs
        .into_iter()
        .map(|run| {
            let folder = board.predictions(run.id);
            Entry::read(&reader, run, &folder)
        })
        .collect::<Result<Vec<_>, _>>()?;
    let comparison = compare(&entries, base);
    if context.json {
        context.out.json(&object(&entries, &comparison))?;
        return Ok(exit::OK);
    }
    runs_table(&entries, base, context)?;
    if entries.len() > MAX_RUNS {
        // A column for each would fit no screen.
        contrasts(&comparison, context)?;
        return folds::table(&comparison, context).map(|()| exit::OK);
    }
    keys(&comparison, args.all, context)?;
    metrics(&comparison, context)?;
    classes(&comparison, context)?;
    contrasts(&comparison, context)?;
    folds::table(&comparison, context)?;
    pairs(&comparison, context)?;
    Ok(exit::OK)
}

/// The contract; what is not in the head of docs/json.md was added later.
fn object(entries: &[Entry], comparison: &Comparison) -> Value {
    let ids: Vec<String> = comparison.runs.iter().map(ToString::to_string).collect();
    let specs: Vec<Value> =
        entries.iter().map(|e| serde_json::to_value(&e.run.spec).unwrap_or_default()).collect();
    let values = |key: &str| -> Value {
        specs.iter().map(|spec| spec.get(key).cloned().unwrap_or_default()).collect()
    };
    let differing = comparison.keys.iter().filter(|row| row.differs);
    let differs: Map<String, Value> =
        differing.map(|row| (row.key.to_owned(), values(row.key))).collect();
    let metrics: Map<String, Value> = comparison
        .metrics
        .iter()
        .map(|row| {
            let one = row.figures.iter().map(|f| json!(Extremes::of(f.as_ref()))).collect();
            (row.name.clone(), one)
        })
        .collect();
    let pair = |pair: &Pair| {
        json!({
            "a": pair.a.to_string(),
            "b": pair.b.to_string(),
            "n": pair.n,
            "accuracy_diff": pair.accuracy_diff,
            "ci95": pair.accuracy_ci95,
            "mcnemar_p": pair.mcnemar_p,
            "f1_diff": pair.f1_diff,
            "f1_ci95": pair.f1_ci95,
            "only_a_right": pair.discordant.first_right,
            "only_b_right": pair.discordant.second_right,
            "real": pair.is_real(),
            "one_setting": pair.is_one_setting,
        })
    };
    let contrast = |c: &Contrast| {
        json!({
            "a": ids_of(&c.a),
            "b": ids_of(&c.b),
            "n": c.n,
            "by_seed": c.by_seed,
            "accuracy_diff": c.accuracy.diff,
            "ci95": c.accuracy.ci95,
            "p": c.accuracy.p,
            "f1_diff": c.f1.diff,
            "f1_ci95": c.f1.ci95,
            "f1_p": c.f1.p,
            "real": c.is_real(),
        })
    };
    let refused = comparison.refused.iter();
    json!({
        "runs": ids,
        "trainable_parameters": entries.iter().map(|e| sizes::trainable(&e.run)).collect::<Vec<_>>(),
        "peak_memory_bytes": entries.iter().map(|e| sizes::memory(&e.run)).collect::<Vec<_>>(),
        "baseline": ids.get(comparison.baseline),
        "differs": differs,
        "metrics": metrics,
        "classes": comparison.classes,
        "confusion_deltas": comparison.confusion_deltas,
        "pairs": comparison.pairs.iter().map(pair).collect::<Vec<_>>(),
        "settings": comparison.contrasts.iter().map(contrast).collect::<Vec<_>>(),
        "folds": comparison.folds.iter().map(folds::object).collect::<Vec<_>>(),
        "scores": comparison.scores,
        "unpaired": refused
            .map(|r| json!({ "a": r.a.to_string(), "b": r.b.to_string(), "why": r.why }))
            .collect::<Vec<_>>(),
    })
}

fn runs_table(entries: &[Entry], base: usize, context: &mut Context) -> Result<(), CliError> {
    let mut table = Table::new(&["run", "state", ">learn", ">memory", "~name", ""]);
    for (i, entry) in entries.iter().enumerate() {
        let note = if i == base { "baseline" } else { "" };
        table.row([
            entry.run.id.to_string().into(),
            super::ls::state(&entry.run),
            sizes::trainable(&entry.run).map_or_else(|| NOTHING.to_owned(), count).into(),
            sizes::memory(&entry.run).map_or_else(|| NOTHING.to_owned(), bytes).into(),
            entry.run.name.as_str().into(),
            Cell::toned(note, Tone::Faint),
        ]);
    }
    context.out.table(&table)
}

fn keys(comparison: &Comparison, all: bool, context: &mut Context) -> Result<(), CliError> {
    let rows: Vec<_> = comparison.keys.iter().filter(|row| all || row.differs).collect();
    if rows.is_empty() {
        return context.out.line("\nTheir specs do not differ.");
    }
    context.out.line(if all { "\nEvery key" } else { "\nWhat differs" })?;
    let mut table = table("key", comparison);
    for row in rows {
        let text = |v: &String| if v.is_empty() { NOTHING.into() } else { Cell::from(v.as_str()) };
        table.row(std::iter::once(row.key.into()).chain(row.values.iter().map(text)));
    }
    context.out.table(&table)
}

/// One column for what the rows are, one for each run.
fn table(first: &str, comparison: &Comparison) -> Table {
    let mut heads = vec![first.to_owned()];
    heads.extend(comparison.runs.iter().map(|id| format!(">{id}")));
    Table::new(&heads.iter().map(String::as_str).collect::<Vec<_>>())
}

fn metrics(comparison: &Comparison, context: &mut Context) -> Result<(), CliError> {
    if comparison.metrics.is_empty() {
        return context.out.line("\nNothing was measured yet.");
    }
    context.out.line("\nFigures, and best minus the baseline's best")?;
    let mut table = Table::new(&[
        "metric", "run", ">last", ">best", ">epoch", ">min", ">epoch", ">max", ">epoch", ">delta",
        "",
    ]);
    for row in &comparison.metrics {
        for (i, (figures, id)) in row.figures.iter().zip(&comparison.runs).enumerate() {
            let Some(f) = figures else { continue };
            let name = if i == 0 { row.name.as_str() } else { "" };
            let at = |e: Option<Extreme>| {
                let epoch = e.map(|e| short((e.epoch * 100.0).round() / 100.0));
                [maybe(e.map(|e| e.value)), epoch.unwrap_or_else(|| NOTHING.into())].map(Cell::from)
            };
            let cells = [f.best, f.min, f.max].map(at).into_iter().flatten();
            let mut line = vec![name.into(), id.to_string().into(), value(f.last).into()];
            line.extend(cells);
            line.push(f.delta.map_or_else(String::new, signed).into());
            line.push(match f.change {
                Some(Change::Better) => Cell::toned("better", Tone::Good),
                Some(Change::Worse) => Cell::toned("worse", Tone::Bad),
                Some(Change::Same) => Cell::toned("same", Tone::Faint),
                None => Cell::default(),
            });
            table.row(line);
        }
    }
    context.out.table(&table)
}

fn signed(x: f64) -> String {
    if x > 0.0 { format!("+{}", value(x)) } else { value(x) }
}

fn classes(comparison: &Comparison, context: &mut Context) -> Result<(), CliError> {
    if comparison.classes.is_empty() {
        return Ok(());
    }
    context.out.line("\nF1 of each class on the test rows, and the distance from the baseline")?;
    let mut table = table("class", comparison);
    for row in &comparison.classes {
        let cells = row.f1.iter().zip(&row.delta).enumerate().map(|(i, (f1, delta))| {
            let delta = delta.filter(|_| i != comparison.baseline).map(signed);
            Cell::from(delta.map_or_else(|| maybe(*f1), |delta| format!("{} {delta}", maybe(*f1))))
        });
        table.row(std::iter::once(row.label.as_str().into()).chain(cells));
    }
    context.out.table(&table)
}

/// The figures of a tested pair, the badge last.
pub fn pair_cells(pair: &Pair) -> [Cell; 7] {
    let is_real = pair.is_real() && !pair.is_one_setting;
    [
        format!("{:+.4}", pair.accuracy_diff).into(),
        interval(pair.accuracy_ci95).into(),
        format!("{:+.4}", pair.f1_diff).into(),
        interval(pair.f1_ci95).into(),
        count(pair.discordant.first_right).into(),
        count(pair.discordant.second_right).into(),
        Cell::toned(pair.to_string(), tone(is_real, pair.accuracy_diff)),
    ]
}

/// How a difference looks: good news, bad news, none.
fn tone(is_real: bool, diff: f64) -> Tone {
    match (is_real, diff > 0.0) {
        (false, _) => Tone::Faint,
        (true, true) => Tone::Good,
        (true, false) => Tone::Bad,
    }
}

fn contrasts(comparison: &Comparison, context: &mut Context) -> Result<(), CliError> {
    if comparison.contrasts.is_empty() {
        return Ok(());
    }
    context
        .out
        .line("\nIs it noise? Settings over seeds and test rows, b minus a, 95 % interval")?;
    let mut table =
        Table::new(&["a", "b", ">accuracy", "interval", ">macro F1", "interval", "badge"]);
    for c in &comparison.contrasts {
        table.row([
            Cell::from(ids(&c.a)),
            Cell::from(ids(&c.b)),
            format!("{:+.4}", c.accuracy.diff).into(),
            interval(c.accuracy.ci95).into(),
            format!("{:+.4}", c.f1.diff).into(),
            interval(c.f1.ci95).into(),
            Cell::toned(c.to_string(), tone(c.is_real(), c.accuracy.diff)),
        ]);
    }
    context.out.table(&table)
}

fn ids_of(runs: &[RunId]) -> Vec<String> {
    runs.iter().map(ToString::to_string).collect()
}

fn ids(runs: &[RunId]) -> String {
    ids_of(runs).join(" ")
}

fn pairs(comparison: &Comparison, context: &mut Context) -> Result<(), CliError> {
    if !comparison.pairs.is_empty() {
        let head = "\nThese two models on these rows, b minus a, 95 % interval of 2000 resamples of the rows";
        context.out.line(head)?;
        if comparison.contrasts.is_empty() && comparison.folds.is_empty() {
            context
                .out
                .line("Whether other seeds say the same, only runs with other seeds can tell.")?;
        }
        let mut table = Table::new(&[
            "a",
            "b",
            ">accuracy",
            "interval",
            ">macro F1",
            "interval",
            ">only a right",
            ">only b right",
            "badge",
        ]);
        for pair in &comparison.pairs {
            let ids = [pair.a.to_string().into(), pair.b.to_string().into()];
            table.row(ids.into_iter().chain(pair_cells(pair)));
        }
        context.out.table(&table)?;
    }
    if !comparison.scores.is_empty() {
        context.out.line(
            "\nIs it noise? Scores of the test rows, b minus a, 95 % interval of 2000 resamples",
        )?;
        let mut table = Table::new(&["a", "b", "score", ">difference", "interval", ">p", ">rows"]);
        for pair in &comparison.scores {
            table.row([
                pair.a.to_string().into(),
                pair.b.to_string().into(),
                pair.metric.into(),
                format!("{:+.4}", pair.diff).into(),
                interval(pair.ci95).into(),
                format!("{:.4}", pair.p).into(),
                count(pair.n as u64).into(),
            ]);
        }
        context.out.table(&table)?;
    }
    if !comparison.refused.is_empty() {
        context.out.line("\nNot tested against each other")?;
        for refused in &comparison.refused {
            context.out.line(format!("{} and {}: {}", refused.a, refused.b, refused.why))?;
        }
    }
    Ok(())
}
