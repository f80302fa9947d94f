//! A machine that is reached by the user's own `ssh`, or this one, and the one script it is given.

use std::fs::{self, DirBuilder};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, OnceLock};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::board::Site;

use super::call::{Hear, Patience, Say, Trouble, converse};
use super::gate::{self, Gate, Pass};

/// What hosts are given to do.
const SCRIPT: &str = include_str!("script.sh");

/// Reads the script, whose length is its argument, and runs it; what follows on standard input is the
/// script's. A login shell of any kind takes this line, and nothing in it ever varies but a number.
const BOOTSTRAP: &str = r#"exec sh -c 'eval "$(dd ibs=1 obs=65536 count="$0" 2>/dev/null)"'"#;

/// Bytes of noise that a login shell may print before the script begins.
const NOISE: u64 = 64 << 10;

/// How to reach one site.
#[derive(Debug, Clone)]
pub(in crate::runner) struct Host {
    site: Site,
    /// Where the master connection's socket lies.
    sockets: PathBuf,
    /// Counts sessions; made by the first call, as `ssh` is asked which machine it is.
    gate: Arc<OnceLock<Gate>>,
}

impl Host {
    /// The host of a site.
    ///
    /// # Errors
    /// There is no place for the socket of the connection.
    pub(super) fn of(site: &Site) -> Result<Self, Trouble> {
        let sockets = if site.host.is_empty() { PathBuf::new() } else { sockets()? };
        Ok(Self { site: site.clone(), sockets, gate: Arc::default() })
    }

    /// One call: what comes back, at most so many bytes. `body` writes what the operation takes.
    pub(super) fn ask(
        &self,
        operation: &str,
        most: u64,
        body: impl FnOnce(&mut dyn Write) -> io::Result<()> + Send,
    ) -> Result<Vec<u8>, Trouble> {
        let mut answer = Vec::new();
        self.stream(
            operation,
            Patience::SHORT,
            Box::new(body),
            Box::new(|from: &mut dyn Read| {
                let read = from.take(most + 1).read_to_end(&mut answer);
                if read.map_err(away)? as u64 > most {
                    return Err(Trouble::Odd(format!("Its answer is longer than {most} bytes.")));
                }
                Ok(())
            }),
        )?;
        Ok(answer)
    }

    /// The same for copies: `hear` gets the answer as it comes.
    pub(super) fn stream(
        &self,
        operation: &str,
        patience: Patience,
        body: Box<Say>,
        hear: Box<Hear>,
    ) -> Result<(), Trouble> {
        let _pass = self.enter(patience)?;
        let nonce = nonce();
        let head = format!(
            "{SCRIPT}{nonce}\n{}\n{}\n{operation}\n",
            self.site.kind.word(),
            self.site.folder
        );
        let start = format!("{nonce}\n");
        let say = move |to: &mut dyn Write| {
            to.write_all(head.as_bytes())?;
            body(to)?;
            to.flush()
        };
        let result = converse(
            self.command(),
            patience,
            Box::new(say),
            Box::new(move |from: &mut dyn Read| {
                let mut from = BufReader::with_capacity(64 << 10, from);
                skip_noise(&mut from, start.as_bytes())?;
                hear(&mut from)
            }),
        );
        if matches!(&result, Err(Trouble::Away(why)) if why == "It does not answer.") {
            // A master whose peer froze would make every later call hang as well.
            self.drop_master();
        }
        result
    }

    /// Waits for a session; this machine has no need of one.
    fn enter(&self, patience: Patience) -> Result<Option<Pass>, Trouble> {
        if self.site.host.is_empty() {
            return Ok(None);
        }
        let make = || Gate::of(&self.sockets, &gate::machine(self.ssh(), &self.site.host));
        let gate = self.gate.get_or_init(make);
        let pass = gate.enter(patience)?;
        if !self.has_master()
            && let Some(_turn) = gate.turn()?
            && !self.has_master()
        {
            self.dial()?;
        }
        Ok(Some(pass))
    }

    /// True if there is a connection that a session can share.
    fn has_master(&self) -> bool {
        let mut command = self.ssh();
        command.args(["-O", "check", "--"]).arg(&self.site.host);
        converse(command, Patience::SHORT, Box::new(|_| Ok(())), Box::new(|_| Ok(()))).is_ok()
    }

