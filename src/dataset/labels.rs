use std::collections::{BTreeSet, HashMap};

use super::error::{DataError, counted, first_few, quoted};
use super::sink::Words;
use crate::spec::nearest;

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

/// Refuses what is no set of classes: one class, more than [`MAX_CLASSES`], scores, or nearly as many
/// values as rows, as a column of ids or measurements has.
pub(super) fn check(
    path: &str,
    column: &str,
    names: &[String],
    rows: usize,
) -> Result<(), DataError> {
    let column = quoted(column);
    if let [only] = names {
        let hidden = if only == "-1" { ", which stands for hidden labels" } else { "" };
        let why = format!(
            "every row has the label {} in {column}{hidden}; two classes are needed",
            quoted(only)
        );
        return Err(DataError::within(path, why));
    }
    let many = names.len() > MAX_CLASSES || (names.len() > 20 && names.len() > rows / 2);
    if let Some((low, high)) = scores(names)
        && (many || names.len() > MAX_SCORES)
    {
        return Err(DataError::within(
            path,
            format!(
                "{column} has {} from {low} to {high}: say task=regress to learn numbers; task=classify learns \
                 classes; give label=COLUMN for another column, or cut the scores into classes",
                counted(names.len(), "different value")
            ),
        ));
    }
    if many {
        let values = counted(names.len(), "different value");
        let figures = names.iter().all(|name| name.parse::<f64>().is_ok());
        let regression = if figures { " (task=regress learns numbers)" } else { "" };
        return Err(DataError::within(
            path,
            format!(
                "{column} has {values} in {}; is it the label? Give label=COLUMN if not{regression}",
                counted(rows, "row")
            ),
        ));
    }
    Ok(())
}

/// Grades such as 1.5 may be classes; more of them are not.
const MAX_SCORES: usize = 10;

/// The lowest and the highest label, if all are numbers and not all whole.
fn scores(names: &[String]) -> Option<(&str, &str)> {
    let mut figures: Vec<(f64, &str)> =
        names.iter().map(|n| Some((n.parse::<f64>().ok()?, n.as_str()))).collect::<Option<_>>()?;
    if figures.iter().all(|(x, _)| x.fract() == 0.0) {
        return None;
    }
    figures.sort_by(|a, b| a.0.total_cmp(&b.0));
    Some((figures.first()?.1, figures.last()?.1))
}

/// Sentences about classes that look like slips, scores or lists; `rows` are those of each class, and
/// `first` the number of its first one.
pub(super) fn notes(column: &str, names: &[String], rows: &[u64], first: &[u64]) -> Vec<String> {
    let mut notes = Vec::new();
    let column = quoted(column);
    let all: u64 = rows.iter().sum();
    if let Some((low, high)) = scores(names) {
        notes.push(format!(
            "{column} holds numbers from {low} to {high}; if they are scores, say task=regress."
        ));
    } else if names.len() > 20 && names.iter().all(|n| n.parse::<f64>().is_ok()) {
        notes.push(format!(
            "{column} holds {} different numbers; if they are scores, say task=regress.",
            names.len()
        ));
    }
    if let Some(separator) = list_separator(names.iter().map(String::as_str)) {
        notes.push(format!(
            "{column} holds lists of labels divided by {}; each list is one class here, where task=multilabel \
             would learn each label.",
            quoted(&separator.to_string())
        ));
    }
    let plain = |name: &str| {
        let words: Vec<&str> = name.split(|c: char| c.is_whitespace() || c == '_').collect();
        words.concat().to_lowercase()
    };
    let mut alike: HashMap<String, Vec<&String>> = HashMap::new();
    for name in names {
        alike.entry(plain(name)).or_default().push(name);
    }
    let mut alike: Vec<Vec<&String>> =
        alike.into_values().filter(|group| group.len() > 1).collect();
    alike.sort();
    for group in alike.iter().take(5) {
        let listed = first_few(group, |n| quoted(n));
        notes.push(format!(
            "The classes {listed} differ only in case or spaces; are they the same?"
        ));
    }
    let single: Vec<usize> = (0..names.len()).filter(|i| rows.get(*i) == Some(&1)).collect();
    for class in single.iter().filter(|_| all >= 20 && single.len() <= 5) {
        let (Some(name), Some(row)) = (names.get(*class), first.get(*class)) else { continue };
        let others = names.iter().filter(|n| *n != name).map(String::as_str);
        let near = nearest(name, others).filter(|near| near.chars().count() > 2);
        let meant = near.map(|near| format!("; is {} meant?", quoted(&near)));
        let meant = meant.unwrap_or_else(|| ".".to_owned());
        notes.push(format!("The class {} has one row only, row {row}{meant}", quoted(name)));
    }
    if all >= 20 && single.len() > 5 {
        let which: Vec<&String> = single.iter().filter_map(|i| names.get(*i)).collect();
        notes.push(format!(
            "{} have one row only: {}.",
            counted(single.len(), "class"),
            first_few(&which, |n| quoted(n))
        ));
    }
    notes
}

