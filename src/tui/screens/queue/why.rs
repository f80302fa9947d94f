//! Why a run that is queued does not train yet. Pure.

use crate::spec::Desired;
use crate::store::{Run, SiteState, SlotInfo};
use crate::tui::labels::site;
use crate::tui::snapshot::{RunnerState, Snapshot};

/// What the run waits for, in a few words; `None` for one that trains.
pub fn why(run: &Run, snap: &Snapshot) -> Option<String> {
    if run.state.is_live() {
        return None;
    }
    if run.desired == Desired::Hold {
        return Some("held; r lets it go on".to_owned());
    }
    let open = || snap.live.iter().chain(snap.queue.iter());
    if let Some(parent) = run.spec.init.parent().filter(|id| open().any(|other| other.id == *id)) {
        return Some(format!("waits for {parent}, from which it starts"));
    }
    if snap.runner != RunnerState::Alive {
        return Some("no runner; r starts one".to_owned());
    }
    let goes = |name: &str| run.spec.site == "any" || run.spec.site == name;
    let away = snap.sites.iter().filter(|known| known.name != site::HERE && goes(&known.name));
    let away: Vec<_> = away.collect();
    let is_away = away.iter().all(|known| known.state == SiteState::Unreachable);
    if let Some(known) = away.first().filter(|_| is_away && run.spec.site != "any") {
        return Some(format!("{} is unreachable", known.name));
    }
    if run.spec.site != "any" && snap.held.contains(&run.spec.site) {
        return Some(format!("{} is held; S lets it go on", run.spec.site));
    }
    let slots = || {
        let mine = || snap.slots.iter().filter(|slot| goes(&slot.site));
        // Where there is a GPU, only who asks for the CPU goes there.
        let gpus = mine().any(|slot| slot.slot.starts_with("cuda"));
        let fits = move |slot: &&SlotInfo| match run.spec.device.as_str() {
            "auto" => !gpus || slot.slot.starts_with("cuda"),
            device => slot.slot.split('/').next() == Some(device),
        };
        mine().filter(fits)
    };
    let before = snap.queue.iter().take_while(|other| other.id != run.id);
    let before = before.filter(|other| other.desired == Desired::Run).count();
    if slots().count() > 0 && slots().all(|slot| slot.run.is_some()) {
        let place = match run.spec.device.as_str() {
            "auto" => "every slot is busy".to_owned(),
            device => format!("{device} is busy"),
        };
        return Some(match before {
            0 => format!("{place}; the next"),
            n => format!("{place}; {n} before it"),
        });
    }
    Some(match before {
        0 => "starts at once".to_owned(),
        n => format!("{n} before it"),
    })
}
