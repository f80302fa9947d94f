//! The store's budgets (docs/benchmarks.md): `cargo bench --bench store [-- BOARD]`.
//!
//! BOARD is a board of `examples/make_board` for the timings of lists; without it a small one is
//! measured only for ingest, size and curves.
#![expect(clippy::print_stdout, reason = "it prints figures")]

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use tuneboard::analysis::compare::{Entry, compare};
use tuneboard::dataset::predictions::{self, Predictions};
use tuneboard::events::{Event, EventKind, Number, Split, Tail, VERSION};
use tuneboard::query::Query;
use tuneboard::spec::{Desired, RunId, RunSpec};
use tuneboard::store::{Listing, NewRun, Reader, Sort, Store};

type Outcome = Result<(), Box<dyn Error>>;

fn main() -> Outcome {
    // Cargo passes `--bench`.
    let board: Option<PathBuf> =
        std::env::args().skip(1).find(|a| !a.starts_with('-')).map(PathBuf::from);
    let dir = tempfile::tempdir()?;
    ingest(dir.path())?;
    long_curve(dir.path())?;
    comparison(dir.path())?;
    if let Some(board) = board {
        lists(&board.join("runs/board.db"))?;
    }
    Ok(())
}

/// Time on the clock and on the processor, in milliseconds. On a machine that others use too, the
/// second is the one that can be compared.
#[derive(Clone, Copy)]
struct Cost {
    wall: f64,
    cpu: f64,
}

impl Cost {
    /// That many things at this cost, as things a second.
    fn rate(self, things: f64) -> String {
        let rate = |ms: f64| things / ms * 1e3;
        format!("{:.0}/s ({:.0}/s of processor time)", rate(self.wall), rate(self.cpu))
    }
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2} ms ({:.2} ms of processor time)", self.wall, self.cpu)
    }
}

fn once<T>(f: impl FnOnce() -> T) -> Cost {
    let (start, busy) = (Instant::now(), processor_ms());
    let _kept = f();
    Cost { wall: start.elapsed().as_secs_f64() * 1e3, cpu: processor_ms() - busy }
}

/// The best of some tries.
fn best<T>(tries: usize, mut f: impl FnMut() -> T) -> Cost {
    let worst = Cost { wall: f64::INFINITY, cpu: f64::INFINITY };
    (0..tries).fold(worst, |best, _| {
        let cost = once(&mut f);
        Cost { wall: best.wall.min(cost.wall), cpu: best.cpu.min(cost.cpu) }
    })
}

/// What this process, which has one thread, has had of the processor. The kernel writes it down at
/// its own pace, so that below a few milliseconds it means nothing.
fn processor_ms() -> f64 {
    let text = fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    let nanoseconds: Option<f64> = text.split(' ').next().and_then(|n| n.parse().ok());
    nanoseconds.unwrap_or(f64::NAN) / 1e6
}

fn enqueue(store: &mut Store, count: usize) -> Result<Vec<RunId>, Box<dyn Error>> {
    let spec =
        RunSpec { model: "minilm".into(), data: "data/sms_spam.csv".into(), ..RunSpec::default() };
    let run = NewRun { name: "bench".into(), spec, desired: Desired::Run };
    Ok(store.enqueue(None, &vec![run; count])?.1)
}

fn ingest_file(store: &mut Store, id: RunId, events: &Path, limit: u64) -> Outcome {
    let mut tail = Tail::at(store.offset(id)?);
    loop {
        let from = tail.offset;
        let batch = tail.read(events, limit)?;
        store.ingest(id, from, &batch)?;
        if !batch.more {
            return Ok(());
        }
    }
}

