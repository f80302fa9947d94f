use super::*;
use crate::model::{LoadedPredictor, load_predictor};

const NUMBERS: &str = "expected/language-models.json";

/// The folder of models and numbers. Another one need not have those of language models, which go
/// with the weights of the models beside them.
fn place() -> PathBuf {
    let given = fixtures();
    if given.join(NUMBERS).is_file() { given } else { own_fixtures() }
}

fn open(name: &str) -> LoadedPredictor {
    tch::set_num_threads(1);
    let _alone = crate::rng::alone();
    let (folder, start) = (place().join("models").join(name), Start::Checkpoint);
    load_predictor(&folder, start, None, Device::Cpu, Kind::Float).unwrap()
}

/// Mean cross-entropy over the labels that are not -100, which stand at the token that they belong to.
fn loss(model: &LoadedPredictor, inputs: &Inputs, labels: &Tensor) -> Tensor {
    let (_, length) = labels.size2().unwrap();
    let (mut places, mut ids) = (Vec::new(), Vec::new());
    let flat: Vec<i64> = Vec::try_from(labels.view([-1])).unwrap();
    for (place, id) in (0_i64..).zip(flat) {
        // What is predicted at a token of a causal model is the next one.
        let at = if model.is_causal { place - 1 } else { place };
        if id != -100 && (!model.is_causal || place % length > 0) {
            places.push(at);
            ids.push(id);
        }
    }
    let hidden = model.network.hidden(inputs, PLAIN).unwrap().flatten(0, 1);
    let vectors = hidden.index_select(0, &Tensor::from_slice(&places));
    model.network.scores(&vectors).unwrap().cross_entropy_for_logits(&Tensor::from_slice(&ids))
}

/// Scores of the first text, and the losses of 12 batches, each before its AdamW step.
fn check(folder: &str, name: &str) {
    let model = open(folder);
    let given = weights::read_all(&place().join("expected/language-models.safetensors")).unwrap();
    let batch = |at| inputs_at(&given, &format!("{name}."), Some(at));
    let hidden = model.network.hidden(&batch(0), PLAIN).unwrap();
    let scores = model.network.scores(&hidden.get(0)).unwrap();
    assert!(gap_to(&given, name, "logits", &scores.unsqueeze(0)) < 2e-5);

    let spec = RunSpec { weight_decay: 0.01, decay_all: true, ..RunSpec::default() };
    let mut optimizer = Optimizer::new(&spec, &model.parameters, ALL).unwrap();
    let numbers = fs::read_to_string(place().join(NUMBERS)).unwrap();
    let numbers: Value = serde_json::from_str(&numbers).unwrap();
    let want = numbers["losses"][name].as_array().unwrap();
    assert_eq!(want.len(), 12);
    for (step, want) in (0_i64..).zip(want) {
        let labels = given[&format!("{name}.labels")].get(step);
        let loss = loss(&model, &batch(step), &labels);
        let (got, want) = (loss.double_value(&[]), want.as_f64().unwrap());
        assert!((got - want).abs() < 1e-4, "{name} step {step}: {got} {want}");
        let gradients = optimizer.gradients(&loss).unwrap();
        optimizer.step(&gradients, 1.0, 1e-3).unwrap();
    }
}

#[test]
fn a_masked_bert_learns_as_transformers_has_it() {
    check("tiny-bert-legacy-keys", "bert");
}

#[test]
fn a_causal_gpt2_learns_as_transformers_has_it() {
    check("tiny-gpt2", "gpt2");
}

#[test]
fn the_output_layer_is_the_word_embeddings_and_is_saved_once() {
    let model = open("tiny-bert-legacy-keys");
    assert!(model.head_given);
    let names: Vec<&str> = model.parameters.iter().map(|p| p.name.as_str()).collect();
    assert!(names.contains(&"bert.embeddings.word_embeddings.weight"));
    assert!(names.contains(&"cls.predictions.transform.LayerNorm.weight"));
    assert!(!names.iter().any(|name| name.contains("decoder.weight")));
    // Without the layers that predict, these are new; the trunk is the checkpoint's.
    assert!(!open("tiny-bert").head_given);
    let names = open("tiny-gpt2").parameters;
    assert!(names.iter().all(|p| p.name.starts_with("transformer.") && !p.is_head));
}
