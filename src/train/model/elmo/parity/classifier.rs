//! A classifier on top of an ELMo: gradients, losses of a training run, and the state that is carried.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;
use tch::{Device, Kind, Tensor};
use tuneboard::model_config::elmo::WIDTH;
use tuneboard::spec::{Pool, RunSpec, Unfreeze};

use super::super::characters::word;
use super::{CLOSE, folders, framed, layers};
use crate::model::Context;
use crate::model::{self, Inputs, Loaded, Mode, Parameter, Request, Start};
use crate::optim::Optimizer;
use crate::parity::{self, Tally, Tensors, gap, json, tensors};

/// The classifier of the fixture's curves, at its start.
fn classifier(folder: &Path, case: &Tensors, told: &Value, stateful: bool) -> Loaded {
    let request = Request {
        start: Start::Checkpoint,
        classes: Some(case["linear.weight"].size()[0] as usize),
        pool: Pool::Auto,
        dropout: Some(0.0),
        elmo: Some(Context { stateful, layer_norm: false }),
        ..Request::as_saved(Device::Cpu, Kind::Float)
    };
    let model = model::load(folder, &request).unwrap();
    let _guard = tch::no_grad_guard();
    for parameter in model.parameters.iter().filter(|p| p.is_head) {
        let part = parameter.name.rsplit('.').next().unwrap();
        let mut place = parameter.tensor.shallow_clone();
        if let Some(linear) = parameter.name.strip_prefix("classifier.") {
            place.copy_(&case[&format!("linear.{linear}")]);
        } else if part == "gamma" {
            let _ = place.fill_(told["gamma_init"].as_f64().unwrap());
        } else {
            let scalar = &told["scalar_parameters_init"][part.parse::<usize>().unwrap()];
            let _ = place.fill_(scalar.as_f64().unwrap());
        }
    }
    model
}

fn sentences(told: &Value) -> Inputs {
    let texts: Vec<Vec<&str>> = told
        .as_array()
        .unwrap()
        .iter()
        .map(|s| s.as_array().unwrap().iter().map(|w| w.as_str().unwrap()).collect())
        .collect();
    let longest = texts.iter().map(Vec::len).max().unwrap();
    let mut ids: Vec<i64> = Vec::new();
    for text in &texts {
        for letters in text {
            ids.extend(word(letters.bytes().map(|b| u32::from(b) + 1)).map(i64::from));
        }
        ids.resize(ids.len() + (longest - text.len()) * WIDTH, 0);
    }
    let (batch, longest) = (texts.len() as i64, longest as i64);
    let framed = framed(&Tensor::from_slice(&ids).view([batch, longest, WIDTH as i64]));
    Inputs {
        ids: framed.view([batch, -1]),
        mask: None,
        segments: None,
        positions: None,
        by_row: false,
        unpadded: None,
    }
}

/// A copy of a model whose cells and outputs are clipped by `more` later.
fn clipped_later(folder: &Path, more: [f64; 2]) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    let mut options = json(&folder.join("options.json"));
    for (key, more) in ["cell_clip", "proj_clip"].into_iter().zip(more) {
        if let Some(clip) = options["lstm"][key].as_f64() {
            options["lstm"][key] = (clip + more).into();
        }
    }
    fs::write(copy.path().join("options.json"), options.to_string()).unwrap();
    fs::copy(folder.join("lm_weights.hdf5"), copy.path().join("weights.hdf5")).unwrap();
    copy
}

/// What one run of a fixture's curves is, and its model.
struct Curve {
    name: String,
    told: Value,
    case: Tensors,
    model: Loaded,
    optimizer: Optimizer,
    groups: u32,
    lr: f64,
}

impl Curve {
    /// The run `name` of `folder`, with the model in another one.
    fn open(model: &Path, folder: &Path, name: &str) -> Self {
        let case = tensors(&folder.join("classifier_curve.safetensors"));
        let told = json(&folder.join("classifier_curve.json"));
        let run = &told["runs"][name];
        let stateful = run["reset_states_before_each_step"] == false;
        let model = classifier(model, &case, &told, stateful);
        assert_eq!(model.network.memory().is_some(), stateful);
        let groups = model.parameters.iter().map(Parameter::group).max().unwrap() + 1;
        assert_eq!(groups as usize, layers(folder) + 2, "head, layers, characters");
        let asked = if run["requires_grad_biLM"] == true { Unfreeze::All } else { Unfreeze::Auto };
        let unfreeze = model.family.unfreeze(asked);
        let groups = if unfreeze == Unfreeze::Head { 1 } else { groups };
        let spec = parity::optimizer(told["optimizer"].as_str().unwrap());
        let lr = spec.lr;
        let spec = RunSpec { clip: 0.0, ..spec };
        let optimizer = Optimizer::new(&spec, &model.parameters, groups).unwrap();
        Self { name: name.to_owned(), told, case, model, optimizer, groups, lr }
    }

