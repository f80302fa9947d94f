//! The rows and texts of train, validation and test.

use tuneboard::dataset::Dataset;
use tuneboard::events::Split;

/// The rows of a split, as indices into the data set.
pub fn rows(data: &Dataset, split: Split) -> &[u32] {
    match split {
        Split::Train => &data.train,
        Split::Val => &data.val,
        Split::Test => &data.test,
    }
}

/// The one of train, val and test that a split means.
pub fn part(parts: &[Vec<u32>; 3], split: Split) -> &[u32] {
    let [train, val, test] = parts;
    match split {
        Split::Train => train,
        Split::Val => val,
        Split::Test => test,
    }
}

/// At most `most` of some rows, evenly spread and always the same ones; `None` = all.
pub fn sample(rows: &[u32], most: Option<u64>) -> Vec<u32> {
    let count = most.map_or(rows.len(), |most| rows.len().min(most as usize));
    (0..count).filter_map(|at| rows.get(at * rows.len() / count)).copied().collect()
}

/// The texts of a split, in its order.
pub fn texts(data: &Dataset, split: Split) -> impl Iterator<Item = &str> {
    let text = |row: &u32| data.texts.get(*row as usize).map(String::as_str);
    rows(data, split).iter().filter_map(text)
}

/// The second texts of a split's pairs, in its order; none where rows are single texts.
pub fn pairs(data: &Dataset, split: Split) -> impl Iterator<Item = &str> {
    let pair = |row: &u32| data.pairs.get(*row as usize).map(String::as_str);
    rows(data, split).iter().filter_map(pair)
}

/// The classes of a split's rows, in its order.
pub fn labels(data: &Dataset, split: Split) -> Vec<u32> {
    let label = |row: &u32| data.labels.get(*row as usize).copied();
    rows(data, split).iter().filter_map(label).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_spread_over_all_rows() {
        let rows: Vec<u32> = (10..20).collect();
        assert_eq!(sample(&rows, Some(4)), [10, 12, 15, 17]);
        assert_eq!(sample(&rows, Some(99)), rows);
        assert_eq!(sample(&rows, None), rows);
        assert_eq!(sample(&[], Some(3)), [0_u32; 0]);
    }
}
