use std::fmt::Write as _;

use htmlize::ENTITIES;

/// The tokens of a text: fastai's default rules, then a split on spaces. The first is `xxbos`; a text
/// without words has one more, which is empty.
pub fn tokens(text: &str) -> Vec<String> {
    rules(text).split(' ').map(str::to_owned).collect()
}

/// fastai's `defaults.text_proc_rules`, in their order.
fn rules(text: &str) -> String {
    let text = fix_html(text);
    let text = replace_rep(&text);
    let text = replace_wrep(&text);
    let text = spec_add_spaces(&text);
    let text = rm_useless_spaces(&text);
    let text = replace_all_caps(&text);
    let text = replace_maj(&text);
    lowercase(&text)
}

/// Mends what web pages leave behind. The short forms (`amp;`) come first, so that `&amp;` becomes
/// `&&`: fastai's own behaviour.
fn fix_html(text: &str) -> String {
    const PAIRS: [(&str, &str); 13] = [
        ("#39;", "'"),
        ("amp;", "&"),
        ("#146;", "'"),
        ("nbsp;", " "),
        ("#36;", "$"),
        ("\\n", "\n"),
        ("quot;", "'"),
        ("<br />", "\n"),
        ("\\\"", "\""),
        ("<unk>", "xxunk"),
        (" @.@ ", "."),
        (" @-@ ", "-"),
        ("...", " …"),
    ];
    let mut text = text.to_owned();
    for (from, to) in PAIRS {
        if text.contains(from) {
            text = text.replace(from, to);
        }
    }
    unescape(&text)
}

/// Python's `html.unescape`: references with and without semicolon, the longest known name first.
fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let used = reference(rest, &mut out);
        if used == 0 {
            out.push('&');
            rest = &rest[1..];
        } else {
            rest = &rest[used..];
        }
    }
    out + rest
}

/// Writes what the reference at the start of `text` stands for; gives its length, 0 for none.
fn reference(text: &str, out: &mut String) -> usize {
    if let Some(number) = text.strip_prefix("&#") {
        let (digits, radix) = match number.strip_prefix(['x', 'X']) {
            Some(hex) => (hex, 16),
            None => (number, 10),
        };
        let length = digits.find(|c: char| !c.is_digit(radix)).unwrap_or(digits.len());
        if length == 0 {
            return 0;
        }
        // More digits than fit are beyond Unicode in any case.
        let code = u32::from_str_radix(&digits[..length], radix).unwrap_or(u32::MAX);
        numbered(code, out);
        let semicolon = usize::from(digits[length..].starts_with(';'));
        return text.len() - digits.len() + length + semicolon;
    }
    let ends = |c: char| matches!(c, '\t' | '\n' | '\x0c' | ' ' | '<' | '&' | '#' | ';');
    let body = &text[1..];
    let mut end = body
        .char_indices()
        .enumerate()
        .find(|(count, (_, c))| *count == 32 || ends(*c))
        .map_or(body.len(), |(_, (at, _))| at);
    if end == 0 {
        return 0;
    }
    if body[end..].starts_with(';') {
        end += 1;
    }
    // The name as it stands, or else its longest beginning that is a name.
    for length in (2..=end).rev().filter(|length| body.is_char_boundary(*length)) {
        let name = &text.as_bytes()[..=length];
        if let Some(stands_for) = ENTITIES.get(name) {
            out.push_str(&String::from_utf8_lossy(stands_for));
            return 1 + length;
        }
    }
    0
}

/// What `&#N;` stands for: numbers of Windows-1252 are mended, controls and non-characters go.
fn numbered(code: u32, out: &mut String) {
    const WINDOWS: [u32; 32] = [
        0x20ac, 0x81, 0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021, 0x02c6, 0x2030, 0x0160,
        0x2039, 0x0152, 0x8d, 0x017d, 0x8f, 0x90, 0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013,
        0x2014, 0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0x9d, 0x017e, 0x0178,
    ];
    let c = match code {
        0 => Some('\u{fffd}'),
        0x80..=0x9f => WINDOWS.get(code as usize - 0x80).copied().and_then(char::from_u32),
        0x1..=0x8 | 0xb | 0xe..=0x1f | 0x7f | 0xfdd0..=0xfdef | 0xfffe | 0xffff => None,
        0x1_0000..=0x10_ffff if code & 0xfffe == 0xfffe => None,
        code => Some(char::from_u32(code).unwrap_or('\u{fffd}')),
    };
    out.extend(c);
}

/// Three and more of a character: `!!!!!` -> ` xxrep 5 ! `.
fn replace_rep(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let mut count = 1;
        while !is_space(c) && chars.next_if_eq(&c).is_some() {
            count += 1;
        }
        if count > 2 {
            let _ = write!(out, " xxrep {count} {c} ");
        } else {
            (0..count).for_each(|_| out.push(c));
        }
    }
    out
}

/// Three and more of a word: `no no no,` -> ` xxwrep 3 no ,`.
fn replace_wrep(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        // A repetition stands at the start of the text or behind a space.
        let start = if is_space(c) { Some(at + c.len_utf8()) } else { (at == 0).then_some(0) };
        let found = start.and_then(|start| repeated(text, start));
        if let Some((word, count, end)) = found {
            let after = text[end..].chars().next();
            let _ = write!(out, " xxwrep {count} {word} ");
            out.extend(after);
            at = end + after.map_or(0, char::len_utf8);
        } else {
            out.push(c);
            at += c.len_utf8();
        }
    }
    out
}