/// What divides labels that are lists, as `toxic,insult`: their parts come again in other labels, and
/// there are not more of them than of the lists.
pub(super) fn list_separator<'a>(labels: impl Iterator<Item = &'a str> + Clone) -> Option<char> {
    [',', ';', '|'].into_iter().find(|separator| {
        let mut parts: HashMap<&str, u32> = HashMap::new();
        let (mut lists, mut different) = (0, 0);
        for label in labels.clone() {
            different += 1;
            lists += u32::from(label.contains(*separator));
            for part in label.trim_matches(['[', ']']).split(*separator) {
                *parts.entry(part.trim().trim_matches(['\'', '"'])).or_default() += 1;
            }
        }
        lists > 0
            && parts.len() <= different
            && parts.values().any(|n| *n > 1)
            && !parts.contains_key("")
    })
}

/// The sentence about labels of which some are lists and some are empty.
pub(super) fn refuse_lists(path: &str, column: &str, labels: &Words) -> Result<(), DataError> {
    let words = labels.words.iter().map(|w| w.trim()).filter(|w| !w.is_empty());
    let is_json = |w: &str| w.starts_with('[') && w.ends_with(']');
    let json = words.clone().next().is_some() && words.clone().all(is_json);
    let has_empty = labels.iter().any(|w| w.is_none_or(|w| w.trim().is_empty()));
    if json || (has_empty && list_separator(words).is_some()) {
        return Err(are_lists(path, column, false));
    }
    Ok(())
}

/// Lists of labels are what another task learns: those of words, `are_words`, or of a text.
pub(super) fn are_lists(path: &str, column: &str, are_words: bool) -> DataError {
    let column = quoted(column);
    let why = if are_words {
        format!(
            "has lists of words and of tags ({column}); say task=tag to learn a tag for each word: \
             task=classify gives each text one class"
        )
    } else {
        format!(
            "has lists of labels in {column}; say task=multilabel to learn each label: task=classify gives \
             each text one class"
        )
    };
    DataError::file(path, why)
}

/// Words that stand for a missing value wherever they stand, as pandas, R, SQL and Excel write them.
const MISSING: [&str; 8] = ["nan", "<na>", "null", "#n/a", "#na", "nat", "\\n", "-nan"];
/// Words that may be a class, but are missing values among numbers.
const MAYBE_MISSING: [&str; 7] = ["na", "n/a", "none", "nil", "-", "?", "."];

/// Trims labels, finds those that are missing, and makes one class of numbers that are equal (`1` and
/// `1.0`): whole ones lose their fraction, which is how pandas and Parquet leave 0/1 labels when the
/// column was once a float. Returns whether different ways to write a number met.
pub(super) fn tidy(labels: &mut Words) -> bool {
    let is = |list: &[&str], word: &str| list.contains(&word.to_ascii_lowercase().as_str());
    labels.rewrite(|word| {
        let word = word.trim();
        (!word.is_empty() && !is(&MISSING, word)).then(|| word.to_owned())
    });
    let used: Vec<&str> = labels.words.iter().map(String::as_str).collect();
    let maybe = |word: &str| is(&MAYBE_MISSING, word);
    let mut figures = used.iter().filter(|w| !maybe(w)).peekable();
    let has_figures = figures.peek().is_some();
    if used.iter().any(|w| maybe(w)) && has_figures && figures.all(|w| w.parse::<f64>().is_ok()) {
        labels.rewrite(|word| (!maybe(word)).then(|| word.to_owned()));
    }
    let figures: Vec<(String, f64)> =
        labels.words.iter().filter_map(|w| Some((w.clone(), figure(w)?))).collect();
    let all_whole = figures.iter().all(|(_, x)| x.fract() == 0.0);
    let equal = |word: &str| {
        let x = figure(word)?;
        // The shortest way to write the number that occurs.
        let same = figures.iter().filter(|(_, y)| *y == x).map(|(w, _)| w.as_str());
        let shortest = same.min_by_key(|w| w.len())?;
        Some(if all_whole { whole(shortest) } else { shortest }.to_owned())
    };
    let before = labels.words.len();
    labels.rewrite(|word| Some(equal(word).unwrap_or_else(|| word.to_owned())));
    labels.words.len() < before
}

