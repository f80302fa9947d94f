//! Seeds without state: every random choice is a function of the run's seed and of where the run
//! stands, so that a resumed run draws what the uninterrupted one would have drawn.

/// What a stream of numbers is for; each purpose has its own.
#[derive(Debug, Clone, Copy)]
pub enum Purpose {
    /// Random weights and new heads.
    Init = 1,
    /// The batches of an epoch.
    Order = 2,
    /// Dropout masks of a batch.
    Dropout = 3,
    /// The masked tokens of a text.
    Mask = 4,
}

/// A small generator: SplitMix64 (Steele, Lea & Flood 2014).
#[derive(Debug, Clone)]
pub struct Rng(u64);

impl Rng {
    /// The stream of `purpose` at position `at` (an epoch, a batch) under the run's seed.
    pub fn new(seed: u64, purpose: Purpose, at: u64) -> Self {
        let mut rng = Self(seed);
        for salt in [purpose as u64, at] {
            rng.0 = rng.next() ^ salt.wrapping_mul(0xD6E8_FEB8_6659_FD93);
        }
        rng
    }

    /// The next 64 bits.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A whole number below `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        // Multiply-shift (Lemire 2019); the bias is under 2^-40 for any number of rows we hold.
        ((u128::from(self.next()) * bound as u128) >> 64) as usize
    }

    /// Shuffles in place (Fisher & Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

/// Seeds libtorch's generators for what follows.
pub fn seed_torch(seed: u64, purpose: Purpose, at: u64) {
    tch::manual_seed(Rng::new(seed, purpose, at).next() as i64);
}

/// Tests run side by side, and libtorch has one generator for all: whoever draws holds this.
#[cfg(test)]
pub fn alone() -> std::sync::MutexGuard<'static, ()> {
    static DRAWING: std::sync::Mutex<()> = std::sync::Mutex::new(());
    // A test that failed has left nothing half done.
    DRAWING.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_repeat_and_differ() {
        let draw = |seed, purpose, at| Rng::new(seed, purpose, at).next();
        assert_eq!(draw(1, Purpose::Order, 2), draw(1, Purpose::Order, 2));
        let mut seen: Vec<u64> = (0..3)
            .flat_map(|seed| (0..3).map(move |at| (seed, at)))
            .flat_map(|(seed, at)| {
                [Purpose::Init, Purpose::Order, Purpose::Dropout].map(|p| draw(seed, p, at))
            })
            .collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 27);
    }

    #[test]
    fn shuffling_keeps_every_item_and_reaches_every_order() {
        let mut orders = std::collections::HashSet::new();
        for seed in 0..200 {
            let mut items = [0, 1, 2, 3];
            Rng::new(seed, Purpose::Order, 0).shuffle(&mut items);
            let mut sorted = items;
            sorted.sort_unstable();
            assert_eq!(sorted, [0, 1, 2, 3]);
            orders.insert(items);
        }
        assert_eq!(orders.len(), 24);
    }
}
