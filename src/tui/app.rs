//! The dashboard's loop: one message at a time changes the state; the screen follows.

mod away;
mod pace;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use chrono::Local;
use crossterm::event::Event;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use signal_hook::low_level::emulate_default_handler;

use self::pace::Pace;
use super::background::{self, Question};
use super::canvas::{Canvas, Target, to_ascii};
use super::command::{Command, Effect};
use super::draw::draw;
use super::error::TuiError;
use super::events;
use super::input::{self, Gate};
use super::keys::Keymap;
use super::load::{self, Ask};
use super::message::{Message, Why};
use super::preview::Preview;
use super::query::Query;
use super::snapshot::Snapshot;
use super::terminal::{self, Tty};
use super::theme::{Depth, Theme};
use super::verbs::Verb;
use super::view::View;
use super::{effects, picture, screens};
use crate::board::Board;
use crate::store::Counts;

/// Frames for live data are at least this far apart; keys are answered at once.
const FRAME: Duration = Duration::from_millis(100);
/// A frame whose rows are not loaded waits this long for them.
const BLINK: Duration = Duration::from_millis(3);
/// The first frame waits this long for the first rows, so that it is no empty one.
const FIRST: Duration = Duration::from_millis(60);

/// Shows the board until the user leaves, and gives the counts of its runs as they were then; `verbs` are those of the
/// command line. Sees to it that a runner is there for the runs that wait.
///
/// # Errors
/// No terminal, or `[tui] keys` that name no action or key.
pub fn run(board: &Board, verbs: Vec<Verb>) -> Result<Counts, TuiError> {
    let keymap = screens::keymap(&board.config.tui.keys)?;
    let theme = Theme::choose(&board.config.tui)?;
    let views = Arc::new(board.config.views.clone());
    let verbs = Arc::new(verbs);
    let mut view = View { mouse: board.config.tui.mouse, views, verbs, ..View::default() };
    view.columns = View::read_columns(&board.config.tui.columns);
    view.runs.preview = Preview::of(&board.config.tui.preview).unwrap_or_default();
    let (send, messages) = mpsc::channel();
    // The loader starts first: it opens the database while the terminal is set up.
    let (rows, columns) = (50, 160);
    view.area = Rect::new(0, 0, columns, rows);
    let (asks, asked) = mpsc::channel();
    let query = screens::query(&view);
    start_loader(board, query.clone(), asked, send.clone())?;
    let mut tty = Tty::enter(view.mouse, theme.depth == Depth::Named)?;
    view.area = tty.area();
    let gate = Arc::<Gate>::default();
    input::watch_signals(send.clone(), Arc::clone(&gate)).map_err(TuiError::Terminal)?;
    let (commands, effects) = start_effects(board, send.clone())?;
    let questions = start_background(board, send.clone())?;
    let mut app = App {
        view,
        keymap,
        theme,
        ascii: std::env::var_os("TUNEBOARD_ASCII").is_some_and(|v| !v.is_empty()),
        snap: Snapshot::default(),
        hits: Vec::new(),
        asks,
        commands,
        questions,
        query,
        question: None,
        gate,
        urgent: true,
        stale: true,
        done: None,
        pace: Pace::default(),
        root: board.root().to_path_buf(),
    };
    if let Ok(message) = messages.recv_timeout(FIRST) {
        app.hear(message, &mut tty)?;
    }
    input::watch_terminal(send, Arc::clone(&app.gate)).map_err(TuiError::Terminal)?;
    let result = app.serve(&messages, &mut tty);
    let counts = app.snap.counts;
    drop((app, tty));
    // What was asked for before leaving is still written.
    let _ = effects.join();
    result.map(|()| counts)
}

struct App {
    view: View,
    keymap: Keymap,
    theme: Theme,
    ascii: bool,
    snap: Snapshot,
    hits: Vec<(Rect, Target)>,
    asks: Sender<Ask>,
    commands: Sender<Command>,
    questions: Sender<Question>,
    query: Query,
    /// What the background thread was asked last.
    question: Option<Question>,
    /// Keeps the input thread from the terminal while another program has it.
    gate: Arc<Gate>,
    /// The user waits for a frame.
    urgent: bool,
    /// The screen is not what the state says.
    stale: bool,
    done: Option<Result<(), TuiError>>,
    /// How fast frames are.
    pace: Pace,
    /// The board's folder.
    root: PathBuf,
}

