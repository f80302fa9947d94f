//! The learning rate of every group of weights as a pure function of the step: the trainer computes
//! with it, and a form can draw it before anything runs.

use super::{RunSpec, Schedule, Unfreeze};

/// A learning-rate schedule: warm-up, then decay.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LrSchedule {
    /// After warm-up, before decay.
    pub peak: f64,
    /// Warm-up: below 1 a share of all steps, from 1 a number of steps.
    pub warmup: f64,
    /// Optimiser steps in all.
    pub total: u64,
    /// How it decays.
    pub shape: Schedule,
}

/// How much lower than its peak the slanted triangular rate starts and ends (Howard & Ruder 2018).
const RATIO: f64 = 32.0;

impl LrSchedule {
    /// The learning rate of step `step`, counted from 0. Formulas: transformers'
    /// `get_{linear,cosine,constant}_schedule_with_warmup`, and [`slanted_triangular`], which is held
    /// at its lowest where the paper's formula would go on below it, even below 0.
    pub fn lr(&self, step: u64) -> f64 {
        if self.shape == Schedule::Slanted {
            let share = if self.warmup < 1.0 {
                self.warmup
            } else {
                self.warmup / self.total.max(1) as f64
            };
            let rate = slanted_triangular(step, self.total, share, RATIO);
            return self.peak * rate.max(1.0 / RATIO);
        }
        // A share is rounded up, as transformers' `warmup_ratio` is.
        let warmup = if self.warmup < 1.0 {
            (self.warmup * self.total as f64).ceil() as u64
        } else {
            self.warmup as u64
        };
        if step < warmup {
            return self.peak * step as f64 / warmup as f64;
        }
        let span = self.total.saturating_sub(warmup).max(1) as f64;
        let done = ((step - warmup) as f64 / span).min(1.0);
        self.peak
            * match self.shape {
                Schedule::Linear => 1.0 - done,
                Schedule::Cosine => 0.5 * (1.0 + (std::f64::consts::PI * done).cos()),
                Schedule::Constant | Schedule::Slanted => 1.0,
            }
    }
}

/// Slanted triangular rate of step `step` of `total`, with a peak of 1: a short rise over the first
/// `cut_frac` of the steps, a long fall after it. Howard & Ruder 2018 (ULMFiT), formula 3.
///
/// The formula has no answer where `total * cut_frac` is below 1; there the rise takes one step and
/// the fall the rest. Rounding `total * cut_frac` down makes the fall too short: the last values may
/// lie below `1 / ratio`, and below 0.
pub fn slanted_triangular(step: u64, total: u64, cut_frac: f64, ratio: f64) -> f64 {
    let t = step as f64;
    // Thousandths of an ulp must not cost a whole step: 0.29 * 100 is 28.999999999999996.
    let cut = (total as f64 * cut_frac + 1e-9).floor();
    let p = if cut < 1.0 {
        let span = (total as f64 - 1.0).max(1.0);
        if step == 0 { 0.0 } else { 1.0 - (t - 1.0) / span }
    } else if t < cut {
        t / cut
    } else {
        // A cut at the very end leaves nothing to fall over.
        1.0 - (t - cut) / (cut * (1.0 / cut_frac - 1.0)).max(1.0)
    };
    (1.0 + p * (ratio - 1.0)) / ratio
}

/// Learning rates by group over a whole run.
///
/// Weights are grouped by their distance from the output: group 0 is the head, 1 the topmost layer
/// (with what lies between it and the head), and so on down; the last is the embeddings. Group `g`
/// learns at the rate of the head times `layer_decay`^g, or divided by it that often where
/// `layer_decay` is above 1, as Howard & Ruder write their 2.6.
///
/// `unfreeze=gradual` trains in stages: the head alone for one epoch, then one group more each
/// epoch, and everything for all that is left. A stage is a fit of its own, as in ULMFiT: the
/// schedule starts over, and so does the optimiser.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rates {
    schedule: LrSchedule,
    per_epoch: u64,
    groups: u32,
    layer_decay: f64,
    unfreeze: Unfreeze,
}

