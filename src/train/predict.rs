//! `tuneboard-train predict`: texts in, class probabilities out, both as JSON lines.

use std::path::Path;

use serde_json::{Value, json};
use tuneboard::spec::{Baseline, Precision, RunSpec};

use crate::baselines::Fitted;
use crate::batch;
use crate::device::Place;
use crate::error::TrainError;
use crate::lines::each_line;
use crate::model::{self, FamilyExt, Loaded, Mode, Reads, Request};
use crate::objective::{LogProbabilities, Stop, log_probabilities};
use crate::progress::out;
use crate::tokenize::{Tokenizer, Tokens, must_fit};

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
}

fn precision(word: &str) -> Result<Precision, &'static str> {
    word.parse().map_err(|()| "it takes auto, fp32 or bf16")
}

/// As many texts are read before they are answered: sorting them by length pays, holding all does not.
const AT_ONCE: usize = 8192;

/// `{"text"}` lines on stdin -> first `{"labels"}`, then a line `{"label","probabilities"}` per text,
/// the probabilities in the order of the labels.
///
/// # Errors
/// Whatever is wrong with the folder or a line; a folder without a classification head.
pub fn predict(folder: &Path, how: &How) -> Result<(), TrainError> {
    let config = model::read_config(folder)?;
    let family = config.get("model_type").and_then(Value::as_str).unwrap_or_default();
    if family.parse::<Baseline>().is_ok() {
        let fitted = Fitted::load(folder)?;
        return answer_all(
            |texts| {
                let values = fitted.log_probabilities(texts.iter().map(String::as_str));
                let values = values.into_iter().map(|x| x as f32).collect();
                Ok(LogProbabilities { classes: fitted.label_names.len(), values })
            },
            |_| fitted.label_names.clone(),
        );
    }
    let oracle = Oracle::load(folder, how)?;
    answer_all(|texts| oracle.ask(texts), |classes| model::labels(&config, classes))
}

/// Prints what `ask` says of the texts on stdin; `names` gives the names of that many classes.
fn answer_all(
    ask: impl Fn(&[String]) -> Result<LogProbabilities, TrainError>,
    names: impl Fn(usize) -> Vec<String>,
) -> Result<(), TrainError> {
    let mut texts = Vec::new();
    // Empty before the first answer.
    let mut labels = Vec::new();
    let mut answer = |texts: &mut Vec<String>| {
        if texts.is_empty() {
            return Ok(());
        }
        let LogProbabilities { classes, values } = ask(texts)?;
        if labels.is_empty() {
            labels = names(classes);
            out(&json!({ "labels": labels }).to_string());
        }
        for row in values.chunks(classes.max(1)) {
            let best = row.iter().enumerate().fold(0, |best, (class, value)| {
                if row.get(best).is_none_or(|highest| value > highest) { class } else { best }
            });
            let probabilities: Vec<f32> = row.iter().map(|x| x.exp()).collect();
            let line = json!({ "label": labels.get(best), "probabilities": probabilities });
            out(&line.to_string());
        }
        texts.clear();
        Ok(())
    };
    each_line(|text| {
        texts.push(text.to_owned());
        if texts.len() == AT_ONCE { answer(&mut texts) } else { Ok(()) }
    })?;
    answer(&mut texts)
}

/// A network that answers.
struct Oracle {
    model: Loaded,
    tokenizer: Box<dyn Tokenizer>,
    place: Place,
    batch_size: usize,
}

impl Oracle {
    fn load(folder: &Path, how: &How) -> Result<Self, TrainError> {
        let (device, precision) = (how.device.clone(), how.precision);
        let place = Place::choose(&RunSpec { device, precision, ..RunSpec::default() })?;
        let request = Request::as_saved(place.device, place.kind);
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
        let length = how.max_length.map_or(most, |length| length.min(most));
        Ok(Self {
            tokenizer: model.family.tokenizer(folder, Some(length as usize))?,
            model,
            place,
            batch_size: how.batch_size.max(1) as usize,
        })
    }

    fn ask(&self, texts: &[String]) -> Result<LogProbabilities, TrainError> {
        let tokens = Tokens::of(&*self.tokenizer, texts, self.place.threads)?;
        must_fit(&tokens, self.model.limits.vocabulary)?;
        let rows: Vec<u32> = (0..texts.len() as u32).collect();
        let mode = Mode::inference(self.place.kind);
        let logits = |rows: &[u32]| {
            let (padding, device) = (self.model.padding, self.place.device);
            let inputs = batch::collate(rows.iter().copied(), &tokens, padding, device)?;
            self.model.network.forward(&inputs, mode)
        };
        let asked =
            log_probabilities(&tokens, &rows, self.batch_size, logits, &Stop::new(&|| false))?;
        asked.ok_or_else(|| TrainError::Failed("The texts were left without an answer.".into()))
    }
}
