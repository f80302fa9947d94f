//! Every family against transformers: forward, head, gradients and training of each folder of
//! `families/`, whatever folders, shapes, classes and cases there are.

use std::collections::BTreeSet;
use std::fs;

use serde_json::json;
use tempfile::TempDir;
use tuneboard::spec::family::LanguageModel;

use super::*;
use crate::checkpoint::{Assets, Checkpoints};

/// What hidden states, logits, gradients and losses may differ by, as the fixtures' own README says. Every
/// mistake that was tried moves a number by more.
const NEAR: f64 = 2e-5;

/// What was compared, and what was wrong.
#[derive(Default)]
struct Report {
    folders: usize,
    cases: usize,
    gradients: usize,
    losses: usize,
    wrong: Vec<String>,
}

impl Report {
    fn near(&mut self, what: &str, gap: f64) {
        // A gap that is no number is wrong, too.
        if !gap.is_finite() || gap >= NEAR {
            self.wrong.push(format!("{what}: {gap:.1e}"));
        }
    }
}

/// A folder of the fixtures under one of its configs.
struct Subject {
    title: String,
    folder: PathBuf,
    expected: Value,
    tensors: Tensors,
    _copy: Option<TempDir>,
}

fn read_json(path: &Path) -> Option<Value> {
    serde_json::from_str(&fs::read_to_string(path).ok()?).ok()
}

/// The same folder with the config that most folders on the hub have.
fn with_config(folder: &Path, config: &Path) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(folder).unwrap().flatten().filter(|e| e.path().is_file()) {
        fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
    }
    fs::copy(config, copy.path().join("config.json")).unwrap();
    copy
}

/// All folders with a model and with outputs of it.
fn subjects() -> Vec<Subject> {
    let root = parity::root().join("families");
    let mut folders: Vec<PathBuf> =
        fs::read_dir(root).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    folders.sort();
    let mut subjects = Vec::new();
    for folder in folders.iter().filter(|folder| folder.join("config.json").is_file()) {
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        let mut expected = read_json(&folder.join("expected.json")).unwrap_or_default();
        let mut outputs = folder.join("expected.safetensors");
        if let Some(same) = expected["same_as"].as_str() {
            let other = folder.join(same.split(':').next().unwrap_or(same));
            outputs = other.join("expected.safetensors");
            expected = read_json(&other.join("expected.json")).unwrap_or_default();
        }
        if !outputs.is_file() {
            continue;
        }
        for config in ["config.json", "config_hub.json"] {
            let path = folder.join(config);
            if !path.is_file() {
                continue;
            }
            let copy = (config != "config.json").then(|| with_config(folder, &path));
            subjects.push(Subject {
                title: format!("{name} ({config})"),
                folder: copy.as_ref().map_or(folder.clone(), |copy| copy.path().to_owned()),
                expected: expected.clone(),
                tensors: weights::read_all(&outputs).unwrap(),
                _copy: copy,
            });
        }
    }
    subjects
}

impl Subject {
    /// The checkpoint as it is, with the fixture's own head where the folder has none.
    fn open(&self) -> Result<Loaded, TrainError> {
        tch::set_num_threads(1);
        let _alone = crate::rng::alone();
        let mut request = Request::as_saved(Device::Cpu, Kind::Float);
        let head = |name: &str| self.tensors.iter().find(|(key, _)| key.starts_with(name));
        if let Some((_, labels)) = self.tensors.iter().find(|(key, _)| key.ends_with(".logits")) {
            request.classes = labels.size().last().map(|n| *n as usize);
        }
        let model = load(&self.folder, &request)?;
        if head("head.").is_some() {
            for parameter in model.parameters.iter().filter(|p| p.is_head) {
                parameter.set(&self.tensors[&format!("head.{}", parameter.name)])?;
            }
        } else if !model.head_given {
            return Err(TrainError::Failed("its head was not taken".into()));
        }
        Ok(model)
    }

    fn case_names(&self) -> Vec<String> {
        let cases = self.expected["cases"].as_object();
        cases.into_iter().flatten().map(|(name, _)| name.clone()).collect()
    }

    fn check(&self, report: &mut Report) -> Result<(), TrainError> {
        report.folders += 1;
        let model = self.open()?;
        for case in self.case_names() {
            self.check_case(&model, &case, report)?;
        }
        if self.tensors.contains_key("curve.input_ids") {
            self.check_gradients(&model, report)?;
            let changes = [
                ("curve", true),
                ("curve_decay_0.5", true),
                ("curve_decay_0.5_trainer_groups", false),
            ];
            for (curve, decay_all) in changes {
                self.check_curve(curve, decay_all, report)?;
            }
        }
        Ok(())
    }

    fn check_case(
        &self,
        model: &Loaded,
        case: &str,
        report: &mut Report,
    ) -> Result<(), TrainError> {
        let Some(want) = self.tensors.get(&format!("{case}.logits")) else { return Ok(()) };
        report.cases += 1;
        let _guard = tch::no_grad_guard();
        let inputs = inputs(&self.tensors, case);
        let logits = model.network.forward(&inputs, PLAIN)?;
        report.near(&format!("{} {case} logits", self.title), gap(&logits, want));
        if let Some(want) = self.tensors.get(&format!("{case}.last_hidden_state")) {
            let inside = model.network.inside(&inputs, PLAIN)?;
            let (_, got) = inside.iter().find(|(name, _)| *name == "last_hidden_state").unwrap();
            let mut apart = (got - want).abs();
            // What padding has is up to each implementation.
            if let Some(mask) = &inputs.mask {
                apart = apart.where_self(&mask.unsqueeze(-1).ne(0), &Tensor::from(0_f32));
            }
            let gap = apart.max().double_value(&[]);
            report.near(&format!("{} {case} hidden states", self.title), gap);
        }
        Ok(())
    }

