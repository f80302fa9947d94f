//! Answers as pictures: curves and confusion counts as SVG, and any SVG of ours as PNG.
//!
//! Pictures go into papers and README files, so they have a white ground and the hues of Okabe and Ito. Text stays
//! text in an SVG; in a PNG it is set in DejaVu Sans Mono, which is compiled in: no font of the machine is looked at.

mod curves;
mod matrix;
mod range;

use std::sync::Arc;

use plotters::style::RGBColor;
use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg;

pub use curves::{MOST_RUNS, Plotted, curves};
pub use matrix::confusion;
pub use range::range;

/// How a picture is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Picture {
    /// Scalable Vector Graphics.
    Svg,
    /// Portable Network Graphics, two pixels for each unit of the SVG.
    Png,
}

impl Picture {
    /// The words of `--format`, and the endings of files.
    pub const WORDS: [&'static str; 2] = ["svg", "png"];

    /// The picture of that word.
    pub fn of(word: &str) -> Option<Self> {
        match word.to_lowercase().as_str() {
            "svg" => Some(Self::Svg),
            "png" => Some(Self::Png),
            _ => None,
        }
    }

    /// The bytes of a file.
    ///
    /// # Errors
    /// See [`png`].
    pub fn bytes(self, svg: String) -> Result<Vec<u8>, String> {
        match self {
            Self::Svg => Ok(svg.into_bytes()),
            Self::Png => png(&svg),
        }
    }
}

const FONTS: [&[u8]; 2] =
    [include_bytes!("fonts/DejaVuSansMono.ttf"), include_bytes!("fonts/DejaVuSansMono-Bold.ttf")];
const FAMILY: &str = "DejaVu Sans Mono";
/// Pixels for each unit of an SVG.
const SCALE: f32 = 2.0;

/// An SVG as PNG.
///
/// # Errors
/// A sentence, should the SVG not be one or be too large for memory.
pub fn png(svg: &str) -> Result<Vec<u8>, String> {
    let mut fonts = usvg::fontdb::Database::new();
    for font in FONTS {
        fonts.load_font_data(font.to_vec());
    }
    fonts.set_sans_serif_family(FAMILY);
    fonts.set_monospace_family(FAMILY);
    let options = usvg::Options {
        fontdb: Arc::new(fonts),
        font_family: FAMILY.into(),
        ..usvg::Options::default()
    };
    let tree =
        usvg::Tree::from_str(svg, &options).map_err(|e| format!("The SVG is broken: {e}."))?;
    let size = tree.size();
    let pixels = |units: f32| (units * SCALE).ceil().max(1.0) as u32;
    let mut pixmap = Pixmap::new(pixels(size.width()), pixels(size.height()))
        .ok_or("The picture is too large for memory.")?;
    resvg::render(&tree, Transform::from_scale(SCALE, SCALE), &mut pixmap.as_mut());
    pixmap.encode_png().map_err(|e| format!("The picture cannot be written as PNG: {e}."))
}

/// The hues of Okabe and Ito, those that differ most in lightness beside each other.
const HUES: [RGBColor; 8] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(0, 0, 0),
    RGBColor(140, 140, 140),
];
/// Text and axes.
const INK: RGBColor = RGBColor(40, 44, 52);
/// Grid lines.
const PALE: RGBColor = RGBColor(225, 228, 232);

#[cfg(test)]
mod tests {
    use resvg::usvg::roxmltree::Document;

    use super::*;
    use crate::events::Split;
    use crate::spec::RunId;
    use crate::store::{Confusion, Curve};

    fn curve(values: &[f64]) -> Curve {
        let epochs: Vec<f64> = (1..=values.len()).map(|e| e as f64).collect();
        Curve {
            step: epochs.iter().map(|e| *e as u64 * 10).collect(),
            time: epochs.iter().map(|e| *e as i64 * 1000).collect(),
            epoch: epochs,
            value: values.to_vec(),
            total: values.len(),
        }
    }

