//! Which runs a command can change, by their state and what is wished for them.

use crate::spec::{Outcome, RunState, Wish};
use crate::store::Run;
use crate::tui::keys::Action;

/// It has not ended.
pub fn stop(state: &RunState, _: Wish) -> bool {
    state.outcome().is_none()
}

/// It has not ended and nothing else is wished for it.
pub fn hold(state: &RunState, wish: Wish) -> bool {
    state.outcome().is_none() && wish == Wish::Run
}

/// It waits because it was told to.
pub fn go_on(state: &RunState, wish: Wish) -> bool {
    state.outcome().is_none() && wish != Wish::Run
}

/// It ended before its end.
pub fn resume(state: &RunState, _: Wish) -> bool {
    state.outcome().is_some_and(Outcome::is_resumable)
}

/// Whether the action would change the run; true of one that does not ask for its state.
pub fn applies(action: Action, run: &Run) -> bool {
    let (state, wish) = (&run.state, run.wish);
    match action {
        Action::Stop => stop(state, wish),
        Action::Hold => hold(state, wish),
        Action::Resume => go_on(state, wish) || resume(state, wish),
        _ => true,
    }
}
