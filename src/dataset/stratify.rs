//! Splits that keep how often labels and sets of labels occur.

/// Divides rows that have any number of labels into train, val and test so that each part has its share of each label:
/// iterative stratification (Sechidis, Tsoumakas & Vlahavas 2011). The rarest label left is dealt first;
/// each of its rows goes to the part that lacks most of it, of equal ones to the part that lacks most rows, then
/// to train before val before test. `set` gives the labels of a row, `labels` how many there are.
pub(super) fn sets<'a>(
    order: &[u32],
    set: impl Fn(u32) -> &'a [bool],
    labels: usize,
    shares: [f64; 3],
) -> [Vec<u32>; 3] {
    let count =
        |label: usize| order.iter().filter(|row| set(**row).get(label) == Some(&true)).count();
    let counts: Vec<usize> = (0..labels).map(count).collect();
    let mut wanted: Vec<[f64; 3]> =
        counts.iter().map(|n| shares.map(|share| share * *n as f64)).collect();
    let mut room = shares.map(|share| share * order.len() as f64);
    let mut left = counts;
    let mut dealt: Vec<Option<usize>> = vec![None; order.len()];
    loop {
        let rarest = (0..labels).filter(|l| left.get(*l).is_some_and(|n| *n > 0));
        let rarest = rarest.min_by_key(|l| left.get(*l).copied());
        for (row, place) in order.iter().zip(&mut dealt) {
            let own = set(*row);
            let is_next = rarest.is_none_or(|label| own.get(label) == Some(&true));
            if place.is_some() || !is_next {
                continue;
            }
            let lack = rarest.and_then(|label| wanted.get(label)).copied().unwrap_or(room);
            let part = most(lack, room, shares);
            *place = Some(part);
            room[part] -= 1.0;
            for ((has, wanted), left) in own.iter().zip(&mut wanted).zip(&mut left) {
                if *has {
                    wanted[part] -= 1.0;
                    *left -= 1;
                }
            }
        }
        if rarest.is_none() {
            break;
        }
    }
    let of = |part: usize| {
        let rows = order.iter().zip(&dealt).filter(|(_, place)| **place == Some(part));
        rows.map(|(row, _)| *row).collect()
    };
    [of(0), of(1), of(2)]
}

/// The part with the highest `lack`, among equal ones that with the most `room`.
fn most(lack: [f64; 3], room: [f64; 3], shares: [f64; 3]) -> usize {
    // Shares are sums of decimals; what differs by less than this is equal.
    let near = |a: f64, b: f64| (a - b).abs() < 1e-9;
    let mut best = 0;
    for part in 1..3 {
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

    #[test]
    fn every_part_has_its_share_of_every_label() {
        // 1000 rows: label 0 in half, label 1 in a tenth, label 2 in twenty rows, 3 only with 1.
        let sets_of: Vec<[bool; 4]> =
            (0..1000_usize).map(|i| [i % 2 == 0, i % 10 == 3, i % 50 == 7, i % 20 == 3]).collect();
        let order: Vec<u32> = (0..1000).map(|i| (i * 7) % 1000).collect();
        let parts = sets(&order, |row| &sets_of[row as usize][..], 4, [0.8, 0.1, 0.1]);
        let count = |part: &[u32], label: usize| {
            part.iter().filter(|row| sets_of[**row as usize][label]).count() as i64
        };
        let mut all = [parts[0].clone(), parts[1].clone(), parts[2].clone()].concat();
        all.sort_unstable();
        assert_eq!(all, (0..1000).collect::<Vec<_>>());
        for (label, [train, val, test]) in
            [[400, 50, 50], [80, 10, 10], [16, 2, 2], [40, 5, 5]].into_iter().enumerate()
        {
            assert!((count(&parts[0], label) - train).abs() <= 1, "{label}");
            assert_eq!([count(&parts[1], label), count(&parts[2], label)], [val, test], "{label}");
        }
        assert!((parts[1].len() as i64 - 100).abs() <= 1, "{}", parts[1].len());
        let none = sets(&order, |row| &sets_of[row as usize][..], 4, [0.9, 0.1, 0.0]);
        assert!(none[2].is_empty() && (none[1].len() as i64 - 100).abs() <= 1);
    }
}
