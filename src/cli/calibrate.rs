use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::checkpoint::{Which, checkpoint};
use super::error::CliError;
use super::exit;
use super::figures::{counted, value};
use super::table::Table;
use super::verb::{self, Context, one};
use crate::analysis::export::keep;
use crate::analysis::metrics::{Sureness, at_temperature, sureness, temperature_of};
use crate::board::Board;
use crate::dataset::predictions::{Pass, latest, read_pass};
use crate::events::Split;
use crate::spec::Task;
use crate::store::Run;

/// In a model's `config.json`: what its logits are divided by, so that probabilities are honest. `predict` obeys it.
const APPLIED: &str = "tuneboard_temperature";
/// The temperature that the trainer fitted on the val rows; nothing obeys it.
const FITTED: &str = "tuneboard_fitted_temperature";

/// Make a run's probabilities honest: one temperature, fitted on its val rows
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Divides the logits of the run's best checkpoint by the temperature under which its val rows are most probable
(Guo et al. 2017). Predictions stay as they are, only their probabilities become those of a model that knows how
often it is right. The temperature is kept in the checkpoint's config.json (tuneboard_temperature): `predict` and
`ensemble` obey it, `export` writes it. Every run that ends reports what it would do: test/ece and
test/calibrated_ece.

Examples:
  tuneboard calibrate r12
  tuneboard calibrate r12 --json | jq .test.ece
  tuneboard calibrate r12 --off          as it was")]
pub struct Args {
    /// The run
    #[arg(value_name = "ID")]
    id: String,
    /// Take the temperature away again
    #[arg(long)]
    off: bool,
}

/// `tuneboard calibrate`.
pub fn run(args: Args, context: &mut Context) -> Result<u8, CliError> {
    let board = context.board()?;
    let run = one(&verb::reader(&board)?, &args.id)?;
    refuse(&run)?;
    board.check_trust()?;
    let folder = checkpoint(&board, &run, Which::Best)?;
    if args.off {
        let had = temperatures(&folder).0;
        write(&folder, None)?;
        if context.json {
            context.out.json(&json!({ "id": run.id.to_string(), "temperature": null }))?;
        } else {
            let was =
                had.map_or("had no temperature".to_owned(), |t| format!("gives up {}", value(t)));
            context
                .out
                .line(format!("{} {was}: predict says probabilities as they are.", run.id))?;
        }
        return Ok(exit::OK);
    }
    let val = pass(&board, &run, Split::Val);
    let fitted = temperatures(&folder).1.or_else(|| val.as_ref().and_then(temperature_of));
    let Some(temperature) = fitted else {
        let why = match &val {
            None => "has no saved predictions of its val rows".to_owned(),
            Some(Pass::Tags(tags)) if tags.names.is_empty() => {
                "keeps the tags of its val rows without their probabilities".to_owned()
            }
            Some(val) => format!(
                "has {} of val, and no temperature is best for them: all are right, or no better than chance",
                counted(val.rows().len(), "row")
            ),
        };
        return Err(CliError::Usage(format!("{} {why}; nothing is changed.", run.id)));
    };
    write(&folder, Some(temperature))?;
    let told = [(Split::Val, val), (Split::Test, pass(&board, &run, Split::Test))];
    let told: Vec<(Split, Told)> = told
        .into_iter()
        .filter_map(|(split, pass)| Some((split, Told::of(&pass?, temperature)?)))
        .collect();
    if context.json {
        let mut object = json!({ "id": run.id.to_string(), "temperature": temperature });
        for (split, told) in &told {
            object[split.to_string()] = told.object();
        }
        context.out.json(&object)?;
        return Ok(exit::OK);
    }
    context.out.line(format!(
        "{} at temperature {}, fitted on its val rows",
        run.id,
        value(temperature)
    ))?;
    let mut table = Table::new(&["rows", ">n", ">ECE before", ">after", ">loss before", ">after"]);
    for (split, Told { rows, before, after }) in &told {
        let figures = [before.ece, after.ece, before.loss, after.loss].map(|x| value(x).into());
        table.row([split.to_string().into(), rows.to_string().into()].into_iter().chain(figures));
    }
    context.out.table(&table)?;
    context.out.line("predict and ensemble obey it, export writes it; --off takes it away.")?;
    Ok(exit::OK)
}

