use std::fs;
use std::path::Path;

use polars::prelude::{Column, NamedFrom as _, Series};
use tuneboard::dataset::{self, Dataset};
use tuneboard::spec::{RunSpec, Task};

use super::fixtures;
use crate::data::parquet;

/// Words and tags of Parquet, the tags by number with their names in the metadata, are those of JSON Lines; so are lists of
/// labels, as texts and as numbers.
#[test]
fn lists_of_parquet_are_those_of_json() {
    let root = &fixtures("tasks");
    let read = |file: &str, task: Task, root: &Path| {
        let spec = RunSpec { model: "m".into(), data: file.into(), task, ..RunSpec::default() };
        dataset::load(&spec, root).unwrap()
    };
    let (lists, lines) = (read("ner.parquet", Task::Tag, root), read("ner.jsonl", Task::Tag, root));
    let named = |data: &Dataset, row: u32| {
        let (words, tags) = data.targets.tagged(row);
        let tag = |tag: &u32| data.label_names[*tag as usize].clone();
        (words.to_vec(), tags.iter().map(tag).collect::<Vec<_>>())
    };
    assert_eq!(lists.texts, lines.texts);
    for row in 0..lists.texts.len() as u32 {
        assert_eq!(named(&lists, row), named(&lines, row), "row {row}");
    }
    let lines = read("multilabel.jsonl", Task::Multilabel, root);
    let names = lines.label_names.clone();
    let sets: Vec<Vec<usize>> = (0..lines.texts.len() as u32)
        .map(|row| {
            let set = lines.targets.set(row, names.len());
            (0..names.len()).filter(|label| set[*label]).collect()
        })
        .collect();
    let texts = Column::new("text".into(), lines.texts.clone());
    let by_name = |set: &Vec<usize>| {
        Series::new("".into(), set.iter().map(|label| names[*label].as_str()).collect::<Vec<_>>())
    };
    let by_number = |set: &Vec<usize>| {
        Series::new("".into(), set.iter().map(|label| *label as i64).collect::<Vec<_>>())
    };
    let folder = tempfile::tempdir().unwrap();
    let of = |lists: Vec<Series>| parquet(vec![texts.clone(), Column::new("labels".into(), lists)]);
    fs::write(folder.path().join("names.parquet"), of(sets.iter().map(by_name).collect())).unwrap();
    fs::write(folder.path().join("numbers.parquet"), of(sets.iter().map(by_number).collect()))
        .unwrap();
    let got = read("names.parquet", Task::Multilabel, folder.path());
    assert_eq!(
        (&got.texts, &got.targets, &got.label_names),
        (&lines.texts, &lines.targets, &names)
    );
    let got = read("numbers.parquet", Task::Multilabel, folder.path());
    let numbers: Vec<String> = (0..names.len()).map(|n| n.to_string()).collect();
    assert_eq!((&got.targets, &got.label_names), (&lines.targets, &numbers));
    // Lists of lists, and one without a list, are refused by their row or their kind.
    let nested = Series::new("".into(), [Series::new("".into(), [1_i64])]);
    let nested = vec![nested; sets.len()];
    fs::write(folder.path().join("nested.parquet"), of(nested)).unwrap();
    let spec = RunSpec {
        model: "m".into(),
        data: "nested.parquet".into(),
        task: Task::Multilabel,
        ..RunSpec::default()
    };
    let why = dataset::load(&spec, folder.path()).unwrap_err().to_string();
    assert!(why.contains("values that are lists under `labels`"), "{why}");
}
