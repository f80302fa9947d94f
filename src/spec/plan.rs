use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::metrics::{higher_is_better, val};
use super::search::prune::{Bar, Rivals, Rule};
use super::text::as_text;
use super::{DECIDING, EvalEvery, RunSpec, SpecError, short};

/// What a sweep does besides walking its axes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Plan {
    /// The figure of the val rows that its runs are compared by; `None` = the score of their task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metric: Option<String>,
    /// By which rule runs are stopped before their end; `None` = they are not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prune: Option<Rule>,
    /// After how much time no further trial starts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Until>,
    /// Once its trials have ended, so many of the best settings run again on fresh seeds.
    #[serde(skip_serializing_if = "is_zero")]
    pub confirm: u32,
}

/// Fresh seeds of each setting that is confirmed: the fewest over which a spread says anything.
pub const CONFIRM_SEEDS: u32 = 3;

/// A key of a sweep that is none of a run.
#[derive(Debug)]
pub struct SweepKey {
    /// As written in `key=value` and in TOML.
    pub name: &'static str,
    /// What it takes, for people.
    pub takes: &'static str,
    /// One line for help and forms.
    pub help: &'static str,
}

/// The keys of a sweep, in the order of help and forms.
pub static SWEEP_KEYS: &[SweepKey] = &[
    key(
        "search",
        "grid, random, tpe",
        "how the values are combined: all of them, draws, or draws that learn",
    ),
    key("trials", "1 to 100000", "how many are drawn"),
    key("sweep_seed", "0 or more", "the seed of the draws"),
    key(
        "metric",
        "val/loss, val/acc, val/f1 ...",
        "the figure of the val rows that runs are compared by; the task's own if none is named, such as val/acc",
    ),
    key(
        "prune",
        "none, asha, median",
        "runs that are behind others at a rung are stopped; median = behind those that ended",
    ),
    key("eta", "2 to 16", "prune=asha: of so many runs at a rung about one goes on"),
    key("grace", "0.5 or more", "prune: no run is judged before so many epochs"),
    key(
        "until",
        "90m, 2h, 10gpuh, 10cpuh",
        "after so much time, or device time, no further trial starts",
    ),
    key("confirm", "0 to 100", "so many of the best settings run again on fresh seeds"),
    key("keep_best", "1 or more", "only so many runs keep their checkpoints"),
];

const fn key(name: &'static str, takes: &'static str, help: &'static str) -> SweepKey {
    SweepKey { name, takes, help }
}

/// Whether a key belongs to a sweep and not to a run.
pub fn is_sweep_key(name: &str) -> bool {
    SWEEP_KEYS.iter().any(|key| key.name == name)
}

/// A stretch of time, or of time on devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Until {
    /// Milliseconds since the first of its runs started.
    Wall(i64),
    /// Milliseconds on GPUs, summed over its runs.
    Gpu(i64),
    /// Milliseconds on CPUs, likewise.
    Cpu(i64),
}

impl Plan {
    /// The figure that a run of that spec is compared by.
    pub fn metric_of<'a>(&'a self, spec: &RunSpec) -> &'a str {
        self.metric.as_deref().unwrap_or_else(|| spec.task.score()[0])
    }

    /// The figure that a run of that spec is ranked by: of the validation rows, since test rows must not choose the
    /// winner; under cross-validation of the fold that it holds out, since all rows are held out once.
    pub fn ranked_by(&self, spec: &RunSpec) -> String {
        let of_val = self.metric_of(spec);
        match (&self.metric, of_val.strip_prefix("val/")) {
            _ if spec.folds == 0 => of_val.to_owned(),
            (Some(_), Some(short)) => format!("test/{short}"),
            _ => spec.task.score()[1].to_owned(),
        }
    }

    /// The rungs of a run with the epochs at which it gets there, as far as its evaluations are known before it has
    /// run; empty where nothing is pruned.
    pub fn rungs(&self, spec: &RunSpec) -> Vec<(u32, f64)> {
        let Some(rule) = self.prune else { return Vec::new() };
        let epochs = spec.planned_epochs();
        let per_epoch = match spec.eval_every {
            EvalEvery::Epoch => 1,
            EvalEvery::Share(share) => (1.0 / share).ceil() as u32,
            // How many steps an epoch has is not known yet.
            EvalEvery::Auto | EvalEvery::Steps(_) => EvalEvery::LEAST.div_ceil(epochs.max(1)),
        };
        let epoch = |(at, rung)| (rung, f64::from(at) / f64::from(per_epoch));
        rule.rungs(per_epoch * epochs, epochs).into_iter().map(epoch).collect()
    }

    /// What is going to happen to runs such as this one, as sentences, in a sweep whose settings hold out so many
    /// folds in turn (1 without cross-validation).
    pub fn sentences(&self, spec: &RunSpec, folds: usize) -> Vec<String> {
        let mut said = Vec::new();
        if let Some(rule) = self.prune {
            let at = |(_, epoch): (u32, f64)| short((epoch * 1000.0).round() / 1000.0);
            let epochs: Vec<String> = self.rungs(spec).into_iter().map(at).collect();
            let epochs = epochs.join(", ");
            said.push(match rule.rivals {
                _ if epochs.is_empty() => {
                    "No run is judged: none has an evaluation between half an epoch and its end.".into()
                }
                Rivals::All if rule.bar == Bar::Both => format!(
                    "From the third run on, what is among the best there (about one in {}) or among those with the \
                     lowest val loss goes on after epoch {epochs}.",
                    rule.eta
                ),
                Rivals::All => format!(
                    "From the fifth run on, the best one in {} goes on after epoch {epochs}.",
                    rule.eta
                ),
                Rivals::Finished => format!(
                    "Once four runs got that far, the better half of them and itself goes on after epoch {epochs}."
                ),
            });
        }
        if self.confirm > 0 {
            let settings = if self.confirm == 1 { "setting runs" } else { "settings run" };
            let all = if folds > 1 { format!(" and all {folds} folds") } else { String::new() };
            said.push(format!(
                "Then the best {} {settings} again on {CONFIRM_SEEDS} fresh seeds{all}: {} runs.",
                self.confirm,
                (self.confirm * CONFIRM_SEEDS) as usize * folds
            ));
        }
        said.extend(self.until.map(|until| format!("No further trial starts after {until}.")));
        said
    }

    /// Nothing but what every sweep does.
    pub(super) fn is_plain(&self) -> bool {
        *self == Self::default()
    }
}

