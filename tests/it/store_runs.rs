//! Queueing, listing, desired states and the runner's side of the store.

use std::collections::BTreeMap;
use std::path::Path;

use tuneboard::events::{Batch, Event, EventKind, Number, Split, VERSION};
use tuneboard::spec::{Desired, Outcome, Placement, RunId, RunSpec, RunState, Sweep, SweepId};
use tuneboard::store::{
    Counts, Listing, NewRun, NewSweep, Process, Reader, RunnerInfo, SlotInfo, Sort, Store,
    StoreError,
};

fn spec(lr: f64) -> RunSpec {
    RunSpec { model: "minilm".into(), data: "sms.csv".into(), lr, ..RunSpec::default() }
}

fn new(name: &str, lr: f64) -> NewRun {
    NewRun { name: name.into(), spec: spec(lr), desired: Desired::Run }
}

fn open(dir: &Path) -> Store {
    Store::open(&dir.join("board.db")).unwrap()
}

fn ids(numbers: &[u32]) -> Vec<RunId> {
    numbers.iter().map(|n| RunId(*n)).collect()
}

fn failed(why: &str) -> RunState {
    RunState::Ended(Outcome::Failed { why: why.into(), last_lines: "killed".into() })
}

/// Reports one val accuracy.
fn report(store: &mut Store, id: RunId, acc: f64) {
    let values = BTreeMap::from([("acc".to_owned(), Number(acc))]);
    let kind = EventKind::Eval { split: Split::Val, epoch: 1, values };
    let events = vec![Event { v: VERSION, t: 5_000, step: 1, kind }];
    let from = store.offset(id).unwrap();
    store.ingest(id, from, &Batch { events, offset: from + 9, ..Batch::default() }).unwrap();
}

fn placement() -> Placement {
    Placement { site: "local".into(), slot: "cpu/0".into(), device: "cpu".into(), threads: 2 }
}

fn process() -> Process {
    Process { pid: 7, start: 8, boot_id: "b".into(), host: "h".into() }
}

#[test]
fn what_is_queued_reads_back() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    let sweep = Sweep::parse(spec(1e-4), [("lr", "1e-5,3e-5"), ("seed", "0..1")]).unwrap();
    let runs: Vec<NewRun> = sweep
        .expand()
        .unwrap()
        .into_iter()
        .map(|spec| NewRun { name: format!("lr={}\u{7}", spec.lr), spec, desired: Desired::Hold })
        .collect();
    let new_sweep = NewSweep { name: "first".into(), sweep };
    let (sweep_id, made) = store.enqueue(Some(&new_sweep), &runs).unwrap();
    assert_eq!((sweep_id, made.clone()), (Some(SweepId(1)), ids(&[1, 2, 3, 4])));
    let reader = Reader::open(&dir.path().join("board.db")).unwrap();
    let back = reader.run(RunId(3)).unwrap().unwrap();
    assert_eq!((back.name.as_str(), &back.spec), ("lr=0.00003", &runs[2].spec));
    assert_eq!((back.spec_hash, back.sweep), (runs[2].spec.hash(), sweep_id));
    assert_eq!((back.desired, back.state, back.attempt), (Desired::Hold, RunState::Queued, 0));
    assert_eq!(reader.same_spec(&runs[2].spec.hash()).unwrap(), ids(&[3]));
    assert_eq!(reader.counts().unwrap(), Counts { held: 4, ..Counts::default() });
    let row = &reader.sweeps().unwrap()[0];
    assert_eq!((row.name.as_str(), row.counts.held), ("first", 4));
    assert_eq!(row.varied, ["lr", "seed"]);
    assert_eq!(reader.sweep(SweepId(1)).unwrap(), Some(new_sweep));
    let some = reader.runs(&ids(&[4, 99, 1])).unwrap();
    assert_eq!(some.iter().map(|r| r.id.0).collect::<Vec<_>>(), [4, 1]);
}

