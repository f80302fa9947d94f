//! Against transformers 5.23 on torch 2.11 (CPU, float32); tests/fixtures/README.md says how the
//! numbers were made. `TUNEBOARD_FIXTURES` names another folder of the same layout.

mod abilities;
mod bert;
mod curves;
mod families;
mod family_tokens;
mod gpt2;
mod lora;
mod minilm;
mod predictor;
mod tokens;

use std::path::{Path, PathBuf};

use serde_json::Value;
use tch::{Device, Kind, Tensor};
use tuneboard::spec::{LrSchedule, Pool, RunSpec, Schedule};

use super::*;
use crate::optim::{self, Optimizer};
use crate::parity::{self, Tally, Tensors, cases, gap};

/// What outputs may differ by.
const CLOSE: f64 = 2e-5;

fn fixtures() -> PathBuf {
    parity::root()
}

fn expected(name: &str) -> PathBuf {
    parity::root().join("expected").join(name)
}

fn config(folder: &Path) -> Value {
    parity::json(&folder.join("config.json"))
}

/// The number of that name in a folder's config.
fn size(folder: &Path, key: &str) -> i64 {
    config(folder)[key].as_i64().unwrap_or_else(|| panic!("{}: no {key}", folder.display()))
}

/// The model folders of one family.
fn models(family: Family) -> Vec<PathBuf> {
    let mut folders = parity::folders("models", "config.json");
    folders.retain(|folder| config(folder)["model_type"] == family.name());
    folders
}

/// The models of one family that came with a head, which `pool` feeds.
fn classifiers(family: Family, pool: Pool) -> Vec<PathBuf> {
    let mut folders = models(family);
    folders.retain(|folder| {
        let model = as_saved(folder);
        model.head_given && model.pool == pool
    });
    folders
}

/// The folder whose name is most like `name`: the names of reference values begin with their model's.
fn most_like<'a>(name: &str, folders: &'a [PathBuf]) -> Option<&'a PathBuf> {
    let shared = |folder: &&PathBuf| {
        let other = parity::name(folder);
        (parity::shared(name, &other), std::cmp::Reverse(other.len()))
    };
    folders.iter().max_by_key(shared)
}

/// The outputs that belong to the encoder of a model folder.
fn outputs(folder: &Path, vectors: &str) -> Option<(String, Tensors)> {
    let width = ["hidden_size", "n_embd"].iter().find_map(|key| config(folder)[key].as_i64());
    let ending = "_outputs.safetensors";
    let mut fitting: Vec<(String, Tensors)> = Vec::new();
    for stem in parity::stems("expected", ending) {
        let tensors = parity::tensors(&expected(&format!("{stem}{ending}")));
        let case = cases(&tensors, "input_ids").into_iter().next();
        let hidden = case.and_then(|case| tensors.get(&format!("{case}.{vectors}")));
        if hidden.and_then(|hidden| hidden.size().last().copied()) == width {
            fitting.push((stem, tensors));
        }
    }
    let name = parity::name(folder);
    fitting.into_iter().max_by_key(|(stem, _)| parity::shared(stem, &name))
}

fn request(start: Start, classes: Option<usize>, pool: Pool) -> Request {
    let as_saved = Request::as_saved(Device::Cpu, Kind::Float);
    Request { start, classes, pool, ..as_saved }
}

fn open_with(folder: &Path, request: &Request) -> Loaded {
    // Tests run on all cores as it is; more threads for each only get into each other's way.
    tch::set_num_threads(1);
    let _alone = crate::rng::alone();
    load(folder, request).unwrap()
}

fn open(folder: &Path, classes: Option<usize>, pool: Pool) -> Loaded {
    open_with(folder, &request(Start::Checkpoint, classes, pool))
}

/// The checkpoint with its own head, if it has one.
fn as_saved(folder: &Path) -> Loaded {
    open(folder, None, Pool::Auto)
}

const PLAIN: Mode = Mode { kind: Kind::Float, training: false };

/// The batch whose tensors' names begin with `prefix`; `at` picks one of a series.
fn inputs_at(tensors: &Tensors, prefix: &str, at: Option<i64>) -> Inputs {
    let get = |name: &str| {
        let tensor = tensors.get(&format!("{prefix}{name}"))?;
        Some(at.map_or_else(|| tensor.shallow_clone(), |at| tensor.get(at)))
    };
    Inputs {
        ids: get("input_ids").unwrap(),
        mask: get("attention_mask"),
        segments: get("token_type_ids"),
        positions: get("position_ids"),
        by_row: false,
        unpadded: None,
    }
}

fn inputs(tensors: &Tensors, case: &str) -> Inputs {
    inputs_at(tensors, &format!("{case}."), None)
}

/// The same batch for networks that can do without its padding.
fn without_padding(inputs: Inputs) -> Inputs {
    let Some(mask) = &inputs.mask else { return inputs };
    let (_, length) = mask.size2().unwrap();
    let mask = Vec::<i64>::try_from(mask.view([-1])).unwrap();
    let unpadded = Some(Unpadded::of(&mask, length as usize, Device::Cpu).unwrap());
    Inputs { unpadded, ..inputs }
}

/// Every group learns.
const ALL: u32 = u32::MAX;
