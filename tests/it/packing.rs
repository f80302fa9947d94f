//! Several runs on one GPU, with a driver library that lies: one GPU of 16 GiB.

use std::fs;
use std::path::Path;
use std::process::Command;

use tuneboard::spec::{Outcome, RunId, RunSpec, RunState};

use super::rig::Rig;

/// As much of NVML as the runner asks for.
const DRIVER: &str = r#"
#include <stdio.h>
struct memory { unsigned version; unsigned long long total, reserved, free, used; };
int nvmlInit_v2(void) { return 0; }
int nvmlInitWithFlags(unsigned f) { return 0; }
int nvmlShutdown(void) { return 0; }
int nvmlDeviceGetCount_v2(unsigned *n) { *n = 1; return 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned i, void **d) { *d = d; return 0; }
int nvmlDeviceGetUUID(void *d, char *s, unsigned n) { snprintf(s, n, "GPU-0"); return 0; }
int nvmlDeviceGetName(void *d, char *s, unsigned n) { snprintf(s, n, "Made up"); return 0; }
int nvmlDeviceGetMemoryInfo_v2(void *d, struct memory *m) {
  m->total = 16ull << 30; m->free = 15ull << 30; m->used = 1ull << 30; return 0;
}
"#;

fn driver(folder: &Path) {
    let (source, library) = (folder.join("nvml.c"), folder.join("libnvidia-ml.so.1"));
    fs::write(&source, DRIVER).unwrap();
    let mut compiler = Command::new("cc");
    let status = compiler.args(["-shared", "-fPIC", "-o"]).args([&library, &source]).status();
    assert!(status.unwrap().success());
}

/// A run whose trainer tells of a peak of so many GiB.
fn spec(gib: u32, seed: u64) -> RunSpec {
    RunSpec {
        model: format!("fake epoch_ms=500 gib={gib}"),
        data: "none.csv".into(),
        epochs: 4,
        seed,
        ..RunSpec::default()
    }
}

#[test]
fn alike_runs_share_a_gpu_once_the_first_has_told_its_peak() {
    let trainer = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/fake_trainer.py");
    let mut rig =
        Rig::with_config(&format!("[sites.local]\ngpu_runs = 3\ntrainer = {trainer:?}\n"));
    driver(rig.board.root());
    let ids = rig.queue_specs([spec(4, 0), spec(4, 1), spec(4, 2), spec(9, 0)].into_iter());
    let folder = rig.board.root().to_string_lossy().into_owned();
    rig.runner(&[("LD_LIBRARY_PATH", &folder)]);
    let slots = |ids: &[RunId]| -> Vec<String> {
        ids.iter().map(|id| rig.ended(*id).placement.unwrap().slot).collect()
    };
    assert_eq!(slots(&ids)[..2], ["cuda:0", "cuda:0/1"]);
    let runs: Vec<_> = ids.iter().map(|id| rig.run(*id)).collect();
    assert!(runs.iter().all(|run| run.state == RunState::Ended(Outcome::Done)));
    // The second came while the first was at work, after its first epoch; the third found no room for
    // three times 5 GiB, and the last, of another kind, waited until it was alone.
    let (started, ended) = (|i: usize| runs[i].started.unwrap(), |i: usize| runs[i].ended.unwrap());
    assert!(started(1) > started(0) && started(1) < ended(0));
    assert!(started(2) >= ended(0).min(ended(1)));
    assert!(started(3) >= ended(2).max(ended(1)));
    assert_eq!(rig.store.reader().alike_peak(ids[2]).unwrap(), Some(4 << 30));
}