#[test]
fn lists_are_filtered_and_sorted() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    let runs = [new("b", 1e-3), new("a", 2e-5), new("C", 3e-4), new("d", 1e-5), new("e", 1.0)];
    store.enqueue(None, &runs).unwrap();
    store.set_tags(RunId(2), &["Best".into(), "best".into(), " ".into()]).unwrap();
    store.set_note(RunId(3), "Looks\ngood").unwrap();
    store.set_desired(&ids(&[4]), Desired::Hold).unwrap();
    store.set_archived(&ids(&[5]), true).unwrap();
    store.lease(RunId(1), 1, &placement(), None).unwrap();
    store.set_state(RunId(3), &failed("out of memory")).unwrap();
    for (id, acc) in [(1, 0.5), (2, 0.9), (5, 0.99)] {
        report(&mut store, RunId(id), acc);
    }
    let words = |w: &[&str]| Listing {
        words: w.iter().map(|w| (*w).to_owned()).collect(),
        ..Listing::default()
    };
    let states = |s: &str| Listing { states: vec![s.into()], ..Listing::default() };
    let sort = |sort, descending| Listing { sort, descending, ..Listing::default() };
    let acc = || "val/acc".to_owned();
    for (listing, want) in [
        (Listing::default(), &[1, 2, 3, 4][..]),
        (Listing { archived: true, ..Listing::default() }, &[1, 2, 3, 4, 5]),
        (sort(Sort::Id, true), &[4, 3, 2, 1]),
        (words(&["best"]), &[2]),
        (words(&["GOOD"]), &[3]),
        (words(&["looks good"]), &[3]),
        (words(&["r4"]), &[4]),
        (words(&["adamw", "lr=3e-4"]), &[3]),
        (words(&["failed"]), &[3]),
        (words(&["minilm", "nowhere"]), &[]),
        (
            Listing { archived: true, sort: Sort::Id, descending: true, ..words(&["minilm"]) },
            &[5, 4, 3, 2, 1],
        ),
        (states("failed"), &[3]),
        (states("starting"), &[1]),
        (states("held"), &[4]),
        (states("queued"), &[2, 4]),
        (sort(Sort::Name, false), &[2, 1, 3, 4]),
        (sort(Sort::Key("lr".into()), false), &[4, 2, 3, 1]),
        (sort(Sort::Key("lr".into()), true), &[1, 3, 2, 4]),
        (sort(Sort::Best(acc()), true), &[2, 1, 4, 3]),
        (sort(Sort::Last(acc()), false), &[1, 2, 3, 4]),
        (sort(Sort::State, false), &[1, 2, 4, 3]),
        (Listing { sweep: Some(SweepId(3)), ..Listing::default() }, &[]),
    ] {
        assert_eq!(store.reader().ids(&listing).unwrap(), ids(want), "{listing:?}");
        let two = store.reader().first_ids(&listing, 2).unwrap();
        assert_eq!(two, ids(&want[..want.len().min(2)]), "{listing:?}");
    }
    let want = Counts { queued: 1, held: 1, live: 1, failed: 1, ..Counts::default() };
    assert_eq!(store.reader().counts().unwrap(), want);
    assert_eq!(store.reader().run(RunId(2)).unwrap().unwrap().tags, ["Best", "best"]);
    assert_eq!(store.reader().run(RunId(3)).unwrap().unwrap().note, "Looks\ngood");
}

#[test]
fn a_run_goes_through_its_life() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    store.enqueue(None, &[new("a", 1e-4), new("b", 1e-4)]).unwrap();
    let id = RunId(1);
    let run = |store: &Store| store.reader().run(id).unwrap().unwrap();

    store.lease(id, 1, &placement(), None).unwrap();
    assert_eq!(run(&store).state, RunState::Starting);
    assert_eq!(store.process(id).unwrap(), None);
    report(&mut store, id, 0.5);
    store.set_state(id, &RunState::Running).unwrap();
    // The process becomes known after the trainer has already spoken.
    store.lease(id, 1, &placement(), Some(&process())).unwrap();
    assert_eq!(run(&store).state, RunState::Running);
    assert_eq!(store.process(id).unwrap(), Some(process()));
    let open_ids = |store: &Store| -> Vec<u32> {
        store.unfinished().unwrap().iter().map(|r| r.id.0).collect()
    };
    assert_eq!(open_ids(&store), [1, 2]);

    let end = failed("NaN at step 7");
    store.set_state(id, &end).unwrap();
    let ended = run(&store);
    assert_eq!((ended.state, ended.ended), (end, Some(5_000)));
    assert_eq!(store.process(id).unwrap(), None);
    assert_eq!(open_ids(&store), [2]);

    store.requeue(&[id], false).unwrap();
    let again = run(&store);
    assert_eq!((again.state, again.ended, again.attempt), (RunState::Queued, None, 1));
    assert_eq!(again.last["val/acc"], 0.5);

    store.set_state(id, &RunState::Ended(Outcome::Stopped)).unwrap();
    assert_eq!(open_ids(&store), [2, 1], "stopped, but wanted");
    store.set_desired(&[id], Desired::Stop).unwrap();
    assert_eq!(open_ids(&store), [2]);
    store.requeue(&[id], true).unwrap();
    let fresh = run(&store);
    assert_eq!((fresh.attempt, fresh.step, fresh.desired), (0, 0, Desired::Run));
    assert!(fresh.last.is_empty() && fresh.started.is_none());
    assert_eq!(store.offset(id).unwrap(), 0);
    assert_eq!(store.reader().metrics(id).unwrap(), Vec::<String>::new());
    let counts = Counts { queued: 2, ..Counts::default() };
    assert_eq!(store.reader().counts().unwrap(), counts);
}

