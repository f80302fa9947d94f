//! Invariant 5: ingesting any prefix twice equals once, through the real events file.

mod flags;
mod prefixes;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::Path;

use tuneboard::events::{Ending, Event, EventKind, Level, Number, Split, Started, Tail, VERSION};
use tuneboard::query::Query;
use tuneboard::spec::{Desired, RunId, RunSpec, RunState};
use tuneboard::store::{Confusion, Curve, Listing, NewRun, Run, Store, TrainerNote};

fn store(dir: &Path) -> (Store, RunId) {
    let mut store = Store::open(&dir.join("board.db")).unwrap();
    let id = enqueue(&mut store);
    (store, id)
}

fn enqueue(store: &mut Store) -> RunId {
    let spec = RunSpec { model: "m".into(), data: "d.csv".into(), ..RunSpec::default() };
    let run = NewRun { name: "one".into(), spec, desired: Desired::Run };
    store.enqueue(None, &[run]).unwrap().1[0]
}

fn event(step: u64, kind: EventKind) -> Event {
    Event { v: VERSION, t: 1_700_000_000_000 + step as i64 * 10, step, kind }
}

fn values(pairs: &[(&str, f64)]) -> BTreeMap<String, Number> {
    pairs.iter().map(|(name, x)| ((*name).to_owned(), Number(*x))).collect()
}

fn eval(step: u64, split: Split, epoch: u32, loss: f64) -> Event {
    event(
        step,
        EventKind::Eval { split, epoch, values: values(&[("loss", loss), ("acc", 1.0 - loss)]) },
    )
}

fn started(attempt: u32, step: u64) -> Event {
    let labels = vec!["ham".into(), "spam".into()];
    event(step, EventKind::Started(Box::new(Started { attempt, labels, ..Started::default() })))
}

fn write(path: &Path, events: &[Event]) {
    let mut file = File::create(path).unwrap();
    for event in events {
        serde_json::to_writer(&mut file, event).unwrap();
        file.write_all(b"\n").unwrap();
    }
}

fn ingest_all(store: &mut Store, id: RunId, events: &Path) {
    let mut tail = Tail::at(store.offset(id).unwrap());
    let from = tail.offset;
    let batch = tail.read(events, 1 << 30).unwrap();
    store.ingest(id, from, &batch).unwrap();
}

/// Step, epoch, time and value of a point; floats as bits, so that NaN can be compared.
type Bits = (u64, u64, i64, u64);

/// Everything the database says of a run.
#[derive(Debug, PartialEq)]
struct Told {
    run: String,
    curves: Vec<(String, Vec<Bits>, usize)>,
    confusions: Vec<Confusion>,
    remarks: Vec<TrainerNote>,
    ending: Option<(Ending, String)>,
    strays: u64,
    offset: u64,
}

fn told(store: &Store, id: RunId) -> Told {
    let reader = store.reader();
    let points = |c: Curve| {
        let rows = (0..c.value.len())
            .map(|i| (c.step[i], c.epoch[i].to_bits(), c.time[i], c.value[i].to_bits()));
        (rows.collect(), c.total)
    };
    let metrics = reader.metrics(id).unwrap();
    let run = reader.run(id).unwrap().unwrap();
    Told {
        run: format!("{:?}", Run { created: 0, id: RunId(0), turn: 0, ..run }),
        curves: metrics
            .into_iter()
            .map(|m| {
                let (rows, total) = points(reader.curve(id, &m, 0).unwrap());
                (m, rows, total)
            })
            .collect(),
        confusions: reader
            .confusions(id)
            .unwrap()
            .into_iter()
            .map(|(split, epoch)| reader.confusion(id, split, Some(epoch)).unwrap().unwrap())
            .collect(),
        remarks: reader.trainer_notes(id).unwrap(),
        ending: reader.ending(id).unwrap(),
        strays: reader.unread_lines(id).unwrap().0,
        offset: store.offset(id).unwrap(),
    }
}

