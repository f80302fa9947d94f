/// The order in which pandas' `df.sample(frac=1, random_state=seed)` puts `n` rows, which is numpy's
/// `RandomState(seed).permutation(n)`: a Fisher-Yates shuffle from the last place down, each partner
/// drawn from the Mersenne Twister by masking and rejection. Splits made in Python are so made again.
///
/// numpy takes seeds below 2^32; a larger one is what `RandomState([low, high])` gives, its two halves.
pub(super) fn permutation(n: u32, seed: u64) -> Vec<u32> {
    let mut random = match u32::try_from(seed) {
        Ok(seed) => MersenneTwister::new(seed),
        Err(_) => MersenneTwister::from_key(&[seed as u32, (seed >> 32) as u32]),
    };
    let mut order: Vec<u32> = (0..n).collect();
    for i in (1..n).rev() {
        order.swap(i as usize, random.at_most(i) as usize);
    }
    order
}

const N: usize = 624;
const M: usize = 397;

/// MT19937 (Matsumoto and Nishimura, "Mersenne Twister", ACM TOMACS 8(1), 1998; seeding of 2002).
struct MersenneTwister {
    state: [u32; N],
    used: usize,
}

impl MersenneTwister {
    fn new(seed: u32) -> Self {
        let mut state = [seed; N];
        for i in 1..N {
            let last = state[i - 1];
            state[i] = 1_812_433_253_u32.wrapping_mul(last ^ (last >> 30)).wrapping_add(i as u32);
        }
        Self { state, used: N }
    }

    /// `init_by_array` of the 2002 code.
    fn from_key(key: &[u32]) -> Self {
        let mut state = Self::new(19_650_218).state;
        let mut i = 1;
        let mut step = |state: &mut [u32; N], factor: u32, add: u32, take: bool| {
            let last = state[i - 1];
            let mixed = state[i] ^ (last ^ (last >> 30)).wrapping_mul(factor);
            state[i] = if take { mixed.wrapping_add(add) } else { mixed.wrapping_sub(i as u32) };
            i += 1;
            if i == N {
                state[0] = state[N - 1];
                i = 1;
            }
        };
        for k in 0..N.max(key.len()) {
            let j = k % key.len();
            step(&mut state, 1_664_525, key[j].wrapping_add(j as u32), true);
        }
        for _ in 1..N {
            step(&mut state, 1_566_083_941, 0, false);
        }
        state[0] = 1 << 31;
        Self { state, used: N }
    }

    fn next(&mut self) -> u32 {
        if self.used == N {
            for i in 0..N {
                let y = (self.state[i] & 0x8000_0000) | (self.state[(i + 1) % N] & 0x7fff_ffff);
                let twist = if y & 1 == 1 { 0x9908_b0df } else { 0 };
                self.state[i] = self.state[(i + M) % N] ^ (y >> 1) ^ twist;
            }
            self.used = 0;
        }
        let mut y = self.state[self.used];
        self.used += 1;
        y ^= y >> 11;
        y ^= (y << 7) & 0x9d2c_5680;
        y ^= (y << 15) & 0xefc6_0000;
        y ^ (y >> 18)
    }

    /// A whole number from 0 to `max`, all equally likely.
    fn at_most(&mut self, max: u32) -> u32 {
        let mask = u32::MAX >> max.leading_zeros();
        loop {
            let drawn = self.next() & mask;
            if drawn <= max {
                return drawn;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generator_gives_the_authors_numbers() {
        // First outputs of mt19937ar.out (init_by_array) and of init_genrand(5489), C++'s mt19937.
        let mut keyed = MersenneTwister::from_key(&[0x123, 0x234, 0x345, 0x456]);
        assert_eq!([keyed.next(), keyed.next()], [1_067_595_299, 955_945_823]);
        let mut seeded = MersenneTwister::new(5489);
        let ten_thousandth = (0..10_000).map(|_| seeded.next()).last();
        assert_eq!(ten_thousandth, Some(4_123_659_995));
    }

    #[test]
    fn small_and_large_seeds_give_permutations() {
        for (n, seed) in [(0, 0), (1, 1), (2, 7), (1000, 35), (1000, u64::MAX)] {
            let mut order = permutation(n, seed);
            order.sort_unstable();
            assert!(order.into_iter().eq(0..n));
        }
        assert_ne!(permutation(100, 1), permutation(100, 1 + (1 << 32)));
    }
}
