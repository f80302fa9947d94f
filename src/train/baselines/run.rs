use std::collections::BTreeMap;
use std::env;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use serde_json::json;
use tch::Device;
use tuneboard::analysis::metrics::temperature_of;
use tuneboard::dataset::{self, Dataset};
use tuneboard::events::{Ending, EventKind, Level, Number, Saved, Split, Started};
use tuneboard::spec::{Baseline, RunSpec, Task, metrics};

use super::fitted::{Examples, Fitted, Learnt, Ready};
use super::vocabulary::Vocabulary;
use super::words::Text;
use crate::checkpoint::{Checkpoints, SCALE, THRESHOLDS};
use crate::device;
use crate::error::TrainError;
use crate::journal::{History, Journal};
use crate::objective::{self, Scale, Scores};
use crate::outcome::End;
use crate::outcome::Outcome;
use crate::splits;

/// Fits a baseline, judges it, saves it, tests it. Its one epoch is one step. An attempt that was cut
/// off is made again from the start: it takes seconds.
///
/// # Errors
/// Whatever is wrong with the data, or a full disk.
pub fn run(
    folder: &Path,
    spec: &RunSpec,
    model: Baseline,
    history: History,
    journal: &mut Journal,
    stop: &AtomicBool,
) -> Result<End, TrainError> {
    let root = env::current_dir().map_err(TrainError::read(Path::new(".")))?;
    let data = dataset::load(spec, &root)?;
    let checkpoints = Checkpoints::open(folder)?;

    let begun = Instant::now();
    let classes = data.label_names.len();
    let vocabulary = match model {
        Baseline::Majority => Vocabulary::default(),
        Baseline::CountNb => Vocabulary::learn(texts(&data, Split::Train), false),
        Baseline::TfidfNb | Baseline::TfidfLogreg | Baseline::TfidfRidge => {
            Vocabulary::learn(texts(&data, Split::Train), true)
        }
    };
    tell(spec, &data, (vocabulary.len() + 1) * classes, history, journal)?;
    let Some(learnt) = fit(spec, &data, model, vocabulary, stop)? else {
        return Ok((Ending::Stopped, None));
    };
    let mut fitted = learnt.fitted;
    let seconds = begun.elapsed().as_secs_f64();
    if let Some(note) = learnt.note {
        journal.note(Level::Warning, note)?;
    }
    journal.step = 1;

    let rate = |count: usize| Number(count as f64 / seconds);
    let mut train = learning(&mut fitted, &data);
    train.extend([
        (metrics::EXAMPLES_PER_S.to_owned(), rate(data.train.len())),
        (metrics::TOKENS_PER_S.to_owned(), rate(learnt.words as usize)),
    ]);
    let val = outcome(&mut fitted, &data, Split::Val);
    train.extend(device::peak_memory(Device::Cpu));
    let temperature = val.predictions.as_ref().and_then(temperature_of);
    val.report(journal, folder, (Split::Val, 1), Some(train))?;
    checkpoints.write("best", |write| fitted.save(write))?;
    let path = "checkpoints/best";
    journal.write(EventKind::Saved { what: Saved::Best, epoch: 1, path: path.to_owned() })?;
    if stop.load(Ordering::Relaxed) {
        return Ok((Ending::Stopped, Some(1)));
    }
    // The test rows are judged by what was saved: what `predict` will read is what was measured.
    let mut saved = Fitted::load(&folder.join(path))?;
    let test = outcome(&mut saved, &data, Split::Test).with_sureness(temperature);
    test.report(journal, folder, (Split::Test, 1), None)?;
    Ok((Ending::Done, Some(1)))
}

fn tell(
    spec: &RunSpec,
    data: &Dataset,
    parameters: usize,
    history: History,
    journal: &mut Journal,
) -> Result<(), TrainError> {
    if history.attempts > 0 {
        journal.write(EventKind::Resumed { epoch: 0, attempt: history.attempts + 1 })?;
    }
    journal.write(EventKind::Started(Box::new(Started {
        spec_hash: spec.hash(),
        device: "cpu".to_owned(),
        threads: 1,
        precision: "fp64".to_owned(),
        parameters: parameters as u64,
        epochs: 1,
        total_steps: 1,
        ..history.started(data)
    })))?;
    if history.attempts == 0 {
        journal.note(Level::Info, data.told(&spec.data))?;
        journal.warnings(&data.notes)?;
    }
    Ok(())
}

