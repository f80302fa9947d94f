//! Passes put together: folds one behind the other, and members of an ensemble as one.

use std::collections::HashMap;

use super::{Numbers, Pass, Predictions, Sets, Tags};
use crate::spec::Task;

impl Pass {
    /// The rows of passes over different rows, one behind the other; `None` without a pass, or unless all have the
    /// same classes, labels or targets.
    pub fn joined(passes: Vec<Self>) -> Option<Self> {
        let mut passes = passes.into_iter();
        let mut whole = passes.next()?;
        for pass in passes {
            match (&mut whole, pass) {
                (Self::Classes(all), Self::Classes(more))
                    if all.label_names == more.label_names =>
                {
                    all.rows.extend(more.rows);
                    all.labels.extend(more.labels);
                    all.predicted.extend(more.predicted);
                    all.loss.extend(more.loss);
                    extend(&mut all.probabilities, more.probabilities);
                }
                (Self::Numbers(all), Self::Numbers(more)) if all.names == more.names => {
                    all.rows.extend(more.rows);
                    all.loss.extend(more.loss);
                    extend(&mut all.truth, more.truth);
                    extend(&mut all.predicted, more.predicted);
                }
                (Self::Sets(all), Self::Sets(more)) if all.names == more.names => {
                    all.rows.extend(more.rows);
                    all.loss.extend(more.loss);
                    extend(&mut all.truth, more.truth);
                    extend(&mut all.probabilities, more.probabilities);
                }
                (Self::Tags(all), Self::Tags(more)) => {
                    if all.names == more.names {
                        all.log_p.extend(more.log_p);
                    } else {
                        (all.names, all.log_p) = (Vec::new(), Vec::new());
                    }
                    all.rows.extend(more.rows);
                    all.loss.extend(more.loss);
                    all.words.extend(more.words);
                    all.truth.extend(more.truth);
                    all.predicted.extend(more.predicted);
                }
                _ => return None,
            }
        }
        Some(whole)
    }

    /// What passes over the same rows say together: the mean of their probabilities or numbers. Losses are those of
    /// the mean; of numbers they are unknown (NaN), since members may have learnt in other units.
    ///
    /// # Errors
    /// Tags of which no probabilities are kept; other rows, classes or truth. A fragment says which, of the pass at
    /// that place.
    pub fn mean(passes: &[Self]) -> Result<Self, (usize, String)> {
        let Some((first, others)) = passes.split_first() else {
            return Err((0, "there is no pass".to_owned()));
        };
        let mut aligned = vec![first.clone()];
        for (at, pass) in (1..).zip(others) {
            aligned
                .push(pass.in_order_of(first).ok_or((at, "was judged on other rows".to_owned()))?);
        }
        let of = |at: usize| aligned.get(at);
        let same = |is: &dyn Fn(&Self) -> bool| match (1..aligned.len())
            .find(|at| !of(*at).is_some_and(is))
        {
            Some(at) => Err((at, "learnt other classes, or of other labels".to_owned())),
            None => Ok(()),
        };
        match first {
            Self::Classes(one) => {
                same(
                    &|p| matches!(p, Self::Classes(p) if p.label_names == one.label_names && p.labels == one.labels),
                )?;
                let of = aligned.iter().filter_map(|p| {
                    if let Self::Classes(p) = p { Some(&p.probabilities) } else { None }
                });
                Ok(Self::Classes(Predictions::of_probabilities(one, mean(&of.collect::<Vec<_>>()))))
            }
            Self::Sets(one) => {
                same(
                    &|p| matches!(p, Self::Sets(p) if p.names == one.names && p.truth == one.truth),
                )?;
                let of = aligned.iter().filter_map(|p| {
                    if let Self::Sets(p) = p { Some(&p.probabilities) } else { None }
                });
                Ok(Self::Sets(Sets::of_probabilities(one, mean(&of.collect::<Vec<_>>()))))
            }
            Self::Numbers(one) => {
                same(
                    &|p| matches!(p, Self::Numbers(p) if p.names == one.names && p.truth == one.truth),
                )?;
                let of = aligned.iter().filter_map(|p| {
                    if let Self::Numbers(p) = p { Some(&p.predicted) } else { None }
                });
                let predicted = mean(&of.collect::<Vec<_>>());
                Ok(Self::Numbers(Numbers {
                    predicted,
                    loss: vec![f32::NAN; one.rows.len()],
                    ..one.clone()
                }))
            }
            Self::Tags(one) => {
                let of: Vec<&Tags> = aligned
                    .iter()
                    .filter_map(|p| if let Self::Tags(p) = p { Some(p) } else { None })
                    .collect();
                if let Some(at) = of.iter().position(|p| p.names.is_empty()) {
                    let why = format!(
                        "learnt task={}, and of its pass no probabilities are kept",
                        Task::Tag
                    );
                    return Err((at, why));
                }
                same(
                    &|p| matches!(p, Self::Tags(p) if p.names == one.names && p.truth == one.truth),
                )?;
                Ok(Self::Tags(mean_of_tags(one, &of)))
            }
        }
    }

