//! `--wait`, `logs`, and who stops them.

use std::io::Read;
use std::process::Stdio;

use serde_json::json;

use super::RUN;
use crate::rig::until;
use crate::shell::Shell;

#[test]
fn waiting_ends_with_the_worst_news() {
    let shell = Shell::board();
    let done = shell.run(&[
        "sweep",
        "model=fake epoch_ms=20,fake epoch_ms=20 fail",
        RUN[2],
        "epochs=2",
        "--wait",
    ]);
    assert_eq!(done.code, 1);
    assert!(
        done.err.contains("1 of 2 runs did not end well: r2 failed; `tuneboard show r2` says why."),
        "{done}"
    );
    assert!(
        done.out.contains("r2 failed in ") && done.out.contains("The loss is NaN at step 15."),
        "{done}"
    );
    // Where no line tells an end, the reason follows.
    let failing = ["model=fake epoch_ms=20 fail", RUN[2], "epochs=2", "--wait", "--json"];
    let done = shell.run(&[&["run"][..], &failing].concat());
    assert!(done.err.contains("r3 failed: The loss is NaN at step 15."), "{done}");
}

#[test]
fn the_dashboard_as_lines_tells_each_change_once() {
    let shell = Shell::board();
    shell.refuses(&["--plain", "ls"], 2, "it goes without a verb");
    shell.ok(&["run", "model=fake epoch_ms=20", RUN[2], "epochs=60"]);
    shell.ok(&["run", "model=fake epoch_ms=20", RUN[2], "epochs=2", "--hold"]);
    let told = shell.ok(&["--plain"]);
    let lines: Vec<&str> = told.lines().collect();
    let count = |words: &str| lines.iter().filter(|line| line.contains(words)).count();
    assert!(lines[0].contains("1 held"), "{told}");
    assert_eq!((count("r1 is "), count("r1 done in ")), (1, 1), "{told}");
    assert_eq!((count("r1 epoch 60/60  "), count("r2 held")), (1, 1), "{told}");
    assert!(told.ends_with("Only held runs are left.\n"), "{told}");
    assert!(!told.contains('\x1b'), "{told:?}");
    shell.ok(&["resume", "r2", "--wait"]);
    let told = shell.ok(&["--plain"]);
    assert!(told.ends_with("2 done\nNothing runs and nothing waits.\n"), "{told}");
}

#[test]
fn a_site_that_is_held_starts_nothing_and_is_drained() {
    let shell = Shell::board();
    let state = |id: &str| shell.json(&["show", id])["state"].as_str().unwrap().to_owned();
    let held = || shell.json(&["sites"])[0]["held"].as_bool().unwrap();
    shell.ok(&["run", "model=fake epoch_ms=20", RUN[2], "epochs=200"]);
    until("r1 trains", || state("r1") == "running");
    assert!(!held());
    let told = shell.ok(&["sites", "hold", "local", "--drain"]);
    assert!(told.contains("r1 saves, makes room and is held"), "{told}");
    assert!(held() && shell.ok(&["sites"]).contains("up, held"));
    until("r1 waits", || state("r1") == "queued");
    // What is queued there waits, whatever is free.
    shell.ok(&["resume", "r1"]);
    shell.ok(&["run", "model=fake epoch_ms=20", RUN[2], "epochs=1"]);
    std::thread::sleep(std::time::Duration::from_millis(1500));
    assert_eq!([state("r1"), state("r2")], ["queued", "queued"]);
    assert_eq!(shell.ok(&["sites", "release", "local"]), "local takes runs again.\n");
    until("r1 goes on", || state("r1") != "queued");
    shell.ok(&["stop", "r1"]);
    until("r2 is done", || shell.json(&["show", "r2"])["outcome"] == "done");
    shell.refuses(&["sites", "hold", "moon"], 2, "moon");
}

