use serde::Serialize;

/// Bins of a reliability diagram unless somebody asks for others (Guo et al. 2017).
pub const BINS: usize = 15;

/// Rows whose confidence lies between two bounds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Bin {
    /// How many.
    pub rows: u64,
    /// The share of right predictions; `None` without rows.
    pub accuracy: Option<f64>,
    /// The mean probability of the predicted class; `None` without rows.
    pub confidence: Option<f64>,
}

/// How far confidence and accuracy lie apart, in bins of equal width: bin `b` of `n` holds the rows
/// whose confidence lies in `(b/n, (b+1)/n]`; one of 0 belongs to the first.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Calibration {
    /// The bins, from low confidence to high.
    pub bins: Vec<Bin>,
}

impl Calibration {
    /// Confidence is the highest probability of a row, the prediction its class, the first of a tie.
    /// `None` without rows or bins, or with a probability outside 0 to 1.
    pub fn of<P: Copy + Into<f64>>(
        labels: &[u32],
        probabilities: &[Vec<P>],
        bins: usize,
    ) -> Option<Self> {
        let mut sums = vec![(0u64, 0u64, 0.0f64); bins];
        for (row, label) in labels.iter().enumerate() {
            let (mut class, mut confidence) = (0, f64::NEG_INFINITY);
            for (candidate, column) in (0..).zip(probabilities) {
                let p: f64 = (*column.get(row)?).into();
                if p > confidence {
                    (class, confidence) = (candidate, p);
                }
            }
            let (rows, right, sum) = sums.get_mut(bin(confidence, bins)?)?;
            *rows += 1;
            *right += u64::from(class == *label);
            *sum += confidence;
        }
        let bin = |(rows, right, sum): &(u64, u64, f64)| {
            let mean = |x: f64| (*rows > 0).then(|| x / *rows as f64);
            Bin { rows: *rows, accuracy: mean(*right as f64), confidence: mean(*sum) }
        };
        (!labels.is_empty()).then(|| Self { bins: sums.iter().map(bin).collect() })
    }

    /// Expected calibration error: the gaps' mean, weighted by rows.
    pub fn expected_error(&self) -> f64 {
        let rows: u64 = self.bins.iter().map(|bin| bin.rows).sum();
        self.gaps().map(|(share, gap)| share as f64 / rows as f64 * gap).sum()
    }

    /// Maximum calibration error: the largest gap of a bin that has rows.
    pub fn maximum_error(&self) -> f64 {
        self.gaps().map(|(_, gap)| gap).fold(0.0, f64::max)
    }

    fn gaps(&self) -> impl Iterator<Item = (u64, f64)> {
        self.bins.iter().filter_map(|bin| Some((bin.rows, (bin.accuracy? - bin.confidence?).abs())))
    }
}

/// The bin of a confidence. The product rounds, so its neighbour is compared with the bound itself.
fn bin(confidence: f64, bins: usize) -> Option<usize> {
    let n = bins as f64;
    if !(0.0..=1.0 + 1e-6).contains(&confidence) {
        return None;
    }
    let mut at = ((confidence * n).ceil() - 1.0).clamp(0.0, n - 1.0);
    if at > 0.0 && confidence <= at / n {
        at -= 1.0;
    } else if at + 1.0 < n && confidence > (at + 1.0) / n {
        at += 1.0;
    }
    Some(at as usize)
}
