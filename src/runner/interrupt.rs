use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use signal_hook::consts::SIGINT;
use signal_hook::flag;

/// For a client that waits: becomes true at the first Ctrl-C. The second one ends the client at once.
///
/// # Errors
/// The signal cannot be listened to.
pub fn interrupted() -> io::Result<Arc<AtomicBool>> {
    let seen = Arc::new(AtomicBool::new(false));
    // In this order the first signal only sets the flag, and the next finds it set.
    flag::register_conditional_default(SIGINT, Arc::clone(&seen))?;
    flag::register(SIGINT, Arc::clone(&seen))?;
    Ok(seen)
}
