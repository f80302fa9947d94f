//! What runs leave on the disk, and how it goes.

#![cfg(feature = "train")]

use serde_json::json;

use super::shell::Shell;

const RUN: [&str; 8] = [
    "model=tiny",
    "data=data/mail.csv",
    "epochs=1",
    "max_length=16",
    "device=cpu",
    "precision=fp32",
    "lr=1e-3",
    "--wait",
];

fn has(shell: &Shell, file: &str) -> bool {
    shell.path(&format!("runs/{file}")).exists()
}

#[test]
fn a_done_run_keeps_what_it_is_told_and_gc_takes_the_rest() {
    let shell = Shell::training();
    for keep in ["keep=best", "keep=both", "keep=last", "keep=none"] {
        shell.ok(&[&["run", keep], &RUN[..]].concat());
    }
    let kept: Vec<[bool; 3]> = (1..=4)
        .map(|id| {
            let file = |name: &str| has(&shell, &format!("r{id}/checkpoints/{name}"));
            let resumes = file("last/optimizer.safetensors") || file("last/trainer_state.json");
            [file("best/model.safetensors"), file("last/model.safetensors"), resumes]
        })
        .collect();
    let [best, both, last, none] =
        [[true, false, false], [true, true, false], [false, true, false], [false; 3]];
    assert_eq!(kept, [best, both, last, none]);
    // Another run starts from what is there.
    shell.ok(&["clone", "r3", "init=r3", "keep=best", "--wait"]);
    shell.refuses(&["clone", "r4", "init=r4"], 2, "its best checkpoint is gone");
    shell.refuses(&["predict", "r4", "hello"], 2, "it was told keep=none");

    let told = shell.ok(&["show", "r2"]);
    assert!(told.contains("On the disk ") && told.contains("checkpoints/last "), "{told}");
    let table = shell.ok(&["ls", "--columns", "id,keep,disk,val/acc"]);
    assert!(table.starts_with("id  keep") && table.contains("KiB"), "{table}");
    shell.refuses(&["ls", "--columns", "id,disc"], 2, "did you mean `disk`?");

    assert!(shell.ok(&["gc", "--dry-run"]).contains("There is nothing to delete."));
    let plan = shell.json(&["gc", "r1..r2", "--keep", "none", "--dry-run"]);
    assert_eq!((&plan["deleted"], plan["files"].as_array().unwrap().len()), (&json!(false), 3));
    assert!(has(&shell, "r2/checkpoints/best"));
    // What a killed trainer has left of a run that ended.
    shell.write("runs/r1/checkpoints/last.tmp-1/x", "half");
    let told = shell.ok(&["gc", "r1..r2", "--keep", "none"]);
    assert!(told.starts_with("Deleted 4 files and folders, "), "{told}");
    assert!(!has(&shell, "r2/checkpoints/best") && !has(&shell, "r1/checkpoints/last.tmp-1"));
    assert!(has(&shell, "r2/events.jsonl") && has(&shell, "r3/checkpoints/last"));
}

#[test]
fn a_sweep_keeps_the_checkpoints_of_its_best_runs() {
    let shell = Shell::training();
    let pairs = ["sweep", "lr=1e-5,1e-2", "seed=0..1", "keep_best=1"];
    let rest: Vec<&str> = RUN.into_iter().filter(|pair| !pair.starts_with("lr=")).collect();
    shell.ok(&[&pairs[..], &rest].concat());
    let kept: Vec<bool> =
        (1..=4).map(|id| has(&shell, &format!("r{id}/checkpoints/best"))).collect();
    assert_eq!(kept.iter().filter(|kept| **kept).count(), 1, "{kept:?}");
    let runs = shell.json(&["ls", "--sort", "val/acc", "--desc"]);
    let best = runs[0]["best"]["val/acc"].as_f64().unwrap();
    let at = kept.iter().position(|kept| *kept).unwrap();
    let own = shell.json(&["show", &format!("r{}", at + 1)]);
    assert_eq!(own["best"]["val/acc"].as_f64(), Some(best));
    shell.refuses(&[&["run", "keep_best=2"], &RUN[..]].concat(), 2, "belongs to a sweep");
}
