use std::env;
use std::time::Duration;

use super::super::out::{self, Out};
use super::Check;
use crate::tui::Link;

/// The dashboard's smallest useful size.
const COLUMNS: usize = 80;
const ROWS: usize = 24;

/// What the dashboard needs of the terminal. Nothing here fails: all other verbs work without one.
pub fn checks(out: &Out) -> Vec<Check> {
    vec![terminal(out.tty), link(), colours(), locale(out.utf8)]
}

fn terminal(tty: bool) -> Check {
    let name = "terminal";
    if !tty {
        let mend = "nothing to do in scripts; the dashboard needs one";
        return Check::warn(name, "standard output is no terminal", mend);
    }
    match out::size() {
        None => Check::warn(name, "its size is unknown", "set COLUMNS, or use another terminal"),
        Some((w, h)) if w < COLUMNS || h < ROWS => {
            let mend = format!("make it at least {COLUMNS} x {ROWS}");
            Check::warn(name, format!("{w} x {h}"), mend)
        }
        Some((w, h)) => Check::ok(name, format!("{w} x {h}")),
    }
}

/// How far away the terminal is; 100 ms are felt at every key, and 20 KB/s make a whole screen take a second.
fn link() -> Check {
    let name = "link";
    match Link::measure() {
        Err(error) => Check::ok(name, format!("not measured: {error}")),
        Ok(link) if link.round_trip > Duration::from_millis(100) || link.bytes_per_s < 20e3 => {
            let mend = "frames will lag; work in tmux or mosh on the far side";
            Check::warn(name, link.words(), mend)
        }
        Ok(link) => Check::ok(name, link.words()),
    }
}

fn colours() -> Check {
    let name = "colours";
    let term = env::var("TERM").unwrap_or_default();
    let many = env::var("COLORTERM").is_ok_and(|c| c == "truecolor" || c == "24bit");
    if env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty()) {
        return Check::ok(name, "none, as NO_COLOR asks");
    }
    match term.as_str() {
        "" | "dumb" => Check::warn(
            name,
            format!("TERM is `{term}`"),
            "set TERM to what your terminal is, for example xterm-256color",
        ),
        _ if many => Check::ok(name, format!("{term}, 16 million")),
        _ if term.contains("256") => Check::ok(name, format!("{term}, 256")),
        _ => Check::ok(name, format!("{term}, 16")),
    }
}

fn locale(utf8: bool) -> Check {
    if utf8 {
        return Check::ok("characters", "UTF-8");
    }
    Check::warn("characters", "the locale is not UTF-8", "export LC_ALL=C.UTF-8")
}
