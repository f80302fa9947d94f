//! What a whole pass over a split leaves behind: figures, confusion counts, predictions.

use std::collections::BTreeMap;
use std::path::Path;

use tuneboard::analysis::metrics::macro_f1;
use tuneboard::dataset::Dataset;
use tuneboard::dataset::predictions::{self, Predictions};
use tuneboard::events::{Kind, Number, Saved, Split};
use tuneboard::spec::Rates;

use crate::error::TrainError;
use crate::journal::Journal;
use crate::metrics::Scores;

/// Which pass it was.
pub struct Pass {
    /// The rows it went over.
    pub split: Split,
    /// The epoch whose weights were judged.
    pub epoch: u32,
    /// The train figures of the same epoch, told first.
    pub before: Option<BTreeMap<String, Number>>,
    /// Figures beside the usual ones.
    pub more: Vec<(String, Number)>,
}

/// Tells of a pass and writes its predictions into `predictions/` of the run's `folder`, which must
/// exist. Gives the mean loss. `scores` are those of the split's rows, in their order.
///
/// # Errors
/// A full disk, say.
pub fn report(
    journal: &mut Journal,
    folder: &Path,
    data: &Dataset,
    pass: Pass,
    scores: Scores,
) -> Result<f64, TrainError> {
    let Pass { split, epoch, before, more } = pass;
    let rows = rows(data, split);
    let classes = data.label_names.len();
    let counts = scores.confusion(classes);
    let loss = scores.loss();
    let values = [("loss", loss), ("acc", scores.accuracy()), ("f1", macro_f1(&counts))]
        .map(|(name, value)| (name.to_owned(), Number(value)));

    let path = format!("predictions/{split}-{epoch:04}.parquet");
    let predictions = Predictions {
        rows: rows.iter().filter_map(|r| data.rows.get(*r as usize).copied()).collect(),
        probabilities: (0..classes)
            .map(|c| scores.probabilities.iter().skip(c).step_by(classes).copied().collect())
            .collect(),
        labels: scores.labels,
        predicted: scores.predicted,
        loss: scores.losses,
        label_names: data.label_names.clone(),
    };
    predictions::write(&folder.join(&path), &predictions)
        .map_err(|e| TrainError::Failed(e.to_string()))?;
    if let Some(values) = before {
        journal.write(Kind::Eval { split: Split::Train, epoch, values })?;
    }
    let values = values.into_iter().chain(more).collect();
    journal.write(Kind::Eval { split, epoch, values })?;
    journal.write(Kind::Confusion { split, epoch, counts })?;
    journal.write(Kind::Saved { what: Saved::Predictions, epoch, path })?;
    Ok(loss)
}

/// The learning rate of each group of weights at step `step`, where they differ.
pub fn group_rates(rates: &Rates, step: u64) -> Vec<(String, Number)> {
    let groups = if rates.differ() { 0..rates.groups() } else { 0..0 };
    let rate = |group| {
        let name = format!("train/step_lr/{}", rates.name(group));
        (name, Number(rates.of_group(step, group)))
    };
    groups.map(rate).collect()
}

/// The rows of a split, as indices into the data set.
pub fn rows(data: &Dataset, split: Split) -> &[u32] {
    match split {
        Split::Train => &data.train,
        Split::Val => &data.val,
        Split::Test => &data.test,
    }
}

/// The texts of a split, in its order.
pub fn texts(data: &Dataset, split: Split) -> impl Iterator<Item = &str> {
    let text = |row: &u32| data.texts.get(*row as usize).map(String::as_str);
    rows(data, split).iter().filter_map(text)
}
