//! Frames as CSV, JSON Lines, Markdown and Parquet.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::str::FromStr;

use polars::prelude::*;

use crate::dataset::remove_left_over;
use crate::spec::short;

/// How a frame is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Comma-separated values (RFC 4180), with a head; missing values are empty.
    Csv,
    /// One JSON object a line; missing values are null, NaN and infinities words.
    Jsonl,
    /// A Markdown table.
    Md,
    /// Apache Parquet.
    Parquet,
}

impl Format {
    /// The words of `--format`.
    pub const WORDS: [&'static str; 4] = ["csv", "jsonl", "md", "parquet"];

    /// The format that a file's name asks for.
    ///
    /// # Errors
    /// A sentence that names those there are.
    pub fn of_file(path: &Path) -> Result<Self, String> {
        let ending = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        ending.parse().map_err(|()| {
            format!(
                "{} has no ending that says its format; it takes .{}.",
                crate::spec::printable(&path.display().to_string(), 200),
                Self::WORDS.join(", .")
            )
        })
    }
}

impl FromStr for Format {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "csv" => Ok(Self::Csv),
            "jsonl" | "ndjson" => Ok(Self::Jsonl),
            "md" | "markdown" => Ok(Self::Md),
            "parquet" => Ok(Self::Parquet),
            _ => Err(()),
        }
    }
}

/// Writes a frame into a file, whole or not at all.
///
/// # Errors
/// One sentence that names the file.
pub fn save(frame: DataFrame, format: Format, path: &Path) -> Result<(), String> {
    whole(path, |file| write(frame, format, file))
}

/// Writes bytes into a file, whole or not at all.
///
/// # Errors
/// One sentence that names the file.
pub fn keep(bytes: &[u8], path: &Path) -> Result<(), String> {
    whole(path, |file| file.write_all(bytes))
}

/// A temporary file beside the one that is meant is filled, synced and renamed.
fn whole(path: &Path, fill: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), String> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = path.with_file_name(format!(".{name}.{}.tmp", std::process::id()));
    remove_left_over(temporary.parent().unwrap_or(path), &format!(".{name}."), ".tmp");
    let written = File::create(&temporary).and_then(|file| {
        let mut file = BufWriter::new(file);
        fill(&mut file)?;
        file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        std::fs::rename(&temporary, path)
    });
    written.map_err(|e| {
        let _ = std::fs::remove_file(&temporary);
        format!("{} cannot be written: {e}.", path.display())
    })
}

/// Writes a frame.
///
/// # Errors
/// What the writer refuses.
pub fn write(mut frame: DataFrame, format: Format, to: &mut dyn Write) -> io::Result<()> {
    match format {
        Format::Csv => csv(&frame, to),
        Format::Jsonl => jsonl(&frame, to),
        Format::Md => md(&frame, to),
        Format::Parquet => {
            let mut bytes = Vec::new();
            ParquetWriter::new(&mut bytes).finish(&mut frame).map_err(io::Error::other)?;
            to.write_all(&bytes)
        }
    }
}

/// The same frame, with an apostrophe before each text that a spreadsheet would take for a formula: one
/// that begins with `=`, `+`, `-`, `@`, a tab or a line end.
///
/// # Errors
/// What polars refuses.
pub fn without_formulas(frame: &DataFrame) -> PolarsResult<DataFrame> {
    let is_formula = |text: &str| text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']);
    let mut columns = Vec::with_capacity(frame.width());
    for column in frame.columns() {
        let name = column.name();
        let safe = if is_formula(name) { format!("'{name}") } else { name.to_string() };
        columns.push(match column.str() {
            Ok(texts) => {
                let safe_text = |text: &str| {
                    if is_formula(text) { format!("'{text}") } else { text.to_owned() }
                };
                let texts: Vec<Option<String>> =
                    texts.iter().map(|text| text.map(safe_text)).collect();
                Column::new(safe.as_str().into(), texts)
            }
            Err(_) => column.clone().with_name(safe.as_str().into()),
        });
    }
    DataFrame::new(frame.height(), columns)
}

fn csv(frame: &DataFrame, to: &mut dyn Write) -> io::Result<()> {
    let quoted = |text: &str| {
        if text.contains([',', '"', '\n', '\r']) {
            format!("\"{}\"", text.replace('"', "\"\""))
        } else {
            text.to_owned()
        }
    };
    let names: Vec<String> = frame.columns().iter().map(|c| quoted(c.name())).collect();
    writeln!(to, "{}", names.join(","))?;
    for row in 0..frame.height() {
        let cells: Vec<String> = values(frame, row).map(|v| quoted(&text(&v))).collect();
        writeln!(to, "{}", cells.join(","))?;
    }
    Ok(())
}

fn jsonl(frame: &DataFrame, to: &mut dyn Write) -> io::Result<()> {
    let names: Vec<&str> = frame.columns().iter().map(|c| c.name().as_str()).collect();
    for row in 0..frame.height() {
        let object: serde_json::Map<String, serde_json::Value> = names
            .iter()
            .map(|n| (*n).to_owned())
            .zip(values(frame, row).map(|v| json(&v)))
            .collect();
        serde_json::to_writer(&mut *to, &object)?;
        writeln!(to)?;
    }
    Ok(())
}

