use super::*;

/// The outputs of a GPT-2, and the batch of each of their cases.
fn outputs_of(folder: &Path) -> (Tensors, Vec<(String, Inputs)>) {
    let (_, want) = outputs(folder, "sdpa.last_hidden_state")
        .unwrap_or_else(|| panic!("no outputs for {}", folder.display()));
    let names = cases(&want, "input_ids");
    let cases = names.into_iter().map(|case| (case.clone(), inputs(&want, &case))).collect();
    (want, cases)
}

/// Token vectors, those of padding included: transformers with sdpa. Checkpoints as the hub has them,
/// with buffers, with prefixes and with heads.
#[test]
fn every_gpt2_gives_transformers_hidden_states() {
    let mut tally = Tally::of("GPT-2's hidden states");
    for folder in models(Family::Gpt2) {
        let name = parity::name(&folder);
        tally.add(&name, 0);
        let model = open(&folder, None, Pool::Mean);
        let (want, cases) = outputs_of(&folder);
        for (case, inputs) in cases {
            for (what, got) in model.network.inside(&inputs, PLAIN).unwrap() {
                let gap = gap(&got, &want[&format!("{case}.sdpa.{what}")]);
                assert!(gap < CLOSE, "{name} {case} {what}: {gap}");
            }
            tally.add(&name, 1);
        }
    }
    tally.end();
}

#[test]
fn real_positions_do_not_depend_on_what_padding_sees() {
    let mut tally = Tally::of("GPT-2's real positions");
    for folder in models(Family::Gpt2) {
        let name = parity::name(&folder);
        tally.add(&name, 0);
        let model = open(&folder, None, Pool::Mean);
        let (want, cases) = outputs_of(&folder);
        for (case, inputs) in cases {
            let (_, hidden) = model.network.inside(&inputs, PLAIN).unwrap().remove(0);
            let mask = inputs.mask.as_ref().map_or_else(|| inputs.ids.ones_like(), Tensor::copy);
            let mask = mask.unsqueeze(-1);
            let eager = &want[&format!("{case}.eager.last_hidden_state")];
            assert!(gap(&(hidden * &mask), &(eager * &mask)) < CLOSE, "{name} {case}");
            let inside = model.network.inside(&without_padding(inputs), PLAIN).unwrap().remove(0);
            assert!(gap(&(inside.1 * &mask), &(eager * &mask)) < CLOSE, "{name} {case}, unpadded");
            tally.add(&name, 1);
        }
    }
    tally.end();
}

/// The last token feeds the head of transformers, all tokens in a row the notebook's.
fn check_logits(what: &'static str, pool: Pool, logits: &str) {
    let mut tally = Tally::of(what);
    for folder in classifiers(Family::Gpt2, pool) {
        let name = parity::name(&folder);
        tally.add(&name, 0);
        let model = as_saved(&folder);
        let (want, cases) = outputs_of(&folder);
        for (case, inputs) in cases {
            let Some(want) = want.get(&format!("{case}.{logits}")) else { continue };
            let got = model.network.forward(&inputs, PLAIN).unwrap();
            assert!(gap(&got, want) < CLOSE, "{name} {case}: {}", gap(&got, want));
            tally.add(&name, 1);
        }
    }
    tally.end();
}

#[test]
fn the_last_token_gives_transformers_logits() {
    check_logits("GPT-2's logits", Pool::Last, "seqcls_logits");
}

#[test]
fn all_tokens_in_a_row_give_the_notebooks_logits() {
    check_logits("the notebook's logits", Pool::Flatten, "sdpa.simple_logits");
}

#[test]
fn the_notebooks_classifier_says_how_it_pads() {
    for folder in classifiers(Family::Gpt2, Pool::Flatten) {
        let told = parity::json(&folder.join("classifier.json"));
        let id = told["pad_token_id"].as_i64().unwrap();
        let length = told["max_seq_len"].as_u64().map(|length| length as usize);
        let side = if told["padding_side"] == "left" { Side::Left } else { Side::Right };
        assert_eq!(as_saved(&folder).padding, Padding { id, side, length });
    }
}

#[test]
fn random_weights_follow_openais_rules() {
    let _alone = crate::rng::alone();
    for folder in models(Family::Gpt2) {
        crate::rng::seed_torch(1, crate::rng::Purpose::Init, 0);
        let length = 16.min(size(&folder, "n_positions"));
        let request = Request {
            length: Some(length as usize),
            ..request(Start::Random, Some(2), Pool::Flatten)
        };
        let model = load(&folder, &request).unwrap();
        let check = |name: &str, want: f64| {
            let parameter = model.parameters.iter().find(|p| p.name == name);
            let spread = parameter.unwrap().tensor.std(true).double_value(&[]);
            assert!((spread - want).abs() < 0.05 * want, "{name}: {spread} {want}");
        };
        let std = config(&folder)["initializer_range"].as_f64().unwrap();
        check("gpt2model.wte.weight", std);
        // Two blocks a layer.
        let layers = size(&folder, "n_layer") as f64;
        check("gpt2model.h.0.mlp.c_proj.weight", std / (2.0 * layers).sqrt());
        // Uniform between plus and minus 1 / sqrt(inputs).
        let inputs = (length * size(&folder, "n_embd")) as f64;
        check("fc1.weight", 1.0 / (3.0 * inputs).sqrt());
    }
}

#[test]
fn pools_that_make_no_sense_are_refused() {
    for folder in models(Family::Gpt2) {
        let request = request(Start::Checkpoint, None, Pool::Cls);
        let refused = load(&folder, &request).err().unwrap().to_string();
        assert_eq!(
            refused,
            "pool=cls does not suit gpt2 models; they take last, mean, max, flatten."
        );
    }
}
