//! One sweep over this machine, two SSH hosts and a cluster, while everything breaks once.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tuneboard::spec::{RunId, RunState};
use tuneboard::store::{Reader, Run, SiteInfo, SiteState};

use super::{Cluster, Hosts, assert_done, queue, rig, site_of, site_state};
use crate::rig::{Rig, kill, lives, stat, until};

/// Whoever is dead may look alive for so long.
pub(super) const MOST: Duration = Duration::from_mins(1);
const OUTAGE: Duration = Duration::from_mins(1);
const EPOCHS: u32 = 40;

/// Compares, four times a second, what the board shows with the processes that there are.
pub(super) struct Watcher {
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<Seen>>,
}

/// What a watcher has seen.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub looks: u32,
    /// The longest time that each run was shown as at work and was not.
    pub dead: BTreeMap<RunId, Duration>,
    /// Runs that were said to be over, or to have failed, and whatever else must never be.
    pub wrong: Vec<String>,
}

impl Watcher {
    pub fn start(rig: &Rig, ids: &[RunId], folders: Vec<PathBuf>) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let (database, ids, stop) = (rig.board.database(), ids.to_vec(), Arc::clone(&over));
        let thread = thread::spawn(move || {
            let reader = Reader::open(&database).unwrap();
            let (mut seen, mut since) = (Seen::default(), BTreeMap::new());
            while !stop.load(Ordering::Relaxed) {
                seen.look(&reader, &ids, &folders, &mut since);
                thread::sleep(Duration::from_millis(250));
            }
            seen
        });
        Self { over, thread: Some(thread) }
    }

    pub fn finish(mut self) -> Seen {
        self.over.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap()
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

impl Seen {
    fn look(
        &mut self,
        reader: &Reader,
        ids: &[RunId],
        folders: &[PathBuf],
        since: &mut BTreeMap<RunId, Instant>,
    ) {
        // What is shown is read first: who ends in between was shown while it lived.
        let (Ok(runs), Ok(sites)) = (reader.runs(ids), reader.sites()) else { return };
        let trainers = trainers(folders);
        self.looks += 1;
        for run in runs {
            let pids = trainers.get(&run.id).map(Vec::as_slice).unwrap_or_default();
            let alive = pids.len();
            if alive > 1 {
                let who: Vec<String> = pids.iter().map(|pid| whose(*pid)).collect();
                self.wrong.push(format!("{} is trained by {who:?}, {}", run.id, run.attempt));
            }
            match run.state.outcome() {
                Some(outcome) if alive > 0 => {
                    self.wrong.push(format!("{} lives and is {}", run.id, outcome.word()));
                }
                Some(outcome) if outcome.word() != "done" => {
                    self.wrong.push(format!("{} is {}", run.id, outcome.word()));
                }
                _ => {}
            }
            if alive == 0 && is_shown_at_work(&run, &sites) {
                let dead = since.entry(run.id).or_insert_with(Instant::now).elapsed();
                let longest = self.dead.entry(run.id).or_default();
                *longest = dead.max(*longest);
            } else {
                since.remove(&run.id);
            }
        }
    }
}

/// Whether the dashboard and `ls` show the run as one at work. One that is starting may still be copied
/// there, or wait, which is said then.
fn is_shown_at_work(run: &Run, sites: &[SiteInfo]) -> bool {
    let is_told = || sites.iter().any(|site| site.runs.contains_key(&run.id));
    run.state.is_live()
        && run.doubt(sites).is_none()
        && !(run.state == RunState::Starting && is_told())
}

/// The environment of a process, as far as Slurm made it.
fn whose(pid: u32) -> String {
    let all = fs::read_to_string(format!("/proc/{pid}/environ")).unwrap_or_default();
    let own = all.split('\0').filter(|word| {
        word.starts_with("SLURMD_NODENAME") || word.starts_with("SLURM_RESTART_COUNT")
    });
    format!("{pid} {:?}", own.collect::<Vec<_>>())
}

/// The trainers of each run that are alive below these folders, whatever host or node they are on: all
/// their processes are this kernel's. Where `python3` is a script that looks for the right Python, such a
/// shell forks now and then before it becomes the trainer: a child of a trainer is not another one.
pub(super) fn trainers(folders: &[PathBuf]) -> BTreeMap<RunId, Vec<u32>> {
    let mut found: BTreeMap<RunId, Vec<u32>> = BTreeMap::new();
    for process in fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path()) {
        let Ok(words) = fs::read_to_string(process.join("cmdline")) else { continue };
        let mut words = words.split('\0').skip_while(|word| !word.ends_with("fake_trainer.py"));
        let id = words.nth(1).and_then(|folder| folder.strip_prefix("runs/")?.parse().ok());
        let Some(id) = id else { continue };
        let ours = fs::read_link(process.join("cwd"))
            .is_ok_and(|cwd| folders.iter().any(|folder| cwd.starts_with(folder)));
        let pid = process.file_name().and_then(|name| name.to_str()?.parse().ok());
        if let Some(pid) = pid.filter(|pid| ours && lives(*pid)) {
            found.entry(id).or_default().push(pid);
        }
    }
    for pids in found.values_mut() {
        let all = pids.clone();
        let parent = |pid: u32| stat(pid, 4).and_then(|parent| parent.parse::<u32>().ok());
        pids.retain(|pid| parent(*pid).is_none_or(|parent| !all.contains(&parent)));
    }
    found
}

