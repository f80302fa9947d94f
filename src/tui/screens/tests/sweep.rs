//! A sweep as a whole: none, a grid with seeds, one drawn axis, an error.

use std::sync::Arc;

use super::{both, large, narrow, press};
use crate::analysis::groups::Spread;
use crate::analysis::sweeps::{Confirmation, Confirmed, Lead, Pruning, report, rungs, score};
use crate::spec::metrics::val;
use crate::spec::search::ladder::{Evaluation, Ladder};
use crate::spec::search::prune::{Mark, Rule};
use crate::spec::{Outcome, Plan, PrunedAt, RunId, RunState, SweepId};
use crate::store::Run;
use crate::tui::background::{Question, SweepFacts};
use crate::tui::command::{Command, Effect};
use crate::tui::events;
use crate::tui::fixtures::{board, many, text, trained};
use crate::tui::screens;
use crate::tui::snapshot::Snapshot;
use crate::tui::view::{Picture, ScreenId, View};

/// The sweep screen of r12, whose sweep holds these runs.
pub(super) fn looking(runs: Result<Vec<Run>, String>, varied: &[&str]) -> (Snapshot, View) {
    let mut all = many();
    for run in &mut all {
        run.sweep = Some(SweepId(3));
    }
    let mut snap = board(all);
    let mut view = large();
    press(&mut view, &snap, "W");
    let Some(Question::Sweep(question)) = events::question(&view, &snap) else {
        panic!("{view:?}")
    };
    assert_eq!(question.sweep, SweepId(3));
    let varied: Vec<String> = varied.iter().map(|k| (*k).to_owned()).collect();
    let facts = runs.map(|runs| SweepFacts {
        is_drawn: true,
        name: "lr x epochs x seed".into(),
        metric: val::ACC.into(),
        plan: Plan::default(),
        planned: runs.len(),
        rungs: Vec::new(),
        pruning: None,
        confirmation: None,
        report: report(&runs, &varied, false, |run| score(&Plan::default(), run)),
        runs,
    });
    snap.answers.sweep = Some((question, Arc::new(facts)));
    (snap, view)
}

pub(super) fn grid() -> Vec<Run> {
    let mut runs = Vec::new();
    for (i, lr) in [1e-5, 2e-5, 5e-5, 1e-4].into_iter().enumerate() {
        for epochs in [1, 2, 3] {
            for seed in 0..2 {
                let id = 100 + (i * 6) as u32 + epochs * 2 + seed;
                let mut run = trained(id, RunState::Ended(Outcome::Done), f64::from(epochs));
                (run.spec.lr, run.spec.epochs, run.spec.seed) = (lr, epochs, u64::from(seed));
                let acc = 0.9 + 0.02 * i as f64 - if i == 3 { 0.05 } else { 0.0 }
                    + 0.004 * f64::from(epochs)
                    + 0.001 * f64::from(seed);
                run.best.insert("val/acc".into(), acc);
                runs.push(run);
            }
        }
    }
    runs
}

#[test]
fn compare_takes_the_two_best_settings_where_none_is_marked() {
    let (mut snap, mut view) = looking(Ok(grid()), &["lr", "epochs"]);
    press(&mut view, &snap, "C");
    assert_eq!(view.screen, ScreenId::COMPARE);
    let mut ids = screens::compare::compared(&view);
    ids.sort_unstable();
    assert_eq!(ids, [116, 117, 118, 119].map(RunId));
    // Nobody draws trials of a grid.
    let mut view = View { screen: ScreenId::SWEEP, ..view };
    let footer = |snap: &Snapshot, view: &mut View| -> String {
        text(snap, view, 200, 60).lines().last().unwrap().to_owned()
    };
    assert!(footer(&snap, &mut view).contains("+ extend"));
    let (_, facts) = snap.answers.sweep.as_mut().unwrap();
    Arc::get_mut(facts).unwrap().as_mut().unwrap().is_drawn = false;
    assert!(!footer(&snap, &mut view).contains("+ extend"));
}

#[test]
fn without_a_sweep_it_says_how_to_choose_one() {
    let snap = board(many());
    let mut view = large();
    press(&mut view, &snap, "W");
    both("sweep_none", &snap, &mut view);
}

#[test]
fn a_grid_of_two_axes_with_seeds() {
    let (snap, mut view) = looking(Ok(grid()), &["lr", "epochs", "seed"]);
    press(&mut view, &snap, "down");
    both("sweep_grid", &snap, &mut view);
    narrow("sweep_grid", &snap, &mut view);
    press(&mut view, &snap, "space");
    assert_eq!(view.runs.marks.len(), 2, "both seeds of the setting");
    press(&mut view, &snap, "home enter");
    assert_eq!((view.screen, view.open), (ScreenId::RUN, Some(RunId(118))));
    press(&mut view, &snap, "7 c");
    assert_eq!(view.form.as_ref().unwrap().from, Some(RunId(118)));
}

#[test]
fn accuracy_against_cost_with_its_front() {
    let mut runs = grid();
    for run in &mut runs {
        let minutes = i64::from(run.spec.epochs) * 3 + i64::from(run.spec.lr < 2e-5);
        run.device_time = Some(minutes * 60_000);
    }
    let (snap, mut view) = looking(Ok(runs), &["lr", "epochs", "seed"]);
    press(&mut view, &snap, "p");
    both("sweep_cost", &snap, &mut view);
    press(&mut view, &snap, "a");
    assert_eq!(view.sweep.picture, Some(Picture::Axes), "the axes are back");
    let (snap, mut view) = looking(Ok(Vec::new()), &["lr"]);
    press(&mut view, &snap, "p");
    assert!(text(&snap, &mut view, 80, 24).contains("no points yet"));
}

