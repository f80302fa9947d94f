use ratatui::layout::Rect;

use crate::store::{SiteInfo, SiteState, SlotInfo};
use crate::tui::canvas::Canvas;
use crate::tui::figures;
use crate::tui::labels::{site, state};
use crate::tui::snapshot::{RunnerState, Snapshot};
use crate::tui::text;
use crate::tui::widgets::bar::bar;

/// Each device or slot: its name, memory, load, heat, and the run on it.
pub fn draw(canvas: &mut Canvas, area: Rect, snap: &Snapshot) {
    let theme = canvas.theme;
    let aside = match snap.runner {
        RunnerState::Alive => "runner alive",
        RunnerState::Gone => "the runner is gone",
        RunnerState::Absent => "no runner",
    };
    let inner = canvas.panel(area, "devices", aside);
    if lines(snap) == 0 {
        let words = "The runner lists the devices when it starts.";
        canvas.put(inner.x, inner.y, inner.width, words, theme.dim);
        return;
    }
    let name = |s: &SlotInfo| match s.site.as_str() {
        "local" => s.slot.clone(),
        site => format!("{site} {}", s.slot),
    };
    let slot_width = widest(snap, name, 20);
    let wide = inner.width >= 100;
    let label_width = widest(snap, |s| s.label.clone(), if wide { 30 } else { 14 });
    let label = inner.x + slot_width + 2;
    let memory = label + label_width + 2;
    let memory_bar: u16 = if wide { 12 } else { 6 };
    let memory_words = memory + memory_bar + 1;
    let busy = memory_words + 12;
    let heat = busy + 5;
    let run = heat + 7;
    for (x, title) in [
        (inner.x, "slot"),
        (label, "device"),
        (memory, "memory"),
        (busy, "busy"),
        (heat + 2, "°C"),
        (run, "run"),
    ] {
        canvas.put(x, inner.y, inner.right().saturating_sub(x), title, theme.dim);
    }
    for (i, slot) in snap.slots.iter().enumerate() {
        let y = inner.y + 1 + i as u16;
        if y >= inner.bottom() {
            return more(canvas, area, lines(snap) - i);
        }
        canvas.put(inner.x, y, slot_width, &name(slot), theme.text);
        canvas.put(label, y, label_width, &slot.label, theme.dim);
        if let (Some(used), Some(total)) = (slot.memory_used, slot.memory_total) {
            let share = used as f64 / total.max(1) as f64;
            let style = if share > 0.92 { theme.bad } else { theme.train };
            bar(canvas, memory, y, memory_bar, share, style);
            canvas.put(memory_words, y, 11, &of(used, total), theme.text);
        }
        if let Some(busy_share) = slot.busy {
            canvas.put_right(busy + 4, y, 4, &format!("{busy_share:.0}%"), theme.text);
        }
        if let Some(degrees) = slot.temperature {
            let style = if degrees >= 85 { theme.bad } else { theme.text };
            canvas.put_right(heat + 4, y, 4, &degrees.to_string(), style);
        }
        on_it(canvas, Rect::new(run, y, inner.right().saturating_sub(run), 1), slot, snap);
    }
    for (i, site) in told(snap).enumerate() {
        let y = inner.y + 1 + (snap.slots.len() + i) as u16;
        if y >= inner.bottom() {
            return more(canvas, area, lines(snap) - snap.slots.len() - i);
        }
        let (words, style) = site::state(site, snap, theme);
        canvas.put(inner.x, y, slot_width, &site.name, theme.text);
        canvas.put(label, y, inner.right().saturating_sub(label), &words, style);
    }
}

fn more(canvas: &mut Canvas, area: Rect, n: usize) {
    let words = format!(" {n} more ");
    canvas.put_right(area.right() - 2, area.bottom() - 1, 12, &words, canvas.theme.dim);
}

/// How many lines there are to show: slots, and the sites that their slots do not fully describe.
pub fn lines(snap: &Snapshot) -> usize {
    snap.slots.len() + told(snap).count()
}

/// Sites that are away or were not asked, and clusters, whose free slots are no devices.
fn told(snap: &Snapshot) -> impl Iterator<Item = &SiteInfo> {
    let slots = |site: &SiteInfo| snap.slots.iter().filter(|slot| slot.site == site.name).count();
    snap.sites.iter().filter(move |site| {
        let partly = slots(site) == 0 || slots(site) < site.slots as usize;
        site.name != site::HERE && (partly || site.state == SiteState::Unreachable)
    })
}

fn widest(snap: &Snapshot, of: impl Fn(&SlotInfo) -> String, most: u16) -> u16 {
    let widest = snap.slots.iter().map(|s| text::width(&of(s))).max().unwrap_or(0);
    (widest as u16).clamp(6, most)
}

fn of(used: u64, total: u64) -> String {
    let gib = |n: u64| n as f64 / f64::from(1u32 << 30);
    let places = usize::from(gib(total) < 10.0);
    format!("{:.places$}/{:.places$} GiB", gib(used), gib(total))
}

fn on_it(canvas: &mut Canvas, area: Rect, slot: &SlotInfo, snap: &Snapshot) {
    let theme = canvas.theme;
    let Some(id) = slot.run else {
        let words = if snap.held.contains(&slot.site) { "held" } else { "free" };
        canvas.put(area.x, area.y, area.width, words, theme.faint);
        return;
    };
    let at = canvas.put(area.x, area.y, area.width, &format!("{id} "), theme.accent);
    let Some(run) = snap.live.iter().find(|r| r.id == id) else { return };
    if let Some(words) = site::progress(id, snap).filter(|_| run.epoch == 0.0) {
        canvas.put(at, area.y, area.right().saturating_sub(at), words, theme.warn);
        return;
    }
    let left =
        state::eta(run).map(|ms| format!("  {} left", figures::span(ms))).unwrap_or_default();
    let words = format!("{}{left}", state::epoch_words(run));
    let room = area.right().saturating_sub(at);
    let right = canvas.put_right(area.right(), area.y, room, &words, theme.text);
    canvas.put(at, area.y, right.saturating_sub(at + 2), &run.name, theme.text);
}
