//! `task=tag`: a tag for each word.

use std::collections::BTreeMap;
use std::ops::Range;

use tch::{Device, Kind, Reduction, Tensor};
use tuneboard::analysis::metrics::{EntityScores, Tagging};
use tuneboard::dataset::Dataset;
use tuneboard::dataset::predictions::{Pass as Predicted, Tags};
use tuneboard::events::{Number, Split};
use tuneboard::spec::{Task, metrics};

use super::encoded::{Encoded, Head};
use super::judge::flat;
use super::loss::{self, Loss};
use super::whole::{Aim, OfTexts, keeps_head, notes};
use super::{Opened, Setup, Stop};
use crate::batch::evaluation;
use crate::checkpoint::Assets;
use crate::error::TrainError;
use crate::model::Reads;
use crate::native;
use crate::outcome::Outcome;
use crate::splits;
use crate::state::Tally;
use crate::tokenize::{Windows, cut_windows};

/// Rows of its texts are windows.
struct Tag {
    places: Places,
    data: Dataset,
    loss: Loss,
    device: Device,
}

/// Where the words of the data stand in the windows.
#[derive(Debug, Default)]
struct Places {
    /// Of each window: its row.
    rows: Vec<u32>,
    /// Of each window: its words that have a token, as the token's place and the word's.
    words: Vec<Vec<(u32, u32)>>,
    /// Of each row: its windows.
    windows: Vec<Range<u32>>,
}

/// A tagger with the data's tags.
///
/// # Errors
/// As [`super::open`].
pub fn open(setup: &Setup, data: Dataset) -> Result<Opened, TrainError> {
    let labels = &data.label_names;
    let mut places = Places::default();
    let head = |config: &_| Head {
        outputs: labels.len(),
        of_tokens: true,
        keep: keeps_head(config, Task::Tag, labels),
    };
    let windows = Encoded::with(setup, head, |_, model| {
        let length = setup.spec.max_length as usize;
        let tokenizer = model.family.tokenizer(&setup.source.folder, Some(length))?;
        let rows: Vec<&[String]> =
            (0..data.texts.len() as u32).map(|row| data.targets.tagged(row).0).collect();
        let Windows { tokens, rows, words } =
            cut_windows(&*tokenizer, &rows, length, setup.place.threads)?;
        let mut of_rows = vec![0..0; data.texts.len()];
        for (window, row) in (0_u32..).zip(&rows) {
            if let Some(range) = of_rows.get_mut(*row as usize) {
                let is_first = range.start == range.end;
                *range = if is_first { window..window + 1 } else { range.start..window + 1 };
            }
        }
        places = Places { rows, words, windows: of_rows };
        let all = [Split::Train, Split::Val, Split::Test];
        Ok((tokens, all.map(|split| places.of(splits::rows(&data, split)))))
    })?;
    let notes = notes(setup.spec, &windows.model);
    let assets = Assets::new(&setup.source.folder, &windows.model, Task::Tag, labels)?;
    let loss = Loss::of_tags(setup.spec, &data, setup.place.device)?;
    let device = setup.place.device;
    let aim = Tag { places, data, loss, device };
    Ok(Opened { objective: Box::new(OfTexts { texts: windows, aim }), assets, notes })
}

impl Places {
    /// The windows of some rows.
    fn of(&self, rows: &[u32]) -> Vec<u32> {
        rows.iter().filter_map(|row| self.windows.get(*row as usize)).cloned().flatten().collect()
    }

    /// The words of some windows: row and word of each.
    fn words(&self, windows: &[u32]) -> impl Iterator<Item = (u32, u32)> {
        windows.iter().flat_map(|window| {
            let row = self.rows.get(*window as usize).copied().unwrap_or_default();
            let words = self.words.get(*window as usize).into_iter().flatten();
            words.map(move |(_, word)| (row, *word))
        })
    }

    /// The places of these words among all tokens of a batch whose rows have `length` tokens.
    fn tokens(&self, windows: &[u32], length: i64) -> Vec<i64> {
        let of = |(at, window): (i64, &u32)| {
            let words = self.words.get(*window as usize).into_iter().flatten();
            words.map(move |(token, _)| at * length + i64::from(*token))
        };
        (0_i64..).zip(windows).flat_map(of).collect()
    }
}

