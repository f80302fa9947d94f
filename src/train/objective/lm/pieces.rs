use tuneboard::dataset::Dataset;
use tuneboard::events::Split;

use crate::error::TrainError;
use crate::splits;
use crate::tokenize::{Tokenizer, Tokens};

/// The texts of a data set as stretches of tokens that fit into a model: a long text is cut into as many
/// as it takes, so that nothing of it is lost.
#[derive(Debug)]
pub struct Pieces {
    /// The pieces, with what frames a text around each.
    pub tokens: Tokens,
    /// The pieces of train, val and test, as indices into `tokens`.
    pub parts: [Vec<u32>; 3],
    /// The ids that frame a text: they are no words.
    pub frame: Frame,
}

/// The ids that a tokenizer puts around a text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Frame {
    /// `[CLS]`, say.
    pub before: Vec<u32>,
    /// `[SEP]`, say.
    pub behind: Vec<u32>,
}

impl Frame {
    /// What the tokenizer puts around every text.
    ///
    /// # Errors
    /// What the tokenizer reports.
    pub fn of(tokenizer: &dyn Tokenizer) -> Result<Self, TrainError> {
        const SAMPLE: &str = "a";
        let (bare, framed) = (tokenizer.ids(SAMPLE, false)?, tokenizer.ids(SAMPLE, true)?);
        let at = framed.windows(bare.len().max(1)).position(|part| part == bare).unwrap_or(0);
        let before = framed.get(..at).unwrap_or_default().to_vec();
        let behind = framed.get(at + bare.len()..).unwrap_or_default().to_vec();
        Ok(Self { before, behind })
    }

    /// How many ids it has.
    pub fn len(&self) -> usize {
        self.before.len() + self.behind.len()
    }

    /// True for an id that is part of it.
    pub fn holds(&self, id: u32) -> bool {
        self.before.contains(&id) || self.behind.contains(&id)
    }
}

impl Pieces {
    /// Cuts the texts into pieces of at most `length` tokens, frame included, and keeps those from which
    /// something can be learnt: `counts` says so of a piece's ids. `end` is put behind the last piece of
    /// each text.
    ///
    /// # Errors
    /// What the tokenizer reports; no room for text; a part without any piece.
    pub fn cut(
        tokenizer: &dyn Tokenizer,
        data: &Dataset,
        length: usize,
        end: Option<u32>,
        threads: usize,
        counts: impl Fn(&Frame, &[u32]) -> bool,
    ) -> Result<Self, TrainError> {
        let frame = Frame::of(tokenizer)?;
        let room = length.saturating_sub(frame.len() + end.iter().len());
        if room < 2 {
            return Err(TrainError::Input(format!(
                "max_length={length} leaves too little room for text beside the {} special tokens.",
                frame.len()
            )));
        }
        let texts = Tokens::without_specials(tokenizer, &data.texts, threads)?;
        let mut tokens = Tokens::default();
        let mut count = 0;
        let mut parts = [Split::Train, Split::Val, Split::Test].map(|split| (split, Vec::new()));
        for (split, part) in &mut parts {
            for row in splits::rows(data, *split) {
                let text = texts.get(*row);
                let stretches = text.chunks(room);
                let last = stretches.len().saturating_sub(1);
                for (index, stretch) in stretches.enumerate() {
                    let mut piece = [&frame.before, stretch, &frame.behind].concat();
                    piece.extend(end.filter(|_| index == last));
                    if counts(&frame, &piece) {
                        tokens.push(&piece);
                        part.push(count);
                        count += 1;
                    }
                }
            }
            if part.is_empty() {
                return Err(TrainError::Input(format!(
                    "The {split} rows hold no text that a language model could learn from."
                )));
            }
        }
        Ok(Self { tokens, parts: parts.map(|(_, part)| part), frame })
    }
}
