//! Rows as [`Run`]s.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, Result, Row};

use super::{Reader, Run};
use crate::spec::{Desired, Flag, Outcome, Part, Placement, RunId, RunSpec, RunState, SweepId};

/// The columns that [`run`] reads, in its order.
const COLUMNS: &str = "id, name, spec, spec_hash, sweep, wish, state, outcome, placement, created,
    started, ended, last_event, device_time, pass, flags, attempt, step, epoch, facts, best_epoch, spark, tags, note, archived, part, settled, turn";

impl Reader {
    /// These runs, in this order; ids that do not exist are left out.
    pub fn runs(&self, ids: &[RunId]) -> super::Result<Vec<Run>> {
        self.ask(|db| {
            let mut runs = Vec::with_capacity(ids.len());
            for id in ids {
                runs.extend(read(db, *id)?);
            }
            Ok(runs)
        })
    }

    /// One run.
    pub fn run(&self, id: RunId) -> super::Result<Option<Run>> {
        self.ask(|db| read(db, id))
    }

    /// The runs that start from this one, in order.
    pub fn children(&self, id: RunId) -> super::Result<Vec<RunId>> {
        self.ask(|db| {
            db.prepare_cached(
                "SELECT id FROM run WHERE parent = ?1 AND parent IS NOT NULL ORDER BY id",
            )?
            .query_map([id.0], |r| r.get(0).map(RunId))?
            .collect()
        })
    }

    /// Runs with this spec hash, newest first; those in the trash do not count.
    pub fn same_spec(&self, spec_hash: &str) -> super::Result<Vec<RunId>> {
        self.ask(|db| {
            let mut query = db.prepare_cached(
                "SELECT id FROM run WHERE spec_hash = ?1 AND archived < 2 ORDER BY id DESC",
            )?;
            query.query_map([spec_hash], |r| r.get(0).map(RunId))?.collect()
        })
    }
}

pub(super) fn read(db: &Connection, id: RunId) -> Result<Option<Run>> {
    let mut query = db.prepare_cached(&format!("SELECT {COLUMNS} FROM run WHERE id = ?1"))?;
    let Some(mut run) = query.query_row([id.0], run).optional()? else { return Ok(None) };
    let mut query = db.prepare_cached(
        "SELECT m.name, s.last, s.best FROM series s JOIN metric m ON m.id = s.metric
         WHERE s.run = ?1",
    )?;
    let mut rows = query.query([id.0])?;
    while let Some(row) = rows.next()? {
        let name: String = row.get(0)?;
        if let Some(best) = row.get(2)? {
            run.best.insert(name.clone(), best);
        }
        run.last.insert(name, row.get::<_, Option<f64>>(1)?.unwrap_or(f64::NAN));
    }
    Ok(Some(run))
}

fn run(r: &Row) -> Result<Run> {
    let spark = r.get_ref("spark")?.as_blob()?;
    Ok(Run {
        id: RunId(r.get("id")?),
        name: r.get("name")?,
        spec: spec(r.get_ref("spec")?.as_str()?),
        spec_hash: r.get("spec_hash")?,
        sweep: r.get::<_, Option<u32>>("sweep")?.map(SweepId),
        desired: r.get_ref("wish")?.as_str()?.parse().unwrap_or(Desired::Hold),
        state: state(r.get_ref("state")?.as_str()?, r.get_ref("outcome")?.as_str_or_null()?),
        placement: json::<Placement>(r, "placement")?,
        created: r.get("created")?,
        started: r.get("started")?,
        ended: r.get("ended")?,
        last_event: r.get("last_event")?,
        device_time: r.get("device_time")?,
        pass: json(r, "pass")?,
        flags: Flag::of_bits(r.get("flags")?),
        attempt: r.get("attempt")?,
        step: r.get::<_, i64>("step")? as u64,
        epoch: r.get("epoch")?,
        facts: json(r, "facts")?,
        last: BTreeMap::new(),
        best: BTreeMap::new(),
        best_epoch: r.get("best_epoch")?,
        spark: spark.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect(),
        tags: json(r, "tags")?.unwrap_or_default(),
        note: r.get("note")?,
        archived: r.get::<_, i64>("archived")? & 1 == 1,
        part: Part::of_number(r.get("part")?),
        settled: r.get("settled")?,
        turn: r.get("turn")?,
    })
}

/// A column of JSON; what cannot be read counts as not there, so that one odd row never hides a
/// whole list.
pub(super) fn json<T: serde::de::DeserializeOwned>(r: &Row, column: &str) -> Result<Option<T>> {
    Ok(r.get_ref(column)?.as_str_or_null()?.and_then(|text| serde_json::from_str(text).ok()))
}

/// A spec as it was stored. Where a later tuneboard wrote a value that this one does not know, that
/// key alone takes its default.
pub(super) fn spec(text: &str) -> RunSpec {
    serde_json::from_str(text).unwrap_or_else(|_| {
        let stored: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(text).unwrap_or_default();
        let mut known = serde_json::Map::new();
        for (key, value) in stored {
            known.insert(key.clone(), value);
            if serde_json::from_value::<RunSpec>(known.clone().into()).is_err() {
                known.remove(&key);
            }
        }
        serde_json::from_value(known.into()).unwrap_or_else(|_| RunSpec::before_all_keys())
    })
}

/// The state's word and the outcome's details, as [`crate::spec::RunState`].
pub(super) fn state(word: &str, outcome: Option<&str>) -> RunState {
    match word {
        "queued" => RunState::Queued,
        "starting" => RunState::Starting,
        "running" => RunState::Running,
        "stopping" => RunState::Stopping,
        word => RunState::Ended(
            outcome.and_then(|json| serde_json::from_str(json).ok()).unwrap_or_else(|| {
                Outcome::Lost { why: format!("its outcome `{word}` cannot be read") }
            }),
        ),
    }
}

/// The columns `state` and `outcome` of a state.
pub(super) fn state_columns(state: &RunState) -> (String, Option<String>) {
    (state.to_string(), state.outcome().and_then(|o| serde_json::to_string(o).ok()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::PrunedAt;

    #[test]
    fn a_spec_of_a_later_version_keeps_every_key_that_is_known() {
        let text = r#"{"model":"m","lr":0.25,"schedule":"zigzag","novelty":{"a":1},"epochs":7}"#;
        let known =
            RunSpec { model: "m".into(), lr: 0.25, epochs: 7, ..RunSpec::before_all_keys() };
        assert_eq!(spec(text), known);
        assert_eq!(spec("no JSON"), RunSpec::before_all_keys());
    }

    #[test]
    fn states_read_back() {
        for it in [
            RunState::Queued,
            RunState::Stopping,
            RunState::Ended(Outcome::Done),
            RunState::Ended(Outcome::Pruned(PrunedAt {
                rung: 2,
                threshold: "0.5".into(),
                ..PrunedAt::default()
            })),
        ] {
            let (word, outcome) = state_columns(&it);
            assert_eq!(state(&word, outcome.as_deref()), it);
        }
        let odd = state("melted", Some("{}"));
        assert!(matches!(odd, RunState::Ended(Outcome::Lost { .. })));
    }
}
