use std::path::Path;

use super::columns;
use super::error::{DataError, first_few, quoted};
use super::options::Options;
use super::place;
use super::rows::{numbered, refuse_missing};
use super::source::Source;
use super::targets::json_list;
use crate::spec::{RunSpec, Task};

/// Texts that a model is asked about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inputs {
    /// One per row; for `task=tag` the words of a row with spaces between them.
    pub texts: Vec<String>,
    /// The second text of each row; empty unless they are pairs.
    pub pairs: Vec<String>,
    /// The words of each row; empty unless they are to be tagged.
    pub words: Vec<Vec<String>>,
}

/// The columns of a spec's data, in the order of the file.
///
/// # Errors
/// As [`super::load`], as far as the beginning of the file is to blame.
pub fn columns_of(spec: &RunSpec, root: &Path) -> Result<Vec<String>, DataError> {
    let place = place::find(root, &spec.data)?;
    Ok(Source::open(&place.data, &spec.data, &Options::of(spec))?.names)
}

/// The texts of a file, in its order; it needs no labels. `column` names them, or both of a pair, which
/// `are_pairs` asks for; without it the usual names are tried, and the only column of a file is taken for
/// them. The rest of how the file is read is as `spec` says.
///
/// # Errors
/// As [`super::load`]: a file that cannot be read, a column that is not there, a row without a text.
pub fn inputs(
    file: &str,
    column: Option<&str>,
    are_pairs: bool,
    spec: &RunSpec,
    root: &Path,
) -> Result<Inputs, DataError> {
    let place = place::find(root, file)?;
    let mut source = Source::open(&place.data, file, &Options::of(spec))?;
    let sample = source.sample();
    let is_tagged = spec.task == Task::Tag;
    let column = match column {
        None if is_tagged => columns::words(&source),
        given => given.map(str::to_owned),
    };
    let found = columns::find_texts(&source, column.as_deref(), are_pairs, &sample)?;
    if are_pairs != found.pair.is_some() {
        let names = first_few(&source.names, |n| quoted(n));
        let why = if are_pairs {
            format!(
                "the run reads pairs of texts; name both columns, of {names}: --text FIRST,SECOND"
            )
        } else {
            "the run reads one text a row; name one column".to_owned()
        };
        return Err(DataError::within(file, why));
    }
    let mut columns = source.read(&found.texts(), &[])?.texts.into_iter().map(|texts| {
        let missing = numbered(texts.iter().map(Option::is_none));
        refuse_missing(file, &missing, "text", "write \"\" for an empty text, or delete them")?;
        Ok(texts.into_iter().map(Option::unwrap_or_default).collect())
    });
    let texts: Vec<String> = columns.next().transpose()?.unwrap_or_default();
    let pairs = columns.next().transpose()?.unwrap_or_default();
    if !is_tagged {
        return Ok(Inputs { texts, pairs, words: Vec::new() });
    }
    let split = |text: &String| {
        let plain = || text.split_whitespace().map(str::to_owned).collect();
        json_list(text).unwrap_or_else(plain)
    };
    let words: Vec<Vec<String>> = texts.iter().map(split).collect();
    let texts = words.iter().map(|words| words.join(" ")).collect();
    Ok(Inputs { texts, pairs: Vec::new(), words })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_need_no_labels() {
        let folder = tempfile::tempdir().unwrap();
        let read = |name: &str, content: &str, column: Option<&str>| {
            std::fs::write(folder.path().join(name), content).unwrap();
            let (spec, root) = (RunSpec::default(), folder.path());
            inputs(name, column, false, &spec, root).map(|i| i.texts).map_err(|e| e.to_string())
        };
        assert_eq!(read("a.csv", "id,message\n1,\"a\nb\"\n2,c\n", None).unwrap(), ["a\nb", "c"]);
        assert_eq!(read("b.csv", "whatever\nx\n", None).unwrap(), ["x"]);
        assert_eq!(read("c.csv", "p,q\nx,y\n", Some("q")).unwrap(), ["y"]);
        assert_eq!(read("d.jsonl", "{\"text\": \"x\"}\n", None).unwrap(), ["x"]);
        assert!(read("e.csv", "p,q\nx,y\n", None).unwrap_err().contains("text=COLUMN"));
        assert!(read("f.csv", "p,q\nx,y\n", Some("r")).unwrap_err().contains("no column `r`"));
        assert!(read("g.csv", "n,text\n1,\n", None).unwrap_err().contains("row 1"));
    }

    #[test]
    fn pairs_and_words_are_found() {
        let folder = tempfile::tempdir().unwrap();
        let read = |name: &str, content: &str, pairs: bool, task: Task| {
            std::fs::write(folder.path().join(name), content).unwrap();
            let spec = RunSpec { task, ..RunSpec::default() };
            inputs(name, None, pairs, &spec, folder.path()).map_err(|e| e.to_string())
        };
        let nli = "premise,hypothesis,n\na,b,1\n";
        let pair = read("a.csv", nli, true, Task::Classify).unwrap();
        assert_eq!((pair.texts, pair.pairs), (vec!["a".to_owned()], vec!["b".to_owned()]));
        let one = read("b.csv", "text,n\na,1\nb,2\n", true, Task::Classify).unwrap();
        assert_eq!(one.pairs, ["1", "2"], "the two columns that there are");
        let none = read("c.csv", "text,n,m\na,1,2\n", true, Task::Classify).unwrap_err();
        assert!(none.contains("two texts of a pair"), "{none}");
        let tagged =
            read("d.jsonl", &"{\"tokens\": [\"a\", \"b c\"]}\n".repeat(2), false, Task::Tag)
                .unwrap();
        assert_eq!(tagged.words, [["a", "b c"], ["a", "b c"]]);
        let plain = read("e.csv", "text\nMary lives\n", false, Task::Tag).unwrap();
        assert_eq!(plain.words, [["Mary", "lives"]]);
    }
}
