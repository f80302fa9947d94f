//! What a person at the terminal feels (docs/benchmarks.md): `cargo bench --bench dashboard -- BOARD...`
//!
//! BOARD is a board of `examples/make_board --at-rest`. The dashboard runs in a pseudo-terminal of 50x180, with
//! its preview; a frame counts from the key (or from exec) to its last byte, and the preview follows with a
//! later one. What the bytes show is looked at afterwards, so that no terminal emulator's time is among the
//! figures. `TUNEBOARD_MEASURED=PATH` measures another executable, such as that of another build.
#![expect(clippy::print_stdout, reason = "it prints figures")]

use std::collections::BTreeMap;
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
            ("cursor down", "\x1b[B", 150),
            ("page down", "\x1b[6~", 150),
            ("last row", "\x1b[F", 1),
            ("cursor up", "\x1b[A", 60),
            ("page up", "\x1b[5~", 60),
            ("first row", "\x1b[H", 1),
            ("open the run", "\r", 1),
            ("confusion", "3", 1),
            ("back to the runs", "1", 1),
        ] {
            keys(&mut session, what, key, presses)?;
        }
        let idle = session.bytes_in(Duration::from_secs(3));
        println!("  bytes in 3 idle seconds: {idle}");
        println!("  resident memory: {:.1} MiB", session.resident_mib()?);
        session.leave()?;
    }
    Ok(())
}

/// Presses a key again and again, each time when all is quiet.
fn keys(
    session: &mut Session,
    what: &str,
    key: &str,
    presses: usize,
) -> Result<(), Box<dyn Error>> {
    let before = session.processor()?;
    let mut answers = Vec::new();
    for _ in 0..presses {
        answers.push(session.press(key)?);
    }
    let after = session.processor()?;
    let (mut first, mut last): (Vec<_>, Vec<_>) = answers.iter().map(|a| (a.first, a.last)).unzip();
    let share = |sum: usize| sum as f64 / presses as f64;
    let bytes = share(answers.iter().map(|a| a.bytes).sum());
    let frames = share(answers.iter().map(|a| a.frames).sum());
    print(what, &mut first, bytes as usize);
    print("  with all that follows", &mut last, bytes as usize);
    let spent: Vec<String> = after
        .iter()
        .map(|(thread, time)| {
            let before = before.get(thread).copied().unwrap_or_default();
            let spent = time.saturating_sub(before);
            format!("{thread} {:.2}", spent.as_secs_f64() * 1e3 / presses as f64)
        })
        .collect();
    println!("    {frames:.1} frames a key; ms of processor a key: {}", spent.join(", "));
    Ok(())
}

/// Median, 90th and 99th percentile and the longest, in milliseconds.
fn print(what: &str, times: &mut [Duration], bytes: usize) {
    times.sort_unstable();
    let at = |share: f64| times[((times.len() - 1) as f64 * share).round() as usize];
    let ms = |t: Duration| t.as_secs_f64() * 1e3;
    println!(
        "  {what}: median {:.1} ms, p90 {:.1} ms, p99 {:.1} ms, longest {:.1} ms, {bytes} bytes ({} times)",
        ms(at(0.5)),
        ms(at(0.9)),
        ms(at(0.99)),
        ms(at(1.0)),
        times.len()
    );
}

/// What a key was answered with.
struct Answer {
    /// To the end of the first frame.
    first: Duration,
    /// To the last byte.
    last: Duration,
    bytes: usize,
    frames: usize,
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
        let built = env!("CARGO_BIN_EXE_tuneboard");
        let path = std::env::var("TUNEBOARD_MEASURED").unwrap_or_else(|_| built.to_owned());
        let mut command = CommandBuilder::new(path);
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

    fn press(&mut self, key: &str) -> Result<Answer, Box<dyn Error>> {
        let start = Instant::now();
        self.input.write_all(key.as_bytes())?;
        let (mut first, mut last) = (None, start);
        let mut bytes = Vec::new();
        while let Ok((time, more)) = self.output.recv_timeout(QUIET) {
            last = time;
            bytes.extend(more);
            if first.is_none() && bytes.windows(FRAME_END.len()).any(|at| at == FRAME_END) {
                first = Some(time);
            }
        }
        let frames = bytes.windows(FRAME_END.len()).filter(|at| *at == FRAME_END).count();
        let first = first.unwrap_or(last) - start;
        Ok(Answer { first, last: last - start, bytes: bytes.len(), frames })
    }

    /// Processor time of each thread so far, by the thread's name.
    fn processor(&self) -> Result<BTreeMap<String, Duration>, Box<dyn Error>> {
        let id = self.child.process_id().ok_or("the dashboard is gone")?;
        let mut threads = BTreeMap::new();
        for task in fs::read_dir(format!("/proc/{id}/task"))? {
            let task = task?.path();
            let name = fs::read_to_string(task.join("comm"))?.trim().to_owned();
            let spent = fs::read_to_string(task.join("schedstat"))?;
            let spent = spent.split(' ').next().ok_or("no schedstat")?.parse()?;
            *threads.entry(name).or_default() += Duration::from_nanos(spent);
        }
        Ok(threads)
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