/// A stretch of steps over which the same groups learn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stage {
    /// Its first step, counted from 0.
    pub first: u64,
    /// How many it has.
    pub steps: u64,
    /// Groups that learn: 0 up to, but without, this one.
    pub groups: u32,
}

impl Rates {
    /// The rates of a run with `per_epoch` optimiser steps an epoch and a model of `groups` groups.
    pub fn new(spec: &RunSpec, per_epoch: u64, groups: u32) -> Self {
        let total = per_epoch * u64::from(spec.epochs);
        let schedule =
            LrSchedule { peak: spec.lr, warmup: spec.warmup, total, shape: spec.schedule };
        let groups = groups.max(1);
        Self { schedule, per_epoch, groups, layer_decay: spec.layer_decay, unfreeze: spec.unfreeze }
    }

    /// Optimiser steps of the whole run.
    pub fn total(&self) -> u64 {
        self.schedule.total
    }

    /// Groups of the model, frozen ones included.
    pub fn groups(&self) -> u32 {
        self.groups
    }

    /// The stage that step `step` belongs to. Steps beyond the end belong to the last one.
    pub fn stage(&self, step: u64) -> Stage {
        let whole = |groups| Stage { first: 0, steps: self.schedule.total, groups };
        match self.unfreeze {
            Unfreeze::Auto | Unfreeze::All => whole(self.groups),
            Unfreeze::Head => whole(1),
            Unfreeze::Gradual => {
                let per_epoch = self.per_epoch.max(1);
                let last_epoch = (self.schedule.total / per_epoch).saturating_sub(1);
                let epoch = (step / per_epoch).min(last_epoch);
                let stage = epoch.min(u64::from(self.groups) - 1);
                let first = stage * per_epoch;
                let is_last = stage + 1 == u64::from(self.groups);
                let steps = if is_last { self.schedule.total - first } else { per_epoch };
                Stage { first, steps, groups: stage as u32 + 1 }
            }
        }
    }

    /// The learning rate of the head at step `step`.
    pub fn lr(&self, step: u64) -> f64 {
        let stage = self.stage(step);
        LrSchedule { total: stage.steps, ..self.schedule }.lr(step - stage.first)
    }

    /// The learning rate of a group at step `step`; 0 while it is frozen.
    pub fn of_group(&self, step: u64, group: u32) -> f64 {
        if group < self.stage(step).groups {
            self.lr(step) * layer_factor(self.layer_decay, group)
        } else {
            0.0
        }
    }

    /// True if groups have different rates.
    pub fn differ(&self) -> bool {
        self.groups > 1 && (self.layer_decay != 1.0 || self.unfreeze == Unfreeze::Gradual)
    }

    /// Groups that learn in the end.
    pub fn most_groups(&self) -> u32 {
        self.stage(self.schedule.total.saturating_sub(1)).groups
    }

    /// Groups that never learn because the run has too few epochs to reach them.
    pub fn never_reached(&self) -> u32 {
        match self.unfreeze {
            Unfreeze::Gradual => self.groups - self.most_groups(),
            Unfreeze::Auto | Unfreeze::All | Unfreeze::Head => 0,
        }
    }

    /// The name of a group in curves: `head`, `layer_11` .. `layer_0`, `embeddings`.
    pub fn name(&self, group: u32) -> String {
        match group {
            0 => "head".into(),
            g if g + 1 >= self.groups => "embeddings".into(),
            g => format!("layer_{}", self.groups - 2 - g),
        }
    }
}

