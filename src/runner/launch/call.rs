//! One bounded exchange with a program: what is written to it, what it answers, how long it may take.

use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crate::runner::text::clean;

/// Why a call to a host failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::runner) enum CallError {
    /// No connection, or one that went silent. What runs there may well go on.
    Unreachable(String),
    /// It answers, but not as it should.
    Unexpected(String),
    /// Something of this machine: a full disk, a file that cannot be read.
    Local(String),
}

/// What is said of a host that was waited for in vain.
const SILENCE: &str = "It does not answer.";

impl CallError {
    /// True if the host was waited for in vain.
    pub(super) fn is_silence(&self) -> bool {
        matches!(self, Self::Unreachable(why) if why == SILENCE)
    }

    /// One sentence, fit for a terminal.
    pub(in crate::runner) fn why(&self) -> &str {
        match self {
            Self::Unreachable(why) | Self::Unexpected(why) | Self::Local(why) => why,
        }
    }
}

impl From<io::Error> for CallError {
    fn from(error: io::Error) -> Self {
        Self::Local(format!("{error}."))
    }
}

/// How long an exchange may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Timeouts {
    /// Seconds without a byte in either direction.
    pub silent: Duration,
    /// Seconds in all.
    pub whole: Duration,
}

impl Timeouts {
    /// For questions that are answered at once.
    pub(super) const QUESTION: Self =
        Self { silent: Duration::from_secs(25), whole: Duration::from_mins(1) };
    /// For copies, which take as long as they take.
    pub(super) const COPY: Self =
        Self { silent: Duration::from_mins(1), whole: Duration::from_hours(24) };

    /// True if they are longer than those of a question.
    pub(super) fn is_for_copies(self) -> bool {
        self.silent > Self::QUESTION.silent
    }
}

/// Writes to the host until it returns.
pub(super) type WriteRequest<'a> = dyn FnOnce(&mut dyn Write) -> io::Result<()> + Send + 'a;
/// Reads the answer.
pub(super) type ReadAnswer<'a> = dyn FnOnce(&mut dyn Read) -> Result<(), CallError> + 'a;

/// Counts bytes, so that a watcher can tell a slow peer from a dead one.
struct Counted<T> {
    inner: T,
    bytes: Arc<AtomicU64>,
}

impl<T: Write> Write for Counted<T> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let n = self.inner.write(data)?;
        self.bytes.fetch_add(n as u64, Ordering::Relaxed);
        Ok(n)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<T: Read> Read for Counted<T> {
    fn read(&mut self, data: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(data)?;
        self.bytes.fetch_add(n as u64, Ordering::Relaxed);
        Ok(n)
    }
}

/// Runs `command` with `write` and `read` at its standard streams, and ends it when its time is over.
/// `read` bounds what it reads; when it returns early the command is ended.
pub(super) fn exchange(
    mut command: Command,
    timeouts: Timeouts,
    write: Box<WriteRequest>,
    read: Box<ReadAnswer>,
) -> Result<(), CallError> {
    let program = command.get_program().to_string_lossy().into_owned();
    // A group of its own: whatever it started and left holding our pipes ends with it.
    command.process_group(0);
    let spawned =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = spawned.map_err(|e| CallError::Local(format!("{program}: {e}.")))?;
    let bytes = Arc::new(AtomicU64::new(0));
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (Some(stdin), Some(stdout), Some(stderr)) = (stdin, stdout, stderr) else {
        return Err(CallError::Local(format!("{program} has no pipes.")));
    };
    let complaints = complaints(stderr);
    let over = AtomicBool::new(false);
    let late = AtomicBool::new(false);
    let (answered, written, status) = thread::scope(|scope| {
        let mut to = Counted { inner: stdin, bytes: Arc::clone(&bytes) };
        let writer = scope.spawn(move || write(&mut to));
        let pid = child.id();
        let watch = (&over, &late, Arc::clone(&bytes));
        let watcher = scope.spawn(move || {
            let (over, late, bytes) = watch;
            let (start, mut moved, mut seen) = (Instant::now(), Instant::now(), 0);
            while !over.load(Ordering::Acquire) {
                let now = bytes.load(Ordering::Relaxed);
                if now != seen {
                    (seen, moved) = (now, Instant::now());
                }
                if moved.elapsed() > timeouts.silent || start.elapsed() > timeouts.whole {
                    late.store(true, Ordering::Release);
                    end(pid);
                    return;
                }
                thread::park_timeout(Duration::from_millis(200));
            }
        });
        let mut from = Counted { inner: stdout, bytes: Arc::clone(&bytes) };
        let answered = read(&mut from);
        drop(from);
        if answered.is_err() {
            end(pid);
        }
        let written =
            writer.join().unwrap_or_else(|_| Err(io::Error::other("the writer panicked")));
        let status = wait(&mut child, timeouts, &late);
        over.store(true, Ordering::Release);
        watcher.thread().unpark();
        (answered, written, status)
    });
    let complaint = complaints.recv_timeout(Duration::from_millis(500)).unwrap_or_default();
    if late.load(Ordering::Acquire) {
        return Err(CallError::Unreachable(SILENCE.to_owned()));
    }
    let code = status.as_ref().ok().and_then(std::process::ExitStatus::code);
    match (code, answered) {
        (Some(0), answered) => answered,
        // Whatever the connection broke on, that is the reason.
        (Some(255), _) => Err(CallError::Unreachable(or(complaint, "The connection broke."))),
        (_, Err(error @ (CallError::Unexpected(_) | CallError::Local(_)))) if written.is_ok() => {
            Err(error)
        }
        (Some(code), _) => {
            Err(CallError::Unexpected(or(complaint, &format!("It ended with exit code {code}."))))
        }
        (None, answered) => {
            answered.and(Err(CallError::Unreachable("The connection was ended.".to_owned())))
        }
    }
}

