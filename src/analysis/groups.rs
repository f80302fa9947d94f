//! Runs that differ only in chance, folded into one figure: mean and standard deviation over seeds.

use std::collections::HashMap;

use serde::Serialize;

use crate::spec::RunSpec;

/// How a set of values is spread. NaN and infinities do not count: a diverged run has no place in a mean.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Spread {
    /// Values that count.
    pub n: usize,
    /// Their mean; `None` without values.
    pub mean: Option<f64>,
    /// Their standard deviation over n - 1; `None` for fewer than two.
    pub sd: Option<f64>,
    /// The lowest.
    pub min: Option<f64>,
    /// The highest.
    pub max: Option<f64>,
}

impl Spread {
    /// The spread of some values, in one pass (Welford, Technometrics 4(3), 1962).
    pub fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let (mut n, mut mean, mut squares) = (0_usize, 0.0, 0.0);
        let (mut min, mut max) = (f64::INFINITY, f64::NEG_INFINITY);
        for x in values.into_iter().filter(|x| x.is_finite()) {
            n += 1;
            let off = x - mean;
            mean += off / n as f64;
            squares += off * (x - mean);
            (min, max) = (min.min(x), max.max(x));
        }
        Self {
            n,
            mean: (n > 0).then_some(mean),
            sd: (n > 1).then(|| (squares / (n - 1) as f64).sqrt()),
            min: (n > 0).then_some(min),
            max: (n > 0).then_some(max),
        }
    }
}

/// Items with the same key.
#[derive(Debug, Clone, PartialEq)]
pub struct Group<K> {
    /// What they share.
    pub key: K,
    /// Their positions in what was folded, in order.
    pub members: Vec<usize>,
    /// Their values; a member without one counts as a member only.
    pub spread: Spread,
}

/// Folds items into groups of equal keys, in the order of each group's first member.
pub fn fold<T, K: Clone + Eq + std::hash::Hash>(
    items: &[T],
    key: impl Fn(&T) -> K,
    value: impl Fn(&T) -> Option<f64>,
) -> Vec<Group<K>> {
    let mut groups: Vec<Group<K>> = Vec::new();
    let mut places: HashMap<K, usize> = HashMap::new();
    for (position, item) in items.iter().enumerate() {
        let key = key(item);
        let place = *places.entry(key.clone()).or_insert(groups.len());
        match groups.get_mut(place) {
            Some(group) => group.members.push(position),
            None => groups.push(Group { key, members: vec![position], spread: Spread::default() }),
        }
    }
    for group in &mut groups {
        group.spread = Spread::of(group.members.iter().filter_map(|i| value(items.get(*i)?)));
    }
    groups
}

/// The keys in which the runs of one setting differ: they say nothing of how good it is.
pub const OF_CHANCE: [&str; 2] = ["seed", "fold"];

/// [`RunSpec::hash`] of everything but [`OF_CHANCE`]: equal for runs that differ in their seed, and in the fold that
/// they hold out, alone. `split_seed` stays in, since other test rows make another question.
pub fn setting_hash(spec: &RunSpec) -> String {
    RunSpec { seed: 0, fold: 0, ..spec.clone() }.hash()
}

/// Whether runs of a setting differ in the fold that they hold out: then its folds together are its test rows.
pub fn are_folds(spec: &RunSpec) -> bool {
    spec.folds > 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spread_is_that_of_the_textbook() {
        let s = Spread::of([2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]);
        assert_eq!((s.n, s.mean, s.min, s.max), (8, Some(5.0), Some(2.0), Some(9.0)));
        assert!((s.sd.unwrap() - (32.0_f64 / 7.0).sqrt()).abs() < 1e-12);
        assert_eq!(Spread::of([]), Spread::default());
        let one = Spread::of([0.5]);
        assert_eq!((one.mean, one.sd), (Some(0.5), None));
    }

    #[test]
    fn equal_values_far_from_zero_have_no_spread() {
        let s = Spread::of([1e9 + 0.1; 5]);
        assert_eq!(s.sd, Some(0.0));
    }

    #[test]
    fn diverged_values_are_left_out() {
        let s = Spread::of([f64::NAN, 1.0, f64::INFINITY, 3.0]);
        assert_eq!((s.n, s.mean), (2, Some(2.0)));
    }

    #[test]
    fn groups_keep_the_order_of_their_first_member() {
        let items = [("b", Some(1.0)), ("a", Some(2.0)), ("b", None), ("b", Some(3.0))];
        let groups = fold(&items, |i| i.0, |i| i.1);
        let seen: Vec<_> = groups.iter().map(|g| (g.key, g.members.clone(), g.spread.n)).collect();
        assert_eq!(seen, [("b", vec![0, 2, 3], 2), ("a", vec![1], 1)]);
        assert_eq!(groups[0].spread.mean, Some(2.0));
    }

    #[test]
    fn seeds_and_places_do_not_part_runs_and_all_else_does() {
        let base = RunSpec { model: "m".into(), data: "d".into(), ..RunSpec::default() };
        let hash = |key: &str, value: &str| {
            let mut spec = base.clone();
            spec.set(key, value).unwrap();
            setting_hash(&spec)
        };
        assert_eq!(hash("seed", "1"), hash("seed", "2"));
        assert_eq!(hash("fold", "1"), hash("fold", "2"));
        assert_ne!(hash("folds", "5"), hash("folds", "3"));
        assert_eq!(hash("seed", "1"), hash("device", "cuda:1"));
        assert_ne!(hash("seed", "1"), hash("lr", "1e-4"));
        assert_ne!(hash("seed", "1"), hash("split_seed", "1"));
    }
}
