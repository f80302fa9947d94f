//! However many sites name one host, it has at most eight sessions with us.

use std::fs;

use super::{FAKE, Hosts, assert_done, queue, rig};

#[test]
#[ignore = "needs sshd: make test-sites"]
fn ssh_sites_that_share_a_host_share_eight_sessions() {
    let hosts = Hosts::start(1);
    let site = |i: u32| {
        format!(
            "[sites.s{i}]\nkind = 'ssh'\nhost = 'host1'\nssh_config = '{}'\ntrainer = \
             '{FAKE}'\nfolder = 'tb{i}'\nslots = 1\nthreads = 1\n",
            hosts.config().display()
        )
    };
    // Every session lasts, so that twelve sites would have more than eight at once.
    fs::write(hosts.home("host1").join(".bashrc"), "sleep 1\n").unwrap();
    let mut rig = rig(&(1..=12).map(site).collect::<String>());
    let ids: Vec<_> =
        (1..=12).flat_map(|i| queue(&mut rig, &format!("s{i}"), 1, &["epoch_ms=50"])).collect();
    rig.runner(&[]);
    for id in &ids {
        assert_done(&rig.ended(*id));
    }
    let log = fs::read_to_string(hosts.dir.path().join("host1/log")).unwrap();
    let (mut now, mut most) = (0_i32, 0);
    for line in log.lines() {
        now += i32::from(line.starts_with("Starting session:"));
        now -= i32::from(line.starts_with("Close session:"));
        most = most.max(now);
    }
    println!("{most} sessions at once");
    assert!((5..=8).contains(&most), "{most} sessions at once\n{log}");
}
