//! Measures a search late in its life: `search_speed`. Prints milliseconds of a proposal with 1,000 finished trials of
//! five keys, and of a judgement at a ladder of 1,000 runs, medians of 51.
#![expect(clippy::print_stdout, reason = "it tells what it measured")]

use std::error::Error;
use std::hint::black_box;
use std::time::Instant;

use tuneboard::spec::search::Draws;
use tuneboard::spec::search::ladder::{Evaluation, Ladder};
use tuneboard::spec::search::prune::{Mark, Rule};
use tuneboard::spec::search::tpe::State;
use tuneboard::spec::{RunId, RunSpec, Sweep};

const TRIALS: usize = 1_000;

fn main() -> Result<(), Box<dyn Error>> {
    let base = RunSpec { model: "m".into(), data: "d".into(), ..RunSpec::default() };
    let pairs = [
        ("lr", "log(1e-6,1e-3)"),
        ("batch_size", "8,16,32,64"),
        ("warmup", "uniform(0,0.3)"),
        ("dropout", "uniform(0,0.3)"),
        ("pool", "cls,mean,max"),
        ("trials", "2000"),
    ];
    // Random draws, told as the history of a search.
    let drawn = Sweep::parse(base.clone(), pairs)?;
    let mut draws = Draws::of(1);
    let history: Vec<(RunSpec, State)> = (0..TRIALS)
        .map(|i| Ok((drawn.next(i)?, State::Complete(draws.unit()))))
        .collect::<Result<_, Box<dyn Error>>>()?;
    let search = Sweep::parse(base, pairs.into_iter().chain([("search", "tpe")]))?;
    let proposal = median(|| drop(black_box(search.propose(TRIALS, &history))));
    let rule = Rule::default();
    let mut ladder = Ladder::default();
    let mut climbed = Vec::new();
    for run in 0..TRIALS as u32 {
        let evaluation = |at: u32| Evaluation {
            time: i64::from(run * 10 + at),
            epoch: f64::from(at) / 2.0,
            share: f64::from(at) / 8.0,
            mark: Mark { value: draws.unit(), loss: 0.0 },
        };
        let evaluations: Vec<Evaluation> = (1..=8).map(evaluation).collect();
        climbed = rule.climb(&evaluations);
        ladder.put(RunId(run + 1), &climbed);
    }
    let last = RunId(TRIALS as u32);
    let judgement = median(|| {
        ladder.put(last, &climbed);
        black_box(ladder.judge(&rule, last));
    });
    println!(
        "propose with {TRIALS} trials: {proposal:.2} ms; judge among {TRIALS} runs: {judgement:.3} ms"
    );
    Ok(())
}

/// Milliseconds.
fn median(mut work: impl FnMut()) -> f64 {
    let mut times: Vec<f64> = (0..51)
        .map(|_| {
            let start = Instant::now();
            work();
            start.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
