//! SIGTERM and SIGINT, taken by a thread of their own.
//!
//! A handler would run on whatever thread the kernel interrupts, with a frame of 3 KB or more (the vector registers)
//! on that thread's stack. libtorch's matrix products on the CPU switch to a small stack in the heap while they
//! run: there the frame overwrites its neighbours, and the process ends with "corrupted size vs. prev_size". So these
//! signals stay blocked everywhere, and a thread that computes nothing waits for them.

use std::io;
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// A flag that the first signal sets. The second one ends the process at once: a person who presses Ctrl-C twice
/// means it. To be called before libtorch starts its threads, since they inherit what is blocked.
///
/// # Errors
/// What the operating system refuses.
pub fn stop_flag() -> io::Result<Arc<AtomicBool>> {
    let mut set = MaybeUninit::uninit();
    // SAFETY: `sigemptyset` initialises the set, the other calls read and change what is initialised.
    let set: libc::sigset_t = unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        for signal in [libc::SIGTERM, libc::SIGINT] {
            libc::sigaddset(set.as_mut_ptr(), signal);
        }
        set.assume_init()
    };
    // SAFETY: the set lives until the call returns, and the old mask is not asked for.
    match unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, ptr::null_mut()) } {
        0 => {}
        code => return Err(io::Error::from_raw_os_error(code)),
    }
    let stop = Arc::new(AtomicBool::new(false));
    let flag = stop.clone();
    thread::Builder::new().name("signals".into()).spawn(move || {
        let mut signal = 0;
        loop {
            // SAFETY: both pointers lead to variables of this thread.
            let taken = unsafe { libc::sigwait(&raw const set, &raw mut signal) } == 0;
            if taken && flag.swap(true, Ordering::Relaxed) {
                // SAFETY: nothing is run on the way out, so nothing that other threads use is torn down.
                unsafe { libc::_exit(1) }
            }
        }
    })?;
    Ok(stop)
}
