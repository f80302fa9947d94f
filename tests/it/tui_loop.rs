//! The whole loop in a real pseudo-terminal: find the best run, compare it with the second, read its worst
//! mistakes, launch it again with half the learning rate, find that by a query, write a note in an editor.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tuneboard::board::Board;
use tuneboard::dataset::predictions::{self, Predictions};
use tuneboard::dataset::{self, Dataset};
use tuneboard::events::{Batch, Ending, Event, EventKind, Number, Split, Started, VERSION};
use tuneboard::runner;
use tuneboard::spec::{Desired, Outcome, Placement, RunId, RunSpec, RunState};
use tuneboard::store::{NewRun, Store};

use crate::rig::{kill, until};
use crate::tui::Session;

const RATES: [f64; 3] = [8e-5, 2e-5, 3e-5];

/// Three runs on 200 texts; the second is the best. Their trainer is an executable that fails at once.
fn board(folder: &Path) -> (Board, Store) {
    let board = Board::init(folder).unwrap();
    fs::write(board.config_file(), "[sites.local]\nslots = 1\ntrainer = \"/bin/false\"\n").unwrap();
    fs::create_dir_all(board.models().join("small")).unwrap();
    let weights = [&2_u64.to_le_bytes()[..], b"{}"].concat();
    for (name, bytes) in [
        ("config.json", &br#"{"model_type":"bert"}"#[..]),
        ("tokenizer.json", b"{}"),
        ("model.safetensors", &weights),
    ] {
        fs::write(board.models().join("small").join(name), bytes).unwrap();
    }
    let mut rows = "text,label\n".to_owned();
    for i in 0..200_usize {
        let (topic, label) =
            if i.is_multiple_of(3) { ("money", "spam") } else { ("dinner", "ham") };
        rows.push_str(&["text ", &i.to_string(), " about ", topic, ",", label, "\n"].concat());
    }
    fs::write(folder.join("data/mail.csv"), rows).unwrap();
    let board = Board::open(folder).unwrap();
    let base =
        RunSpec { model: "small".into(), data: "data/mail.csv".into(), ..RunSpec::default() };
    let data = dataset::load(&base, folder).unwrap();
    let mut store = Store::open(&board.database()).unwrap();
    let new: Vec<NewRun> = RATES
        .iter()
        .map(|lr| NewRun {
            name: format!("lr={lr:e}"),
            spec: RunSpec { lr: *lr, ..base.clone() },
            desired: Desired::Run,
        })
        .collect();
    let (_, ids) = store.enqueue(None, &new).unwrap();
    for (id, wrong) in ids.into_iter().zip([4, 1, 2]) {
        train(&board, &mut store, id, &data, wrong);
    }
    (board, store)
}

/// Runs a run of which every pass gets the first `wrong` rows wrong.
fn train(board: &Board, store: &mut Store, id: RunId, data: &Dataset, wrong: usize) {
    let (slot, device) = ("cpu/0".to_owned(), "cpu".to_owned());
    let placement = Placement { site: "local".into(), slot, device, threads: 1 };
    store.lease(id, 1, &placement, None).unwrap();
    let started = Started {
        attempt: 1,
        labels: data.label_names.clone(),
        rows: [data.train.len(), data.val.len(), data.test.len()].map(|n| n as u64),
        data_hash: data.hash.clone(),
        epochs: 3,
        ..Started::default()
    };
    let mut events = vec![(0, EventKind::Started(Box::new(started)))];
    fs::create_dir_all(board.predictions(id)).unwrap();
    for (split, part) in [(Split::Val, &data.val), (Split::Test, &data.test)] {
        let labels: Vec<u32> = part.iter().map(|row| data.labels[*row as usize]).collect();
        let predicted: Vec<u32> =
            labels.iter().enumerate().map(|(i, l)| if i < wrong { 1 - l } else { *l }).collect();
        let sure: Vec<f32> = predicted.iter().map(|p| if *p == 0 { 0.9 } else { 0.1 }).collect();
        let mut counts = vec![vec![0; 2]; 2];
        for (label, guess) in labels.iter().zip(&predicted) {
            counts[*label as usize][*guess as usize] += 1;
        }
        let pass = Predictions {
            rows: part.iter().map(|row| data.rows[*row as usize]).collect(),
            loss: (0..labels.len()).map(|i| if i < wrong { 2.3 } else { 0.1 }).collect(),
            probabilities: vec![sure.clone(), sure.iter().map(|p| 1.0 - p).collect()],
            label_names: data.label_names.clone(),
            labels,
            predicted,
        };
        let path = board.predictions_of(id, split, 3);
        predictions::write(&path, &pass).unwrap();
        let acc = 1.0 - wrong as f64 / part.len() as f64;
        let values: BTreeMap<String, Number> =
            [("loss".to_owned(), Number(1.0 - acc)), ("acc".to_owned(), Number(acc))].into();
        events.push((15, EventKind::Eval { split, epoch: 3, values }));
        events.push((15, EventKind::Confusion { split, epoch: 3, counts }));
    }
    let ended = EventKind::Ended { ending: Ending::Done, why: String::new(), best_epoch: Some(3) };
    events.push((15, ended));
    let events = events
        .into_iter()
        .map(|(step, kind)| Event { v: VERSION, t: 1_767_225_600_000 + step as i64, step, kind })
        .collect();
    store.ingest(id, 0, &Batch { events, offset: 1000, ..Batch::default() }).unwrap();
    store.set_state(id, &RunState::Ended(Outcome::Done)).unwrap();
}

#[test]
fn from_the_best_run_to_the_next_one() {
    let folder = tempfile::tempdir().unwrap();
    let (_, store) = board(folder.path());
    let mut it = Session::start(folder.path());
    it.sees("3 done");

    // The best run: sorted by best val acc, it comes first.
    it.press("sjjj\r");
    it.wait("the best run first", |s| {
        s.find("lr=2e-5").zip(s.find("lr=3e-5")).is_some_and(|(a, b)| a < b)
            && s.contains("best acc▾")
    });

    // It and the second, side by side.
    it.press("  ");
    it.sees("2 marked");
    it.press("C");
    it.sees("is it noise?");
    it.sees("alike on these rows, p=1.00");
    it.sees("keys that differ");
    it.wait("the values of the key", |s| s.contains("2e-5") && s.contains("3e-5"));
    it.press("v");
    it.sees("best, at epoch");

    // Its mistakes: one of twenty test rows.
    it.press("\x1b");
    it.sees("2 marked");
    it.press("\x1b[H\r");
    it.sees("Run r2");
    it.press("3");
    it.sees("most confused");
    it.press("v");
    it.wait("the test rows", |s| s.contains("test  epoch") && s.contains("rows 20"));
    it.press("m\r");
    it.wait("the texts of the mistake", |s| {
        s.contains(" taken for ") && s.contains(" 1 of 20 rows")
    });
    it.sees("about");
    it.press("\r");
    it.wait("the text alone", |s| s.contains("r3 says") && !s.contains("highest loss first"));
    it.press("\x1b");
    it.sees("highest loss first");
    it.press("f");
    it.sees("all mistakes");
    it.press("f");
    it.sees("wrong in r2 and r3");
    it.press("E");
    it.sees("1 row written to exports/texts-r2-r3-test-wrong-in-all.csv.");
    it.press("P");
    it.sees("Written to exports/texts-");
    exported(&folder.path().join("exports"));

    // Again with half the learning rate.
    it.press("c");
    it.sees("clone of r2");
    it.press("\x1b[D");
    it.sees("was 2e-5");
    it.sees("rows 160 / 20 / 20");
    it.press("L");
    it.sees("Queued r4");
    let run = store.reader().run(RunId(4)).unwrap().unwrap();
    assert_eq!(
        run.spec,
        RunSpec { lr: 1e-5, ..store.reader().run(RunId(2)).unwrap().unwrap().spec }
    );
    it.sees("lr=1e-5");
    it.press("/lr<2e-5");
    it.wait("the new run alone", |s| {
        s.contains("1 run") && s.contains("r4") && !s.contains("lr=3e-5")
    });
    // Not escape: together with the next key a terminal would read it as one.
    it.press("\r");

    // A runner took it, and its trainer failed, as it was made to.
    until("the run ends", || {
        store.reader().run(RunId(4)).unwrap().unwrap().state.outcome().is_some()
    });
    it.press("q");
    quits(it, &store);
}

/// The mistakes as a table and as pictures.
fn exported(exports: &Path) {
    let csv = exports.join("texts-r2-r3-test-wrong-in-all.csv");
    let csv = fs::read_to_string(csv).unwrap();
    assert!(csv.starts_with("row,text,label,characters,words,r2_predicted,"), "{csv}");
    assert!(csv.lines().count() == 2 && csv.contains("about"), "{csv}");
    let written: Vec<_> = fs::read_dir(exports).unwrap().collect();
    let named = |ending: &str| {
        let mut all = written.iter().map(|entry| entry.as_ref().unwrap().path());
        all.find(|path| path.extension().is_some_and(|e| e == ending)).unwrap()
    };
    let svg = fs::read_to_string(named("svg")).unwrap();
    assert!(svg.contains(">wrong</text>") && svg.trim_end().ends_with("</svg>"), "{svg}");
    assert!(fs::read(named("png")).unwrap().starts_with(b"\x89PNG"));
}

/// The dashboard has ended as it should; the runner that it started goes too.
fn quits(mut it: Session, store: &Store) {
    assert_eq!(it.ends(), 0);
    it.is_restored();
    let runner = store.reader().runner().unwrap();
    if let Some(info) = runner.filter(runner::alive) {
        kill(info.process.pid as i32, libc::SIGKILL);
    }
}

/// Presses and releases the left button on a cell.
fn press_at(it: &mut Session, column: usize, row: usize) {
    let (x, y) = (column + 1, row + 1);
    it.press(&format!("\x1b[<0;{x};{y}M\x1b[<0;{x};{y}m"));
}

/// Where the words stand, once they do: column and row.
fn place(it: &Session, words: &str) -> (usize, usize) {
    it.sees(words);
    let screen = it.screen();
    let mut lines = screen.lines().enumerate();
    lines
        .find_map(|(row, line)| Some((line[..line.find(words)?].chars().count(), row)))
        .unwrap_or_else(|| panic!("{words} went away:\n{screen}"))
}

fn click(it: &mut Session, words: &str) {
    let (column, row) = place(it, words);
    press_at(it, column, row);
}

#[test]
fn from_the_best_run_to_the_next_one_by_mouse_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (_, store) = board(folder.path());
    let mut it = Session::start(folder.path());
    it.sees("3 done");

    // The best run of the last week: a query of clicks, then a column's title.
    click(&mut it, "/ all runs");
    click(&mut it, "since:");
    it.sees("30d");
    click(&mut it, "7d");
    it.sees("/ since:7d");
    click(&mut it, "tuneboard");
    it.sees("esc clear");
    click(&mut it, "best acc");
    it.wait("the best run first", |s| {
        s.find("lr=2e-5").zip(s.find("lr=3e-5")).is_some_and(|(a, b)| a < b)
            && s.contains("best acc▾")
    });

    // It and the second, side by side. The first mark moves no row.
    let (best, second) = (place(&it, "lr=2e-5").1, place(&it, "lr=3e-5").1);
    press_at(&mut it, 1, best);
    it.sees("1 marked");
    press_at(&mut it, 1, second);
    it.sees("2 marked");
    click(&mut it, "C compare");
    it.sees("alike on these rows, p=1.00");
    it.wait("the values of the key", |s| s.contains("2e-5") && s.contains("3e-5"));

    // Its mistakes.
    click(&mut it, "1 Runs");
    it.sees("2 marked");
    click(&mut it, "lr=2e-5");
    it.wait("the run under the cursor", |s| {
        s.lines().any(|l| l.contains('▌') && l.contains("lr=2e-5"))
    });
    click(&mut it, "lr=2e-5");
    it.sees("Run r2");
    click(&mut it, "e mistakes");
    it.sees("highest loss first");
    click(&mut it, "about ");
    it.wait("the text alone", |s| s.contains("r3 says") && !s.contains("highest loss first"));
    click(&mut it, "enter text or list");
    it.sees("highest loss first");

    // Again with half the learning rate.
    click(&mut it, "c clone");
    it.sees("clone of r2");
    click(&mut it, "← less");
    it.sees("was 2e-5");
    click(&mut it, "▶ launch the run");
    click(&mut it, "▶ launch the run");
    it.sees("Queued r4 (lr=1e-5).");
    let best = store.reader().run(RunId(2)).unwrap().unwrap().spec;
    assert_eq!(store.reader().run(RunId(4)).unwrap().unwrap().spec, RunSpec { lr: 1e-5, ..best });
    until("the run ends", || {
        store.reader().run(RunId(4)).unwrap().unwrap().state.outcome().is_some()
    });
    // What happened lies over the keys; a click where nothing is brings them back.
    press_at(&mut it, 60, 20);
    click(&mut it, "q quit");
    quits(it, &store);
}

#[test]
fn a_note_is_written_in_the_users_editor_and_the_terminal_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let (_, store) = board(folder.path());
    let editor = folder.path().join("editor");
    // It reads a line from the terminal, which must not be shared with the dashboard.
    let script = "#!/bin/sh\nprintf 'editing %s\\n' \"$1\"\nread line\n\
                  printf '%s\\nsecond line\\n' \"$line\" > \"$1\"\n";
    fs::write(&editor, script).unwrap();
    fs::set_permissions(&editor, fs::Permissions::from_mode(0o755)).unwrap();
    let mut it = Session::start_with(folder.path(), &[("VISUAL", editor.to_str().unwrap())]);
    it.sees("3 done");
    it.press("n\x0f");
    it.wait("the editor", |s| s.contains("editing") && !s.contains("3 done"));
    it.press("typed in the editor\n");
    it.sees("noted");
    it.sees("3 done");
    let run = store.reader().run(RunId(3)).unwrap().unwrap();
    assert_eq!(run.note, "typed in the editor\nsecond line");
    it.press("Z");
    it.sees("as it was before");
    assert_eq!(store.reader().run(RunId(3)).unwrap().unwrap().note, "");
    it.press("q");
    assert_eq!(it.ends(), 0);
    it.is_restored();
}
