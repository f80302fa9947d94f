//! What every family can: it is saved as transformers' class and read again, takes each of its pools, and
//! predicts tokens if it learns to.

use std::collections::BTreeSet;
use std::fs;

use serde_json::json;
use tuneboard::spec::Task;
use tuneboard::spec::family::LanguageModel;

use super::families::{Subject, read_json, subjects};
use super::*;
use crate::checkpoint::{Assets, Best, Checkpoints};

/// Every folder of the fixtures with a head of its own, under its usual config.
fn classifiers() -> impl Iterator<Item = (Subject, Loaded)> {
    let own = |subject: &Subject| {
        subject.title.ends_with("(config.json)") && subject.tensors.contains_key("curve.input_ids")
    };
    subjects().into_iter().filter(own).map(|subject| {
        let model = subject.open().unwrap();
        (subject, model)
    })
}

#[test]
fn every_family_is_saved_as_transformers_class_and_read_again() {
    let labels: Vec<String> = ["a", "b", "c"].map(str::to_owned).to_vec();
    let mut compared = 0;
    for (subject, model) in classifiers() {
        let run = tempfile::tempdir().unwrap();
        let checkpoints = Checkpoints::open(run.path()).unwrap();
        let assets = Assets::new(&subject.folder, &model, Task::Classify, &labels).unwrap();
        checkpoints.save_best(&Best::new(assets.clone(), &model.parameters).unwrap()).unwrap();
        let best = run.path().join("checkpoints/best");
        let config = read_json(&best.join("config.json")).unwrap();
        let class = subject.expected["class"].as_str().unwrap();
        assert_eq!(config["architectures"][0], class, "{}", subject.title);
        let again = load(&best, &Request::as_saved(Device::Cpu, Kind::Float)).unwrap();
        assert!(again.head_given && again.pool == model.pool, "{}", subject.title);
        let inputs = inputs_at(&subject.tensors, "curve.", Some(0));
        let logits = |model: &Loaded| model.network.forward(&inputs, PLAIN).unwrap();
        assert_eq!(gap(&logits(&model), &logits(&again)), 0.0, "{}", subject.title);
        // The tokenizer comes along.
        assert!(model.family.tokenizer(&best, Some(16)).unwrap().ids("word", true).is_ok());
        // Groups of weights: the head, each layer, the embeddings.
        let groups: BTreeSet<u32> = model.parameters.iter().map(Parameter::group).collect();
        let layers = model.family.layers(&model.json);
        assert!(groups.into_iter().eq(0..layers + 2), "{}", subject.title);
        compared += 1;
    }
    parity::compared("families saved and read again", "families", compared);
}

#[test]
fn every_family_takes_its_pools_bf16_dropout_and_a_frozen_encoder() {
    let mut compared = 0;
    for (subject, model) in classifiers() {
        let inputs = inputs_at(&subject.tensors, "curve.", Some(0));
        let labels = subject.tensors["curve.labels"].get(0);
        let plain = model.network.forward(&inputs, PLAIN).unwrap();
        let from_vectors =
            model.network.logits(&model.network.vectors(&inputs, PLAIN).unwrap(), PLAIN).unwrap();
        assert_eq!(gap(&plain, &from_vectors), 0.0, "{}", subject.title);
        for pool in model.family.row().pools {
            let _alone = crate::rng::alone();
            let request = Request {
                pool: *pool,
                dropout: Some(0.2),
                kind: Kind::BFloat16,
                ..Request::as_saved(Device::Cpu, Kind::Float)
            };
            let half = load(&subject.folder, &request).unwrap();
            assert_eq!((half.pool, half.head_given), (*pool, *pool == model.pool));
            let inference = Mode::inference(Kind::BFloat16);
            let logits = half.network.forward(&inputs, inference).unwrap();
            if half.head_given {
                let gap = gap(&logits, &plain);
                assert!(gap > 0.0 && gap < 0.3, "{} bf16: {gap}", subject.title);
            }
            let training = Mode::training(Kind::BFloat16);
            let loss =
                half.network.forward(&inputs, training).unwrap().cross_entropy_for_logits(&labels);
            let optimizer = Optimizer::new(&RunSpec::default(), &half.parameters, ALL).unwrap();
            let largest = |gradient: &Tensor| gradient.abs().max().double_value(&[]);
            let gradients = optimizer.gradients(&loss).unwrap();
            let finite = gradients.iter().all(|gradient| largest(gradient).is_finite());
            assert!(finite && gradients.iter().any(|g| largest(g) > 0.0), "{}", subject.title);
        }
        compared += 1;
    }
    parity::compared("families with their pools", "families", compared);
}