/// Within an epoch the val rows are sampled: what is said of them is a curve, and neither best nor last.
#[test]
fn points_within_an_epoch_are_a_curve_but_neither_best_nor_last() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(&dir.path().join("board.db")).unwrap();
    let mut spec = RunSpec { model: "m".into(), data: "d.csv".into(), ..RunSpec::default() };
    spec.set("best", "acc").unwrap();
    let run = NewRun { name: "one".into(), spec, desired: Desired::Run };
    let id = store.enqueue(None, &[run]).unwrap().1[0];
    let within = |step, epoch, loss: f64| {
        let values =
            values(&[("train/step_loss", 1.0), ("val/loss", loss), ("val/acc", 1.0 - loss)]);
        event(step, EventKind::Metrics { epoch, values })
    };
    let mut told = vec![started(1, 0), within(2, 0.25, 0.01), within(4, 0.5, 0.3)];
    let path = dir.path().join("events.jsonl");
    write(&path, &told);
    ingest_all(&mut store, id, &path);
    let run = store.reader().run(id).unwrap().unwrap();
    // A first impression, until there is more.
    assert_eq!((run.last["val/loss"], run.best.get("val/loss"), run.best_epoch), (0.3, None, None));
    assert_eq!(run.spark.len(), 2);

    told.extend([
        eval(8, Split::Val, 1, 0.2),
        within(12, 1.5, 0.02),
        eval(16, Split::Val, 2, 0.25),
    ]);
    told.push(within(20, 2.5, 0.03));
    write(&path, &told);
    ingest_all(&mut store, id, &path);
    let run = store.reader().run(id).unwrap().unwrap();
    assert_eq!((run.last["val/loss"], run.best["val/loss"]), (0.25, 0.2));
    assert_eq!((run.last["val/acc"], run.best["val/acc"]), (0.75, 0.8));
    assert_eq!((run.best_epoch, run.spark.len(), run.epoch), (Some(1), 6, 2.5));
    let curve = store.reader().curve(id, "val/loss", 0).unwrap();
    assert_eq!(curve.epoch, [0.25, 0.5, 1.0, 1.5, 2.0, 2.5]);
    assert_eq!(curve.value, [0.01, 0.3, 0.2, 0.02, 0.25, 0.03]);

    // What is voided takes its share of the best with it.
    let mut again = told.clone();
    again.push(event(4, EventKind::Resumed { epoch: 0, attempt: 2 }));
    again.push(within(4, 0.5, 0.3));
    write(&path, &again);
    ingest_all(&mut store, id, &path);
    let run = store.reader().run(id).unwrap().unwrap();
    assert_eq!((run.best.get("val/loss"), run.best_epoch), (None, None));
    assert_eq!(run.spark.len(), 2);
}

#[test]
fn an_eval_is_one_point_an_epoch_under_the_name_of_its_split() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, id) = store(dir.path());
    let events = dir.path().join("events.jsonl");
    let live = |step, x| {
        let values = values(&[("train/step_loss", x)]);
        event(step, EventKind::Metrics { epoch: step as f64 / 10.0, values })
    };
    write(
        &events,
        &[
            started(1, 0),
            live(5, 0.9),
            eval(10, Split::Train, 1, 0.7),
            eval(10, Split::Val, 1, f64::NAN),
            eval(20, Split::Val, 2, 0.25),
            eval(30, Split::Val, 3, 0.5),
            event(
                30,
                EventKind::Confusion {
                    split: Split::Test,
                    epoch: 2,
                    counts: vec![vec![3, 0], vec![1, 9]],
                },
            ),
            eval(30, Split::Test, 2, 0.3),
            event(30, EventKind::Note { level: Level::Warning, text: "\u{1b}[31mred".into() }),
            event(
                30,
                EventKind::Ended { ending: Ending::Done, why: String::new(), best_epoch: Some(2) },
            ),
        ],
    );
    ingest_all(&mut store, id, &events);
    let reader = store.reader();
    let metrics = reader.metrics(id).unwrap();
    let want = [
        "test/acc",
        "test/loss",
        "train/acc",
        "train/loss",
        "train/step_loss",
        "val/acc",
        "val/loss",
    ];
    assert_eq!(metrics, want);
    let run = reader.run(id).unwrap().unwrap();
    assert_eq!((run.step, run.epoch, run.attempt, run.best_epoch), (30, 3.0, 1, Some(2)));
    assert_eq!(run.last["val/loss"], 0.5);
    assert_eq!((run.best["val/loss"], run.best["val/acc"]), (0.25, 0.75));
    assert_eq!(run.state.word(), "running");
    assert_eq!(run.started, Some(1_700_000_000_000));
    // Train loss before the first evaluation, whose loss was NaN.
    assert_eq!(run.spark[0], 0.9);
    assert!(run.spark[1].is_nan());
    assert_eq!(run.spark[2..], [0.25, 0.5]);
    let curve = reader.curve(id, "val/loss", 0).unwrap();
    assert_eq!((curve.epoch, curve.step, curve.total), (vec![1.0, 2.0, 3.0], vec![10, 20, 30], 3));
    let confusion = reader.confusion(id, Split::Test, None).unwrap().unwrap();
    assert_eq!(confusion.labels, ["ham", "spam"]);
    assert_eq!(confusion.counts, [[3, 0], [1, 9]]);
    assert_eq!(reader.ending(id).unwrap(), Some((Ending::Done, String::new())));
    assert_eq!(reader.trainer_notes(id).unwrap()[0].text, "[31mred");
}

