//! Deals rows into parts so that labels, and sets of labels, are as frequent in each as in all.

use std::collections::HashMap;

/// Rows of `order` with the labels of each, any number of them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Labelled<'a> {
    pub order: &'a [u32],
    /// Of each row of `order`.
    pub labels: &'a [Vec<u32>],
}

impl Labelled<'_> {
    /// Places in `order`, label by label.
    fn by_label(&self) -> Vec<Vec<usize>> {
        let most = self.labels.iter().flatten().max().map_or(0, |most| *most as usize + 1);
        let mut places = vec![Vec::new(); most];
        for (place, labels) in self.labels.iter().enumerate() {
            for label in labels {
                if let Some(list) = places.get_mut(*label as usize) {
                    list.push(place);
                }
            }
        }
        places
    }

    /// Divides the rows so that each part has its share of each label: iterative stratification (Sechidis,
    /// Tsoumakas & Vlahavas 2011). The rarest label left is dealt first; each of its rows goes to the part that
    /// lacks most of it, of equal ones to the part that lacks most rows, then to the first. Of rows with one label
    /// each, every part so has the whole number of each label that is next to its share.
    pub fn deal(&self, shares: &[f64]) -> Vec<Vec<u32>> {
        let lists = self.by_label();
        let scaled = |n: usize| shares.iter().map(|share| share * n as f64).collect::<Vec<f64>>();
        let mut wanted: Vec<Vec<f64>> = lists.iter().map(|list| scaled(list.len())).collect();
        let mut room = scaled(self.order.len());
        let mut left: Vec<usize> = lists.iter().map(Vec::len).collect();
        let mut dealt: Vec<Option<usize>> = vec![None; self.order.len()];
        let mut put = |place: usize, by: Option<usize>, left: &mut Vec<usize>| {
            let Some(slot) = dealt.get_mut(place).filter(|slot| slot.is_none()) else { return };
            let lack = by.and_then(|label| wanted.get(label)).unwrap_or(&room);
            let part = most(lack, &room, shares);
            *slot = Some(part);
            take(&mut room, part);
            for label in self.labels.get(place).into_iter().flatten() {
                let label = *label as usize;
                if let (Some(wanted), Some(left)) = (wanted.get_mut(label), left.get_mut(label)) {
                    take(wanted, part);
                    *left -= 1;
                }
            }
        };
        while let Some(rarest) = (0..left.len())
            .filter(|l| left.get(*l) > Some(&0))
            .min_by_key(|l| left.get(*l).copied())
        {
            for place in lists.get(rarest).into_iter().flatten() {
                put(*place, Some(rarest), &mut left);
            }
        }
        (0..self.order.len()).for_each(|place| put(place, None, &mut left));
        self.parts(&dealt, shares.len())
    }

    /// The same with rows of one group, `groups` by row of `order`, in one part. The groups with most rows are dealt
    /// first; each goes where the labels come nearest to their shares, by the sum over labels and parts of
    /// `n^2 / share` (least squares; scikit-learn's `StratifiedGroupKFold` takes the standard deviations). Rows count
    /// as one more label.
    pub fn deal_groups(&self, groups: &[u32], shares: &[f64]) -> Vec<Vec<u32>> {
        let rows = self.by_label().len();
        let mut sizes: Vec<f64> = vec![0.0; rows + 1];
        let mut known: HashMap<u32, usize> = HashMap::new();
        // Of each group its places, and how often each label is in it.
        let mut all: Vec<(Vec<usize>, HashMap<usize, f64>)> = Vec::new();
        for (place, group) in groups.iter().enumerate().take(self.order.len()) {
            let at = *known.entry(*group).or_insert(all.len());
            if at == all.len() {
                all.push(Default::default());
            }
            let Some((places, counts)) = all.get_mut(at) else { continue };
            places.push(place);
            let labels = self.labels.get(place).into_iter().flatten().map(|label| *label as usize);
            for label in labels.chain([rows]) {
                *counts.entry(label).or_default() += 1.0;
                if let Some(size) = sizes.get_mut(label) {
                    *size += 1.0;
                }
            }
        }
        // Stable: of equal ones that of the first row in the shuffled order.
        all.sort_by_key(|(places, _)| std::cmp::Reverse(places.len()));
        let mut parts: Vec<Vec<f64>> = vec![vec![0.0; rows + 1]; shares.len()];
        let mut dealt: Vec<Option<usize>> = vec![None; self.order.len()];
        for (places, counts) in &all {
            let cost = |part: usize| {
                let (Some(has), Some(share)) = (parts.get(part), shares.get(part)) else {
                    return f64::INFINITY;
                };
                let of = |(label, n): (&usize, &f64)| {
                    let (has, all) = (has.get(*label)?, sizes.get(*label)?);
                    Some((2.0 * has * n + n * n) / (all * all * share))
                };
                let mut costs: Vec<f64> = counts.iter().filter_map(of).collect();
                // Sums of floats depend on their order, and that of a hash map on chance.
                costs.sort_by(f64::total_cmp);
                if *share > 0.0 { costs.iter().sum::<f64>() } else { f64::INFINITY }
            };
            let costs: Vec<f64> = (0..shares.len()).map(cost).collect();
            let first = (0..costs.len())
                .fold(0, |best, part| if costs[part] < costs[best] - 1e-12 { part } else { best });
            for place in places {
                if let Some(slot) = dealt.get_mut(*place) {
                    *slot = Some(first);
                }
            }
            for (label, n) in counts {
                if let Some(has) = parts.get_mut(first).and_then(|part| part.get_mut(*label)) {
                    *has += n;
                }
            }
        }
        self.parts(&dealt, shares.len())
    }

    fn parts(&self, dealt: &[Option<usize>], count: usize) -> Vec<Vec<u32>> {
        let mut parts = vec![Vec::new(); count];
        for (row, part) in self.order.iter().zip(dealt) {
            if let Some(part) = part.and_then(|part| parts.get_mut(part)) {
                part.push(*row);
            }
        }
        parts
    }
}

