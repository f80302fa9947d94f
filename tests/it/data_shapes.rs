//! Files in the shapes that people bring: each is read as its writer meant it, or refused with the words
//! to type. `tests/fixtures/reports/cases.json` says what is right for each input beside it.

mod formats;
mod lists;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tuneboard::dataset::{self, Profile};

use crate::data::spec;

fn fixtures(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(folder)
}

/// `tuneboard data FILE KEY=VALUE...`, the file below `root`.
fn profile(root: &Path, file: &str, pairs: &[&str]) -> Result<Profile, String> {
    let mut spec = spec(file);
    for pair in pairs {
        let (key, value) = pair.split_once('=').unwrap();
        spec.set(key, value).unwrap();
    }
    dataset::profile(&spec, root).map_err(|e| e.to_string())
}

/// Reads a file that is written first.
fn read(name: &str, bytes: impl AsRef<[u8]>, pairs: &[&str]) -> Result<Profile, String> {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(name), bytes).unwrap();
    profile(folder.path(), name, pairs)
}

fn classes(profile: &Profile) -> Vec<&str> {
    profile.classes.iter().map(|c| c.name.as_str()).collect()
}

/// Words that a reading must say: alternatives, perhaps in any case, as in `(?i)case|differ`.
fn says(said: &str, words: &str) -> bool {
    match words.strip_prefix("(?i)") {
        Some(words) => words.split('|').any(|word| said.to_lowercase().contains(word)),
        None => words.split('|').any(|word| said.contains(word)),
    }
}

fn is_right(got: &Result<Profile, String>, want: &Value) -> bool {
    let strings = |key: &str| -> Option<Vec<&str>> {
        want.get(key)?.as_array()?.iter().map(Value::as_str).collect()
    };
    let said = match got {
        Err(why) => why.clone(),
        Ok(p) => format!("{:?} {:?} {:?}", p.notes, p.reading, p.columns),
    };
    let told = strings("says").is_none_or(|words| words.iter().all(|w| says(&said, w)));
    told && match got {
        Err(_) => want["exit"] == 2,
        Ok(p) => {
            want["exit"] == 0
                && want["rows"] == p.rows
                && strings("classes").is_none_or(|names| names == classes(p))
                && want.get("max_chars").is_none_or(|max| *max == p.characters.max)
        }
    }
}

