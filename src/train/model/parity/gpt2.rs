use super::*;

const CASES: [&str; 6] = [
    "no_pad_no_mask",
    "full_length",
    "right_pad",
    "left_pad",
    "left_pad_with_position_ids",
    "from_text_left_pad",
];

/// Token vectors, those of padding included: transformers with sdpa.
fn check_trunk(name: &str) {
    let model = open(&model_folder(name), 3, Pool::Mean);
    let want = expected("tiny-gpt2_outputs.safetensors");
    for case in CASES {
        let inside = model.network.inside(&inputs(&want, &format!("{case}.")), PLAIN).unwrap();
        for (what, got) in inside {
            let gap = gap_to(&want, case, &format!("sdpa.{what}"), &got);
            assert!(gap < 2e-5, "{name} {case} {what}: {gap}");
        }
    }
}

#[test]
fn tiny_gpt2_gives_transformers_hidden_states() {
    check_trunk("tiny-gpt2");
}

#[test]
fn buffers_and_prefixes_of_old_checkpoints_give_the_same_model() {
    check_trunk("tiny-gpt2-hub-keys");
    check_trunk("tiny-gpt2-seqcls");
    check_trunk("tiny-gpt2-simple-classifier");
}

#[test]
fn real_positions_do_not_depend_on_what_padding_sees() {
    let model = open(&model_folder("tiny-gpt2"), 3, Pool::Mean);
    let want = expected("tiny-gpt2_outputs.safetensors");
    for case in CASES {
        let inputs = inputs(&want, &format!("{case}."));
        let (_, hidden) = model.network.inside(&inputs, PLAIN).unwrap().remove(0);
        let mask = inputs.mask.unwrap_or_else(|| inputs.ids.ones_like()).unsqueeze(-1);
        let eager = &want[&format!("{case}.eager.last_hidden_state")];
        assert!(gap(&(hidden * &mask), &(eager * &mask)) < 2e-5, "{case}");
    }
}

#[test]
fn the_last_token_gives_transformers_logits() {
    let model = open(&model_folder("tiny-gpt2-seqcls"), 3, Pool::Auto);
    assert!(model.head_given && model.pool == Pool::Last);
    let want = expected("tiny-gpt2_outputs.safetensors");
    for case in CASES {
        let logits = model.network.forward(&inputs(&want, &format!("{case}.")), PLAIN).unwrap();
        assert!(gap_to(&want, case, "seqcls_logits", &logits) < 2e-5, "{case}");
    }
}

fn notebooks_classifier() -> Loaded {
    let folder = model_folder("tiny-gpt2-simple-classifier");
    let model = open(&folder, 3, Pool::Auto);
    assert!(model.head_given && model.pool == Pool::Flatten);
    assert_eq!(model.padding, Padding { id: 999, side: Side::Left, length: Some(16) });
    model
}

#[test]
fn all_tokens_in_a_row_give_the_notebooks_logits() {
    let model = notebooks_classifier();
    let want = expected("tiny-gpt2_outputs.safetensors");
    let mut seen = 0;
    for case in CASES {
        let Some(logits) = want.get(&format!("{case}.sdpa.simple_logits")) else { continue };
        let got = model.network.forward(&inputs(&want, &format!("{case}.")), PLAIN).unwrap();
        assert!(gap(&got, logits) < 2e-5, "{case}: {}", gap(&got, logits));
        seen += 1;
    }
    assert!(seen >= 3);
}

#[test]
fn gradients_are_transformers() {
    let folder = model_folder("tiny-gpt2-seqcls");
    check_gradients(&open(&folder, 3, Pool::Last), "tiny-gpt2-seqcls");
    check_gradients(&notebooks_classifier(), "tiny-gpt2-simple-sdpa");
    check_gradients(&notebooks_classifier(), "tiny-gpt2-simple-nopad");
}

#[test]
fn training_follows_pytorch_and_transformers_for_20_steps() {
    for run in ["adamw", "adam", "adamw_hf", "sgd"] {
        let model = open(&model_folder("tiny-gpt2-seqcls"), 3, Pool::Last);
        check_curve(&model, "tiny-gpt2-seqcls", run);
    }
    for run in ["adamw", "adam"] {
        check_curve(&notebooks_classifier(), "tiny-gpt2-simple-sdpa", run);
        check_curve(&notebooks_classifier(), "tiny-gpt2-simple-nopad", run);
    }
}

#[test]
fn random_weights_follow_openais_rules() {
    let _alone = crate::rng::alone();
    crate::rng::seed_torch(1, crate::rng::Purpose::Init, 0);
    let request = Request { length: Some(16), ..request(Start::Random, 2, Pool::Flatten) };
    let model = load(&model_folder("tiny-gpt2"), &request).unwrap();
    let spread = |name: &str| {
        let parameter = model.parameters.iter().find(|p| p.name == name);
        parameter.unwrap().tensor.std(true).double_value(&[])
    };
    assert!((spread("gpt2model.wte.weight") - 0.02).abs() < 1e-3);
    // Two blocks a layer, two layers.
    assert!((spread("gpt2model.h.0.mlp.c_proj.weight") - 0.01).abs() < 1e-3);
    // Uniform between plus and minus 1 / sqrt(16 * 64).
    assert!((spread("fc1.weight") - 1.0 / (32.0 * 3f64.sqrt())).abs() < 2e-3);
}

#[test]
fn pools_that_make_no_sense_are_refused() {
    let request = request(Start::Checkpoint, 3, Pool::Cls);
    let refused = load(&model_folder("tiny-gpt2"), &request).err().unwrap().to_string();
    assert_eq!(refused, "pool=cls does not suit gpt2 models; they take last, mean, max, flatten.");
}
