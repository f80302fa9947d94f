//! Text from outside, made fit for a terminal.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use crate::spec::{printable, without_sequences};

/// The last lines of a log, without control characters.
pub(super) fn last_lines(path: &Path, lines: usize) -> String {
    const WINDOW: u64 = 16 << 10;
    let read = || -> io::Result<Vec<u8>> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(WINDOW)))?;
        let mut bytes = Vec::new();
        file.take(WINDOW).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes = read().unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let clean: Vec<String> = text.lines().map(clean).filter(|line| !line.is_empty()).collect();
    clean.get(clean.len().saturating_sub(lines)..).unwrap_or_default().join("\n")
}

/// One line as a terminal would leave it standing: what a carriage return overwrote is gone, and so are
/// colours and whatever else is not print.
pub(super) fn clean(line: &str) -> String {
    const LONGEST: usize = 500;
    let shown = line.trim_end().rsplit('\r').next().unwrap_or_default();
    printable(&without_sequences(shown), LONGEST).into_owned()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn last_lines_are_fit_for_a_terminal() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out.log");
        let mut bytes = b"one\n".repeat(9_000);
        bytes.extend(b"10%\r50%\r100%\n\x1b[31mred\x1b[0m\ttext\x07\n\xff\xfe\nlast");
        fs::write(&path, bytes).unwrap();
        assert_eq!(last_lines(&path, 5), "one\n100%\nred text\n\u{fffd}\u{fffd}\nlast");
        assert_eq!(last_lines(Path::new("/nowhere"), 5), "");
    }
}
