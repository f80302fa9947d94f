//! Makes a board with many finished runs, to try and to measure the dashboard on:
//! `cargo run --release --example make_board -- DIR --runs 1000 --epochs 100`.
//!
//! Runs go the real way, through enqueue, lease, ingest and state, so the database is the one that a
//! year of training would have made. The same arguments make the same curves. With `--at-rest` no run
//! waits or runs, so that nobody starts a runner on it.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it tells how far it is")]

use std::collections::BTreeMap;
use std::error::Error;
use std::path::PathBuf;
use std::time::Instant;

use tuneboard::board::Board;
use tuneboard::events::{Batch, Ending, Event, EventKind, Number, Split, Started, VERSION};
use tuneboard::spec::{Desired, Outcome, Placement, RunId, RunSpec, RunState, Sweep};
use tuneboard::store::{NewRun, NewSweep, Store};

/// 2026-01-01.
const BEGINNING: i64 = 1_767_225_600_000;
const STEPS_PER_EPOCH: u64 = 140;

struct Arguments {
    board: PathBuf,
    runs: usize,
    epochs: u32,
    at_rest: bool,
}

fn main() -> Result<(), Box<dyn Error>> {
    let Arguments { board, runs, epochs, at_rest } = arguments()?;
    let start = Instant::now();
    let board = Board::init(&board)?;
    let mut store = Store::open(&board.database())?;
    let ids = enqueue(&mut store, runs, epochs)?;
    let mut points = 0;
    for (nth, id) in ids.iter().enumerate() {
        points += live(&mut store, nth, *id, epochs, at_rest)?;
        if nth % 1000 == 999 {
            eprintln!("{} runs, {:.0} s", nth + 1, start.elapsed().as_secs_f64());
        }
    }
    drop(store);
    let bytes = std::fs::metadata(board.database())?.len();
    println!(
        "{runs} runs, {points} points in {:.1} s: {:.1} MB, {:.1} bytes a point.",
        start.elapsed().as_secs_f64(),
        bytes as f64 / 1e6,
        bytes as f64 / f64::max(points as f64, 1.0),
    );
    Ok(())
}

fn arguments() -> Result<Arguments, Box<dyn Error>> {
    let usage = "make_board DIR [--runs N] [--epochs E] [--at-rest]";
    let (mut board, mut runs, mut epochs, mut at_rest) = (None, 1000, 100, false);
    let mut given = std::env::args().skip(1);
    while let Some(argument) = given.next() {
        match argument.as_str() {
            "--runs" => runs = given.next().ok_or(usage)?.parse()?,
            "--epochs" => epochs = given.next().ok_or(usage)?.parse()?,
            "--at-rest" => at_rest = true,
            _ => board = Some(PathBuf::from(argument)),
        }
    }
    Ok(Arguments { board: board.ok_or(usage)?, runs, epochs, at_rest })
}

/// Queues sweeps of learning rate x epochs x seed until there are enough runs.
fn enqueue(store: &mut Store, runs: usize, epochs: u32) -> Result<Vec<RunId>, Box<dyn Error>> {
    let base =
        RunSpec { model: "minilm".into(), data: "data/sms_spam.csv".into(), ..RunSpec::default() };
    let epochs = format!("{epochs},{},{}", epochs + 1, epochs + 2);
    let mut ids = Vec::new();
    while ids.len() < runs {
        let number = ids.len() / 600;
        let lrs = "1e-6,2e-6,5e-6,1e-5,2e-5,3e-5,5e-5,1e-4,2e-4,5e-4";
        let seeds = format!("{}..{}", number * 20, number * 20 + 19);
        let axes = [("lr", lrs), ("epochs", &epochs), ("seed", &seeds)];
        let sweep = Sweep::parse(base.clone(), axes)?;
        let new: Vec<NewRun> = sweep
            .expand()?
            .into_iter()
            .take(runs - ids.len())
            .map(|spec| NewRun {
                name: format!("lr={} epochs={} seed={}", spec.lr, spec.epochs, spec.seed),
                spec,
                desired: Desired::Run,
            })
            .collect();
        let name = format!("lr-epochs-seed-{number}");
        ids.extend(store.enqueue(Some(&NewSweep { name, sweep }), &new)?.1);
    }
    Ok(ids)
}

