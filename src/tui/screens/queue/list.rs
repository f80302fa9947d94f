use ratatui::layout::Rect;

use super::forecast::{Forecast, forecast, like};
use super::why::why;
use crate::spec::Desired;
use crate::store::Run;
use crate::tui::canvas::Canvas;
use crate::tui::figures;
use crate::tui::labels::{site, state};
use crate::tui::layout::scrolled;
use crate::tui::snapshot::{RunnerState, Snapshot};
use crate::tui::text;
use crate::tui::view::View;
use crate::tui::widgets::bar::bar;

/// The runs that train and wait.
pub fn draw(canvas: &mut Canvas, area: Rect, snap: &Snapshot, view: &View) {
    let theme = canvas.theme;
    let forecast = forecast(snap);
    let rows: Vec<&Run> = snap.live.iter().chain(snap.queue.iter()).collect();
    let waiting = snap.counts.queued + snap.counts.held;
    let aside = match forecast.all {
        Some(ms) if snap.counts.queued + snap.counts.live > 0 => {
            format!("all done in about {}", figures::span(ms))
        }
        _ => String::new(),
    };
    let title = format!(
        "running {}, waiting {}",
        figures::whole(snap.counts.live),
        figures::whole(waiting)
    );
    let inner = canvas.panel(area, &title, &aside);
    if rows.is_empty() {
        let words = "Nothing runs and nothing waits. 5 is the launch form; in a shell, `tuneboard run` and `tuneboard sweep` queue runs.";
        for (i, line) in text::wrap(words, usize::from(inner.width)).iter().enumerate() {
            canvas.put(inner.x, inner.y + i as u16, inner.width, line, theme.dim);
        }
        return;
    }
    let page = usize::from(inner.height.saturating_sub(1));
    let top = scrolled(view.queue.saturating_sub(page / 2), view.queue, page, rows.len());
    let place = Columns::new(inner, &rows);
    place.titles(canvas, inner);
    let mut position =
        rows.iter().take(top).filter(|r| !r.state.is_live() && r.desired == Desired::Run).count();
    for (line, (at, run)) in rows.iter().enumerate().skip(top).take(page).enumerate() {
        let y = inner.y + 1 + line as u16;
        let row = Rect::new(inner.x - 1, y, inner.width + 2, 1);
        canvas.row(row, at, at == view.queue && view.queue_at == Some(run.id));
        let waits = !run.state.is_live() && run.desired == Desired::Run;
        position += usize::from(waits);
        if waits {
            canvas.put_right(inner.x + 4, y, 4, &position.to_string(), theme.dim);
        }
        place.row(canvas, y, run, forecast.of(run.id), snap);
    }
    let here = rows.iter().find(|run| view.queue_at == Some(run.id));
    if let Some((run, why)) = here.and_then(|run| Some((run, why(run, snap)?))) {
        // Behind these words stands how many more wait.
        let room = area.width.saturating_sub(26);
        let words = format!(" {}: {why}{} ", run.id, unknown(run, &forecast, snap));
        canvas.put(area.x + 2, area.bottom() - 1, room, &words, theme.warn);
    }
    let read = snap.queue.len() as u64;
    if waiting > read && top + page >= rows.len() {
        let words = format!(" {} more wait ", figures::whole(waiting - read));
        canvas.put_right(area.right() - 2, area.bottom() - 1, 30, &words, theme.dim);
    }
    let none = snap.runner != RunnerState::Alive && waiting > 0;
    if none && here.is_none_or(|run| run.state.is_live()) && inner.width > 60 {
        let words = " no runner: r on a run starts one ";
        canvas.put(area.x + 2, area.bottom() - 1, 40, words, theme.warn);
    }
}

