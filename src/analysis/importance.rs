//! How much of what a metric varies by is each key's doing: functional analysis of variance on a forest of
//! regression trees (Hutter, Hoos & Leyton-Brown 2014).
//!
//! It holds for drawn, continuous and mixed keys. A table of means for each value does not: where every value
//! is drawn once, each is a level of its own and every key seems to explain everything.

use crate::spec::search::Draws;

/// The values of one key over the runs.
#[derive(Debug, Clone, PartialEq)]
pub enum Column {
    /// Numbers: only their order counts, so that a rate may be on any scale.
    Ordered(Vec<f64>),
    /// The place of each run's word among the words.
    Choice(Vec<usize>),
}

/// What a key alone accounts for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Share {
    /// Of the variance, between 0 and 1. What the shares of all keys lack of 1 is due to several keys
    /// together.
    pub share: f64,
    /// The standard deviation over the trees of the forest, each of which saw other runs.
    pub sd: f64,
}

/// Below this many runs a forest says nothing.
pub const LEAST_RUNS: usize = 12;
const TREES: u64 = 100;
/// A leaf holds at least that many runs, and of many runs at least a fiftieth.
const LEAF: usize = 3;
const LEAVES: usize = 50;

/// The share of each key; `None` if it cannot be told: there are too few runs, the metric does not vary, or
/// a forest does no better than the mean on runs that it did not see.
pub fn shares(columns: &[Column], metric: &[f64]) -> Option<Vec<Share>> {
    let runs = metric.len();
    if runs < LEAST_RUNS || metric.iter().any(|value| !value.is_finite()) {
        return None;
    }
    let features: Vec<Feature> = columns.iter().map(Feature::new).collect();
    let mut found: Vec<Vec<f64>> = vec![Vec::new(); columns.len()];
    // For each run the sum and number of predictions by trees that did not see it.
    let mut unseen = vec![(0.0, 0usize); runs];
    for tree in 0..TREES {
        let mut draws = Draws::new(0, tree);
        let rows: Vec<usize> = (0..runs).map(|_| draws.below(runs)).collect();
        let mut leaves = Vec::new();
        let mut seen = vec![false; runs];
        for row in &rows {
            seen[*row] = true;
        }
        grow(&features, metric, rows, whole(&features), &mut leaves);
        for (run, told) in unseen.iter_mut().enumerate().filter(|(run, _)| !seen[*run]) {
            let leaf = leaves.iter().find(|leaf| leaf.holds(&features, run));
            *told = leaf.map_or(*told, |leaf| (told.0 + leaf.mean, told.1 + 1));
        }
        if let Some(tree) = decompose(&leaves, &features) {
            found.iter_mut().zip(tree).for_each(|(all, share)| all.push(share));
        }
    }
    if explained(metric, &unseen) <= 0.0 {
        return None;
    }
    found.iter().map(|shares| summary(shares)).collect()
}

fn summary(shares: &[f64]) -> Option<Share> {
    let count = shares.len() as f64;
    let mean = shares.iter().sum::<f64>() / count;
    let variance = shares.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (count - 1.0);
    (count > 1.0).then_some(Share { share: mean, sd: variance.sqrt() })
}

/// The share of the variance that predictions of unseen runs explain (R squared).
fn explained(metric: &[f64], unseen: &[(f64, usize)]) -> f64 {
    let told: Vec<(f64, f64)> = metric
        .iter()
        .zip(unseen)
        .filter(|(_, (_, trees))| *trees > 0)
        .map(|(value, (sum, trees))| (*value, sum / *trees as f64))
        .collect();
    let mean = told.iter().map(|(value, _)| value).sum::<f64>() / told.len() as f64;
    let left: f64 = told.iter().map(|(value, guess)| (value - guess).powi(2)).sum();
    let all: f64 = told.iter().map(|(value, _)| (value - mean).powi(2)).sum();
    if all > 0.0 { 1.0 - left / all } else { 0.0 }
}

/// A key as trees see it.
#[derive(Debug)]
enum Feature {
    /// Each run's place among the distinct values, between 0 and 1.
    Ordered(Vec<f64>),
    /// Each run's word, and how many words there are.
    Choice(Vec<usize>, usize),
}

impl Feature {
    fn new(column: &Column) -> Self {
        match column {
            Column::Choice(words) => {
                Self::Choice(words.clone(), words.iter().max().map_or(1, |most| most + 1))
            }
            Column::Ordered(values) => {
                let mut levels = values.clone();
                levels.sort_by(f64::total_cmp);
                levels.dedup();
                let place = |x: &f64| levels.partition_point(|level| level < x) as f64 + 0.5;
                Self::Ordered(values.iter().map(|x| place(x) / levels.len() as f64).collect())
            }
        }
    }
}

/// What a leaf takes of one key.
#[derive(Debug, Clone)]
enum Side {
    Between(f64, f64),
    Words(Vec<bool>),
}

