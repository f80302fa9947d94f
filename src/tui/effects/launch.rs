use crate::board::Board;
use crate::order::{OrderError, check_inputs, name_in, name_of_clone};
use crate::runner;
use crate::spec::{Desired, RunId, RunSpec, SpecError};
use crate::store::{NewRun, NewSweep, Store, StoreError};
use crate::tui::command::Order;
use thiserror::Error;

/// Why nothing was queued.
#[derive(Debug, Error)]
#[error(transparent)]
pub enum LaunchError {
    /// A spec that cannot be made.
    Spec(#[from] SpecError),
    /// A model or data set that cannot be used.
    Order(#[from] OrderError),
    /// The database cannot be written.
    Store(#[from] StoreError),
}

/// What was queued.
#[derive(Debug)]
pub struct Launched {
    /// The runs.
    pub ids: Vec<RunId>,
    /// One sentence for the user.
    pub told: String,
    /// What went wrong with the runner, if anything did.
    pub trouble: Option<runner::RunnerError>,
}

/// Checks models and data, queues the runs, all or none, and sees to it that a runner runs.
pub fn launch(board: &Board, store: &mut Store, order: Order) -> Result<Launched, LaunchError> {
    let specs = order.sweep.expand()?;
    check_inputs(board, &specs)?;
    let like = order.like.filter(|_| order.sweep.axes.is_empty());
    let like = like.map(|id| store.reader().run(id)).transpose()?.flatten();
    let name = |spec: &RunSpec| match &like {
        Some(like) => name_of_clone(&like.name, &like.spec, spec),
        None => name_in(&order.sweep, spec),
    };
    let new: Vec<NewRun> = specs
        .into_iter()
        .map(|spec| NewRun { name: name(&spec), spec, desired: Desired::Run })
        .collect();
    let varied = order.sweep.varied().collect::<Vec<_>>().join(" x ");
    let sweep =
        (!order.sweep.axes.is_empty()).then_some(NewSweep { name: varied, sweep: order.sweep });
    let (_, ids) = store.enqueue(sweep.as_ref(), &new)?;
    let told = match (ids.as_slice(), new.as_slice()) {
        ([id], [run]) => format!("Queued {id} ({}).", run.name),
        ([first, .., last], _) => format!("Queued {} runs, {first} to {last}.", ids.len()),
        _ => "Nothing was queued.".to_owned(),
    };
    Ok(Launched { ids, told, trouble: runner::ensure(board).err() })
}
