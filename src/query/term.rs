//! A query as data, and how it is written.

use std::fmt;

use super::When;
use super::when::stretch;
use crate::spec::{Flag, RunId, SweepId, short};

/// Terms that must all hold.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Query {
    /// In the order in which they were written.
    pub terms: Vec<Term>,
}

/// One test of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Term {
    /// It must not hold.
    pub negated: bool,
    /// What is tested.
    pub test: Test,
}

/// What is tested of a run. Where several values are given, one of them must fit.
#[derive(Debug, Clone, PartialEq)]
pub enum Test {
    /// A text that occurs in id, name, tags, spec, state or note, whatever its case.
    Word(String),
    /// A number compared.
    Number {
        /// Which.
        field: Number,
        /// How.
        op: Op,
        /// With what.
        value: f64,
    },
    /// A number between two, both included.
    Range {
        /// Which.
        field: Number,
        /// At least.
        low: f64,
        /// At most.
        high: f64,
    },
    /// A text; whatever its case.
    Text {
        /// Which.
        field: Text,
        /// The whole text, not a part of it.
        exact: bool,
        /// One of these.
        any: Vec<String>,
    },
    /// One of these tags, whole.
    Tag(Vec<String>),
    /// One of these words of [`super::STATES`].
    State(Vec<String>),
    /// One of these went wrong.
    Flag(Vec<Flag>),
    /// One of these sweeps.
    Sweep(Vec<SweepId>),
    /// One of these stretches of ids, both ends included.
    Id(Vec<(RunId, RunId)>),
    /// Queued at or after.
    Since(When),
    /// Queued before.
    Before(When),
    /// `Some`: only archived ones, or only others; `None`: both.
    Archived(Option<bool>),
}

/// A number that a run has or has not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Number {
    /// A key of its spec.
    Key(&'static str),
    /// A metric, its best value or its last.
    Metric {
        /// The full name.
        name: String,
        /// The last value instead of the best.
        last: bool,
    },
    /// Epochs done.
    Epoch,
    /// Seconds on a device.
    Seconds,
}

/// A text that a run has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Text {
    /// Its name.
    Name,
    /// Its note.
    Note,
    /// A key of its spec.
    Key(&'static str),
}

/// How a number is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// `=` or `:`.
    Equal,
    /// `!=`.
    Unequal,
    /// `<`.
    Less,
    /// `<=`.
    AtMost,
    /// `>`.
    Greater,
    /// `>=`.
    AtLeast,
}

impl Op {
    /// As it is written, also in SQL.
    pub fn sign(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::Unequal => "!=",
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::Greater => ">",
            Self::AtLeast => ">=",
        }
    }

    /// Whether `a op b`; false if one of them is NaN.
    pub fn holds(self, a: f64, b: f64) -> bool {
        match self {
            Self::Equal => a == b,
            Self::Unequal => a != b && !a.is_nan() && !b.is_nan(),
            Self::Less => a < b,
            Self::AtMost => a <= b,
            Self::Greater => a > b,
            Self::AtLeast => a >= b,
        }
    }
}

impl Query {
    /// True if it lets every run through.
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }
}

impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let terms: Vec<String> = self.terms.iter().map(ToString::to_string).collect();
        f.write_str(&terms.join(" "))
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let not = if self.negated { "-" } else { "" };
        write!(f, "{not}{}", self.test)
    }
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Word(word) => f.write_str(&quoted(word, true)),
            Self::Number { field, op, value } => {
                write!(f, "{field}{}{}", op.sign(), number(field, *value))
            }
            Self::Range { field, low, high } => {
                write!(f, "{field}:{}..{}", number(field, *low), number(field, *high))
            }
            Self::Text { field, exact, any } => {
                write!(f, "{field}{}{}", if *exact { '=' } else { ':' }, list(any))
            }
            Self::Tag(tags) => write!(f, "tag:{}", list(tags)),
            Self::State(states) => write!(f, "state:{}", list(states)),
            Self::Flag(flags) => {
                let words: Vec<String> = flags.iter().map(ToString::to_string).collect();
                write!(f, "flag:{}", words.join(","))
            }
            Self::Sweep(sweeps) => {
                let words: Vec<String> = sweeps.iter().map(ToString::to_string).collect();
                write!(f, "sweep:{}", words.join(","))
            }
            Self::Id(ranges) => {
                let word = |(low, high): &(RunId, RunId)| {
                    if low == high { low.to_string() } else { format!("{low}..{high}") }
                };
                write!(f, "id:{}", ranges.iter().map(word).collect::<Vec<_>>().join(","))
            }
            Self::Since(when) => write!(f, "since:{when}"),
            Self::Before(when) => write!(f, "before:{when}"),
            Self::Archived(which) => f.write_str(match which {
                Some(true) => "archived:yes",
                Some(false) => "archived:no",
                None => "archived:any",
            }),
        }
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(key) => f.write_str(key),
            Self::Metric { name, last } => {
                write!(f, "{name}{}", if *last { ".last" } else { "" })
            }
            Self::Epoch => f.write_str("epoch"),
            Self::Seconds => f.write_str("time"),
        }
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Name => "name",
            Self::Note => "note",
            Self::Key(key) => key,
        })
    }
}

fn number(field: &Number, value: f64) -> String {
    match field {
        Number::Seconds if value.fract() == 0.0 && value.abs() < 1e15 => stretch(value as i64),
        _ => short(value),
    }
}

fn list(values: &[String]) -> String {
    values.iter().map(|v| quoted(v, false)).collect::<Vec<_>>().join(",")
}

/// In quotes if it would not be read back as one value otherwise.
pub(super) fn quoted(text: &str, is_word: bool) -> String {
    let odd = |c: char| c.is_whitespace() || matches!(c, '"' | '\\' | ',');
    let operators = |c: char| matches!(c, ':' | '=' | '<' | '>' | '!');
    let plain = !text.is_empty()
        && !text.contains(odd)
        && !(is_word && (text.starts_with('-') || text.contains(operators)));
    if plain {
        text.to_owned()
    } else {
        format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
    }
}
