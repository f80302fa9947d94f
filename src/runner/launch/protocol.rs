//! The lines of a call and of its answer. What a host says is untrusted: every number is checked, and
//! nothing that was not asked for is taken.

use std::collections::BTreeMap;
use std::io::{self, Write};

use crate::runner::exit::Exit;
use crate::runner::text::clean;

use super::call::CallError;
use super::host::Host;
use super::job::{Device, Heartbeat, HostInfo, JobState, JobStatus, ReadyJob, SubmitAnswer, Watch};

/// New bytes of events and of log that one look at one job brings at most.
const PIECE: u64 = 1 << 20;

/// One value per line; a line break in one would begin the next.
pub(super) fn put(to: &mut dyn Write, values: &[&str]) -> io::Result<()> {
    for value in values {
        if value.contains(['\n', '\0']) {
            return Err(io::Error::other("a value with a line break cannot be sent"));
        }
        writeln!(to, "{value}")?;
    }
    Ok(())
}

/// The body of `submit`.
pub(super) fn put_jobs(to: &mut dyn Write, jobs: &[ReadyJob]) -> io::Result<()> {
    put(to, &[&jobs.len().to_string()])?;
    jobs.iter().try_for_each(|ready| put_job(to, ready))
}

fn put_job(to: &mut dyn Write, ready: &ReadyJob) -> io::Result<()> {
    let (job, at) = (&ready.job, &ready.job.placement);
    let (attempt, threads) = (job.attempt.to_string(), at.threads.to_string());
    let fresh = if job.attempt == 1 { "1" } else { "0" };
    let run = job.id.to_string();
    put(to, &[&job.name, &run, &job.ticket, fresh, &attempt, &at.device, &threads])?;
    put(to, &[&ready.trainer, &ready.inputs.len().to_string()])?;
    for input in &ready.inputs {
        put(to, &[&input.link, &input.hash])?;
    }
    let spec = ready.spec.to_toml();
    put(to, &[&spec.len().to_string()])?;
    to.write_all(spec.as_bytes())?;
    put(to, &[&format!("end {}", job.name)])
}

/// The answer to `submit`: one for each job.
pub(super) fn answers(text: &[u8], jobs: &[ReadyJob]) -> Result<Vec<SubmitAnswer>, CallError> {
    let text = String::from_utf8_lossy(text);
    let mut lines = text.lines();
    let mut told = BTreeMap::new();
    for line in lines.by_ref().take(jobs.len()) {
        let words = line.strip_prefix("job ").and_then(|rest| rest.split_once(' '));
        let (name, verdict) = words.ok_or_else(|| odd(line))?;
        told.insert(name, verdict);
    }
    finished(lines.next())?;
    let answer = |ready: &ReadyJob| {
        let verdict = told.get(ready.job.name.as_str()).copied().unwrap_or_default();
        let (word, rest) = verdict.split_once(' ').unwrap_or((verdict, ""));
        Ok(match word {
            "ready" | "known" => SubmitAnswer::Started,
            "missing" => SubmitAnswer::Missing(rest.split(' ').map(str::to_owned).collect()),
            "later" => SubmitAnswer::Later(clean(rest)),
            "trainer" => SubmitAnswer::Refused(format!(
                "There is no trainer {} there; `tuneboard sites install {}` brings one.",
                clean(rest),
                ready.job.placement.site
            )),
            _ => return Err(odd(verdict)),
        })
    };
    jobs.iter().map(answer).collect()
}

/// The body of `poll`.
fn put_watches(to: &mut dyn Write, watches: &[Watch]) -> io::Result<()> {
    put(to, &[&watches.len().to_string(), &PIECE.to_string()])?;
    for watch in watches {
        let (run, events, log) =
            (watch.id.to_string(), watch.events.to_string(), watch.log.to_string());
        put(to, &[&watch.name, &run, &watch.ticket, &events, &log, watch.signal])?;
    }
    Ok(())
}

/// The longest answer to `poll` that is read.
fn longest_poll(watches: usize) -> u64 {
    (watches as u64 + 1) * (2 * PIECE + 512)
}

