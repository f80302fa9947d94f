//! Which tokens are hidden from BERT, after Devlin et al. 2019 (3.1, task #1; reference: `create_masked_lm_predictions`
//! of google-research/bert): 15 % of a text's tokens, at least one, are to be predicted. Of these 80 % are
//! replaced by `[MASK]`, 10 % by a random word piece, and 10 % stay as they are.

use crate::rng::Rng;

/// The share of tokens that are to be predicted.
const SHARE: f64 = 0.15;

/// Hides tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Masker {
    /// The id of `[MASK]`.
    pub mask: u32,
    /// Random ids are below it.
    pub vocabulary: u32,
}

impl Masker {
    /// Hides some of `ids` in place and gives where, in order, with what stood there. Only ids of which
    /// `is_word` is true are chosen, and if there is one, at least one is.
    pub fn hide(
        self,
        ids: &mut [u32],
        is_word: impl Fn(u32) -> bool,
        rng: &mut Rng,
    ) -> Vec<(usize, u32)> {
        let mut places: Vec<usize> =
            (0..ids.len()).filter(|at| ids.get(*at).is_some_and(|id| is_word(*id))).collect();
        let chosen = ((places.len() as f64 * SHARE).round() as usize).max(1).min(places.len());
        rng.shuffle(&mut places);
        places.truncate(chosen);
        places.sort_unstable();
        let mut hidden = Vec::with_capacity(chosen);
        for at in places {
            let Some(id) = ids.get_mut(at) else { continue };
            hidden.push((at, *id));
            match rng.below(10) {
                0 => *id = rng.below(self.vocabulary as usize) as u32,
                1 => {}
                _ => *id = self.mask,
            }
        }
        hidden
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Purpose;

    const MASKER: Masker = Masker { mask: 4, vocabulary: 1000 };

    fn hide(text: &[u32], seed: u64) -> (Vec<u32>, Vec<(usize, u32)>) {
        let mut ids = text.to_vec();
        let is_word = |id| ![2, 3].contains(&id);
        let hidden = MASKER.hide(&mut ids, is_word, &mut Rng::new(seed, Purpose::Mask, 0));
        (ids, hidden)
    }

    #[test]
    fn fifteen_percent_are_hidden_eighty_ten_and_ten() {
        let text: Vec<u32> = std::iter::once(2).chain(100..300).chain([3]).collect();
        let (mut masked, mut same, mut random) = (0, 0, 0);
        for seed in 0..200 {
            let (ids, hidden) = hide(&text, seed);
            assert_eq!(hidden.len(), 30);
            for (at, id) in &hidden {
                assert_eq!(text[*at], *id);
                match ids[*at] {
                    4 => masked += 1,
                    now if now == *id => same += 1,
                    _ => random += 1,
                }
            }
            let elsewhere = |at: &usize| hidden.iter().all(|(place, _)| place != at);
            assert!((0..text.len()).filter(elsewhere).all(|at| ids[at] == text[at]));
        }
        // Of 6,000: four standard deviations are 124 and 93.
        assert!((4676..4924).contains(&masked), "{masked}");
        assert!((507..693).contains(&same) && (507..693).contains(&random), "{same} {random}");
    }

    #[test]
    fn a_short_text_hides_one_token_and_specials_none() {
        let (_, hidden) = hide(&[2, 100, 101, 3], 7);
        assert_eq!(hidden.len(), 1);
        assert!([(1, 100), (2, 101)].contains(&hidden[0]));
        assert_eq!(hide(&[2, 3], 7).1, []);
        assert_eq!(hide(&[2, 100, 101, 102, 3], 9), hide(&[2, 100, 101, 102, 3], 9));
    }
}
