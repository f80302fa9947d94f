use super::*;
use crate::model::{LoadedPredictor, load_predictor};

const NUMBERS: &str = "expected/language-models.json";

/// The folder of models and numbers. Another one need not have those of language models, which go
/// with the weights of the models beside them.
fn place() -> PathBuf {
    let given = parity::root();
    if given.join(NUMBERS).is_file() { given } else { parity::own() }
}

fn open(folder: &Path) -> LoadedPredictor {
    tch::set_num_threads(1);
    let _alone = crate::rng::alone();
    load_predictor(folder, Start::Checkpoint, None, Device::Cpu, Kind::Float).unwrap()
}

/// Every model of `place()` of one family.
fn predictors(family: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(place().join("models")).unwrap();
    let mut folders: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    folders.retain(|f| f.join("config.json").is_file() && config(f)["model_type"] == family);
    folders.sort();
    folders
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

/// Scores of the first text, and the losses of the batches, each before its AdamW step, of a masked BERT
/// and of a causal GPT-2.
#[test]
fn language_models_learn_as_transformers_has_it() {
    let mut tally = Tally::of("steps of language models");
    let given = parity::tensors(&place().join("expected/language-models.safetensors"));
    let told = parity::json(&place().join(NUMBERS));
    let spec = parity::optimizer(told["optimizer"].as_str().unwrap());
    let spec = RunSpec { decay_all: true, ..spec };
    for (family, losses) in told["losses"].as_object().unwrap() {
        tally.add(family, 0);
        // A BERT's own layers that predict, if there are any; a GPT-2 needs none.
        let complete = |folder: &&PathBuf| open(folder).head_given || family == "gpt2";
        let Some(folder) = predictors(family).iter().find(complete).cloned() else { continue };
        let model = open(&folder);
        let batch = |at| inputs_at(&given, &format!("{family}."), Some(at));
        let hidden = model.network.hidden(&batch(0), PLAIN).unwrap();
        let scores = model.network.scores(&hidden.get(0)).unwrap();
        assert!(gap(&scores.unsqueeze(0), &given[&format!("{family}.logits")]) < CLOSE, "{family}");
        let mut optimizer = Optimizer::new(&spec, &model.parameters, ALL).unwrap();
        for (step, want) in (0_i64..).zip(parity::numbers(losses)) {
            let labels = given[&format!("{family}.labels")].get(step);
            let loss = loss(&model, &batch(step), &labels);
            let got = loss.double_value(&[]);
            assert!((got - want).abs() < 1e-4, "{family} step {step}: {got} {want}");
            let gradients = optimizer.gradients(&loss).unwrap();
            optimizer.step(&gradients, 1.0, spec.lr).unwrap();
            tally.add(family, 1);
        }
    }
    tally.end();
}

#[test]
fn the_output_layer_is_the_word_embeddings_and_is_saved_once() {
    let all: Vec<LoadedPredictor> = predictors("bert").iter().map(|folder| open(folder)).collect();
    let model = all.iter().find(|model| model.head_given).unwrap();
    let names: Vec<&str> = model.parameters.iter().map(|p| p.name.as_str()).collect();
    assert!(names.contains(&"bert.embeddings.word_embeddings.weight"));
    assert!(names.contains(&"cls.predictions.transform.LayerNorm.weight"));
    assert!(!names.iter().any(|name| name.contains("decoder.weight")));
    // Without the layers that predict, these are new; the encoder is the checkpoint's.
    assert!(all.iter().any(|model| !model.head_given));
    for folder in predictors("gpt2") {
        let names = open(&folder).parameters;
        assert!(names.iter().all(|p| p.name.starts_with("transformer.") && !p.is_head));
    }
}