/// The word at `start`, how often it stands there in a row, and where the last of them ends, if it is
/// three times or more.
fn repeated(text: &str, start: usize) -> Option<(&str, usize, usize)> {
    let length = |from: usize, is: fn(char) -> bool| {
        text[from..].find(|c: char| !is(c)).unwrap_or(text.len() - from)
    };
    let word = &text[start..start + length(start, is_word)];
    if word.is_empty() {
        return None;
    }
    let mut ends = vec![start + word.len()];
    let mut end = start + word.len();
    loop {
        let space = length(end, is_space);
        if space == 0 || !text[end + space..].starts_with(word) {
            break;
        }
        end += space + word.len();
        ends.push(end);
    }
    // The last one may be the beginning of a longer word.
    let is_whole = |end: usize| !text[end..].chars().next().is_some_and(is_word);
    while let Some(end) = ends.last().copied() {
        if is_whole(end) {
            break;
        }
        ends.pop();
    }
    let end = ends.last().copied()?;
    (ends.len() > 2).then_some((word, ends.len(), end))
}

/// Room around `/`, `#` and `\`.
fn spec_add_spaces(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '/' | '#' | '\\') {
            out.extend([' ', c, ' ']);
        } else {
            out.push(c);
        }
    }
    out
}

/// One space where there are several; other white space stays.
fn rm_useless_spaces(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c != ' ' || !out.ends_with(' ') {
            out.push(c);
        }
    }
    out
}

/// `HELLO` -> `xxup hello`.
fn replace_all_caps(text: &str) -> String {
    each_word(text, "xxup ", |word| !word.chars().any(|c| c.is_ascii_lowercase()))
}

/// `Hello` -> `xxmaj hello`.
fn replace_maj(text: &str) -> String {
    each_word(text, "xxmaj ", |word| !word.chars().skip(1).any(|c| c.is_ascii_uppercase()))
}

/// Lowers words that begin with an ASCII capital and are as `is` says; `mark` goes before those of
/// more than one character.
fn each_word(text: &str, mark: &str, is: fn(&str) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    for piece in text.split_inclusive(is_space) {
        let word = piece.trim_end_matches(is_space);
        if word.starts_with(|c: char| c.is_ascii_uppercase()) && is(word) {
            if word.chars().count() > 1 {
                out.push_str(mark);
            }
            out.push_str(&word.to_lowercase());
            out.push_str(&piece[word.len()..]);
        } else {
            out.push_str(piece);
        }
    }
    out
}

fn lowercase(text: &str) -> String {
    format!("xxbos {}", text.to_lowercase().trim_matches(is_space))
}

/// Python's `\s`: it counts the four separators U+001C..U+001F in.
fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

/// Python's `\w`: letters, numbers of any kind, the underscore; unlike Rust's alphanumeric it leaves
/// combining vowel signs out.
fn is_word(c: char) -> bool {
    use std::sync::LazyLock;
    static WORD: LazyLock<Option<regex::Regex>> =
        LazyLock::new(|| regex::Regex::new(r"^[\p{L}\p{N}]$").ok());
    if c.is_ascii() {
        return c.is_ascii_alphanumeric() || c == '_';
    }
    let mut bytes = [0; 4];
    let one: &str = c.encode_utf8(&mut bytes);
    WORD.as_ref().is_some_and(|word| word.is_match(one))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::fastai::fixture;
    use crate::parity::Tally;

    /// Made by fastai 2.8.12 (tests/fixtures/ulmfit/text_cases.jsonl), rule by rule.
    #[test]
    fn every_rule_gives_fastais_text() {
        let text = String::from_utf8(fixture("text_cases.jsonl")).unwrap();
        type Rule = fn(&str) -> String;
        let rules: [(&str, Rule); 8] = [
            ("fix_html", fix_html),
            ("replace_rep", replace_rep),
            ("replace_wrep", replace_wrep),
            ("spec_add_spaces", spec_add_spaces),
            ("rm_useless_spaces", rm_useless_spaces),
            ("replace_all_caps", replace_all_caps),
            ("replace_maj", replace_maj),
            ("lowercase", lowercase),
        ];
        let mut tally = Tally::of("texts through fastai's rules");
        for line in text.lines() {
            let case: Value = serde_json::from_str(line).unwrap();
            let mut text = case["text"].as_str().unwrap().to_owned();
            let whole = tokens(&text);
            for (name, rule) in rules {
                let got = rule(&text);
                assert_eq!(got, case["steps"][name], "{name} of case {}", case["id"]);
                text = got;
            }
            assert_eq!(text, case["after_rules"]);
            assert_eq!(serde_json::json!(whole), case["tokens_split"], "case {}", case["id"]);
            tally.add("text_cases", 1);
        }
        tally.end();
    }

    /// Values of Python 3's `html.unescape`.
    #[test]
    fn references_are_pythons() {
        for (text, want) in [
            ("&lt;b&gt; &copy &notit; &notin; &bogus; & &; &#", "<b> © ¬it; ∉ &bogus; & &; &#"),
            (
                "&#65;&#x42&#X43;&#0;&#128;&#1;z&#xD800;&#99999999999;",
                "ABC\u{fffd}€z\u{fffd}\u{fffd}",
            ),
            ("&#xfffe;&#x1ffff;&#13;&#127;", "\r"),
            ("&NotEqualTilde;&é;", "≂̸&é;"),
        ] {
            assert_eq!(unescape(text), want);
        }
    }

    #[test]
    fn repeated_words_end_where_a_longer_one_begins() {
        assert_eq!(replace_wrep("no no no nobody"), " xxwrep 3 no  nobody");
        assert_eq!(replace_wrep("no no nobody"), "no no nobody");
        assert_eq!(replace_wrep("a b b b"), "a xxwrep 3 b ");
        assert_eq!(replace_wrep("ab b b b"), "ab xxwrep 3 b ");
    }
}
