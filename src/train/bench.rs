//! `tuneboard-train bench`: where the time of an optimiser step goes (docs/benchmarks.md).

use std::path::Path;

use serde_json::Value;
use tch::{Device, Kind, Reduction, Tensor};
use tuneboard::spec::RunSpec;

use crate::batch;
use crate::device::{Place, cpu_seconds};
use crate::error::TrainError;
use crate::model::{self, Loaded, Mode, Parameter, Request, Start};
use crate::native;
use crate::optim::{self, Optimizer};
use crate::progress::out;
use crate::tokenize::Tokens;

/// The lowest of this many passes counts.
const PASSES: usize = 8;
const CLASSES: i64 = 2;

/// Prints processor milliseconds of a whole step on `batch` texts of `length` tokens, and of its parts,
/// each alone. Weights and ids are random: only their number counts.
///
/// # Errors
/// Whatever is wrong with the folder.
pub fn bench(folder: &Path, batch: usize, length: usize) -> Result<(), TrainError> {
    let spec = RunSpec { device: "cpu".into(), ..RunSpec::default() };
    let place = Place::choose(&spec)?;
    let request = Request {
        of_tokens: false,
        start: Start::Random,
        classes: Some(CLASSES as usize),
        length: Some(length),
        ..Request::as_saved(Device::Cpu, place.kind)
    };
    let model = model::load(folder, &request)?;
    let groups = model.parameters.iter().map(Parameter::group).max().unwrap_or(0) + 1;
    let mut optimizer = Optimizer::new(&spec, &model.parameters, groups)?;
    let mut tokens = Tokens::default();
    for text in 0..batch {
        let id = |at: usize| ((text * 7919 + at * 104_729) as i64 % model.limits.vocabulary) as u32;
        tokens.push(&(0..length).map(id).collect::<Vec<_>>());
    }
    let rows = 0..batch as u32;
    let labels = Tensor::f_zeros([batch as i64], (Kind::Int64, Device::Cpu))?;
    let mut inputs = batch::collate(rows.clone(), &tokens, model.padding, Device::Cpu)?;
    optimizer.prepare(&mut inputs)?;
    let mode = Mode::training(place.kind);
    let loss = || -> Result<Tensor, TrainError> {
        let logits = model.network.forward(&inputs, mode)?;
        Ok(logits.f_cross_entropy_loss(&labels, None::<&Tensor>, Reduction::Mean, -100, 0.0)?)
    };
    out(&format!(
        "{batch} texts of {length} tokens, {}, {} threads; processor time, lowest of {PASSES} passes",
        place.precision_name(),
        place.threads
    ));
    let whole = least(|| {
        let gradients = optimizer.gradients(&loss()?)?;
        let scale = optim::clip(&gradients, 1.0)?;
        optimizer.step(&gradients, scale, 1e-6)
    })?;
    let show = |what: &str, seconds: f64| {
        out(&format!("{what:<44}{:>9.2} ms{:>6.1} %", seconds * 1e3, 100.0 * seconds / whole));
    };
    show("a whole step", whole);
    show("  forward", least(|| loss().map(drop))?);
    let gradients = optimizer.gradients(&loss()?)?;
    show("  norm of the gradients", least(|| optim::clip(&gradients, 1.0).map(drop))?);
    show("  optimiser", least(|| optimizer.step(&gradients, 1.0, 1e-6))?);
    let host =
        least(|| batch::collate(rows.clone(), &tokens, model.padding, Device::Cpu).map(drop))?;
    show("  batch of ids", host);
    let weights = products(&model);
    let tokens = (batch * length) as i64;
    let mut total = 0.0;
    for weight in &weights {
        total += product(weight, tokens, place.kind)?;
    }
    show("matrix products with weights", total);
    for (what, seconds) in kernels(&model.json, batch as i64, length as i64, place.kind)? {
        show(what, seconds);
    }
    let _guard = tch::no_grad_guard();
    let cast = least(|| {
        for weight in &weights {
            let _ = weight.f_to_kind(Kind::BFloat16)?;
        }
        Ok(())
    })?;
    show("not done: a cast of these weights to bf16", cast);
    let sizes: usize = model.parameters.iter().map(|p| p.tensor.numel()).sum();
    let fill = least(|| {
        let _ = Tensor::f_zeros([sizes as i64], (Kind::Float, Device::Cpu))?;
        Ok(())
    })?;
    show("not done: gradients of all weights set to 0", fill);
    Ok(())
}

