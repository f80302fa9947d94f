//! The model file of sentencepiece: a small protobuf of pieces, how texts are cut and how they are
//! normalised. Reference: `sentencepiece_model.proto` of <https://github.com/google/sentencepiece>.
//! Nothing in the file is believed before it is checked.

/// What the file holds, as far as it is needed.
#[derive(Debug, Default, PartialEq)]
pub struct Pieces {
    /// The pieces in the order of their ids.
    pub all: Vec<Piece>,
    /// How texts are cut.
    pub algorithm: Algorithm,
    /// The id of the piece for what is unknown.
    pub unknown: usize,
    /// Unknown characters are spelled in bytes.
    pub has_bytes: bool,
    /// Rules that replace characters, as [`spm_precompiled`](https://docs.rs/spm_precompiled) reads them;
    /// empty = none.
    pub character_map: Vec<u8>,
}

/// One piece.
#[derive(Debug, Clone, PartialEq)]
pub struct Piece {
    /// Its text; `▁` stands for a space.
    pub text: String,
    /// The logarithm of its probability, or for byte pairs minus its rank.
    pub score: f64,
    /// What it is for.
    pub kind: PieceKind,
}

/// What a piece is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PieceKind {
    /// Text.
    Normal,
    /// What is unknown.
    Unknown,
    /// Frames a text.
    Control,
    /// Text that is never cut.
    UserDefined,
    /// Not in use.
    Unused,
    /// A byte, as `<0x0A>`.
    Byte,
}

/// How texts are cut.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Algorithm {
    /// Into the most probable pieces.
    #[default]
    Unigram,
    /// By merging pairs.
    Bpe,
}

/// A piece is never longer: a word of 16 characters is what sentencepiece makes at most.
const LONGEST: usize = 4096;

/// Reads the bytes of a model file.
///
/// # Errors
/// What is wrong with it, as a fragment.
pub fn read(bytes: &[u8]) -> Result<Pieces, String> {
    let mut pieces = Pieces::default();
    let mut file = Message(bytes);
    while let Some((field, value)) = file.next()? {
        match (field, value) {
            (1, Value::Bytes(piece)) => pieces.all.push(read_piece(piece)?),
            (2, Value::Bytes(trainer)) => read_trainer(trainer, &mut pieces)?,
            (3, Value::Bytes(normalizer)) => {
                let mut fields = Message(normalizer);
                while let Some((field, value)) = fields.next()? {
                    if let (2, Value::Bytes(map)) = (field, value) {
                        pieces.character_map = map.to_vec();
                    }
                }
            }
            _ => {}
        }
    }
    if pieces.all.is_empty() {
        return Err("it holds no pieces".into());
    }
    // The trainer's own number may be left out, and is 0 then.
    if pieces.all.get(pieces.unknown).is_none_or(|piece| piece.kind != PieceKind::Unknown) {
        let known = pieces.all.iter().position(|piece| piece.kind == PieceKind::Unknown);
        pieces.unknown = known.ok_or("it has no piece for what is unknown")?;
    }
    check_map(&pieces.character_map)?;
    Ok(pieces)
}

fn read_piece(bytes: &[u8]) -> Result<Piece, String> {
    let mut piece = Piece { text: String::new(), score: 0.0, kind: PieceKind::Normal };
    let mut fields = Message(bytes);
    while let Some((field, value)) = fields.next()? {
        match (field, value) {
            (1, Value::Bytes(text)) => {
                piece.text = String::from_utf8(text.to_vec()).map_err(|_| "a piece is no text")?;
            }
            (2, Value::Four(four)) => piece.score = f64::from(f32::from_le_bytes(four)),
            (3, Value::Number(kind)) => {
                piece.kind = match kind {
                    1 => PieceKind::Normal,
                    2 => PieceKind::Unknown,
                    3 => PieceKind::Control,
                    4 => PieceKind::UserDefined,
                    5 => PieceKind::Unused,
                    6 => PieceKind::Byte,
                    other => return Err(format!("a piece is of the unknown kind {other}")),
                };
            }
            _ => {}
        }
    }
    if piece.text.is_empty() || piece.text.len() > LONGEST || !piece.score.is_finite() {
        return Err("a piece is empty, too long or without a score".into());
    }
    Ok(piece)
}

