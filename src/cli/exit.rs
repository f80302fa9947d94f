//! The exit codes of `tuneboard`, which scripts may rely on.

/// All went well; also when whoever read our output went away first.
pub const OK: u8 = 0;
/// A run that was waited for did not end well, or `doctor` found something broken.
pub const FAILED: u8 = 1;
/// Wrong usage, or input that is not valid. The same number that clap uses.
pub const USAGE: u8 = 2;
/// The board is missing, busy or cannot be written.
pub const BOARD: u8 = 3;
/// A mistake of ours: `EX_SOFTWARE` of sysexits.h.
pub const INTERNAL: u8 = 70;
