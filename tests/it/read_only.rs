//! A board on storage that cannot be written is listed, shown, compared and exported.

use std::process::Command;

use tuneboard::spec::RunId;
use tuneboard::store::Store;

use super::shell::Shell;

/// Runs a verb with the board's folder mounted read-only; `None` where this machine lets nobody mount.
fn on_read_only(shell: &Shell, args: &[&str]) -> Option<(i32, String, String)> {
    const MOUNT: &str =
        "mount --bind . . && mount -o remount,bind,ro . && cd \"$PWD\" && exec \"$@\"";
    let plain = shell.command(args);
    let mut command = Command::new("unshare");
    command.args(["-rm", "sh", "-c", MOUNT, "sh"]).arg(plain.get_program()).args(plain.get_args());
    command.current_dir(shell.path("")).env_clear();
    command.envs(plain.get_envs().filter_map(|(key, value)| Some((key, value?))));
    let able = Command::new("unshare").args(["-rm", "true"]).status();
    if !able.is_ok_and(|status| status.success()) {
        eprintln!("skipped: nobody may mount here");
        return None;
    }
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Some((output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr)))
}

#[test]
fn a_board_on_read_only_storage_is_listed_shown_compared_and_exported() {
    let shell = Shell::board();
    let run = ["run", "model=fake epoch_ms=20", "data=data/mail.csv", "epochs=1", "--wait"];
    for seed in ["seed=1", "seed=2"] {
        shell.ok(&[&run[..], &[seed]].concat());
    }
    let elsewhere = tempfile::tempdir().unwrap();
    let out = elsewhere.path().join("runs.csv").display().to_string();
    for (args, want) in [
        (&["ls"][..], "r2"),
        (&["show", "r1"], "r1"),
        (&["compare", "r1", "r2"], "What differs"),
        (&["export", "runs", "--out", &out], "runs.csv"),
    ] {
        let Some((code, said, complained)) = on_read_only(&shell, args) else { return };
        assert!(code == 0 && said.contains(want), "{args:?} {code}\n{said}\n{complained}");
    }
    assert!(std::fs::read_to_string(&out).unwrap().lines().count() > 2);
    // What was written last stands in the log of a database that is open elsewhere.
    let mut store = Store::open(&shell.path("runs/board.db")).unwrap();
    store.set_note(RunId(2), "written last").unwrap();
    assert!(shell.path("runs/board.db-wal").metadata().unwrap().len() > 0);
    std::fs::remove_file(shell.path("runs/board.db-shm")).unwrap();
    let (code, said, complained) = on_read_only(&shell, &["show", "r2"]).unwrap();
    assert!(code == 0 && said.contains("written last"), "{code}\n{said}\n{complained}");
    // Nothing is changed there, and it says why.
    let (code, _, complained) = on_read_only(&shell, &["tag", "r1", "x"]).unwrap();
    assert!(code != 0 && complained.contains("may not be written"), "{code} {complained}");
}
