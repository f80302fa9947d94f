//! Points of one curve as bytes.
//!
//! ```text
//! format 1 | count | epoch scale | steps | times | epochs | values
//! ```
//! Count and the three axes are variable-length integers of 7 bits a byte; an axis is its first
//! value, its first difference, then differences of differences, which are 0 for an even pace and so
//! take one byte. Values are raw `f64`, little endian, at the end: they read back to the bit.

use crate::store::Millis;

/// Points in the order of their steps.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Points {
    pub step: Vec<u64>,
    pub epoch: Vec<f64>,
    pub time: Vec<Millis>,
    pub value: Vec<f64>,
}

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Point {
    pub step: u64,
    pub epoch: f64,
    pub time: Millis,
    pub value: f64,
}

const FORMAT: u8 = 1;
/// Epochs are kept to a millionth.
const FINE: f64 = 1e6;
/// No training gets here; a foreign file may.
const LAST_EPOCH: f64 = 1e9;

/// The epoch as it will be read back.
pub(super) fn settle_epoch(epoch: f64) -> f64 {
    if epoch.is_nan() { 0.0 } else { (epoch.clamp(0.0, LAST_EPOCH) * FINE).round() / FINE }
}

impl Points {
    pub fn len(&self) -> usize {
        self.value.len()
    }

    pub fn is_empty(&self) -> bool {
        self.value.is_empty()
    }

    /// Appends; the epoch must have been settled.
    pub fn push(&mut self, p: Point) {
        self.step.push(p.step);
        self.epoch.push(p.epoch);
        self.time.push(p.time);
        self.value.push(p.value);
    }

    pub fn pop(&mut self) {
        self.step.pop();
        self.epoch.pop();
        self.time.pop();
        self.value.pop();
    }

    pub fn get(&self, at: usize) -> Option<Point> {
        Some(Point {
            step: *self.step.get(at)?,
            epoch: *self.epoch.get(at)?,
            time: *self.time.get(at)?,
            value: *self.value.get(at)?,
        })
    }

    pub fn last(&self) -> Option<Point> {
        self.len().checked_sub(1).and_then(|at| self.get(at))
    }

    /// Those at the given places.
    pub fn pick(&self, places: &[usize]) -> Self {
        let mut picked = Self::default();
        for point in places.iter().filter_map(|at| self.get(*at)) {
            picked.push(point);
        }
        picked
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(16 + self.len() * 14);
        out.push(FORMAT);
        put(&mut out, self.len() as u64);
        let scale = if self.epoch.iter().all(|e| e.fract() == 0.0) { 1.0 } else { FINE };
        out.push(u8::from(scale == FINE));
        put_axis(&mut out, self.step.iter().map(|s| *s as i64));
        put_axis(&mut out, self.time.iter().copied());
        put_axis(&mut out, self.epoch.iter().map(|e| (e * scale).round() as i64));
        for value in &self.value {
            out.extend_from_slice(&value.to_le_bytes());
        }
        out
    }

    /// Appends what [`Points::encode`] wrote; `None` if the bytes are nothing it writes, and then
    /// what was appended is of no use.
    pub fn decode(&mut self, bytes: &[u8]) -> Option<()> {
        let (format, mut rest) = bytes.split_first()?;
        let count = take(&mut rest)? as usize;
        let (fine, mut rest) = rest.split_first()?;
        let scale = if *fine == 0 { 1.0 } else { FINE };
        // A point takes 11 bytes at least; this also bounds what a damaged count can allocate.
        if *format != FORMAT || count > rest.len() / 11 {
            return None;
        }
        let rest = &mut rest;
        self.reserve(count);
        take_axis(rest, count, |x| self.step.push(x as u64))?;
        take_axis(rest, count, |x| self.time.push(x))?;
        take_axis(rest, count, |x| self.epoch.push(x as f64 / scale))?;
        let (values, odd) = rest.as_chunks::<8>();
        self.value.extend(values.iter().map(|v| f64::from_le_bytes(*v)));
        (odd.is_empty() && values.len() == count).then_some(())
    }

