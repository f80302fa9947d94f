use std::path::PathBuf;

use clap::{CommandFactory, Parser, Subcommand, ValueHint};

use super::{
    archive, calibrate, clone, compare, completions, confusion, data, demo, doctor, ensemble,
    error::CliError, errors, export, gc, hold, init, logs, lr_find, ls, man, models, note, predict,
    queue, reindex, rename, restore, resume, retry, rm, run, runner, show, sites, stop, sweep, tag,
    tokenize, trust, verb::Context,
};

/// What `--version` tells; `-V` tells the number alone.
const LONG_VERSION: &str =
    concat!(env!("CARGO_PKG_VERSION"), "\nbuilt as ", env!("TUNEBOARD_BUILD"));

/// Exactly what was typed.
#[derive(Debug, Parser)]
#[command(
    name = "tuneboard",
    version,
    long_version = LONG_VERSION,
    about = "Launch, watch, compare and remember fine-tuning runs without leaving the terminal",
    after_help = "\
A first session:
  tuneboard demo            a board with data, a model and a sweep, to look at
  tuneboard init my-board && cd my-board
  tuneboard run model=minilm data=data/sms_spam.csv epochs=1 --wait
  tuneboard sweep model=minilm data=data/sms_spam.csv lr=2e-5,5e-5 seed=0..2
  tuneboard                 opens the dashboard
  tuneboard ls --sort val/acc --desc

Exit codes: 0 ok, 1 a run failed, 2 usage or bad input, 3 board busy or missing, 70 our own bug."
)]
pub struct Cli {
    /// The board's folder; else $TUNEBOARD_BOARD, else this folder or the nearest above it
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        value_hint = ValueHint::DirPath,
        help_heading = "Everywhere"
    )]
    pub board: Option<PathBuf>,
    /// Print JSON for scripts instead of text for people
    #[arg(long, global = true, help_heading = "Everywhere")]
    pub json: bool,
    /// The dashboard as lines, one for each change: for screen readers, logs and pipes
    #[arg(long)]
    pub plain: bool,
    #[command(subcommand)]
    pub verb: Option<Verb>,
}

/// One variant per file in this folder. Without a verb the dashboard opens.
#[derive(Debug, Subcommand)]
pub enum Verb {
    Demo(demo::Args),
    Init(init::Args),
    Run(run::Args),
    Sweep(sweep::Args),
    Ls(ls::Args),
    Show(show::Args),
    Logs(logs::Args),
    Stop(stop::Args),
    Hold(hold::Args),
    Queue(queue::Args),
    Resume(resume::Args),
    Retry(retry::Args),
    Clone(clone::Args),
    Compare(compare::Args),
    Confusion(confusion::Args),
    Ensemble(ensemble::Args),
    Calibrate(calibrate::Args),
    Errors(errors::Args),
    Predict(predict::Args),
    Tokenize(tokenize::Args),
    Export(export::Args),
    Tag(tag::Args),
    Note(note::Args),
    Rename(rename::Args),
    Archive(archive::Args),
    Rm(rm::Args),
    Restore(restore::Args),
    Gc(gc::Args),
    Models(models::Args),
    Data(data::Args),
    LrFind(lr_find::Args),
    Sites(sites::Args),
    Doctor(doctor::Args),
    Reindex(reindex::Args),
    Runner(runner::Args),
    Trust(trust::Args),
    Completions(completions::Args),
    Man(man::Args),
}

impl Verb {
    /// Does it; the result is the exit code.
    pub fn run(self, context: &mut Context) -> Result<u8, CliError> {
        match self {
            Self::Demo(args) => demo::run(args, context),
            Self::Init(args) => init::run(args, context),
            Self::Run(args) => run::run(args, context),
            Self::Sweep(args) => sweep::run(args, context),
            Self::Ls(args) => ls::run(args, context),
            Self::Show(args) => show::run(args, context),
            Self::Logs(args) => logs::run(args, context),
            Self::Stop(args) => stop::run(args, context),
            Self::Hold(args) => hold::run(args, context),
            Self::Queue(args) => queue::run(args, context),
            Self::Resume(args) => resume::run(args, context),
            Self::Retry(args) => retry::run(args, context),
            Self::Clone(args) => clone::run(args, context),
            Self::Compare(args) => compare::run(args, context),
            Self::Confusion(args) => confusion::run(args, context),
            Self::Calibrate(args) => calibrate::run(args, context),
            Self::Ensemble(args) => ensemble::run(args, context),
            Self::Errors(args) => errors::run(args, context),
            Self::Predict(args) => predict::run(args, context),
            Self::Tokenize(args) => tokenize::run(args, context),
            Self::Export(args) => export::run(args, context),
            Self::Tag(args) => tag::run(args, context),
            Self::Note(args) => note::run(args, context),
            Self::Rename(args) => rename::run(args, context),
            Self::Archive(args) => archive::run(args, context),
            Self::Rm(args) => rm::run(args, context),
            Self::Restore(args) => restore::run(args, context),
            Self::Gc(args) => gc::run(args, context),
            Self::Models(args) => models::run(args, context),
            Self::Data(args) => data::run(args, context),
            Self::LrFind(args) => lr_find::run(args, context),
            Self::Sites(args) => sites::run(args, context),
            Self::Doctor(args) => doctor::run(args, context),
            Self::Reindex(args) => reindex::run(args, context),
            Self::Runner(args) => runner::run(args, context),
            Self::Trust(args) => trust::run(args, context),
            Self::Completions(args) => completions::run(args, Cli::command(), context),
            Self::Man(_) => man::run(Cli::command(), context),
        }
    }
}

/// The verbs, for the dashboard's command line.
pub fn verbs() -> Vec<crate::tui::Verb> {
    let words = |text: Option<&clap::builder::StyledStr>| {
        text.map(ToString::to_string)
            .unwrap_or_default()
            .lines()
            .next()
            .unwrap_or_default()
            .to_owned()
    };
    let command = Cli::command();
    let shown = command.get_subcommands().filter(|verb| !verb.is_hide_set());
    let one = |verb: &clap::Command| {
        let usage = verb.get_positionals().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        let long =
            |arg: &clap::Arg| Some((format!("--{}", arg.get_long()?), words(arg.get_help())));
        let own = |verb: &clap::Command| (verb.get_name().to_owned(), words(verb.get_about()));
        let options = verb.get_opts().filter_map(long).chain(verb.get_subcommands().map(own));
        crate::tui::Verb {
            name: verb.get_name().to_owned(),
            about: words(verb.get_about()),
            usage,
            options: options.collect(),
        }
    };
    shown.map(one).collect()
}
