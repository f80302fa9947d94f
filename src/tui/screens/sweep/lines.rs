//! Parallel coordinates: an axis for each key and one for the score, a line for each setting.

use ratatui::layout::Rect;

use super::keys::LINES;
use crate::analysis::sweeps::Setting;
use crate::tui::background::SweepFacts;
use crate::tui::canvas::{Canvas, Target};
use crate::tui::figures;
use crate::tui::text;
use crate::tui::view::View;
use crate::tui::widgets::dots::Dots;

/// Values over this ratio are drawn over orders of magnitude.
const DECADES: f64 = 20.0;

/// One upright axis.
struct Axis {
    name: String,
    /// From the top (1) to the bottom (0), for each setting.
    places: Vec<Option<f64>>,
    /// What stands at each place.
    words: Vec<String>,
    /// At its ends.
    ends: [String; 2],
}

impl Axis {
    /// Of numbers; the better end of a score is at the top.
    fn of_numbers(name: &str, values: Vec<Option<f64>>, turned: bool) -> Self {
        let known = || values.iter().flatten().copied().filter(|x| x.is_finite());
        let (low, high) =
            known().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), x| (l.min(x), h.max(x)));
        let log = low > 0.0 && high / low > DECADES;
        let scale = |x: f64| if log { x.ln() } else { x };
        let place = |x: f64| {
            let share = (scale(x) - scale(low)) / (scale(high) - scale(low));
            let share = if high > low { share } else { 0.5 };
            if turned { 1.0 - share } else { share }
        };
        let words = values.iter().map(|x| x.map(figures::metric).unwrap_or_default()).collect();
        let mut ends =
            [high, low].map(|x| if x.is_finite() { figures::metric(x) } else { String::new() });
        if turned {
            ends.reverse();
        }
        let places = values.iter().map(|x| x.filter(|x| x.is_finite()).map(place)).collect();
        Self { name: name.to_owned(), places, words, ends }
    }

    /// Of a key: numbers where all are, else its words from the bottom up.
    fn of_key(name: &str, at: usize, settings: &[Setting]) -> Self {
        let text = |setting: &Setting| setting.values.get(at).cloned().unwrap_or_default();
        let numbers: Vec<Option<f64>> = settings.iter().map(|s| text(s).parse().ok()).collect();
        let words: Vec<String> = settings.iter().map(|s| figures::brief(&text(s))).collect();
        if numbers.iter().all(Option::is_some) {
            let axis = Self::of_numbers(name, numbers, false);
            let end = |top: bool| {
                let places = axis.places.iter().zip(&words);
                let (_, word) = places
                    .filter_map(|(place, word)| Some(((*place)?, word)))
                    .max_by(|(a, _), (b, _)| if top { a.total_cmp(b) } else { b.total_cmp(a) })?;
                Some(word.clone())
            };
            let ends = [end(true), end(false)].map(Option::unwrap_or_default);
            return Self { words, ends, ..axis };
        }
        let mut levels: Vec<&String> = words.iter().collect();
        levels.sort();
        levels.dedup();
        let last = levels.len().saturating_sub(1).max(1) as f64;
        let place = |word: &String| levels.iter().position(|level| *level == word);
        let places = words.iter().map(|word| Some(place(word)? as f64 / last)).collect();
        let end = |level: Option<&&String>| level.map(|word| (*word).clone()).unwrap_or_default();
        let ends = [end(levels.last()), end(levels.first())];
        Self { name: name.to_owned(), places, words, ends }
    }
}

fn axes(facts: &SweepFacts) -> Vec<Axis> {
    let report = &facts.report;
    let settings = &report.settings;
    let keys = report.axes.iter().enumerate().map(|(at, key)| Axis::of_key(key, at, settings));
    let scores = settings.iter().map(|setting| setting.score.mean).collect();
    keys.chain([Axis::of_numbers(&facts.heading(), scores, report.lower)]).collect()
}

