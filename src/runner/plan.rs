//! Which queued run goes to which seat of which site. Pure: no clock, no input or output.

use std::collections::BTreeSet;

use crate::spec::{Placement, RunId, RunSpec};
use crate::store::Run;

use super::slots::Seat;

/// What the plan has to know of a run that wants to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Its number.
    pub id: RunId,
    /// A site, or `any`.
    pub site: String,
    /// `auto`, `cpu` or `cuda:N`.
    pub device: String,
    /// 0 = as the seat has.
    pub threads: u32,
}

impl Waiting {
    /// A run with this spec.
    pub fn new(id: RunId, spec: &RunSpec) -> Self {
        Self { id, site: spec.site.clone(), device: spec.device.clone(), threads: spec.threads }
    }

    /// A run of the queue. One that has been at work goes on where its checkpoints lie.
    pub fn of(run: &Run) -> Self {
        let waiting = Self::new(run.id, &run.spec);
        match &run.placement {
            Some(placement) if run.attempt > 0 => Self { site: placement.site.clone(), ..waiting },
            _ => waiting,
        }
    }
}

/// A site as the plan sees it.
#[derive(Debug, Clone, Copy)]
pub struct Offer<'a> {
    /// Its name.
    pub site: &'a str,
    /// Its seats, in the order in which they are filled; `None` while they are not known.
    pub seats: Option<&'a [Seat]>,
    /// False while nothing can be started there.
    pub open: bool,
}

/// What to do with the queue.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// To be started now, in this order.
    pub start: Vec<(RunId, Placement)>,
    /// Runs that no seat will ever take, each with its reason.
    pub never: Vec<(RunId, String)>,
}

/// Gives the free seats to the queue in the order of its ids. `sites` are in the order of preference,
/// `taken` has site and slot. A run that is pinned to a busy site or device waits without holding up
/// those behind it.
pub fn plan(queue: &[Waiting], sites: &[Offer], taken: &BTreeSet<(&str, &str)>) -> Plan {
    let mut order: Vec<&Waiting> = queue.iter().collect();
    order.sort_by_key(|run| run.id);
    let mut free: Vec<(&str, &Seat)> = Vec::new();
    for offer in sites.iter().filter(|offer| offer.open) {
        let seats = offer.seats.unwrap_or_default().iter();
        let seats = seats.filter(|seat| !taken.contains(&(offer.site, seat.slot.as_str())));
        free.extend(seats.map(|seat| (offer.site, seat)));
    }
    let mut plan = Plan::default();
    for run in order {
        let goes = |site: &str| run.site == "any" || run.site == site;
        let fits = |seat: &Seat| match run.device.as_str() {
            "auto" => seat.open,
            pinned => seat.device == pinned,
        };
        let mine: Vec<&Offer> = sites.iter().filter(|offer| goes(offer.site)).collect();
        let hope = |offer: &&Offer| offer.seats.is_none_or(|seats| seats.iter().any(fits));
        if !mine.iter().any(hope) {
            plan.never.push((run.id, no_seat(run, &mine, sites)));
        } else if let Some(i) = free.iter().position(|(site, seat)| goes(site) && fits(seat)) {
            let (site, seat) = free.remove(i);
            let threads = if run.threads == 0 { seat.threads } else { run.threads };
            plan.start.push((
                run.id,
                Placement {
                    site: site.to_owned(),
                    slot: seat.slot.clone(),
                    device: seat.device.clone(),
                    threads,
                },
            ));
        }
    }
    plan
}

