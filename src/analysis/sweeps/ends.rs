//! What runs that have not come to their end would have at it, so that effects count all of them.
//!
//! A run that was cut has lower figures than it would have had, the more so the earlier it was cut: taken as they
//! are they make the keys that it was cut for look greater than they are, and left out they hide them. So the gain that
//! it still had before it is taken from the runs that were most like it where it stopped (imputation by the nearest
//! neighbours: Little & Rubin, Statistical Analysis with Missing Data, section 4.3).

use std::collections::BTreeMap;

use super::Evaluated;
use crate::spec::search::ladder::Evaluation;
use crate::spec::{Outcome, Part, Plan, RunId, RunState, turned};
use crate::store::Run;

/// The gain is the mean over so many runs.
const NEAREST: usize = 3;
/// Neighbours are sought among so many that went further: of a sweep of 20,000 runs all would take seconds.
const MOST: usize = 1000;
/// Shares of a schedule are quotients of steps.
const SLACK: f64 = 1e-9;

/// A run with what it had where it stopped, less is better.
struct Stopped<'a> {
    id: RunId,
    share: f64,
    value: f64,
    curve: &'a [Evaluation],
}

/// The figure of each run at its end: its score where it is done. For another it is the best of all its evaluations, those
/// within an epoch too, plus the mean gain from that share of the schedule on of the three runs that went further and
/// were nearest to it there; as it is where fewer went further. From the furthest run to the earliest, so that one that
/// was cut late stands for one that was cut early. Runs without a figure are left out.
pub(super) fn ends(
    plan: &Plan,
    runs: &[Run],
    evaluated: &Evaluated,
    score: impl Fn(&Run) -> Option<f64>,
) -> BTreeMap<RunId, f64> {
    let mut known: Vec<(Stopped<'_>, f64)> = Vec::new();
    let mut stopped = Vec::new();
    let mut ends = BTreeMap::new();
    for run in runs.iter().filter(|run| run.part != Part::Confirmation) {
        let metric = plan.metric_of(&run.spec);
        let curve = evaluated.get(&run.id).map_or(&[][..], Vec::as_slice);
        let share = curve.last().map_or(0.0, |last| last.share);
        let own = score(run).filter(|x| x.is_finite());
        let reached = best(curve, share);
        if run.state == RunState::Ended(Outcome::Done) || reached.is_none() {
            ends.extend(own.map(|own| (run.id, own)));
            if let (Some(own), Some(value)) = (own, reached) {
                known.push((Stopped { id: run.id, share: 1.0, value, curve }, turned(metric, own)));
            }
        } else if let Some(value) = reached {
            stopped.push((Stopped { id: run.id, share, value, curve }, metric));
        }
    }
    stopped.sort_by(|(a, _), (b, _)| b.share.total_cmp(&a.share).then(a.id.cmp(&b.id)));
    for (run, metric) in stopped {
        let end = run.value + gain(&run, &known);
        // Turned twice, a value is what it was.
        ends.insert(run.id, turned(metric, end));
        known.push((run, end));
    }
    ends
}

/// How much lower the runs end that went further and were nearest there; 0 where too few did.
fn gain(run: &Stopped<'_>, known: &[(Stopped<'_>, f64)]) -> f64 {
    let further = known.iter().filter(|(other, _)| other.share > run.share + SLACK);
    let mut like: Vec<(f64, RunId, f64)> = further
        .filter_map(|(other, end)| {
            let there = best(other.curve, run.share)?;
            Some(((there - run.value).abs(), other.id, end - there))
        })
        .take(MOST)
        .collect();
    if like.len() < NEAREST {
        return 0.0;
    }
    like.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    like.iter().take(NEAREST).map(|(.., gain)| gain).sum::<f64>() / NEAREST as f64
}

