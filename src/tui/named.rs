//! Colours as the 16 codes that every colour terminal knows.
//!
//! crossterm writes the 16 colours that a terminal names as places in a table of 256 (`38;5;1`), which the console of
//! the Linux kernel and other terminals of 16 colours do not have.

use std::io::{self, Write};

/// Writes on what it is given, with such codes in their short form (`31`).
pub struct Named<W> {
    inner: W,
    /// True if codes are to be changed.
    on: bool,
    /// The beginning of a code whose end has not come yet.
    begun: Vec<u8>,
}

/// A longer code is none of ours.
const LONGEST: usize = 64;

impl<W: Write> Named<W> {
    /// `on` is false for terminals that have the table.
    pub fn new(inner: W, on: bool) -> Self {
        Self { inner, on, begun: Vec::new() }
    }
}

impl<W: Write> Write for Named<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.on {
            return self.inner.write(bytes);
        }
        let mut out = Vec::with_capacity(bytes.len());
        for byte in bytes {
            if self.begun.is_empty() && *byte != 0x1b {
                out.push(*byte);
                continue;
            }
            self.begun.push(*byte);
            let inside = match self.begun.len() {
                1 => true,
                2 => *byte == b'[',
                length => length < LONGEST && (byte.is_ascii_digit() || *byte == b';'),
            };
            if !inside {
                out.extend(short(&std::mem::take(&mut self.begun)));
            }
        }
        self.inner.write_all(&out)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// `ESC [ 38;5;9;1 m` -> `ESC [ 91;1 m`; anything else as it is.
fn short(code: &[u8]) -> Vec<u8> {
    let Some(inside) = code.strip_prefix(b"\x1b[").and_then(|rest| rest.strip_suffix(b"m")) else {
        return code.to_vec();
    };
    let text = String::from_utf8_lossy(inside);
    let mut numbers = text.split(';').peekable();
    let mut kept: Vec<String> = Vec::new();
    while let Some(number) = numbers.next() {
        let ground = match number {
            "38" => 30,
            "48" => 40,
            _ => {
                kept.push(number.to_owned());
                continue;
            }
        };
        let table = numbers.next_if_eq(&"5").is_some();
        let place = numbers.peek().and_then(|place| place.parse::<u32>().ok());
        if let Some(place) = place.filter(|place| table && *place < 16) {
            numbers.next();
            kept.push((ground + place % 8 + if place > 7 { 60 } else { 0 }).to_string());
        } else {
            kept.push(number.to_owned());
            kept.extend(table.then(|| "5".to_owned()));
        }
    }
    format!("\x1b[{}m", kept.join(";")).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_the_table_become_short_however_they_are_cut() {
        let text = "a\x1b[38;5;9mb\x1b[38;5;1;48;5;12;1mc\x1b[0m\x1b[2J\x1b[38;5;200m\x1b[38;2;1;2;3md\x1b]x";
        let want = "a\x1b[91mb\x1b[31;104;1mc\x1b[0m\x1b[2J\x1b[38;5;200m\x1b[38;2;1;2;3md\x1b]x";
        for size in 1..=text.len() {
            let mut written = Vec::new();
            let mut named = Named::new(&mut written, true);
            for part in text.as_bytes().chunks(size) {
                named.write_all(part).unwrap();
            }
            assert_eq!(String::from_utf8_lossy(&written), want, "{size}");
        }
        let mut written = Vec::new();
        Named::new(&mut written, false).write_all(text.as_bytes()).unwrap();
        assert_eq!(String::from_utf8_lossy(&written), text);
    }
}
