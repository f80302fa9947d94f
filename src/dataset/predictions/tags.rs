use super::super::parquet::{Cells, Values};
use super::Predictions;
use super::passes::{Read, Written, head, lists, single, whole};

/// What was predicted for each row of a `task=tag`. Columns: `row`, `loss`, JSON lists of `words`, true tags
/// (`label`) and `predicted` tags, and for each tag `log_p_TAG`, a JSON list with the natural logarithm of its
/// probability for each word, to two decimals; null for a word without a token.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tags {
    /// Numbers of the rows in their data file, from 1.
    pub rows: Vec<u64>,
    /// The mean cross-entropy of the words of each row.
    pub loss: Vec<f32>,
    /// `[row][word]`.
    pub words: Vec<Vec<String>>,
    /// `[row][word]`.
    pub truth: Vec<Vec<String>>,
    /// `[row][word]`.
    pub predicted: Vec<Vec<String>>,
    /// The tags whose probabilities are kept; empty where none are, as by older trainers and of very many words.
    pub names: Vec<String>,
    /// Natural logarithms of probabilities, `[row][word * names + tag]`; NaN for a word without a token.
    pub log_p: Vec<Vec<f32>>,
}

impl Tags {
    /// Words times tags of which probabilities are kept at most; as text they take some three bytes each.
    pub const MOST: usize = 10_000_000;

    pub(super) fn columns(&self) -> Written<'_> {
        let texts = |rows: &[Vec<String>]| {
            Values::Lists(rows.iter().map(|row| serde_json::json!(row).to_string()).collect())
        };
        let mut columns = head(&self.rows, &self.loss);
        for (name, rows) in
            [("words", &self.words), ("label", &self.truth), ("predicted", &self.predicted)]
        {
            columns.push((name.to_owned(), texts(rows)));
        }
        for (tag, name) in self.names.iter().enumerate() {
            let list = |row: &Vec<f32>| {
                let of = row.iter().skip(tag).step_by(self.names.len()).map(|x| short(*x));
                format!("[{}]", of.collect::<Vec<_>>().join(","))
            };
            let lists = self.log_p.iter().map(list).collect();
            columns.push((format!("{LOG_P}{name}"), Values::Lists(lists)));
        }
        columns
    }

    pub(super) fn of(columns: Read) -> Option<Self> {
        let mut found = Self::default();
        let mut by_tag: Vec<Vec<Vec<Option<f32>>>> = Vec::new();
        for (name, cells) in columns {
            match (name.as_str(), name.strip_prefix(LOG_P), cells) {
                ("row", _, Cells::Numbers(numbers)) => found.rows = whole(&numbers),
                ("loss", _, Cells::Numbers(numbers)) => found.loss = single(&numbers),
                ("words", _, Cells::Words(words)) => found.words = lists(&words)?,
                ("label", _, Cells::Words(words)) => found.truth = lists(&words)?,
                ("predicted", _, Cells::Words(words)) => found.predicted = lists(&words)?,
                (_, Some(tag), Cells::Words(words)) => {
                    let rows = words.iter().map(|text| serde_json::from_str(text?).ok());
                    by_tag.push(rows.collect::<Option<_>>()?);
                    found.names.push(tag.to_owned());
                }
                _ => {}
            }
        }
        let rows = found.rows.len();
        let fits = |lists: &[Vec<String>]| {
            lists.len() == rows && lists.iter().zip(&found.words).all(|(a, b)| a.len() == b.len())
        };
        let is_whole = fits(&found.words) && fits(&found.truth) && fits(&found.predicted);
        if !is_whole || found.loss.len() != rows {
            return None;
        }
        for (row, words) in found.words.iter().enumerate().filter(|_| !by_tag.is_empty()) {
            let mut values = Vec::with_capacity(words.len() * by_tag.len());
            for word in 0..words.len() {
                for tag in &by_tag {
                    values.push(tag.get(row)?.get(word)?.unwrap_or(f32::NAN));
                }
            }
            found.log_p.push(values);
        }
        Some(found)
    }

    /// Each word with a token as a row of classes, numbered by its row; `None` where no probabilities are kept. A word
    /// whose true tag is none of them is left out.
    pub fn by_word(&self) -> Option<Predictions> {
        let tags = self.names.len();
        if tags == 0 {
            return None;
        }
        let mut like = Predictions { label_names: self.names.clone(), ..Predictions::default() };
        let mut probabilities = vec![Vec::new(); tags];
        for ((row, truth), values) in self.rows.iter().zip(&self.truth).zip(&self.log_p) {
            for (truth, values) in truth.iter().zip(values.chunks(tags)) {
                let Some(label) = self.names.iter().position(|name| name == truth) else {
                    continue;
                };
                if values.iter().any(|x| x.is_nan()) {
                    continue;
                }
                like.rows.push(*row);
                like.labels.push(label as u32);
                // What was rounded adds up to one again.
                let sum: f64 = values.iter().map(|x| f64::from(*x).exp()).sum();
                for (column, x) in probabilities.iter_mut().zip(values) {
                    column.push((f64::from(*x).exp() / sum) as f32);
                }
            }
        }
        Some(Predictions::of_probabilities(&like, probabilities))
    }

    /// The same rows and words with these probabilities, `[row][word * names + tag]` as natural logarithms: predicted is
    /// the most probable tag, the first of a tie; a word without a token stays what it was.
    pub fn of_log_p(like: &Self, log_p: Vec<Vec<f32>>) -> Self {
        let tags = like.names.len().max(1);
        let mut made = Self { log_p, ..like.clone() };
        for (row, values) in made.log_p.iter().enumerate() {
            let (mut sum, mut words) = (0.0, 0_u32);
            let (Some(said), Some(truth)) = (made.predicted.get_mut(row), made.truth.get(row))
            else {
                continue;
            };
            for ((said, truth), values) in said.iter_mut().zip(truth).zip(values.chunks(tags)) {
                if values.iter().any(|x| x.is_nan()) {
                    continue;
                }
                let best =
                    (1..tags).fold(0, |best, at| if values[at] > values[best] { at } else { best });
                said.clone_from(&like.names[best]);
                let own = like.names.iter().position(|name| name == truth);
                sum -= own.and_then(|at| values.get(at)).map_or(0.0, |x| f64::from(*x));
                words += 1;
            }
            if let Some(loss) = made.loss.get_mut(row) {
                *loss = (sum / f64::from(words.max(1))) as f32;
            }
        }
        made
    }

    /// The same at a temperature: `softmax(log p / T)`.
    #[must_use]
    pub fn at_temperature(&self, temperature: f64) -> Self {
        let tags = self.names.len().max(1);
        let word = |values: &[f32]| {
            let most = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            // A low temperature would leave nothing of the sum.
            let scaled = |x: &f32| f64::from(x - most) / temperature;
            let sum: f64 = values.iter().map(|x| scaled(x).exp()).sum();
            let of = |x: &f32| (scaled(x) - sum.ln()) as f32;
            values.iter().map(of).collect::<Vec<f32>>()
        };
        let row = |values: &Vec<f32>| values.chunks(tags).flat_map(word).collect();
        Self::of_log_p(self, self.log_p.iter().map(row).collect())
    }
}

