//! The screen as SVG: a rectangle for each stretch of ground, text for letters, shapes for braille dots and blocks, so
//! that no font has to have them.

use std::fmt::Write as _;

use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};

use super::text;

/// A cell, in units of the SVG: DejaVu Sans Mono at [`FONT`] is as wide.
const CELL: (f64, f64) = (8.4, 17.0);
const FONT: f64 = 14.0;
/// Where letters stand in a cell, from its top.
const BASE: f64 = 13.0;
/// Around the screen.
const MARGIN: f64 = 10.0;

type Rgb = (u8, u8, u8);

/// What a stretch of cells shares.
#[derive(PartialEq)]
struct Look {
    fg: Rgb,
    bold: bool,
    dim: bool,
}

/// A screen as SVG; `light` says what the terminal's own ground is.
pub fn svg(buf: &Buffer, light: bool) -> String {
    let (columns, rows) = (buf.area.width, buf.area.height);
    let (width, height) =
        (2.0 * MARGIN + CELL.0 * f64::from(columns), 2.0 * MARGIN + CELL.1 * f64::from(rows));
    let ground = if light { (250, 250, 250) } else { (22, 25, 30) };
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" viewBox=\"0 0 \
         {width:.0} {height:.0}\" font-family=\"DejaVu Sans Mono, Menlo, Consolas, monospace\" \
         font-size=\"{FONT}\">\n<rect width=\"100%\" height=\"100%\" rx=\"6\" fill=\"{}\"/>\n",
        hex(ground)
    );
    for (row, cells) in buf.content.chunks(usize::from(columns.max(1))).enumerate() {
        let y = MARGIN + CELL.1 * row as f64;
        grounds(&mut out, cells, y, ground, light);
        letters(&mut out, cells, y, light);
    }
    out.push_str("</svg>\n");
    out
}

fn grounds(out: &mut String, cells: &[Cell], y: f64, ground: Rgb, light: bool) {
    let mut at = 0;
    for run in cells.chunk_by(|a, b| bg(a, light) == bg(b, light)) {
        let (x, width) = (MARGIN + CELL.0 * at as f64, CELL.0 * run.len() as f64);
        at += run.len();
        let Some(fill) = run.first().map(|cell| bg(cell, light)).filter(|fill| *fill != ground)
        else {
            continue;
        };
        let _ = writeln!(
            out,
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{:.1}\" fill=\"{}\"/>",
            CELL.1,
            hex(fill)
        );
    }
}

fn letters(out: &mut String, cells: &[Cell], y: f64, light: bool) {
    let mut words = String::new();
    let mut start = 0;
    let mut columns = 0;
    let mut look: Option<Look> = None;
    let mut at = 0;
    while let Some(cell) = cells.get(at) {
        let symbol = cell.symbol();
        let wide = text::width(symbol).max(1);
        let here = Look {
            fg: fg(cell, light),
            bold: cell.modifier.contains(Modifier::BOLD),
            dim: cell.modifier.contains(Modifier::DIM),
        };
        let shape = shape(symbol, MARGIN + CELL.0 * at as f64, y, &here);
        let is_blank = symbol.trim().is_empty() || shape.is_some();
        // Words are placed one by one: in another font than ours they cannot drift far.
        if is_blank || wide > 1 || look.as_ref().is_some_and(|look| *look != here) {
            word(out, &mut words, (start, columns), y, look.take());
        }
        if let Some(shape) = shape {
            out.push_str(&shape);
        } else if !is_blank {
            if words.is_empty() {
                (start, columns) = (at, 0);
            }
            words.push_str(symbol);
            columns += wide;
            look = Some(here);
            if wide > 1 {
                word(out, &mut words, (start, columns), y, look.take());
            }
        }
        at += wide;
    }
    word(out, &mut words, (start, columns), y, look);
}

fn word(
    out: &mut String,
    words: &mut String,
    (start, columns): (usize, usize),
    y: f64,
    look: Option<Look>,
) {
    let Some(look) = look.filter(|_| !words.is_empty()) else { return };
    let escaped = words.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let bold = if look.bold { " font-weight=\"bold\"" } else { "" };
    let dim = if look.dim { " opacity=\"0.6\"" } else { "" };
    let _ = writeln!(
        out,
        "<text x=\"{:.1}\" y=\"{:.1}\" textLength=\"{:.1}\" fill=\"{}\"{bold}{dim}>{escaped}</text>",
        MARGIN + CELL.0 * start as f64,
        y + BASE,
        CELL.0 * columns as f64,
        hex(look.fg)
    );
    words.clear();
}

