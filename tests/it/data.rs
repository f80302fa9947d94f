//! Data files that are good, in whatever form: columns, labels, splits, hash, profile.

use std::fs;
use std::path::Path;

use polars::prelude::{Column, DataFrame, DataType, ParquetWriter};
use sha2::{Digest, Sha256};
use tuneboard::dataset::{self, Dataset};
use tuneboard::spec::RunSpec;

pub fn spec(data: &str) -> RunSpec {
    RunSpec { model: "m".into(), data: data.into(), ..RunSpec::default() }
}

fn bundled() -> Dataset {
    dataset::load(&spec("data/sms_spam.csv"), Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn digest(text: &str) -> String {
    use std::fmt::Write;
    Sha256::digest(text.as_bytes()).iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// The row numbers that pandas 3.1.1 gives:
/// ```python
/// df = pandas.read_csv("data/sms_spam.csv"); n = len(df)
/// order = (df.sample(frac=1, random_state=35).index + 1).tolist()
/// for part in order[:int(.8*n)], order[int(.8*n):int(.9*n)], order[int(.9*n):]:
///     print(len(part), part[:5], hashlib.sha256(",".join(map(str, part)).encode()).hexdigest())
/// ```
#[test]
fn the_split_of_the_bundled_messages_is_that_of_pandas() {
    let data = bundled();
    let want = [
        (
            3889,
            [1744, 1000, 3463, 3669, 3113],
            "16c4bef2d2513343d1a24f3c914f898a65b81b3f97bf0bda5659f64c4c4df3ca",
        ),
        (
            486,
            [2339, 3529, 3646, 3188, 2485],
            "23865a9982df7af36b950fa21fb720b0968f64a006f8acd1dab418ba2c1d88c4",
        ),
        (
            487,
            [4513, 1541, 2783, 4110, 4524],
            "a14ca6ff8675a4e14e6c114205d5848098ee37f6eb6b0fb80b15b08f226c8c58",
        ),
    ];
    for ((name, part), (length, first, sha)) in data.parts().into_iter().zip(want) {
        let numbers: Vec<u64> = part.iter().map(|row| data.rows[*row as usize]).collect();
        assert_eq!((numbers.len(), &numbers[..5]), (length, &first[..]), "{name}");
        let joined = numbers.iter().map(u64::to_string).collect::<Vec<_>>().join(",");
        assert_eq!(digest(&joined), sha, "{name}");
    }
}

/// `hashlib.sha256("\0".join(pandas.read_csv(FILE, dtype=str, keep_default_na=False).text).encode())`
#[test]
fn the_texts_of_the_bundled_messages_are_those_of_pandas() {
    let data = bundled();
    assert_eq!(data.texts.len(), 4862);
    assert_eq!(
        digest(&data.texts.join("\0")),
        "2a94d0051b3cf4c5c0504f36c51979cafb2a5d46cb5e48f2c4bbb0b8e127740f"
    );
    assert_eq!(data.label_names, ["0", "1"]);
}

/// Writes files into a fresh folder and loads `data=NAME` with more `key=value` pairs.
fn load_files(files: &[(&str, &[u8])], pairs: &[(&str, &str)]) -> Result<Dataset, String> {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        fs::write(folder.path().join(name), bytes).unwrap();
    }
    let mut spec = spec(files.first().map_or("none.csv", |(name, _)| name));
    for (key, value) in pairs {
        spec.set(key, value).unwrap();
    }
    dataset::load(&spec, folder.path()).map_err(|e| e.to_string())
}

pub fn load_one(name: &str, bytes: &[u8], pairs: &[(&str, &str)]) -> Result<Dataset, String> {
    load_files(&[(name, bytes)], pairs)
}

/// The lines 0 to `n`, one after the other.
pub fn lines(n: usize, line: impl Fn(usize) -> String) -> String {
    (0..n).map(line).collect::<Vec<_>>().concat()
}

/// Twenty rows, `text N` with labels a and b in turn.
pub fn plain_csv() -> String {
    let row = |i| format!("text {i},{}\n", if i % 2 == 0 { "a" } else { "b" });
    format!("text,label\n{}", lines(20, row))
}

#[test]
fn files_in_odd_but_good_forms_read_the_same() {
    let plain = load_one("d.csv", plain_csv().as_bytes(), &[]).unwrap();
    let json = |line: &str| {
        let (text, label) = line.split_once(',').unwrap();
        format!("{{\"label\": \"{label}\", \"id\": [1], \"text\": \"{text}\"}}\n")
    };
    let jsonl: String = plain_csv().lines().skip(1).map(json).collect();
    let csv = plain_csv();
    for (name, bytes) in [
        ("bom.csv", format!("\u{feff}{csv}")),
        ("crlf.csv", csv.replace('\n', "\r\n")),
        ("cr.csv", csv.replace('\n', "\r")),
        ("blank lines.csv", csv.replace('\n', "\n\n  \n")),
        ("no last line end.csv", csv.trim_end().to_owned()),
        ("upper.CSV", csv.replace("text,label", "Text, LABEL ")),
        ("semicolons.csv", csv.replace(',', ";")),
        ("tabs.tsv", csv.replace(',', "\t")),
        ("tabs.txt", csv.replace(',', "\t")),
        ("bars", csv.replace(',', "|")),
        ("quoted.csv", csv.replace("text ", "\"text ").replace(',', "\",").replace("\"t\"", "t")),
        ("spaces.csv", csv.replace(",a", ", a ")),
        ("rows.jsonl", jsonl.clone()),
        ("rows.ndjson", jsonl.replace('\n', "\r\n\r\n")),
        ("rows.json", format!("\u{feff}{jsonl}")),
        ("rows", jsonl),
    ] {
        let bytes = if name == "quoted.csv" {
            bytes.replacen("text\",label", "text,label", 1)
        } else {
            bytes
        };
        let read = load_one(name, bytes.as_bytes(), &[]).unwrap();
        let reading = plain.reading.clone();
        assert_eq!(Dataset { reading, ..read }, plain, "{name}");
    }
}

#[test]
fn labels_of_any_kind_become_class_names() {
    let csv = |labels: &[&str]| {
        let rows = (0..30).map(|i| format!("text {i},{}\n", labels[i % labels.len()]));
        format!("text,label\n{}", rows.collect::<String>())
    };
    let jsonl = |labels: &[&str]| -> String {
        let label = |i: usize| labels[i % labels.len()];
        lines(30, |i| format!("{{\"text\":\"{i}\",\"label\":{}}}\n", label(i)))
    };
    for (name, bytes, want) in [
        ("d.csv", csv(&["1", "0"]), &["0", "1"][..]),
        ("d.csv", csv(&["1.0", "0.0"]), &["0", "1"]),
        ("d.csv", csv(&["True", "False"]), &["False", "True"]),
        ("d.csv", csv(&["NA", "N/A", "None"]), &["N/A", "NA", "None"]),
        ("d.csv", csv(&["10", "9", "-1"]), &["-1", "9", "10"]),
        ("d.csv", csv(&["\"new\nline\"", "\"a,b\""]), &["a,b", "new\nline"]),
        ("d.jsonl", jsonl(&["true", "false"]), &["false", "true"]),
        ("d.jsonl", jsonl(&["true", "0", "\"x\""]), &["0", "true", "x"]),
        ("d.jsonl", jsonl(&["1.0", "0.0"]), &["0", "1"]),
        ("d.jsonl", jsonl(&["2", "18446744073709551615"]), &["18446744073709551615", "2"]),
    ] {
        let data = load_one(name, bytes.as_bytes(), &[]).unwrap();
        assert_eq!(data.label_names, want, "{bytes:.40}");
        assert_eq!(data.labels.len(), 30);
    }
}

/// A language model learns from texts alone: a label column is neither asked for nor read.
#[test]
fn a_language_model_needs_no_labels() {
    let lm = ("task", "lm");
    let texts = lines(20, |i| format!("note {i}\n"));
    let alone = load_one("d.csv", format!("phrase\n{texts}").as_bytes(), &[lm]).unwrap();
    assert_eq!((alone.texts.len(), alone.labels.as_slice()), (20, &[0; 20][..]));
    assert_eq!(alone.label_names, Vec::<String>::new());
    // Labels of one kind, or missing ones, do no harm.
    let one = lines(20, |i| format!("note {i},{}\n", if i == 3 { "" } else { "x" }));
    let one = format!("phrase,label\n{one}");
    assert_eq!(load_one("d.csv", one.as_bytes(), &[lm]).unwrap().texts, alone.texts);
    assert!(load_one("d.csv", one.as_bytes(), &[]).is_err());
    // The split can still keep class shares.
    let stratified = load_one("d.csv", plain_csv().as_bytes(), &[lm, ("stratify", "true")]);
    assert_eq!(stratified.unwrap().label_names, ["a", "b"]);
    let refused = load_one("d.csv", b"a,b\nx,y\n", &[lm]).unwrap_err();
    assert!(refused.contains("text=COLUMN"), "{refused}");
}

#[test]
fn parquet_reads_as_the_same_rows() {
    let csv =
        load_one("d.csv", plain_csv().replace(",a", ",1").replace(",b", ",0").as_bytes(), &[]);
    let csv = csv.unwrap();
    let texts =
        Column::new("text".into(), (0..20).map(|i| format!("text {i}")).collect::<Vec<_>>());
    let whole: Vec<i64> = (0..20).map(|i| i64::from(i % 2 == 0)).collect();
    let labels = Column::new("label".into(), whole);
    for dtype in [DataType::Int64, DataType::UInt8, DataType::Float32, DataType::String] {
        let labels = labels.cast(&dtype).unwrap();
        let bytes = parquet(vec![labels, texts.clone()]);
        // The magic bytes decide, whatever the name says.
        for name in ["d.parquet", "d.pq", "d"] {
            let read = load_one(name, &bytes, &[]).unwrap();
            let reading = csv.reading.clone();
            assert_eq!(Dataset { reading, ..read }, csv, "{name} {dtype}");
        }
    }
    let bools = parquet(vec![texts.clone(), labels.cast(&DataType::Boolean).unwrap()]);
    assert_eq!(load_one("d.pq", &bools, &[]).unwrap().label_names, ["false", "true"]);
}

pub fn parquet(columns: Vec<Column>) -> Vec<u8> {
    let height = columns.first().map_or(0, Column::len);
    let mut bytes = Vec::new();
    let mut frame = DataFrame::new(height, columns).unwrap();
    ParquetWriter::new(&mut bytes).finish(&mut frame).unwrap();
    bytes
}

#[test]
fn texts_with_quotes_and_line_breaks_stay_as_they_are() {
    let csv = "text,label\r\n\"line one\r\nline two\n\n\"\"quoted\"\", and more\",a\r\n\
               5\" disk,b\r\n  spaces  ,a\r\n\"\",b\r\n\"é\u{1b}[31m\0\",a\r\n\"ab\"c\"d,b\r\n";
    let data = load_one("d.csv", csv.as_bytes(), &[("split", "0.4,0.3,0.3")]).unwrap();
    assert_eq!(
        data.texts,
        [
            "line one\r\nline two\n\n\"quoted\", and more",
            "5\" disk",
            "  spaces  ",
            "",
            "é\u{1b}[31m\0",
            "abc\"d"
        ]
    );
    assert_eq!(data.rows, [1, 2, 3, 4, 5, 6]);
    assert!(
        data.notes[0]
            .starts_with("d.csv: 1 row with text behind a closing quote, the first is row 6;")
    );
    assert_eq!(data.notes[1], "d.csv: 1 text is empty: row 4.");
}

#[test]
fn columns_are_found_by_name_or_as_the_other_one_of_two() {
    let rows = lines(20, |i| format!("x{},y{},z{}\n", i % 2, i % 2, i % 2));
    let two = lines(20, |i| format!("x{},y{}\n", i % 2, i % 2));
    for (header, pairs, text, label) in [
        ("id,Sentence,CLASS", &[][..], "y0", "z0"),
        ("label,text,label_text", &[], "y0", "x0"),
        ("label_text,x,text", &[], "z0", "x0"),
        ("a,b,c", &[("text", "c"), ("label", "a")], "z0", "x0"),
        ("a,b,text", &[("label", "B")], "z0", "y0"),
        ("text,label,c", &[("text", "c"), ("label", "text")], "z0", "x0"),
        ("foo,review", &[], "y0", "x0"),
        ("target,foo", &[], "y0", "x0"),
        ("foo,bar", &[("label", "foo")], "y0", "x0"),
        ("foo,bar", &[("text", "foo")], "x0", "y0"),
        (",text,label", &[], "y0", "z0"),
    ] {
        let rows = if header.matches(',').count() == 2 { &rows } else { &two };
        let csv = format!("{header}\n{rows}");
        let data = load_one("d.csv", csv.as_bytes(), pairs).unwrap();
        assert_eq!((&*data.texts[0], &*data.label_names[0]), (text, label), "{header} {pairs:?}");
    }
}

#[test]
fn the_users_own_split_is_obeyed() {
    let parts = ["Train", "dev", "TEST", "train"];
    let rows = (0..40).map(|i| format!("t{i},{},{}\n", ["a", "b"][i / 2 % 2], parts[i % 4]));
    let csv = format!("text,label,part\n{}", rows.collect::<String>());
    let data = load_one("d.csv", csv.as_bytes(), &[("split_column", "part")]).unwrap();
    assert!(data.val.iter().all(|r| r % 4 == 1) && data.val.len() == 10);
    assert!(data.test.iter().all(|r| r % 4 == 2) && data.test.len() == 10);
    assert_eq!(data.train.len(), 20);

    // Without val rows, their share is drawn from the train rows, and a note says so.
    let no_val = csv.replace(",dev", ",train");
    let data = load_one("d.csv", no_val.as_bytes(), &[("split_column", "part")]).unwrap();
    assert_eq!([data.train.len(), data.val.len(), data.test.len()], [26, 4, 10]);
    assert!(data.notes[0].starts_with("No row is marked val;"), "{:?}", data.notes);

    // A column named `split` that is not used is worth a note.
    let unused = csv.replace("part", "split");
    let data = load_one("d.csv", unused.as_bytes(), &[]).unwrap();
    assert!(data.notes[0].contains("split_column=split would use it"), "{:?}", data.notes);
}

#[test]
fn separate_files_are_used_whole_and_in_order() {
    let (data, val) = (plain_csv(), "label,id,text\nb,1,v1\na,2,v2\n");
    let files =
        [("d.csv", data.as_bytes()), ("v.csv", val.as_bytes()), ("t.tsv", b"text\tlabel\nt1\ta\n")];
    let both = load_files(&files, &[("val", "v.csv"), ("test", "t.tsv"), ("limit", "15")]).unwrap();
    assert_eq!([both.train.len(), both.val.len(), both.test.len()], [15, 2, 1]);
    assert_eq!(both.val, [20, 21]);
    assert_eq!((both.texts[22].as_str(), &both.rows[19..]), ("t1", &[20, 1, 2, 1][..]));
    // The share of a part that has its own file goes to train.
    let one = load_files(&files, &[("test", "t.tsv")]).unwrap();
    assert_eq!([one.train.len(), one.val.len(), one.test.len()], [18, 2, 1]);

    for (test, want) in [
        (
            "text,label\nx,c\n",
            "row 1 has the label `c`, which data= does not have; it has `a`, `b`.",
        ),
        ("text,lable\nx,a\n", "t.csv has no column `label` for label=; did you mean `lable`?"),
        ("text,label\n", "t.csv has columns but no rows."),
    ] {
        let files = [("d.csv", data.as_bytes()), ("t.csv", test.as_bytes())];
        let got = load_files(&files, &[("test", "t.csv")]).unwrap_err();
        assert!(got.contains(want), "{got}");
    }
}

#[test]
fn limit_and_seed_choose_rows_and_the_hash_knows() {
    let csv = plain_csv();
    let load = |pairs: &[(&str, &str)]| load_one("d.csv", csv.as_bytes(), pairs).unwrap();
    let (all, again) = (load(&[]), load(&[]));
    assert_eq!(all, again);
    let ten = load(&[("limit", "10")]);
    assert_eq!([ten.train.len(), ten.val.len(), ten.test.len()], [8, 1, 1]);
    assert_eq!(ten.train, all.train[..8]);
    let files = [("d.csv", csv.as_bytes()), ("t.csv", csv.as_bytes())];
    let tested = load_files(&files, &[("test", "t.csv"), ("limit", "10")]).unwrap();
    let told = |d: &Dataset| d.notes.iter().any(|n| n.starts_with("limit=10 cuts data alone"));
    assert!(told(&tested) && !told(&ten), "{:?}", tested.notes);
    let other_seed = load(&[("split_seed", "36")]);
    assert_ne!(other_seed.train, all.train);
    let other_text =
        load_one("d.csv", csv.replace("text 3,", "text three,").as_bytes(), &[]).unwrap();
    let hashes = [&all.hash, &ten.hash, &other_seed.hash, &other_text.hash];
    assert!(hashes.iter().all(|h| h.len() == 16));
    for (i, a) in hashes.iter().enumerate() {
        assert!(hashes[i + 1..].iter().all(|b| a != b), "{hashes:?}");
    }
}

#[test]
fn stratified_parts_have_every_class_and_rare_ones_are_noted() {
    let rows = (0..103).map(|i| {
        format!(
            "t{i},{}\n",
            match i {
                0..80 => "a",
                80..100 => "b",
                100..102 => "c",
                _ => "d",
            }
        )
    });
    let csv = format!("text,label\n{}", rows.collect::<String>());
    let data = load_one("d.csv", csv.as_bytes(), &[("stratify", "true")]).unwrap();
    let count = |part: &[u32]| {
        [0, 1, 2, 3].map(|c| part.iter().filter(|r| data.labels[**r as usize] == c).count())
    };
    assert_eq!(count(&data.train), [64, 16, 2, 1]);
    assert_eq!(count(&data.val), [8, 2, 0, 0]);
    assert_eq!(count(&data.test), [8, 2, 0, 0]);
    let rare = "All rows of classes with fewer than 3 go to train: `c`, `d`.";
    assert_eq!(data.notes, ["The class `d` has one row only, row 103.", rare]);
    // Not stratified, a class with one row may be nowhere in train.
    let unlucky = (0..50).find_map(|seed: u32| {
        let data = load_one("d.csv", csv.as_bytes(), &[("split_seed", &seed.to_string())]).unwrap();
        data.notes.into_iter().find(|n| n == "1 class without a train row: `d`.")
    });
    assert!(unlucky.is_some());
}

#[test]
fn the_profile_of_the_bundled_messages() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let profile = dataset::profile(&spec("data/sms_spam.csv"), root).unwrap();
    // rows, classes and lengths as pandas counts them
    let json = serde_json::to_value(&profile).unwrap();
    assert_eq!(json["columns"], serde_json::json!(["text", "spam"]));
    assert_eq!(json["classes"][1]["rows"], 642);
    assert_eq!(
        json["classes"][1]["splits"],
        serde_json::json!({"train": 519, "val": 60, "test": 63})
    );
    assert_eq!(
        json["characters"],
        serde_json::json!({"min": 2, "median": 60, "p95": 160, "max": 910})
    );
    assert_eq!(json["words"], serde_json::json!({"min": 1, "median": 12, "p95": 33, "max": 171}));
    assert_eq!(profile.duplicates.rows, 328);
    assert_eq!(profile.hash, bundled().hash);
}

#[test]
fn a_profile_needs_no_split() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("d.csv"), "text,label\n\"a\nb\",x\n\"\u{1b}\",y\n").unwrap();
    let profile = dataset::profile(&spec("d.csv"), folder.path()).unwrap();
    assert_eq!((profile.rows, profile.splits), (2, None));
    assert_eq!((profile.multi_line_texts, profile.control_texts), (1, 1));
    assert!(profile.notes[0].starts_with("There are no validation rows"), "{:?}", profile.notes);
}
