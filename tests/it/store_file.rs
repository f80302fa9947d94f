//! The database file: missing, foreign, newer, full, shared by many.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use tuneboard::events::{Batch, Event, EventKind, Number, Split, VERSION};
use tuneboard::spec::{Desired, Outcome, RunId, RunSpec, RunState};
use tuneboard::store::{Listing, NewRun, Reader, Store, StoreError};

fn new(name: &str) -> NewRun {
    let spec = RunSpec { model: "m".into(), data: "d".into(), ..RunSpec::default() };
    NewRun { name: name.into(), spec, desired: Desired::Run }
}

#[test]
fn a_missing_database_is_told_and_not_made() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("board.db");
    let e = Reader::open(&path).unwrap_err();
    assert!(matches!(e, StoreError::NotFound(_)) && e.to_string().ends_with('.'), "{e}");
    assert!(!path.exists());
}

#[test]
fn what_is_no_database_of_ours_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("board.db");
    fs::write(&path, "id,text\n1,hello\n".repeat(100)).unwrap();
    let bytes = fs::read(&path).unwrap();
    for e in [Reader::open(&path).unwrap_err(), Store::open(&path).unwrap_err()] {
        assert!(matches!(e, StoreError::Damaged { .. }), "{e}");
        assert!(e.to_string().contains("tuneboard reindex"), "{e}");
    }
    assert_eq!(fs::read(&path).unwrap(), bytes);
}

#[test]
fn invariant_8_a_newer_database_is_told_and_not_touched() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("board.db");
    drop(Store::open(&path).unwrap());
    // The version stands at byte 60 of the file, big endian.
    let mut bytes = fs::read(&path).unwrap();
    bytes[60..64].copy_from_slice(&4_000_u32.to_be_bytes());
    fs::write(&path, &bytes).unwrap();
    for e in [Reader::open(&path).unwrap_err(), Store::open(&path).unwrap_err()] {
        assert!(e.to_string().contains("newer tuneboard (its version is 4000"), "{e}");
    }
    assert_eq!(fs::read(&path).unwrap(), bytes);
}

#[test]
fn an_empty_file_becomes_a_database() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("board.db");
    fs::write(&path, "").unwrap();
    assert_eq!(Reader::open(&path).unwrap().ids(&Listing::default()).unwrap(), []);
}

#[test]
fn a_reader_sees_what_a_killed_writer_had_committed() {
    let dir = tempfile::tempdir().unwrap();
    let (path, copy) = (dir.path().join("board.db"), dir.path().join("copy.db"));
    let mut store = Store::open(&path).unwrap();
    store.enqueue(None, &[new("a")]).unwrap();
    // What a kill leaves behind: database and log, no shared-memory file.
    for end in ["", "-wal"] {
        let file = |p: &Path| PathBuf::from(format!("{}{end}", p.display()));
        fs::copy(file(&path), file(&copy)).unwrap();
    }
    let reader = Reader::open(&copy).unwrap();
    assert_eq!(reader.ids(&Listing::default()).unwrap(), [RunId(1)]);
    assert_eq!(reader.integrity().unwrap(), Vec::<String>::new());
}

#[test]
fn what_is_written_after_a_reindex_goes_into_the_new_database() {
    let dir = tempfile::tempdir().unwrap();
    let (path, fresh) = (dir.path().join("board.db"), dir.path().join("board.db.new"));
    let mut store = Store::open(&path).unwrap();
    store.enqueue(None, &[new("a")]).unwrap();
    let reader = Reader::open(&path).unwrap();
    assert!(!reader.is_replaced());
    drop(Store::open(&fresh).unwrap());
    for end in ["", "-wal", "-shm"] {
        let file = |name: &str| dir.path().join(format!("{name}{end}"));
        fs::rename(file("board.db"), file("old.db")).unwrap();
    }
    fs::rename(&fresh, &path).unwrap();
    assert!(reader.is_replaced());
    let (_, ids) = store.enqueue(None, &[new("b"), new("c")]).unwrap();
    assert_eq!(Reader::open(&path).unwrap().ids(&Listing::default()).unwrap(), ids);
}

