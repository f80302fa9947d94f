//! The only place that prints. Everything that goes out is made harmless first: texts, labels and
//! names come from files that nobody has vouched for.

use std::env;
use std::ffi::OsString;
use std::io::{self, BufWriter, IsTerminal, Write};

use serde::Serialize;

use super::error::CliError;
use super::sanitize::{escape_controls, one_line, printable};
use super::table::{Table, Tone, cut};
use crate::spec::has_no_colours;

/// Standard output and what is known of whoever reads it.
#[derive(Debug)]
pub struct Out {
    stdout: BufWriter<io::Stdout>,
    /// True if a person sees it in a terminal.
    pub tty: bool,
    /// True if block characters can be shown.
    pub utf8: bool,
    color: bool,
    /// Lines of the block that `redraw` last wrote.
    drawn: usize,
}

impl Out {
    /// Looks at the surroundings once.
    pub fn new() -> Self {
        let tty = io::stdout().is_terminal();
        let term = env::var("TERM").unwrap_or_default();
        let no_color = env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty());
        let color = tty && !no_color && !has_no_colours(&term);
        Self {
            stdout: BufWriter::new(io::stdout()),
            tty,
            utf8: utf8_locale(|n| env::var_os(n)),
            color,
            drawn: 0,
        }
    }

    /// Columns of the terminal; None where nothing must be cut.
    pub fn width(&self) -> Option<usize> {
        if self.tty { columns() } else { None }
    }

    /// One line, or several if the text has line ends.
    pub fn line(&mut self, text: impl AsRef<str>) -> Result<(), CliError> {
        let text = printable(text.as_ref());
        Ok(writeln!(self.stdout, "{text}")?)
    }

    /// A table, cut to the terminal's width.
    pub fn table(&mut self, table: &Table) -> Result<(), CliError> {
        for line in table.lines(self.width()) {
            let mut text = String::new();
            for cell in line {
                text.push_str(&self.paint(&cell.text, cell.tone));
            }
            writeln!(self.stdout, "{}", text.trim_end())?;
        }
        Ok(())
    }

    /// JSON, for scripts.
    pub fn json<T: Serialize>(&mut self, value: &T) -> Result<(), CliError> {
        let text = serde_json::to_string_pretty(value)?;
        Ok(writeln!(self.stdout, "{}", escape_controls(&text))?)
    }

    /// Text of our own making that may hold escape codes: clap's help.
    pub fn styled(&mut self, ansi: &str, plain: &str) -> Result<(), CliError> {
        let text = if self.color { ansi } else { plain };
        Ok(write!(self.stdout, "{text}")?)
    }

    /// Bytes as they are: a completion script.
    pub fn raw(&mut self, bytes: &[u8]) -> Result<(), CliError> {
        Ok(self.stdout.write_all(bytes)?)
    }

    /// Draws these lines over the ones drawn before. Only for terminals.
    pub fn redraw(&mut self, lines: &[String]) -> Result<(), CliError> {
        if self.drawn > 0 {
            write!(self.stdout, "\x1b[{}A\x1b[J", self.drawn)?;
        }
        let width = columns().unwrap_or(80);
        for line in lines {
            writeln!(self.stdout, "{}", cut(&one_line(line), width))?;
        }
        self.drawn = lines.len();
        self.flush()
    }

    /// What was written so far goes out now.
    pub fn flush(&mut self) -> Result<(), CliError> {
        Ok(self.stdout.flush()?)
    }

    /// A word aside, on standard error, so that scripts do not read it as a result.
    pub fn aside(&mut self, text: impl AsRef<str>) -> Result<(), CliError> {
        self.flush()?;
        complain(text.as_ref());
        Ok(())
    }

    fn paint(&self, text: &str, tone: Tone) -> String {
        let code = match tone {
            Tone::Plain => return text.to_owned(),
            Tone::Good => "32",
            Tone::Bad => "31",
            Tone::Live => "36",
            Tone::Faint => "2",
        };
        if self.color { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// One message on standard error. A closed standard error is nobody's mistake.
pub fn complain(text: &str) {
    let _ = writeln!(io::stderr(), "{}", printable(text));
}

/// Columns by `COLUMNS`, else by the terminal.
pub fn columns() -> Option<usize> {
    size().map(|(columns, _)| columns)
}

/// Columns and rows of the terminal.
pub fn size() -> Option<(usize, usize)> {
    let known = terminal_size::terminal_size().map(|(w, h)| (w.0 as usize, h.0 as usize));
    let wanted = env::var("COLUMNS").ok().and_then(|c| c.parse::<usize>().ok());
    match (wanted.filter(|c| *c > 0), known) {
        (Some(columns), known) => Some((columns, known.map_or(24, |k| k.1))),
        (None, known) => known,
    }
}

/// True if the locale's character set is UTF-8, by the rules of POSIX: the first of these that is set.
pub fn utf8_locale(var: impl Fn(&str) -> Option<OsString>) -> bool {
    let locale =
        ["LC_ALL", "LC_CTYPE", "LANG"].iter().filter_map(|n| var(n)).find(|v| !v.is_empty());
    let locale = locale.unwrap_or_default().to_string_lossy().to_lowercase();
    locale.contains("utf-8") || locale.contains("utf8")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locale_is_the_first_that_is_set() {
        let with = |pairs: &'static [(&'static str, &'static str)]| {
            utf8_locale(|n| pairs.iter().find(|p| p.0 == n).map(|p| p.1.into()))
        };
        assert!(with(&[("LANG", "en_US.UTF-8")]));
        assert!(with(&[("LC_ALL", ""), ("LC_CTYPE", "C.utf8"), ("LANG", "C")]));
        assert!(!with(&[("LC_ALL", "C"), ("LANG", "en_US.UTF-8")]));
        assert!(!with(&[]));
    }
}
