//! What went wrong in a run that ended well.

use tuneboard::spec::Flag;

use super::*;

#[test]
fn a_run_that_went_wrong_says_so_and_the_query_language_knows_it() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, good) = store(dir.path());
    let tell = |store: &mut Store, id: RunId, losses: [f64; 2], val: f64, counts: [[u64; 2]; 2]| {
        let events = dir.path().join(format!("{id}.jsonl"));
        let loss = |x| EventKind::Metrics { epoch: 0.5, values: values(&[("train/step_loss", x)]) };
        let counts = counts.iter().map(|row| row.to_vec()).collect();
        write(
            &events,
            &[
                started(1, 0),
                event(1, loss(losses[0])),
                event(2, loss(losses[1])),
                eval(2, Split::Val, 1, val),
                event(2, EventKind::Confusion { split: Split::Test, epoch: 1, counts }),
            ],
        );
        ingest_all(store, id, &events);
        store.reader().run(id).unwrap().unwrap().flags
    };
    let right = [[90, 2], [3, 5]];
    assert_eq!(tell(&mut store, good, [0.7, 1.3], 0.5, right), []);
    let far = enqueue(&mut store);
    let one = [[92, 0], [8, 0]];
    assert_eq!(tell(&mut store, far, [0.7, 187.0], 965.0, one), [Flag::Diverged, Flag::OneClass]);
    let nan = enqueue(&mut store);
    let worse = [[80, 12], [8, 0]];
    assert_eq!(
        tell(&mut store, nan, [0.7, 0.5], f64::NAN, worse),
        [Flag::Nan, Flag::BelowMajority]
    );
    let listed = |query: &str| {
        let query = Query::parse(query).unwrap();
        store.reader().ids(&Listing { query, ..Listing::default() }).unwrap()
    };
    assert_eq!(listed("flag:diverged"), [far]);
    assert_eq!(listed("flag:nan,one_class"), [far, nan]);
    assert_eq!(listed("-flag:diverged,nan"), [good]);
    assert!(Query::parse("flag:bad").is_err());

    // One class of the test rows alone is no such thing: of the val rows it knows both.
    let some = enqueue(&mut store);
    let events = dir.path().join(format!("{some}.jsonl"));
    let counts = |split, counts: [[u64; 2]; 2]| {
        let counts = counts.map(Vec::from).to_vec();
        event(2, EventKind::Confusion { split, epoch: 1, counts })
    };
    let knows_both =
        [started(1, 0), counts(Split::Val, [[90, 2], [3, 5]]), counts(Split::Test, one)];
    write(&events, &knows_both);
    ingest_all(&mut store, some, &events);
    assert_eq!(store.reader().run(some).unwrap().unwrap().flags, []);
}
