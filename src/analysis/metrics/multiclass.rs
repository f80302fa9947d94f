use super::ranking::roc_auc;

/// Something asked of every class against all others: `ask(probabilities, is it the class)`, in class
/// order. With [`roc_auc`] or [`average_precision`](super::average_precision) it is their per-class form.
pub fn one_vs_rest<P: Copy + Into<f64>>(
    labels: &[u32],
    probabilities: &[Vec<P>],
    ask: impl Fn(&[P], &[bool]) -> Option<f64>,
) -> Vec<Option<f64>> {
    let of = |(class, scores): (u32, &Vec<P>)| {
        let positive: Vec<bool> = labels.iter().map(|label| *label == class).collect();
        ask(scores, &positive)
    };
    (0..).zip(probabilities).map(of).collect()
}

/// The mean of per-class figures weighted by the rows of each class, as
/// `roc_auc_score(multi_class="ovr", average="weighted")` takes it: a class without rows is left out.
pub fn weighted_one_vs_rest(labels: &[u32], figures: &[Option<f64>]) -> Option<f64> {
    let mut sum = 0.0;
    for (class, figure) in (0..).zip(figures) {
        let rows = labels.iter().filter(|label| **label == class).count();
        if rows > 0 {
            sum += rows as f64 * (*figure)?;
        }
    }
    (!labels.is_empty()).then(|| sum / labels.len() as f64)
}

/// The mean ROC-AUC over pairs of classes that have rows, each pair judged both ways on its own rows
/// (Hand and Till 2001; `roc_auc_score(multi_class="ovo", average="macro")`). `None` with fewer than
/// two such classes.
pub fn one_vs_one<P: Copy + Into<f64>>(labels: &[u32], probabilities: &[Vec<P>]) -> Option<f64> {
    let present: Vec<u32> =
        (0..probabilities.len() as u32).filter(|class| labels.contains(class)).collect();
    let (mut sum, mut pairs) = (0.0, 0);
    for (at, a) in present.iter().enumerate() {
        for b in present.iter().skip(at + 1) {
            sum += f64::midpoint(
                between(labels, probabilities, *a, *b)?,
                between(labels, probabilities, *b, *a)?,
            );
            pairs += 1;
        }
    }
    (pairs > 0).then(|| sum / f64::from(pairs))
}

/// How well the probability of `class` tells its rows from those of `other`.
fn between<P: Copy + Into<f64>>(
    labels: &[u32],
    probabilities: &[Vec<P>],
    class: u32,
    other: u32,
) -> Option<f64> {
    let rows = labels.iter().zip(probabilities.get(class as usize)?);
    let (positive, scores): (Vec<bool>, Vec<P>) = rows
        .filter(|(label, _)| **label == class || **label == other)
        .map(|(label, score)| (*label == class, *score))
        .unzip();
    roc_auc(&scores, &positive)
}
