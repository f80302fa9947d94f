//! Which queued run goes to which seat. Pure: no clock, no input or output.

use std::collections::BTreeSet;

use crate::spec::{Placement, RunId, RunSpec};

use super::slots::Seat;

/// What the plan has to know of a run that wants to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Its number.
    pub id: RunId,
    /// `auto`, `cpu` or `cuda:N`.
    pub device: String,
    /// 0 = as the seat has.
    pub threads: u32,
}

impl Waiting {
    /// A run with this spec.
    pub fn new(id: RunId, spec: &RunSpec) -> Self {
        Self { id, device: spec.device.clone(), threads: spec.threads }
    }
}

/// What to do with the queue.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// To be started now, in this order.
    pub start: Vec<(RunId, Placement)>,
    /// Runs that no seat of this machine will ever take, each with its reason.
    pub never: Vec<(RunId, String)>,
}

/// Gives the free seats to the queue in the order of its ids. A run that is pinned to a busy device
/// waits without holding up those behind it.
pub fn plan(queue: &[Waiting], seats: &[Seat], taken: &BTreeSet<String>) -> Plan {
    let mut order: Vec<&Waiting> = queue.iter().collect();
    order.sort_by_key(|run| run.id);
    let mut free: Vec<&Seat> = seats.iter().filter(|seat| !taken.contains(&seat.slot)).collect();
    let mut plan = Plan::default();
    for run in order {
        let fits = |seat: &Seat| match run.device.as_str() {
            "auto" => seat.open,
            pinned => seat.device == pinned,
        };
        if !seats.iter().any(fits) {
            plan.never.push((run.id, no_seat(&run.device, seats)));
        } else if let Some(i) = free.iter().position(|seat| fits(seat)) {
            let seat = free.remove(i);
            let threads = if run.threads == 0 { seat.threads } else { run.threads };
            plan.start.push((
                run.id,
                Placement {
                    site: "local".to_owned(),
                    slot: seat.slot.clone(),
                    device: seat.device.clone(),
                    threads,
                },
            ));
        }
    }
    plan
}

fn no_seat(device: &str, seats: &[Seat]) -> String {
    let mut devices: Vec<&str> = seats.iter().map(|seat| seat.device.as_str()).collect();
    devices.dedup();
    format!("There is no device {device} on this machine; it has {}.", devices.join(", "))
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
            device: (*device).to_owned(),
            threads: 0,
        };
        runs.iter().map(run).collect()
    }

    /// `want` lists run and slot of what is started.
    fn check(runs: &[(u32, &str)], devices: &[&str], taken: &[&str], want: &[(u32, &str)]) -> Plan {
        let taken = taken.iter().map(|t| (*t).to_owned()).collect();
        let plan = plan(&queue(runs), &seats(devices), &taken);
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
        let plan = plan(&runs, &seats(&["cpu", "cpu"]), &BTreeSet::new());
        let threads: Vec<u32> = plan.start.iter().map(|(_, at)| at.threads).collect();
        assert_eq!(threads, [3, 4]);
    }
}
