//! The database made anew from the folders of the runs.

use std::fs;

use tuneboard::spec::{Desired, RunId};
use tuneboard::store::Store;

use super::rig::Rig;

#[test]
fn reindex_rebuilds_the_same_tables() {
    let mut rig = Rig::new(1);
    let ids = rig.queue(
        3,
        &["epoch_ms=20", "epoch_ms=20 exit=2", "epoch_ms=5 signal=9", "epoch_ms=1000", ""],
    );
    let swept = rig.sweep(&[("seed", "0..1")]);
    rig.store.set_desired(&ids[4..], Desired::Hold).unwrap();
    rig.store.set_tags(ids[0], &["good".to_owned()]).unwrap();
    let runner = rig.runner(&[("TUNEBOARD_IDLE_MS", "50")]);
    rig.at_step(ids[3], 12);
    assert!(matches!(
        tuneboard::runner::reindex(&rig.board),
        Err(tuneboard::runner::RunnerError::Busy(_))
    ));
    rig.store.set_desired(&ids[3..4], Desired::Stop).unwrap();
    ids[..4].iter().chain(&swept).for_each(|id| drop(rig.ended(*id)));
    assert!(rig.left(runner));
    rig.store.set_note(ids[0], "kept").unwrap();
    let all: Vec<RunId> = ids[..4].iter().chain(&swept).chain(&ids[4..]).copied().collect();
    let before = dump(&rig.store, &all);
    let sweeps = rig.store.reader().sweeps().unwrap();
    assert_eq!((sweeps.len(), sweeps[0].counts.done), (1, 2));

    let done = tuneboard::runner::reindex(&rig.board).unwrap();
    assert_eq!((done.runs, done.skipped.len()), (7, 0));
    assert!(done.old.unwrap().exists());
    rig.store = Store::open(&rig.board.database()).unwrap();
    assert_same(&dump(&rig.store, &all), &before);
    assert_eq!(notes(&rig.store, &all), ["kept", "", "", "", "", "", ""]);

    // With the folders and the journal: the held run never had a folder, and the note stood in no other.
    fs::remove_file(rig.board.database()).unwrap();
    assert_eq!(tuneboard::runner::reindex(&rig.board).unwrap().runs, 7);
    rig.store = Store::open(&rig.board.database()).unwrap();
    assert_same(&dump(&rig.store, &all), &before);
    assert_eq!(notes(&rig.store, &all), ["kept", "", "", "", "", "", ""]);

    // With nothing but the folders.
    fs::remove_file(rig.board.database()).unwrap();
    fs::remove_file(rig.board.runs().join("board.journal")).unwrap();
    assert_eq!(tuneboard::runner::reindex(&rig.board).unwrap().runs, 6);
    rig.store = Store::open(&rig.board.database()).unwrap();
    assert_same(&dump(&rig.store, &all[..6]), &before[..6]);
    assert_eq!(notes(&rig.store, &all[..6]), [""; 6]);
    assert_eq!(rig.store.reader().sweeps().unwrap(), sweeps);
    assert_eq!(rig.store.reader().integrity().unwrap(), Vec::<String>::new());
}

/// Names the first line that differs, which is all that a person can read.
fn assert_same(got: &[String], want: &[String]) {
    assert_eq!(got.len(), want.len());
    for (got, want) in got.iter().zip(want) {
        for (got, want) in got.lines().zip(want.lines()) {
            assert_eq!(got, want);
        }
    }
}

/// What people wrote of each run.
fn notes(store: &Store, ids: &[RunId]) -> Vec<String> {
    ids.iter().map(|id| store.reader().run(*id).unwrap().unwrap().note).collect()
}

/// All that the database says of each run, but for its note.
fn dump(store: &Store, ids: &[RunId]) -> Vec<String> {
    let reader = store.reader();
    let curves = |id: RunId| {
        let metrics = reader.metrics(id).unwrap();
        let curves: Vec<_> =
            metrics.iter().map(|metric| (metric, reader.curve(id, metric, 0).unwrap())).collect();
        format!("{curves:?}")
    };
    let confusions = |id: RunId| {
        let passes = reader.confusions(id).unwrap();
        let all: Vec<_> = passes
            .iter()
            .map(|(split, epoch)| reader.confusion(id, *split, Some(*epoch)).unwrap())
            .collect();
        format!("{all:?}")
    };
    let all = |id: &RunId| {
        let mut run = reader.run(*id).unwrap().unwrap();
        run.note.clear();
        let ended = reader.ending(*id).unwrap();
        let offset = store.offset(*id).unwrap();
        format!("{run:#?}\n{ended:?} {offset}\n{}\n{}", curves(*id), confusions(*id))
    };
    ids.iter().map(all).collect()
}
