use crate::board::Board;
use crate::order::{OrderError, check_inputs, name_in, name_of};
use crate::runner;
use crate::spec::{RunId, SpecError, Sweep, Wish};
use crate::store::{NewRun, NewSweep, Store, StoreError};
use thiserror::Error;

/// Runs to be queued.
#[derive(Debug, Clone, PartialEq)]
pub struct Order {
    /// All of them; one without axes.
    pub sweep: Sweep,
}

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

/// Checks models and data, queues the runs, all or none, and sees to it that a runner runs. Returns the
/// runs, and what went wrong with the runner, if anything did.
pub fn launch(
    board: &Board,
    store: &mut Store,
    order: Order,
) -> Result<(Vec<RunId>, Option<runner::RunnerError>), LaunchError> {
    let specs = order.sweep.expand()?;
    check_inputs(board, &specs)?;
    let new: Vec<NewRun> = specs
        .into_iter()
        .map(|spec| NewRun { name: name_in(&order.sweep, &spec), spec, wish: Wish::Run })
        .collect();
    let varied = order.sweep.varied().collect::<Vec<_>>().join(" x ");
    let sweep =
        (!order.sweep.axes.is_empty()).then_some(NewSweep { name: varied, sweep: order.sweep });
    let (_, ids) = store.enqueue(sweep.as_ref(), &new)?;
    Ok((ids, runner::ensure(board).err()))
}

/// What to call what was queued.
pub fn told(order: &Order, ids: &[RunId]) -> String {
    match ids {
        [id] => format!("Queued {id} ({}).", name_of(&order.sweep.base)),
        [first, .., last] => format!("Queued {} runs, {first} to {last}.", ids.len()),
        [] => "Nothing was queued.".to_owned(),
    }
}
