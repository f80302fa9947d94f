use std::sync::Arc;
use std::thread;

use super::Tokenizer;
use crate::cache::Kept;
use crate::error::TrainError;

/// The ids of many texts, in one buffer.
#[derive(Debug, Clone, Default)]
pub struct Tokens {
    place: Place,
    /// Ids per token; 0 is 1.
    width: usize,
    /// The segment of each id, where rows are pairs of texts and a segment is not the first.
    segments: Option<Arc<Tokens>>,
}

#[derive(Debug, Clone)]
enum Place {
    /// All ids, and where each text ends.
    Memory { ids: Vec<u32>, ends: Vec<u64> },
    /// A cache's file of so many texts, as [`Tokens::to_bytes`] lays it out.
    Cache { file: Arc<Kept>, texts: usize },
}

impl Default for Place {
    fn default() -> Self {
        Self::Memory { ids: Vec::new(), ends: Vec::new() }
    }
}

/// Bytes of the two numbers before the ends of the texts.
const HEAD: usize = 16;

impl Tokens {
    /// Tokenizes with specials, on `threads` threads.
    ///
    /// # Errors
    /// What the tokenizer reports.
    pub fn of(
        tokenizer: &dyn Tokenizer,
        texts: &[String],
        threads: usize,
    ) -> Result<Self, TrainError> {
        Self::tokenized(tokenizer, texts, threads, true)
    }

    /// Tokenizes pairs of texts, with specials and segments, on `threads` threads.
    ///
    /// # Errors
    /// What the tokenizer reports.
    pub fn of_pairs(
        tokenizer: &dyn Tokenizer,
        texts: &[String],
        pairs: &[String],
        threads: usize,
    ) -> Result<Self, TrainError> {
        let share = texts.len().div_ceil(threads.max(1)).max(1);
        let one = |(texts, pairs): (&[String], &[String])| {
            let (mut ids, mut segments) = (Self::default(), Self::default());
            for (text, pair) in texts.iter().zip(pairs) {
                let (of_ids, of_segments) = tokenizer.pair(text, pair)?;
                ids.push(&of_ids);
                segments.push(&of_segments);
            }
            Ok::<_, TrainError>((ids, segments))
        };
        let parts = thread::scope(|scope| {
            let all = texts.chunks(share).zip(pairs.chunks(share));
            let workers: Vec<_> = all.map(|part| scope.spawn(move || one(part))).collect();
            let died = |_| TrainError::Failed("A tokenizer thread panicked.".into());
            workers.into_iter().map(|w| w.join().map_err(died)?).collect::<Result<Vec<_>, _>>()
        })?;
        let (ids, segments): (Vec<Self>, Vec<Self>) = parts.into_iter().unzip();
        let width = tokenizer.width();
        Ok(Self::joined(ids, width).with_segments(Self::joined(segments, width)))
    }

    /// With the segments of all ids, unless all are the first.
    pub fn with_segments(self, segments: Self) -> Self {
        let segments = (segments.largest() > 0).then(|| Arc::new(segments));
        Self { segments, ..self }
    }

    /// The segments of all ids, if some are not the first.
    pub fn segments(&self) -> Option<&Self> {
        self.segments.as_deref()
    }

    fn joined(parts: Vec<Self>, width: usize) -> Self {
        let (mut ids, mut ends) = (Vec::new(), Vec::new());
        for part in parts {
            let start = ids.len() as u64;
            ids.extend(part.ids());
            ends.extend(part.ends().iter().map(|end| start + end));
        }
        Self { place: Place::Memory { ids, ends }, width, segments: None }
    }

    /// As `of`, without the tokens that frame a text.
    ///
    /// # Errors
    /// What the tokenizer reports.
    pub fn without_specials(
        tokenizer: &dyn Tokenizer,
        texts: &[String],
        threads: usize,
    ) -> Result<Self, TrainError> {
        Self::tokenized(tokenizer, texts, threads, false)
    }

    fn tokenized(
        tokenizer: &dyn Tokenizer,
        texts: &[String],
        threads: usize,
        specials: bool,
    ) -> Result<Self, TrainError> {
        let share = texts.len().div_ceil(threads.max(1)).max(1);
        let parts = thread::scope(|scope| {
            let workers: Vec<_> = texts
                .chunks(share)
                .map(|part| scope.spawn(move || Self::sequentially(tokenizer, part, specials)))
                .collect();
            let died = |_| TrainError::Failed("A tokenizer thread panicked.".into());
            workers.into_iter().map(|w| w.join().map_err(died)?).collect::<Result<Vec<_>, _>>()
        })?;
        Ok(Self::joined(parts, tokenizer.width()))
    }

