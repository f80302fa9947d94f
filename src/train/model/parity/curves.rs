//! Gradients of a first batch, and losses of a training run, of every classifier that there is.

use super::*;

/// A file of gradients or of a curve, and the classifier that it belongs to: of those whose weights
/// have the names and shapes that it tells of, the one whose name is most like its own.
fn classifier_of(stem: &str, named: &Tensors, prefix: &str) -> Option<(PathBuf, Loaded)> {
    let mut fitting = Vec::new();
    for folder in [Family::Bert, Family::Gpt2].into_iter().flat_map(models) {
        let model = as_saved(&folder);
        let fits = |p: &Parameter| {
            let told = named.get(&format!("{prefix}{}", p.name));
            told.is_some_and(|told| told.size() == p.tensor.size())
        };
        if model.head_given && model.parameters.iter().all(fits) {
            fitting.push(folder);
        }
    }
    let folder = most_like(stem, &fitting)?.clone();
    let model = as_saved(&folder);
    Some((folder, model))
}

/// True if padded positions were attended to as transformers' `eager` has it, which this trainer does
/// not follow (docs/architecture.md); the numbers are another rule's.
fn follows_another_rule(told: &Value) -> bool {
    told["attn_implementation"] == "eager"
}

/// Logits, loss and the gradient of every weight of the first batch.
#[test]
fn gradients_are_transformers() {
    let mut tally = Tally::of("gradients of classifiers");
    for stem in parity::stems("expected", "_grads.safetensors") {
        if follows_another_rule(&parity::json(&expected(&format!("{stem}_curve.json")))) {
            crate::progress::err(&format!("parity: {stem} follows another rule for padding"));
            continue;
        }
        let want = parity::tensors(&expected(&format!("{stem}_grads.safetensors")));
        tally.add(&stem, 0);
        let Some((_, model)) = classifier_of(&stem, &want, "grad.") else { continue };
        let logits = model.network.forward(&inputs_at(&want, "", None), PLAIN).unwrap();
        let loss = logits.cross_entropy_for_logits(&want["labels"]);
        assert!(gap(&logits, &want["logits"]) < CLOSE, "{stem}");
        assert!(gap(&loss.view([1]), &want["loss"].view([1])) < CLOSE, "{stem}");
        let optimizer = Optimizer::new(&RunSpec::default(), &model.parameters, ALL).unwrap();
        let gradients = optimizer.gradients(&loss).unwrap();
        let told = want.keys().filter(|name| name.starts_with("grad."));
        assert_eq!(gradients.len(), told.count(), "{stem}");
        for (parameter, gradient) in model.parameters.iter().zip(&gradients) {
            let gap = gap(gradient, &want[&format!("grad.{}", parameter.name)]);
            assert!(gap < 5e-5, "{stem} {}: {gap}", parameter.name);
        }
        tally.add(&stem, gradients.len());
    }
    tally.end();
}

#[test]
fn training_follows_pytorch_and_transformers_step_by_step() {
    let mut tally = Tally::of("steps of training");
    for stem in parity::stems("expected", "_grads.safetensors") {
        let told = parity::json(&expected(&format!("{stem}_curve.json")));
        if follows_another_rule(&told) {
            continue;
        }
        tally.add(&stem, 0);
        let named = parity::tensors(&expected(&format!("{stem}_grads.safetensors")));
        let Some((folder, _)) = classifier_of(&stem, &named, "grad.") else { continue };
        let saved = parity::tensors(&expected(&format!("{stem}_curve.safetensors")));
        for (name, run) in told["runs"].as_object().unwrap() {
            let model = as_saved(&folder);
            let steps = follow(&model, &saved, run, &format!("{stem} {name}"), &|logits| logits);
            check_end(&model, &saved, run, name, &stem);
            tally.add(&stem, steps);
        }
    }
    tally.end();
}

/// Trains as a run of a curve did, each loss before its update; `head` is what comes after the logits.
/// Returns the number of steps.
pub(super) fn follow(
    model: &Loaded,
    batches: &Tensors,
    run: &Value,
    name: &str,
    head: &dyn Fn(Tensor) -> Tensor,
) -> usize {
    let (spec, plan) = recipe(run);
    let rates = parity::numbers(&run["lrs"]);
    let losses = parity::numbers(&run["losses"]);
    assert!(!losses.is_empty() && rates.len() == losses.len());
    let noise = run["max_abs_gap_32_64"].as_f64().unwrap_or(0.0);
    let mut optimizer = Optimizer::new(&spec, &model.parameters, ALL).unwrap();
    for (step, (want, rate)) in losses.iter().zip(&rates).enumerate() {
        let inputs = inputs_at(batches, "batches.", Some(step as i64));
        let logits = head(model.network.forward(&inputs, PLAIN).unwrap());
        let loss = logits.cross_entropy_for_logits(&batches["batches.labels"].get(step as i64));
        let got = loss.double_value(&[]);
        assert!((got - want).abs() < (10.0 * noise).max(1e-4), "{name} step {step}: {got} {want}");
        let gradients = optimizer.gradients(&loss).unwrap();
        let scale = match spec.clip {
            0.0 => 1.0.into(),
            most => optim::clip(&gradients, most).unwrap(),
        };
        let lr = plan.lr(step as u64);
        assert!((lr - rate).abs() <= 1e-12 * plan.peak, "{name} step {step}: {lr} {rate}");
        optimizer.step(&gradients, scale, lr).unwrap();
    }
    losses.len()
}

