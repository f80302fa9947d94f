use std::collections::BTreeMap;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use chrono::{Local, NaiveDateTime};

use crate::board::{Board, Site};
use crate::runner::folder::clean;

use super::call::Trouble;
use super::host::Host;
use super::job::{Answer, Doing, Look, Ready, Sight, Watch};
use super::pulse::{Pulses, Sign, Word, weigh};
use super::{Launcher, ssh, wire};

/// How often the queue is read: clusters dislike to be asked more often.
const QUEUE: Duration = Duration::from_secs(10);
/// How long a look at the jobs waits for the queue: a controller that is down keeps `squeue` for 20 s, in
/// which nobody would see who still lives.
const PATIENCE: Duration = Duration::from_secs(2);
/// The longest answer of `squeue` that is read: some 20,000 jobs.
const LONGEST: u64 = 4 << 20;
/// Jobs of one array, where the cluster does not say.
const ARRAY: usize = 1_000;

/// Jobs of a Slurm cluster. What counts, in this order: the exit code that the job wrote, the queue's
/// word, the job's signs of life.
#[derive(Debug)]
pub(super) struct Slurm {
    host: Host,
    site: Site,
    /// Tasks that one array may have; `None` when the cluster is to be asked.
    array: Option<usize>,
    /// The queue by job number, as last read, and when.
    queue: BTreeMap<String, Entry>,
    read: Option<Instant>,
    /// A reading that is under way.
    reading: Option<Receiver<Result<Vec<u8>, Trouble>>>,
    pulses: Pulses,
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
    pub(super) fn new(board: Board, host: Host, site: &Site) -> Self {
        Self {
            host,
            site: site.clone(),
            array: None,
            queue: BTreeMap::new(),
            read: None,
            reading: None,
            pulses: Pulses::new(board),
            silent: String::new(),
        }
    }

    /// Reads the queue if that is due. A controller that is down is not the site's end: jobs go on, and
    /// what they write still comes.
    fn refresh(&mut self) -> Result<(), Trouble> {
        if self.reading.is_none() {
            if self.read.is_some_and(|read| read.elapsed() < QUEUE) {
                return Ok(());
            }
            let (host, (answer, reading)) = (self.host.clone(), mpsc::channel());
            let read = move || drop(answer.send(host.ask("queue", LONGEST, |_| Ok(()))));
            thread::Builder::new().name("queue".to_owned()).spawn(read)?;
            self.reading = Some(reading);
        }
        let Some(reading) = &self.reading else { return Ok(()) };
        let answer = match reading.recv_timeout(PATIENCE) {
            // What was read before still counts.
            Err(RecvTimeoutError::Timeout) => return Ok(()),
            Err(RecvTimeoutError::Disconnected) => {
                Err(Trouble::Here("The queue's reader broke off.".to_owned()))
            }
            Ok(answer) => answer,
        };
        self.reading = None;
        match answer {
            Ok(text) => {
                self.queue = entries(&text)?;
                self.silent.clear();
            }
            Err(Trouble::Odd(why)) => self.silent = why,
            Err(trouble) => return Err(trouble),
        }
        self.read = Some(Instant::now());
        Ok(())
    }

    /// What the queue says of a job that has not written its exit code.
    fn word(&self, key: &str) -> Word {
        if !self.silent.is_empty() {
            return Word::Nothing(format!("Slurm does not answer: {}", self.silent));
        }
        let Some(entry) = self.queue.get(key) else {
            // A job that was just submitted is in no answer to an earlier question.
            return match self.read {
                Some(_) => Word::Over("Slurm no longer knows it".to_owned()),
                None => Word::Nothing("Slurm has not answered yet".to_owned()),
            };
        };
        match entry.state.as_str() {
            "PENDING" => Word::Waits(entry.waiting()),
            // Its processes are stopped: no sign of life is to be expected.
            "SUSPENDED" | "STOPPED" => Word::Waits("waiting: suspended by the cluster".to_owned()),
            "RUNNING" | "CONFIGURING" | "COMPLETING" | "REQUEUED" | "REQUEUE_HOLD" | "RESIZING"
            | "SIGNALING" | "STAGE_OUT" => Word::Runs(entry.restarts),
            state => Word::Over(format!("Slurm ended it: {state}, {}", entry.reason)),
        }
    }

