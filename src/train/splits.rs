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

/// The texts of a split, in its order.
pub fn texts(data: &Dataset, split: Split) -> impl Iterator<Item = &str> {
    let text = |row: &u32| data.texts.get(*row as usize).map(String::as_str);
    rows(data, split).iter().filter_map(text)
}

/// The classes of a split's rows, in its order.
pub fn labels(data: &Dataset, split: Split) -> Vec<u32> {
    let label = |row: &u32| data.labels.get(*row as usize).copied();
    rows(data, split).iter().filter_map(label).collect()
}
