//! Who of a sweep was at which rung, with what, and what follows from it.

use std::collections::BTreeMap;

use super::prune::{Cut, Mark, Rivals, Rule};
use crate::spec::RunId;

/// One look of a run at the val rows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Evaluation {
    /// Milliseconds since the Unix epoch.
    pub time: i64,
    /// Epochs done, with a fraction.
    pub epoch: f64,
    /// The share of its schedule that was done, 0 to 1.
    pub share: f64,
    /// What it had.
    pub mark: Mark,
}

/// A run at a rung.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// The run.
    pub run: RunId,
    /// The first evaluation there.
    pub at: Evaluation,
}

/// The rungs of a sweep with the runs that got there.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Ladder {
    rungs: BTreeMap<u32, Vec<Step>>,
}

impl Rule {
    /// The first evaluation of a run at each rung that it got to, in order.
    pub fn climb(&self, evaluations: &[Evaluation]) -> Vec<(u32, Evaluation)> {
        let rung = |it: &Evaluation| Some((self.rung(it.share, it.epoch)?, *it));
        let mut climbed: Vec<(u32, Evaluation)> = evaluations.iter().filter_map(rung).collect();
        climbed.dedup_by_key(|(rung, _)| *rung);
        climbed
    }
}

impl Ladder {
    /// Puts a run at the rungs that it got to, in the place of what was known of it.
    pub fn put(&mut self, run: RunId, climbed: &[(u32, Evaluation)]) {
        for steps in self.rungs.values_mut() {
            steps.retain(|step| step.run != run);
        }
        for (rung, at) in climbed {
            self.rungs.entry(*rung).or_default().push(Step { run, at: *at });
        }
    }

    /// The rungs from the lowest on, each with its runs.
    pub fn rungs(&self) -> impl Iterator<Item = (u32, &[Step])> {
        self.rungs.iter().map(|(rung, steps)| (*rung, steps.as_slice()))
    }

    /// The highest rung of a run.
    pub fn height(&self, run: RunId) -> Option<(u32, Evaluation)> {
        let on = |(rung, steps): (&u32, &Vec<Step>)| {
            steps.iter().find(|step| step.run == run).map(|step| (*rung, step.at))
        };
        self.rungs.iter().rev().find_map(on)
    }

    /// The first rung at which a run falls behind those that were there before it. A function of what the runs
    /// reported and when, so that it does not matter who asks, and how often.
    pub fn judge(&self, rule: &Rule, run: RunId) -> Option<(u32, Evaluation, Cut)> {
        self.rungs.iter().find_map(|(rung, steps)| {
            let own = steps.iter().find(|step| step.run == run)?;
            Some((*rung, own.at, self.falls(rule, *rung, *own)?))
        })
    }

    /// Whether a run that came to a rung falls behind its rivals there.
    fn falls(&self, rule: &Rule, rung: u32, own: Step) -> Option<Cut> {
        let now = (own.at.time, own.run);
        let is_before =
            |step: &&Step| (step.at.time, step.run) < now && self.is_rival(rule, step, now);
        let steps = self.rungs.get(&rung)?.iter();
        let before: Vec<Mark> = steps.filter(is_before).map(|step| step.at.mark).collect();
        rule.judge(rung, own.at.mark, &before)
    }

    /// What a run has to have that gets to a rung now; `None` while all go on.
    pub fn threshold(&self, rule: &Rule, rung: u32) -> Option<f64> {
        let now = (i64::MAX, RunId(u32::MAX));
        let rivals = self.rungs.get(&rung)?.iter().filter(|step| self.is_rival(rule, step, now));
        rule.threshold(rung, &rivals.map(|step| step.at.mark).collect::<Vec<_>>())
    }

    /// Whether a rule compares with a run, which it may do once that has come to the last rung.
    fn is_rival(&self, rule: &Rule, step: &Step, now: (i64, RunId)) -> bool {
        let last = || self.rungs.get(&Rule::LAST).into_iter().flatten();
        rule.rivals == Rivals::All
            || last().any(|last| last.run == step.run && (last.at.time, last.run) < now)
    }
}

/// What pruning would have made of runs that were not pruned.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Replay {
    /// The runs that it would have stopped, with the rung and the share of their schedule that was done.
    pub cut: Vec<(RunId, u32, f64)>,
    /// The share of all schedules that would not have been walked.
    pub saved: f64,
}

