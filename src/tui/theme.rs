//! Colours. Every hue comes from the Okabe-Ito palette, which people with any colour vision can
//! tell apart, lightened or darkened for the background; no fact is told by colour alone.

use std::env;

use ratatui::style::{Color, Modifier, Style};

use super::error::TuiError;
use crate::board::Tui;
use crate::spec::{has_no_colours, nearest, printable};

/// How many colours the terminal has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// 24 bits.
    True,
    /// The 256 of xterm.
    Indexed,
    /// The 16 that the user's terminal names.
    Named,
    /// None: `NO_COLOR`, or a terminal that has none.
    Mono,
}

/// What curves are drawn with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Plot {
    /// Two by four dots a cell.
    #[default]
    Braille,
    /// Two by two quarters a cell, for fonts that lack the dots.
    Block,
    /// Letters that every font has.
    Ascii,
}

/// The roles that `[tui.colours]` names.
pub const ROLES: [&str; 10] =
    ["text", "dim", "faint", "accent", "train", "val", "test", "good", "bad", "warn"];

/// What each role looks like.
#[derive(Debug, Clone)]
pub struct Theme {
    /// For a light background.
    pub light: bool,
    /// What the terminal can show.
    pub depth: Depth,
    /// What curves are drawn with.
    pub plot: Plot,
    /// The user's own colours, by role.
    own: Vec<(&'static str, Color)>,
    /// Body text.
    pub text: Style,
    /// Body text that matters.
    pub strong: Style,
    /// Labels, units, what can be overlooked.
    pub dim: Style,
    /// Rules, grids, the empty part of bars.
    pub faint: Style,
    /// Keys, titles, the cursor's bar.
    pub accent: Style,
    /// The row under the cursor.
    pub selected: Style,
    /// Training curves.
    pub train: Style,
    /// Validation curves, running things.
    pub val: Style,
    /// Test figures, stopped things.
    pub test: Style,
    /// Done, best.
    pub good: Style,
    /// Failed, worst.
    pub bad: Style,
    /// Held, warnings.
    pub warn: Style,
}

type Rgb = (u8, u8, u8);

impl Theme {
    /// The theme that `[tui]` and the environment ask for.
    ///
    /// # Errors
    /// A role that does not exist, a colour that is none.
    pub fn choose(tui: &Tui) -> Result<Self, TuiError> {
        let plot = match tui.plot.as_str() {
            "block" => Plot::Block,
            "ascii" => Plot::Ascii,
            _ => Plot::Braille,
        };
        let mut own = Vec::new();
        for (name, colour) in &tui.colours {
            let role = ROLES.into_iter().find(|role| role == name).ok_or_else(|| {
                TuiError::Role { name: name.clone(), nearest: nearest(name, ROLES.into_iter()) }
            })?;
            let parsed = colour.parse::<Color>().map_err(|_| TuiError::Colour {
                name: name.clone(),
                colour: printable(colour, 40).into_owned(),
            })?;
            own.push((role, parsed));
        }
        let (light, depth) = Self::asked(&tui.theme);
        Ok(Self { plot, own, ..Self::new(light, depth) }.with_own())
    }

    /// The same for a background the other way round.
    #[must_use]
    pub fn turned(&self) -> Self {
        let new = Self::new(!self.light, self.depth);
        Self { plot: self.plot, own: self.own.clone(), ..new }.with_own()
    }

    /// The same with all colours there are.
    #[must_use]
    pub fn in_full(&self) -> Self {
        let new = Self::new(self.light, Depth::True);
        Self { plot: self.plot, own: self.own.clone(), ..new }.with_own()
    }

    /// With the user's own colours, where the terminal has any.
    fn with_own(mut self) -> Self {
        if self.depth == Depth::Mono {
            return self;
        }
        for (role, colour) in self.own.clone() {
            let colour = match (colour, self.depth) {
                (Color::Rgb(r, g, b), Depth::Indexed) => Color::Indexed(nearest_index(r, g, b)),
                // A terminal of 16 colours has none that is like this one.
                (Color::Rgb(..) | Color::Indexed(16..), Depth::Named) => continue,
                (colour, _) => colour,
            };
            let style = match role {
                "text" => &mut self.text,
                "dim" => &mut self.dim,
                "faint" => &mut self.faint,
                "accent" => &mut self.accent,
                "train" => &mut self.train,
                "val" => &mut self.val,
                "test" => &mut self.test,
                "good" => &mut self.good,
                "bad" => &mut self.bad,
                _ => &mut self.warn,
            };
            *style = style.fg(colour);
        }
        self
    }

