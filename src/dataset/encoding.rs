//! Bytes of a text file to text.

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{DecoderResult, Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

use super::error::{DataError, counted};

/// The text of a file, and in which encoding it was written.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Decoded {
    pub text: String,
    pub encoding: &'static str,
    /// False if other encodings fit as well and give other texts.
    pub sure: bool,
}

/// Encodings of Western Europe, which differ in few characters.
const WESTERN: [&str; 3] = ["windows-1252", "iso-8859-15", "windows-1254"];

/// Decodes a whole file; `wanted` is `auto` or the name of an encoding.
///
/// A byte order mark decides, then whether the bytes are UTF-8, then the zeros of UTF-16, and last the
/// statistics of chardetng, which browsers use.
///
/// # Errors
/// Bytes that the encoding does not have; bytes that two encodings fit equally badly.
pub(super) fn decode(bytes: Vec<u8>, wanted: &str, path: &str) -> Result<Decoded, DataError> {
    let marked = Encoding::for_bom(&bytes);
    if bytes.starts_with(&[0xff, 0xfe, 0, 0]) || bytes.starts_with(&[0, 0, 0xfe, 0xff]) {
        return Err(DataError::file(path, "is in UTF-32; save it as UTF-8"));
    }
    let wanted = Encoding::for_label(wanted.as_bytes());
    match (wanted, marked) {
        // `encoding=utf-16` means the order that the mark says.
        (Some(encoding), Some((marked, length))) if encoding != marked => {
            let is_utf16 = |e| e == UTF_16LE || e == UTF_16BE;
            if is_utf16(encoding) && is_utf16(marked) {
                return strict(marked, bytes.get(length..).unwrap_or_default(), path, true);
            }
            strict(encoding, &bytes, path, true)
        }
        (Some(_) | None, Some((marked, length))) if marked != UTF_8 => {
            strict(marked, bytes.get(length..).unwrap_or_default(), path, true)
        }
        (Some(encoding), _) if encoding != UTF_8 => strict(encoding, &bytes, path, true),
        (Some(_), _) => utf8(bytes).map_err(|bytes| not_utf8(&bytes, path)),
        (None, Some(_)) => utf8(bytes).or_else(|bytes| other(&bytes, path)),
        (None, None) => {
            if let Some(encoding) = unmarked_utf16(&bytes) {
                return strict(encoding, &bytes, path, true);
            }
            utf8(bytes).or_else(|bytes| other(&bytes, path))
        }
    }
}

/// Without its byte order mark; the bytes come back if they are no UTF-8.
fn utf8(bytes: Vec<u8>) -> Result<Decoded, Vec<u8>> {
    let mut text = String::from_utf8(bytes).map_err(std::string::FromUtf8Error::into_bytes)?;
    if text.starts_with('\u{feff}') {
        text.drain(..'\u{feff}'.len_utf8());
    }
    Ok(Decoded { text, encoding: UTF_8.name(), sure: true })
}

fn not_utf8(bytes: &[u8], path: &str) -> DataError {
    let (at, line) = first_wrong(bytes);
    DataError::file(
        path,
        format!("is not UTF-8 at byte {at} (line {line}); encoding= names another"),
    )
}

/// Where UTF-8 ends, and on which line.
fn first_wrong(bytes: &[u8]) -> (usize, usize) {
    let at = std::str::from_utf8(bytes).err().map_or(bytes.len(), |e| e.valid_up_to());
    let before = bytes.get(..at).unwrap_or_default();
    (at, before.split(|b| *b == b'\n').count())
}

/// Bytes that are decoded at once.
const PIECE: usize = 1 << 20;

