//! What is said of a panic, and when. A panic may be caught: by [`caught`], where a library panics on
//! damaged input, or by the end of a worker thread. Neither ends the process, so neither may touch the
//! terminal that a dashboard draws on. The hook therefore only takes the words down; whoever holds the
//! terminal puts it back when it really leaves, and the words follow.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Mutex, PoisonError};
use std::thread;

thread_local! {
    /// How many [`caught`] this thread is inside of.
    static CAUGHT: Cell<u32> = const { Cell::new(0) };
}

/// `Some` while a dashboard has the terminal: what is to be said once it has left.
static HELD: Mutex<Option<Vec<String>>> = Mutex::new(None);
/// So many are kept: a thread that panics again and again says the same.
const MOST: usize = 20;

/// Sets the hook. `say` prints one sentence where a person will see it.
pub fn install(say: fn(&str)) {
    panic::set_hook(Box::new(move |panic| {
        // A panic of polars' own threads comes back to the one that waits for them, who catches it.
        let of_polars = || thread::current().name().is_some_and(|name| name.starts_with("polars-"));
        if CAUGHT.get() > 0 || of_polars() {
            return;
        }
        let place = panic.location().map(|l| format!(" ({l})")).unwrap_or_default();
        let why = panic.payload_as_str().unwrap_or("no reason given");
        let sentence = format!("error: internal error{place}: {why}; please report it.");
        match &mut *held() {
            Some(list) if list.len() < MOST => list.push(sentence),
            Some(_) => {}
            None => say(&sentence),
        }
    }));
}

/// Runs `work`; a panic in it is no more than an answer, and nothing is said of it.
///
/// # Errors
/// What the panic said.
pub fn caught<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    CAUGHT.set(CAUGHT.get() + 1);
    let done = panic::catch_unwind(AssertUnwindSafe(work));
    CAUGHT.set(CAUGHT.get() - 1);
    done.map_err(|payload| {
        let text = payload.downcast_ref::<String>().map(String::as_str);
        text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("no reason").to_owned()
    })
}

/// From now on the words of panics are kept.
pub fn hold() {
    held().get_or_insert_default();
}

/// What was kept; from now on words are printed at once.
pub fn release() -> Vec<String> {
    held().take().unwrap_or_default()
}

fn held() -> std::sync::MutexGuard<'static, Option<Vec<String>>> {
    HELD.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caught_panic_is_an_answer() {
        let answer = caught(|| -> u32 { panic!("the page is {}", "odd") });
        assert_eq!(answer, Err("the page is odd".to_owned()));
        assert_eq!(caught(|| 7), Ok(7));
        assert_eq!(CAUGHT.get(), 0);
    }

    /// The hook put the terminal back once, under a dashboard that went on drawing.
    #[test]
    fn while_a_dashboard_draws_words_wait() {
        let before = panic::take_hook();
        install(|_| std::process::abort());
        hold();
        let worker = std::thread::spawn(|| panic!("of a worker"));
        assert!(worker.join().is_err());
        let _ = caught(|| panic!("of a library"));
        let kept = release();
        panic::set_hook(before);
        assert!(kept.iter().any(|line| line.contains("of a worker")), "{kept:?}");
        assert!(!kept.iter().any(|line| line.contains("of a library")), "{kept:?}");
        assert!(release().is_empty());
    }
}
