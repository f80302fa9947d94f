//! AWD-LSTM runs: from scratch, stopped and resumed, and as the start of another run.

#![cfg(feature = "train")]

use std::fs;
use std::path::{Path, PathBuf};

use safetensors::SafeTensors;
use serde_json::{Value, json};
use tuneboard::events::{Ending, EventKind};

use crate::trainer::{Desk, ending, events, figures, step_losses, wait_until};

const SMALL: &str = "max_length = 24\nlimit = 800\nbatch_size = 8\nlr = 4e-3\nepochs = 3\n";

/// Makes a run that trains an AWD-LSTM from random weights.
fn lstm_run(desk: &Desk, name: &str, more: &str) -> PathBuf {
    let model = desk.path("models/lstm");
    fs::create_dir_all(&model).unwrap();
    let case = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/ulmfit/vocab_case.json");
    let case: Value = serde_json::from_slice(&fs::read(case).unwrap()).unwrap();
    let words = &case["vocab_min3"];
    let config = json!({"model_type": "awd_lstm", "vocab_sz": words.as_array().unwrap().len(),
        "emb_sz": 24, "n_hid": 40, "bptt": 10});
    fs::write(model.join("config.json"), config.to_string()).unwrap();
    fs::write(model.join("vocab.json"), words.to_string()).unwrap();
    let folder = desk.run_folder(name, "");
    let spec = format!("model = \"lstm\"\ninit = \"random\"\ndata = \"sms.csv\"\n{more}");
    fs::write(folder.join("spec.toml"), spec).unwrap();
    folder
}

/// Dropout masks, running means of the head, and the stages of unfreezing are all part of it.
#[test]
fn an_awd_lstm_from_scratch_resumes_to_the_bit() {
    let desk = Desk::new();
    let spec = format!("{SMALL}unfreeze = \"gradual\"\nschedule = \"slanted\"\n");
    let folder = |name: &str| lstm_run(&desk, name, &spec);
    let whole = folder("whole");
    let output = desk.train("whole");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let want = events(&whole);
    assert_eq!(ending(&want), Some(Ending::Done));

    // 80 steps an epoch; stopped in the second.
    let broken = folder("broken");
    let mut child = desk.start("broken");
    wait_until("steps of the second epoch", || {
        fs::exists(broken.join("events.jsonl")).unwrap()
            && step_losses(&events(&broken)).keys().any(|step| *step >= 90)
    });
    // SAFETY: a signal to a child of this test that has not been waited for.
    unsafe { libc::kill(child.id() as i32, libc::SIGTERM) };
    assert!(child.wait().unwrap().success());
    assert_eq!(ending(&events(&broken)), Some(Ending::Stopped));
    assert!(desk.train("broken").status.success());
    assert_eq!(figures(&events(&broken)), figures(&want));
    let best = |run: &std::path::Path| fs::read(run.join("checkpoints/best/model.safetensors"));
    assert_eq!(best(&broken).unwrap(), best(&whole).unwrap());

    // Names are fastai's, and the running means have moved.
    let bytes = best(&whole).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    for name in
        ["0.module.encoder.weight", "0.module.rnns.2.weight_hh_l0_raw", "1.layers.1.2.weight"]
    {
        assert!(tensors.tensor(name).is_ok(), "{name}");
    }
    let mean = tensors.tensor("1.layers.0.0.running_mean").unwrap();
    assert!(mean.data().iter().any(|byte| *byte != 0));
}

#[test]
fn its_best_checkpoint_is_a_model_again_and_its_words_are_fastais() {
    let desk = Desk::new();
    let spec = SMALL.replace("epochs = 3", "epochs = 1");
    let folder = desk.run_folder("r1", "");
    fs::write(folder.join("spec.toml"), format!("model = \"ulmfit\"\ndata = \"sms.csv\"\n{spec}"))
        .unwrap();
    assert!(desk.train("r1").status.success());
    let best = folder.join("checkpoints/best");
    let words: Vec<String> =
        serde_json::from_slice(&fs::read(best.join("vocab.json")).unwrap()).unwrap();
    assert_eq!(words[..3], ["xxunk", "xxpad", "xxbos"]);
    let config: Value =
        serde_json::from_slice(&fs::read(best.join("config.json")).unwrap()).unwrap();
    assert_eq!(config["vocab_sz"], words.len());

    let second = desk.run_folder("r2", "");
    let spec = format!("model = \"r1/checkpoints/best\"\ndata = \"sms.csv\"\n{spec}");
    fs::write(second.join("spec.toml"), &spec).unwrap();
    assert!(desk.train("r2").status.success());
    let is_new = |text: &str| text.contains("head is new");
    let notes = events(&second);
    assert!(!notes.iter().any(|e| matches!(&e.kind, EventKind::Note { text, .. } if is_new(text))));
}

