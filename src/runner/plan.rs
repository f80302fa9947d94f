//! Which queued run goes to which slot of which site. Pure: no clock, no input or output.

use std::collections::BTreeSet;

use crate::spec::{Placement, RunId};

use super::slots::Slot;
use super::waiting::Waiting;

/// A site as the plan sees it.
#[derive(Debug, Clone, Copy)]
pub struct Offer<'a> {
    /// Its name.
    pub site: &'a str,
    /// Its slots, in the order in which they are filled; `None` while they are not known.
    pub slots: Option<&'a [Slot]>,
    /// False while nothing can be started there.
    pub open: bool,
}

/// What to do with the queue.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Assignments {
    /// To be started now, in this order.
    pub start: Vec<(RunId, Placement)>,
    /// Runs that no slot will ever take, each with its reason.
    pub never: Vec<(RunId, String)>,
}

/// Gives the free slots to the queue in its order. `sites` are in the order of preference,
/// `taken` says where live runs are. A run that is pinned to a busy site or device waits without holding
/// up those behind it.
///
/// A shared GPU takes a run beside others if the most memory of each, as `peak` tells it, fits in all.
/// Nobody is let in there past a run further ahead that could go there too: it would wait for ever.
pub fn plan(
    queue: &[Waiting],
    sites: &[Offer],
    taken: &[(RunId, &Placement)],
    peak: &dyn Fn(RunId) -> Option<u64>,
) -> Assignments {
    let mut order: Vec<&Waiting> = queue.iter().collect();
    order.sort_by_key(|run| (run.turn, run.id));
    let mut free: Vec<(usize, &str, &Slot)> = Vec::new();
    for (rank, offer) in sites.iter().enumerate().filter(|(_, offer)| offer.open) {
        let is_free = |slot: &&Slot| {
            !taken.iter().any(|(_, at)| (at.site.as_str(), &at.slot) == (offer.site, &slot.name))
        };
        let slots = offer.slots.unwrap_or_default().iter().filter(is_free);
        free.extend(slots.map(|slot| (rank, offer.site, slot)));
    }
    let mut waited_for: BTreeSet<(&str, &str)> = BTreeSet::new();
    let mut plan = Assignments::default();
    for run in order {
        let goes = |site: &str| run.site == "any" || run.site == site;
        let fits = |slot: &Slot| match run.device.as_str() {
            "auto" => slot.open,
            pinned => slot.device == pinned,
        };
        let mine: Vec<&Offer> = sites.iter().filter(|offer| goes(offer.site)).collect();
        let hope = |offer: &&Offer| offer.slots.is_none_or(|slots| slots.iter().any(fits));
        if !mine.iter().any(hope) {
            plan.never.push((run.id, no_slot(run, &mine, sites)));
            continue;
        }
        // How many runs it would share the device with; `None` if it may not.
        let company = |site: &str, slot: &Slot| {
            let Some(memory) = slot.shared else { return Some(0) };
            let here = |at: &Placement| at.site == site && at.device == slot.device;
            let started = plan.start.iter().filter(|(_, at)| here(at)).map(|(id, _)| *id);
            let taken = taken.iter().filter(|(_, at)| here(at)).map(|(id, _)| *id);
            let others: Vec<RunId> = taken.chain(started).collect();
            let may = others.is_empty()
                || !waited_for.contains(&(site, slot.device.as_str()))
                    && fit(others.iter().copied().chain([run.id]).map(peak), memory);
            may.then_some(others.len())
        };
        let mine = free.iter().enumerate().filter(|(_, (_, site, slot))| goes(site) && fits(slot));
        let ranked = mine
            .clone()
            .filter_map(|(i, (rank, site, slot))| Some((*rank, company(site, slot)?, i)));
        if let Some((_, _, i)) = ranked.min() {
            let (_, site, slot) = free.remove(i);
            let threads = if run.threads == 0 { slot.threads } else { run.threads };
            plan.start.push((
                run.id,
                Placement {
                    site: site.to_owned(),
                    slot: slot.name.clone(),
                    device: slot.device.clone(),
                    threads,
                },
            ));
        } else {
            waited_for.extend(mine.map(|(_, (_, site, slot))| (*site, slot.device.as_str())));
        }
    }
    plan
}

