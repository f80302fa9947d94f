use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::json;

use super::error::CliError;
use super::figures::value;
use super::table::{Cell, Table, Tone};
use super::verb::Context;
use super::{exit, paths};
use crate::analysis::export::{self, Picture, range_picture};
use crate::analysis::lr_range::{Point, Suggestion, smoothed, suggest};
use crate::board::Board;
use crate::order::{check_inputs, take_model};
use crate::runner;
use crate::spec::{BuiltIn, RunSpec, SpecError, Sweep, keys, name_of};

/// Find a learning rate: some steps whose rate grows, and where the loss falls
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Pairs are those of a run; lr is not needed. It trains for 150 steps at most on the train rows, saves
nothing, and waits for no slot: do not start it beside a run that needs the whole device. The rate that
it suggests is the one at which the smoothed loss falls fastest, at most a third of that where it is
lowest. One such test sees the first steps alone: try the rates around it, too (docs/search.md).

Examples:
  tuneboard lr-find model=minilm data=data/sms_spam.csv
  tuneboard lr-find model=minilm data=data/sms_spam.csv batch_size=32 --out rates.svg
  tuneboard lr-find model=minilm data=data/sms_spam.csv --json | jq .suggestion.rate")]
pub struct Args {
    /// Pairs of a run
    #[arg(value_name = "KEY=VALUE", required = true)]
    pairs: Vec<String>,
    /// The first rate
    #[arg(long, default_value_t = 1e-7)]
    from: f64,
    /// The last rate
    #[arg(long, default_value_t = 1.0)]
    to: f64,
    /// Steps
    #[arg(long, default_value_t = 150, value_parser = clap::value_parser!(u32).range(20..=10_000))]
    steps: u32,
    /// Write the curve as a picture, .svg or .png, or what --json says as .json
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// What `--out` writes.
enum Out {
    Picture(Picture),
    Json,
}

impl Out {
    fn of(path: &Path) -> Result<Self, CliError> {
        match path.extension().and_then(|ending| ending.to_str()).unwrap_or_default() {
            "json" => Ok(Self::Json),
            ending => Picture::of(ending).map(Self::Picture).ok_or_else(|| {
                let name = path.display();
                CliError::Usage(format!("--out {name} must end with .svg, .png or .json."))
            }),
        }
    }
}

#[derive(Deserialize)]
struct Line {
    rate: f64,
    loss: f64,
}

/// `tuneboard lr-find`.
pub fn run(args: Args, context: &mut Context) -> Result<u8, CliError> {
    let board = context.board()?;
    if !(args.from > 0.0 && args.from < args.to && args.to <= 100.0) {
        let why = "--from must be above 0 and below --to, and --to at most 100.";
        return Err(CliError::Usage(why.into()));
    }
    let out = args.out.as_deref().map(|path| Out::of(path).map(|out| (out, path))).transpose()?;
    let spec = spec(&args.pairs, &board)?;
    for sentence in check_inputs(&board, [&spec])? {
        context.out.aside(sentence)?;
    }
    context.out.aside(format!("Training for {} steps at most ...", args.steps))?;
    let points = walk(&board, &spec, &args, context)?;
    let found = suggest(&points);
    let object = json!({
        "points": points.iter().map(|(rate, loss)| [*rate, *loss]).collect::<Vec<_>>(),
        "suggestion": found,
        "rule": Suggestion::RULE,
    });
    if let Some((out, path)) = out {
        let title = format!("{}: learning-rate range test", name_of(&spec));
        let bytes = match out {
            Out::Json => object.to_string().into_bytes(),
            Out::Picture(picture) => {
                let svg =
                    range_picture(&title, &points, found.as_ref()).map_err(CliError::Usage)?;
                picture.bytes(svg).map_err(CliError::Internal)?
            }
        };
        export::keep(&bytes, path).map_err(CliError::Place)?;
        context.out.aside(format!("The curve -> {}", path.display()))?;
    }
    if context.json {
        context.out.json(&object)?;
        return Ok(exit::OK);
    }
    show(&points, found.as_ref(), context)?;
    Ok(exit::OK)
}

fn spec(pairs: &[String], board: &Board) -> Result<RunSpec, CliError> {
    let pairs: Vec<_> = pairs.iter().map(|p| keys::pair(p)).collect::<Result<_, SpecError>>()?;
    let pairs = paths::resolved(&pairs, board.root());
    let pairs = pairs.iter().map(|(key, value)| (*key, value.as_ref()));
    let mut sweep = Sweep::parse(board.config.defaults.clone(), pairs)?;
    if let Some(axis) = sweep.axes.first() {
        return Err(CliError::Usage(format!("`{}` takes one value here.", axis.key)));
    }
    take_model(board, &mut sweep)?;
    if matches!(BuiltIn::named(&sweep.base.model), Some(BuiltIn::Baseline(_))) {
        return Err(CliError::Usage(format!("{} has no learning rate.", sweep.base.model)));
    }
    Ok(sweep.base)
}

/// Rate and loss of each step, of a trainer that leaves nothing behind.
fn walk(
    board: &Board,
    spec: &RunSpec,
    args: &Args,
    context: &mut Context,
) -> Result<Vec<Point>, CliError> {
    let folder = board.runs().join(format!(".lr-find-{}", std::process::id()));
    let place = |e: std::io::Error| CliError::Place(format!("{}: {e}.", folder.display()));
    fs::create_dir_all(&folder).map_err(place)?;
    let written = fs::write(folder.join("spec.toml"), spec.to_toml()).map_err(place);
    let [from, to, steps] = [args.from.to_string(), args.to.to_string(), args.steps.to_string()];
    let name = folder.display().to_string();
    let words = ["lr-find", name.as_str(), "--from", &from, "--to", &to, "--steps", &steps];
    let mut points = Vec::new();
    let walked = written.and_then(|()| {
        let tell = |line: &str| {
            let Ok(Line { rate, loss }) = serde_json::from_str(line) else { return };
            points.push((rate, loss));
            progress(context, points.len(), args.steps, (rate, loss));
        };
        Ok(runner::trainer_lines(board, &words, "", tell)?)
    });
    let removed = fs::remove_dir_all(&folder).map_err(place);
    walked?;
    removed?;
    if points.is_empty() {
        return Err(CliError::Usage(format!(
            "The loss is no number at a rate of {} already; give a lower --from.",
            value(args.from)
        )));
    }
    Ok(points)
}

/// How far it is, in place, for who watches. A terminal that is gone does not end the test.
fn progress(context: &mut Context, step: usize, steps: u32, (rate, loss): Point) {
    if context.out.tty && !context.json {
        let line = format!("step {step} of {steps} · lr {rate:.1e} · loss {}", value(loss));
        let _ = context.out.redraw(&[line]);
    }
}

/// The curve as a table with bars, and what follows from it.
fn show(
    points: &[Point],
    found: Option<&Suggestion>,
    context: &mut Context,
) -> Result<(), CliError> {
    const ROWS: usize = 24;
    const BAR: f64 = 40.0;
    let smooth = smoothed(points);
    let every = smooth.len().div_ceil(ROWS).max(1);
    let losses = smooth.iter().map(|(_, loss)| *loss);
    let (low, high) =
        losses.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), x| (l.min(x), h.max(x)));
    let mut table = Table::new(&[">learning rate", ">loss", "~smoothed"]);
    let full = if context.out.utf8 { "█" } else { "#" };
    for group in smooth.chunks(every) {
        let Some((rate, loss)) = group.last().copied() else { continue };
        let share = if high > low { (loss - low) / (high - low) } else { 1.0 };
        let is_here = found.is_some_and(|found| {
            group.first().is_some_and(|first| first.0 <= found.rate) && found.rate <= rate
        });
        let bar = full.repeat(1 + (share * BAR) as usize);
        let bar = if is_here { format!("{bar}  < here") } else { bar };
        let tone = if is_here { Tone::Good } else { Tone::Plain };
        table.row([format!("{rate:.1e}").into(), value(loss).into(), Cell::toned(bar, tone)]);
    }
    context.out.table(&table)?;
    match found {
        Some(found) => {
            let [low, high] = found.bounds;
            context.out.line(format!("lr={:.1e}: {}.", found.rate, Suggestion::RULE))?;
            context.out.line(format!("Next: tuneboard sweep 'lr=log({low:.0e},{high:.0e})' trials=20 ..."))
        }
        None => context.out.line(
            "The loss did not fall by a tenth of its value at any rate, so nothing is suggested; more --steps may help.",
        ),
    }
}