/// What is wrong is said in a sentence, with exit code 2.
#[test]
fn a_vocabulary_that_does_not_fit_is_refused() {
    let desk = Desk::new();
    let model = desk.path("models/lstm");
    fs::create_dir_all(&model).unwrap();
    let run = desk.run_folder("r1", SMALL);
    let spec = fs::read_to_string(run.join("spec.toml")).unwrap().replace("tiny", "lstm");
    fs::write(run.join("spec.toml"), spec + "init = \"random\"\n").unwrap();
    let config = |more: &str| {
        let config =
            format!(r#"{{"model_type":"awd_lstm","vocab_sz":8,"emb_sz":4,"n_hid":4{more}}}"#);
        fs::write(model.join("config.json"), config).unwrap();
    };
    let words = |words: &str| fs::write(model.join("vocab.json"), words).unwrap();
    let refused = |want: &str| {
        let output = desk.train("r1");
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert!(stderr.contains(want), "{stderr}");
    };
    config("");
    refused("vocab.json cannot be read");
    words(r#"{"a":1}"#);
    refused("it is not a JSON list of words");
    words(r#"["the","a"]"#);
    refused("begins with xxunk and xxpad");
    words(r#"["xxunk","xxpad","xxbos","xxeos","xxfld","xxrep","xxwrep","xxup","xxmaj","i"]"#);
    refused("the model has only 8 word embeddings");
    config(r#","n_layers":0"#);
    refused("n_layers is 0; it must be from 1");
    config(r#","pad_token":8"#);
    refused("pad_token 8 is outside the vocabulary of 8");
    config(r#","bidir":true"#);
    refused("bidirectional AWD-LSTMs are not supported");
}

/// The three stages of ULMFiT as chained runs: a language model from nothing, the same on the target
/// texts with the words of these, and a classifier on top.
#[test]
fn three_stages_chain_and_a_stopped_language_model_resumes_to_the_bit() {
    let desk = Desk::new();
    let spec = |name: &str, lines: &str| {
        let folder = desk.run_folder(name, "");
        let common = "max_length = 24\nbatch_size = 8\nlr = 4e-3\n";
        fs::write(folder.join("spec.toml"), format!("{common}{lines}")).unwrap();
        folder
    };
    let train = |name: &str| {
        let output = desk.train(name);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    let pretraining =
        "task = \"lm\"\nmodel = \"ulmfit\"\ndata = \"sms.csv\"\nlimit = 2000\nepochs = 2\n";
    let whole = spec("whole", pretraining);
    train("whole");
    let want = events(&whole);
    let losses = figures(&want);
    let loss = |key: &str| f64::from_bits(losses[key]);
    assert!(loss("val/loss 2") < loss("val/loss 1"), "{losses:?}");
    assert!((loss("val/ppl 2").ln() - loss("val/loss 2")).abs() < 1e-9);
    assert!(losses.keys().any(|key| key.starts_with("test/ppl")));

    // Stopped again and again, the last time in the second epoch: the carried state is part of the checkpoint.
    // A signal that lands in a matrix product does no harm.
    let steps = want.iter().map(|event| event.step).max().unwrap();
    let broken = spec("broken", pretraining);
    for eighth in 0..6 {
        let mut child = desk.start("broken");
        wait_until("further steps", || {
            fs::exists(broken.join("events.jsonl")).unwrap()
                && step_losses(&events(&broken)).keys().any(|step| *step > steps * eighth / 8)
        });
        // SAFETY: a signal to a child of this test that has not been waited for.
        unsafe { libc::kill(child.id() as i32, libc::SIGTERM) };
        let ended = child.wait().unwrap();
        assert!(ended.success(), "{ended}");
        assert_eq!(ending(&events(&broken)), Some(Ending::Stopped));
    }
    train("broken");
    assert_eq!(figures(&events(&broken)), losses);

    // Fine-tuning on other rows: other words, whose vectors are moved.
    let second = "task = \"lm\"\nmodel = \"whole/checkpoints/best\"\ndata = \"sms.csv\"\n\
                  split_seed = 1\nlimit = 1200\nepochs = 1\n";
    let tuned = spec("tuned", second);
    train("tuned");
    let read =
        |path: PathBuf| -> Value { serde_json::from_slice(&fs::read(path).unwrap()).unwrap() };
    let [old, new] = [&whole, &tuned].map(|run| read(run.join("checkpoints/best/vocab.json")));
    assert_ne!(old, new);
    let first = |run: &Path| f64::from_bits(figures(&events(run))["val/loss 1"]);
    assert!(first(&tuned) < first(&whole), "it starts from what the first one learnt");

    let third = "model = \"tuned/checkpoints/best\"\ndata = \"sms.csv\"\nlimit = 800\nepochs = 1\n\
                 unfreeze = \"gradual\"\nlayer_decay = 2.6\nschedule = \"slanted\"\n";
    let classifier = spec("classifier", third);
    train("classifier");
    assert_eq!(read(classifier.join("checkpoints/best/vocab.json")), new);
    let weights = |run: &Path| fs::read(run.join("checkpoints/best/model.safetensors")).unwrap();
    let (lm, head) = (weights(&tuned), weights(&classifier));
    let lm = SafeTensors::deserialize(&lm).unwrap();
    let head = SafeTensors::deserialize(&head).unwrap();
    // One epoch of gradual unfreezing leaves the encoder as the language model was.
    let vectors = lm.tensor("0.encoder.weight").unwrap();
    assert_eq!(vectors.data(), head.tensor("0.module.encoder.weight").unwrap().data());
    assert!(lm.names().iter().all(|name| !name.starts_with("carried")));
}