/// The weights of layers that every token goes through.
fn products(model: &Loaded) -> Vec<Tensor> {
    let inner = model.parameters.iter().filter(|p| !p.is_head && p.tensor.dim() == 2);
    inner.filter(|p| p.leaf.is_product()).map(|p| p.tensor.shallow_clone()).collect()
}

/// Forward and both backward products of `tokens` vectors with a weight.
fn product(weight: &Tensor, tokens: i64, kind: Kind) -> Result<f64, TrainError> {
    let (_, inputs) = weight.size2()?;
    let weights = native::weights(kind, Device::Cpu);
    let weight = weight.f_detach()?.f_to_kind(weights)?.f_set_requires_grad(true)?;
    let x = Tensor::f_ones([tokens, inputs], (kind, Device::Cpu))?.f_set_requires_grad(true)?;
    least(|| {
        let y = if native::multiplies(&x, &weight) {
            native::product(&x, &weight, true)?
        } else {
            x.f_linear(&weight, None::<&Tensor>)?
        };
        let _ = Tensor::f_run_backward(&[y.f_sum(kind)?], &[&x, &weight], false, false)?;
        Ok(())
    })
}

/// Our own kernels, forward and backward, as often as a step needs them; nothing for models that do
/// not use them.
fn kernels(
    json: &Value,
    batch: i64,
    length: i64,
    kind: Kind,
) -> Result<Vec<(&'static str, f64)>, TrainError> {
    let get = |name: &str| json.get(name).and_then(Value::as_i64);
    let sizes = ["hidden_size", "intermediate_size", "num_attention_heads", "num_hidden_layers"];
    let [Some(width), Some(wide), Some(heads), Some(layers)] = sizes.map(get) else {
        return Ok(Vec::new());
    };
    let random = |shape: &[i64], kind| -> Result<Tensor, TrainError> {
        let tensor = Tensor::f_randn(shape, (Kind::Float, Device::Cpu))?.f_to_kind(kind)?;
        Ok(tensor.f_set_requires_grad(true)?)
    };
    let qkv = random(&[batch, length, 3 * width], kind)?;
    let x = random(&[batch * length, width], kind)?;
    let broad = random(&[batch * length, wide], kind)?;
    let [all, one, some] = [3 * width, width, wide].map(|n| random(&[n], Kind::Float));
    let (all, one, some) = (all?, one?, some?);
    let both = |f: &dyn Fn() -> Result<Tensor, TrainError>, leaf: &Tensor| {
        least(|| {
            let y = f()?;
            let sum = y.f_sum(Kind::Float)?;
            let _ = Tensor::f_run_backward(&[sum], &[leaf], false, false)?;
            Ok(())
        })
    };
    let times = layers as f64;
    let attention = both(&|| native::self_attention(&qkv, &all, None, heads, false, 0.1), &qkv)?;
    let gelu = both(&|| native::bias_gelu(&broad, &some, false), &broad)?;
    let norm = both(&|| native::add_norm([&x, &x], &one, [&one, &one], 0.1, 1e-12), &x)?;
    Ok(vec![
        ("attention, softmax and its dropout", times * attention),
        ("bias and GELU", times * gelu),
        ("bias, dropout, residual, LayerNorm", 2.0 * times * norm),
    ])
}

/// The lowest processor time of some calls, in seconds.
fn least(mut f: impl FnMut() -> Result<(), TrainError>) -> Result<f64, TrainError> {
    f()?;
    let mut least = f64::INFINITY;
    for _ in 0..PASSES {
        let start = cpu_seconds();
        f()?;
        least = least.min(cpu_seconds() - start);
    }
    Ok(least)
}
