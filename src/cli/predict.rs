use std::io::{self, BufRead};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Map, json};

use super::checkpoint::{Which, checkpoint};
use super::error::CliError;
use super::exit;
use super::figures::{counted, value};
use super::table::{Table, cut};
use super::verb::{self, Context, one};
use crate::board::Board;
use crate::dataset::{self, AnswerFormat, Answers, Options};
use crate::runner;
use crate::store::Run;

/// Ask a trained run for the classes of texts
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The texts are those given, else those of --data, else the lines of standard input. --out writes
the columns row, text, predicted and p_CLASS of each class, as .parquet, .csv or .jsonl.

Examples:
  tuneboard predict r12 \"free entry, text WIN to 80086\"
  tuneboard predict r12 --data new.csv --out preds.parquet
  cut -f2 mails.tsv | tuneboard predict r12 --json | jq -r .[].label")]
pub struct Args {
    /// The run
    #[arg(value_name = "ID")]
    id: String,
    /// Texts to classify
    #[arg(value_name = "TEXT", conflicts_with = "data")]
    texts: Vec<String>,
    /// A file of texts; it needs no labels
    #[arg(long, value_name = "FILE")]
    data: Option<String>,
    /// Its column with the texts
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
    let run = one(&verb::reader(&board)?, &args.id)?;
    let out =
        args.out.as_deref().map(|path| Ok::<_, CliError>((path, format(path)?))).transpose()?;
    let folder = checkpoint(&board, &run, args.checkpoint)?;
    let texts = match &args.data {
        Some(file) => {
            let options = Options::of(&run.spec);
            let file = super::paths::here(file, board.root());
            dataset::texts(&file, args.text.as_deref(), &options, board.root())?
        }
        None if args.texts.is_empty() => lines()?,
        None => args.texts,
    };
    let answers = ask(&board, &run, &folder, texts)?;
    if let Some((path, format)) = out {
        answers.write(path, format)?;
        let texts = counted(answers.texts.len(), "text");
        context.out.aside(format!("{texts} -> {}", path.display()))?;
    } else if context.json {
        context.out.json(&objects(&answers))?;
    } else {
        context.out.table(&table(&answers))?;
    }
    Ok(exit::OK)
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

/// The first line of `tuneboard-train predict`.
#[derive(Deserialize)]
struct Head {
    labels: Vec<String>,
}

/// Each further one; JSON has no NaN.
#[derive(Deserialize)]
struct Line {
    label: String,
    probabilities: Vec<Option<f32>>,
}

fn ask(board: &Board, run: &Run, folder: &Path, texts: Vec<String>) -> Result<Answers, CliError> {
    let mut answers = Answers::default();
    if texts.is_empty() {
        return Ok(answers);
    }
    let folder = folder.display().to_string();
    let spec = &run.spec;
    let (length, size) = (spec.max_length.to_string(), spec.batch_size.max(32).to_string());
    let precision = spec.precision.to_string();
    let mut words = vec!["predict", &folder, "--max-length", &length, "--batch-size", &size];
    words.extend(["--device", &spec.device, "--precision", &precision]);
    let input = texts.iter().map(|text| format!("{}\n", json!({ "text": text })));
    let input: String = input.collect();
    let printed = runner::trainer_output(board, &words, &input)?;

    let odd = || CliError::Internal("`tuneboard-train predict` printed something odd.".into());
    let mut lines = printed.lines();
    let head: Head = serde_json::from_str(lines.next().ok_or_else(odd)?).map_err(|_| odd())?;
    answers.label_names = head.labels;
    for line in lines {
        let line: Line = serde_json::from_str(line).map_err(|_| odd())?;
        answers.predicted.push(line.label);
        let probabilities = line.probabilities.into_iter().map(|p| p.unwrap_or(f32::NAN));
        answers.probabilities.push(probabilities.collect());
    }
    if answers.predicted.len() != texts.len() {
        return Err(odd());
    }
    answers.texts = texts;
    Ok(answers)
}

fn highest(probabilities: &[f32]) -> f64 {
    probabilities.iter().copied().fold(f32::NAN, f32::max).into()
}

fn table(answers: &Answers) -> Table {
    let mut table = Table::new(&["~class", ">probability", "~text"]);
    let rows = answers.texts.iter().zip(answers.predicted.iter().zip(&answers.probabilities));
    for (text, (predicted, probabilities)) in rows {
        let text = cut(&super::sanitize::one_line(text), 100);
        let row = [predicted.as_str().into(), value(highest(probabilities)).into(), text.into()];
        table.row(row);
    }
    table
}

fn objects(answers: &Answers) -> Vec<serde_json::Value> {
    let rows = answers.texts.iter().zip(answers.predicted.iter().zip(&answers.probabilities));
    rows.map(|(text, (predicted, probabilities))| {
        let all: Map<String, serde_json::Value> = answers
            .label_names
            .iter()
            .zip(probabilities)
            .map(|(name, p)| (name.clone(), json!(p)))
            .collect();
        json!({
            "text": text,
            "label": predicted,
            "probability": highest(probabilities),
            "probabilities": all,
        })
    })
    .collect()
}
