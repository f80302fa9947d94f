use crate::cli::doctor::{self, Check, Probe};
use crate::cli::error::CliError;
use crate::cli::figures;
use crate::cli::verb::Context;
use crate::runner;

/// Less free space than this is worth a warning, in bytes.
const TIGHT: u64 = 5 << 30;
/// Seconds that two clocks may differ.
const SKEW: i64 = 60;

/// `tuneboard sites check NAME`.
pub fn run(name: &str, context: &mut Context) -> Result<u8, CliError> {
    let board = context.board()?;
    board.site(name)?;
    let checks = match runner::check_site(&board, name) {
        Ok(answer) => checks(name, &answer),
        Err(error) => vec![Check::fail(
            "connection",
            error.to_string(),
            "`ssh HOST true` must work without a question: a key in the agent, the host's key known",
        )],
    };
    doctor::conclude(&checks, context)
}

fn checks(name: &str, answer: &runner::SiteCheck) -> Vec<Check> {
    let host = format!(
        "{}, {}, {}; answers in {} ms",
        answer.fact("host"),
        answer.fact("arch"),
        answer.fact("libc"),
        answer.answered
    );
    let mut checks = vec![Check::ok("connection", host)];
    checks.push(if answer.missing.is_empty() {
        Check::ok("tools", "all there")
    } else {
        Check::fail("tools", format!("no {}", answer.missing.join(", ")), "install them there")
    });
    checks.push(folder(answer));
    checks.extend(trainer(name, answer));
    checks.push(if answer.skew.abs() > SKEW {
        let found = format!("{} s ahead of this one", answer.skew);
        Check::warn("clock", found, "set it (NTP): times of its runs' curves are its own")
    } else {
        Check::ok("clock", format!("{} s apart", answer.skew.abs()))
    });
    checks
}

fn folder(answer: &runner::SiteCheck) -> Check {
    let free = answer.fact("disk").parse::<u64>().map_or(0, |kib| kib << 10);
    let found = format!("{}, {} free", answer.fact("folder"), figures::bytes(free));
    match answer.fact("writable") {
        "yes" if free >= TIGHT => Check::ok("folder", found),
        "yes" => Check::warn("folder", found, "make room, or name another `folder`"),
        _ => Check::fail("folder", format!("{found}, not writable"), "name another `folder`"),
    }
}

fn trainer(name: &str, answer: &runner::SiteCheck) -> Vec<Check> {
    let install = format!("`tuneboard sites install {name}`, or name its `trainer`");
    if answer.fact("trainer").is_empty() {
        return vec![Check::fail("trainer", "there is none", install)];
    }
    let found = Check::ok("trainer", answer.fact("trainer"));
    let Ok(probe) = serde_json::from_str::<Probe>(answer.probe.trim()) else {
        let said: String = answer.probe.chars().take(200).collect();
        return vec![found, Check::fail("libtorch", said, install)];
    };
    let gpu = match (answer.gpus.len(), probe.cuda) {
        (0, _) => Check::ok("GPU", "none; runs use the CPU"),
        (_, true) => Check::ok("GPU", format!("{}: {}", probe.devices, answer.gpus.join(", "))),
        (n, false) => Check::warn(
            "GPU",
            probe.cuda_error.unwrap_or_else(|| format!("{n} that libtorch does not see")),
            "install a libtorch with CUDA there, and a driver that is new enough",
        ),
    };
    vec![found, Check::ok("libtorch", probe.libtorch), gpu]
}
