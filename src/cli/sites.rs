//! `tuneboard sites`: the places where runs go.

mod check;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::mpsc;
use std::thread;

use serde_json::json;

use super::error::CliError;
use super::exit;
use super::figures::{self, rfc3339};
use super::table::{Cell, Table, Tone};
use super::verb::{self, Context};
use crate::board::{Board, Site, SiteKind};
use crate::runner;
use crate::spec::{Desired, RunId};
use crate::store::{Run, SiteInfo, SiteState, unreachable};

/// List the sites where runs go: this machine, SSH hosts, Slurm clusters
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A site is a [sites.NAME] of config.toml; runs go there with site=NAME, or site=any for the first free
one. Hosts are asked while a runner is at work; otherwise the last word is shown. docs/sites.md has
worked set-ups.

Examples:
  tuneboard sites
  tuneboard sites --json | jq '.[] | select(.free > 0).name'
  tuneboard sites check box        connection, tools, disk, trainer, libtorch, GPUs, clock
  tuneboard sites install box      brings the trainer and its libtorch there
  tuneboard sites hold box         no more runs start there; --drain clears it
  tuneboard sites fetch r12        checkpoints and predictions that were left there
  tuneboard run site=box model=minilm data=data/sms_spam.csv")]
pub struct Args {
    #[command(subcommand)]
    what: Option<What>,
}

/// What else can be done with a site.
#[derive(Debug, clap::Subcommand)]
enum What {
    /// Walk through connection, tools, disk, trainer, libtorch, GPUs and clock, and say how to mend each
    Check {
        /// A site of config.toml
        name: String,
    },
    /// Copy this machine's trainer and its libtorch there
    Install {
        /// A site of config.toml
        name: String,
    },
    /// Start no more runs there; those that are there go on
    Hold {
        /// A site of config.toml
        name: String,
        /// Runs that are there save, make room and are held, too
        #[arg(long)]
        drain: bool,
    },
    /// Let runs start there again
    Release {
        /// A site of config.toml
        name: String,
    },
    /// Fetch checkpoints and predictions of runs from their sites
    Fetch {
        /// Runs, or sweeps as s3
        #[arg(value_name = "ID", required = true)]
        ids: Vec<String>,
    },
}

/// `tuneboard sites`.
pub fn run(args: Args, context: &mut Context) -> Result<u8, CliError> {
    match args.what {
        None => list(context),
        Some(What::Check { name }) => check::run(&name, context),
        Some(What::Install { name }) => install(&name, context),
        Some(What::Hold { name, drain }) => hold(&name, drain, context),
        Some(What::Release { name }) => release(&name, context),
        Some(What::Fetch { ids }) => fetch(&ids, context),
    }
}

fn hold(name: &str, drain: bool, context: &mut Context) -> Result<u8, CliError> {
    let board = context.board()?;
    let words = if board.hold_site(name, true)? { "is held" } else { "is held already" };
    context
        .out
        .line(format!("{name} {words}; `tuneboard sites release {name}` lets runs start again."))?;
    if drain && board.database().exists() {
        let mut store = verb::store(&board)?;
        let open = store.reader().open_runs(1)?;
        let there = |run: &&Run| run.placement.as_ref().is_some_and(|at| at.site == name);
        let goes_on = |run: &&Run| run.state.is_live() && run.desired == Desired::Run;
        let ids: Vec<RunId> = open.iter().filter(there).filter(goes_on).map(|run| run.id).collect();
        store.set_desired(&ids, Desired::Hold)?;
        for id in ids {
            context.out.line(format!(
                "{id} saves, makes room and is held; `tuneboard resume {id}` lets it go on."
            ))?;
        }
    }
    Ok(exit::OK)
}

fn release(name: &str, context: &mut Context) -> Result<u8, CliError> {
    let board = context.board()?;
    let words = if board.hold_site(name, false)? { "takes runs again" } else { "is not held" };
    context.out.line(format!("{name} {words}."))?;
    Ok(exit::OK)
}

fn install(name: &str, context: &mut Context) -> Result<u8, CliError> {
    let board = context.board()?;
    board.site(name)?;
    let (sender, texts) = mpsc::channel();
    let board = &board;
    let bytes = thread::scope(|scope| {
        let tell = move |text| drop(sender.send(text));
        let copy = scope.spawn(move || runner::install(board, name, tell));
        for text in texts {
            progress(context, text);
        }
        copy.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })?;
    if context.json {
        context.out.json(&json!({ "site": name, "bytes": bytes }))?;
    } else {
        context.out.line(format!("Installed on {name}: {}.", figures::bytes(bytes)))?;
    }
    Ok(exit::OK)
}

/// How far a copy is, in place, for who watches. A terminal that is gone does not end the copy.
fn progress(context: &mut Context, text: String) {
    if context.out.tty && !context.json {
        let _ = context.out.redraw(&[text]);
    }
}