/// A value turned so that less is better.
pub fn turned(metric: &str, value: f64) -> f64 {
    if higher_is_better(metric) { -value } else { value }
}

/// What was written of a plan, before it is known to fit together.
#[derive(Debug, Default)]
pub(super) struct Written {
    plan: Plan,
    eta: Option<u32>,
    grace: Option<f64>,
}

impl Written {
    /// Takes a key of a plan; false for any other key.
    pub(super) fn take(&mut self, key: &str, value: &str) -> Result<bool, SpecError> {
        let bad = |why: String| SpecError::BadValue { key: key.into(), value: value.into(), why };
        match key {
            "metric" => self.plan.metric = Some(metric(value).map_err(bad)?),
            "prune" => {
                self.plan.prune = match value {
                    "none" => None,
                    "asha" => Some(Rule::default()),
                    "median" => Some(Rule::median()),
                    _ => return Err(bad("it takes none, asha, median".into())),
                }
            }
            "eta" => {
                let eta = value.parse().ok().filter(|n| (2..=16).contains(n));
                self.eta = Some(eta.ok_or_else(|| bad("it takes 2 to 16".into()))?);
            }
            "grace" => {
                let grace = value.parse().ok().filter(|x: &f64| (0.5..=1e6).contains(x));
                let why = "it takes epochs, half a one at least: before, runs say too little";
                self.grace = Some(grace.ok_or_else(|| bad(why.into()))?);
            }
            "until" => {
                self.plan.until = match value {
                    "" | "none" => None,
                    text => Some(text.parse().map_err(bad)?),
                }
            }
            "confirm" => {
                let count = value.parse().ok().filter(|n| *n <= 100);
                self.plan.confirm = count.ok_or_else(|| bad("it takes 0 to 100".into()))?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// The plan, over what it was before.
    pub(super) fn plan(mut self, base: &RunSpec, is_of_one_task: bool) -> Result<Plan, SpecError> {
        // Where the loss is the value there is nothing else to be ahead in.
        if self.plan.metric_of(base) == val::LOSS
            && let Some(rule) = &mut self.plan.prune
        {
            rule.bar = Bar::Value;
        }
        let written = [("eta", self.eta.is_some()), ("grace", self.grace.is_some())];
        match &mut self.plan.prune {
            Some(rule) => {
                if self.eta.is_some() && rule.rivals == Rivals::Finished {
                    let why = "`eta` is of prune=asha; the better half of prune=median goes on";
                    return Err(SpecError::Sweep(why.into()));
                }
                rule.eta = self.eta.unwrap_or(rule.eta);
                rule.grace = self.grace.unwrap_or(rule.grace);
            }
            None => {
                if let Some((key, _)) = written.iter().find(|(_, is_written)| *is_written) {
                    return Err(SpecError::Sweep(format!("`{key}` needs prune")));
                }
            }
        }
        if let (Some(metric), true) = (&self.plan.metric, is_of_one_task) {
            let figures = base.task.figures();
            if !figures.iter().any(|name| metric.strip_prefix("val/") == Some(*name)) {
                let names: Vec<String> = figures.iter().map(|name| format!("val/{name}")).collect();
                let why = format!("task={} has {}", base.task, names.join(", "));
                return Err(SpecError::BadValue {
                    key: "metric".into(),
                    value: metric.clone(),
                    why,
                });
            }
        }
        Ok(self.plan)
    }
}

impl From<Plan> for Written {
    fn from(plan: Plan) -> Self {
        Self { plan, eta: None, grace: None }
    }
}

fn metric(text: &str) -> Result<String, String> {
    if text.starts_with("test/") {
        return Err(
            "the test rows choose nothing; it takes a figure of the val rows, as val/acc".into()
        );
    }
    let full = if text.contains('/') { text.to_owned() } else { format!("val/{text}") };
    let known = DECIDING.iter().find(|name| **name == full);
    known.map(|name| (*name).to_owned()).ok_or_else(|| format!("it takes {}", DECIDING.join(", ")))
}

/// Milliseconds of each unit.
const UNITS: [(&str, i64); 6] = [
    ("gpuh", 3_600_000),
    ("cpuh", 3_600_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
];

impl FromStr for Until {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected =
            || "it takes a time as 90m or 2h, or time on devices as 10gpuh or 10cpuh".to_owned();
        let unit = UNITS.iter().find_map(|(unit, ms)| Some((text.strip_suffix(unit)?, *unit, *ms)));
        let (count, unit, ms) = unit.ok_or_else(expected)?;
        let count =
            count.parse::<f64>().ok().filter(|x| *x > 0.0 && *x <= 1e6).ok_or_else(expected)?;
        let time = (count * ms as f64) as i64;
        Ok(match unit {
            "gpuh" => Self::Gpu(time),
            "cpuh" => Self::Cpu(time),
            _ => Self::Wall(time),
        })
    }
}

impl fmt::Display for Until {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hours = |time: i64| short(time as f64 / 3_600_000.0);
        match *self {
            Self::Gpu(time) => write!(f, "{}gpuh", hours(time)),
            Self::Cpu(time) => write!(f, "{}cpuh", hours(time)),
            Self::Wall(time) => {
                let whole = |ms: &i64| time % ms == 0;
                match UNITS[2..].iter().find(|(_, ms)| whole(ms)) {
                    Some((unit, ms)) => write!(f, "{}{unit}", time / ms),
                    None => write!(f, "{}s", short(time as f64 / 1000.0)),
                }
            }
        }
    }
}

as_text!(Until);

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Plan, SpecError> {
        let mut written = Written::default();
        for (key, value) in pairs {
            assert!(written.take(key, value)?);
        }
        written.plan(&RunSpec::default(), true)
    }

    #[test]
    fn a_plan_is_what_was_written() {
        let plan = read(&[("grace", "1"), ("prune", "asha"), ("metric", "loss"), ("until", "90m")])
            .unwrap();
        let by_loss = Rule { grace: 1.0, bar: Bar::Value, ..Rule::default() };
        assert_eq!(plan.prune, Some(by_loss));
        assert_eq!(read(&[("prune", "asha")]).unwrap().prune, Some(Rule::default()));
        assert_eq!(plan.metric_of(&RunSpec::default()), "val/loss");
        assert_eq!(Plan::default().metric_of(&RunSpec::default()), "val/acc");
        let json = serde_json::to_string(&plan).unwrap();
        assert_eq!(serde_json::from_str::<Plan>(&json).unwrap(), plan);
        assert_eq!(serde_json::from_str::<Plan>("{}").unwrap(), Plan::default());
        assert_eq!((turned("val/acc", 0.9), turned("val/loss", 0.9)), (-0.9, 0.9));
    }

    #[test]
    fn what_does_not_fit_says_why() {
        for (pairs, want) in [
            (&[("eta", "3")][..], "`eta` needs prune"),
            (&[("prune", "ash")], "it takes none, asha, median"),
            (&[("grace", "0.25")], "half a one at least"),
            (&[("metric", "test/acc")], "the test rows choose nothing"),
            (&[("metric", "pearson")], "task=classify has val/loss, val/acc, val/f1"),
            (&[("metric", "val/bleu")], "it takes val/loss"),
            (&[("until", "soon")], "90m or 2h"),
            (&[("until", "-1h")], "90m or 2h"),
            (&[("confirm", "x")], "0 to 100"),
        ] {
            let got = read(pairs).unwrap_err().to_string();
            assert!(got.contains(want), "{got}");
        }
    }

    #[test]
    fn times_come_back() {
        for text in ["90m", "2h", "1d", "10gpuh", "0.5cpuh", "45s"] {
            assert_eq!(text.parse::<Until>().unwrap().to_string(), text);
        }
    }
}
