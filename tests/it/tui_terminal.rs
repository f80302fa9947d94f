//! The dashboard on terminals of few colours or none, and lines of the command line typed in it.

use std::thread;
use std::time::Duration;

use tuneboard::spec::RunId;
use tuneboard::store::Store;

use super::tui::{Session, board, train};

/// The parameters of all escape sequences that set colours and modes.
fn colours(bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let parts = text.split("\x1b[").skip(1).filter_map(|part| {
        let (parameters, _) = part.split_once('m')?;
        parameters.chars().all(|c| c.is_ascii_digit() || c == ';').then(|| parameters.to_owned())
    });
    parts.collect()
}

/// One parameter is a colour: of the 16 (true), or of more.
fn colour(parameters: &str) -> Option<bool> {
    let first = parameters.split(';').next()?.parse::<u32>().ok()?;
    match first {
        30..=37 | 40..=47 | 90..=97 | 100..=107 => Some(true),
        38 | 48 => match parameters.split(';').nth(1)? {
            "2" => Some(false),
            _ => Some(parameters.split(';').nth(2)?.parse::<u32>().is_ok_and(|n| n < 16)),
        },
        _ => None,
    }
}

#[test]
fn the_console_gets_its_16_colours_and_a_vt100_none() {
    let folder = tempfile::tempdir().unwrap();
    board(folder.path(), 30);
    let walk = |term: &str| {
        let variables = [("TERM", term), ("COLORTERM", "truecolor")];
        let mut it = Session::start_with(folder.path(), &variables);
        it.sees("27 done");
        it.press("4");
        it.sees("waiting 3");
        it.press("1j\r");
        it.sees("confusion, val epoch 2/2");
        it.press("q");
        assert_eq!(it.ends(), 0);
        it.is_restored();
        colours(&it.written())
    };
    let console = walk("linux");
    let found: Vec<bool> = console.iter().filter_map(|words| colour(words)).collect();
    assert!(!found.is_empty() && found.iter().all(|named| *named), "{console:?}");
    let plain = walk("vt100");
    assert!(plain.iter().all(|words| colour(words).is_none()), "{plain:?}");
    assert!(!plain.is_empty(), "the row under the cursor is told by its mode");
    let full = walk("xterm-256color");
    assert!(full.iter().any(|words| colour(words) == Some(false)), "{full:?}");
}

#[test]
fn a_line_of_the_command_line_is_done_in_the_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let board = board(folder.path(), 5);
    std::fs::create_dir_all(folder.path().join("data")).unwrap();
    std::fs::write(folder.path().join("data/words.csv"), "text,label\n").unwrap();
    let mut it = Session::start(folder.path());
    it.sees("5 done");
    it.press(":ls seed=3 --col\t");
    it.sees("--columns ");
    it.press("id,name,curve\r");
    it.sees("enter goes back to the dashboard");
    let screen = it.screen();
    assert!(screen.contains("$ tuneboard ls seed=3 --columns id,name,curve"), "{screen}");
    assert!(
        screen.contains("r4") && screen.contains("seed=3") && !screen.contains("seed=2"),
        "{screen}"
    );
    // What is typed there is meant for the verb.
    it.press("\x03\r");
    it.sees("5 done");
    it.press(":tag r4 good\r");
    it.sees("enter goes back to the dashboard");
    it.press("\r");
    it.sees("#good");
    let store = Store::open(&board.database()).unwrap();
    assert_eq!(store.reader().run(tuneboard::spec::RunId(4)).unwrap().unwrap().tags, ["good"]);
    // Paths are completed by what lies there.
    it.press(":data data/wo");
    it.sees("data/words.csv");
    it.press("\t");
    it.wait("the whole path", |s| s.contains(": data data/words.csv "));
    it.press("\x1b");
    // One that fails says so, and the dashboard keeps it.
    it.press(":show r99\r");
    it.sees("enter goes back to the dashboard");
    it.press("\r");
    it.sees("did not end well");
    it.press("j");
    it.sees("esc dismiss  ! all");
    it.press("!");
    it.sees("what went wrong");
    it.press("j");
    it.press("x");
    it.wait("the list gone", |s| !s.contains("what went wrong"));
    it.press("\x1b");
    it.wait("the keys again", |s| s.contains("? help"));
    it.press("q");
    assert_eq!(it.ends(), 0);
    it.is_restored();
}

#[test]
fn the_terminal_is_measured_by_doctor_and_on_a_line_of_the_dashboard() {
    let folder = tempfile::tempdir().unwrap();
    board(folder.path(), 30);
    let mut doctor = Session::start_verb(folder.path(), &[], &["doctor"]);
    doctor.sees("answers in");
    assert!(doctor.screen().contains("iB/s"), "{}", doctor.screen());
    doctor.ends();

    let mut it = Session::start(folder.path());
    it.sees("27 done");
    it.press("\x07");
    it.sees("answers in");
    // Keys are heard again, and every frame says what the one before took.
    it.press("j");
    it.sees("frame");
    it.press("4");
    it.sees("waiting 3");
    it.press("\x07");
    it.misses("answers in");
    it.press("q");
    assert_eq!(it.ends(), 0);
    it.is_restored();
}