    fn submit_array(&self, jobs: &[Ready]) -> Result<Vec<Answer>, Trouble> {
        let options = options(&self.site);
        let Some(first) = jobs.first() else { return Ok(Vec::new()) };
        let label = format!("{}-{}", first.job.name, first.job.ticket);
        let answer = self.host.ask("batch", 1 << 20, |to| {
            wire::put(to, &[&label, &options.len().to_string()])?;
            options.iter().try_for_each(|option| wire::put(to, &[option]))?;
            wire::put_jobs(to, jobs)
        })?;
        wire::answers(&answer, jobs)
    }
}

impl Launcher for Slurm {
    fn look(&mut self) -> Result<Look, Trouble> {
        let extent = if self.array.is_none() { "whole" } else { "brief" };
        let look = ssh::look(&self.host, extent)?;
        if !look.tools.iter().any(|tool| tool == "sbatch") {
            return Err(Trouble::Odd(
                "There is no `sbatch` there: it is no login node.".to_owned(),
            ));
        }
        let told = look.number("array").map(|n| n.max(1) as usize);
        self.array = self.array.or(told).or(Some(ARRAY));
        Ok(look)
    }

    fn submit(&mut self, jobs: &[Ready]) -> Result<Vec<Answer>, Trouble> {
        let answers = self.submit_array(jobs)?;
        if answers.iter().any(|answer| matches!(answer, Answer::Later(_))) {
            // The array may have been too long for this cluster.
            self.array = None;
        }
        // The new ones are looked for at once, and not in an answer that is older than they are.
        (self.read, self.reading) = (None, None);
        Ok(answers)
    }

    /// The longest array that the cluster takes, and that is prepared there in a few seconds.
    fn together(&self) -> usize {
        self.array.unwrap_or(ARRAY).min(200)
    }

    /// One array is one line of the queue, and one decision of the cluster's.
    fn gathers(&self) -> bool {
        true
    }

    fn poll(&mut self, watches: &[Watch]) -> Result<Vec<Sight>, Trouble> {
        let mut sights = ssh::poll(&self.host, watches)?;
        let seen = sights.iter().zip(watches);
        let signs: Vec<Option<Sign>> =
            seen.map(|(sight, watch)| self.pulses.sign(watch, sight.beat)).collect();
        if sights.iter().any(|sight| matches!(sight.doing, Doing::Away(_))) {
            self.refresh()?;
        }
        self.pulses.keep(watches);
        for ((sight, watch), sign) in sights.iter_mut().zip(watches).zip(signs) {
            let Doing::Away(key) = &sight.doing else { continue };
            if key == "-" {
                sight.doing = Doing::Starting;
                continue;
            }
            let restarts = self.queue.get(key).map_or(0, |entry| entry.restarts);
            sight.restarts = sight.restarts.max(restarts);
            let word = self.word(key);
            // Who is to end, and has ended for Slurm, is not waited for.
            let is_over = watch.signal != "-" && matches!(word, Word::Over(_));
            sight.doing = weigh(word, sign.filter(|_| !is_over));
        }
        Ok(sights)
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
fn entries(text: &[u8]) -> Result<BTreeMap<String, Entry>, Trouble> {
    let text = String::from_utf8_lossy(text);
    let lines: Vec<&str> = text.lines().collect();
    wire::finished(lines.last().copied())?;
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
        let mut slurm = Slurm::new(board, Host::of(&site).unwrap(), &site);
        let not_yet = Word::Nothing("Slurm has not answered yet".into());
        assert_eq!(slurm.word("1_0"), not_yet);
        slurm.queue = entries(QUEUE).unwrap();
        assert_eq!(slurm.word("6"), not_yet, "submitted since the queue was read");
        slurm.read = Some(Instant::now());
        assert_eq!(slurm.word("6"), Word::Over("Slurm no longer knows it".into()));
        assert_eq!(slurm.word("1_0"), Word::Runs(0));
        assert_eq!(slurm.word("1_1"), Word::Waits("waiting: BeginTime".into()));
        assert_eq!(slurm.word("5"), Word::Over("Slurm ended it: NODE_FAIL, NodeDown".into()));
        // Stopped processes give no signs of life.
        slurm.queue.get_mut("1_0").unwrap().state = "SUSPENDED".into();
        assert_eq!(slurm.word("1_0"), Word::Waits("waiting: suspended by the cluster".into()));
        slurm.silent = "no route".into();
        assert_eq!(slurm.word("1_0"), Word::Nothing("Slurm does not answer: no route".into()));
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