impl Tag {
    fn tag(&self, row: u32, word: u32) -> u32 {
        self.data.targets.tagged(row).1.get(word as usize).copied().unwrap_or_default()
    }

    /// The scores of the words of some windows, `[words, tags]`, of those of all tokens,
    /// `[windows, length, tags]`.
    fn of_words(&self, scores: &Tensor, windows: &[u32]) -> Result<Tensor, TrainError> {
        let (_, length, tags) = scores.size3()?;
        let places = Tensor::f_from_slice(&self.places.tokens(windows, length))?;
        let all = scores.f_contiguous()?.f_view([-1, tags])?;
        Ok(all.f_index_select(0, &native::send(&places, self.device)?)?)
    }

    /// The tags of the words of some windows, int64 `[words]`.
    fn targets(&self, windows: &[u32]) -> Result<Tensor, TrainError> {
        let tags: Vec<i64> =
            self.places.words(windows).map(|(row, word)| i64::from(self.tag(row, word))).collect();
        native::send(&Tensor::f_from_slice(&tags)?, self.device)
    }
}

impl Aim for Tag {
    /// The shares of a step add up to the mean over all its words.
    fn weight(&self, windows: &[u32]) -> f64 {
        self.places.words(windows).map(|(row, word)| self.loss.share(self.tag(row, word))).sum()
    }

    fn learning(
        &self,
        scores: &Tensor,
        windows: &[u32],
    ) -> Result<(Tensor, Tensor, u64), TrainError> {
        let targets = self.targets(windows)?;
        let scores = self.of_words(scores, windows)?;
        let loss = self.loss.learning(&scores, &targets, Reduction::Sum)?;
        Ok((loss, loss::right(&scores, &targets)?, targets.numel() as u64))
    }

    /// Targets are words.
    fn has_examples(&self) -> bool {
        false
    }

    fn train_values(&self, tally: &Tally) -> BTreeMap<String, Number> {
        let words = tally.rows.max(1) as f64;
        BTreeMap::from([
            (metrics::LOSS.to_owned(), Number(tally.loss / words)),
            (metrics::ACC.to_owned(), Number(tally.right as f64 / words)),
            (metrics::TOKENS_PER_S.to_owned(), Number(tally.tokens as f64 / tally.seconds)),
        ])
    }

    fn evaluate(
        &mut self,
        texts: &mut Encoded,
        split: Split,
        most: Option<u64>,
        stop: &Stop,
    ) -> Result<Option<Outcome>, TrainError> {
        let rows = splits::sample(splits::rows(&self.data, split), most);
        let windows = self.places.of(&rows);
        let none = self.data.label_names.iter().position(|name| name == "O").unwrap_or(0) as u32;
        // A word without a token, as of invisible characters alone, is nothing.
        let mut said: BTreeMap<u32, Vec<u32>> = rows
            .iter()
            .map(|row| (*row, vec![none; self.data.targets.tagged(*row).1.len()]))
            .collect();
        let mut losses: BTreeMap<u32, (f64, u32)> = BTreeMap::new();
        let tags = self.data.label_names.len();
        let numbers: usize = said.values().map(|words| words.len() * tags).sum();
        let mut kept: BTreeMap<u32, Vec<f32>> = if numbers <= Tags::MOST {
            said.iter().map(|(row, words)| (*row, vec![f32::NAN; words.len() * tags])).collect()
        } else {
            BTreeMap::new()
        };
        let _guard = tch::no_grad_guard();
        let judging = texts.judging();
        let mut done = 0;
        for positions in evaluation(&windows, &texts.tokens, texts.evaluation_batch()) {
            if stop.asked_at(done, windows.len()) {
                return Ok(None);
            }
            done += positions.len();
            let batch: Vec<u32> =
                positions.iter().filter_map(|at| windows.get(*at).copied()).collect();
            let scores = self.of_words(&judging(&batch)?, &batch)?;
            let all = flat(&scores.f_log_softmax(-1, Kind::Float)?)?;
            for ((row, word), values) in self.places.words(&batch).zip(all.chunks(tags.max(1))) {
                let best = (0..values.len())
                    .fold(0, |best, at| if values[at] > values[best] { at } else { best });
                if let Some(place) = said.get_mut(&row).and_then(|row| row.get_mut(word as usize)) {
                    *place = best as u32;
                }
                let place = word as usize * tags..(word as usize + 1) * tags;
                if let Some(place) = kept.get_mut(&row).and_then(|row| row.get_mut(place)) {
                    place.copy_from_slice(values);
                }
                let own = values.get(self.tag(row, word) as usize).copied().unwrap_or(f32::NAN);
                let (sum, words) = losses.entry(row).or_default();
                *sum -= f64::from(own);
                *words += 1;
            }
        }
        drop(judging);
        let said: Vec<&[u32]> =
            rows.iter().filter_map(|row| said.get(row)).map(Vec::as_slice).collect();
        Ok(Some(outcome(&self.data, &rows, &said, &losses, kept)))
    }
}

