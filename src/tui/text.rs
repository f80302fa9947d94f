//! Text that nobody vouches for, made safe and measured in terminal columns.

use std::borrow::Cow;

use unicode_width::UnicodeWidthStr;

use crate::spec::{printable, without_sequences};

/// Text made fit for a terminal: escape sequences go as a whole, then everything that
/// [`printable`] takes out. Tabs and line ends become one space.
pub fn clean(text: &str) -> Cow<'_, str> {
    match without_sequences(text) {
        Cow::Borrowed(text) => printable(text, usize::MAX),
        Cow::Owned(text) => Cow::Owned(printable(&text, usize::MAX).into_owned()),
    }
}

/// Columns that the text takes.
pub fn width(text: &str) -> usize {
    text.width()
}

/// The text in at most `columns` columns; what is cut off is shown by an ellipsis.
pub fn fit(text: &str, columns: usize) -> Cow<'_, str> {
    if text.width() <= columns {
        return Cow::Borrowed(text);
    }
    if columns == 0 {
        return Cow::Borrowed("");
    }
    let mut end = 0;
    for (at, c) in text.char_indices() {
        let next = at + c.len_utf8();
        if text.get(..next).is_some_and(|head| head.width() >= columns) {
            break;
        }
        end = next;
    }
    Cow::Owned(format!("{}…", text.get(..end).unwrap_or_default()))
}

/// The end of the text in at most `columns` columns: what a path is recognised by.
pub fn fit_end(text: &str, columns: usize) -> Cow<'_, str> {
    if text.width() <= columns {
        return Cow::Borrowed(text);
    }
    let tail = text
        .char_indices()
        .filter_map(|(at, _)| text.get(at..))
        .find(|tail| tail.width() < columns)
        .unwrap_or_default();
    if columns == 0 { Cow::Borrowed("") } else { Cow::Owned(format!("…{tail}")) }
}

/// Both ends of a cleaned text in at most `columns` columns: labels often differ only at their ends
/// (`card_payment_fee_charged`, `card_payment_not_recognised`).
pub fn fit_middle(text: &str, columns: usize) -> Cow<'_, str> {
    let text = clean(text);
    if text.width() <= columns {
        return text;
    }
    if columns < 3 {
        return Cow::Owned(fit(&text, columns).into_owned());
    }
    let tail = fit_end(&text, columns / 2 + 1);
    let head = fit(&text, columns.div_ceil(2));
    Cow::Owned(format!("{}{tail}", head.trim_end_matches('…')))
}

/// Lines of at most `columns` columns, broken at spaces where there are any.
pub fn wrap(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(1);
    let mut lines = Vec::new();
    for paragraph in text.lines() {
        let paragraph = clean(paragraph);
        let mut line = String::new();
        for word in paragraph.split(' ') {
            let gap = usize::from(!line.is_empty());
            if line.width() + gap + word.width() <= columns {
                if gap == 1 {
                    line.push(' ');
                }
                line.push_str(word);
                continue;
            }
            if !line.is_empty() {
                lines.push(std::mem::take(&mut line));
            }
            for c in word.chars() {
                if line.width() + c.to_string().width() > columns {
                    lines.push(std::mem::take(&mut line));
                }
                line.push(c);
            }
        }
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_and_controls_are_removed() {
        for (bad, want) in [
            ("plain", "plain"),
            ("\u{1b}[31mred\u{1b}[0m", "red"),
            ("\u{1b}]0;title\u{7}x", "x"),
            ("\u{1b}]8;;http://a\u{1b}\\link", "link"),
            ("a\u{1b}[2Jb", "ab"),
            ("tab\there\nand", "tab here and"),
            ("bell\u{7}\u{8}\u{7f}\u{9b}", "bell"),
            ("rtl\u{202e}gnp.exe", "rtlgnp.exe"),
            ("cut\u{1b}", "cut"),
            ("cut\u{1b}[", "cut"),
        ] {
            assert_eq!(clean(bad), want, "{bad:?}");
        }
    }

    #[test]
    fn texts_are_cut_by_columns_not_by_characters() {
        assert_eq!(fit("abcdef", 4), "abc…");
        assert_eq!(fit("你好世界", 5), "你好…");
        assert_eq!(fit("你好世界", 4), "你…");
        assert_eq!(fit("e\u{301}e\u{301}e\u{301}", 3), "e\u{301}e\u{301}e\u{301}");
        assert_eq!(fit("abc", 0), "");
        assert_eq!(fit_end("/home/me/board", 6), "…board");
        assert_eq!(fit_middle("abcdefgh", 8), "abcdefgh");
        assert_eq!(fit_middle("abcdefgh", 7), "abc…fgh");
        assert_eq!(fit_middle("abcdefgh", 6), "ab…fgh");
        assert_eq!(fit_middle("abcdefgh", 0), "");
        for columns in 0..12 {
            assert!(width(&fit_middle("a你b👩‍🔬c\u{301}d", columns)) <= columns);
            assert!(width(&fit("a你b👩‍🔬c\u{301}d", columns)) <= columns);
            assert!(width(&fit_end("a你b👩‍🔬c\u{301}d", columns)) <= columns);
        }
    }

    #[test]
    fn wrapping_keeps_every_word_and_no_line_is_wider() {
        let lines = wrap("one two three 你好你好你好 averyveryverylongword", 9);
        assert!(lines.iter().all(|l| width(l) <= 9), "{lines:?}");
        assert_eq!(lines.concat().replace(' ', ""), "onetwothree你好你好你好averyveryverylongword");
    }
}
