//! The launch form: one text per key of a run, checked as a whole each time it is looked at. Pure.

mod step;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use crate::spec::keys::{KEYS, Key, ValueKind};
use crate::spec::{
    Axis, BuiltIn, KeyGroup, RunId, RunSpec, SWEEP_KEYS, SpecError, Sweep, Values, short,
};
use crate::store::Run;

pub use step::round;

/// What is typed so far. It outlives the screen: leaving loses nothing.
#[derive(Debug, Clone, PartialEq)]
pub struct Form {
    /// The run it was cloned from.
    pub from: Option<RunId>,
    /// In the order of [`KEYS`].
    texts: Vec<String>,
    /// What `texts` were at first.
    first: Vec<String>,
    /// In the order of [`SWEEP_KEYS`]; empty for what is not given.
    sweep: Vec<String>,
    /// Groups whose keys are shown.
    pub open: BTreeSet<KeyGroup>,
    /// An index into [`Form::rows`].
    pub cursor: usize,
}

/// A line of the form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Row {
    /// The heading of a group; folds it.
    Group(KeyGroup),
    /// A key, by its place in [`KEYS`].
    Key(usize),
    /// A key of the sweep, by its place in [`SWEEP_KEYS`].
    Sweep(usize),
    /// Queues what the form says.
    Launch,
}

/// What the form amounts to.
#[derive(Debug, Clone, Default)]
pub struct Checked {
    /// The runs, if every key is right.
    pub sweep: Option<Sweep>,
    /// What is wrong with single keys, in order.
    pub wrong: Vec<(Row, String)>,
    /// The keys that must be given and are not yet; each is in `wrong`, too.
    pub missing: Vec<&'static str>,
    /// What is wrong with them together.
    pub whole: Option<String>,
    /// How many values each varied key takes; `None` for one that is drawn.
    pub varied: Vec<(&'static str, Option<usize>)>,
}

impl Checked {
    /// What is wrong with a row.
    pub fn error(&self, row: Row) -> Option<&str> {
        self.wrong.iter().find(|(at, _)| *at == row).map(|(_, why)| why.as_str())
    }
}

impl Form {
    /// A form with the board's defaults.
    pub fn new(defaults: &RunSpec) -> Self {
        let texts: Vec<String> = KEYS.iter().map(|key| text(key, defaults)).collect();
        let open = [KeyGroup::Experiment].into();
        let sweep = vec![String::new(); SWEEP_KEYS.len()];
        Self { from: None, first: texts.clone(), texts, sweep, open, cursor: 1 }
    }

    /// A form that would train a run again. Its cursor stands on the learning rate, which is what one
    /// changes first.
    pub fn of(run: &Run) -> Self {
        let mut form = Self { from: Some(run.id), ..Self::new(&run.spec) };
        let lr = KEYS.iter().position(|k| k.name == "lr").map(Row::Key);
        form.cursor = form.rows().iter().position(|row| Some(*row) == lr).unwrap_or(1);
        form
    }

    /// The lines in view, from top to bottom.
    pub fn rows(&self) -> Vec<Row> {
        let mut rows = Vec::with_capacity(KEYS.len() + 8);
        for group in KeyGroup::ALL {
            rows.push(Row::Group(group));
            if self.open.contains(&group) {
                let of_group = |(_, key): &(usize, &Key)| key.group == group;
                rows.extend(KEYS.iter().enumerate().filter(of_group).map(|(i, _)| Row::Key(i)));
            }
            if group == KeyGroup::Experiment {
                let shown = (0..SWEEP_KEYS.len()).filter(|i| self.asks_for(*i));
                rows.extend(shown.map(Row::Sweep));
            }
        }
        rows.push(Row::Launch);
        rows
    }

    /// The line under the cursor.
    pub fn row(&self) -> Row {
        self.rows().get(self.cursor).copied().unwrap_or(Row::Launch)
    }

