//! ELMo through the real trainer: as it is published, frozen, and with its state carried.

#![cfg(feature = "train")]

use std::fs;
use std::path::Path;

use serde_json::json;
use tuneboard::events::{EventKind, Level};

use crate::shell::Shell;
use crate::trainer::{Desk, events, figures};

/// As it is downloaded: options and HDF5 weights.
pub fn published(shell: &Shell) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/elmo/tiny-clip");
    for (from, to) in [("options.json", "options.json"), ("lm_weights.hdf5", "weights.hdf5")] {
        shell.write(&format!("models/elmo/{to}"), fs::read(folder.join(from)).unwrap());
    }
}

/// ELMo's language model stays as it was, unless it is told to learn; either way its checkpoint is a
/// model again.
#[test]
fn elmo_is_frozen_by_default_and_its_checkpoint_is_a_model() {
    let shell = Shell::training();
    published(&shell);
    let listed = shell.json(&["models"]);
    let elmo = listed.as_array().unwrap().iter().find(|m| m["name"] == json!("elmo")).unwrap();
    assert_eq!((&elmo["family"], &elmo["problem"]), (&json!("elmo"), &json!(null)));
    let profile = shell.json(&["data", "data/mail.csv", "--model", "elmo"]);
    assert_eq!(profile["tokens"]["max"], json!(5), "three words and two marks");

    let rest = ["data=data/mail.csv", "epochs=2", "device=cpu", "warmup=0", "split=0.6,0.2,0.2"];
    let run = |model: &str, more: &str| {
        shell.ok(&[&["run", model, more, "--wait"], &rest[..]].concat());
    };
    run("model=elmo", "lr=1e-2");
    run("model=runs/r1/checkpoints/best", "lr=0");
    run("model=elmo", "unfreeze=all");
    let same = |a: &[u8], b: &[u8]| a == b;
    let last = |id: &str| shell.json(&["show", id])["last"].clone();
    let (first, again) = (last("r1"), last("r2"));
    for metric in ["test/loss", "test/acc"] {
        let gap = first[metric].as_f64().unwrap() - again[metric].as_f64().unwrap();
        assert!(gap.abs() < 1e-6, "{metric}: {first} {again}");
    }
    let weights = |id: &str, name: &str| {
        let path = shell.path(&format!("runs/{id}/checkpoints/best/model.safetensors"));
        let bytes = fs::read(path).unwrap();
        let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        tensors.tensor(name).unwrap().data().to_vec()
    };
    let cell = "elmo._elmo_lstm._elmo_lstm.forward_layer_0.input_linearity.weight";
    let mix = "elmo.scalar_mix_0.gamma";
    assert!(same(&weights("r1", cell), &weights("r2", cell)));
    assert!(!same(&weights("r1", cell), &weights("r3", cell)));
    assert!(!same(&weights("r1", mix), &1_f32.to_le_bytes()));

    shell.write("models/elmo/weights.hdf5", "\u{89}HDF no more");
    shell.refuses(&["run", "model=elmo", rest[0], "--wait"], 1, "");
    assert!(shell.ok(&["logs", "r4"]).contains("no sound file of ELMo weights"));
}

/// Makes a run of an ELMo on the SMS texts.
fn run(desk: &Desk, name: &str, more: &str) {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/elmo/tiny-clip");
    let model = desk.path("models/elmo");
    fs::create_dir_all(&model).unwrap();
    for (from, to) in [("options.json", "options.json"), ("lm_weights.hdf5", "weights.hdf5")] {
        fs::copy(fixture.join(from), model.join(to)).unwrap();
    }
    let folder = desk.run_folder(name, "");
    let common =
        "model = \"elmo\"\ndata = \"sms.csv\"\nlimit = 300\nmax_length = 12\nbatch_size = 8\n";
    fs::write(folder.join("spec.toml"), format!("{common}epochs = 2\nlr = 1e-2\n{more}")).unwrap();
}

/// What is carried is part of the checkpoint, and told apart from what is not carried.
#[test]
fn a_carried_state_survives_a_stop_to_the_bit() {
    let desk = Desk::new();
    let stateful = "stateful = true\nunfreeze = \"all\"\n";
    for (name, more) in
        [("whole", stateful), ("broken", stateful), ("reset", "unfreeze = \"all\"\n")]
    {
        run(&desk, name, more);
    }
    for name in ["whole", "reset"] {
        let output = desk.train(name);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    // 30 steps an epoch; stopped in the second.
    desk.stop_at("broken", 40);
    assert!(desk.train("broken").status.success());
    let [whole, broken, reset] =
        ["whole", "broken", "reset"].map(|name| figures(&events(&desk.path(name))));
    assert_eq!(broken, whole);
    assert_ne!(reset["train/loss 1"], whole["train/loss 1"]);

    let config = fs::read_to_string(desk.path("whole/checkpoints/best/config.json")).unwrap();
    assert!(config.contains(r#""tuneboard_stateful": true"#), "{config}");
}

#[test]
fn layers_can_be_normalised_and_other_families_refuse_it() {
    let desk = Desk::new();
    run(&desk, "plain", "");
    run(&desk, "normal", "layer_norm = true\nprecision = \"bf16\"\n");
    for name in ["plain", "normal"] {
        let output = desk.train(name);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let told = events(&desk.path("normal"));
    let [plain, normal] = ["plain", "normal"].map(|name| figures(&events(&desk.path(name))));
    assert_ne!(plain["val/loss 1"], normal["val/loss 1"]);

    // What is told is what is computed.
    let EventKind::Started(started) = &told[0].kind else { panic!("{:?}", told[0]) };
    assert_eq!(started.precision, "fp32");
    assert!(told.iter().any(|e| matches!(&e.kind, EventKind::Note { level: Level::Info, text }
        if text.contains("precision=bf16 changes nothing: elmo models compute in 32 bits"))));

    for key in ["stateful", "layer_norm"] {
        desk.run_folder(key, &format!("{key} = true\n"));
        let output = desk.train(key);
        assert_eq!(output.status.code(), Some(2));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains("are ELMo's") && said.contains("family bert"), "{said}");
    }
}