    /// The same rows in the order of another pass; `None` if they are others.
    fn in_order_of(&self, first: &Self) -> Option<Self> {
        if self.rows() == first.rows() {
            return Some(self.clone());
        }
        let places: HashMap<u64, usize> = self.rows().iter().copied().zip(0..).collect();
        let order: Vec<usize> =
            first.rows().iter().map(|row| places.get(row).copied()).collect::<Option<_>>()?;
        if order.len() != self.rows().len() || places.len() != order.len() {
            return None;
        }
        Some(match self {
            Self::Classes(p) => Self::Classes(Predictions {
                rows: pick(&p.rows, &order),
                labels: pick(&p.labels, &order),
                predicted: pick(&p.predicted, &order),
                loss: pick(&p.loss, &order),
                probabilities: p.probabilities.iter().map(|c| pick(c, &order)).collect(),
                label_names: p.label_names.clone(),
            }),
            Self::Numbers(p) => Self::Numbers(Numbers {
                rows: pick(&p.rows, &order),
                loss: pick(&p.loss, &order),
                names: p.names.clone(),
                truth: p.truth.iter().map(|c| pick(c, &order)).collect(),
                predicted: p.predicted.iter().map(|c| pick(c, &order)).collect(),
            }),
            Self::Sets(p) => Self::Sets(Sets {
                rows: pick(&p.rows, &order),
                loss: pick(&p.loss, &order),
                names: p.names.clone(),
                truth: p.truth.iter().map(|c| pick(c, &order)).collect(),
                probabilities: p.probabilities.iter().map(|c| pick(c, &order)).collect(),
            }),
            Self::Tags(p) => Self::Tags(Tags {
                rows: pick(&p.rows, &order),
                loss: pick(&p.loss, &order),
                words: pick(&p.words, &order),
                truth: pick(&p.truth, &order),
                predicted: pick(&p.predicted, &order),
                names: p.names.clone(),
                log_p: pick(&p.log_p, &order),
            }),
        })
    }
}

impl Predictions {
    /// The rows and truth of `like` under these probabilities, `[class][row]`: predicted is the most probable class,
    /// the first of a tie.
    pub fn of_probabilities(like: &Self, probabilities: Vec<Vec<f32>>) -> Self {
        let at = |class: usize, row: usize| {
            probabilities.get(class).and_then(|column| column.get(row)).copied().unwrap_or(f32::NAN)
        };
        let best = |row: usize| {
            (1..probabilities.len())
                .fold(0, |best, class| if at(class, row) > at(best, row) { class } else { best })
        };
        let loss =
            |(row, label): (usize, &u32)| -at(*label as usize, row).max(f32::MIN_POSITIVE).ln();
        Self {
            predicted: (0..like.rows.len()).map(|row| best(row) as u32).collect(),
            loss: like.labels.iter().enumerate().map(loss).collect(),
            probabilities,
            ..like.clone()
        }
    }
}

