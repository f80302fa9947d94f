//! What befalls the machine below a board: its clock jumps, its disk fills up or turns read-only, the board is
//! moved. Nothing is lost, and every state is true within ten seconds.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tuneboard::runner;
use tuneboard::spec::{Outcome, RunId, RunState};

use super::rig::{Rig, config, fake_trainer, kill, lives, tuneboard, until};

/// How soon a state must be true.
const SOON: Duration = Duration::from_secs(10);
const EPOCHS: u32 = 20;

/// The program's words, whatever it exits with.
fn said(rig: &Rig, words: &[&str], variables: &[(&str, &str)]) -> String {
    let mut command = Command::new(tuneboard());
    command.args(words).arg("--board").arg(rig.board.root()).envs(variables.iter().copied());
    let output = command.output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn log(rig: &Rig) -> String {
    fs::read_to_string(rig.board.runner_log()).unwrap_or_default()
}

/// Waits until a run that is told to run has a living trainer, and one that has none says so.
fn states_are_true(rig: &Rig, ids: &[RunId]) {
    let start = Instant::now();
    let is_true = |id: &RunId| match rig.run(*id).state {
        RunState::Running => {
            rig.store.process(*id).unwrap().is_some_and(|process| lives(process.pid))
        }
        _ => true,
    };
    while !ids.iter().all(is_true) {
        let states = || ids.iter().map(|id| (*id, rig.run(*id).state)).collect::<Vec<_>>();
        assert!(start.elapsed() < SOON, "{:?}\n{}", states(), log(rig));
        thread::sleep(Duration::from_millis(20));
    }
}

/// Waits for all runs; one that failed is tried again, as its owner would.
fn all_done(rig: &Rig, ids: &[RunId]) {
    for id in ids {
        loop {
            let run = rig.wait(*id, "ended", |run| {
                if !rig.store.reader().runner().unwrap().is_some_and(|info| runner::alive(&info)) {
                    rig.ensure();
                }
                run.state.outcome().is_some()
            });
            if run.state == RunState::Ended(Outcome::Done) {
                break;
            }
            assert!(run.attempt < 20, "{id}: {:?}", run.state);
            said(rig, &["resume", &id.to_string()], &[]);
        }
        rig.assert_whole(*id, EPOCHS);
    }
}

/// A clock that a runner and its trainers go by.
struct Clock {
    dir: tempfile::TempDir,
}

impl Clock {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/clock.c");
        let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".to_owned());
        let built = Command::new(compiler)
            .args(["-O1", "-shared", "-fPIC", "-o"])
            .args([&dir.path().join("clock.so"), &source])
            .status();
        assert!(built.unwrap().success());
        let clock = Self { dir };
        clock.jump(0);
        clock
    }

    fn offset(&self) -> PathBuf {
        self.dir.path().join("offset")
    }

    /// Seconds from the true time.
    fn jump(&self, seconds: i64) {
        if let Ok(mut page) = fs::OpenOptions::new().write(true).open(self.offset()) {
            std::io::Write::write_all(&mut page, &seconds.to_ne_bytes()).unwrap();
        } else {
            fs::write(self.offset(), seconds.to_ne_bytes()).unwrap();
        }
    }

    fn variables(&self) -> Vec<(&'static str, String)> {
        vec![
            ("LD_PRELOAD", self.dir.path().join("clock.so").display().to_string()),
            ("CLOCK_OFFSET", self.offset().display().to_string()),
        ]
    }
}

const DAY: i64 = 24 * 60 * 60;

