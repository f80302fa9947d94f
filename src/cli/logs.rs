use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::thread;
use std::time::Duration;

use super::error::CliError;
use super::exit;
use super::verb::{self, Context, one};
use crate::board::BoardError;

/// Show what a run's trainer printed
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tuneboard logs r12           everything
  tuneboard logs r12 -n 20     the last 20 lines
  tuneboard logs r12 -f        goes on until the run ends")]
pub struct Args {
    /// The run
    #[arg(value_name = "ID")]
    id: String,
    /// Go on as it grows, until the run ends
    #[arg(short, long)]
    follow: bool,
    /// Only the last N lines
    #[arg(short = 'n', long, value_name = "N")]
    lines: Option<usize>,
}

const BLOCK: u64 = 64 << 10;
const POLL: Duration = Duration::from_millis(150);

/// `tuneboard logs`.
pub fn run(args: Args, context: &mut Context) -> Result<u8, CliError> {
    let board = context.board()?;
    let reader = verb::reader(&board)?;
    let run = one(&reader, &args.id)?;
    let path = board.out_log(run.id);
    let io = |source| BoardError::Io { path: path.clone(), source };
    let mut from = match args.lines {
        Some(n) => last_lines(&path, n).map_err(io)?,
        None => 0,
    };
    let mut pending = Vec::new();
    loop {
        // Looked at before the file, so that nothing written before the end is missed.
        let over =
            !args.follow || reader.run(run.id)?.is_none_or(|run| run.state.outcome().is_some());
        from = copy(&path, from, &mut pending, context)?;
        if over {
            break;
        }
        context.out.flush()?;
        thread::sleep(POLL);
    }
    if !pending.is_empty() {
        context.out.line(String::from_utf8_lossy(&pending))?;
    }
    if from == 0 {
        context.out.aside(format!("{} has printed nothing so far.", run.id))?;
    }
    Ok(exit::OK)
}

/// Prints the whole lines behind `from`, keeps half a line in `pending`, and returns where it stopped.
fn copy(
    path: &Path,
    from: u64,
    pending: &mut Vec<u8>,
    context: &mut Context,
) -> Result<u64, CliError> {
    let io = |source| BoardError::Io { path: path.to_path_buf(), source };
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(from),
        Err(e) => return Err(io(e).into()),
    };
    let length = file.metadata().map_err(io)?.len();
    // A retry from the start writes a new file.
    let mut from = if length < from { 0 } else { from };
    file.seek(SeekFrom::Start(from)).map_err(io)?;
    loop {
        let read = file.by_ref().take(BLOCK).read_to_end(pending).map_err(io)?;
        from += read as u64;
        if let Some(end) = pending.iter().rposition(|b| *b == b'\n') {
            let rest = pending.split_off(end + 1);
            pending.pop();
            context.out.line(String::from_utf8_lossy(pending))?;
            *pending = rest;
        }
        if read == 0 {
            return Ok(from);
        }
    }
}

/// Where the last `n` lines start.
fn last_lines(path: &Path, n: usize) -> io::Result<u64> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(e) => return Err(e),
    };
    let length = file.metadata()?.len();
    if n == 0 {
        return Ok(length);
    }
    let (mut start, mut found) = (length, 0);
    while start > 0 {
        let block = start.min(BLOCK);
        start -= block;
        file.seek(SeekFrom::Start(start))?;
        let mut bytes = Vec::new();
        file.by_ref().take(block).read_to_end(&mut bytes)?;
        for (i, byte) in bytes.iter().enumerate().rev() {
            let at = start + i as u64 + 1;
            // The line end at the very end closes the last line and opens none.
            if *byte == b'\n' && at < length {
                found += 1;
                if found == n {
                    return Ok(at);
                }
            }
        }
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_start_where_they_should() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.log");
        for (text, n, start) in [
            ("a\nb\nc\n", 1, 4),
            ("a\nb\nc", 1, 4),
            ("a\nb\nc\n", 2, 2),
            ("a\nb\nc\n", 9, 0),
            ("a\nb\n", 0, 4),
            ("", 3, 0),
        ] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(last_lines(&path, n).unwrap(), start, "{text:?} {n}");
        }
        let long = format!("{}\n{}\n", "x".repeat(100_000), "y".repeat(70_000));
        std::fs::write(&path, long).unwrap();
        assert_eq!(last_lines(&path, 1).unwrap(), 100_001);
        assert_eq!(last_lines(&folder.path().join("none"), 1).unwrap(), 0);
    }
}
