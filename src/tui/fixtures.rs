//! Hand-made snapshots for the tests of screens.

use std::collections::BTreeMap;
use std::sync::Arc;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::canvas::Canvas;
use super::draw::draw;
use super::screens;
use super::snapshot::{Detail, Health, List, Log, Passes, RunnerState, Snapshot};
use super::theme::{Depth, Theme};
use super::view::View;
use crate::spec::{Desired, Outcome, Placement, PrunedAt, RunSpec, RunState};
use crate::store::{Confusion, Counts, Curve, Run, SlotInfo, Split};

/// 2026-01-01.
const NOW: i64 = 1_767_225_600_000;

/// A run that has done nothing yet.
pub fn queued(id: u32) -> Run {
    let lr = [1e-5, 2e-5, 5e-5, 1e-4][id as usize % 4];
    let spec = RunSpec {
        model: "minilm".into(),
        data: "data/sms_spam.csv".into(),
        lr,
        seed: u64::from(id % 3),
        ..RunSpec::default()
    };
    let name = format!("lr={} seed={}", crate::spec::short(lr), spec.seed);
    Run { name, created: NOW - 900_000, ..Run::example(id, spec) }
}

/// A run that has trained for some epochs.
pub fn trained(id: u32, state: RunState, epoch: f64) -> Run {
    let mut run = queued(id);
    let whole = epoch.floor() as u32;
    run.state = state;
    run.placement = Some(Placement {
        site: "local".into(),
        slot: "cuda:0".into(),
        device: "cuda:0".into(),
        threads: 4,
    });
    run.started = Some(NOW - 600_000);
    run.last_event = Some(NOW - 600_000 + (epoch * 60_000.0) as i64);
    run.device_time = Some((epoch * 60_000.0) as i64);
    run.ended = run.state.outcome().and(run.last_event);
    (run.attempt, run.epoch, run.step) = (1, epoch, (epoch * 140.0) as u64);
    let mut facts = crate::events::Started::default();
    (facts.epochs, facts.rows, facts.parameters) = (3, [4459, 557, 558], 22_713_218);
    facts.precision = "bf16".into();
    run.facts = Some(facts);
    run.best_epoch = (whole > 0).then_some(whole.min(2));
    let worse = f64::from(id % 5) * 0.004;
    for (metric, value) in [
        ("train/loss", 0.06),
        ("train/acc", 0.985),
        ("val/loss", 0.09 + worse),
        ("val/acc", 0.97 - worse),
        ("val/f1", 0.95 - worse),
        ("train/examples_per_s", 835.2),
        ("train/tokens_per_s", 31_200.0),
    ] {
        run.last.insert(metric.into(), value);
        run.best.insert(metric.into(), value);
    }
    if run.state == RunState::Ended(Outcome::Done) {
        run.last.insert("test/acc".into(), 0.9713 - worse);
    }
    run.spark =
        (0..whole.max(1)).map(|e| (0.7 * (-0.8 * e as f32).exp() + 0.05).max(0.09)).collect();
    run
}

/// A board whose list shows these runs.
pub fn board(runs: Vec<Run>) -> Snapshot {
    let ids = runs.iter().map(|r| r.id).collect();
    let mut counts = Counts::default();
    for run in &runs {
        match (&run.state, run.desired) {
            (RunState::Queued, Desired::Hold) => counts.held += 1,
            (RunState::Queued, _) => counts.queued += 1,
            (RunState::Ended(Outcome::Done), _) => counts.done += 1,
            (RunState::Ended(Outcome::Stopped | Outcome::Pruned(_)), _) => counts.stopped += 1,
            (RunState::Ended(_), _) => counts.failed += 1,
            _ => counts.live += 1,
        }
    }
    let live: Vec<Run> = runs.iter().filter(|r| r.state.is_live()).cloned().collect();
    let queue = runs.iter().filter(|r| r.state == RunState::Queued).cloned().collect();
    let recent = runs.iter().filter(|r| r.ended.is_some()).cloned().collect();
    let slots = (0..2).map(|i| SlotInfo {
        site: "local".into(),
        slot: format!("cuda:{i}"),
        label: "NVIDIA H200".into(),
        run: live.get(i).map(|r| r.id),
        memory_used: Some((3 + 20 * i as u64) << 30),
        memory_total: Some(141 << 30),
        busy: Some(87.0),
        temperature: Some(54),
    });
    Snapshot {
        now: NOW,
        root: "~/boards/spam".into(),
        health: Health::Ready,
        counts,
        runner: RunnerState::Alive,
        slots: Arc::new(slots.collect()),
        live: Arc::new(live),
        queue: Arc::new(queue),
        recent: Arc::new(recent),
        list: List {
            listing: View::default().listing(),
            ids: Arc::new(ids),
            complete: true,
            rows: Arc::new(runs.into_iter().map(Arc::new).collect::<Vec<_>>().into()),
            varied: Arc::new(vec!["lr", "seed"]),
            ..List::default()
        },
        ..Snapshot::default()
    }
}

