//! The classifier on top of an AWD-LSTM: outputs, losses of training runs, and ULMFiT's recipe.

use tch::{Device, Kind, Tensor};
use tuneboard::model_config::awd_lstm::AwdLstmConfig;
use tuneboard::spec::{Pool, Rates, RunSpec, Schedule, Unfreeze};

use super::super::classifier::{Assembled, Classifier, assemble};
use super::super::sentences::lay_out;
use super::{folder, json_of, noise, quiet, size, tensors};
use crate::model::{Inputs, Mode, Network, Request, Start};
use crate::optim::Optimizer;
use crate::parity::{self, Tally, Tensors, cases, gap, number};

fn classifier() -> Assembled {
    let folder = folder("classifier.safetensors", "classifier_config.json");
    let request = Request {
        start: Start::Checkpoint,
        classes: Some(size("classifier_config.json", "n_class") as usize),
        pool: Pool::Auto,
        dropout: Some(0.0),
        ..Request::as_saved(Device::Cpu, Kind::Float)
    };
    let config = AwdLstmConfig::of(&json_of("classifier_config.json")).unwrap();
    let assembled = assemble(folder.path(), &config, &request).unwrap();
    assert!(assembled.head_given);
    assembled
}

/// Class scores of a batch that fastai laid out.
fn logits(model: &Classifier, ids: &Tensor, mode: Mode) -> Tensor {
    let pooled = model.encoder.pool(&model.encoder.forward(ids, mode).unwrap()).unwrap();
    model.logits(&pooled, mode).unwrap()
}

/// The real tokens of a laid-out batch, padded on the right, in another order of rows.
fn as_collated(ids: &Tensor) -> (Inputs, Vec<i64>) {
    let (batch, length) = ids.size2().unwrap();
    let pad = size("classifier_config.json", "pad_idx");
    let order: Vec<i64> = (0..batch).rev().collect();
    let mut rows = Vec::new();
    let mut mask = Vec::new();
    for row in &order {
        let row = Vec::<i64>::try_from(ids.get(*row)).unwrap();
        let mut text: Vec<i64> = row.into_iter().filter(|id| *id != pad).collect();
        mask.extend((0..length).map(|at| i64::from(at < text.len() as i64)));
        text.resize(length as usize, pad);
        rows.extend(text);
    }
    let place = |x: &[i64]| Tensor::from_slice(x).view([batch, length]);
    (
        Inputs {
            ids: place(&rows),
            mask: Some(place(&mask)),
            segments: None,
            positions: None,
            by_row: false,
            unpadded: None,
        },
        order,
    )
}

#[test]
fn the_classifier_gives_fastais_outputs() {
    let mut tally = Tally::of("batches of an AWD-LSTM classifier");
    let model = classifier().classifier;
    let window = size("classifier_config.json", "bptt");
    let pad = size("classifier_config.json", "pad_idx");
    let want = tensors("classifier_outputs.safetensors");
    let mut same = 0;
    for case in cases(&want, "logits") {
        let at = |name: &str| &want[&format!("{case}.{name}")];
        let encoded = model.encoder.forward(at("input_ids"), quiet()).unwrap();
        assert!(gap(&encoded.outputs, at("encoder_out")) < 1e-5, "{case}");
        assert_eq!(gap(&encoded.is_padding, at("mask")), 0.0, "{case}");
        assert!(gap(&model.encoder.pool(&encoded).unwrap(), at("pooled")) < 1e-5, "{case}");
        tally.add(&case, 1);
        // Through the trainer's own batches: the same rows in another order, padded on the right.
        let (inputs, order) = as_collated(at("input_ids"));
        let (laid_out, _) = lay_out(&inputs, window, pad).unwrap();
        if laid_out.size() != at("input_ids").size() {
            continue; // fastai leaves a text out here; see `whole_windows`.
        }
        same += 1;
        let got = model.forward(&inputs, quiet()).unwrap();
        let same_order = at("logits").index_select(0, &Tensor::from_slice(&order));
        assert!(gap(&got, &same_order) < 1e-5, "{case}");
    }
    assert!(same > 0);
    tally.end();
}

struct Curve<'a> {
    name: &'a str,
    spec: RunSpec,
}

