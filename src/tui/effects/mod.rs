//! What keys change on the board, carried out on a thread of its own: a busy database never holds
//! up the screen.

mod change;
mod files;
mod launch;
mod undo;

use std::path::Path;
use std::sync::mpsc::{Receiver, Sender};

use thiserror::Error;

use self::launch::{LaunchError, Launched};
use self::undo::Past;
use super::command::{Command, Notice, Order};
use super::message::Message;
use super::preview::Preview;
use crate::board::{ALL_RUNS, Board, BoardError};
use crate::order::{OrderError, amended};
use crate::runner;
use crate::spec::{Desired, RunId, SweepId};
use crate::store::{Reader, Store, StoreError};

/// Why a change was not made.
#[derive(Debug, Error)]
enum EffectError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Board(#[from] BoardError),
    #[error("{0} has not ended; stop it first. Nothing was thrown away.")]
    Open(RunId),
    #[error("{0}")]
    File(String),
    #[error(transparent)]
    Launch(#[from] LaunchError),
    #[error(transparent)]
    Order(#[from] OrderError),
}

/// Carries out commands until the channel closes, and tells what came of each.
pub fn serve(board: &Board, commands: &Receiver<Command>, told: &Sender<Message>) {
    if is_waiting(&board.database())
        && let Err(error) = runner::ensure(board)
    {
        let text = format!("Runs wait, but no runner started: {error}");
        let _ = told.send(Message::Told(Notice::bad(text)));
    }
    let mut store = None;
    let mut undo = Vec::new();
    for command in commands {
        let message = match command {
            Command::Launch(order) => launched(board, &mut store, *order),
            Command::SaveView(name, query) => view_saved(board, name, query),
            command => Message::Told(changed(board, &mut store, &mut undo, command)),
        };
        if told.send(message).is_err() {
            return;
        }
    }
}

fn view_saved(board: &Board, name: String, query: String) -> Message {
    match board.save_view(&name, &query) {
        Ok(()) => {
            let text = format!("Saved; V shows it, `tuneboard ls view:{name}` too.");
            Message::ViewSaved(name, query, Notice::good(text))
        }
        Err(error) => Message::Told(Notice::bad(error.to_string())),
    }
}

fn changed(
    board: &Board,
    store: &mut Option<Store>,
    undo: &mut Vec<Past>,
    command: Command,
) -> Notice {
    let starts = matches!(command, Command::Resume(_) | Command::Retry(_) | Command::Extend(..));
    match carry_out(board, store, undo, command) {
        Ok(text) => match starts.then(|| runner::ensure(board)) {
            Some(Err(error)) => no_runner(&error),
            _ => Notice::good(text),
        },
        Err(error) => {
            // A connection that failed is not trusted again.
            *store = None;
            Notice::bad(error.to_string())
        }
    }
}

fn no_runner(error: &runner::RunnerError) -> Notice {
    Notice::bad(format!("Queued, but no runner started: {error}"))
}

/// True if runs want to start, or somebody has to see how live ones end.
fn is_waiting(database: &Path) -> bool {
    if !database.exists() {
        return false;
    }
    let counts = Reader::open(database).and_then(|reader| reader.counts());
    counts.is_ok_and(|c| c.queued + c.live > 0)
}

fn carry_out(
    board: &Board,
    store: &mut Option<Store>,
    undo: &mut Vec<Past>,
    command: Command,
) -> Result<String, EffectError> {
    match command {
        Command::SavePreview(preview) => {
            board.save_setting("preview", preview.word())?;
            Ok(match preview {
                Preview::None => "No preview.".to_owned(),
                Preview::Below => "Preview below the table, where it is high enough.".to_owned(),
                Preview::Beside => "Preview beside the table, where it is wide enough.".to_owned(),
            })
        }
        Command::HoldSite(site, held, there) => {
            let changed = board.hold_site(&site, held)?;
            if !there.is_empty() {
                opened(board, store)?.set_desired(&there, Desired::Hold)?;
            }
            Ok(match (held, there.len()) {
                (true, 0) if !changed => format!("{site} is held already."),
                (true, 0) => format!("{site} is held: no more runs start there."),
                (true, n) => {
                    format!("{site} is drained: {n} of its runs save, make room and are held.")
                }
                (false, _) => format!("{site} takes runs again."),
            })
        }
        Command::SaveColumns(view, columns) => {
            board.save_columns(&view, &columns)?;
            let whose = if view == ALL_RUNS { "every list" } else { &view };
            Ok(match columns.as_str() {
                "" => format!("The columns of {whose} follow what is in it."),
                _ => format!("Kept as the columns of {whose}."),
            })
        }
        Command::SaveSweep(name, pairs) => {
            board.save_sweep(&name, &pairs)?;
            Ok(format!("Saved; `tuneboard sweep {name}` queues it."))
        }
        Command::Picture(name, svg) => files::picture(board, &name, svg).map_err(EffectError::File),
        Command::Texts(question) => files::texts(board, question).map_err(EffectError::File),
        Command::Extend(sweep, trials) => extend(opened(board, store)?, sweep, trials),
        Command::Undo => match undo.pop() {
            Some(past) => Ok(past.restore(opened(board, store)?)?),
            None => Ok("Nothing to take back.".to_owned()),
        },
        Command::Trash(ids) => {
            let store = opened(board, store)?;
            let open = store.trash(&ids)?;
            if let Some(first) = open.first() {
                return Err(EffectError::Open(*first));
            }
            let told = change::said(&ids, "thrown away; Z brings it back", "");
            undo.push(Past::Trash(ids));
            Ok(told)
        }
        command => {
            let store = opened(board, store)?;
            undo.extend(Past::before(store, &command)?);
            Ok(change::change(store, command)?)
        }
    }
}

/// More trials for a sweep.
fn extend(store: &mut Store, sweep: SweepId, trials: u32) -> Result<String, EffectError> {
    let count = trials.to_string();
    let Some(new) = amended(store.reader(), sweep, [("trials+", count.as_str())])? else {
        return Ok(format!("{sweep} does not exist any more."));
    };
    Ok(match store.amend(sweep, &new.sweep, new.before, &new.runs)? {
        Some(_) => format!("{sweep} gets {trials} trials more."),
        None => format!("{sweep} got another run meanwhile; nothing was changed."),
    })
}

/// The connection that is kept, or a new one; a board without a database gets it here. Nothing is written to a
/// board that is not trusted.
fn opened<'a>(board: &Board, store: &'a mut Option<Store>) -> Result<&'a mut Store, EffectError> {
    board.check_trust()?;
    match store {
        Some(store) => Ok(store),
        None => Ok(store.insert(Store::open(&board.database())?)),
    }
}

fn launched(board: &Board, store: &mut Option<Store>, order: Order) -> Message {
    let done = opened(board, store).and_then(|store| Ok(launch::launch(board, store, order)?));
    match done {
        Ok(Launched { ids, told, trouble }) => {
            let notice = match trouble {
                None => Notice::good(told),
                Some(error) => no_runner(&error),
            };
            match ids.first() {
                Some(first) => Message::Launched(*first, notice),
                None => Message::Told(notice),
            }
        }
        Err(error) => {
            *store = None;
            Message::Told(Notice::bad(error.to_string()))
        }
    }
}
