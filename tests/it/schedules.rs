//! Layer groups: thawed one by one, at rates of their own, and exactly so after a resumption.

#![cfg(feature = "train")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use safetensors::SafeTensors;
use tuneboard::events::{Ending, Event, Kind};

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
        let old = before.tensor(name.trim_start_matches("bert.")).unwrap();
        old.data() == after.tensor(name).unwrap().data()
    };
    let trunk = after.names().into_iter().filter(|name| !name.starts_with("classifier."));
    trunk.filter(|name| !same(name)).map(str::to_owned).collect()
}

fn rate(event: &Event, group: &str) -> Option<f64> {
    match &event.kind {
        Kind::Metrics { values, .. } => Some(values[&format!("train/step_lr{group}")].0),
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
    assert!(want.iter().any(|e| matches!(&e.kind, Kind::Note { text, .. }
        if text.contains("the lowest 1 of 4 groups never learn"))));

    // Stopped in the middle of the second stage.
    let broken = desk.run_folder("broken", &gradual());
    desk.stop_at("broken", 90);
    assert!(desk.train("broken").status.success());
    assert_eq!(figures(&events(&broken)), figures(&want));
}
