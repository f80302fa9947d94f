use super::*;
use crate::events::{Split, Started};
use crate::spec::{Outcome, RunSpec, RunState};

/// A run that ended, on rows with that hash.
fn run(id: u32, pairs: &[(&str, &str)], hash: &str) -> Run {
    let mut spec = RunSpec { model: "m".into(), data: "d.csv".into(), ..RunSpec::default() };
    for (key, value) in pairs {
        spec.set(key, value).unwrap();
    }
    Run {
        state: RunState::Ended(Outcome::Done),
        attempt: 1,
        epoch: 1.0,
        facts: Some(Started { data_hash: hash.into(), ..Started::default() }),
        ..Run::example(id, spec)
    }
}

/// Predictions of rows 1, 2, ... for the classes ham and spam.
fn predictions(truth: &[u32], predicted: &[u32]) -> Predictions {
    Predictions {
        rows: (1..).take(truth.len()).collect(),
        labels: truth.to_vec(),
        predicted: predicted.to_vec(),
        loss: vec![0.5; truth.len()],
        probabilities: vec![vec![0.5; truth.len()]; 2],
        label_names: vec!["ham".into(), "spam".into()],
    }
}

fn entry(id: u32, pairs: &[(&str, &str)], hash: &str, p: Predictions) -> Entry {
    let counts = Matrix::from_predictions(&p).counts().to_vec();
    let labels = p.label_names.clone();
    let confusion = Some(Confusion { split: Split::Test, epoch: 1, labels, counts });
    let curve = |values: &[f64]| Curve {
        epoch: (1..).take(values.len()).map(f64::from).collect(),
        value: values.to_vec(),
        total: values.len(),
        ..Curve::default()
    };
    let x = f64::from(id) / 100.0;
    let curves = BTreeMap::from([
        ("train/step_lr".to_owned(), curve(&[x])),
        ("val/acc".to_owned(), curve(&[0.5, 0.9 + x, 0.9 + x, f64::NAN])),
        ("val/loss".to_owned(), curve(&[0.9, 0.2 + x, 0.4])),
    ]);
    Entry { run: run(id, pairs, hash), curves, confusion, predictions: Ok(p), other: None }
}

/// 200 rows, a quarter of them spam.
fn truth() -> Vec<u32> {
    (0..200).map(|i| u32::from(i % 4 == 0)).collect()
}

/// The truth, but wrong on these rows.
fn wrong_on(rows: impl Fn(usize) -> bool) -> Vec<u32> {
    truth().iter().enumerate().map(|(i, t)| if rows(i) { 1 - t } else { *t }).collect()
}

#[test]
fn only_what_differs_differs_and_figures_have_a_direction() {
    let p = || predictions(&truth(), &truth());
    let entries = [
        entry(1, &[("lr", "1e-5")], "x", p()),
        entry(2, &[("lr", "5e-5"), ("dropout", "0.2")], "x", p()),
    ];
    let c = compare(&entries, 0);
    let differing: Vec<_> = c.keys.iter().filter(|row| row.differs).collect();
    let seen: Vec<_> = differing.iter().map(|row| (row.key, row.values.join(" "))).collect();
    assert_eq!(seen, [("lr", "1e-5 5e-5".to_owned()), ("dropout", " 0.2".to_owned())]);
    assert_eq!(c.keys.len(), KEYS.len());

    let second =
        |name: &str| c.metrics.iter().find(|m| m.name == name).unwrap().figures[1].unwrap();
    let acc = second("val/acc");
    assert!(acc.last.is_nan());
    assert_eq!(acc.best, Some(Extreme { value: 0.92, epoch: 2.0 }), "the first of equal values");
    assert_eq!(acc.min, Some(Extreme { value: 0.5, epoch: 1.0 }));
    assert_eq!(
        (acc.change, acc.delta.map(|d| (d * 1e6).round())),
        (Some(Change::Better), Some(1e4))
    );
    assert_eq!(second("val/loss").change, Some(Change::Worse));
    assert_eq!(second("train/step_lr").change, None, "a learning rate is neither");
    assert_eq!(c.metrics[1].figures[0].unwrap().delta, None, "the baseline itself");
}

#[test]
fn a_run_against_itself_shows_no_difference() {
    let p = predictions(&truth(), &wrong_on(|i| i % 9 == 0));
    let c = compare(&[entry(1, &[], "x", p.clone()), entry(2, &[("seed", "1")], "x", p)], 0);
    let pair = c.pairs[0];
    assert_eq!((pair.n, pair.accuracy_diff, pair.f1_diff), (200, 0.0, 0.0));
    assert_eq!((pair.accuracy_ci95, pair.f1_ci95, pair.mcnemar_p), ([0.0; 2], [0.0; 2], 1.0));
    assert_eq!(pair.to_string(), "seed alone, p=1.00 on these rows, n=200");
    assert_eq!(c.confusion_deltas, [None, Some(vec![vec![0, 0], vec![0, 0]])]);
    assert_eq!(c.classes[1].delta[1], Some(0.0));
}

#[test]
fn two_seeds_are_noise_and_a_constant_classifier_is_not() {
    let good = entry(1, &[], "x", predictions(&truth(), &wrong_on(|i| i % 20 == 3)));
    let seed = entry(2, &[("seed", "1")], "x", predictions(&truth(), &wrong_on(|i| i % 22 == 3)));
    let constant = entry(3, &[("lr", "1")], "x", predictions(&truth(), &[0; 200]));
    let c = compare(&[good, seed, constant], 0);
    let by = |b: u32| *c.pairs.iter().find(|p| p.a == RunId(1) && p.b == RunId(b)).unwrap();
    assert!(!by(2).is_real(), "{}", by(2));
    assert!(by(2).accuracy_ci95[0] < 0.0 && by(2).accuracy_ci95[1] > 0.0);
    let worse = by(3);
    assert!(worse.is_real() && worse.accuracy_ci95[1] < 0.0 && worse.f1_ci95[1] < 0.0, "{worse:?}");
    assert_eq!(worse.to_string(), "differ on these rows, p<0.001, n=200");
    // Every two runs are paired, the baseline's pairs first.
    let ids: Vec<_> =
        compare(&[by_id(1), by_id(2), by_id(3)], 2).pairs.iter().map(|p| (p.a.0, p.b.0)).collect();
    assert_eq!(ids, [(3, 1), (3, 2), (1, 2)]);
}

