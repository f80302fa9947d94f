use std::borrow::Cow;

/// Makes text from outside (data, logs, model and file names, labels) fit for one line of a terminal,
/// a table or an error sentence.
///
/// Line breaks and tabs become single spaces; every other control character goes, and so do the
/// characters that change the direction of writing, with which a line can be made to look like another.
/// Text of more than `max` characters is cut to `max - 1` and an ellipsis. Text that needs no
/// change is borrowed.
pub fn printable(text: &str, max: usize) -> Cow<'_, str> {
    let (mut fits, mut before) = (0, ' ');
    for c in text.chars() {
        fits += 1;
        if fits > max || keep(c, before) != Some(c) {
            return Cow::Owned(rewrite(text, max));
        }
        before = c;
    }
    Cow::Borrowed(text)
}

/// The text without escape sequences, each of which goes as a whole: `ESC [31m red` leaves `red` and not
/// `[31m red`. Other control characters stay; see [`printable`].
pub fn without_sequences(text: &str) -> Cow<'_, str> {
    if !text.contains(INTRODUCERS) {
        return Cow::Borrowed(text);
    }
    let mut clean = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if INTRODUCERS.contains(&c) {
            skip_sequence(c, &mut chars);
        } else {
            clean.push(c);
        }
    }
    Cow::Owned(clean)
}

/// ESC, and CSI and OSC as one character of C1.
const INTRODUCERS: [char; 3] = ['\x1b', '\u{9b}', '\u{9d}'];

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

fn rewrite(text: &str, max: usize) -> String {
    let mut out = String::new();
    // Where the text would be cut, should it turn out to be too long.
    let mut cut = 0;
    let mut kept = 0;
    let mut after_return = false;
    let mut before = ' ';
    for c in text.chars() {
        // A CR LF pair is one break.
        let second_half = after_return && c == '\n';
        after_return = c == '\r';
        let Some(c) = keep(c, before).filter(|_| !second_half) else { continue };
        before = c;
        if kept + 1 == max {
            cut = out.len();
        }
        if kept == max {
            out.truncate(cut);
            if max > 0 {
                out.push('…');
            }
            return out;
        }
        out.push(c);
        kept += 1;
    }
    out
}

/// True for characters that nobody sees, or that turn the text after them: a name with one is not the name
/// that it looks like. Joiners are not among them: after a letter of a script that needs them they are
/// writing.
pub fn is_hidden(c: char) -> bool {
    matches!(c,
        // Direction marks, embeddings, overrides and isolates; the byte order mark; tag characters.
        '\u{061C}'
        | '\u{200E}'
        | '\u{200F}'
        | '\u{202A}'..='\u{202E}'
        | '\u{2066}'..='\u{2069}'
        | '\u{FEFF}'
        | '\u{E0000}'..='\u{E007F}'
        // Blanks without width, invisible operators and fillers, annotation marks.
        | '\u{00AD}'
        | '\u{115F}'
        | '\u{1160}'
        | '\u{180E}'
        | '\u{200B}'
        | '\u{2060}'..='\u{2064}'
        | '\u{206A}'..='\u{206F}'
        | '\u{3164}'
        | '\u{FFA0}'
        | '\u{FFF9}'..='\u{FFFB}'
    )
}

fn keep(c: char, before: char) -> Option<char> {
    match c {
        '\t' | '\n' | '\r' | '\u{2028}' | '\u{2029}' => Some(' '),
        c if is_hidden(c) => None,
        // Between ASCII characters a joiner joins nothing.
        '\u{200C}' | '\u{200D}' if before.is_ascii() => None,
        // C0, DEL and C1; without ESC and CSI what is left of an escape sequence is plain text.
        c if c.is_control() => None,
        c => Some(c),
    }
}

/// Terminals without colours, by their names in terminfo.
pub fn has_no_colours(term: &str) -> bool {
    let is_vt =
        term.strip_prefix("vt").is_some_and(|rest| rest.starts_with(['1', '2', '3', '4', '5']));
    is_vt || matches!(term, "dumb" | "ansi-m" | "linux-m" | "xterm-mono" | "unknown")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_clean_is_borrowed() {
        for text in ["", "spam", "naïve 🙂 日本語", "exactly ten"] {
            assert!(matches!(printable(text, 11), Cow::Borrowed(t) if t == text), "{text}");
        }
    }

    #[test]
    fn nothing_that_moves_a_cursor_or_turns_text_survives() {
        for (dirty, clean) in [
            ("\x1b[31mred\x1b[0m", "[31mred[0m"),
            ("\u{9b}2Jgone", "2Jgone"),
            ("\x1b]0;title\x07x", "]0;titlex"),
            ("a\r\nb\nc\td", "a b c d"),
            ("evil\u{202e}gpj.exe", "evilgpj.exe"),
            ("\u{feff}a\0b\x7f", "ab"),
            ("mo\u{200b}d\u{2060}el\u{200d}", "model"),
            ("\u{06cc}\u{200c}\u{062a}", "\u{06cc}\u{200c}\u{062a}"),
        ] {
            assert_eq!(printable(dirty, 80), clean);
        }
    }

    #[test]
    fn long_text_is_cut_to_the_length_asked_for() {
        assert_eq!(printable("abcdef", 6), "abcdef");
        assert_eq!(printable("abcdefg", 6), "abcde…");
        assert_eq!(printable("日本語日本語", 3), "日本…");
        assert_eq!(printable("abc", 0), "");
        assert_eq!(printable("a\x1bb\x1bc", 3), "abc", "dropped characters take no room");
    }

    #[test]
    fn old_terminals_have_no_colours() {
        for (term, has) in
            [("vt100", false), ("vt220", false), ("dumb", false), ("linux", true), ("xterm", true)]
        {
            assert_eq!(!has_no_colours(term), has, "{term}");
        }
    }
}
