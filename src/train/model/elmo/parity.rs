//! Against AllenNLP 2.10.1 on torch 2.11 (CPU, float32), for every ELMo of the fixtures.
//! `TUNEBOARD_FIXTURES` names another folder of the same layout.

mod classifier;

use std::fs;
use std::path::{Path, PathBuf};

use tch::{Device, Kind, Tensor};
use tuneboard::model_config::elmo::Options;

use super::bilm::{BiLm, States};
use super::characters::word;
use super::classifier::{Mix, inner, normalised};
use super::source::Source;
use crate::model::Builder;
use crate::parity::{self, Tally, Tensors, cases, gap, json, tensors};

/// What layers and gradients may differ by.
const CLOSE: f64 = 5e-5;

/// The folders of models that are there.
fn folders() -> Vec<PathBuf> {
    parity::folders("elmo", "options.json")
}

/// The number of layers of the language model.
fn layers(folder: &Path) -> usize {
    json(&folder.join("options.json"))["lstm"]["n_layers"].as_u64().unwrap() as usize
}

fn builder() -> Builder<'static> {
    Builder::new(None, "", 0.1, (Device::Cpu, Kind::Float))
}

fn bilm(folder: &Path) -> BiLm {
    let options = Options::of(&json(&folder.join("options.json"))).unwrap();
    let source = Source::open(folder, &options).unwrap();
    BiLm::new(&mut builder(), &source, &options).unwrap()
}

/// AllenNLP's ids have no words that begin and end a text: puts them in, `[batch, words + 2, 50]`.
fn framed(characters: &Tensor) -> Tensor {
    let (batch, words, width) = characters.size3().unwrap();
    let all = Tensor::zeros([batch, words + 2, width], (Kind::Int64, Device::Cpu));
    all.narrow(1, 1, words).copy_(characters);
    let marks = [257, 258].map(|mark| {
        let ids: Vec<i64> = word([mark]).map(i64::from).collect();
        Tensor::from_slice(&ids)
    });
    for row in 0..batch {
        let length = characters.get(row).select(1, 0).gt(0).sum(Kind::Int64).int64_value(&[]);
        all.get(row).get(0).copy_(&marks[0]);
        all.get(row).get(length + 1).copy_(&marks[1]);
    }
    all
}

fn run(bilm: &BiLm, case: &Tensors, name: &str, states: &mut States) -> Vec<Tensor> {
    let _guard = tch::no_grad_guard();
    let characters = framed(&case[&format!("{name}.char_ids")]);
    let mask = characters.select(2, 0).gt(0).to_kind(Kind::Int64);
    let want = &case[&format!("{name}.mask")];
    if want.size() == mask.size() {
        assert_eq!(gap(&mask.to_kind(Kind::Float), &want.to_kind(Kind::Float)), 0.0, "{name}");
    }
    bilm.forward(&characters, &mask, states).unwrap()
}

fn check(got: &[Tensor], case: &Tensors, name: &str) {
    for (layer, got) in got.iter().enumerate() {
        let gap = gap(got, &case[&format!("{name}.layer{layer}")]);
        assert!(gap < CLOSE, "{name} layer {layer}: {gap}");
    }
}

#[test]
fn character_ids_are_allennlps() {
    let mut tally = Tally::of("words as characters");
    for file in parity::stems("elmo", ".json") {
        let told = json(&parity::root().join("elmo").join(format!("{file}.json")));
        let words = parity::strings(&told["words"]);
        for (text, want) in words.iter().zip(told["char_ids"].as_array().unwrap()) {
            let got: Vec<u32> = match text.as_str() {
                "<S>" => word([257]).collect(),
                "</S>" => word([258]).collect(),
                text => word(text.bytes().map(|b| u32::from(b) + 1)).collect(),
            };
            assert_eq!(serde_json::json!(got), *want, "{text:?}");
        }
        tally.add(&file, words.len());
    }
    tally.end();
}

/// The cases whose names are `kind` and a number, in the order of these.
fn series(case: &Tensors, kind: &str) -> Vec<String> {
    let number = |name: &str| name.strip_prefix(kind)?.parse::<u32>().ok();
    let mut names: Vec<String> = cases(case, "char_ids");
    names.retain(|name| number(name).is_some());
    names.sort_by_key(|name| number(name));
    names
}

