//! `task=multilabel`: any number of labels per text.

use serde_json::{Value, json};
use tch::{Device, Kind, Reduction, Tensor};
use tuneboard::analysis::metrics::{Multilabel, best_thresholds, figures, given};
use tuneboard::dataset::Dataset;
use tuneboard::dataset::predictions::{Pass, Sets};
use tuneboard::events::{Number, Split};
use tuneboard::spec::{Loss, Task, metrics};

use super::encoded::Encoded;
use super::whole::{self, Aim, scored, unmet};
use super::{Opened, Setup, Stop};
use crate::checkpoint::THRESHOLDS;
use crate::error::TrainError;
use crate::native;
use crate::outcome::Outcome;

/// A classifier of each of the data's labels.
///
/// # Errors
/// As [`super::open`].
pub fn open(setup: &Setup, data: Dataset) -> Result<Opened, TrainError> {
    let spec = setup.spec;
    whole::open(setup, data, Task::Multilabel, |_, data| {
        let labels = data.label_names.len();
        let counts = data.targets.counts(data.train.iter().copied(), labels);
        let rows = data.train.len() as u64;
        let weights = spec.class_weights.of_labels(&data.label_names, &counts, rows);
        let weights = weights.unwrap_or_else(|| vec![1.0; labels]);
        let aim = Labels {
            weights: Tensor::f_from_slice(&weights)?.f_to_device(setup.place.device)?,
            focal: (spec.loss == Loss::Focal).then_some(spec.focal_gamma),
            thresholds: vec![0.5; labels],
            device: setup.place.device,
            data,
        };
        Ok((aim, Vec::new()))
    })
}

struct Labels {
    data: Dataset,
    /// Of the rows that have each label, `[labels]`.
    weights: Tensor,
    /// The exponent of the focal loss, if it is asked for.
    focal: Option<f64>,
    /// Of each label, by the last evaluation of all val rows.
    thresholds: Vec<f64>,
    device: Device,
}

impl Aim for Labels {
    /// Of each row the mean over the labels.
    fn learning(&self, scores: &Tensor, rows: &[u32]) -> Result<(Tensor, Tensor, u64), TrainError> {
        let labels = self.data.label_names.len();
        let flags = rows.iter().flat_map(|row| self.data.targets.set(*row, labels));
        let flags: Vec<f32> = flags.map(|has| f32::from(u8::from(*has))).collect();
        let flags = native::send(&Tensor::f_from_slice(&flags)?.f_view_as(scores)?, self.device)?;
        let sum = match self.focal {
            Some(gamma) => {
                focal(scores, &flags, (&self.weights, 1.0), gamma)?.f_sum(None::<Kind>)?
            }
            None => crossed(scores, &flags, Some(&self.weights), Reduction::Sum)?,
        };
        unmet(sum.f_div_scalar(labels as f64)?, rows)
    }

    fn evaluate(
        &mut self,
        texts: &mut Encoded,
        split: Split,
        most: Option<u64>,
        stop: &Stop,
    ) -> Result<Option<Outcome>, TrainError> {
        let is_tuning = split == Split::Val && most.is_none();
        scored(texts, (split, most), stop, |rows, scores| {
            outcome(&self.data, rows, scores, &mut self.thresholds, is_tuning)
        })
    }

    fn tuned(&self) -> Vec<(String, Value)> {
        vec![(THRESHOLDS.to_owned(), json!(self.thresholds))]
    }

    fn take_up(&mut self, config: &Value) {
        let kept =
            config.get(THRESHOLDS).and_then(|list| serde_json::from_value(list.clone()).ok());
        if let Some(kept) = kept.filter(|kept: &Vec<f64>| kept.len() == self.thresholds.len()) {
            self.thresholds = kept;
        }
    }
}