/// The figures and predictions of `rows`, whose words were given the tags `said`. `losses` are the sum over the
/// words of a row, and how many these are; `kept` are logarithms of probabilities, `[word * tags + tag]` of each row, or
/// nothing at all.
fn outcome(
    data: &Dataset,
    rows: &[u32],
    said: &[&[u32]],
    losses: &BTreeMap<u32, (f64, u32)>,
    mut kept: BTreeMap<u32, Vec<f32>>,
) -> Outcome {
    let name = |tag: &u32| data.label_names.get(*tag as usize).map_or("", String::as_str);
    let named = |tags: &[u32]| tags.iter().map(name).collect::<Vec<&str>>();
    let truth: Vec<Vec<&str>> = rows.iter().map(|row| named(data.targets.tagged(*row).1)).collect();
    let predicted: Vec<Vec<&str>> = said.iter().map(|tags| named(tags)).collect();
    let usual = EntityScores::of(&truth, &predicted, Tagging::Lenient);
    let strictly = Tagging::strict(data.label_names.iter().map(String::as_str));
    let strict = EntityScores::of(&truth, &predicted, strictly);
    let mut confusion = vec![vec![0; data.label_names.len()]; data.label_names.len()];
    for (row, said) in rows.iter().zip(said) {
        for (tag, said) in data.targets.tagged(*row).1.iter().zip(*said) {
            let cell = confusion.get_mut(*tag as usize).and_then(|r| r.get_mut(*said as usize));
            if let Some(cell) = cell {
                *cell += 1;
            }
        }
    }
    let sum: f64 = losses.values().map(|(sum, _)| sum).sum();
    let words: u32 = losses.values().map(|(_, words)| words).sum();
    let values = [
        (metrics::LOSS, sum / f64::from(words)),
        (metrics::F1, usual.micro().f1),
        (metrics::PRECISION, usual.micro().precision),
        (metrics::RECALL, usual.micro().recall),
        (metrics::ACC, usual.tag_accuracy.unwrap_or(f64::NAN)),
        (metrics::STRICT_F1, strict.micro().f1),
    ];
    let mean =
        |row: &u32| losses.get(row).map_or(0.0, |(sum, words)| (sum / f64::from(*words)) as f32);
    let owned = |rows: Vec<Vec<&str>>| -> Vec<Vec<String>> {
        rows.into_iter().map(|row| row.into_iter().map(str::to_owned).collect()).collect()
    };
    let pass = Tags {
        rows: rows.iter().filter_map(|r| data.rows.get(*r as usize).copied()).collect(),
        words: rows.iter().map(|row| data.targets.tagged(*row).0.to_vec()).collect(),
        truth: owned(truth),
        predicted: owned(predicted),
        loss: rows.iter().map(mean).collect(),
        names: if kept.is_empty() { Vec::new() } else { data.label_names.clone() },
        log_p: rows.iter().filter_map(|row| kept.remove(row)).collect(),
    };
    Outcome {
        values: values.map(|(name, value)| (name.to_owned(), Number(value))).into(),
        confusion: Some(confusion),
        predictions: Some(Predicted::Tags(pass)),
    }
}
