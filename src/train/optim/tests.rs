use tch::{Device, Kind, Tensor};
use tuneboard::spec::{Optimizer as Rule, RunSpec};

use super::{Optimizer, Scale, accumulate, clip};
use crate::model::{Builder, Fresh, Parameter};
use crate::rng;

/// Weights of no round sizes, and how they are optimised.
fn weights(
    starts: &[Tensor],
    kind: Kind,
    spec: &RunSpec,
) -> (Vec<Tensor>, Vec<Parameter>, Optimizer) {
    let mut builder = Builder::new(None, "", 1.0, (Device::Cpu, kind));
    let make = |(index, start): (usize, &Tensor)| {
        let name = format!("layer.{index}.weight");
        let weight = builder.encoder(&name, &start.size(), Fresh::Normal, index as u32).unwrap();
        for parameter in builder.parameters.iter().filter(|parameter| parameter.name == name) {
            tch::no_grad(|| parameter.tensor.shallow_clone().copy_(start));
        }
        tch::no_grad(|| weight.shallow_clone().copy_(start));
        weight
    };
    let made = starts.iter().enumerate().map(make).collect();
    let optimizer = Optimizer::new(spec, &builder.parameters, 9).unwrap();
    (made, builder.parameters, optimizer)
}

/// What all GPUs do at once is what is done one by one here, clipped and not, in 16 bits and 32.
#[test]
fn all_weights_at_once_are_where_each_by_itself_is() {
    let _alone = rng::alone();
    let shapes: [&[i64]; 4] = [&[5, 7], &[13], &[64, 33], &[1]];
    let starts = shapes.map(|shape| Tensor::randn(shape, (Kind::Float, Device::Cpu)));
    for (rule, kind, most) in [
        (Rule::AdamW, Kind::Float, 0.5),
        (Rule::AdamW, Kind::BFloat16, 0.5),
        (Rule::AdamW, Kind::BFloat16, 1e9),
        (Rule::Adam, Kind::Float, 0.5),
    ] {
        let spec =
            RunSpec { optimizer: rule, weight_decay: 0.1, layer_decay: 0.7, ..RunSpec::default() };
        let all = [false, true].map(|at_once| {
            let (weights, parameters, mut optimizer) = weights(&starts, kind, &spec);
            optimizer.at_once = at_once;
            for step in 1..=12 {
                let mut gradients = Vec::new();
                for part in 0..2 {
                    let wave = |weight: &Tensor| {
                        (weight.to_kind(Kind::Float) * f64::from(step + part))
                            .sin()
                            .sum(Kind::Float)
                    };
                    let loss = weights.iter().map(wave).reduce(|sum, more| sum + more).unwrap();
                    accumulate(&mut gradients, optimizer.gradients(&loss).unwrap()).unwrap();
                }
                let scale = clip(&gradients, most).unwrap();
                optimizer.step(&gradients, scale, 0.01).unwrap();
            }
            let masters: Vec<_> = parameters.iter().map(|p| p.tensor.copy()).collect();
            (masters, weights, optimizer.state())
        });
        let [(each, copies, state), (once, copies_at_once, state_at_once)] = all;
        let near = |one: &Tensor, other: &Tensor, most: f64| {
            let apart = (one.to_kind(Kind::Float) - other.to_kind(Kind::Float)).abs().max();
            let apart = apart.double_value(&[]);
            assert!(apart <= most, "{rule:?} {kind:?} {most}: {apart}");
        };
        // In 16 bits a difference of rounding may be a whole step of the copy.
        let (most, step) = if kind == Kind::Float { (2e-6, 2e-6) } else { (5e-3, 2e-2) };
        for (one, other) in each.iter().zip(&once) {
            near(one, other, most);
        }
        let moved = (&each[2] - &starts[2]).abs().max();
        assert!(f64::try_from(moved).unwrap() > 0.01, "nothing was learnt");
        for (one, other) in copies.iter().zip(&copies_at_once) {
            near(one, other, step);
        }
        for ((_, one), (_, other)) in state.iter().zip(&state_at_once) {
            near(one, other, most.max(1e-4));
        }
    }
}

/// The norm of a GPU's gradients stays there; it is the number that is read here.
#[test]
fn the_norm_by_lists_is_the_norm() {
    let _alone = rng::alone();
    let shapes: [&[i64]; 3] = [&[5, 7], &[13], &[64, 33]];
    for kind in [Kind::Float, Kind::BFloat16] {
        let made =
            shapes.map(|shape| Tensor::randn(shape, (Kind::Float, Device::Cpu)).to_kind(kind));
        let squares: f64 = made
            .iter()
            .map(|t| f64::try_from(t.to_kind(Kind::Double).square().sum(Kind::Double)).unwrap())
            .sum();
        let norm = f64::try_from(crate::native::norm(&made).unwrap()).unwrap();
        assert!((norm / squares.sqrt() - 1.0).abs() < 1e-5, "{kind:?}: {norm}");
        let scale = Scale::There(Tensor::from(0.25_f32));
        assert_eq!(scale.times(&made[0]).unwrap(), &made[0] * 0.25);
    }
}
