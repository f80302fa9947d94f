//! Data files that cannot be used: each is answered with one sentence, printable and to the point.

use std::fs;

use polars::prelude::{Column, NamedFrom, Series};
use tuneboard::dataset;

use crate::data::{lines, load_one, parquet, plain_csv, spec};

/// Expects one printable sentence with `want` in it.
fn refused(name: &str, bytes: impl AsRef<[u8]>, pairs: &[(&str, &str)], want: &str) {
    let got = load_one(name, bytes.as_ref(), pairs).expect_err(want);
    assert!(got.contains(want), "\n got: {got}\nwant: {want}");
    assert!(!got.contains(char::is_control) && got.ends_with(['.', '?']), "{got:?}");
}

/// A header and twenty equal rows.
fn twenty(header: &str, row: &str) -> String {
    format!("{header}\n{}", format!("{row}\n").repeat(20))
}

#[test]
fn files_that_are_no_data_are_refused() {
    refused("d.csv", "", &[], "d.csv is empty.");
    refused("d.csv", " \n\n", &[], "d.csv is empty.");
    refused("d.csv", "\u{feff}", &[], "d.csv is empty.");
    refused("d.pq", "", &[], "d.pq is empty.");
    refused("d.csv", "text,label\n", &[], "d.csv has columns but no rows.");
    refused("d.csv", b"\x1f\x8b\x08\0", &[], "cannot be unpacked with gzip");
    refused("d.csv", b"PK\x03\x04....", &[], "is a zip archive or an Excel sheet");
    refused("d.csv", "te\0xt,label\na,b\n", &[], "its first line holds a NUL byte.");
    let mixed = [plain_csv().as_bytes(), "für,a\n".as_bytes(), b"caf\xe9,a\n"].concat();
    refused(
        "d.csv",
        mixed.as_slice(),
        &[],
        "is UTF-8 but for 1 place, the first at byte 211 (line 23);",
    );
    refused(
        "d.csv",
        mixed,
        &[("encoding", "utf-8")],
        "is not UTF-8 at byte 211 (line 23); encoding=",
    );
}

#[test]
fn broken_rows_are_named() {
    let with = |more: &str| plain_csv() + more;
    let nine = "x,\n".repeat(9);
    refused("d.csv", with("three,fields,here\n"), &[], "row 21 (line 22) has 3 fields and");
    refused("d.csv", with("one\n"), &[], "row 21 (line 22) has 1 field and the header has 2.");
    refused("d.csv", with("\"a\nb\",a\none\n"), &[], "row 22 (line 24) has 1 field");
    let double = [("quote", "double")];
    refused(
        "d.csv",
        with("\"open,a\nmore,b\n"),
        &double,
        "row 21 opens a quote on line 22 that is",
    );
    refused(
        "d.csv",
        "\"text,label\na,b\n",
        &double,
        "the header opens a quote that is never closed.",
    );
    refused("d.csv", with("foo,\nbar, \n"), &[], "2 rows have no label: rows 21, 22; fill them");
    refused("d.csv", with(",a\n"), &[], "1 row has no text: row 21; write \"\" for an empty text");
    refused("d.csv", with(&nine), &[], "9 rows have no label: rows 21, 22, 23, 24, 25 and 4 more;");
}

#[test]
fn broken_json_lines_are_named() {
    let good = "{\"text\": \"a\", \"label\": 1}\n";
    let with = |more: &str| good.to_owned() + more;
    refused("d.jsonl", with("not json\n"), &[], "d.jsonl: row 2 is not valid JSON at column 2.");
    refused(
        "d.jsonl",
        with("\n{\"text\": \"b"),
        &[],
        "row 2 ends in the middle of its JSON object.",
    );
    refused("d.jsonl", with("[1, 2]\n"), &[], "row 2 is not a JSON object.");
    refused("d.jsonl", with("{\"text\":[],\"label\":1}"), &[], "row 2 holds a list or an object");
    refused("d.jsonl", with("{\"text\":\"\\ud800\"}"), &[], "row 2 is not valid JSON");
    refused("d.jsonl", with("{\"text\":\"a\"}"), &[], "1 row has no label: row 2;");
    refused("d.jsonl", with("{\"text\":null,\"label\":1}"), &[], "1 row has no text: row 2;");
    refused("d.json", format!("[{good}"), &[], "d.json is not valid JSON at byte 27 (line 2).");
}

#[test]
fn broken_parquet_is_named() {
    let of = |text: Column| parquet(vec![text, Column::new("label".into(), ["a", "b"])]);
    let torn = of(Column::new("text".into(), ["x", "y"]));
    let lists = [Series::new("".into(), [1]), Series::new("".into(), [2])];
    let lists = of(Column::new("text".into(), lists));
    refused("d.parquet", "text,label\na,b\n", &[], "d.parquet is not a whole Parquet file");
    refused("d.parquet", &torn[..60], &[], "d.parquet is not a whole Parquet file");
    refused("d.parquet", lists, &[], "has values that are lists under `text`, not texts.");
}

