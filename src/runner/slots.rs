//! The seats of this machine, and what their devices tell of themselves.

use std::collections::BTreeMap;
use std::fs;
use std::thread;

use crate::board::Site;
use crate::spec::RunId;
use crate::store::SlotInfo;

use super::gpu::{Gpu, Gpus};

/// A place for one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seat {
    /// `cuda:0`, `cpu/1`.
    pub slot: String,
    /// `cuda:0`, `cpu`.
    pub device: String,
    /// CPU threads of a run here.
    pub threads: u32,
    /// False if only runs that ask for this device come here.
    pub open: bool,
}

/// One seat per GPU, then the CPU's: `slots` of them, or one. Where there are GPUs the CPU serves only
/// runs with `device=cpu`. Unless the config says otherwise, seats of a kind share the cores.
pub fn seats(site: &Site, gpus: usize, cores: u32) -> Vec<Seat> {
    let cpus = site.slots.max(1);
    let share = |seats: u32| match site.threads {
        0 => (cores / seats.max(1)).max(1),
        given => given,
    };
    let gpu = |i: usize| Seat {
        slot: format!("cuda:{i}"),
        device: format!("cuda:{i}"),
        threads: share(gpus as u32),
        open: true,
    };
    let cpu = |i: u32| Seat {
        slot: format!("cpu/{i}"),
        device: "cpu".to_owned(),
        threads: share(cpus),
        open: gpus == 0,
    };
    (0..gpus).map(gpu).chain((0..cpus).map(cpu)).collect()
}

/// The machine's seats and the instruments that watch them.
#[derive(Debug)]
pub(super) struct Slots {
    /// In the order in which they are filled.
    pub seats: Vec<Seat>,
    gpus: Gpus,
    processor: String,
    /// Busy and total time of all cores at the last look.
    ticks: (u64, u64),
}

impl Slots {
    /// Looks at the machine.
    pub(super) fn of(site: &Site) -> Self {
        let gpus = Gpus::open();
        let cores = thread::available_parallelism().map_or(1, |n| n.get() as u32);
        let model = first_value("/proc/cpuinfo", "model name").unwrap_or_else(|| "CPU".to_owned());
        Self {
            seats: seats(site, gpus.len(), cores),
            gpus,
            processor: format!("{model}, {cores} threads"),
            ticks: processor_ticks(),
        }
    }

    /// What every seat looks like now; `runs` says who sits where.
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
        let devices = gpus.iter().chain(std::iter::repeat(&cpu));
        let info = |(seat, device): (&Seat, &Gpu)| SlotInfo {
            site: super::sites::LOCAL.to_owned(),
            slot: seat.slot.clone(),
            label: device.name.clone(),
            run: runs.get(seat.slot.as_str()).copied(),
            memory_used: device.memory_used,
            memory_total: device.memory_total,
            busy: device.busy,
            temperature: device.temperature,
        };
        self.seats.iter().zip(devices).map(info).collect()
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

    fn check(slots: u32, threads: u32, gpus: usize, want: &[(&str, u32, bool)]) {
        let site = Site { slots, threads, ..Site::default() };
        let seats = seats(&site, gpus, 16);
        let got: Vec<(&str, u32, bool)> =
            seats.iter().map(|s| (s.slot.as_str(), s.threads, s.open)).collect();
        assert_eq!(got, want);
    }

    #[test]
    fn seats_follow_the_machine_and_the_config() {
        check(0, 0, 0, &[("cpu/0", 16, true)]);
        check(3, 0, 0, &[("cpu/0", 5, true), ("cpu/1", 5, true), ("cpu/2", 5, true)]);
        check(2, 3, 0, &[("cpu/0", 3, true), ("cpu/1", 3, true)]);
        check(0, 0, 2, &[("cuda:0", 8, true), ("cuda:1", 8, true), ("cpu/0", 16, false)]);
    }

    #[test]
    fn more_seats_than_cores_still_have_a_thread_each() {
        let site = Site { slots: 40, ..Site::default() };
        assert!(seats(&site, 0, 16).iter().all(|seat| seat.threads == 1));
    }

    #[test]
    fn this_machine_tells_of_itself() {
        let mut slots = Slots::of(&Site::default());
        let infos = slots.look(&BTreeMap::from([("cpu/0", RunId(4))]));
        assert_eq!(infos.len(), slots.seats.len());
        let cpu = infos.last().unwrap();
        assert_eq!((cpu.slot.as_str(), cpu.run), ("cpu/0", Some(RunId(4))));
        assert!(cpu.memory_used.unwrap() < cpu.memory_total.unwrap());
        assert!(cpu.busy.is_none_or(|busy| (0.0..=100.0).contains(&busy)));
    }
}