/// Runs in every state.
pub fn many() -> Vec<Run> {
    let ended = |outcome| RunState::Ended(outcome);
    let mut runs: Vec<Run> = (1..=3).map(|i| queued(20 + i)).collect();
    runs[1].desired = Desired::Hold;
    runs.push(trained(19, RunState::Starting, 0.0));
    runs.push(trained(18, RunState::Running, 2.4));
    let mut resumed = trained(17, RunState::Running, 0.4);
    resumed.desired = Desired::Stop;
    runs.push(resumed);
    runs.push(failed(16));
    runs.push(trained(15, ended(Outcome::Stopped), 1.0));
    runs.push(trained(14, ended(Outcome::Lost { why: "The machine was restarted.".into() }), 1.0));
    runs.push(trained(
        13,
        ended(Outcome::Pruned(PrunedAt {
            rung: 1,
            threshold: "0.9".into(),
            ..PrunedAt::default()
        })),
        1.0,
    ));
    runs.extend((1..=12).rev().map(|i| trained(i, ended(Outcome::Done), 3.0)));
    runs[12].tags = vec!["best".into(), "paper".into()];
    runs[13].note = "before the split was mended".into();
    runs[14].name = "emoção 🙂 日本語の実験 e\u{301}\u{1b}[31mred".into();
    runs
}

/// A run that ran out of memory.
pub fn failed(id: u32) -> Run {
    let why =
        "CUDA is out of memory: 2.1 GiB wanted, 0.4 GiB free; try batch_size=16 accumulate=2.";
    let last_lines = "epoch 2/3  step 198/420  loss 0.2113\nError: CUDA out of memory. Tried to allocate 2.10 GiB\u{1b}[2J";
    let (why, last_lines) = (why.to_owned(), last_lines.to_owned());
    trained(id, RunState::Ended(Outcome::Failed { why, last_lines }), 1.4)
}

/// A board on which a run with these classes is open, and the view of it.
pub fn opened(run: Run, classes: usize) -> (Snapshot, View) {
    let id = run.id;
    let epochs = run.epoch.floor() as u32;
    let labels: Vec<String> = match classes {
        2 => vec!["ham".into(), "spam".into()],
        n => {
            (0..n).map(|i| format!("class_{}_{i}", ["card", "transfer", "top_up"][i % 3])).collect()
        }
    };
    let curve = |f: fn(f64) -> f64, every: f64| {
        let count = (run.epoch / every) as usize;
        let epoch: Vec<f64> = (1..=count).map(|i| i as f64 * every).collect();
        Curve {
            step: epoch.iter().map(|e| (e * 140.0) as u64).collect(),
            time: epoch.iter().map(|e| NOW + (e * 60_000.0) as i64).collect(),
            value: epoch.iter().map(|e| f(*e)).collect(),
            total: count,
            epoch,
        }
    };
    let curves = BTreeMap::from([
        ("train/loss".to_owned(), curve(|e| 0.05 + 0.6 * (-1.4 * e).exp(), 0.02)),
        ("val/loss".to_owned(), curve(|e| 0.09 + 0.5 * (-1.4 * e).exp(), 1.0)),
        ("train/acc".to_owned(), curve(|e| 0.99 - 0.3 * (-1.4 * e).exp(), 1.0)),
        ("val/acc".to_owned(), curve(|e| 0.97 - 0.3 * (-1.4 * e).exp(), 1.0)),
    ]);
    let counts = |epoch: u32| -> Vec<Vec<u64>> {
        let cell = |i: usize, j: usize| match (i + classes - j) % classes.max(1) {
            0 => 90 + u64::from(epoch),
            1 => 5 - u64::from(epoch),
            _ => 0,
        };
        (0..classes).map(|i| (0..classes).map(|j| cell(i, j)).collect()).collect()
    };
    let passes: Vec<(Split, u32)> = (1..=epochs).map(|e| (Split::Val, e)).collect();
    let confusions = passes.iter().map(|(split, epoch)| {
        let confusion = Confusion {
            split: *split,
            epoch: *epoch,
            labels: labels.clone(),
            counts: counts(*epoch),
        };
        ((*split, *epoch), Arc::new(confusion))
    });
    let mut snap = board(many());
    snap.passes = Passes { run: Some(id), counts: confusions.collect() };
    let lines = (0..40).map(|i| format!("epoch 1/3  step {i}/420  loss 0.4{i:02}"));
    snap.log = Some(Arc::new(Log {
        run: id,
        lines: lines.collect(),
        cut: false,
        path: format!("runs/{id}/out.log"),
    }));
    snap.detail = Some(Arc::new(Detail { run, curves, buckets: 160, passes }));
    (snap, View { open: Some(id), ..View::default() })
}

/// The screen as text, one line a row; wide characters are followed by nothing, as in a terminal.
pub fn text(snap: &Snapshot, view: &mut View, width: u16, height: u16) -> String {
    let buf = cells(snap, view, width, height, &Theme::new(false, Depth::True));
    let rows = buf.content.chunks(usize::from(width.max(1)));
    let mut out = String::new();
    for row in rows {
        let mut skip = 0;
        let mut line = String::new();
        for cell in row {
            if skip > 0 {
                skip -= 1;
                continue;
            }
            line.push_str(cell.symbol());
            skip = super::text::width(cell.symbol()).saturating_sub(1);
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

/// The screen as cells.
pub fn cells(snap: &Snapshot, view: &mut View, width: u16, height: u16, theme: &Theme) -> Buffer {
    let area = Rect::new(0, 0, width, height);
    view.area = area;
    screens::settle(view, snap);
    let mut buf = Buffer::empty(area);
    let keymap = screens::keymap(&BTreeMap::new()).expect("the table reads");
    draw(&mut Canvas::new(&mut buf, theme), snap, view, &keymap);
    buf
}
