use std::fs::{self, DirBuilder};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::sessions::SessionLimit;
use super::{Session, Transport};
use crate::board::Site;
use crate::runner::launch::call::{CallError, Timeouts, exchange};

/// Bytes that a login shell may print before it runs a command.
const NOISE: u64 = 64 << 10;

/// A machine behind the user's own `ssh`: never a question, and one connection that all sessions share
/// and that notices when its peer is gone. Host keys are the user's business.
#[derive(Debug)]
pub(in crate::runner::launch) struct Ssh {
    host: String,
    /// Another configuration file for `ssh`; empty = the user's own.
    config: String,
    /// The folder of the master connection's socket and of the locks that count sessions.
    sockets: PathBuf,
    /// Made by the first call, as `ssh` is asked which machine it is.
    limit: OnceLock<SessionLimit>,
}

impl Ssh {
    /// The machine that a site names.
    ///
    /// # Errors
    /// There is no place for the socket of the connection.
    pub(in crate::runner::launch) fn new(site: &Site) -> Result<Self, CallError> {
        Ok(Self {
            host: site.host.clone(),
            config: site.ssh_config.clone(),
            sockets: sockets()?,
            limit: OnceLock::new(),
        })
    }

    fn ssh(&self) -> Command {
        let mut command = Command::new("ssh");
        if !self.config.is_empty() {
            command.arg("-F").arg(&self.config);
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
        // `ssh` passes these on where its configuration says so, and a host must answer in words that are
        // known, with a point in its numbers.
        command.env("LC_ALL", "C").env_remove("LANG").env_remove("LANGUAGE");
        command.current_dir("/");
        command
    }

    /// True if there is a connection that a session can share.
    fn has_master(&self) -> bool {
        let mut command = self.ssh();
        command.args(["-O", "check", "--"]).arg(&self.host);
        exchange(command, Timeouts::QUESTION, Box::new(|_| Ok(())), Box::new(|_| Ok(()))).is_ok()
    }

    /// Makes the connection that all sessions share.
    fn connect(&self) -> Result<(), CallError> {
        let broken = |e: io::Error| CallError::Unreachable(format!("The connection broke: {e}."));
        exchange(
            self.command("true"),
            Timeouts::QUESTION,
            Box::new(|_| Ok(())),
            Box::new(move |from: &mut dyn Read| {
                let noise = io::copy(&mut from.take(NOISE), &mut io::sink()).map_err(broken)?;
                if noise == NOISE {
                    let why = "Its login shell prints without end.".to_owned();
                    return Err(CallError::Unexpected(why));
                }
                Ok(())
            }),
        )
    }
}

impl Transport for Ssh {
    fn session(&self, timeouts: Timeouts) -> Result<Session, CallError> {
        let limit = self
            .limit
            .get_or_init(|| SessionLimit::of(&self.sockets, &machine(self.ssh(), &self.host)));
        let session = limit.enter(timeouts)?;
        if !self.has_master()
            && let Some(_turn) = limit.turn()?
            && !self.has_master()
        {
            self.connect()?;
        }
        Ok(session)
    }

    fn command(&self, line: &str) -> Command {
        let mut command = self.ssh();
        command.arg("-T").arg("--").arg(&self.host).arg(line);
        command
    }

    /// A master connection whose peer froze would make every later call hang as well.
    fn reset(&self) {
        let mut command = self.ssh();
        command.args(["-O", "exit", "--"]).arg(&self.host);
        let _ = exchange(command, Timeouts::QUESTION, Box::new(|_| Ok(())), Box::new(|_| Ok(())));
    }
}

/// Name and port of the machine that `ssh` would call, so that two names of one machine count as one; what
/// it was called if `ssh` does not say.
fn machine(mut ssh: Command, host: &str) -> String {
    ssh.args(["-G", "--", host]);
    let mut said = String::new();
    let read = exchange(
        ssh,
        Timeouts::QUESTION,
        Box::new(|_| Ok(())),
        Box::new(|from: &mut dyn Read| {
            Ok(from.take(1 << 20).read_to_string(&mut said).map(drop)?)
        }),
    );
    let field = |name: &str| said.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    match (read, field("hostname "), field("port ")) {
        (Ok(()), Some(name), Some(port)) => format!("{name}:{port}"),
        _ => host.to_owned(),
    }
}

/// A short folder of the user's own for sockets: their paths may have 108 bytes, of which ssh wants 57.
fn sockets() -> Result<PathBuf, CallError> {
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
    Err(CallError::Local(format!("There is no place for ssh's socket: {why}.")))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_is_known_by_where_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let config = dir.path().join("config");
        fs::write(&config, "Host a b\n  HostName 192.0.2.7\n  Port 2222\n").unwrap();
        let ssh = || {
            let mut command = Command::new("ssh");
            command.arg("-F").arg(&config);
            command
        };
        if ssh().arg("-V").output().is_err() {
            return;
        }
        assert_eq!(machine(ssh(), "a"), "192.0.2.7:2222");
        assert_eq!(machine(ssh(), "me@b"), machine(ssh(), "a"));
    }
}
