use std::thread;

use super::{Tokenizer, Tokens};
use crate::error::TrainError;

/// Texts whose words are known, cut into windows that a model can read.
#[derive(Debug, Default)]
pub struct Windows {
    /// The ids of each window, with the tokens that frame it.
    pub tokens: Tokens,
    /// Of each window: its text. The windows of a text follow each other.
    pub rows: Vec<u32>,
    /// Of each window: its words that have a token, as the place of the first one and the word's place in the
    /// text.
    pub words: Vec<Vec<(u32, u32)>>,
}

/// Cuts texts into windows of at most `length` tokens. Windows end between words, and each word is in one. A
/// word that is longer than a window is cut at its end.
///
/// # Errors
/// What the tokenizer reports.
pub fn cut_windows<T: AsRef<[String]> + Sync>(
    tokenizer: &dyn Tokenizer,
    texts: &[T],
    length: usize,
    threads: usize,
) -> Result<Windows, TrainError> {
    let room = length.saturating_sub(tokenizer.ids("", true)?.len());
    let share = texts.len().div_ceil(threads.max(1)).max(1);
    let part = |texts: &[T]| {
        texts
            .iter()
            .map(|text| windows(tokenizer, text.as_ref(), room))
            .collect::<Result<Vec<_>, _>>()
    };
    let part = &part;
    let parts = thread::scope(|scope| {
        let workers: Vec<_> =
            texts.chunks(share).map(|texts| scope.spawn(move || part(texts))).collect();
        let died = |_| TrainError::Failed("A tokenizer thread panicked.".into());
        workers.into_iter().map(|w| w.join().map_err(died)?).collect::<Result<Vec<_>, _>>()
    })?;
    let mut all = Windows::default();
    for (row, windows) in (0..).zip(parts.into_iter().flatten()) {
        for (ids, words) in windows {
            all.tokens.push(&ids);
            all.rows.push(row);
            all.words.push(words);
        }
    }
    Ok(all)
}

/// The ids of a window, and the first token of each of its words.
type Window = (Vec<u32>, Vec<(u32, u32)>);

fn windows(
    tokenizer: &dyn Tokenizer,
    words: &[String],
    room: usize,
) -> Result<Vec<Window>, TrainError> {
    // Words are cut into tokens each by itself: what a word takes does not depend on the window.
    let mut found = Vec::new();
    let mut start = 0;
    while start < words.len() || (words.is_empty() && found.is_empty()) {
        let mut end = start;
        let mut taken = 0;
        while let Some(word) = words.get(end) {
            let takes = tokenizer.of_words(std::slice::from_ref(word), false)?.0.len();
            if taken + takes > room && end > start {
                break;
            }
            taken += takes;
            end += 1;
        }
        let (ids, of) = tokenizer.of_words(words.get(start..end).unwrap_or_default(), true)?;
        let mut firsts: Vec<(u32, u32)> = Vec::new();
        for (at, word) in (0_u32..).zip(of) {
            let Some(word) = word.map(|word| word + start as u32) else { continue };
            if firsts.last().is_none_or(|(_, last)| *last != word) {
                firsts.push((at, word));
            }
        }
        found.push((ids, firsts));
        if words.is_empty() {
            break;
        }
        start = end;
    }
    Ok(found)
}
