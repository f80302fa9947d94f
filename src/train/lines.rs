//! `tuneboard-train tokenize` and `lengths`: JSON lines in, JSON lines out.

use std::io::{self, BufRead};
use std::path::Path;

use clap::ValueEnum;
use serde::Deserialize;
use serde_json::json;
use tokenizers::{PaddingDirection, PaddingParams, PaddingStrategy, Tokenizer, TruncationParams};

use crate::error::TrainError;
use crate::model::BertConfig;
use crate::progress::out;
use crate::tokenize;

/// What surrounds the tokens of a text.
#[derive(Debug, Clone, Default, PartialEq, Eq, clap::Args)]
pub struct Shape {
    /// Leave [CLS], [SEP] and their like out.
    #[arg(long)]
    pub no_specials: bool,
    /// Cut texts to that many tokens, specials included.
    #[arg(long, value_name = "N")]
    pub max_length: Option<usize>,
    /// The side that is padded.
    #[arg(long, value_enum, default_value = "right")]
    pub pad: Side,
    /// Fill texts up to that many tokens.
    #[arg(long, value_name = "N")]
    pub pad_to: Option<usize>,
}

/// Left or right.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Side {
    /// Before the text.
    Left,
    /// Behind the text.
    #[default]
    Right,
}

/// The most that `--pad-to` takes.
const MOST: usize = 1 << 20;

#[derive(Deserialize)]
struct Line {
    text: String,
}

/// `{"text"}` lines on stdin -> `{"tokens","ids"}` lines on stdout.
///
/// # Errors
/// A bad tokenizer or line.
pub fn tokenize(folder: &Path, shape: &Shape) -> Result<(), TrainError> {
    let mut tokenizer = tokenize::read(folder, None)?;
    let bad = |e: tokenizers::Error| TrainError::Input(format!("The tokenizer refuses: {e}."));
    if let Some(max_length) = shape.max_length {
        let specials = if shape.no_specials { 0 } else { tokenize::specials(&tokenizer)? };
        if max_length <= specials {
            return Err(TrainError::Input(format!(
                "--max-length {max_length} leaves no room beside the {specials} special tokens."
            )));
        }
        let truncation = TruncationParams { max_length, ..TruncationParams::default() };
        tokenizer.with_truncation(Some(truncation)).map_err(bad)?;
    }
    if let Some(length) = shape.pad_to {
        if length > MOST {
            return Err(TrainError::Input(format!("--pad-to {length} is more than {MOST}.")));
        }
        let padding = padding(folder, &tokenizer, shape.pad, length);
        tokenizer.with_padding(Some(padding));
    }
    each_line(|text| {
        let encoding = tokenizer.encode(text, !shape.no_specials).map_err(bad)?;
        out(&json!({"tokens": encoding.get_tokens(), "ids": encoding.get_ids()}).to_string());
        Ok(())
    })
}

/// `{"text"}` lines on stdin -> one number of tokens per line, specials included, uncut.
///
/// # Errors
/// A bad tokenizer or line.
pub fn lengths(folder: &Path) -> Result<(), TrainError> {
    let tokenizer = tokenize::read(folder, None)?;
    each_line(|text| {
        out(&tokenize::encode(&tokenizer, text, true)?.len().to_string());
        Ok(())
    })
}

fn padding(folder: &Path, tokenizer: &Tokenizer, side: Side, length: usize) -> PaddingParams {
    let id = BertConfig::read(folder).map_or(0, |(config, _)| config.padding()) as u32;
    PaddingParams {
        strategy: PaddingStrategy::Fixed(length),
        direction: match side {
            Side::Left => PaddingDirection::Left,
            Side::Right => PaddingDirection::Right,
        },
        pad_id: id,
        pad_token: tokenizer.id_to_token(id).unwrap_or_else(|| "[PAD]".into()),
        ..PaddingParams::default()
    }
}

fn each_line(mut f: impl FnMut(&str) -> Result<(), TrainError>) -> Result<(), TrainError> {
    for (index, line) in io::stdin().lock().lines().enumerate() {
        let number = index + 1;
        let line = line.map_err(|e| {
            TrainError::Input(format!("Line {number} of the input cannot be read: {e}."))
        })?;
        if line.trim().is_empty() {
            continue;
        }
        let line: Line = serde_json::from_str(&line).map_err(|e| {
            TrainError::Input(format!(
                "Line {number} of the input is not of the form {{\"text\": \"...\"}}: {e}."
            ))
        })?;
        f(&line.text)?;
    }
    Ok(())
}
