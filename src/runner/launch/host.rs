//! One call to a host: the script, what it is to do, and what comes back.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::board::Site;

use super::call::{CallError, ReadAnswer, Timeouts, WriteRequest, exchange};
use super::transport::Transport;

/// The part of the script that every site is given, and the script that runs one attempt.
const COMMON: &str = include_str!("script/common.sh");
const JOB: &str = include_str!("script/job.sh");

/// Reads the script, whose length is its argument, and runs it; what follows on standard input is the
/// script's. A login shell of any kind takes this line, and nothing in it ever varies but a number.
const BOOTSTRAP: &str = r#"exec sh -c 'eval "$(dd ibs=1 obs=65536 count="$0" 2>/dev/null)"'"#;

/// Bytes of noise that a login shell may print before the script begins.
const NOISE: u64 = 64 << 10;

/// A scheduler's part of the script that a host is given.
#[derive(Debug, Clone, Copy)]
pub(super) struct Script {
    /// The hooks and operations that `script/common.sh` lists.
    pub calls: &'static str,
    /// The hooks that `script/job.sh` lists.
    pub job: &'static str,
}

/// A machine that does what the script says.
#[derive(Debug, Clone)]
pub(in crate::runner) struct Host {
    transport: Arc<dyn Transport>,
    /// The same for every call to this site.
    script: Arc<str>,
    /// Where tuneboard's files lie there, relative to the home folder.
    folder: String,
    /// The trainer that the config names there; empty = the host's own choice.
    trainer: String,
}

impl Host {
    /// The host of a site, reached by `transport`, whose scheduler adds its part to the script.
    pub(super) fn new(transport: Arc<dyn Transport>, part: Script, site: &Site) -> Self {
        Self {
            transport,
            script: assemble(part).into(),
            folder: site.folder.clone(),
            trainer: site.trainer.to_string_lossy().into_owned(),
        }
    }

    /// One call: what comes back, at most so many bytes. `body` writes what the operation takes.
    ///
    /// # Errors
    /// No connection, an answer that is too long, or one that does not end.
    pub(super) fn ask(
        &self,
        operation: &str,
        most: u64,
        body: impl FnOnce(&mut dyn Write) -> io::Result<()> + Send,
    ) -> Result<Vec<u8>, CallError> {
        let mut answer = Vec::new();
        self.stream(
            operation,
            Timeouts::QUESTION,
            Box::new(body),
            Box::new(|from: &mut dyn Read| {
                let read = from.take(most + 1).read_to_end(&mut answer);
                if read.map_err(broken)? as u64 > most {
                    let why = format!("Its answer is longer than {most} bytes.");
                    return Err(CallError::Unexpected(why));
                }
                Ok(())
            }),
        )?;
        Ok(answer)
    }

    /// The same for copies: `read` gets the answer as it comes.
    ///
    /// # Errors
    /// As [`Self::ask`], and whatever `read` says.
    pub(super) fn stream(
        &self,
        operation: &str,
        timeouts: Timeouts,
        body: Box<WriteRequest>,
        read: Box<ReadAnswer>,
    ) -> Result<(), CallError> {
        let _session = self.transport.session(timeouts)?;
        let nonce = nonce();
        let (script, folder) = (&self.script, &self.folder);
        let head = format!("{script}{nonce}\n{folder}\n{operation}\n");
        let start = format!("{nonce}\n");
        let write = move |to: &mut dyn Write| {
            to.write_all(head.as_bytes())?;
            body(to)?;
            to.flush()
        };
        let result = exchange(
            self.transport.command(&format!("{BOOTSTRAP} {}", self.script.len())),
            timeouts,
            Box::new(write),
            Box::new(move |from: &mut dyn Read| {
                let mut from = BufReader::with_capacity(64 << 10, from);
                skip_noise(&mut from, start.as_bytes())?;
                read(&mut from)
            }),
        );
        if result.as_ref().is_err_and(CallError::is_silence) {
            self.transport.reset();
        }
        result
    }

    /// The trainer that the config names there; empty = the host's own choice.
    pub(super) fn trainer(&self) -> &str {
        &self.trainer
    }
}

/// The whole script: the common part, job.sh in a function, the scheduler's part, and the call.
fn assemble(part: Script) -> String {
    let (jobs, calls) = (part.job, part.calls);
    format!("{COMMON}job_script() {{\ncat <<'JOB_END'\n{jobs}{JOB}JOB_END\n}}\n{calls}operate\n")
}

/// Anything that goes wrong while reading is the connection's fault.
pub(super) fn broken(error: io::Error) -> CallError {
    CallError::Unreachable(format!("The connection broke: {error}."))
}

/// Passes over whatever a login shell's start-up files print.
fn skip_noise(from: &mut impl BufRead, start: &[u8]) -> Result<(), CallError> {
    let mut noise = from.take(NOISE);
    let mut line = Vec::new();
    loop {
        line.clear();
        if noise.read_until(b'\n', &mut line).map_err(broken)? == 0 {
            return Err(CallError::Unexpected(match noise.limit() {
                0 => "Its login shell prints without end.".to_owned(),
                _ => "Its login shell did not run what it was given.".to_owned(),
            }));
        }
        if line == start {
            return Ok(());
        }
    }
}

/// Tells our answer from noise; nothing secret.
fn nonce() -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    format!("tuneboard-{}-{now:x}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}
