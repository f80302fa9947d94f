//! `scripts/gpu_check.sh` without a GPU: every step at toy size.

#![cfg(feature = "train")]

use std::path::Path;
use std::process::Command;

use serde_json::Value;

#[test]
fn every_step_of_the_gpu_check_runs_without_a_gpu() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("gpu_check.json");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/gpu_check.sh");
    let output = Command::new(script)
        .args([
            "--dry",
            "--minutes",
            "10",
            "--trainer",
            env!("CARGO_BIN_EXE_tuneboard-train"),
            "--out",
        ])
        .arg(&out)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let report: Value = serde_json::from_slice(&std::fs::read(&out).unwrap()).unwrap();
    let verdicts = report["verdicts"].as_array().unwrap();
    let of =
        |name: &str| &verdicts.iter().find(|verdict| verdict["name"] == name).unwrap()["passed"];
    for name in ["numbers in fp32", "numbers in bf16", "several at once", "kill -9 and resume"] {
        assert_eq!(of(name), true, "{name}");
    }
    for name in ["too little memory", "nothing waits within a step"] {
        assert_eq!(of(name), &Value::Null, "{name}");
    }
    let speed = report["speed"].as_array().unwrap();
    assert_eq!(speed.len(), 2);
    assert!(speed.iter().all(|row| row["operations"].as_f64().unwrap() > 10.0), "{speed:?}");
}