fn no_seat(run: &Waiting, mine: &[&Offer], sites: &[Offer]) -> String {
    if mine.is_empty() {
        let names: Vec<&str> = sites.iter().map(|offer| offer.site).collect();
        return format!("There is no site {}; config.toml has {}.", run.site, names.join(", "));
    }
    let seats = mine.iter().flat_map(|offer| offer.seats.unwrap_or_default());
    let mut devices: Vec<&str> = seats.map(|seat| seat.device.as_str()).collect();
    devices.dedup();
    let place = match run.site.as_str() {
        "local" => "on this machine; it".to_owned(),
        "any" => "on any site; they".to_owned(),
        site => format!("on {site}; it"),
    };
    let has = if run.site == "any" { "have" } else { "has" };
    format!("There is no device {} {place} {has} {}.", run.device, devices.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seats(devices: &[&str]) -> Vec<Seat> {
        let gpus = devices.iter().any(|d| d.starts_with("cuda"));
        let seat = |(i, device): (usize, &&str)| Seat {
            slot: if *device == "cpu" { format!("cpu/{i}") } else { (*device).to_owned() },
            device: (*device).to_owned(),
            threads: 4,
            open: *device != "cpu" || !gpus,
        };
        devices.iter().enumerate().map(seat).collect()
    }

    fn queue(runs: &[(u32, &str)]) -> Vec<Waiting> {
        let run = |(id, device): &(u32, &str)| Waiting {
            id: RunId(*id),
            site: "local".to_owned(),
            device: (*device).to_owned(),
            threads: 0,
        };
        runs.iter().map(run).collect()
    }

    fn offer<'a>(site: &'a str, seats: &'a [Seat]) -> Offer<'a> {
        Offer { site, seats: Some(seats), open: true }
    }

    /// `want` lists run and slot of what is started.
    fn check(runs: &[(u32, &str)], devices: &[&str], taken: &[&str], want: &[(u32, &str)]) -> Plan {
        let taken = taken.iter().map(|t| ("local", *t)).collect();
        let seats = seats(devices);
        let plan = plan(&queue(runs), &[offer("local", &seats)], &taken);
        let got: Vec<(u32, &str)> =
            plan.start.iter().map(|(id, at)| (id.0, at.slot.as_str())).collect();
        assert_eq!(got, want);
        plan
    }

    #[test]
    fn the_queue_goes_by_id() {
        check(
            &[(7, "auto"), (3, "auto"), (5, "auto")],
            &["cpu", "cpu"],
            &[],
            &[(3, "cpu/0"), (5, "cpu/1")],
        );
    }

    #[test]
    fn a_taken_seat_stays_taken() {
        check(&[(1, "auto"), (2, "auto")], &["cpu", "cpu"], &["cpu/0"], &[(1, "cpu/1")]);
        check(&[(1, "auto")], &["cpu"], &["cpu/0"], &[]);
        check(&[], &["cpu"], &[], &[]);
    }

    #[test]
    fn auto_means_a_gpu_where_there_is_one() {
        let devices = ["cuda:0", "cuda:1", "cpu"];
        check(
            &[(1, "auto"), (2, "auto"), (3, "auto"), (4, "cpu")],
            &devices,
            &[],
            &[(1, "cuda:0"), (2, "cuda:1"), (4, "cpu/2")],
        );
    }

    #[test]
    fn a_pinned_run_waits_alone() {
        let devices = ["cuda:0", "cuda:1", "cpu"];
        check(
            &[(1, "cuda:1"), (2, "auto"), (3, "cuda:1")],
            &devices,
            &["cuda:1"],
            &[(2, "cuda:0")],
        );
        check(&[(1, "auto"), (2, "cuda:0")], &devices, &[], &[(1, "cuda:0")]);
    }

    #[test]
    fn a_device_that_is_not_there_is_named() {
        let plan = check(&[(1, "cuda:3"), (2, "auto")], &["cpu", "cpu"], &[], &[(2, "cpu/0")]);
        assert_eq!(
            plan.never,
            [(RunId(1), "There is no device cuda:3 on this machine; it has cpu.".to_owned())]
        );
    }

    #[test]
    fn threads_of_the_spec_win() {
        let spec = RunSpec { threads: 3, ..RunSpec::default() };
        let runs = [Waiting::new(RunId(1), &spec), Waiting::new(RunId(2), &RunSpec::default())];
        let seats = seats(&["cpu", "cpu"]);
        let plan = plan(&runs, &[offer("local", &seats)], &BTreeSet::new());
        let threads: Vec<u32> = plan.start.iter().map(|(_, at)| at.threads).collect();
        assert_eq!(threads, [3, 4]);
    }

    /// Where each run goes, of runs that ask for these sites.
    fn places(asked: &[&str], sites: &[Offer], taken: &[(&str, &str)]) -> Vec<String> {
        let run = |(i, site): (usize, &&str)| Waiting {
            id: RunId(i as u32),
            site: (*site).to_owned(),
            device: "auto".to_owned(),
            threads: 0,
        };
        let runs: Vec<Waiting> = asked.iter().enumerate().map(run).collect();
        let plan = plan(&runs, sites, &taken.iter().copied().collect());
        let words = |(id, at): &(RunId, Placement)| format!("{} {}/{}", id.0, at.site, at.slot);
        let never = plan.never.iter().map(|(id, why)| format!("{} {why}", id.0));
        plan.start.iter().map(words).chain(never).collect()
    }

    #[test]
    fn any_fills_the_sites_in_order() {
        let (here, there) = (seats(&["cpu"]), seats(&["cuda:0", "cuda:1", "cpu"]));
        let sites = [offer("local", &here), offer("box", &there)];
        assert_eq!(
            places(&["any", "box", "any", "local"], &sites, &[]),
            ["0 local/cpu/0", "1 box/cuda:0", "2 box/cuda:1"]
        );
        assert_eq!(places(&["any"], &sites, &[("local", "cpu/0")]), ["0 box/cuda:0"]);
        // The same slot's name on another site is another seat.
        assert_eq!(places(&["local"], &sites, &[("box", "cpu/0")]), ["0 local/cpu/0"]);
    }

    #[test]
    fn a_site_that_is_away_is_waited_for() {
        let here = seats(&["cpu"]);
        let away = Offer { site: "box", seats: None, open: false };
        let closed = Offer { site: "hpc", seats: Some(&here), open: false };
        let sites = [offer("local", &here), away, closed];
        let asked = ["box", "hpc", "any", "moon"];
        assert_eq!(
            places(&asked, &sites, &[]),
            ["2 local/cpu/0", "3 There is no site moon; config.toml has local, box, hpc."]
        );
    }
}
