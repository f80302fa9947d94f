//! tuneboard-train: trains one run, and is the only executable that links libtorch.
//!
//! ```text
//! RUN_DIR/spec.toml -> fit -> trainer: data, source, objective, optimiser, state
//!   train_epoch (objective, batch, optim, meter) -> metrics
//!   judge_epoch (objective, outcome)             -> figures, confusion, predictions
//!   save (checkpoint)                            -> checkpoints/{last,best}
//! ```
//! It writes its own folder and the cache, and nothing else. Exit codes: 0 done or cleanly stopped, 1 failed on the
//! way, 2 bad input.

mod ahead;
mod baselines;
mod batch;
mod bench;
mod cache;
mod checkpoint;
mod cli;
mod device;
mod entries;
mod error;
mod fastai;
mod fit;
mod forward;
#[cfg(test)]
mod fuzz;
mod journal;
mod lines;
mod merge;
mod model;
mod native;
mod objective;
mod optim;
mod outcome;
#[cfg(test)]
mod parity;
mod predict;
mod probe;
mod progress;
mod rng;
mod signals;
mod source;
mod splits;
mod state;
mod tokenize;
mod trainer;

use std::env;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;
use tuneboard::events::{Ending, EventKind};
use tuneboard::spec::{BuiltIn, printable};

use crate::cli::{Args, Verb};
use crate::error::TrainError;
use crate::journal::Journal;
use crate::trainer::Range;

fn main() -> ExitCode {
    // One sentence instead of a backtrace; `caught` turns the panic itself into an error.
    panic::set_hook(Box::new(|_| {}));
    device::keep_memory();
    let args = Args::parse();
    match caught(|| dispatch(&args)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            progress::err(&printable(&e.to_string(), 2000));
            ExitCode::from(e.exit_code())
        }
    }
}

fn dispatch(args: &Args) -> Result<(), TrainError> {
    let model = |name: &str| {
        let root = env::current_dir().map_err(TrainError::read(Path::new(".")))?;
        source::find_model(&root, name)
    };
    match (&args.verb, &args.run_dir) {
        (Some(Verb::Tokenize { model: name, shape }), _) => lines::tokenize(&model(name)?, shape),
        (Some(Verb::Lengths { model: name }), _) => match BuiltIn::named(name) {
            Some(built_in) => lines::word_counts(built_in),
            None => lines::lengths(&model(name)?),
        },
        (Some(Verb::Forward { model: name, input, output }), _) => {
            forward::forward(&model(name)?, input, output)
        }
        (Some(Verb::Predict { model: name, how }), _) => predict::predict(&model(name)?, how),
        (Some(Verb::Bench { model: name, batch, length }), _) => {
            bench::bench(&model(name)?, *batch, *length)
        }
        (Some(Verb::LrFind { folder, from, to, steps }), _) => {
            fit::find_rate(folder, Range { from: *from, to: *to, steps: *steps })
        }
        (Some(Verb::Watch { folder, steps }), _) => fit::watch(folder, *steps),
        (Some(Verb::Merge { adapter, to }), _) => merge::merge(adapter, to),
        (Some(Verb::Probe), _) => {
            probe::probe();
            Ok(())
        }
        (None, Some(folder)) => train(folder),
        (None, None) => Err(TrainError::Input("Give the folder of a run.".into())),
    }
}

/// Trains, and sees to it that the events file ends with how it ended.
fn train(folder: &Path) -> Result<(), TrainError> {
    // A folder without a spec is no run: nothing is written into it.
    let spec = folder.join("spec.toml");
    std::fs::metadata(&spec).map_err(TrainError::read(&spec))?;
    let (mut journal, history) = Journal::open(folder)?;
    if history.done {
        journal.console.say("This run is done.");
        return Ok(());
    }
    let stop = signals::stop_flag()
        .map_err(|e| TrainError::Failed(format!("Signals cannot be handled: {e}.")))?;
    let result = caught(|| fit::run(folder, history, &mut journal, &stop));
    let (ending, why, best_epoch) = match &result {
        Ok((ending, best)) => (*ending, String::new(), *best),
        Err(e) => (Ending::Failed, e.to_string(), None),
    };
    let written = journal.write(EventKind::Ended { ending, why, best_epoch });
    // Only now that its end is on the disk: without it, a killed run would have nothing to go on from.
    if ending == Ending::Done && written.is_ok() {
        checkpoint::drop_after_done(folder, fit::read_spec(folder)?.keep);
    }
    result.and(written)
}

/// Runs `f`; a panic in it becomes an error.
fn caught<T>(f: impl FnOnce() -> Result<T, TrainError>) -> Result<T, TrainError> {
    panic::catch_unwind(AssertUnwindSafe(f)).unwrap_or_else(|payload| {
        let text = payload
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| payload.downcast_ref::<&str>().copied())
            .unwrap_or("no message");
        let first = text.lines().next().unwrap_or_default();
        Err(TrainError::Failed(format!("The trainer ran into a bug of its own: {first}.")))
    })
}