#[test]
fn the_queue_is_in_the_order_that_its_user_wants() {
    let shell = Shell::board();
    shell.write("config.toml", "[sites.local]\nslots = 1\nthreads = 1\n");
    shell.ok(&["sweep", "model=fake epoch_ms=20", RUN[2], "epochs=1", "seed=1..4", "--hold"]);
    let order = || -> Vec<String> {
        let rows = shell.json(&["queue"]);
        rows.as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap().into()).collect()
    };
    assert_eq!(order(), ["r1", "r2", "r3", "r4"]);
    let told = shell.ok(&["queue", "r4", "--first"]);
    assert!(told.lines().nth(1).unwrap().contains("r4"), "{told}");
    shell.ok(&["queue", "r2", "--down"]);
    assert_eq!(order(), ["r4", "r1", "r3", "r2"]);
    shell.ok(&["queue", "r1", "--last"]);
    shell.ok(&["queue", "r3", "--up"]);
    assert_eq!(order(), ["r3", "r4", "r2", "r1"]);
    assert_eq!(shell.ok(&["queue", "r3", "--up"]), "They stand there already.\n");
    shell.refuses(&["queue", "r9", "--up"], 2, "There is no run r9");
    shell.refuses(&["queue", "r3"], 2, "`tuneboard queue r3 --first`");
    // It is known after the database is lost, and it is the order of the starts.
    std::fs::remove_file(shell.path("runs/board.db")).unwrap();
    shell.ok(&["reindex"]);
    assert_eq!(order(), ["r3", "r4", "r2", "r1"]);
    shell.ok(&["resume", "s1", "--wait"]);
    let started = |id: &str| shell.json(&["show", id])["started"].as_str().unwrap().to_owned();
    let times: Vec<String> = ["r3", "r4", "r2", "r1"].into_iter().map(started).collect();
    assert!(times.is_sorted(), "{times:?}");
    assert_eq!(shell.ok(&["queue"]), "Nothing waits.\n");
    shell.refuses(&["queue", "r3", "--first"], 2, "only runs that wait can be moved");
}

#[test]
fn waiting_tells_each_epoch_with_its_own_figures() {
    let shell = Shell::board();
    let out = shell.ok(&[&RUN[..], &["epochs=3", "--wait"]].concat());
    // The fake trainer's accuracy after epoch n is n / (n + 1).
    let told: Vec<&str> = out.lines().filter(|line| line.starts_with("r1 epoch ")).collect();
    assert_eq!(told.len(), 3, "{out}");
    for (line, (epoch, accuracy)) in told.iter().zip([(1, "0.5"), (2, "0.666"), (3, "0.75")]) {
        assert!(line.starts_with(&format!("r1 epoch {epoch}/3  train/loss ")), "{line}");
        assert!(line.contains(&format!("  val/acc {accuracy}")), "{line}");
    }
}

#[test]
fn ctrl_c_stops_waiting_and_nothing_else() {
    let shell = Shell::board();
    let mut waiting = shell
        .command(&["run", "model=fake", RUN[2], "epochs=500", "--wait"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    until("it trains", || {
        let runs = shell.json(&["ls"]);
        runs[0]["state"] == json!("running")
    });
    crate::rig::kill(waiting.id() as i32, libc::SIGINT);
    let status = waiting.wait().unwrap();
    let mut said = String::new();
    waiting.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    let last = "No longer waiting; the runs go on. `tuneboard ls` shows them.\n";
    assert!(status.code() == Some(1) && said.ends_with(last), "{status}: {said}");
    assert_eq!(shell.json(&["show", "r1"])["state"], json!("running"));
}

#[test]
fn whoever_stops_reading_is_no_error() {
    let shell = Shell::board();
    shell.write("runs/r1/out.log", "x".repeat(100).as_str());
    shell.ok(&[&RUN[..], &["--hold"]].concat());
    let line = "a line of a log\n".repeat(100_000);
    shell.write("runs/r1/out.log", line);
    let mut child = shell
        .command(&["logs", "r1"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!((child.wait().unwrap().code(), said.as_str()), (Some(0), ""));
}

#[test]
fn a_live_run_is_stopped_and_its_log_followed() {
    let shell = Shell::board();
    shell.ok(&["run", "model=fake", RUN[2], "epochs=500"]);
    until("it trains", || shell.json(&["show", "r1"])["state"] == json!("running"));
    let mut follower = shell.command(&["logs", "-f", "r1"]).stdout(Stdio::piped()).spawn().unwrap();
    shell.refuses(&["archive", "r1"], 2, "only runs that have ended can be archived");
    assert_eq!(shell.ok(&["stop", "r1"]), "Stopping r1.\n");
    let mut followed = String::new();
    follower.stdout.take().unwrap().read_to_string(&mut followed).unwrap();
    assert!(follower.wait().unwrap().success(), "it ends with the run");
    assert!(
        followed.starts_with("fake trainer on cpu") && followed.contains("step 1\n"),
        "{followed}"
    );
    assert_eq!(shell.json(&["show", "r1"])["outcome"], json!("stopped"));
    assert_eq!(shell.ok(&["logs", "r1"]), followed);
    assert_eq!(
        shell.ok(&["logs", "r1", "-n", "1"]),
        format!("{}\n", followed.lines().last().unwrap())
    );
}
