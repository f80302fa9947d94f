//! Models of different kinds side by side: baselines that are fitted in one go beside networks.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::compare::answered;
use super::{both, large, press};
use crate::analysis::compare::Entry;
use crate::analysis::sweeps::{report, score};
use crate::spec::metrics::val;
use crate::spec::{Outcome, Plan, RunState, SweepId};
use crate::store::{Confusion, Curve, Run, Split};
use crate::tui::background::{Question, SweepFacts};
use crate::tui::events;
use crate::tui::fixtures::{board, opened, text, trained};
use crate::tui::snapshot::Snapshot;
use crate::tui::view::{ScreenId, View};

/// A rung: its model, its epochs, its accuracy, and the milliseconds it took.
const RUNGS: [(&str, u32, f64, i64); 5] = [
    ("majority", 1, 0.8765, 400),
    ("tfidf-logreg", 1, 0.9794, 5_000),
    ("gru", 3, 0.9918, 95_000),
    ("elmo-small", 3, 0.9835, 210_000),
    ("minilm", 3, 0.9877, 400_000),
];

/// The runs of `model=..` times two rates: a baseline has one run, whatever the rate.
fn runs() -> Vec<Run> {
    let mut runs = Vec::new();
    for (at, (model, epochs, acc, millis)) in RUNGS.into_iter().enumerate() {
        let rates = if epochs == 1 { &[2e-5][..] } else { &[2e-5, 1e-3] };
        for (i, lr) in rates.iter().enumerate() {
            let id = 40 + 2 * at as u32 + i as u32;
            let mut run = trained(id, RunState::Ended(Outcome::Done), f64::from(epochs));
            run.sweep = Some(SweepId(3));
            (run.spec.model, run.spec.lr, run.spec.seed) = (model.into(), *lr, 0);
            run.name = format!("model={model} lr={lr:e}");
            run.device_time = Some(millis);
            let acc = acc - 0.01 * i as f64;
            for metric in ["val/acc", "test/acc"] {
                run.last.insert(metric.into(), acc);
                run.best.insert(metric.into(), acc);
            }
            if let Some(placement) = &mut run.placement {
                (placement.slot, placement.device) = ("cpu:0".into(), "cpu".into());
            }
            if let Some(facts) = &mut run.facts {
                (facts.epochs, facts.total_steps) = (epochs, u64::from(epochs));
                facts.precision = if epochs == 1 { "fp64".into() } else { "fp32".into() };
            }
            if epochs == 1 {
                run.name = format!("model={model}");
                (run.step, run.best_epoch, run.spark) = (1, Some(1), vec![0.37]);
            }
            runs.push(run);
        }
    }
    runs
}

/// A list whose rows are these runs.
fn listed() -> Snapshot {
    let mut snap = board(runs());
    snap.list.varied = Arc::new(vec!["model", "lr"]);
    snap
}

#[test]
fn a_key_that_means_nothing_to_a_model_shows_no_value() {
    let snap = listed();
    both("ladder_runs", &snap, &mut View::default());
    let shown = text(&snap, &mut View::default(), 160, 45);
    let baseline = shown.lines().find(|line| line.contains("majority")).unwrap();
    assert!(baseline.contains('–') && !baseline.contains("2e-5"), "{baseline}");
}

#[test]
fn a_sweep_over_kinds_of_models() {
    let mut snap = listed();
    let mut view = large();
    press(&mut view, &snap, "W");
    let Some(Question::Sweep(question)) = events::question(&view, &snap) else {
        panic!("{view:?}")
    };
    let varied = ["model", "lr"].map(str::to_owned);
    let facts = SweepFacts {
        is_drawn: true,
        name: "model x lr".into(),
        metric: val::ACC.into(),
        plan: Plan::default(),
        planned: runs().len(),
        rungs: Vec::new(),
        pruning: None,
        confirmation: None,
        report: report(&runs(), &varied, false, |run| score(&Plan::default(), run)),
        runs: runs(),
    };
    snap.answers.sweep = Some((question, Arc::new(Ok(facts))));
    both("ladder_sweep", &snap, &mut view);
}

