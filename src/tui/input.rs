//! Threads that turn keys, clicks and signals into messages.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::Sender;
use std::thread;

use crossterm::event;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGTSTP};
use signal_hook::flag;
use signal_hook::iterator::Signals;

use super::app::Message;

/// Reads the terminal until it goes away.
pub fn watch_terminal(out: Sender<Message>) -> io::Result<()> {
    let read = move || {
        while let Ok(event) = event::read() {
            if out.send(Message::Input(event)).is_err() {
                return;
            }
        }
        let _ = out.send(Message::Hangup);
    };
    thread::Builder::new().name("input".into()).spawn(read).map(drop)
}

/// Hears signals. The second SIGTERM ends the process even if its terminal is stuck.
pub fn watch_signals(out: Sender<Message>) -> io::Result<()> {
    let asked = Arc::new(AtomicBool::new(false));
    flag::register_conditional_default(SIGTERM, Arc::clone(&asked))?;
    flag::register(SIGTERM, asked)?;
    let mut signals = Signals::new([SIGTERM, SIGHUP, SIGINT, SIGTSTP])?;
    let hear = move || {
        for signal in signals.forever() {
            let message = match signal {
                SIGTSTP => Message::Suspend,
                SIGHUP => Message::Hangup,
                _ => Message::Quit,
            };
            if out.send(message).is_err() {
                return;
            }
        }
    };
    thread::Builder::new().name("signals".into()).spawn(hear).map(drop)
}