#[test]
fn a_clock_that_jumps_loses_nothing_and_adds_no_years() {
    let clock = Clock::new();
    let variables = clock.variables();
    let variables: Vec<(&str, &str)> = variables.iter().map(|(k, v)| (*k, v.as_str())).collect();
    let mut rig = Rig::new(2);
    let ids = rig.queue(EPOCHS, &["epoch_ms=150"; 4]);
    let first = rig.runner(&variables);
    for (offset, id) in [(-30 * DAY, ids[0]), (20 * 365 * DAY, ids[1])] {
        let trainer = rig.at_step(id, 20);
        clock.jump(offset);
        thread::sleep(Duration::from_millis(300));
        // What dies then is seen as soon as ever.
        kill(-(trainer.pid as i32), libc::SIGKILL);
        let before = rig.run(id).attempt;
        let start = Instant::now();
        rig.wait(id, "tried again", |run| run.attempt > before || run.state.outcome().is_some());
        assert!(start.elapsed() < SOON);
        states_are_true(&rig, &ids);
        let list = said(&rig, &["ls"], &variables);
        assert!(!list.contains("lost?") && !list.contains("d 0"), "{list}");
    }
    // A runner that is killed there is followed by one of today.
    kill(first as i32, libc::SIGKILL);
    assert!(!rig.left(first));
    clock.jump(0);
    rig.runner(&variables);
    all_done(&rig, &ids);
    for id in &ids {
        let shown: Value =
            serde_json::from_str(&said(&rig, &["show", &id.to_string(), "--json"], &[])).unwrap();
        let seconds = shown["device_seconds"].as_f64().unwrap();
        assert!((0.0..300.0).contains(&seconds), "{id}: {seconds} s, {shown}");
    }
}

#[test]
fn a_board_that_is_moved_under_its_runner_is_found_whole() {
    let folder = tempfile::tempdir().unwrap();
    let [old, new] = ["old", "new"].map(|name| folder.path().join(name));
    fs::create_dir(&old).unwrap();
    let mut rig = Rig::within(&old, &config(2, &fake_trainer()));
    let ids = rig.queue(EPOCHS, &["epoch_ms=100"; 4]);
    let runner = rig.runner(&[]);
    rig.at_step(ids[0], 15);
    fs::rename(&old, &new).unwrap();
    rig.left(runner);
    let rig = Rig::over(&new);
    rig.ensure();
    states_are_true(&rig, &ids);
    all_done(&rig, &ids);
    assert!(!old.exists(), "nothing is written where it was");
}

/// A file system that is unmounted with it.
struct Mount {
    folder: tempfile::TempDir,
    words: Vec<String>,
    device: Option<String>,
}

