use std::collections::BTreeMap;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use chrono::{Local, NaiveDateTime};

use crate::board::{Board, Site};
use crate::runner::clock::milliseconds;
use crate::runner::launch::call::CallError;
use crate::runner::launch::host::{Host, Script};
use crate::runner::launch::job::{HostInfo, JobState, JobStatus, ReadyJob, SubmitAnswer, Watch};
use crate::runner::launch::protocol;
use crate::runner::slots::Slot;
use crate::runner::text::clean;

use super::heartbeat::{self, Heartbeats, LastBeat, QueueState};
use super::{Queue, Scheduler, SchedulerKind};

/// Jobs of a Slurm cluster, whose commands run on the host. Accounting is not needed.
pub(in crate::runner::launch) const KIND: SchedulerKind = SchedulerKind {
    script: Script {
        calls: include_str!("../script/slurm.sh"),
        job: include_str!("../script/slurm_job.sh"),
    },
    tools: &["tar", "sbatch", "squeue", "scancel"],
    queue: Some(Queue { slots, label: |site| site.partition.clone() }),
    open: |board, host, site| Box::new(Slurm::new(board, host, site)),
};

/// Milliseconds between two readings of the queue: clusters dislike to be asked more often.
const QUEUE: u64 = 10_000;
/// How long a poll waits for the queue: a controller that is down keeps `squeue` for 20 s, in which nobody
/// would see which jobs still live.
const WAIT: Duration = Duration::from_secs(2);
/// The longest answer of `squeue` that is read: some 20,000 jobs.
const LONGEST: u64 = 4 << 20;
/// Jobs of one array, where the cluster does not say.
const ARRAY: usize = 1_000;

/// What counts, in this order: the exit code that the job wrote, the queue's word, the job's heartbeats.
#[derive(Debug)]
struct Slurm {
    host: Host,
    site: Site,
    /// Tasks that one array may have; `None` when the cluster is to be asked.
    array: Option<usize>,
    /// The queue by job number, as last read, and when.
    queue: BTreeMap<String, Entry>,
    read: Option<Instant>,
    /// A reading that is under way.
    reading: Option<Receiver<Result<Vec<u8>, CallError>>>,
    /// Between two readings.
    interval: Duration,
    heartbeats: Heartbeats,
    /// Why it could not be read; empty if it could.
    silent: String,
}

/// A job in the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    state: String,
    restarts: u32,
    /// When it is expected to start; empty if nobody knows.
    start: String,
    reason: String,
}

impl Slurm {
    fn new(board: Board, host: Host, site: &Site) -> Self {
        Self {
            host,
            site: site.clone(),
            array: None,
            queue: BTreeMap::new(),
            read: None,
            reading: None,
            interval: milliseconds("TUNEBOARD_QUEUE_MS", QUEUE),
            heartbeats: Heartbeats::new(board),
            silent: String::new(),
        }
    }

    /// Reads the queue if that is due. A controller that is down is not the site's end: jobs go on, and
    /// what they write still comes.
    fn refresh(&mut self) -> Result<(), CallError> {
        if self.reading.is_none() {
            if self.read.is_some_and(|read| read.elapsed() < self.interval) {
                return Ok(());
            }
            let (host, (answer, reading)) = (self.host.clone(), mpsc::channel());
            let read = move || drop(answer.send(host.ask("queue", LONGEST, |_| Ok(()))));
            thread::Builder::new().name("queue".to_owned()).spawn(read)?;
            self.reading = Some(reading);
        }
        let Some(reading) = &self.reading else { return Ok(()) };
        let answer = match reading.recv_timeout(WAIT) {
            // What was read before still counts.
            Err(RecvTimeoutError::Timeout) => return Ok(()),
            Err(RecvTimeoutError::Disconnected) => {
                Err(CallError::Local("The queue's reader broke off.".to_owned()))
            }
            Ok(answer) => answer,
        };
        self.reading = None;
        match answer {
            Ok(text) => {
                self.queue = entries(&text)?;
                self.silent.clear();
            }
            Err(CallError::Unexpected(why)) => self.silent = why,
            Err(error) => return Err(error),
        }
        self.read = Some(Instant::now());
        Ok(())
    }

    /// What the queue says of a job that has not written its exit code.
    fn queued(&self, key: &str) -> QueueState {
        if !self.silent.is_empty() {
            return QueueState::Unknown(format!("Slurm does not answer: {}", self.silent));
        }
        let Some(entry) = self.queue.get(key) else {
            // A job that was just submitted is in no answer to an earlier question.
            return match self.read {
                Some(_) => QueueState::Over("Slurm no longer knows it".to_owned()),
                None => QueueState::Unknown("Slurm has not answered yet".to_owned()),
            };
        };
        match entry.state.as_str() {
            "PENDING" => QueueState::Pending(entry.waiting()),
            // Its processes are stopped: no heartbeat is to be expected.
            "SUSPENDED" | "STOPPED" => {
                QueueState::Pending("waiting: suspended by the cluster".to_owned())
            }
            "RUNNING" | "CONFIGURING" | "COMPLETING" | "REQUEUED" | "REQUEUE_HOLD" | "RESIZING"
            | "SIGNALING" | "STAGE_OUT" => QueueState::Running(entry.restarts),
            state => QueueState::Over(format!("Slurm ended it: {state}, {}", entry.reason)),
        }
    }