fn md(frame: &DataFrame, to: &mut dyn Write) -> io::Result<()> {
    // A bar parts cells, a line end rows.
    let cell = |text: &str| {
        crate::spec::printable(text, usize::MAX).replace('\\', "\\\\").replace('|', "\\|")
    };
    let names: Vec<String> = frame.columns().iter().map(|c| cell(c.name())).collect();
    writeln!(to, "| {} |", names.join(" | "))?;
    let rule = frame.columns().iter().map(|c| if c.dtype().is_numeric() { "---:" } else { "---" });
    writeln!(to, "|{}|", rule.collect::<Vec<_>>().join("|"))?;
    for row in 0..frame.height() {
        let cells: Vec<String> = values(frame, row).map(|v| cell(&text(&v))).collect();
        writeln!(to, "| {} |", cells.join(" | "))?;
    }
    Ok(())
}

fn values(frame: &DataFrame, row: usize) -> impl Iterator<Item = AnyValue<'_>> {
    frame.columns().iter().map(move |column| column.get(row).unwrap_or(AnyValue::Null))
}

fn text(value: &AnyValue<'_>) -> String {
    match value {
        AnyValue::Null => String::new(),
        AnyValue::String(s) => (*s).to_owned(),
        AnyValue::StringOwned(s) => s.to_string(),
        AnyValue::Float64(x) => short(*x),
        // Through its own shortest text, or 0.1 would become 0.10000000149011612.
        AnyValue::Float32(x) => x.to_string(),
        other => other.to_string(),
    }
}

fn json(value: &AnyValue<'_>) -> serde_json::Value {
    let float = |x: f64| serde_json::to_value(crate::events::Number(x)).unwrap_or_default();
    match value {
        AnyValue::Null => serde_json::Value::Null,
        AnyValue::Boolean(b) => (*b).into(),
        AnyValue::Float64(x) => float(*x),
        AnyValue::Float32(x) => float(x.to_string().parse().unwrap_or(f64::NAN)),
        AnyValue::UInt32(n) => (*n).into(),
        AnyValue::UInt64(n) => (*n).into(),
        AnyValue::Int64(n) => (*n).into(),
        other => text(other).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame() -> DataFrame {
        let columns = vec![
            Column::new("n".into(), [1_u64, 2]),
            Column::new("a,b".into(), [Some("x|\"y\"\n"), None]),
            Column::new("p".into(), [0.1_f32, f32::NAN]),
            Column::new("lr".into(), [Some(1e-5_f64), None]),
            Column::new("ok".into(), [true, false]),
        ];
        DataFrame::new(2, columns).unwrap()
    }

    #[test]
    fn what_a_spreadsheet_would_run_is_a_text() {
        let columns = vec![
            Column::new("=a".into(), [Some("=cmd|' /C calc'!A0"), Some("-5 is text"), None]),
            Column::new("n".into(), [-1.5_f64, 2.0, 3.0]),
        ];
        let frame = DataFrame::new(3, columns).unwrap();
        let mut bytes = Vec::new();
        write(without_formulas(&frame).unwrap(), Format::Csv, &mut bytes).unwrap();
        let text = String::from_utf8(bytes).unwrap();
        assert_eq!(text, "'=a,n\n'=cmd|' /C calc'!A0,-1.5\n'-5 is text,2\n,3\n");
    }

    fn written(format: Format) -> String {
        let mut bytes = Vec::new();
        write(frame(), format, &mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn every_format_keeps_odd_texts_and_missing_values() {
        assert_eq!(
            written(Format::Csv),
            "n,\"a,b\",p,lr,ok\n1,\"x|\"\"y\"\"\n\",0.1,1e-5,true\n2,,NaN,,false\n"
        );
        assert_eq!(
            written(Format::Jsonl),
            "{\"a,b\":\"x|\\\"y\\\"\\n\",\"lr\":0.00001,\"n\":1,\"ok\":true,\"p\":0.1}\n\
             {\"a,b\":null,\"lr\":null,\"n\":2,\"ok\":false,\"p\":\"NaN\"}\n"
        );
        let md = written(Format::Md);
        assert!(md.starts_with("| n | a,b | p | lr | ok |\n|---:|---|---:|---:|---|\n"), "{md}");
        assert!(md.contains("| 1 | x\\|\"y\"  | 0.1 | 1e-5 | true |"), "{md}");
    }

    #[test]
    fn a_file_is_whole_or_not_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.parquet");
        save(frame(), Format::of_file(&path).unwrap(), &path).unwrap();
        let read = ParquetReader::new(File::open(&path).unwrap()).finish().unwrap();
        assert!(read.equals_missing(&frame()) || read.height() == 2);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        let why = save(frame(), Format::Csv, &folder.path().join("none/a.csv")).unwrap_err();
        assert!(why.contains("a.csv cannot be written: "), "{why}");
        let why = Format::of_file(Path::new("a.xls")).unwrap_err();
        assert!(why.contains(".csv, .jsonl, .md, .parquet"), "{why}");
    }
}
