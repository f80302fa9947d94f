use super::{Scheduler, SchedulerKind};
use crate::runner::launch::call::CallError;
use crate::runner::launch::host::{Host, Script};
use crate::runner::launch::job::{HostInfo, JobStatus, ReadyJob, SubmitAnswer, Watch};
use crate::runner::launch::protocol;

/// Jobs as processes of the host, each in a session of its own.
pub(in crate::runner::launch) const KIND: SchedulerKind = SchedulerKind {
    script: Script { calls: include_str!("../script/process.sh"), job: "" },
    tools: &["tar", "setsid"],
    queue: None,
    open: |_, host, _| Box::new(Processes { host }),
};

#[derive(Debug)]
struct Processes {
    host: Host,
}

impl Scheduler for Processes {
    fn info(&mut self) -> Result<HostInfo, CallError> {
        protocol::look(&self.host, "brief")
    }

    fn submit(&mut self, jobs: &[ReadyJob]) -> Result<Vec<SubmitAnswer>, CallError> {
        let answer = self.host.ask("submit", 1 << 20, |to| protocol::put_jobs(to, jobs))?;
        protocol::answers(&answer, jobs)
    }

    fn batch_size(&self) -> usize {
        50
    }

    fn gathers(&self) -> bool {
        false
    }

    fn poll(&mut self, watches: &[Watch]) -> Result<Vec<JobStatus>, CallError> {
        protocol::poll(&self.host, watches)
    }
}
