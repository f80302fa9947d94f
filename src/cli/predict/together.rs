//! What several runs say of texts, as one answer.

use serde_json::json;

use crate::cli::error::CliError;
use crate::dataset::Answers;
use crate::store::Run;

/// The mean of what runs of one task say of the same texts: of their probabilities, or of their numbers. A class is
/// the most probable one; a label is given from the mean of the runs' thresholds on.
///
/// # Errors
/// Runs with other classes, labels or targets.
pub fn mean(runs: &[Run], said: Vec<Answers>) -> Result<Answers, CliError> {
    let members = said.len() as f64;
    let mut said = said.into_iter().zip(runs);
    let Some((mut whole, first)) = said.next() else { return Ok(Answers::default()) };
    if said.len() == 0 {
        return Ok(whole);
    }
    let mut probabilities = wide(&whole.probabilities);
    let mut thresholds = whole.thresholds.clone();
    for (answers, run) in said {
        if answers.label_names != whole.label_names || answers.target_names != whole.target_names {
            let what = if whole.target_names.is_empty() { "classes" } else { "targets" };
            let why = format!("{} and {} have other {what}.", first.id, run.id);
            return Err(CliError::Usage(why));
        }
        add(&mut probabilities, &wide(&answers.probabilities));
        add(&mut whole.values, &answers.values);
        for (sum, x) in thresholds.iter_mut().zip(&answers.thresholds) {
            *sum += x;
        }
    }
    let sums = probabilities.iter_mut().chain(&mut whole.values).flatten().chain(&mut thresholds);
    for sum in sums {
        *sum /= members;
    }
    if whole.others.iter().any(|(name, _)| *name == "words") {
        return Ok(of_words(whole, &probabilities));
    }
    let predicted = |row: &Vec<f64>| {
        if thresholds.is_empty() {
            let best =
                (1..row.len()).fold(0, |best, at| if row[at] > row[best] { at } else { best });
            return whole.label_names.get(best).cloned().unwrap_or_default();
        }
        let given = row.iter().zip(&thresholds).zip(&whole.label_names);
        let given: Vec<&String> =
            given.filter(|((p, least), _)| p >= least).map(|(_, name)| name).collect();
        json!(given).to_string()
    };
    if whole.target_names.is_empty() {
        whole.predicted = probabilities.iter().map(predicted).collect();
    }
    let narrow = |row: &Vec<f64>| row.iter().map(|p| *p as f32).collect();
    whole.probabilities = probabilities.iter().map(narrow).collect();
    whole.thresholds = thresholds;
    Ok(whole)
}

/// Of tags: the most probable one of each word, and its probability. A word without a token is nothing.
fn of_words(mut whole: Answers, probabilities: &[Vec<f64>]) -> Answers {
    let names = std::mem::take(&mut whole.label_names);
    let best = |p: &[f64]| {
        (0..p.len())
            .filter(|at| !p[*at].is_nan())
            .max_by(|a, b| p[*a].total_cmp(&p[*b]).then(b.cmp(a)))
    };
    let words = |row: &'_ Vec<f64>| -> Vec<(String, f32)> {
        let word = |p: &[f64]| match best(p) {
            Some(at) => (names.get(at).cloned().unwrap_or_default(), p[at] as f32),
            None => ("O".to_owned(), f32::NAN),
        };
        row.chunks(names.len().max(1)).map(word).collect()
    };
    let said: Vec<Vec<(String, f32)>> = probabilities.iter().map(words).collect();
    let tags = |row: &Vec<(String, f32)>| json!(row.iter().map(|(tag, _)| tag).collect::<Vec<_>>());
    whole.predicted = said.iter().map(|row| tags(row).to_string()).collect();
    whole.probabilities = said.iter().map(|row| row.iter().map(|(_, p)| *p).collect()).collect();
    whole
}

fn wide(rows: &[Vec<f32>]) -> Vec<Vec<f64>> {
    rows.iter().map(|row| row.iter().map(|p| f64::from(*p)).collect()).collect()
}

fn add(sums: &mut [Vec<f64>], more: &[Vec<f64>]) {
    for (sums, more) in sums.iter_mut().zip(more) {
        sums.iter_mut().zip(more).for_each(|(sum, x)| *sum += x);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::RunSpec;

    fn runs() -> Vec<Run> {
        (1..3).map(|id| Run::example(id, RunSpec::default())).collect()
    }

    fn said(p: &[f32], thresholds: &[f64]) -> Answers {
        Answers {
            texts: vec!["t".into()],
            predicted: vec!["a".into()],
            probabilities: vec![p.to_vec()],
            label_names: vec!["a".into(), "b".into()],
            thresholds: thresholds.to_vec(),
            ..Answers::default()
        }
    }

    #[test]
    fn probabilities_and_numbers_are_averaged_and_decided_anew() {
        let whole = mean(&runs(), vec![said(&[0.75, 0.25], &[]), said(&[0.0, 1.0], &[])]).unwrap();
        assert_eq!(
            (whole.predicted, whole.probabilities),
            (vec!["b".into()], vec![vec![0.375, 0.625]])
        );
        let sets = [said(&[0.75, 0.25], &[0.5, 0.25]), said(&[0.25, 0.25], &[0.25, 0.5])];
        let whole = mean(&runs(), sets.to_vec()).unwrap();
        assert_eq!(whole.predicted, [r#"["a"]"#], "0.5 reaches 0.375, 0.25 does not");
        let number = |x: f64| Answers {
            texts: vec!["t".into()],
            values: vec![vec![x]],
            target_names: vec!["y".into()],
            ..Answers::default()
        };
        let whole = mean(&runs(), vec![number(1.0), number(2.0)]).unwrap();
        assert_eq!((whole.values, whole.predicted), (vec![vec![1.5]], Vec::new()));
        let words = |p: &[f32]| Answers {
            others: vec![("words", vec![r#"["New","York","?"]"#.into()])],
            ..said(p, &[])
        };
        let nan = f32::NAN;
        let (one, two) = ([0.75, 0.25, 0.5, 0.5, nan, nan], [0.75, 0.25, 0.0, 1.0, nan, nan]);
        let whole = mean(&runs(), vec![words(&one), words(&two)]).unwrap();
        assert_eq!(whole.predicted, [r#"["a","b","O"]"#]);
        assert_eq!(whole.probabilities[0][..2], [0.75, 0.75]);
        assert!(whole.label_names.is_empty());
        let other = Answers { label_names: vec!["a".into()], ..said(&[1.0], &[]) };
        let refused = mean(&runs(), vec![said(&[0.5, 0.5], &[]), other]).unwrap_err();
        assert!(refused.to_string().contains("r1 and r2 have other classes"), "{refused}");
    }
}
