use std::collections::BTreeSet;
use std::fs;
use std::time::SystemTime;

use chrono::Local;

use crate::analysis::forecast::{Forecast, forecast};
use crate::board::{Board, BoardError};
use crate::dataset;
use crate::order::disk::{self, Room};
use crate::spec::keys::{KEYS, Role};
use crate::spec::{Init, RunId, RunSpec, Sweep, locate};
use crate::store::{Listing, Reader, Sort};
use crate::tui::figures::day;

/// What the runs of a form would meet and take.
#[derive(Debug, Clone, PartialEq)]
pub struct FormFacts {
    /// The runs.
    pub sweep: Sweep,
    /// Runs that are there already, best first.
    pub twins: Vec<Twin>,
    /// Specs that were looked for among them; the first of very many.
    pub looked: usize,
    /// One run's time and memory; `None` without a past run of the model.
    pub forecast: Option<Forecast>,
    /// How the data are read, and which of their columns.
    pub reading: Option<String>,
    /// Rows of train, validation and test.
    pub rows: Option<[u64; 3]>,
    /// Transformer layers, as the model's config says.
    pub layers: Option<u32>,
    /// The key that keeps the first run from starting, and why.
    pub problem: Option<(&'static str, String)>,
    /// What the runs take on the disk, where that is known.
    pub room: Option<Room>,
}

/// A run with a spec that the form would queue again.
#[derive(Debug, Clone, PartialEq)]
pub struct Twin {
    /// The run.
    pub id: RunId,
    /// How well it did: test accuracy, else the best validation accuracy.
    pub score: Option<f64>,
    /// Its state, for one without a score.
    pub state: String,
    /// Whether it has ended.
    pub is_over: bool,
    /// When, as people say it: `today 14:05`, `Tue`, `3 Feb`.
    pub when: String,
}

/// Specs compared with the board's; a larger sweep is looked at in part.
const MOST: usize = 2000;
/// Past runs that forecasts are made from.
const PAST: usize = 60;

/// Remembers the data set that was read last.
#[derive(Debug, Default)]
pub struct Forms {
    data: Option<(DataKey, Result<Read, String>)>,
}

/// Rows of train, validation and test, and how they are read.
type Read = ([u64; 3], String);
type DataKey = (Vec<String>, Option<SystemTime>);

impl Forms {
    /// Looks at the board for these runs.
    pub fn answer(&mut self, board: &Board, sweep: Sweep) -> FormFacts {
        let specs: Vec<RunSpec> = sweep.specs().filter_map(Result::ok).take(MOST).collect();
        let looked = specs.len();
        let mut facts = FormFacts {
            sweep,
            twins: Vec::new(),
            looked,
            forecast: None,
            reading: None,
            rows: None,
            layers: None,
            problem: None,
            room: None,
        };
        let Some(spec) = specs.first() else { return facts };
        facts.layers = board.layers(&spec.model);
        facts.room = disk::room(board, &specs, facts.sweep.keep_best);
        let lengths: BTreeSet<(&str, u32)> =
            specs.iter().map(|s| (s.model.as_str(), s.max_length)).collect();
        let fits = board.check_model(&spec.model, spec.init != Init::Random).and_then(|()| {
            lengths.iter().try_for_each(|(m, length)| board.check_length(m, *length))
        });
        facts.problem = fits.err().map(|error| match error {
            BoardError::TooLong { .. } => ("max_length", error.to_string()),
            _ => ("model", error.to_string()),
        });
        match self.rows(board, spec) {
            Ok((rows, reading)) => {
                (facts.rows, facts.reading) = (Some(rows), Some(reading));
            }
            Err(error) => facts.problem = facts.problem.or_else(|| Some((key_of(&error), error))),
        }
        // A board without runs has no database.
        if let Ok(reader) = Reader::open(&board.database()) {
            facts.twins = twins(&reader, &specs);
            let past = past(&reader, spec);
            facts.forecast = forecast(spec, facts.rows.map(|r| r[0]), &past);
        }
        facts
    }