fn read_trainer(bytes: &[u8], pieces: &mut Pieces) -> Result<(), String> {
    let mut fields = Message(bytes);
    while let Some((field, value)) = fields.next()? {
        match (field, value) {
            (3, Value::Number(1)) => pieces.algorithm = Algorithm::Unigram,
            (3, Value::Number(2)) => pieces.algorithm = Algorithm::Bpe,
            (3, Value::Number(other)) => {
                return Err(format!(
                    "it cuts texts in the unsupported way {other} (words, characters)"
                ));
            }
            (35, Value::Number(on)) => pieces.has_bytes = on != 0,
            (40, Value::Number(id)) => pieces.unknown = usize::try_from(id).unwrap_or(usize::MAX),
            _ => {}
        }
    }
    Ok(())
}

/// Holds a character map against its own bounds: a trie in a double array, then texts that end in 0. Its
/// reader, which looks nothing up twice, would leave the array or cut a character.
fn check_map(map: &[u8]) -> Result<(), String> {
    if map.is_empty() {
        return Ok(());
    }
    let damaged = || "its character map is damaged".to_owned();
    let (size, rest) = map.split_first_chunk::<4>().ok_or_else(damaged)?;
    let size = u32::from_le_bytes(*size) as usize;
    let (trie, texts) = rest.split_at_checked(size).ok_or_else(damaged)?;
    let texts = std::str::from_utf8(texts).map_err(|_| damaged())?;
    let (units, odd) = trie.as_chunks::<4>();
    if units.is_empty() || !odd.is_empty() {
        return Err(damaged());
    }
    for (index, unit) in units.iter().enumerate() {
        let unit = u32::from_le_bytes(*unit) as usize;
        // A unit with this bit holds a place in the texts, and is never gone on from.
        if unit >> 31 == 1 {
            continue;
        }
        let offset = (unit >> 10) << ((unit & (1 << 9)) >> 6);
        let next = index ^ offset;
        if next | 0xFF >= units.len() {
            return Err(damaged());
        }
        if (unit >> 8) & 1 == 1 {
            let leaf = units.get(next).map_or(0, |leaf| u32::from_le_bytes(*leaf) & 0x7FFF_FFFF);
            if !texts.is_char_boundary(leaf as usize) {
                return Err(damaged());
            }
        }
    }
    Ok(())
}

/// The merges of a byte-pair model, best first: every way to make a piece of two others, by its score.
/// Reference: transformers `generate_merges`.
pub fn merges(pieces: &[Piece]) -> Vec<(&str, &str)> {
    let ids: std::collections::HashMap<&str, usize> =
        pieces.iter().enumerate().map(|(id, piece)| (piece.text.as_str(), id)).collect();
    let mut merges = Vec::new();
    for piece in pieces {
        let places = piece.text.char_indices().skip(1).map(|(at, _)| piece.text.split_at(at));
        let mut own: Vec<_> = places
            .filter_map(|(left, right)| {
                Some(((*ids.get(left)?, *ids.get(right)?), (left, right, piece.score)))
            })
            .collect();
        own.sort_by_key(|(ids, _)| *ids);
        merges.extend(own.into_iter().map(|(_, merge)| merge));
    }
    let length = |text: &str| text.chars().count();
    merges.sort_by(|a, b| {
        let key = |m: &(&str, &str, f64)| (length(m.0), length(m.1));
        b.2.total_cmp(&a.2).then_with(|| key(b).cmp(&key(a)))
    });
    merges.into_iter().map(|(left, right, _)| (left, right)).collect()
}

/// A protobuf message: fields one after the other.
struct Message<'a>(&'a [u8]);

/// What a field holds.
enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
    Four([u8; 4]),
    Eight,
}

