use ratatui::layout::Rect;
use ratatui::style::Modifier;

use crate::spec::SWEEP_KEYS;
use crate::spec::keys::KEYS;
use crate::tui::canvas::Canvas;
use crate::tui::form::{Checked, Form, Row};
use crate::tui::layout::scrolled;
use crate::tui::text;
use crate::tui::view::{Popup, Prompt, View};
use crate::tui::widgets::typed::typed;

/// Columns of a key's name.
const NAME: u16 = 16;

/// The lines of the form.
pub fn draw(canvas: &mut Canvas, area: Rect, form: &Form, checked: &Checked, view: &View) {
    let title = form.from.map_or_else(|| "new run".to_owned(), |id| format!("clone of {id}"));
    let rows = form.rows();
    let changed = rows.iter().filter(|r| matches!(r, Row::Key(_)) && form.is_changed(**r)).count();
    let aside = match changed {
        0 => String::new(),
        n => format!("◆ {n} changed"),
    };
    let inner = canvas.panel(area, &title, &aside);
    let page = usize::from(inner.height);
    let top = scrolled(form.cursor.saturating_sub(page / 2), form.cursor, page, rows.len());
    for (line, (at, row)) in rows.iter().enumerate().skip(top).take(page).enumerate() {
        let y = inner.y + line as u16;
        let whole = Rect::new(inner.x.saturating_sub(1), y, inner.width + 2, 1);
        canvas.row(whole, at, at == form.cursor);
        let place = Rect::new(inner.x + 1, y, inner.width.saturating_sub(1), 1);
        match row {
            Row::Group(_) => group(canvas, place, form, *row, checked),
            Row::Launch => launch(canvas, place, checked),
            Row::Key(_) | Row::Sweep(_) => field(canvas, place, form, *row, checked, view),
        }
    }
}

fn group(canvas: &mut Canvas, at: Rect, form: &Form, row: Row, checked: &Checked) {
    let Row::Group(group) = row else { return };
    let theme = canvas.theme;
    let open = form.open.contains(&group);
    let mark = if open { "▾ " } else { "▸ " };
    let end =
        canvas.pieces(at.x, at.y, at.width, &[(mark, theme.dim), (group.title(), theme.strong)]);
    if open {
        return;
    }
    // What is folded away must still be seen to be wrong or changed.
    let of_group = |i: &usize| KEYS.get(*i).is_some_and(|k| k.group == group);
    let keys: Vec<usize> = (0..KEYS.len()).filter(of_group).collect();
    let wrong = keys.iter().filter(|i| checked.error(Row::Key(**i)).is_some()).count();
    let changed: Vec<&str> = keys
        .iter()
        .filter(|i| form.is_changed(Row::Key(**i)))
        .filter_map(|i| KEYS.get(*i))
        .map(|k| k.name)
        .collect();
    let room = at.right().saturating_sub(end + 2);
    if wrong > 0 {
        canvas.put(end + 2, at.y, room, &format!("✗ {wrong} wrong"), theme.bad);
    } else if !changed.is_empty() {
        canvas.put(end + 2, at.y, room, &format!("◆ {}", changed.join(", ")), theme.accent);
    } else {
        canvas.put(end + 2, at.y, room, &format!("{} keys", keys.len()), theme.faint);
    }
}

fn launch(canvas: &mut Canvas, at: Rect, checked: &Checked) {
    let theme = canvas.theme;
    let (words, style) = match (&checked.sweep, checked.wrong.len()) {
        (Some(sweep), _) if sweep.planned() == 1 => ("▶ launch the run".to_owned(), theme.good),
        (Some(sweep), _) => (format!("▶ launch {} runs", sweep.planned()), theme.good),
        (None, 0) => ("✗ not a run yet".to_owned(), theme.bad),
        // Nothing is wrong with a form that was just opened.
        (None, n) if checked.missing.len() == n => {
            (format!("○ choose {} first", checked.missing.join(" and ")), theme.dim)
        }
        (None, 1) => ("✗ one key is wrong".to_owned(), theme.bad),
        (None, n) => (format!("✗ {n} keys are wrong"), theme.bad),
    };
    canvas.put(at.x, at.y, at.width, &words, style.add_modifier(Modifier::BOLD));
}

fn field(canvas: &mut Canvas, at: Rect, form: &Form, row: Row, checked: &Checked, view: &View) {
    let theme = canvas.theme;
    let name = match row {
        Row::Key(i) => KEYS.get(i).map_or("", |k| k.name),
        Row::Sweep(i) => SWEEP_KEYS.get(i).map_or("", |k| k.name),
        Row::Group(_) | Row::Launch => "",
    };
    let changed = form.is_changed(row);
    if changed {
        canvas.dot(at.x, at.y, '◆', theme.accent);
    }
    canvas.put(at.x + 2, at.y, NAME - 3, name, if changed { theme.accent } else { theme.dim });
    let x = at.x + NAME;
    let room = at.right().saturating_sub(x);
    if let Some(Popup::Prompt(Prompt::Field(of), line)) = &view.popup
        && *of == row
    {
        typed(canvas, x, at.y, room, line);
        return;
    }
    let words = form.text(row);
    let count = match checked.varied.iter().find(|(key, _)| *key == name) {
        Some((_, Some(n))) => format!("×{n}"),
        Some((_, None)) => "drawn".to_owned(),
        None => String::new(),
    };
    let used = text::width(&count) as u16;
    let style = match (checked.error(row).is_some(), changed) {
        (true, _) => theme.bad,
        (false, true) => theme.strong,
        (false, false) => theme.text,
    };
    let shown = if words.is_empty() { "–" } else { words };
    let end = canvas.put(x, at.y, room.saturating_sub(used + 1), shown, style);
    if checked.error(row).is_some() {
        canvas.put_right(at.right(), at.y, 2, "✗", theme.bad);
        return;
    }
    canvas.put_right(at.right(), at.y, used, &count, theme.accent);
    let was = format!("was {}", if form.first(row).is_empty() { "–" } else { form.first(row) });
    let left = at.right().saturating_sub(end + used + 3);
    if changed && matches!(row, Row::Key(_)) && usize::from(left) >= text::width(&was) {
        canvas.put(end + 2, at.y, left, &was, theme.dim);
    }
}
