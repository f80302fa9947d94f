//! What a person asks of a site directly, whether or not a runner is at work.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::board::{Board, Site, SiteKind};
use crate::runner::{Result, RunnerError};
use crate::store::Run;

use super::call::{Patience, Trouble};
use super::freight::{Telling, Told};
use super::host::{Host, away};
use super::job::Look;
use super::{freight, ssh, trainer_command, wire};

/// What a site is found to be.
#[derive(Debug, Clone)]
pub struct Visit {
    /// What it is and has, by name: `host arch libc cores folder disk` (KiB) `writable trainer`.
    pub facts: Vec<(String, String)>,
    /// The tools that are missing there.
    pub missing: Vec<&'static str>,
    /// GPUs by name.
    pub gpus: Vec<String>,
    /// What `tuneboard-train probe` printed there.
    pub probe: String,
    /// How far its clock is ahead of ours, in seconds.
    pub skew: i64,
    /// Milliseconds until it answered.
    pub answered: u64,
}

impl Visit {
    /// A fact; empty if it is not known.
    pub fn fact(&self, name: &str) -> &str {
        self.facts.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }
}

fn open(board: &Board, name: &str) -> Result<(Site, Host)> {
    board.check_trust()?;
    let site = board.sites().into_iter().find(|(known, _)| known == name);
    let (_, site) = site
        .filter(|(_, site)| site.kind != SiteKind::Local)
        .ok_or_else(|| at(name)(Trouble::Here("It is no site elsewhere.".to_owned())))?;
    let host = Host::of(&site).map_err(at(name))?;
    Ok((site, host))
}

fn at(name: &str) -> impl Fn(Trouble) -> RunnerError {
    move |trouble| RunnerError::Site { name: name.to_owned(), why: trouble.why().to_owned() }
}

/// Looks at a site: connection, tools, folder, trainer, libtorch, GPUs, clock.
///
/// # Errors
/// [`RunnerError::Site`]: it does not answer, or not as it should.
pub fn visit(board: &Board, name: &str) -> Result<Visit> {
    let (site, host) = open(board, name)?;
    let start = Instant::now();
    let look = ssh::look(&host, "brief").map_err(at(name))?;
    let answered = start.elapsed();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let skew = look.number("time").map_or(0, |there| there as i64 - now as i64);
    let needed: &[&'static str] = match site.kind {
        SiteKind::Slurm => &["tar", "sbatch", "squeue", "scancel"],
        _ => &["tar", "setsid"],
    };
    let is_missing = |tool: &&&str| !look.tools.iter().any(|found| found == **tool);
    let mut probe = String::new();
    if !look.fact("trainer").is_empty() {
        let answer = host.ask("probe", 64 << 10, |to| wire::put(to, &[look.fact("trainer")]));
        let answer = wire::look(&answer.map_err(at(name))?).map_err(at(name))?;
        answer.fact("probe").clone_into(&mut probe);
    }
    Ok(Visit {
        missing: needed.iter().filter(is_missing).copied().collect(),
        gpus: look.gpus.iter().map(|gpu| gpu.name.clone()).collect(),
        facts: look.facts.into_iter().collect(),
        probe,
        skew,
        answered: answered.as_millis() as u64,
    })
}

/// Fetches checkpoints and predictions of a run from its site; gives the bytes that came.
///
/// # Errors
/// [`RunnerError::Site`].
pub fn fetch(board: &Board, run: &Run, tell: impl Fn(String)) -> Result<u64> {
    let name = run.placement.as_ref().map_or("", |at| at.site.as_str());
    let (_, host) = open(board, name)?;
    let job = format!("{}-{:x}", run.id, run.created);
    let folders = ["checkpoints", "predictions"].map(str::to_owned);
    freight::fetch(board, &host, &job, run.id, &folders, tell).map_err(at(name))
}

/// Copies this machine's trainer, and the libtorch it loads, to a site whose architecture and C library
/// they fit; gives the bytes that went.
///
/// # Errors
/// [`RunnerError::Site`], also if they do not fit, with what to do then.
pub fn install(board: &Board, name: &str, tell: impl FnMut(String) + Send) -> Result<u64> {
    let (_, host) = open(board, name)?;
    let trainer = trainer_command(board)?;
    let here = |trouble: io::Error| at(name)(trouble.into());
    let program = fs::read(&trainer).map_err(RunnerError::io(&trainer))?;
    let look = ssh::look(&host, "brief").map_err(at(name))?;
    fits(&program, &look).map_err(|why| at(name)(Trouble::Odd(why)))?;
    let mut files = vec![("bin/tuneboard-train".to_owned(), trainer.clone())];
    for library in libraries(&trainer).map_err(here)? {
        let leaf = library.file_name().unwrap_or_default().to_string_lossy().into_owned();
        files.push((format!("libtorch/lib/{leaf}"), library));
    }
    let sizes = files.iter().map(|(_, path)| fs::metadata(path).map(|meta| meta.len()));
    let all: u64 = sizes.sum::<io::Result<u64>>().map_err(here)?;
    let mut answer = Vec::new();
    host.stream(
        "install",
        Patience::LONG,
        Box::new(move |to| {
            let far = Telling::new("trainer and libtorch".to_owned(), all);
            pack(&files, &mut Told { to, far, tell })
        }),
        Box::new(|from| from.take(4096).read_to_end(&mut answer).map(drop).map_err(away)),
    )
    .map_err(at(name))?;
    wire::finished(String::from_utf8_lossy(&answer).lines().last()).map_err(at(name))?;
    Ok(all)
}

