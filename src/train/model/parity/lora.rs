//! Adapters against peft: every folder of `families/lora/`, with logits beside and within the base's weights,
//! gradients and training.

use std::collections::BTreeMap;
use std::fs;

use tuneboard::spec::{Targets, Task};

use super::*;
use crate::checkpoint::{Assets, Best, Checkpoints};

/// As of the families themselves; see `families/README.md`.
const NEAR: f64 = 2e-5;
/// What weights may differ by after training.
const TRAINED: f64 = 1e-4;

struct Subject {
    name: String,
    folder: PathBuf,
    expected: Value,
    tensors: Tensors,
}

fn subjects() -> Vec<Subject> {
    let read = |folder: PathBuf| Subject {
        name: parity::name(&folder),
        expected: parity::json(&folder.join("expected.json")),
        tensors: parity::tensors(&folder.join("expected.safetensors")),
        folder,
    };
    parity::folders("families/lora", "expected.json").into_iter().map(read).collect()
}

fn open_adapted(folder: &Path, lora: Option<Lora>) -> Loaded {
    open_with(folder, &Request { lora, ..Request::as_saved(Device::Cpu, Kind::Float) })
}

impl Subject {
    fn config(&self) -> Value {
        parity::json(&self.folder.join("start").join("adapter_config.json"))
    }

    fn base(&self) -> PathBuf {
        let name = self.config()["base_model_name_or_path"].as_str().unwrap().to_owned();
        self.folder.join("start").join(name)
    }

    /// As peft was asked for it; what it was not told it took from its defaults.
    fn lora(&self) -> Lora {
        let config = self.config();
        let by_default =
            self.expected["target_modules"].as_str().unwrap().contains("default for this");
        let targets = config["target_modules"].as_array().unwrap().iter();
        Lora {
            rank: config["r"].as_i64().unwrap(),
            alpha: config["lora_alpha"].as_f64().unwrap(),
            is_stabilised: config["use_rslora"].as_bool().unwrap_or(false),
            dropout: 0.0,
            targets: if by_default {
                Targets::Auto
            } else {
                Targets::Named(targets.filter_map(Value::as_str).map(str::to_owned).collect())
            },
        }
    }

    fn loss(&self, model: &Loaded, step: i64) -> (Tensor, Tensor) {
        let inputs = inputs_at(&self.tensors, "curve.", Some(step));
        let logits = model.network.forward(&inputs, Mode::training(Kind::Float)).unwrap();
        let loss = logits.cross_entropy_for_logits(&self.tensors["curve.labels"].get(step));
        (logits, loss)
    }

    /// The value of `what` for a parameter, by the name that it has in peft's memory.
    fn of(&self, what: &str, parameter: &Parameter) -> &Tensor {
        let name = &parameter.name;
        let in_memory = if parameter.is_head {
            let (head, rest) =
                name.strip_prefix("base_model.model.").unwrap().split_once('.').unwrap();
            format!("base_model.model.{head}.modules_to_save.default.{rest}")
        } else {
            let stem = name.strip_suffix(".weight").unwrap();
            format!("{stem}.default.weight")
        };
        let wanted = format!("{what}.{in_memory}");
        self.tensors.get(&wanted).unwrap_or_else(|| panic!("{}: no {wanted}", self.name))
    }
}

#[test]
fn adapters_give_pefts_logits_beside_and_within_the_base() {
    let mut tally = Tally::of("adapters");
    for subject in subjects() {
        let at = |name: &str| subject.folder.join(name);
        let ways = [
            (subject.base(), None, "logits_base"),
            (subject.base(), Some(subject.lora()), "logits_base"),
            (at("start"), None, "logits_start"),
            (at("start"), Some(subject.lora()), "logits_start"),
            (at("nonzero"), None, "logits_nonzero_merged"),
            (at("nonzero"), None, "logits_nonzero"),
            (at("nonzero"), Some(subject.lora()), "logits_nonzero"),
        ];
        let mut compared = 0;
        for (folder, lora, name) in ways {
            let is_beside = lora.is_some();
            let model = open_adapted(&folder, lora);
            assert!(model.head_given && model.adapter.is_some() == is_beside, "{}", subject.name);
            for case in cases(&subject.tensors, "input_ids") {
                let Some(want) = subject.tensors.get(&format!("{case}.{name}")) else { continue };
                let _guard = tch::no_grad_guard();
                let logits =
                    model.network.forward(&inputs(&subject.tensors, &case), PLAIN).unwrap();
                let gap = gap(&logits, want);
                assert!(
                    gap < NEAR,
                    "{} {case} {name}, beside: {is_beside}: {gap:.1e}",
                    subject.name
                );
                compared += 1;
            }
        }
        tally.add(&subject.name, compared);
    }
    tally.end();
}

