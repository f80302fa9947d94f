//! The peak GPU memory of runs, and what it predicts for runs like them.

use rusqlite::{Connection, OptionalExtension, Result};

use super::Reader;
use crate::spec::RunId;

/// Stores the peak that a run on a GPU reports; resident memory on a CPU predicts nothing for a GPU.
pub(super) fn keep(db: &Connection, id: RunId, bytes: f64) -> Result<()> {
    if bytes.is_finite() && bytes > 0.0 {
        db.prepare_cached(
            "UPDATE run SET peak = max(coalesce(peak, 0), ?2)
             WHERE id = ?1 AND json_extract(facts, '$.device') LIKE 'cuda:%'",
        )?
        .execute((id.0, bytes as i64))?;
    }
    Ok(())
}

const ALIKE: &str = "
SELECT b.peak FROM run a JOIN run b INDEXED BY run_peak ON b.memory_hash = a.memory_hash
WHERE a.id = ?1 AND b.peak IS NOT NULL
  AND (b.state = 'done' OR json_extract(a.spec, '$.unfreeze') <> 'gradual')
ORDER BY b.peak DESC LIMIT 1";

impl Reader {
    /// The peak GPU memory, in bytes, of this run or of one with the same [`crate::spec::RunSpec::memory_hash`].
    /// With `unfreeze=gradual` memory grows from epoch to epoch, so that only finished runs count.
    pub fn alike_peak(&self, id: RunId) -> super::Result<Option<u64>> {
        let found: Option<i64> = self
            .ask(|db| db.prepare_cached(ALIKE)?.query_row([id.0], |row| row.get(0)).optional())?;
        Ok(found.map(|bytes| bytes as u64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::{Batch, Event, EventKind, Number, PEAK_MEMORY, Split, Started};
    use crate::spec::{Desired, Outcome, RunSpec, RunState, Unfreeze};
    use crate::store::{NewRun, Store};

    fn store(specs: &[RunSpec]) -> (tempfile::TempDir, Store, Vec<RunId>) {
        let folder = tempfile::tempdir().unwrap();
        let mut store = Store::open(&folder.path().join("board.db")).unwrap();
        let new =
            |spec: &RunSpec| NewRun { name: "x".into(), spec: spec.clone(), desired: Desired::Run };
        let ids = store.enqueue(None, &specs.iter().map(new).collect::<Vec<_>>()).unwrap().1;
        (folder, store, ids)
    }

    fn tell(store: &mut Store, id: RunId, device: &str, peaks: &[f64]) {
        let event = |kind| Event { v: 1, t: 1, step: 1, kind };
        let started = Started { device: device.into(), ..Started::default() };
        let eval = |(i, bytes): (usize, &f64)| {
            let values = [(PEAK_MEMORY.to_owned(), Number(*bytes))].into();
            event(EventKind::Eval { split: Split::Train, epoch: i as u32 + 1, values })
        };
        let mut events = vec![event(EventKind::Started(Box::new(started)))];
        events.extend(peaks.iter().enumerate().map(eval));
        let batch = Batch { events, offset: 1, ..Batch::default() };
        store.ingest(id, 0, &batch).unwrap();
    }

    #[test]
    fn the_largest_peak_of_alike_runs_on_a_gpu_counts() {
        let spec = RunSpec { model: "m".into(), ..RunSpec::default() };
        let tuned = RunSpec { lr: 1e-3, epochs: 9, seed: 4, threads: 2, ..spec.clone() };
        let wider = RunSpec { batch_size: 64, ..spec.clone() };
        let (_folder, mut store, ids) = store(&[spec.clone(), tuned.clone(), wider, tuned]);
        let peaks = |store: &Store| -> Vec<Option<u64>> {
            ids.iter().map(|id| store.reader().alike_peak(*id).unwrap()).collect()
        };
        tell(&mut store, ids[0], "cpu", &[9e9]);
        assert_eq!(peaks(&store), [None; 4], "resident memory tells nothing of a GPU");
        tell(&mut store, ids[1], "cuda:1", &[3e9, 2e9, f64::NAN, -1.0]);
        let known = Some(3_000_000_000);
        assert_eq!(peaks(&store), [known, known, None, known]);
        tell(&mut store, ids[3], "cuda:0", &[4e9]);
        assert_eq!(peaks(&store)[0], Some(4_000_000_000));
        store.forget(ids[3]).unwrap();
        assert_eq!(peaks(&store)[3], known);
    }

    #[test]
    fn memory_that_grows_from_epoch_to_epoch_is_known_at_the_end() {
        let spec = RunSpec { model: "m".into(), unfreeze: Unfreeze::Gradual, ..RunSpec::default() };
        let (_folder, mut store, ids) = store(&[spec.clone(), spec]);
        tell(&mut store, ids[0], "cuda:0", &[1e9]);
        assert_eq!(store.reader().alike_peak(ids[1]).unwrap(), None);
        store.set_state(ids[0], &RunState::Ended(Outcome::Done)).unwrap();
        assert_eq!(store.reader().alike_peak(ids[1]).unwrap(), Some(1_000_000_000));
    }

    #[test]
    fn a_peak_is_found_by_its_index_however_many_runs_there_are() {
        let (_folder, store, _) = store(&[]);
        let plan: Vec<String> = store
            .reader()
            .ask(|db| {
                let mut query = db.prepare(&format!("EXPLAIN QUERY PLAN {ALIKE}"))?;
                query.query_map([1], |row| row.get(3))?.collect()
            })
            .unwrap();
        assert_eq!(
            plan,
            [
                "SEARCH a USING INTEGER PRIMARY KEY (rowid=?)",
                "SEARCH b USING INDEX run_peak (memory_hash=? AND peak>?)"
            ]
        );
    }
}
