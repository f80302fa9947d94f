use std::path::Path;

use super::columns;
use super::error::DataError;
use super::place;
use super::reading::Options;
use super::rows::{numbered, refuse_missing};
use super::source::Source;

/// The texts of a file, in its order; it needs no labels. `column` names them; without it the usual
/// names are tried, and the only column of a file is taken for them.
///
/// # Errors
/// As [`super::load`]: a file that cannot be read, a column that is not there, a row without a text.
pub fn texts(
    file: &str,
    column: Option<&str>,
    options: &Options,
    root: &Path,
) -> Result<Vec<String>, DataError> {
    let place = place::find(root, file)?;
    let mut source = Source::open(&place.data, file, options)?;
    let sample = source.sample();
    let index = columns::find_text(&source, column, &sample)?;
    let texts = source.read(index, &[])?.texts;
    let missing = numbered(texts.iter().map(Option::is_none));
    refuse_missing(file, &missing, "text", "write \"\" for an empty text, or delete them")?;
    Ok(texts.into_iter().map(Option::unwrap_or_default).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_need_no_labels() {
        let folder = tempfile::tempdir().unwrap();
        let read = |name: &str, content: &str, column: Option<&str>| {
            std::fs::write(folder.path().join(name), content).unwrap();
            texts(name, column, &Options::default(), folder.path()).map_err(|e| e.to_string())
        };
        assert_eq!(read("a.csv", "id,message\n1,\"a\nb\"\n2,c\n", None).unwrap(), ["a\nb", "c"]);
        assert_eq!(read("b.csv", "whatever\nx\n", None).unwrap(), ["x"]);
        assert_eq!(read("c.csv", "p,q\nx,y\n", Some("q")).unwrap(), ["y"]);
        assert_eq!(read("d.jsonl", "{\"text\": \"x\"}\n", None).unwrap(), ["x"]);
        assert!(read("e.csv", "p,q\nx,y\n", None).unwrap_err().contains("text=COLUMN"));
        assert!(read("f.csv", "p,q\nx,y\n", Some("r")).unwrap_err().contains("no column `r`"));
        assert!(read("g.csv", "n,text\n1,\n", None).unwrap_err().contains("row 1"));
    }
}