#[test]
fn adapters_learn_as_pefts_do() {
    let mut tally = Tally::of("adapters in training");
    for subject in subjects() {
        let (name, want) = (&subject.name, &subject.expected["curve"]);
        let model = open_adapted(&subject.folder.join("start"), Some(subject.lora()));
        let shapes: BTreeMap<&str, Vec<i64>> =
            model.parameters.iter().map(|p| (p.name.as_str(), p.tensor.size())).collect();
        let trainable = subject.expected["trainable"].as_object().unwrap();
        assert_eq!(shapes.len(), trainable.len(), "{name}: as many weights learn");
        let mut keys: Vec<&str> = shapes.keys().copied().collect();
        keys.sort_unstable();
        let mut wanted: Vec<&str> = subject.expected["adapter_file_keys"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(Value::as_str)
            .collect();
        wanted.sort_unstable();
        assert_eq!(keys, wanted, "{name}: what an adapter's file holds");

        let spec = RunSpec {
            clip: 0.0,
            decay_all: true,
            weight_decay: want["weight_decay"].as_f64().unwrap(),
            ..RunSpec::default()
        };
        let mut optimizer = Optimizer::new(&spec, &model.parameters, ALL).unwrap();
        let losses = want["losses"].as_array().unwrap();
        for (step, want_loss) in losses.iter().enumerate() {
            let (logits, loss) = subject.loss(&model, step as i64);
            let apart = (loss.double_value(&[]) - want_loss.as_f64().unwrap()).abs();
            assert!(apart < NEAR, "{name} loss {step}: {apart:.1e}");
            let gradients = optimizer.gradients(&loss).unwrap();
            if step == 0 {
                let apart = gap(&logits, &subject.tensors["first.logits"]);
                assert!(apart < NEAR, "{name} first logits: {apart:.1e}");
                for (parameter, gradient) in model.parameters.iter().zip(&gradients) {
                    let apart = gap(gradient, subject.of("grad", parameter));
                    assert!(apart < NEAR, "{name} gradient of {}: {apart:.1e}", parameter.name);
                }
            }
            optimizer.step(&gradients, 1.0, want["lr"].as_f64().unwrap()).unwrap();
        }
        for parameter in &model.parameters {
            let apart = gap(&parameter.tensor, subject.of("final", parameter));
            assert!(apart < TRAINED, "{name} after training, {}: {apart:.1e}", parameter.name);
        }
        // What memory the optimiser has is for what learns alone.
        assert_eq!(optimizer.state().len(), 2 * trainable.len(), "{name}");
        tally.add(name, losses.len());
    }
    tally.end();
}

#[test]
fn an_adapter_is_saved_as_peft_does_and_read_again() {
    let mut compared = 0;
    for subject in subjects() {
        let model = open_adapted(&subject.folder.join("nonzero"), Some(subject.lora()));
        let run = tempfile::tempdir().unwrap();
        let labels: Vec<String> = ["a", "b", "c"].map(str::to_owned).to_vec();
        let assets = Assets::new(&subject.base(), &model, Task::Classify, &labels).unwrap();
        let checkpoints = Checkpoints::open(run.path()).unwrap();
        checkpoints.save_best(&Best::new(assets.clone(), &model.parameters).unwrap()).unwrap();
        let best = run.path().join("checkpoints/best");
        assert!(!best.join("model.safetensors").exists(), "{}", subject.name);
        let wrote = parity::json(&best.join("adapter_config.json"));
        let had = subject.config();
        for key in
            ["peft_type", "task_type", "r", "lora_alpha", "bias", "use_rslora", "fan_in_fan_out"]
        {
            assert_eq!(wrote[key].as_f64(), had[key].as_f64(), "{} {key}", subject.name);
            assert_eq!(wrote[key].as_str(), had[key].as_str(), "{} {key}", subject.name);
        }
        for key in ["target_modules", "modules_to_save"] {
            let _ = wrote[key].as_array().unwrap();
        }
        let (wrote, had) = (
            parity::tensors(&best.join("adapter_model.safetensors")),
            parity::tensors(&subject.folder.join("nonzero/adapter_model.safetensors")),
        );
        assert!(wrote.keys().eq(had.keys()), "{}", subject.name);
        assert!(had.iter().all(|(key, tensor)| wrote[key] == *tensor), "{}", subject.name);
        // Both what goes on learning and what is asked finds its base.
        let inputs = inputs_at(&subject.tensors, "curve.", Some(0));
        let want = model.network.forward(&inputs, PLAIN).unwrap();
        for lora in [None, Some(subject.lora())] {
            let again = open_adapted(&best, lora).network.forward(&inputs, PLAIN).unwrap();
            assert!(gap(&again, &want) < NEAR, "{}", subject.name);
        }
        compared += 1;
    }
    parity::compared("adapters that are saved", "families/lora", compared);
}

#[test]
fn what_is_no_plain_lora_is_refused_by_name() {
    let Some(subject) = subjects().into_iter().next() else { return };
    let folder = tempfile::tempdir().unwrap();
    let nonzero = subject.folder.join("nonzero");
    for file in ["adapter_model.safetensors", "adapter_config.json"] {
        fs::copy(nonzero.join(file), folder.path().join(file)).unwrap();
    }
    let mut config = subject.config();
    config["base_model_name_or_path"] = subject.base().display().to_string().into();
    let said = |key: &str, value: Value, lora: Option<Lora>| {
        let mut config = config.clone();
        config[key] = value;
        fs::write(folder.path().join("adapter_config.json"), config.to_string()).unwrap();
        let request = Request { lora, ..Request::as_saved(Device::Cpu, Kind::Float) };
        load(folder.path(), &request).err().map(|e| e.to_string()).unwrap_or_default()
    };
    assert_eq!(said("lora_dropout", 0.0.into(), None), "");
    for (key, value, want) in [
        ("peft_type", "IA3".into(), "only LORA"),
        ("use_dora", true.into(), "use_dora is set"),
        ("bias", "all".into(), "bias is set"),
        ("rank_pattern", serde_json::json!({ "query": 2 }), "rank_pattern is set"),
        ("init_lora_weights", "pissa".into(), "changes the base's weights"),
        ("base_model_name_or_path", "org/none".into(), "`org/none` is not on this machine"),
        ("r", 0.into(), "r must be"),
        ("lora_alpha", "8".into(), "lora_alpha must be"),
    ] {
        let said = said(key, value, None);
        assert!(said.contains(want), "{key}: {said}");
    }
    let other = Lora { rank: subject.lora().rank + 1, ..subject.lora() };
    assert!(said("bias", "none".into(), Some(other)).contains("lora_rank="));
    let named = Lora { targets: Targets::Named(vec!["nothing".into()]), ..subject.lora() };
    let request = Request { lora: Some(named), ..Request::as_saved(Device::Cpu, Kind::Float) };
    let said = load(&subject.base(), &request).err().unwrap().to_string();
    assert!(said.contains("lora_targets=nothing names no linear layer"), "{said}");
}

/// Every linear layer of every family: what learns beside the weights gives what it gives within them.
#[test]
fn adapters_of_every_layer_say_the_same_beside_and_within() {
    let mut compared = 0;
    let folders = parity::folders("families", "model.safetensors").into_iter();
    for folder in folders.chain(parity::folders("models", "model.safetensors")) {
        let Ok(family) = Family::of(&folder, &config(&folder)) else { continue };
        if family.row().lora.is_empty() {
            continue;
        }
        let lora = Lora {
            rank: 2,
            alpha: 3.0,
            is_stabilised: compared % 2 == 1,
            dropout: 0.0,
            targets: Targets::AllLinear,
        };
        let request =
            Request { lora: Some(lora.clone()), ..request(Start::Checkpoint, Some(3), Pool::Auto) };
        let model = open_with(&folder, &request);
        let name = parity::name(&folder);
        let mut adapted = 0;
        for parameter in &model.parameters {
            let drawn = Tensor::randn(parameter.tensor.size(), (Kind::Float, Device::Cpu)) * 0.1;
            parameter.set(&drawn).unwrap();
            adapted += usize::from(parameter.name.ends_with(".lora_B.weight"));
        }
        assert!(adapted > 3, "{name}: {adapted}");
        let run = tempfile::tempdir().unwrap();
        let labels: Vec<String> = ["a", "b", "c"].map(str::to_owned).to_vec();
        let assets = Assets::new(&folder, &model, Task::Classify, &labels).unwrap();
        let checkpoints = Checkpoints::open(run.path()).unwrap();
        checkpoints.save_best(&Best::new(assets.clone(), &model.parameters).unwrap()).unwrap();
        let merged = open_adapted(&run.path().join("checkpoints/best"), None);
        assert!(merged.adapter.is_none() && merged.head_given, "{name}");
        let length = model.padding.length.unwrap_or(4) as i64;
        let ids = Tensor::arange(2 * length, (Kind::Int64, Device::Cpu)).view([2, length]) + 5;
        let inputs = Inputs {
            ids,
            mask: None,
            segments: None,
            positions: None,
            by_row: false,
            unpadded: None,
        };
        let _guard = tch::no_grad_guard();
        let of = |model: &Loaded| model.network.forward(&inputs, PLAIN).unwrap();
        let apart = gap(&of(&model), &of(&merged));
        assert!(apart < NEAR, "{name}: {apart:.1e}");
        compared += 1;
    }
    parity::compared("adapters of every layer", "families", compared);
}
