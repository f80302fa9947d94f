//! `task=lm` for BERT and GPT-2: unlabelled texts, stopped and resumed, and a classifier on top.

#![cfg(feature = "train")]

use std::fs;
use std::path::{Path, PathBuf};

use safetensors::SafeTensors;
use serde_json::{Value, json};
use tuneboard::events::{Ending, Event, EventKind};

use crate::trainer::{Desk, ending, events, figures, step_losses, wait_until};

/// The texts of the bundled messages, without their labels, and the models `bert` and `gpt2`.
fn desk() -> Desk {
    let desk = Desk::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for name in ["bert", "gpt2"] {
        let to = desk.path(&format!("models/{name}"));
        fs::create_dir_all(&to).unwrap();
        for file in ["config.json", "tokenizer.json", "model.safetensors"] {
            let from = root.join(format!("tests/fixtures/models/tiny-{name}")).join(file);
            fs::copy(from, to.join(file)).unwrap();
        }
    }
    let texts: Vec<String> =
        (0..300).map(|i| format!("free prize number {}, call now", i % 7)).collect();
    fs::write(desk.path("texts.csv"), format!("note\n\"{}\"\n", texts.join("\"\n\""))).unwrap();
    desk
}

const RECIPE: &str = "task = \"lm\"\ndata = \"texts.csv\"\nmax_length = 16\nbatch_size = 8\nlr = 2e-3\n\
                      epochs = 3\naccumulate = 2\ndropout = 0.1\nprecision = \"fp32\"\nkeep = \"both\"\n";

fn run(desk: &Desk, name: &str, spec: &str) -> PathBuf {
    let folder = desk.path(name);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("spec.toml"), spec).unwrap();
    folder
}

fn train(desk: &Desk, name: &str) -> Vec<Event> {
    let output = desk.train(name);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let events = events(&desk.path(name));
    assert_eq!(ending(&events), Some(Ending::Done));
    events
}

fn config(folder: &Path) -> Value {
    serde_json::from_slice(&fs::read(folder.join("config.json")).unwrap()).unwrap()
}

fn notes(events: &[Event]) -> Vec<&str> {
    let mut notes = Vec::new();
    for event in events {
        if let EventKind::Note { text, .. } = &event.kind {
            notes.push(text.as_str());
        }
    }
    notes
}

