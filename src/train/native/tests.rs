//! The kernels against libtorch's own operations.

use super::*;
use crate::rng;

fn random(shape: &[i64], kind: Kind) -> Tensor {
    Tensor::randn(shape, (Kind::Float, Device::Cpu)).to_kind(kind).set_requires_grad(true)
}

/// The largest difference, as a share of the largest number.
fn gap(got: &Tensor, want: &Tensor) -> f64 {
    assert_eq!(got.size(), want.size());
    let (got, want) = (got.to_kind(Kind::Double), want.to_kind(Kind::Double));
    ((got - &want).abs().max() / want.abs().max()).double_value(&[])
}

/// Outputs and all gradients of the two agree.
fn check(got: &Tensor, want: &Tensor, leaves: &[&Tensor], tolerance: f64) {
    assert!(gap(got, want) < tolerance, "output: {}", gap(got, want));
    let along = Tensor::randn_like(&got.to_kind(Kind::Float));
    let gradients = |y: &Tensor| {
        let loss = (y.to_kind(Kind::Float) * &along).sum(Kind::Float);
        Tensor::run_backward(&[loss], leaves, false, false)
    };
    for (index, (got, want)) in gradients(got).iter().zip(&gradients(want)).enumerate() {
        assert!(gap(got, want) < tolerance, "gradient {index}: {}", gap(got, want));
    }
}

const KINDS: [(Kind, f64); 2] = [(Kind::Float, 1e-5), (Kind::BFloat16, 0.04)];

#[test]
fn attention_is_softmax_of_scaled_products() {
    let _alone = rng::alone();
    // Odd lengths, rows that fill a register exactly, keys that are hidden, a future that is.
    for (kind, tolerance) in KINDS {
        for (length, heads, size, causal) in
            [(7, 3, 16, false), (33, 2, 32, true), (16, 4, 16, true), (44, 2, 64, false)]
        {
            let width = heads * size;
            let qkv = random(&[2, length, 3 * width], kind);
            let bias = random(&[3 * width], Kind::Float);
            let hidden = Tensor::zeros([2, length], (Kind::Float, Device::Cpu));
            let _ = hidden.narrow(0, 1, 1).narrow(1, length - 2, 2).fill_(-1e30);
            let got = self_attention(&qkv, &bias, Some(&hidden), heads, causal, 0.0).unwrap();

            let all = (qkv.to_kind(Kind::Float) + &bias).view([2, length, 3, heads, size]);
            let part = |index| all.select(2, index).transpose(1, 2);
            let mut scores = part(0).matmul(&part(1).transpose(2, 3)) / (size as f64).sqrt();
            scores += hidden.view([2, 1, 1, length]);
            if causal {
                let future = Tensor::ones([length, length], (Kind::Bool, Device::Cpu)).triu(1);
                scores = scores.masked_fill(&future, f64::NEG_INFINITY);
            }
            let mixed = scores.softmax(-1, Kind::Float).matmul(&part(2));
            let want = mixed.transpose(1, 2).reshape([2, length, width]);
            check(&got, &want, &[&qkv, &bias], tolerance);
        }
    }
}

/// `.ci/run` asks for it where /proc/cpuinfo names amx_bf16.
#[test]
#[ignore = "needs a processor with AMX (amx_bf16) and a compiler that knows it"]
fn products_are_taken() {
    let x = random(&[32, 32], Kind::BFloat16);
    assert!(multiplies(&x, &x), "this executable multiplies nothing on this processor");
}

/// By AMX where there is one, else in 32 bits.
#[test]
fn products_are_torchs() {
    let _alone = rng::alone();
    // Rows that leave a remainder of a tile of 16, of a square of 32, of nothing.
    for (rows, inputs, outputs) in [(37, 64, 96), (16, 32, 32), (129, 96, 64), (64, 320, 32)] {
        let x = random(&[1, rows, inputs], Kind::BFloat16);
        let [across, along] =
            [[outputs, inputs], [inputs, outputs]].map(|shape| random(&shape, Kind::BFloat16));
        let floats = |tensor: &Tensor| tensor.to_kind(Kind::Float);
        let want = floats(&x).matmul(&floats(&across).tr());
        check(&product(&x, &across, true).unwrap(), &want, &[&x, &across], 0.02);
        // Adapters add to what is given, where it is.
        let _ = product(&x, &across, true).unwrap().narrow(-1, 0, 8).f_add_scalar_(1.0).unwrap();
        let want = floats(&x).matmul(&floats(&along));
        check(&product(&x, &along, false).unwrap(), &want, &[&x, &along], 0.02);
        let kind = weights(Kind::BFloat16, Device::Cpu);
        let (across, along) = (random(&[outputs, inputs], kind), random(&[inputs, outputs], kind));
        let want = floats(&x).matmul(&across.to_kind(Kind::Float).tr());
        check(&product(&x, &across, true).unwrap(), &want, &[&x, &across], 0.02);
        let want = floats(&x).matmul(&along.to_kind(Kind::Float));
        check(&product(&x, &along, false).unwrap(), &want, &[&x, &along], 0.02);
    }
}

