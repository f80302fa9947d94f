//! Threads that turn keys, clicks and signals into messages.

use std::io;
use std::slice;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use crossterm::event::{self, Event};
use crossterm::terminal::size;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGWINCH};
use signal_hook::flag;
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

use super::message::Message;
use super::terminal;

/// Keeps the input thread from the terminal while another program has it.
#[derive(Debug, Default)]
pub struct Gate {
    state: Mutex<Passage>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Passage {
    closed: bool,
    /// The input thread stands before it.
    waits: bool,
    /// When it was last opened.
    opened: Option<Instant>,
}

/// A signal of the keyboard that is heard this soon after the gate was opened was sent before: with the gate open
/// ctrl-c is a key.
const LATE: Duration = Duration::from_millis(500);

impl Gate {
    /// Returns once the input thread has left the terminal alone.
    pub fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        while !state.waits {
            let (next, late) = self
                .changed
                .wait_timeout(state, 20 * BEAT)
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            state = next;
            if late.timed_out() {
                // The thread is gone, hence reads nothing.
                return;
            }
        }
    }

    /// Lets it go on.
    pub fn open(&self) {
        let mut state = self.lock();
        (state.closed, state.opened) = (false, Some(Instant::now()));
        drop(state);
        self.changed.notify_all();
    }

    /// True while another program has the terminal, or had it when a signal was sent that is heard now.
    fn is_closed(&self) -> bool {
        let state = self.lock();
        state.closed || state.opened.is_some_and(|opened| opened.elapsed() < LATE)
    }

    fn pass(&self) {
        let mut state = self.lock();
        while state.closed {
            state.waits = true;
            self.changed.notify_all();
            state = self.changed.wait(state).unwrap_or_else(std::sync::PoisonError::into_inner);
        }
        state.waits = false;
    }

    fn lock(&self) -> MutexGuard<'_, Passage> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// How often the input thread looks whether the gate is closed.
const BEAT: Duration = Duration::from_millis(100);
/// crossterm rounds what is left of a wait down to whole milliseconds and looks again and again through the last: a
/// hundredth of a core, all day. So the waiting is done here, and crossterm looks once.
const GLANCE: Duration = Duration::from_micros(20);

/// Reads the terminal until it goes away. Its sizes come by [`watch_signals`].
pub fn watch_terminal(out: Sender<Message>, gate: Arc<Gate>) -> io::Result<()> {
    let read = move || {
        let beat = Timespec { tv_sec: 0, tv_nsec: i64::from(BEAT.subsec_nanos()) };
        loop {
            gate.pass();
            let input = io::stdin();
            let mut waiting = PollFd::new(&input, PollFlags::IN);
            match poll(slice::from_mut(&mut waiting), Some(&beat)) {
                Ok(0) | Err(Errno::INTR) => continue,
                Ok(_) => {}
                Err(_) => break,
            }
            let is_gone = waiting.revents().intersects(PollFlags::HUP | PollFlags::ERR);
            match drain(&out) {
                Ok(true) if !is_gone => {}
                Ok(false) => return,
                Ok(true) | Err(_) => break,
            }
        }
        let _ = out.send(Message::Hangup);
    };
    thread::Builder::new().name("input".into()).spawn(read).map(drop)
}

/// Passes on what there is; false if nobody listens any more.
fn drain(out: &Sender<Message>) -> io::Result<bool> {
    while event::poll(GLANCE)? {
        let event = event::read()?;
        if !matches!(event, Event::Resize(..)) && out.send(Message::Input(event)).is_err() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// A dashboard that was asked to leave and has not done so by then writes to a terminal that nobody
/// reads.
const PATIENCE: Duration = Duration::from_secs(10);

/// Hears signals, new sizes of the terminal among them. One that means: leave, is obeyed within [`PATIENCE`] even if
/// the terminal is stuck; the second SIGTERM at once.
pub fn watch_signals(out: Sender<Message>, gate: Arc<Gate>) -> io::Result<()> {
    let asked = Arc::new(AtomicBool::new(false));
    flag::register_conditional_default(SIGTERM, Arc::clone(&asked))?;
    flag::register(SIGTERM, asked)?;
    let mut signals = Signals::new([SIGTERM, SIGHUP, SIGINT, SIGQUIT, SIGTSTP, SIGWINCH])?;
    let hear = move || {
        for signal in signals.forever() {
            // What is typed there is meant for the program that has the terminal.
            if gate.is_closed() && matches!(signal, SIGINT | SIGQUIT) {
                continue;
            }
            let message = match signal {
                SIGWINCH => {
                    let (columns, rows) = size().unwrap_or_default();
                    Message::Input(Event::Resize(columns, rows))
                }
                SIGTSTP => Message::Suspend,
                SIGHUP => Message::Hangup,
                _ => Message::Quit,
            };
            if !matches!(signal, SIGTSTP | SIGWINCH) {
                end_later();
            }
            if out.send(message).is_err() {
                return;
            }
        }
    };
    thread::Builder::new().name("signals".into()).spawn(hear).map(drop)
}

/// Ends the process in a while, should it still be there.
fn end_later() {
    let wait = || {
        thread::sleep(PATIENCE);
        terminal::restore_line();
        let _ = emulate_default_handler(SIGTERM);
    };
    let _ = thread::Builder::new().name("patience".into()).spawn(wait);
}