/// The value of a label written in digits: `1`, `-1.0`, `0.5`. Codes such as `007` are words.
fn figure(word: &str) -> Option<f64> {
    let digits = word.strip_prefix('-').unwrap_or(word);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let is_code = whole.len() > 1 && whole.starts_with('0');
    // Beyond 15 digits two different ids may be one float.
    let fits = !whole.is_empty() && whole.len() <= 15 && all(whole) && all(fraction) && !is_code;
    fits.then(|| word.parse().ok()).flatten()
}

/// Without a fraction of zeros.
fn whole(word: &str) -> &str {
    match word.split_once('.') {
        Some((whole, fraction)) if fraction.bytes().all(|b| b == b'0') => whole,
        _ => word,
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
    fn labels_are_trimmed_and_equal_numbers_are_one() {
        let tidied = |labels: &[&str]| {
            let mut words = Words::of(labels.iter().map(|l| Some(*l)));
            tidy(&mut words);
            words.iter().map(|l| l.unwrap_or("(missing)").to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(tidied(&["1.0", " 0.0 "]), ["1", "0"]);
        assert_eq!(tidied(&["1.0", "0", "1", "0.00"]), ["1", "0", "1", "0"]);
        assert_eq!(tidied(&["1.0", "0.5"]), ["1.0", "0.5"]);
        assert_eq!(tidied(&["1.0", "0.5", "1"]), ["1", "0.5", "1"]);
        assert_eq!(tidied(&["007", "7", "7.0"]), ["007", "7", "7"]);
        assert_eq!(tidied(&[" spam", "ham\t", "  "]), ["spam", "ham", "(missing)"]);
        assert_eq!(
            tidied(&["NaN", "null", "<NA>", "1"]),
            ["(missing)", "(missing)", "(missing)", "1"]
        );
        assert_eq!(tidied(&["none", "NA", "1", "0.0"]), ["(missing)", "(missing)", "1", "0"]);
        assert_eq!(tidied(&["none", "racism", "NA"]), ["none", "racism", "NA"]);
    }

    #[test]
    fn columns_that_hold_no_classes_are_named() {
        let numbered = |n: usize| (0..n).map(|i| format!("x{i}")).collect::<Vec<_>>();
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
        let scores: Vec<String> = (0..40).map(|i| format!("{}.5", i % 12)).collect();
        let scores = class_names(scores.iter().map(String::as_str));
        let got = check("d.csv", "x", &scores, 400).unwrap_err().to_string();
        assert!(got.contains("from 0.5 to 11.5") && got.contains("task=regress"), "{got}");
    }

    #[test]
    fn lists_are_told_from_names_with_commas() {
        let of = |labels: &[&str]| list_separator(labels.iter().copied());
        assert_eq!(of(&["toxic", "insult,threat", "threat, toxic", "insult"]), Some(','));
        assert_eq!(of(&["a;b", "b;c", "a", "c"]), Some(';'));
        assert_eq!(of(&["Arts, Crafts", "Kids, Baby", "Toys"]), None);
        assert_eq!(of(&["News, World", "News, Local", "News, Sports"]), None);
        assert_eq!(of(&["spam", "ham"]), None);
    }

    #[test]
    fn slips_are_told() {
        let names: Vec<String> = ["Spam", "ham", "spam", "spma"].map(String::from).to_vec();
        let notes = notes("label", &names, &[9, 20, 11, 1], &[1, 2, 3, 17]);
        assert_eq!(
            notes,
            [
                "The classes `Spam`, `spam` differ only in case or spaces; are they the same?",
                "The class `spma` has one row only, row 17; is `spam` meant?",
            ]
        );
    }
}
