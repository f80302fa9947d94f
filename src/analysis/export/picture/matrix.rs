use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::INK;
use crate::analysis::confusion::{Matrix, Normalise};
use crate::spec::printable;
use crate::store::Confusion;

/// Room for the names of the classes, for the heading, and for `predicted`.
const GUTTER: i32 = 130;
const HEAD: i32 = 64;
/// The matrix is about this wide, whatever the number of classes.
const WIDE: i32 = 560;

/// Confusion counts as SVG: rows are true classes, columns predicted ones; each cell has its count, as long as it can be
/// read, and the darker the larger its share of the row: blue for hits, vermillion for mistakes.
///
/// # Errors
/// A sentence, should plotters refuse.
pub fn confusion(of: &str, counts: &Confusion) -> Result<String, String> {
    draw(of, counts).map_err(|e| format!("The matrix cannot be drawn: {e}."))
}

fn draw(of: &str, counts: &Confusion) -> Result<String, Box<dyn std::error::Error>> {
    let classes = counts.labels.len().max(1) as i32;
    let side = (WIDE / classes).clamp(8, 96);
    let all = side * classes;
    let size = ((GUTTER + all + 20) as u32, (HEAD + all + 60) as u32);
    let shares = Matrix::new(counts).normalised(Normalise::Row);
    let text = |size: i32, across, down| {
        ("sans-serif", size).into_font().color(&INK).pos(Pos::new(across, down))
    };
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        root.fill(&WHITE)?;
        let heading = format!("{of}, {} rows after epoch {}", counts.split, counts.epoch);
        let heading = heading.replace('\n', " ");
        let fits = (size.0 as usize / 9).max(10);
        root.draw_text(&printable(&heading, fits), &text(15, HPos::Left, VPos::Top), (12, 12))?;
        let middle = GUTTER + all / 2;
        let below = (middle, HEAD + all + 36);
        root.draw_text("predicted", &text(13, HPos::Center, VPos::Top), below)?;
        let beside = text(13, HPos::Left, VPos::Top);
        root.draw_text("true", &beside, (12, HEAD - 20))?;
        let letters = side.clamp(8, 16);
        // Names of many classes would lie over each other.
        let step = (14 / side.max(1) + 1).max(1);
        for (i, label) in (0..classes).zip(&counts.labels) {
            let name = |room: i32| printable(label, (room / 8).max(2) as usize).replace('\n', " ");
            let at = i * side + side / 2;
            if i % step == 0 {
                let style = text(13, HPos::Right, VPos::Center);
                root.draw_text(&name(GUTTER - 20), &style, (GUTTER - 8, HEAD + at))?;
            }
            if side >= 24 {
                let style = text(13, HPos::Center, VPos::Top);
                root.draw_text(&name(side), &style, (GUTTER + at, HEAD + all + 8))?;
            }
        }
        for (i, row) in (0..classes).zip(&shares) {
            for (j, share) in (0..classes).zip(row) {
                let (x, y) = (GUTTER + j * side, HEAD + i * side);
                let over = if i == j { (0.0, 114.0, 178.0) } else { (213.0, 94.0, 0.0) };
                // The square root spreads the small shares, where mistakes live.
                let heat = share.clamp(0.0, 1.0).sqrt();
                let channel = |to: f64| (250.0 + (to - 250.0) * heat) as u8;
                let fill = RGBColor(channel(over.0), channel(over.1), channel(over.2));
                root.draw(&Rectangle::new([(x, y), (x + side - 1, y + side - 1)], fill.filled()))?;
                let count = counts.counts.get(i as usize).and_then(|r| r.get(j as usize));
                if let Some(count) = count.filter(|_| side >= 20) {
                    let ink = if heat > 0.6 { WHITE } else { INK };
                    let style = text(letters, HPos::Center, VPos::Center).color(&ink);
                    root.draw_text(&count.to_string(), &style, (x + side / 2, y + side / 2))?;
                }
            }
        }
        root.present()?;
    }
    Ok(svg)
}
