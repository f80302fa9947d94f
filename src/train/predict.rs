//! `tuneboard-train predict`: texts in, what the model says of them out, both as JSON lines.

mod answer;

use std::path::Path;

use serde_json::{Value, json};
use tuneboard::spec::{Baseline, Precision, RunSpec, Task};

use self::answer::{Answers, Word};
use crate::baselines::{Fitted, Text};
use crate::batch;
use crate::checkpoint::{PAIRS, task_of};
use crate::device::Place;
use crate::error::TrainError;
use crate::lines::{Line, each};
use crate::model::{self, FamilyExt, Loaded, Mode, Reads, Request};
use crate::objective::{Outputs, Stop, flat, log_probabilities, raw};
use crate::progress::out;
use crate::tokenize::{Tokenizer, Tokens, cut_windows, must_fit};

/// How texts go through the model. A baseline reads whole texts, on the CPU, all at once.
#[derive(Debug, Clone, clap::Args)]
pub struct How {
    /// Cut texts to that many tokens, specials included; to what the model takes if not given.
    #[arg(long, value_name = "N")]
    max_length: Option<u32>,
    /// Texts at once.
    #[arg(long, value_name = "N", default_value_t = 32)]
    batch_size: u32,
    /// auto, cpu or cuda:N.
    #[arg(long, default_value = "auto")]
    device: String,
    /// auto, fp32 or bf16.
    #[arg(long, default_value = "auto", value_parser = precision)]
    precision: Precision,
    /// Of words the probabilities of all tags too.
    #[arg(long)]
    all_tags: bool,
}

fn precision(word: &str) -> Result<Precision, &'static str> {
    word.parse().map_err(|()| "it takes auto, fp32 or bf16")
}

/// As many texts are read before they are answered: sorting them by length pays, holding all does not.
const AT_ONCE: usize = 8192;

/// `{"text"}`, `{"text","pair"}` or `{"words"}` lines on stdin -> first a line with the names of what is
/// predicted, then a line per text; see [`Answers`].
///
/// # Errors
/// Whatever is wrong with the folder or a line; a folder without a head.
pub fn predict(folder: &Path, how: &How) -> Result<(), TrainError> {
    let config = model::read_config(folder)?;
    let family = config.get("model_type").and_then(Value::as_str).unwrap_or_default();
    if family.parse::<Baseline>().is_ok() {
        let fitted = Fitted::load(folder)?;
        let answers = Answers::of(fitted.task, &config);
        return answer_all(&config, &answers, |asked| {
            let pair = |at: usize, text| match asked.pairs.get(at) {
                Some(pair) => Text::Pair(text, pair),
                None => Text::One(text),
            };
            let texts = asked.texts.iter().enumerate().map(|(at, text)| pair(at, text.as_str()));
            let values = match fitted.task {
                Task::Classify => fitted.log_probabilities(texts),
                _ => fitted.scores(texts),
            };
            let values = values.into_iter().map(|x| x as f32).collect();
            let outputs = Outputs { classes: fitted.label_names.len(), values };
            Ok(answers.lines(&fitted.label_names, &outputs))
        });
    }
    let oracle = Oracle::load(folder, how, &config)?;
    answer_all(&config, &oracle.answers, |asked| oracle.ask(asked))
}

/// Texts that are answered together.
#[derive(Default)]
struct Asked {
    texts: Vec<String>,
    /// The second texts, if they are pairs.
    pairs: Vec<String>,
    /// The words, if they are to be tagged.
    words: Vec<Vec<String>>,
}

/// Prints what `ask` says of the texts on stdin.
fn answer_all(
    config: &Value,
    answers: &Answers,
    ask: impl Fn(&Asked) -> Result<Vec<Value>, TrainError>,
) -> Result<(), TrainError> {
    let mut asked = Asked::default();
    let mut is_first = true;
    let mut answer = |asked: &mut Asked| {
        if asked.texts.is_empty() {
            return Ok(());
        }
        let lines = ask(asked)?;
        let mut lines = lines.into_iter();
        let head = lines.next();
        if let Some(head) = head.filter(|_| std::mem::take(&mut is_first)) {
            out(&head.to_string());
        }
        lines.for_each(|line| out(&line.to_string()));
        *asked = Asked::default();
        Ok(())
    };
    let mut number = 0;
    each(|line| {
        number += 1;
        take(config, answers, line, number, &mut asked)?;
        if asked.texts.len() == AT_ONCE { answer(&mut asked) } else { Ok(()) }
    })?;
    answer(&mut asked)
}

fn take(
    config: &Value,
    answers: &Answers,
    line: &Line,
    number: usize,
    asked: &mut Asked,
) -> Result<(), TrainError> {
    let wants_pairs = config.get(PAIRS) == Some(&json!(true));
    // Of a checkpoint that another program made it is not known what it reads.
    let is_ours = config.get("tuneboard_pool").is_some();
    match &line.pair {
        None if wants_pairs => Err(TrainError::Input(format!(
            "Text {number} is no pair, and the model reads pairs of texts: give both, as in \
             {{\"text\": \"...\", \"pair\": \"...\"}}."
        ))),
        Some(_) if is_ours && !wants_pairs => Err(TrainError::Input(format!(
            "Text {number} is a pair, and the model reads single texts."
        ))),
        Some(_) if asked.pairs.len() != asked.texts.len() => {
            Err(TrainError::Input(format!("Text {number} is a pair, and those before are not.")))
        }
        None if !asked.pairs.is_empty() => {
            Err(TrainError::Input(format!("Text {number} is no pair, and those before are.")))
        }
        pair => {
            asked.texts.push(line.text.clone());
            asked.pairs.extend(pair.iter().cloned());
            if let Answers::Tags(_) = answers {
                let split = || line.text.split_whitespace().map(str::to_owned).collect();
                asked.words.push(line.words.clone().unwrap_or_else(split));
            }
            Ok(())
        }
    }
}