impl Sets {
    /// The rows and truth of `like` under these probabilities, `[label][row]`.
    pub fn of_probabilities(like: &Self, probabilities: Vec<Vec<f32>>) -> Self {
        let mut loss = vec![0.0_f32; like.rows.len()];
        for (truth, column) in like.truth.iter().zip(&probabilities) {
            for ((loss, has), p) in loss.iter_mut().zip(truth).zip(column) {
                let own = if *has { *p } else { 1.0 - p };
                *loss -= own.max(f32::MIN_POSITIVE).ln() / probabilities.len() as f32;
            }
        }
        Self { loss, probabilities, ..like.clone() }
    }
}

/// Word by word the mean of the members' probabilities.
fn mean_of_tags(one: &Tags, members: &[&Tags]) -> Tags {
    let probabilities: Vec<Vec<Vec<f64>>> = members
        .iter()
        .map(|member| {
            let row = |row: &Vec<f32>| row.iter().map(|x| f64::from(*x).exp()).collect();
            member.log_p.iter().map(row).collect()
        })
        .collect();
    let means = mean(&probabilities.iter().collect::<Vec<_>>());
    let log = |row: Vec<f64>| row.into_iter().map(|p| p.ln() as f32).collect();
    Tags::of_log_p(one, means.into_iter().map(log).collect())
}

fn extend<T>(columns: &mut [Vec<T>], more: Vec<Vec<T>>) {
    for (column, more) in columns.iter_mut().zip(more) {
        column.extend(more);
    }
}

fn pick<T: Clone>(from: &[T], order: &[usize]) -> Vec<T> {
    order.iter().filter_map(|at| from.get(*at).cloned()).collect()
}

/// The mean of `[column][row]` over members, summed in 64 bits.
fn mean<T: Copy + Into<f64> + FromMean>(members: &[&Vec<Vec<T>>]) -> Vec<Vec<T>> {
    let first = members.first().copied().map_or(&[][..], Vec::as_slice);
    let cell = |column: usize, row: usize| {
        let of = |member: &&Vec<Vec<T>>| Some((*member.get(column)?.get(row)?).into());
        let sum: f64 = members.iter().filter_map(of).sum();
        T::from_mean(sum / members.len() as f64)
    };
    let column = |(at, rows): (usize, &Vec<T>)| (0..rows.len()).map(|row| cell(at, row)).collect();
    first.iter().enumerate().map(column).collect()
}

/// A number that a mean is rounded to.
trait FromMean {
    fn from_mean(mean: f64) -> Self;
}

impl FromMean for f32 {
    fn from_mean(mean: f64) -> Self {
        mean as Self
    }
}

