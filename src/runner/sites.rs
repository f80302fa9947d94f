//! What the runner does with sites elsewhere.

use std::collections::BTreeMap;

use crate::events::Ending;
use crate::spec::{Outcome, Placement, RunId, RunState};
use crate::store::{SiteInfo, SiteState, SlotInfo};

use super::error::{Result, RunnerError};
use super::folder::Meta;
use super::launch::{Connection, Job, Update};
use super::plan::Offer;
use super::slots::LOCAL;
use super::state::Runner;
use super::text::last_lines;

impl Runner<'_> {
    /// Connects to the sites that a waiting run could go to.
    pub(super) fn connect(&mut self, wanted: &[String]) {
        let any = wanted.iter().any(|site| site == "any");
        let names: Vec<String> = self.remote.iter().map(|(name, _)| name.clone()).collect();
        for name in names.into_iter().filter(|name| any || wanted.contains(name)) {
            self.connection(&name);
        }
    }

    /// The connection to a site, opened if need be; `None` if the config has no such site.
    fn connection(&mut self, name: &str) -> Option<&Connection> {
        let (_, site) = self.remote.iter_mut().find(|(known, _)| known == name)?;
        site.connection(self.board, name, &self.waker)
    }

    /// What the plan may fill.
    pub(super) fn offers(&self) -> Vec<Offer<'_>> {
        let rank = self.board.sites().iter().position(|(name, _)| name == LOCAL).unwrap_or(0);
        let mut offers: Vec<Offer> = self
            .remote
            .iter()
            .map(|(name, site)| Offer {
                site: name,
                slots: site.slots.as_deref(),
                open: site.info.state == SiteState::Up && !self.held.contains(name),
            })
            .collect();
        let open = !self.held.contains(LOCAL);
        let local = Offer { site: LOCAL, slots: Some(&self.machine.slots), open };
        offers.insert(rank.min(offers.len()), local);
        offers
    }

    /// Hands an attempt of a run over to its site. A site that is no longer in the config cannot be
    /// asked: its runs stay as they are until it is back, or until they are stopped.
    pub(super) fn hand_over(&mut self, id: RunId, new: bool) {
        let Some(live) = self.live.get(&id) else { return };
        let placement = live.placement.clone();
        let meta = Meta::read(self.board, id);
        let job = Job {
            id,
            name: format!("{id}-{:x}", live.run.created),
            ticket: meta.ticket,
            attempt: live.run.attempt.max(1),
            new,
            placement: placement.clone(),
            spec: live.run.spec.clone(),
        };
        if let Some(connection) = self.connection(&placement.site) {
            connection.submit(job);
        } else {
            self.note(&format!("{id}: its site {} is not in config.toml", placement.site));
        }
    }

    /// Passes on that a run elsewhere is to end. Where nobody can be asked, as its site was taken out of the
    /// config, it ends here and now.
    pub(super) fn end_elsewhere(&mut self, id: RunId, placement: &Placement) {
        let name = &placement.site;
        if let Some(connection) = self.connection(name) {
            connection.end(id);
        } else if !self.remote.iter().any(|(known, _)| known == name)
            && let Some(live) = self.live.get_mut(&id)
        {
            let why = format!(
                "Its site {name} is not in config.toml, so it cannot be asked to end; it may still \
                 run there."
            );
            live.outcome = Some(Outcome::Lost { why });
        }
    }

    /// Takes in what a site's thread has to tell.
    pub(super) fn heard(&mut self, name: &str, update: Update) {
        let Some((_, site)) = self.remote.iter_mut().find(|(known, _)| known == name) else {
            return;
        };
        match update {
            Update::Info(host) => self.replan |= site.heard(host),
            Update::State(state, seen, why) => {
                self.replan |= site.info.state != state;
                let changed = site.info.state != state || site.info.why != why;
                site.info.state = state;
                site.info.seen = seen.or(site.info.seen);
                site.info.why.clone_from(&why);
                if changed {
                    self.note(&format!("{name}: {} {why}", state.word()));
                }
            }
            Update::Status(id, text) => {
                if text.is_empty() {
                    site.info.runs.remove(&id);
                } else {
                    site.info.runs.insert(id, text);
                }
            }
            Update::Note(text) => self.note(&text),
            Update::Freed(id) => {
                if let Some(live) = self.live.get_mut(&id) {
                    live.freed = true;
                    self.replan = true;
                }
            }
            Update::Ended(id, exit) => {
                site.info.runs.remove(&id);
                if let Some(live) = self.live.get_mut(&id) {
                    live.exit = Some(exit);
                }
            }
            Update::Over(id, outcome) => {
                site.info.runs.remove(&id);
                if let Some(live) = self.live.get_mut(&id) {
                    live.outcome = Some(outcome);
                }
            }
            Update::Restarts(id, restarts) => {
                if let Err(e) = self.restarted(id, restarts) {
                    self.note(&e.to_string());
                }
            }
        }
    }

    /// The cluster has started a run again by itself: another attempt of the same run.
    fn restarted(&mut self, id: RunId, restarts: u32) -> Result<()> {
        let Some(live) = self.live.get_mut(&id) else { return Ok(()) };
        // What the interrupted attempt said of its end is void, unless the new one has spoken already.
        let spoken = matches!(self.store.ending(id)?, Some((Ending::Done | Ending::Failed, _)));
        let attempt = Meta::read(self.board, id).attempt + restarts;
        if !spoken && attempt > live.run.attempt {
            live.run.attempt = attempt;
            self.store.lease(id, attempt, &live.placement, None)?;
        }
        self.note(&format!("{id}: started again by the cluster, attempt {attempt}"));
        Ok(())
    }

    /// Ends runs whose end is not for their trainer to say.
    pub(super) fn settle_decided(&mut self, id: RunId) -> Result<()> {
        let Some(mut outcome) = self.live.get(&id).and_then(|live| live.outcome.clone()) else {
            return Ok(());
        };
        if let Outcome::Failed { last_lines: lines, .. } = &mut outcome {
            *lines = last_lines(&self.board.out_log(id), 20);
        }
        let why = outcome.why().unwrap_or_default();
        let mut meta = Meta::read(self.board, id);
        meta.outcome = Some(outcome.clone());
        meta.write(self.board, id).map_err(RunnerError::io(&self.board.run(id)))?;
        let state = RunState::Ended(outcome);
        self.store.set_state(id, &state)?;
        self.live.remove(&id);
        self.replan = true;
        self.note(&format!("{id}: now {state}: {why}"));
        Ok(())
    }

    /// Sites and their slots, for the report.
    pub(super) fn look_at_sites(&self) -> (Vec<SiteInfo>, Vec<SlotInfo>) {
        let placed =
            self.live.iter().filter(|(_, live)| !live.freed).map(|(id, live)| {
                ((live.placement.site.as_str(), live.placement.slot.as_str()), *id)
            });
        let runs: BTreeMap<(&str, &str), RunId> = placed.collect();
        let (mut infos, mut slots) = (Vec::new(), Vec::new());
        for (name, site) in &self.remote {
            let all = site.slots.as_ref().map_or(0, |slots| slots.len() as u32);
            let taken = runs.keys().filter(|(at, _)| at == name).count() as u32;
            infos.push(SiteInfo {
                slots: all,
                free: all.saturating_sub(taken),
                ..site.info.clone()
            });
            slots.extend(site.slot_infos(name, &runs));
        }
        (infos, slots)
    }
}
