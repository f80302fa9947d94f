use crate::spec::{Delimiter, Escape, Header, Quote, RunSpec, Task};

/// What a spec says of how its files are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// What quotes mean.
    pub quote: Quote,
    /// What backslashes mean.
    pub escape: Escape,
    /// What stands between two fields.
    pub delimiter: Delimiter,
    /// Whether the first line names the columns.
    pub header: Header,
    /// `auto`, or a name of the Encoding Standard.
    pub encoding: String,
    /// Whether a value may be a list: of words, of tags, of labels.
    pub lists: bool,
    /// Whether lines of a word and its tag are looked for.
    pub tags: bool,
}

impl Options {
    /// Those of a spec.
    pub fn of(spec: &RunSpec) -> Self {
        Self {
            quote: spec.quote,
            escape: spec.escape,
            delimiter: spec.delimiter,
            header: spec.header,
            encoding: spec.encoding.clone(),
            lists: matches!(spec.task, Task::Tag | Task::Multilabel),
            tags: spec.task == Task::Tag,
        }
    }

    /// The keys that only delimited files obey, as far as they are given.
    pub(super) fn of_delimited(&self) -> Vec<&'static str> {
        let given = [
            ("quote", self.quote != Quote::Auto),
            ("escape", self.escape != Escape::Auto),
            ("delimiter", self.delimiter != Delimiter::Auto),
            ("header", self.header != Header::Auto),
        ];
        given.into_iter().filter(|(_, is)| *is).map(|(key, _)| key).collect()
    }
}

impl Default for Options {
    fn default() -> Self {
        Self::of(&RunSpec::default())
    }
}
