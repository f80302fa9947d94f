//! The command line: one file per verb, with its arguments, its help and what it does.
//!
//! [`args`] is exactly what was typed, [`verb`] what every verb gets, [`out`] the only place that
//! prints, [`contract`] the JSON that scripts rely on, [`exit`] the exit codes.

mod archive;
mod args;
mod calibrate;
mod checkpoint;
mod clone;
mod compare;
mod completions;
mod confusion;
mod contract;
mod data;
mod demo;
mod desired;
mod doctor;
mod ensemble;
mod error;
mod errors;
mod exit;
mod export;
mod figures;
mod gc;
mod hold;
mod init;
mod logs;
mod lr_find;
mod ls;
mod man;
mod models;
mod note;
mod out;
mod paths;
mod plain;
mod predict;
mod pruning;
mod queue;
mod queueing;
mod reindex;
mod rename;
mod restore;
mod resume;
mod retry;
mod rm;
mod run;
mod runner;
mod sanitize;
mod scores;
mod show;
mod sites;
mod stop;
mod sweep;
mod table;
mod tag;
mod tokenize;
mod trust;
mod verb;
mod wait;

use std::ffi::OsString;
use std::io::{self, IsTerminal};
use std::panic::{self, AssertUnwindSafe};

use clap::Parser;
use clap::error::ErrorKind;

use args::Cli;
use error::CliError;
use out::Out;
use verb::Context;

use crate::board::{Board, BoardError};
use crate::panics;
use crate::spec::printable;

/// Does what these arguments say; the result is the process's exit code.
pub fn main(args: impl IntoIterator<Item = OsString>) -> u8 {
    let args: Vec<OsString> = args.into_iter().collect();
    guarded(|| match Cli::try_parse_from(&args) {
        Ok(cli) => dispatch(cli),
        Err(error) => explain(&error),
    })
}

fn dispatch(cli: Cli) -> u8 {
    let (json, board_dir) = (cli.json, cli.board);
    let mut context = Context { out: Out::new(), json, board_dir, verbs: args::verbs };
    let result = match cli.verb {
        Some(_) if cli.plain => Err(CliError::Usage(
            "`--plain` is the dashboard as lines; it goes without a verb.".to_owned(),
        )),
        Some(verb) => verb.run(&mut context),
        None if cli.plain => plain::run(&mut context),
        None => dashboard(&mut context),
    };
    finish(result.and_then(|code| context.out.flush().map(|()| code)))
}

fn finish(result: Result<u8, CliError>) -> u8 {
    match result {
        Ok(code) => code,
        Err(CliError::BrokenPipe) => exit::OK,
        Err(error) => {
            out::complain(&format!("error: {error}"));
            error.exit_code()
        }
    }
}

/// The board; where there is none, a new one if whoever is asked agrees.
fn board_or_new(context: &mut Context) -> Result<Board, CliError> {
    match context.board() {
        Err(CliError::Board(BoardError::NotFound(folder))) if io::stdin().is_terminal() => {
            let place = folder.display().to_string();
            let place = printable(&place, place.len());
            if context.agreed(&format!("There is no board in {place} yet. Make one?"))? {
                return Ok(Board::init(&folder)?);
            }
            Err(BoardError::NotFound(folder).into())
        }
        found => found,
    }
}

/// Without a verb: the dashboard where somebody can look at it, else the list of runs.
fn dashboard(context: &mut Context) -> Result<u8, CliError> {
    if context.out.tty && !context.json {
        return shown(&board_or_new(context)?, context);
    }
    let code = ls::run(ls::Args::default(), context)?;
    if !context.json {
        context.out.aside("The dashboard needs a terminal; `tuneboard help` lists the verbs.")?;
    }
    Ok(code)
}

/// The dashboard, and a word to those who left while runs were under way.
fn shown(board: &Board, context: &mut Context) -> Result<u8, CliError> {
    let counts = crate::tui::run(board, (context.verbs)())?;
    let runs = |count: u64| if count == 1 { "1 run".to_owned() } else { format!("{count} runs") };
    let words = match (counts.live, counts.queued) {
        (0, 0) => return Ok(exit::OK),
        (0, waiting) => format!("{} waiting", runs(waiting)),
        (live, 0) => format!("{} training", runs(live)),
        (live, waiting) => format!("{} training, {waiting} waiting", runs(live)),
    };
    context.out.aside(format!(
        "{words}: all goes on without the dashboard; `tuneboard` shows it again."
    ))?;
    Ok(exit::OK)
}

/// Help and version go to standard output; what was typed wrongly comes back, made harmless.
fn explain(error: &clap::Error) -> u8 {
    let text = error.render();
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        let mut out = Out::new();
        let printed = out.styled(&text.ansi().to_string(), &text.to_string());
        return finish(printed.and_then(|()| out.flush()).map(|()| exit::OK));
    }
    out::complain(text.to_string().trim_end());
    exit::USAGE
}

/// A panic is a mistake of ours: it ends with one sentence and its own exit code.
fn guarded(work: impl FnOnce() -> u8) -> u8 {
    panics::install(out::complain);
    panic::catch_unwind(AssertUnwindSafe(work)).unwrap_or(exit::INTERNAL)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_arguments_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_panic_ends_with_its_own_exit_code() {
        let before = panic::take_hook();
        let code = guarded(|| panic!("on purpose"));
        panic::set_hook(before);
        assert_eq!(code, exit::INTERNAL);
    }

    #[test]
    fn every_verb_explains_itself_with_examples_or_a_reason() {
        for verb in Cli::command().get_subcommands().filter(|v| v.get_name() != "help") {
            assert!(verb.get_about().is_some(), "{}", verb.get_name());
            assert!(verb.get_after_help().is_some(), "{}", verb.get_name());
        }
    }
}