/// Replays runs as they reported, in the order of time: a run that is stopped is not there at later rungs.
pub fn replay(rule: &Rule, runs: &[(RunId, impl AsRef<[Evaluation]>)]) -> Replay {
    let climbs = runs.iter().flat_map(|(run, evaluations)| {
        rule.climb(evaluations.as_ref())
            .into_iter()
            .map(|(rung, at)| (rung, Step { run: *run, at }))
    });
    let mut steps: Vec<(u32, Step)> = climbs.collect();
    steps.sort_by_key(|(rung, step)| (step.at.time, step.run, *rung));
    let mut seen = Ladder::default();
    let mut replay = Replay::default();
    for (rung, step) in steps {
        if replay.cut.iter().any(|(run, ..)| *run == step.run) {
            continue;
        }
        seen.rungs.entry(rung).or_default().push(step);
        if seen.falls(rule, rung, step).is_some() {
            replay.cut.push((step.run, rung, step.at.share));
        }
    }
    if !runs.is_empty() {
        replay.saved =
            replay.cut.iter().map(|(.., share)| 1.0 - share).sum::<f64>() / runs.len() as f64;
    }
    replay
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::search::prune::Bar;

    const RULE: Rule = Rule { rivals: Rivals::All, eta: 2, grace: 0.5, bar: Bar::Value };

    /// A run of two epochs with eight evaluations, one each second, whose value stays what it is.
    fn run(start: i64, value: f64) -> Vec<Evaluation> {
        let evaluation = |i: i64| Evaluation {
            time: start + i,
            epoch: i as f64 / 4.0,
            share: i as f64 / 8.0,
            mark: Mark { value, loss: value },
        };
        (1..=8).map(evaluation).collect()
    }

    /// Runs one after the other, with these values.
    fn runs(values: &[f64]) -> Vec<(RunId, Vec<Evaluation>)> {
        let one = |(i, value): (usize, &f64)| (RunId(i as u32 + 1), run(i as i64 * 100, *value));
        values.iter().enumerate().map(one).collect()
    }

    #[test]
    fn a_run_is_judged_by_those_before_it_alone() {
        let mut ladder = Ladder::default();
        for (id, evaluations) in runs(&[0.5, 0.4, 0.3, 0.2, 0.6, 0.1]) {
            ladder.put(id, &RULE.climb(&evaluations));
        }
        let (rung, at, cut) = ladder.judge(&RULE, RunId(5)).unwrap();
        assert_eq!((rung, at.epoch, cut.rank, cut.of, cut.threshold), (2, 0.5, 5, 5, 0.3));
        assert_eq!(ladder.judge(&RULE, RunId(6)), None);
        // The first ones go on, whatever came after them.
        assert_eq!(ladder.judge(&RULE, RunId(1)), None);
        assert_eq!(ladder.threshold(&RULE, 2), Some(0.3));
        assert_eq!(ladder.height(RunId(1)).unwrap().0, 7);
        // Put again, it is there once.
        ladder.put(RunId(5), &RULE.climb(&run(400, 0.6)[..2]));
        assert_eq!(ladder.rungs().map(|(_, steps)| steps.len()).collect::<Vec<_>>()[..2], [6, 5]);
    }

    #[test]
    fn the_median_is_that_of_runs_that_came_to_the_last_rung() {
        let rule = Rule::median();
        // Four come to their end; three that are better are still at the first rung when the last one gets there.
        let mut all = runs(&[0.5, 0.4, 0.3, 0.2]);
        let young =
            |id: u32, value: f64| (RunId(id), run(400 + i64::from(id), value)[..2].to_vec());
        all.extend([
            young(5, 0.01),
            young(6, 0.02),
            young(7, 0.35),
            young(8, 0.03),
            young(9, 0.25),
        ]);
        let mut ladder = Ladder::default();
        for (id, evaluations) in &all {
            ladder.put(*id, &rule.climb(evaluations));
        }
        assert_eq!(ladder.threshold(&rule, 2), Some(0.3));
        let (_, _, cut) = ladder.judge(&rule, RunId(7)).unwrap();
        assert_eq!((cut.rank, cut.of, cut.threshold), (3, 5, 0.3));
        assert_eq!(ladder.judge(&rule, RunId(9)), None);
        assert!(ladder.judge(&RULE, RunId(9)).is_some(), "all at the rung are rivals of asha");
        assert_eq!(replay(&rule, &all).cut, [(RunId(7), 2, 0.25)]);
        // Before four have come so far nobody is judged.
        let early = [runs(&[0.5, 0.4, 0.3]), vec![young(4, 0.9)]].concat();
        assert!(replay(&rule, &early).cut.is_empty());
    }

    #[test]
    fn a_replay_says_what_would_have_been_saved() {
        let replay = replay(&RULE, &runs(&[0.5, 0.4, 0.3, 0.2, 0.6, 0.1, 0.7]));
        assert_eq!(replay.cut, [(RunId(5), 2, 0.25), (RunId(7), 2, 0.25)]);
        assert!((replay.saved - 1.5 / 7.0).abs() < 1e-12);
        assert_eq!(super::replay(&RULE, &runs(&[])), Replay::default());
    }
}
