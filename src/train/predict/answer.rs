use serde_json::{Value, json};
use tuneboard::analysis::metrics::threshold_at;
use tuneboard::spec::Task;

use crate::checkpoint::{TEMPERATURE, THRESHOLDS};
use crate::objective::{Outputs, Scale};

/// What a model says of a text. The first line names what is predicted, each further line is of one text.
///
/// | task | first line | line |
/// |---|---|---|
/// | classify | `labels` | `label`, `probabilities` in the order of the labels |
/// | multilabel | `labels`, `thresholds` | `given` (labels), `probabilities` |
/// | regress | `targets` | `values` in their units |
/// | tag | `tags` | `words`, `given` (a tag for each), `probabilities` of these; if asked `all`, of all tags for each word |
pub enum Answers {
    /// One class; logits are divided by this temperature.
    Classes(f64),
    /// Labels whose probabilities reach these thresholds, 0.5 where there are none; and what scores are divided by for
    /// the probabilities that are told.
    Sets(Vec<f64>, f64),
    /// Numbers.
    Numbers(Scale),
    /// A tag for each word; logits are divided by this temperature.
    Tags(f64),
}

impl Answers {
    /// Of a model with this config.json.
    pub fn of(task: Task, config: &Value) -> Self {
        let sound = |t: &f64| t.is_finite() && *t > 0.0;
        let temperature =
            config.get(TEMPERATURE).and_then(Value::as_f64).filter(sound).unwrap_or(1.0);
        match task {
            Task::Classify | Task::Lm => Self::Classes(temperature),
            Task::Tag => Self::Tags(temperature),
            Task::Regress => Self::Numbers(Scale::read(config).unwrap_or_default()),
            Task::Multilabel => {
                let kept = config.get(THRESHOLDS).cloned().map(serde_json::from_value);
                Self::Sets(kept.and_then(Result::ok).unwrap_or_default(), temperature)
            }
        }
    }

    /// The first line, and a line for each text. What classes are given are natural logarithms of probabilities, else
    /// the head's scores.
    pub fn lines(&self, names: &[String], said: &Outputs) -> Vec<Value> {
        let mut lines = vec![self.head(names)];
        for row in said.values.chunks(said.classes.max(1)) {
            lines.push(match self {
                Self::Numbers(scale) => {
                    let values = row.iter().enumerate().map(|(at, z)| scale.back(*z, at));
                    json!({ "values": values.collect::<Vec<f64>>() })
                }
                Self::Sets(thresholds, temperature) => {
                    let p: Vec<f32> = row.iter().map(|z| 1.0 / (1.0 + (-z).exp())).collect();
                    let least = |at: usize| thresholds.get(at).copied().unwrap_or(0.5);
                    let given = names.iter().zip(&p).enumerate();
                    let given = given.filter(|(at, (_, p))| f64::from(**p) >= least(*at));
                    let given: Vec<&String> = given.map(|(_, (name, _))| name).collect();
                    let told: Vec<f32> = if *temperature == 1.0 {
                        p
                    } else {
                        let at = |z: &f32| 1.0 / (1.0 + (-f64::from(*z) / temperature).exp());
                        row.iter().map(|z| at(z) as f32).collect()
                    };
                    json!({ "given": given, "probabilities": told })
                }
                Self::Classes(_) | Self::Tags(_) => {
                    let best = row.iter().enumerate().fold(0, |best, (class, value)| {
                        if row.get(best).is_none_or(|highest| value > highest) {
                            class
                        } else {
                            best
                        }
                    });
                    let probabilities = self.probabilities(row);
                    json!({ "label": names.get(best), "probabilities": probabilities })
                }
            });
        }
        lines
    }

    /// Of one text, from natural logarithms of probabilities.
    fn probabilities(&self, row: &[f32]) -> Vec<f32> {
        let temperature = if let Self::Classes(temperature) = self { *temperature } else { 1.0 };
        if temperature == 1.0 {
            return row.iter().map(|x| x.exp()).collect();
        }
        let most = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let power = |x: &f32| (f64::from(x - most) / temperature).exp();
        let sum: f64 = row.iter().map(power).sum();
        row.iter().map(|x| (power(x) / sum) as f32).collect()
    }

    fn head(&self, names: &[String]) -> Value {
        match self {
            Self::Classes(_) => json!({ "labels": names }),
            Self::Numbers(_) => json!({ "targets": names }),
            Self::Tags(_) => json!({ "tags": names }),
            Self::Sets(thresholds, temperature) => {
                let least = |at: usize| {
                    let raw = thresholds.get(at).copied().unwrap_or(0.5);
                    if *temperature == 1.0 { raw } else { threshold_at(raw, *temperature) }
                };
                let thresholds: Vec<f64> = (0..names.len()).map(least).collect();
                json!({ "labels": names, "thresholds": thresholds })
            }
        }
    }
}

/// What is said of a word: of each tag its probability; `None` for a word without a token, which is nothing.
pub type Word = Option<Vec<f32>>;

/// The first line, and a line for each text of its words, each with the most probable tag, the first of a tie; with
/// `all` the probabilities of all tags as well.
pub fn tagged(
    names: &[String],
    texts: &[Vec<String>],
    said: &[Vec<Word>],
    all: bool,
) -> Vec<Value> {
    let mut lines = vec![Answers::Tags(1.0).head(names)];
    for (words, said) in texts.iter().zip(said) {
        let best =
            |p: &Vec<f32>| (1..p.len()).fold(0, |best, at| if p[at] > p[best] { at } else { best });
        let name = |p: &Vec<f32>| names.get(best(p)).map_or("O", String::as_str);
        let given: Vec<&str> = said.iter().map(|p| p.as_ref().map_or("O", name)).collect();
        let own: Vec<Option<f32>> =
            said.iter().map(|p| p.as_ref().and_then(|p| p.get(best(p)).copied())).collect();
        let mut line = json!({ "words": words, "given": given, "probabilities": own });
        if all {
            line["all"] = json!(said);
        }
        lines.push(line);
    }
    lines
}
