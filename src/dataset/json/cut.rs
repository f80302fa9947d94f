//! Cuts JSON texts into the texts of their parts, by brackets and strings alone; whether a part is
//! valid is found when it is parsed. No recursion: depth costs nothing.

/// The byte at which a text stops being JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cut(pub usize);

/// The end of the string whose opening quote stands at `at`, behind its closing quote.
pub(super) fn string_end(bytes: &[u8], at: usize) -> Option<usize> {
    let mut at = at + 1;
    loop {
        at += memchr::memchr2(b'"', b'\\', bytes.get(at..)?)?;
        if bytes.get(at) == Some(&b'"') {
            return Some(at + 1);
        }
        at += 2;
    }
}

/// The end of the value that starts at `at`.
fn value_end(bytes: &[u8], at: usize) -> Result<usize, Cut> {
    let (mut open, mut i) = (0_usize, at);
    while let Some(byte) = bytes.get(i) {
        match byte {
            b'"' => {
                i = string_end(bytes, i).ok_or(Cut(i))?;
                if open == 0 {
                    return Ok(i);
                }
                continue;
            }
            b'{' | b'[' => open += 1,
            b'}' | b']' | b',' | b':' if open == 0 => {
                return if i > at { Ok(i) } else { Err(Cut(i)) };
            }
            b'}' | b']' => {
                open -= 1;
                if open == 0 {
                    return Ok(i + 1);
                }
            }
            b if b.is_ascii_whitespace() && open == 0 => return Ok(i),
            _ => {}
        }
        i += 1;
    }
    if open == 0 && i > at { Ok(i) } else { Err(Cut(i)) }
}

fn skip_space(bytes: &[u8], at: usize) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    at + rest.iter().take_while(|b| b.is_ascii_whitespace()).count()
}

/// The values that stand one after the other in a text.
pub(super) fn values(text: &str) -> Result<Vec<&str>, Cut> {
    let bytes = text.as_bytes();
    let (mut found, mut at) = (Vec::new(), skip_space(bytes, 0));
    while at < bytes.len() {
        let end = value_end(bytes, at)?;
        let value = text.get(at..end).ok_or(Cut(at))?;
        if !value.starts_with(['{', '[']) {
            return Err(Cut(at));
        }
        found.push(value);
        at = skip_space(bytes, end);
    }
    Ok(found)
}

/// The elements of a list, which is whole; what cannot be cut is left to the parser as one element.
pub(super) fn elements(list: &str) -> Vec<&str> {
    let bytes = list.as_bytes();
    let (mut found, mut at) = (Vec::new(), skip_space(bytes, 1));
    while at + 1 < bytes.len() {
        let Ok(end) = value_end(bytes, at) else {
            found.push(list.get(at..bytes.len() - 1).unwrap_or_default());
            break;
        };
        found.push(list.get(at..end).unwrap_or_default());
        let comma = skip_space(bytes, end);
        at = match bytes.get(comma) {
            Some(b',') => skip_space(bytes, comma + 1),
            Some(b']') if comma + 1 == bytes.len() => break,
            // Two values without a comma: the parser shall refuse them together.
            _ => {
                found.pop();
                found.push(list.get(at..bytes.len() - 1).unwrap_or_default());
                break;
            }
        };
    }
    found
}

/// The keys, still as JSON, and the values of an object, which is whole.
pub(super) fn members(object: &str) -> Vec<(&str, &str)> {
    let bytes = object.as_bytes();
    let (mut found, mut at) = (Vec::new(), skip_space(bytes, 1));
    while at + 1 < bytes.len() {
        let whole = || {
            let colon = skip_space(bytes, value_end(bytes, at).ok()?);
            let key = object.get(at..colon)?.trim_end();
            let start = skip_space(bytes, colon + 1);
            let end = value_end(bytes, start).ok()?;
            (bytes.get(colon) == Some(&b':')).then_some((key, object.get(start..end)?, end))
        };
        let Some((key, value, end)) = whole() else {
            found.push((object.get(at..bytes.len() - 1).unwrap_or_default(), ""));
            break;
        };
        found.push((key, value));
        let comma = skip_space(bytes, end);
        if bytes.get(comma) != Some(&b',') {
            break;
        }
        at = skip_space(bytes, comma + 1);
    }
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn parts_are_cut_at_brackets_and_strings() {
        assert_eq!(elements("[]"), [""; 0]);
        assert_eq!(
            elements("[ 1 , \"a,]\\\"\" ,{\"b\":[2]}\n]"),
            ["1", "\"a,]\\\"\"", "{\"b\":[2]}"]
        );
        assert_eq!(
            members("{\"a\" : [1, 2],\"b:\":{\"c\":1} }"),
            [("\"a\"", "[1, 2]"), ("\"b:\"", "{\"c\":1}")]
        );
        assert_eq!(values("{\"a\":1}\n{\n}\n"), Ok(vec!["{\"a\":1}", "{\n}"]));
        assert_eq!(values("[1, 2"), Err(Cut(5)));
        assert_eq!(values("[1]]"), Err(Cut(3)));
        assert_eq!(elements("[1 2]"), ["1 2"]);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_stumble(text in "[\\[\\]{}\",:\\\\ a1é]{0,40}") {
            let _ = (values(&text), elements(&text), members(&text));
        }

        #[test]
        fn a_list_is_cut_as_it_was_written(list in proptest::collection::vec(".*", 0..6)) {
            let text = serde_json::to_string_pretty(&list).unwrap();
            let cut: Vec<String> = elements(&text).iter().map(|e| serde_json::from_str(e).unwrap()).collect();
            prop_assert_eq!(cut, list);
        }
    }
}
