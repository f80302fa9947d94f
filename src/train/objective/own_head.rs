//! Whether the classification head of a checkpoint is one for the labels of the data.

use serde_json::Value;
use tuneboard::spec::printable;

use crate::checkpoint::TASK;
use crate::model::Loaded;

/// What a checkpoint's `config.json` says of its head, against the labels of the data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OwnHead {
    /// It has these labels, in this order.
    Same,
    /// It has these labels in another order: class `i` of the data is its class `order[i]`.
    Ordered(Vec<i64>),
    /// It names no labels, or `LABEL_0` and so on: only their number is known.
    Unnamed,
    /// It is for other labels or another task.
    Other,
}

impl OwnHead {
    /// By `id2label`, names compared without regard to case. Labels that are the numbers 0, 1, .. are the
    /// classes of those numbers, whatever they are called, unless they are called by other numbers.
    pub fn of(config: &Value, labels: &[String]) -> Self {
        let is_single = |kind: &str| kind == "single_label_classification";
        if !config.get("problem_type").and_then(Value::as_str).is_none_or(is_single) {
            return Self::Other;
        }
        if config.get(TASK).is_some() {
            return Self::Other;
        }
        let is_ours = config.get("tuneboard_pool").is_some();
        let unnamed = if is_ours { Self::Other } else { Self::Unnamed };
        let Some(had) = head_labels(config) else { return unnamed };
        if had.len() != labels.len() {
            // transformers names two classes where nobody has named any.
            return if is_generic(&had) { unnamed } else { Self::Other };
        }
        let place = |name: &String| {
            let mut fits = (0..).zip(&had).filter(|(_, h)| h.to_lowercase() == name.to_lowercase());
            fits.next().filter(|_| fits.next().is_none()).map(|(class, _)| class)
        };
        let by_name: Option<Vec<i64>> = labels.iter().map(place).collect();
        let by_number = || {
            had.iter().find(|name| name.parse::<i64>().is_err())?;
            let numbers: Option<Vec<i64>> = labels.iter().map(|l| l.parse().ok()).collect();
            numbers.filter(|numbers| {
                let mut sorted = numbers.clone();
                sorted.sort_unstable();
                sorted.into_iter().eq(0..numbers.len() as i64)
            })
        };
        match by_name.or_else(by_number) {
            Some(order) if order.iter().copied().eq(0..order.len() as i64) => Self::Same,
            Some(order) => Self::Ordered(order),
            None if is_generic(&had) => unnamed,
            None => Self::Other,
        }
    }

    /// What a person should know of the head; nothing where it is kept as it is.
    pub fn told(&self, model: &Loaded, labels: &[String]) -> Option<String> {
        const MANY: usize = 200;
        let listed = |names: &str| printable(names, MANY).into_owned();
        let own = labels.join(", ");
        let had = head_labels(&model.json).filter(|had| !is_generic(had)).map(|had| had.join(", "));
        match (self, model.head_given) {
            (Self::Same, true) => None,
            (Self::Ordered(_), true) => Some(format!(
                "The checkpoint's own classification head is kept, its classes in the order of the data: {}.",
                listed(&own)
            )),
            (_, true) => Some(format!(
                "The checkpoint's own classification head is kept. It names no labels; its classes are taken to be, \
                 in this order: {}. init=random draws a new head.",
                listed(&own)
            )),
            (Self::Other, false) if had.is_some() => Some(format!(
                "The classification head is new: the checkpoint's own is for {}.",
                listed(&had.unwrap_or_default())
            )),
            (_, false) => Some("The classification head is new.".to_owned()),
        }
    }
}

/// The labels that a checkpoint's head was trained on, by `id2label`.
pub fn head_labels(config: &Value) -> Option<Vec<&str>> {
    let names = config.get("id2label")?.as_object()?;
    (0..names.len()).map(|class| names.get(&class.to_string())?.as_str()).collect()
}

/// True for the names that transformers gives where nobody has given any.
fn is_generic(names: &[&str]) -> bool {
    names.iter().enumerate().all(|(class, name)| *name == format!("LABEL_{class}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_head_is_kept_by_its_labels_in_whatever_order() {
        let labels = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
        let of = |id2label: Value, names: &[&str]| {
            OwnHead::of(&json!({ "id2label": id2label }), &labels(names))
        };
        let senti = || json!({ "0": "NEGATIVE", "1": "neutral", "2": "Positive" });
        let order = |order: &[i64]| OwnHead::Ordered(order.to_vec());
        assert_eq!(of(senti(), &["negative", "neutral", "positive"]), OwnHead::Same);
        assert_eq!(of(senti(), &["positive", "negative", "neutral"]), order(&[2, 0, 1]));
        assert_eq!(of(senti(), &["bad", "good", "neutral"]), OwnHead::Other);
        assert_eq!(of(senti(), &["negative", "positive"]), OwnHead::Other);
        assert_eq!(of(senti(), &["0", "1", "2"]), OwnHead::Same);
        assert_eq!(of(senti(), &["1", "0", "2"]), order(&[1, 0, 2]));
        assert_eq!(of(json!({ "0": "5", "1": "7" }), &["0", "1"]), OwnHead::Other);
        let generic = || json!({ "0": "LABEL_0", "1": "LABEL_1" });
        assert_eq!(of(generic(), &["ham", "spam"]), OwnHead::Unnamed);
        assert_eq!(of(generic(), &["a", "b", "c"]), OwnHead::Unnamed);
        assert_eq!(of(json!({ "0": "Ham", "1": "ham" }), &["ham", "spam"]), OwnHead::Other);
        assert_eq!(OwnHead::of(&json!({}), &labels(&["a"])), OwnHead::Unnamed);
        let ours = json!({ "tuneboard_pool": "cls" });
        assert_eq!(OwnHead::of(&ours, &labels(&["a"])), OwnHead::Other);
        let many = json!({ "problem_type": "multi_label_classification", "id2label": senti() });
        let same = labels(&["negative", "neutral", "positive"]);
        assert_eq!(OwnHead::of(&many, &same), OwnHead::Other);
    }
}