#[test]
fn a_resumed_attempt_voids_what_came_after_its_checkpoint() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, id) = store(dir.path());
    let events = dir.path().join("events.jsonl");
    let counts = || vec![vec![1, 0], vec![0, 1]];
    let mut lines = vec![started(1, 0)];
    // More than two full chunks of live points.
    for step in 1..=1500 {
        let values =
            values(&[("train/step_loss", if step == 1400 { 0.0 } else { 1.0 / step as f64 })]);
        lines.push(event(step, EventKind::Metrics { epoch: step as f64 / 500.0, values }));
        if step % 500 == 0 {
            let epoch = (step / 500) as u32;
            lines.push(eval(step, Split::Val, epoch, [0.5, 0.4, 0.1][epoch as usize - 1]));
            lines.push(event(
                step,
                EventKind::Confusion { split: Split::Val, epoch, counts: counts() },
            ));
        }
    }
    lines.push(event(
        1500,
        EventKind::Ended { ending: Ending::Stopped, why: "x".into(), best_epoch: Some(3) },
    ));
    write(&events, &lines);
    ingest_all(&mut store, id, &events);
    assert_eq!(store.reader().run(id).unwrap().unwrap().best["val/loss"], 0.1);
    lines.push(started(2, 500));
    lines.push(event(500, EventKind::Resumed { epoch: 1, attempt: 2 }));
    write(&events, &lines);
    ingest_all(&mut store, id, &events);
    let run = store.reader().run(id).unwrap().unwrap();
    assert_eq!((run.best_epoch, run.attempt, run.step, run.epoch), (Some(1), 2, 500, 1.0));
    assert_eq!((run.last["val/loss"], run.best["val/loss"]), (0.5, 0.5));
    assert_eq!(run.best["train/step_loss"], 1.0 / 500.0);
    let live = store.reader().curve(id, "train/step_loss", 0).unwrap();
    assert_eq!((live.total, live.step.last()), (500, Some(&500)));
    assert_eq!(store.reader().confusions(id).unwrap(), [(Split::Val, 1)]);
    assert_eq!(store.reader().ending(id).unwrap(), None);
}

