//! Losses against torch, and the words of texts against transformers, from `families/tasks` of the fixtures.

use std::fs;
use std::path::Path;

use serde_json::Value;
use tch::{Device, Kind, Reduction, Tensor};
use tuneboard::spec::{ClassWeights, Family, Loss as LossKey, RunSpec};

use super::loss::{Loss, focal};
use super::multilabel::focal as binary_focal;
use super::{crossed, errors, judging};
use crate::model::{FamilyExt, Reads};
use crate::parity::{self, Tally};

fn read(path: &Path) -> Option<Value> {
    serde_json::from_str(&fs::read_to_string(path).ok()?).ok()
}

fn numbers(value: &Value) -> Option<Tensor> {
    let list: Vec<f64> = serde_json::from_value(value.clone()).ok()?;
    Some(Tensor::from_slice(&list))
}

/// Every case by what it has: `pos_weight`, `gamma`, `class_weights`, `e`, `alpha`, and the kind of its labels.
#[test]
fn losses_are_torchs() {
    let folder = parity::root().join("families/tasks");
    let mut tally = Tally::of("losses");
    // As they are, in 64 bits.
    let tensors = Tensor::read_safetensors(folder.join("losses.safetensors"));
    if let (Some(file), Ok(tensors)) = (read(&folder.join("losses.json")), tensors) {
        let tensors: std::collections::BTreeMap<String, Tensor> = tensors.into_iter().collect();
        for (name, case) in file["cases"].as_object().unwrap() {
            let of = |what: &[&str]| {
                what.iter()
                    .find_map(|what| tensors.get(&format!("{name}.{what}")))
                    .map(Tensor::shallow_clone)
            };
            let logits = of(&["logits", "z", "scores"]).unwrap().to_kind(Kind::Double);
            let logits = logits.set_requires_grad(true);
            let labels = of(&["labels", "y", "targets"]).unwrap();
            let gamma = case["gamma"].as_f64();
            let weights = numbers(&case["class_weights"]).or_else(|| numbers(&case["alpha"]));
            let are_classes = labels.kind() == Kind::Int64 && labels.dim() < logits.dim();
            let (z, y) = match logits.dim() {
                3 if are_classes => {
                    let known = labels.ne(-100).flatten(0, -1).nonzero().squeeze_dim(-1);
                    let flat = logits.flatten(0, 1).index_select(0, &known);
                    (flat, labels.flatten(0, -1).index_select(0, &known))
                }
                _ => (logits.shallow_clone(), labels),
            };
            let y = if are_classes { y } else { y.to_kind(Kind::Double) };
            let loss = match (are_classes, gamma) {
                (true, Some(gamma)) => {
                    focal(&z, &y, weights.as_ref(), gamma).unwrap().mean(None::<Kind>)
                }
                (true, None) => {
                    let spec = RunSpec {
                        label_smoothing: case["e"].as_f64().unwrap_or(0.0),
                        ..RunSpec::default()
                    };
                    let given =
                        weights.map(|w| Vec::<f64>::try_from(w).unwrap()).unwrap_or_default();
                    let given = given.into_iter().map(|x| x as f32).collect();
                    let loss = Loss::weighted(&spec, given, Device::Cpu).unwrap();
                    if spec.label_smoothing == 0.0 && name == "cross_entropy" {
                        judging(&z, &y, Reduction::Mean).unwrap()
                    } else {
                        loss.learning(&z, &y, Reduction::Mean).unwrap()
                    }
                }
                (false, Some(gamma)) => {
                    let alpha = case["alpha"].as_f64().unwrap();
                    let each = binary_focal(&z, &y, (&Tensor::from(alpha), 1.0 - alpha), gamma);
                    each.unwrap().mean(None::<Kind>)
                }
                (false, None) if name.contains("mse") => {
                    errors(&z, &y.view_as(&z), None, Reduction::Mean).unwrap()
                }
                (false, None) => {
                    let weight = numbers(&case["pos_weight"]);
                    crossed(&z, &y, weight.as_ref(), Reduction::Mean).unwrap()
                }
            };
            // Of nothing that counts there is no mean.
            let Some(want) = case["loss"].as_f64() else {
                assert!(loss.double_value(&[]).is_nan(), "{name}");
                continue;
            };
            let got = loss.double_value(&[]);
            assert!((got - want).abs() <= 1e-9 * want.abs().max(1.0), "{name}: {got}, not {want}");
            let gradient = Tensor::run_backward(&[&loss], &[&logits], false, false).remove(0);
            let want = of(&["grad", "gradient", "grad_logits"]).unwrap().to_kind(Kind::Double);
            let gap = (gradient.view_as(&want) - &want).abs().max().double_value(&[]);
            assert!(gap <= 1e-9, "{name}: a gradient differs by {gap:e}");
            tally.add(name, 1);
        }
    }
    tally.end();
}

