//! Layer groups: thawed one by one, at rates of their own, and exactly so after a resumption.

#![cfg(feature = "train")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use safetensors::SafeTensors;
use tuneboard::events::{Ending, Event, EventKind};

use crate::trainer::{Desk, SMALL, ending, events, figures};

/// 80 steps an epoch; three of the model's four groups get their turn.
fn gradual() -> String {
    let small = SMALL.replace("limit = 400", "limit = 1600").replace("epochs = 2", "epochs = 3");
    small + "unfreeze = \"gradual\"\nlayer_decay = 2.6\nschedule = \"slanted\"\n"
}

/// Names of the weights in which two files differ.
fn moved(before: &Path, after: &Path) -> BTreeSet<String> {
    let (before, after) = (fs::read(before).unwrap(), fs::read(after).unwrap());
    let before = SafeTensors::deserialize(&before).unwrap();
    let after = SafeTensors::deserialize(&after).unwrap();
    let same = |name: &str| {
        let own = name.trim_start_matches("bert.").trim_start_matches("transformer.");
        let old = before.tensor(own).unwrap();
        old.data() == after.tensor(name).unwrap().data()
    };
    let trunk = after
        .names()
        .into_iter()
        .filter(|name| !["classifier.", "score."].iter().any(|head| name.starts_with(head)));
    trunk.filter(|name| !same(name)).map(str::to_owned).collect()
}

fn rate(event: &Event, group: &str) -> Option<f64> {
    match &event.kind {
        EventKind::Metrics { values, .. } => Some(values[&format!("train/step_lr{group}")].0),
        _ => None,
    }
}

#[test]
fn gradual_unfreezing_thaws_from_the_top_and_resumes_to_the_bit() {
    let desk = Desk::new();
    let whole = desk.run_folder("whole", &gradual());
    assert!(desk.train("whole").status.success());
    let want = events(&whole);
    assert_eq!(ending(&want), Some(Ending::Done));

    // Epoch 2 of 3: the head and one layer. The rate of the second group is the head's / 2.6.
    let second = want.iter().filter(|e| (81..=160).contains(&e.step));
    let rates: Vec<_> = second.filter_map(|e| Some((rate(e, "")?, rate(e, "/layer_1")?))).collect();
    assert!(!rates.is_empty());
    assert!(rates.iter().all(|(head, layer)| (head / 2.6 - layer).abs() < 1e-15 && *layer > 0.0));
    let first = want.iter().filter(|e| (1..=80).contains(&e.step));
    assert!(first.filter_map(|e| rate(e, "/layer_1")).all(|lr| lr == 0.0));
    assert!(want.iter().filter_map(|e| rate(e, "/embeddings")).all(|lr| lr == 0.0));

    // Only what was thawed has moved, and the run said what would not.
    let given = desk.path("models/tiny/model.safetensors");
    let moved = moved(&given, &whole.join("checkpoints/last/model.safetensors"));
    assert!(moved.iter().any(|name| name.contains("encoder.layer.0.")));
    assert!(moved.iter().all(|name| !name.contains("embeddings")), "{moved:?}");
    assert!(want.iter().any(|e| matches!(&e.kind, EventKind::Note { text, .. }
        if text.contains("the lowest 1 of 4 groups never learn"))));

    // Stopped in the middle of the second stage.
    let broken = desk.run_folder("broken", &gradual());
    desk.stop_at("broken", 90);
    assert!(desk.train("broken").status.success());
    assert_eq!(figures(&events(&broken)), figures(&want));
}

/// The same for GPT-2, whose topmost group holds the last normalisation as well.
#[test]
fn gpt2_thaws_at_rates_of_its_own_as_bert_does() {
    let desk = Desk::new();
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/models/tiny-gpt2");
    let model = desk.path("models/gpt");
    fs::create_dir_all(&model).unwrap();
    for entry in fs::read_dir(fixture).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), model.join(entry.file_name())).unwrap();
    }
    let folder = desk.run_folder("r1", "");
    let spec = "model = \"gpt\"\ndata = \"sms.csv\"\nmax_length = 24\nlimit = 400\nbatch_size = 8\n\
                lr = 1e-3\nepochs = 3\nunfreeze = \"gradual\"\nlayer_decay = 2.6\nschedule = \"slanted\"\n\
                keep = \"both\"\n";
    fs::write(folder.join("spec.toml"), spec).unwrap();
    let output = desk.train("r1");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told = events(&folder);
    assert_eq!(ending(&told), Some(Ending::Done));

    // 40 steps an epoch. The last step of each is always told.
    for (epoch, groups) in [(1, 1), (2, 2), (3, 3)] {
        let last = told.iter().rfind(|e| e.step == epoch * 40 && rate(e, "").is_some()).unwrap();
        let head = rate(last, "").unwrap();
        // Slanted: the end of a stage is a 32nd of its peak or a little more.
        assert!((1e-3 / 32.0..1e-4).contains(&head), "{head}");
        for (group, name) in ["/head", "/layer_1", "/layer_0", "/embeddings"].iter().enumerate() {
            let want = if group < groups { head / 2.6_f64.powi(group as i32) } else { 0.0 };
            let got = rate(last, name).unwrap();
            assert!((got - want).abs() < 1e-15, "epoch {epoch} {name}: {got} {want}");
        }
    }
    let given = model.join("model.safetensors");
    let moved = moved(&given, &folder.join("checkpoints/last/model.safetensors"));
    assert!(moved.iter().any(|name| name.contains("h.0.")), "{moved:?}");
    assert!(moved.iter().any(|name| name.contains("ln_f.")), "{moved:?}");
    assert!(moved.iter().all(|name| !name.contains("wte") && !name.contains("wpe")), "{moved:?}");
}