/// What the run ended in is what is told of it.
fn check_end(model: &Loaded, saved: &Tensors, run: &Value, name: &str, stem: &str) {
    for parameter in &model.parameters {
        let Some(want) = saved.get(&format!("{name}.final.{}", parameter.name)) else { continue };
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
        assert!(gap < 1e-3, "{stem} {name} {}: {gap}", parameter.name);
    }
    if let Some(want) = saved.get(&format!("{name}.final_logits_batch0")) {
        let logits = model.network.forward(&inputs_at(saved, "batches.", Some(0)), PLAIN);
        let noise = run["final_logits_batch0_max_abs_gap_32_64"].as_f64().unwrap_or(0.0);
        let gap = gap(&logits.unwrap(), want);
        assert!(gap < (10.0 * noise).max(1e-3), "{stem} {name}: {gap}");
    }
}

/// The optimiser and the schedule of a run.
fn recipe(run: &Value) -> (RunSpec, LrSchedule) {
    let number = |key: &str| run[key].as_f64();
    let lr = number("lr").unwrap();
    let betas = run["betas"].as_array().map(|_| parity::numbers(&run["betas"]));
    let usual = parity::optimizer(run["optimizer"].as_str().unwrap());
    let beta = |at: usize, otherwise| betas.as_ref().map_or(otherwise, |betas| betas[at]);
    let spec = RunSpec {
        lr,
        beta1: beta(0, usual.beta1),
        beta2: beta(1, usual.beta2),
        eps: number("eps").unwrap_or(usual.eps),
        momentum: number("momentum").unwrap_or(0.0),
        weight_decay: number("weight_decay").unwrap_or(0.0),
        decay_all: run["groups"].as_str().unwrap().starts_with("one group"),
        clip: number("clip").unwrap_or(0.0),
        ..usual
    };
    let schedule = run["schedule"].as_str().unwrap();
    let told = |word: &str| parity::number(schedule, word);
    let steps = run["losses"].as_array().unwrap().len() as f64;
    let total = told("total").unwrap_or(steps) as u64;
    let plan = if schedule.starts_with("linear") {
        let warmup = told("warmup_steps").unwrap_or(0.0);
        LrSchedule { peak: lr, warmup, total, shape: Schedule::Linear }
    } else {
        assert!(schedule.starts_with("constant"), "no schedule {schedule}");
        LrSchedule { peak: lr, warmup: 0.0, total, shape: Schedule::Constant }
    };
    (spec, plan)
}

/// The vector of the pooler, one linear layer, ReLU, and the loss on what comes out of that: the head
/// of the notebook's BERT classifier.
#[test]
fn the_notebooks_bert_classifier_trains_as_in_pytorch() {
    let mut tally = Tally::of("steps of the notebook's classifier");
    let bert = models(Family::Bert);
    for stem in parity::stems("expected", "_weights.safetensors") {
        tally.add(&stem, 0);
        let head = parity::tensors(&expected(&format!("{stem}_weights.safetensors")));
        let batches = parity::tensors(&expected(&format!("{stem}_curve.safetensors")));
        let told = parity::json(&expected(&format!("{stem}_curve.json")));
        let (classes, width) = head["linear.weight"].size2().unwrap();
        let fits = |folder: &&PathBuf| size(folder, "hidden_size") == width;
        let fitting: Vec<PathBuf> = bert.iter().filter(fits).cloned().collect();
        // `BertModel(tiny-bert) pooler_output -> ..`
        let base = told["model"].as_str().unwrap().split(['(', ')']).nth(1).unwrap();
        let folder = most_like(base, &fitting).unwrap();
        for (name, run) in told["runs"].as_object().unwrap() {
            let model = open(folder, Some(classes as usize), Pool::Cls);
            for parameter in model.parameters.iter().filter(|p| p.is_head) {
                let name = parameter.name.replace("classifier", "linear");
                tch::no_grad(|| parameter.tensor.shallow_clone().copy_(&head[&name]));
            }
            let relu = |logits: Tensor| logits.relu();
            let steps = follow(&model, &batches, run, &format!("{stem} {name}"), &relu);
            let first = inputs_at(&batches, "batches.", Some(0));
            let logits = relu(model.network.forward(&first, PLAIN).unwrap());
            let gap = gap(&logits, &batches[&format!("{name}.final_logits_batch0")]);
            assert!(gap < 1e-3, "{stem} {name}: {gap}");
            tally.add(&stem, steps);
        }
    }
    tally.end();
}
