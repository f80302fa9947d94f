//! The sites as the runner knows them: their desks, their seats, what was last heard of them.

use std::collections::BTreeMap;

use crate::board::{Board, Site, SiteKind};
use crate::events::Ending;
use crate::spec::{Outcome, Placement, RunId, RunState};
use crate::store::{SiteInfo, SiteState, SlotInfo};

use super::Result;
use super::folder::{self, Meta};
use super::launch::{Desk, Device, Job, Look, Report};
use super::plan::Offer;
use super::run::Runner;
use super::slots::{Seat, gpu_seats, seats};

/// The site that is this machine.
pub(super) const LOCAL: &str = "local";

/// A site elsewhere.
#[derive(Debug)]
pub(super) struct Place {
    site: Site,
    /// `None` until a run wants to go there: nobody's hosts are called for nothing.
    desk: Option<Desk>,
    look: Option<Look>,
    /// Its seats, once they are known.
    seats: Option<Vec<Seat>>,
    info: SiteInfo,
}

/// Every site but this machine, in the order of preference.
pub(super) fn places(board: &Board) -> Vec<(String, Place)> {
    let elsewhere = board.sites().into_iter().filter(|(name, _)| name != LOCAL);
    let place = |(name, site): (String, Site)| {
        let info = SiteInfo { name: name.clone(), ..SiteInfo::default() };
        (name, Place { site, desk: None, look: None, seats: None, info })
    };
    elsewhere.map(place).collect()
}

impl Place {
    /// Seats that follow from the config alone.
    fn known_seats(&self) -> Option<Vec<Seat>> {
        (self.site.kind == SiteKind::Slurm).then(|| {
            let device = if self.site.gres.contains("gpu") { "cuda:0" } else { "cpu" };
            let seat = |i| Seat {
                slot: format!("job/{i}"),
                device: device.to_owned(),
                threads: self.site.threads.max(self.site.cpus).max(1),
                open: true,
                // Each job has GPUs of its own.
                shared: None,
            };
            (0..self.site.max_jobs).map(seat).collect()
        })
    }

    /// What its seats look like; `runs` says who sits where.
    fn slots(&self, name: &str, runs: &BTreeMap<(&str, &str), RunId>) -> Vec<SlotInfo> {
        let info = |seat: &Seat| {
            let look = self.look.as_ref();
            let gpu = seat.gpu().and_then(|n| look.and_then(|look| look.gpus.get(n))).cloned();
            let gpu = gpu.unwrap_or_default();
            let label = match (self.site.kind, gpu.name.is_empty()) {
                (SiteKind::Slurm, _) => self.site.partition.clone(),
                (_, true) => look.map_or("", |look| look.fact("model")).to_owned(),
                (_, false) => gpu.name,
            };
            SlotInfo {
                site: name.to_owned(),
                slot: seat.slot.clone(),
                label,
                run: runs.get(&(name, seat.slot.as_str())).copied(),
                memory_used: gpu.memory.map(|m| m.0),
                memory_total: gpu.memory.map(|m| m.1),
                busy: gpu.busy,
                temperature: gpu.temperature,
            }
        };
        let seats = self.seats.as_deref().unwrap_or_default().iter().map(info);
        if self.site.kind == SiteKind::Slurm {
            // Seats of a cluster are no devices: only those with a run are worth a line.
            return seats.filter(|slot| slot.run.is_some()).collect();
        }
        seats.collect()
    }
}

