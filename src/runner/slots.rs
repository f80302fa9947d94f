//! Slots for runs, those of this machine, and what their devices report.

use std::collections::BTreeMap;
use std::fs;
use std::thread;

use crate::board::Site;
use crate::gpus::{Gpu, Gpus};
use crate::spec::RunId;
use crate::store::SlotInfo;

/// The site that is this machine.
pub(super) const LOCAL: &str = "local";

/// A place for one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// `cuda:0`, `cpu/1`.
    pub name: String,
    /// `cuda:0`, `cpu`.
    pub device: String,
    /// CPU threads of a run here.
    pub threads: u32,
    /// False if only runs that ask for this device come here.
    pub open: bool,
    /// Bytes of the GPU that this slot shares with others of the same device; `None` if it has a device to
    /// itself.
    pub shared: Option<u64>,
}

impl Slot {
    /// The number of its GPU.
    pub(super) fn gpu(&self) -> Option<usize> {
        gpu_number(&self.device)
    }
}

/// `cuda:1` -> 1.
fn gpu_number(device: &str) -> Option<usize> {
    device.strip_prefix("cuda:")?.parse().ok()
}

/// One slot per GPU, then the CPU's: as many as the site's `slots`, or one. Where there are GPUs the CPU
/// serves only runs with `device=cpu`. Unless the config says otherwise, slots of a kind share the cores.
/// `gpus` has the bytes of each GPU: where they are known, up to `gpu_runs` slots share it.
pub fn slots(site: &Site, gpus: &[Option<u64>], cores: u32) -> Vec<Slot> {
    let cpus = site.slots.max(1);
    let runs = |memory: &Option<u64>| if memory.is_some() { site.gpu_runs.max(1) } else { 1 };
    let threads = site.share(gpus.iter().map(runs).sum(), cores);
    let gpu = |(i, memory): (usize, &Option<u64>)| {
        gpu_slots(format!("cuda:{i}"), *memory, site.gpu_runs, threads)
    };
    let cpu = |i: u32| Slot {
        name: format!("cpu/{i}"),
        device: "cpu".to_owned(),
        threads: site.share(cpus, cores),
        open: gpus.is_empty(),
        shared: None,
    };
    gpus.iter().enumerate().flat_map(gpu).chain((0..cpus).map(cpu)).collect()
}

/// The slots of one GPU: `cuda:0`, and where `runs` may share it `cuda:0/1` and so on.
pub(super) fn gpu_slots(device: String, memory: Option<u64>, runs: u32, threads: u32) -> Vec<Slot> {
    let shared = memory.filter(|_| runs > 1);
    let slot = |n: u32| Slot {
        name: if n == 0 { device.clone() } else { format!("{device}/{n}") },
        device: device.clone(),
        threads,
        open: true,
        shared,
    };
    (0..shared.map_or(1, |_| runs)).map(slot).collect()
}

/// The slots of this machine and the instruments that watch them.
#[derive(Debug)]
pub(super) struct Machine {
    /// In the order in which they are filled.
    pub slots: Vec<Slot>,
    gpus: Gpus,
    processor: String,
    /// Busy and total time of all cores at the last look.
    ticks: (u64, u64),
}

impl Machine {
    /// Looks at the machine.
    pub(super) fn of(site: &Site) -> Self {
        let gpus = Gpus::open();
        // Where one process at a time may use a GPU, runs cannot share it, whatever its memory.
        let memory = |(at, gpu): (usize, &Gpu)| gpu.memory_total.filter(|_| gpus.is_shared(at));
        let memory: Vec<Option<u64>> = gpus.look().iter().enumerate().map(memory).collect();
        let cores = thread::available_parallelism().map_or(1, |n| n.get() as u32);
        let model = first_value("/proc/cpuinfo", "model name").unwrap_or_else(|| "CPU".to_owned());
        Self {
            slots: slots(site, &memory, cores),
            gpus,
            processor: format!("{model}, {cores} threads"),
            ticks: processor_ticks(),
        }
    }

    /// What a trainer on this device must be told to see it alone; see [`Gpus::alone`].
    pub(super) fn alone(&self, device: &str) -> Option<&str> {
        self.gpus.alone(gpu_number(device)?)
    }

