//! The command line as the dashboard knows it: its verbs, how a line of them goes on, and its words.

use crate::spec::keys::KEYS;
use crate::tui::background::{Which, expanded};
use crate::tui::snapshot::Snapshot;

/// A verb of the command line. The command line says what it has; the dashboard imports nothing of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verb {
    /// Its name.
    pub name: String,
    /// What it does, in a line.
    pub about: String,
    /// What may follow it, `[ID]...`, as its help writes it.
    pub usage: String,
    /// Its options and its own verbs, with what they do.
    pub options: Vec<(String, String)>,
}

/// A way to go on: the word, and what it is.
pub type Candidate = (String, String);

/// The verb that a line begins with, once a space stands behind it.
pub fn verb_of<'a>(line: &str, verbs: &'a [Verb]) -> Option<&'a Verb> {
    let (first, _) = line.trim_start().split_once(' ')?;
    verbs.iter().find(|verb| verb.name == first)
}

/// What the last word of a line names a file or a model by, and which of the two: the value of `model=` or `data=`, or
/// any value with a `/` in it. Of a list, the last.
pub fn path_of(line: &str) -> Option<(Which, &str)> {
    let word = line.rsplit(' ').next().unwrap_or_default();
    let (key, value) = word.split_once('=').unwrap_or(("", word));
    let last = value.rsplit(',').next().unwrap_or(value);
    match key {
        "model" => Some((Which::Models, last)),
        "data" => Some((Which::Data, last)),
        _ => last.contains('/').then_some((Which::Data, last)),
    }
}

/// The files, folders and models that a path may go on as, before which `head` was typed.
fn paths(head: &str, typed: &str, which: Which, snap: &Snapshot) -> Vec<Candidate> {
    let Some(known) = snap.answers.choices.as_deref().filter(|known| known.which == which) else {
        return Vec::new();
    };
    let files = known.files.iter().map(|file| &file.name);
    let names = files.chain(known.models.iter().map(|model| &model.name));
    let whole = expanded(typed);
    let goes_on = |name: &&String| name.starts_with(&whole) && **name != whole;
    // What a shell would part stands in quotes.
    let is_parted = |word: &str| word.contains(|c: char| c.is_whitespace() || c == '"');
    let quoted = |word: String| if is_parted(&word) { format!("'{word}'") } else { word };
    let named = |name: &String| (quoted(format!("{head}{name}")), String::new());
    names.filter(goes_on).filter(|name| !name.contains('\'')).map(named).collect()
}

/// How the last word of a line may go on: files and models, options, keys of a run, the runs that are there.
pub fn candidates(line: &str, verb: &Verb, snap: &Snapshot) -> Vec<Candidate> {
    let word = line.rsplit(' ').next().unwrap_or_default();
    if let Some((which, typed)) = path_of(line) {
        return paths(word.strip_suffix(typed).unwrap_or_default(), typed, which, snap);
    }
    let is_option = |(text, _): &&Candidate| text.starts_with('-');
    let mut all: Vec<Candidate> =
        verb.options.iter().filter(|o| is_option(o) == word.starts_with('-')).cloned().collect();
    if word.starts_with('-') {
        // A value is no option.
    } else if verb.usage.contains("KEY=") {
        all.extend(KEYS.iter().map(|key| (format!("{}=", key.name), key.help.to_owned())));
    } else if !word.is_empty() || verb.usage.contains("ID") {
        all.extend(snap.list.rows.iter().map(|run| (run.id.to_string(), run.name.clone())));
    }
    all.retain(|(text, _)| text.starts_with(word) && text != word);
    all
}

/// The words of a line, as a shell would part them: at spaces that stand in no quotes.
///
/// # Errors
/// A quote that does not end.
pub fn words(line: &str) -> Result<Vec<String>, String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for c in line.chars() {
        match (quote, c) {
            (Some(open), c) if open == c => quote = None,
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    match quote {
        Some(open) => Err(format!("A {open} is opened and not closed.")),
        None => Ok(words),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::tui::background::{Choices, DataFile};
    use crate::tui::fixtures::{board, trained};

    #[test]
    fn a_line_is_parted_as_a_shell_does() {
        let parted = |line: &str| words(line).unwrap();
        assert_eq!(parted("ls 'acc>0.9 lr<3e-5'  --desc"), ["ls", "acc>0.9 lr<3e-5", "--desc"]);
        assert_eq!(parted("note r1 \"it's a\"b ''"), ["note", "r1", "it's ab", ""]);
        assert!(parted("  ").is_empty());
        assert!(words("note r1 'open").is_err());
    }

    #[test]
    fn the_last_word_goes_on_with_what_the_verb_takes() {
        let snap = board(vec![trained(12, crate::spec::RunState::Running, 1.0)]);
        let verb = |name: &str, usage: &str| Verb {
            name: name.into(),
            usage: usage.into(),
            options: vec![("--desc".into(), "Turn the order round".into())],
            ..Verb::default()
        };
        let verbs =
            [verb("run", "[KEY=VALUE]..."), verb("show", "[ID]..."), verb("ls", "[QUERY]...")];
        let words = |line: &str| -> Vec<String> {
            let verb = verb_of(line, &verbs).unwrap();
            candidates(line, verb, &snap).into_iter().map(|(word, _)| word).collect()
        };
        assert_eq!(words("run batch_"), ["batch_size="]);
        assert_eq!(words("show "), ["r12"]);
        assert_eq!(words("ls --d"), ["--desc"]);
        assert!(words("ls ").is_empty());
        assert!(verb_of("ls", &verbs).is_none() && verb_of("lsx ", &verbs).is_none());
    }

    #[test]
    fn paths_go_on_with_what_there_is() {
        let mut snap = board(Vec::new());
        let file = |name: &str| DataFile { name: name.into(), bytes: 1 };
        snap.answers.choices = Some(Arc::new(Choices {
            which: Which::Data,
            models: Vec::new(),
            hub: Vec::new(),
            files: ["data/a.csv", "data/my mail.csv", "data/o'clock.csv"].map(file).into(),
            columns: Vec::new(),
            profile: None,
        }));
        let verb = Verb { usage: "[KEY=VALUE]...".into(), ..Verb::default() };
        let words = |line: &str| -> Vec<String> {
            candidates(line, &verb, &snap).into_iter().map(|(word, _)| word).collect()
        };
        assert_eq!(words("run data=data/a"), ["data=data/a.csv"]);
        assert_eq!(words("run data=x.csv,data/m"), ["'data=x.csv,data/my mail.csv'"]);
        assert_eq!(words("data data/"), ["data/a.csv", "'data/my mail.csv'"]);
        assert!(words("run data=data/a.csv").is_empty() && words("run model=da").is_empty());
        assert_eq!(path_of("run model=mini"), Some((Which::Models, "mini")));
        assert_eq!(path_of("export r1 --out ~/x"), Some((Which::Data, "~/x")));
        assert_eq!(path_of("run lr=1e-5"), None);
    }
}