/// The factor on the learning rate of group `group`.
pub fn layer_factor(layer_decay: f64, group: u32) -> f64 {
    let power = layer_decay.powi(group as i32);
    if layer_decay > 1.0 { 1.0 / power } else { power }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    /// Computed by the paper's formula (tests/fixtures/ulmfit/schedules.json);
    /// `TUNEBOARD_FIXTURES` names another folder of the same layout.
    fn fixture() -> serde_json::Value {
        let here = || concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures").into();
        let folder = std::env::var_os("TUNEBOARD_FIXTURES").unwrap_or_else(here);
        let path = std::path::Path::new(&folder).join("ulmfit/schedules.json");
        serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
    }

    fn numbers(json: &serde_json::Value) -> Vec<f64> {
        json.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
    }

    #[test]
    fn slanted_triangular_is_the_papers() {
        let json = fixture();
        let usual = &json["slanted_triangular"];
        let cases = usual["cases"].as_array().unwrap().iter().map(|c| (c, usual));
        let others = json["other_cut_ratio"].as_array().unwrap().iter().map(|c| (c, c));
        let mut seen = 0;
        for (case, shape) in cases.chain(others) {
            let (peak, total) = (case["eta_max"].as_f64().unwrap(), case["T"].as_u64().unwrap());
            let cut = shape["cut_frac"].as_f64().unwrap();
            let ratio = shape["ratio"].as_f64().unwrap();
            let plan = LrSchedule { peak, warmup: cut, total, shape: Schedule::Slanted };
            for (step, want) in numbers(&case["lr"]).into_iter().enumerate() {
                let got = peak * slanted_triangular(step as u64, total, cut, ratio);
                assert!((got - want).abs() < 1e-15, "step {step} of {total}: {got} {want}");
                if ratio == RATIO {
                    // What the formula lets fall below its own start is held there.
                    let held = want.max(peak / RATIO);
                    assert!((plan.lr(step as u64) - held).abs() < 1e-15, "{step} of {total}");
                }
                seen += 1;
            }
        }
        let _ = writeln!(std::io::stderr(), "parity: slanted triangles: {seen} rates");
        assert!(seen > 0);
    }

    #[test]
    fn discriminative_rates_are_the_papers() {
        let all = fixture();
        let cases = all["discriminative"].as_array().unwrap();
        assert!(!cases.is_empty());
        for case in cases {
            let want = numbers(&case["group_lrs_first_to_last"]);
            let factor = case["factor"].as_f64().unwrap();
            for (group, want) in want.iter().rev().enumerate() {
                let got = case["lr"].as_f64().unwrap() * layer_factor(factor, group as u32);
                assert!((got - want).abs() < 1e-17, "{got} {want}");
            }
        }
    }

    fn plan(shape: Schedule, warmup: f64, total: u64) -> LrSchedule {
        LrSchedule { peak: 2.0, warmup, total, shape }
    }

    #[test]
    fn linear_rises_and_falls() {
        let plan = plan(Schedule::Linear, 4.0, 20);
        for step in 0..20 {
            let want = if step < 4 { step as f64 / 4.0 } else { (20 - step) as f64 / 16.0 };
            assert!((plan.lr(step) - 2.0 * want).abs() < 1e-15, "{step}");
        }
        assert_eq!(plan.lr(20), 0.0);
        assert_eq!(plan.lr(1000), 0.0);
    }

    #[test]
    fn cosine_is_half_way_in_the_middle() {
        let plan = plan(Schedule::Cosine, 0.0, 10);
        assert_eq!(plan.lr(0), 2.0);
        assert!((plan.lr(5) - 1.0).abs() < 1e-12);
        assert!(plan.lr(10).abs() < 1e-12);
    }

    #[test]
    fn warm_up_is_a_share_or_a_number() {
        // 10.1 steps are rounded up to 11.
        assert!((plan(Schedule::Constant, 0.1, 101).lr(10) - 2.0 * 10.0 / 11.0).abs() < 1e-15);
        assert_eq!(plan(Schedule::Constant, 0.1, 101).lr(11), 2.0);
        assert!((plan(Schedule::Constant, 7.0, 101).lr(6) - 2.0 * 6.0 / 7.0).abs() < 1e-15);
        assert_eq!(plan(Schedule::Constant, 0.0, 101).lr(0), 2.0);
        assert_eq!(plan(Schedule::Constant, 0.0, 101).lr(100), 2.0);
    }

    #[test]
    fn no_length_of_run_or_warm_up_leaves_the_range() {
        let shapes = [Schedule::Linear, Schedule::Cosine, Schedule::Constant, Schedule::Slanted];
        for shape in shapes {
            for total in [0, 1, 2, 3, 5, 9, 10, 11, 37, 99] {
                for warmup in [0.0, 0.01, 0.1, 0.5, 0.99, 1.0, 3.0, 50.0, 1e9] {
                    let plan = plan(shape, warmup, total);
                    let rates = (0..120).map(|step| plan.lr(step));
                    let bad = rates.filter(|lr| !(0.0..=2.0).contains(lr)).count();
                    assert_eq!(bad, 0, "{shape} {warmup} of {total}");
                }
            }
        }
    }

    fn rates(words: &[(&str, &str)], groups: u32) -> Rates {
        let mut spec = RunSpec { lr: 0.01, ..RunSpec::default() };
        for (key, value) in words {
            spec.set(key, value).unwrap();
        }
        Rates::new(&spec, 20, groups)
    }

    #[test]
    fn every_stage_of_gradual_unfreezing_is_a_fit_of_its_own() {
        let rates = rates(&[("epochs", "7"), ("unfreeze", "gradual"), ("schedule", "slanted")], 5);
        let groups: Vec<u32> = (0..7).map(|epoch| rates.stage(epoch * 20).groups).collect();
        assert_eq!(groups, [1, 2, 3, 4, 5, 5, 5]);
        assert_eq!(rates.stage(19), Stage { first: 0, steps: 20, groups: 1 });
        assert_eq!(rates.stage(139), Stage { first: 80, steps: 60, groups: 5 });
        assert_eq!(rates.stage(500), rates.stage(139));
        // The rate starts low with each stage, and not in the middle of the last.
        assert_eq!(rates.lr(20), rates.lr(0));
        assert_eq!(rates.lr(80), rates.lr(0));
        assert!(rates.lr(100) > rates.lr(120) && rates.lr(120) > rates.lr(0));
        assert_eq!(rates.of_group(19, 1), 0.0);
        assert!(rates.of_group(20, 1) > 0.0);
        assert_eq!(rates.never_reached(), 0);
    }

    #[test]
    fn too_few_epochs_leave_the_lowest_groups_as_they_are() {
        let rates = rates(&[("epochs", "3"), ("unfreeze", "gradual")], 5);
        assert_eq!(rates.never_reached(), 2);
        assert!((0..60).all(|step| rates.of_group(step, 3) == 0.0));
        assert_eq!(rates.stage(59), Stage { first: 40, steps: 20, groups: 3 });
    }

    #[test]
    fn decay_above_one_divides_and_below_one_multiplies() {
        let divided = rates(&[("layer_decay", "2.6"), ("schedule", "constant")], 4);
        let times = rates(&[("layer_decay", "0.5"), ("schedule", "constant")], 4);
        assert!((divided.of_group(40, 3) - 0.01 / 2.6_f64.powi(3)).abs() < 1e-15);
        assert!((times.of_group(40, 3) - 0.01 / 8.0).abs() < 1e-15);
        assert_eq!(times.of_group(40, 0), 0.01);
        assert!(divided.differ() && times.differ() && !rates(&[], 4).differ());
    }

    #[test]
    fn groups_are_named_from_the_top_down() {
        let rates = rates(&[], 4);
        let names: Vec<String> = (0..4).map(|group| rates.name(group)).collect();
        assert_eq!(names, ["head", "layer_1", "layer_0", "embeddings"]);
    }
}
