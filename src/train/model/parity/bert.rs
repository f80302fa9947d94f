use tch::Reduction;

use super::*;

/// The outputs of a BERT, and the batch of each of their cases.
fn outputs_of(folder: &Path) -> (Tensors, Vec<(String, Inputs)>) {
    let (_, want) = outputs(folder, "last_hidden_state")
        .unwrap_or_else(|| panic!("no outputs for {}", folder.display()));
    let cases = cases(&want, "input_ids").into_iter();
    let cases = cases.map(|case| (inputs(&want, &case), case)).map(|(x, case)| (case, x));
    let cases = cases.collect();
    (want, cases)
}

/// Checkpoints without a head, with one, and with the names of 2018.
#[test]
fn every_bert_gives_transformers_hidden_states() {
    let mut tally = Tally::of("BERT's hidden states");
    for folder in models(Family::Bert) {
        let name = parity::name(&folder);
        tally.add(&name, 0);
        let model = open(&folder, None, Pool::Cls);
        let (want, cases) = outputs_of(&folder);
        for (case, inputs) in cases {
            let inside = model.network.inside(&inputs, PLAIN).unwrap();
            assert_eq!(inside.len(), 2);
            for (what, got) in inside {
                let gap = gap(&got, &want[&format!("{case}.{what}")]);
                assert!(gap < CLOSE, "{name} {case} {what}: {gap}");
            }
            let mask = inputs.mask.as_ref().map_or_else(|| inputs.ids.ones_like(), Tensor::copy);
            let mask = mask.unsqueeze(-1);
            let (what, got) =
                model.network.inside(&without_padding(inputs), PLAIN).unwrap().remove(0);
            let gap = gap(&(got * &mask), &(&want[&format!("{case}.{what}")] * &mask));
            assert!(gap < CLOSE, "{name} {case} {what}, unpadded: {gap}");
            tally.add(&name, 1);
        }
    }
    tally.end();
}

#[test]
fn the_checkpoints_own_head_gives_transformers_logits() {
    let mut tally = Tally::of("BERT's logits");
    for folder in classifiers(Family::Bert, Pool::Cls) {
        let name = parity::name(&folder);
        tally.add(&name, 0);
        let model = as_saved(&folder);
        let (want, cases) = outputs_of(&folder);
        for (case, inputs) in cases {
            let logits = model.network.forward(&inputs, PLAIN).unwrap();
            let gap = gap(&logits, &want[&format!("{case}.seqcls_logits")]);
            assert!(gap < CLOSE, "{name} {case}: {gap}");
            tally.add(&name, 1);
        }
    }
    tally.end();
}

/// The classes of a checkpoint's own head.
fn classes(model: &Loaded) -> usize {
    let weight = model.parameters.iter().find(|p| p.is_head && p.tensor.dim() == 2).unwrap();
    weight.tensor.size()[0] as usize
}

#[test]
fn a_head_that_does_not_fit_is_made_anew() {
    for folder in classifiers(Family::Bert, Pool::Cls) {
        let own = classes(&as_saved(&folder));
        assert!(open(&folder, Some(own), Pool::Cls).head_given);
        assert!(!open(&folder, Some(own + 1), Pool::Cls).head_given);
        assert!(!open(&folder, Some(own), Pool::Mean).head_given);
    }
}

/// Batches of a BERT classifier: of its first case that is padded.
fn padded(folder: &Path) -> (Tensors, String) {
    let (want, cases) = outputs_of(folder);
    let holds = |(_, inputs): &&(String, Inputs)| {
        let mask = inputs.mask.as_ref();
        mask.is_some_and(is_padded_right)
    };
    let case = cases.iter().find(holds).expect("a case with padding on the right").0.clone();
    (want, case)
}

/// True if some row ends in padding, and no row has any before its last real token.
fn is_padded_right(mask: &Tensor) -> bool {
    let rows: Vec<Vec<i64>> = Vec::try_from(mask).unwrap();
    rows.iter().all(|row| row.is_sorted_by(|a, b| a >= b)) && rows.iter().any(|r| r.contains(&0))
}

#[test]
fn a_frozen_trunk_stays_and_the_head_learns() {
    for folder in classifiers(Family::Bert, Pool::Cls) {
        let (want, case) = padded(&folder);
        let before = as_saved(&folder);
        let after = as_saved(&folder);
        let mut optimizer = Optimizer::new(&RunSpec::default(), &after.parameters, 1).unwrap();
        let inputs = inputs(&want, &case);
        let labels = Tensor::zeros([inputs.ids.size()[0]], (Kind::Int64, Device::Cpu));
        for _ in 0..5 {
            let logits = after.network.forward(&inputs, PLAIN).unwrap();
            let loss = logits.cross_entropy_for_logits(&labels);
            assert!(loss.double_value(&[]).is_finite());
            optimizer.step(&optimizer.gradients(&loss).unwrap(), 1.0, 1e-2).unwrap();
        }
        for (a, b) in before.parameters.iter().zip(&after.parameters) {
            let moved = gap(&a.tensor, &b.tensor) > 0.0;
            assert_eq!(moved, a.is_head, "{}", a.name);
        }
    }
}

