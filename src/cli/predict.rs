mod ask;
mod together;

use std::io::{self, BufRead};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use self::ask::ask;
use super::checkpoint::{Which, checkpoint};
use super::ensemble::same_task;
use super::error::CliError;
use super::exit;
use super::figures::{counted, value};
use super::table::{Cell, Table, cut};
use super::verb::{self, Context, means_several, one};
use crate::board::Board;
use crate::dataset::{self, AnswerFormat, Answers, Inputs};
use crate::spec::Task;
use crate::store::Run;

/// Ask a trained run what it makes of texts
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The texts are those given, else those of --data, else the lines of standard input. A run that reads pairs
takes them with a tab between, as lines of {\"text\": ..., \"pair\": ...}, or from two columns of --data.
--out writes the columns row, text, predicted and p_CLASS of each class (or each target), as .parquet,
.csv or .jsonl.

Examples:
  tuneboard predict r12 \"free entry, text WIN to 80086\"
  tuneboard predict r12 --data new.csv --out preds.parquet
  tuneboard predict r3..r7 \"free entry\"     the mean of their probabilities; also r3,r5 and s2
  tuneboard predict r15 --data pairs.tsv --text premise,hypothesis
  cut -f2 mails.tsv | tuneboard predict r12 --json | jq -r .[].label")]
pub struct Args {
    /// The run; or several, which answer together: r3..r7, r3,r5, s2
    #[arg(value_name = "ID")]
    id: String,
    /// Texts to ask about
    #[arg(value_name = "TEXT", conflicts_with = "data")]
    texts: Vec<String>,
    /// A file of texts; it needs no labels
    #[arg(long, value_name = "FILE")]
    data: Option<String>,
    /// Its column with the texts, or both columns of pairs as A,B
    #[arg(long, value_name = "COLUMN", requires = "data")]
    text: Option<String>,
    /// Where the answers go, instead of the terminal
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Which weights
    #[arg(long, value_enum, default_value = "best")]
    checkpoint: Which,
}

/// `tuneboard predict`.
pub fn run(args: Args, context: &mut Context) -> Result<u8, CliError> {
    let board = context.board()?;
    let runs = asked(&board, &args.id)?;
    let [run, others @ ..] = runs.as_slice() else {
        return Err(CliError::Usage(format!("{} names no run.", args.id)));
    };
    let out =
        args.out.as_deref().map(|path| Ok::<_, CliError>((path, format(path)?))).transpose()?;
    let folder = checkpoint(&board, run, args.checkpoint)?;
    let are_pairs = ask::reads_pairs(&folder);
    let mut folders = vec![folder];
    for other in others {
        let folder = checkpoint(&board, other, args.checkpoint)?;
        if ask::reads_pairs(&folder) != are_pairs {
            let why = format!(
                "One of {} and {} reads pairs of texts, the other does not.",
                run.id, other.id
            );
            return Err(CliError::Usage(why));
        }
        folders.push(folder);
    }
    let inputs = if let Some(file) = &args.data {
        let file = super::paths::here(file, board.root());
        // Its own columns, as the run's data had them.
        let own = run.spec.text.as_deref().filter(|_| are_pairs);
        let column = args.text.as_deref().or(own);
        dataset::inputs(&file, column, are_pairs, &run.spec, board.root())?
    } else {
        let texts = if args.texts.is_empty() { lines()? } else { args.texts };
        typed(run, texts, are_pairs)?
    };
    let said = runs.iter().zip(&folders);
    let all_tags = run.spec.task == Task::Tag && runs.len() > 1;
    let said = said.map(|(run, folder)| ask(&board, run, folder, inputs.clone(), all_tags));
    let answers = together::mean(&runs, said.collect::<Result<_, _>>()?)?;
    if let Some((path, format)) = out {
        answers.write(path, format)?;
        let texts = counted(answers.texts.len(), "text");
        context.out.aside(format!("{texts} -> {}", path.display()))?;
    } else if context.json {
        context.out.json(&objects(&answers, run.spec.task))?;
    } else {
        context.out.table(&table(&answers, run.spec.task))?;
    }
    Ok(exit::OK)
}

/// The run that is asked, or those that are asked together.
fn asked(board: &Board, word: &str) -> Result<Vec<Run>, CliError> {
    let reader = verb::reader(board)?;
    if !means_several(word) {
        return Ok(vec![one(&reader, word)?]);
    }
    let runs = verb::several(board, &reader, word)?;
    if runs.len() > 1 {
        same_task(&runs)?;
    }
    Ok(runs)
}

fn format(path: &Path) -> Result<AnswerFormat, CliError> {
    AnswerFormat::of(path).ok_or_else(|| {
        let name = path.display();
        CliError::Usage(format!("--out {name} must end with .parquet, .csv or .jsonl."))
    })
}

/// The lines of standard input; blank ones too, so that there are as many answers as lines.
fn lines() -> Result<Vec<String>, CliError> {
    let lines = io::stdin().lock().lines().zip(1..).map(|(line, number)| {
        line.map_err(|e| CliError::Usage(format!("Line {number} of the input: {e}.")))
    });
    lines.collect()
}

/// Texts as people type them: pairs have a tab between, or are JSON objects with `text` and `pair`; words have
/// white space between.
fn typed(run: &Run, texts: Vec<String>, are_pairs: bool) -> Result<Inputs, CliError> {
    let mut inputs = Inputs::default();
    if run.spec.task == Task::Tag {
        let words = |text: &String| text.split_whitespace().map(str::to_owned).collect();
        inputs.words = texts.iter().map(words).collect();
    }
    if !are_pairs {
        return Ok(Inputs { texts, ..inputs });
    }
    for (text, number) in texts.iter().zip(1..) {
        let object: Option<Map<String, Value>> =
            if text.trim_start().starts_with('{') { serde_json::from_str(text).ok() } else { None };
        let of = |key: &str| object.as_ref()?.get(key)?.as_str().map(str::to_owned);
        let pair = match (of("text"), of("pair")) {
            (Some(text), Some(pair)) => Some((text, pair)),
            _ => text.split_once('\t').map(|(a, b)| (a.to_owned(), b.to_owned())),
        };
        let (text, pair) = pair.ok_or_else(|| {
            CliError::Usage(format!(
                "{} reads pairs of texts, and text {number} is no pair: put a tab between the two, or give \
                 {{\"text\": \"...\", \"pair\": \"...\"}}.",
                run.id
            ))
        })?;
        inputs.texts.push(text);
        inputs.pairs.push(pair);
    }
    Ok(inputs)
}

fn highest(probabilities: &[f32]) -> f64 {
    probabilities.iter().copied().fold(f32::NAN, f32::max).into()
}

/// A text as a line: both texts of a pair.
fn shown(answers: &Answers, at: usize) -> String {
    let text = answers.texts.get(at).map_or("", String::as_str);
    let pair = answers.others.iter().find(|(name, _)| *name == "pair");
    match pair.and_then(|(_, pairs)| pairs.get(at)) {
        Some(pair) => format!("{text} || {pair}"),
        None => text.to_owned(),
    }
}

fn list(text: &str) -> Vec<String> {
    serde_json::from_str(text).unwrap_or_default()
}

fn table(answers: &Answers, task: Task) -> Table {
    let names: Vec<String> = match task {
        Task::Regress => answers
            .target_names
            .iter()
            .map(|name| format!(">{}", cut(&super::sanitize::one_line(name), 30)))
            .collect(),
        Task::Multilabel => vec!["~labels".to_owned()],
        Task::Tag => Vec::new(),
        Task::Classify | Task::Lm => vec!["~class".to_owned(), ">probability".to_owned()],
    };
    let heads: Vec<&str> = names.iter().map(String::as_str).chain(["~text"]).collect();
    let mut table = Table::new(&heads);
    for at in 0..answers.texts.len() {
        let predicted = answers.predicted.get(at).map_or("", String::as_str);
        let text = cut(&super::sanitize::one_line(&shown(answers, at)), 100);
        let mut row: Vec<Cell> = match task {
            Task::Regress => {
                answers.values.get(at).into_iter().flatten().map(|x| value(*x).into()).collect()
            }
            Task::Multilabel => {
                let given = list(predicted);
                let given = if given.is_empty() { "–".to_owned() } else { given.join(", ") };
                vec![cut(&super::sanitize::one_line(&given), 60).into()]
            }
            Task::Tag => Vec::new(),
            Task::Classify | Task::Lm => {
                let p = answers.probabilities.get(at).map_or(f64::NAN, |p| highest(p));
                vec![predicted.into(), value(p).into()]
            }
        };
        row.push(if task == Task::Tag {
            let words = answers.others.iter().find(|(name, _)| *name == "words");
            let words = words.and_then(|(_, all)| all.get(at)).map(|w| list(w)).unwrap_or_default();
            cut(
                &super::sanitize::one_line(&crate::analysis::spans::marked(
                    &words,
                    &list(predicted),
                )),
                200,
            )
            .into()
        } else {
            text.into()
        });
        table.row(row);
    }
    table
}

fn objects(answers: &Answers, task: Task) -> Vec<Value> {
    let object = |at: usize| {
        let text = answers.texts.get(at);
        let predicted = answers.predicted.get(at).map_or("", String::as_str);
        let probabilities = answers.probabilities.get(at).map(Vec::as_slice).unwrap_or_default();
        let all = || -> Map<String, Value> {
            let named = answers.label_names.iter().zip(probabilities);
            named.map(|(name, p)| (name.clone(), json!(p))).collect()
        };
        let mut object = match task {
            Task::Classify | Task::Lm => json!({
                "text": text,
                "label": predicted,
                "probability": highest(probabilities),
                "probabilities": all(),
            }),
            Task::Multilabel => {
                json!({ "text": text, "labels": list(predicted), "probabilities": all() })
            }
            Task::Regress => {
                let values =
                    answers.target_names.iter().zip(answers.values.get(at).into_iter().flatten());
                let values: Map<String, Value> =
                    values.map(|(name, x)| (name.clone(), json!(x))).collect();
                json!({ "text": text, "values": values })
            }
            Task::Tag => {
                json!({ "text": text, "tags": list(predicted), "probabilities": probabilities })
            }
        };
        for (name, texts) in &answers.others {
            let text = texts.get(at).map_or("", String::as_str);
            object[*name] = if *name == "words" { json!(list(text)) } else { json!(text) };
        }
        object
    };
    (0..answers.texts.len()).map(object).collect()
}
