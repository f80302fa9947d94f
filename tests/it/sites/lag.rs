//! How long an epoch's end takes from the host to the store and to the screen, and what is fetched for it.

use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use tuneboard::events::{EventKind, Split, Tail};

use super::{Hosts, assert_done, queue, rig};
use crate::rig::{kill, until};
use crate::tui::Session;

const EPOCHS: u32 = 12;

fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64
}

/// The epochs that the dashboard shows as done: `3.4/12` are three.
fn shown(screen: &str) -> usize {
    let epochs = screen.split_whitespace().filter_map(|word| word.strip_suffix("/12"));
    epochs.filter_map(|n| n.parse::<f64>().ok()).map(|n| n as usize).max().unwrap_or(0)
}

#[test]
#[ignore = "needs sshd: make test-sites"]
fn ssh_epochs_arrive_within_two_seconds_and_bytes_once() {
    let hosts = Hosts::start(1);
    let mut rig = rig(&hosts.sites(1, ""));
    let ids = queue(&mut rig, "host1", EPOCHS, &["epoch_ms=1500 chatty=64"]);
    let screen = Session::start(rig.board.root());
    rig.runner(&[]);
    let (mut stored, mut seen) = (Vec::new(), Vec::new());
    until("all epochs are on the screen", || {
        stored.resize(rig.epochs(ids[0], "val/loss").len(), now());
        seen.resize(shown(&screen.screen()), now());
        stored.len() == EPOCHS as usize && seen.len() == EPOCHS as usize
    });
    assert_done(&rig.ended(ids[0]));
    let events = Tail::at(0).read(&rig.board.events(ids[0]), 64 << 20).unwrap().events;
    let ends = events.iter().filter_map(|event| match &event.kind {
        EventKind::Eval { split: Split::Val, .. } => Some(event.t),
        _ => None,
    });
    let ends: Vec<i64> = ends.collect();
    let median = |arrived: &[i64]| {
        let mut lags: Vec<i64> = arrived.iter().zip(&ends).map(|(seen, end)| seen - end).collect();
        lags.sort_unstable();
        lags[lags.len() / 2]
    };
    let (to_store, to_screen) = (median(&stored), median(&seen));
    println!("median lag: store {to_store} ms, screen {to_screen} ms");
    assert!(to_store <= 2000 && to_screen <= 2000, "{to_store} ms, {to_screen} ms");
    // What the host's sshd has sent in all, counted by itself when the connection ends.
    kill(hosts.master("host1"), libc::SIGKILL);
    let log = hosts.dir.path().join("host1/log");
    let sent = || -> Vec<u64> {
        let log = fs::read_to_string(&log).unwrap();
        let lines = log.lines().filter_map(|line| line.strip_prefix("Transferred: sent "));
        lines.filter_map(|line| line.split(',').next()?.parse().ok()).collect()
    };
    until("the connection is over", || !sent().is_empty());
    let length = |path| fs::metadata(path).unwrap().len();
    let new = length(rig.board.events(ids[0])) + length(rig.board.out_log(ids[0]));
    let sent: u64 = sent().iter().sum();
    println!("{new} bytes of events and log, {sent} sent");
    assert!(new > 7 << 20 && sent < new + new / 10, "{new} are new, {sent} were sent");
}
