//! kill -9 of trainers, runner and clients at random moments of a sweep: every run ends Done, and no
//! committed epoch is lost or doubled.

use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use portable_pty::{CommandBuilder, PtySize, native_pty_system};
use tuneboard::runner;
use tuneboard::spec::{Outcome, RunId, RunState};
use tuneboard::store::{Reader, Run};

use super::rig::{Rig, kill, tuneboard};

/// Draws that differ from call to call and are the same in every test run (SplitMix64).
pub struct Dice(pub u64);

impl Dice {
    pub fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % n
    }
}

/// Kills at `moments` random moments, `pause` milliseconds apart on average, and starts a runner again
/// some time after it was killed. A machine that is done with the sweep before that gets another one
/// from `queue`. Gives all runs, and how many of each kind of process were hit.
pub fn havoc(
    rig: &mut Rig,
    queue: impl Fn(&mut Rig) -> Vec<RunId>,
    moments: usize,
    pause: u64,
    dice: &mut Dice,
) -> (Vec<RunId>, [usize; 3]) {
    let mut ids = queue(rig);
    rig.ensure();
    let mut hits = [0; 3];
    while hits.iter().sum::<usize>() < moments {
        thread::sleep(Duration::from_millis(dice.below(2 * pause)));
        let runs = rig.store.reader().runs(&ids).unwrap();
        if runs.iter().all(|run| run.state.outcome().is_some()) {
            ids.extend(queue(rig));
            rig.ensure();
            continue;
        }
        let reader = rig.store.reader();
        // The number of a process on a host is another's here.
        let is_here = |run: &&Run| run.placement.as_ref().is_some_and(|at| at.site == "local");
        let live = runs.iter().filter(|run| run.state.is_live()).filter(is_here);
        let live: Vec<RunId> = live.map(|run| run.id).collect();
        let victim = dice.below(3) as usize;
        hits[victim] += match victim {
            0 if live.is_empty() => 0,
            0 => {
                let id = live[dice.below(live.len() as u64) as usize];
                let process = rig.store.process(id).unwrap();
                process.map_or(0, |process| {
                    kill(process.pid as i32, libc::SIGKILL);
                    1
                })
            }
            1 => {
                let info = reader.runner().unwrap().filter(runner::alive);
                info.map_or(0, |info| {
                    kill(info.process.pid as i32, libc::SIGKILL);
                    1
                })
            }
            _ => {
                let id = ids[dice.below(ids.len() as u64) as usize];
                match dice.below(2) {
                    0 => kill_a_writer(rig, id, &format!("moment{}", hits[2]), dice.below(200)),
                    _ => kill_a_dashboard(rig, dice.below(150)),
                }
                1
            }
        };
        if dice.below(2) == 0 {
            rig.ensure();
        }
    }
    rig.ensure();
    (ids, hits)
}

/// A client that writes, so that it dies inside a transaction now and then.
fn kill_a_writer(rig: &Rig, id: RunId, tag: &str, after_ms: u64) {
    let mut client = Command::new(tuneboard())
        .args(["tag", &id.to_string(), tag, "--board"])
        .arg(rig.board.root())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    thread::sleep(Duration::from_millis(after_ms));
    client.kill().unwrap();
    client.wait().unwrap();
}

fn kill_a_dashboard(rig: &Rig, after_ms: u64) {
    let pty = native_pty_system().openpty(PtySize::default()).unwrap();
    let mut command = CommandBuilder::new(tuneboard());
    command.arg("--board");
    command.arg(rig.board.root());
    let mut dashboard = pty.slave.spawn_command(command).unwrap();
    thread::sleep(Duration::from_millis(after_ms));
    kill(dashboard.process_id().unwrap() as i32, libc::SIGKILL);
    dashboard.wait().unwrap();
}

