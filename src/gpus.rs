//! The NVIDIA GPUs that programs may use here, as the driver's library (NVML) tells them. It is opened at run time:
//! without one there are simply no GPUs.

use std::env;
use std::ffi::OsStr;
use std::fmt;
use std::path::PathBuf;

use nvml_wrapper::enum_wrappers::device::{ComputeMode, TemperatureSensor};
use nvml_wrapper::{Device, Nvml};

/// One device at one moment; what the driver does not tell stays `None`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Gpu {
    /// For people.
    pub name: String,
    /// Bytes in use.
    pub memory_used: Option<u64>,
    /// Bytes in all.
    pub memory_total: Option<u64>,
    /// Percent of time busy.
    pub busy: Option<f32>,
    /// Degrees Celsius.
    pub temperature: Option<u32>,
}

/// What CUDA calls a device: a GPU, or one of the instances that a GPU in MIG mode is cut into.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Unit {
    /// The driver's number of the GPU.
    gpu: u32,
    /// The number of the instance within it.
    instance: Option<u32>,
    uuid: String,
}

/// The devices that programs may use here. The one at position N is `cuda:N`.
pub struct Gpus {
    driver: Option<Nvml>,
    units: Vec<Unit>,
}

impl fmt::Debug for Gpus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gpus").field("units", &self.units).finish_non_exhaustive()
    }
}

impl Gpus {
    /// Asks the driver, if there is one.
    pub fn open() -> Self {
        // The plain name is a link that only development packages bring.
        let driver = ["libnvidia-ml.so.1", "libnvidia-ml.so"]
            .iter()
            .find_map(|name| Nvml::builder().lib_path(OsStr::new(name)).init().ok());
        let all = driver.as_ref().map(units).unwrap_or_default();
        let units = visible(env::var("CUDA_VISIBLE_DEVICES").ok().as_deref(), &all);
        Self { driver, units }
    }

    /// All of them, in order.
    pub fn look(&self) -> Vec<Gpu> {
        (0..self.units.len())
            .map(|at| self.device(at).map_or_else(Gpu::default, snapshot))
            .collect()
    }

    /// Whether runs may share `cuda:N`: not where the driver lets one process at a time use it, unless that is MPS.
    pub fn is_shared(&self, at: usize) -> bool {
        // Instances have no mode of their own.
        let mode = self.device(at).and_then(|gpu| gpu.compute_mode().ok());
        let is_alone =
            matches!(mode, Some(ComputeMode::ExclusiveProcess | ComputeMode::ExclusiveThread));
        !is_alone || has_mps()
    }

    /// The compute capability of `cuda:N`, such as (9, 0).
    pub fn capability(&self, at: usize) -> Option<(i32, i32)> {
        let capability = self.device(at)?.cuda_compute_capability().ok()?;
        Some((capability.major, capability.minor))
    }

    /// Bytes of `cuda:N` in use, by all processes.
    pub fn memory_used(&self, at: usize) -> Option<u64> {
        Some(self.device(at)?.memory_info().ok()?.used)
    }

    /// What `CUDA_VISIBLE_DEVICES` must say for a process that is to see `cuda:N` alone, as its `cuda:0`. Some where
    /// there are instances of MIG: of these CUDA shows a process one, and the others have no number.
    pub fn alone(&self, at: usize) -> Option<&str> {
        let has_instances = self.units.iter().any(|unit| unit.instance.is_some());
        self.units.get(at).filter(|_| has_instances).map(|unit| unit.uuid.as_str())
    }

    fn device(&self, at: usize) -> Option<Device<'_>> {
        let unit = self.units.get(at)?;
        let gpu = self.driver.as_ref()?.device_by_index(unit.gpu).ok()?;
        match unit.instance {
            Some(instance) => gpu.mig_device_by_index(instance).ok(),
            None => Some(gpu),
        }
    }
}

/// True if NVIDIA's multi-process service runs: processes then compute on one GPU at the same time, else in turns.
pub fn has_mps() -> bool {
    let folder = env::var_os("CUDA_MPS_PIPE_DIRECTORY").filter(|folder| !folder.is_empty());
    let folder = folder.map_or_else(|| PathBuf::from("/tmp/nvidia-mps"), PathBuf::from);
    folder.join("control").exists()
}