    /// Makes the connection that all sessions share.
    fn dial(&self) -> Result<(), Trouble> {
        let mut command = self.ssh();
        command.args(["-T", "--"]).arg(&self.site.host).arg("true");
        converse(
            command,
            Patience::SHORT,
            Box::new(|_| Ok(())),
            Box::new(|from: &mut dyn Read| {
                let noise = io::copy(&mut from.take(NOISE), &mut io::sink()).map_err(away)?;
                if noise == NOISE { Err(endless()) } else { Ok(()) }
            }),
        )
    }

    fn command(&self) -> Command {
        let bootstrap = format!("{BOOTSTRAP} {}", SCRIPT.len());
        if self.site.host.is_empty() {
            let mut command = Command::new("sh");
            command.arg("-c").arg(bootstrap).current_dir("/");
            return command;
        }
        let mut command = self.ssh();
        command.arg("-T").arg("--").arg(&self.site.host).arg(bootstrap);
        command
    }

    /// The user's own ssh, with what makes it safe to use without a person: never a question, and one
    /// connection that notices when its peer is gone. Host keys are the user's business.
    fn ssh(&self) -> Command {
        let mut command = Command::new("ssh");
        if !self.site.ssh_config.is_empty() {
            command.arg("-F").arg(&self.site.ssh_config);
        }
        let socket = self.sockets.join("%C");
        for option in [
            "BatchMode=yes",
            "ConnectTimeout=10",
            "ServerAliveInterval=5",
            "ServerAliveCountMax=3",
            "ControlMaster=auto",
            "ControlPersist=60",
            "ForwardX11=no",
            "ForwardAgent=no",
            "ClearAllForwardings=yes",
            "PermitLocalCommand=no",
            "RemoteCommand=none",
            &format!("ControlPath={}", socket.display()),
        ] {
            command.arg("-o").arg(option);
        }
        command.current_dir("/");
        command
    }

    fn drop_master(&self) {
        if self.site.host.is_empty() {
            return;
        }
        let mut command = self.ssh();
        command.args(["-O", "exit", "--"]).arg(&self.site.host);
        let _ = converse(command, Patience::SHORT, Box::new(|_| Ok(())), Box::new(|_| Ok(())));
    }

    /// The trainer that the config names there; empty = the host's own choice.
    pub(super) fn trainer(&self) -> String {
        self.site.trainer.to_string_lossy().into_owned()
    }
}

/// Anything that goes wrong while reading is the connection's fault.
pub(super) fn away(error: io::Error) -> Trouble {
    Trouble::Away(format!("The connection broke: {error}."))
}

fn endless() -> Trouble {
    Trouble::Odd("Its login shell prints without end.".to_owned())
}

/// Passes over whatever a login shell's start-up files print.
fn skip_noise(from: &mut impl BufRead, start: &[u8]) -> Result<(), Trouble> {
    let mut noise = from.take(NOISE);
    let mut line = Vec::new();
    loop {
        line.clear();
        if noise.read_until(b'\n', &mut line).map_err(away)? == 0 {
            return Err(match noise.limit() {
                0 => endless(),
                _ => Trouble::Odd("Its login shell did not run what it was given.".to_owned()),
            });
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

/// A short folder of the user's own for sockets: their paths may have 108 bytes, of which ssh wants 57.
fn sockets() -> Result<PathBuf, Trouble> {
    let uid = rustix::process::getuid().as_raw();
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let short = |path: &PathBuf| {
        let text = path.to_string_lossy();
        text.len() <= 45 && text.starts_with('/') && !text.contains(['%', ' ', '$', '~', '"'])
    };
    let runtime = runtime.map(|folder| folder.join("tuneb")).filter(short);
    let choices = [runtime, Some(PathBuf::from(format!("/tmp/tuneboard-{uid}")))];
    let mut why = String::new();
    for folder in choices.into_iter().flatten() {
        match own_folder(&folder, uid) {
            Ok(()) => return Ok(folder),
            Err(e) => why = format!("{}: {e}", folder.display()),
        }
    }
    Err(Trouble::Here(format!("There is no place for ssh's socket: {why}.")))
}

/// Makes the folder, or proves that it is the user's alone.
fn own_folder(folder: &Path, uid: u32) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(e),
        _ => {}
    }
    let found = fs::symlink_metadata(folder)?;
    if found.is_dir() && found.uid() == uid && found.mode().trailing_zeros() >= 6 {
        Ok(())
    } else {
        Err(io::Error::other("it is open to others"))
    }
}