impl App {
    fn serve(&mut self, messages: &Receiver<Message>, tty: &mut Tty) -> Result<(), TuiError> {
        let mut drawn: Option<Instant> = None;
        loop {
            let due = drawn.map_or(Duration::ZERO, |t| FRAME.saturating_sub(t.elapsed()));
            if self.urgent && screens::of(self.view.screen).lacks_rows(&self.view, &self.snap) {
                // Most answers come within a blink: better one whole frame than two halves.
                if let Ok(message) = messages.recv_timeout(BLINK) {
                    self.hear(message, tty)?;
                }
            }
            if self.urgent || (self.stale && due.is_zero()) {
                self.frame(tty)?;
                drawn = Some(Instant::now());
                continue;
            }
            let message = if self.stale {
                messages.recv_timeout(due)
            } else {
                messages.recv().map_err(|_| RecvTimeoutError::Disconnected)
            };
            match message {
                Ok(message) => self.hear(message, tty)?,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Err(TuiError::Fault("input")),
            }
            // A storm of sizes, wheel turns or repeated keys becomes one frame.
            while self.done.is_none()
                && let Ok(message) = messages.try_recv()
            {
                self.hear(message, tty)?;
            }
            if let Some(result) = self.done.take() {
                return result;
            }
        }
    }

    fn frame(&mut self, tty: &mut Tty) -> Result<(), TuiError> {
        let Self { view, snap, theme, keymap, hits, ascii, pace, .. } = self;
        view.pace = view.pace.take().map(|_| pace.words());
        let (began, before) = (Instant::now(), tty.sent());
        tty.draw(|buf| {
            let mut canvas = Canvas::new(buf, theme);
            draw(&mut canvas, snap, view, keymap);
            *hits = canvas.hits;
            if *ascii {
                to_ascii(buf);
            }
        })
        .map_err(TuiError::Terminal)?;
        pace.drawn(began, tty.sent() - before);
        (self.urgent, self.stale) = (false, false);
        Ok(())
    }

    fn hear(&mut self, message: Message, tty: &mut Tty) -> Result<(), TuiError> {
        match message {
            Message::Loaded { snap, why, token } => {
                drop(token);
                let answers = std::mem::take(&mut self.snap.answers);
                self.snap = Snapshot { answers, ..*snap };
                screens::settle(&mut self.view, &self.snap);
                if why == Why::Ahead {
                    screens::of(self.view.screen).prepare(&self.snap);
                }
                self.stale |= why != Why::Ahead;
                self.urgent |= why == Why::Asked;
                self.ask();
            }
            Message::Told(notice) => {
                self.view.notice = Some(notice);
                let _ = self.asks.send(Ask::Look);
                self.stale = true;
            }
            Message::Launched(id, notice) => {
                self.view.launched(id);
                self.view.notice = Some(notice);
                let _ = self.asks.send(Ask::Look);
                self.follow(None, tty)?;
            }
            Message::ViewSaved(name, query, notice) => {
                Arc::make_mut(&mut self.view.views).insert(name, query);
                self.view.notice = Some(notice);
                self.stale = true;
            }
            Message::Answered(answers) => {
                self.snap.answers = *answers;
                (self.stale, self.urgent) = (true, true);
                screens::settle(&mut self.view, &self.snap);
                self.ask();
            }
            Message::Input(Event::Resize(..)) => {
                tty.resize().map_err(TuiError::Terminal)?;
                self.view.area = tty.area();
                self.follow(None, tty)?;
            }
            Message::Input(event) => {
                let App { view, snap, keymap, hits, .. } = self;
                let (changed, effect) = events::input(event, view, snap, keymap, hits);
                if changed {
                    self.follow(effect, tty)?;
                }
            }
            Message::Suspend => {
                terminal::restore();
                // Returns when the shell says `fg`.
                let _ = emulate_default_handler(signal_hook::consts::SIGTSTP);
                tty.enter_again().map_err(TuiError::Terminal)?;
                self.view.area = tty.area();
                self.follow(None, tty)?;
            }
            Message::Quit | Message::Hangup => self.done = Some(Ok(())),
            Message::Fault(thread) => self.done = Some(Err(TuiError::Fault(thread))),
        }
        self.view.remember(self.snap.now);
        Ok(())
    }