/// A list that moves by a row is moved by the terminal.
#[test]
fn a_list_that_moves_by_a_row_sends_few_bytes() {
    let folder = tempfile::tempdir().unwrap();
    board(folder.path(), 90);
    let mut it = Session::start(folder.path());
    it.sees("81 done");
    let rows = |it: &Session| {
        let screen = it.screen();
        let names = screen.lines().filter_map(|line| line.split("seed=").nth(1));
        let numbers = names.filter_map(|rest| rest.split_whitespace().next()?.parse::<u32>().ok());
        numbers.collect::<Vec<u32>>()
    };
    let first = rows(&it);
    it.press(&"j".repeat(60));
    it.sees("seed=29");
    it.settles();
    let before = it.written().len();
    it.press("j");
    it.sees("seed=28");
    it.settles();
    let bytes = it.written().split_off(before);
    let region = String::from_utf8_lossy(&bytes).contains("\x1b[r");
    assert!(
        region && bytes.len() < 3000,
        "{} bytes: {}",
        bytes.len(),
        String::from_utf8_lossy(&bytes)
    );
    let last = rows(&it);
    assert!(
        last.len() >= first.len() && last.windows(2).all(|two| two[0] == two[1] + 1),
        "{last:?}"
    );
    it.press("q");
    assert_eq!(it.ends(), 0);
}

#[test]
fn a_size_that_comes_with_a_key_is_seen_and_so_is_the_key() {
    let folder = tempfile::tempdir().unwrap();
    board(folder.path(), 60);
    let mut it = Session::start(folder.path());
    it.sees("54 done");
    for at in 0..40_u16 {
        let columns = if at % 2 == 0 { 90 } else { 120 };
        it.press("\x1b[B");
        it.resize(30, columns);
        it.wait(&format!("{columns} columns"), |s| {
            s.lines().any(|line| line == "─".repeat(columns.into()))
        });
        let row = format!(" r{} ", 59 - at);
        it.wait(&row, |s| s.lines().any(|line| line.starts_with('▌') && line.contains(&row)));
    }
    it.press("q");
    assert_eq!(it.ends(), 0);
}

#[test]
fn the_preview_follows_the_cursor_and_a_live_run_and_is_remembered() {
    let folder = tempfile::tempdir().unwrap();
    let board = board(folder.path(), 12);
    let mut it = Session::start(folder.path());
    it.resize(50, 160);
    it.wait("the pictures of r12", |s| {
        s.contains("r12 seed=11") && s.contains("confusion, epoch 2")
    });
    // r10 is held and has nothing to show; then it trains under the cursor.
    it.press("\x1b[B\x1b[B");
    it.wait("the pictures of r10", |s| {
        s.contains("r10 seed=9 ") && s.contains("comes with the first epoch")
    });
    train(&mut Store::open(&board.database()).unwrap(), RunId(10));
    it.wait("its pictures", |s| s.contains("r10 seed=9 ") && s.contains("confusion, epoch 2"));
    it.press("z");
    it.sees("Preview beside the table");
    it.press("z");
    it.sees("No preview.");
    it.press("q");
    assert_eq!(it.ends(), 0);
    let it = Session::start(folder.path());
    it.resize(50, 160);
    it.wait("a table alone", |s| s.contains("12 done") && s.contains("seed=0"));
    thread::sleep(Duration::from_millis(300));
    assert!(!it.screen().contains("preview") && !it.screen().contains("confusion, epoch"));
}

#[test]
fn a_figure_at_the_end_of_an_epoch_is_a_column_in_ls_and_in_the_dashboard() {
    let folder = tempfile::tempdir().unwrap();
    board(folder.path(), 30);
    let words = ["ls", "--columns", "id,val/acc@1,val/acc@2,val/acc@7"];
    let mut ls = Session::start_verb(folder.path(), &[], &words);
    ls.ends();
    ls.settles();
    let screen = ls.screen();
    let row = screen.lines().find(|line| line.starts_with("r4 ")).unwrap();
    assert_eq!(
        row.split_whitespace().collect::<Vec<_>>(),
        ["r4", "0.4960", "0.7460", "-"],
        "{screen}"
    );

    let mut it = Session::start(folder.path());
    it.sees("27 done");
    it.press("oval/acc@1");
    it.sees("· val/acc@1");
    it.press(" ");
    it.sees("✓ val/acc@1");
    it.press("\r");
    it.misses("enter keeps");
    it.sees("0.4710");
    // A page further the rows that come have it, too.
    it.press("\x1b[F");
    it.sees("0.4990");
    it.press("q");
    assert_eq!(it.ends(), 0);
    let config = std::fs::read_to_string(folder.path().join("config.toml")).unwrap();
    assert!(config.contains("val/acc@1"), "{config}");
}

#[test]
fn a_waiting_run_is_moved_to_the_top_down_and_up() {
    let folder = tempfile::tempdir().unwrap();
    let board = board(folder.path(), 50);
    let store = Store::open(&board.database()).unwrap();
    let order = || -> Vec<u32> {
        store.reader().open_runs(99).unwrap().iter().map(|run| run.id.0).collect()
    };
    assert_eq!(order(), [10, 20, 30, 40, 50]);
    let mut it = Session::start(folder.path());
    it.sees("45 done");
    it.press("4");
    it.sees("waiting 5");
    it.sees("seed=49  minilm");
    it.press("jjjj");
    // The cursor goes with its run.
    for (key, want) in [
        ("T", [50, 10, 20, 30, 40]),
        ("J", [10, 50, 20, 30, 40]),
        ("J", [10, 20, 50, 30, 40]),
        ("K", [10, 50, 20, 30, 40]),
    ] {
        it.press(key);
        it.wait(&format!("{key} {want:?}"), |_| order() == want);
        it.wait(&format!("{want:?} on the screen"), |screen| {
            let list = screen.split("waiting 5").nth(1).unwrap_or_default();
            let at = |id: u32| list.find(&format!("r{id} "));
            want.windows(2).all(|two| at(two[0]) < at(two[1]))
        });
        it.settles();
    }
    it.press("q");
    assert_eq!(it.ends(), 0);
}
