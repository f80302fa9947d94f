use serde::Deserialize;

use super::Check;
use crate::board::Board;
use crate::gpus;
use crate::runner;
use crate::runner::RunnerError;

/// What `tuneboard-train probe` prints: libtorch as the trainer itself sees it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::cli) struct Probe {
    pub libtorch: String,
    pub cuda: bool,
    pub cuda_error: Option<String>,
    pub devices: u32,
    threads: u32,
    bf16: bool,
}

/// The trainer, its libtorch, and the GPUs it sees.
pub fn checks(board: &Board) -> Vec<Check> {
    let trainer = match runner::trainer_command(board) {
        Ok(path) => path.display().to_string(),
        Err(e @ RunnerError::NoTorch(_)) => {
            return vec![Check::fail("libtorch", e.to_string(), "pip install 'torch==2.11.*'")];
        }
        Err(e) => {
            let mend = "`make build` in a clone, or `pip install 'tuneboard[train]'`";
            return vec![Check::fail("trainer", e.to_string(), mend)];
        }
    };
    let printed = runner::trainer_output(board, &["probe"], "").map_err(|e| e.to_string());
    let probe = printed.and_then(|text| {
        serde_json::from_str::<Probe>(text.trim()).map_err(|e| format!("its answer is odd: {e}"))
    });
    match probe {
        Ok(probe) => vec![Check::ok("trainer", trainer), libtorch(&probe), cuda(&probe)],
        Err(why) => vec![
            Check::ok("trainer", trainer),
            Check::fail(
                "libtorch",
                why,
                "`make setup` finds or fetches libtorch 2.11, `make build` links it; or set \
                 LD_LIBRARY_PATH to its lib folder",
            ),
        ],
    }
}

fn libtorch(probe: &Probe) -> Check {
    let bf16 = if probe.bf16 { ", bf16 is fast" } else { "" };
    Check::ok("libtorch", format!("{}, {} CPU threads{bf16}", probe.libtorch, probe.threads))
}

/// Without a driver the CPU is all there is, and that is fine; a driver that libtorch cannot use is not.
fn cuda(probe: &Probe) -> Check {
    let driver = std::path::Path::new("/proc/driver/nvidia/version").exists();
    match (&probe.cuda_error, driver) {
        _ if probe.cuda => {
            let mps = if gpus::has_mps() { ", shared through NVIDIA MPS" } else { "" };
            Check::ok("CUDA", format!("{} GPUs{mps}", probe.devices))
        }
        (_, false) => Check::ok("CUDA", "no NVIDIA driver; runs use the CPU"),
        (error, true) => Check::warn(
            "CUDA",
            error.clone().unwrap_or_else(|| "libtorch sees no GPU".into()),
            "the driver is there: `make setup` with a CUDA libtorch, and a driver that is new enough",
        ),
    }
}
