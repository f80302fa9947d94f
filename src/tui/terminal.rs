//! The terminal's modes: set on the way in, put back on every way out.

use std::io::{self, BufWriter, IsTerminal, Stdout, Write};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use crossterm::cursor::{Hide, Show};
use crossterm::event::{DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste};
use crossterm::style::Print;
use crossterm::terminal::{
    self, BeginSynchronizedUpdate, Clear, ClearType, EndSynchronizedUpdate, EnterAlternateScreen,
    LeaveAlternateScreen,
};
use crossterm::{execute, queue};
use ratatui::backend::{Backend, CrosstermBackend};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use signal_hook::consts::SIGABRT;

use super::error::TuiError;
use super::named::Named;
use super::scroll::Scroll;
use crate::panics;
use crate::spec::printable;

/// Clicks, drags and the wheel; not every movement, which would keep a quiet dashboard awake.
const MOUSE_ON: &str = "\x1b[?1000h\x1b[?1002h\x1b[?1006h";

/// True while modes are set that have to be put back.
static ENTERED: AtomicBool = AtomicBool::new(false);
/// The terminal's settings as they were before.
static BEFORE: OnceLock<libc::termios> = OnceLock::new();
/// What [`restore`] sends, for a process that has no time left to put it together.
const LEAVE: &[u8] = b"\x1b[?2026l\x1b[?1006l\x1b[?1002l\x1b[?1000l\x1b[?2004l\x1b[?25h\x1b[?1049l";

/// Standard output, which counts.
struct Counted {
    inner: Stdout,
    sent: Arc<AtomicU64>,
}

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.sent.fetch_add(written as u64, Ordering::Relaxed);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// The terminal with the cells it shows.
pub struct Tty {
    backend: CrosstermBackend<BufWriter<Named<Counted>>>,
    shown: Buffer,
    next: Buffer,
    mouse: bool,
    /// The terminal moves rows itself.
    scrolls: bool,
    /// Bytes that were sent.
    sent: Arc<AtomicU64>,
}

impl Tty {
    /// Takes the terminal over; `named` if it has no more than 16 colours.
    ///
    /// # Errors
    /// [`TuiError::NoTerminal`], or what the terminal refuses.
    pub fn enter(mouse: bool, named: bool) -> Result<Self, TuiError> {
        if !io::stdout().is_terminal() || !io::stdin().is_terminal() {
            return Err(TuiError::NoTerminal);
        }
        heed_abort().map_err(TuiError::Terminal)?;
        let area = size().map_err(TuiError::Terminal)?;
        let sent = Arc::<AtomicU64>::default();
        let counted = Counted { inner: io::stdout(), sent: Arc::clone(&sent) };
        let out = BufWriter::with_capacity(32 * 1024, Named::new(counted, named));
        let mut tty = Self {
            backend: CrosstermBackend::new(out),
            shown: Buffer::empty(area),
            next: Buffer::empty(area),
            mouse,
            scrolls: std::env::var("TERM").is_ok_and(|term| !term.is_empty() && term != "dumb"),
            sent,
        };
        tty.set_modes().map_err(TuiError::Terminal)?;
        Ok(tty)
    }

    fn set_modes(&mut self) -> io::Result<()> {
        ENTERED.store(true, Ordering::SeqCst);
        // A panic that is caught, or ends a worker thread, does not end this process: it must neither
        // put modes back nor write over the screen.
        panics::hold();
        terminal::enable_raw_mode()?;
        // After a dashboard that was killed the other screen is in view already, with all that was written on it since.
        queue!(
            self.backend,
            EnterAlternateScreen,
            Clear(ClearType::All),
            Hide,
            EnableBracketedPaste
        )?;
        if self.mouse {
            queue!(self.backend, Print(MOUSE_ON))?;
        }
        Backend::flush(&mut self.backend)
    }

    /// Takes the terminal over again, as after `fg`.
    ///
    /// # Errors
    /// What the terminal refuses.
    pub fn enter_again(&mut self) -> io::Result<()> {
        self.set_modes()?;
        self.resize()
    }

    /// Whether clicks come here or stay the terminal's own.
    ///
    /// # Errors
    /// A terminal that went away.
    pub fn set_mouse(&mut self, on: bool) -> io::Result<()> {
        self.mouse = on;
        if on {
            execute!(self.backend, Print(MOUSE_ON))
        } else {
            execute!(self.backend, DisableMouseCapture)
        }
    }

