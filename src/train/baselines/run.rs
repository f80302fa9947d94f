use std::collections::BTreeMap;
use std::env;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use tch::Device;
use tuneboard::analysis::metrics::temperature_of;
use tuneboard::dataset::{self, Dataset};
use tuneboard::events::{Ending, EventKind, Level, Number, Saved, Split, Started};
use tuneboard::spec::{Baseline, RunSpec, metrics};

use super::fitted::{Examples, Fitted};
use super::vocabulary::Vocabulary;
use super::words::Text;
use crate::checkpoint::Checkpoints;
use crate::device;
use crate::error::TrainError;
use crate::journal::{History, Journal};
use crate::objective::{self, Scores};
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
    let weights = objective::class_weights(spec, &data);
    let examples = Examples {
        texts: texts(&data, Split::Train),
        labels: splits::labels(&data, Split::Train),
        label_names: &data.label_names,
        weights: weights
            .map_or_else(|| vec![1.0; classes], |w| w.iter().copied().map(f64::from).collect()),
    };
    let vocabulary = match model {
        Baseline::Majority => Vocabulary::default(),
        Baseline::CountNb => Vocabulary::learn(texts(&data, Split::Train), false),
        Baseline::TfidfNb | Baseline::TfidfLogreg => {
            Vocabulary::learn(texts(&data, Split::Train), true)
        }
    };
    tell(spec, &data, (vocabulary.len() + 1) * classes, history, journal)?;
    let Some(learnt) = Fitted::fit(model, &examples, vocabulary, stop)? else {
        return Ok((Ending::Stopped, None));
    };
    let seconds = begun.elapsed().as_secs_f64();
    if let Some(note) = learnt.note {
        journal.note(Level::Warning, note)?;
    }
    journal.step = 1;

    let scores = judge(&learnt.fitted, &data, Split::Train);
    let rate = |count: usize| Number(count as f64 / seconds);
    let mut train = BTreeMap::from([
        (metrics::LOSS.to_owned(), Number(scores.loss())),
        (metrics::ACC.to_owned(), Number(scores.accuracy())),
        (metrics::EXAMPLES_PER_S.to_owned(), rate(data.train.len())),
        (metrics::TOKENS_PER_S.to_owned(), rate(learnt.words as usize)),
    ]);
    let val = outcome(&learnt.fitted, &data, Split::Val);
    train.extend(device::peak_memory(Device::Cpu));
    let temperature = val.predictions.as_ref().and_then(temperature_of);
    val.report(journal, folder, (Split::Val, 1), Some(train))?;
    checkpoints.write("best", |write| learnt.fitted.save(write))?;
    let path = "checkpoints/best";
    journal.write(EventKind::Saved { what: Saved::Best, epoch: 1, path: path.to_owned() })?;
    if stop.load(Ordering::Relaxed) {
        return Ok((Ending::Stopped, Some(1)));
    }
    // The test rows are judged by what was saved: what `predict` will read is what was measured.
    let saved = Fitted::load(&folder.join(path))?;
    let test = outcome(&saved, &data, Split::Test).with_sureness(temperature);
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

fn outcome(fitted: &Fitted, data: &Dataset, split: Split) -> Outcome {
    objective::class_outcome(data, splits::rows(data, split), judge(fitted, data, split))
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
