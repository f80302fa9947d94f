/// The temperature that makes probabilities honest (Guo et al. 2017): T that minimises the mean of
/// `-log softmax(z / T)[y]` over the rows. `None` where no positive, finite T does: every row is right, or
/// the true class has no more than the mean logit, or the logits of each row are all equal.
///
/// `logits[class][row]`. In `u = 1 / T` the loss is convex, so that the root of its slope is the optimum.
pub fn temperature<P: Copy + Into<f64>>(labels: &[u32], logits: &[Vec<P>]) -> Option<f64> {
    let rows = rows(labels, logits)?;
    let scale: f64 = rows.iter().flat_map(|(_, z)| z).map(|z| z.abs()).sum();
    let nearly = 1e-13 * scale;
    let at_zero: f64 = rows.iter().map(|(y, z)| z.iter().sum::<f64>() / z.len() as f64 - y).sum();
    let at_infinity: f64 =
        rows.iter().map(|(y, z)| z.iter().copied().fold(f64::NEG_INFINITY, f64::max) - y).sum();
    if at_zero >= -nearly || at_infinity <= nearly {
        return None;
    }
    let slope = |u: f64| -> f64 { rows.iter().map(|(y, z)| expected(z, u) - y).sum() };
    let (mut low, mut high) = (0.0, 1.0);
    while slope(high) <= 0.0 {
        (low, high) = (high, 2.0 * high);
        if high > 1e18 {
            return None;
        }
    }
    // Halving stops where no number lies between.
    loop {
        let middle = low + (high - low) / 2.0;
        if middle <= low || middle >= high {
            return Some(1.0 / middle).filter(|t| t.is_finite());
        }
        if slope(middle) > 0.0 { high = middle } else { low = middle }
    }
}

/// The logit of the true class and all logits of each row; `None` without rows, or where one is missing
/// or no finite number.
fn rows<P: Copy + Into<f64>>(labels: &[u32], logits: &[Vec<P>]) -> Option<Vec<(f64, Vec<f64>)>> {
    let mut rows = Vec::with_capacity(labels.len());
    for (row, label) in labels.iter().enumerate() {
        let z: Option<Vec<f64>> = logits.iter().map(|c| c.get(row).map(|z| (*z).into())).collect();
        let z = z.filter(|z| z.iter().all(|z| z.is_finite()))?;
        rows.push((*z.get(*label as usize)?, z));
    }
    (!rows.is_empty()).then_some(rows)
}

/// The mean logit under `softmax(u z)`.
fn expected(z: &[f64], u: f64) -> f64 {
    let most = z.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let (mut sum, mut weighted) = (0.0, 0.0);
    for z in z {
        let weight = ((z - most) * u).exp();
        sum += weight;
        weighted += weight * z;
    }
    weighted / sum
}

/// Probabilities `[class][row]` of logits `[class][row]` at a temperature: `softmax(z / T)`.
pub fn tempered<P: Copy + Into<f64>>(logits: &[Vec<P>], temperature: f64) -> Vec<Vec<f64>> {
    let scaled = |z: &P| -> f64 { (*z).into() / temperature };
    let rows = logits.iter().map(Vec::len).min().unwrap_or(0);
    let most: Vec<f64> = (0..rows)
        .map(|row| logits.iter().map(|c| scaled(&c[row])).fold(f64::NEG_INFINITY, f64::max))
        .collect();
    let powers: Vec<Vec<f64>> = logits
        .iter()
        .map(|column| column.iter().zip(&most).map(|(z, most)| (scaled(z) - most).exp()).collect())
        .collect();
    let sums: Vec<f64> = (0..rows).map(|row| powers.iter().map(|c| c[row]).sum()).collect();
    let share = |column: Vec<f64>| column.iter().zip(&sums).map(|(p, sum)| p / sum).collect();
    powers.into_iter().map(share).collect()
}
