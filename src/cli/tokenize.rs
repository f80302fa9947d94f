use std::io::{self, Read};

use serde::Deserialize;
use serde_json::json;

use super::checkpoint::{Which, checkpoint};
use super::error::CliError;
use super::exit;
use super::figures::counted;
use super::table::Table;
use super::verb::{self, Context, one};
use crate::runner;
use crate::spec::RunId;

/// Show what a model's tokenizer makes of texts
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Without a text the standard input is one.

Examples:
  tuneboard tokenize minilm \"It's unbelievable\"
  tuneboard tokenize r12 --max-length 8 \"as run r12 saw it\" --json")]
pub struct Args {
    /// A name under models/, a folder, or a run
    #[arg(value_name = "MODEL")]
    model: String,
    /// Texts
    #[arg(value_name = "TEXT")]
    texts: Vec<String>,
    /// Leave [CLS], [SEP] and their like out
    #[arg(long)]
    no_specials: bool,
    /// Cut to that many tokens, specials included
    #[arg(long, value_name = "N")]
    max_length: Option<u32>,
}

#[derive(Deserialize)]
struct Line {
    tokens: Vec<String>,
    ids: Vec<u32>,
}

/// `tuneboard tokenize`.
pub fn run(args: Args, context: &mut Context) -> Result<u8, CliError> {
    let board = context.board()?;
    let model = match (board.model(&args.model), args.model.parse::<RunId>()) {
        (Ok(_), _) => args.model.clone(),
        (Err(_), Ok(_)) => {
            let run = one(&verb::reader(&board)?, &args.model)?;
            checkpoint(&board, &run, Which::Best)?.display().to_string()
        }
        (Err(e), Err(_)) => return Err(e.into()),
    };
    let mut texts = args.texts;
    if texts.is_empty() {
        let mut text = String::new();
        let read = io::stdin().read_to_string(&mut text);
        read.map_err(|e| CliError::Usage(format!("The input cannot be read: {e}.")))?;
        texts.push(text.trim_end_matches(['\r', '\n']).to_owned());
    }
    let length = args.max_length.map(|n| n.to_string());
    let mut words = vec!["tokenize", &model];
    words.extend(args.no_specials.then_some("--no-specials"));
    words.extend(length.as_deref().into_iter().flat_map(|n| ["--max-length", n]));
    let input = texts.iter().map(|text| format!("{}\n", json!({ "text": text })));
    let input: String = input.collect();
    let printed = runner::trainer_output(&board, &words, &input)?;
    let lines: Result<Vec<Line>, _> = printed.lines().map(serde_json::from_str).collect();
    let lines = lines.ok().filter(|lines| lines.len() == texts.len()).ok_or_else(|| {
        CliError::Internal("`tuneboard-train tokenize` printed something odd.".into())
    })?;
    if context.json {
        let objects: Vec<_> = texts
            .iter()
            .zip(&lines)
            .map(|(text, line)| json!({ "text": text, "tokens": line.tokens, "ids": line.ids }))
            .collect();
        context.out.json(&objects)?;
        return Ok(exit::OK);
    }
    for (at, line) in lines.iter().enumerate() {
        if at > 0 {
            context.out.line("")?;
        }
        let mut table = Table::new(&[">id", "token"]);
        for (id, token) in line.ids.iter().zip(&line.tokens) {
            table.row([id.to_string().into(), token.as_str().into()]);
        }
        context.out.table(&table)?;
        context.out.line(counted(line.ids.len(), "token"))?;
    }
    Ok(exit::OK)
}
