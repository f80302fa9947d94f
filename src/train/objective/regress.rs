//! `task=regress`: one or more numbers per text.

use serde_json::{Value, json};
use tch::{Device, Reduction, Tensor};
use tuneboard::analysis::metrics::figures;
use tuneboard::dataset::Dataset;
use tuneboard::dataset::predictions::{Numbers, Pass};
use tuneboard::events::{Number, Split};
use tuneboard::spec::{Loss, RunSpec, Task, metrics};

use super::encoded::Encoded;
use super::whole::{self, Aim, scored, unmet};
use super::{Opened, Setup, Stop};
use crate::checkpoint::SCALE;
use crate::error::TrainError;
use crate::model::Parameter;
use crate::native;
use crate::outcome::Outcome;

/// A model of the data's numbers.
///
/// # Errors
/// As [`super::open`].
pub fn open(setup: &Setup, data: Dataset) -> Result<Opened, TrainError> {
    whole::open(setup, data, Task::Regress, |texts, data| {
        let scale = Scale::of(&data);
        let entry = scale.entry(&texts.model.parameters);
        let aim = Numerical { data, scale, huber: huber(setup.spec), device: setup.place.device };
        Ok((aim, vec![(SCALE.to_owned(), entry)]))
    })
}

/// Where Huber's loss becomes linear, if it is asked for.
fn huber(spec: &RunSpec) -> Option<f64> {
    (spec.loss == Loss::Huber).then_some(spec.huber_delta)
}

/// The mean and the standard deviation (of the population) of each target over the train rows. The network
/// learns targets in standard deviations from the mean: numbers around 0, whatever their units.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Scale {
    /// Of each target.
    mean: Vec<f64>,
    /// Of each target; 1 where all are equal.
    sd: Vec<f64>,
}

impl Scale {
    /// Of the train rows.
    pub fn of(data: &Dataset) -> Self {
        let targets = data.label_names.len();
        let rows = data.train.len().max(1) as f64;
        let column = |at: usize| {
            let value = move |row: &u32| data.targets.numbers(*row, targets).get(at).copied();
            data.train.iter().filter_map(value)
        };
        let mut scale = Self::default();
        for at in 0..targets {
            let mean = column(at).sum::<f64>() / rows;
            let square = column(at).map(|x| (x - mean) * (x - mean)).sum::<f64>() / rows;
            scale.mean.push(mean);
            scale.sd.push(if square > 0.0 { square.sqrt() } else { 1.0 });
        }
        scale
    }

    /// From a checkpoint's config.json; `None` for a head that gives numbers as they are.
    pub fn read(config: &Value) -> Option<Self> {
        let list = |key: &str| serde_json::from_value(config.get(SCALE)?.get(key)?.clone()).ok();
        Some(Self { mean: list("mean")?, sd: list("sd")? })
    }

    /// The entry of config.json, with the name of the head's last layer, which `tuneboard export` writes in the
    /// units of the targets.
    pub fn entry(&self, parameters: &[Parameter]) -> Value {
        let last = parameters.iter().rfind(|p| {
            p.is_head
                && p.name.ends_with(".weight")
                && p.tensor.size().first() == Some(&(self.sd.len() as i64))
        });
        // As the head is called in a whole model, not beside an adapter.
        let head = last.and_then(|p| p.name.strip_suffix(".weight"));
        let head = head.map(|name| name.trim_start_matches("base_model.model."));
        json!({ "mean": self.mean, "sd": self.sd, "head": head })
    }

    /// In the units of the targets.
    pub fn back(&self, score: f32, target: usize) -> f64 {
        let of = |list: &[f64], none| list.get(target).copied().unwrap_or(none);
        f64::from(score) * of(&self.sd, 1.0) + of(&self.mean, 0.0)
    }

    /// A target of the train rows, in standard deviations from the mean.
    pub fn column(&self, data: &Dataset, target: usize) -> Vec<f64> {
        let value =
            |row: &u32| data.targets.numbers(*row, data.label_names.len()).get(target).copied();
        data.train.iter().filter_map(value).map(|x| self.standard(x, target)).collect()
    }

    fn standard(&self, value: f64, target: usize) -> f64 {
        let of = |list: &[f64], none| list.get(target).copied().unwrap_or(none);
        (value - of(&self.mean, 0.0)) / of(&self.sd, 1.0)
    }
}

struct Numerical {
    data: Dataset,
    scale: Scale,
    huber: Option<f64>,
    device: Device,
}

impl Numerical {
    fn targets(&self) -> usize {
        self.data.label_names.len()
    }
}

/// The targets of some rows in standard deviations from the mean, row by row.
fn standard(data: &Dataset, scale: &Scale, rows: &[u32]) -> Vec<f32> {
    let of_row = |row: &u32| {
        let values = data.targets.numbers(*row, data.label_names.len()).iter().enumerate();
        values.map(|(target, value)| scale.standard(*value, target) as f32)
    };
    rows.iter().flat_map(of_row).collect()
}