impl FromMean for f64 {
    fn from_mean(mean: f64) -> Self {
        mean
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classes(rows: &[u64], labels: &[u32], second: &[f32]) -> Predictions {
        let names = vec!["a".to_owned(), "b".to_owned()];
        let like = Predictions {
            rows: rows.to_vec(),
            labels: labels.to_vec(),
            label_names: names,
            ..Predictions::default()
        };
        let first = second.iter().map(|p| 1.0 - p).collect();
        Predictions::of_probabilities(&like, vec![first, second.to_vec()])
    }

    #[test]
    fn an_ensemble_is_the_mean_of_its_members_whatever_the_order_of_their_rows() {
        let a = classes(&[1, 2, 3], &[0, 1, 1], &[0.25, 0.5, 0.25]);
        let b = classes(&[3, 1, 2], &[1, 0, 1], &[1.0, 0.5, 0.75]);
        let Ok(Pass::Classes(mean)) = Pass::mean(&[Pass::Classes(a.clone()), Pass::Classes(b)])
        else {
            panic!()
        };
        assert_eq!(mean.probabilities[1], [0.375, 0.625, 0.625]);
        assert_eq!((mean.rows, mean.predicted), (vec![1, 2, 3], vec![0, 1, 1]));
        assert!((mean.loss[1] + 0.625_f32.ln()).abs() < 1e-6);
        let other = classes(&[1, 2, 4], &[0, 1, 1], &[0.25, 0.5, 0.25]);
        let refused = Pass::mean(&[Pass::Classes(a.clone()), Pass::Classes(other)]);
        assert_eq!(refused, Err((1, "was judged on other rows".to_owned())));
        let truth = classes(&[1, 2, 3], &[1, 1, 1], &[0.25, 0.5, 0.25]);
        let refused = Pass::mean(&[Pass::Classes(a.clone()), Pass::Classes(truth)]).unwrap_err();
        assert!(refused.1.contains("other classes"), "{refused:?}");
        let tags = Pass::mean(&[Pass::Tags(Tags::default())]).unwrap_err();
        assert!(tags.1.contains("task=tag"), "{tags:?}");
        let said = |first: [f32; 2], second: [f32; 2]| {
            Pass::Tags(Tags {
                rows: vec![7],
                loss: vec![0.0],
                words: vec![vec!["New".into(), "York".into()]],
                truth: vec![vec!["O".into(), "B".into()]],
                predicted: vec![vec!["O".into(), "O".into()]],
                names: vec!["O".into(), "B".into()],
                log_p: vec![[first, second].concat().iter().map(|p| p.ln()).collect()],
            })
        };
        let two = [said([0.75, 0.25], [0.75, 0.25]), said([0.5, 0.5], [0.0, 1.0])];
        let Ok(Pass::Tags(mean)) = Pass::mean(&two) else { panic!() };
        assert_eq!(mean.predicted, [["O", "B"]]);
        let own: Vec<f32> = mean.log_p[0].iter().map(|x| x.exp()).collect();
        let want = [0.625, 0.375, 0.375, 0.625];
        assert!(own.iter().zip(want).all(|(p, want)| (p - want).abs() < 1e-6), "{own:?}");
        assert!((mean.loss[0] + 0.625_f32.ln()).abs() < 1e-6, "{:?}", mean.loss);
        // Folds hold other rows each.
        let fold = classes(&[9, 8], &[0, 0], &[0.5, 0.25]);
        let Some(Pass::Classes(all)) =
            Pass::joined(vec![Pass::Classes(a.clone()), Pass::Classes(fold)])
        else {
            panic!()
        };
        assert_eq!((all.rows.as_slice(), all.labels.len()), (&[1, 2, 3, 9, 8][..], 5));
        assert_eq!(all.probabilities[1], [0.25, 0.5, 0.25, 0.5, 0.25]);
        assert_eq!(Pass::joined(vec![Pass::Classes(a), Pass::Tags(Tags::default())]), None);
    }

    #[test]
    fn numbers_and_sets_are_averaged_and_joined() {
        let numbers = |predicted: f64| {
            Pass::Numbers(Numbers {
                rows: vec![1],
                loss: vec![0.5],
                names: vec!["x".into()],
                truth: vec![vec![2.0]],
                predicted: vec![vec![predicted]],
            })
        };
        let Ok(Pass::Numbers(mean)) = Pass::mean(&[numbers(1.0), numbers(2.0)]) else { panic!() };
        assert_eq!(mean.predicted, [[1.5]]);
        assert!(mean.loss[0].is_nan());
        let sets = |p: f32| {
            Pass::Sets(Sets {
                rows: vec![1],
                loss: vec![0.5],
                names: vec!["x".into()],
                truth: vec![vec![true]],
                probabilities: vec![vec![p]],
            })
        };
        let Ok(Pass::Sets(mean)) = Pass::mean(&[sets(0.25), sets(0.75)]) else { panic!() };
        assert_eq!(mean.probabilities, [[0.5]]);
        assert!((mean.loss[0] - 2.0_f32.ln()).abs() < 1e-6);
        assert_eq!(Pass::joined(vec![numbers(1.0), numbers(2.0)]).map(|p| p.rows().len()), Some(2));
        assert_eq!(
            Pass::joined(vec![sets(0.1), sets(0.2), sets(0.3)]).map(|p| p.loss().len()),
            Some(3)
        );
    }
}
