//! Texts come from files that nobody has vouched for: what a terminal would obey goes.

use std::fmt::Write as _;

use crate::spec;

/// The text without escape sequences and control characters, but with its line ends; the carriage returns
/// of Windows and of progress bars go too.
pub fn printable(text: &str) -> String {
    let text = spec::without_sequences(text).replace('\r', "");
    let lines: Vec<_> = text.split('\n').map(|line| spec::printable(line, usize::MAX)).collect();
    lines.join("\n")
}

/// As [`printable`], with spaces for line ends.
pub fn one_line(text: &str) -> String {
    printable(text).replace('\n', " ")
}

/// JSON leaves DEL and the C1 controls as they are; a terminal may obey them.
pub fn escape_controls(json: &str) -> String {
    let mut safe = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            // As JSON has it: nothing is lost, and nothing turns or hides what a person reads.
            c if ('\u{7f}'..='\u{9f}').contains(&c) || spec::is_hidden(c) => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    let _ = write!(safe, "\\u{unit:04x}");
                }
            }
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_leave_no_trace() {
        for (dirty, clean) in [
            ("plain", "plain"),
            ("a\x1b[31;1mred\x1b[0m b", "ared b"),
            ("\x1b]0;title\x07text", "text"),
            ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
            ("\u{9b}31mred", "red"),
            ("tab\there\r\n", "tab here\n"),
            ("\x1bcreset", "reset"),
            ("bell\x07 nul\0 del\x7f", "bell nul del"),
            ("open \x1b]0;never closed\nnext", "open \nnext"),
            ("trailing \x1b", "trailing "),
            ("trailing \x1b[", "trailing "),
            ("abc\u{202e}cba", "abccba"),
        ] {
            assert_eq!(printable(dirty), clean, "{dirty:?}");
        }
    }

    #[test]
    fn json_stays_the_same_value() {
        let json = serde_json::to_string(&"a\u{9b}\u{7f}\x1b\n").unwrap();
        let safe = escape_controls(&json);
        assert!(!safe.chars().any(char::is_control));
        assert_eq!(serde_json::from_str::<String>(&safe).unwrap(), "a\u{9b}\u{7f}\x1b\n");
    }
}
