//! GLUE's nine tasks: made-up rows in the layouts in which it is published, the command that docs/tasks.md gives for
//! each, and the figures that GLUE reports.

#![cfg(feature = "train")]

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::shell::Shell;

/// The tasks of the table in docs/tasks.md and their commands.
fn commands() -> Vec<(String, Vec<String>)> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/tasks.md");
    let page = fs::read_to_string(page).unwrap();
    let (_, glue) = page.split_once("## GLUE").unwrap();
    let row = |line: &str| {
        let mut cells = line.trim_matches('|').split('|').map(str::trim);
        let (name, command) = (cells.next()?, cells.next()?);
        let words = command.strip_prefix('`')?.strip_suffix('`')?.split(' ');
        Some((name.to_owned(), words.map(str::to_owned).collect()))
    };
    glue.lines().filter(|line| line.starts_with('|')).filter_map(row).collect()
}

/// Row `i` of a task, as GLUE's files have it. Quotes are letters; the label is told by a word.
fn row(task: &str, i: usize) -> String {
    let is = !i.is_multiple_of(3);
    let word = if is { "good" } else { "bad" };
    let (a, b) =
        (format!("The \"{word} film number {}", i % 7), format!("It was {word}, {}\" tall", i % 5));
    let entails = if is { "entailment" } else { "not_entailment" };
    match task {
        "CoLA" => format!("gj04\t{}\t{}\t{a}.", u8::from(is), if is { "" } else { "*" }),
        "SST-2" => format!("a {word} film {}\t{}", i % 7, u8::from(is)),
        "MRPC" => format!("{}\t{}\t{}\t{a}\t{b}", u8::from(is), 700 + i, 900 + i),
        "STS-B" => {
            let score = f64::from((i % 6) as u32) * 0.8 + 0.25;
            let many = "very ".repeat(i % 6);
            format!(
                "{i}\tmain-news\tMSRvid\t2012\t{i}\tnone\tnone\tA {many}nice plane\tAn \"air {many}plane\t{score}"
            )
        }
        "QQP" => format!(
            "{i}\t{}\t{}\tIs it {word} {}?\tHow {word} is it?\t{}",
            2 * i,
            2 * i + 1,
            i % 7,
            u8::from(is)
        ),
        "MNLI" => {
            let label = ["entailment", "neutral", "contradiction"][i % 3];
            let parse = "(ROOT (S a))";
            format!(
                "{i}\t{i}e\t{i}p\tfiction\t( a )\t( b )\t{parse}\t{parse}\t{a}\t{b} {label}\t{label}\t{label}"
            )
        }
        "QNLI" => format!("{i}\tWhat was {word}?\t{b}\t{entails}"),
        "RTE" => format!("{i}\ta {word} film {}\tIt is {word}.\t{entails}", i % 7),
        "WNLI" => format!("{i}\ta {word} film {}\tIt is {word}.\t{}", i % 7, u8::from(is)),
        _ => panic!("{task}"),
    }
}

fn header(task: &str) -> &'static str {
    match task {
        "CoLA" => "",
        "SST-2" => "sentence\tlabel\n",
        // As published: with a byte order mark.
        "MRPC" => "\u{feff}Quality\t#1 ID\t#2 ID\t#1 String\t#2 String\n",
        "STS-B" => {
            "index\tgenre\tfilename\tyear\told_index\tsource1\tsource2\tsentence1\tsentence2\tscore\n"
        }
        "QQP" => "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate\n",
        "MNLI" => {
            "index\tpromptID\tpairID\tgenre\tsentence1_binary_parse\tsentence2_binary_parse\tsentence1_parse\t\
             sentence2_parse\tsentence1\tsentence2\tlabel1\tgold_label\n"
        }
        "QNLI" => "index\tquestion\tsentence\tlabel\n",
        _ => "index\tsentence1\tsentence2\tlabel\n",
    }
}

#[test]
fn nine_tasks_are_read_learnt_and_judged_as_glue_has_them() {
    let shell = Shell::training();
    let commands = commands();
    assert_eq!(commands.len(), 9);
    for (n, (task, command)) in commands.iter().enumerate() {
        let id = format!("r{}", n + 1);
        for pair in command {
            let Some((key @ ("data" | "val"), file)) = pair.split_once('=') else { continue };
            let rows = if key == "data" { 0..240 } else { 240..300 };
            let rows: String = rows.map(|i| row(task, i) + "\n").collect();
            shell.write(file, format!("{}{rows}", header(task)));
        }
        let model = if task == "STS-B" { "model=gru" } else { "model=tfidf-logreg" };
        let more = [model, "epochs=3", "lr=1e-2", "device=cpu", "precision=fp32", "--wait"];
        let args: Vec<&str> =
            ["run"].into_iter().chain(command.iter().map(String::as_str)).chain(more).collect();
        shell.ok(&args);
        let shown = shell.json(&["show", &id]);
        assert_eq!(shown["outcome"], "done", "{task}: {shown}");
        let rows: Vec<u64> = serde_json::from_value(shown["facts"]["rows"].clone()).unwrap();
        let has_dev = command.iter().any(|pair| pair.starts_with("val="));
        assert_eq!(
            rows.iter().sum::<u64>(),
            if has_dev { 300 } else { 240 },
            "{task}: no row is joined or lost"
        );
        let last = |name: &str| {
            shown["last"][name].as_f64().unwrap_or_else(|| panic!("{task} {name}: {shown}"))
        };
        if task == "STS-B" {
            assert!(last("test/pearson") > 0.5 && last("test/spearman") > 0.5, "{shown}");
            continue;
        }
        assert!(last("test/acc") > 0.9, "{task}: {shown}");
        let confusion: Value = shell.json(&["confusion", &id]);
        assert!(confusion["figures"]["mcc"].as_f64().unwrap() > 0.8, "{task}: {confusion}");
        let positive = confusion["classes"][1]["f1"].as_f64().unwrap();
        assert!(positive > 0.8, "{task}: {confusion}");
        let labels = confusion["labels"].as_array().unwrap().len();
        assert_eq!(labels, if task == "MNLI" { 3 } else { 2 }, "{task}");
        let is_pair = !matches!(task.as_str(), "CoLA" | "SST-2");
        let config =
            fs::read_to_string(shell.path(&format!("runs/{id}/checkpoints/best/config.json")))
                .unwrap();
        assert_eq!(config.contains("tuneboard_pairs"), is_pair, "{task}");
    }
}