fn or(text: String, otherwise: &str) -> String {
    if text.is_empty() { otherwise.to_owned() } else { text }
}

/// Waits for a child whose output has ended, but not longer than is fit.
fn wait(
    child: &mut Child,
    timeouts: Timeouts,
    late: &AtomicBool,
) -> io::Result<std::process::ExitStatus> {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if late.load(Ordering::Acquire) || start.elapsed() > timeouts.silent {
            end(child.id());
            return child.wait();
        }
        thread::sleep(Duration::from_millis(2));
    }
}

/// Ends a child and its group. It has not been waited for yet, so that its pid is still its own.
fn end(pid: u32) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw) {
        let _ = rustix::process::kill_process_group(pid, rustix::process::Signal::KILL);
    }
}

/// The last line of what it complains about. Read by a thread of its own, for a helper of ssh may hold
/// the pipe open long after ssh is gone; a flood is read and forgotten.
fn complaints(mut stderr: impl Read + Send + 'static) -> mpsc::Receiver<String> {
    const KEPT: usize = 8 << 10;
    let (sender, receiver) = mpsc::channel();
    let _ = thread::Builder::new().name("complaints".to_owned()).spawn(move || {
        let mut text: Vec<u8> = Vec::new();
        let mut piece = [0; 4096];
        while let Ok(n @ 1..) = stderr.read(&mut piece) {
            text.extend_from_slice(piece.get(..n).unwrap_or_default());
            if text.len() > 2 * KEPT {
                text.drain(..text.len() - KEPT);
            }
        }
        let text = String::from_utf8_lossy(&text);
        let last = text.lines().map(clean).rfind(|line| !line.is_empty()).unwrap_or_default();
        let _ = sender.send(last);
    });
    receiver
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUICK: Timeouts =
        Timeouts { silent: Duration::from_millis(600), whole: Duration::from_secs(20) };

    fn shell(script: &str, most: u64) -> Result<Vec<u8>, CallError> {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        let mut answer = Vec::new();
        let hear: Box<ReadAnswer> = Box::new(|from| {
            let read = from.take(most + 1).read_to_end(&mut answer)? as u64;
            if read > most { Err(CallError::Unexpected("too much".into())) } else { Ok(()) }
        });
        exchange(command, QUICK, Box::new(|to| to.write_all(b"hello\n")), hear)?;
        Ok(answer)
    }

    #[test]
    fn what_is_said_is_answered() {
        assert_eq!(shell("cat", 100).unwrap(), b"hello\n");
        assert_eq!(shell("exit 0", 100).unwrap(), b"");
    }

    #[test]
    fn a_peer_that_hangs_floods_or_breaks_is_left() {
        assert_eq!(
            shell("sleep 600", 9),
            Err(CallError::Unreachable("It does not answer.".into()))
        );
        // A child of its own holds the pipe.
        let away = Err(CallError::Unreachable("It does not answer.".into()));
        assert_eq!(shell("sleep 600; exit 3", 9), away);
        assert_eq!(shell("yes", 1 << 20), Err(CallError::Unexpected("too much".into())));
        let away = shell("printf '\\033[31mno route\\033[0m\\n' >&2; exit 255", 9);
        assert_eq!(away, Err(CallError::Unreachable("no route".into())));
        assert_eq!(
            shell("exit 92", 9),
            Err(CallError::Unexpected("It ended with exit code 92.".into()))
        );
        // Endless complaints are read and forgotten.
        assert!(shell("yes >&2 & sleep 0.2; kill $!; exit 255", 9).is_err());
    }
}
