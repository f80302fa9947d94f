//! Evaluations within an epoch: points that come early, and decide only where all rows are looked at.

#![cfg(feature = "train")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use tuneboard::events::{Event, EventKind, Saved, Split};

use crate::trainer::{Desk, SMALL, events, figures, step_losses};

/// Points within an epoch that a reader ends up with, to the bit: by step, and the epoch they are at.
fn between(events: &[Event]) -> BTreeMap<(u64, String), (u64, u64)> {
    let mut kept: Vec<&Event> = Vec::new();
    for event in events {
        if matches!(event.kind, EventKind::Resumed { .. }) {
            kept.retain(|e| e.step <= event.step);
        }
        kept.push(event);
    }
    let mut points = BTreeMap::new();
    for event in kept {
        let EventKind::Metrics { epoch, values } = &event.kind else { continue };
        for (name, value) in values.iter().filter(|(name, _)| name.starts_with("val/")) {
            let place = (event.step, name.clone());
            points.insert(place, (epoch.to_bits(), value.0.to_bits()));
        }
    }
    points
}

fn train(desk: &Desk, name: &str, spec: &str) -> Vec<Event> {
    let run = desk.run_folder(name, spec);
    let output = desk.train(name);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    events(&run)
}

fn best_weights(run: &Path) -> Vec<u8> {
    fs::read(run.join("checkpoints/best/model.safetensors")).unwrap()
}

#[test]
fn a_run_of_one_epoch_is_a_curve_and_learns_the_same() {
    let desk = Desk::new();
    let spec = "max_length = 24\nlimit = 1500\nepochs = 1\nbatch_size = 32\nlr = 1e-3\n";
    let curve = train(&desk, "curve", spec);
    let dot = train(&desk, "dot", &format!("{spec}eval_every = \"epoch\"\n"));
    let points = between(&curve);
    let losses: Vec<&(u64, String)> = points.keys().filter(|(_, n)| n == "val/loss").collect();
    assert_eq!(losses.len() + 1, 8, "{losses:?}");
    assert!(between(&dot).is_empty());
    // 1,200 train rows: 38 steps.
    let epochs = points.iter().map(|((step, _), (epoch, _))| (*step, f64::from_bits(*epoch)));
    for (step, epoch) in epochs {
        assert!((epoch - step as f64 / 38.0).abs() < 1e-9, "{step} {epoch}");
    }
    assert_eq!(figures(&curve), figures(&dot));
    assert_eq!(best_weights(&desk.path("curve")), best_weights(&desk.path("dot")));
}

#[test]
fn a_run_stopped_between_two_evaluations_goes_on_to_the_same_bits() {
    let desk = Desk::new();
    let more = "eval_every = \"0.2\"\neval_rows = \"all\"\nbest = \"acc\"\n";
    let spec = SMALL.replace("limit = 400", "limit = 1600") + more;
    let want = train(&desk, "whole", &spec);
    assert_eq!(between(&want).len(), 2 * 4 * 3);
    let broken = desk.run_folder("broken", &spec);
    desk.stop_at("broken", 37);
    desk.stop_at("broken", 60);
    assert!(desk.train("broken").status.success());
    let got = events(&broken);
    assert_eq!(between(&got), between(&want));
    assert_eq!(figures(&got), figures(&want));
    let (got, want) = (step_losses(&got), step_losses(&want));
    assert!(got.iter().all(|(step, loss)| want.get(step).is_none_or(|other| other == loss)));
    assert_eq!(best_weights(&broken), best_weights(&desk.path("whole")));
}

/// Within an epoch the best weights wait in memory for the next checkpoint; who is killed before it comes to them again.
#[test]
fn a_run_that_is_killed_before_its_best_weights_were_written_loses_nothing() {
    let desk = Desk::new();
    let more = "eval_every = \"2s\"\neval_rows = \"all\"\n";
    let spec = SMALL.replace("limit = 400", "limit = 1600") + more;
    let want = train(&desk, "whole", &spec);
    let written = |events: &[Event], which: Saved| {
        let is_it = |e: &&Event| matches!(&e.kind, EventKind::Saved { what, .. } if *what == which);
        events.iter().filter(is_it).count()
    };
    // Its loss falls nearly each time; not each time is worth a checkpoint.
    let evaluations = between(&want).len() / 3;
    assert!(written(&want, Saved::Best) < evaluations / 2, "{evaluations} evaluations");
    assert!(written(&want, Saved::Best) <= written(&want, Saved::Last));
    let broken = desk.run_folder("broken", &spec);
    for step in [9, 37, 60] {
        desk.signal_at("broken", step, libc::SIGKILL);
    }
    assert!(desk.train("broken").status.success());
    let got = events(&broken);
    assert_eq!((between(&got), figures(&got)), (between(&want), figures(&want)));
    assert_eq!(best_weights(&broken), best_weights(&desk.path("whole")));
}

/// An evaluation of all rows within an epoch may be the best, and patience counts it.
#[test]
fn the_best_evaluation_may_lie_within_an_epoch_and_patience_counts_evaluations() {
    let desk = Desk::new();
    // It only gets worse after the first step.
    let spec = SMALL.replace("lr = 1e-3", "lr = 0.5\nwarmup = 0\nschedule = \"constant\"");
    let more = "eval_every = \"5s\"\neval_rows = \"all\"\nearly_stop = 3\n";
    let told = train(&desk, "r1", &(spec + more));
    let losses: Vec<(u64, f64)> = between(&told)
        .into_iter()
        .filter(|((_, name), _)| name == "val/loss")
        .map(|((step, _), (_, loss))| (step, f64::from_bits(loss)))
        .collect();
    let best = losses.iter().min_by(|a, b| a.1.total_cmp(&b.1)).unwrap();
    let saved = told.iter().rev().find_map(|event| match event.kind {
        EventKind::Saved { what: Saved::Best, epoch, .. } => Some((event.step, epoch)),
        _ => None,
    });
    assert!(saved.is_some_and(|(step, epoch)| step >= best.0 && epoch == 1), "{losses:?}");
    let last = told.iter().map(|event| event.step).max().unwrap();
    assert_eq!(last, best.0 + 15, "three evaluations after the best: {losses:?}");
    let tested = told
        .iter()
        .any(|event| matches!(&event.kind, EventKind::Eval { split: Split::Test, epoch: 1, .. }));
    assert!(tested);
}
