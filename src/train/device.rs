//! Where the tensors lie, how many threads work on them, and in which number format.

use std::env;
use std::ffi::{CStr, CString};
use std::fs;
use std::path::Path;
use std::sync::OnceLock;
use std::thread;

use tch::{Cuda, Device, Kind};
use tuneboard::events::{Number, PEAK_MEMORY};
use tuneboard::gpus::Gpus;
use tuneboard::spec::{Precision, RunSpec};

use crate::error::TrainError;
use crate::native;

/// The machine's part in a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Place {
    /// CPU or one GPU.
    pub device: Device,
    /// CPU threads of libtorch and the tokenizer.
    pub threads: usize,
    /// Number format of the matrix products: `Float` or `BFloat16`.
    pub kind: Kind,
}

impl Place {
    /// Decides for a run. The runner's choice in `TUNEBOARD_DEVICE` and `TUNEBOARD_THREADS` fills in
    /// what the spec leaves open.
    ///
    /// # Errors
    /// A GPU that is asked for and not there, with the reason.
    pub fn choose(spec: &RunSpec) -> Result<Self, TrainError> {
        let threads = threads(spec.threads as usize);
        let given = env::var("TUNEBOARD_DEVICE").ok();
        let wanted = wanted(&spec.device, given.as_deref());
        let device = device(wanted)?;
        let kind = match spec.precision {
            Precision::Bf16 => Kind::BFloat16,
            Precision::Auto if bf16_is_fast(device) => Kind::BFloat16,
            Precision::Auto | Precision::Fp32 => Kind::Float,
        };
        Ok(Self { device, threads, kind })
    }

    /// `cpu` or `cuda:N`.
    pub fn device_name(&self) -> String {
        match self.device {
            Device::Cuda(index) => format!("cuda:{index}"),
            _ => "cpu".to_owned(),
        }
    }

    /// `fp32` or `bf16`.
    pub fn precision_name(&self) -> &'static str {
        if self.kind == Kind::BFloat16 { "bf16" } else { "fp32" }
    }

    /// Bytes in use: of the GPU's memory, or of this process's on the CPU.
    pub fn memory(&self) -> Option<u64> {
        if let Device::Cuda(index) = self.device {
            return gpus().memory_used(index);
        }
        let text = fs::read_to_string("/proc/self/statm").ok()?;
        let pages: u64 = text.split(' ').nth(1)?.parse().ok()?;
        // SAFETY: sysconf reads a constant of the system and touches no memory of ours.
        let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
        Some(pages * u64::try_from(page).ok()?)
    }
}

/// The train figure of the most bytes held so far: of the GPU by libtorch's allocator, whose word is exact
/// and leaves other processes out; on the CPU, resident.
pub fn peak_memory(device: Device) -> Option<(String, Number)> {
    let bytes = if let Device::Cuda(index) = device {
        native::gpu_peak(index)?
    } else {
        let text = fs::read_to_string("/proc/self/status").ok()?;
        let peak = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        peak.trim().strip_suffix(" kB")?.parse::<u64>().ok()? << 10
    };
    Some((PEAK_MEMORY.to_owned(), Number(bytes as f64)))
}

/// Lets the allocator keep what a step gives back, for the next one: otherwise each large tensor is
/// mapped, zeroed by the kernel and unmapped again, some thousand page faults a step.
pub fn keep_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        const MAPPED_FROM: i32 = 32 << 20; // the most that glibc takes
        const KEPT: i32 = 1 << 30;
        // SAFETY: sets numbers of the allocator; no other thread runs yet.
        unsafe {
            libc::mallopt(libc::M_MMAP_THRESHOLD, MAPPED_FROM);
            libc::mallopt(libc::M_TRIM_THRESHOLD, KEPT);
        }
    }
}

/// Sets libtorch's thread counts and gives the number. `wanted` 0 = as the runner says, or else all
/// cores.
pub fn threads(wanted: usize) -> usize {
    let from_runner = || env::var("TUNEBOARD_THREADS").ok()?.parse().ok().filter(|n| *n > 0);
    let cores = || thread::available_parallelism().map_or(1, usize::from);
    let threads = if wanted > 0 { wanted } else { from_runner().unwrap_or_else(cores) };
    tch::set_num_threads(threads as i32);
    threads
}

/// Processor time of this process so far, in seconds.
pub fn cpu_seconds() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the clock exists on every Unix, and the pointer is to a timespec of ours.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) };
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}

/// What a spec and the runner say together. A run that asks for a GPU is sent to that one alone, which may have
/// another number where the trainer sees no other.
fn wanted<'a>(spec: &'a str, runner: Option<&'a str>) -> &'a str {
    let is_gpu = |device: &str| device.starts_with("cuda:");
    match runner {
        Some(runner) if spec == "auto" || is_gpu(spec) && is_gpu(runner) => runner,
        _ => spec,
    }
}