/// From lines in files to rows on disk: 200 runs of 100 epochs, then one run of many live points.
fn ingest(dir: &Path) -> Outcome {
    let files: Vec<PathBuf> = (0..200).map(|i| dir.join(format!("e{i}.jsonl"))).collect();
    for (i, file) in files.iter().enumerate() {
        write_epochs(file, i, 100)?;
    }
    let path = dir.join("epochs.db");
    let mut store = Store::open(&path)?;
    let ids = enqueue(&mut store, files.len())?;
    let cost = once(|| {
        ids.iter()
            .zip(&files)
            .try_for_each(|(id, file)| ingest_file(&mut store, *id, file, 1 << 20))
    });
    drop(store);
    let points = files.len() as f64 * 600.0;
    println!("ingest, 200 runs x 100 epochs x 6 metrics: points {}", cost.rate(points));
    println!("size of that board: {:.1} bytes a point", fs::metadata(&path)?.len() as f64 / points);

    let events = dir.join("live.jsonl");
    let lines = 200_000;
    write_live(&events, lines, 5)?;
    let path = dir.join("live.db");
    let mut store = Store::open(&path)?;
    let ids = enqueue(&mut store, 1)?;
    let cost = once(|| ingest_file(&mut store, ids[0], &events, 1 << 20));
    drop(store);
    let points = lines as f64 * 5.0;
    println!("ingest, one run x 5 live metrics: points {}", cost.rate(points));
    println!("size of that board: {:.1} bytes a point", fs::metadata(&path)?.len() as f64 / points);
    let parse = best(3, || Tail::at(0).read(&events, 1 << 30).map(|b| b.events.len()));
    println!("  of which parsing: points {}", parse.rate(points));
    Ok(())
}

fn long_curve(dir: &Path) -> Outcome {
    let events = dir.join("long.jsonl");
    write_live(&events, 1_000_000, 1)?;
    let path = dir.join("long.db");
    let mut store = Store::open(&path)?;
    let ids = enqueue(&mut store, 1)?;
    ingest_file(&mut store, ids[0], &events, 4 << 20)?;
    drop(store);
    for buckets in [400, 2000, 0] {
        // A new connection each time: nothing is in SQLite's own cache.
        let cost = best(5, || {
            let reader = Reader::open(&path)?;
            reader.curve(ids[0], "m0", buckets).map(|c| c.value.len())
        });
        let kept = Reader::open(&path)?.curve(ids[0], "m0", buckets)?.value.len();
        println!("open a curve of 1,000,000 points, {buckets} buckets: {cost}, {kept} points");
    }
    Ok(())
}

/// Eight runs with 20 classes and 5,000 predictions each: from the database and their files to every pair's tests.
fn comparison(dir: &Path) -> Outcome {
    const ROWS: u32 = 5000;
    const CLASSES: u32 = 20;
    let path = dir.join("compare.db");
    let mut store = Store::open(&path)?;
    let ids = enqueue(&mut store, 8)?;
    let events = dir.join("compared.jsonl");
    for (nth, id) in ids.iter().enumerate() {
        write_epochs(&events, nth, 100)?;
        ingest_file(&mut store, *id, &events, 1 << 20)?;
        let labels: Vec<u32> = (0..ROWS).map(|row| row * 7919 % CLASSES).collect();
        // About one row in ten is wrong, not the same ones in any two runs.
        let is_wrong = |row: u32| (row * 31 + nth as u32 * 17) % 97 < 8 + nth as u32;
        let guess = |row: u32| labels[row as usize] + u32::from(is_wrong(row)) * (1 + row % 5);
        let predicted: Vec<u32> = (0..ROWS).map(|row| guess(row) % CLASSES).collect();
        let share = |row: usize, class| if predicted[row] == class { 0.81 } else { 0.01 };
        let predictions = Predictions {
            rows: (1..=u64::from(ROWS)).collect(),
            loss: vec![0.2; ROWS as usize],
            probabilities: (0..CLASSES)
                .map(|class| (0..ROWS as usize).map(|row| share(row, class)).collect())
                .collect(),
            label_names: (0..CLASSES).map(|class| format!("class {class}")).collect(),
            labels,
            predicted: predicted.clone(),
        };
        fs::create_dir_all(dir.join(id.to_string()))?;
        predictions::write(&dir.join(id.to_string()).join("test-0100.parquet"), &predictions)?;
    }
    drop(store);
    let compared = || -> Result<usize, Box<dyn Error>> {
        let reader = Reader::open(&path)?;
        let entries = reader.runs(&ids)?.into_iter().map(|run| {
            let folder = dir.join(run.id.to_string());
            Entry::read(&reader, run, &folder)
        });
        let pairs = compare(&entries.collect::<Result<Vec<_>, _>>()?, 0).pairs;
        Ok(pairs.len())
    };
    let pairs = compared()?;
    println!("compare 8 runs of 5,000 predictions: {}, {pairs} pairs", best(5, compared));
    Ok(())
}

