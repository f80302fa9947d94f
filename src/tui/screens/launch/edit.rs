use serde_json::Value;

use crate::spec::keys::{KEYS, ValueKind};
use crate::tui::background::Which;
use crate::tui::command::{Command, Effect, Order};
use crate::tui::form::{Row, round, text};
use crate::tui::line::Line;
use crate::tui::snapshot::Snapshot;
use crate::tui::view::{Pick, Popup, Prompt, View};

/// More runs than this are asked about before they are queued.
const MANY: usize = 50;

/// Edits the line under the cursor, folds its group, or launches.
pub fn edit(view: &mut View, snap: &Snapshot) -> Option<Effect> {
    let form = view.form.as_ref()?;
    let row = form.row();
    match row {
        Row::Group(_) => unfold(view),
        Row::Launch => return launch(view, snap),
        Row::Key(i) if KEYS.get(i).is_some_and(|k| k.kind == ValueKind::Path) => {
            let is_model = KEYS.get(i).is_some_and(|k| k.name == "model");
            let which = if is_model { Which::Models } else { Which::Data };
            view.popup = Some(Popup::Pick(Pick { row, which, line: Line::default(), at: 0 }));
        }
        Row::Key(i)
            if KEYS.get(i).is_some_and(|k| ["text", "label", "split_column"].contains(&k.name))
                && form.one("data").is_some() =>
        {
            let which = Which::Columns;
            view.popup = Some(Popup::Pick(Pick { row, which, line: Line::default(), at: 0 }));
        }
        Row::Key(_) | Row::Sweep(_) => {
            let text = form.text(row).to_owned();
            view.popup = Some(Popup::Prompt(Prompt::Field(row), Line::selected(&text)));
        }
    }
    None
}

/// Shows or hides the keys of the group that the cursor is in.
pub fn unfold(view: &mut View) {
    let Some(form) = &mut view.form else { return };
    let rows = form.rows();
    let above = rows.iter().take(form.cursor + 1).rev();
    let heading = above.enumerate().find_map(|(up, row)| match row {
        Row::Group(group) => Some((form.cursor - up, *group)),
        _ => None,
    });
    let Some((at, group)) = heading.filter(|_| form.row() != Row::Launch) else { return };
    if !form.open.remove(&group) {
        form.open.insert(group);
    }
    form.cursor = at;
}

/// The value before or behind; of the site, the next one of the config.
pub fn step(view: &mut View, snap: &Snapshot, up: bool) {
    let Some(form) = &mut view.form else { return };
    let row = form.row();
    if let Row::Key(i) = row
        && KEYS.get(i).is_some_and(|key| key.name == "site")
    {
        let sites = snap.sites.iter().map(|site| site.name.as_str());
        let choices: Vec<&str> = sites.chain(["any"]).collect();
        if let Some(next) = round(&choices, form.text(row), up).map(str::to_owned) {
            form.set(row, &next);
        }
    } else {
        form.step(row, up);
    }
}

/// What the line was at first.
pub fn reset(view: &mut View) {
    if let Some(form) = &mut view.form {
        form.reset(form.row());
    }
}

/// Asks for a test of learning rates with what the form says of its first run.
pub fn find_rate(view: &mut View, snap: &Snapshot) -> Option<Effect> {
    let sweep = view.form.as_ref()?.check(None).sweep;
    let Some(spec) = sweep.and_then(|sweep| sweep.specs().next()?.ok()) else {
        view.refuse("The form has a key that is wrong; a test needs a run.");
        return None;
    };
    let of_run = KEYS.iter().filter(|key| key.name != "lr");
    let differs = of_run.filter(|key| (key.get)(&spec) != (key.get)(&snap.defaults));
    Some(Effect::FindRate(
        differs.map(|key| format!("{}={}", key.name, text(key, &spec))).collect(),
    ))
}

/// What `lr-find` wrote: its bounds become the range of `lr`.
pub fn rates_found(view: &mut View, json: &str) {
    let found: Value = serde_json::from_str(json).unwrap_or_default();
    let bound = |at: usize| found["suggestion"]["bounds"][at].as_f64().filter(|x| *x > 0.0);
    let lr = KEYS.iter().position(|key| key.name == "lr").map(Row::Key);
    let (Some(form), Some(row)) = (&mut view.form, lr) else { return };
    match (bound(0), bound(1)) {
        (Some(low), Some(high)) => {
            form.set(row, &format!("log({low:.0e},{high:.0e})"));
            form.cursor = form.rows().iter().position(|r| *r == row).unwrap_or(form.cursor);
        }
        _ => view.refuse("The loss did not fall at any rate; lr stays as it was."),
    }
}

/// Queues what the form says, or goes to what is wrong with it.
pub fn launch(view: &mut View, snap: &Snapshot) -> Option<Effect> {
    let form = view.form.as_mut()?;
    let checked = form.check(None);
    let Some(sweep) = checked.sweep else {
        if let Some((row, why)) = checked.wrong.first() {
            if let Row::Key(i) = row
                && let Some(key) = KEYS.get(*i)
            {
                form.open.insert(key.group);
            }
            form.cursor = form.rows().iter().position(|r| r == row).unwrap_or(form.cursor);
            view.refuse(why);
        } else if let Some(why) = checked.whole {
            view.refuse(why);
        }
        return None;
    };
    let again = snap.answers.form.as_deref().filter(|facts| facts.sweep == sweep);
    let again = again.map_or(0, |facts| facts.twins.len());
    let count = sweep.runs();
    let like = view.form.as_ref().and_then(|form| form.from);
    let order = Command::Launch(Box::new(Order { sweep, like }));
    // One more of the same run is rarely meant; a large sweep is meant once.
    let question = match (count, again) {
        (1, 1) => Some("This run is there already. Launch it again?".to_owned()),
        (n, _) if n > MANY => Some(format!("Launch {n} runs?")),
        _ => None,
    };
    match question {
        Some(question) => {
            view.popup = Some(Popup::Confirm(question, order));
            None
        }
        None => Some(Effect::Do(order)),
    }
}

/// Asks under which name the form is saved.
pub fn save(view: &mut View) {
    let Some(form) = &view.form else { return };
    let checked = form.check(None);
    if let Some(why) = checked.whole.or_else(|| checked.wrong.into_iter().next().map(|(_, w)| w)) {
        view.refuse(why);
        return;
    }
    view.prompt(Prompt::SweepName, "");
}