#[test]
fn one_axis_that_was_drawn() {
    let mut runs = Vec::new();
    for i in 0..20u32 {
        let mut run = trained(200 + i, RunState::Ended(Outcome::Done), 3.0);
        let power = -6.0 + 3.0 * f64::from(i) / 19.0;
        run.spec.lr = 10f64.powf(power);
        run.best.insert("val/acc".into(), 0.96 - 0.05 * (power + 4.5).powi(2));
        runs.push(run);
    }
    let (snap, mut view) = looking(Ok(runs), &["lr"]);
    both("sweep_drawn", &snap, &mut view);
}

#[test]
fn one_run_and_an_error() {
    let one = vec![trained(300, RunState::Running, 1.2)];
    let (snap, mut view) = looking(Ok(one), &["lr", "pool"]);
    both("sweep_one", &snap, &mut view);
    let (snap, mut view) = looking(Err("s3 does not exist any more.".into()), &[]);
    both("sweep_error", &snap, &mut view);
}

/// Twelve runs of two epochs that got to these rungs; r5 and r6 were cut, r12 is on its way.
fn pruned(is_pruned: bool) -> SweepFacts {
    let rule = Rule::default();
    let mut ladder = Ladder::default();
    let mut runs = Vec::new();
    for i in 0..12u32 {
        let id = 301 + i;
        let value = 0.80 + 0.01 * f64::from(i * 7 % 12);
        let reached = match (i, is_pruned) {
            (4 | 5, true) => 2,
            (11, true) => 5,
            _ => 8,
        };
        let evaluation = |at: u32| Evaluation {
            time: i64::from(i) * 1000 + i64::from(at),
            epoch: f64::from(at) / 4.0,
            share: f64::from(at) / 8.0,
            mark: Mark { value: -value - 0.01 * f64::from(at), loss: 0.0 },
        };
        let evaluations: Vec<Evaluation> = (1..=reached).map(evaluation).collect();
        ladder.put(RunId(id), &rule.climb(&evaluations));
        let state = match reached {
            2 => RunState::Ended(Outcome::Pruned(PrunedAt { rung: 2, ..PrunedAt::default() })),
            5 => RunState::Running,
            _ => RunState::Ended(Outcome::Done),
        };
        let mut run = trained(id, state, f64::from(reached) / 4.0);
        run.spec.lr = 1e-5 * f64::from(i + 1);
        run.best.insert("val/acc".into(), value);
        runs.push(run);
    }
    let cut = vec![(RunId(305), 2, 0.25), (RunId(306), 2, 0.25)];
    let best = (RunId(306), 0.99);
    let pruning = Pruning {
        rule,
        is_pruned,
        runs: 11,
        cut,
        saved: 1.5 / 11.0,
        best: (!is_pruned).then_some(best),
        kept: (!is_pruned).then_some((RunId(312), 0.98)),
    };
    let plan = Plan { prune: is_pruned.then_some(rule), ..Plan::default() };
    let varied = ["lr".to_owned()];
    SweepFacts {
        is_drawn: true,
        name: "lr".into(),
        metric: val::ACC.into(),
        report: report(&runs, &varied, false, |run| score(&plan, run)),
        planned: 12,
        rungs: rungs(&ladder, &plan, &runs, Some(&pruning), val::ACC),
        plan,
        runs,
        pruning: Some(pruning),
        confirmation: None,
    }
}

#[test]
fn the_ladder_shows_who_was_cut_and_what_it_takes_to_go_on() {
    let (mut snap, mut view) = looking(Ok(Vec::new()), &["lr"]);
    let (question, _) = snap.answers.sweep.take().unwrap();
    press(&mut view, &snap, "l");
    for (name, is_pruned) in [("sweep_rungs", true), ("sweep_rungs_replayed", false)] {
        snap.answers.sweep = Some((question, Arc::new(Ok(pruned(is_pruned)))));
        both(name, &snap, &mut view);
    }
    press(&mut view, &snap, "a");
    assert_eq!(view.sweep.picture, Some(Picture::Axes), "the axes are back");
}

#[test]
fn the_winner_stands_above_the_picture() {
    let (mut snap, mut view) = looking(Ok(Vec::new()), &["lr"]);
    let (question, _) = snap.answers.sweep.take().unwrap();
    let setting = |lr: &str, mean: f64| Confirmed {
        seeds: 3,
        values: vec![lr.into()],
        runs: Vec::new(),
        score: Spread::of([mean - 0.001, mean, mean + 0.001]),
        test: Spread::default(),
    };
    let confirmation = Confirmation {
        settings: vec![setting("3e-5", 0.95), setting("5e-5", 0.93)],
        open: 0,
        lead: Some(Lead::Seeds { diff: 0.02, p: 0.004, seeds: 3 }),
    };
    let facts = SweepFacts { confirmation: Some(confirmation), ..pruned(true) };
    snap.answers.sweep = Some((question, Arc::new(Ok(facts))));
    let shown = text(&snap, &mut view, 160, 50);
    assert!(
        shown.contains("The winner over 3 fresh seeds is lr=3e-5 (val/acc 0.9500 ± 0.0010)"),
        "{shown}"
    );
}

#[test]
fn a_sweep_is_extended_from_its_screen() {
    let (snap, mut view) = looking(Ok(grid()), &["lr"]);
    let asked = press(&mut view, &snap, "+");
    assert_eq!(asked, Some(Effect::Do(Command::Extend(SweepId(3), 10))));
}
