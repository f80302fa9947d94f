//! Folds of cross-validation, and splits that keep groups of rows together.

use super::sink::{MISSING, Words};
use super::stratify::Labelled;
use super::targets::Targets;

/// Ranges of equally many rows that targets of numbers are told apart by.
const RANGES: usize = 10;

/// What is known of rows that are dealt.
#[derive(Debug, Clone, Copy)]
pub(super) struct Learnt<'a> {
    pub targets: &'a Targets,
    pub labels: &'a [u32],
    /// How many classes, labels, tags or targets there are.
    pub names: usize,
    /// Of each row, if groups stay together.
    pub groups: Option<&'a [u32]>,
}

impl Learnt<'_> {
    /// Deals rows by their shares, groups as wholes; with `alike` so that what is learnt is as frequent in every part.
    pub fn deal(&self, order: &[u32], shares: &[f64], alike: bool) -> Vec<Vec<u32>> {
        let labels = if alike { self.strata(order) } else { vec![Vec::new(); order.len()] };
        let labelled = Labelled { order, labels: &labels };
        let Some(groups) = self.groups else { return labelled.deal(shares) };
        let group = |row: &u32| groups.get(*row as usize).copied().unwrap_or(MISSING);
        labelled.deal_groups(&order.iter().map(group).collect::<Vec<_>>(), shares)
    }

    /// What is to be equally frequent in all parts, row by row: classes, labels, the tags of a row, or which tenth of the
    /// rows a number falls into.
    fn strata(&self, order: &[u32]) -> Vec<Vec<u32>> {
        let names = self.names;
        match self.targets {
            Targets::Classes => {
                let class =
                    |row: &u32| self.labels.get(*row as usize).copied().into_iter().collect();
                order.iter().map(class).collect()
            }
            Targets::Sets(_) => {
                let flags = |row: &u32| (0_u32..).zip(self.targets.set(*row, names));
                let own = |row: &u32| {
                    flags(row).filter(|(_, has)| **has).map(|(label, _)| label).collect()
                };
                order.iter().map(own).collect()
            }
            Targets::Tags { .. } => {
                let tags = |row: &u32| {
                    let mut tags = self.targets.tagged(*row).1.to_vec();
                    tags.sort_unstable();
                    tags.dedup();
                    tags
                };
                order.iter().map(tags).collect()
            }
            Targets::Numbers(_) => {
                let mut labels = vec![Vec::new(); order.len()];
                for target in 0..names {
                    let value = |place: &usize| {
                        let row = order.get(*place).copied().unwrap_or_default();
                        self.targets.numbers(row, names).get(target).copied().unwrap_or_default()
                    };
                    let mut places: Vec<usize> = (0..order.len()).collect();
                    places.sort_by(|a, b| value(a).total_cmp(&value(b)));
                    for (rank, place) in places.iter().enumerate() {
                        let range = target * RANGES + rank * RANGES / order.len();
                        if let Some(labels) = labels.get_mut(*place) {
                            labels.push(range as u32);
                        }
                    }
                }
                labels
            }
        }
    }
}

/// The group of each row by number; a row without a value is a group of its own.
pub(super) fn numbered(groups: Words) -> Vec<u32> {
    let mut next = groups.words.len() as u32;
    let own = |id: u32| {
        if id != MISSING {
            return id;
        }
        next += 1;
        next - 1
    };
    groups.ids.into_iter().map(own).collect()
}
