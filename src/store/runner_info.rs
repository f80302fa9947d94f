//! The runner of a board, its slots and sites.

use rusqlite::{OptionalExtension, params};

use super::{Millis, Process, Reader, RunnerInfo, SiteInfo, SlotInfo, Store};

impl Reader {
    /// The runner that registered last; the caller judges whether it is alive.
    pub fn runner(&self) -> super::Result<Option<RunnerInfo>> {
        self.ask(|db| {
            let row = db
                .prepare_cached("SELECT process, heartbeat, version FROM runner")?
                .query_row((), |r| {
                    let process: Option<Process> = super::rows::json(r, "process")?;
                    Ok((process, r.get(1)?, r.get(2)?))
                })
                .optional()?;
            Ok(row.and_then(|(process, heartbeat, version)| {
                process.map(|process| RunnerInfo { process, heartbeat, version })
            }))
        })
    }

    /// The sites that a runner has asked, in the order of preference.
    pub fn sites(&self) -> super::Result<Vec<SiteInfo>> {
        self.ask(|db| {
            let mut query = db.prepare_cached("SELECT site FROM site ORDER BY number")?;
            let rows = query.query_map((), |r| super::rows::json(r, "site"))?;
            rows.filter_map(std::result::Result::transpose).collect()
        })
    }

    /// The slots, in the order the runner gave them.
    pub fn slots(&self) -> super::Result<Vec<SlotInfo>> {
        self.ask(|db| {
            let mut query = db.prepare_cached("SELECT slot FROM slot ORDER BY number")?;
            let rows = query.query_map((), |r| super::rows::json(r, "slot"))?;
            rows.filter_map(std::result::Result::transpose).collect()
        })
    }
}

impl Store {
    /// Registers the runner.
    pub fn sign_on(&mut self, runner: &RunnerInfo) -> super::Result<()> {
        let process = serde_json::to_string(&runner.process).unwrap_or_default();
        self.change(|tx| {
            tx.execute(
                "INSERT OR REPLACE INTO runner VALUES (1, ?1, ?2, ?3)",
                params![process, runner.heartbeat, runner.version],
            )
        })?;
        Ok(())
    }

    /// Writes the runner's heartbeat.
    pub fn beat(&mut self, now: Millis) -> super::Result<()> {
        self.change(|tx| tx.prepare_cached("UPDATE runner SET heartbeat = ?1")?.execute([now]))?;
        Ok(())
    }

    /// Removes the runner and its slots.
    pub fn sign_off(&mut self) -> super::Result<()> {
        self.change(|tx| tx.execute_batch("DELETE FROM runner; DELETE FROM slot"))
    }

    /// Stores what is known of the sites. Writes only changes.
    pub fn set_sites(&mut self, sites: &[SiteInfo]) -> super::Result<()> {
        if self.reader.sites()? == sites {
            return Ok(());
        }
        let rows: Vec<String> =
            sites.iter().map(|s| serde_json::to_string(s).unwrap_or_default()).collect();
        self.change(|tx| {
            tx.execute("DELETE FROM site", ())?;
            for (number, site) in rows.iter().enumerate() {
                tx.prepare_cached("INSERT INTO site VALUES (?1, ?2)")?
                    .execute((number as i64, site))?;
            }
            Ok(())
        })
    }

    /// Stores the slots and their runs. Writes only changes, so that an idle board causes no writes.
    pub fn set_slots(&mut self, slots: &[SlotInfo]) -> super::Result<()> {
        if self.reader.slots()? == slots {
            return Ok(());
        }
        let rows: Vec<String> =
            slots.iter().map(|s| serde_json::to_string(s).unwrap_or_default()).collect();
        self.change(|tx| {
            tx.execute("DELETE FROM slot", ())?;
            for (number, slot) in rows.iter().enumerate() {
                tx.prepare_cached("INSERT INTO slot VALUES (?1, ?2)")?
                    .execute((number as i64, slot))?;
            }
            Ok(())
        })
    }
}