#[test]
fn invariant_8_a_database_of_the_first_version_opens_and_reads() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("board.db");
    // Made by `make_board DIR --runs 20 --epochs 3` of version 0.1.0.
    let fixture = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/board_v1.db");
    fs::copy(fixture, &path).unwrap();
    let reader = Reader::open(&path).unwrap();
    let all = reader.ids(&Listing::default()).unwrap();
    assert_eq!(all.len(), 20);
    let counts = reader.counts().unwrap();
    let seen =
        (counts.queued, counts.held, counts.live, counts.done, counts.failed, counts.stopped);
    assert_eq!(seen, (0, 0, 0, 18, 1, 1));
    let run = reader.run(all[0]).unwrap().unwrap();
    assert_eq!(
        (run.name.as_str(), run.spec.lr, run.attempt),
        ("lr=0.000001 epochs=3 seed=0", 1e-6, 1)
    );
    assert_eq!(run.spec_hash, "1242d113af4bcb7b");
    assert_eq!(run.state, RunState::Ended(Outcome::Done));
    assert_eq!((run.step, run.epoch, run.spark.len()), (420, 3.0, 3));
    assert_eq!(run.tags, ["best", "week0"]);
    assert_eq!(run.last.len(), 6);
    let curve = reader.curve(all[0], "val/loss", 0).unwrap();
    assert_eq!((curve.step, curve.epoch), (vec![140, 280, 420], vec![1.0, 2.0, 3.0]));
    assert_eq!(curve.value.last(), run.last.get("val/loss"));
    let confusion = reader.confusion(all[0], Split::Test, None).unwrap().unwrap();
    assert_eq!(confusion.counts, [[480, 0], [3, 75]]);
    assert_eq!(reader.sweeps().unwrap()[0].varied, ["lr", "epochs", "seed"]);
    // And takes what this version writes.
    let mut store = Store::open(&path).unwrap();
    assert_eq!(store.enqueue(None, &[new("next")]).unwrap().1, [RunId(21)]);
}

/// One of the programs that share a board: opens it again and again and does what its part does.
/// Runs in a process of its own; see `many_programs_share_one_board`.
fn part(name: &str, path: &Path) {
    let end = Instant::now() + Duration::from_secs(4);
    let mut turns = 0_u64;
    while Instant::now() < end {
        match name {
            "runner" => {
                let mut store = Store::open(path).unwrap();
                while Instant::now() < end {
                    for run in store.reader().open_runs(10).unwrap() {
                        let from = store.offset(run.id).unwrap();
                        let events = (0..50).map(|i| {
                            let values = [("train/step_loss".to_owned(), Number(1.0))].into();
                            let kind = EventKind::Metrics { epoch: 0.5, values };
                            Event { v: VERSION, t: 1, step: from + i, kind }
                        });
                        let batch = Batch {
                            events: events.collect(),
                            offset: from + 50,
                            ..Batch::default()
                        };
                        store.ingest(run.id, from, &batch).unwrap();
                    }
                }
            }
            "dashboard" => {
                let reader = match Reader::open(path) {
                    Err(StoreError::NotFound(_)) => continue,
                    reader => reader.unwrap(),
                };
                for _ in 0..20 {
                    reader.data_version().unwrap();
                    let ids = reader.first_ids(&Listing::default(), 50).unwrap();
                    reader.runs(&ids).unwrap();
                    reader.counts().unwrap();
                }
            }
            _ => {
                let mut store = Store::open(path).unwrap();
                let (_, ids) = store.enqueue(None, &[new("one"), new("two")]).unwrap();
                store.set_desired(&ids, Desired::Hold).unwrap();
                store.set_tags(ids[0], &["best".into()]).unwrap();
                store.set_state(ids[1], &RunState::Stopping).unwrap();
            }
        }
        turns += 1;
    }
    assert!(turns > 0);
}

#[test]
fn many_programs_share_one_board_and_none_hears_of_locks() {
    const PART: &str = "TUNEBOARD_TEST_PART";
    const DATABASE: &str = "TUNEBOARD_TEST_DATABASE";
    if let (Ok(name), Ok(path)) = (std::env::var(PART), std::env::var(DATABASE)) {
        return part(&name, Path::new(&path));
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("board.db");
    let start = |name: &str| -> Child {
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "store_file::many_programs_share_one_board_and_none_hears_of_locks"])
            .args(["--nocapture"])
            .env(PART, name)
            .env(DATABASE, &path)
            .spawn()
            .unwrap()
    };
    // All at once on a path where nothing is yet: making, migrating and the switch to WAL race too.
    let parts = ["runner", "dashboard", "dashboard"].into_iter().chain(["client"; 10]);
    let programs: Vec<Child> = parts.map(start).collect();
    for mut program in programs {
        assert!(program.wait().unwrap().success());
    }
    let reader = Reader::open(&path).unwrap();
    assert_eq!(reader.integrity().unwrap(), Vec::<String>::new());
    let runs = reader.ids(&Listing::default()).unwrap();
    assert!(runs.len() > 20, "{}", runs.len());
    let counts = reader.counts().unwrap();
    assert_eq!(counts.queued + counts.held + counts.live, runs.len() as u64);
}

#[test]
fn a_full_disk_is_told_and_nothing_is_half_written() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("board.db");
    let mut store = Store::open(&path).unwrap();
    store.enqueue(None, &[new("a")]).unwrap();
    store.limit_pages(1).unwrap();
    let many: Vec<NewRun> = (0..500).map(|i| new(&i.to_string())).collect();
    let e = store.enqueue(None, &many).unwrap_err();
    assert!(matches!(e, StoreError::Full(_)) && e.to_string().contains("is full"), "{e}");
    assert_eq!(store.reader().ids(&Listing::default()).unwrap(), [RunId(1)]);
}
