//! Runs the sampler on recorded problems: `race_search TABLES_DIR OUT.jsonl [TRIALS_IN_FLIGHT]`.
//!
//! TABLES_DIR holds `space.json` and a Parquet file for each table, with the objective of each point of a
//! grid. `startup.json` beside the folder names the points that each seed begins with. Writes one line for
//! each trial: `{"table","seed","trial","objective"}`.

use std::error::Error;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;

use polars::prelude::{DataType, ParquetReader, SerReader};
use serde_json::{Value, json};
use tuneboard::spec::search::Draws;
use tuneboard::spec::search::tpe::{self, Domain, State, Trial};

const TRIALS: usize = 100;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [tables, out, rest @ ..] = args.as_slice() else {
        return Err("usage: race_search TABLES_DIR OUT.jsonl [TRIALS_IN_FLIGHT]".into());
    };
    let in_flight: usize = rest.first().map_or(Ok(1), |word| word.parse())?;
    let tables = Path::new(tables);
    let read = |path: &Path| -> Result<Value, Box<dyn Error>> {
        Ok(serde_json::from_str(&fs::read_to_string(path)?)?)
    };
    let space = read(&tables.join("space.json"))?;
    let starts = read(&tables.with_file_name("startup.json"))?;
    let mut out = BufWriter::new(File::create(out)?);
    for (name, table) in space["tables"].as_object().ok_or("space.json has no tables")? {
        let objective = column(&tables.join(format!("{name}.parquet")))?;
        let parameters = table["parameters"].as_array().ok_or("a table has no parameters")?;
        let sizes: Vec<usize> =
            parameters.iter().map(|p| p["values"].as_array().map_or(0, Vec::len)).collect();
        let domain = |(p, size): (&Value, &usize)| match p["suggest"].as_str() {
            Some("index") => {
                Domain::Number { low: 0.0, high: *size as f64 - 1.0, log: false, step: Some(1.0) }
            }
            _ => Domain::Choice(*size),
        };
        let domains: Vec<Domain> = parameters.iter().zip(&sizes).map(domain).collect();
        for (seed, start) in
            starts[name].as_array().ok_or("startup.json lacks it")?.iter().enumerate()
        {
            let start: Vec<usize> = serde_json::from_value(start.clone())?;
            let start = &start[..start.len().min(tpe::START + in_flight - 1)];
            let run = search(&domains, &sizes, &objective, start, seed as u64, in_flight);
            for (trial, value) in run.into_iter().enumerate() {
                let line = json!({"table": name, "seed": seed, "trial": trial, "objective": value});
                writeln!(out, "{line}")?;
            }
        }
    }
    Ok(())
}

fn column(path: &Path) -> Result<Vec<f64>, Box<dyn Error>> {
    let frame = ParquetReader::new(File::open(path)?).finish()?;
    let values = frame.column("objective")?.cast(&DataType::Float64)?;
    Ok(values.f64()?.iter().map(|x| x.unwrap_or(f64::NAN)).collect())
}

/// The objective of each trial; a trial is told when `in_flight` later ones were asked for.
fn search(
    domains: &[Domain],
    sizes: &[usize],
    objective: &[f64],
    start: &[usize],
    seed: u64,
    in_flight: usize,
) -> Vec<f64> {
    let (mut history, mut values): (Vec<Trial>, Vec<f64>) = (Vec::new(), Vec::new());
    for trial in 0..TRIALS {
        if let Some(told) = trial.checked_sub(in_flight) {
            history[told].state = State::Complete(values[told]);
        }
        let point = match start.get(trial) {
            Some(row) => point(*row, sizes),
            None => tpe::propose(domains, &history, &mut Draws::new(seed, trial as u64)),
        };
        let row = point.iter().zip(sizes).fold(0, |row, (x, size)| row * size + *x as usize);
        values.push(objective[row]);
        history.push(Trial { point, state: State::Running });
    }
    values
}

/// Rows are in the order of the grid, the last parameter fastest.
fn point(mut row: usize, sizes: &[usize]) -> Vec<f64> {
    let mut point = vec![0.0; sizes.len()];
    for (x, size) in point.iter_mut().zip(sizes).rev() {
        *x = (row % size) as f64;
        row /= size;
    }
    point
}
