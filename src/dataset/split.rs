use std::collections::HashSet;
use std::ops::Range;

use super::error::{DataError, counted, first_few, quoted};
use super::folds::Learnt;
use super::part::Part;
use super::rows::Rows;
use super::shuffle::permutation;
use super::targets::Targets;
use crate::spec::{RunSpec, short};

/// Row indices of the three parts, each in the order that the split gives them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Parts {
    pub train: Vec<u32>,
    pub val: Vec<u32>,
    pub test: Vec<u32>,
}

/// Divides the rows.
///
/// The rows of `data` are shuffled with `split_seed`, cut to `limit`, and then cut into train, val and
/// test at `int(0.8 * n)` and `int(0.9 * n)` (for the default shares), as
/// `np.split(df.sample(frac=1, random_state=seed), [int(.8 * n), int(.9 * n)])` does in Python. A part
/// that has its own file takes that file whole and in its order, and its share of `data` goes to train.
/// A split column decides row by row; a part that it never names is drawn from its train rows.
pub(super) fn split(rows: &mut Rows, spec: &RunSpec) -> Result<Parts, DataError> {
    let [train, val, test] = spec.split;
    let mut order = permutation(rows.data.len() as u32, spec.split_seed);
    if spec.limit > 0 {
        order.truncate(spec.limit as usize);
    }
    let mut parts = if let Some(marks) = rows.marks.take() {
        by_mark(&order, &marks, spec, rows)
    } else if spec.folds > 0 {
        hold_out(&order, spec, rows)
    } else {
        let (has_val, has_test) = (!rows.val.is_empty(), !rows.test.is_empty());
        let own = |share: f64, has_file: bool| if has_file { (share, 0.0) } else { (0.0, share) };
        let ((a, val), (b, test)) = (own(val, has_val), own(test, has_test));
        draw(&order, [train + a + b, val, test], spec.stratify, rows)
    };
    take_file(&mut parts.val, &rows.val);
    take_file(&mut parts.test, &rows.test);
    refuse_empty(&parts, spec, order.len())?;
    rows.notes.extend(beyond_limit(spec, rows));
    rows.notes.extend(notes(&parts, rows));
    rows.notes.extend(together(spec, rows));
    Ok(parts)
}

/// Holds fold number `fold` of `folds` out for the test. Of the other rows `val` get their share next to `train` of
/// `split`, unless they have a file.
fn hold_out(order: &[u32], spec: &RunSpec, rows: &mut Rows) -> Parts {
    let folds = spec.folds.max(2) as usize;
    let mut dealt = learnt(rows).deal(order, &vec![1.0 / folds as f64; folds], true);
    let held = (spec.fold.max(1) as usize - 1).min(folds - 1);
    let test = dealt.swap_remove(held);
    let is_held: HashSet<u32> = test.iter().copied().collect();
    let rest: Vec<u32> = order.iter().copied().filter(|row| !is_held.contains(row)).collect();
    let [train, val, _] = spec.split;
    let val = if rows.val.is_empty() { val / (train + val) } else { 0.0 };
    let mut others = learnt(rows).deal(&rest, &[1.0 - val, val], true).into_iter();
    let [train, val] = [others.next(), others.next()].map(Option::unwrap_or_default);
    if !rows.test.is_empty() {
        rows.notes.push(format!(
            "{} that the data set has for the test are left aside: folds= tests rows of data.",
            counted(rows.test.len(), "row")
        ));
        rows.test = 0..0;
    }
    Parts { train, val, test }
}

/// What the rows are dealt by.
fn learnt(rows: &Rows) -> Learnt<'_> {
    Learnt {
        targets: &rows.targets,
        labels: &rows.labels,
        names: rows.label_names.len(),
        groups: rows.groups.as_deref(),
    }
}

/// What `limit` leaves whole, where it cuts the rows of `data`.
fn beyond_limit(spec: &RunSpec, rows: &Rows) -> Option<String> {
    let cuts = spec.limit > 0 && spec.limit < rows.data.len() as u64;
    let files = [("val", &rows.val), ("test", &rows.test)];
    let whole = files.into_iter().filter(|(_, file)| cuts && !file.is_empty());
    let whole: Vec<String> =
        whole.map(|(key, file)| format!("{} of {key}", counted(file.len(), "row"))).collect();
    (!whole.is_empty()).then(|| {
        format!("limit={} cuts data alone; all {} are taken.", spec.limit, whole.join(" and all "))
    })
}

/// How many groups there are that stay together.
fn together(spec: &RunSpec, rows: &Rows) -> Option<String> {
    let (groups, column) = (rows.groups.as_ref()?, spec.group.as_ref()?);
    let different: HashSet<&u32> = groups.iter().collect();
    Some(format!(
        "Rows with the same {} stay together: {} of {}.",
        quoted(column),
        counted(different.len(), "group"),
        counted(groups.len(), "row")
    ))
}