fn pack(files: &[(String, PathBuf)], to: &mut dyn Write) -> io::Result<()> {
    let mut archive = tar::Builder::new(to);
    for (name, path) in files {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        let mut header = tar::Header::new_gnu();
        header.set_size(length);
        header.set_mode(0o755);
        header.set_entry_type(tar::EntryType::Regular);
        archive.append_data(&mut header, name, file.take(length))?;
    }
    archive.into_inner()?.flush()
}

/// True words about whether a program of this machine runs there.
fn fits(program: &[u8], look: &Look) -> std::result::Result<(), String> {
    let mend = "build tuneboard there and name its trainer in the site's `trainer`";
    if !program.starts_with(b"\x7fELF") {
        return Ok(());
    }
    if look.fact("arch") != std::env::consts::ARCH {
        let (there, here) = (look.fact("arch"), std::env::consts::ARCH);
        return Err(format!("It is {there} and this machine's trainer is for {here}: {mend}."));
    }
    let there = version(look.fact("libc").trim_start_matches("glibc ").as_bytes());
    let wanted = glibc(program);
    if there < wanted {
        let ((a, b), (c, d)) = (wanted, there);
        return Err(format!("The trainer wants glibc {a}.{b}, and there is {c}.{d}: {mend}."));
    }
    Ok(())
}

/// The newest version of the GNU C library that the program's symbols name.
fn glibc(program: &[u8]) -> (u32, u32) {
    const MARK: &[u8] = b"GLIBC_";
    let marks = program.windows(MARK.len()).enumerate().filter(|(_, bytes)| *bytes == MARK);
    let versions =
        marks.map(|(at, _)| version(program.get(at + MARK.len()..at + 16).unwrap_or_default()));
    versions.max().unwrap_or_default()
}

/// `2.36` at the beginning of a text.
fn version(text: &[u8]) -> (u32, u32) {
    let text: String = text
        .iter()
        .map(|b| char::from(*b))
        .take_while(|c| c.is_ascii_digit() || *c == '.')
        .collect();
    let mut parts = text.split('.').map(|part| part.parse().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
}

/// The libraries a program loads from outside the system's own folders.
fn libraries(program: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found: Vec<PathBuf> = Vec::new();
    let mut asked = vec![program.to_path_buf()];
    while let Some(file) = asked.pop() {
        let listed = Command::new("ldd").arg(&file).output()?;
        let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
        for path in listed.lines().filter_map(|line| line.split("=> ").nth(1)) {
            let path = PathBuf::from(path.rsplit_once(" (").map_or(path, |(path, _)| path));
            let system = ["/lib", "/usr/lib", "/lib64"].iter().any(|dir| path.starts_with(dir));
            if !path.is_absolute() || system || found.contains(&path) {
                continue;
            }
            // Opened at run time where there is a driver; nothing links it.
            let cuda = path.with_file_name("libtorch_cuda.so");
            if cuda.is_file() && !found.contains(&cuda) {
                found.push(cuda.clone());
                asked.push(cuda);
            }
            found.push(path);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_does_not_fit_is_not_sent() {
        let look = |arch: &str, libc: &str| Look {
            facts: [("arch", arch), ("libc", libc)]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            ..Look::default()
        };
        let here = std::env::consts::ARCH;
        let program = b"\x7fELF..GLIBC_2.17\0GLIBC_2.34\0GLIBC_2.2.5\0............";
        assert_eq!(fits(program, &look(here, "glibc 2.36")), Ok(()));
        assert_eq!(fits(program, &look(here, "glibc 2.34")), Ok(()));
        assert!(fits(program, &look(here, "glibc 2.28")).unwrap_err().contains("wants glibc 2.34"));
        assert!(fits(program, &look("riscv64", "glibc 2.36")).is_err());
        assert_eq!(fits(b"#!/usr/bin/env python3", &look("riscv64", "")), Ok(()));
    }
}
