use std::f64::consts::TAU;

/// Random numbers that depend on a seed and a stream alone: SplitMix64 (Steele, Lea & Flood 2014), which
/// gives the same ones for ever.
#[derive(Debug, Clone)]
pub struct Draws(u64);

impl Draws {
    /// The numbers of a seed.
    pub fn of(seed: u64) -> Self {
        Self(seed)
    }

    /// Numbers of their own for each stream of a seed.
    pub fn new(seed: u64, stream: u64) -> Self {
        let mut seeds = Self::of(seed);
        let seed = seeds.next();
        Self(seed ^ stream.wrapping_mul(0xD1B5_4A32_D192_ED03))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// In [0, 1), evenly.
    pub fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// One of 0 .. `count` - 1; 0 where there are none. The bias of one multiplication is below count / 2^64.
    pub fn below(&mut self, count: usize) -> usize {
        ((u128::from(self.next()) * count as u128) >> 64) as usize
    }

    /// A place, as likely as its weight is large; the weights sum to 1.
    pub fn weighted(&mut self, weights: &[f64]) -> usize {
        let mut left = self.unit();
        for (place, weight) in weights.iter().enumerate() {
            if left < *weight {
                return place;
            }
            left -= weight;
        }
        weights.len().saturating_sub(1)
    }

    /// From the standard normal distribution (Box & Muller 1958).
    pub fn normal(&mut self) -> f64 {
        let (u, v) = (1.0 - self.unit(), self.unit());
        (-2.0 * u.ln()).sqrt() * (TAU * v).cos()
    }
}
