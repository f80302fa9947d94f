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