impl Runner<'_> {
    /// Opens the desks of sites that a waiting run could go to.
    pub(super) fn open_desks(&mut self, wanted: &[String]) {
        let any = wanted.iter().any(|site| site == "any");
        let names: Vec<String> = self.places.iter().map(|(name, _)| name.clone()).collect();
        for name in names.into_iter().filter(|name| any || wanted.contains(name)) {
            self.desk(&name);
        }
    }

    /// The desk of a site, opened if need be; `None` if the config has no such site.
    pub(super) fn desk(&mut self, name: &str) -> Option<&Desk> {
        let (_, place) = self.places.iter_mut().find(|(known, _)| known == name)?;
        if place.desk.is_none() {
            match Desk::open(self.board, name, &place.site, &self.waker) {
                Ok(desk) => {
                    place.desk = Some(desk);
                    place.seats = place.known_seats();
                }
                Err(trouble) => {
                    place.info.state = SiteState::Unreachable;
                    trouble.why().clone_into(&mut place.info.why);
                }
            }
        }
        place.desk.as_ref()
    }

    /// What the plan may fill.
    pub(super) fn offers(&self) -> Vec<Offer<'_>> {
        let rank = self.board.sites().iter().position(|(name, _)| name == LOCAL).unwrap_or(0);
        let mut offers: Vec<Offer> = self
            .places
            .iter()
            .map(|(name, place)| Offer {
                site: name,
                seats: place.seats.as_deref(),
                open: place.info.state == SiteState::Up,
            })
            .collect();
        let local = Offer { site: LOCAL, seats: Some(&self.slots.seats), open: true };
        offers.insert(rank.min(offers.len()), local);
        offers
    }

    /// Hands an attempt of a run over to its site. A site that is no longer in the config cannot be
    /// asked: its runs stay as they are until it is back.
    pub(super) fn hand_over(&mut self, id: RunId, new: bool) {
        let Some(live) = self.live.get(&id) else { return };
        let placement = live.placement.clone();
        let meta = Meta::read(self.board, id);
        let job = Job {
            id,
            name: format!("{id}-{:x}", live.run.created),
            ticket: meta.ticket,
            attempt: live.run.attempt.max(1),
            new,
            placement: placement.clone(),
            spec: live.run.spec.clone(),
        };
        if let Some(desk) = self.desk(&placement.site) {
            desk.submit(job);
        } else {
            self.note(&format!("{id}: its site {} is not in config.toml", placement.site));
        }
    }

    /// Passes on that a run elsewhere is to end.
    pub(super) fn end_elsewhere(&mut self, id: RunId, placement: &Placement) {
        if let Some(desk) = self.desk(&placement.site) {
            desk.end(id);
        }
    }

    /// Takes in what a site's thread has to tell.
    pub(super) fn heard(&mut self, name: &str, report: Report) {
        let Some((_, place)) = self.places.iter_mut().find(|(known, _)| known == name) else {
            return;
        };
        match report {
            Report::Look(look) => {
                let seats = place.known_seats().unwrap_or_else(|| found_seats(&place.site, &look));
                self.replan |= place.seats.as_ref() != Some(&seats);
                place.info.devices = seats_in_words(&seats, &look);
                place.seats = Some(seats);
                place.look = Some(look);
            }
            Report::State(state, seen, why) => {
                self.replan |= place.info.state != state;
                let changed = place.info.state != state || place.info.why != why;
                place.info.state = state;
                place.info.seen = seen.or(place.info.seen);
                place.info.why.clone_from(&why);
                if changed {
                    self.note(&format!("{name}: {} {why}", state.word()));
                }
            }
            Report::Remark(id, text) => {
                if text.is_empty() {
                    place.info.runs.remove(&id);
                } else {
                    place.info.runs.insert(id, text);
                }
            }
            Report::Note(text) => self.note(&text),
            Report::Freed(id) => {
                if let Some(live) = self.live.get_mut(&id) {
                    live.freed = true;
                    self.replan = true;
                }
            }
            Report::Ended(id, exit) => {
                place.info.runs.remove(&id);
                if let Some(live) = self.live.get_mut(&id) {
                    live.exit = Some(exit);
                }
            }
            Report::Refused(id, why) => {
                place.info.runs.remove(&id);
                if let Some(live) = self.live.get_mut(&id) {
                    live.refused = Some(why);
                }
            }
            Report::Restarts(id, restarts) => {
                if let Err(e) = self.restarted(id, restarts) {
                    self.note(&e.to_string());
                }
            }
        }
    }

    /// The cluster has started a run again by itself: another attempt of the same run.
    fn restarted(&mut self, id: RunId, restarts: u32) -> Result<()> {
        let Some(live) = self.live.get_mut(&id) else { return Ok(()) };
        // What the interrupted attempt said of its end is void, unless the new one has spoken already.
        let spoken = matches!(self.store.ending(id)?, Some((Ending::Done | Ending::Failed, _)));
        let attempt = Meta::read(self.board, id).attempt + restarts;
        if !spoken && attempt > live.run.attempt {
            live.run.attempt = attempt;
            self.store.lease(id, attempt, &live.placement, None)?;
        }
        self.note(&format!("{id}: started again by the cluster, attempt {attempt}"));
        Ok(())
    }

    /// Ends runs that their site will not take.
    pub(super) fn settle_refused(&mut self, id: RunId) -> Result<()> {
        let Some(why) = self.live.get(&id).and_then(|live| live.refused.clone()) else {
            return Ok(());
        };
        let last_lines = folder::last_lines(&self.board.out_log(id), 20);
        let outcome = Outcome::Failed { why: why.clone(), last_lines };
        let mut meta = Meta::read(self.board, id);
        meta.outcome = Some(outcome.clone());
        meta.write(self.board, id).map_err(super::RunnerError::io(&self.board.run(id)))?;
        self.store.set_state(id, &RunState::Ended(outcome))?;
        self.live.remove(&id);
        self.replan = true;
        self.note(&format!("{id}: cannot be started there: {why}"));
        Ok(())
    }

    /// Sites and their seats, for the report.
    pub(super) fn look_at_sites(&self) -> (Vec<SiteInfo>, Vec<SlotInfo>) {
        let seated =
            self.live.iter().filter(|(_, live)| !live.freed).map(|(id, live)| {
                ((live.placement.site.as_str(), live.placement.slot.as_str()), *id)
            });
        let runs: BTreeMap<(&str, &str), RunId> = seated.collect();
        let (mut infos, mut slots) = (Vec::new(), Vec::new());
        for (name, place) in &self.places {
            let all = place.seats.as_ref().map_or(0, |seats| seats.len() as u32);
            let taken = runs.keys().filter(|(site, _)| site == name).count() as u32;
            infos.push(SiteInfo {
                slots: all,
                free: all.saturating_sub(taken),
                ..place.info.clone()
            });
            slots.extend(place.slots(name, &runs));
        }
        (infos, slots)
    }
}