/// A network that answers.
struct Oracle {
    model: Loaded,
    tokenizer: Box<dyn Tokenizer>,
    place: Place,
    batch_size: usize,
    answers: Answers,
    length: usize,
    config: Value,
    all_tags: bool,
}

impl Oracle {
    fn load(folder: &Path, how: &How, config: &Value) -> Result<Self, TrainError> {
        let (device, precision) = (how.device.clone(), how.precision);
        let place = Place::choose(&RunSpec { device, precision, ..RunSpec::default() })?;
        let answers = Answers::of(task_of(config), config);
        let of_tokens = matches!(answers, Answers::Tags(_));
        let request = Request { of_tokens, ..Request::as_saved(place.device, place.kind) };
        let model = model::load(folder, &request)?;
        let place = Place { kind: model.family.products(place.kind), ..place };
        if !model.head_given {
            return Err(TrainError::Input(format!(
                "{} has no classification head; name the checkpoint of a run that was trained to \
                 classify.",
                folder.display()
            )));
        }
        let positions = u32::try_from(model.limits.positions).unwrap_or(u32::MAX);
        // A head that reads every token takes no more of them than it was made for.
        let most = model.padding.length.map_or(positions, |length| positions.min(length as u32));
        let length = how.max_length.map_or(most, |length| length.min(most)) as usize;
        Ok(Self {
            tokenizer: model.family.tokenizer(folder, Some(length))?,
            model,
            place,
            batch_size: how.batch_size.max(1) as usize,
            answers,
            length,
            config: config.clone(),
            all_tags: how.all_tags,
        })
    }

    fn ask(&self, asked: &Asked) -> Result<Vec<Value>, TrainError> {
        if let Answers::Tags(temperature) = self.answers {
            return self.tags(&asked.words, temperature);
        }
        let threads = self.place.threads;
        let mut tokens = match asked.pairs.as_slice() {
            [] => Tokens::of(&*self.tokenizer, &asked.texts, threads)?,
            pairs => Tokens::of_pairs(&*self.tokenizer, &asked.texts, pairs, threads)?,
        };
        if self.model.limits.segments < 2 {
            tokens = tokens.with_segments(Tokens::default());
        }
        must_fit(&tokens, self.model.limits.vocabulary)?;
        let rows: Vec<u32> = (0..asked.texts.len() as u32).collect();
        let logits = |rows: &[u32]| self.scores(&tokens, rows);
        let size = self.batch_size;
        let said = match self.answers {
            Answers::Classes(_) => {
                log_probabilities(&tokens, &rows, size, logits, &Stop::new(&|| false))?
            }
            _ => raw(&tokens, &rows, size, logits, &Stop::new(&|| false))?,
        };
        let said = said
            .ok_or_else(|| TrainError::Failed("The texts were left without an answer.".into()))?;
        Ok(self.answers.lines(&model::labels(&self.config, said.classes), &said))
    }

    fn scores(&self, tokens: &Tokens, rows: &[u32]) -> Result<tch::Tensor, TrainError> {
        let (padding, device) = (self.model.padding, self.place.device);
        let inputs = batch::collate(rows.iter().copied(), tokens, padding, device)?;
        self.model.network.forward(&inputs, Mode::inference(self.place.kind))
    }

    /// The tags of the words of some texts.
    fn tags(&self, texts: &[Vec<String>], temperature: f64) -> Result<Vec<Value>, TrainError> {
        let windows = cut_windows(&*self.tokenizer, texts, self.length, self.place.threads)?;
        must_fit(&windows.tokens, self.model.limits.vocabulary)?;
        let all: Vec<u32> = (0..windows.rows.len() as u32).collect();
        let _guard = tch::no_grad_guard();
        let mut tags: Vec<Vec<Word>> = texts.iter().map(|words| vec![None; words.len()]).collect();
        let mut classes = 0;
        for positions in batch::evaluation(&all, &windows.tokens, self.batch_size) {
            let batch: Vec<u32> = positions.iter().map(|at| *at as u32).collect();
            let scores = self.scores(&windows.tokens, &batch)?.f_to_kind(tch::Kind::Float)?;
            let (_, tokens, tags_of) = scores.size3()?;
            classes = tags_of as usize;
            // Dividing by one would cost a bit here and there.
            let scores =
                if temperature == 1.0 { scores } else { scores.f_div_scalar(temperature)? };
            let said = flat(&scores.f_softmax(-1, tch::Kind::Float)?)?;
            for (at, window) in batch.iter().enumerate() {
                let row = windows.rows.get(*window as usize).copied().unwrap_or_default();
                let Some(words) = tags.get_mut(row as usize) else { continue };
                for (token, word) in windows.words.get(*window as usize).into_iter().flatten() {
                    let from = (at * tokens as usize + *token as usize) * classes;
                    if let Some(slot) = words.get_mut(*word as usize) {
                        *slot = said.get(from..from + classes).map(<[f32]>::to_vec);
                    }
                }
            }
        }
        Ok(answer::tagged(&model::labels(&self.config, classes), texts, &tags, self.all_tags))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_task_is_told_by_us_or_by_transformers() {
        for (config, want) in [
            (json!({}), Task::Classify),
            (json!({ "problem_type": "regression" }), Task::Regress),
            (json!({ "problem_type": "multi_label_classification" }), Task::Multilabel),
            (json!({ "architectures": ["BertForTokenClassification"] }), Task::Tag),
            (json!({ "tuneboard_task": "tag" }), Task::Tag),
        ] {
            assert_eq!(task_of(&config), want, "{config}");
        }
    }
}
