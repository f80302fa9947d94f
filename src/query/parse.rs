//! From text to [`Query`]: one cursor over the characters, so that every error has its column.

use super::fields::{self, Field, STATES};
use super::term::{Number, Op, Query, Term, Test};
use super::when::seconds;
use super::{QueryError, When};
use crate::spec::keys::{self, ValueKind};
use crate::spec::{Flag, RunId, SweepId, or_nearest, or_one_of};

impl Query {
    /// Reads a query without saved views.
    ///
    /// # Errors
    /// The first thing that is wrong, with its column and what may have been meant.
    pub fn parse(text: &str) -> Result<Self, QueryError> {
        Self::parse_with(text, &|_| None)
    }

    /// Reads a query; `view` gives the text of a saved one, which must not name views itself.
    ///
    /// # Errors
    /// As [`Query::parse`]; an error within a view points at its name.
    pub fn parse_with(
        text: &str,
        view: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, QueryError> {
        let mut cursor = Cursor { chars: text.chars().collect(), at: 0 };
        let mut query = Self::default();
        loop {
            cursor.skip(char::is_whitespace);
            if cursor.peek().is_none() {
                return Ok(query);
            }
            query.terms.extend(term(&mut cursor, view)?);
        }
    }
}

struct Cursor {
    chars: Vec<char>,
    at: usize,
}

impl Cursor {
    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn eat(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        self.at += usize::from(found);
        found
    }

    fn skip(&mut self, is: impl Fn(char) -> bool) {
        while self.peek().is_some_and(&is) {
            self.at += 1;
        }
    }

    fn take(&mut self, is: impl Fn(char) -> bool) -> String {
        let start = self.at;
        self.skip(is);
        self.chars.get(start..self.at).unwrap_or_default().iter().collect()
    }

    /// A text in quotes, behind the first of them; a backslash keeps the character behind it.
    fn quoted(&mut self) -> Result<String, QueryError> {
        let start = self.at;
        let mut text = String::new();
        while let Some(c) = self.peek() {
            self.at += 1;
            match c {
                '"' => return Ok(text),
                '\\' => {
                    text.extend(self.peek());
                    self.at += 1;
                }
                c => text.push(c),
            }
        }
        Err(error(start, "the quote that opens here is never closed."))
    }
}

/// `at` counts from 0, people from 1.
fn error(at: usize, why: impl Into<String>) -> QueryError {
    QueryError { column: at + 1, why: why.into() }
}

fn term(
    cursor: &mut Cursor,
    view: &dyn Fn(&str) -> Option<String>,
) -> Result<Vec<Term>, QueryError> {
    let start = cursor.at;
    let negated = cursor.eat('-');
    let key_at = cursor.at;
    match cursor.peek() {
        None => return Err(error(start, "a `-` stands before what must not hold.")),
        Some(c) if c.is_whitespace() => {
            return Err(error(start, "a `-` stands before what must not hold."));
        }
        _ => {}
    }
    if cursor.eat('"') {
        let test = Test::Word(cursor.quoted()?);
        return Ok(vec![Term { negated, test }]);
    }
    let key = cursor.take(|c| c.is_alphanumeric() || matches!(c, '_' | '.' | '/' | '-'));
    let Some(op) = operator(cursor) else {
        let rest = cursor.take(|c| !c.is_whitespace());
        return Ok(vec![Term { negated, test: Test::Word(key + &rest) }]);
    };
    if key.is_empty() {
        return Err(error(key_at, "a key is missing before the operator, as `lr` in lr<3e-5."));
    }
    let field = fields::find(&key).map_err(|near| {
        let near = or_nearest(near.as_deref());
        error(key_at, format!("there is no key `{key}`{near} Text to look for stands in quotes."))
    })?;
    let value_at = cursor.at;
    let values = values(cursor)?;
    if field == Field::View {
        return saved(&values, negated, value_at, view);
    }
    let test = test(field, &key, op, values, value_at)?;
    Ok(vec![Term { negated, test }])
}

/// What stands between a key and its values.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Sign {
    Colon,
    Op(Op),
}

fn operator(cursor: &mut Cursor) -> Option<Sign> {
    let start = cursor.at;
    let first = cursor.peek()?;
    cursor.at += 1;
    let op = match first {
        ':' => return Some(Sign::Colon),
        '=' => Op::Equal,
        '!' if cursor.eat('=') => Op::Unequal,
        '<' if cursor.eat('=') => Op::AtMost,
        '<' => Op::Less,
        '>' if cursor.eat('=') => Op::AtLeast,
        '>' => Op::Greater,
        _ => {
            cursor.at = start;
            return None;
        }
    };
    Some(Sign::Op(op))
}

/// Values parted by commas, each with its place.
fn values(cursor: &mut Cursor) -> Result<Vec<(usize, String)>, QueryError> {
    let mut found = Vec::new();
    loop {
        let at = cursor.at;
        let value = if cursor.eat('"') {
            cursor.quoted()?
        } else {
            let value = cursor.take(|c| !c.is_whitespace() && c != ',');
            if value.is_empty() {
                return Err(error(at, "a value is missing here."));
            }
            value
        };
        found.push((at, value));
        if !cursor.eat(',') {
            return match cursor.peek() {
                Some(c) if !c.is_whitespace() => {
                    Err(error(cursor.at, "a space is missing behind the quotes."))
                }
                _ => Ok(found),
            };
        }
    }
}