    fn rows(&mut self, board: &Board, spec: &RunSpec) -> Result<Read, String> {
        let path = locate::data_path(board.root(), &spec.data);
        let key = (spec.rows_identity(), fs::metadata(path).and_then(|m| m.modified()).ok());
        if let Some((of, rows)) = &self.data
            && *of == key
        {
            return rows.clone();
        }
        let rows = dataset::load(spec, board.root())
            .map(|d| {
                let rows = [&d.train, &d.val, &d.test].map(|part| part.len() as u64);
                (rows, d.reading.sentence())
            })
            .map_err(|e| e.to_string());
        self.data = Some((key, rows.clone()));
        rows
    }
}

/// The key that a sentence about data names as the one to change; `data` if it names none.
fn key_of(why: &str) -> &'static str {
    let keys =
        KEYS.iter().filter(|key| key.is(Role::Rows) && key.name != "data").map(|key| key.name);
    let named = keys.filter_map(|key| Some((why.find(&format!(" {key}="))?, key)));
    named.min().map_or("data", |(_, key)| key)
}

fn twins(reader: &Reader, specs: &[RunSpec]) -> Vec<Twin> {
    let newest = |spec: &RunSpec| reader.same_spec(&spec.hash()).ok()?.first().copied();
    let ids: Vec<RunId> = specs.iter().filter_map(newest).collect();
    let runs = reader.runs(&ids).unwrap_or_default();
    let mut twins: Vec<Twin> = runs
        .iter()
        .map(|run| Twin {
            id: run.id,
            score: run.score(),
            state: run.state.to_string(),
            is_over: run.state.outcome().is_some(),
            when: day(run.ended.unwrap_or(run.created), Local::now()),
        })
        .collect();
    let rank = |twin: &Twin| twin.score.filter(|s| s.is_finite()).unwrap_or(f64::NEG_INFINITY);
    twins.sort_by(|a, b| rank(b).total_cmp(&rank(a)));
    twins
}

fn past(reader: &Reader, spec: &RunSpec) -> Vec<crate::store::Run> {
    let listing = Listing {
        words: vec![format!("model={}", spec.model.to_lowercase())],
        states: vec!["done".to_owned()],
        sort: Sort::Id,
        descending: true,
        ..Listing::default()
    };
    let ids = reader.first_ids(&listing, PAST).unwrap_or_default();
    reader.runs(&ids).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Desired;
    use crate::store::{NewRun, Store};

    #[test]
    fn a_form_learns_of_its_twins_its_rows_and_what_is_missing() {
        let folder = tempfile::tempdir().unwrap();
        let board = Board::init(folder.path()).unwrap();
        let rows = "text,label\n".to_owned() + &"hi,a\nyo,b\n".repeat(20);
        fs::write(folder.path().join("data/x.csv"), rows).unwrap();
        let spec =
            RunSpec { model: "none".into(), data: "data/x.csv".into(), ..RunSpec::default() };
        let mut store = Store::open(&board.database()).unwrap();
        let new = NewRun { name: "x".into(), spec: spec.clone(), desired: Desired::Hold };
        let (_, ids) = store.enqueue(None, &[new]).unwrap();
        let sweep = Sweep::parse(spec, [("seed", "0..2")]).unwrap();
        let mut forms = Forms::default();
        let facts = forms.answer(&board, sweep.clone());
        assert_eq!((facts.looked, facts.rows), (3, Some([32, 4, 4])));
        assert_eq!(facts.twins.iter().map(|t| t.id).collect::<Vec<_>>(), ids);
        assert_eq!(facts.forecast, None, "no past run");
        assert_eq!(facts.reading.as_deref(), Some("CSV, UTF-8: text `text`, label `label`."));
        let (key, why) = facts.problem.as_ref().unwrap();
        assert!(*key == "model" && why.contains("There is no model `none`"), "{why}");
        let of = |data: &str, label: Option<&str>| {
            let label = label.map(str::to_owned);
            let spec = RunSpec {
                model: "majority".into(),
                data: data.into(),
                label,
                ..RunSpec::default()
            };
            let sweep = Sweep::parse(spec, [("seed", "0..2")]).unwrap();
            Forms::default().answer(&board, sweep).problem.map(|(key, _)| key)
        };
        assert_eq!(of("data/x.csv", None), None);
        assert_eq!(of("data/y.csv", None), Some("data"));
        assert_eq!(of("data/x.csv", Some("nope")), Some("label"));
        assert_eq!(forms.answer(&board, sweep), facts);
    }
}