/// The answer to `poll`: one for each job, in order.
fn statuses(mut text: &[u8], watches: &[Watch]) -> Result<Vec<JobStatus>, CallError> {
    let mut statuses = Vec::with_capacity(watches.len());
    for watch in watches {
        let line = first_line(&mut text);
        let words: Vec<&str> = line.split(' ').collect();
        let [run, name, state, code, sizes @ .., key, beat] = words.as_slice() else {
            return Err(odd(&line));
        };
        let numbers: Vec<u64> = sizes.iter().filter_map(|word| word.parse().ok()).collect();
        let [events, log, send, log_send, restarts] = numbers.as_slice() else {
            return Err(odd(&line));
        };
        if *run != "run" || *name != watch.name || sizes.len() != numbers.len() {
            return Err(odd(&line));
        }
        if *send > PIECE || *log_send > PIECE {
            return Err(odd(&line));
        }
        let state = match *state {
            "unknown" => JobState::Unknown,
            "starting" => JobState::Starting,
            "alive" => JobState::Alive,
            // Whether it waits or works is for the queue to say.
            "away" => JobState::Away(clean(key)),
            "lost" => JobState::Lost(String::new()),
            "ended" => match code.parse::<i32>() {
                Ok(code @ 129..=159) => JobState::Ended(Exit::Signal(code - 128)),
                Ok(code) => JobState::Ended(Exit::Code(code)),
                Err(_) => JobState::Lost(String::new()),
            },
            _ => return Err(odd(&line)),
        };
        let beat = match *beat {
            "-" => None,
            beat => Some(Heartbeat::parse(beat).ok_or_else(|| odd(&line))?),
        };
        statuses.push(JobStatus {
            state,
            beat,
            sizes: (*events, *log),
            events: bytes(&mut text, *send)?,
            log: bytes(&mut text, *log_send)?,
            restarts: u32::try_from(*restarts).unwrap_or(0),
        });
    }
    finished(Some(&first_line(&mut text)))?;
    Ok(statuses)
}

/// Asks what the host is and has; a `whole` look asks its scheduler as well, which takes its time while it
/// is down, a `brief` one does not.
pub(super) fn look(host: &Host, extent: &str) -> Result<HostInfo, CallError> {
    info(&host.ask("look", 64 << 10, |to| put(to, &[host.trainer(), extent]))?)
}

/// One call for all jobs: signals go, states and new bytes come.
pub(super) fn poll(host: &Host, watches: &[Watch]) -> Result<Vec<JobStatus>, CallError> {
    let most = longest_poll(watches.len());
    statuses(&host.ask("poll", most, |to| put_watches(to, watches))?, watches)
}

/// The answer to `look` and `probe`.
pub(super) fn info(text: &[u8]) -> Result<HostInfo, CallError> {
    /// No machine has more GPUs than this, and no honest answer more lines.
    const MOST: usize = 64;
    let text = String::from_utf8_lossy(text);
    let mut look = HostInfo { facts: BTreeMap::new(), tools: Vec::new(), gpus: Vec::new() };
    let mut ended = None;
    for line in text.lines() {
        match line.split_once(' ').unwrap_or((line, "")) {
            ("end", "") => ended = Some("end"),
            ("tool", name) if look.tools.len() < MOST => look.tools.push(clean(name)),
            ("gpu", fields) if look.gpus.len() < MOST => look.gpus.push(device(fields)),
            (name, value) if look.facts.len() < MOST => {
                look.facts.insert(clean(name), clean(value));
            }
            _ => return Err(odd(line)),
        }
    }
    finished(ended)?;
    Ok(look)
}

/// A line of nvidia-smi: name, MiB in use, MiB in all, percent busy, degrees.
fn device(fields: &str) -> Device {
    let mut fields = fields.split(',').map(str::trim);
    let name = clean(fields.next().unwrap_or_default());
    let numbers: Vec<Option<u32>> = fields.map(|field| field.parse().ok()).collect();
    let number = |at: usize| numbers.get(at).copied().flatten();
    let mib = |at| number(at).map(|n| u64::from(n) << 20);
    Device {
        name,
        memory: mib(0).zip(mib(1)),
        busy: number(2).map(|n| n as f32),
        temperature: number(3),
    }
}

/// The answer to `need`: those hashes of ours that are not there.
pub(super) fn needed(text: &[u8], asked: &[String]) -> Result<Vec<String>, CallError> {
    let text = String::from_utf8_lossy(text);
    let lines: Vec<&str> = text.lines().collect();
    finished(lines.last().copied())?;
    let is_needed = |hash: &&String| lines.iter().any(|l| l.strip_prefix("need ") == Some(hash));
    Ok(asked.iter().filter(is_needed).cloned().collect())
}

/// An answer is whole only with its last line.
pub(super) fn finished(line: Option<&str>) -> Result<(), CallError> {
    match line {
        Some("end") => Ok(()),
        Some(line) if !line.is_empty() => Err(odd(line)),
        _ => Err(CallError::Unreachable(
            "The connection broke in the middle of an answer.".to_owned(),
        )),
    }
}

