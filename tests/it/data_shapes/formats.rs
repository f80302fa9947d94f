//! Packed files, shards, JSON and Parquet.

use std::fs;

use super::*;

#[test]
fn packed_files_and_shards_read_as_one() {
    let folder = tempfile::tempdir().unwrap();
    let body = rows(|_, text, label| format!("{text},{label}\n"));
    let lines: Vec<&str> = body.lines().collect();
    let header = "text,label\n";
    let plain = format!("{header}{body}");
    fs::write(folder.path().join("plain.csv"), &plain).unwrap();
    let want = profile(folder.path(), "plain.csv", &[]).unwrap();
    fs::write(folder.path().join("d.csv.zst"), zstd::encode_all(plain.as_bytes(), 3).unwrap())
        .unwrap();
    let got = profile(folder.path(), "d.csv.zst", &[]).unwrap();
    assert_eq!((&got.hash, got.reading.packed.as_deref()), (&want.hash, Some("zstd")));

    fs::create_dir(folder.path().join("shards")).unwrap();
    for (i, part) in lines.chunks(25).enumerate() {
        let shard = format!("{header}{}\n", part.join("\n"));
        fs::write(folder.path().join(format!("shards/part-{i}.csv")), shard).unwrap();
    }
    for name in ["shards", "shards/", "shards/part-*.csv", "sh*/part-?.csv"] {
        let got = profile(folder.path(), name, &[]).unwrap();
        assert_eq!((&got.hash, got.reading.shards), (&want.hash, 3), "{name}");
    }
    fs::write(folder.path().join("shards/part-2.csv"), "text,other\na,b\n").unwrap();
    let why = profile(folder.path(), "shards", &[]).unwrap_err();
    assert_eq!(why, "shards/part-2.csv has no column `label`, which the first file of shards has.");

    fs::create_dir(folder.path().join("hub")).unwrap();
    for (split, part) in [("train", 0..40), ("validation", 40..50), ("test", 50..60)] {
        let rows = format!("{header}{}\n", lines[part].join("\n"));
        fs::write(folder.path().join(format!("hub/{split}-00000-of-00001.csv")), rows).unwrap();
    }
    let got = profile(folder.path(), "hub", &[]).unwrap();
    let splits = got.splits.unwrap();
    assert_eq!((splits.train, splits.val, splits.test), (40, 10, 10));
    // Test rows as competitions publish them.
    let hidden = format!("text\n{}\n", "hidden\n".repeat(9));
    fs::write(folder.path().join("hub/test-00000-of-00001.csv"), hidden).unwrap();
    let got = profile(folder.path(), "hub", &[]).unwrap();
    assert_eq!(got.rows, 50);
    assert!(got.notes.iter().any(|n| n.contains("left aside")), "{:?}", got.notes);
}

#[test]
fn json_documents_read_as_their_lines() {
    let line = |_: usize, text: &str, label: &str| {
        format!("{{\"text\":\"{text}\",\"label\":\"{label}\"}}\n")
    };
    let lines = rows(line);
    let want = read("d.jsonl", &lines, &[]).unwrap();
    let array = format!("[{}]", lines.trim().replace('\n', ","));
    let objects: Value = serde_json::from_str(&array).unwrap();
    let pretty = serde_json::to_string_pretty(&objects).unwrap();
    let column = |key: &str| -> Vec<Value> {
        objects.as_array().unwrap().iter().map(|o| o[key].clone()).collect()
    };
    // In the order of the rows, which a map of this library does not keep.
    let by_index = |key: &str| -> String {
        let values = column(key).into_iter().enumerate();
        let pairs: Vec<String> = values.map(|(i, v)| format!("\"{i}\": {v}")).collect();
        format!("\"{key}\": {{{}}}", pairs.join(", "))
    };
    let cells: Vec<Value> = column("text")
        .into_iter()
        .zip(column("label"))
        .map(|(t, l)| serde_json::json!([t, l]))
        .collect();
    let one_by_one: Vec<String> = objects
        .as_array()
        .unwrap()
        .iter()
        .map(|o| serde_json::to_string_pretty(o).unwrap())
        .collect();
    for (name, text) in [
        ("array", array.clone()),
        ("pretty", pretty.clone()),
        ("one by one", one_by_one.join("\n")),
        ("data", format!("{{\"version\": 1, \"data\": {pretty}}}")),
        ("rows", format!("{{\"rows\": {array}, \"info\": {{\"a\": [1]}}}}")),
        (
            "columns",
            serde_json::json!({"text": column("text"), "label": column("label")}).to_string(),
        ),
        ("by index", format!("{{{}, {}}}", by_index("text"), by_index("label"))),
        ("split", serde_json::json!({"columns": ["text", "label"], "data": cells}).to_string()),
        ("nan", lines.replace("\"}", "\",\"score\":NaN,\"z\":[-Infinity]}")),
    ] {
        let got = read("d.json", &text, &[]).unwrap_or_else(|why| panic!("{name}: {why}"));
        assert_eq!((got.rows, &got.hash), (60, &want.hash), "{name}");
    }
    // Rows by an index come in the order of the file; labels that are NaN are missing.
    let by_row =
        serde_json::json!({"a": {"text": "x", "label": "p"}, "b": {"text": "y", "label": "q"}});
    assert_eq!(read("d.json", by_row.to_string(), &[]).unwrap().rows, 2);
    let nan = lines.replacen("\"ham\"", "NaN", 2);
    let why = read("d.jsonl", nan, &[]).unwrap_err();
    assert!(why.contains("2 rows have no label: rows 1, 2;"), "{why}");
    for (text, want) in [
        (
            "{\"train\": [{\"text\": \"a\"}], \"test\": [{\"text\": \"b\"}]}",
            "holds the lists `train`, `test`",
        ),
        ("{\"a\": {\"b\": 1}, \"c\": 2}", "is a JSON document without a list of rows"),
        ("{\"text\": [\"a\", \"b\"], \"label\": [1]}", "has columns of different lengths"),
        ("[]", "holds an empty list"),
        ("[{\"text\": \"a\"}, {\"text\" \"b\"}]", "row 2 is not valid JSON"),
        ("[{\"text\": \"a\"}, {\"text\": \"b\"}", "is not valid JSON at byte"),
    ] {
        let why = read("d.json", text, &[]).unwrap_err();
        assert!(why.contains(want), "{text}: {why}");
    }
}