impl Curve<'_> {
    /// Every loss against fastai's; `rates` say who learns and how fast.
    ///
    /// Where a ReLU or a maximum hangs on the last bit, two right programs part by more than rounding
    /// does. So weights may start a rounding step aside: one such start must agree all the way.
    fn check(&self, rates: &Rates) -> Assembled {
        let starts = (0..8).map(|start| self.follow(rates, start));
        let mut parted = Vec::new();
        for end in starts {
            match end {
                Ok(model) => return model,
                Err(where_) => parted.push(where_),
            }
        }
        panic!("{}: {parted:?}", self.name)
    }

    /// Trains; says where a loss is not fastai's. Start 0 is fastai's own.
    fn follow(&self, rates: &Rates, start: i64) -> Result<Assembled, String> {
        let model = classifier();
        nudge(&model, start);
        let saved = tensors("classifier_curve.safetensors");
        let batches = cases(&saved, "labels").len();
        let runs = &json_of("classifier_curve.json")["runs"];
        let noise = noise(runs, self.name);
        let training = Mode::training(Kind::Float);
        let mut stage = rates.stage(0);
        let mut optimizer = Optimizer::new(&self.spec, &model.parameters, stage.groups).unwrap();
        for (step, want) in parity::numbers(&runs[self.name]["losses"]).into_iter().enumerate() {
            let at = |name: &str| &saved[&format!("batch{}.{name}", step % batches)];
            let step = step as u64;
            if rates.stage(step) != stage {
                stage = rates.stage(step);
                optimizer = Optimizer::new(&self.spec, &model.parameters, stage.groups).unwrap();
            }
            let logits = logits(&model.classifier, at("input_ids"), training);
            let loss = logits.cross_entropy_for_logits(at("labels"));
            let gap = (loss.double_value(&[]) - want).abs();
            if gap >= (10.0 * noise).max(1e-4) {
                return Err(format!("step {step}: {gap}"));
            }
            let gradients = optimizer.gradients(&loss).unwrap();
            if step == 0 && stage.groups == rates.groups() {
                check_gradients(&model, &gradients, &saved);
            }
            // The trainer leaves biases and normalisations alone; the reference decays everything.
            let _guard = tch::no_grad_guard();
            let learning = model.parameters.iter().filter(|p| p.learns && !p.decays());
            for parameter in learning.filter(|p| p.group() < stage.groups) {
                let rate = rates.of_group(step, parameter.group());
                let keep = 1.0 - rate * self.spec.weight_decay;
                let _ = parameter.tensor.shallow_clone().g_mul_scalar_(keep);
            }
            optimizer.step(&gradients, 1.0, rates.lr(step)).unwrap();
        }
        Ok(model)
    }
}

/// Moves each weight by about a bit in 24, in a way that `start` chooses; 0 moves none.
fn nudge(model: &Assembled, start: i64) {
    if start == 0 {
        return;
    }
    let _alone = crate::rng::alone();
    tch::manual_seed(start);
    let _guard = tch::no_grad_guard();
    for parameter in model.parameters.iter().filter(|p| p.learns) {
        let moved = &parameter.tensor * (parameter.tensor.randn_like() * 6e-8 + 1.0);
        parameter.tensor.shallow_clone().copy_(&moved);
    }
}

fn check_gradients(model: &Assembled, gradients: &[Tensor], saved: &Tensors) {
    let learning = model.parameters.iter().filter(|p| p.learns);
    let mut seen = 0;
    for (parameter, gradient) in learning.zip(gradients) {
        let want = &saved[&format!("step0.grad.{}", parameter.name)];
        assert!(gap(gradient, want) < 1e-4, "{}", parameter.name);
        seen += 1;
    }
    assert_eq!(seen, saved.keys().filter(|name| name.starts_with("step0.grad.")).count());
}

/// Steps of an epoch: each goes through all batches once.
fn batches() -> u64 {
    cases(&tensors("classifier_curve.safetensors"), "labels").len() as u64
}

/// The number of groups of weights, from the head down to the embeddings.
fn groups() -> u32 {
    size("classifier_config.json", "n_layers") as u32 + 2
}

fn constant(spec: &RunSpec) -> Rates {
    let spec = RunSpec { schedule: Schedule::Constant, warmup: 0.0, epochs: 1, ..spec.clone() };
    Rates::new(&spec, batches(), groups())
}