fn curve(points: &[(f64, f64)]) -> Curve {
    Curve {
        step: points.iter().map(|(epoch, _)| (epoch * 140.0) as u64).collect(),
        time: vec![0; points.len()],
        total: points.len(),
        epoch: points.iter().map(|p| p.0).collect(),
        value: points.iter().map(|p| p.1).collect(),
    }
}

/// What a baseline leaves: one epoch, and nothing of the steps on the way.
fn entry(run: Run) -> Entry {
    let epochs = f64::from(run.facts.as_ref().map_or(1, |f| f.epochs));
    let each = |start: f64| {
        let all: Vec<(f64, f64)> =
            (1..=epochs as u32).map(|e| (f64::from(e), start / f64::from(e))).collect();
        curve(&all)
    };
    let acc = run.last["val/acc"];
    let mut curves = BTreeMap::from([
        ("train/loss".to_owned(), each(0.35)),
        ("val/loss".to_owned(), each(0.37)),
        ("val/acc".to_owned(), curve(&[(epochs, acc)])),
        ("test/acc".to_owned(), curve(&[(epochs, run.last["test/acc"])])),
    ]);
    if epochs > 1.0 {
        curves.insert("train/step_loss".to_owned(), each(0.4));
        curves.insert("train/step_lr".to_owned(), each(1e-3));
    }
    let labels = vec!["ham".to_owned(), "spam".to_owned()];
    let counts = vec![vec![420, 4], vec![3, 60]];
    let confusion = Some(Confusion { split: Split::Test, epoch: epochs as u32, labels, counts });
    Entry {
        run,
        curves,
        confusion,
        predictions: Err("has no saved predictions".into()),
        other: None,
    }
}

#[test]
fn a_baseline_beside_networks() {
    let mut snap = listed();
    let entries: Vec<Entry> = runs().into_iter().filter(|r| r.id.0 % 2 == 0).map(entry).collect();
    let mut view = large();
    view.runs.marks = entries.iter().map(|e| e.run.id).collect();
    press(&mut view, &snap, "C");
    answered(&mut snap, &view, &entries);
    both("ladder_compare", &snap, &mut view);
    press(&mut view, &snap, "v v");
    both("ladder_compare_last", &snap, &mut view);
}

#[test]
fn a_baseline_has_no_learning_rate_to_draw() {
    let run = runs().remove(1);
    let entry = entry(run.clone());
    let (mut snap, mut view) = opened(run, 2);
    let mut detail = (**snap.detail.as_ref().unwrap()).clone();
    detail.curves = entry.curves;
    snap.detail = Some(Arc::new(detail));
    view.screen = ScreenId::RUN;
    press(&mut view, &snap, "y");
    both("ladder_run", &snap, &mut view);
}

#[test]
fn groups_of_layers_have_rates_of_their_own() {
    let (mut snap, mut view) = opened(trained(18, RunState::Running, 2.4), 2);
    let mut detail = (**snap.detail.as_ref().unwrap()).clone();
    for (group, name) in ["head", "layer_1", "layer_0", "embeddings"].iter().enumerate() {
        let points: Vec<(f64, f64)> = (1..=48)
            .map(|i| {
                let epoch = f64::from(i) * 0.05;
                let frozen = (epoch - 0.01).floor() < group as f64;
                let rate = 1e-3 * (1.1 - epoch.fract()) / 2.6_f64.powi(group as i32);
                (epoch, if frozen { 0.0 } else { rate })
            })
            .collect();
        detail.curves.insert(format!("train/step_lr/{name}"), curve(&points));
        detail.curves.insert("train/step_lr".to_owned(), curve(&points));
    }
    snap.detail = Some(Arc::new(detail));
    view.screen = ScreenId::RUN;
    press(&mut view, &snap, "y");
    both("run_rates", &snap, &mut view);
    assert!(text(&snap, &mut view, 160, 45).contains("4 groups"));
    press(&mut view, &snap, "l [");
    assert!(text(&snap, &mut view, 160, 45).contains("embeddings"));
}