/// Takes one run through its life. Of 100 runs the last 10 or so are still queued, held or running
/// (unless the board is to be at rest), a few failed, were stopped or got lost. Returns how many points
/// it reported.
fn live(
    store: &mut Store,
    nth: usize,
    id: RunId,
    epochs: u32,
    at_rest: bool,
) -> Result<u64, Box<dyn Error>> {
    let outcome = match nth % 100 {
        3 => RunState::Ended(Outcome::Failed {
            why: "the loss is NaN at step 812; try a lower lr".into(),
            last_lines: "step 811 loss 83.1\nstep 812 loss NaN".into(),
        }),
        17 => RunState::Ended(Outcome::Stopped),
        31 => RunState::Ended(Outcome::Lost { why: "the machine was restarted".into() }),
        90..=99 if at_rest => RunState::Ended(Outcome::Done),
        90..=93 => RunState::Running,
        94..=97 => return Ok(0),
        98 | 99 => {
            store.set_desired(&[id], Desired::Hold)?;
            return Ok(0);
        }
        _ => RunState::Ended(Outcome::Done),
    };
    let placement = Placement {
        site: "local".into(),
        slot: format!("cuda:{}", nth % 4),
        device: format!("cuda:{}", nth % 4),
        threads: 4,
    };
    store.lease(id, 1, &placement, None)?;
    let done = outcome.outcome() == Some(&Outcome::Done);
    let epochs = if done { epochs } else { epochs * 3 / 5 };
    let batch = events(nth, epochs, done);
    store.ingest(id, 0, &batch)?;
    store.set_state(id, &outcome)?;
    if nth.is_multiple_of(50) {
        store.set_tags(id, &["best".into(), format!("week{}", nth / 700)])?;
    }
    Ok(u64::from(epochs) * 6)
}

/// What the trainer would have written.
fn events(nth: usize, epochs: u32, done: bool) -> Batch {
    let mut noise = Noise(nth as u64 * 7 + 1);
    let began = BEGINNING + nth as i64 * 40_000;
    let mut events = Vec::with_capacity(epochs as usize * 2 + 4);
    let mut add = |step: u64, kind| {
        events.push(Event {
            v: VERSION,
            t: began + step as i64 * 71 + (step % 13) as i64,
            step,
            kind,
        });
    };
    add(
        0,
        EventKind::Started(Box::new(Started {
            spec_hash: "0123456789abcdef".into(),
            attempt: 1,
            pid: 4242,
            host: "bench".into(),
            device: "cuda:0".into(),
            threads: 4,
            precision: "bf16".into(),
            trainer: "0.1.0".into(),
            parameters: 22_713_218,
            trainable: None,
            data_hash: "fedcba9876543210".into(),
            text_column: "text".into(),
            label_column: "label".into(),
            left_aside: Vec::new(),
            labels: vec!["ham".into(), "spam".into()],
            rows: [4459, 557, 558],
            epochs,
            total_steps: STEPS_PER_EPOCH * u64::from(epochs),
        })),
    );
    // Slower and worse for small learning rates, over-fitting for large ones.
    let pace = 0.02 + 0.1 * noise.next();
    let floor = 0.02 + 0.2 * noise.next();
    let mut figures = BTreeMap::new();
    for epoch in 1..=epochs {
        let step = STEPS_PER_EPOCH * u64::from(epoch);
        let learnt = 1.0 - (-pace * f64::from(epoch)).exp();
        let loss = 0.7 - (0.7 - floor) * learnt + 0.01 * noise.next();
        let overfit = 0.001 * f64::from(epoch) * pace * 10.0;
        for (split, shift) in [(Split::Train, 0.0), (Split::Val, 0.02 + overfit)] {
            figures.clear();
            let mut figure = |name: &str, x: f64| figures.insert(name.to_owned(), Number(x));
            figure("loss", loss + shift + 0.01 * noise.next());
            figure("acc", 1.0 - 0.4 * loss - shift / 2.0 + 0.005 * noise.next());
            match split {
                Split::Train => figure("examples_per_s", 900.0 + 40.0 * noise.next()),
                _ => figure("f1", 0.98 - 0.5 * loss - shift / 2.0 + 0.005 * noise.next()),
            };
            add(step, EventKind::Eval { split, epoch, values: figures.clone() });
        }
    }
    let last = STEPS_PER_EPOCH * u64::from(epochs);
    if done {
        if nth.is_multiple_of(4) {
            let counts = vec![vec![480 - nth as u64 % 9, nth as u64 % 9], vec![3, 75]];
            add(last, EventKind::Confusion { split: Split::Test, epoch: epochs, counts });
        }
        let ending = Ending::Done;
        add(last, EventKind::Ended { ending, why: String::new(), best_epoch: Some(epochs) });
    }
    let offset = events.len() as u64 * 180;
    Batch { events, offset, ..Batch::default() }
}

/// Numbers in [0, 1): xorshift64 (Marsaglia 2003).
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }
}
