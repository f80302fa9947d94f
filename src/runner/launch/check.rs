//! What a person asks of a site directly, whether or not a runner is at work.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::board::{Board, Site, SiteKind};
use crate::runner::error::{Result, RunnerError};
use crate::store::Run;

use super::call::CallError;
use super::host::Host;
use super::{kinds, protocol, transfer};

/// What a site is found to be.
#[derive(Debug, Clone)]
pub struct SiteCheck {
    /// What it is and has, by name: `host arch libc cores folder disk` (KiB) `writable trainer`.
    pub facts: Vec<(String, String)>,
    /// The tools that are missing there.
    pub missing: Vec<&'static str>,
    /// GPUs by name.
    pub gpus: Vec<String>,
    /// What `tuneboard-train probe` printed there.
    pub probe: String,
    /// How far its clock is ahead of ours, in seconds.
    pub skew: i64,
    /// Milliseconds until it answered.
    pub answered: u64,
}

impl SiteCheck {
    /// A fact; empty if it is not known.
    pub fn fact(&self, name: &str) -> &str {
        self.facts.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }
}

/// The site of this name and its host.
pub(super) fn open(board: &Board, name: &str) -> Result<(Site, Host)> {
    board.check_trust()?;
    let site = board.sites().into_iter().find(|(known, _)| known == name);
    let (_, site) = site
        .filter(|(_, site)| site.kind != SiteKind::Local)
        .ok_or_else(|| at(name)(CallError::Local("It is no site elsewhere.".to_owned())))?;
    let host = kinds::host(&site).map_err(at(name))?;
    Ok((site, host))
}

/// For `map_err` on what a site was asked.
pub(super) fn at(name: &str) -> impl Fn(CallError) -> RunnerError {
    move |error| RunnerError::Site { name: name.to_owned(), why: error.why().to_owned() }
}

/// Checks a site: connection, tools, folder, trainer, libtorch, GPUs, clock.
///
/// # Errors
/// [`RunnerError::Site`]: it does not answer, or not as it should.
pub fn check_site(board: &Board, name: &str) -> Result<SiteCheck> {
    let (site, host) = open(board, name)?;
    let start = Instant::now();
    let info = protocol::look(&host, "brief").map_err(at(name))?;
    let answered = start.elapsed();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let skew = info.number("time").map_or(0, |there| there as i64 - now as i64);
    let needed = kinds::scheduler(&site).tools;
    let is_missing = |tool: &&&str| !info.tools.iter().any(|found| found == **tool);
    let mut probe = String::new();
    if !info.fact("trainer").is_empty() {
        let answer = host.ask("probe", 64 << 10, |to| protocol::put(to, &[info.fact("trainer")]));
        let answer = protocol::info(&answer.map_err(at(name))?).map_err(at(name))?;
        answer.fact("probe").clone_into(&mut probe);
    }
    Ok(SiteCheck {
        missing: needed.iter().filter(is_missing).copied().collect(),
        gpus: info.gpus.iter().map(|gpu| gpu.name.clone()).collect(),
        facts: info.facts.into_iter().collect(),
        probe,
        skew,
        answered: answered.as_millis() as u64,
    })
}

/// Fetches checkpoints and predictions of a run from its site; gives the bytes that came.
///
/// # Errors
/// [`RunnerError::Site`].
pub fn fetch(board: &Board, run: &Run, tell: impl Fn(String)) -> Result<u64> {
    let name = run.placement.as_ref().map_or("", |at| at.site.as_str());
    let (_, host) = open(board, name)?;
    let job = format!("{}-{:x}", run.id, run.created);
    let folders = ["checkpoints", "predictions"].map(str::to_owned);
    transfer::fetch(board, &host, &job, run.id, &folders, tell).map_err(at(name))
}