/// `2 x A100`, `8 CPU threads`.
fn seats_in_words(seats: &[Seat], look: &Look) -> Vec<String> {
    let mut words: Vec<String> = look.gpus.iter().map(|gpu| gpu.name.clone()).collect();
    if words.is_empty() && !seats.is_empty() {
        words.push(format!("{}, {} threads", look.fact("model"), look.fact("cores")));
    }
    words
}

/// Seats on the devices that the config names, or else on those that were found.
fn found_seats(site: &Site, look: &Look) -> Vec<Seat> {
    let cores = look.number("cores").map_or(1, |n| n as u32);
    let total = |gpu: &Device| gpu.memory.map(|memory| memory.1);
    if site.devices.is_empty() {
        return seats(site, &look.gpus.iter().map(total).collect::<Vec<_>>(), cores);
    }
    let named = &site.devices;
    let gpus = named.iter().any(|device| device != "cpu");
    let seats = |(i, device): (usize, &String)| {
        let seat = Seat {
            slot: format!("cpu/{i}"),
            device: device.clone(),
            threads: 0,
            open: !gpus,
            shared: None,
        };
        let Some(n) = seat.gpu() else { return vec![seat] };
        let memory = look.gpus.get(n).and_then(total);
        gpu_seats(device.clone(), memory, site.gpu_runs, 0)
    };
    let mut all: Vec<Seat> = named.iter().enumerate().flat_map(seats).collect();
    let threads = site.share(all.len() as u32, cores);
    for seat in &mut all {
        seat.threads = threads;
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_seats_of_named_devices_share_the_cores() {
        let gpu = Device { memory: Some((0, 1 << 34)), ..Device::default() };
        let facts = [("cores".to_owned(), "16".to_owned())].into();
        let look = Look { facts, gpus: vec![gpu.clone(), gpu], ..Look::default() };
        let check = |gpu_runs, want: &[(&str, u32)]| {
            let devices = ["cuda:1", "cpu"].map(str::to_owned).into();
            let site = Site { gpu_runs, devices, ..Site::default() };
            let seats = found_seats(&site, &look);
            let got: Vec<_> = seats.iter().map(|seat| (seat.slot.as_str(), seat.threads)).collect();
            assert_eq!(got, want);
        };
        check(0, &[("cuda:1", 8), ("cpu/1", 8)]);
        check(3, &[("cuda:1", 4), ("cuda:1/1", 4), ("cuda:1/2", 4), ("cpu/1", 4)]);
    }
}
