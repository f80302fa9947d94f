//! What keys change on the board, carried out on a thread of its own: a busy database never holds
//! up the screen.

mod allowed;
mod files;
mod launch;
mod undo;

use std::path::Path;
use std::sync::mpsc::{Receiver, Sender};

use thiserror::Error;

use self::launch::{LaunchError, Launched};
use self::undo::Past;
use super::app::Message;
use super::study::TextsQuestion;
use super::view::Notice;
use crate::board::{Board, BoardError};
use crate::runner;
use crate::spec::{RunId, RunState, Wish};
use crate::store::{Reader, Store, StoreError};

pub use allowed::applies;
pub use launch::Order;

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
}

/// A change.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// End these runs.
    Stop(Vec<RunId>),
    /// Keep these runs in the queue.
    Hold(Vec<RunId>),
    /// Let these runs go on.
    Resume(Vec<RunId>),
    /// Train these runs again from the start.
    Retry(Vec<RunId>),
    /// Give these runs these tags, and no others.
    Tags(Vec<RunId>, Vec<String>),
    /// Write a run's note.
    Note(RunId, String),
    /// Hide these runs, or show those that are hidden.
    Archive(Vec<RunId>),
    /// Queue runs.
    Launch(Box<Order>),
    /// Give a run another name.
    Rename(RunId, String),
    /// Throw these runs away; they can be brought back.
    Trash(Vec<RunId>),
    /// Take back the last change of tags, notes, names, the archive or the trash.
    Undo,
    /// Add a query to `config.toml`.
    SaveView(String, String),
    /// Add a sweep to `config.toml`.
    SaveSweep(String, Vec<(String, String)>),
    /// Write a screen, drawn as SVG, under this name.
    Picture(String, String),
    /// Write the rows behind a list of texts.
    Texts(TextsQuestion),
}

