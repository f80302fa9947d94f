//! Against transformers 5.23 on torch 2.11 (CPU, float32); tests/fixtures/README.md says how the
//! numbers were made. `TUNEBOARD_FIXTURES` names another folder of the same layout.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Mutex;
use std::{env, fs};

use serde_json::Value;
use tch::{Device, Kind, Reduction, Tensor};
use tuneboard::spec::{Optimizer as Rule, Plan, Pool, RunSpec, Schedule};

use super::*;
use crate::optim::{self, Optimizer};

fn fixtures() -> PathBuf {
    env::var_os("TUNEBOARD_FIXTURES").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures"),
        PathBuf::from,
    )
}

fn model_folder(name: &str) -> PathBuf {
    fixtures().join("models").join(name)
}

fn expected(name: &str) -> BTreeMap<String, Tensor> {
    weights::read_all(&fixtures().join("expected").join(name)).unwrap()
}

/// Tests run side by side, and libtorch has one generator for all: whoever draws holds this.
static DRAWING: Mutex<()> = Mutex::new(());

fn request(start: Start, classes: usize, pool: Pool) -> Request {
    Request {
        start,
        classes: Some(classes),
        pool,
        dropout: None,
        device: Device::Cpu,
        kind: Kind::Float,
    }
}

fn open(folder: &Path, classes: usize, pool: Pool) -> Loaded {
    let _alone = DRAWING.lock().unwrap();
    load(folder, &request(Start::Checkpoint, classes, pool)).unwrap()
}

fn gap(a: &Tensor, b: &Tensor) -> f64 {
    assert_eq!(a.size(), b.size());
    (a.to_kind(Kind::Double) - b.to_kind(Kind::Double)).abs().max().double_value(&[])
}

fn inputs(tensors: &BTreeMap<String, Tensor>, prefix: &str) -> Inputs {
    let get = |name: &str| tensors.get(&format!("{prefix}{name}")).map(Tensor::shallow_clone);
    Inputs {
        ids: get("input_ids").unwrap(),
        mask: get("attention_mask"),
        segments: get("token_type_ids"),
    }
}

const CASES: [&str; 5] =
    ["right_pad", "full_length_two_segments", "no_mask_given", "holes_in_mask", "from_text"];

fn check_trunk(name: &str) {
    let model = open(&model_folder(name), 3, Pool::Cls);
    let want = expected("tiny-bert_outputs.safetensors");
    let mode = Mode::inference(Kind::Float);
    for case in CASES {
        let inputs = inputs(&want, &format!("{case}."));
        let inside = model.network.inside(&inputs, mode).unwrap();
        assert_eq!(inside.len(), 2);
        for (what, got) in inside {
            assert!(gap_to(&want, case, what, &got) < 2e-5, "{name} {case} {what}");
        }
    }
}

fn gap_to(want: &BTreeMap<String, Tensor>, case: &str, what: &str, got: &Tensor) -> f64 {
    gap(got, &want[&format!("{case}.{what}")])
}

#[test]
fn tiny_bert_gives_transformers_hidden_states() {
    check_trunk("tiny-bert");
}

#[test]
fn names_of_2018_give_the_same_model() {
    check_trunk("tiny-bert-legacy-keys");
}

#[test]
fn the_checkpoints_own_head_gives_transformers_logits() {
    let model = open(&model_folder("tiny-bert-seqcls"), 3, Pool::Cls);
    assert!(model.head_given);
    let want = expected("tiny-bert_outputs.safetensors");
    for case in CASES {
        let inputs = inputs(&want, &format!("{case}."));
        let logits = model.network.forward(&inputs, Mode::inference(Kind::Float)).unwrap();
        assert!(gap_to(&want, case, "seqcls_logits", &logits) < 2e-5, "{case}");
    }
}

#[test]
fn a_head_that_does_not_fit_is_made_anew() {
    let folder = model_folder("tiny-bert-seqcls");
    assert!(!open(&folder, 4, Pool::Cls).head_given);
    assert!(!open(&folder, 3, Pool::Mean).head_given);
}

