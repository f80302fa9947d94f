use super::linear::Linear;
use super::rows::Rows;

/// Added to every count, so that a word a class never showed does not rule the class out.
const ALPHA: f64 = 1.0;

/// Multinomial naive Bayes: scikit-learn's `MultinomialNB(alpha=1)`. The prior is the classes' share of
/// the weight; a word's likelihood is `(N + alpha) / (sum of N + alpha * columns)`. Every class below
/// `classes` must have a row.
///
/// `labels` are the rows' classes and `weights` how much each class's rows count.
pub fn fit(rows: &Rows, labels: &[u32], columns: usize, weights: &[f64]) -> Linear {
    let classes = weights.len();
    let mut counts = vec![ALPHA; columns * classes];
    let mut of_class = vec![0.0; classes];
    for ((columns, values), label) in rows.iter().zip(labels) {
        let class = *label as usize;
        let weight = weights.get(class).copied().unwrap_or(0.0);
        if let Some(of_class) = of_class.get_mut(class) {
            *of_class += weight;
        }
        for (column, value) in columns.iter().zip(values) {
            if let Some(count) = counts.get_mut(*column as usize * classes + class) {
                *count += weight * value;
            }
        }
    }
    let mut sums = vec![0.0; classes];
    for of_word in counts.chunks(classes) {
        sums.iter_mut().zip(of_word).for_each(|(sum, n)| *sum += n);
    }
    let total: f64 = of_class.iter().sum();
    for of_word in counts.chunks_mut(classes) {
        of_word.iter_mut().zip(&sums).for_each(|(n, sum)| *n = n.ln() - sum.ln());
    }
    Linear { weight: counts, bias: of_class.iter().map(|n| n.ln() - total.ln()).collect() }
}
