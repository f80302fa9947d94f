//! Kills at random moments on this machine while a host's lines and its power are cut.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use super::{Hosts, queue, rig};
use crate::chaos::{Dice, check, havoc};
use crate::rig::kill;

const EPOCHS: u32 = 40;

/// `CHAOS_KILLS` kills (50), and a cut every few seconds meanwhile.
#[test]
#[ignore = "needs sshd: make test-sites"]
fn ssh_kills_and_cut_lines_lose_nothing() {
    let kills = std::env::var("CHAOS_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(50);
    let hosts = Hosts::start(1);
    let mut rig = rig(&hosts.sites(2, ""));
    let over = AtomicBool::new(false);
    let cut = || {
        let (mut dice, mut cuts) = (Dice(3), [0, 0]);
        while !over.load(Ordering::Relaxed) {
            thread::sleep(Duration::from_millis(500 + dice.below(3000)));
            if (cuts[0] + cuts[1]) % 3 == 2 {
                hosts.power_cut("host1");
                thread::sleep(Duration::from_millis(dice.below(4000)));
                hosts.power_on();
                cuts[1] += 1;
            } else if let Some(master) = hosts.master_now("host1") {
                kill(master, libc::SIGKILL);
                cuts[0] += 1;
            }
        }
        cuts
    };
    let (ids, hits, cuts) = thread::scope(|scope| {
        let cutter = scope.spawn(cut);
        let both = |rig: &mut crate::rig::Rig| {
            let here = queue(rig, "local", EPOCHS, &["epoch_ms=100"; 3]);
            [here, queue(rig, "host1", EPOCHS, &["epoch_ms=100"; 3])].concat()
        };
        let (ids, hits) = havoc(&mut rig, both, kills, 250, &mut Dice(11));
        over.store(true, Ordering::Relaxed);
        (ids, hits, cutter.join().unwrap())
    });
    println!(
        "{} runs; killed trainers, runners, clients: {hits:?}; cut lines and power: {cuts:?}",
        ids.len()
    );
    check(&rig, &ids, EPOCHS);
    assert!(cuts.iter().all(|cuts| *cuts > 0), "nothing was cut: {cuts:?}");
}
