//! What a person at the terminal feels (docs/benchmarks.md): `cargo bench --bench dashboard -- BOARD...`
//!
//! BOARD is a board of `examples/make_board --at-rest`. The dashboard runs in a pseudo-terminal of 50x180; a
//! frame counts from the key (or from exec) to its last byte. What the bytes show is looked at
//! afterwards, so that no terminal emulator's time is among the figures.
#![expect(clippy::print_stdout, reason = "it prints figures")]

use std::error::Error;
use std::fs;
use std::io::{Read, Write};
use std::num::NonZero;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

const SIZE: PtySize = PtySize { rows: 50, cols: 180, pixel_width: 0, pixel_height: 0 };
/// Every frame ends with it: the end of a synchronized update.
const FRAME_END: &[u8] = b"\x1b[?2026l";
/// No byte for so long means that no more will come.
const QUIET: Duration = Duration::from_millis(120);

fn main() -> Result<(), Box<dyn Error>> {
    // Cargo passes `--bench`.
    let boards: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    if boards.is_empty() {
        println!("dashboard: give boards of examples/make_board --at-rest");
    }
    for board in boards {
        println!("{board}");
        let mut first = Vec::new();
        for _ in 0..20 {
            let (session, frame) = Session::start(&board)?;
            first.push(frame);
            session.leave()?;
        }
        print("first frame with rows", &mut first, 0);
        let (mut session, _) = Session::start(&board)?;
        for (what, key, presses) in [
            ("cursor down", "\x1b[B", 60),
            ("page down", "\x1b[6~", 30),
            ("last row", "\x1b[F", 1),
            ("cursor up", "\x1b[A", 60),
            ("first row", "\x1b[H", 1),
            ("open the run", "\r", 1),
            ("confusion", "3", 1),
            ("back to the runs", "1", 1),
        ] {
            let mut times = Vec::new();
            let mut bytes = 0;
            for _ in 0..presses {
                let (time, sent) = session.press(key)?;
                times.push(time);
                bytes += sent;
            }
            print(what, &mut times, bytes / presses);
        }
        let idle = session.bytes_in(Duration::from_secs(3));
        println!("  bytes in 3 idle seconds: {idle}");
        println!("  resident memory: {:.1} MiB", session.resident_mib()?);
        session.leave()?;
    }
    Ok(())
}

/// Median, 99th percentile and the longest, in milliseconds.
fn print(what: &str, times: &mut [Duration], bytes: usize) {
    times.sort_unstable();
    let at = |share: f64| times[((times.len() - 1) as f64 * share).round() as usize];
    let ms = |t: Duration| t.as_secs_f64() * 1e3;
    println!(
        "  {what}: median {:.1} ms, p99 {:.1} ms, longest {:.1} ms, {bytes} bytes ({} times)",
        ms(at(0.5)),
        ms(at(0.99)),
        ms(at(1.0)),
        times.len()
    );
}

/// A dashboard in a terminal of its own.
struct Session {
    child: Box<dyn Child + Send + Sync>,
    output: Receiver<(Instant, Vec<u8>)>,
    input: Box<dyn Write + Send>,
    _terminal: Box<dyn MasterPty + Send>,
}

impl Session {
    /// Starts it, and gives the time from before exec to the end of the first frame that shows a run.
    fn start(board: &str) -> Result<(Self, Duration), Box<dyn Error>> {
        let pty = native_pty_system().openpty(SIZE)?;
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_tuneboard"));
        command.args(["--board", board]);
        command.env("TERM", "xterm-256color");
        command.env("COLORTERM", "truecolor");
        let mut reader = pty.master.try_clone_reader()?;
        let input = pty.master.take_writer()?;
        let (send, output) = mpsc::channel();
        thread::spawn(move || {
            let mut buffer = vec![0; 1 << 16];
            while let Ok(read @ 1..) = reader.read(&mut buffer) {
                if send.send((Instant::now(), buffer[..read].to_vec())).is_err() {
                    break;
                }
            }
        });
        let start = Instant::now();
        let child = pty.slave.spawn_command(command)?;
        let session = Self { child, output, input, _terminal: pty.master };
        let mut bytes = Vec::new();
        let mut ends = Vec::new();
        while let Ok((time, more)) = session.output.recv_timeout(Duration::from_secs(1)) {
            bytes.extend(more);
            if bytes.ends_with(FRAME_END) {
                ends.push((time, bytes.len()));
            }
        }
        let size = |n: u16| NonZero::new(n).ok_or("a terminal has rows and columns");
        let (rows, columns) = (size(SIZE.rows)?, size(SIZE.cols)?);
        for (time, length) in ends {
            let mut screen = vt100::Parser::new(rows, columns, 0);
            screen.process(&bytes[..length]);
            // The row of a run names its learning rate.
            if screen.screen().contents().contains("lr=") {
                return Ok((session, time - start));
            }
        }
        Err(format!("no run is shown: {}", String::from_utf8_lossy(&bytes)).into())
    }

    /// From a key to the last byte that answers it, and how many bytes that are.
    fn press(&mut self, key: &str) -> Result<(Duration, usize), Box<dyn Error>> {
        let start = Instant::now();
        self.input.write_all(key.as_bytes())?;
        let (mut last, mut bytes) = (start, 0);
        while let Ok((time, more)) = self.output.recv_timeout(QUIET) {
            last = time;
            bytes += more.len();
        }
        Ok((last - start, bytes))
    }

    fn bytes_in(&self, span: Duration) -> usize {
        let end = Instant::now() + span;
        let mut bytes = 0;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            match self.output.recv_timeout(left) {
                Ok((_, more)) => bytes += more.len(),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return bytes,
            }
        }
    }

    fn resident_mib(&self) -> Result<f64, Box<dyn Error>> {
        let id = self.child.process_id().ok_or("the dashboard is gone")?;
        let status = fs::read_to_string(format!("/proc/{id}/status"))?;
        let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
        Ok(line.trim().trim_end_matches(" kB").parse::<f64>()? / 1024.0)
    }

    fn leave(mut self) -> Result<(), Box<dyn Error>> {
        self.input.write_all(b"q")?;
        self.child.wait()?;
        Ok(())
    }
}
