use std::io;
use std::path::PathBuf;
use std::sync::Once;

use super::error::CliError;
use super::out::{self, Out};
use crate::board::Board;
use crate::query::{Query, Term, Test};
use crate::spec::{RunId, SweepId, is_hidden, nearest};
use crate::store::{Listing, Reader, Run, Store};

/// What every verb gets.
#[derive(Debug)]
pub struct Context {
    /// Where it prints.
    pub out: Out,
    /// Whether it prints JSON.
    pub json: bool,
    /// `--board`.
    pub board_dir: Option<PathBuf>,
    /// All verbs, for the dashboard.
    pub verbs: fn() -> Vec<crate::tui::Verb>,
}

impl Context {
    /// The board that is meant.
    pub fn board(&self) -> Result<Board, CliError> {
        static WARNED: Once = Once::new();
        let board = Board::find(self.board_dir.as_deref())?;
        if let Err(error) = board.check_trust() {
            let text = format!("warning: {error} It is shown, and neither changed nor served.");
            WARNED.call_once(|| out::complain(&text));
        }
        Ok(board)
    }

    /// Asks a question whose answer is yes unless it is another.
    pub fn agreed(&mut self, question: &str) -> Result<bool, CliError> {
        self.out.line(format!("{question} [Y/n]"))?;
        self.out.flush()?;
        let mut answer = String::new();
        let read = io::stdin().read_line(&mut answer);
        // An end of input is no yes.
        Ok(matches!(read, Ok(1..)) && matches!(answer.trim(), "" | "y" | "Y" | "yes"))
    }
}

/// A connection that reads. A board without a database gets an empty one.
pub fn reader(board: &Board) -> Result<Reader, CliError> {
    if !board.database().exists() {
        store(board)?;
    }
    Ok(Reader::open(&board.database())?)
}

/// A connection that writes.
pub fn store(board: &Board) -> Result<Store, CliError> {
    board.check_trust()?;
    Ok(Store::open(&board.database())?)
}

/// A query, with the board's saved views.
pub fn query(board: &Board, text: &str) -> Result<Query, CliError> {
    Ok(Query::parse_with(text, &|name| board.config.views.get(name).cloned())?)
}

/// The runs that these words mean: `r42`, `42`, `r3..r8` for those from one to the other, `s3` for a whole sweep, or a query (which must hold an
/// operator or a quote, so that a slip of the finger is no query). All of them exist, or none is
/// returned; each comes once, in the order of the words.
pub fn pick(board: &Board, reader: &Reader, words: &[String]) -> Result<Vec<Run>, CliError> {
    let mut ids: Vec<RunId> = Vec::new();
    for word in words {
        if Query::is_meant(word) {
            let listing = Listing { query: query(board, word)?, ..Listing::default() };
            let found = reader.ids(&listing)?;
            if found.is_empty() {
                return Err(CliError::Usage(format!("No run matches `{word}`.")));
            }
            ids.extend(found);
        } else if let Some((low, high)) = stretch(word)? {
            ids.extend(between(reader, low, high, false)?);
        } else if word.starts_with('s') {
            ids.extend(sweep_runs(reader, word.parse()?)?);
        } else {
            let id: RunId = word.parse()?;
            ids.push(reader.run(id)?.map(|run| run.id).ok_or_else(|| no_run(reader, id))?);
        }
    }
    once(&mut ids);
    in_use(reader, &ids)?;
    Ok(reader.runs(&ids)?)
}

/// Whether what a word means is several runs: `r3..r8`, `r1,r4`, `s3`.
pub fn means_several(word: &str) -> bool {
    word.contains("..") || word.contains(',') || word.starts_with('s')
}

/// The runs that such a word means.
pub fn several(board: &Board, reader: &Reader, word: &str) -> Result<Vec<Run>, CliError> {
    let words: Vec<String> = word.split(',').map(str::to_owned).collect();
    pick(board, reader, &words)
}

/// The ids of runs in the trash, or of any run where its own id is given.
pub fn ids_anywhere(
    board: &Board,
    reader: &Reader,
    words: &[String],
) -> Result<Vec<RunId>, CliError> {
    let mut ids: Vec<RunId> = Vec::new();
    for word in words {
        let mut listing = Listing { trash: true, ..Listing::default() };
        if let Some((low, high)) = stretch(word)? {
            ids.extend(between(reader, low, high, true)?);
            continue;
        }
        if Query::is_meant(word) {
            listing.query = query(board, word)?;
        } else if word.starts_with('s') {
            listing.sweep = Some(word.parse()?);
        } else {
            let id: RunId = word.parse()?;
            ids.push(reader.run(id)?.map(|run| run.id).ok_or_else(|| no_run(reader, id))?);
            continue;
        }
        let found = reader.ids(&listing)?;
        if found.is_empty() {
            return Err(CliError::Usage(format!("No run in the trash matches `{word}`.")));
        }
        ids.extend(found);
    }
    once(&mut ids);
    Ok(ids)
}