impl<'a> Message<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], String> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or("it is cut short")?;
        self.0 = rest;
        Ok(taken)
    }

    /// A number of up to ten bytes, seven bits in each.
    fn number(&mut self) -> Result<u64, String> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.take(1)?.first().copied().unwrap_or(0);
            number |= u64::from(byte & 0x7F) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err("it holds a number of more than ten bytes".into())
    }

    /// The next field and its number; `None` at the end.
    fn next(&mut self) -> Result<Option<(u64, Value<'a>)>, String> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let key = self.number()?;
        let value = match key & 7 {
            0 => Value::Number(self.number()?),
            1 => {
                self.take(8)?;
                Value::Eight
            }
            2 => {
                let length = usize::try_from(self.number()?).unwrap_or(usize::MAX);
                Value::Bytes(self.take(length)?)
            }
            5 => {
                let four = self.take(4)?.first_chunk::<4>().copied().unwrap_or_default();
                Value::Four(four)
            }
            other => return Err(format!("it holds a field of the unknown form {other}")),
        };
        Ok(Some((key >> 3, value)))
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    fn number(mut value: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        while value >= 0x80 {
            bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        bytes.push(value as u8);
        bytes
    }

    fn field(at: u64, bytes: &[u8]) -> Vec<u8> {
        [number(at << 3 | 2), number(bytes.len() as u64), bytes.to_vec()].concat()
    }

    /// A model file.
    pub fn file(pieces: &[(&str, f32, u8)], trainer: &[(u64, u64)], map: &[u8]) -> Vec<u8> {
        let piece = |(text, score, kind): &(&str, f32, u8)| {
            let kind = [number(3 << 3), number(u64::from(*kind))].concat();
            let score = [number(2 << 3 | 5), score.to_le_bytes().to_vec()].concat();
            field(1, &[field(1, text.as_bytes()), score, kind].concat())
        };
        let trainer: Vec<u8> = trainer
            .iter()
            .flat_map(|(at, value)| [number(at << 3), number(*value)].concat())
            .collect();
        let pieces: Vec<u8> = pieces.iter().flat_map(piece).collect();
        [pieces, field(2, &trainer), field(3, &field(2, map))].concat()
    }

    #[test]
    fn a_file_is_read_and_a_damaged_one_gives_a_sentence() {
        let pieces = [("<unk>", 0.0, 2), ("<s>", 0.0, 3), ("▁a", -1.5, 1), ("b", -2.0, 1)];
        let sound = file(&pieces, &[(3, 2), (40, 0), (35, 1)], b"");
        let read_back = read(&sound).unwrap();
        assert_eq!(read_back.algorithm, Algorithm::Bpe);
        assert!(read_back.has_bytes && read_back.unknown == 0);
        assert_eq!(read_back.all[2].text, "▁a");
        for length in 0..sound.len() {
            let _ = read(&sound[..length]);
        }
        for (bytes, why) in [
            (file(&[], &[], b""), "no pieces"),
            (file(&[("a", 0.0, 1)], &[], b""), "unknown"),
            (file(&[("a", 0.0, 9)], &[], b""), "kind 9"),
            (file(&[("a", f32::NAN, 2)], &[], b""), "score"),
            (file(&[("", 0.0, 2)], &[], b""), "empty"),
            (file(&[("a", 0.0, 2)], &[(3, 4)], b""), "unsupported way 4"),
            (file(&[("a", 0.0, 2)], &[], &[4, 0, 0, 0, 0, 4, 0, 0]), "character map"),
            (file(&[("a", 0.0, 2)], &[], &[9, 0]), "character map"),
            (vec![0x0A, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F], "cut short"),
            (vec![0xFF; 20], "more than ten bytes"),
        ] {
            let said = read(&bytes).unwrap_err();
            assert!(said.contains(why), "{said}");
        }
    }

    #[test]
    fn merges_come_from_scores() {
        let piece = |text: &str, score| Piece { text: text.into(), score, kind: PieceKind::Normal };
        let pieces = [
            piece("a", 0.0),
            piece("b", 0.0),
            piece("ab", -1.0),
            piece("aba", -2.0),
            piece("ba", -0.5),
        ];
        assert_eq!(merges(&pieces), [("b", "a"), ("a", "b"), ("ab", "a"), ("a", "ba")]);
    }
}