#[test]
fn batches_of_a_step_add_up_to_one_large_batch() {
    for folder in classifiers(Family::Bert, Pool::Cls) {
        let model = as_saved(&folder);
        let classes = classes(&model) as i64;
        let (want, case) = padded(&folder);
        let batch = inputs(&want, &case);
        let (rows, _) = batch.ids.size2().unwrap();
        let labels = Tensor::arange(rows, (Kind::Int64, Device::Cpu)).remainder(classes);
        let weights = Tensor::arange(classes, (Kind::Float, Device::Cpu)) * 0.75 + 0.5;
        let optimizer = Optimizer::new(&RunSpec::default(), &model.parameters, ALL).unwrap();
        let gradients = |range: std::ops::Range<i64>, reduction, divisor: f64| {
            let at = |tensor: &Tensor| tensor.slice(0, range.start, range.end, 1);
            let mask = batch.mask.as_ref().map(at);
            let segments = batch.segments.as_ref().map(at);
            let ids = at(&batch.ids);
            let inputs =
                Inputs { ids, mask, segments, positions: None, by_row: false, unpadded: None };
            let logits = model.network.forward(&inputs, PLAIN).unwrap();
            let labels = at(&labels);
            let loss =
                logits.cross_entropy_loss(&labels, Some(&weights), reduction, -100, 0.1) / divisor;
            optimizer.gradients(&loss).unwrap()
        };
        let total = weights.index_select(0, &labels).sum(Kind::Float).double_value(&[]);
        let whole = gradients(0..rows, Reduction::Mean, 1.0);
        let mut sum = Vec::new();
        for start in (0..rows).step_by(3) {
            let part = gradients(start..rows.min(start + 3), Reduction::Sum, total);
            optim::accumulate(&mut sum, part).unwrap();
        }
        for (a, b) in whole.iter().zip(&sum) {
            assert!(gap(a, b) < 1e-5);
        }
    }
}

#[test]
fn random_weights_are_the_seeds() {
    for folder in models(Family::Bert) {
        let draw = |seed| {
            let _alone = crate::rng::alone();
            crate::rng::seed_torch(seed, crate::rng::Purpose::Init, 0);
            load(&folder, &request(Start::Random, Some(2), Pool::Mean)).unwrap()
        };
        let (a, b, c) = (draw(1), draw(1), draw(2));
        let words = |m: &Loaded| m.parameters[0].tensor.shallow_clone();
        let std = config(&folder)["initializer_range"].as_f64().unwrap();
        assert_eq!(gap(&words(&a), &words(&b)), 0.0);
        assert!(gap(&words(&a), &words(&c)) > std / 2.0);
        let padding = words(&a).get(size(&folder, "pad_token_id"));
        assert_eq!(padding.abs().sum(Kind::Float).double_value(&[]), 0.0);
        let spread = words(&a).std(true).double_value(&[]);
        assert!((spread - std).abs() < 0.05 * std, "{spread}");
    }
}

#[test]
fn pooling_leaves_padding_out() {
    for folder in models(Family::Bert) {
        let (want, case) = padded(&folder);
        let padded = inputs(&want, &case);
        let mask = padded.mask.as_ref().unwrap();
        for pool in [Pool::Mean, Pool::Max] {
            let model = open(&folder, Some(3), pool);
            let together = model.network.forward(&padded, PLAIN).unwrap();
            for row in 0..mask.size()[0] {
                let length = mask.get(row).sum(Kind::Int64).int64_value(&[]);
                let real = |x: &Tensor| x.get(row).narrow(0, 0, length).unsqueeze(0);
                let (ids, segments) = (real(&padded.ids), padded.segments.as_ref().map(real));
                let alone = Inputs {
                    ids,
                    mask: None,
                    segments,
                    positions: None,
                    by_row: false,
                    unpadded: None,
                };
                let alone = model.network.forward(&alone, PLAIN).unwrap();
                assert!(gap(&alone.get(0), &together.get(row)) < CLOSE, "{pool} {row}");
            }
        }
    }
}

#[test]
fn bf16_stays_near() {
    for folder in classifiers(Family::Bert, Pool::Cls) {
        let (want, case) = padded(&folder);
        let half = Request { kind: Kind::BFloat16, ..request(Start::Checkpoint, None, Pool::Auto) };
        let model = open_with(&folder, &half);
        let inputs = inputs(&want, &case);
        let logits = model.network.forward(&inputs, Mode::inference(Kind::BFloat16)).unwrap();
        let exact = &want[&format!("{case}.seqcls_logits")];
        let (gap, largest) = (gap(&logits, exact), exact.abs().max().double_value(&[]));
        assert!(gap > 0.0 && gap < 0.1 * largest.max(1.0), "{gap}");
    }
}