fn take(from: &mut [f64], part: usize) {
    if let Some(left) = from.get_mut(part) {
        *left -= 1.0;
    }
}

/// The part with the highest `lack`, among equal ones that with the most `room`.
fn most(lack: &[f64], room: &[f64], shares: &[f64]) -> usize {
    // Shares are sums of decimals; what differs by less than this is equal.
    let near = |a: f64, b: f64| (a - b).abs() < 1e-9;
    let mut best = 0;
    for part in 1..shares.len() {
        let is_more = if near(lack[part], lack[best]) {
            room[part] > room[best] + 1e-9
        } else {
            lack[part] > lack[best]
        };
        if shares[part] > 0.0 && (is_more || shares[best] == 0.0) {
            best = part;
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 1000 rows: label 0 in half, label 1 in a tenth, label 2 in twenty rows, 3 only with 1.
    fn sets_of() -> Vec<Vec<u32>> {
        let has = |i: usize| [i.is_multiple_of(2), i % 10 == 3, i % 50 == 7, i % 20 == 3];
        let named = |flags: [bool; 4]| (0..4).filter(|l| flags[*l as usize]).collect();
        (0..1000).map(|i| named(has(i))).collect()
    }

    fn shuffled() -> (Vec<u32>, Vec<Vec<u32>>) {
        let (order, sets) = ((0..1000).map(|i| (i * 7) % 1000).collect::<Vec<u32>>(), sets_of());
        let labels = order.iter().map(|row| sets[*row as usize].clone()).collect();
        (order, labels)
    }

    fn count(part: &[u32], label: u32) -> i64 {
        let sets = sets_of();
        part.iter().filter(|row| sets[**row as usize].contains(&label)).count() as i64
    }

    fn all(parts: &[Vec<u32>]) -> Vec<u32> {
        let mut all = parts.concat();
        all.sort_unstable();
        all
    }

    #[test]
    fn every_part_has_its_share_of_every_label() {
        let (order, labels) = shuffled();
        let rows = Labelled { order: &order, labels: &labels };
        let parts = rows.deal(&[0.8, 0.1, 0.1]);
        assert_eq!(all(&parts), (0..1000).collect::<Vec<_>>());
        for (label, [train, val, test]) in
            [[400, 50, 50], [80, 10, 10], [16, 2, 2], [40, 5, 5]].into_iter().enumerate()
        {
            let label = label as u32;
            assert!((count(&parts[0], label) - train).abs() <= 1, "{label}");
            assert_eq!([count(&parts[1], label), count(&parts[2], label)], [val, test], "{label}");
        }
        assert!((parts[1].len() as i64 - 100).abs() <= 1, "{}", parts[1].len());
        let none = rows.deal(&[0.9, 0.1, 0.0]);
        assert!(none[2].is_empty() && (none[1].len() as i64 - 100).abs() <= 1);
    }

    #[test]
    fn folds_of_single_labels_differ_by_one_row_at_most() {
        let order: Vec<u32> = (0..103).collect();
        let labels: Vec<Vec<u32>> = (0..103).map(|i| vec![[0, 0, 1, 0, 2, 0][i % 6]]).collect();
        let parts = Labelled { order: &order, labels: &labels }.deal(&[0.2; 5]);
        assert_eq!(all(&parts), order);
        let spread = |of: &dyn Fn(&[u32]) -> usize| {
            let sizes: Vec<usize> = parts.iter().map(|part| of(part)).collect();
            sizes.iter().max().unwrap() - sizes.iter().min().unwrap()
        };
        assert!(spread(&|part| part.len()) <= 1);
        for label in 0..3 {
            let of =
                |part: &[u32]| part.iter().filter(|r| labels[**r as usize][0] == label).count();
            assert!(spread(&of) <= 1, "{label}");
        }
    }

    #[test]
    fn groups_stay_together_and_labels_near_their_shares() {
        let (order, labels) = shuffled();
        // 117 groups of very different sizes.
        let groups: Vec<u32> =
            order.iter().map(|row| (row % 97).min(row % 20) + row / 200 * 20).collect();
        let rows = Labelled { order: &order, labels: &labels };
        let parts = rows.deal_groups(&groups, &[0.2; 5]);
        assert_eq!(all(&parts), (0..1000).collect::<Vec<_>>());
        let of = |row: u32| groups[order.iter().position(|r| *r == row).unwrap()];
        let mut at: HashMap<u32, usize> = HashMap::new();
        for (part, rows) in parts.iter().enumerate() {
            assert!(rows.iter().all(|row| *at.entry(of(*row)).or_insert(part) == part));
            assert!((rows.len() as i64 - 200).abs() <= 10, "{}", rows.len());
            assert!((count(rows, 0) - 100).abs() <= 15, "{}", count(rows, 0));
        }
        assert_eq!(parts, rows.deal_groups(&groups, &[0.2; 5]));
        let [train, val, test] = &rows.deal_groups(&groups, &[0.8, 0.2, 0.0])[..] else { panic!() };
        assert!(test.is_empty() && (val.len() as i64 - 200).abs() <= 10 && train.len() > 700);
    }
}