impl Side {
    /// The share of the key's values.
    fn width(&self) -> f64 {
        match self {
            Self::Between(from, to) => to - from,
            Self::Words(words) => {
                words.iter().filter(|word| **word).count() as f64 / words.len() as f64
            }
        }
    }
}

#[derive(Debug)]
struct Leaf {
    sides: Vec<Side>,
    mean: f64,
}

impl Leaf {
    fn holds(&self, features: &[Feature], run: usize) -> bool {
        self.sides.iter().zip(features).all(|(side, feature)| match (side, feature) {
            (Side::Between(from, to), Feature::Ordered(x)) => (*from..*to).contains(&x[run]),
            (Side::Words(words), Feature::Choice(x, _)) => words[x[run]],
            _ => false,
        })
    }

    fn volume(&self) -> f64 {
        self.sides.iter().map(Side::width).product()
    }
}

fn whole(features: &[Feature]) -> Vec<Side> {
    let side = |feature: &Feature| match feature {
        Feature::Ordered(_) => Side::Between(0.0, 1.0),
        Feature::Choice(_, words) => Side::Words(vec![true; *words]),
    };
    features.iter().map(side).collect()
}

/// A place to divide a node: the key, and the value or word.
#[derive(Debug, Clone, Copy)]
enum Split {
    Below(usize, f64),
    Word(usize, usize),
}

impl Split {
    fn takes(self, features: &[Feature], run: usize) -> bool {
        match self {
            Self::Below(key, at) => matches!(&features[key], Feature::Ordered(x) if x[run] < at),
            Self::Word(key, word) => {
                matches!(&features[key], Feature::Choice(x, _) if x[run] == word)
            }
        }
    }

    /// What both children take.
    fn divide(self, sides: &[Side]) -> [Vec<Side>; 2] {
        let mut children = [sides.to_vec(), sides.to_vec()];
        let [inside, outside] = &mut children;
        match self {
            Self::Below(key, at) => {
                if let Side::Between(from, to) = sides[key] {
                    inside[key] = Side::Between(from, at);
                    outside[key] = Side::Between(at, to);
                }
            }
            Self::Word(key, word) => {
                if let (Side::Words(inside), Side::Words(outside)) =
                    (&mut inside[key], &mut outside[key])
                {
                    inside.iter_mut().enumerate().for_each(|(i, has)| *has &= i == word);
                    outside[word] = false;
                }
            }
        }
        children
    }
}

fn grow(
    features: &[Feature],
    metric: &[f64],
    rows: Vec<usize>,
    sides: Vec<Side>,
    leaves: &mut Vec<Leaf>,
) {
    let Some(split) = best_split(features, metric, &rows) else {
        let mean = rows.iter().map(|row| metric[*row]).sum::<f64>() / rows.len() as f64;
        leaves.push(Leaf { sides, mean });
        return;
    };
    let (inside, outside) = rows.into_iter().partition(|row| split.takes(features, *row));
    let [own, other] = split.divide(&sides);
    grow(features, metric, inside, own, leaves);
    grow(features, metric, outside, other, leaves);
}

/// The split that leaves the least variance, if any leaves less.
fn best_split(features: &[Feature], metric: &[f64], rows: &[usize]) -> Option<Split> {
    let least = LEAF.max(metric.len() / LEAVES);
    let all = Sum::of(rows.iter().map(|row| metric[*row]));
    let mut best: Option<(f64, Split)> = None;
    let mut offer = |inside: Sum, split: Split| {
        let outside = Sum { count: all.count - inside.count, sum: all.sum - inside.sum };
        let gain = inside.weight() + outside.weight();
        let is_large = inside.count >= least && outside.count >= least;
        if is_large && best.is_none_or(|(most, _)| gain > most) {
            best = Some((gain, split));
        }
    };
    for (key, feature) in features.iter().enumerate() {
        match feature {
            Feature::Choice(words, count) => {
                for word in 0..*count {
                    let inside = rows.iter().filter(|row| words[**row] == word);
                    offer(Sum::of(inside.map(|row| metric[*row])), Split::Word(key, word));
                }
            }
            Feature::Ordered(x) => {
                let mut points: Vec<(f64, f64)> =
                    rows.iter().map(|row| (x[*row], metric[*row])).collect();
                points.sort_by(|a, b| a.0.total_cmp(&b.0));
                let mut inside = Sum::default();
                for pair in points.windows(2) {
                    inside.push(pair[0].1);
                    if pair[0].0 < pair[1].0 {
                        offer(inside, Split::Below(key, f64::midpoint(pair[0].0, pair[1].0)));
                    }
                }
            }
        }
    }
    best.filter(|(gain, _)| gain - all.weight() > 1e-12 * all.weight().abs())
        .map(|(_, split)| split)
}

#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    count: usize,
    sum: f64,
}

impl Sum {
    fn of(values: impl Iterator<Item = f64>) -> Self {
        let mut sum = Self::default();
        values.for_each(|value| sum.push(value));
        sum
    }