    /// Whether a key of the sweep has a line: once something varies, and those that belong to others with them.
    fn asks_for(&self, i: usize) -> bool {
        let is_given = |i: usize| self.sweep.get(i).is_some_and(|words| !words.is_empty());
        let place = |name: &str| SWEEP_KEYS.iter().position(|key| key.name == name);
        let is_given_by_name = |name: &str| place(name).is_some_and(is_given);
        if is_given(i) {
            return true;
        }
        let varies = self.texts.iter().zip(KEYS).any(|(text, key)| {
            let may = text.contains(',') || text.contains("..") || text.contains('(');
            may && !matches!(Axis::parse(key.name, text), Ok(None))
        });
        match SWEEP_KEYS.get(i).map_or("", |key| key.name) {
            "eta" | "grace" => is_given_by_name("prune"),
            "sweep_seed" => is_given_by_name("trials"),
            _ => varies,
        }
    }

    /// True if a key is drawn at random.
    fn draws(&self) -> bool {
        self.texts.iter().any(|t| t.starts_with("log(") || t.starts_with("uniform("))
    }

    /// What stands in a line.
    pub fn text(&self, row: Row) -> &str {
        match row {
            Row::Key(i) => self.texts.get(i).map_or("", String::as_str),
            Row::Sweep(i) => self.sweep.get(i).map_or("", String::as_str),
            Row::Group(_) | Row::Launch => "",
        }
    }

    /// The value of a key that has one alone.
    pub fn one(&self, key: &str) -> Option<String> {
        let at = KEYS.iter().position(|known| known.name == key)?;
        let text = self.texts.get(at)?.trim();
        (!text.is_empty() && !text.contains(',')).then(|| text.to_owned())
    }

    /// Writes into a line.
    pub fn set(&mut self, row: Row, words: &str) {
        let words = words.trim();
        match row {
            Row::Key(i) => {
                let Some(slot) = self.texts.get_mut(i) else { return };
                let before = std::mem::replace(slot, words.to_owned());
                if KEYS.get(i).is_some_and(|key| key.name == "model") {
                    self.suit_rate(&before, words);
                }
            }
            Row::Sweep(i) => {
                if let Some(slot) = self.sweep.get_mut(i) {
                    words.clone_into(slot);
                }
            }
            Row::Group(_) | Row::Launch => {}
        }
    }

    /// Begins with the usual rate of a built-in network, and goes back with it, as long as nobody typed another: a
    /// recurrent network learns nothing at that of a transformer.
    fn suit_rate(&mut self, before: &str, model: &str) {
        let usual = |name: &str| BuiltIn::named(name)?.usual_lr().map(short);
        let Some(i) = KEYS.iter().position(|key| key.name == "lr") else { return };
        let first = self.first.get(i).cloned().unwrap_or_default();
        let Some(rate) = self.texts.get_mut(i) else { return };
        if before != model && (*rate == first || usual(before).is_some_and(|own| own == *rate)) {
            *rate = usual(model).unwrap_or(first);
        }
    }

    /// Puts back what stood in a line at first.
    pub fn reset(&mut self, row: Row) {
        let first = match row {
            Row::Key(i) => self.first.get(i).cloned(),
            _ => None,
        };
        self.set(row, &first.unwrap_or_default());
    }

    /// True if a line differs from what it was at first.
    pub fn is_changed(&self, row: Row) -> bool {
        match row {
            Row::Key(i) => self.texts.get(i) != self.first.get(i),
            Row::Sweep(_) => !self.text(row).is_empty(),
            Row::Group(group) => KEYS
                .iter()
                .enumerate()
                .any(|(i, key)| key.group == group && self.is_changed(Row::Key(i))),
            Row::Launch => false,
        }
    }

    /// What stood in a line at first.
    pub fn first(&self, row: Row) -> &str {
        match row {
            Row::Key(i) => self.first.get(i).map_or("", String::as_str),
            _ => "",
        }
    }

    /// Puts the cursor on the key whose name begins with these words, or contains them, and shows its group.
    pub fn find(&mut self, words: &str) {
        let words = words.trim().to_lowercase();
        let named = |fits: &dyn Fn(&str) -> bool| KEYS.iter().position(|key| fits(key.name));
        let found = named(&|name| name.starts_with(&words))
            .or_else(|| named(&|name| name.contains(&words)));
        let Some((i, key)) = found.and_then(|i| Some((i, KEYS.get(i)?))) else { return };
        self.open.insert(key.group);
        self.cursor = self.rows().iter().position(|row| *row == Row::Key(i)).unwrap_or(self.cursor);
    }