#[test]
fn parquet_columns_of_any_type_leave_the_others_readable() {
    let root = fixtures("parquet");
    let got = profile(&root, "types.parquet", &[]).unwrap();
    assert_eq!((got.rows, classes(&got), got.characters.max), (30, vec!["ham", "spam"], 24));
    for (label, want) in [("small", vec!["0", "1", "2"]), ("flag", vec!["false", "true"])] {
        let got = profile(&root, "types.parquet", &[&format!("label={label}")]).unwrap();
        assert_eq!(classes(&got), want, "{label}");
    }
    for (column, what) in [
        ("day", "dates"),
        ("moment", "points in time"),
        ("clock", "times"),
        ("price", "decimal numbers"),
        ("words", "lists"),
        ("record", "lists or records"),
        ("pairs", "maps"),
        ("raw", "bytes"),
        ("code", "bytes of fixed length"),
    ] {
        for key in ["text", "label"] {
            let why = profile(&root, "types.parquet", &[&format!("{key}={column}")]).unwrap_err();
            let want = match (key, what) {
                ("label", "lists") => "has lists of labels in `words`; say task=multilabel".into(),
                _ => {
                    format!("types.parquet has values that are {what} under `{column}`, not texts.")
                }
            };
            assert!(why.contains(&want), "{why}");
        }
    }
    let why = profile(&root, "types.parquet", &["label=half"]).unwrap_err();
    assert!(why.contains("30 rows have no label"), "{why}");
}

#[test]
fn classes_have_the_names_and_the_order_of_the_metadata() {
    let root = fixtures("parquet");
    let got = profile(&root, "classes.parquet", &[]).unwrap();
    assert_eq!(classes(&got), ["world", "sports", "art"]);
    let why = profile(&root, "classes.parquet", &["label=hidden"]).unwrap_err();
    assert!(why.contains("30 rows have no label"), "{why}");
}

/// Each was written by pyarrow: 200 million equal numbers in 1 kB, a text of 2,000 letters two million
/// times over in 4 kB.
#[test]
fn small_parquet_files_that_expand_without_end_are_refused() {
    let root = fixtures("parquet");
    for (file, want) in [
        ("endless.parquet", "it would expand to far more than files of its size hold"),
        ("repeated.parquet", "its texts repeat without end"),
    ] {
        let began = std::time::Instant::now();
        let why = profile(&root, file, &[]).unwrap_err();
        assert!(why.contains(want), "{file}: {why}");
        assert!(began.elapsed().as_secs() < 20, "{file}");
    }
}

#[test]
fn parquet_metadata_that_lies_is_refused() {
    let whole = fs::read(fixtures("parquet").join("types.parquet")).unwrap();
    let length_at = whole.len() - 8;
    for length in [u32::MAX, 1 << 30, whole.len() as u32, 3] {
        let mut lying = whole.clone();
        lying[length_at..length_at + 4].copy_from_slice(&length.to_le_bytes());
        let why = read("d.parquet", lying, &[]).unwrap_err();
        assert!(why.starts_with("d.parquet is not a whole Parquet file ("), "{why}");
    }
    // A schema of a thousand levels: each element a struct with a name and one child.
    let mut footer = vec![0x15, 2, 0x19, 0xfc, 0xe8, 7];
    footer.extend([0x48, 1, b'a', 0x15, 2, 0].repeat(1000));
    footer.extend([0x16, 0, 0x19, 0x0c, 0]);
    let length = (footer.len() as u32).to_le_bytes();
    let deep = [b"PAR1".as_slice(), &footer, &length, b"PAR1"].concat();
    let why = read("d.parquet", deep, &[]).unwrap_err();
    assert!(why.contains("nested too deeply"), "{why}");
    for at in (0..whole.len()).step_by(3) {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x55;
        // Whether it is noticed or not, it must end in an answer.
        let _ = read("d.parquet", &damaged, &[]);
    }
}
