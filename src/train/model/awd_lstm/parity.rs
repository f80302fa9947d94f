//! Against fastai 2.8.12 on torch 2.11 (CPU, float32). `TUNEBOARD_FIXTURES` names another folder of the
//! same layout.

mod classifier;

use serde_json::{Value, json};
use tch::{Device, Kind, Tensor};

use super::*;
use crate::fastai::{Vocab, fixture};
use crate::model::{Parameter, weights};
use crate::optim::Optimizer;
use crate::parity::{self, Tally, Tensors, cases, gap};

fn tensors(name: &str) -> Tensors {
    parity::tensors(&parity::root().join("ulmfit").join(name))
}

fn json_of(name: &str) -> Value {
    serde_json::from_slice(&fixture(name)).unwrap()
}

/// A number of a config.
fn size(config: &str, key: &str) -> i64 {
    json_of(config)[key].as_i64().unwrap()
}

/// A checkpoint folder out of the fixture's loose files.
fn folder(weights: &str, config: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut json = json_of(config);
    json["model_type"] = json!("awd_lstm");
    let put = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).unwrap();
    put("config.json", json.to_string().as_bytes());
    put("model.safetensors", &fixture(weights));
    folder
}

/// How far a run in 32 bits and the same in 64 bits drift apart.
fn noise(runs: &Value, name: &str) -> f64 {
    let of = |name: &str| parity::numbers(&runs[name]["losses"]);
    if let Some(told) = runs[name]["max_abs_gap_32_64"].as_f64() {
        return told;
    }
    let exact = format!("{name}_float64");
    let pairs = runs.get(&exact).map(|_| of(name).into_iter().zip(of(&exact)));
    pairs.into_iter().flatten().map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

/// The runs in 32 bits.
fn runs(told: &Value) -> Vec<String> {
    let names = told["runs"].as_object().unwrap().keys();
    names.filter(|name| !name.ends_with("_float64")).cloned().collect()
}

fn language_model() -> (LanguageModel, Vec<Parameter>) {
    let folder = folder("lm.safetensors", "lm_config.json");
    let loaded = LoadedLanguageModel::read(folder.path(), true, Some(0.0), Device::Cpu).unwrap();
    (loaded.model, loaded.parameters)
}

fn quiet() -> Mode {
    Mode::inference(Kind::Float)
}

#[test]
fn a_language_model_gives_fastais_scores_and_carries_its_state() {
    let mut tally = Tally::of("windows of an AWD-LSTM");
    let (model, _) = language_model();
    let layers = size("lm_config.json", "n_layers") as usize;
    let want = tensors("lm_outputs.safetensors");
    let mut state = Carried::new();
    // Windows of one stream come in the order of their numbers.
    let (mut windows, others): (Vec<_>, Vec<_>) =
        cases(&want, "input_ids").into_iter().partition(|case| case.starts_with("stateful"));
    windows.sort_by_key(|case| (case.len(), case.clone()));
    for window in windows {
        let at = |name: &str| &want[&format!("{window}.{name}")];
        let Predicted { logits, raw, .. } =
            model.forward(at("input_ids"), &mut state, quiet()).unwrap();
        assert!(gap(&logits, at("logits")) < 1e-5, "{window}");
        assert!(gap(&raw, at("raw_out")) < 1e-5, "{window}");
        assert_eq!(state.len(), layers);
        for (layer, (h, c)) in state.iter().enumerate() {
            assert!(gap(h, at(&format!("hidden{layer}.h"))) < 1e-5);
            assert!(gap(c, at(&format!("hidden{layer}.c"))) < 1e-5);
        }
        tally.add("stateful", 1);
    }
    for case in others {
        let ids = &want[&format!("{case}.input_ids")];
        let got = model.forward(ids, &mut Carried::new(), quiet()).unwrap();
        assert!(gap(&got.logits, &want[&format!("{case}.logits")]) < 1e-5, "{case}");
        tally.add(&case, 1);
    }
    tally.end();
}

/// The losses of the windows of a stream, each before its update. Returns the number of steps.
fn check_lm_curve(run: &str) -> usize {
    let (model, parameters) = language_model();
    let saved = tensors("lm_curve.safetensors");
    let told = json_of("lm_curve.json");
    let noise = noise(&told["runs"], run);
    let want = &told["runs"][run];
    let spec = parity::optimizer(told["optimizer"].as_str().unwrap());
    let mut optimizer = Optimizer::new(&spec, &parameters, u32::MAX).unwrap();
    let mut state = Carried::new();
    let steps = want["losses"].as_array().unwrap().len();
    let (rows, ids) = saved["stream"].size2().unwrap();
    let window = (ids - 1) / steps as i64;
    for step in 0..steps {
        let at = |shift: i64| saved["stream"].narrow(1, window * step as i64 + shift, window);
        let predicted = model.forward(&at(0), &mut state, quiet()).unwrap();
        let targets = at(1).reshape([rows * window]);
        let loss = predicted.logits.flatten(0, 1).cross_entropy_for_logits(&targets);
        let (alpha, beta) = (factor(run, "ar"), factor(run, "tar"));
        let whole = match regularisation(&predicted, alpha, beta).unwrap() {
            Some(more) => &loss + more,
            None => loss.shallow_clone(),
        };
        for (name, got) in [("losses", &loss), ("losses_with_regularisation", &whole)] {
            let want = want[name][step].as_f64().unwrap();
            let gap = (got.double_value(&[]) - want).abs();
            assert!(gap < (10.0 * noise).max(1e-4), "{run} {name} step {step}: {gap}");
        }
        let gradients = optimizer.gradients(&whole).unwrap();
        for (parameter, gradient) in parameters.iter().zip(&gradients) {
            let name = format!("{run}.step0.grad.{}", parameter.name);
            if let Some(want) = saved.get(&name).filter(|_| step == 0) {
                assert!(gap(gradient, want) < 1e-4, "{name}");
            }
        }
        optimizer.step(&gradients, 1.0, spec.lr).unwrap();
    }
    for parameter in &parameters {
        if let Some(want) = saved.get(&format!("{run}.final.{}", parameter.name)) {
            assert!(gap(&parameter.tensor, want) < 1e-3, "{}", parameter.name);
        }
    }
    steps
}

/// The factor of a penalty in the name of a run: 2 for `ar` in `ar2_tar1`.
fn factor(run: &str, penalty: &str) -> f64 {
    let mut parts = run.split('_').filter_map(|part| part.strip_prefix(penalty)?.parse().ok());
    parts.next().unwrap_or(0.0)
}

/// Without and with activation regularisation.
#[test]
fn a_language_model_learns_as_in_fastai() {
    let mut tally = Tally::of("steps of an AWD-LSTM");
    for run in runs(&json_of("lm_curve.json")) {
        tally.add(&run, check_lm_curve(&run));
    }
    tally.end();
}

/// A whole folder moves to another vocabulary; a stale copy of dropped weights stays behind.
#[test]
fn words_find_their_vectors_in_another_vocabulary() {
    let case = json_of("match_embeds.json");
    let words = |name: &str| serde_json::from_value(case[name].clone()).unwrap();
    let new = Vocab::new(words("new_vocab"));
    let folder = folder("lm.safetensors", "lm_config.json");
    std::fs::write(folder.path().join("vocab.json"), case["old_vocab"].to_string()).unwrap();
    let want = tensors("match_embeds.safetensors");
    let mut stale = tensors("lm.safetensors");
    stale.insert("0.rnns.0.module.weight_hh_l0".into(), Tensor::from(0.0));
    let stale: Vec<_> = stale.into_iter().collect();
    let path = folder.path().join("model.safetensors");
    std::fs::write(path, weights::to_bytes(&stale).unwrap()).unwrap();
    let got = matched(folder.path(), &new).unwrap();
    // fastai writes the tied weights three times.
    assert_eq!(got.len(), want.len() - 2);
    for (name, got) in got {
        assert!(gap(&got, &want[&name]) < 1e-6, "{name}");
    }
}