fn strict(
    encoding: &'static Encoding,
    bytes: &[u8],
    path: &str,
    sure: bool,
) -> Result<Decoded, DataError> {
    let name = encoding.name();
    let wrong = || {
        DataError::file(path, format!("is not {name}: it holds bytes that {name} does not have"))
    };
    let mut decoder = encoding.new_decoder_without_bom_handling();
    // In pieces: for a whole file at once, three times its size is taken beforehand.
    let mut text = String::with_capacity(bytes.len() + bytes.len() / 16);
    let mut rest = bytes;
    loop {
        let (piece, others) = rest.split_at(rest.len().min(PIECE));
        rest = others;
        let most = decoder.max_utf8_buffer_length_without_replacement(piece.len());
        text.reserve(most.ok_or_else(wrong)?);
        let (result, _) =
            decoder.decode_to_string_without_replacement(piece, &mut text, rest.is_empty());
        if result != DecoderResult::InputEmpty {
            return Err(wrong());
        }
        if rest.is_empty() {
            break;
        }
    }
    if text.starts_with('\u{feff}') {
        text.drain(..'\u{feff}'.len_utf8());
    }
    Ok(Decoded { text, encoding: name, sure })
}

/// Bytes that are no UTF-8 and carry no mark.
fn other(bytes: &[u8], path: &str) -> Result<Decoded, DataError> {
    let Places { whole, broken } = Places::of(bytes);
    if whole >= broken {
        // Taken for Latin-1, all of its good letters would turn into two bad ones.
        let (at, line) = first_wrong(bytes);
        return Err(DataError::file(
            path,
            format!(
                "is UTF-8 but for {}, the first at byte {at} (line {line}); mend it, or say \
                 encoding=windows-1252 if all of it is",
                counted(broken, "place")
            ),
        ));
    }
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Allow);
    detector.feed(bytes, true);
    let guess = detector.guess(None, Utf8Detection::Deny);
    let few = broken < FEW;
    // What differs between encodings of a byte a letter; the whole text twice would be much memory.
    let letters: Vec<u8> = bytes.iter().copied().filter(|byte| !byte.is_ascii()).collect();
    let read_as =
        |e: &'static Encoding| e.decode_without_bom_handling_and_without_replacement(&letters);
    let western = read_as(WINDOWS_1252);
    let same = guess.is_single_byte() && western == read_as(guess);
    if same && western.is_some() {
        let sure = !few || all_western_agree(&letters);
        return strict(WINDOWS_1252, bytes, path, sure);
    }
    if few && western.as_deref().is_some_and(is_plain_western) {
        let name = guess.name();
        return Err(DataError::file(
            path,
            format!(
                "is not UTF-8, and too few letters tell what it is; say encoding=windows-1252 (Western \
                 Europe) or encoding={name}"
            ),
        ));
    }
    strict(guess, bytes, path, !few)
}

/// So many places outside ASCII tell an encoding well.
const FEW: usize = 8;

/// Letters and punctuation as Western texts have them, nothing that shows in a garbled one.
fn is_plain_western(text: &str) -> bool {
    text.chars().filter(|c| !c.is_ascii()).all(|c| {
        matches!(c, '\u{a0}'..='\u{ff}' | '€' | '‘' | '’' | '“' | '”' | '–' | '—' | '…' | '•' | '™')
    })
}

fn all_western_agree(bytes: &[u8]) -> bool {
    let texts = WESTERN.iter().filter_map(|name| Encoding::for_label(name.as_bytes()));
    let mut texts = texts.map(|e| e.decode_without_bom_handling_and_without_replacement(bytes));
    let first = texts.next();
    texts.all(|text| Some(&text) == first.as_ref())
}

/// Characters outside ASCII that are whole in UTF-8, and places that are not.
struct Places {
    whole: usize,
    broken: usize,
}

impl Places {
    fn of(bytes: &[u8]) -> Self {
        let mut found = Self { whole: 0, broken: 0 };
        for chunk in bytes.utf8_chunks() {
            found.whole += chunk.valid().chars().filter(|c| !c.is_ascii()).count();
            found.broken += usize::from(!chunk.invalid().is_empty());
        }
        found
    }
}