pub fn check(rig: &Rig, ids: &[RunId], epochs: u32) {
    for id in ids {
        // Whoever waits for a run sees to it that somebody serves the board, as `--wait` does.
        let run = rig.wait(*id, "ended", |run| {
            if !rig.store.reader().runner().unwrap().is_some_and(|info| runner::alive(&info)) {
                rig.ensure();
            }
            run.state.outcome().is_some()
        });
        assert_eq!(run.state, RunState::Ended(Outcome::Done), "{id}");
        rig.assert_whole(*id, epochs);
    }
    let found = Reader::open(&rig.board.database()).unwrap().integrity().unwrap();
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn fifty_kills_lose_nothing() {
    let mut rig = Rig::new(2);
    let queue = |rig: &mut Rig| rig.queue(40, &["epoch_ms=100"; 6]);
    let (ids, hits) = havoc(&mut rig, queue, 50, 250, &mut Dice(42));
    println!("killed trainers, runners, clients: {hits:?}");
    check(&rig, &ids, 40);
    let attempts: u32 = ids.iter().map(|id| rig.run(*id).attempt).sum();
    assert!(attempts > 6, "no trainer was hit");
    assert!(ids.iter().any(|id| !rig.run(*id).tags.is_empty()), "no client came to write");
}

/// `make chaos N=1000`: as many kills as `CHAOS_KILLS` says, and what they cost.
#[test]
#[ignore = "takes a quarter of a second a kill; make chaos"]
fn as_long_as_asked() {
    let variable = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let kills = variable("CHAOS_KILLS").unwrap_or(100) as usize;
    let seed = variable("CHAOS_SEED").unwrap_or(1);
    let mut rig = Rig::new(2);
    let epochs = 40;
    let queue = |rig: &mut Rig| rig.queue(epochs, &["epoch_ms=100"; 6]);
    let (ids, hits) = havoc(&mut rig, queue, kills, 250, &mut Dice(seed));
    let (mut wrong, mut lost, mut doubled, mut reported) = (0, 0, 0, 0);
    for id in &ids {
        let run = rig.wait(*id, "ended", |run| {
            if !rig.store.reader().runner().unwrap().is_some_and(|info| runner::alive(&info)) {
                rig.ensure();
            }
            run.state.outcome().is_some()
        });
        wrong += usize::from(run.state != RunState::Ended(Outcome::Done));
        let found = rig.epochs(*id, "val/loss");
        let unique: std::collections::BTreeSet<u64> = found.iter().map(|e| e.to_bits()).collect();
        reported += unique.len();
        doubled += found.len() - unique.len();
        lost += (1..=epochs).filter(|e| !unique.contains(&f64::from(*e).to_bits())).count();
    }
    // The runner leaves by itself; then nothing may be at work on the board.
    let root = rig.board.root().canonicalize().unwrap();
    let at_work = || {
        let all = std::fs::read_dir("/proc").unwrap().flatten();
        let there = all.filter(|process| {
            std::fs::read_link(process.path().join("cwd")).is_ok_and(|cwd| cwd == root)
        });
        there.count()
    };
    let end = std::time::Instant::now() + Duration::from_mins(1);
    while at_work() > 0 && std::time::Instant::now() < end {
        thread::sleep(Duration::from_millis(100));
    }
    let orphans = at_work();
    println!(
        "chaos: {} kills (trainers, runners, clients: {hits:?}), {} runs, {reported} epochs; not done \
         {wrong}, epochs lost {lost}, epochs doubled {doubled}, orphans {orphans}",
        hits.iter().sum::<usize>(),
        ids.len()
    );
    assert_eq!((wrong, lost, doubled, orphans), (0, 0, 0, 0));
    let found = Reader::open(&rig.board.database()).unwrap().integrity().unwrap();
    assert_eq!(found, Vec::<String>::new());
}

#[test]
#[cfg(feature = "train")]
fn fifty_kills_of_real_trainers_lose_nothing() {
    use std::path::Path;
    use tuneboard::spec::RunSpec;

    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut rig = Rig::with_trainer(2, Path::new(env!("CARGO_BIN_EXE_tuneboard-train")));
    let spec = |seed| RunSpec {
        model: here.join("tests/fixtures/models/tiny-bert").display().to_string(),
        data: here.join("data/sms_spam.csv").display().to_string(),
        limit: 400,
        epochs: 12,
        max_length: 32,
        seed,
        ..RunSpec::default()
    };
    let queue = |rig: &mut Rig| rig.queue_specs((0..6).map(spec));
    let (ids, hits) = havoc(&mut rig, queue, 50, 500, &mut Dice(7));
    println!("killed trainers, runners, clients: {hits:?}");
    check(&rig, &ids, 12);
}