#[test]
fn gradients_are_transformers() {
    let model = open(&model_folder("tiny-bert-seqcls"), 3, Pool::Cls);
    let want = expected("tiny-bert-seqcls_grads.safetensors");
    let mode = Mode::inference(Kind::Float);
    let logits = model.network.forward(&inputs(&want, ""), mode).unwrap();
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

/// Every group learns.
const ALL: u32 = u32::MAX;

/// The losses of the 20 batches, each before its update.
fn curve(spec: &RunSpec, plan: &Plan, groups: u32) -> (Vec<f64>, Loaded) {
    let model = open(&model_folder("tiny-bert-seqcls"), 3, Pool::Cls);
    let batches = expected("tiny-bert-seqcls_curve.safetensors");
    let mut optimizer = Optimizer::new(spec, &model.parameters, groups).unwrap();
    let losses = (0..20).map(|step| {
        let at = |name: &str| batches[&format!("batches.{name}")].get(step);
        let inputs =
            Inputs { ids: at("input_ids"), mask: Some(at("attention_mask")), segments: None };
        let logits = model.network.forward(&inputs, Mode::inference(Kind::Float)).unwrap();
        let loss = logits.cross_entropy_for_logits(&at("labels"));
        let mut gradients = optimizer.gradients(&loss).unwrap();
        let scale = match spec.clip {
            0.0 => 1.0,
            most => optim::clip(&mut gradients, most).unwrap(),
        };
        optimizer.step(&gradients, scale, plan.lr(step as u64)).unwrap();
        loss.double_value(&[])
    });
    (losses.collect(), model)
}

fn check_curve(run: &str, spec: &RunSpec, plan: &Plan) -> Loaded {
    let path = fixtures().join("expected/tiny-bert-seqcls_curve.json");
    let json: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let want = json["runs"][run]["losses"].as_array().unwrap();
    let (got, model) = curve(spec, plan, ALL);
    for (step, (got, want)) in got.iter().zip(want).enumerate() {
        let gap = (got - want.as_f64().unwrap()).abs();
        assert!(gap < 1e-4, "{run} step {step}: {got} {want}");
    }
    model
}

fn constant(lr: f64) -> Plan {
    Plan { peak: lr, warmup: 0.0, total: 20, shape: Schedule::Constant }
}

#[test]
fn adamw_follows_pytorch_for_20_steps() {
    // What biases and LayerNorm weights lose to decay here is below the tolerance.
    let spec = RunSpec { clip: 0.0, weight_decay: 0.01, ..RunSpec::default() };
    check_curve("adamw", &spec, &constant(1e-3));
}

#[test]
fn adam_follows_pytorch_for_20_steps() {
    let spec = RunSpec { clip: 0.0, optimizer: Rule::Adam, ..RunSpec::default() };
    check_curve("adam", &spec, &constant(1e-3));
}

#[test]
fn groups_schedule_and_clipping_follow_transformers_for_20_steps() {
    let spec = RunSpec { clip: 1.0, weight_decay: 0.01, ..RunSpec::default() };
    let plan = Plan { peak: 1e-3, warmup: 4.0, total: 20, shape: Schedule::Linear };
    let model = check_curve("adamw_hf", &spec, &plan);
    let saved = expected("tiny-bert-seqcls_curve.safetensors");
    let at = |name: &str| saved[&format!("batches.{name}")].get(0);
    let inputs = Inputs { ids: at("input_ids"), mask: Some(at("attention_mask")), segments: None };
    let logits = model.network.forward(&inputs, Mode::inference(Kind::Float)).unwrap();
    assert!(gap(&logits, &saved["adamw_hf.final_logits_batch0"]) < 1e-3);
}

#[test]
fn a_frozen_trunk_stays_and_the_head_learns() {
    let spec = RunSpec { clip: 0.0, ..RunSpec::default() };
    let before = open(&model_folder("tiny-bert-seqcls"), 3, Pool::Cls);
    let (losses, after) = curve(&spec, &constant(1e-2), 1);
    assert!(losses.iter().all(|l| l.is_finite()));
    for (a, b) in before.parameters.iter().zip(&after.parameters) {
        let moved = gap(&a.tensor, &b.tensor) > 0.0;
        assert_eq!(moved, a.is_head, "{}", a.name);
    }
}

#[test]
fn batches_of_a_step_add_up_to_one_large_batch() {
    let model = open(&model_folder("tiny-bert-seqcls"), 3, Pool::Cls);
    let batches = expected("tiny-bert-seqcls_grads.safetensors");
    let weights = Tensor::from_slice(&[0.5_f32, 2.0, 1.25]);
    let optimizer = Optimizer::new(&RunSpec::default(), &model.parameters, ALL).unwrap();
    let gradients = |range: std::ops::Range<i64>, reduction, divisor: f64| {
        let at = |name: &str| batches[name].slice(0, range.start, range.end, 1);
        let inputs =
            Inputs { ids: at("input_ids"), mask: Some(at("attention_mask")), segments: None };
        let logits = model.network.forward(&inputs, Mode::inference(Kind::Float)).unwrap();
        let loss = logits.cross_entropy_loss(&at("labels"), Some(&weights), reduction, -100, 0.1)
            / divisor;
        optimizer.gradients(&loss).unwrap()
    };
    let total = weights.index_select(0, &batches["labels"]).sum(Kind::Float).double_value(&[]);
    let whole = gradients(0..8, Reduction::Mean, 1.0);
    let mut sum = Vec::new();
    for range in [0..3, 3..6, 6..8] {
        optim::accumulate(&mut sum, gradients(range, Reduction::Sum, total)).unwrap();
    }
    for (a, b) in whole.iter().zip(&sum) {
        assert!(gap(a, b) < 1e-5);
    }
}

#[test]
fn random_weights_are_the_seeds() {
    let draw = |seed| {
        let _alone = DRAWING.lock().unwrap();
        crate::rng::seed_torch(seed, crate::rng::Purpose::Init, 0);
        load(&model_folder("tiny-bert"), &request(Start::Random, 2, Pool::Mean)).unwrap()
    };
    let (a, b, c) = (draw(1), draw(1), draw(2));
    let words = |m: &Loaded| m.parameters[0].tensor.shallow_clone();
    assert_eq!(gap(&words(&a), &words(&b)), 0.0);
    assert!(gap(&words(&a), &words(&c)) > 0.01);
    assert_eq!(words(&a).get(0).abs().sum(Kind::Float).double_value(&[]), 0.0);
    let spread = words(&a).std(true).double_value(&[]);
    assert!((spread - 0.02).abs() < 0.001, "{spread}");
}

#[test]
fn pooling_leaves_padding_out() {
    let want = expected("tiny-bert_outputs.safetensors");
    let padded = inputs(&want, "right_pad.");
    let mask = padded.mask.as_ref().unwrap();
    for pool in [Pool::Mean, Pool::Max] {
        let model = open(&model_folder("tiny-bert"), 3, pool);
        let mode = Mode::inference(Kind::Float);
        let together = model.network.forward(&padded, mode).unwrap();
        for row in 0..mask.size()[0] {
            let length = mask.get(row).sum(Kind::Int64).int64_value(&[]);
            let ids = padded.ids.get(row).narrow(0, 0, length).unsqueeze(0);
            let segments =
                padded.segments.as_ref().map(|s| s.get(row).narrow(0, 0, length).unsqueeze(0));
            let alone = Inputs { ids, mask: None, segments };
            let alone = model.network.forward(&alone, mode).unwrap();
            assert!(gap(&alone.get(0), &together.get(row)) < 2e-5, "{pool} {row}");
        }
    }
}

#[test]
fn bf16_stays_near() {
    let half = Request { kind: Kind::BFloat16, ..request(Start::Checkpoint, 3, Pool::Cls) };
    let model = load(&model_folder("tiny-bert-seqcls"), &half).unwrap();
    let want = expected("tiny-bert_outputs.safetensors");
    let inputs = inputs(&want, "right_pad.");
    let logits = model.network.forward(&inputs, Mode::inference(Kind::BFloat16)).unwrap();
    let gap = gap_to(&want, "right_pad", "seqcls_logits", &logits);
    assert!(gap > 0.0 && gap < 0.1, "{gap}");
}

/// The real model is too large to be kept here: `TUNEBOARD_MINILM` or models/minilm names it.
#[test]
fn minilm_gives_transformers_vectors() {
    let folder = env::var_os("TUNEBOARD_MINILM").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("models/minilm"),
        PathBuf::from,
    );
    if !folder.join("model.safetensors").is_file() {
        crate::progress::err("skipped: no MiniLM in TUNEBOARD_MINILM or models/minilm");
        return;
    }
    let want = expected("minilm_outputs.safetensors");
    let model = open(&folder, 4, Pool::Cls);
    let _guard = tch::no_grad_guard();
    let inputs = inputs(&want, "");
    let mut inside = model.network.inside(&inputs, Mode::inference(Kind::Float)).unwrap();
    let (pooled, hidden) = (inside.pop().unwrap().1, inside.pop().unwrap().1);
    let mean = pooling::mean(&hidden, inputs.mask.as_ref()).unwrap();
    assert!(gap(&pooled, &want["pooler_output"]) < 2e-5);
    assert!(gap(&hidden.select(1, 0), &want["cls_hidden"]) < 2e-5);
    assert!(gap(&mean, &want["mean_pooled"]) < 2e-5);
    let logits = pooled.linear(&want["classifier.weight"], Some(&want["classifier.bias"]));
    assert!(gap(&logits, &want["logits"]) < 2e-5);
}
