//! Any prefix, any pieces, any length.

use std::cell::RefCell;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use super::*;

fn kind() -> impl Strategy<Value = (u64, EventKind)> {
    let split = prop_oneof![Just(Split::Train), Just(Split::Val), Just(Split::Test)];
    let number = prop_oneof![
        8 => 0.0..2.0f64,
        1 => Just(f64::NAN),
        1 => Just(f64::INFINITY),
    ];
    let cells = prop::collection::vec(0u64..50, 4);
    let kind = prop_oneof![
        2 => (1u32..4).prop_map(|attempt| EventKind::Started(Box::new(Started { attempt, ..Started::default() }))),
        2 => (0u32..4, 2u32..4).prop_map(|(epoch, attempt)| EventKind::Resumed { epoch, attempt }),
        8 => (number.clone(), 0.0..5.0f64).prop_map(|(x, epoch)| EventKind::Metrics { epoch, values: values(&[("train/step_loss", x)]) }),
        8 => (split.clone(), 1u32..5, number).prop_map(|(split, epoch, x)| EventKind::Eval { split, epoch, values: values(&[("loss", x), ("acc", -x)]) }),
        3 => (split, 1u32..5, cells).prop_map(|(split, epoch, c)| EventKind::Confusion { split, epoch, counts: c.chunks(2).map(<[u64]>::to_vec).collect() }),
        1 => Just(EventKind::Note { level: Level::Info, text: "hello".into() }),
        1 => Just(EventKind::Ended { ending: Ending::Stopped, why: "told to".into(), best_epoch: None }),
    ];
    // Mostly forward, at times back: what a killed and resumed trainer writes.
    (0u64..40, kind)
}

#[test]
fn invariant_5_ingesting_any_prefix_twice_equals_once() {
    let dir = tempfile::tempdir().unwrap();
    let events = dir.path().join("events.jsonl");
    // proptest wants a closure that changes nothing.
    let shared = RefCell::new(store(dir.path()).0);
    let kinds = prop::collection::vec(kind(), 0..60);
    let limits = prop::collection::vec((1u64..900, 0usize..3), 1..12);
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(150) };
    let outcome =
        TestRunner::new(config).run(&(kinds, limits, 0usize..40), |(kinds, limits, torn)| {
            let lines: Vec<Event> = kinds
                .into_iter()
                .enumerate()
                .map(|(i, (jitter, kind))| event(i as u64 * 3 + jitter, kind))
                .collect();
            write(&events, &lines);
            let mut file = File::options().append(true).open(&events).unwrap();
            file.write_all(b"what is this\n").unwrap();
            let half = br#"{"v":1,"t":5,"step":7,"kind":{"resumed":{"epoch":0,"attempt":9}}}"#;
            file.write_all(&half[..torn]).unwrap();

            let mut store = shared.borrow_mut();
            let once = enqueue(&mut store);
            ingest_all(&mut store, once, &events);
            let pieces = enqueue(&mut store);
            ingest_in_pieces(&mut store, pieces, &events, &limits);
            prop_assert_eq!(told(&store, pieces), told(&store, once));
            Ok(())
        });
    outcome.unwrap();
    assert_eq!(shared.borrow().reader().integrity().unwrap(), Vec::<String>::new());
}

/// Batches of about `limits` bytes; after each, the same batch again and one from before.
fn ingest_in_pieces(store: &mut Store, id: RunId, events: &Path, limits: &[(u64, usize)]) {
    let mut old = Vec::new();
    for (limit, repeat) in limits.iter().cycle() {
        let mut tail = Tail::at(store.offset(id).unwrap());
        let from = tail.offset;
        let batch = tail.read(events, *limit).unwrap();
        let more = batch.more;
        store.ingest(id, from, &batch).unwrap();
        old.push((from, batch));
        for _ in 0..*repeat {
            for (from, batch) in [&old[old.len() - 1], &old[limits.len() % old.len()]] {
                store.ingest(id, *from, batch).unwrap();
            }
        }
        if !more {
            break;
        }
    }
}

#[test]
fn a_long_curve_is_thinned_and_keeps_its_landmarks() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, id) = store(dir.path());
    let events = dir.path().join("events.jsonl");
    let x = |step: u64| match step {
        1234 => f64::NAN,
        3333 => -7.0,
        4000 => 9.0,
        step => (step as f64 * 0.01).sin(),
    };
    let lines: Vec<Event> = (1..=6000)
        .map(|step| {
            let values = values(&[("train/step_loss", x(step))]);
            event(step, EventKind::Metrics { epoch: step as f64 / 100.0, values })
        })
        .collect();
    write(&events, &lines);
    ingest_all(&mut store, id, &events);
    let whole = store.reader().curve(id, "train/step_loss", 0).unwrap();
    assert_eq!((whole.total, whole.value.len()), (6000, 6000));
    // Few buckets are answered from outlines of chunks, many from all points.
    for buckets in [1, 3, 10, 20, 25, 100, 1000] {
        let thin = store.reader().curve(id, "train/step_loss", buckets).unwrap();
        assert_eq!(thin.total, 6000);
        assert!(thin.value.len() <= 3 * buckets + 2, "{buckets}: {}", thin.value.len());
        for step in [1, 1234, 3333, 4000, 6000] {
            assert!(thin.step.contains(&step), "{buckets} buckets, step {step}");
        }
        for (i, step) in thin.step.iter().enumerate() {
            let at = *step as usize - 1;
            assert_eq!(thin.value[i].to_bits(), x(*step).to_bits());
            assert_eq!((thin.time[i], thin.epoch[i]), (whole.time[at], whole.epoch[at]));
        }
        assert!(thin.step.is_sorted_by(|a, b| a < b));
    }
    assert_eq!(store.reader().curve(id, "nothing", 10).unwrap(), Curve::default());
}