    /// Makes room for that many more.
    pub fn reserve(&mut self, count: usize) {
        self.step.reserve(count);
        self.epoch.reserve(count);
        self.time.reserve(count);
        self.value.reserve(count);
    }
}

/// Appends an unsigned integer, 7 bits a byte, lowest first.
pub(super) fn put(out: &mut Vec<u8>, mut x: u64) {
    while x >= 0x80 {
        out.push(x as u8 | 0x80);
        x >>= 7;
    }
    out.push(x as u8);
}

/// Takes one integer off the front; `None` at the end or if it has more than 64 bits.
pub(super) fn take(bytes: &mut &[u8]) -> Option<u64> {
    // Most numbers here are small.
    if let [byte @ ..0x80, rest @ ..] = bytes {
        *bytes = rest;
        return Some(u64::from(*byte));
    }
    let mut x = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        x |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(x);
        }
    }
    None
}

/// Small numbers of either sign become small numbers.
fn zigzag(x: i64) -> u64 {
    ((x << 1) ^ (x >> 63)) as u64
}

fn unzigzag(x: u64) -> i64 {
    (x >> 1) as i64 ^ -((x & 1) as i64)
}

fn put_axis(out: &mut Vec<u8>, axis: impl Iterator<Item = i64>) {
    let (mut before, mut pace) = (0_i64, 0_i64);
    for (i, x) in axis.enumerate() {
        let difference = x.wrapping_sub(before);
        put(out, zigzag(difference.wrapping_sub(pace)));
        // The first value is no pace.
        pace = if i == 0 { 0 } else { difference };
        before = x;
    }
}

fn take_axis(bytes: &mut &[u8], count: usize, mut each: impl FnMut(i64)) -> Option<()> {
    let (mut x, mut pace) = (0_i64, 0_i64);
    for i in 0..count {
        let difference = unzigzag(take(bytes)?).wrapping_add(pace);
        x = x.wrapping_add(difference);
        pace = if i == 0 { 0 } else { difference };
        each(x);
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn points() -> impl Strategy<Value = Points> {
        let epoch = prop_oneof![(0u32..500).prop_map(f64::from), 0.0..500.0f64, any::<f64>()];
        let bits = any::<u64>().prop_map(f64::from_bits);
        prop::collection::vec((any::<u64>(), epoch, any::<i64>(), bits), 0..60).prop_map(|rows| {
            let mut points = Points::default();
            for (step, epoch, time, value) in rows {
                points.push(Point { step, epoch: settle_epoch(epoch), time, value });
            }
            points
        })
    }

    proptest! {
        #[test]
        fn points_read_back_to_the_bit(points in points()) {
            let mut back = Points::default();
            back.decode(&points.encode()).unwrap();
            let bits = |p: &Points| p.value.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
            prop_assert_eq!(bits(&back), bits(&points));
            prop_assert_eq!((back.step, back.time, back.epoch), (points.step, points.time, points.epoch));
        }

        #[test]
        fn any_bytes_are_points_or_nothing(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let mut points = Points::default();
            if points.decode(&bytes).is_some() {
                prop_assert_eq!(points.step.len(), points.value.len());
                prop_assert_eq!(points.epoch.len(), points.time.len());
            }
        }
    }

    #[test]
    fn a_steady_curve_takes_twelve_bytes_a_point() {
        let mut points = Points::default();
        for i in 0..512_u32 {
            let (epoch, time) = (
                f64::from(i) / 7.0,
                1_700_000_000_000 + i64::from(i * 107 % 50) + i64::from(i) * 100,
            );
            points.push(Point {
                step: u64::from(i) * 3,
                epoch: settle_epoch(epoch),
                time,
                value: 0.1,
            });
        }
        let size = points.encode().len();
        assert!(size <= 512 * 12 + 40, "{size}");
    }
}