fn check_final_logits(model: &Assembled, run: &str, most: f64) {
    let saved = tensors("classifier_curve.safetensors");
    let logits = logits(&model.classifier, &saved["batch0.input_ids"], quiet());
    let want = saved[&format!("{run}.final_eval_logits_batch0")].shallow_clone();
    let gap = gap(&logits, &want);
    assert!(gap < most, "{run}: {gap}");
}

#[test]
fn the_classifier_learns_as_in_fastai() {
    let mut tally = Tally::of("steps of an AWD-LSTM classifier");
    let told = json_of("classifier_curve.json");
    let saved = tensors("classifier_curve.safetensors");
    let rules = told["all_layers_runs"].as_object().unwrap();
    for (name, rule) in rules.iter().filter(|(name, _)| told["runs"].get(name.as_str()).is_some()) {
        let spec = parity::optimizer(rule.as_str().unwrap());
        let rates = constant(&spec);
        let model = Curve { name, spec }.check(&rates);
        // Running means and variances have moved as fastai's have.
        for parameter in &model.parameters {
            if let Some(want) = saved.get(&format!("{name}.final.{}", parameter.name)) {
                // Between two normalisations some gradients are all but 0, and Adam's steps for them
                // rounding noise at full size: some of the head's weights may end elsewhere.
                let off = (&parameter.tensor - want).abs().gt(1e-3);
                let off = off.to_kind(Kind::Float).mean(Kind::Float).double_value(&[]);
                let most = if parameter.learns && parameter.is_head { 0.2 } else { 0.0 };
                assert!(off <= most, "{name} {}: {off}", parameter.name);
            }
        }
        check_final_logits(&model, name, 2e-2);
        tally.add(name, told["runs"][name]["losses"].as_array().unwrap().len());
    }
    tally.end();
}

/// Gradual unfreezing, a rate per group and slanted triangles, over all stages.
#[test]
fn the_recipe_of_ulmfit_learns_as_in_fastai() {
    const NAME: &str = "ulmfit_recipe";
    let told = json_of("classifier_curve.json");
    let recipe = |key: &str| told[NAME][key].as_str().unwrap();
    let steps = told["runs"][NAME]["losses"].as_array().unwrap().len() as u64;
    let falling = recipe("discriminative_lr").split(' ').find(|part| part.contains('^')).unwrap();
    let spec = RunSpec {
        lr: number(recipe("schedule"), "eta_max").unwrap(),
        warmup: number(recipe("schedule"), "cut_frac").unwrap(),
        epochs: (steps / batches()) as u32,
        schedule: Schedule::Slanted,
        unfreeze: Unfreeze::Gradual,
        layer_decay: falling.split('^').next().unwrap().parse().unwrap(),
        ..parity::optimizer(recipe("optimizer"))
    };
    let rates = Rates::new(&spec, batches(), groups());
    let all = &told["runs"][NAME]["lrs_per_step_active_groups_first_to_last"];
    for (step, want) in (0..steps).zip(all.as_array().unwrap()) {
        let learning = rates.stage(step).groups;
        for (group, want) in (0..learning).rev().zip(parity::numbers(want)) {
            let got = rates.of_group(step, group);
            assert!((got - want).abs() < 1e-15, "step {step} group {group}");
        }
    }
    Curve { name: NAME, spec }.check(&rates);
    let mut tally = Tally::of("steps of ULMFiT's recipe");
    tally.add(NAME, steps as usize);
    tally.end();
}

/// A row that stands alone has no variance.
#[test]
fn a_batch_of_one_row_leaves_the_running_figures_alone() {
    let model = classifier();
    let before: Vec<Tensor> = model.parameters.iter().map(|p| p.tensor.copy()).collect();
    let words = size("classifier_config.json", "vocab_sz");
    let ids = Tensor::from_slice(&[2, words / 2, words - 1]).view([1, 3]);
    let inputs =
        Inputs { ids, mask: None, segments: None, positions: None, by_row: false, unpadded: None };
    let logits = model.classifier.forward(&inputs, Mode::training(Kind::Float)).unwrap();
    assert_eq!(logits.isfinite().all().int64_value(&[]), 1);
    for (parameter, before) in model.parameters.iter().zip(before) {
        assert_eq!(gap(&parameter.tensor, &before), 0.0, "{}", parameter.name);
    }
}
