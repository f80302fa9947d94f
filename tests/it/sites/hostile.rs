//! Hosts that answer with escape codes, without end, with lies, or never; and a trainer that writes the same.

use std::fs;
use std::path::Path;
use std::process::Command;

use tuneboard::spec::{Outcome, RunState};
use tuneboard::store::SiteState;

use super::{FAKE, Hosts, assert_done, executable, queue, rig, site_state};
use crate::rig::{tuneboard, until};
use crate::tui::Session;

/// What must never reach a terminal as it is: it would set the title, clear the screen, turn text red.
const EVIL: &str = r"\033]0;gotcha\007\033[2J\033[31mgotcha";

/// Takes in what every call begins with, and answers as a host should, so far.
const POLITE: &str = r#"#!/bin/sh
dd ibs=1 obs=65536 count="${SSH_ORIGINAL_COMMAND##* }" >/dev/null 2>&1
read -r nonce; read -r folder; read -r op
printf '\n%s\n' "$nonce"
"#;

/// Bytes of all files below a folder.
fn bytes(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let of = |entry: fs::DirEntry| match entry.file_type() {
        Ok(kind) if kind.is_dir() => bytes(&entry.path()),
        _ => entry.metadata().map_or(0, |meta| meta.len()),
    };
    entries.map(of).sum()
}

#[test]
#[ignore = "needs sshd: make test-sites"]
fn ssh_a_hostile_host_harms_nobody() {
    let screams = format!("#!/bin/sh\nwhile printf '{EVIL}\\n'; do :; done\n");
    let complains = format!("#!/bin/sh\nwhile printf '{EVIL}\\n' >&2; do :; done\n");
    let lies = format!(
        "{POLITE}case $op in\nlook) printf 'host {EVIL}\\ncores 99999999999999999999\\nmodel {EVIL}\\n\
         {{\"json\": true}}\\ngpu {EVIL}, -1, 1e99, x\\nend\\n' ;;\n\
         need) while printf 'need {EVIL}\\n'; do :; done ;;\nesac\n"
    );
    let torn = format!("{POLITE}printf 'host x\\ncores 1\\n{{\"state\": [{EVIL}'\n");
    let silent = "#!/bin/sh\nexec sleep 1000\n";
    let hosts = Hosts::with_answers(&[&screams, &complains, &lies, &torn, silent], 7);
    // The sixth host is honest, but what runs there is not.
    let trainer = hosts.dir.path().join("evil.sh");
    let script = format!(
        "#!/bin/sh\nprintf '{{\"v\":1,\"t\":0,\"step\":0,\"kind\":{EVIL}\\n{EVIL}\\n' >\"$1/events.jsonl\"\n\
         mkdir -p \"$1/predictions\" \"$1/checkpoints\"\nln -s /etc/passwd \"$1/predictions/x\"\n\
         yes \"$(printf '{EVIL}')\" | head -c 90000000\nexit 3\n"
    );
    executable(&trainer, &script);
    let plain = hosts.sites(1, "");
    let (before, after) = plain.split_at(plain.find("[sites.host6]").unwrap());
    let evil = after.replacen(FAKE, trainer.to_str().unwrap(), 1);
    let mut rig = rig(&format!("{before}{evil}"));
    let root = rig.board.root().to_path_buf();
    let odd: Vec<_> =
        (1..=6).flat_map(|i| queue(&mut rig, &format!("host{i}"), 1, &["epoch_ms=50"])).collect();
    let good: Vec<_> = ["host7", "local"]
        .iter()
        .flat_map(|site| queue(&mut rig, site, 2, &["epoch_ms=50"]))
        .collect();
    let mut screen = Session::start(&root);
    rig.runner(&[]);
    // Nobody else waits for them.
    for id in &good {
        assert_done(&rig.ended(*id));
    }
    for host in ["host1", "host2", "host4", "host5"] {
        until(host, || site_state(&rig, host) == SiteState::Unreachable);
    }
    for id in [odd[0], odd[1], odd[3], odd[4]] {
        assert_eq!(rig.run(id).state, RunState::Queued, "{id} waits for a host that answers");
    }
    let why = |at: usize| match rig.ended(odd[at]).state {
        RunState::Ended(Outcome::Failed { why, .. }) => why,
        other => panic!("{other:?}"),
    };
    assert!(why(2).starts_with("Its inputs cannot be copied to host3: "), "{}", why(2));
    assert_eq!(why(5), "The trainer ended with exit code 3 and did not say why.");
    assert!(!rig.board.predictions(odd[5]).join("x").exists(), "links are not taken");
    // The dashboard still heeds its keys, and shows the worst of it.
    screen.press("4");
    screen.sees("unreachable");
    screen.press("1");
    screen.sees("failed");
    screen.press("/site=host6\r");
    screen.wait("its run alone", |text| text.contains("r6 ") && text.contains("1 run "));
    screen.press("\r");
    screen.sees("exit code 3");
    screen.press("o");
    screen.wait("the log", |text| text.matches("gotcha").count() > 5);
    screen.press("q");
    assert_eq!(screen.ends(), 0);
    screen.is_restored();
    let written = screen.written();
    for evil in [&b"\x1b]0;"[..], b"\x1b[31mgotcha", b"\x07"] {
        assert!(!written.windows(evil.len()).any(|part| part == evil), "{evil:?}");
    }
    for words in
        [&["sites"][..], &["ls"], &["show", &odd[5].to_string()], &["logs", &odd[5].to_string()]]
    {
        let output =
            Command::new(tuneboard()).args(words).arg("--board").arg(&root).output().unwrap();
        assert!(output.status.success(), "{words:?} {output:?}");
        let odd = output.stdout.iter().find(|b| **b < b' ' && **b != b'\n' && **b != b'\t');
        assert_eq!(odd, None, "{words:?}");
    }
    let all = bytes(&root);
    assert!(all < 100 << 20, "{all} bytes of ours");
}

/// Lines without sense from a host end their own run, and keep nobody waiting, on the host or here.
#[test]
#[ignore = "needs sshd: make test-sites"]
fn ssh_a_host_that_floods_is_cut_off() {
    let hosts = Hosts::start(1);
    let mut rig = rig(&hosts.sites(2, ""));
    let flood = queue(&mut rig, "host1", 300, &["junk=30000 epoch_ms=50"])[0];
    let others = [
        queue(&mut rig, "host1", 3, &["epoch_ms=50"])[0],
        queue(&mut rig, "local", 3, &["epoch_ms=50"])[0],
    ];
    rig.runner(&[]);
    let run = rig.ended(flood);
    let RunState::Ended(Outcome::Failed { why, .. }) = &run.state else { panic!("{run:?}") };
    assert!(why.contains("lines of its events file are no events"), "{why}");
    for id in others {
        assert_done(&rig.ended(id));
        rig.assert_whole(id, 3);
    }
}