/// The figures and predictions of `rows`, from logits `[rows * labels]`. `thresholds` are those of the labels; if
/// `is_tuning` they become the ones that are best for these rows.
pub fn outcome(
    data: &Dataset,
    rows: &[u32],
    scores: &[f32],
    thresholds: &mut Vec<f64>,
    is_tuning: bool,
) -> Outcome {
    let labels = data.label_names.len().max(1);
    let column = |label: usize| scores.iter().skip(label).step_by(labels).map(|z| f64::from(*z));
    let truth: Vec<Vec<bool>> = (0..labels)
        .map(|label| {
            let has = |row: &u32| data.targets.set(*row, labels).get(label).copied();
            rows.iter().filter_map(has).collect()
        })
        .collect();
    let probabilities: Vec<Vec<f32>> = (0..labels)
        .map(|label| column(label).map(|z| (1.0 / (1.0 + (-z).exp())) as f32).collect())
        .collect();
    let mut loss = vec![0.0_f64; rows.len()];
    for (label, truth) in truth.iter().enumerate() {
        for ((loss, z), has) in loss.iter_mut().zip(column(label)).zip(truth) {
            // -log s(z) where the label is there, else -log s(-z); without overflow.
            let z = if *has { -z } else { z };
            *loss += (z.max(0.0) + (-z.abs()).exp().ln_1p()) / labels as f64;
        }
    }
    if is_tuning {
        *thresholds = best_thresholds(&truth, &probabilities);
    }
    let mean_loss = loss.iter().sum::<f64>() / rows.len() as f64;
    let tuned = Multilabel::of(&truth, &given(&probabilities, thresholds));
    let tuned = tuned.map_or(f64::NAN, |m| m.macro_.f1);
    let pass = Pass::Sets(Sets {
        rows: rows.iter().filter_map(|r| data.rows.get(*r as usize).copied()).collect(),
        names: data.label_names.clone(),
        truth,
        probabilities,
        loss: loss.into_iter().map(|x| x as f32).collect(),
    });
    let more = [(metrics::LOSS, mean_loss), (metrics::TUNED_F1, tuned)];
    let values = figures(&pass).into_iter().chain(more);
    Outcome {
        values: values.map(|(name, value)| (name.to_owned(), Number(value))).collect(),
        confusion: None,
        predictions: Some(pass),
    }
}

/// Binary cross-entropy of scores `[rows, labels]` and flags of the same shape; `weights` `[labels]` are those
/// of the rows that have each label (torch's `pos_weight`).
///
/// # Errors
/// What libtorch reports.
pub fn crossed(
    scores: &Tensor,
    flags: &Tensor,
    weights: Option<&Tensor>,
    reduction: Reduction,
) -> Result<Tensor, TrainError> {
    Ok(scores.f_binary_cross_entropy_with_logits(flags, None::<&Tensor>, weights, reduction)?)
}

/// The binary focal loss (Lin et al. 2017) of each score, `[rows, labels]`: `a (1 - p)^gamma (-log p)` with p the
/// probability of what is true, and a the first of `weights` where the label is there, else the second.
///
/// # Errors
/// What libtorch reports.
pub fn focal(
    scores: &Tensor,
    flags: &Tensor,
    weights: (&Tensor, f64),
    gamma: f64,
) -> Result<Tensor, TrainError> {
    // The score of what is true.
    let sign = flags.f_mul_scalar(2.0)?.f_sub_scalar(1.0)?;
    let own = scores.f_mul(&sign)?;
    let rest = own.f_neg()?.f_log_sigmoid()?.f_exp()?;
    let rest = if gamma < 1.0 { rest.f_clamp_min(1e-12)? } else { rest };
    let loss = own.f_log_sigmoid()?.f_neg()?.f_mul(&rest.f_pow_tensor_scalar(gamma)?)?;
    let absent = flags.f_neg()?.f_add_scalar(1.0)?.f_mul_scalar(weights.1)?;
    Ok(loss.f_mul(&flags.f_mul(weights.0)?.f_add(&absent)?)?)
}