/// What the columns of probabilities begin with.
const LOG_P: &str = "log_p_";

/// As JSON: `-0.03`, `0`, `null`.
fn short(x: f32) -> String {
    if x.is_nan() {
        return "null".to_owned();
    }
    let text = format!("{:.2}", x.max(-1000.0));
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" || text.is_empty() { "0".to_owned() } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_read_back() {
        for (x, want) in
            [(0.0, "0"), (-0.001, "0"), (-0.25, "-0.25"), (-10.0, "-10"), (f32::NAN, "null")]
        {
            assert_eq!(short(x), want);
        }
        assert_eq!(short(f32::NEG_INFINITY), "-1000");
    }

    #[test]
    fn words_are_rows_and_a_temperature_changes_no_tag() {
        let text = |words: &[&str]| words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>();
        let ln = |p: &[f32]| p.iter().map(|p| p.ln()).collect::<Vec<f32>>();
        let tags = Tags {
            rows: vec![7, 3],
            loss: vec![0.0; 2],
            words: vec![text(&["New", "York"]), text(&["\u{200b}", "hm"])],
            truth: vec![text(&["B", "O"]), text(&["O", "B"])],
            predicted: vec![text(&["B", "B"]), text(&["O", "O"])],
            names: text(&["O", "B"]),
            log_p: vec![ln(&[0.25, 0.75, 0.4, 0.6]), [vec![f32::NAN; 2], ln(&[0.9, 0.1])].concat()],
        };
        let words = tags.by_word().unwrap();
        assert_eq!(
            (words.rows, words.labels, words.predicted),
            (vec![7, 7, 3], vec![1, 0, 1], vec![1, 1, 0])
        );
        for (temperature, first) in
            [(1.0, 0.75), (2.0, 0.75_f32.sqrt() / (0.75_f32.sqrt() + 0.5)), (1e-3, 1.0)]
        {
            let at = tags.at_temperature(temperature);
            assert_eq!(at.predicted, tags.predicted, "{temperature}");
            assert!((at.log_p[0][1].exp() - first).abs() < 1e-6, "{temperature}: {:?}", at.log_p);
            assert!(at.log_p[1][0].is_nan() && at.loss[0].is_finite());
        }
        let none = Tags { names: Vec::new(), log_p: Vec::new(), ..tags };
        assert_eq!(none.by_word(), None);
    }
}