    /// Logits, loss and gradients of a step.
    fn step(&mut self, step: usize) -> (Tensor, f64, Vec<Tensor>) {
        let inputs = sentences(&self.told["sentences"][step]);
        let labels: Vec<i64> = serde_json::from_value(self.told["labels"][step].clone()).unwrap();
        let logits = self.model.network.forward(&inputs, Mode::training(Kind::Float)).unwrap();
        let loss = logits.cross_entropy_for_logits(&Tensor::from_slice(&labels));
        let gradients = self.optimizer.gradients(&loss).unwrap();
        (logits, loss.double_value(&[]), gradients)
    }

    /// The largest gap of a gradient of the first step to what is told of it. The state is empty still:
    /// what is told of one run holds for the other.
    fn first_gap(&mut self) -> (f64, String) {
        let (logits, _, gradients) = self.step(0);
        let name = self.name.replace("stateful", "reset");
        assert!(gap(&logits, &self.case[&format!("{name}.step0.logits")]) < CLOSE, "{name}");
        let learns = self.model.parameters.iter().filter(|p| p.group() < self.groups);
        assert_eq!(learns.clone().count(), gradients.len());
        let gaps = learns.zip(&gradients).map(|(parameter, gradient)| {
            let part = parameter.name.replace("classifier.", "linear.");
            let want = &self.case[&format!("{name}.step0.grad.{part}")];
            (gap(gradient, want), part)
        });
        gaps.max_by(|a, b| a.0.total_cmp(&b.0)).unwrap()
    }
}

/// Gradients of the first step and the losses of all AdamW steps. What scalars and biases lose to decay
/// there, and not here, is below the tolerance.
#[test]
fn classifiers_learn_as_in_allennlp() {
    let mut tally = Tally::of("steps of ELMo classifiers");
    for folder in folders() {
        let of = parity::name(&folder);
        tally.add(&of, 0);
        let told = json(&folder.join("classifier_curve.json"));
        for (name, run) in told["runs"].as_object().unwrap() {
            check_gradients(&folder, name);
            let mut curve = Curve::open(&folder, &folder, name);
            let want = parity::numbers(&run["losses"]);
            for (step, want) in want.iter().enumerate() {
                let (_, got, gradients) = curve.step(step);
                assert!((got - want).abs() < 1e-3, "{of} {name} step {step}: {got} {want}");
                curve.optimizer.step(&gradients, 1.0, curve.lr).unwrap();
            }
            tally.add(&of, want.len());
        }
    }
    tally.end();
}

/// An output or a cell may lie a rounding step from its clip, where rounding decides whether its gradient
/// passes. That this is all the difference is shown by clips that lie 1e-6 aside: with one of them all
/// gradients agree.
fn check_gradients(folder: &Path, name: &str) {
    let as_it_is = Curve::open(folder, folder, name).first_gap();
    if as_it_is.0 < CLOSE {
        return;
    }
    let aside = [0.0, 1e-6, -1e-6];
    let pairs = aside.iter().flat_map(|cell| aside.map(|output| [*cell, output]));
    let explained = pairs.skip(1).any(|more| {
        let other = clipped_later(folder, more);
        Curve::open(other.path(), folder, name).first_gap().0 < CLOSE
    });
    assert!(explained, "{} {name}: {as_it_is:?}", folder.display());
}

/// A state that is carried shows: the same texts twice are told twice differently, and alike after it
/// was cleared.
#[test]
fn what_is_carried_can_be_kept_and_cleared() {
    for folder in folders() {
        let case = tensors(&folder.join("classifier_curve.safetensors"));
        let told = json(&folder.join("classifier_curve.json"));
        let model = classifier(&folder, &case, &told, true);
        let inputs = sentences(&told["sentences"][0]);
        let _guard = tch::no_grad_guard();
        let ask = || model.network.forward(&inputs, Mode::inference(Kind::Float)).unwrap();
        let memory = model.network.memory().unwrap();
        let first = ask();
        let kept: BTreeMap<_, _> = memory.state().into_iter().collect();
        let parts = 2 * 2 * layers(&folder);
        assert_eq!(kept.len(), parts, "output and memory of each layer in two directions");
        let second = ask();
        assert!(gap(&first, &second) > 10.0 * CLOSE);
        memory.restore(&kept, Device::Cpu).unwrap();
        assert_eq!(gap(&ask(), &second), 0.0);
        memory.put(Vec::new());
        assert_eq!(gap(&ask(), &first), 0.0);
        assert_eq!(model.json["tuneboard_stateful"], serde_json::json!(true));
    }
}