fn test(
    field: Field,
    key: &str,
    sign: Sign,
    values: Vec<(usize, String)>,
    at: usize,
) -> Result<Test, QueryError> {
    let op = match sign {
        Sign::Colon => Op::Equal,
        Sign::Op(op) => op,
    };
    if let Field::Number(field) = field {
        let [(at, value)] = values.as_slice() else {
            return Err(error(at, format!("`{key}` takes one number; a range is written 1..3.")));
        };
        return number(field, key, op, *at, value);
    }
    if op != Op::Equal && !(op == Op::Unequal && matches!(field, Field::Text(_))) {
        let why = format!("`{key}` is no number: it takes `{key}:`, and `-` before it for not.");
        return Err(error(at, why));
    }
    let words = || values.iter().map(|(_, v)| v.clone()).collect::<Vec<_>>();
    let each = |takes: &dyn Fn(&str) -> Result<(), String>| {
        values.iter().try_for_each(|(at, v)| takes(v).map_err(|why| error(*at, why)))
    };
    Ok(match field {
        Field::Text(_) if op == Op::Unequal => {
            return Err(error(at, format!("write -{key}= instead of {key}!=.")));
        }
        Field::Text(field) => {
            let exact = sign != Sign::Colon;
            let mut any = words();
            let kind = keys::find(key).ok().map(|k| k.kind);
            if kind.is_some_and(|kind| kind.owns_commas(&any.join(","))) {
                // Its commas are its own.
                any = vec![any.join(",")];
            }
            if let (Some(ValueKind::Choice(known)), true) = (kind, exact) {
                each(&|v| one_of(v, known))?;
            }
            Test::Text { field, exact, any }
        }
        Field::Tag => Test::Tag(words()),
        Field::State => {
            each(&|v| one_of(v, &STATES))?;
            Test::State(words())
        }
        Field::Flag => {
            each(&|v| one_of(v, Flag::WORDS))?;
            Test::Flag(values.iter().filter_map(|(_, word)| word.parse().ok()).collect())
        }
        Field::Sweep => {
            Test::Sweep(parsed(&values, |v| v.parse::<SweepId>().ok(), "a sweep is written s3.")?)
        }
        Field::Id => Test::Id(parsed(&values, ids, "a run is written r12, a range r3..r9.")?),
        Field::Since | Field::Before => {
            let why = "a time is written 30m, 12h, 7d, 2w (ago) or 2026-01-31.";
            let times = parsed(&values, |v| v.parse::<When>().ok(), why)?;
            let [when] = times.as_slice() else { return Err(error(at, why)) };
            if field == Field::Since { Test::Since(*when) } else { Test::Before(*when) }
        }
        Field::Archived => match words().as_slice() {
            [word] if word == "yes" => Test::Archived(Some(true)),
            [word] if word == "no" => Test::Archived(Some(false)),
            [word] if word == "any" => Test::Archived(None),
            _ => return Err(error(at, "`archived` takes yes, no or any.")),
        },
        Field::Number(_) | Field::View => return Err(error(at, "this cannot stand here.")),
    })
}

fn number(field: Number, key: &str, op: Op, at: usize, text: &str) -> Result<Test, QueryError> {
    let one = |text: &str| {
        let plain = text.parse::<f64>().ok().filter(|x| x.is_finite());
        let long = (field == Number::Seconds).then(|| seconds(text).map(|s| s as f64)).flatten();
        plain.or(long)
    };
    if let (Op::Equal, Some((low, high))) = (op, text.split_once(".."))
        && let (Some(low), Some(high)) = (one(low), one(high))
    {
        return Ok(Test::Range { field, low, high });
    }
    match one(text) {
        Some(value) => Ok(Test::Number { field, op, value }),
        None if field == Number::Seconds => {
            Err(error(at, format!("`{text}` is no time: {key} takes 90s, 5m, 2h, 1d.")))
        }
        None => Err(error(at, format!("`{text}` is no number, and {key} takes one."))),
    }
}

fn ids(text: &str) -> Option<(RunId, RunId)> {
    match text.split_once("..") {
        Some((low, high)) => Some((low.parse().ok()?, high.parse().ok()?)),
        None => text.parse().ok().map(|id| (id, id)),
    }
}

fn parsed<T>(
    values: &[(usize, String)],
    read: impl Fn(&str) -> Option<T>,
    why: &str,
) -> Result<Vec<T>, QueryError> {
    values.iter().map(|(at, v)| read(v).ok_or_else(|| error(*at, why))).collect()
}

fn one_of(word: &str, known: &[&str]) -> Result<(), String> {
    if known.contains(&word) {
        return Ok(());
    }
    Err(format!("there is no `{word}`{}", or_one_of(word, known.iter().copied(), "it takes")))
}

/// The terms of a saved query.
fn saved(
    values: &[(usize, String)],
    negated: bool,
    at: usize,
    view: &dyn Fn(&str) -> Option<String>,
) -> Result<Vec<Term>, QueryError> {
    let [(at, name)] = values else { return Err(error(at, "`view` takes one name.")) };
    if negated {
        return Err(error(*at, "a view cannot be turned round; write its terms."));
    }
    let text = view(name).ok_or_else(|| {
        error(*at, format!("there is no view `{name}`; [views] in config.toml names them."))
    })?;
    let query = Query::parse(&text)
        .map_err(|e| error(*at, format!("the view `{name}` cannot be read: {}", e.why)))?;
    Ok(query.terms)
}

impl Query {
    /// Whether a word of a command line is meant as a query and not as an id: it has an operator or a
    /// quote.
    pub fn is_meant(text: &str) -> bool {
        text.contains([':', '=', '<', '>', '"'])
    }
}