/// Ids, words and labels of first tokens, cut as transformers cuts them.
#[test]
fn words_are_aligned_as_by_transformers() {
    let mut tally = Tally::of("words and their tokens");
    let folders =
        fs::read_dir(parity::root().join("families/tasks")).into_iter().flatten().flatten();
    for folder in folders.map(|entry| entry.path()) {
        let Ok(lines) = fs::read_to_string(folder.join("alignment.jsonl")) else { continue };
        let config = read(&folder.join("config.json")).unwrap();
        let family = Family::of(&folder, &config).unwrap();
        let label2id = &config["label2id"];
        for line in lines.lines() {
            let case: Value = serde_json::from_str(line).unwrap();
            let words: Vec<String> = serde_json::from_value(case["words"].clone()).unwrap();
            let ids: Vec<u32> = serde_json::from_value(case["input_ids"].clone()).unwrap();
            let tokenizer = family.tokenizer(&folder, Some(ids.len().max(4))).unwrap();
            let (got, of) = tokenizer.of_words(&words, true).unwrap();
            assert_eq!(got, ids, "{words:?}");
            assert_eq!(serde_json::json!(of), case["word_ids"], "{words:?}");
            let mut last = None;
            let labels: Vec<i64> = of
                .iter()
                .map(|word| {
                    let is_first = word.is_some() && *word != last;
                    last = *word;
                    let tag =
                        word.filter(|_| is_first).and_then(|w| case["tags"][w as usize].as_str());
                    tag.map_or(-100, |tag| label2id[tag].as_i64().unwrap())
                })
                .collect();
            assert_eq!(serde_json::json!(labels), case["labels"], "{words:?}");
            tally.add("sentences", 1);
        }
    }
    tally.end();
}

#[test]
fn a_focal_loss_is_cross_entropy_where_gamma_is_0_and_weights_scale_it() {
    let spec = RunSpec {
        loss: LossKey::Focal,
        focal_gamma: 0.0,
        class_weights: ClassWeights::Given(vec![("a".into(), 2.0)]),
        ..RunSpec::default()
    };
    let logits = Tensor::from_slice2(&[[0.5_f32, -1.0], [0.0, 3.0]]);
    let labels = Tensor::from_slice(&[0_i64, 1]);
    let plain = Loss::of_tokens(&RunSpec::default());
    let sum =
        |loss: &Loss| loss.learning(&logits, &labels, Reduction::Sum).unwrap().double_value(&[]);
    let focal = Loss::weighted(&spec, Vec::new(), Device::Cpu).unwrap();
    assert!((sum(&focal) - sum(&plain)).abs() < 1e-6);
    let weighted = Loss::weighted(&spec, vec![2.0, 1.0], Device::Cpu).unwrap();
    assert!(sum(&weighted) > sum(&focal));
    assert_eq!(
        (
            weighted.share(0),
            Loss::weighted(&RunSpec::default(), vec![2.0, 1.0], Device::Cpu).unwrap().share(0)
        ),
        (1.0, 2.0)
    );
}