/// Fits to the train rows; `None` if `stop` was set on the way.
fn fit(
    spec: &RunSpec,
    data: &Dataset,
    model: Baseline,
    vocabulary: Vocabulary,
    stop: &AtomicBool,
) -> Result<Option<Learnt>, TrainError> {
    let (texts, names) = (texts(data, Split::Train), data.label_names.as_slice());
    let ready = || Ready { model, texts: texts.clone(), names };
    match spec.task {
        Task::Multilabel => {
            let flags: Vec<Vec<bool>> = (0..names.len())
                .map(|label| {
                    let has = |row: &u32| data.targets.set(*row, names.len()).get(label).copied();
                    data.train.iter().filter_map(has).collect()
                })
                .collect();
            let counts = data.targets.counts(data.train.iter().copied(), names.len());
            let weights = spec.class_weights.of_labels(names, &counts, data.train.len() as u64);
            Fitted::of_labels(ready(), &flags, &weights.unwrap_or_default(), vocabulary, stop)
        }
        Task::Regress => {
            let scale = Scale::of(data);
            let standard: Vec<Vec<f64>> =
                (0..names.len()).map(|target| scale.column(data, target)).collect();
            let learnt = Fitted::of_numbers(ready(), &standard, vocabulary, stop)?;
            Ok(learnt.map(|mut learnt| {
                learnt.fitted.keep([(SCALE.to_owned(), scale.entry(&[]))]);
                learnt
            }))
        }
        Task::Classify | Task::Lm | Task::Tag => {
            let weights = objective::class_weights(spec, data);
            let examples = Examples {
                labels: splits::labels(data, Split::Train),
                label_names: names,
                weights: weights.map_or_else(
                    || vec![1.0; names.len()],
                    |w| w.iter().copied().map(f64::from).collect(),
                ),
                texts,
            };
            Fitted::fit(model, &examples, vocabulary, stop)
        }
    }
}

/// The figures of the train rows.
fn learning(fitted: &mut Fitted, data: &Dataset) -> BTreeMap<String, Number> {
    if fitted.task == Task::Classify {
        let scores = judge(fitted, data, Split::Train);
        return BTreeMap::from([
            (metrics::LOSS.to_owned(), Number(scores.loss())),
            (metrics::ACC.to_owned(), Number(scores.accuracy())),
        ]);
    }
    let loss = outcome(fitted, data, Split::Train).value(metrics::LOSS);
    BTreeMap::from([(metrics::LOSS.to_owned(), Number(loss))])
}

/// What the model says of a split. The val rows decide from which probability on each label is given.
fn outcome(fitted: &mut Fitted, data: &Dataset, split: Split) -> Outcome {
    let rows = splits::rows(data, split);
    if fitted.task == Task::Classify {
        return objective::class_outcome(data, rows, judge(fitted, data, split));
    }
    let scores: Vec<f32> =
        fitted.scores(texts(data, split)).into_iter().map(|x| x as f32).collect();
    if fitted.task == Task::Regress {
        let scale = Scale::read(&json!(fitted.entries)).unwrap_or_default();
        return objective::number_outcome(data, &scale, rows, &scores);
    }
    let kept = fitted.entries.get(THRESHOLDS).cloned();
    let kept = kept.and_then(|list| serde_json::from_value(list).ok());
    let mut thresholds = kept.unwrap_or_else(|| vec![0.5; data.label_names.len()]);
    let outcome = objective::set_outcome(data, rows, &scores, &mut thresholds, split == Split::Val);
    fitted.keep([(THRESHOLDS.to_owned(), json!(thresholds))]);
    outcome
}

/// The texts or pairs of a split, in its order.
fn texts(data: &Dataset, split: Split) -> Vec<Text<'_>> {
    if data.pairs.is_empty() {
        return splits::texts(data, split).map(Text::One).collect();
    }
    let both = splits::texts(data, split).zip(splits::pairs(data, split));
    both.map(|(one, two)| Text::Pair(one, two)).collect()
}

fn judge(fitted: &Fitted, data: &Dataset, split: Split) -> Scores {
    let log_probabilities = fitted.log_probabilities(texts(data, split));
    let single: Vec<f32> = log_probabilities.into_iter().map(|x| x as f32).collect();
    objective::scores(splits::labels(data, split), &single, data.label_names.len())
}