/// Why nothing is said of when it starts.
fn unknown(run: &Run, forecast: &Forecast, snap: &Snapshot) -> String {
    let waits = run.desired == Desired::Run && forecast.of(run.id).is_none();
    let Some(first) = forecast.untimed.filter(|_| waits) else { return String::new() };
    if first != run.id
        && like(run) != snap.queue.iter().find(|r| r.id == first).map_or(("", ""), like)
    {
        return format!("; when, nobody knows: {first} is before it, whose like was never timed");
    }
    let (model, data) = like(run);
    let data = data.rsplit('/').next().unwrap_or(data);
    format!("; when, nobody knows: no run of {model} on {data} was timed yet")
}

/// Where each column begins.
struct Columns {
    state: u16,
    id: u16,
    name: u16,
    name_width: u16,
    epoch: u16,
    bar: u16,
    starts: u16,
    left: u16,
    end: u16,
}

impl Columns {
    fn new(inner: Rect, rows: &[&Run]) -> Self {
        let ids = rows.iter().map(|r| r.id.to_string().len()).max().unwrap_or(2) as u16;
        let end = inner.right();
        let bar = if inner.width >= 110 { 16 } else { 6 };
        let left = end.saturating_sub(7);
        let starts = left.saturating_sub(10);
        let epoch = starts.saturating_sub(bar + 10);
        let state = inner.x + 6;
        let id = state + 11;
        let name = id + ids + 2;
        Self {
            state,
            id,
            name,
            name_width: epoch.saturating_sub(name + 2),
            epoch,
            bar,
            starts,
            left,
            end,
        }
    }

    fn titles(&self, canvas: &mut Canvas, inner: Rect) {
        let (y, dim) = (inner.y, canvas.theme.dim);
        canvas.put_right(inner.x + 4, y, 4, "#", dim);
        canvas.put(self.state, y, 10, "state", dim);
        canvas.put(self.id, y, 4, "id", dim);
        canvas.put(self.name, y, self.name_width, "name", dim);
        canvas.put(self.epoch, y, 8, "epoch", dim);
        canvas.put_right(self.starts + 8, y, 9, "starts in", dim);
        canvas.put_right(self.end, y, 7, "done in", dim);
    }

    fn row(
        &self,
        canvas: &mut Canvas,
        y: u16,
        run: &Run,
        forecast: Option<(i64, i64)>,
        snap: &Snapshot,
    ) {
        let theme = canvas.theme;
        let (glyph, word, style) = site::run_state(run, snap, theme);
        canvas.put(self.state, y, 10, &format!("{glyph} {word}"), style);
        canvas.put(self.id, y, 9, &run.id.to_string(), theme.dim);
        let end = canvas.put(self.name, y, self.name_width, &run.name, theme.text);
        let room = (self.name + self.name_width).saturating_sub(end + 2);
        if room > 6 {
            let waits = why(run, snap).filter(|_| room > 40);
            let words = waits
                .map_or_else(|| run.spec.model.clone(), |why| format!("{}  {why}", run.spec.model));
            canvas.put(end + 2, y, room, &words, theme.dim);
        }
        if let Some(words) = site::progress(run.id, snap).filter(|_| run.epoch == 0.0) {
            let room = self.end.saturating_sub(self.epoch);
            canvas.put(self.epoch, y, room, words, theme.warn);
            return;
        }
        if run.state.is_live() || run.epoch > 0.0 {
            bar(canvas, self.epoch, y, self.bar, state::progress(run), theme.val);
            canvas.put(self.epoch + self.bar + 1, y, 8, &state::epoch_words(run), theme.text);
        } else {
            let words = match state::epochs(run) {
                1 => "1 epoch".to_owned(),
                n => format!("{n} epochs"),
            };
            canvas.put(self.epoch, y, 12, &words, theme.dim);
        }
        let Some((start, done)) = forecast else {
            if !run.state.is_live() && run.desired == Desired::Run {
                canvas.put_right(self.starts + 8, y, 8, "?", theme.faint);
            }
            return;
        };
        if !run.state.is_live() {
            canvas.put_right(self.starts + 8, y, 8, &figures::span(start), theme.dim);
        }
        canvas.put_right(self.end, y, self.end - self.left, &figures::span(done), theme.text);
    }
}