    /// Whether the background is light, and how many colours there are.
    fn asked(theme: &str) -> (bool, Depth) {
        let var = |name| env::var(name).unwrap_or_default();
        let light = match theme {
            "light" => true,
            "dark" => false,
            // `COLORFGBG=0;15`: the last number is the background, 7 and 15 are white.
            _ => matches!(var("COLORFGBG").rsplit(';').next(), Some("7" | "15")),
        };
        let term = var("TERM");
        // The console of the kernel has 16 colours, whatever a terminal before it has left in COLORTERM.
        let depth = if !var("NO_COLOR").is_empty() || has_no_colours(&term) {
            Depth::Mono
        } else if term == "linux" || theme == "terminal" {
            Depth::Named
        } else if matches!(var("COLORTERM").as_str(), "truecolor" | "24bit") {
            Depth::True
        } else if term.contains("256color") || term.contains("direct") {
            Depth::Indexed
        } else {
            Depth::Named
        };
        (light, depth)
    }

    /// The theme for a background and a number of colours.
    pub fn new(light: bool, depth: Depth) -> Self {
        let ink = |dark: Rgb, bright: Rgb, named: Color| {
            let colour = paint(if light { bright } else { dark }, named, depth);
            colour.map_or_else(Style::new, |c| Style::new().fg(c))
        };
        let mono = |style: Style, modifier| {
            if depth == Depth::Mono { style.add_modifier(modifier) } else { style }
        };
        let selected = match depth {
            Depth::Mono | Depth::Named => Style::new().add_modifier(Modifier::REVERSED),
            _ => {
                let rgb = if light { (224, 236, 247) } else { (31, 43, 56) };
                paint(rgb, Color::Blue, depth).map_or_else(Style::new, |c| Style::new().bg(c))
            }
        };
        Self {
            light,
            depth,
            plot: Plot::default(),
            own: Vec::new(),
            // Named outright, so that text drawn over a frame does not take the frame's colour.
            text: Style::new().fg(Color::Reset),
            strong: Style::new().fg(Color::Reset).add_modifier(Modifier::BOLD),
            dim: mono(ink((139, 147, 158), (98, 106, 117), Color::DarkGray), Modifier::DIM),
            faint: mono(ink((62, 69, 79), (205, 210, 217), Color::DarkGray), Modifier::DIM),
            accent: mono(ink((86, 180, 233), (0, 104, 165), Color::Cyan), Modifier::BOLD),
            selected,
            train: ink((230, 159, 0), (176, 112, 0), Color::Yellow),
            val: ink((86, 180, 233), (0, 114, 178), Color::Cyan),
            test: ink((214, 137, 178), (163, 68, 121), Color::Magenta),
            good: ink((45, 190, 148), (0, 122, 88), Color::Green),
            bad: mono(ink((240, 116, 62), (190, 72, 0), Color::Red), Modifier::BOLD),
            warn: ink((240, 228, 66), (134, 112, 0), Color::Yellow),
        }
    }

    /// The colour of one of several curves, always the same for its place: the eight of Okabe and Ito, in
    /// an order in which neighbours differ in lightness, too.
    pub fn series(&self, at: usize) -> Style {
        const HUES: [(Rgb, Rgb, Color); 8] = [
            ((86, 180, 233), (0, 104, 165), Color::Cyan),
            ((230, 159, 0), (176, 112, 0), Color::Yellow),
            ((45, 190, 148), (0, 122, 88), Color::Green),
            ((214, 137, 178), (163, 68, 121), Color::Magenta),
            ((240, 228, 66), (134, 112, 0), Color::LightYellow),
            ((240, 116, 62), (190, 72, 0), Color::Red),
            ((120, 150, 230), (50, 70, 160), Color::Blue),
            ((170, 176, 184), (90, 96, 104), Color::Gray),
        ];
        let Some((dark, bright, named)) = HUES.get(at % HUES.len()) else { return self.text };
        let rgb = if self.light { *bright } else { *dark };
        paint(rgb, *named, self.depth).map_or(self.text, |colour| Style::new().fg(colour))
    }

    /// The same hue, faded towards the background: raw values behind a smoothed curve.
    pub fn faded(&self, style: Style) -> Style {
        match style.fg {
            Some(Color::Rgb(r, g, b)) => style.fg(self.mix((r, g, b), 0.42)),
            _ => self.faint,
        }
    }

    fn mix(&self, over: Rgb, share: f64) -> Color {
        let base: Rgb = if self.light { (250, 250, 250) } else { (22, 25, 30) };
        let channel = |a: u8, b: u8| (f64::from(a) + (f64::from(b) - f64::from(a)) * share) as u8;
        let rgb = (channel(base.0, over.0), channel(base.1, over.1), channel(base.2, over.2));
        paint(rgb, Color::Reset, self.depth).unwrap_or(Color::Reset)
    }

