//! What leaves the dashboard as files, all of it into `exports/` of the board.

use std::fs;
use std::path::{Path, PathBuf};

use crate::analysis::export::{Picture, keep};
use crate::board::Board;
use crate::tui::background::{Filter, TextsQuestion, export_texts};

/// Writes a screen as SVG and as PNG.
pub fn picture(board: &Board, name: &str, svg: String) -> Result<String, String> {
    let folder = folder(board)?;
    let (vector, pixels) = (folder.join(format!("{name}.svg")), folder.join(format!("{name}.png")));
    keep(svg.as_bytes(), &vector)?;
    keep(&Picture::Png.bytes(svg)?, &pixels)?;
    Ok(format!("Written to {} and .png.", shown(board, &vector)))
}

/// Writes all rows that a list of texts stands for, with what each run made of them, as CSV.
pub fn texts(board: &Board, question: TextsQuestion) -> Result<String, String> {
    let rows = match question.filter {
        Filter::Cell(truth, predicted) => format!("cell-{truth}-{predicted}"),
        Filter::Wrong => "wrong".to_owned(),
        Filter::WrongInAll => "wrong-in-all".to_owned(),
        Filter::Won => "won".to_owned(),
        Filter::Lost => "lost".to_owned(),
    };
    let runs = std::iter::once(&question.run).chain(&question.others);
    let runs: Vec<String> = runs.map(ToString::to_string).collect();
    let name = format!("texts-{}-{}-{rows}.csv", runs.join("-"), question.split);
    let path = folder(board)?.join(name);
    let count = export_texts(board, question, &path)?;
    let rows = if count == 1 { "1 row".to_owned() } else { format!("{count} rows") };
    Ok(format!("{rows} written to {}.", shown(board, &path)))
}

fn folder(board: &Board) -> Result<PathBuf, String> {
    let folder = board.exports();
    fs::create_dir_all(&folder)
        .map_err(|e| format!("{} cannot be made: {e}.", folder.display()))?;
    Ok(folder)
}

/// The path from the board on.
fn shown(board: &Board, path: &Path) -> String {
    path.strip_prefix(board.root()).unwrap_or(path).display().to_string()
}
