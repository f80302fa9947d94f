//! The lines of a call and of its answer. What a host says is untrusted: every number is checked, and
//! nothing that was not asked for is taken.

use std::collections::BTreeMap;
use std::io::{self, Write};

use crate::runner::folder::clean;
use crate::runner::live::Exit;

use super::call::Trouble;
use super::job::{Answer, Beat, Device, Doing, Look, Ready, Sight, Watch};

/// New bytes of events and of log that one look at one job brings at most.
pub(super) const PIECE: u64 = 1 << 20;

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
pub(super) fn put_jobs(to: &mut dyn Write, jobs: &[Ready]) -> io::Result<()> {
    put(to, &[&jobs.len().to_string()])?;
    jobs.iter().try_for_each(|ready| put_job(to, ready))
}

fn put_job(to: &mut dyn Write, ready: &Ready) -> io::Result<()> {
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

/// The answer to `submit` and `batch`: one for each job.
pub(super) fn answers(text: &[u8], jobs: &[Ready]) -> Result<Vec<Answer>, Trouble> {
    let text = String::from_utf8_lossy(text);
    let mut lines = text.lines();
    let mut told = BTreeMap::new();
    for line in lines.by_ref().take(jobs.len()) {
        let words = line.strip_prefix("job ").and_then(|rest| rest.split_once(' '));
        let (name, verdict) = words.ok_or_else(|| odd(line))?;
        told.insert(name, verdict);
    }
    finished(lines.next())?;
    let answer = |ready: &Ready| {
        let verdict = told.get(ready.job.name.as_str()).copied().unwrap_or_default();
        let (word, rest) = verdict.split_once(' ').unwrap_or((verdict, ""));
        Ok(match word {
            "ready" | "known" => Answer::Started,
            "missing" => Answer::Missing(rest.split(' ').map(str::to_owned).collect()),
            "later" => Answer::Later(clean(rest)),
            "trainer" => Answer::Refused(format!(
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
pub(super) fn put_watches(to: &mut dyn Write, watches: &[Watch]) -> io::Result<()> {
    put(to, &[&watches.len().to_string(), &PIECE.to_string()])?;
    for watch in watches {
        let (run, events, log) =
            (watch.id.to_string(), watch.events.to_string(), watch.log.to_string());
        put(to, &[&watch.name, &run, &watch.ticket, &events, &log, watch.signal])?;
    }
    Ok(())
}

/// The longest answer to `poll` that is read.
pub(super) fn longest_poll(watches: usize) -> u64 {
    (watches as u64 + 1) * (2 * PIECE + 512)
}

/// The answer to `poll`: one for each job, in order.
pub(super) fn sights(mut text: &[u8], watches: &[Watch]) -> Result<Vec<Sight>, Trouble> {
    let mut sights = Vec::with_capacity(watches.len());
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
        let doing = match *state {
            "unknown" => Doing::Unknown,
            "starting" => Doing::Starting,
            "alive" => Doing::Alive,
            // Whether it waits or works is for the queue to say.
            "away" => Doing::Away(clean(key)),
            "lost" => Doing::Lost(String::new()),
            "ended" => match code.parse::<i32>() {
                Ok(code @ 129..=159) => Doing::Ended(Exit::Signal(code - 128)),
                Ok(code) => Doing::Ended(Exit::Code(code)),
                Err(_) => Doing::Lost(String::new()),
            },
            _ => return Err(odd(&line)),
        };
        let beat = match *beat {
            "-" => None,
            beat => Some(Beat::parse(beat).ok_or_else(|| odd(&line))?),
        };
        sights.push(Sight {
            doing,
            beat,
            sizes: (*events, *log),
            events: bytes(&mut text, *send)?,
            log: bytes(&mut text, *log_send)?,
            restarts: u32::try_from(*restarts).unwrap_or(0),
        });
    }
    finished(Some(&first_line(&mut text)))?;
    Ok(sights)
}

/// The answer to `look`.
pub(super) fn look(text: &[u8]) -> Result<Look, Trouble> {
    /// No machine has more GPUs than this, and no honest answer more lines.
    const MOST: usize = 64;
    let text = String::from_utf8_lossy(text);
    let mut look = Look { facts: BTreeMap::new(), tools: Vec::new(), gpus: Vec::new() };
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
pub(super) fn needed(text: &[u8], asked: &[String]) -> Result<Vec<String>, Trouble> {
    let text = String::from_utf8_lossy(text);
    let lines: Vec<&str> = text.lines().collect();
    finished(lines.last().copied())?;
    let is_needed = |hash: &&String| lines.iter().any(|l| l.strip_prefix("need ") == Some(hash));
    Ok(asked.iter().filter(is_needed).cloned().collect())
}

/// An answer is whole only with its last line.
pub(super) fn finished(line: Option<&str>) -> Result<(), Trouble> {
    match line {
        Some("end") => Ok(()),
        Some(line) if !line.is_empty() => Err(odd(line)),
        _ => Err(Trouble::Away("The connection broke in the middle of an answer.".to_owned())),
    }
}

fn odd(line: &str) -> Trouble {
    let line: String = line.chars().take(80).collect();
    Trouble::Odd(format!("It answers what was not asked: `{}`.", clean(&line)))
}

fn first_line(text: &mut &[u8]) -> String {
    let end = text.iter().position(|b| *b == b'\n').unwrap_or(text.len());
    let line = String::from_utf8_lossy(text.get(..end).unwrap_or_default()).into_owned();
    *text = text.get(end + 1..).unwrap_or_default();
    line
}

fn bytes(text: &mut &[u8], n: u64) -> Result<Vec<u8>, Trouble> {
    let n = n as usize;
    let Some((bytes, rest)) = text.split_at_checked(n) else {
        return Err(Trouble::Away("The connection broke in the middle of an answer.".to_owned()));
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
        let sights = sights(text, &[watch("a"), watch("b"), watch("c")]).unwrap();
        assert_eq!(sights[0].doing, Doing::Alive);
        assert_eq!(
            (sights[0].events.as_slice(), sights[0].log.as_slice()),
            (&b"{}\n"[..], &b"ok"[..])
        );
        assert_eq!(sights[0].sizes, (9, 2));
        assert_eq!(sights[1].doing, Doing::Ended(Exit::Signal(15)));
        assert_eq!((sights[1].restarts, sights[1].beat), (2, None));
        assert_eq!(sights[2].doing, Doing::Away("22_2".into()));
        assert_eq!(sights[2].beat, Some(Beat { restart: 1, count: 17 }));
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
            let Err(trouble) = sights(text, &[watch("a")]) else { panic!("{text:?}") };
            assert!(!trouble.why().chars().any(char::is_control), "{trouble:?}");
        }
        assert!(look(&b"gpu A100, 1, 2, 3, 4\n".repeat(1000)).is_err());
        assert!(look(b"host a\n").is_err());
    }

    #[test]
    fn a_host_tells_what_it_has() {
        let text = b"host box\ncores 8\ntool tar\ngpu A100-SXM4, 512, 81920, 37, [N/A]\nend\n";
        let look = look(text).unwrap();
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
