use crate::spec::{RunId, RunSpec};
use crate::store::Run;

/// What the plan has to know of a run that wants to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Its number.
    pub id: RunId,
    /// The lowest goes first.
    pub turn: i64,
    /// A site, or `any`.
    pub site: String,
    /// `auto`, `cpu` or `cuda:N`.
    pub device: String,
    /// 0 = as the slot has.
    pub threads: u32,
}

impl Waiting {
    /// A run with this spec.
    pub fn new(id: RunId, spec: &RunSpec) -> Self {
        let turn = i64::from(id.0);
        Self {
            id,
            turn,
            site: spec.site.clone(),
            device: spec.device.clone(),
            threads: spec.threads,
        }
    }

    /// A run of the queue. One that has been at work goes on where its checkpoints lie.
    pub fn of(run: &Run) -> Self {
        let waiting = Self { turn: run.turn, ..Self::new(run.id, &run.spec) };
        match &run.placement {
            Some(placement) if run.attempt > 0 => Self { site: placement.site.clone(), ..waiting },
            _ => waiting,
        }
    }
}