/// A pass before and after.
struct Told {
    rows: usize,
    before: Sureness,
    after: Sureness,
}

impl Told {
    fn of(pass: &Pass, temperature: f64) -> Option<Self> {
        let (before, after) = (sureness(pass)?, sureness(&at_temperature(pass, temperature))?);
        Some(Self { rows: pass.rows().len(), before, after })
    }

    fn object(&self) -> Value {
        let Self { rows, before, after } = self;
        json!({ "rows": rows, "ece": [before.ece, after.ece], "loss": [before.loss, after.loss] })
    }
}

fn refuse(run: &Run) -> Result<(), CliError> {
    let why = match run.spec.task {
        _ if run.state.outcome().is_none() => {
            format!("is {} still: a temperature is fitted once it has ended", run.state)
        }
        Task::Classify | Task::Multilabel | Task::Tag => return Ok(()),
        Task::Regress => {
            "learnt task=regress, which predicts numbers and no probabilities".to_owned()
        }
        Task::Lm => "learnt task=lm, which answers no texts".to_owned(),
    };
    Err(CliError::Usage(format!("{} {why}.", run.id)))
}

/// What the best weights said of a split.
fn pass(board: &Board, run: &Run, split: Split) -> Option<Pass> {
    let best = run.best_epoch.map(|epoch| board.predictions_of(run.id, split, epoch));
    let last = || latest(&board.predictions(run.id), &split.to_string()).map(|(_, path)| path);
    let path = best.filter(|path| path.is_file()).or_else(last)?;
    read_pass(&path, run.spec.task).ok()
}

/// The temperature that the model in a folder obeys, and the one that was fitted for it.
pub fn temperatures(folder: &Path) -> (Option<f64>, Option<f64>) {
    let text = fs::read(folder.join("config.json")).unwrap_or_default();
    let config: Value = serde_json::from_slice(&text).unwrap_or_default();
    let of = |key: &str| config[key].as_f64().filter(|t| t.is_finite() && *t > 0.0);
    (of(APPLIED), of(FITTED))
}

/// Those of a run's best weights.
pub fn of_run(board: &Board, run: &Run) -> (Option<f64>, Option<f64>) {
    temperatures(&board.checkpoints(run.id).join("best"))
}

/// A line about them, where there is one.
pub fn line(board: &Board, run: &Run) -> Option<String> {
    match of_run(board, run) {
        (Some(temperature), _) => {
            Some(format!("predict divides logits by {}.", value(temperature)))
        }
        (None, Some(fitted)) if run.state.outcome().is_some() => Some(format!(
            "`tuneboard calibrate {}` would divide logits by {}.",
            run.id,
            value(fitted)
        )),
        _ => None,
    }
}

/// Puts a temperature into the config.json of a folder, or takes it out; whole or not at all.
fn write(folder: &Path, temperature: Option<f64>) -> Result<(), CliError> {
    let path = folder.join("config.json");
    let cannot = |e: &dyn std::fmt::Display| {
        CliError::Place(format!("{} cannot be written: {e}.", path.display()))
    };
    let text = fs::read(&path).map_err(|e| cannot(&e))?;
    let mut config: Value = serde_json::from_slice(&text).map_err(|e| cannot(&e))?;
    let object = config.as_object_mut().ok_or_else(|| cannot(&"it holds no object"))?;
    match temperature {
        Some(temperature) => object.insert(APPLIED.into(), json!(temperature)),
        None => object.remove(APPLIED),
    };
    keep(format!("{config:#}\n").as_bytes(), &path).map_err(CliError::Place)
}
