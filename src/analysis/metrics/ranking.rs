/// Points of a ROC curve, from the highest threshold down (`roc_curve(drop_intermediate=False)`).
/// All three have one entry per distinct score, and one before them at a threshold of infinity.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RocCurve {
    /// Share of the negative rows that score at least the threshold.
    pub false_positive_rate: Vec<f64>,
    /// Share of the positive rows that score at least the threshold.
    pub true_positive_rate: Vec<f64>,
    /// Falling; infinity first.
    pub thresholds: Vec<f64>,
}

/// Points of a precision-recall curve, from the lowest threshold up (`precision_recall_curve`).
/// Precision and recall end with the point (1, 0), which has no threshold.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PrCurve {
    /// Right ones among those that score at least the threshold.
    pub precision: Vec<f64>,
    /// Found ones among the positive rows.
    pub recall: Vec<f64>,
    /// Rising: the distinct scores.
    pub thresholds: Vec<f64>,
}

/// What scores at least `score`, cumulated from the highest score down.
#[derive(Debug, Clone, Copy)]
struct Level {
    score: f64,
    hits: u64,
    alarms: u64,
}

/// One level per distinct score; `None` if a score is no number.
fn levels<P: Copy + Into<f64>>(scores: &[P], positive: &[bool]) -> Option<Vec<Level>> {
    let mut rows: Vec<(f64, bool)> =
        scores.iter().zip(positive).map(|(s, p)| ((*s).into(), *p)).collect();
    if rows.iter().any(|(score, _)| score.is_nan()) {
        return None;
    }
    rows.sort_unstable_by(|a, b| b.0.total_cmp(&a.0));
    let mut levels: Vec<Level> = Vec::new();
    let (mut hits, mut alarms) = (0, 0);
    for (score, positive) in rows {
        hits += u64::from(positive);
        alarms += u64::from(!positive);
        let level = Level { score, hits, alarms };
        match levels.last_mut() {
            Some(last) if last.score == score => *last = level,
            _ => levels.push(level),
        }
    }
    Some(levels)
}

impl RocCurve {
    /// The curve of one score per row; `None` unless there are rows of both kinds.
    pub fn of<P: Copy + Into<f64>>(scores: &[P], positive: &[bool]) -> Option<Self> {
        let levels = levels(scores, positive)?;
        let last = levels.last().filter(|last| last.hits > 0 && last.alarms > 0)?;
        let (hits, alarms) = (last.hits as f64, last.alarms as f64);
        let mut curve = Self {
            false_positive_rate: vec![0.0],
            true_positive_rate: vec![0.0],
            thresholds: vec![f64::INFINITY],
        };
        for level in &levels {
            curve.false_positive_rate.push(level.alarms as f64 / alarms);
            curve.true_positive_rate.push(level.hits as f64 / hits);
            curve.thresholds.push(level.score);
        }
        Some(curve)
    }

    /// The area below, by trapezoids.
    pub fn area(&self) -> f64 {
        let points = self.false_positive_rate.iter().zip(&self.true_positive_rate);
        let next = points.clone().skip(1);
        points.zip(next).map(|((x, y), (to_x, to_y))| (to_x - x) * (y + to_y) / 2.0).sum()
    }
}

impl PrCurve {
    /// The curve of one score per row; `None` without positive rows.
    pub fn of<P: Copy + Into<f64>>(scores: &[P], positive: &[bool]) -> Option<Self> {
        let levels = levels(scores, positive)?;
        let hits = levels.last().filter(|last| last.hits > 0)?.hits as f64;
        let mut curve = Self::default();
        for level in levels.iter().rev() {
            curve.precision.push(level.hits as f64 / (level.hits + level.alarms) as f64);
            curve.recall.push(level.hits as f64 / hits);
            curve.thresholds.push(level.score);
        }
        curve.precision.push(1.0);
        curve.recall.push(0.0);
        Some(curve)
    }
}

/// Area under the ROC curve of one score per row (`roc_auc_score`): the chance that a positive row
/// scores higher than a negative one. `None` unless there are rows of both kinds.
pub fn roc_auc<P: Copy + Into<f64>>(scores: &[P], positive: &[bool]) -> Option<f64> {
    RocCurve::of(scores, positive).map(|curve| curve.area())
}

/// Precision summed over the steps of recall, without interpolation (`average_precision_score`); 0
/// without positive rows, as there, and `None` without rows.
pub fn average_precision<P: Copy + Into<f64>>(scores: &[P], positive: &[bool]) -> Option<f64> {
    let levels = levels(scores, positive)?;
    let hits = levels.last()?.hits.max(1) as f64;
    let (mut sum, mut before) = (0.0, 0);
    for level in levels {
        let precision = level.hits as f64 / (level.hits + level.alarms) as f64;
        sum += (level.hits - before) as f64 / hits * precision;
        before = level.hits;
    }
    Some(sum)
}