    /// Carries out what a key asked for outside of the state, and asks for what is now in view.
    fn follow(&mut self, effect: Option<Effect>, tty: &mut Tty) -> Result<(), TuiError> {
        self.urgent = true;
        match effect {
            None => {}
            Some(Effect::Quit) => self.done = Some(Ok(())),
            // Its thread ends by a panic only, and that is told by its alarm.
            Some(Effect::Do(command)) => drop(self.commands.send(command)),
            Some(Effect::Mouse) => {
                tty.set_mouse(self.view.mouse).map_err(TuiError::Terminal)?;
            }
            Some(Effect::Redraw) => tty.resize().map_err(TuiError::Terminal)?,
            Some(Effect::Theme) => {
                self.theme = self.theme.turned();
            }
            Some(Effect::Measure) => {
                self.gate.close();
                self.pace.measure();
                self.gate.open();
            }
            Some(Effect::Picture) => self.picture(),
            Some(Effect::Editor(id, text)) => self.edit(id, &text, tty)?,
            Some(Effect::Verb(words, waits)) => {
                self.verb(&words, waits, tty)?;
            }
            Some(Effect::FindRate(pairs)) => self.find_rate(pairs, tty)?,
            Some(Effect::Suspend) if terminal::can_suspend() => terminal::ask_to_suspend(),
            Some(Effect::Suspend) => {
                self.view.refuse("There is no shell to go back to.");
            }
        }
        screens::settle(&mut self.view, &self.snap);
        self.ask();
        Ok(())
    }

    /// Draws the screen once more, with all colours there are, for a file.
    fn picture(&mut self) {
        let mut buf = Buffer::empty(self.view.area);
        let theme = self.theme.in_full();
        draw(&mut Canvas::new(&mut buf, &theme), &self.snap, &self.view, &self.keymap);
        let name = format!("{}-{}", self.view.screen.0, Local::now().format("%Y-%m-%d-%H%M%S"));
        let _ = self.commands.send(Command::Picture(name, picture::svg(&buf, theme.light)));
    }

    fn ask(&mut self) {
        let query = screens::query(&self.view);
        if query != self.query {
            self.query = query.clone();
            let _ = self.asks.send(Ask::Show(Box::new(query)));
        }
        let question = events::question(&self.view, &self.snap);
        if question != self.question {
            self.question.clone_from(&question);
            // Its thread ends by a panic only, and that is told by its alarm.
            let _ = question.map(|question| self.questions.send(question));
        }
    }
}

fn start_loader(
    board: &Board,
    query: Query,
    asked: Receiver<Ask>,
    out: Sender<Message>,
) -> Result<(), TuiError> {
    let board = board.clone();
    let alarm = Alarm { out: out.clone(), thread: "loader" };
    let work = move || {
        let _alarm = alarm;
        load::serve(&board, query, asked, out);
    };
    thread::Builder::new().name("loader".into()).spawn(work).map_err(TuiError::Terminal).map(drop)
}

fn start_background(board: &Board, out: Sender<Message>) -> Result<Sender<Question>, TuiError> {
    let (questions, asked) = mpsc::channel();
    let board = board.clone();
    let alarm = Alarm { out: out.clone(), thread: "background" };
    let work = move || {
        let _alarm = alarm;
        let tell = |answers| out.send(Message::Answered(Box::new(answers))).is_ok();
        background::serve(&board, &asked, tell);
    };
    let thread = thread::Builder::new().name("background".into()).spawn(work);
    thread.map_err(TuiError::Terminal)?;
    Ok(questions)
}

fn start_effects(
    board: &Board,
    out: Sender<Message>,
) -> Result<(Sender<Command>, JoinHandle<()>), TuiError> {
    let (commands, asked) = mpsc::channel();
    let board = board.clone();
    let alarm = Alarm { out: out.clone(), thread: "effects" };
    let work = move || {
        let _alarm = alarm;
        effects::serve(&board, &asked, &out);
    };
    let handle = thread::Builder::new().name("effects".into()).spawn(work);
    Ok((commands, handle.map_err(TuiError::Terminal)?))
}

/// Tells the UI thread when the thread that holds it panics.
struct Alarm {
    out: Sender<Message>,
    thread: &'static str,
}

impl Drop for Alarm {
    fn drop(&mut self) {
        if thread::panicking() {
            let _ = self.out.send(Message::Fault(self.thread));
        }
    }
}
