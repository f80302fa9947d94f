//! The columns that lists of runs may have: what `ls --columns`, `[tui.columns]` and the dashboard's `o` name.

use std::fmt;

use super::keys::KEYS;
use super::metrics::{self, test, train, val};
use super::nearest;

/// A column of a list of runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListColumn {
    /// `r42`.
    Id,
    /// What the run does.
    State,
    /// For people.
    Name,
    /// Epochs done.
    Epoch,
    /// Loss so far, as a line.
    Curve,
    /// Time on a device.
    Time,
    /// Bytes in the run's folder.
    Disk,
    /// Examples a second.
    Speed,
    /// What went wrong.
    Flags,
    /// Tags.
    Tags,
    /// The note.
    Note,
    /// When it was queued.
    Created,
    /// Where it runs.
    Site,
    /// A key of the spec.
    Key(&'static str),
    /// The best value of a metric.
    Best(String),
    /// Its latest value; of `val/acc@3`, its value at the end of epoch 3.
    Last(String),
}

/// The columns that are neither keys nor metrics.
pub const LIST_COLUMNS: [(&str, ListColumn); 13] = [
    ("id", ListColumn::Id),
    ("state", ListColumn::State),
    ("name", ListColumn::Name),
    ("epoch", ListColumn::Epoch),
    ("curve", ListColumn::Curve),
    ("time", ListColumn::Time),
    ("disk", ListColumn::Disk),
    ("speed", ListColumn::Speed),
    ("flags", ListColumn::Flags),
    ("tags", ListColumn::Tags),
    ("note", ListColumn::Note),
    ("created", ListColumn::Created),
    ("site", ListColumn::Site),
];

impl ListColumn {
    /// Reads a name: one of [`LIST_COLUMNS`], a key, or a metric. A metric stands for its best value, on test rows for its
    /// last; `best:` and `last:` before it say which, and `@3` behind it means its value at the end of epoch 3.
    ///
    /// # Errors
    /// A name that is no column, an epoch that is none; one sentence with the nearest that is.
    pub fn read(name: &str) -> Result<Self, String> {
        if let Some((_, column)) = LIST_COLUMNS.iter().find(|(word, _)| *word == name) {
            return Ok(column.clone());
        }
        if let Some(key) = KEYS.iter().find(|key| key.name == name) {
            return Ok(Self::Key(key.name));
        }
        if let Some((metric, epoch)) = name.rsplit_once('@').filter(|(m, _)| m.contains('/')) {
            return match epoch.parse::<u32>() {
                Ok(1..) if !metric.contains(':') => Ok(Self::Last(name.into())),
                _ => {
                    let name = super::printable(name, 60);
                    Err(format!(
                        "`{name}` names no epoch; write `val/acc@3` for the end of epoch 3."
                    ))
                }
            };
        }
        match name.split_once(':') {
            Some(("best", metric)) if metric.contains('/') => return Ok(Self::Best(metric.into())),
            Some(("last", metric)) if metric.contains('/') => return Ok(Self::Last(metric.into())),
            None if name.starts_with("test/") => return Ok(Self::Last(name.into())),
            None if name.contains('/') => return Ok(Self::Best(name.into())),
            _ => {}
        }
        let known =
            LIST_COLUMNS.iter().map(|(word, _)| *word).chain(KEYS.iter().map(|key| key.name));
        let known = known.chain([val::ACC, val::LOSS, val::F1, test::ACC]);
        let near = nearest(name, known).unwrap_or_else(|| "id".to_owned());
        let name = super::printable(name, 60);
        Err(format!("`{name}` is no column; did you mean `{near}`?"))
    }

    /// The metric and whether its best value is meant: what a column of numbers shows.
    pub fn metric(&self) -> Option<(&str, bool)> {
        match self {
            Self::Best(metric) => Some((metric, true)),
            Self::Last(metric) => Some((metric, false)),
            Self::Speed => Some((train::EXAMPLES_PER_S, false)),
            _ => None,
        }
    }