    /// A cell of a heat map, `heat` from 0 to 1: hits in blue, mistakes in vermillion.
    pub fn heat(&self, heat: f64, hit: bool) -> Style {
        let heat = if heat.is_finite() { heat.clamp(0.0, 1.0) } else { 0.0 };
        if matches!(self.depth, Depth::Mono | Depth::Named) {
            let style = if hit { self.val } else { self.bad };
            return match heat {
                x if x < 0.02 => self.dim,
                x if x < 0.5 => style.remove_modifier(Modifier::BOLD),
                _ => style.add_modifier(Modifier::BOLD),
            };
        }
        if heat == 0.0 {
            return self.faint;
        }
        let over = match (hit, self.light) {
            (true, false) => (40, 116, 176),
            (true, true) => (0, 114, 178),
            (false, _) => (213, 94, 0),
        };
        // The square root spreads the small shares, where mistakes live.
        let share = 0.10 + 0.90 * heat.sqrt();
        let bright = if self.light { share < 0.55 } else { share > 2.0 };
        let ink = if bright { (20, 24, 30) } else { (240, 244, 248) };
        let fg = paint(ink, Color::White, self.depth).unwrap_or(Color::Reset);
        Style::new().fg(fg).bg(self.mix(over, share))
    }
}

/// The colour as the terminal can show it; `None` where it has none.
fn paint((r, g, b): Rgb, named: Color, depth: Depth) -> Option<Color> {
    match depth {
        Depth::True => Some(Color::Rgb(r, g, b)),
        Depth::Indexed => Some(Color::Indexed(nearest_index(r, g, b))),
        Depth::Named => Some(named),
        Depth::Mono => None,
    }
}

/// The nearest of xterm's colour cube and grey ramp.
fn nearest_index(r: u8, g: u8, b: u8) -> u8 {
    const LEVELS: [i32; 6] = [0, 95, 135, 175, 215, 255];
    let near = |v: u8| {
        let gap = |i: &usize| LEVELS.get(*i).map_or(i32::MAX, |l| (l - i32::from(v)).abs());
        (0..LEVELS.len()).min_by_key(gap).unwrap_or(0)
    };
    let far = |x: i32, y: u8| (x - i32::from(y)).pow(2);
    let (i, j, k) = (near(r), near(g), near(b));
    let level = |i: usize| LEVELS.get(i).copied().unwrap_or(0);
    let cube = far(level(i), r) + far(level(j), g) + far(level(k), b);
    let mean = (i32::from(r) + i32::from(g) + i32::from(b)) / 3;
    let step = ((mean - 3) / 10).clamp(0, 23);
    let grey = 8 + 10 * step;
    if far(grey, r) + far(grey, g) + far(grey, b) < cube {
        232 + step as u8
    } else {
        (16 + 36 * i + 6 * j + k) as u8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mono_themes_have_no_colour_at_all() {
        let t = Theme::new(false, Depth::Mono);
        for style in
            [t.text, t.dim, t.faint, t.accent, t.selected, t.train, t.bad, t.heat(0.9, true)]
        {
            let none = [None, Some(Color::Reset)];
            assert!(none.contains(&style.fg) && none.contains(&style.bg));
        }
    }

    #[test]
    fn own_colours_are_taken_as_far_as_the_terminal_has_them() {
        let read = |pairs: &[(&str, &str)]| {
            let colours = pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
            Theme::choose(&Tui { colours, plot: "block".into(), ..Tui::default() })
        };
        let theme = read(&[("train", "#ff8000"), ("good", "green"), ("dim", "244")]).unwrap();
        assert_eq!(theme.plot, Plot::Block);
        let at = |depth| {
            let new = Theme::new(false, depth);
            Theme { own: theme.own.clone(), ..new }.with_own()
        };
        let full = at(Depth::True);
        assert_eq!(full.train.fg, Some(Color::Rgb(255, 128, 0)));
        assert_eq!((full.good.fg, full.dim.fg), (Some(Color::Green), Some(Color::Indexed(244))));
        assert_eq!(at(Depth::Indexed).train.fg, Some(Color::Indexed(208)));
        let named = at(Depth::Named);
        assert_eq!(named.train.fg, Theme::new(false, Depth::Named).train.fg);
        assert_eq!(named.good.fg, Some(Color::Green));
        assert_eq!(at(Depth::Mono).train.fg, None);
        assert_eq!(full.turned().train.fg, Some(Color::Rgb(255, 128, 0)));
        let wrong = |pairs: &[(&str, &str)]| read(pairs).unwrap_err().to_string();
        assert!(wrong(&[("trian", "red")]).contains("did you mean `train`?"));
        assert!(wrong(&[("train", "reddish")]).contains("`reddish`"));
    }

    #[test]
    fn indexed_colours_are_near_what_was_asked() {
        assert_eq!(nearest_index(255, 255, 255), 231);
        assert_eq!(nearest_index(0, 0, 0), 16);
        assert_eq!(nearest_index(118, 118, 118), 243);
        assert_eq!(nearest_index(86, 180, 233), 74);
    }
}
