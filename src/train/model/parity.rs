//! Against transformers 5.23 on torch 2.11 (CPU, float32); tests/fixtures/README.md says how the
//! numbers were made. `TUNEBOARD_FIXTURES` names another folder of the same layout.

mod bert;
mod families;
mod family_tokens;
mod gpt2;
mod predictor;
mod tokens;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{env, fs};

use serde_json::Value;
use tch::{Device, Kind, Tensor};
use tuneboard::spec::{LrSchedule, Optimizer as Rule, Pool, RunSpec, Schedule};

use super::*;
use crate::optim::{self, Optimizer};

fn fixtures() -> PathBuf {
    env::var_os("TUNEBOARD_FIXTURES").map_or_else(own_fixtures, PathBuf::from)
}

fn own_fixtures() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

fn model_folder(name: &str) -> PathBuf {
    fixtures().join("models").join(name)
}

fn expected(name: &str) -> BTreeMap<String, Tensor> {
    weights::read_all(&fixtures().join("expected").join(name)).unwrap()
}

fn expected_json(name: &str) -> Value {
    let text = fs::read_to_string(fixtures().join("expected").join(name)).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn request(start: Start, classes: usize, pool: Pool) -> Request {
    let (device, kind) = (Device::Cpu, Kind::Float);
    Request {
        start,
        classes: Some(classes),
        keep_head: true,
        pool,
        length: None,
        dropout: None,
        elmo: None,
        device,
        kind,
    }
}

fn open(folder: &Path, classes: usize, pool: Pool) -> Loaded {
    // Tests run on all cores as it is; more threads for each only get into each other's way.
    tch::set_num_threads(1);
    let _alone = crate::rng::alone();
    load(folder, &request(Start::Checkpoint, classes, pool)).unwrap()
}

const PLAIN: Mode = Mode { kind: Kind::Float, training: false };

fn gap(a: &Tensor, b: &Tensor) -> f64 {
    assert_eq!(a.size(), b.size());
    (a.to_kind(Kind::Double) - b.to_kind(Kind::Double)).abs().max().double_value(&[])
}

fn gap_to(want: &BTreeMap<String, Tensor>, case: &str, what: &str, got: &Tensor) -> f64 {
    gap(got, &want[&format!("{case}.{what}")])
}

/// The batch whose tensors' names begin with `prefix`; `at` picks one of a series.
fn inputs_at(tensors: &BTreeMap<String, Tensor>, prefix: &str, at: Option<i64>) -> Inputs {
    let get = |name: &str| {
        let tensor = tensors.get(&format!("{prefix}{name}"))?;
        Some(at.map_or_else(|| tensor.shallow_clone(), |at| tensor.get(at)))
    };
    Inputs {
        ids: get("input_ids").unwrap(),
        mask: get("attention_mask"),
        segments: get("token_type_ids"),
        positions: get("position_ids"),
        by_row: false,
    }
}

fn inputs(tensors: &BTreeMap<String, Tensor>, prefix: &str) -> Inputs {
    inputs_at(tensors, prefix, None)
}

/// Every group learns.
const ALL: u32 = u32::MAX;

/// Logits, loss and the gradient of every weight of the first batch.
fn check_gradients(model: &Loaded, name: &str) {
    let want = expected(&format!("{name}_grads.safetensors"));
    let logits = model.network.forward(&inputs(&want, ""), PLAIN).unwrap();
    let loss = logits.cross_entropy_for_logits(&want["labels"]);
    assert!(gap(&logits, &want["logits"]) < 2e-5);
    assert!(gap(&loss.view([1]), &want["loss"]) < 2e-5);
    let optimizer = Optimizer::new(&RunSpec::default(), &model.parameters, ALL).unwrap();
    let gradients = optimizer.gradients(&loss).unwrap();
    assert_eq!(gradients.len(), want.keys().filter(|k| k.starts_with("grad.")).count());
    for (parameter, gradient) in model.parameters.iter().zip(&gradients) {
        let gap = gap(gradient, &want[&format!("grad.{}", parameter.name)]);
        assert!(gap < 5e-5, "{}: {gap}", parameter.name);
    }
}

/// The losses of 20 batches, each before its update.
fn train_on(
    model: &Loaded,
    name: &str,
    spec: &RunSpec,
    plan: &LrSchedule,
    groups: u32,
) -> Vec<f64> {
    let batches = expected(&format!("{name}_curve.safetensors"));
    let mut optimizer = Optimizer::new(spec, &model.parameters, groups).unwrap();
    let losses = (0..20).map(|step| {
        let inputs = inputs_at(&batches, "batches.", Some(step));
        let logits = model.network.forward(&inputs, PLAIN).unwrap();
        let loss = logits.cross_entropy_for_logits(&batches["batches.labels"].get(step));
        let mut gradients = optimizer.gradients(&loss).unwrap();
        let scale = match spec.clip {
            0.0 => 1.0,
            most => optim::clip(&mut gradients, most).unwrap(),
        };
        optimizer.step(&gradients, scale, plan.lr(step as u64)).unwrap();
        loss.double_value(&[])
    });
    losses.collect()
}

/// Trains as the named run of a curve did; its losses, and what it ended in, must be the same.
fn check_curve(model: &Loaded, name: &str, run: &str) {
    let json = expected_json(&format!("{name}_curve.json"));
    let run_json = &json["runs"][run];
    let (spec, plan) = recipe(run);
    let got = train_on(model, name, &spec, &plan, ALL);
    let noise = run_json["max_abs_gap_32_64"].as_f64().unwrap_or(0.0);
    let losses = run_json["losses"].as_array().unwrap();
    assert_eq!(losses.len(), got.len());
    for (step, (got, want)) in got.iter().zip(losses).enumerate() {
        let gap = (got - want.as_f64().unwrap()).abs();
        assert!(gap < (10.0 * noise).max(1e-4), "{name} {run} step {step}: {got} {want}");
    }
    let saved = expected(&format!("{name}_curve.safetensors"));
    for parameter in &model.parameters {
        let Some(want) = saved.get(&format!("{run}.final.{}", parameter.name)) else { continue };
        // The gradient of a key's bias is 0 but for rounding, which Adam blows up.
        let got = &parameter.tensor;
        let gap = if parameter.name.ends_with("attention.self.key.bias") {
            continue;
        } else if parameter.name.ends_with("attn.c_attn.bias") {
            let ends = |x: &Tensor| x.view([3, -1]).index_select(0, &Tensor::from_slice(&[0, 2]));
            gap(&ends(got), &ends(want))
        } else {
            gap(got, want)
        };
        assert!(gap < 1e-3, "{name} {run} {}: {gap}", parameter.name);
    }
    if let Some(want) = saved.get(&format!("{run}.final_logits_batch0")) {
        let logits = model.network.forward(&inputs_at(&saved, "batches.", Some(0)), PLAIN);
        assert!(gap(&logits.unwrap(), want) < 1e-3, "{name} {run}");
    }
}

/// What the runs of the fixtures' curves are.
fn recipe(run: &str) -> (RunSpec, LrSchedule) {
    let constant = |lr| LrSchedule { peak: lr, warmup: 0.0, total: 20, shape: Schedule::Constant };
    let plain = RunSpec { clip: 0.0, weight_decay: 0.01, ..RunSpec::default() };
    match run {
        "adamw" => (RunSpec { decay_all: true, ..plain }, constant(1e-3)),
        "adam" => (RunSpec { optimizer: Rule::Adam, ..plain }, constant(1e-3)),
        "adamw_hf" => {
            let plan = LrSchedule { peak: 1e-3, warmup: 4.0, total: 20, shape: Schedule::Linear };
            (RunSpec { clip: 1.0, ..plain }, plan)
        }
        "sgd" => {
            let sgd = RunSpec { optimizer: Rule::Sgd, momentum: 0.9, weight_decay: 0.0, ..plain };
            (sgd, constant(0.05))
        }
        other => panic!("no recipe for {other}"),
    }
}