    /// The metric and the epoch, of a value at the end of an epoch.
    pub fn at_epoch(&self) -> Option<(&str, u32)> {
        let Self::Last(name) = self else { return None };
        let (metric, epoch) = name.rsplit_once('@')?;
        Some((metric, epoch.parse().ok()?))
    }

    /// What heads it in a table for people.
    pub fn title(&self) -> String {
        match self {
            Self::Best(metric) => {
                format!("best {}", metrics::heading(metric).trim_start_matches("val "))
            }
            Self::Last(metric) => metrics::heading(metric),
            Self::Speed => {
                metrics::find(train::EXAMPLES_PER_S).map_or("speed", |m| m.title).to_owned()
            }
            Self::Curve => String::new(),
            _ => self.to_string(),
        }
    }
}

/// The name that [`ListColumn::read`] reads.
impl fmt::Display for ListColumn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(key) => f.write_str(key),
            Self::Best(metric) if metric.starts_with("test/") => write!(f, "best:{metric}"),
            Self::Last(metric) if !metric.starts_with("test/") && !metric.contains('@') => {
                write!(f, "last:{metric}")
            }
            Self::Best(metric) | Self::Last(metric) => f.write_str(metric),
            word => {
                let name = LIST_COLUMNS.iter().find(|(_, column)| column == word);
                f.write_str(name.map_or("", |(name, _)| name))
            }
        }
    }
}

/// A column that was chosen, and how wide it is to be; without a width, as wide as what stands in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChosenColumn {
    /// The column.
    pub column: ListColumn,
    /// Columns of the terminal.
    pub width: Option<u16>,
}

impl ChosenColumn {
    /// Reads `id,state,name=40,lr,val/acc,last:val/loss`.
    ///
    /// # Errors
    /// A name that is no column, a width that is none.
    pub fn list(text: &str) -> Result<Vec<Self>, String> {
        let one = |word: &str| {
            let Some((name, width)) = word.split_once('=') else {
                return Ok(Self { column: ListColumn::read(word)?, width: None });
            };
            let width = width.trim().parse().ok().filter(|width| (1..=200).contains(width));
            let name = name.trim();
            let width = width.ok_or_else(|| {
                format!("The width of `{}` is a number from 1 to 200.", super::printable(name, 60))
            })?;
            Ok(Self { column: ListColumn::read(name)?, width: Some(width) })
        };
        text.split(',').map(str::trim).filter(|word| !word.is_empty()).map(one).collect()
    }

    /// What [`ChosenColumn::list`] reads.
    pub fn text(list: &[Self]) -> String {
        let one = |chosen: &Self| match chosen.width {
            Some(width) => format!("{}={width}", chosen.column),
            None => chosen.column.to_string(),
        };
        list.iter().map(one).collect::<Vec<_>>().join(",")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_words_keys_and_metrics_or_corrected() {
        let text = "id,disk,lr,model,val/acc,last:val/acc,test/acc,best:test/acc,name=40";
        let list = ChosenColumn::list(text).unwrap();
        assert_eq!(ChosenColumn::text(&list), text);
        assert_eq!(list[4].column, ListColumn::Best("val/acc".into()));
        assert_eq!(list[6].column, ListColumn::Last("test/acc".into()));
        assert_eq!(list[8].width, Some(40));
        for (_, column) in LIST_COLUMNS {
            assert_eq!(ListColumn::read(&column.to_string()), Ok(column));
        }
        for (word, near) in [("disc", "disk"), ("batchsize", "batch_size"), ("flag", "flags")] {
            let error = ListColumn::read(word).unwrap_err();
            assert!(error.contains(&format!("`{near}`")), "{error}");
        }
        let column = ListColumn::read("val/acc@3").unwrap();
        assert_eq!(
            (column.at_epoch(), column.to_string()),
            (Some(("val/acc", 3)), "val/acc@3".into())
        );
        for wrong in [
            "val/acc@",
            "val/acc@0",
            "val/acc@x",
            "best:val/acc@3",
            "name=",
            "name=0",
            "name=x",
            "last:acc",
            "best:",
        ] {
            assert!(ChosenColumn::list(wrong).is_err(), "{wrong}");
        }
    }
}