fn take_file(part: &mut Vec<u32>, file: &Range<u32>) {
    if !file.is_empty() {
        *part = file.clone().collect();
    }
}

fn by_mark(order: &[u32], marks: &[Part], spec: &RunSpec, rows: &mut Rows) -> Parts {
    let marked = |part: Part| -> Vec<u32> {
        order.iter().copied().filter(|i| marks.get(*i as usize) == Some(&part)).collect()
    };
    let (train, val, test) = (marked(Part::Train), marked(Part::Val), marked(Part::Test));
    let [share, mut val_share, mut test_share] = spec.split;
    for (part, share, word) in [(&val, &mut val_share, "val"), (&test, &mut test_share, "test")] {
        if !part.is_empty() {
            *share = 0.0;
        } else if *share > 0.0 {
            rows.notes.push(format!(
                "No row is marked {word}; a share of the train rows is used, drawn with split_seed={}.",
                spec.split_seed
            ));
        }
    }
    let whole = share + val_share + test_share;
    let shares = [share / whole, val_share / whole, test_share / whole];
    let mut drawn = draw(&train, shares, spec.stratify, rows);
    if !val.is_empty() {
        drawn.val = val;
    }
    if !test.is_empty() {
        drawn.test = test;
    }
    drawn
}

fn draw(order: &[u32], shares: [f64; 3], stratify: bool, rows: &mut Rows) -> Parts {
    if rows.groups.is_some() || stratify && matches!(rows.targets, Targets::Sets(_)) {
        let mut parts = learnt(rows).deal(order, &shares.map(round), stratify).into_iter();
        let [train, val, test] = [(); 3].map(|()| parts.next().unwrap_or_default());
        return Parts { train, val, test };
    }
    if !stratify {
        return cut(order, shares);
    }
    let (parts, small) = stratified(order, &rows.labels, rows.label_names.len(), shares);
    let names: Vec<&String> =
        small.iter().filter_map(|c| rows.label_names.get(*c as usize)).collect();
    if !names.is_empty() {
        let which = first_few(&names, |n| quoted(n));
        rows.notes.push(format!("All rows of classes with fewer than 3 go to train: {which}."));
    }
    parts
}

/// The first rows to train, the next to val, the last to test.
fn cut(order: &[u32], [train, val, _]: [f64; 3]) -> Parts {
    let at = |share: f64| ((round(share) * order.len() as f64) as usize).min(order.len());
    let (first, second) = (at(train), at(train + val));
    let part = |range: Range<usize>| order.get(range).unwrap_or_default().to_vec();
    Parts {
        train: part(0..first),
        val: part(first..second.max(first)),
        test: part(second.max(first)..order.len()),
    }
}

/// 0.7 + 0.2 is 0.8999999999999999 and would lose a row; what people mean has few digits.
fn round(share: f64) -> f64 {
    (share * 1e9).round() / 1e9
}

/// Cuts each class by itself: val and test get their share, rounded, and at least one row each. Rows of
/// classes with fewer than three all go to train; those classes come back too.
fn stratified(
    order: &[u32],
    labels: &[u32],
    classes: usize,
    shares: [f64; 3],
) -> (Parts, Vec<u32>) {
    let label = |row: u32| labels.get(row as usize).copied().unwrap_or_default();
    let mut sizes = vec![0_usize; classes];
    for row in order {
        if let Some(size) = sizes.get_mut(label(*row) as usize) {
            *size += 1;
        }
    }
    let share = |size: usize, share: f64| match (size, round(share)) {
        (_, 0.0) | (0..3, _) => 0,
        (n, s) => ((s * n as f64).round() as usize).clamp(1, n - 2),
    };
    // The last rows of a class in the shuffled order go to test, those before them to val.
    let mut left = sizes.clone();
    let mut parts = Parts::default();
    for row in order {
        let class = label(*row) as usize;
        let (Some(size), Some(left)) = (sizes.get(class), left.get_mut(class)) else { continue };
        let test = share(*size, shares[2]);
        let val = share(*size, shares[1]).min(size - test - usize::from(*size > test));
        if *left <= test {
            parts.test.push(*row);
        } else if *left <= test + val {
            parts.val.push(*row);
        } else {
            parts.train.push(*row);
        }
        *left -= 1;
    }
    let small =
        (0_u32..).zip(&sizes).filter(|(_, n)| (1..3).contains(*n)).map(|(c, _)| c).collect();
    (parts, small)
}

