//! Baselines of numbers and labels against scikit-learn: `baselines/tasks.json`, of which another folder may have its own.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use serde_json::Value;
use tuneboard::spec::Baseline;

use super::fitted::{Fitted, Ready};
use super::vocabulary::Vocabulary;
use super::words::Text;
use crate::parity::{self, Tally, numbers, strings};

fn fixture() -> Value {
    let there = parity::root().join("baselines/tasks.json");
    let here = || Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/baselines/tasks.json");
    parity::json(&if there.is_file() { there } else { here() })
}

fn rows(value: &Value) -> Vec<Vec<f64>> {
    value.as_array().unwrap().iter().map(numbers).collect()
}

fn vocabulary(model: Baseline, texts: &[String]) -> Vocabulary {
    match model {
        Baseline::Majority => Vocabulary::default(),
        _ => Vocabulary::learn(texts.iter().map(String::as_str), model != Baseline::CountNb),
    }
}

#[test]
fn numbers_and_labels_are_those_of_scikit_learn() {
    let of = fixture();
    let (train, test) = (strings(&of["train"]), strings(&of["test"]));
    let tolerance = of["tolerance"].as_f64().unwrap();
    let (targets, labels) = (strings(&of["targets"]), strings(&of["labels"]));
    let stop = AtomicBool::new(false);
    let ready = |model, names| Ready {
        model,
        texts: train.iter().map(|text| Text::One(text)).collect(),
        names,
    };
    let mut tally = Tally::of("baselines of numbers and labels");
    let y = rows(&of["y"]);
    let column = |at: usize| y.iter().map(|row| row[at]).collect::<Vec<f64>>();
    let mean: Vec<f64> =
        (0..targets.len()).map(|at| column(at).iter().sum::<f64>() / y.len() as f64).collect();
    // Around the mean; the units are those of the fixture.
    let around: Vec<Vec<f64>> =
        (0..targets.len()).map(|at| column(at).iter().map(|x| x - mean[at]).collect()).collect();
    for (name, want) in of["numbers"].as_object().unwrap() {
        let model: Baseline = name.parse().unwrap();
        let learnt =
            Fitted::of_numbers(ready(model, &targets), &around, vocabulary(model, &train), &stop);
        let fitted = learnt.unwrap().unwrap().fitted;
        let got = fitted.scores(test.iter().map(String::as_str));
        let want: Vec<f64> = rows(want).concat();
        assert_eq!(got.len(), want.len());
        for (at, (got, want)) in got.iter().zip(&want).enumerate() {
            let got = got + mean[at % targets.len()];
            assert!((got - want).abs() <= tolerance * want.abs().max(1.0), "{name}: {got} {want}");
        }
        tally.add(name, want.len());
    }
    let flags = rows(&of["flags"]);
    let flags: Vec<Vec<bool>> =
        (0..labels.len()).map(|at| flags.iter().map(|row| row[at] == 1.0).collect()).collect();
    let weights: Vec<f32> = numbers(&of["weights"]).iter().map(|x| *x as f32).collect();
    for (which, weights) in [("probabilities", Vec::new()), ("balanced", weights)] {
        for (name, want) in of[which].as_object().unwrap() {
            let model: Baseline = name.parse().unwrap();
            let learnt = Fitted::of_labels(
                ready(model, &labels),
                &flags,
                &weights,
                vocabulary(model, &train),
                &stop,
            );
            let fitted = learnt.unwrap().unwrap().fitted;
            let got = fitted.scores(test.iter().map(String::as_str));
            let want: Vec<f64> = rows(want).concat();
            assert_eq!(got.len(), want.len());
            // Weights are single precision; the logistic regression stops at a gradient of 1e-4.
            let most = if name == "tfidf-logreg" { 1e-4 } else { tolerance };
            for (z, want) in got.iter().zip(&want) {
                let p = 1.0 / (1.0 + (-z).exp());
                assert!((p - want).abs() <= most, "{which} {name}: {p} {want}");
            }
            tally.add(name, want.len());
        }
    }
    tally.end();
}

#[test]
fn what_does_not_fit_is_refused() {
    let names = ["a".to_owned()];
    let ready = |model| Ready { model, texts: vec![Text::One("one two")], names: &names };
    let stop = AtomicBool::new(false);
    let flags = [vec![true]];
    // A label that all rows have needs no model; one that some have does.
    let some = [vec![true, false]];
    let ridge =
        Fitted::of_labels(ready(Baseline::TfidfRidge), &some, &[], Vocabulary::default(), &stop);
    assert!(ridge.is_err_and(|e| e.to_string().contains("does not learn task=multilabel")));
    let sure =
        Fitted::of_labels(ready(Baseline::TfidfNb), &flags, &[], Vocabulary::default(), &stop);
    let sure = sure.unwrap().unwrap().fitted;
    assert!(sure.scores(["one"])[0] > 36.0);
    let nb =
        Fitted::of_numbers(ready(Baseline::CountNb), &[vec![0.0]], Vocabulary::default(), &stop);
    assert!(nb.is_err_and(|e| e.to_string().contains("does not learn task=regress")));
}