fn lists(database: &Path) -> Outcome {
    println!("open: {}", best(5, || Reader::open(database)));
    let reader = Reader::open(database)?;
    let newest = Listing { descending: true, ..Listing::default() };
    let words =
        |w: &str| Listing { words: w.split(' ').map(str::to_owned).collect(), ..newest.clone() };
    let sorted = |sort| Listing { sort, descending: true, ..Listing::default() };
    let first = reader.first_ids(&newest, 100)?;
    println!("first 100 ids: {}", best(5, || reader.first_ids(&newest, 100)));
    println!("50 runs of them: {}", best(5, || reader.runs(&first[..first.len().min(50)])));
    println!("counts: {}", best(5, || reader.counts()));
    println!("sweeps: {}", best(5, || reader.sweeps()));
    println!("data_version: {}", best(5, || reader.data_version()));
    println!("open_runs(100): {}", best(5, || reader.open_runs(100)));
    for (name, listing) in [
        ("all ids", newest.clone()),
        ("ids, state failed", Listing { states: vec!["failed".into()], ..newest.clone() }),
        ("ids, one word", words("lr=0.0002")),
        ("ids, three words", words("minilm seed=7 failed")),
        ("ids by best val/acc", sorted(Sort::Best("val/acc".into()))),
        ("ids by key lr", sorted(Sort::Key("lr".into()))),
        ("ids by name", sorted(Sort::Name)),
        ("ids by duration", sorted(Sort::Duration)),
        ("ids by state", sorted(Sort::State)),
    ] {
        let ids = reader.ids(&listing)?.len();
        println!("{name}: {}, {ids} ids", best(5, || reader.ids(&listing)));
    }
    queries(&reader)
}

/// From the words of a query to the rows of its first page: what `/` and a column's title ask for.
fn queries(reader: &Reader) -> Outcome {
    for (text, sort) in [
        ("acc>0.9", Sort::Best("val/acc".into())),
        ("acc>0.9 lr<3e-5 -state:failed", Sort::Best("val/loss".into())),
        ("acc>0.9 lr<3e-5 tag:best", Sort::Key("lr".into())),
    ] {
        let page = || -> Result<(usize, usize), Box<dyn Error>> {
            let (query, sort) = (Query::parse(text)?, sort.clone());
            let listing = Listing { query, sort, descending: true, ..Listing::default() };
            let ids = reader.ids(&listing)?;
            Ok((ids.len(), reader.runs(&ids[..ids.len().min(50)])?.len()))
        };
        let (all, shown) = page()?;
        println!("`{text}` by {sort:?}: {}, {all} runs, {shown} read", best(5, page));
    }
    Ok(())
}

fn write_line(out: &mut impl Write, t: i64, step: u64, kind: EventKind) -> Outcome {
    serde_json::to_writer(&mut *out, &Event { v: VERSION, t, step, kind })?;
    Ok(out.write_all(b"\n")?)
}

fn write_epochs(path: &Path, nth: usize, epochs: u32) -> Outcome {
    let mut out = BufWriter::new(File::create(path)?);
    for epoch in 1..=epochs {
        let x = (f64::from(epoch) * 0.37 + nth as f64).sin();
        let t = 1_767_225_600_000 + i64::from(epoch) * 9731 + (x * 300.0) as i64;
        for (split, third) in [(Split::Train, "examples_per_s"), (Split::Val, "f1")] {
            let values = [("loss", x.abs()), ("acc", x * x), (third, 0.9 * x * x)];
            let values = values.map(|(name, x)| (name.to_owned(), Number(x)));
            let kind = EventKind::Eval { split, epoch, values: BTreeMap::from(values) };
            write_line(&mut out, t, u64::from(epoch) * 140, kind)?;
        }
    }
    Ok(out.flush()?)
}

fn write_live(path: &Path, lines: u64, metrics: usize) -> Outcome {
    let mut out = BufWriter::new(File::create(path)?);
    for step in 1..=lines {
        let x = (step as f64 * 0.001).sin() + (step % 97) as f64 * 0.003;
        let t = 1_767_225_600_000 + step as i64 * 103 + (step % 29) as i64;
        let values = (0..metrics).map(|m| (format!("m{m}"), Number(x + m as f64))).collect();
        write_line(&mut out, t, step, EventKind::Metrics { epoch: step as f64 / 140.0, values })?;
    }
    Ok(out.flush()?)
}