/// All units of the machine, in the driver's order.
fn units(nvml: &Nvml) -> Vec<Unit> {
    let mut all = Vec::new();
    for gpu in 0..nvml.device_count().unwrap_or(0) {
        let Ok(device) = nvml.device_by_index(gpu) else { continue };
        let is_cut = device.mig_mode().is_ok_and(|mode| mode.current != 0);
        let most = if is_cut { device.mig_device_count().unwrap_or(0) } else { 0 };
        for instance in 0..most {
            let uuid = device.mig_device_by_index(instance).and_then(|part| part.uuid());
            all.extend(uuid.ok().map(|uuid| Unit { gpu, instance: Some(instance), uuid }));
        }
        // A GPU in MIG mode without instances computes nothing.
        if !is_cut {
            all.push(Unit { gpu, instance: None, uuid: device.uuid().unwrap_or_default() });
        }
    }
    all
}

fn snapshot(gpu: Device<'_>) -> Gpu {
    let memory = gpu.memory_info().ok();
    Gpu {
        name: gpu.name().unwrap_or_else(|_| "GPU".to_owned()),
        memory_used: memory.as_ref().map(|m| m.used),
        memory_total: memory.as_ref().map(|m| m.total),
        busy: gpu.utilization_rates().ok().map(|u| u.gpu as f32),
        temperature: gpu.temperature(TemperatureSensor::Gpu).ok(),
    }
}

/// The units that `CUDA_VISIBLE_DEVICES` leaves, in its order. As CUDA does, the list ends at the first entry that
/// names none; entries are numbers of GPUs or beginnings of one UUID, those of instances included. The number of a GPU
/// in MIG mode means all its instances.
fn visible(variable: Option<&str>, all: &[Unit]) -> Vec<Unit> {
    let Some(list) = variable else { return all.to_vec() };
    let find = |entry: &str| -> Option<Vec<Unit>> {
        let number = entry.parse::<u32>().ok();
        let is_meant = |unit: &&Unit| match number {
            Some(number) => unit.gpu == number,
            None => unit.uuid.starts_with(entry),
        };
        let meant: Vec<Unit> = all.iter().filter(is_meant).cloned().collect();
        let is_clear = meant.len() == 1 || number.is_some() && !meant.is_empty();
        (is_clear && !entry.is_empty()).then_some(meant)
    };
    list.split(',').map_while(|entry| find(entry.trim())).flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(gpu: u32, instance: Option<u32>, uuid: &str) -> Unit {
        Unit { gpu, instance, uuid: uuid.to_owned() }
    }

    #[test]
    fn the_variable_is_read_as_cuda_reads_it() {
        let all = [unit(0, None, "GPU-aa1"), unit(1, None, "GPU-bb2"), unit(2, None, "GPU-bc3")];
        let check = |variable, want: &[u32]| {
            let got: Vec<u32> = visible(variable, &all).iter().map(|unit| unit.gpu).collect();
            assert_eq!(got, want, "{variable:?}");
        };
        check(None, &[0, 1, 2]);
        check(Some(""), &[]);
        check(Some("-1"), &[]);
        check(Some("2,0"), &[2, 0]);
        check(Some("1, 7, 0"), &[1]);
        check(Some("GPU-bb"), &[1]);
        check(Some("GPU-b,0"), &[]);
        assert_eq!(visible(None, &[]), []);
    }

    #[test]
    fn instances_are_devices_of_their_own() {
        let all =
            [unit(0, Some(0), "MIG-11"), unit(0, Some(1), "MIG-12"), unit(1, None, "GPU-bb2")];
        let check = |variable, want: &[&str]| {
            let got = visible(variable, &all);
            assert_eq!(got.iter().map(|unit| unit.uuid.as_str()).collect::<Vec<_>>(), want);
        };
        check(None, &["MIG-11", "MIG-12", "GPU-bb2"]);
        check(Some("MIG-12"), &["MIG-12"]);
        check(Some("1,MIG-11"), &["GPU-bb2", "MIG-11"]);
        check(Some("0"), &["MIG-11", "MIG-12"]);
        let gpus = Gpus { driver: None, units: visible(Some("1,MIG-11"), &all) };
        assert_eq!([0, 1, 2].map(|at| gpus.alone(at)), [Some("GPU-bb2"), Some("MIG-11"), None]);
        let whole = Gpus { driver: None, units: visible(Some("1"), &all) };
        assert_eq!(whole.alone(0), None);
    }
}