    /// Checks every key alone and all together. `draft` is a line that is being typed.
    pub fn check(&self, draft: Option<(Row, &str)>) -> Checked {
        let mut form = self.clone();
        if let Some((row, words)) = draft {
            form.set(row, words);
        }
        let mut checked = Checked::default();
        for (i, (key, text)) in KEYS.iter().zip(&form.texts).enumerate() {
            match Axis::parse(key.name, text).and_then(|axis| single(key, text, axis)) {
                Ok(None) => {}
                Ok(Some(axis)) => {
                    let count = match &axis.values {
                        Values::List(values) => Some(values.len()),
                        Values::Uniform(..) | Values::Log(..) => None,
                    };
                    checked.varied.push((key.name, count));
                }
                // Nothing is wrong with a form that was just opened.
                Err(_) if text.trim().is_empty() && key.name == "model" => {
                    checked.missing.push(key.name);
                    let why = "No model is chosen yet; enter lists those in models/.";
                    checked.wrong.push((Row::Key(i), why.to_owned()));
                }
                Err(_) if text.trim().is_empty() && key.name == "data" => {
                    checked.missing.push(key.name);
                    let why = "No data file is chosen yet; enter lists those in data/.";
                    checked.wrong.push((Row::Key(i), why.to_owned()));
                }
                Err(error) => checked.wrong.push((Row::Key(i), error.to_string())),
            }
        }
        if checked.wrong.is_empty() {
            match form.sweep() {
                Ok(sweep) => checked.sweep = Some(sweep),
                Err(error) if form.draws() && form.given("trials").parse::<u32>().is_err() => {
                    checked.wrong.extend(sweep_row("trials").map(|row| (row, error.to_string())));
                }
                Err(SpecError::BadValue { key, value, why }) if sweep_row(&key).is_some() => {
                    let row = sweep_row(&key);
                    let error = SpecError::BadValue { key, value, why };
                    checked.wrong.extend(row.map(|row| (row, error.to_string())));
                }
                Err(error) => checked.whole = Some(error.to_string()),
            }
        }
        checked
    }

    fn sweep(&self) -> Result<Sweep, SpecError> {
        let pairs = KEYS.iter().zip(&self.texts).map(|(k, t)| (k.name, t.as_str()));
        let of_sweep = SWEEP_KEYS.iter().zip(&self.sweep).map(|(k, t)| (k.name, t.as_str()));
        let of_sweep = of_sweep.filter(|(_, text)| !text.is_empty());
        let sweep = Sweep::parse(RunSpec::default(), pairs.chain(of_sweep))?;
        sweep.next(0)?;
        Ok(sweep)
    }

    /// What `[sweeps.NAME]` holds: the pairs that differ from the board's defaults.
    pub fn pairs(&self, defaults: &RunSpec) -> Vec<(String, String)> {
        let mut pairs: Vec<(String, String)> = KEYS
            .iter()
            .zip(&self.texts)
            .filter(|(key, words)| **words != text(key, defaults))
            .map(|(key, words)| (key.name.to_owned(), words.clone()))
            .collect();
        let of_sweep = SWEEP_KEYS.iter().zip(&self.sweep).filter(|(_, text)| !text.is_empty());
        pairs.extend(of_sweep.map(|(key, text)| (key.name.to_owned(), text.clone())));
        pairs
    }

    /// What is given for a key of the sweep.
    fn given(&self, name: &str) -> &str {
        sweep_row(name).map_or("", |row| self.text(row))
    }
}

/// The line of a key of the sweep.
fn sweep_row(name: &str) -> Option<Row> {
    SWEEP_KEYS.iter().position(|key| key.name == name).map(Row::Sweep)
}

/// A key's value as it would be typed: a comma of its own is no list.
pub fn text(key: &Key, spec: &RunSpec) -> String {
    let value = (key.get)(spec);
    match key.kind {
        ValueKind::Text | ValueKind::Path => value.replace(',', "\\,"),
        _ => value,
    }
}

/// [`Axis::parse`] leaves single values with commas of their own unread.
fn single(key: &Key, text: &str, axis: Option<Axis>) -> Result<Option<Axis>, SpecError> {
    if axis.is_none() {
        let text = if key.kind.owns_commas(text) { text } else { &text.replace("\\,", ",") };
        RunSpec::default().set(key.name, text)?;
    }
    Ok(axis)
}