#[test]
fn time_is_that_of_the_attempts_and_the_test_is_a_state_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, id) = store(dir.path());
    let events = dir.path().join("events.jsonl");
    let at = |seconds: i64, event: Event| Event { t: 1_700_000_000_000 + seconds * 1000, ..event };
    let loss = |x| EventKind::Metrics { epoch: 0.5, values: values(&[("train/step_loss", x)]) };
    let ended = |ending| EventKind::Ended { ending, why: String::new(), best_epoch: None };
    let evaluating = |done| EventKind::Evaluating { split: Split::Test, done, rows: 200 };
    // 18 s, an hour away, and 36 s in which the test takes its time.
    let mut lines = vec![
        at(0, started(1, 0)),
        at(10, event(5, loss(1.0))),
        at(18, event(5, ended(Ending::Stopped))),
        at(3618, event(5, EventKind::Resumed { epoch: 0, attempt: 2 })),
        at(3618, started(2, 5)),
        at(3640, eval(10, Split::Val, 1, 0.5)),
        at(3641, event(10, evaluating(0))),
        at(3646, event(10, evaluating(50))),
    ];
    write(&events, &lines);
    ingest_all(&mut store, id, &events);
    store.set_state(id, &RunState::Running).unwrap();
    let listed = |store: &Store, query: &str| {
        let query = Query::parse(query).unwrap();
        store.reader().ids(&Listing { query, ..Listing::default() }).unwrap()
    };
    let run = store.reader().run(id).unwrap().unwrap();
    assert_eq!((run.device_time, run.testing()), (Some(46_000), Some(0.25)));
    assert_eq!(run.stood_still(), Some(3_600_000));
    assert_eq!(listed(&store, "state:testing"), [id]);
    lines.push(at(3654, eval(10, Split::Test, 1, 0.5)));
    write(&events, &lines);
    ingest_all(&mut store, id, &events);
    assert_eq!(listed(&store, "state:testing"), [id], "until it has ended");
    lines.push(at(3654, event(10, ended(Ending::Done))));
    write(&events, &lines);
    ingest_all(&mut store, id, &events);
    let run = store.reader().run(id).unwrap().unwrap();
    assert_eq!((run.device_time, run.testing()), (Some(54_000), None));
    assert_eq!(listed(&store, "state:testing"), []);
    assert_eq!((listed(&store, "time=54s"), listed(&store, "time>1m")), (vec![id], vec![]));
}

#[test]
fn an_attempt_that_goes_over_the_same_steps_replaces_them() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, id) = store(dir.path());
    let events = dir.path().join("events.jsonl");
    let mut lines = vec![started(1, 0)];
    lines.extend((1..=3).map(|e| eval(u64::from(e) * 10, Split::Val, e, 0.5 / f64::from(e))));
    lines.push(started(2, 0));
    lines.push(eval(10, Split::Val, 1, 0.7));
    write(&events, &lines);
    ingest_all(&mut store, id, &events);
    let curve = store.reader().curve(id, "val/loss", 0).unwrap();
    assert_eq!(curve.value, [0.7]);
    assert_eq!(store.reader().run(id).unwrap().unwrap().best["val/loss"], 0.7);
}

#[test]
fn absurd_names_and_counts_are_kept_within_limits() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, id) = store(dir.path());
    let events = dir.path().join("events.jsonl");
    let many: BTreeMap<String, Number> =
        (0..12_000).map(|i| (format!("m{i}"), Number(1.0))).collect();
    let long = "x".repeat(5000);
    let odd = values(&[("\u{1b}[2Jloss\n", 1.0), ("", 2.0), ("  ", 2.0), (&long, 3.0)]);
    let ragged =
        EventKind::Confusion { split: Split::Val, epoch: 1, counts: vec![vec![1], vec![1, 2]] };
    write(
        &events,
        &[
            event(1, EventKind::Metrics { epoch: f64::MAX, values: odd }),
            event(u64::MAX, ragged),
            event(2, EventKind::Metrics { epoch: -1.0, values: many }),
        ],
    );
    ingest_all(&mut store, id, &events);
    let metrics = store.reader().metrics(id).unwrap();
    assert_eq!(metrics.len(), 512);
    assert!(metrics.contains(&"[2Jloss ".to_owned()));
    assert!(metrics.iter().all(|m| m.chars().count() <= 200 && !m.contains('\u{1b}')));
    // 12,000 + 2 names are told of, 2 nameless ones and a matrix that is none.
    let (strays, why) = store.reader().unread_lines(id).unwrap();
    assert_eq!(strays, 12_000 + 2 - 512 + 2 + 1);
    assert!(why.unwrap().contains("metric"));
}