fn fetch(ids: &[String], context: &mut Context) -> Result<u8, CliError> {
    let board = context.board()?;
    let runs = verb::pick(&board, &verb::reader(&board)?, ids)?;
    let elsewhere =
        runs.iter().filter(|run| run.placement.as_ref().is_some_and(|p| p.site != "local"));
    let mut fetched = Vec::new();
    for run in elsewhere {
        let show = RefCell::new(|text| progress(context, text));
        let bytes = runner::fetch(&board, run, |text| (show.borrow_mut())(text))?;
        if !context.json {
            context.out.line(format!("{}: {} fetched.", run.id, figures::bytes(bytes)))?;
        }
        fetched.push(json!({ "id": run.id.to_string(), "bytes": bytes }));
    }
    if fetched.is_empty() {
        return Err(CliError::Usage("None of these runs has been on another machine.".into()));
    }
    if context.json {
        context.out.json(&fetched)?;
    }
    Ok(exit::OK)
}

fn list(context: &mut Context) -> Result<u8, CliError> {
    let board = context.board()?;
    let rows = rows(&board)?;
    if context.json {
        let held = board.held_sites();
        let objects: Vec<_> = rows.iter().map(|row| object(row, &held)).collect();
        context.out.json(&objects)?;
        return Ok(exit::OK);
    }
    let held = board.held_sites();
    let mut table = Table::new(&["site", "kind", "state", ">free", "~devices"]);
    for (site, info) in &rows {
        let state = match info.state {
            SiteState::Up if held.contains(&info.name) => Cell::toned("up, held", Tone::Plain),
            SiteState::Up => Cell::toned("up", Tone::Good),
            SiteState::Unreachable => Cell::toned(unreachable(info.seen), Tone::Bad),
            SiteState::Unasked => Cell::toned("not asked yet", Tone::Faint),
        };
        let free = match info.slots {
            0 => "-".to_owned(),
            slots => format!("{}/{slots}", info.free),
        };
        let mut devices = grouped(&info.devices);
        if devices.is_empty() && site.kind != SiteKind::Local {
            devices.clone_from(if site.host.is_empty() { &site.partition } else { &site.host });
        }
        let name = Cell::from(info.name.as_str());
        table.row([name, site.kind.word().into(), state, free.into(), devices.into()]);
        for (id, text) in &info.runs {
            let text = Cell::toned(format!("{id}: {text}"), Tone::Faint);
            table.row([Cell::default(), Cell::default(), text]);
        }
        if !info.why.is_empty() {
            table.row([Cell::default(), Cell::default(), Cell::toned(&info.why, Tone::Faint)]);
        }
    }
    context.out.table(&table)?;
    Ok(exit::OK)
}

/// Each site of the config with what is known of it.
fn rows(board: &Board) -> Result<Vec<(Site, SiteInfo)>, CliError> {
    let reader = verb::reader(board)?;
    let (known, slots) = (reader.sites()?, reader.slots()?);
    let serves = reader.runner()?.is_some_and(|info| runner::alive(&info));
    let row = |(name, site): (String, Site)| {
        let mut info = known.iter().find(|info| info.name == name).cloned().unwrap_or_default();
        if site.kind == SiteKind::Local {
            let mine: Vec<_> = slots.iter().filter(|slot| slot.site == name).collect();
            info.slots = mine.len() as u32;
            info.free = mine.iter().filter(|slot| slot.run.is_none()).count() as u32;
            info.devices = mine.iter().map(|slot| slot.label.clone()).collect();
            info.state = SiteState::Up;
        } else if !serves {
            // This board holds no slots there that could be listed.
            info.runs.clear();
        }
        info.name = name;
        (site, info)
    };
    Ok(board.sites().into_iter().map(row).collect())
}

fn object((site, info): &(Site, SiteInfo), held: &BTreeSet<String>) -> serde_json::Value {
    let runs: Vec<_> =
        info.runs.iter().map(|(id, text)| json!({ "id": id.to_string(), "text": text })).collect();
    json!({
        "name": info.name,
        "kind": site.kind.word(),
        "host": Some(&site.host).filter(|host| !host.is_empty()),
        "state": info.state.word(),
        "held": held.contains(&info.name),
        "seen": info.seen.and_then(rfc3339),
        "why": Some(&info.why).filter(|why| !why.is_empty()),
        "devices": info.devices,
        "slots": info.slots,
        "free": info.free,
        "runs": runs,
    })
}

/// `2 x A100, 1 x T4`; a single one without a number.
fn grouped(devices: &[String]) -> String {
    let mut groups: Vec<(usize, &str)> = Vec::new();
    for device in devices {
        match groups.iter_mut().find(|(_, name)| name == device) {
            Some((n, _)) => *n += 1,
            None => groups.push((1, device)),
        }
    }
    let words = groups.iter().map(|(n, name)| match n {
        1 => (*name).to_owned(),
        n => format!("{n} x {name}"),
    });
    words.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_of_one_kind_are_counted() {
        let devices = ["A100", "A100", "T4"].map(str::to_owned);
        assert_eq!(grouped(&devices), "2 x A100, T4");
        assert_eq!(grouped(&[]), "");
    }
}