/// The figures and predictions of `rows`, from scores in standard deviations, `[rows * targets]`.
pub fn outcome(data: &Dataset, scale: &Scale, rows: &[u32], scores: &[f32]) -> Outcome {
    let targets = data.label_names.len().max(1);
    let standard = standard(data, scale, rows);
    let loss: Vec<f32> = scores
        .chunks(targets)
        .zip(standard.chunks(targets))
        .map(|(z, y)| z.iter().zip(y).map(|(z, y)| (z - y) * (z - y)).sum::<f32>() / targets as f32)
        .collect();
    let truth = (0..targets).map(|target| {
        let value = |row: &u32| data.targets.numbers(*row, targets).get(target).copied();
        rows.iter().filter_map(value).collect::<Vec<f64>>()
    });
    let predicted = (0..targets).map(|target| {
        let column = scores.iter().skip(target).step_by(targets);
        column.map(|z| scale.back(*z, target)).collect::<Vec<f64>>()
    });
    let pass = Numbers {
        rows: rows.iter().filter_map(|r| data.rows.get(*r as usize).copied()).collect(),
        names: data.label_names.clone(),
        truth: truth.collect(),
        predicted: predicted.collect(),
        loss,
    };
    let mean_loss = pass.loss.iter().map(|x| f64::from(*x)).sum::<f64>() / rows.len() as f64;
    let pass = Pass::Numbers(pass);
    let values = figures(&pass).into_iter().chain([(metrics::LOSS, mean_loss)]);
    Outcome {
        values: values.map(|(name, value)| (name.to_owned(), Number(value))).collect(),
        confusion: None,
        predictions: Some(pass),
    }
}

impl Aim for Numerical {
    /// Of each row the mean over its targets.
    fn learning(&self, scores: &Tensor, rows: &[u32]) -> Result<(Tensor, Tensor, u64), TrainError> {
        let targets =
            Tensor::f_from_slice(&standard(&self.data, &self.scale, rows))?.f_view_as(scores)?;
        let targets = native::send(&targets, self.device)?;
        let sum = errors(scores, &targets, self.huber, Reduction::Sum)?;
        unmet(sum.f_div_scalar(self.targets() as f64)?, rows)
    }

    fn evaluate(
        &mut self,
        texts: &mut Encoded,
        split: Split,
        most: Option<u64>,
        stop: &Stop,
    ) -> Result<Option<Outcome>, TrainError> {
        scored(texts, (split, most), stop, |rows, scores| {
            outcome(&self.data, &self.scale, rows, scores)
        })
    }
}

/// Squared errors, or Huber's loss with `huber` as its delta, of scores and targets of one shape.
///
/// # Errors
/// What libtorch reports.
pub fn errors(
    scores: &Tensor,
    targets: &Tensor,
    huber: Option<f64>,
    reduction: Reduction,
) -> Result<Tensor, TrainError> {
    Ok(match huber {
        Some(delta) => scores.f_huber_loss(targets, reduction, delta)?,
        None => scores.f_mse_loss(targets, reduction)?,
    })
}

#[cfg(test)]
mod tests {
    use tuneboard::dataset::Targets;

    use super::*;

    #[test]
    fn targets_are_learnt_in_standard_deviations_and_given_back_in_their_units() {
        let data = Dataset {
            label_names: vec!["x".into(), "y".into()],
            targets: Targets::Numbers(vec![1000.0, 5.0, 3000.0, 5.0, 9999.0, 7.0]),
            train: vec![0, 1],
            val: vec![2],
            ..Dataset::default()
        };
        let scale = Scale::of(&data);
        assert_eq!(scale, Scale { mean: vec![2000.0, 5.0], sd: vec![1000.0, 1.0] });
        assert_eq!(
            (scale.standard(3000.0, 0), scale.back(1.0, 0), scale.back(0.5, 1)),
            (1.0, 3000.0, 5.5)
        );
        let config = json!({ SCALE: scale.entry(&[]) });
        assert_eq!(Scale::read(&config), Some(scale.clone()));
        let outcome = outcome(&data, &scale, &[0, 1], &[-1.0, 0.0, 1.0, 1.0]);
        assert_eq!(outcome.value("loss"), 0.25);
        assert_eq!(outcome.value("mae"), 0.25, "the mean of 0 and 0.5");
        assert!(outcome.value("pearson").is_nan(), "of a target that is constant");
        let Some(Pass::Numbers(pass)) = outcome.predictions else { panic!() };
        assert_eq!(pass.predicted, [[1000.0, 3000.0], [5.0, 6.0]]);
    }
}