#[test]
fn gelu_is_torchs() {
    let _alone = rng::alone();
    for (kind, tolerance) in KINDS {
        let (x, bias) = (random(&[37, 48], kind), random(&[48], Kind::Float));
        let x = (x.to_kind(Kind::Float) * 4.0).to_kind(kind).detach().set_requires_grad(true);
        for (by_tanh, name) in [(false, "none"), (true, "tanh")] {
            let want = (x.to_kind(Kind::Float) + &bias).gelu(name);
            check(&bias_gelu(&x, &bias, by_tanh).unwrap(), &want, &[&x, &bias], tolerance);
        }
    }
}

#[test]
fn add_norm_is_torchs() {
    let _alone = rng::alone();
    for (kind, tolerance) in KINDS {
        let (x, residual) = (random(&[37, 48], kind), random(&[37, 48], kind));
        let [bias, weight, shift] = [(); 3].map(|()| random(&[48], Kind::Float));
        let got = add_norm([&x, &residual], &bias, [&weight, &shift], 0.0, 1e-12).unwrap();
        let sum = x.to_kind(Kind::Float) + &bias + &residual;
        let want = sum.layer_norm([48], Some(&weight), Some(&shift), 1e-12, true);
        check(&got, &want, &[&x, &bias, &residual, &weight, &shift], tolerance);
    }
}

/// Dropout keeps the share it should, repeats under a seed, and its gradient is that of the same
/// mask: along any direction it is what the outputs differ by.
#[test]
fn dropout_is_the_same_on_the_way_back() {
    let _alone = rng::alone();
    let seeded = |seed, f: &dyn Fn() -> Tensor| {
        tch::manual_seed(seed);
        f()
    };
    let ones = Tensor::ones([1000, 1001], (Kind::Float, Device::Cpu));
    let drop = |seed| seeded(seed, &|| dropout(&ones, 0.1).unwrap());
    assert!(drop(1).equal(&drop(1)) && !drop(1).equal(&drop(2)));
    let kept = (drop(3) * 0.9).mean(Kind::Double).double_value(&[]);
    // Five standard deviations of a million draws.
    assert!((kept - 0.9).abs() < 0.0015, "{kept}");
    // Rows do not repeat each other.
    let rows = drop(4).ne(0);
    let alike = rows.narrow(0, 1, 999).eq_tensor(&rows.narrow(0, 0, 999)).to_kind(Kind::Double);
    assert!((alike.mean(Kind::Double).double_value(&[]) - 0.82).abs() < 0.003);

    let qkv = random(&[2, 9, 96], Kind::Float);
    let bias = random(&[96], Kind::Float);
    let (x, shift) = (random(&[18, 32], Kind::Float), random(&[32], Kind::Float));
    let attention = |x: &Tensor| self_attention(x, &bias, None, 2, false, 0.4).unwrap();
    let norm = |x: &Tensor| add_norm([x, x], &shift, [&shift, &shift], 0.4, 1e-5).unwrap();
    let plain = |x: &Tensor| dropout(x, 0.4).unwrap();
    type Function<'a> = &'a dyn Fn(&Tensor) -> Tensor;
    let cases = [(&qkv, &attention as Function), (&x, &norm), (&x, &plain)];
    for (case, (x, f)) in cases.into_iter().enumerate() {
        let y = seeded(7, &|| f(x));
        let along = y.detach().randn_like();
        let loss = (&y * &along).sum(Kind::Float);
        let gradient = Tensor::run_backward(&[loss], &[x], false, false).remove(0);
        let step = x.detach().randn_like() * 1e-3;
        let at = |sign: f64| seeded(7, &|| f(&(x.detach() + &step * sign)));
        let moved = ((at(1.0) - at(-1.0)) * along).sum(Kind::Double).double_value(&[]) / 2.0;
        let told = (gradient * step).sum(Kind::Double).double_value(&[]);
        assert!((moved - told).abs() < 0.01 * told.abs() + 1e-4, "{case}: {moved} {told}");
    }
}