/// Carries out commands until the channel closes, and tells what came of each.
pub fn serve(board: &Board, commands: &Receiver<Command>, told: &Sender<Message>) {
    let database = &board.database();
    if is_waiting(database)
        && let Err(error) = runner::ensure(board)
    {
        let text = format!("Runs wait, but no runner started: {error}");
        let _ = told.send(Message::Told(Notice { text, bad: true }));
    }
    let mut store = None;
    let mut undo = Vec::new();
    for command in commands {
        let command = match command {
            Command::Launch(order) => {
                if told.send(launched(board, &mut store, *order)).is_err() {
                    return;
                }
                continue;
            }
            Command::SaveView(name, query) => {
                let message = match board.save_view(&name, &query) {
                    Ok(()) => {
                        let text = format!("Saved; V shows it, `tuneboard ls view:{name}` too.");
                        Message::ViewSaved(name, query, Notice { text, bad: false })
                    }
                    Err(error) => Message::Told(Notice { text: error.to_string(), bad: true }),
                };
                if told.send(message).is_err() {
                    return;
                }
                continue;
            }
            command => command,
        };
        let starts = matches!(command, Command::Resume(_) | Command::Retry(_));
        let mut notice = match carry_out(board, &mut store, &mut undo, command) {
            Ok(text) => Notice { text, bad: false },
            Err(error) => {
                // A connection that failed is not trusted again.
                store = None;
                Notice { text: error.to_string(), bad: true }
            }
        };
        if starts
            && !notice.bad
            && let Err(error) = runner::ensure(board)
        {
            notice = Notice { text: format!("Queued, but no runner started: {error}"), bad: true };
        }
        if told.send(Message::Told(notice)).is_err() {
            return;
        }
    }
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
    let command = match command {
        Command::SaveSweep(name, pairs) => {
            board.save_sweep(&name, &pairs)?;
            return Ok(format!("Saved; `tuneboard sweep {name}` queues it."));
        }
        Command::Picture(name, svg) => {
            return files::picture(board, &name, svg).map_err(EffectError::File);
        }
        Command::Texts(question) => {
            return files::texts(board, question).map_err(EffectError::File);
        }
        command => command,
    };
    board.check_trust()?;
    let store = opened(board, store)?;
    undo.extend(Past::before(store, &command)?);
    Ok(match command {
        Command::Stop(ids) => {
            let ids = pick(store, &ids, allowed::stop)?;
            store.set_wish(&ids, Wish::Stop)?;
            said(&ids, "will save and end", "Nothing to stop: the run has ended.")
        }
        Command::Hold(ids) => {
            let ids = pick(store, &ids, allowed::hold)?;
            store.set_wish(&ids, Wish::Hold)?;
            said(&ids, "held; r lets it go on", "Nothing to hold: the run has ended or is held.")
        }
        Command::Resume(ids) => {
            let waiting = pick(store, &ids, allowed::go_on)?;
            let ended = pick(store, &ids, allowed::resume)?;
            store.set_wish(&waiting, Wish::Run)?;
            store.requeue(&ended, false)?;
            let all = [waiting, ended].concat();
            said(&all, "will go on", "Nothing to resume: the run is done or under way.")
        }
        Command::Retry(ids) => {
            let ids = pick(store, &ids, |state, _| state.outcome().is_some())?;
            store.requeue(&ids, true)?;
            said(&ids, "queued again from the start", "Only a run that has ended can be retried.")
        }
        Command::Tags(ids, tags) => {
            for id in &ids {
                store.set_tags(*id, &tags)?;
            }
            said(&ids, "tagged", "")
        }
        Command::Note(id, note) => {
            store.set_note(id, &note)?;
            said(&[id], "noted", "")
        }
        Command::Archive(ids) => {
            let runs = store.reader().runs(&ids)?;
            let hide = runs.iter().any(|run| !run.archived);
            store.set_archived(&ids, hide)?;
            said(
                &ids,
                if hide {
                    "archived; H shows archived runs, Z takes it back"
                } else {
                    "back in the list"
                },
                "",
            )
        }
        Command::Rename(id, name) => {
            store.rename(id, &name)?;
            said(&[id], "renamed; Z takes it back", "")
        }
        Command::Trash(ids) => {
            let open = store.trash(&ids)?;
            if let Some(first) = open.first() {
                undo.pop();
                return Err(EffectError::Open(*first));
            }
            said(&ids, "thrown away; Z brings it back", "")
        }
        Command::Undo => match undo.pop() {
            Some(past) => past.restore(store)?,
            None => "Nothing to take back.".to_owned(),
        },
        // These are carried out before a database is needed.
        Command::Launch(_)
        | Command::SaveSweep(..)
        | Command::SaveView(..)
        | Command::Picture(..)
        | Command::Texts(_) => String::new(),
    })
}

/// The connection that is kept, or a new one; a board without a database gets it here.
fn opened<'a>(board: &Board, store: &'a mut Option<Store>) -> Result<&'a mut Store, StoreError> {
    match store {
        Some(store) => Ok(store),
        None => Ok(store.insert(Store::open(&board.database())?)),
    }
}

fn launched(board: &Board, store: &mut Option<Store>, order: Order) -> Message {
    let trusted = board.check_trust().map_err(LaunchError::from);
    let done = trusted
        .and_then(|()| Ok(opened(board, store)?))
        .and_then(|store| launch::launch(board, store, order));
    match done {
        Ok(Launched { ids, told, trouble }) => {
            let notice = match trouble {
                None => Notice { text: told, bad: false },
                Some(error) => {
                    Notice { text: format!("Queued, but no runner started: {error}"), bad: true }
                }
            };
            match ids.first() {
                Some(first) => Message::Launched(*first, notice),
                None => Message::Told(notice),
            }
        }
        Err(error) => {
            *store = None;
            Message::Told(Notice { text: error.to_string(), bad: true })
        }
    }
}

/// The runs whose state and wish, as they are now, allow the change.
fn pick(
    store: &Store,
    ids: &[RunId],
    allows: impl Fn(&RunState, Wish) -> bool,
) -> Result<Vec<RunId>, StoreError> {
    let runs = store.reader().runs(ids)?;
    Ok(runs.iter().filter(|run| allows(&run.state, run.wish)).map(|run| run.id).collect())
}

fn said(ids: &[RunId], what: &str, none: &str) -> String {
    match ids {
        [] => none.to_owned(),
        [id] => format!("{id}: {what}."),
        [first, ..] => format!("{first} and {} more: {what}.", ids.len() - 1),
    }
}