    fn two() -> String {
        let runs = [(RunId(1), "lr=1e-5".to_owned()), (RunId(2), "<b>&\u{1b}[31m".to_owned())];
        let plotted = [
            (RunId(1), "val/loss", &[0.9, 0.5, 0.4][..]),
            (RunId(2), "val/loss", &[0.8, f64::NAN, 0.6, 0.5]),
            (RunId(1), "val/acc", &[0.7, 0.8, 0.9]),
        ];
        let plotted: Vec<Plotted> =
            plotted.iter().map(|(id, metric, v)| (*id, (*metric).to_owned(), curve(v))).collect();
        curves(&runs, &plotted).unwrap()
    }

    fn texts(document: &Document<'_>) -> Vec<String> {
        let texts = document.descendants().filter(|n| n.has_tag_name("text"));
        texts.filter_map(|n| n.text()).map(|t| t.trim().to_owned()).collect()
    }

    /// Pixels that are not white.
    fn inked(png: &[u8]) -> (u32, u32, usize) {
        let read = Pixmap::decode_png(png).unwrap();
        let ink = read.pixels().iter().filter(|p| p.red() < 250 || p.blue() < 250).count();
        (read.width(), read.height(), ink)
    }

    #[test]
    fn curves_are_in_the_svg_with_their_names() {
        let svg = two();
        let document = Document::parse(&svg).unwrap();
        let lines = |hue: &str| {
            let lines = document.descendants().filter(|n| n.has_tag_name("polyline"));
            lines.filter(|n| n.attribute("stroke") == Some(hue)).count()
        };
        assert_eq!(lines("#0072B2"), 2, "r1 in both panels: {svg}");
        assert_eq!(lines("#D55E00"), 1, "r2 on either side of its NaN, where one point is a dot");
        let texts = texts(&document);
        for words in ["val/loss", "val/acc", "epoch", "r1 lr=1e-5", "r2 <b>&[31m"] {
            assert!(texts.iter().any(|t| t == words), "{words}: {texts:?}");
        }
    }

    #[test]
    fn a_png_is_not_blank_and_has_text_in_it() {
        let (width, height, ink) = inked(&png(&two()).unwrap());
        assert!(width > 1000 && height > 400, "{width}x{height}");
        assert!(ink > 5000, "{ink}");
        let words = |words: &str| {
            format!(
                r#"<svg xmlns="http://www.w3.org/2000/svg" width="90" height="20"><rect width="90" height="20"
                fill="white"/><text x="5" y="15" font-family="sans-serif">{words}</text></svg>"#
            )
        };
        let (.., none) = inked(&png(&words("")).unwrap());
        let (.., some) = inked(&png(&words("val/loss")).unwrap());
        assert!(none == 0 && some > 200, "{none} {some}");
        assert!(png("<svg").is_err());
    }

    #[test]
    fn nothing_to_plot_is_a_sentence() {
        let runs = [(RunId(1), "a".to_owned())];
        assert!(curves(&runs, &[]).unwrap_err().contains("no points"));
        let flat = [(RunId(1), "m".to_owned(), curve(&[f64::NAN, f64::INFINITY]))];
        assert!(curves(&runs, &flat).unwrap_err().contains("no points"));
        let one = [(RunId(1), "m".to_owned(), curve(&[1e300]))];
        Document::parse(&curves(&runs, &one).unwrap()).unwrap();
        // Their distance is no number; drawing them took for ever.
        let wide = [(RunId(1), "m".to_owned(), curve(&[1e308, -1e308, 0.5, 0.25]))];
        Document::parse(&curves(&runs, &wide).unwrap()).unwrap();
    }

    #[test]
    fn a_confusion_matrix_has_its_counts_and_classes() {
        let counts = Confusion {
            split: Split::Test,
            epoch: 3,
            labels: vec!["ham".into(), "spam & co".into()],
            counts: vec![vec![480, 3], vec![7, 65]],
        };
        let svg = confusion("r7 minilm", &counts).unwrap();
        let document = Document::parse(&svg).unwrap();
        let texts = texts(&document);
        for words in ["480", "3", "7", "65", "ham", "spam & co", "predicted"] {
            assert!(texts.iter().any(|t| t == words), "{words}: {texts:?}");
        }
        let (.., ink) = inked(&png(&svg).unwrap());
        assert!(ink > 10_000, "{ink}");
        let many = Confusion {
            labels: (0..150).map(|i| format!("class {i}")).collect(),
            counts: vec![vec![1; 150]; 150],
            ..counts
        };
        Document::parse(&confusion("r7", &many).unwrap()).unwrap();
    }
}
