//! Several runs on one GPU, with a driver library that lies: one GPU of 16 GiB, whole or cut into instances.

use std::fs;
use std::path::Path;
use std::process::Command;

use tuneboard::spec::{Outcome, RunId, RunSpec, RunState};

use super::rig::Rig;

/// As much of NVML as is asked for. INSTANCES cuts the GPU into so many; MODE 3 lets one process use it.
const DRIVER: &str = r#"
#include <stdio.h>
#ifndef MODE
#define MODE 0
#endif
static char units[8];
struct memory { unsigned version; unsigned long long total, reserved, free, used; };
int nvmlInit_v2(void) { return 0; }
int nvmlInitWithFlags(unsigned f) { return 0; }
int nvmlShutdown(void) { return 0; }
int nvmlDeviceGetCount_v2(unsigned *n) { *n = 1; return 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned i, void **d) { *d = units; return 0; }
int nvmlDeviceGetUUID(void *d, char *s, unsigned n) {
  int unit = (char *)d - units;
  snprintf(s, n, unit ? "MIG-%d" : "GPU-%d", unit);
  return 0;
}
int nvmlDeviceGetName(void *d, char *s, unsigned n) { snprintf(s, n, "Made up"); return 0; }
int nvmlDeviceGetComputeMode(void *d, unsigned *m) { *m = MODE; return 0; }
int nvmlDeviceGetMemoryInfo_v2(void *d, struct memory *m) {
  m->total = 16ull << 30; m->free = 15ull << 30; m->used = 1ull << 30; return 0;
}
#ifdef INSTANCES
int nvmlDeviceGetMigMode(void *d, unsigned *now, unsigned *next) { *now = *next = 1; return 0; }
int nvmlDeviceGetMaxMigDeviceCount(void *d, unsigned *n) { *n = 7; return 0; }
int nvmlDeviceGetMigDeviceHandleByIndex(void *d, unsigned i, void **part) {
  if (i >= INSTANCES) return 6;
  *part = units + 1 + i;
  return 0;
}
#endif
"#;

fn driver(folder: &Path, kind: &[&str]) {
    let (source, library) = (folder.join("nvml.c"), folder.join("libnvidia-ml.so.1"));
    fs::write(&source, DRIVER).unwrap();
    let mut compiler = Command::new("cc");
    let compiler = compiler.args(kind).args(["-shared", "-fPIC", "-o"]);
    assert!(compiler.args([&library, &source]).status().unwrap().success());
}

/// A board whose GPU takes three runs, and what makes its runner see the driver.
fn rig(kind: &[&str]) -> (Rig, String) {
    let trainer = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/fake_trainer.py");
    let rig = Rig::with_config(&format!("[sites.local]\ngpu_runs = 3\ntrainer = {trainer:?}\n"));
    driver(rig.board.root(), kind);
    let folder = rig.board.root().to_string_lossy().into_owned();
    (rig, folder)
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
    let (mut rig, folder) = rig(&[]);
    let ids = rig.queue_specs([spec(4, 0), spec(4, 1), spec(4, 2), spec(9, 0)].into_iter());
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

#[test]
fn a_gpu_of_one_process_is_not_shared() {
    let (mut rig, folder) = rig(&["-DMODE=3"]);
    let ids = rig.queue_specs([spec(4, 0), spec(4, 1)].into_iter());
    rig.runner(&[("LD_LIBRARY_PATH", &folder), ("CUDA_MPS_PIPE_DIRECTORY", &folder)]);
    let runs: Vec<_> = ids.iter().map(|id| rig.ended(*id)).collect();
    assert!(runs.iter().all(|run| run.placement.as_ref().unwrap().slot == "cuda:0"));
    assert!(runs[1].started.unwrap() >= runs[0].ended.unwrap());
}

/// What a trainer finds in its environment.
fn variable(rig: &Rig, id: RunId, name: &str) -> Option<String> {
    let process = rig.at_step(id, 1);
    let environment = fs::read(format!("/proc/{}/environ", process.pid)).unwrap();
    let pairs = environment.split(|byte| *byte == 0).map(String::from_utf8_lossy);
    pairs.into_iter().find_map(|pair| Some(pair.strip_prefix(name)?.strip_prefix('=')?.to_owned()))
}

#[test]
fn instances_of_a_gpu_are_devices_of_which_a_trainer_sees_its_own() {
    let (mut rig, folder) = rig(&["-DINSTANCES=2"]);
    let pinned = RunSpec { device: "cuda:1".into(), ..spec(4, 1) };
    let ids = rig.queue_specs([spec(4, 0), pinned].into_iter());
    rig.runner(&[("LD_LIBRARY_PATH", &folder)]);
    for (id, uuid, slot) in [(ids[0], "MIG-1", "cuda:0"), (ids[1], "MIG-2", "cuda:1")] {
        let seen =
            ["CUDA_VISIBLE_DEVICES", "TUNEBOARD_DEVICE"].map(|name| variable(&rig, id, name));
        assert_eq!(seen, [uuid, "cuda:0"].map(|word| Some(word.to_owned())));
        assert_eq!(rig.run(id).placement.unwrap().slot, slot);
    }
    assert!(ids.iter().all(|id| rig.ended(*id).state == RunState::Ended(Outcome::Done)));
}
