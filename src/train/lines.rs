//! `tuneboard-train tokenize` and `lengths`: JSON lines in, JSON lines out.

use std::io::{self, BufRead};
use std::path::Path;

use serde::Deserialize;
use serde_json::json;
use tuneboard::spec::BuiltIn;

use crate::baselines;
use crate::error::TrainError;
use crate::model::{self, Side};
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

/// The most that `--pad-to` takes.
const MOST: usize = 1 << 20;

/// A line of the input as it stands there.
#[derive(Deserialize)]
struct Raw {
    text: Option<String>,
    pair: Option<String>,
    words: Option<Vec<String>>,
}

/// A line of the input: a text, a pair of texts, or words.
pub struct Line {
    /// The text; the words with spaces between.
    pub text: String,
    /// The second text of a pair.
    pub pair: Option<String>,
    /// The words of a text whose words are known.
    pub words: Option<Vec<String>>,
}

/// `{"text"}` or `{"text","pair"}` lines on stdin -> `{"tokens","ids"}` lines on stdout; for a pair also
/// `type_ids`, the segment of each token.
///
/// # Errors
/// A bad tokenizer or line.
pub fn tokenize(folder: &Path, shape: &Shape) -> Result<(), TrainError> {
    if shape.pad_to.is_some_and(|length| length > MOST) {
        return Err(TrainError::Input(format!("--pad-to takes at most {MOST}.")));
    }
    // Without specials there is nothing to leave room for: texts are simply cut.
    let length = shape.max_length.filter(|_| !shape.no_specials);
    let tokenizer = model::tokenizer(folder, length)?;
    let padding = match shape.pad_to {
        Some(_) => model::padding_id(folder, &*tokenizer)?,
        None => 0,
    };
    each(|line| {
        let (mut ids, mut segments) = match &line.pair {
            None => (tokenizer.ids(&line.text, !shape.no_specials)?, Vec::new()),
            Some(_) if shape.no_specials => {
                let why =
                    "--no-specials suits single texts: specials keep the two of a pair apart.";
                return Err(TrainError::Input(why.into()));
            }
            Some(pair) => tokenizer.pair(&line.text, pair)?,
        };
        ids.truncate(shape.max_length.unwrap_or(usize::MAX));
        let missing = shape.pad_to.unwrap_or(0).saturating_sub(ids.len());
        let at = if shape.pad == Side::Left { 0 } else { ids.len() };
        ids.splice(at..at, std::iter::repeat_n(padding, missing));
        let tokens: Vec<String> = ids.iter().map(|id| tokenizer.token(*id)).collect();
        let mut said = json!({"tokens": tokens, "ids": ids});
        if line.pair.is_some() {
            segments.splice(at..at, std::iter::repeat_n(0, missing));
            said["type_ids"] = json!(segments);
        }
        out(&said.to_string());
        Ok(())
    })
}

/// `{"text"}` or `{"text","pair"}` lines on stdin -> one number of tokens per line, specials included, uncut.
///
/// # Errors
/// A bad tokenizer or line.
pub fn lengths(folder: &Path) -> Result<(), TrainError> {
    let tokenizer = model::tokenizer(folder, None)?;
    each(|line| {
        let ids = match &line.pair {
            None => tokenizer.ids(&line.text, true)?,
            Some(pair) => tokenizer.pair(&line.text, pair)?.0,
        };
        out(&(ids.len() / tokenizer.width()).to_string());
        Ok(())
    })
}

/// `{"text"}` or `{"text","pair"}` lines on stdin -> one number of words per line: what a built-in model sees of a text.
///
/// # Errors
/// A bad line.
pub fn word_counts(model: BuiltIn) -> Result<(), TrainError> {
    each(|line| {
        let mut count = 0;
        for text in std::iter::once(&line.text).chain(&line.pair) {
            count += match model {
                BuiltIn::Baseline(_) => baselines::words(text).len(),
                BuiltIn::Gru => tokenize::split_words(text.as_str().into())?.len(),
                BuiltIn::Ulmfit => crate::fastai::tokens(text).len(),
            };
        }
        out(&count.to_string());
        Ok(())
    })
}

/// Hands over the lines of stdin, one after the other; blank lines are left out.
///
/// # Errors
/// A line of another form, by its number; what `f` reports.
pub fn each(mut f: impl FnMut(&Line) -> Result<(), TrainError>) -> Result<(), TrainError> {
    for (index, line) in io::stdin().lock().lines().enumerate() {
        let number = index + 1;
        let line = line.map_err(|e| {
            TrainError::Input(format!("Line {number} of the input cannot be read: {e}."))
        })?;
        if line.trim().is_empty() {
            continue;
        }
        let bad = |why: &dyn std::fmt::Display| {
            TrainError::Input(format!(
                "Line {number} of the input is not of the form {{\"text\": \"...\"}}: {why}."
            ))
        };
        let raw: Raw = serde_json::from_str(&line).map_err(|e| bad(&e))?;
        let text = raw.text.or_else(|| Some(raw.words.as_ref()?.join(" ")));
        let text = text.ok_or_else(|| bad(&"missing field `text`"))?;
        let line = Line { text, pair: raw.pair, words: raw.words };
        f(&line)?;
    }
    Ok(())
}