/// UTF-16 without its mark: ASCII characters leave every other byte 0.
fn unmarked_utf16(bytes: &[u8]) -> Option<&'static Encoding> {
    let head = bytes.get(..bytes.len().min(4096))?;
    memchr::memchr(0, head)?;
    if bytes.len() % 2 == 1 {
        return None;
    }
    let plausible = |encoding: &'static Encoding| {
        let even = head.len() / 2 * 2;
        let (text, wrong) = encoding.decode_without_bom_handling(head.get(..even)?);
        // A pair cut in two at the end of the piece is no fault.
        let wrong = wrong && text.trim_end_matches('\u{fffd}').contains('\u{fffd}');
        let odd = |c: char| {
            c == '\0'
                || (c.is_control() && !"\t\r\n".contains(c))
                || ('\u{e000}'..='\u{f8ff}').contains(&c)
        };
        let delimits =
            text.contains(['\n', '\r']) && text.contains([',', '\t', ';', '|', '{', ' ']);
        (!wrong && delimits && !text.contains(odd)).then_some(encoding)
    };
    match (plausible(UTF_16LE), plausible(UTF_16BE)) {
        (Some(one), None) | (None, Some(one)) => Some(one),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<(String, &'static str, bool), String> {
        let decoded = decode(bytes.to_vec(), "auto", "f").map_err(|e| e.to_string())?;
        Ok((decoded.text, decoded.encoding, decoded.sure))
    }

    fn utf16(text: &str, big: bool) -> Vec<u8> {
        text.encode_utf16()
            .flat_map(|u| if big { u.to_be_bytes() } else { u.to_le_bytes() })
            .collect()
    }

    #[test]
    fn encodings_are_told_by_their_bytes() {
        let text = "text,label\nfür 5 £ naïve,a\ngar nichts,b\n";
        let mark = |bytes: Vec<u8>, mark: &[u8]| [mark, &bytes].concat();
        for (bytes, encoding) in [
            (text.as_bytes().to_vec(), "UTF-8"),
            (mark(text.as_bytes().to_vec(), b"\xef\xbb\xbf"), "UTF-8"),
            (mark(utf16(text, false), b"\xff\xfe"), "UTF-16LE"),
            (mark(utf16(text, true), b"\xfe\xff"), "UTF-16BE"),
            (utf16(text, false), "UTF-16LE"),
            (utf16(text, true), "UTF-16BE"),
            (WINDOWS_1252.encode(text).0.into_owned(), "windows-1252"),
        ] {
            assert_eq!(read(&bytes).unwrap(), (text.to_owned(), encoding, true), "{bytes:?}");
        }
        let ascii = utf16("text,label\nplain words,a\n", false);
        assert_eq!(read(&ascii).unwrap().1, "UTF-16LE");
        let chinese = "text,label\n这个产品很好用,好\n质量太差了不要买,坏\n";
        assert_eq!(read(&utf16(chinese, false)).unwrap().0, chinese);
    }

    #[test]
    fn languages_are_told_by_their_letters() {
        for (text, label) in [
            ("“Don’t you dare,” she said – for 5 €… “It’s mine.”", "windows-1252"),
            ("Привет, как дела? Сегодня хорошая погода, пойдём гулять в парк", "windows-1251"),
            ("これは日本語の文章です。とても良い製品だと思います", "shift_jis"),
            ("这个产品很好用，质量也不错，下次还会再来买的", "gbk"),
            ("Zażółć gęślą jaźń, proszę się nie śmiać, książka", "windows-1250"),
        ] {
            let encoding = Encoding::for_label(label.as_bytes()).unwrap();
            let text = format!("text,label\n{}", format!("{text},a\n").repeat(5));
            let (got, name, _) = read(&encoding.encode(&text).0).unwrap();
            assert_eq!(got, text, "{label} taken for {name}");
        }
    }

    #[test]
    fn what_is_neither_is_refused_with_the_words_to_type() {
        let mixed = [text_of_letters(30).as_bytes(), b"caf\xe9\n"].concat();
        let why = read(&mixed).unwrap_err();
        assert!(why.contains("is UTF-8 but for 1 place") && why.contains("(line 31)"), "{why}");
        assert!(why.contains("encoding=windows-1252"), "{why}");
        assert!(read(b"\xff\xfe\0\0a\0\0\0").unwrap_err().contains("UTF-32"));
        let forced = decode(mixed, "utf-8", "f").unwrap_err().to_string();
        assert!(forced.starts_with("f is not UTF-8 at byte"), "{forced}");
        let latin = decode(b"caf\xe9\n".to_vec(), "latin1", "f").unwrap();
        assert_eq!((&*latin.text, latin.encoding), ("café\n", "windows-1252"));
    }

    fn text_of_letters(lines: usize) -> String {
        "für alle\n".repeat(lines)
    }
}
