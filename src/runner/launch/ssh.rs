use super::call::Trouble;
use super::host::Host;
use super::job::{Answer, Look, Ready, Sight, Watch};
use super::{Launcher, wire};

/// Jobs as sessions of their own on a machine behind `ssh`.
#[derive(Debug)]
pub(super) struct Ssh {
    /// Where.
    pub host: Host,
}

impl Launcher for Ssh {
    fn look(&mut self) -> Result<Look, Trouble> {
        look(&self.host, "brief")
    }

    fn submit(&mut self, jobs: &[Ready]) -> Result<Vec<Answer>, Trouble> {
        let answer = self.host.ask("submit", 1 << 20, |to| wire::put_jobs(to, jobs))?;
        wire::answers(&answer, jobs)
    }

    fn together(&self) -> usize {
        50
    }

    fn gathers(&self) -> bool {
        false
    }

    fn poll(&mut self, watches: &[Watch]) -> Result<Vec<Sight>, Trouble> {
        poll(&self.host, watches)
    }
}

/// What the host is and has; a `whole` look asks the controller of a cluster as well, which takes its
/// time while it is down, a `brief` one does not.
pub(super) fn look(host: &Host, extent: &str) -> Result<Look, Trouble> {
    wire::look(&host.ask("look", 64 << 10, |to| wire::put(to, &[&host.trainer(), extent]))?)
}

/// One call for all jobs: signals go, states and new bytes come.
pub(super) fn poll(host: &Host, watches: &[Watch]) -> Result<Vec<Sight>, Trouble> {
    let most = wire::longest_poll(watches.len());
    wire::sights(&host.ask("poll", most, |to| wire::put_watches(to, watches))?, watches)
}
