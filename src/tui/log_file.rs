//! The end of a log that another process writes.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use super::text;

/// Bytes read from the end at most: some thousand lines.
const TAIL: u64 = 256 * 1024;
/// Characters kept of one line.
const LONGEST: usize = 2000;

/// The last lines of a file, without control characters, and whether older ones were left out.
///
/// # Errors
/// A file that cannot be read.
pub fn tail(path: &Path, bytes: u64) -> io::Result<(Vec<String>, bool)> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    let most = bytes.min(TAIL);
    let cut = length > most;
    file.seek(SeekFrom::Start(length.saturating_sub(most)))?;
    let mut bytes = Vec::with_capacity(length.min(most) as usize);
    file.take(most).read_to_end(&mut bytes)?;
    let whole = String::from_utf8_lossy(&bytes);
    // The first line of a cut file is torn.
    let lines = whole.lines().skip(usize::from(cut)).map(last_writing).collect();
    Ok((lines, cut))
}

/// What a terminal would show of a line that was written over itself, as progress bars are.
fn last_writing(line: &str) -> String {
    let shown = line.trim_end_matches('\r').rsplit('\r').next().unwrap_or_default();
    let head: String = shown.chars().take(LONGEST).collect();
    text::clean(head.trim_end()).into_owned()
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn lines_are_what_a_terminal_would_show() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        write!(file, "one\r\n10%\r50%\r100%\n\u{1b}[31mred\u{1b}[0m\n").unwrap();
        file.write_all(b"bad \xff byte\nopen").unwrap();
        let (lines, cut) = tail(file.path(), u64::MAX).unwrap();
        assert_eq!(lines, ["one", "100%", "red", "bad \u{fffd} byte", "open"]);
        assert!(!cut);
    }

    #[test]
    fn only_the_end_of_a_long_file_is_read() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        for i in 0..60_000 {
            writeln!(file, "line {i}").unwrap();
        }
        let (lines, cut) = tail(file.path(), u64::MAX).unwrap();
        assert!(cut && lines.len() < 30_000);
        assert_eq!(lines.last().unwrap(), "line 59999");
        assert!(lines[0].starts_with("line "));
    }
}