#[test]
fn every_reported_input_is_read_right() {
    let root = fixtures("reports");
    let cases = fs::read_to_string(root.join("cases.json")).unwrap();
    let cases: Vec<Value> = serde_json::from_str(&cases).unwrap();
    let mut wrong = Vec::new();
    for case in &cases {
        let args: Vec<&str> =
            case["args"].as_array().unwrap().iter().map(|a| a.as_str().unwrap()).collect();
        let got = profile(&root, args[0], &args[1..]);
        if !case["one_of"].as_array().unwrap().iter().any(|want| is_right(&got, want)) {
            wrong.push(format!("{}: {got:?}", case["name"]));
        }
    }
    assert!(cases.len() == 44 && wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_task_file_is_read_right_or_refused_by_its_task() {
    let root = fixtures("tasks");
    let expected = fs::read_to_string(root.join("expected.json")).unwrap();
    let expected: Value = serde_json::from_str(&expected).unwrap();
    for (file, pairs) in [
        ("classlabel.parquet", &[][..]),
        ("spam_latin1.csv", &["text=v2", "label=v1"]),
        ("headerless_label_first.csv", &["header=no", "text=2", "label=1"]),
        ("index_column.csv", &[]),
        ("reviews.csv.gz", &[]),
        ("utf16_semicolon.csv", &[]),
        ("array.json", &[]),
        ("pairs_glue.tsv", &["text=sentence1"]),
        ("pairs_glue.tsv", &[]),
        ("headerless_label_first.csv", &["header=no", "text=2,3", "label=1"]),
        ("multilabel_columns.csv", &["task=multilabel"]),
        ("multilabel_columns.csv", &["task=multilabel", "label=billing,bug,praise,urgent"]),
        ("multilabel_columns.csv", &["task=multilabel", "label=b*,praise,urgent"]),
        ("multilabel_comma.csv", &["task=multilabel"]),
        ("multilabel_semicolon.csv", &["task=multilabel"]),
        ("multilabel.jsonl", &["task=multilabel"]),
        ("ner.conll", &["task=tag"]),
        ("ner.jsonl", &["task=tag"]),
        ("ner.parquet", &["task=tag"]),
    ] {
        let want = &expected["files"][file];
        let got = profile(&root, file, pairs).unwrap();
        assert_eq!(want["rows"], got.rows, "{file}");
        for class in &got.classes {
            assert_eq!(want["label_counts"][&class.name], class.rows, "{file} {}", class.name);
        }
        assert_eq!(want["label_names"].as_array().unwrap().len(), got.classes.len(), "{file}");
        if let (Some(texts), false) = (
            want["text_columns"].as_array(),
            pairs.contains(&"text=sentence1") || pairs.contains(&"text=2"),
        ) {
            let found: Vec<&String> =
                [&got.text_column].into_iter().chain(&got.pair_column).collect();
            let is_same = |(t, f): (&Value, &&String)| t.is_u64() || t.as_str() == Some(f.as_str());
            assert!(
                texts.len() == found.len() && texts.iter().zip(&found).all(is_same),
                "{file} {found:?}"
            );
        }
        if let Some(columns) = want["columns"].as_array() {
            let columns: Vec<&str> = columns.iter().map(|c| c.as_str().unwrap()).collect();
            assert_eq!(got.columns, columns, "{file}");
        }
    }
    let got = profile(&root, "regression.csv", &["task=regress"]).unwrap();
    let (want, range) = (&expected["files"]["regression.csv"], &got.numbers[0]);
    for (key, value) in
        [("target_min", range.min), ("target_max", range.max), ("target_mean", range.mean)]
    {
        assert!((want[key].as_f64().unwrap() - value).abs() < 1e-9, "{key}: {value}");
    }
    assert_eq!(
        (want["rows"].as_u64(), want["target_column"].as_str()),
        (Some(got.rows), Some(range.name.as_str()))
    );
    for (file, want) in [
        ("headerless_label_first.csv", "give header=no text=2 label=1 if it is a row"),
        ("multilabel_columns.csv", "say task=multilabel label=billing,bug,praise,urgent"),
        ("multilabel_comma.csv", "say task=multilabel"),
        ("multilabel_semicolon.csv", "say task=multilabel"),
        ("multilabel.jsonl", "say task=multilabel"),
        ("regression.csv", "say task=regress"),
        ("ner.conll", "say task=tag"),
        ("ner.jsonl", "give text=COLUMN"),
        ("ner.parquet", "give text=COLUMN"),
    ] {
        let got = profile(&root, file, &[]).expect_err(file);
        assert!(got.contains(want), "{file}: {got}");
    }
}

/// Sixty rows, `word N` with the labels ham and spam, in other words than the reports.
fn rows(line: impl Fn(usize, &str, &str) -> String) -> String {
    let labels = ["ham", "ham", "spam"];
    (0..60).map(|i| line(i, &format!("the {i}th letter of march"), labels[i % 3])).collect()
}

#[test]
fn quotes_that_are_letters_join_no_rows() {
    for (name, odd) in [
        ("open.tsv", vec!["\"never closed", "plain"]),
        ("pair.tsv", vec!["\"opens here", "and closes\""]),
        ("twice.tsv", vec!["\"one\" and \"two", "\"three\" \"four\""]),
        ("start.tsv", vec!["\"so\" it goes", "he said \"no\""]),
        ("inch.csv", vec!["\"5 inch", "6\" inch"]),
        ("pair.txt", vec!["\"left", "right\""]),
    ] {
        let delimiter = if name.ends_with("csv") { "," } else { "\t" };
        let body = rows(|i, text, label| match odd.get(i.wrapping_sub(20)) {
            Some(odd) => format!("{odd}{delimiter}{label}\n"),
            None => format!("{text}{delimiter}{label}\n"),
        });
        let got = read(name, format!("text{delimiter}label\n{body}"), &[]).unwrap();
        assert_eq!((got.rows, classes(&got)), (60, vec!["ham", "spam"]), "{name}");
        assert_eq!(got.multi_line_texts, 0, "{name}");
        assert_eq!(got.reading.quote.as_deref(), Some("none"), "{name}");
        assert!(got.notes.iter().any(|n| n.contains("quote=none")), "{name}: {:?}", got.notes);
    }
}

#[test]
fn quotes_that_enclose_keep_line_breaks() {
    let body = rows(|i, text, label| match i % 4 {
        0 => format!("\"{text},\nand more\r\n\"\"so\"\" on\",{label}\n"),
        1 => format!("\"{text}\",{label}\n"),
        _ => format!("{text},{label}\n"),
    });
    let got = read("d.csv", format!("text,label\n{body}"), &[]).unwrap();
    assert_eq!((got.rows, got.multi_line_texts), (60, 15));
    assert_eq!(got.reading.quote.as_deref(), Some("double"));
    // Told, the file is not asked.
    assert!(read("d.csv", format!("text,label\n{body}"), &["quote=none"]).is_err());
    // A quote that would swallow rows of a file that does quote is named.
    let torn = body.replacen("\"the 5th letter of march\",", "\"the 5th letter of march,", 1);
    let why = read("d.csv", format!("text,label\n{torn}"), &[]).unwrap_err();
    assert!(why.contains("row 6") && why.contains("quote=none"), "{why}");
}

#[test]
fn backslashes_escape_where_the_file_says_so() {
    for (line, longest) in [
        ("\"a \\\"{}\\\", said he\",", "a \"the 10th letter of march\", said he"),
        ("\"{}: \\\"\\\"\",", "the 10th letter of march: \"\""),
        ("\"\\\"{}\\\"\",", "\"the 10th letter of march\""),
    ] {
        let body = rows(|_, text, label| format!("{}{label}\n", line.replace("{}", text)));
        let got = read("d.csv", format!("text,label\n{body}"), &[]).unwrap();
        assert_eq!((got.rows, got.characters.max), (60, longest.len() as u64), "{line}");
        assert_eq!(got.reading.escape.as_deref(), Some("backslash"), "{line}");
    }
    let path = rows(|_, text, label| format!("\"{text} in C:\\dir\\\",{label}\n"));
    let got = read("d.csv", format!("text,label\n{path}"), &[]).unwrap();
    assert_eq!((got.rows, got.reading.escape.as_deref()), (60, Some("none")));
}

#[test]
fn a_first_row_that_is_data_is_not_lost() {
    let tabs = rows(|_, text, label| format!("{label}\t{text}\n"));
    let commas = rows(|i, text, label| format!("\"{text}\",{},{label}\n", i % 5));
    let four = rows(|i, text, _| format!("\"{}\",\"Title {i}\",\"{text}\"\n", i % 4 + 1));
    for (name, body, words) in [
        ("d.tsv", &tabs, "header=no text=2 label=1"),
        ("d.txt", &tabs, "header=no text=2 label=1"),
        ("d.csv", &commas, "header=no text=1 label=3"),
        ("e.csv", &four, "header=no text=3 label=1"),
    ] {
        let why = read(name, body, &[]).unwrap_err();
        assert!(why.contains(words) && why.contains("header=yes"), "{name}: {why}");
        let pairs: Vec<&str> = words.split(' ').collect();
        assert_eq!(read(name, body, &pairs).unwrap().rows, 60, "{name}");
        let names = read(name, body, &["header=yes", pairs[1], pairs[2]]);
        assert_eq!(names.unwrap().rows, 59, "{name}");
    }
    // With two columns, of which one has few values, there is nothing to ask.
    let got = read("d.tsv", &tabs, &["header=no"]).unwrap();
    assert_eq!((got.text_column.as_str(), got.label_column.as_deref()), ("2", Some("1")));
    // Headers that are none the less headers.
    let plain = rows(|_, text, label| format!("{text},{label}\n"));
    for header in
        ["text,spam", "Message,Category", "What did they write to us,Is it spam or not?", "a,b"]
    {
        let pairs = ["text=1", "label=2"];
        let got = read("d.csv", format!("{header}\n{plain}"), &pairs);
        assert_eq!(got.map(|p| p.rows), Ok(60), "{header}");
    }
}

#[test]
fn what_is_no_data_is_named() {
    for (name, bytes, want) in [
        ("d.pkl", &b"\x80\x04\x95\x10"[..], "is a pickle, which runs code"),
        ("d.feather", b"ARROW1\0\0", "to_parquet"),
        ("d.csv", b"ARROW1\0\0", "to_parquet"),
        ("d.csv", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"),
        ("d.csv", b"<!DOCTYPE html>\n<html>", "is a web page"),
        ("d.h5", b"\x89HDF\r\n\x1a\n", "HDF5"),
        ("d.xlsx", b"PK\x03\x04....", "is a spreadsheet"),
        ("d.db", b"SQLite format 3\0", "SQLite"),
        ("d.csv.gz", b"\x1f\x8b\x08\0torn", "cannot be unpacked with gzip"),
        ("d.csv.xz", b"\xfd7zXZ\0\0", "cannot be unpacked with xz"),
    ] {
        let why = read(name, bytes, &[]).expect_err(name);
        assert!(why.contains(want), "{name}: {why}");
    }
    // A small file that unpacks to more than texts ever do.
    let zeros = std::io::Read::take(std::io::repeat(b'a'), 300 << 20);
    let bomb = zstd::encode_all(zeros, 1).unwrap();
    assert!(bomb.len() < 1 << 20);
    let why = read("d.csv.zst", bomb, &[]).unwrap_err();
    assert!(why.contains("unpacks to more than 256 MB"), "{why}");
}

#[test]
fn pipes_and_devices_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let fifo = folder.path().join("p.csv");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    for (name, want) in [("p.csv", "p.csv is a pipe, not a file"), ("/dev/zero", "is a device")] {
        let why = profile(folder.path(), name, &[]).unwrap_err();
        assert!(why.contains(want), "{why}");
    }
}

#[test]
fn keys_for_delimited_files_are_refused_elsewhere() {
    let line = |_: usize, text: &str, label: &str| {
        format!("{{\"text\":\"{text}\",\"label\":\"{label}\"}}\n")
    };
    let why = read("d.jsonl", rows(line), &["quote=none"]).unwrap_err();
    assert_eq!(why, "d.jsonl is JSON Lines, and quote= is for CSV and TSV; leave it out.");
    let mut spec = spec("d.csv");
    for (key, value, want) in [
        ("quote", "single", "it takes auto, none, double"),
        ("delimiter", "tabs", "did you mean `tab`?"),
        ("encoding", "utf8-ish", "it takes auto, utf-8, windows-1252"),
        ("header", "maybe", "it takes auto, yes, no"),
    ] {
        let why = spec.set(key, value).unwrap_err().to_string();
        assert!(why.contains(want), "{why}");
    }
    let before = spec.hash();
    spec.set("delimiter", ";").unwrap();
    assert_eq!(spec.get("delimiter").as_deref(), Some("semicolon"));
    assert_ne!(spec.hash(), before);
}

#[test]
fn other_texts_and_odd_labels_are_told() {
    let body = rows(|i, text, label| format!("{i},\"Title of {i} letters\",\"{text}\",{label}\n"));
    let got = read("d.csv", format!("id,title,text,label\n{body}"), &[]).unwrap();
    assert_eq!(got.reading.left_aside, ["title"]);
    assert!(got.notes[0].contains("other texts are left aside: `title`"), "{:?}", got.notes);
    let pairs = rows(|i, text, label| format!("{text},and {i} more words,{label}\n"));
    for header in [
        "sentence1,sentence2,label",
        "question,sentence,label",
        "text_a,text_b,gold",
        "Premise,Hypothesis,y",
        "title,body,label",
    ] {
        let got = read("d.csv", format!("{header}\n{pairs}"), &[]).unwrap();
        let columns: Vec<&str> = header.split(',').collect();
        assert_eq!(
            (got.text_column.as_str(), got.pair_column.as_deref()),
            (columns[0], Some(columns[1]))
        );
        assert!(
            got.notes.iter().all(|note| !note.contains("left aside")),
            "{header}: {:?}",
            got.notes
        );
    }
    let scores = rows(|i, text, _| format!("{text},{}.{}\n", i % 5, i % 7));
    let why = read("d.csv", format!("text,label\n{scores}"), &[]).unwrap_err();
    assert!(why.contains("say task=regress"), "{why}");
    let grades = rows(|i, text, _| format!("{text},{}.5\n", i % 4));
    let got = read("d.csv", format!("text,label\n{grades}"), &[]).unwrap();
    assert!(got.notes.iter().any(|n| n.contains("task=regress")), "{:?}", got.notes);
    let lists = rows(|i, text, _| format!("{text},{}\n", ["a|b", "b|c", "c", "a", "b"][i % 5]));
    let got = read("d.csv", format!("text,label\n{lists}"), &[]).unwrap();
    assert!(got.notes.iter().any(|n| n.contains("task=multilabel")), "{:?}", got.notes);
}
