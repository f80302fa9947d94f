//! Replays recorded curves under the pruning rule: `replay_prune CURVES_DIR OUT.jsonl [ETA [value]]`; with `value` under
//! that of sweeps which were queued before the val loss counted.
//!
//! CURVES_DIR holds a Parquet file for each problem, with `val_acc` and `val_loss` of each configuration after
//! each quarter of an epoch, and `final.json` with the orders to try them in. Writes one line for each run
//! that was started: `{"table","seed","trial","config","steps"}`, with `"state":"cut"` where the budget ended.
//! Prints what 40 runs would have cost and lost, against all 40 run to their end.
#![expect(clippy::print_stdout, reason = "it tells what it found")]

use std::error::Error;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;

use polars::prelude::{DataFrame, DataType, ParquetReader, SerReader};
use serde_json::{Value, json};
use tuneboard::spec::search::prune::{Bar, Mark, Rule};

/// Quarters of an epoch: 40 whole runs.
const BUDGET: u32 = 640;
/// Runs of the second question.
const RUNS: usize = 40;
/// Steps are quarters of an epoch.
const STEPS_AN_EPOCH: u32 = 4;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [curves, out, rest @ ..] = args.as_slice() else {
        return Err("usage: replay_prune CURVES_DIR OUT.jsonl [ETA [value]]".into());
    };
    let eta = rest.first().map_or(Ok(Rule::default().eta), |word| word.parse())?;
    let bar = if rest.get(1).is_some_and(|word| word == "value") { Bar::Value } else { Bar::Both };
    let rule = Rule { eta, bar, ..Rule::default() };
    let (mut shares, mut losses) = (Vec::new(), Vec::new());
    let curves = Path::new(curves);
    let facts: Value = serde_json::from_str(&fs::read_to_string(curves.join("final.json"))?)?;
    let orders: Vec<Vec<usize>> = serde_json::from_value(facts["orders"].clone())?;
    let mut out = BufWriter::new(File::create(out)?);
    for (name, problem) in facts["problems"].as_object().ok_or("final.json has no problems")? {
        let steps = problem["steps"].as_u64().ok_or("a problem has no steps")? as u32;
        let file = File::open(curves.join(format!("{name}.parquet")))?;
        let frame = ParquetReader::new(file).finish()?;
        let (acc, loss) = (column(&frame, "val_acc")?, column(&frame, "val_loss")?);
        let marks: Vec<Mark> =
            acc.iter().zip(&loss).map(|(acc, loss)| Mark { value: -acc, loss: *loss }).collect();
        for (seed, order) in orders.iter().enumerate() {
            let first = order.get(..RUNS.min(order.len())).unwrap_or_default();
            let of_40 = replay(&rule, &marks, steps, first);
            let last = |config: &usize| -marks[(config + 1) * steps as usize - 1].value;
            let best = |configs: &mut dyn Iterator<Item = usize>| {
                configs.map(|config| last(&config)).fold(f64::NEG_INFINITY, f64::max)
            };
            let spent: u32 = of_40.iter().map(|(_, ran, _)| ran).sum();
            shares.push(f64::from(spent) / f64::from(steps * first.len() as u32));
            let whole = of_40.iter().filter(|(_, ran, _)| *ran == steps);
            let kept = best(&mut whole.map(|(config, ..)| *config));
            losses.push(best(&mut first.iter().copied()) - kept);
            let runs = replay(&rule, &marks, steps, order).into_iter().enumerate();
            for (trial, (config, ran, cut)) in runs {
                let mut line = json!({"table": name, "seed": seed, "trial": trial, "config": config,
                    "steps": ran});
                if cut {
                    line["state"] = json!("cut");
                }
                writeln!(out, "{line}")?;
            }
        }
    }
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len().max(1) as f64;
    println!(
        "eta={eta}: {RUNS} runs take {:.1} % of the steps of {RUNS} whole ones; the best final val_acc is {:.4} lower, \
         the same in {} of {}",
        100.0 * mean(&shares),
        mean(&losses),
        losses.iter().filter(|loss| **loss <= 0.0).count(),
        losses.len()
    );
    Ok(())
}

fn column(frame: &DataFrame, name: &str) -> Result<Vec<f64>, Box<dyn Error>> {
    let values = frame.column(name)?.cast(&DataType::Float64)?;
    Ok(values.f64()?.iter().map(|x| x.unwrap_or(f64::NAN)).collect())
}

/// Configuration, steps and whether the budget ended it, of each run in the order started.
fn replay(rule: &Rule, marks: &[Mark], steps: u32, order: &[usize]) -> Vec<(usize, u32, bool)> {
    let rungs = rule.rungs(steps, steps / STEPS_AN_EPOCH);
    let mut seen: Vec<Vec<Mark>> = vec![Vec::new(); rungs.len()];
    let (mut spent, mut runs) = (0, Vec::new());
    for config in order {
        let mut ran = 0;
        while ran < steps && spent < BUDGET {
            ran += 1;
            spent += 1;
            let Some(place) = rungs.iter().position(|(at, _)| *at == ran) else { continue };
            let own = marks[config * steps as usize + ran as usize - 1];
            let cut = rule.judge(rungs[place].1, own, &seen[place]);
            seen[place].push(own);
            if cut.is_some() {
                runs.push((*config, ran, false));
                break;
            }
        }
        let ended = runs.last().is_some_and(|(last, ..)| last == config);
        if !ended && ran > 0 {
            runs.push((*config, ran, ran < steps));
        }
        if spent == BUDGET {
            break;
        }
    }
    runs
}