#[test]
fn families_that_predict_tokens_do() {
    let mut compared = 0;
    for (subject, model) in classifiers() {
        let learns = model.family.row().language_model != LanguageModel::No;
        let _alone = crate::rng::alone();
        let loaded =
            load_predictor(&subject.folder, Start::Checkpoint, None, Device::Cpu, Kind::Float);
        let predictor = match loaded {
            Ok(predictor) => predictor,
            // Some checkpoints have an output layer of their own.
            Err(error) => {
                let said = error.to_string();
                assert!(!learns || said.contains("tie_word_embeddings"), "{said}");
                continue;
            }
        };
        let inputs = inputs_at(&subject.tensors, "curve.", Some(0));
        let hidden = predictor.network.hidden(&inputs, PLAIN).unwrap();
        let want = model.network.inside(&inputs, PLAIN).unwrap();
        assert_eq!(gap(&hidden, &want[0].1), 0.0, "{}", subject.title);
        let scores = predictor.network.scores(&hidden.flatten(0, 1)).unwrap();
        assert_eq!(scores.size()[1], predictor.limits.vocabulary, "{}", subject.title);
        // Untrained as it is, it learns the batch by heart a little.
        let ids = inputs.ids.flatten(0, 1);
        let mut optimizer =
            Optimizer::new(&RunSpec::default(), &predictor.parameters, ALL).unwrap();
        let mut loss = || {
            let hidden = predictor.network.hidden(&inputs, PLAIN).unwrap().flatten(0, 1);
            let loss = predictor.network.scores(&hidden).unwrap().cross_entropy_for_logits(&ids);
            let gradients = optimizer.gradients(&loss).unwrap();
            optimizer.step(&gradients, 1.0, 1e-3).unwrap();
            loss.double_value(&[])
        };
        let losses: Vec<f64> = (0..5).map(|_| loss()).collect();
        assert!(losses[4] < losses[0], "{}: {losses:?}", subject.title);
        compared += 1;
    }
    parity::compared("families that predict tokens", "families", compared);
}

/// Texts of up to 128 tokens go through the kernels of src/train/native where heads are of 16 numbers, longer
/// ones through libtorch's: the same text must come out alike, behind which padding or more text follows.
#[test]
fn short_and_long_texts_come_out_alike() {
    let base = json!({
        "vocab_size": 50, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2,
        "intermediate_size": 40, "max_position_embeddings": 256, "pad_token_id": 0,
        "initializer_range": 0.2,
    });
    let more = [
        (Family::Bert, json!({})),
        (Family::ModernBert, json!({ "local_attention": 300 })),
        (Family::Llama, json!({ "num_key_value_heads": 1, "head_dim": 16 })),
        (Family::Qwen3, json!({ "num_key_value_heads": 1, "head_dim": 32 })),
        (
            Family::Gemma3,
            json!({
                "num_key_value_heads": 2, "head_dim": 16, "query_pre_attn_scalar": 7,
            }),
        ),
        (Family::GptNeoX, json!({ "rotary_pct": 0.5 })),
    ];
    for (family, more) in more {
        let folder = tempfile::tempdir().unwrap();
        let mut config = base.clone();
        config["model_type"] = family.name().into();
        config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
        let _alone = crate::rng::alone();
        crate::rng::seed_torch(3, crate::rng::Purpose::Init, 0);
        let model = load(folder.path(), &request(Start::Random, Some(2), Pool::Mean)).unwrap();
        let ids: Vec<i64> = (0..140).map(|at| 1 + (at * 7 + at * at) % 49).collect();
        let of = |length: i64, real: i64| {
            let ids = Tensor::from_slice(&ids).narrow(0, 0, length).unsqueeze(0);
            let mask = Tensor::arange(length, (Kind::Int64, Device::Cpu)).lt(real).unsqueeze(0);
            let mask = (real < length).then(|| mask.to_kind(Kind::Int64));
            let inputs = Inputs {
                ids,
                mask,
                segments: None,
                positions: None,
                by_row: false,
                unpadded: None,
            };
            let inside = model.network.inside(&inputs, PLAIN).unwrap();
            inside.into_iter().next().unwrap().1.narrow(1, 0, real)
        };
        let gap = gap(&of(100, 100), &of(140, 100));
        assert!(gap < 2e-5, "{family}: {gap}");
    }
}