/// Draws them; the setting under the cursor lies on top, its values beside its line.
pub fn draw(canvas: &mut Canvas, area: Rect, facts: &SweepFacts, view: &View) {
    let theme = canvas.theme;
    let settings = &facts.report.settings;
    let inner = canvas.panel(area, "a line for each setting", "a heat map");
    canvas.hit(area, Target::Do(&LINES));
    let axes = axes(facts);
    let count = axes.len() as u16;
    if inner.height < 6 || inner.width < 8 * count {
        canvas.put(
            inner.x,
            inner.y,
            inner.width,
            "More room is needed for so many axes.",
            theme.dim,
        );
        return;
    }
    // Names and ends stand around the lines.
    let plot =
        Rect { x: inner.x + 4, y: inner.y + 2, width: inner.width - 8, height: inner.height - 3 };
    let across = |at: u16| plot.x + (plot.width - 1) * at / (count - 1).max(1);
    for (at, axis) in (0..count).zip(&axes) {
        for y in plot.top()..plot.bottom() {
            canvas.dot(across(at), y, '│', theme.faint);
        }
        let room = plot.width / (count - 1).max(1);
        let style = if at + 1 == count { theme.strong } else { theme.text };
        centred(canvas, inner, (across(at), inner.y), room, &axis.name, style);
        centred(canvas, inner, (across(at), inner.y + 1), room, &axis.ends[0], theme.dim);
        centred(canvas, inner, (across(at), plot.bottom()), room, &axis.ends[1], theme.dim);
    }
    let mut dots = Dots::new(plot);
    let (_, bottom) = dots.last();
    let cursor = view.sweep.cursor.min(settings.len().saturating_sub(1));
    let place = |axis: &Axis, setting: usize| axis.places.get(setting).copied().flatten();
    let mut line = |setting: usize, style| {
        let points: Vec<Option<(i32, i32)>> = (0..count)
            .zip(&axes)
            .map(|(at, axis)| {
                let down = (1.0 - place(axis, setting)?) * bottom;
                Some((i32::from(across(at) - plot.x) * 2, down.round() as i32))
            })
            .collect();
        for pair in points.windows(2) {
            if let [Some(from), Some(to)] = pair {
                dots.segment(*from, *to, style);
            }
        }
    };
    // The settings are best first: the better lie on the worse.
    let half = settings.len() / 2;
    for setting in (0..settings.len()).rev().filter(|at| *at != cursor) {
        let style = match setting {
            0 => theme.good,
            at if at < half => theme.faded(theme.val),
            _ => theme.faint,
        };
        line(setting, style);
    }
    line(cursor, theme.accent);
    dots.draw(canvas);
    for (at, axis) in (0..count).zip(&axes) {
        let Some(share) = place(axis, cursor) else { continue };
        let y = plot.y + ((1.0 - share) * f64::from(plot.height - 1)).round() as u16;
        canvas.dot(across(at), y, '◆', theme.accent);
        let words = axis.words.get(cursor).map_or("", String::as_str);
        let width = text::width(words) as u16;
        // At the right edge there is room at the left alone.
        let x = across(at);
        if x + 2 + width < area.right() {
            canvas.put(x + 1, y, width + 2, &format!(" {words} "), theme.strong);
        } else {
            canvas.put_right(x, y, width + 2, &format!(" {words} "), theme.strong);
        }
    }
}

/// Words around a column, kept inside.
fn centred(
    canvas: &mut Canvas,
    inner: Rect,
    (x, y): (u16, u16),
    room: u16,
    words: &str,
    style: ratatui::style::Style,
) {
    let words = text::fit(words, usize::from(room.max(6)));
    let width = text::width(&words) as u16;
    let last = inner.right().saturating_sub(width).max(inner.x);
    canvas.put(x.saturating_sub(width / 2).clamp(inner.x, last), y, width, &words, style);
}
