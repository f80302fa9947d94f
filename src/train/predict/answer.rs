use serde_json::{Value, json};
use tuneboard::spec::Task;

use crate::checkpoint::THRESHOLDS;
use crate::objective::{Outputs, Scale};

/// What a model says of a text. The first line names what is predicted, each further line is of one text.
///
/// | task | first line | line |
/// |---|---|---|
/// | classify | `labels` | `label`, `probabilities` in the order of the labels |
/// | multilabel | `labels`, `thresholds` | `given` (labels), `probabilities` |
/// | regress | `targets` | `values` in their units |
/// | tag | `tags` | `words`, `given` (a tag for each), `probabilities` of these |
pub enum Answers {
    /// One class.
    Classes,
    /// Labels whose probabilities reach these thresholds, 0.5 where there are none.
    Sets(Vec<f64>),
    /// Numbers.
    Numbers(Scale),
    /// A tag for each word.
    Tags,
}

impl Answers {
    /// Of a model with this config.json.
    pub fn of(task: Task, config: &Value) -> Self {
        match task {
            Task::Classify | Task::Lm => Self::Classes,
            Task::Tag => Self::Tags,
            Task::Regress => Self::Numbers(Scale::read(config).unwrap_or_default()),
            Task::Multilabel => {
                let kept = config.get(THRESHOLDS).cloned().map(serde_json::from_value);
                Self::Sets(kept.and_then(Result::ok).unwrap_or_default())
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
                Self::Sets(thresholds) => {
                    let p: Vec<f32> = row.iter().map(|z| 1.0 / (1.0 + (-z).exp())).collect();
                    let least = |at: usize| thresholds.get(at).copied().unwrap_or(0.5);
                    let given = names.iter().zip(&p).enumerate();
                    let given = given.filter(|(at, (_, p))| f64::from(**p) >= least(*at));
                    let given: Vec<&String> = given.map(|(_, (name, _))| name).collect();
                    json!({ "given": given, "probabilities": p })
                }
                Self::Classes | Self::Tags => {
                    let best = row.iter().enumerate().fold(0, |best, (class, value)| {
                        if row.get(best).is_none_or(|highest| value > highest) {
                            class
                        } else {
                            best
                        }
                    });
                    let probabilities: Vec<f32> = row.iter().map(|x| x.exp()).collect();
                    json!({ "label": names.get(best), "probabilities": probabilities })
                }
            });
        }
        lines
    }

    fn head(&self, names: &[String]) -> Value {
        match self {
            Self::Classes => json!({ "labels": names }),
            Self::Numbers(_) => json!({ "targets": names }),
            Self::Tags => json!({ "tags": names }),
            Self::Sets(thresholds) => {
                let least = |at: usize| thresholds.get(at).copied().unwrap_or(0.5);
                let thresholds: Vec<f64> = (0..names.len()).map(least).collect();
                json!({ "labels": names, "thresholds": thresholds })
            }
        }
    }
}

/// The first line, and a line for each text of its words, given a tag by number and its probability for each;
/// `None` for a word without a token, which is nothing.
pub fn tagged(
    names: &[String],
    texts: &[Vec<String>],
    tags: &[Vec<Option<(i64, f64)>>],
) -> Vec<Value> {
    let mut lines = vec![Answers::Tags.head(names)];
    for (words, tags) in texts.iter().zip(tags) {
        let name = |tag: &Option<(i64, f64)>| match tag {
            Some((tag, _)) => names.get(*tag as usize).map_or("O", String::as_str),
            None => "O",
        };
        let given: Vec<&str> = tags.iter().map(name).collect();
        let p: Vec<Option<f64>> = tags.iter().map(|tag| tag.map(|(_, p)| p)).collect();
        lines.push(json!({ "words": words, "given": given, "probabilities": p }));
    }
    lines
}
