//! The trainer on its way to a site.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::board::Board;
use crate::runner::error::{Result, RunnerError};

use super::call::{CallError, Timeouts};
use super::check::{at, open};
use super::host::broken;
use super::job::HostInfo;
use super::local::trainer_command;
use super::progress::{Progress, ProgressWriter};
use super::protocol;

/// Copies this machine's trainer, and the libtorch it loads, to a site whose architecture and C library
/// they fit; gives the bytes that went.
///
/// # Errors
/// [`RunnerError::Site`], also if they do not fit, with what to do then.
pub fn install(board: &Board, name: &str, tell: impl FnMut(String) + Send) -> Result<u64> {
    let (_, host) = open(board, name)?;
    let trainer = trainer_command(board)?;
    let here = |e: io::Error| at(name)(e.into());
    let program = fs::read(&trainer).map_err(RunnerError::io(&trainer))?;
    let info = protocol::look(&host, "brief").map_err(at(name))?;
    fits(&program, &info).map_err(|why| at(name)(CallError::Unexpected(why)))?;
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
        Timeouts::COPY,
        Box::new(move |to| {
            let progress = Progress::new("trainer and libtorch".to_owned(), all);
            pack(&files, &mut ProgressWriter { to, progress, tell })
        }),
        Box::new(|from| from.take(4096).read_to_end(&mut answer).map(drop).map_err(broken)),
    )
    .map_err(at(name))?;
    protocol::finished(String::from_utf8_lossy(&answer).lines().last()).map_err(at(name))?;
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

/// Whether a program of this machine runs there; the error is the reason, and what to do.
fn fits(program: &[u8], info: &HostInfo) -> std::result::Result<(), String> {
    let mend = "build tuneboard there and name its trainer in the site's `trainer`";
    if !program.starts_with(b"\x7fELF") {
        return Ok(());
    }
    if info.fact("arch") != std::env::consts::ARCH {
        let (there, here) = (info.fact("arch"), std::env::consts::ARCH);
        return Err(format!("It is {there} and this machine's trainer is for {here}: {mend}."));
    }
    let there = version(info.fact("libc").trim_start_matches("glibc ").as_bytes());
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
        let host = |arch: &str, libc: &str| HostInfo {
            facts: [("arch", arch), ("libc", libc)]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            ..HostInfo::default()
        };
        let here = std::env::consts::ARCH;
        let program = b"\x7fELF..GLIBC_2.17\0GLIBC_2.34\0GLIBC_2.2.5\0............";
        assert_eq!(fits(program, &host(here, "glibc 2.36")), Ok(()));
        assert_eq!(fits(program, &host(here, "glibc 2.34")), Ok(()));
        assert!(fits(program, &host(here, "glibc 2.28")).unwrap_err().contains("wants glibc 2.34"));
        assert!(fits(program, &host("riscv64", "glibc 2.36")).is_err());
        assert_eq!(fits(b"#!/usr/bin/env python3", &host("riscv64", "")), Ok(()));
    }
}