    fn loss(&self, model: &Loaded, step: i64) -> Result<(Tensor, Tensor), TrainError> {
        let inputs = inputs_at(&self.tensors, "curve.", Some(step));
        let logits = model.network.forward(&inputs, PLAIN)?;
        let loss = logits.cross_entropy_for_logits(&self.tensors["curve.labels"].get(step));
        Ok((logits, loss))
    }

    fn check_gradients(&self, model: &Loaded, report: &mut Report) -> Result<(), TrainError> {
        let title = &self.title;
        let (logits, loss) = self.loss(model, 0)?;
        report.near(&format!("{title} first logits"), gap(&logits, &self.tensors["first.logits"]));
        let loss_gap = gap(&loss.view([1]), &self.tensors["first.loss"]);
        report.near(&format!("{title} first loss"), loss_gap);
        let optimizer = Optimizer::new(&RunSpec::default(), &model.parameters, ALL)?;
        let gradients = optimizer.gradients(&loss)?;
        let wanted = self
            .tensors
            .keys()
            .filter(|key| key.starts_with("grad.") || key.starts_with("grad_values."));
        assert_eq!(wanted.count(), gradients.len(), "{title}: as many weights learn");
        for (parameter, gradient) in model.parameters.iter().zip(&gradients) {
            report.gradients += 1;
            let name = &parameter.name;
            let want = if let Some(want) = self.tensors.get(&format!("grad.{name}")) {
                want.shallow_clone()
            } else {
                let at = |what: &str| &self.tensors[&format!("{what}.{name}")];
                let rows = Tensor::from_slice(&Vec::<i64>::try_from(at("grad_rows"))?);
                gradient.zeros_like().index_copy(0, &rows, at("grad_values"))
            };
            report.near(&format!("{title} gradient of {name}"), gap(gradient, &want));
        }
        Ok(())
    }

    fn check_curve(
        &self,
        curve: &str,
        decay_all: bool,
        report: &mut Report,
    ) -> Result<(), TrainError> {
        let (title, want) = (&self.title, &self.expected[curve]);
        let Some(losses) = want["losses"].as_array() else { return Ok(()) };
        let usual = &self.expected["curve"];
        let number = |key: &str, usual: f64| want[key].as_f64().unwrap_or(usual);
        let spec = RunSpec {
            clip: 0.0,
            decay_all,
            weight_decay: number("weight_decay", 0.01),
            ..RunSpec::default()
        };
        let lr = usual["lr"].as_f64().unwrap_or(1e-3);
        let model = self.open()?;
        if let Some(names) = want["no_decay"].as_array() {
            let mut want: Vec<&str> = names.iter().filter_map(Value::as_str).collect();
            let kept = model.parameters.iter().filter(|p| !p.decays());
            let mut kept: Vec<&str> = kept.map(|p| p.name.as_str()).collect();
            want.sort_unstable();
            kept.sort_unstable();
            assert_eq!(kept, want, "{title}: what does not decay");
        }
        let mut optimizer = Optimizer::new(&spec, &model.parameters, ALL)?;
        for (step, want) in losses.iter().enumerate() {
            report.losses += 1;
            let (_, loss) = self.loss(&model, step as i64)?;
            let gap = (loss.double_value(&[]) - want.as_f64().unwrap()).abs();
            report.near(&format!("{title} {curve} loss {step}"), gap);
            let gradients = optimizer.gradients(&loss)?;
            optimizer.step(&gradients, 1.0, lr)?;
        }
        if curve == "curve"
            && let Some(want) = self.tensors.get("curve.final_logits_batch0")
        {
            report.near(&format!("{title} last logits"), gap(&self.loss(&model, 0)?.0, want));
        }
        Ok(())
    }
}

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
        let assets = Assets::new(&subject.folder, &model, &labels).unwrap();
        checkpoints.save_best(&assets, &model.parameters).unwrap();
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
            let inputs = Inputs { ids, mask, segments: None, positions: None, by_row: false };
            let inside = model.network.inside(&inputs, PLAIN).unwrap();
            inside.into_iter().next().unwrap().1.narrow(1, 0, real)
        };
        let gap = gap(&of(100, 100), &of(140, 100));
        assert!(gap < 2e-5, "{family}: {gap}");
    }
}

#[test]
fn families_are_transformers() {
    let mut tally = Tally::of("families");
    let mut report = Report::default();
    for subject in subjects() {
        tally.add(&subject.title, 0);
        let cases = report.cases + report.losses;
        if let Err(error) = subject.check(&mut report) {
            report.wrong.push(format!("{}: {error}", subject.title));
        }
        tally.add(&subject.title, report.cases + report.losses - cases);
    }
    parity::compared("gradients of families", "families", report.gradients);
    assert!(report.wrong.is_empty(), "{} differ:\n{}", report.wrong.len(), report.wrong.join("\n"));
    tally.end();
}
