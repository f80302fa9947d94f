//! The dashboard in a real pty while real trainers train a sweep.

use tuneboard::spec::RunId;
use tuneboard::store::Store;

use super::rig::{kill, until};
use super::shell::Shell;
use super::tui::Session;

/// Cells of a plot or of a sparkline.
fn marks(words: &str) -> usize {
    let is_mark = |c: &char| ('\u{2801}'..='\u{28ff}').contains(c) || ('▁'..='█').contains(c);
    words.chars().filter(is_mark).count()
}

/// What follows some words on the screen, as far as the end of that line.
fn line<'a>(screen: &'a str, words: &str) -> &'a str {
    screen.split(words).nth(1).and_then(|rest| rest.lines().next()).unwrap_or_default()
}

#[test]
fn a_live_sweep_moves_in_the_list_in_the_preview_and_on_the_wall() {
    let shell = Shell::training();
    shell.write("config.toml", "[sites.local]\nslots = 2\n");
    let words = ["sweep", "model=tiny", "data=data/mail.csv", "lr=1e-4,1e-3", "seed=0,1"];
    let more = ["epochs=2000", "batch_size=4", "max_length=16", "keep=none", "threads=1"];
    shell.ok(&[words, more].concat());
    let trainer = env!("CARGO_BIN_EXE_tuneboard-train");
    let mut it = Session::start_with(&shell.path(""), &[("TUNEBOARD_TRAIN", trainer)]);
    it.resize(50, 160);
    it.sees("2 running");

    // The first run is the last row; its curve is in the preview and grows while nobody presses a key.
    it.press("\x1b[F");
    it.wait("the preview of r1", |s| s.contains("── r1 ") && marks(line(s, "── r1 ")) == 0);
    let preview = |s: &str| marks(s.split("── r1 ").nth(1).unwrap_or_default());
    it.wait("a curve", |s| preview(s) > 20);
    let row = |s: &str| line(s, " running   r1 ").to_owned();
    it.wait("a sparkline of eight marks", |s| marks(&row(s)) >= 8);
    let before = row(&it.screen());
    it.wait("figures that move", |s| row(s) != before);

    // Both that run are on the wall, with curves that move.
    it.press("4");
    it.wait("a panel each", |s| s.contains("╭─ r1 ") && s.contains("╭─ r2 "));
    let wall = |s: &str| s.split("╭─ r1 ").nth(1).unwrap_or_default().to_owned();
    it.wait("their curves", |s| marks(&wall(s)) > 20);
    let before = wall(&it.screen());
    it.wait("curves that move", |s| wall(s) != before);

    // Made small and large again while it all goes on, no row is doubled, torn or left over.
    it.resize(24, 80);
    it.wait("a small screen", |s| s.contains("running 2, waiting 2") && !s.contains("╭─ r3 "));
    it.press("1");
    it.wait("four rows", |s| ["r1 ", "r2 ", "r3 ", "r4 "].iter().all(|id| s.contains(id)));
    it.resize(50, 160);
    let rows = [" running   r1 ", " running   r2 ", " queued    r3 ", " queued    r4 "];
    it.wait("each row once", |s| rows.iter().all(|row| s.matches(row).count() == 1));
    it.wait("the preview of r1", |s| preview(s) > 20);

    // A trainer that is killed is started again, and the screen goes on.
    let store = Store::open(&shell.path("runs/board.db")).unwrap();
    let process = || store.process(RunId(2)).unwrap();
    until("a trainer of r2", || process().is_some());
    kill(process().unwrap().pid as i32, libc::SIGKILL);
    let attempt = || store.reader().runs(&[RunId(2)]).unwrap()[0].attempt;
    until("another trainer of r2", || attempt() == 2);
    let before = row(&it.screen());
    it.wait("figures that move", |s| row(s) != before);
    shell.ok(&["stop", "r1", "r2", "r3", "r4"]);
    it.wait("no run lives", |s| !s.contains("running"));
    it.press("q");
    assert_eq!(it.ends(), 0);
    it.is_restored();
}
