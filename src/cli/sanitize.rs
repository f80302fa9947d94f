//! Texts come from files that nobody has vouched for: what a terminal would obey goes.

use std::fmt::Write as _;

use crate::spec;

/// The text without escape sequences and control characters, but with its line ends.
pub fn printable(text: &str) -> String {
    let lines = without_sequences(text);
    let lines: Vec<_> = lines.split('\n').map(|l| spec::printable(l, usize::MAX)).collect();
    lines.join("\n")
}

/// Whole escape sequences go, so that `ESC [31m red` leaves `red` and not `[31m red`; so do the
/// carriage returns of Windows and of progress bars.
fn without_sequences(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\x1b' | '\u{9b}' | '\u{9d}' => skip_sequence(c, &mut chars),
            '\r' => {}
            c => clean.push(c),
        }
    }
    clean
}

/// As [`printable`], with spaces for line ends.
pub fn one_line(text: &str) -> String {
    printable(text).replace('\n', " ")
}

/// Passes over the rest of an escape sequence: `ESC [ ... letter` or `ESC ] ... BEL`.
fn skip_sequence(first: char, chars: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    let kind = match first {
        '\x1b' => chars.next_if(|c| !c.is_control()),
        '\u{9b}' => Some('['),
        _ => Some(']'),
    };
    match kind {
        // Parameters and intermediates, then one final character (ECMA-48, 5.4).
        Some('[') => {
            while chars.next_if(|c| (' '..='?').contains(c)).is_some() {}
            chars.next_if(|c| ('@'..='~').contains(c));
        }
        // A string up to its terminator; an unterminated one ends with its line.
        Some(']' | 'P' | 'X' | '^' | '_') => {
            while let Some(c) = chars.next_if(|c| *c != '\n') {
                if c == '\x07'
                    || c == '\u{9c}'
                    || (c == '\x1b' && chars.next_if_eq(&'\\').is_some())
                {
                    break;
                }
            }
        }
        _ => {}
    }
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