    /// What every slot looks like now; `runs` says which run is where.
    pub(super) fn look(&mut self, runs: &BTreeMap<&str, RunId>) -> Vec<SlotInfo> {
        let before = self.ticks;
        self.ticks = processor_ticks();
        let (busy, all) =
            (self.ticks.0.saturating_sub(before.0), self.ticks.1.saturating_sub(before.1));
        let memory = memory();
        let cpu = Gpu {
            name: self.processor.clone(),
            memory_used: memory.map(|(used, _)| used),
            memory_total: memory.map(|(_, total)| total),
            busy: (all > 0).then(|| 100.0 * busy as f32 / all as f32),
            temperature: None,
        };
        let gpus = self.gpus.look();
        let info = |slot: &Slot| {
            let device = slot.gpu().and_then(|n| gpus.get(n)).unwrap_or(&cpu);
            SlotInfo {
                site: LOCAL.to_owned(),
                slot: slot.name.clone(),
                label: device.name.clone(),
                run: runs.get(slot.name.as_str()).copied(),
                memory_used: device.memory_used,
                memory_total: device.memory_total,
                busy: device.busy,
                temperature: device.temperature,
            }
        };
        self.slots.iter().map(info).collect()
    }
}

/// Bytes of memory in use and in all.
fn memory() -> Option<(u64, u64)> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let bytes = |name: &str| {
        let kib = text.lines().find_map(|line| line.strip_prefix(name))?;
        Some(kib.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()? << 10)
    };
    let total = bytes("MemTotal:")?;
    Some((total.saturating_sub(bytes("MemAvailable:")?), total))
}

/// Time that all cores together were busy, and in all, in kernel ticks.
fn processor_ticks() -> (u64, u64) {
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    let ticks = text.lines().next().unwrap_or_default().split_ascii_whitespace().skip(1);
    // user nice system idle iowait irq softirq steal; guest time is counted in user already.
    let ticks: Vec<u64> = ticks.take(8).map(|n| n.parse().unwrap_or(0)).collect();
    let all = ticks.iter().sum::<u64>();
    let idle = ticks.iter().skip(3).take(2).sum::<u64>();
    (all - idle, all)
}

fn first_value(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(count: u32, threads: u32, gpus: usize, want: &[(&str, u32, bool)]) {
        let site = Site { slots: count, threads, ..Site::default() };
        let slots = slots(&site, &vec![Some(1 << 34); gpus], 16);
        let got: Vec<(&str, u32, bool)> =
            slots.iter().map(|s| (s.name.as_str(), s.threads, s.open)).collect();
        assert_eq!(got, want);
    }

    #[test]
    fn slots_follow_the_machine_and_the_config() {
        check(0, 0, 0, &[("cpu/0", 16, true)]);
        check(3, 0, 0, &[("cpu/0", 5, true), ("cpu/1", 5, true), ("cpu/2", 5, true)]);
        check(2, 3, 0, &[("cpu/0", 3, true), ("cpu/1", 3, true)]);
        check(0, 0, 2, &[("cuda:0", 8, true), ("cuda:1", 8, true), ("cpu/0", 16, false)]);
    }

    #[test]
    fn more_slots_than_cores_still_have_a_thread_each() {
        let site = Site { slots: 40, ..Site::default() };
        assert!(slots(&site, &[], 16).iter().all(|slot| slot.threads == 1));
    }

    #[test]
    fn a_gpu_has_several_slots_if_the_config_says_so_and_its_memory_is_known() {
        let site = Site { gpu_runs: 3, ..Site::default() };
        let slots = slots(&site, &[Some(1 << 34), None], 16);
        let got: Vec<_> = slots.iter().map(|s| (s.name.as_str(), s.threads, s.shared)).collect();
        let all = Some(1 << 34);
        let shared = ["cuda:0", "cuda:0/1", "cuda:0/2"].map(|name| (name, 4, all));
        assert_eq!(got, [&shared[..], &[("cuda:1", 4, None), ("cpu/0", 16, None)]].concat());
        assert!(slots.iter().take(3).all(|slot| slot.gpu() == Some(0)));
    }

    #[test]
    fn this_machine_reports_itself() {
        let mut machine = Machine::of(&Site::default());
        let infos = machine.look(&BTreeMap::from([("cpu/0", RunId(4))]));
        assert_eq!(infos.len(), machine.slots.len());
        let cpu = infos.last().unwrap();
        assert_eq!((cpu.slot.as_str(), cpu.run), ("cpu/0", Some(RunId(4))));
        assert!(cpu.memory_used.unwrap() < cpu.memory_total.unwrap());
        assert!(cpu.busy.is_none_or(|busy| (0.0..=100.0).contains(&busy)));
    }
}
