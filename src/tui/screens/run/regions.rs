use ratatui::layout::{Constraint, Layout, Rect};

/// From this width on, curves get the left and everything else the right.
const WIDE: u16 = 110;

/// Where each panel goes.
pub struct Regions {
    pub title: Rect,
    pub loss: Rect,
    pub accuracy: Rect,
    /// The spec, or a failed run's last words.
    pub spec: Rect,
    pub confusion: Rect,
    pub log: Rect,
}

/// Shares out the screen.
pub fn regions(area: Rect, failed: bool) -> Regions {
    let [title, body] = Layout::vertical([Constraint::Length(2), Constraint::Fill(1)]).areas(area);
    if area.width >= WIDE {
        let log_height = (area.height / 5).clamp(4, 9);
        let [main, log] =
            Layout::vertical([Constraint::Fill(1), Constraint::Length(log_height)]).areas(body);
        let [left, right] =
            Layout::horizontal([Constraint::Fill(62), Constraint::Fill(38)]).areas(main);
        let [loss, accuracy] =
            Layout::vertical([Constraint::Fill(55), Constraint::Fill(45)]).areas(left);
        let [spec, confusion] =
            Layout::vertical([Constraint::Fill(1), Constraint::Fill(1)]).areas(right);
        Regions { title, loss, accuracy, spec, confusion, log }
    } else {
        let [charts, low] =
            Layout::vertical([Constraint::Fill(54), Constraint::Fill(46)]).areas(body);
        let [loss, accuracy] =
            Layout::horizontal([Constraint::Fill(1), Constraint::Fill(1)]).areas(charts);
        let none = Rect { width: 0, height: 0, ..low };
        if failed {
            return Regions { title, loss, accuracy, spec: low, confusion: none, log: none };
        }
        let [spec, confusion] =
            Layout::horizontal([Constraint::Fill(1), Constraint::Fill(1)]).areas(low);
        Regions { title, loss, accuracy, spec, confusion, log: none }
    }
}
