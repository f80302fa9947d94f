//! The terminal's modes: set on the way in, put back on every way out.

use std::io::{self, BufWriter, IsTerminal, Stdout};
use std::panic;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

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

use super::TuiError;

/// Clicks, drags and the wheel; not every movement, which would keep a quiet dashboard awake.
const MOUSE_ON: &str = "\x1b[?1000h\x1b[?1002h\x1b[?1006h";

/// True while modes are set that have to be put back.
static ENTERED: AtomicBool = AtomicBool::new(false);
static HOOK: Once = Once::new();

/// The terminal with the cells it shows.
pub struct Tty {
    backend: CrosstermBackend<BufWriter<Stdout>>,
    shown: Buffer,
    next: Buffer,
    mouse: bool,
}

impl Tty {
    /// Takes the terminal over.
    ///
    /// # Errors
    /// [`TuiError::NoTerminal`], or what the terminal refuses.
    pub fn enter(mouse: bool) -> Result<Self, TuiError> {
        if !io::stdout().is_terminal() || !io::stdin().is_terminal() {
            return Err(TuiError::NoTerminal);
        }
        HOOK.call_once(|| {
            let before = panic::take_hook();
            panic::set_hook(Box::new(move |info| {
                restore();
                before(info);
            }));
        });
        let area = size().map_err(TuiError::Terminal)?;
        let out = BufWriter::with_capacity(32 * 1024, io::stdout());
        let mut tty = Self {
            backend: CrosstermBackend::new(out),
            shown: Buffer::empty(area),
            next: Buffer::empty(area),
            mouse,
        };
        tty.set_modes().map_err(TuiError::Terminal)?;
        Ok(tty)
    }

    fn set_modes(&mut self) -> io::Result<()> {
        ENTERED.store(true, Ordering::SeqCst);
        terminal::enable_raw_mode()?;
        queue!(self.backend, EnterAlternateScreen, Hide, EnableBracketedPaste)?;
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
        let changes = self.shown.diff(&self.next);
        if changes.is_empty() {
            return Ok(());
        }
        queue!(self.backend, BeginSynchronizedUpdate)?;
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
