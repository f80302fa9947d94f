//! What the NVIDIA driver tells. It is opened at run time: without one there are simply no GPUs.

use std::env;
use std::ffi::OsStr;
use std::fmt;

use nvml_wrapper::enum_wrappers::device::TemperatureSensor;
use nvml_wrapper::{Device, Nvml};

/// One device at one moment; what the driver does not tell stays `None`.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Gpu {
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

/// The GPUs that programs may use here. The one at position N is `cuda:N`.
pub(super) struct Gpus {
    driver: Option<Nvml>,
    /// The driver's own numbers.
    numbers: Vec<u32>,
}

impl fmt::Debug for Gpus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gpus").field("numbers", &self.numbers).finish_non_exhaustive()
    }
}

impl Gpus {
    /// Asks the driver, if there is one.
    pub(super) fn open() -> Self {
        // The plain name is a link that only development packages bring.
        let driver = ["libnvidia-ml.so.1", "libnvidia-ml.so"]
            .iter()
            .find_map(|name| Nvml::builder().lib_path(OsStr::new(name)).init().ok());
        let Some(nvml) = &driver else { return Self { driver, numbers: Vec::new() } };
        let count = nvml.device_count().unwrap_or(0);
        let uuid = |i| nvml.device_by_index(i).and_then(|gpu| gpu.uuid()).unwrap_or_default();
        let uuids: Vec<String> = (0..count).map(uuid).collect();
        let numbers = visible(env::var("CUDA_VISIBLE_DEVICES").ok().as_deref(), &uuids);
        Self { driver, numbers }
    }

    /// All of them, in order.
    pub(super) fn look(&self) -> Vec<Gpu> {
        let Some(nvml) = &self.driver else { return Vec::new() };
        let look = |n: &u32| nvml.device_by_index(*n).map(|gpu| snapshot(&gpu)).unwrap_or_default();
        self.numbers.iter().map(look).collect()
    }
}

fn snapshot(gpu: &Device<'_>) -> Gpu {
    let memory = gpu.memory_info().ok();
    Gpu {
        name: gpu.name().unwrap_or_else(|_| "GPU".to_owned()),
        memory_used: memory.as_ref().map(|m| m.used),
        memory_total: memory.as_ref().map(|m| m.total),
        busy: gpu.utilization_rates().ok().map(|u| u.gpu as f32),
        temperature: gpu.temperature(TemperatureSensor::Gpu).ok(),
    }
}

/// The driver's numbers of the GPUs that `CUDA_VISIBLE_DEVICES` leaves, in its order. As CUDA does, the
/// list ends at the first entry that names no GPU; entries are numbers or beginnings of UUIDs.
fn visible(variable: Option<&str>, uuids: &[String]) -> Vec<u32> {
    let Some(list) = variable else { return (0..uuids.len() as u32).collect() };
    let find = |entry: &str| {
        let position = match entry.parse::<usize>() {
            Ok(n) => (n < uuids.len()).then_some(n),
            Err(_) if entry.is_empty() => None,
            Err(_) => uuids.iter().position(|uuid| uuid.starts_with(entry)),
        };
        position.map(|n| n as u32)
    };
    list.split(',').map_while(|entry| find(entry.trim())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_is_read_as_cuda_reads_it() {
        let uuids = ["GPU-aa1", "GPU-bb2", "GPU-cc3"].map(str::to_owned);
        let check = |variable, want: &[u32]| assert_eq!(visible(variable, &uuids), want);
        check(None, &[0, 1, 2]);
        check(Some(""), &[]);
        check(Some("-1"), &[]);
        check(Some("2,0"), &[2, 0]);
        check(Some("1, 7, 0"), &[1]);
        check(Some("GPU-bb"), &[1]);
        assert_eq!(visible(None, &[]), [0_u32; 0]);
    }
}
