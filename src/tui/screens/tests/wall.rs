//! The live curves of the running runs on the queue screen.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{large, press};
use crate::spec::{RunId, RunState};
use crate::store::Curve;
use crate::tui::command::{Command, Effect};
use crate::tui::fixtures::{board, many, text, trained};
use crate::tui::preview::Preview;
use crate::tui::screens;
use crate::tui::snapshot::{Detail, Snapshot};
use crate::tui::view::{ScreenId, View};

/// A board on which six runs train, each at its own pace.
fn six() -> Snapshot {
    let mut runs: Vec<_> =
        (31..37).map(|id| trained(id, RunState::Running, f64::from(id - 30) * 0.4)).collect();
    runs.extend(many().into_iter().take(3));
    let mut snap = board(runs);
    let details = snap.live.iter().map(|run| {
        let count = (run.epoch / 0.05) as usize;
        let epoch: Vec<f64> = (1..=count).map(|i| i as f64 * 0.05).collect();
        let curve = |scale: f64, every: usize| Curve {
            step: epoch.iter().step_by(every).map(|e| (e * 140.0) as u64).collect(),
            time: epoch.iter().step_by(every).map(|_| 0).collect(),
            value: epoch.iter().step_by(every).map(|e| scale * (0.1 + (-e).exp())).collect(),
            epoch: epoch.iter().step_by(every).copied().collect(),
            total: count.div_ceil(every),
        };
        let curves = BTreeMap::from([
            ("train/step_loss".to_owned(), curve(0.6, 1)),
            ("val/loss".to_owned(), curve(0.7, 4)),
        ]);
        Detail { run: run.clone(), curves, buckets: 160, passes: Vec::new() }
    });
    snap.wall = Arc::new(details.collect());
    snap
}

#[test]
fn every_running_run_has_a_live_curve() {
    let snap = six();
    let mut view = View { screen: ScreenId::QUEUE, ..View::default() };
    for (width, height) in [(80, 24), (120, 36), (200, 60)] {
        insta::assert_snapshot!(format!("wall_{width}"), text(&snap, &mut view, width, height));
    }
    let screen = text(&snap, &mut view, 200, 60);
    for run in snap.live.iter() {
        assert!(screen.contains(&format!("╭─ {} lr=", run.id)), "{}\n{screen}", run.id);
    }
    assert!(screens::query(&view).wall && screens::query(&view).queue);
    let kept = |preview| Some(Effect::Do(Command::SavePreview(preview)));
    assert_eq!(press(&mut view, &snap, "z"), kept(Preview::Beside));
    insta::assert_snapshot!("wall_beside_200", text(&snap, &mut view, 200, 60));
    assert_eq!(press(&mut view, &snap, "z"), kept(Preview::None));
    assert!(!text(&snap, &mut view, 200, 60).contains("╭─ r31"));
    assert!(!screens::query(&view).wall, "nobody reads what is not shown");
    assert_eq!(view.queue_at, Some(RunId(31)));
}

#[test]
fn a_run_whose_curves_are_not_there_yet_has_an_empty_panel() {
    let mut snap = six();
    snap.wall = Arc::default();
    let mut view = View { screen: ScreenId::QUEUE, ..View::default() };
    assert!(text(&snap, &mut view, 200, 60).contains("╭─ r31 lr="));
}

#[test]
fn the_queue_says_why_a_run_waits_and_when_nobody_knows_its_start() {
    let mut snap = six();
    let mut view = View { screen: ScreenId::QUEUE, ..large() };
    let bottom = |snap: &Snapshot, view: &mut View, id: u32| {
        view.queue_at = Some(RunId(id));
        let screen = text(snap, view, 160, 45);
        let line = screen.lines().find(|line| line.contains(&format!("─ r{id}: ")));
        line.unwrap_or_else(|| panic!("{screen}")).to_owned()
    };
    assert!(bottom(&snap, &mut view, 21).contains("every slot is busy; the next"));
    assert!(bottom(&snap, &mut view, 22).contains("held; r lets it go on"));
    assert!(bottom(&snap, &mut view, 23).contains("every slot is busy; 1 before it"));
    let mut queue = snap.queue.to_vec();
    queue[0].spec.device = "cuda:1".into();
    queue[0].spec.model = "new".into();
    queue[2].spec.init = crate::spec::Init::Run(RunId(31));
    snap.queue = Arc::new(queue);
    let first = bottom(&snap, &mut view, 21);
    assert!(first.contains("cuda:1 is busy; the next"), "{first}");
    assert!(first.contains("no run of new on sms_spam.csv was timed yet"), "{first}");
    let last = bottom(&snap, &mut view, 23);
    assert!(last.contains("waits for r31, from which it starts"), "{last}");
    assert!(last.contains("r21 is before it, whose like was never timed"), "{last}");
    insta::assert_snapshot!("why_160", text(&snap, &mut view, 160, 45));
    snap.runner = crate::tui::snapshot::RunnerState::Absent;
    assert!(bottom(&snap, &mut view, 21).contains("no runner; r starts one"));
}

#[test]
fn a_site_is_held_and_drained_from_the_queue() {
    let mut snap = six();
    let mut view = View { screen: ScreenId::QUEUE, ..large() };
    press(&mut view, &snap, "S");
    insta::assert_snapshot!("sites_80", text(&snap, &mut view, 80, 24));
    let command = |effect: Option<Effect>| match effect {
        Some(Effect::Do(Command::HoldSite(site, held, there))) => (site, held, there.len()),
        other => panic!("{other:?}"),
    };
    assert_eq!(command(press(&mut view, &snap, "enter")), ("local".to_owned(), true, 0));
    assert_eq!(command(press(&mut view, &snap, "S d")), ("local".to_owned(), true, 6));
    snap.held = Arc::new(["local".to_owned()].into());
    assert_eq!(command(press(&mut view, &snap, "S enter")), ("local".to_owned(), false, 0));
    view.queue_at = Some(RunId(21));
    assert!(text(&snap, &mut view, 160, 45).contains("r21: local is held; S lets it go on"));
}