/// The best of a curve up to a share of its schedule.
fn best(curve: &[Evaluation], share: f64) -> Option<f64> {
    let until = curve.iter().take_while(|at| at.share <= share + SLACK);
    until.map(|at| at.mark.value).filter(|x| x.is_finite()).min_by(f64::total_cmp)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::sweeps::{report, report_with, score};
    use crate::spec::search::Draws;
    use crate::spec::search::ladder::replay;
    use crate::spec::search::prune::{Mark, Rule};
    use crate::spec::{PrunedAt, RunSpec};

    fn curve(start: i64, accuracies: &[f64]) -> Vec<Evaluation> {
        let of = accuracies.len() as f64;
        let at = |(i, acc): (usize, &f64)| {
            let share = (i + 1) as f64 / of;
            let mark = Mark { value: -acc, loss: -acc };
            Evaluation { time: start + i as i64, epoch: 2.0 * share, share, mark }
        };
        accuracies.iter().enumerate().map(at).collect()
    }

    fn run(id: u32, lr: f64, end: Option<f64>) -> Run {
        let outcome = end.map_or_else(|| Outcome::Pruned(PrunedAt::default()), |_| Outcome::Done);
        Run {
            state: RunState::Ended(outcome),
            best: end.map(|acc| ("val/acc".to_owned(), acc)).into_iter().collect(),
            ..Run::example(id, RunSpec { lr, epochs: 2, ..RunSpec::default() })
        }
    }

    #[test]
    fn a_run_that_was_cut_gains_what_the_runs_nearest_to_it_gained() {
        let ends_at = [0.9, 0.8, 0.7, 0.99];
        let mut runs: Vec<Run> =
            ends_at.iter().zip(1..).map(|(end, id)| run(id, 1e-5, Some(*end))).collect();
        let mut evaluated: Evaluated = [[0.6, 0.9], [0.5, 0.8], [0.4, 0.7], [0.97, 0.99]]
            .iter()
            .zip(1..)
            .map(|(values, id)| (RunId(id), curve(0, values)))
            .collect();
        // Cut within its first epoch, at half its schedule.
        runs.push(run(5, 1e-6, None));
        evaluated.insert(RunId(5), curve(0, &[0.3, 0.3])[..1].to_vec());
        // One that never had an evaluation.
        runs.push(run(6, 1e-6, None));
        let all = Plan::default();
        let found = ends(&all, &runs, &evaluated, |run| score(&all, run));
        assert!((found[&RunId(5)] - 0.6).abs() < 1e-12, "{found:?}");
        assert_eq!((found[&RunId(4)], found.len()), (0.99, 5));
        // With two others alone it stays where it was.
        let few: Vec<Run> =
            runs.iter().filter(|run| [1, 2, 5].contains(&run.id.0)).cloned().collect();
        let found = ends(&all, &few, &evaluated, |run| score(&all, run));
        assert_eq!(found[&RunId(5)], 0.3);
    }

    /// Ninety draws, pruned by the rule of sweeps: the share of the key that decides is what it was without pruning,
    /// and every run counts, though half of them never saw the end of an epoch.
    #[test]
    fn effects_of_a_pruned_sweep_are_those_of_the_whole_one() {
        let mut draws = Draws::new(5, 0);
        let (mut whole, mut curves) = (Vec::new(), Vec::new());
        for id in 1..=90 {
            let lr: f64 = 1e-6 * 1000_f64.powf(draws.unit());
            let top = 0.95 - 0.03 * (lr / 5e-5).ln().powi(2);
            let at = |i: u32| 0.1 + (top - 0.1) * (1.0 - (-f64::from(i) / 3.0).exp());
            let values: Vec<f64> = (1..=16).map(at).collect();
            let mut one = run(id, lr, values.last().copied());
            one.spec.warmup = draws.unit();
            whole.push(one);
            curves.push((RunId(id), curve(i64::from(id) * 100, &values)));
        }
        let cut = replay(&Rule::default(), &curves).cut;
        assert!(cut.len() > 40 && cut.iter().any(|(.., share)| *share < 0.5), "{cut:?}");
        let mut pruned = whole.clone();
        let mut evaluated: Evaluated = curves.into_iter().collect();
        for (id, _, share) in &cut {
            let at = pruned.iter_mut().find(|run| run.id == *id).unwrap();
            at.state = RunState::Ended(Outcome::Pruned(PrunedAt::default()));
            at.best.clear();
            evaluated.get_mut(id).unwrap().retain(|at| at.share <= *share);
        }
        let plan = Plan::default();
        let varied = ["lr", "warmup"].map(str::to_owned);
        let of = |run: &Run| score(&plan, run);
        let ends = ends(&plan, &pruned, &evaluated, of);
        let told = report_with(&pruned, &varied, false, of, |run| ends.get(&run.id).copied());
        let [lr, warmup] = told.effects.as_slice() else { panic!("two keys") };
        let want = report(&whole, &varied, false, of).effects[0].share.unwrap();
        assert!((lr.share.unwrap() - want).abs() < 0.1 && want > 0.9, "{lr:?} {want}");
        assert!(warmup.share < Some(0.05), "{warmup:?}");
        let alone = report(&pruned, &varied, false, of);
        let counted = |found: &crate::analysis::sweeps::SweepReport| -> usize {
            found.effects[0].levels.iter().map(|(_, s)| s.n).sum()
        };
        assert_eq!((counted(&told), counted(&alone)), (90, 90 - cut.len()));
        // What they are told to end with is nearer to the truth than what they had.
        let (mut told_off, mut had_off) = (0.0, 0.0);
        for (id, ..) in &cut {
            let end = whole.iter().find(|run| run.id == *id).and_then(of).unwrap();
            let had = -best(&evaluated[id], 1.0).unwrap();
            told_off += (ends[id] - end).abs();
            had_off += (had - end).abs();
        }
        assert!(told_off < 0.7 * had_off, "{told_off} {had_off}");
    }
}
