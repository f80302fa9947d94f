//! The real MiniLM, which is too large to be kept here: `TUNEBOARD_MINILM` or models/minilm is its folder
//! (`make setup` fetches it).

use std::env;

use super::*;
use crate::tokenize::{Subwords, Tokens};

fn minilm() -> PathBuf {
    let usual = || Path::new(env!("CARGO_MANIFEST_DIR")).join("models/minilm");
    let folder = env::var_os("TUNEBOARD_MINILM").map_or_else(usual, PathBuf::from);
    assert!(folder.join("model.safetensors").is_file(), "{} holds no model", folder.display());
    folder
}

fn told() -> Value {
    parity::json(&expected("minilm_outputs.json"))
}

#[test]
#[ignore = "needs MiniLM: TUNEBOARD_MINILM or models/minilm"]
fn minilm_gives_transformers_vectors() {
    let folder = minilm();
    let want = parity::tensors(&expected("minilm_outputs.safetensors"));
    let classes = want["classifier.weight"].size()[0] as usize;
    let model = open(&folder, Some(classes), Pool::Cls);
    let _guard = tch::no_grad_guard();
    let inputs = inputs_at(&want, "", None);
    let mut inside = model.network.inside(&inputs, PLAIN).unwrap();
    let (pooled, hidden) = (inside.pop().unwrap().1, inside.pop().unwrap().1);
    let mean = pooling::mean(&hidden, inputs.mask.as_ref()).unwrap();
    let logits = pooled.linear(&want["classifier.weight"], Some(&want["classifier.bias"]));
    let cls = hidden.select(1, 0);
    for (name, got) in [
        ("pooler_output", &pooled),
        ("cls_hidden", &cls),
        ("mean_pooled", &mean),
        ("logits", &logits),
    ] {
        assert!(gap(got, &want[name]) < CLOSE, "{name}");
    }
    let mut tally = Tally::of("MiniLM's vectors");
    tally.add("minilm", inputs.ids.size()[0] as usize);
    tally.end();
}

/// Some steps on rows of the bundled SMS data, with tokenizer, batches and all.
#[test]
#[ignore = "needs MiniLM: TUNEBOARD_MINILM or models/minilm"]
fn minilm_fine_tunes_as_in_transformers() {
    let folder = minilm();
    let told = told();
    let want = &told["finetune"];
    let head = parity::tensors(&expected("minilm_finetune_classifier_init.safetensors"));
    let spec = RunSpec { data: "data/sms_spam.csv".into(), ..RunSpec::default() };
    let data = tuneboard::dataset::load(&spec, Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap();
    let classes = head["classifier.weight"].size()[0] as usize;
    let request = request(Start::Checkpoint, Some(classes), Pool::Cls);
    let model = open_with(&folder, &Request { dropout: Some(0.0), ..request });
    for parameter in model.parameters.iter().filter(|p| p.is_head) {
        tch::no_grad(|| parameter.tensor.shallow_clone().copy_(&head[&parameter.name]));
    }
    let length = Some(want["max_length"].as_u64().unwrap() as usize);
    let tokenizer = Subwords::read(&folder, length).unwrap();
    let tokens = Tokens::of(&tokenizer, &data.texts, 2).unwrap();
    let padding = Padding { id: 0, side: Side::Right, length };
    let rows: Vec<u32> = serde_json::from_value(want["rows"].clone()).unwrap();
    let spec = parity::optimizer(want["optimizer"].as_str().unwrap());
    let spec = RunSpec { decay_all: true, ..spec };
    let mut optimizer = Optimizer::new(&spec, &model.parameters, ALL).unwrap();
    let losses = parity::numbers(&want["losses_before_each_step"]);
    let mut tally = Tally::of("MiniLM's steps");
    for (rows, want) in rows.chunks(rows.len() / losses.len()).zip(losses) {
        let batch = rows.iter().copied();
        let inputs = crate::batch::collate(batch, &tokens, padding, Device::Cpu).unwrap();
        let labels: Vec<i64> = rows.iter().map(|r| i64::from(data.labels[*r as usize])).collect();
        let logits = model.network.forward(&inputs, PLAIN).unwrap();
        let loss = logits.cross_entropy_for_logits(&Tensor::from_slice(&labels));
        let gap = (loss.double_value(&[]) - want).abs();
        assert!(gap < 1e-3, "{gap}");
        optimizer.step(&optimizer.gradients(&loss).unwrap(), 1.0, spec.lr).unwrap();
        tally.add("minilm", 1);
    }
    tally.end();
}