    fn submit_array(&self, jobs: &[ReadyJob]) -> Result<Vec<SubmitAnswer>, CallError> {
        let options = options(&self.site);
        let Some(first) = jobs.first() else { return Ok(Vec::new()) };
        let label = format!("{}-{}", first.job.name, first.job.ticket);
        let answer = self.host.ask("submit", 1 << 20, |to| {
            protocol::put(to, &[&label, &options.len().to_string()])?;
            options.iter().try_for_each(|option| protocol::put(to, &[option]))?;
            protocol::put_jobs(to, jobs)
        })?;
        protocol::answers(&answer, jobs)
    }
}

impl Scheduler for Slurm {
    fn info(&mut self) -> Result<HostInfo, CallError> {
        let extent = if self.array.is_none() { "whole" } else { "brief" };
        let info = protocol::look(&self.host, extent)?;
        if !info.tools.iter().any(|tool| tool == "sbatch") {
            return Err(CallError::Unexpected(
                "There is no `sbatch` there: it is no login node.".to_owned(),
            ));
        }
        let most = info.number("array").map(|n| n.max(1) as usize);
        self.array = self.array.or(most).or(Some(ARRAY));
        Ok(info)
    }

    fn submit(&mut self, jobs: &[ReadyJob]) -> Result<Vec<SubmitAnswer>, CallError> {
        let answers = self.submit_array(jobs)?;
        if answers.iter().any(|answer| matches!(answer, SubmitAnswer::Later(_))) {
            // The array may have been too long for this cluster.
            self.array = None;
        }
        // The new ones are looked for at once, and not in an answer that is older than they are.
        (self.read, self.reading) = (None, None);
        Ok(answers)
    }

    /// The longest array that the cluster takes, and that is prepared there in a few seconds.
    fn batch_size(&self) -> usize {
        self.array.unwrap_or(ARRAY).min(200)
    }

    /// One array is one line of the queue, and one decision of the cluster's.
    fn gathers(&self) -> bool {
        true
    }

    fn poll(&mut self, watches: &[Watch]) -> Result<Vec<JobStatus>, CallError> {
        let mut statuses = protocol::poll(&self.host, watches)?;
        let seen = statuses.iter().zip(watches);
        let beats: Vec<Option<LastBeat>> =
            seen.map(|(status, watch)| self.heartbeats.last(watch, status.beat)).collect();
        if statuses.iter().any(|status| matches!(status.state, JobState::Away(_))) {
            self.refresh()?;
        }
        self.heartbeats.keep(watches);
        for ((status, watch), beat) in statuses.iter_mut().zip(watches).zip(beats) {
            let JobState::Away(key) = &status.state else { continue };
            if key == "-" {
                status.state = JobState::Starting;
                continue;
            }
            let restarts = self.queue.get(key).map_or(0, |entry| entry.restarts);
            status.restarts = status.restarts.max(restarts);
            let queued = self.queued(key);
            // A job that is to end, and has ended for Slurm, is not waited for.
            let is_over = watch.signal != "-" && matches!(queued, QueueState::Over(_));
            status.state = heartbeat::state(queued, beat.filter(|_| !is_over));
        }
        Ok(statuses)
    }
}

impl Entry {
    /// `waiting: Priority, about 2 h`.
    fn waiting(&self) -> String {
        let start = NaiveDateTime::parse_from_str(&self.start, "%Y-%m-%dT%H:%M:%S").ok();
        let wait = start.map(|start| (start - Local::now().naive_local()).num_minutes());
        let about = match wait {
            Some(m @ 1..60) => format!(", about {m} min"),
            Some(m @ 60..2880) => format!(", about {} h", (m + 30) / 60),
            Some(m @ 2880..) => format!(", about {} days", (m + 720) / 1440),
            _ => String::new(),
        };
        let reason = if self.reason == "None" { "its turn" } else { &self.reason };
        format!("waiting: {reason}{about}")
    }
}

/// One slot for each job that may be with the cluster at once. Each job has GPUs of its own.
fn slots(site: &Site) -> Vec<Slot> {
    let device = if site.gres.contains("gpu") { "cuda:0" } else { "cpu" };
    let slot = |i| Slot {
        name: format!("job/{i}"),
        device: device.to_owned(),
        threads: site.threads.max(site.cpus).max(1),
        open: true,
        shared: None,
    };
    (0..site.max_jobs).map(slot).collect()
}

