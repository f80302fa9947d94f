//! `tuneboard doctor`: checks everything that training needs and says how to mend it.

mod place;
mod screen;
mod trainer;

use std::path::Path;

use serde::Serialize;

use super::error::CliError;
use super::exit;
use super::table::{Cell, Table, Tone};
use super::verb::Context;
use crate::board::{Board, BoardError};

pub(in crate::cli) use trainer::Probe;

/// Check libtorch, CUDA, disk, terminal, clock, file locks and the database
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Each line is ok, warn or fail; what is not ok says how to mend it. Exits with 1 if anything fails.
Works without a board too, then without the checks of one.

Examples:
  tuneboard doctor
  tuneboard doctor --json | jq '.[] | select(.level != \"ok\")'")]
pub struct Args {}

/// The result of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::cli) enum Level {
    Ok,
    Warn,
    Fail,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(in crate::cli) struct Check {
    name: &'static str,
    level: Level,
    /// What was found.
    found: String,
    /// How to mend it; empty if all is well.
    mend: String,
}

impl Check {
    pub(in crate::cli) fn ok(name: &'static str, found: impl Into<String>) -> Self {
        Self { name, level: Level::Ok, found: found.into(), mend: String::new() }
    }
    pub(in crate::cli) fn warn(
        name: &'static str,
        found: impl Into<String>,
        mend: impl Into<String>,
    ) -> Self {
        Self { name, level: Level::Warn, found: found.into(), mend: mend.into() }
    }
    pub(in crate::cli) fn fail(
        name: &'static str,
        found: impl Into<String>,
        mend: impl Into<String>,
    ) -> Self {
        Self { name, level: Level::Fail, found: found.into(), mend: mend.into() }
    }
}

/// `tuneboard doctor`.
pub fn run(_: Args, context: &mut Context) -> Result<u8, CliError> {
    let mut checks = Vec::new();
    match context.board() {
        Ok(board) => {
            checks.push(owner(&board));
            checks.extend(trainer::checks(&board));
            checks.extend(place::checks(&board));
        }
        Err(CliError::Board(BoardError::NotFound(path))) => checks.push(Check::fail(
            "board",
            format!("none in {} or above", path.display()),
            "`tuneboard init` makes one",
        )),
        Err(CliError::Board(BoardError::Untrusted { root, why })) => checks.push(Check::fail(
            "board",
            format!("{} is not trusted: {why}", root.display()),
            trust(&root),
        )),
        Err(error) => {
            checks.push(Check::fail("board", error.to_string(), "correct config.toml"));
        }
    }
    checks.extend(screen::checks(&context.out));
    conclude(&checks, context)
}

fn trust(root: &Path) -> String {
    format!("`tuneboard trust {}`, if you know who writes there", root.display())
}

fn owner(board: &Board) -> Check {
    let root = board.root();
    match board.distrust() {
        None => Check::ok("board", root.display().to_string()),
        Some(why) => {
            Check::warn("board", format!("{} is not trusted: {why}", root.display()), trust(root))
        }
    }
}

/// Shows the checks; the exit code says whether any failed.
pub(in crate::cli) fn conclude(checks: &[Check], context: &mut Context) -> Result<u8, CliError> {
    report(checks, context)?;
    let failed = checks.iter().any(|c| c.level == Level::Fail);
    Ok(if failed { exit::FAILED } else { exit::OK })
}

fn report(checks: &[Check], context: &mut Context) -> Result<(), CliError> {
    if context.json {
        return context.out.json(&checks);
    }
    let mut table = Table::new(&["check", "", "found"]);
    for check in checks {
        let level = match check.level {
            Level::Ok => Cell::toned("ok", Tone::Good),
            Level::Warn => Cell::toned("warn", Tone::Live),
            Level::Fail => Cell::toned("fail", Tone::Bad),
        };
        table.row([check.name.into(), level, check.found.as_str().into()]);
        if !check.mend.is_empty() {
            let mend = Cell::from(format!("mend: {}", check.mend));
            table.row([Cell::default(), Cell::default(), mend]);
        }
    }
    context.out.table(&table)
}
