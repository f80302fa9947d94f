use std::process::Command;

use super::{Session, Transport};
use crate::runner::launch::call::{CallError, Timeouts};

/// This machine itself: a shell, and no limit to the calls.
#[derive(Debug)]
pub(in crate::runner::launch) struct ThisMachine;

impl Transport for ThisMachine {
    fn session(&self, _: Timeouts) -> Result<Session, CallError> {
        Ok(Session::default())
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new("sh");
        command.arg("-c").arg(line).current_dir("/");
        command
    }
}