#[test]
fn layers_are_allennlps_with_a_fresh_and_with_a_carried_state() {
    let mut tally = Tally::of("ELMo's layers");
    for folder in folders() {
        let of = parity::name(&folder);
        tally.add(&of, 0);
        let bilm = bilm(&folder);
        let case = tensors(&folder.join("allennlp_outputs.safetensors"));
        for name in series(&case, "fresh") {
            check(&run(&bilm, &case, &name, &mut States::default()), &case, &name);
            tally.add(&of, 1);
        }
        let mut carried = States::default();
        let calls = series(&case, "stateful");
        for name in &calls {
            check(&run(&bilm, &case, name, &mut carried), &case, name);
            tally.add(&of, 1);
        }
        // The state does matter.
        let (last, top) = (calls.last().unwrap(), layers(&folder));
        let reset = run(&bilm, &case, last, &mut States::default());
        assert!(gap(&reset[top], &case[&format!("{last}.layer{top}")]) > 10.0 * CLOSE);
    }
    tally.end();
}

#[test]
fn mixes_are_allennlps() {
    let mut tally = Tally::of("ELMo's mixes");
    for folder in folders() {
        let of = parity::name(&folder);
        tally.add(&of, 0);
        let bilm = bilm(&folder);
        let case = tensors(&folder.join("allennlp_outputs.safetensors"));
        let told = json(&folder.join("allennlp_outputs.json"));
        for (name, told) in told["cases"].as_object().unwrap() {
            let Some(mixes) = told["mixes"].as_array() else { continue };
            let mask = framed(&case[&format!("{name}.char_ids")]).select(2, 0).gt(0);
            let mut layers = run(&bilm, &case, name, &mut States::default());
            if told["do_layer_norm"] == true {
                let all = layers.iter().map(|layer| normalised(layer, &mask).unwrap());
                layers = all.collect();
            }
            let layers = Tensor::stack(&layers, 1);
            for (index, mix) in mixes.iter().enumerate() {
                let scalar = |x: f64| Tensor::from_slice(&[x as f32]);
                let scalars = parity::numbers(&mix["scalar_parameters"]).into_iter().map(scalar);
                let gamma = scalar(mix["gamma"].as_f64().unwrap());
                let mix = Mix { scalars: scalars.collect(), gamma };
                let mut got = mix.forward(&layers).unwrap();
                if told["keep_sentence_boundaries"] != true {
                    let inner = inner(&mask.to_kind(Kind::Int64)).unwrap().unsqueeze(-1);
                    got = (got * inner).narrow(1, 1, layers.size()[2] - 2);
                }
                let gap = gap(&got, &case[&format!("{name}.representation{index}")]);
                assert!(gap < CLOSE, "{of} {name} {index}: {gap}");
                tally.add(&of, 1);
            }
        }
    }
    tally.end();
}

#[test]
fn the_published_layout_and_allennlps_own_hold_the_same_weights() {
    let mut tally = Tally::of("ELMo's weights");
    for folder in folders() {
        let of = parity::name(&folder);
        tally.add(&of, 0);
        let options = Options::of(&json(&folder.join("options.json"))).unwrap();
        let given = tensors(&folder.join("allennlp_state.safetensors"));
        let other = tempfile::tempdir().unwrap();
        fs::copy(folder.join("lm_weights.hdf5"), other.path().join("weights.hdf5")).unwrap();
        for folder in [&folder, &other.path().to_path_buf()] {
            let source = Source::open(folder, &options).unwrap();
            let mut builder = builder();
            BiLm::new(&mut builder, &source, &options).unwrap();
            assert_eq!(builder.parameters.len(), given.len());
            for parameter in builder.parameters {
                assert_eq!(gap(&parameter.tensor, &given[&parameter.name]), 0.0);
                tally.add(&of, 1);
            }
        }
    }
    tally.end();
}

/// TensorFlow's own top layer, from the paper's code, through AllenNLP's batches with the state carried.
#[test]
fn sentences_are_embedded_as_by_the_papers_code() {
    let there = parity::folders("elmo", "sentences_outputs.safetensors");
    if there.is_empty() {
        crate::progress::err("parity: the paper's own sentences: none here");
        return;
    }
    let mut tally = Tally::of("batches of the paper's sentences");
    for folder in there {
        let of = parity::name(&folder);
        tally.add(&of, 0);
        let bilm = bilm(&folder);
        let case = tensors(&folder.join("sentences_outputs.safetensors"));
        let papers = tensors(&folder.join("tf_expected.safetensors"));
        let top = layers(&folder);
        let mut carried = States::default();
        for (batch, name) in series(&case, "batch").into_iter().enumerate() {
            let got = run(&bilm, &case, &name, &mut carried);
            check(&got, &case, &name);
            // Row by row, without the marks that frame a sentence.
            for row in 0..got[top].size()[0] {
                let want = &papers[&format!("sentence.{row}.{batch}")];
                let words = got[top].get(row).narrow(0, 1, want.size()[0]);
                assert!(gap(&words, want) < CLOSE, "{name} row {row}");
            }
            let got = run(&bilm, &case, &name, &mut States::default());
            check(&got, &case, &format!("{name}.fresh"));
            tally.add(&of, 2);
        }
    }
    tally.end();
}