#[test]
fn a_run_that_does_not_exist_is_named_and_nothing_changes() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    store.enqueue(None, &[new("a", 1e-4)]).unwrap();
    let e = store.set_desired(&ids(&[1, 42]), Desired::Hold).unwrap_err();
    assert_eq!(e.to_string(), "There is no run r42 on this board.");
    assert_eq!(store.reader().run(RunId(1)).unwrap().unwrap().desired, Desired::Run);
    assert!(matches!(store.offset(RunId(9)), Err(StoreError::NoRun(RunId(9)))));
    assert!(matches!(store.ingest(RunId(9), 0, &Batch::default()), Err(StoreError::NoRun(_))));
    assert_eq!(store.reader().run(RunId(9)).unwrap(), None);
}

#[test]
fn adopted_runs_keep_their_numbers_and_numbers_are_never_given_twice() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    let sweep = Sweep::parse(spec(1e-4), [("lr", "1e-5,3e-5")]).unwrap();
    let sweep = NewSweep { name: "old".into(), sweep };
    store.adopt(RunId(7), &new("seven", 1e-5), 99, Some((SweepId(3), &sweep))).unwrap();
    store.adopt(RunId(5), &new("five", 3e-5), 98, Some((SweepId(3), &sweep))).unwrap();
    store.adopt(RunId(5), &new("other", 3e-5), 1, None).unwrap();
    store.adopt(RunId(u32::MAX - 1), &new("far", 3e-5), 1, None).unwrap();
    report(&mut store, RunId(u32::MAX - 1), 0.25);
    let five = store.reader().run(RunId(5)).unwrap().unwrap();
    assert_eq!((five.name.as_str(), five.created, five.sweep), ("five", 98, Some(SweepId(3))));
    assert_eq!(store.reader().sweeps().unwrap()[0].counts.queued, 2);
    let (s, made) = store.enqueue(Some(&sweep), &[new("next", 1.0)]).unwrap();
    assert_eq!((s, made), (Some(SweepId(4)), vec![RunId(u32::MAX)]));
    let far = store.reader().curve(RunId(u32::MAX - 1), "val/acc", 0).unwrap();
    assert_eq!(far.value, [0.25]);
}

#[test]
fn the_runner_signs_on_and_off() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    let reader = Reader::open(&dir.path().join("board.db")).unwrap();
    assert_eq!(reader.runner().unwrap(), None);
    let info = RunnerInfo { process: process(), heartbeat: 1, version: "0.1.0".into() };
    store.sign_on(&info).unwrap();
    store.beat(2).unwrap();
    assert_eq!(reader.runner().unwrap(), Some(RunnerInfo { heartbeat: 2, ..info }));
    let slot = SlotInfo {
        site: "local".into(),
        slot: "cpu/0".into(),
        label: "AMD".into(),
        run: Some(RunId(1)),
        memory_used: None,
        memory_total: Some(9),
        busy: Some(1.5),
        temperature: None,
    };
    store.set_slots(std::slice::from_ref(&slot)).unwrap();
    assert_eq!(reader.slots().unwrap(), std::slice::from_ref(&slot));
    let before = reader.data_version().unwrap();
    store.set_slots(&[slot]).unwrap();
    assert_eq!(reader.data_version().unwrap(), before, "nothing new was written");
    store.sign_off().unwrap();
    assert_ne!(reader.data_version().unwrap(), before);
    assert_eq!((reader.runner().unwrap(), reader.slots().unwrap()), (None, vec![]));
}
