use tch::Reduction;

use super::*;

const CASES: [&str; 5] =
    ["right_pad", "full_length_two_segments", "no_mask_given", "holes_in_mask", "from_text"];

fn check_trunk(name: &str) {
    let model = open(&model_folder(name), 3, Pool::Cls);
    let want = expected("tiny-bert_outputs.safetensors");
    for case in CASES {
        let inputs = inputs(&want, &format!("{case}."));
        let inside = model.network.inside(&inputs, PLAIN).unwrap();
        assert_eq!(inside.len(), 2);
        for (what, got) in inside {
            assert!(gap_to(&want, case, what, &got) < 2e-5, "{name} {case} {what}");
        }
    }
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
        let logits = model.network.forward(&inputs, PLAIN).unwrap();
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
    check_gradients(&model, "tiny-bert-seqcls");
}

#[test]
fn training_follows_pytorch_and_transformers_for_20_steps() {
    for run in ["adamw", "adam", "adamw_hf", "sgd"] {
        let model = open(&model_folder("tiny-bert-seqcls"), 3, Pool::Cls);
        check_curve(&model, "tiny-bert-seqcls", run);
    }
}

#[test]
fn a_frozen_trunk_stays_and_the_head_learns() {
    let spec = RunSpec { clip: 0.0, ..RunSpec::default() };
    let before = open(&model_folder("tiny-bert-seqcls"), 3, Pool::Cls);
    let plan = LrSchedule { peak: 1e-2, warmup: 0.0, total: 20, shape: Schedule::Constant };
    let after = open(&model_folder("tiny-bert-seqcls"), 3, Pool::Cls);
    let losses = train_on(&after, "tiny-bert-seqcls", &spec, &plan, 1);
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
        let inputs = Inputs {
            ids: at("input_ids"),
            mask: Some(at("attention_mask")),
            segments: None,
            positions: None,
            by_row: false,
        };
        let logits = model.network.forward(&inputs, PLAIN).unwrap();
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
        let _alone = crate::rng::alone();
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
        let together = model.network.forward(&padded, PLAIN).unwrap();
        for row in 0..mask.size()[0] {
            let length = mask.get(row).sum(Kind::Int64).int64_value(&[]);
            let ids = padded.ids.get(row).narrow(0, 0, length).unsqueeze(0);
            let segments =
                padded.segments.as_ref().map(|s| s.get(row).narrow(0, 0, length).unsqueeze(0));
            let alone = Inputs { ids, mask: None, segments, positions: None, by_row: false };
            let alone = model.network.forward(&alone, PLAIN).unwrap();
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

/// The vector of the pooler, one linear layer, ReLU, and the loss on what comes out of that: the head
/// of the notebook's BERT classifier.
#[test]
fn the_notebooks_bert_classifier_trains_as_in_pytorch() {
    let name = "notebook-bert-classifier";
    let model = open(&model_folder("tiny-bert"), 3, Pool::Cls);
    let head = expected(&format!("{name}_weights.safetensors"));
    let batches = expected(&format!("{name}_curve.safetensors"));
    let losses = expected_json(&format!("{name}_curve.json"));
    let losses = losses["runs"]["adam"]["losses"].as_array().unwrap().clone();
    for parameter in model.parameters.iter().filter(|p| p.is_head) {
        let name = parameter.name.replace("classifier", "linear");
        tch::no_grad(|| parameter.tensor.shallow_clone().copy_(&head[&name]));
    }
    let (spec, plan) = recipe("adam");
    let mut optimizer = Optimizer::new(&spec, &model.parameters, ALL).unwrap();
    let logits = |step| {
        let inputs = inputs_at(&batches, "batches.", Some(step));
        model.network.forward(&inputs, PLAIN).unwrap().relu()
    };
    for (step, want) in losses.iter().enumerate() {
        let labels = batches["batches.labels"].get(step as i64);
        let loss = logits(step as i64).cross_entropy_for_logits(&labels);
        let gap = (loss.double_value(&[]) - want.as_f64().unwrap()).abs();
        assert!(gap < 1e-4, "step {step}: {gap}");
        let gradients = optimizer.gradients(&loss).unwrap();
        optimizer.step(&gradients, 1.0, plan.lr(step as u64)).unwrap();
    }
    assert!(gap(&logits(0), &batches["adam.final_logits_batch0"]) < 1e-3);
}

fn minilm() -> Option<PathBuf> {
    let folder = env::var_os("TUNEBOARD_MINILM").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("models/minilm"),
        PathBuf::from,
    );
    if folder.join("model.safetensors").is_file() {
        return Some(folder);
    }
    crate::progress::err("skipped: no MiniLM in TUNEBOARD_MINILM or models/minilm");
    None
}

/// Eight steps on rows of the bundled SMS data, with tokenizer, batches and all.
#[test]
fn minilm_fine_tunes_as_in_transformers() {
    let Some(folder) = minilm() else { return };
    let want = expected_json("minilm_outputs.json");
    let want = &want["finetune"];
    let head = expected("minilm_finetune_classifier_init.safetensors");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let spec = RunSpec { data: "data/sms_spam.csv".into(), ..RunSpec::default() };
    let data = tuneboard::dataset::load(&spec, root).unwrap();
    let model = {
        let _alone = crate::rng::alone();
        let request = request(Start::Checkpoint, 2, Pool::Cls);
        load(&folder, &Request { dropout: Some(0.0), ..request }).unwrap()
    };
    for parameter in model.parameters.iter().filter(|p| p.is_head) {
        tch::no_grad(|| parameter.tensor.shallow_clone().copy_(&head[&parameter.name]));
    }
    let tokenizer = crate::tokenize::Subwords::read(&folder, Some(32)).unwrap();
    let tokens = crate::tokenize::Tokens::of(&tokenizer, &data.texts, 2).unwrap();
    let padding = Padding { id: 0, side: Side::Right, length: Some(32) };
    let rows: Vec<u32> =
        want["rows"].as_array().unwrap().iter().map(|r| r.as_u64().unwrap() as u32).collect();
    let spec = RunSpec { decay_all: true, weight_decay: 0.01, ..RunSpec::default() };
    let mut optimizer = Optimizer::new(&spec, &model.parameters, ALL).unwrap();
    let losses = want["losses_before_each_step"].as_array().unwrap();
    for (rows, want) in rows.chunks(8).zip(losses) {
        let batch = rows.iter().copied();
        let inputs = crate::batch::collate(batch, &tokens, padding, Device::Cpu).unwrap();
        let labels: Vec<i64> = rows.iter().map(|r| i64::from(data.labels[*r as usize])).collect();
        let logits = model.network.forward(&inputs, PLAIN).unwrap();
        let loss = logits.cross_entropy_for_logits(&Tensor::from_slice(&labels));
        let gap = (loss.double_value(&[]) - want.as_f64().unwrap()).abs();
        assert!(gap < 1e-3, "{gap}");
        optimizer.step(&optimizer.gradients(&loss).unwrap(), 1.0, 1e-4).unwrap();
    }
}

/// The real model is too large to be kept here: `TUNEBOARD_MINILM` or models/minilm names it.
#[test]
fn minilm_gives_transformers_vectors() {
    let Some(folder) = minilm() else { return };
    let want = expected("minilm_outputs.safetensors");
    let model = open(&folder, 4, Pool::Cls);
    let _guard = tch::no_grad_guard();
    let inputs = inputs(&want, "");
    let mut inside = model.network.inside(&inputs, PLAIN).unwrap();
    let (pooled, hidden) = (inside.pop().unwrap().1, inside.pop().unwrap().1);
    let mean = pooling::mean(&hidden, inputs.mask.as_ref()).unwrap();
    assert!(gap(&pooled, &want["pooler_output"]) < 2e-5);
    assert!(gap(&hidden.select(1, 0), &want["cls_hidden"]) < 2e-5);
    assert!(gap(&mean, &want["mean_pooled"]) < 2e-5);
    let logits = pooled.linear(&want["classifier.weight"], Some(&want["classifier.bias"]));
    assert!(gap(&logits, &want["logits"]) < 2e-5);
}