/// Kills the runner and starts another one.
pub(super) fn replace_runner(rig: &mut Rig, slurm: &str) {
    let runner = rig.runner_pid();
    kill(runner as i32, libc::SIGKILL);
    until("the runner is dead", || !lives(runner));
    rig.runner(&[("SLURM_CONF", slurm)]);
    until("another one serves", || rig.runner_pid() != runner);
}

#[test]
#[ignore = "needs sshd and Slurm: make test-sites"]
fn a_sweep_over_all_sites_survives_every_failure() {
    let (hosts, cluster) = (Hosts::start(2), Cluster::start());
    let mut rig = rig(&(hosts.sites(2, "") + &cluster.site("max_jobs = 3")));
    let ids = queue(&mut rig, "any", EPOCHS, &["epoch_ms=3000"; 8]);
    let slurm = cluster.config();
    let folders = [rig.board.root(), hosts.dir.path(), cluster.dir.path()];
    let folders: Vec<PathBuf> = folders.map(|f| f.canonicalize().unwrap()).to_vec();
    let watcher = Watcher::start(&rig, &ids, folders.clone());
    rig.runner(&[("SLURM_CONF", &slurm)]);
    for id in &ids {
        rig.wait(*id, "at work", |run| run.step >= 3);
    }
    let at = |rig: &Rig, site: &str| -> Vec<RunId> {
        ids.iter().copied().filter(|id| site_of(&rig.run(*id)) == site).collect()
    };
    let slots = ["local", "host1", "host2", "hpc"].map(|site| at(&rig, site).len());
    assert_eq!(slots, [1, 2, 2, 3]);
    let on_cluster = at(&rig, "hpc");
    assert_eq!(trainers(&folders).len(), ids.len(), "the watcher sees every trainer");

    // The controller, a host, a connection and the runner, all at once.
    cluster.call(&["stop", "slurmctld"]);
    let outage = Instant::now();
    hosts.power_cut("host1");
    kill(hosts.master("host2"), libc::SIGKILL);
    replace_runner(&mut rig, &slurm);
    until("the host is missed", || site_state(&rig, "host1") == SiteState::Unreachable);
    for id in at(&rig, "host1") {
        assert_eq!(rig.run(id).state, RunState::Running, "unreachable is not failed");
    }
    // Another runner has to find out everything anew, and the host comes back in the meantime.
    replace_runner(&mut rig, &slurm);
    until("half of the outage is over", || outage.elapsed() >= OUTAGE / 2);
    hosts.power_on();
    let step = rig.run(on_cluster[0]).step;
    rig.wait(on_cluster[0], "further without a controller", |run| run.step > step);
    until("the outage is over", || outage.elapsed() >= OUTAGE);
    cluster.call(&["start"]);
    for id in &ids {
        assert!(rig.run(*id).state.outcome().is_none(), "{id} is still at work");
    }

    // A node crashes, and Slurm has to find that out by itself.
    let working = |ids: &[RunId]| {
        let trainers = trainers(&folders);
        ids.iter().filter(|id| trainers.contains_key(id)).count()
    };
    assert_eq!(working(&on_cluster), 3);
    cluster.call(&["stop", "node1"]);
    let crash = Instant::now();
    until("its runs are dead", || working(&on_cluster) < 3);
    let waiting = || {
        let sites = rig.store.reader().sites().unwrap();
        let hpc = sites.into_iter().find(|site| site.name == "hpc").unwrap();
        hpc.runs.into_values().any(|status| status.starts_with("waiting: "))
    };
    until("its runs are said to wait", waiting);
    println!("the crash of the node was shown after {:?}", crash.elapsed());
    cluster.call(&["start"]);
    // Slurm itself holds a requeued job back for two minutes.
    for job in cluster.tool(&["squeue", "-h", "-r", "-t", "PD", "-o", "%A"]).lines() {
        thread::sleep(Duration::from_secs(6));
        cluster.tool(&["scontrol", "update", &format!("jobid={job}"), "StartTime=now"]);
    }

    for id in &ids {
        let run = rig.ended(*id);
        assert_done(&run);
        rig.assert_whole(*id, EPOCHS);
        // What the trainer reported is the same wherever it was.
        let first = rig.run(ids[0]);
        assert_eq!((run.last, run.best, run.step), (first.last, first.best, first.step), "{id}");
    }
    let again = |id: &&RunId| rig.run(**id).attempt > 1;
    assert_eq!(at(&rig, "host1").iter().filter(again).count(), 2, "both went on after the cut");
    assert!(on_cluster.iter().filter(again).count() >= 1, "those of the node went on");
    let others = [at(&rig, "local"), at(&rig, "host2")].concat();
    assert!(others.iter().filter(again).count() == 0, "nothing happened to the others");
    let seen = watcher.finish();
    println!("{} looks; shown at work while dead: {:?}", seen.looks, seen.dead);
    assert_eq!(seen.wrong, Vec::<String>::new());
    assert!(seen.looks > 100, "{}", seen.looks);
    for (id, dead) in seen.dead {
        assert!(dead <= MOST, "{id} was dead for {dead:?} and shown as at work");
    }
}
