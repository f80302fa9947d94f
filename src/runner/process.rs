//! Processes by their identity. A pid alone says little: it is given away again, and a reboot starts
//! the count anew. So a process is its pid, its start time and the kernel's boot id, which no two machines
//! and no two boots share. The machine's name is kept for people only: it changes with the network.

use std::fs;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use crate::spec::RunId;
use crate::store::{Process, RunnerInfo};

/// A signal, by its number on this system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signal {
    /// Save and end.
    Terminate,
    /// End now.
    Kill,
}

/// The process with this pid, on this machine; `None` once it is dead. A zombie is dead: what is left
/// of it is its exit status, and after a killed runner nobody may ever collect that.
pub(super) fn identify(pid: u32) -> Option<Process> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (state, start) = state_and_start(&stat)?;
    (!matches!(state, 'Z' | 'X' | 'x')).then(|| Process {
        pid,
        start,
        boot_id: boot_id(),
        host: host(),
    })
}

/// This process.
pub(super) fn myself() -> Process {
    let pid = std::process::id();
    identify(pid).unwrap_or_else(|| Process { pid, start: 0, boot_id: boot_id(), host: host() })
}

/// True while that very process lives. One of another machine or an earlier boot cannot be asked, and
/// counts as dead.
pub(super) fn is_alive(process: &Process) -> bool {
    is_here(process) && identify(process.pid).is_some_and(|known| known.start == process.start)
}

/// True if the process was started since this machine booted, where its pid means something to us.
pub(super) fn is_here(process: &Process) -> bool {
    process.boot_id == boot_id()
}

/// True while the runner that signed on as `info` lives. A row alone proves nothing: a killed runner
/// leaves it behind.
pub fn alive(info: &RunnerInfo) -> bool {
    is_alive(&info.process)
}

/// The trainer of a run whose pid was never written down, because the runner died right after starting
/// it: the process that works in the board's folder with the run's folder as an argument.
pub(super) fn find_trainer(root: &Path, run: RunId) -> Option<Process> {
    let argument = trainer_argument(run);
    let pids = fs::read_dir("/proc")
        .ok()?
        .flatten()
        .filter_map(|entry| entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()));
    pids.filter(|pid| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.split(|b| *b == 0).any(|word| word == argument.as_bytes())
    })
    .filter(|pid| fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd == root))
    // A helper that the trainer started has the same words; the leader of the group is the trainer.
    .filter_map(identify)
    .find(|process| group_of(process.pid) == Some(process.pid))
}

/// What the trainer is started with, relative to the board's folder.
pub(super) fn trainer_argument(run: RunId) -> String {
    format!("runs/{run}")
}

/// Sends a signal to the group that `leader` leads.
///
/// # Errors
/// The group is gone, or belongs to somebody else.
pub(super) fn signal_group(leader: &Process, signal: Signal) -> io::Result<()> {
    let number = match signal {
        Signal::Terminate => libc::SIGTERM,
        Signal::Kill => libc::SIGKILL,
    };
    let group = i32::try_from(leader.pid).ok().filter(|pid| *pid > 1);
    let group = group.ok_or(io::ErrorKind::InvalidInput)?;
    // SAFETY: `kill` reads two integers and touches no memory of ours.
    match unsafe { libc::kill(-group, number) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Makes the command lead a session of its own: no terminal, hence no SIGHUP when one dies, and a
/// process group that one signal reaches as a whole.
pub(super) fn own_session(command: &mut Command) {
    // SAFETY: `setsid` and reading errno are async-signal-safe, and nothing is allocated between
    // fork and exec.
    unsafe {
        command.pre_exec(|| match libc::setsid() {
            -1 => Err(io::Error::last_os_error()),
            _ => Ok(()),
        });
    }
}

/// `SIGKILL` for 9.
pub(super) fn signal_name(number: i32) -> String {
    let name = match number {
        libc::SIGHUP => "SIGHUP",
        libc::SIGINT => "SIGINT",
        libc::SIGQUIT => "SIGQUIT",
        libc::SIGILL => "SIGILL",
        libc::SIGABRT => "SIGABRT",
        libc::SIGBUS => "SIGBUS",
        libc::SIGFPE => "SIGFPE",
        libc::SIGKILL => "SIGKILL",
        libc::SIGSEGV => "SIGSEGV",
        libc::SIGPIPE => "SIGPIPE",
        libc::SIGTERM => "SIGTERM",
        libc::SIGXCPU => "SIGXCPU",
        _ => return format!("signal {number}"),
    };
    name.to_owned()
}

/// True for the signals that a program brings on itself. Another attempt would end the same way.
pub(super) fn is_crash(number: i32) -> bool {
    [libc::SIGILL, libc::SIGABRT, libc::SIGBUS, libc::SIGFPE, libc::SIGSEGV, libc::SIGSYS]
        .contains(&number)
}

/// How often the kernel has killed a process for memory since it booted.
pub(super) fn memory_kills() -> u64 {
    let counters = fs::read_to_string("/proc/vmstat").unwrap_or_default();
    let count = counters.lines().find_map(|line| line.strip_prefix("oom_kill "));
    count.and_then(|n| n.trim().parse().ok()).unwrap_or(0)
}

/// The state letter and field 22 of `/proc/PID/stat`. The name in field 2 may hold blanks and brackets,
/// so fields are counted from its last bracket.
fn state_and_start(stat: &str) -> Option<(char, u64)> {
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    let state = fields.next()?.chars().next()?;
    Some((state, fields.nth(18)?.parse().ok()?))
}

fn group_of(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(2)?.parse().ok()
}

/// Names this boot of this machine, and in a container the numbering of its processes too: containers
/// share the kernel, but a pid of one means nothing in another.
fn boot_id() -> String {
    /// The number of the first such numbering, that of the machine itself (`PROC_PID_INIT_INO`).
    const FIRST: &str = "pid:[4026531836]";
    let boot = kernel_word("random/boot_id");
    // Where the kernel does not tell, a machine is known by its installation.
    let machine = || fs::read_to_string("/etc/machine-id").unwrap_or_default().trim().to_owned();
    let id = if boot.is_empty() { machine() } else { boot };
    match fs::read_link("/proc/self/ns/pid") {
        Ok(namespace) if namespace != Path::new(FIRST) => {
            format!("{id} {}", namespace.display())
        }
        _ => id,
    }
}

fn host() -> String {
    kernel_word("hostname")
}

fn kernel_word(file: &str) -> String {
    let text = fs::read_to_string(format!("/proc/sys/kernel/{file}")).unwrap_or_default();
    text.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_does_not_shift_the_fields() {
        let stat = "7 (a) b) (c) S 1 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 987654 10 11";
        assert_eq!(state_and_start(stat), Some(('S', 987_654)));
        assert_eq!(state_and_start("7 (torn"), None);
    }

    #[test]
    fn a_process_is_itself_and_nobody_else() {
        let me = myself();
        assert!(is_alive(&me));
        assert!(!is_alive(&Process { start: me.start + 1, ..me.clone() }));
        assert!(!is_alive(&Process { boot_id: "earlier".into(), ..me.clone() }));
        // The machine's name comes from the network and may change while a process lives.
        assert!(is_alive(&Process { host: "elsewhere".into(), ..me }));
    }

    #[test]
    fn a_zombie_is_dead() {
        let mut child = Command::new("true").spawn().unwrap();
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
        while identify(child.id()).is_some() {
            assert!(std::time::Instant::now() < deadline, "still alive");
            std::thread::yield_now();
        }
        assert!(Path::new(&format!("/proc/{}", child.id())).exists(), "it is still a zombie");
        child.wait().unwrap();
    }
}
