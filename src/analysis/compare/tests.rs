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
    assert!(contrast.to_string().starts_with("real, p=0.00"), "{contrast}");
    assert!(contrast.to_string().ends_with(" over 3+3 seeds, n=200"), "{contrast}");
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

/// The fold of a setting with that rate: rows 40 to a fold, wrong on as many as told.
fn held_out(id: u32, lr: &str, fold: u32, seed: u32, wrong: usize) -> Entry {
    let (number, seed) = (fold.to_string(), seed.to_string());
    let keys = [("lr", lr), ("folds", "5"), ("fold", &*number), ("seed", &*seed)];
    let truth: Vec<u32> = (0..40).map(|i| u32::from(i % 4 == 0)).collect();
    let said: Vec<u32> =
        truth.iter().enumerate().map(|(i, t)| if i < wrong { 1 - t } else { *t }).collect();
    let rows = (1..).map(|row| row + u64::from(fold) * 40).take(40).collect();
    let mut entry = entry(
        id,
        &keys,
        &format!("fold {fold}"),
        Predictions { rows, ..predictions(&truth, &said) },
    );
    entry.run.facts.as_mut().unwrap().rows = [140, 20, 40];
    entry
}

/// From scipy 1.16: the accuracies of the folds are `a = 1 - array([4, 6, 5, 3, 7]) / 40` and
/// `b = 1 - array([2, 5, 2, 2, 3]) / 40`, `d = b - a`, `t = d.mean() / sqrt((1/5 + 40/140) * d.var(ddof=1))`,
/// `2 * scipy.stats.t.sf(t, 4)`, and `d.mean() -+ scipy.stats.t.ppf(0.975, 4) * d.mean() / t`.
#[test]
fn folds_of_two_settings_are_one_test_over_the_same_rows() {
    let (first, second) = ([4, 6, 5, 3, 7], [2, 5, 2, 2, 3]);
    let setting = |lr: &str, from: u32, wrong: [usize; 5]| -> Vec<Entry> {
        (1..).zip(wrong).map(|(fold, wrong)| held_out(from + fold, lr, fold, 0, wrong)).collect()
    };
    let a = setting("1e-5", 0, first);
    let mut b = setting("5e-5", 5, second);
    b.reverse();
    let c = compare(&[a.clone(), b.clone()].concat(), 0);
    let [folds] = c.folds.as_slice() else { panic!("{:?}", c.folds) };
    let ids = |runs: &[RunId]| runs.iter().map(|id| id.0).collect::<Vec<_>>();
    assert_eq!((ids(&folds.a), ids(&folds.b)), (vec![1, 2, 3, 4, 5], vec![6, 7, 8, 9, 10]));
    assert_eq!((folds.folds, folds.of, folds.n), (5, 5, 200));
    let acc = folds.figures[0];
    assert_eq!((acc.metric, acc.pooled), ("acc", [0.875, 0.93]));
    let near = |got: f64, want: f64| assert!((got - want).abs() < 1e-12, "{got} {want}");
    near(acc.over_folds.diff, 0.055);
    near(acc.over_folds.p, 0.072_678_719_513_865_63);
    near(acc.over_folds.ci95[0], -0.008_073_074_187_930_99);
    near(acc.over_folds.ci95[1], 0.118_073_074_187_930_95);
    // Rows that only one of the two gets right, over all folds.
    let counts = folds.discordant.unwrap();
    assert_eq!((counts.first_right, counts.second_right), (0, 11));
    assert_eq!(folds.to_string(), "may be noise, p=0.073 over 5 folds, n=200");
    // Folds are no longer refused one by one, and pairs are those of the same rows.
    assert_eq!((c.refused.len(), c.pairs.len()), (0, 5));
    // One fold is missing in one of them: the others are tested, and it says so.
    let c = compare(&[a.clone(), b[1..].to_vec()].concat(), 0);
    assert!(c.folds[0].to_string().contains("over 4 folds of 5"), "{}", c.folds[0]);
    assert_eq!(c.folds[0].n, 160);
    // The baseline's setting comes first.
    let c = compare(&[a.clone(), b.clone()].concat(), 7);
    assert_eq!(ids(&c.folds[0].a), [6, 7, 8, 9, 10]);
    near(c.folds[0].figures[0].over_folds.diff, -0.055);
    // A fold, other rows and other partitions make none.
    assert!(compare(&[a[..1].to_vec(), b[4..].to_vec()].concat(), 0).folds.is_empty());
    let mut other = b;
    other[0].run.facts.as_mut().unwrap().data_hash = "other".into();
    let c = compare(&[a, other].concat(), 0);
    assert!(c.folds.is_empty() && !c.refused.is_empty());
}

#[test]
fn seeds_of_folds_are_averaged_and_one_question_is_asked() {
    let runs = |lr: &str, from: u32, wrong: usize| -> Vec<Entry> {
        let place = |at: u32| (1 + at / 2, at % 2);
        let one = |at| {
            let (fold, seed) = place(at);
            held_out(from + at, lr, fold, seed, wrong + (fold + seed) as usize)
        };
        (0..10).map(one).collect()
    };
    let c = compare(&[runs("1e-5", 1, 2), runs("5e-5", 11, 6)].concat(), 0);
    assert_eq!((c.folds.len(), c.contrasts.len()), (1, 0));
    let folds = &c.folds[0];
    assert_eq!((folds.folds, folds.n, folds.discordant), (5, 200, None));
    // In every fold and with every seed four more of 40 are wrong: no doubt is left.
    assert!((folds.figures[0].over_folds.diff + 0.1).abs() < 1e-12);
    assert_eq!(folds.to_string(), "real, p<0.001 over 5 folds (10+10 runs), n=200");
}

/// Two settings that differ by what folds and seeds do alone: the corrected test finds a difference in 5 of 100 at most.
#[test]
fn settings_that_differ_by_chance_are_noise_over_folds() {
    let mut draws = crate::spec::search::Draws::new(21, 0);
    let mut found = 0;
    for _ in 0..100 {
        let mut setting = |lr: &str, from: u32| -> Vec<Entry> {
            (1..=5).map(|fold| held_out(from + fold, lr, fold, 0, draws.below(9))).collect()
        };
        let entries = [setting("1e-5", 0), setting("5e-5", 5)].concat();
        let c = super::folds::all(&entries, 0);
        found += usize::from(c[0].is_real());
    }
    assert!(found <= 5, "{found} of 100");
}