/// Braille dots and blocks as shapes.
fn shape(symbol: &str, x: f64, y: f64, look: &Look) -> Option<String> {
    let c = symbol.chars().next()?;
    let fill = hex(look.fg);
    let rect = |x: f64, y: f64, width: f64, height: f64| {
        format!(
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" fill=\"{fill}\"/>\n"
        )
    };
    match u32::from(c) {
        code @ 0x2801..=0x28ff => {
            // The bits of a pattern, by column and row (Unicode 15, 21.1).
            const DOTS: [(u32, f64, f64); 8] = [
                (0x01, 0.0, 0.0),
                (0x02, 0.0, 1.0),
                (0x04, 0.0, 2.0),
                (0x08, 1.0, 0.0),
                (0x10, 1.0, 1.0),
                (0x20, 1.0, 2.0),
                (0x40, 0.0, 3.0),
                (0x80, 1.0, 3.0),
            ];
            let dots = DOTS.iter().filter(|(bit, ..)| (code - 0x2800) & bit != 0);
            let mut path = String::new();
            for (_, column, row) in dots {
                let (cx, cy) =
                    (x + CELL.0 * (0.25 + column / 2.0), y + CELL.1 * (0.125 + row / 4.0));
                let _ = write!(path, "M{cx:.1} {cy:.1}h0");
            }
            Some(format!(
                "<path d=\"{path}\" stroke=\"{fill}\" stroke-width=\"2.4\" stroke-linecap=\"round\"/>\n"
            ))
        }
        code @ 0x2581..=0x2588 => {
            let height = CELL.1 * f64::from(code - 0x2580) / 8.0;
            Some(rect(x, y + CELL.1 - height, CELL.0, height))
        }
        0x258c => Some(rect(x, y, CELL.0 / 2.0, CELL.1)),
        _ => None,
    }
}

fn is_reversed(cell: &Cell) -> bool {
    cell.modifier.contains(Modifier::REVERSED)
}

fn fg(cell: &Cell, light: bool) -> Rgb {
    let plain = if light { (30, 34, 40) } else { (222, 226, 232) };
    let ground = if light { (250, 250, 250) } else { (22, 25, 30) };
    if is_reversed(cell) { rgb(cell.bg, ground) } else { rgb(cell.fg, plain) }
}

fn bg(cell: &Cell, light: bool) -> Rgb {
    let plain = if light { (30, 34, 40) } else { (222, 226, 232) };
    let ground = if light { (250, 250, 250) } else { (22, 25, 30) };
    if is_reversed(cell) { rgb(cell.fg, plain) } else { rgb(cell.bg, ground) }
}

/// Pictures are drawn with a theme of 24 bits; what else there may be is the terminal's own ink or ground.
fn rgb(color: Color, own: Rgb) -> Rgb {
    match color {
        Color::Rgb(r, g, b) => (r, g, b),
        _ => own,
    }
}

fn hex((r, g, b): Rgb) -> String {
    format!("#{r:02x}{g:02x}{b:02x}")
}

#[cfg(test)]
mod tests {
    use ratatui::layout::Rect;
    use ratatui::style::Style;

    use super::*;
    use crate::analysis::export::png;

    #[test]
    fn every_cell_with_something_in_it_is_in_the_picture() {
        let mut buf = Buffer::empty(Rect::new(0, 0, 20, 3));
        let blue = Style::new().fg(Color::Rgb(1, 2, 255)).bg(Color::Rgb(9, 9, 9));
        buf.set_string(0, 0, "a<b> & c", blue.add_modifier(Modifier::BOLD));
        buf.set_string(0, 1, "日本 ⣿▄", Style::new());
        let picture = svg(&buf, false);
        for part in [
            ">a&lt;b&gt;</text>",
            "fill=\"#0102ff\" font-weight=\"bold\"",
            "<rect x=\"10.0\" y=\"10.0\" width=\"67.2\" height=\"17.0\" fill=\"#090909\"/>",
            ">日</text>",
            ">本</text>",
            "stroke-linecap",
            "height=\"8.5\"",
        ] {
            assert!(picture.contains(part), "{part}: {picture}");
        }
        assert_eq!(picture.matches("h0").count(), 8, "all dots of a full cell");
        assert!(png(&picture).unwrap().starts_with(b"\x89PNG"), "it is well-formed");
    }

    #[test]
    fn a_light_screen_has_a_light_ground() {
        let buf = Buffer::empty(Rect::new(0, 0, 2, 1));
        assert!(svg(&buf, true).contains("fill=\"#fafafa\""));
        assert!(svg(&buf, false).contains("fill=\"#16191e\""));
    }
}