/// What each run holds of a GPU beside libtorch's tensors: the driver's context, kernels.
const CONTEXT: u64 = 1 << 30;

/// Whether runs with these peaks fit into a GPU at once, with a tenth and at least 1 GiB to spare.
fn fit(mut peaks: impl Iterator<Item = Option<u64>>, memory: u64) -> bool {
    let sum = peaks.try_fold(0_u64, |sum, peak| sum.checked_add(peak?)?.checked_add(CONTEXT));
    sum.and_then(|sum| sum.checked_add((sum / 10).max(1 << 30))).is_some_and(|sum| sum <= memory)
}

fn no_slot(run: &Waiting, mine: &[&Offer], sites: &[Offer]) -> String {
    if mine.is_empty() {
        let names: Vec<&str> = sites.iter().map(|offer| offer.site).collect();
        return format!("There is no site {}; config.toml has {}.", run.site, names.join(", "));
    }
    let slots = mine.iter().flat_map(|offer| offer.slots.unwrap_or_default());
    let mut devices: Vec<&str> = slots.map(|slot| slot.device.as_str()).collect();
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
    use crate::runner::slots::gpu_slots;
    use crate::spec::RunSpec;

    fn slots(devices: &[&str]) -> Vec<Slot> {
        let gpus = devices.iter().any(|d| d.starts_with("cuda"));
        let slot = |(i, device): (usize, &&str)| Slot {
            name: if *device == "cpu" { format!("cpu/{i}") } else { (*device).to_owned() },
            device: (*device).to_owned(),
            threads: 4,
            open: *device != "cpu" || !gpus,
            shared: None,
        };
        devices.iter().enumerate().map(slot).collect()
    }

    fn queue(runs: &[(u32, &str)]) -> Vec<Waiting> {
        let run = |(id, device): &(u32, &str)| Waiting {
            id: RunId(*id),
            site: "local".to_owned(),
            device: (*device).to_owned(),
            threads: 0,
            turn: i64::from(*id),
        };
        runs.iter().map(run).collect()
    }

    fn offer<'a>(site: &'a str, slots: &'a [Slot]) -> Offer<'a> {
        Offer { site, slots: Some(slots), open: true }
    }

    /// The plan while runs are at these sites and slots, whose memory nobody knows.
    fn planned(queue: &[Waiting], sites: &[Offer], taken: &[(&str, &str)]) -> Assignments {
        let taken: Vec<Placement> = taken.iter().map(|(site, slot)| placed(site, slot)).collect();
        let taken: Vec<_> = taken.iter().map(|at| (RunId(999), at)).collect();
        plan(queue, sites, &taken, &|_| None)
    }

    fn placed(site: &str, slot: &str) -> Placement {
        let device = slot.split('/').next().unwrap_or_default();
        Placement { site: site.into(), slot: slot.into(), device: device.into(), threads: 1 }
    }

    /// `want` lists run and slot of what is started.
    fn check(
        runs: &[(u32, &str)],
        devices: &[&str],
        taken: &[&str],
        want: &[(u32, &str)],
    ) -> Assignments {
        let taken: Vec<_> = taken.iter().map(|slot| ("local", *slot)).collect();
        let slots = slots(devices);
        let plan = planned(&queue(runs), &[offer("local", &slots)], &taken);
        let got: Vec<(u32, &str)> =
            plan.start.iter().map(|(id, at)| (id.0, at.slot.as_str())).collect();
        assert_eq!(got, want);
        plan
    }

    #[test]
    fn the_queue_goes_by_turn() {
        let mut moved = queue(&[(1, "auto"), (2, "auto"), (3, "auto")]);
        moved[2].turn = -4;
        let slots = slots(&["cpu", "cpu"]);
        let plan = planned(&moved, &[offer("local", &slots)], &[]);
        let order: Vec<u32> = plan.start.iter().map(|(id, _)| id.0).collect();
        assert_eq!(order, [3, 1]);
        check(
            &[(7, "auto"), (3, "auto"), (5, "auto")],
            &["cpu", "cpu"],
            &[],
            &[(3, "cpu/0"), (5, "cpu/1")],
        );
    }

    #[test]
    fn a_taken_slot_stays_taken() {
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
        let slots = slots(&["cpu", "cpu"]);
        let plan = planned(&runs, &[offer("local", &slots)], &[]);
        let threads: Vec<u32> = plan.start.iter().map(|(_, at)| at.threads).collect();
        assert_eq!(threads, [3, 4]);
    }

    /// Where each run goes, of runs that ask for these sites.
    fn places(asked: &[&str], sites: &[Offer], taken: &[(&str, &str)]) -> Vec<String> {
        let run = |(i, site): (usize, &&str)| Waiting {
            turn: i as i64,
            id: RunId(i as u32),
            site: (*site).to_owned(),
            device: "auto".to_owned(),
            threads: 0,
        };
        let runs: Vec<Waiting> = asked.iter().enumerate().map(run).collect();
        let plan = planned(&runs, sites, taken);
        let words = |(id, at): &(RunId, Placement)| format!("{} {}/{}", id.0, at.site, at.slot);
        let never = plan.never.iter().map(|(id, why)| format!("{} {why}", id.0));
        plan.start.iter().map(words).chain(never).collect()
    }

    #[test]
    fn any_fills_the_sites_in_order() {
        let (here, there) = (slots(&["cpu"]), slots(&["cuda:0", "cuda:1", "cpu"]));
        let sites = [offer("local", &here), offer("box", &there)];
        assert_eq!(
            places(&["any", "box", "any", "local"], &sites, &[]),
            ["0 local/cpu/0", "1 box/cuda:0", "2 box/cuda:1"]
        );
        assert_eq!(places(&["any"], &sites, &[("local", "cpu/0")]), ["0 box/cuda:0"]);
        // The same slot's name on another site is another slot.
        assert_eq!(places(&["local"], &sites, &[("box", "cpu/0")]), ["0 local/cpu/0"]);
    }

    #[test]
    fn a_site_that_is_away_is_waited_for() {
        let here = slots(&["cpu"]);
        let away = Offer { site: "box", slots: None, open: false };
        let closed = Offer { site: "hpc", slots: Some(&here), open: false };
        let sites = [offer("local", &here), away, closed];
        let asked = ["box", "hpc", "any", "moon"];
        assert_eq!(
            places(&asked, &sites, &[]),
            ["2 local/cpu/0", "3 There is no site moon; config.toml has local, box, hpc."]
        );
    }

    const GIB: u64 = 1 << 30;

    /// Where runs start on GPUs of 16 GiB, each with three slots. `live` has runs and where they are;
    /// a run numbered 10 p + n has a peak of p GiB, or an unknown one for p = 0.
    fn packed(gpus: usize, live: &[(u32, &str)], runs: &[(u32, &str)]) -> Vec<(u32, String)> {
        let slots = |i: usize| gpu_slots(format!("cuda:{i}"), Some(16 * GIB), 3, 1);
        let slots: Vec<Slot> = (0..gpus).flat_map(slots).collect();
        let live: Vec<_> =
            live.iter().map(|(id, slot)| (RunId(*id), placed("local", slot))).collect();
        let taken: Vec<_> = live.iter().map(|(id, at)| (*id, at)).collect();
        let peak = |id: RunId| Some(u64::from(id.0 / 10) * GIB).filter(|bytes| *bytes > 0);
        let plan = plan(&queue(runs), &[offer("local", &slots)], &taken, &peak);
        plan.start.into_iter().map(|(id, at)| (id.0, at.slot)).collect()
    }

    #[test]
    fn runs_share_a_gpu_as_far_as_their_peaks_fit() {
        let start = |live: &[(u32, &str)], runs: &[(u32, &str)]| packed(1, live, runs);
        let at = |id: u32, slot: &str| (id, slot.to_owned());
        let (two, three) =
            ([(61, "auto"), (62, "auto")], [(61, "auto"), (62, "auto"), (63, "auto")]);
        assert_eq!(start(&[], &two), [at(61, "cuda:0"), at(62, "cuda:0/1")]);
        assert_eq!(start(&[], &three), [at(61, "cuda:0"), at(62, "cuda:0/1")], "24 GiB");
        assert_eq!(start(&[(61, "cuda:0/2")], &[(62, "auto")]), [at(62, "cuda:0")]);
        // 7 GiB beside 6 need 15 with their contexts, and a tenth more.
        assert_eq!(start(&[(61, "cuda:0")], &[(71, "auto")]), []);
        assert_eq!(
            start(&[(11, "cuda:0"), (12, "cuda:0/1"), (13, "cuda:0/2")], &[(14, "auto")]),
            []
        );
    }

    #[test]
    fn a_run_whose_peak_nobody_knows_has_a_gpu_to_itself() {
        let at = |id: u32, slot: &str| (id, slot.to_owned());
        assert_eq!(packed(1, &[], &[(1, "auto"), (11, "auto")]), [at(1, "cuda:0")]);
        assert_eq!(packed(1, &[(11, "cuda:0")], &[(1, "auto")]), []);
        assert_eq!(packed(1, &[(1, "cuda:0")], &[(11, "auto")]), []);
        assert_eq!(packed(2, &[(11, "cuda:0")], &[(1, "auto")]), [at(1, "cuda:1")]);
        // However little memory one wants that is further behind, it is not let past.
        assert_eq!(packed(1, &[(11, "cuda:0")], &[(1, "auto"), (12, "auto")]), []);
    }

    #[test]
    fn an_empty_gpu_goes_first_and_pins_hold() {
        let at = |id: u32, slot: &str| (id, slot.to_owned());
        let runs = [(12, "auto"), (13, "auto"), (14, "cuda:1"), (15, "cuda:1")];
        assert_eq!(
            packed(2, &[(11, "cuda:0")], &runs),
            [at(12, "cuda:1"), at(13, "cuda:0/1"), at(14, "cuda:1/1"), at(15, "cuda:1/2")]
        );
        // A pinned run that has to wait keeps its own GPU from others, and no other.
        let runs = [(1, "cuda:1"), (12, "auto"), (13, "cuda:1")];
        let live = [(10, "cuda:0"), (11, "cuda:1")];
        assert_eq!(packed(2, &live, &runs), [at(12, "cuda:0/1")]);
    }

    #[test]
    fn a_gpu_of_unknown_size_is_never_shared_and_lies_do_no_harm() {
        let slots = gpu_slots("cuda:0".into(), None, 3, 1);
        let here = placed("local", "cuda:0");
        let plan = plan(
            &queue(&[(12, "auto")]),
            &[offer("local", &slots)],
            &[(RunId(11), &here)],
            &|_| Some(GIB),
        );
        assert_eq!(plan, Assignments::default());
        assert!(!fit([Some(u64::MAX), Some(1)].into_iter(), 16 * GIB));
    }

    #[test]
    fn jobs_of_a_cluster_share_nothing() {
        let slot = |i: u32| Slot {
            name: format!("job/{i}"),
            device: "cuda:0".into(),
            threads: 1,
            open: true,
            shared: None,
        };
        let slots = [slot(0), slot(1)];
        let plan = planned(&queue(&[(1, "auto"), (2, "auto")]), &[offer("local", &slots)], &[]);
        assert_eq!(plan.start.len(), 2);
    }
}