/// Learns, is stopped in its second epoch and goes on to the same bits, and is a model of that class.
fn check(model: &str, architecture: &str, of_head: Option<&str>) {
    let desk = desk();
    let spec = format!("{RECIPE}model = \"{model}\"\n");
    let whole = run(&desk, "whole", &spec);
    let want = train(&desk, "whole");
    let losses = figures(&want);
    let loss = |key: &str| f64::from_bits(losses[key]);
    assert!(loss("val/loss 3") < loss("val/loss 1"), "{losses:?}");
    for split in ["val", "test"] {
        let key =
            |what: &str| losses.keys().find(|k| k.starts_with(&format!("{split}/{what}"))).unwrap();
        let (ppl, mean) = (loss(key("ppl")), loss(key("loss")));
        assert!((ppl.ln() - mean).abs() < 1e-9 && mean > 0.0, "{split}: {ppl} {mean}");
    }

    let steps = want.iter().map(|event| event.step).max().unwrap();
    let broken = run(&desk, "broken", &spec);
    let mut child = desk.start("broken");
    wait_until("steps of the second epoch", || {
        fs::exists(broken.join("events.jsonl")).unwrap()
            && step_losses(&events(&broken)).keys().any(|step| *step > steps / 3)
    });
    // SAFETY: a signal to a child of this test that has not been waited for.
    unsafe { libc::kill(child.id() as i32, libc::SIGTERM) };
    assert!(child.wait().unwrap().success());
    if ending(&events(&broken)) == Some(Ending::Stopped) {
        train(&desk, "broken");
    }
    assert_eq!(figures(&events(&broken)), losses);

    // Another seed draws other masks and batches; what it is judged by stays.
    let still = spec.replace("lr = 2e-3", "lr = 0").replace("epochs = 3", "epochs = 1");
    let judged = ["seed = 1", "seed = 2"].map(|seed| {
        let name = seed.replace(" = ", "");
        let still = still.replace(&format!("\"{model}\""), "\"whole/checkpoints/best\"");
        run(&desk, &name, &format!("{still}{seed}\n"));
        f64::from_bits(figures(&train(&desk, &name))["val/loss 1"])
    });
    let best = (1..=3).map(|epoch| loss(&format!("val/loss {epoch}"))).fold(f64::MAX, f64::min);
    assert!(judged.iter().all(|loss| (loss - best).abs() < 1e-6), "{judged:?} {best}");

    for name in ["best", "last"] {
        let folder = whole.join("checkpoints").join(name);
        let config = config(&folder);
        assert_eq!(config["architectures"], json!([architecture]));
        assert_eq!((config.get("id2label"), config.get("tuneboard_pool")), (None, None));
        let bytes = fs::read(folder.join("model.safetensors")).unwrap();
        let tensors = SafeTensors::deserialize(&bytes).unwrap();
        let has = |name: &str| tensors.tensor(name).is_ok();
        assert!(of_head.is_none_or(has), "{:?}", tensors.names());
        assert!(!has("cls.predictions.decoder.weight") && !has("lm_head.weight"));
        assert!(folder.join("tokenizer.json").is_file());
    }

    // A classifier on top: the trunk is what was learnt, the head is new.
    let classify = "data = \"sms.csv\"\nmodel = \"whole/checkpoints/best\"\nlimit = 200\nepochs = 1\n\
                    max_length = 16\nunfreeze = \"head\"\nprecision = \"fp32\"\nkeep = \"both\"\n";
    run(&desk, "classify", classify);
    let told = train(&desk, "classify");
    assert!(notes(&told).iter().any(|note| note.contains("head is new")));
    let weights = |run: &str| fs::read(desk.path(run).join("checkpoints/best/model.safetensors"));
    let (lm, on_top) = (weights("whole").unwrap(), weights("classify").unwrap());
    let on_top = SafeTensors::deserialize(&on_top).unwrap();
    for (name, tensor) in SafeTensors::deserialize(&lm).unwrap().tensors() {
        // A frozen trunk stays as the language model was; what predicted tokens is gone.
        if let Ok(same) = on_top.tensor(&name) {
            assert_eq!(same.data(), tensor.data(), "{name}");
        }
    }
    assert!(on_top.names().iter().any(|name| name.contains("layer.1") || name.contains("h.1.")));
}

#[test]
fn a_masked_bert_learns_resumes_and_carries_a_classifier() {
    check("bert", "BertForMaskedLM", Some("cls.predictions.transform.dense.weight"));
}

#[test]
fn a_causal_gpt2_learns_resumes_and_carries_a_classifier() {
    check("gpt2", "GPT2LMHeadModel", None);
}

/// The layers that predict hidden tokens are new in one and come with the checkpoint in the other; what is
/// kept of a text longer than `max_length` shows in the number of its pieces.
#[test]
fn what_does_not_fit_is_said_and_long_texts_are_read_whole() {
    let desk = desk();
    let refused = |more: &str, want: &str| {
        run(&desk, "bad", &format!("{RECIPE}{more}"));
        let output = desk.train("bad");
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(2) && stderr.contains(want), "{stderr}");
    };
    refused("model = \"gpt2\"\nunfreeze = \"head\"\n", "word embeddings are its output layer");
    refused("model = \"gru\"\n", "model=gru only classifies");
    refused("model = \"majority\"\n", "model=majority only classifies");
    let words = |n: usize| vec!["call"; n].join(" ");
    let long = format!("note\n{}\n{}\n{}\n", words(100), words(100), words(100));
    fs::write(desk.path("texts.csv"), long).unwrap();
    let spec =
        RECIPE.replace("epochs = 3", "epochs = 1").replace("accumulate = 2", "accumulate = 1");
    let spec = format!("{spec}model = \"bert\"\nsplit = \"0.4,0.3,0.3\"\n").replace("= 8", "= 1");
    let folder = run(&desk, "long", &spec);
    train(&desk, "long");
    let events = events(&folder);
    let EventKind::Started(started) = &events[0].kind else { panic!("{:?}", events[0]) };
    // 100 words in pieces of 14 beside [CLS] and [SEP].
    assert_eq!((started.rows, started.total_steps), ([1, 1, 1], 8));
}