    /// Takes over the terminal's size and draws everything anew next time.
    ///
    /// # Errors
    /// A terminal that went away.
    pub fn resize(&mut self) -> io::Result<()> {
        let area = size()?;
        self.shown = Buffer::empty(area);
        self.next = Buffer::empty(area);
        queue!(self.backend, Clear(ClearType::All))
    }

    /// Bytes that were sent to the terminal so far.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// The cells there are.
    pub fn area(&self) -> Rect {
        self.next.area
    }

    /// Draws, and sends what differs from what is shown: nothing at all if nothing does.
    ///
    /// # Errors
    /// A terminal that went away.
    pub fn draw(&mut self, paint: impl FnOnce(&mut Buffer)) -> io::Result<()> {
        self.next.reset();
        paint(&mut self.next);
        if self.shown == self.next {
            return Ok(());
        }
        queue!(self.backend, BeginSynchronizedUpdate)?;
        if let Some(scroll) = Scroll::between(&self.shown, &self.next).filter(|_| self.scrolls) {
            scroll.write(&mut self.backend)?;
            scroll.apply(&mut self.shown);
        }
        let changes = self.shown.diff(&self.next);
        self.backend.draw(changes.into_iter())?;
        queue!(self.backend, EndSynchronizedUpdate)?;
        std::mem::swap(&mut self.shown, &mut self.next);
        Backend::flush(&mut self.backend)
    }
}

impl Drop for Tty {
    fn drop(&mut self) {
        restore();
    }
}

/// The size, at least one cell and at most what a buffer can count.
fn size() -> io::Result<Rect> {
    let (columns, rows) = terminal::size()?;
    Ok(Rect::new(0, 0, columns.clamp(1, 1000), rows.clamp(1, 500)))
}

/// Puts every mode back; once is enough, more do no harm.
pub fn restore() {
    if !ENTERED.swap(false, Ordering::SeqCst) {
        return;
    }
    // A terminal that is gone cannot be mended: errors have nowhere to go.
    let _ = execute!(
        io::stdout(),
        EndSynchronizedUpdate,
        DisableMouseCapture,
        DisableBracketedPaste,
        Show,
        LeaveAlternateScreen
    );
    let _ = terminal::disable_raw_mode();
    for sentence in panics::release() {
        let _ = writeln!(io::stderr(), "{}", printable(&sentence, 2000));
    }
}

/// Puts the line settings back without waiting for whoever reads the screen: nobody may.
pub fn restore_line() {
    if let (true, Some(before)) = (ENTERED.load(Ordering::SeqCst), BEFORE.get()) {
        // SAFETY: the settings are those that the terminal gave; tcsetattr only reads them.
        unsafe { libc::tcsetattr(libc::STDIN_FILENO, libc::TCSANOW, before) };
    }
}

/// A process that aborts (a panic within a panic, a full stack, memory that is refused) unwinds nothing
/// and drops nothing. Its last act is a signal handler.
fn heed_abort() -> io::Result<()> {
    if BEFORE.get().is_some() {
        return Ok(());
    }
    // SAFETY: all zeros are settings, if senseless ones, and tcgetattr writes no more than them.
    let before = unsafe {
        let mut before: libc::termios = std::mem::zeroed();
        if libc::tcgetattr(libc::STDIN_FILENO, &raw mut before) != 0 {
            return Err(io::Error::last_os_error());
        }
        before
    };
    let _ = BEFORE.set(before);
    let last_act = || {
        restore_line();
        // SAFETY: write, signal and raise may be called in a handler; the bytes live for ever. The
        // signal is delivered again, with its own effect, once this handler returns.
        unsafe {
            if ENTERED.load(Ordering::SeqCst) {
                libc::write(libc::STDOUT_FILENO, LEAVE.as_ptr().cast(), LEAVE.len());
            }
            libc::signal(SIGABRT, libc::SIG_DFL);
            libc::raise(SIGABRT);
        }
    };
    // SAFETY: the handler loads atomics and makes calls that signal-safety(7) lists.
    unsafe { signal_hook::low_level::register(SIGABRT, last_act) }.map(drop)
}

/// False without a shell to return to: this process leads the terminal's session itself.
pub fn can_suspend() -> bool {
    // SAFETY: getsid and getpid only read what the kernel knows of this process.
    unsafe { libc::getsid(0) != libc::getpid() }
}

/// Sends the stop signal to the whole job (a `make` or `cargo` above us waits with us).
pub fn ask_to_suspend() {
    // SAFETY: kill with a constant signal and our own process group touches no memory.
    unsafe { libc::kill(0, libc::SIGTSTP) };
}
