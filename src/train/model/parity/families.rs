//! Every family against transformers: forward, head, gradients and training of each folder of
//! `families/`, whatever folders, shapes, classes and cases there are.

use std::fs;

use tch::Reduction;
use tempfile::TempDir;

use super::*;
use crate::native::Watch;
use crate::objective::{crossed, errors, judging};

/// What hidden states, logits, gradients and losses may differ by, as the fixtures' own README says. Every
/// mistake that was tried moves a number by more.
const NEAR: f64 = 2e-5;

/// What was compared, and what was wrong.
#[derive(Default)]
struct Comparison {
    folders: usize,
    cases: usize,
    gradients: usize,
    losses: usize,
    wrong: Vec<String>,
}

impl Comparison {
    fn near(&mut self, what: &str, gap: f64) {
        // A gap that is no number is wrong, too.
        if !gap.is_finite() || gap >= NEAR {
            self.wrong.push(format!("{what}: {gap:.1e}"));
        }
    }
}

/// A folder of the fixtures under one of its configs.
pub(super) struct Subject {
    pub title: String,
    pub folder: PathBuf,
    pub expected: Value,
    pub tensors: Tensors,
    /// Whether batches go through the network without their padding.
    unpads: bool,
    _copy: Option<TempDir>,
}

pub(super) fn read_json(path: &Path) -> Option<Value> {
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

/// All folders of classifiers with a model and with outputs of it.
pub(super) fn subjects() -> Vec<Subject> {
    subjects_in("families")
}

/// All folders with a model and with outputs of it below a folder of the fixtures.
fn subjects_in(folder: &str) -> Vec<Subject> {
    let root = parity::root().join(folder);
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
                unpads: false,
                _copy: copy,
            });
        }
    }
    subjects
}

impl Subject {
    /// The checkpoint as it is, with the fixture's own head where the folder has none.
    pub fn open(&self) -> Result<Loaded, TrainError> {
        tch::set_num_threads(1);
        let _alone = crate::rng::alone();
        let mut request = Request::as_saved(Device::Cpu, Kind::Float);
        request.of_tokens = self.is_of_tokens();
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

    fn is_of_tokens(&self) -> bool {
        self.expected["class"].as_str().is_some_and(|class| class.ends_with("TokenClassification"))
    }

    fn case_names(&self) -> Vec<String> {
        let cases = self.expected["cases"].as_object();
        cases.into_iter().flatten().map(|(name, _)| name.clone()).collect()
    }

    fn check(&self, report: &mut Comparison) -> Result<(), TrainError> {
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
        report: &mut Comparison,
    ) -> Result<(), TrainError> {
        let Some(want) = self.tensors.get(&format!("{case}.logits")) else { return Ok(()) };
        report.cases += 1;
        let _guard = tch::no_grad_guard();
        let inputs = self.inputs(model, &format!("{case}."), None);
        let logits = model.network.forward(&inputs, PLAIN)?;
        report.near(&format!("{} {case} logits", self.title), gap(&logits, want));
        if let (Some(labels), Some(want)) =
            (self.tensors.get(&format!("{case}.labels")), self.tensors.get(&format!("{case}.loss")))
        {
            let loss = self.loss_of(&logits, labels)?.view([1]);
            report.near(&format!("{} {case} loss", self.title), gap(&loss, want));
        }
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

    fn inputs(&self, model: &Loaded, prefix: &str, at: Option<i64>) -> Inputs {
        let inputs = inputs_at(&self.tensors, prefix, at);
        // A head that reads the first position reads padding where it is put there, which no batch of ours has.
        let first = inputs.mask.as_ref().map(|mask| mask.select(1, 0).min().int64_value(&[]));
        let is_odd = model.padding.side == Side::Right && first == Some(0);
        if self.unpads && !is_odd { without_padding(inputs) } else { inputs }
    }

    fn loss(&self, model: &Loaded, step: i64) -> Result<(Tensor, Tensor), TrainError> {
        let inputs = self.inputs(model, "curve.", Some(step));
        let logits = model.network.forward(&inputs, PLAIN)?;
        let loss = self.loss_of(&logits, &self.tensors["curve.labels"].get(step))?;
        Ok((logits, loss))
    }

    /// The loss as the objective of the task computes it.
    fn loss_of(&self, logits: &Tensor, labels: &Tensor) -> Result<Tensor, TrainError> {
        match self.expected["problem_type"].as_str() {
            Some("regression") => errors(logits, &labels.view_as(logits), None, Reduction::Mean),
            Some("multi_label_classification") => crossed(logits, labels, None, Reduction::Mean),
            _ if self.is_of_tokens() => {
                let known = labels.ne(-100).flatten(0, -1).nonzero().squeeze_dim(-1);
                let logits = logits.flatten(0, 1).index_select(0, &known);
                let labels = labels.flatten(0, -1).index_select(0, &known);
                judging(&logits, &labels, Reduction::Mean)
            }
            _ => judging(logits, labels, Reduction::Mean),
        }
    }

    fn check_gradients(&self, model: &Loaded, report: &mut Comparison) -> Result<(), TrainError> {
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
        report: &mut Comparison,
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

#[test]
fn families_are_transformers() {
    compare("families", subjects());
}

/// As GPUs compute them, but for attention, which is padded again.
#[test]
fn families_without_padding_are_transformers() {
    let mut subjects = subjects();
    for subject in &mut subjects {
        subject.unpads = true;
    }
    compare("families without padding", subjects);
}

/// On a GPU each would stop the launches until all before it is done.
#[test]
fn passes_without_padding_wait_for_nothing() {
    let mut watched = 0;
    for mut subject in subjects() {
        subject.unpads = true;
        let Ok(model) = subject.open() else { continue };
        let Some(labels) = subject.tensors.get("curve.labels") else { continue };
        let steps = 0..labels.size()[0].min(3);
        let inputs: Vec<_> =
            steps.map(|step| subject.inputs(&model, "curve.", Some(step))).collect();
        let _alone = crate::rng::alone();
        let pass = |inputs| model.network.forward(inputs, PLAIN).unwrap().sum(Kind::Float);
        // The first makes what lasts.
        drop(inputs.first().map(pass));
        let watch = Watch::begin(Device::Cpu).unwrap();
        inputs.iter().map(pass).for_each(|sum| sum.backward());
        let asked = watch.end().unwrap();
        assert_eq!(asked.waits, 0, "{}: {}", subject.title, asked.waiting);
        watched += u32::from(asked.operations > 0);
    }
    assert!(watched > 0 || subjects().is_empty());
}

#[test]
fn heads_of_every_task_are_transformers() {
    compare("heads of tasks", subjects_in("families/tasks"));
}

fn compare(what: &'static str, subjects: Vec<Subject>) {
    let mut tally = Tally::of(what);
    let mut report = Comparison::default();
    for subject in subjects {
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