#[test]
fn settings_with_several_seeds_are_tested_over_them() {
    // Seed by seed, five rows more are wrong with the other rate; which ones, the seed decides.
    let of = |id: u32, lr: &str, seed: u32, wrong: usize| {
        let step = |i: usize| (i * 7919 + 31 * seed as usize) % 200 < wrong;
        let pairs = [("lr", lr), ("seed", &*seed.to_string())];
        entry(id, &pairs, "x", predictions(&truth(), &wrong_on(step)))
    };
    let entries: Vec<Entry> = (0..3)
        .flat_map(|s| [of(1 + s, "1e-5", s, 8), of(4 + s, "5e-5", s, 60 + s as usize)])
        .collect();
    let c = compare(&entries, 0);
    let [contrast] = c.contrasts.as_slice() else { panic!("{:?}", c.contrasts) };
    let ids = |runs: &[RunId]| runs.iter().map(|id| id.0).collect::<Vec<_>>();
    assert_eq!((ids(&contrast.a), ids(&contrast.b)), (vec![1, 2, 3], vec![4, 5, 6]));
    assert!(contrast.is_real() && contrast.by_seed, "{contrast:?}");
    assert!((contrast.accuracy.diff + 53.0 / 200.0).abs() < 1e-9);
    assert!(contrast.accuracy.ci95[1] < 0.0 && contrast.f1.diff < 0.0, "{contrast:?}");
    assert!(contrast.to_string().starts_with("real over 3+3 seeds, p=0.00"), "{contrast}");
    // A single run of each says nothing of seeds; a second seed of one does.
    assert!(compare(&entries[..2], 0).contrasts.is_empty());
    assert_eq!(compare(&entries[..3], 0).contrasts.len(), 1);
}

fn by_id(id: u32) -> Entry {
    entry(id, &[], "x", predictions(&truth(), &truth()))
}

#[test]
fn the_order_of_the_rows_in_the_file_does_not_matter() {
    let mut turned = predictions(&truth(), &wrong_on(|i| i % 7 == 0));
    let straight = turned.clone();
    turned.rows.reverse();
    turned.labels.reverse();
    turned.predicted.reverse();
    let c = compare(&[entry(1, &[], "x", straight), entry(2, &[], "x", turned)], 0);
    assert_eq!(c.pairs[0].mcnemar_p, 1.0);
}

#[test]
fn runs_on_other_rows_are_not_paired_and_it_says_why() {
    let p = || predictions(&truth(), &truth());
    let none = Entry { predictions: Err("has no saved predictions".into()), ..by_id(9) };
    let shifted = Predictions { rows: (2..202).collect(), ..p() };
    let classes = Predictions { label_names: vec!["a".into(), "b".into()], ..p() };
    let refused = |a: Entry, b: Entry, want: &str| {
        let c = compare(&[a, b], 0);
        assert!(c.pairs.is_empty());
        assert_eq!(c.refused.len(), 1);
        assert!(c.refused[0].why.contains(want), "{} / {want}", c.refused[0].why);
    };
    let with = |pairs: &[(&str, &str)], hash: &str| entry(2, pairs, hash, p());
    refused(by_id(1), with(&[("data", "e.csv")], "y"), "data is d.csv in r1 and e.csv in r2");
    refused(by_id(1), with(&[("split_seed", "7")], "y"), "split_seed is 35 in r1 and 7 in r2");
    refused(by_id(1), with(&[("test", "t.csv")], "y"), "test is not given in r1");
    refused(by_id(1), with(&[("lr", "1")], "y"), "d.csv has changed between r1 and r2");
    refused(by_id(1), entry(2, &[], "x", shifted), "r1 and r2 were tested on other rows");
    refused(by_id(1), entry(2, &[], "x", classes), "r1 and r2 have other classes");
    refused(by_id(1), none, "r9 has no saved predictions.");
    // Two groups: each is tested within itself.
    let c = compare(&[by_id(1), entry(2, &[], "y", p()), by_id(3), entry(4, &[], "y", p())], 0);
    let pairs: Vec<_> = c.pairs.iter().map(|p| (p.a.0, p.b.0)).collect();
    assert_eq!((pairs, c.refused.len()), (vec![(1, 3), (2, 4)], 4));
}

#[test]
fn eight_runs_of_five_thousand_predictions_are_compared() {
    let truth: Vec<u32> = (0..5000_u32).map(|i| i % 3).collect();
    let entries: Vec<Entry> = (1..=8_u32)
        .map(|id| {
            let odd = |i: u32| i.wrapping_mul(2_654_435_761).wrapping_add(id * 7919) % 100 < 8;
            let answers: Vec<u32> =
                (0..5000_u32).map(|i| if odd(i) { (i + 1) % 3 } else { i % 3 }).collect();
            let names = vec!["a".into(), "b".into(), "c".into()];
            let p = Predictions { label_names: names, ..predictions(&truth, &answers) };
            entry(id, &[], "x", p)
        })
        .collect();
    let c = compare(&entries, 0);
    assert_eq!((c.pairs.len(), c.refused.len()), (28, 0));
}
