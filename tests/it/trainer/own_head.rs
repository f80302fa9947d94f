//! The head that a checkpoint comes with.

use std::fs;
use std::path::Path;

use safetensors::SafeTensors;
use tuneboard::events::EventKind;

use super::{Desk, SMALL, events, figures};

/// Turns the two rows of the last layer of a head round, in place.
fn swap_classes(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let ranges: Vec<_> = {
        let tensors = SafeTensors::deserialize(&bytes).unwrap();
        let base = bytes.as_ptr() as usize;
        let head = tensors.iter().filter(|(name, _)| name.starts_with("classifier."));
        head.map(|(_, t)| (t.data().as_ptr() as usize - base, t.data().len() / 2)).collect()
    };
    assert_eq!(ranges.len(), 2);
    for (start, half) in ranges {
        bytes[start..start + 2 * half].rotate_left(half);
    }
    fs::write(path, bytes).unwrap();
}

#[test]
fn a_checkpoints_own_head_is_kept_in_whatever_order_its_labels_are_or_said_to_be_new() {
    let desk = Desk::new();
    let teacher = desk.run_folder("r1", &format!("{SMALL}pool = \"cls\"\nbest = \"val/acc\"\n"));
    assert!(desk.train("r1").status.success());
    let taught = figures(&events(&teacher));
    let best = f64::from_bits(taught["val/acc 1"]).max(f64::from_bits(taught["val/acc 2"]));
    let own = desk.path("models/own");
    fs::create_dir(&own).unwrap();
    for file in fs::read_dir(teacher.join("checkpoints/best")).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), own.join(file.file_name())).unwrap();
    }
    let mut config: serde_json::Value =
        serde_json::from_slice(&fs::read(own.join("config.json")).unwrap()).unwrap();
    config.as_object_mut().unwrap().remove("tuneboard_pool");
    let mut name = |classes: [&str; 2]| {
        config["id2label"] = serde_json::json!({ "0": classes[0], "1": classes[1] });
        fs::write(own.join("config.json"), config.to_string()).unwrap();
    };
    let student = |run: &str| {
        let more = SMALL.replace("lr = 1e-3", "lr = 0\npool = \"cls\"");
        let run_folder = desk.run_folder(run, &more);
        let spec = fs::read_to_string(run_folder.join("spec.toml")).unwrap();
        fs::write(run_folder.join("spec.toml"), spec.replace("\"tiny\"", "\"own\"")).unwrap();
        let output = desk.train(run);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let events = events(&run_folder);
        let notes = events.iter().filter_map(|e| match &e.kind {
            EventKind::Note { text, .. } if text.contains("head") => Some(text.clone()),
            _ => None,
        });
        (f64::from_bits(figures(&events)["val/acc 1"]), notes.collect::<Vec<_>>().join(" "))
    };
    // The data have the classes 0 and 1; the checkpoint has them the other way round.
    swap_classes(&own.join("model.safetensors"));
    name(["1", "0"]);
    let (acc, notes) = student("r2");
    assert!((acc - best).abs() < 1e-9, "{acc} {best}");
    assert!(notes.contains("in the order of the data: 0, 1"), "{notes}");
    name(["5", "7"]);
    let (_, notes) = student("r3");
    assert!(notes.contains("head is new: the checkpoint's own is for 5, 7"), "{notes}");
}