fn must(command: &str, words: &[&str]) -> String {
    let output = Command::new(command).args(words).output().unwrap();
    assert!(output.status.success(), "{command} {words:?}: {output:?}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

impl Mount {
    /// In memory.
    fn small(mib: u32) -> Self {
        let words = ["-t".to_owned(), "tmpfs".to_owned(), "-o".to_owned(), format!("size={mib}m")];
        Self::new(&[&words[..], &["none".to_owned()]].concat(), None)
    }

    /// A real ext4 on a file, which turns read-only at its first error, as most systems mount theirs.
    fn ext4(image: &Path, mib: u64) -> Self {
        fs::File::create(image).unwrap().set_len(mib << 20).unwrap();
        must("mkfs.ext4", &["-q", "-F", &image.display().to_string()]);
        let device = must("losetup", &["--find", "--show", &image.display().to_string()]);
        Self::new(&["-o", "errors=remount-ro", &device].map(str::to_owned), Some(device.clone()))
    }

    fn new(words: &[String], device: Option<String>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mount = Self { folder, words: words.to_vec(), device };
        mount.mount();
        // The root of a file system in memory is everybody's.
        fs::create_dir(mount.path()).unwrap();
        mount
    }

    /// A folder for a board.
    fn path(&self) -> PathBuf {
        self.folder.path().join("board")
    }

    fn mount(&self) {
        let mut words: Vec<&str> = self.words.iter().map(String::as_str).collect();
        let at = self.folder.path().display().to_string();
        words.push(&at);
        must("mount", &words);
    }

    fn unmount(&self) {
        until("it is unmounted", || {
            let at = self.folder.path();
            Command::new("umount").arg(at).status().is_ok_and(|status| status.success())
        });
    }

    /// What a failing disk does to an ext4.
    fn breaks(&self) {
        let name = self.device.as_deref().and_then(|path| path.strip_prefix("/dev/")).unwrap();
        fs::write(format!("/sys/fs/ext4/{name}/trigger_fs_error"), "1").unwrap();
    }

    fn mend(&self) {
        let device = self.device.as_deref().unwrap();
        let code =
            Command::new("e2fsck").args(["-f", "-y", device]).output().unwrap().status.code();
        assert!(code.is_some_and(|code| code < 4), "{code:?}");
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.folder.path()).status();
        if let Some(device) = &self.device {
            let _ = Command::new("losetup").args(["-d", device]).status();
        }
    }
}

#[test]
#[ignore = "mounts a file system, as root: make test-sites"]
fn a_disk_that_fills_up_at_random_moments_loses_nothing() {
    let mount = Mount::small(512);
    let mut rig = Rig::within(&mount.path(), &config(2, &fake_trainer()));
    let ids = rig.queue(EPOCHS, &["epoch_ms=100"; 6]);
    let ballast = mount.path().join("ballast");
    for round in 0..8_u64 {
        if !rig.store.reader().runner().unwrap().is_some_and(|info| runner::alive(&info)) {
            rig.runner(&[]);
        }
        thread::sleep(Duration::from_millis(300 + 170 * (round * 7 % 5)));
        let mut file = fs::File::create(&ballast).unwrap();
        while std::io::Write::write_all(&mut file, &[0; 4096]).is_ok() {}
        thread::sleep(Duration::from_millis(700));
        // Whoever looks meanwhile is told something, and nothing is broken by it.
        assert!(said(&rig, &["ls"], &[]).contains("r1"));
        drop(file);
        fs::remove_file(&ballast).unwrap();
        states_are_true(&rig, &ids);
        let failed =
            |id: &RunId| matches!(rig.run(*id).state, RunState::Ended(Outcome::Failed { .. }));
        assert!(!ids.iter().any(failed), "the queue waits for room, no run is to blame");
    }
    all_done(&rig, &ids);
    assert_eq!(rig.store.reader().integrity().unwrap(), Vec::<String>::new());
}

#[test]
#[ignore = "mounts a file system, as root: make test-sites"]
fn a_disk_that_turns_read_only_is_told_and_loses_nothing_once_it_is_mended() {
    let images = tempfile::tempdir().unwrap();
    let mount = Mount::ext4(&images.path().join("disk.img"), 128);
    let mut rig = Rig::within(&mount.path(), &config(2, &fake_trainer()));
    must("sync", &["--file-system", &mount.path().display().to_string()]);
    // Queued as people queue: with nobody who sees to it that it is written.
    let ids = rig.queue(EPOCHS, &["epoch_ms=100"; 4]);
    rig.runner(&[]);
    let trainers = [rig.at_step(ids[0], 35), rig.at_step(ids[1], 20)];
    mount.breaks();
    // No trainer works on for nothing.
    let start = Instant::now();
    while trainers.iter().any(|trainer| lives(trainer.pid)) {
        assert!(start.elapsed() < SOON, "a trainer works on where nothing can be kept");
        thread::sleep(Duration::from_millis(20));
    }
    until("the list does not call dead runs running", || {
        let list = said(&rig, &["ls"], &[]);
        assert!(list.contains("r4"), "{list}");
        !list.contains("running")
    });
    assert!(start.elapsed() < SOON);
    let told = said(&rig, &["tag", "r1", "x"], &[]);
    assert!(
        told.contains("may not be written") || told.to_lowercase().contains("read-only"),
        "{told}"
    );
    // The machine is mended: everything that is open on the disk ends.
    drop(rig);
    mount.unmount();
    mount.mend();
    mount.mount();
    let rig = Rig::over(&mount.path());
    rig.ensure();
    states_are_true(&rig, &ids);
    all_done(&rig, &ids);
    assert_eq!(rig.store.reader().integrity().unwrap(), Vec::<String>::new());
}