    fn sequentially(
        tokenizer: &dyn Tokenizer,
        texts: &[String],
        specials: bool,
    ) -> Result<Self, TrainError> {
        let mut all = Self::default();
        for text in texts {
            all.push(&tokenizer.ids(text, specials)?);
        }
        Ok(all)
    }

    /// As bytes, for [`Self::kept`], in this machine's order: the number of texts, the width, the ends of
    /// the texts (8 bytes each), the ids (4 bytes each).
    pub fn to_bytes(&self) -> Vec<u8> {
        let (ids, ends) = (self.ids(), self.ends());
        let head = [ends.len() as u64, self.width as u64];
        let parts = [bytemuck::cast_slice(&head), bytemuck::cast_slice(ends)];
        [parts[0], parts[1], bytemuck::cast_slice(ids)].concat()
    }

    /// What [`Self::to_bytes`] made of `texts` texts, left where it is; `None` for anything else.
    pub fn kept(file: Kept, texts: usize) -> Option<Self> {
        let head: [u64; 2] = bytemuck::try_pod_read_unaligned(file.get(..HEAD)?).ok()?;
        let place = Place::Cache { file: Arc::new(file), texts };
        let tokens = Self { place, width: head[1] as usize, segments: None };
        let (ids, ends) = tokens.columns()?;
        let sound = head[0] == texts as u64
            && ends.is_sorted()
            && ends.last().copied().unwrap_or(0) == ids.len() as u64;
        sound.then_some(tokens)
    }

    /// Ids and ends; `None` if the file is none of ours.
    fn columns(&self) -> Option<(&[u32], &[u64])> {
        match &self.place {
            Place::Memory { ids, ends } => Some((ids, ends)),
            Place::Cache { file, texts } => {
                let (ends, ids) = file.get(HEAD..)?.split_at_checked(texts.checked_mul(8)?)?;
                let ids = bytemuck::try_cast_slice(ids).ok()?;
                Some((ids, bytemuck::try_cast_slice(ends).ok()?))
            }
        }
    }

    fn ids(&self) -> &[u32] {
        self.columns().unwrap_or_default().0
    }

    fn ends(&self) -> &[u64] {
        self.columns().unwrap_or_default().1
    }

    /// Adds one text.
    pub fn push(&mut self, text: &[u32]) {
        if let Place::Cache { .. } = self.place {
            let (ids, ends) = (self.ids().to_vec(), self.ends().to_vec());
            self.place = Place::Memory { ids, ends };
        }
        if let Place::Memory { ids, ends } = &mut self.place {
            ids.extend_from_slice(text);
            ends.push(ids.len() as u64);
        }
    }

    /// The ids of text `index`; empty beyond the end.
    pub fn get(&self, index: u32) -> &[u32] {
        let (ids, ends) = self.columns().unwrap_or_default();
        let index = index as usize;
        let start = if index == 0 { 0 } else { ends.get(index - 1).copied().unwrap_or(0) };
        let end = ends.get(index).copied().unwrap_or(start);
        ids.get(start as usize..end as usize).unwrap_or_default()
    }

    /// How many tokens text `index` has.
    pub fn count(&self, index: u32) -> u64 {
        (self.get(index).len() / self.width.max(1)) as u64
    }

    /// How many texts.
    pub fn len(&self) -> usize {
        self.ends().len()
    }

    /// The largest id of all; 0 for no tokens.
    pub fn largest(&self) -> u32 {
        self.ids().iter().copied().max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::Cache;

    #[test]
    fn tokens_come_back_from_the_cache_and_nothing_else_does() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::at(folder.path().to_owned());
        let texts = [&[1, 2, 3][..], &[], &[70_000]];
        let mut tokens = Tokens::default();
        for text in texts {
            tokens.push(text);
        }
        let bytes = tokens.to_bytes();
        let kept = |bytes: &[u8], texts| {
            cache.put("a", bytes);
            Tokens::kept(cache.get("a").unwrap(), texts)
        };
        let mut known = kept(&bytes, 3).unwrap();
        for (i, text) in (0..).zip(texts) {
            assert_eq!((known.get(i), known.count(i)), (text, text.len() as u64));
        }
        assert_eq!((known.get(3), known.largest()), (&[][..], 70_000));
        assert_eq!(known.to_bytes(), bytes);
        known.push(&[4, 5]);
        assert_eq!((known.get(2), known.get(3)), (texts[2], &[4, 5][..]));
        assert!(kept(&bytes, 2).is_none() && kept(&bytes, usize::MAX).is_none());
        for length in 0..bytes.len() {
            assert!(kept(&bytes[..length], 3).is_none());
        }
    }
}