/// The ends of `r3..r8`, both included.
fn stretch(word: &str) -> Result<Option<(RunId, RunId)>, CliError> {
    let Some((low, high)) = word.split_once("..") else { return Ok(None) };
    let (low, high): (RunId, RunId) = (low.parse()?, high.parse()?);
    if low > high {
        return Err(CliError::Usage(format!("{low}..{high} goes downwards: write {high}..{low}.")));
    }
    Ok(Some((low, high)))
}

/// The runs from one to another, archived ones left out as in a list; or those of them in the trash.
fn between(reader: &Reader, low: RunId, high: RunId, trash: bool) -> Result<Vec<RunId>, CliError> {
    let term = Term { negated: false, test: Test::Id(vec![(low, high)]) };
    let found =
        reader.ids(&Listing { query: Query { terms: vec![term] }, trash, ..Listing::default() })?;
    if found.is_empty() {
        let place = if trash { " in the trash" } else { "" };
        return Err(CliError::Usage(format!("There are no runs {low} to {high}{place}.")));
    }
    Ok(found)
}

fn once(ids: &mut Vec<RunId>) {
    let mut seen = std::collections::BTreeSet::new();
    ids.retain(|id| seen.insert(*id));
}

/// Refuses what lies in the trash: nothing is to start or change there unseen.
fn in_use(reader: &Reader, ids: &[RunId]) -> Result<(), CliError> {
    match reader.trashed(ids)?.first() {
        Some(id) => Err(CliError::Usage(format!(
            "{id} is in the trash; `tuneboard restore {id}` brings it back."
        ))),
        None => Ok(()),
    }
}

/// The one run of that id.
pub fn one(reader: &Reader, word: &str) -> Result<Run, CliError> {
    let id: RunId = word.parse()?;
    let run = reader.run(id)?.ok_or_else(|| no_run(reader, id))?;
    in_use(reader, &[id])?;
    Ok(run)
}

/// The runs of one sweep, which exists.
pub fn sweep_runs(reader: &Reader, sweep: SweepId) -> Result<Vec<RunId>, CliError> {
    let listing = Listing { sweep: Some(sweep), archived: true, ..Listing::default() };
    let ids = reader.ids(&listing)?;
    if !ids.is_empty() {
        return Ok(ids);
    }
    let last = reader.sweeps()?.iter().map(|s| s.id).max();
    Err(CliError::Usage(match last {
        Some(last) => format!("There is no sweep {sweep}; the newest is {last}."),
        None => format!("There is no sweep {sweep}: this board has no sweeps yet."),
    }))
}

/// Says that a run does not exist, and which one may have been meant.
fn no_run(reader: &Reader, id: RunId) -> CliError {
    let all = Listing { archived: true, ..Listing::default() };
    let ids = reader.ids(&all).unwrap_or_default();
    let words: Vec<String> = ids.iter().map(ToString::to_string).collect();
    let near = nearest(&id.to_string(), words.iter().map(String::as_str));
    CliError::Usage(match (near, ids.iter().max()) {
        (Some(near), Some(newest)) if near != newest.to_string() => {
            format!("There is no run {id}; did you mean {near}? The newest is {newest}.")
        }
        (_, Some(newest)) => format!("There is no run {id}; the newest is {newest}."),
        (_, None) => format!(
            "There is no run {id}: this board has no runs yet; `tuneboard run model=NAME \
             data=FILE` queues one."
        ),
    })
}

/// Refuses a name, tag or note that would not be shown as it was written.
pub fn readable(what: &str, text: &str, longest: usize) -> Result<String, CliError> {
    let text = text.trim();
    if text.chars().any(|c| (c.is_control() && c != '\n') || is_hidden(c)) {
        return Err(CliError::Usage(format!(
            "The {what} must not hold control characters, or characters that nobody sees."
        )));
    }
    if text.chars().count() > longest {
        return Err(CliError::Usage(format!("The {what} has more than {longest} characters.")));
    }
    Ok(text.to_owned())
}

/// A name: one line that is not empty.
pub fn name(text: &str) -> Result<String, CliError> {
    let name = readable("name", text, 200)?;
    if name.is_empty() || name.contains('\n') {
        return Err(CliError::Usage("The name must be one line and not empty.".into()));
    }
    Ok(name)
}

/// A tag: one short word, so that `tag:best` can be searched for.
pub fn tag(text: &str) -> Result<String, CliError> {
    let tag = readable("tag", text, 50)?;
    if tag.is_empty() || tag.contains([',', ':']) || tag.contains(char::is_whitespace) {
        return Err(CliError::Usage(format!(
            "`{tag}` cannot be a tag: a tag is one word without spaces, commas and colons."
        )));
    }
    Ok(tag)
}