fn refuse_empty(parts: &Parts, spec: &RunSpec, rows: usize) -> Result<(), DataError> {
    let lengths = [("train", &parts.train), ("validation", &parts.val), ("test", &parts.test)];
    let Some((empty, _)) = lengths.iter().find(|(_, part)| part.is_empty()) else { return Ok(()) };
    let sizes = lengths.map(|(name, part)| format!("{} {name}", part.len())).join(", ");
    let hint = match *empty {
        "validation" if spec.split[1] == 0.0 && spec.split_column.is_none() => {
            "; the best epoch is chosen on them, so give split= a second share above 0 or val=FILE"
        }
        "validation" if spec.split[1] == 0.0 => {
            "; mark some, or give split= a second share above 0"
        }
        "train" if spec.split_column.is_some() => "; mark some in the split column",
        _ => "; give more rows, or other shares",
    };
    let by = match &spec.split_column {
        None if spec.folds > 0 => format!("folds={}", spec.folds),
        Some(column) => format!("the column {}", quoted(column)),
        None => format!("split={}", spec.split.map(short).join(",")),
    };
    let rows = counted(rows, "row");
    Err(DataError::Split(format!("There are no {empty} rows: {rows} and {by} give {sizes}{hint}")))
}

/// Classes that the weights never see, and texts that are both learnt and tested.
fn notes(parts: &Parts, rows: &Rows) -> Vec<String> {
    if matches!(rows.targets, Targets::Numbers(_)) {
        return Vec::new();
    }
    let counts = rows.targets.counts(parts.train.iter().copied(), rows.label_names.len());
    let mut learnt: Vec<bool> = counts.iter().map(|n| *n > 0).collect();
    for row in parts.train.iter().filter(|_| rows.targets.are_classes()) {
        let class = rows.labels.get(*row as usize).and_then(|c| learnt.get_mut(*c as usize));
        if let Some(seen) = class {
            *seen = true;
        }
    }
    let unseen: Vec<&String> =
        rows.label_names.iter().zip(&learnt).filter(|(_, seen)| !**seen).map(|(n, _)| n).collect();
    let what = match rows.targets {
        Targets::Sets(_) => "label",
        Targets::Tags { .. } => "tag",
        _ => "class",
    };
    let classes = counted(unseen.len(), what);
    (!unseen.is_empty())
        .then(|| format!("{classes} without a train row: {}.", first_few(&unseen, |n| quoted(n))))
        .into_iter()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lengths(n: u32, shares: [f64; 3]) -> [usize; 3] {
        let order: Vec<u32> = (0..n).collect();
        let parts = cut(&order, shares);
        assert_eq!([parts.train.clone(), parts.val.clone(), parts.test.clone()].concat(), order);
        [parts.train.len(), parts.val.len(), parts.test.len()]
    }

    #[test]
    fn cut_points_are_those_of_python() {
        for (n, shares, want) in [
            (4862, [0.8, 0.1, 0.1], [3889, 486, 487]),
            (10, [0.7, 0.2, 0.1], [7, 2, 1]),
            (3, [0.8, 0.1, 0.1], [2, 0, 1]),
            (10, [0.9, 0.0, 0.1], [9, 0, 1]),
            (10, [1.0, 0.0, 0.0], [10, 0, 0]),
            (0, [0.8, 0.1, 0.1], [0, 0, 0]),
        ] {
            assert_eq!(lengths(n, shares), want, "{n} rows by {shares:?}");
        }
    }

    #[test]
    fn a_stratified_cut_keeps_every_class_in_every_part() {
        // 100 rows of class 0, 10 of 1, 3 of 2, 2 of 3, 1 of 4.
        let sizes = [100, 10, 3, 2, 1];
        let labels: Vec<u32> =
            (0..5).flat_map(|c| std::iter::repeat_n(c, sizes[c as usize])).collect();
        let order = permutation(labels.len() as u32, 7);
        let (parts, small) = stratified(&order, &labels, 5, [0.8, 0.1, 0.1]);
        let count = |part: &[u32]| {
            (0..5)
                .map(|c| part.iter().filter(|r| labels[**r as usize] == c).count())
                .collect::<Vec<_>>()
        };
        assert_eq!(count(&parts.train), [80, 8, 1, 2, 1]);
        assert_eq!(count(&parts.val), [10, 1, 1, 0, 0]);
        assert_eq!(count(&parts.test), [10, 1, 1, 0, 0]);
        assert_eq!(small, [3, 4]);
    }

    #[test]
    fn no_share_of_a_stratified_cut_loses_a_row() {
        for size in 0..40_usize {
            for shares in [[0.8, 0.1, 0.1], [0.1, 0.45, 0.45], [0.02, 0.0, 0.98], [0.02, 0.98, 0.0]]
            {
                let order: Vec<u32> = (0..size as u32).collect();
                let (parts, _) = stratified(&order, &vec![0; size], 1, shares);
                let lengths = [parts.train.len(), parts.val.len(), parts.test.len()];
                assert_eq!(lengths.iter().sum::<usize>(), size, "{shares:?}");
                assert!(size == 0 || lengths[0] > 0, "{size} {shares:?} {lengths:?}");
            }
        }
    }
}
