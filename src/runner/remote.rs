//! A site elsewhere as the runner knows it: its connection, its slots, what was last heard of it.

use std::collections::BTreeMap;
use std::sync::mpsc::Sender;

use crate::board::{Board, Site};
use crate::spec::RunId;
use crate::store::{SiteInfo, SiteState, SlotInfo};

use super::launch::{Connection, Device, HostInfo, scheduler};
use super::live::Wake;
use super::slots::{LOCAL, Slot, gpu_slots, slots};

/// A site elsewhere.
#[derive(Debug)]
pub(super) struct RemoteSite {
    site: Site,
    /// `None` until a run wants to go there: no host is called for nothing.
    connection: Option<Connection>,
    host: Option<HostInfo>,
    /// Its slots, once they are known.
    pub slots: Option<Vec<Slot>>,
    /// What clients are told of it.
    pub info: SiteInfo,
}

/// Every site but this machine, in the order of preference.
pub(super) fn remote_sites(board: &Board) -> Vec<(String, RemoteSite)> {
    let elsewhere = board.sites().into_iter().filter(|(name, _)| name != LOCAL);
    let remote = |(name, site): (String, Site)| {
        let info = SiteInfo { name: name.clone(), ..SiteInfo::default() };
        (name, RemoteSite { site, connection: None, host: None, slots: None, info })
    };
    elsewhere.map(remote).collect()
}

impl RemoteSite {
    /// Its connection, opened if need be; `None` if that fails, which `info` then tells.
    pub(super) fn connection(
        &mut self,
        board: &Board,
        name: &str,
        waker: &Sender<Wake>,
    ) -> Option<&Connection> {
        if self.connection.is_none() {
            let (waker, site) = (waker.clone(), name.to_owned());
            let tell = move |update| drop(waker.send(Wake::Site(site.clone(), update)));
            match Connection::open(board, name, &self.site, Box::new(tell)) {
                Ok(connection) => {
                    self.connection = Some(connection);
                    self.slots = self.queue_slots();
                }
                Err(error) => {
                    self.info.state = SiteState::Unreachable;
                    error.why().clone_into(&mut self.info.why);
                }
            }
        }
        self.connection.as_ref()
    }

    /// Slots that follow from the config alone.
    fn queue_slots(&self) -> Option<Vec<Slot>> {
        let queue = scheduler(&self.site).queue.as_ref()?;
        Some((queue.slots)(&self.site))
    }

    /// Takes in what its host is and has. True if its slots are others now.
    pub(super) fn heard(&mut self, host: HostInfo) -> bool {
        let slots = self.queue_slots().unwrap_or_else(|| found_slots(&self.site, &host));
        let changed = self.slots.as_ref() != Some(&slots);
        self.info.devices = devices_in_words(&slots, &host);
        self.slots = Some(slots);
        self.host = Some(host);
        changed
    }

    /// What its slots look like; `runs` says which run is in which slot of which site.
    pub(super) fn slot_infos(
        &self,
        name: &str,
        runs: &BTreeMap<(&str, &str), RunId>,
    ) -> Vec<SlotInfo> {
        let queue = scheduler(&self.site).queue.as_ref();
        let info = |slot: &Slot| {
            let host = self.host.as_ref();
            let gpu = slot.gpu().and_then(|n| host.and_then(|host| host.gpus.get(n))).cloned();
            let gpu = gpu.unwrap_or_default();
            let label = match (queue, gpu.name.is_empty()) {
                (Some(queue), _) => (queue.label)(&self.site),
                (None, true) => host.map_or("", |host| host.fact("model")).to_owned(),
                (None, false) => gpu.name,
            };
            SlotInfo {
                site: name.to_owned(),
                slot: slot.name.clone(),
                label,
                run: runs.get(&(name, slot.name.as_str())).copied(),
                memory_used: gpu.memory.map(|m| m.0),
                memory_total: gpu.memory.map(|m| m.1),
                busy: gpu.busy,
                temperature: gpu.temperature,
            }
        };
        let infos = self.slots.as_deref().unwrap_or_default().iter().map(info);
        // Slots of a queue are no devices: only those with a run are worth a line.
        infos.filter(|slot| queue.is_none() || slot.run.is_some()).collect()
    }
}

/// `2 x A100`, `8 CPU threads`.
fn devices_in_words(slots: &[Slot], host: &HostInfo) -> Vec<String> {
    let mut words: Vec<String> = host.gpus.iter().map(|gpu| gpu.name.clone()).collect();
    if words.is_empty() && !slots.is_empty() {
        words.push(format!("{}, {} threads", host.fact("model"), host.fact("cores")));
    }
    words
}

/// Slots on the devices that the config names, or else on those that were found.
fn found_slots(site: &Site, host: &HostInfo) -> Vec<Slot> {
    let cores = host.number("cores").map_or(1, |n| n as u32);
    let total = |gpu: &Device| gpu.memory.map(|memory| memory.1);
    if site.devices.is_empty() {
        return slots(site, &host.gpus.iter().map(total).collect::<Vec<_>>(), cores);
    }
    let named = &site.devices;
    let gpus = named.iter().any(|device| device != "cpu");
    let of_device = |(i, device): (usize, &String)| {
        let slot = Slot {
            name: format!("cpu/{i}"),
            device: device.clone(),
            threads: 0,
            open: !gpus,
            shared: None,
        };
        let Some(n) = slot.gpu() else { return vec![slot] };
        let memory = host.gpus.get(n).and_then(total);
        gpu_slots(device.clone(), memory, site.gpu_runs, 0)
    };
    let mut all: Vec<Slot> = named.iter().enumerate().flat_map(of_device).collect();
    let threads = site.share(all.len() as u32, cores);
    for slot in &mut all {
        slot.threads = threads;
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_slots_of_named_devices_share_the_cores() {
        let gpu = Device { memory: Some((0, 1 << 34)), ..Device::default() };
        let facts = [("cores".to_owned(), "16".to_owned())].into();
        let host = HostInfo { facts, gpus: vec![gpu.clone(), gpu], ..HostInfo::default() };
        let check = |gpu_runs, want: &[(&str, u32)]| {
            let devices = ["cuda:1", "cpu"].map(str::to_owned).into();
            let site = Site { gpu_runs, devices, ..Site::default() };
            let slots = found_slots(&site, &host);
            let got: Vec<_> = slots.iter().map(|slot| (slot.name.as_str(), slot.threads)).collect();
            assert_eq!(got, want);
        };
        check(0, &[("cuda:1", 8), ("cpu/1", 8)]);
        check(3, &[("cuda:1", 4), ("cuda:1/1", 4), ("cuda:1/2", 4), ("cpu/1", 4)]);
    }
}
