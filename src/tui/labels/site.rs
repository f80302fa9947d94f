//! Sites in words: where a run is, what it waits for there, how a site is.

use chrono::{DateTime, Local};
use ratatui::style::Style;

use super::state;
use crate::spec::RunId;
use crate::store::{Run, SiteInfo, SiteState};
use crate::tui::figures;
use crate::tui::figures::day;
use crate::tui::snapshot::Snapshot;
use crate::tui::theme::Theme;

/// The site that is this machine.
pub const HERE: &str = "local";

/// Where a run is or was; of one that has not started, where it is to go.
pub fn of(run: &Run) -> &str {
    run.placement.as_ref().map_or(run.spec.site.as_str(), |place| &place.site)
}

/// What a live run is doing on its site before it trains: what it waits for, how far a copy is.
pub fn progress(id: RunId, snap: &Snapshot) -> Option<&str> {
    let words = snap.sites.iter().find_map(|site| site.runs.get(&id))?;
    snap.live.iter().any(|run| run.id == id).then_some(words)
}

/// Glyph, word and colour of a run: its state, unless that is in doubt.
pub fn run_state(run: &Run, snap: &Snapshot, theme: &Theme) -> (char, &'static str, Style) {
    let lost = run.state.is_live() && snap.lost.contains(&run.id);
    match lost.then_some("lost?").or_else(|| run.doubt(&snap.sites)) {
        Some(word) => ('◌', word, theme.warn),
        None => state::label(run, theme),
    }
}

/// Up with its free slots, or since when it is away and why.
pub fn state(site: &SiteInfo, snap: &Snapshot, theme: &Theme) -> (String, Style) {
    match site.state {
        SiteState::Unasked => ("not asked yet".to_owned(), theme.faint),
        SiteState::Up if site.slots == 0 => ("up".to_owned(), theme.good),
        SiteState::Up => (format!("up, {} of {} free", site.free, site.slots), theme.good),
        SiteState::Unreachable => {
            let seen = site.seen.zip(DateTime::from_timestamp_millis(snap.now));
            let seen = seen.map(|(seen, now)| day(seen, now.with_timezone(&Local)));
            let seen = seen.map(|seen| format!(", last seen {seen}")).unwrap_or_default();
            (format!("unreachable{seen}: {}", site.why), theme.bad)
        }
    }
}

/// What a launch form says of where runs may go: every site, and how many runs wait.
pub fn choices<'a>(snap: &'a Snapshot, theme: &Theme) -> Vec<(&'a str, String, Style)> {
    let here = snap.slots.iter().filter(|slot| slot.site == HERE);
    let (all, free) =
        here.fold((0, 0), |(n, free), slot| (n + 1, free + u32::from(slot.run.is_none())));
    let here = if all == 0 { "this machine".to_owned() } else { format!("{free} of {all} free") };
    let elsewhere = snap.sites.iter().filter(|site| site.name != HERE).map(|site| {
        let (words, style) = state(site, snap, theme);
        (site.name.as_str(), words, style)
    });
    let waiting = match snap.counts.queued {
        0 => "the first free one; nothing waits".to_owned(),
        1 => "the first free one; 1 run waits".to_owned(),
        n => format!("the first free one; {} runs wait", figures::whole(n)),
    };
    let mut all = vec![(HERE, here, theme.text)];
    all.extend(elsewhere);
    all.push(("any", waiting, theme.dim));
    all
}