/// The options of a job, each one word of sbatch's command line.
fn options(site: &Site) -> Vec<String> {
    let named = [
        ("partition", site.partition.clone()),
        ("account", site.account.clone()),
        ("time", site.time.clone()),
        ("gres", site.gres.clone()),
        ("cpus-per-task", if site.cpus > 0 { site.cpus.to_string() } else { String::new() }),
        ("mem", site.memory.clone()),
    ];
    let given = named.into_iter().filter(|(_, value)| !value.is_empty());
    given.map(|(name, value)| format!("--{name}={value}")).chain(site.sbatch.clone()).collect()
}

/// The queue by job number: `22` or, for a task of an array, `22_3`.
fn entries(text: &[u8]) -> Result<BTreeMap<String, Entry>, CallError> {
    let text = String::from_utf8_lossy(text);
    let lines: Vec<&str> = text.lines().collect();
    protocol::finished(lines.last().copied())?;
    let mut entries = BTreeMap::new();
    for line in lines {
        let fields: Vec<&str> = line.split('|').map(str::trim).collect();
        let [array, task, job, state, restarts, start, reason, ..] = fields.as_slice() else {
            continue;
        };
        let key = match *task {
            "N/A" | "" => (*job).to_owned(),
            task => format!("{array}_{task}"),
        };
        let entry = Entry {
            state: clean(state),
            restarts: restarts.parse().unwrap_or(0),
            start: clean(start),
            reason: clean(reason),
        };
        entries.insert(key, entry);
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runner::launch::kinds;

    /// As Slurm 22.05 prints it.
    const QUEUE: &[u8] = b"1|0|2|RUNNING|0|2026-11-24T15:48:09|None|\n\
        1|1|3|PENDING|1|N/A|BeginTime|\n4|N/A|4|PENDING|0|2199-11-24T16:48:10|Priority|\n\
        5|N/A|5|NODE_FAIL|0|2026-11-24T15:48:09|NodeDown|\nend\n";

    #[test]
    fn the_queue_is_read_by_task() {
        let queue = entries(QUEUE).unwrap();
        assert_eq!(queue.keys().map(String::as_str).collect::<Vec<_>>(), ["1_0", "1_1", "4", "5"]);
        assert_eq!(queue["1_1"].waiting(), "waiting: BeginTime");
        assert_eq!(queue["1_1"].restarts, 1);
        let far = queue["4"].waiting();
        assert!(far.starts_with("waiting: Priority, about ") && far.ends_with(" days"), "{far}");
        assert!(entries(b"1|0|2|RUNNING|0|now|None|\n").is_err(), "a torn answer is none");
        let odd = entries(b"a|b\n\x1b[31m|||||||\nend\n").unwrap();
        assert!(odd.values().all(|entry| entry.state.is_empty()));
    }

    #[test]
    fn what_the_queue_says_of_a_job() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("config.toml"), "").unwrap();
        let board = Board::open(dir.path()).unwrap();
        let site = Site::default();
        let mut slurm = Slurm::new(board, kinds::host(&site).unwrap(), &site);
        let not_yet = QueueState::Unknown("Slurm has not answered yet".into());
        assert_eq!(slurm.queued("1_0"), not_yet);
        slurm.queue = entries(QUEUE).unwrap();
        assert_eq!(slurm.queued("6"), not_yet, "submitted since the queue was read");
        slurm.read = Some(Instant::now());
        assert_eq!(slurm.queued("6"), QueueState::Over("Slurm no longer knows it".into()));
        assert_eq!(slurm.queued("1_0"), QueueState::Running(0));
        assert_eq!(slurm.queued("1_1"), QueueState::Pending("waiting: BeginTime".into()));
        assert_eq!(
            slurm.queued("5"),
            QueueState::Over("Slurm ended it: NODE_FAIL, NodeDown".into())
        );
        // Stopped processes have no heartbeat.
        slurm.queue.get_mut("1_0").unwrap().state = "SUSPENDED".into();
        assert_eq!(
            slurm.queued("1_0"),
            QueueState::Pending("waiting: suspended by the cluster".into())
        );
        slurm.silent = "no route".into();
        assert_eq!(
            slurm.queued("1_0"),
            QueueState::Unknown("Slurm does not answer: no route".into())
        );
    }

    #[test]
    fn options_are_single_words() {
        let site = Site {
            partition: "gpu".into(),
            gres: "gpu:1".into(),
            cpus: 4,
            sbatch: vec!["--constraint=a100 big".into()],
            ..Site::default()
        };
        assert_eq!(
            options(&site),
            ["--partition=gpu", "--gres=gpu:1", "--cpus-per-task=4", "--constraint=a100 big"]
        );
    }
}