#[test]
fn columns_that_cannot_be_found_are_listed() {
    let one = [("text", "txt")];
    let same = [("label", "text"), ("text", "text")];
    let foo = twenty("foo,bar,baz", "a,b,c");
    let text = twenty("text,bar,baz", "a,b,c");
    refused("d.csv", "text\nfoo\n", &[], "d.csv has only one column, `text`; it needs");
    refused("d.csv", twenty("text,text,label", "a,b,c"), &[], "has two columns named `text`.");
    refused("d.csv", foo, &[], "hold the texts; give text=COLUMN, one of `foo`, `bar`, `baz`.");
    refused("d.csv", text, &[], "hold the labels; give label=COLUMN, one of `text`, `bar`, `baz`.");
    refused("d.csv", plain_csv(), &one, "no column `txt` for text=; did you mean `text`? It has");
    refused("d.csv", plain_csv(), &[("label", "zzz")], "for label=; it has `text`, `label`.");
    refused("d.csv", plain_csv(), &[("split_column", "part")], "`part` for split_column=");
    refused("d.csv", plain_csv(), &same, "the column `text` is given as text and as label.");
}

#[test]
fn labels_that_are_no_classes_are_refused() {
    let numbers = lines(40, |i| format!("{i}.5,text {i}\n"));
    let numbers = format!("score,text\n{numbers}");
    refused("d.csv", twenty("text,label", "a,same"), &[], "every row has the label `same`");
    refused(
        "d.csv",
        numbers,
        &[],
        "`score` has 40 different values from 0.5 to 39.5: say task=regress",
    );
}

#[test]
fn rows_that_cannot_be_split_are_refused() {
    let part = [("split_column", "part")];
    let marked = |mark: &str| format!("text,label,part\na,x,train\nb,y,{mark}\n");
    refused(
        "d.csv",
        "text,label\na,x\nb,y\n",
        &[],
        "There are no validation rows: 2 rows and split=0.8,0.1,0.1 give 1 train, 0 validation, 1 test",
    );
    refused("d.csv", plain_csv(), &[("limit", "2")], "There are no validation rows: 2 rows and");
    refused("d.csv", plain_csv(), &[("split", "0.9,0,0.1")], "give split= a second share above 0");
    refused("d.csv", marked("nowhere"), &part, "row 2 says `nowhere` under `part`; it takes");
    refused(
        "d.csv",
        marked(""),
        &part,
        "row 2 says nothing under `part`; it takes train, val or test.",
    );
    let no_share = [part[0], ("split", "0.9,0.1,0")];
    refused("d.csv", marked("dev"), &no_share, "no test rows: 2 rows and the column `part` give");
}

#[test]
fn escape_sequences_in_a_file_do_not_reach_the_message() {
    let header = twenty("text\u{1b}[2J,label,x", "a,b,c");
    let label = twenty("text,label", "a,\u{1b}]0;x\u{7}");
    refused("d.csv", header, &[("text", "nope")], "it has `text[2J`, `label`, `x`.");
    refused("d.csv", label, &[], "every row has the label `]0;x` in `label`");
    refused("d.csv", "\u{202e},\u{9b}31m\nx,y\n", &[], "one of ``, `31m`.");
}

#[test]
fn a_missing_file_and_a_folder_name_what_is_there() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("data")).unwrap();
    fs::write(folder.path().join("data/spam.csv"), plain_csv()).unwrap();
    for (name, want) in [
        ("data/spm.csv", "There is no file data/spm.csv; did you mean `spam.csv`?"),
        ("data/zzz.csv", "There is no file data/zzz.csv."),
        ("no/where.csv", "There is no file no/where.csv."),
        ("data/spam.csv/x", "data/spam.csv/x: Not a directory (os error 20)."),
        ("data", "data is a folder; name a file in it (`spam.csv`)."),
    ] {
        let got = dataset::load(&spec(name), folder.path()).unwrap_err().to_string();
        assert_eq!(got, want);
    }
}

#[test]
fn damaged_parquet_never_panics() {
    let names = Column::new("label".into(), (0..50).map(|i| i.to_string()).collect::<Vec<_>>());
    let whole = parquet(vec![names.clone().with_name("text".into()), names]);
    for at in (0..whole.len()).step_by(7) {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x55;
        // Whether it is noticed or not, it must end in an answer.
        let _ = load_one("d.parquet", &damaged, &[]);
        let _ = load_one("d.parquet", &whole[..at], &[]);
    }
}