    fn push(&mut self, value: f64) {
        self.count += 1;
        self.sum += value;
    }

    /// The part of the sum of squares that the mean accounts for.
    fn weight(&self) -> f64 {
        self.sum * self.sum / self.count.max(1) as f64
    }
}

/// The share of each key alone in the variance of a tree; `None` for a tree that says one thing only.
fn decompose(leaves: &[Leaf], features: &[Feature]) -> Option<Vec<f64>> {
    let weighted: Vec<(f64, &Leaf)> = leaves.iter().map(|leaf| (leaf.volume(), leaf)).collect();
    let mean: f64 = weighted.iter().map(|(volume, leaf)| volume * leaf.mean).sum();
    let all: f64 = weighted.iter().map(|(volume, leaf)| volume * (leaf.mean - mean).powi(2)).sum();
    if all <= 0.0 {
        return None;
    }
    let alone = |key: usize| -> f64 {
        pieces(key, leaves, &features[key])
            .into_iter()
            .map(|(width, holds)| {
                let inside = weighted.iter().filter(|(_, leaf)| holds(&leaf.sides[key]));
                let value: f64 =
                    inside.map(|(volume, leaf)| volume / leaf.sides[key].width() * leaf.mean).sum();
                width * (value - mean).powi(2)
            })
            .sum()
    };
    Some((0..features.len()).map(|key| alone(key) / all).collect())
}

type Holds = Box<dyn Fn(&Side) -> bool>;

/// The pieces of a key's range on which no leaf begins or ends: how wide each is, and which leaves hold it.
fn pieces(key: usize, leaves: &[Leaf], feature: &Feature) -> Vec<(f64, Holds)> {
    match feature {
        Feature::Choice(_, words) => {
            let piece = |word: usize| -> (f64, Holds) {
                let holds = move |side: &Side| matches!(side, Side::Words(has) if has[word]);
                (1.0 / *words as f64, Box::new(holds))
            };
            (0..*words).map(piece).collect()
        }
        Feature::Ordered(_) => {
            let ends = leaves.iter().flat_map(|leaf| match leaf.sides[key] {
                Side::Between(from, to) => [from, to],
                Side::Words(_) => [0.0, 1.0],
            });
            let mut ends: Vec<f64> = ends.collect();
            ends.sort_by(f64::total_cmp);
            ends.dedup();
            let piece = |pair: &[f64]| -> (f64, Holds) {
                let middle = f64::midpoint(pair[0], pair[1]);
                let holds = move |side: &Side| matches!(side, Side::Between(from, to) if (*from..*to).contains(&middle));
                (pair[1] - pair[0], Box::new(holds))
            };
            ends.windows(2).map(piece).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(key: u64) -> Vec<f64> {
        let mut draws = Draws::new(11, key);
        (0..90).map(|_| draws.unit()).collect()
    }

    #[test]
    fn a_drawn_key_that_does_nothing_gets_next_to_nothing() {
        let (lr, noise, other) = (drawn(0), drawn(1), drawn(2));
        let words: Vec<usize> = drawn(3).iter().map(|x| (x * 3.0) as usize).collect();
        let metric: Vec<f64> =
            lr.iter().zip(&other).map(|(x, e)| (x - 0.4).powi(2) + 0.01 * e).collect();
        let columns = [Column::Ordered(lr), Column::Ordered(noise), Column::Choice(words)];
        let shares = shares(&columns, &metric).unwrap();
        assert!(shares[0].share > 0.85, "{shares:?}");
        assert!(shares[1].share < 0.05 && shares[2].share < 0.05, "{shares:?}");
        assert!(shares.iter().all(|share| share.sd < 0.15), "{shares:?}");
    }

    #[test]
    fn two_keys_that_add_up_share_and_a_choice_counts_like_a_number() {
        let x = drawn(0);
        let words: Vec<usize> = drawn(1).iter().map(|x| (x * 2.0) as usize).collect();
        // Variances: 1/12 of the number, 1/12 of a word that is worth 1 / sqrt 3.
        let metric: Vec<f64> =
            x.iter().zip(&words).map(|(x, w)| x + *w as f64 / 3.0_f64.sqrt()).collect();
        let shares = shares(&[Column::Ordered(x), Column::Choice(words)], &metric).unwrap();
        assert!(shares.iter().all(|s| (s.share - 0.5).abs() < 0.12), "{shares:?}");
    }

    #[test]
    fn what_cannot_be_told_is_not_told() {
        let x = Column::Ordered(drawn(0));
        assert_eq!(shares(std::slice::from_ref(&x), &drawn(5)), None, "noise alone");
        assert_eq!(shares(std::slice::from_ref(&x), &[1.0; 90]), None, "nothing varies");
        let few = Column::Ordered(drawn(0)[..8].to_vec());
        assert_eq!(shares(&[few], &drawn(0)[..8]), None, "too few runs");
    }
}