/// The device that a word means; opens the CUDA half of libtorch where it may be needed.
fn device(wanted: &str) -> Result<Device, TrainError> {
    let index = match wanted {
        "cpu" => return Ok(Device::Cpu),
        "auto" => {
            return Ok(match open_cuda() {
                Ok(()) if Cuda::is_available() => Device::Cuda(0),
                _ => Device::Cpu,
            });
        }
        other => other.strip_prefix("cuda:").and_then(|n| n.parse::<usize>().ok()),
    };
    let Some(index) = index else {
        return Err(TrainError::Input(format!(
            "`device={wanted}` is not valid: it takes auto, cpu or cuda:N."
        )));
    };
    open_cuda().map_err(|why| TrainError::Input(format!("{wanted} cannot be used: {why}.")))?;
    let count = if Cuda::is_available() { Cuda::device_count() } else { 0 };
    match count {
        0 => Err(TrainError::Input(format!("{wanted} cannot be used: libtorch sees no GPU."))),
        n if index as i64 >= n => Err(TrainError::Input(format!(
            "{wanted} cannot be used: there are {n} GPUs, the last is cuda:{}.",
            n - 1
        ))),
        _ => Ok(Device::Cuda(index)),
    }
}

/// Loads `libtorch_cuda.so` once, so that libtorch finds its CUDA kernels. The executable is linked
/// to the CPU half only: it starts on machines without NVIDIA's libraries, and where no driver is
/// present the half gigabyte is never read.
///
/// # Errors
/// Why there is no CUDA, as a fragment.
pub fn open_cuda() -> Result<(), String> {
    static OPENED: OnceLock<Result<(), String>> = OnceLock::new();
    OPENED
        .get_or_init(|| {
            if !has_nvidia_driver() {
                return Err("no NVIDIA driver is installed".to_owned());
            }
            let name = CString::new("libtorch_cuda.so").map_err(|e| e.to_string())?;
            // SAFETY: the name is a valid C string; libtorch's initialisers run as they would have
            // at program start, before any other thread uses libtorch.
            let handle = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW | libc::RTLD_GLOBAL) };
            if handle.is_null() { Err(dlerror()) } else { Ok(()) }
        })
        .clone()
}

fn dlerror() -> String {
    // SAFETY: dlerror gives null or a C string that stays valid until the next dl call of this
    // thread; it is copied at once.
    let message = unsafe { libc::dlerror() };
    if message.is_null() {
        return "libtorch_cuda.so cannot be loaded".to_owned();
    }
    // SAFETY: not null, as checked above.
    unsafe { CStr::from_ptr(message) }.to_string_lossy().into_owned()
}

fn has_nvidia_driver() -> bool {
    ["/dev/nvidiactl", "/proc/driver/nvidia/version", "/dev/dxg"]
        .iter()
        .any(|path| Path::new(path).exists())
}

/// True where bfloat16 products are known to beat 32-bit ones: on GPUs from Ampere on, and on CPUs
/// with instructions for them (there 1.7 times, see docs/benchmarks.md).
pub fn bf16_is_fast(device: Device) -> bool {
    if let Device::Cuda(index) = device {
        return gpus().capability(index).is_some_and(|(major, _)| major >= 8);
    }
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let flags = cpu.lines().find(|line| line.starts_with("flags")).unwrap_or_default();
    flags.split_ascii_whitespace().any(|f| f == "avx512_bf16" || f == "amx_bf16")
}

/// The GPUs in CUDA's numbering.
fn gpus() -> &'static Gpus {
    static GPUS: OnceLock<Gpus> = OnceLock::new();
    GPUS.get_or_init(Gpus::open)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_runner_decides_which_gpu_and_never_whether_one() {
        for (spec, runner, want) in [
            ("auto", None, "auto"),
            ("auto", Some("cuda:1"), "cuda:1"),
            ("cuda:2", Some("cuda:0"), "cuda:0"),
            ("cuda:2", None, "cuda:2"),
            ("cpu", Some("cuda:0"), "cpu"),
            ("cuda:0", Some("cpu"), "cuda:0"),
        ] {
            assert_eq!(wanted(spec, runner), want, "{spec} {runner:?}");
        }
    }

    #[test]
    fn the_peak_of_this_process_is_known_and_that_of_no_gpu_is_not() {
        let (name, bytes) = peak_memory(Device::Cpu).unwrap();
        assert_eq!(name, PEAK_MEMORY);
        let place = Place { device: Device::Cpu, threads: 1, kind: Kind::Float };
        assert!(bytes.0 >= 1e6 && place.memory().is_some());
        if !Cuda::is_available() {
            assert_eq!(peak_memory(Device::Cuda(0)), None);
        }
    }
}
