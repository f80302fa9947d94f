use serde_json::json;

use super::error::CliError;
use super::exit;
use super::figures::{count, counted, value};
use super::out::Out;
use super::paths;
use super::sanitize::one_line;
use super::table::{Cell, Table, Tone, cut};
use super::verb::Context;
use crate::board::{Board, BoardError};
use crate::dataset::{self, Lengths, Profile};
use crate::runner;
use crate::spec::{RunSpec, keys};

/// Look into a data file: columns, classes, lengths, duplicates, how it is split
#[derive(Debug, clap::Args)]
#[command(after_help = "\
FILE is CSV, TSV, JSON, JSON Lines or Parquet, packed or not, or a folder or a pattern of such files
(docs/data.md). The keys are those of a run that name columns, splits and how the file is written.
A leaked text (in train and in test) flatters the test score; it is counted here.

Examples:
  tuneboard data data/sms_spam.csv
  tuneboard data news.tsv text=headline label=topic split=0.7,0.15,0.15
  tuneboard data uci.tsv header=no text=2 label=1           columns by number
  tuneboard data 'data/train-*.parquet'                     shards
  tuneboard data mails.csv task=lm                          texts without labels
  tuneboard data sts.tsv text=sentence1,sentence2 task=regress     pairs with a score
  tuneboard data train.csv test=test.csv --model minilm     lengths in tokens, too")]
pub struct Args {
    /// The file
    file: String,
    /// task, text, label, quote, escape, delimiter, header, encoding, split, split_column, split_seed, stratify, val, test, limit
    #[arg(value_name = "KEY=VALUE")]
    pairs: Vec<String>,
    /// Count tokens with this model's tokenizer
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
}

/// `tuneboard data`.
pub fn run(args: Args, context: &mut Context) -> Result<u8, CliError> {
    // Looking at a file needs no board; with one, its folder and its defaults count.
    let board = match context.board() {
        Ok(board) => Some(board),
        Err(CliError::Board(BoardError::NotFound(_))) if context.board_dir.is_none() => None,
        Err(e) => return Err(e),
    };
    let root = board.as_ref().map_or_else(|| ".".into(), |b| b.root().to_path_buf());
    let mut spec = board.as_ref().map(|b| b.config.defaults.clone()).unwrap_or_default();
    let pairs = args.pairs.iter().map(|pair| keys::pair(pair)).collect::<Result<Vec<_>, _>>()?;
    for (key, value) in paths::resolved(&pairs, &root) {
        spec.set(key, &value)?;
    }
    spec.set("data", &paths::here(&args.file, &root))?;
    if let Some(model) = args.model {
        spec.set("model", &model)?;
    }
    let profile = dataset::profile(&spec, &root)?;
    let tokens = match &board {
        Some(board) if !spec.model.is_empty() => Some(token_lengths(&spec, board)?),
        None if !spec.model.is_empty() => {
            return Err(context.board().map(drop).err().unwrap_or(CliError::Usage(
                "A model is looked for on a board; give --board.".into(),
            )));
        }
        _ => None,
    };
    if context.json {
        let mut object = serde_json::to_value(&profile)?;
        if let Some(map) = object.as_object_mut() {
            map.insert("tokens".into(), serde_json::to_value(tokens)?);
        }
        context.out.json(&object)?;
    } else {
        print(&profile, tokens, context)?;
    }
    Ok(exit::OK)
}

/// Lengths by the model's own tokenizer, specials included, before anything is cut.
fn token_lengths(spec: &RunSpec, board: &Board) -> Result<Lengths, CliError> {
    board.check_model(&spec.model, false)?;
    let dataset = dataset::load(spec, board.root())?;
    let lines = dataset.texts.iter().enumerate().map(|(row, text)| {
        let line = match dataset.pairs.get(row) {
            Some(pair) => json!({ "text": text, "pair": pair }),
            None => json!({ "text": text }),
        };
        format!("{line}\n")
    });
    let lengths =
        runner::trainer_output(board, &["lengths", &spec.model], &lines.collect::<String>())?;
    let lengths: Result<Vec<u64>, _> = lengths.lines().map(|line| line.trim().parse()).collect();
    let lengths = lengths.map_err(|_| {
        CliError::Internal("`tuneboard-train lengths` printed something else than numbers.".into())
    })?;
    Ok(Lengths::of(lengths))
}

/// Characters of a class's name in the table.
const LABEL: usize = 40;

fn print(
    profile: &Profile,
    tokens: Option<Lengths>,
    context: &mut Context,
) -> Result<(), CliError> {
    let out = &mut context.out;
    out.line(format!("{}: {}", profile.files.join(", "), counted(profile.rows as usize, "row")))?;
    out.line(profile.reading.sentence())?;
    out.line(format!("columns {}", cut(&profile.columns.join(", "), 200)))?;
    out.line("")?;
    let mut table = Table::new(&["~class", ">rows", ">share", ">train", ">val", ">test"]);
    for class in &profile.classes {
        let parts = class.splits.map(|s| [s.train, s.val, s.test].map(|n| Cell::from(count(n))));
        let row = [
            cut(&one_line(&class.name), LABEL).into(),
            count(class.rows).into(),
            format!("{:.1} %", class.share * 100.0).into(),
        ];
        table.row(row.into_iter().chain(parts.into_iter().flatten()));
    }
    if let Some(all) = profile.splits {
        let parts = [all.train, all.val, all.test].map(count);
        let row = ["all".to_owned(), count(profile.rows), "100.0 %".to_owned()];
        table.row(row.into_iter().chain(parts).map(|text| Cell::toned(text, Tone::Faint)));
    }
    out.table(&table)?;
    numbers(profile, out)?;
    out.line("")?;
    let mut table = Table::new(&["lengths", ">min", ">median", ">95 %", ">max"]);
    let kinds = [
        ("characters", Some(profile.characters)),
        ("words", Some(profile.words)),
        ("tokens", tokens),
    ];
    for (what, lengths) in kinds {
        if let Some(l) = lengths {
            let figures = [l.min, l.median, l.p95, l.max].map(|n| Cell::from(count(n)));
            table.row([Cell::from(what)].into_iter().chain(figures));
        }
    }
    out.table(&table)?;
    out.line("")?;
    let twins = profile.duplicates;
    for (n, what) in [
        (profile.empty_texts, "empty text"),
        (profile.multi_line_texts, "text of several lines"),
        (profile.control_texts, "text with control characters"),
        (twins.rows, "row that repeats the text of another"),
        (twins.conflicting, "text with more than one label"),
        (twins.val_in_train, "val row whose text is in train"),
        (twins.test_in_train, "test row whose text is in train"),
        (twins.test_in_val, "test row whose text is in val"),
    ] {
        if n > 0 {
            out.line(format!("{:>7}  {what}", count(n)))?;
        }
    }
    for note in &profile.notes {
        out.line(note)?;
    }
    if !profile.hash.is_empty() {
        out.line(format!("content hash {}", profile.hash))?;
    }
    Ok(())
}

/// The numbers that are to be learnt.
fn numbers(profile: &Profile, out: &mut Out) -> Result<(), CliError> {
    if profile.numbers.is_empty() {
        return Ok(());
    }
    out.line("")?;
    let mut table = Table::new(&["~target", ">min", ">mean", ">max"]);
    for range in &profile.numbers {
        let name = cut(&one_line(&range.name), LABEL);
        let figures = [range.min, range.mean, range.max].map(|x| Cell::from(value(x)));
        table.row([Cell::from(name)].into_iter().chain(figures));
    }
    out.table(&table)
}