fn odd(line: &str) -> CallError {
    let line: String = line.chars().take(80).collect();
    CallError::Unexpected(format!("It answers what was not asked: `{}`.", clean(&line)))
}

fn first_line(text: &mut &[u8]) -> String {
    let end = text.iter().position(|b| *b == b'\n').unwrap_or(text.len());
    let line = String::from_utf8_lossy(text.get(..end).unwrap_or_default()).into_owned();
    *text = text.get(end + 1..).unwrap_or_default();
    line
}

fn bytes(text: &mut &[u8], n: u64) -> Result<Vec<u8>, CallError> {
    let n = n as usize;
    let Some((bytes, rest)) = text.split_at_checked(n) else {
        return Err(CallError::Unreachable(
            "The connection broke in the middle of an answer.".to_owned(),
        ));
    };
    *text = rest;
    Ok(bytes.to_vec())
}

#[cfg(test)]
mod tests {
    use crate::spec::RunId;

    use super::*;

    fn watch(name: &str) -> Watch {
        Watch {
            id: RunId(1),
            name: name.into(),
            ticket: "1-a".into(),
            events: 0,
            log: 0,
            signal: "-",
        }
    }

    #[test]
    fn a_look_at_jobs_brings_states_and_bytes() {
        let text = b"run a alive - 9 2 3 2 0 - -\n{}\nokrun b ended 143 0 0 0 0 2 22_1 -\n\
            run c away - 0 0 0 0 1 22_2 1.17\nend\n";
        let statuses = statuses(text, &[watch("a"), watch("b"), watch("c")]).unwrap();
        assert_eq!(statuses[0].state, JobState::Alive);
        assert_eq!(
            (statuses[0].events.as_slice(), statuses[0].log.as_slice()),
            (&b"{}\n"[..], &b"ok"[..])
        );
        assert_eq!(statuses[0].sizes, (9, 2));
        assert_eq!(statuses[1].state, JobState::Ended(Exit::Signal(15)));
        assert_eq!((statuses[1].restarts, statuses[1].beat), (2, None));
        assert_eq!(statuses[2].state, JobState::Away("22_2".into()));
        assert_eq!(statuses[2].beat, Some(Heartbeat { restart: 1, count: 17 }));
    }

    #[test]
    fn what_a_hostile_host_says_is_refused() {
        for text in [
            &b""[..],
            b"run a alive - 9 2 3 2 0 - -\n",
            b"run a alive - 9 2 30 2 0 - -\n{}\nokend\n",
            b"run z alive - 0 0 0 0 0 - -\nend\n",
            b"run a dancing - 0 0 0 0 0 - -\nend\n",
            b"run a alive - 0 0 99999999999 0 0 - -\nend\n",
            b"run a alive - -1 0 0 0 0 - -\nend\n",
            b"run a alive - 0 0 0\nend\n",
            b"run a alive - 0 0 0 0 0 - -\nmore\n",
            b"run a away - 0 0 0 0 0 1 0.-1\nend\n",
            b"run a away - 0 0 0 0 0 1 99999999999.1\nend\n",
            b"\x1b]0;gotcha\x07\n",
            b"{\"run\": true}\nend\n",
        ] {
            let Err(error) = statuses(text, &[watch("a")]) else { panic!("{text:?}") };
            assert!(!error.why().chars().any(char::is_control), "{error:?}");
        }
        assert!(info(&b"gpu A100, 1, 2, 3, 4\n".repeat(1000)).is_err());
        assert!(info(b"host a\n").is_err());
    }

    #[test]
    fn a_host_tells_what_it_has() {
        let text = b"host box\ncores 8\ntool tar\ngpu A100-SXM4, 512, 81920, 37, [N/A]\nend\n";
        let look = info(text).unwrap();
        assert_eq!((look.fact("host"), look.number("cores")), ("box", Some(8)));
        let gpu = &look.gpus[0];
        assert_eq!(
            (gpu.memory, gpu.busy, gpu.temperature),
            (Some((512 << 20, 81920 << 20)), Some(37.0), None)
        );
    }

    #[test]
    fn a_value_is_a_line() {
        let mut out = Vec::new();
        put(&mut out, &["a b", "$(x) '\"", "-rf"]).unwrap();
        assert_eq!(out, b"a b\n$(x) '\"\n-rf\n");
        assert!(put(&mut out, &["a\nb"]).is_err());
    }
}
