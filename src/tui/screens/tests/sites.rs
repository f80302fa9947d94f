//! Runs elsewhere: where they are, what they wait for, how their sites are.

use std::sync::Arc;

use super::{large, press};
use crate::spec::keys::KEYS;
use crate::spec::{Outcome, RunId, RunState};
use crate::store::{SiteInfo, SiteState, SlotInfo};
use crate::tui::fixtures::{board, opened, text, trained};
use crate::tui::form::Row;
use crate::tui::snapshot::Snapshot;
use crate::tui::view::{ScreenId, View};

const WAITS: &str = "waiting: Priority, about 2 h";

/// r3 trains on a GPU of `box`, r2 waits in the queue of `hpc`, r1 was done here; `attic` is away.
fn elsewhere() -> Snapshot {
    let at = |id, state, epoch, site: &str, slot: &str| {
        let mut run = trained(id, state, epoch);
        let place = run.placement.as_mut().unwrap();
        (place.site, place.slot) = (site.into(), slot.into());
        run.spec.site = "any".into();
        run
    };
    let mut snap = board(vec![
        at(3, RunState::Running, 1.2, "box", "cuda:0"),
        at(2, RunState::Starting, 0.0, "hpc", "job/0"),
        trained(1, RunState::Ended(Outcome::Done), 3.0),
    ]);
    let slot = |site: &str, slot: &str, run: Option<u32>| SlotInfo {
        site: site.into(),
        slot: slot.into(),
        run: run.map(RunId),
        ..SlotInfo::default()
    };
    snap.slots = Arc::new(vec![
        slot("local", "cpu/0", None),
        slot("box", "cuda:0", Some(3)),
        slot("box", "cuda:1", None),
        slot("hpc", "job/0", Some(2)),
    ]);
    let up = |name: &str, slots, free| SiteInfo {
        name: name.into(),
        state: SiteState::Up,
        slots,
        free,
        ..SiteInfo::default()
    };
    let mut hpc = up("hpc", 32, 31);
    hpc.runs.insert(RunId(2), WAITS.into());
    let attic = SiteInfo {
        name: "attic".into(),
        state: SiteState::Unreachable,
        why: "Connection refused".into(),
        ..SiteInfo::default()
    };
    let local = SiteInfo { name: "local".into(), ..SiteInfo::default() };
    snap.sites = Arc::new(vec![local, up("box", 2, 1), attic, hpc]);
    snap
}

/// The line of a screen that begins with these words, behind frames and marks.
fn line(screen: &str, with: &str) -> String {
    let found = screen.lines().find(|line| line.contains(with));
    found.unwrap_or_else(|| panic!("no {with} in\n{screen}")).to_owned()
}

#[test]
fn runs_say_where_they_are_once_one_is_elsewhere() {
    let snap = elsewhere();
    let screen = text(&snap, &mut View::default(), 160, 45);
    assert!(screen.lines().any(|line| line.contains(" site ") && line.contains("epoch")));
    assert!(line(&screen, "running   r3").contains(" box "), "{screen}");
    assert!(line(&screen, "done      r1").contains(" local "));
    assert!(line(&screen, "starting  r2").contains(WAITS));
    let here = board(vec![trained(1, RunState::Ended(Outcome::Done), 3.0)]);
    assert!(!text(&here, &mut View::default(), 160, 45).contains(" site "));
}

#[test]
fn the_queue_lists_sites_their_devices_and_their_runs() {
    let snap = elsewhere();
    let mut view = View { screen: ScreenId::QUEUE, ..large() };
    let screen = text(&snap, &mut view, 160, 45);
    assert!(line(&screen, "box cuda:0").contains("r3 "), "{screen}");
    assert!(line(&screen, "box cuda:1").contains("free"));
    assert!(line(&screen, WAITS).contains("hpc job/0"));
    assert!(line(&screen, "31 of 32 free").contains("hpc"));
    assert!(line(&screen, "unreachable: Connection refused").contains("attic"));
    assert!(screen.matches(WAITS).count() == 2, "{screen}");
    // However small, it draws.
    text(&snap, &mut view, 50, 12);
}

#[test]
fn an_open_run_says_what_it_waits_for() {
    let snap = elsewhere();
    let (opened, mut view) = opened(snap.live[1].clone(), 2);
    view.screen = ScreenId::RUN;
    let snap = Snapshot { detail: opened.detail, ..snap };
    let screen = text(&snap, &mut view, 160, 45);
    assert!(screen.contains(WAITS) && screen.contains("hpc job/0"), "{screen}");
}

#[test]
fn a_run_that_may_be_dead_is_not_shown_as_running() {
    let mut snap = elsewhere();
    let mut sites = (*snap.sites).clone();
    // Its host is away; what another site says of a run of that name is not meant.
    sites[1].state = SiteState::Unreachable;
    sites[3].runs.insert(RunId(3), WAITS.into());
    snap.sites = Arc::new(sites);
    for screen in [ScreenId::RUNS, ScreenId::QUEUE] {
        let shown = text(&snap, &mut View { screen, ..large() }, 160, 45);
        assert!(line(&shown, "◌ away").contains(" r3 "), "{shown}");
        assert!(!shown.contains("● running"), "{shown}");
    }
    // Slurm has taken it off its node.
    let mut live = (*snap.live).clone();
    live[0].placement.as_mut().unwrap().site = "hpc".into();
    snap.live = Arc::new(live.clone());
    snap.list.rows = Arc::new(live.into_iter().map(Arc::new).collect::<Vec<_>>().into());
    let shown = text(&snap, &mut View::default(), 160, 45);
    assert!(line(&shown, "◌ waiting").contains(" r3 "), "{shown}");
    // Slurm has not noticed yet, but its node gives no sign of life.
    let mut sites = (*snap.sites).clone();
    sites[3].runs.insert(RunId(3), "unreachable, last seen 14:02".into());
    snap.sites = Arc::new(sites);
    let shown = text(&snap, &mut View::default(), 160, 45);
    assert!(line(&shown, "◌ away").contains(" r3 "), "{shown}");
    assert!(!shown.contains("● running"), "{shown}");
}

#[test]
fn the_form_steps_through_the_sites_and_tells_how_they_are() {
    let mut snap = elsewhere();
    snap.counts.queued = 7;
    let mut view = large();
    press(&mut view, &snap, "c");
    assert_eq!(view.screen, ScreenId::LAUNCH);
    let form = view.form.as_mut().unwrap();
    let key = KEYS.iter().position(|key| key.name == "site").unwrap();
    form.open.insert(KEYS[key].group);
    form.cursor = form.rows().iter().position(|row| *row == Row::Key(key)).unwrap();
    let site = |view: &View| view.form.as_ref().unwrap().text(Row::Key(key)).to_owned();
    assert_eq!(site(&view), "any");
    let screen = text(&snap, &mut view, 160, 45);
    assert!(line(&screen, "7 runs wait").contains("any"), "{screen}");
    assert!(line(&screen, "up, 1 of 2 free").contains("box"));
    for want in ["local", "box", "attic", "hpc", "any"] {
        press(&mut view, &snap, "right");
        assert_eq!(site(&view), want);
    }
    press(&mut view, &snap, "left");
    assert_eq!(site(&view), "hpc");
}
