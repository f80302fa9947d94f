use std::collections::BTreeSet;

use super::error::{DataError, counted, quoted};

/// More classes than this are not classes; the confusion matrix alone would have a million cells.
pub(super) const MAX_CLASSES: usize = 1000;

/// The names of the classes: the different labels, by number if all are whole numbers, else by code
/// point. So the order does not depend on the order of the rows.
pub(super) fn class_names<'a>(labels: impl Iterator<Item = &'a str>) -> Vec<String> {
    let different: BTreeSet<&str> = labels.collect();
    let mut names: Vec<String> = different.into_iter().map(str::to_owned).collect();
    if names.iter().all(|n| n.parse::<i64>().is_ok()) {
        names.sort_by_key(|n| n.parse::<i64>().unwrap_or_default());
    }
    names
}

/// Refuses what is no set of classes: one class, more than [`MAX_CLASSES`], or nearly as many values as
/// rows, as a column of ids or measurements has.
pub(super) fn check(
    path: &str,
    column: &str,
    names: &[String],
    rows: usize,
) -> Result<(), DataError> {
    let column = quoted(column);
    if let [only] = names {
        let why =
            format!("every row has the label {} in {column}; two classes are needed", quoted(only));
        return Err(DataError::within(path, why));
    }
    let many = names.len() > MAX_CLASSES || (names.len() > 20 && names.len() > rows / 2);
    if many {
        let values = counted(names.len(), "different value");
        return Err(DataError::within(
            path,
            format!(
                "{column} has {values} in {}; is it the label? Give label=COLUMN if not",
                counted(rows, "row")
            ),
        ));
    }
    Ok(())
}

/// Trims labels, and writes them as whole numbers if all of them are (`1.0` -> `1`): that is how pandas
/// and Parquet leave 0/1 labels when the column was once a float.
pub(super) fn tidy(labels: &mut [Option<String>]) {
    for label in labels.iter_mut() {
        let trimmed = label.as_deref().map(str::trim);
        if trimmed.map(str::len) != label.as_deref().map(str::len) {
            *label = trimmed.map(str::to_owned);
        }
        label.take_if(|l| l.is_empty());
    }
    let whole =
        |label: &str| label.strip_suffix(".0").is_some_and(|digits| digits.parse::<i64>().is_ok());
    if labels.iter().flatten().all(|l| whole(l)) {
        for label in labels.iter_mut().flatten() {
            label.truncate(label.len() - ".0".len());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(labels: &[&str]) -> Vec<String> {
        class_names(labels.iter().copied())
    }

    #[test]
    fn classes_are_sorted_by_number_or_by_text() {
        assert_eq!(names(&["10", "9", "-1", "9"]), ["-1", "9", "10"]);
        assert_eq!(names(&["10", "9", "b", "a"]), ["10", "9", "a", "b"]);
        assert_eq!(names(&["true", "false"]), ["false", "true"]);
    }

    #[test]
    fn labels_are_trimmed_and_whole_floats_lose_their_fraction() {
        let tidied = |labels: &[&str]| {
            let mut labels: Vec<_> = labels.iter().map(|l| Some((*l).to_owned())).collect();
            tidy(&mut labels);
            labels.into_iter().map(Option::unwrap_or_default).collect::<Vec<_>>()
        };
        assert_eq!(tidied(&["1.0", " 0.0 "]), ["1", "0"]);
        assert_eq!(tidied(&["1.0", "0.5"]), ["1.0", "0.5"]);
        assert_eq!(tidied(&[" spam", "ham\t", "  "]), ["spam", "ham", ""]);
    }

    #[test]
    fn columns_that_hold_no_classes_are_named() {
        let numbered = |n: usize| (0..n).map(|i| i.to_string()).collect::<Vec<_>>();
        for (classes, rows, want) in [
            (1, 50, "two classes are needed"),
            (1001, 100_000, "1001 different values in 100000 rows; is it the label?"),
            (21, 40, "21 different values in 40 rows"),
        ] {
            let got = check("d.csv", "x", &numbered(classes), rows).unwrap_err().to_string();
            assert!(got.contains(want), "{got}");
        }
        for (classes, rows) in [(2, 3), (20, 20), (150, 300), (1000, 100_000)] {
            assert!(check("d.csv", "x", &numbered(classes), rows).is_ok(), "{classes} in {rows}");
        }
    }
}
