//! The launch form: empty, a clone with changes, wrong, with twins, its pickers; by key and by mouse.

use std::sync::Arc;

use crossterm::event::{Event, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};

use super::{both, large, narrow, press};
use crate::analysis::forecast::Forecast;
use crate::board::Model;
use crate::spec::keys::KEYS;
use crate::spec::{RunId, SWEEP_KEYS};
use crate::tui::background::{Answers, Choices, FormFacts, Question, Twin, Which};
use crate::tui::canvas::Canvas;
use crate::tui::command::Command;
use crate::tui::command::Effect;
use crate::tui::events;
use crate::tui::fixtures::{board, many, text};
use crate::tui::form::{Form, Row};
use crate::tui::screens;
use crate::tui::snapshot::{Health, Snapshot};
use crate::tui::theme::{Depth, Theme};
use crate::tui::view::{Popup, ScreenId, View};

/// What the background thread would answer.
fn answered(snap: &mut Snapshot, view: &View, twins: &[(u32, f64)]) {
    let Some(Question::Form(sweep)) = events::question(view, snap) else { return };
    let twin = |(id, score): &(u32, f64)| Twin {
        id: RunId(*id),
        score: Some(*score),
        state: "done".into(),
        is_over: true,
        when: "Tue".into(),
    };
    let forecast = Forecast {
        millis: Some(130_000),
        memory: Some(1.5e9),
        runs: 3,
        nearest: RunId(12),
        is_alike: true,
    };
    let form = FormFacts {
        looked: sweep.len(),
        sweep: *sweep,
        twins: twins.iter().map(twin).collect(),
        forecast: Some(forecast),
        reading: Some("CSV, UTF-8: text `v2`, label `v1`.".into()),
        rows: Some([4459, 557, 558]),
        layers: Some(6),
        problem: None,
        room: None,
    };
    snap.answers = Answers { form: Some(Arc::new(form)), ..Answers::default() };
}

/// The form with the spec of r12.
fn cloned() -> (Snapshot, View) {
    let snap = board(many());
    let mut view = large();
    press(&mut view, &snap, "down down down down down down down down down down c");
    assert_eq!(
        (view.screen, view.form.as_ref().unwrap().from),
        (ScreenId::LAUNCH, Some(RunId(12)))
    );
    (snap, view)
}

#[test]
fn an_empty_form_says_what_is_missing() {
    let mut snap = board(Vec::new());
    snap.health = Health::NoDatabase;
    let mut view = large();
    press(&mut view, &snap, "N");
    both("launch_new", &snap, &mut view);
    assert_eq!(press(&mut view, &snap, "L"), None);
    assert!(view.notice.as_ref().is_some_and(|n| n.bad && n.text.contains("model")), "{view:?}");
    press(&mut view, &snap, "esc N");
    assert!(view.screen == ScreenId::LAUNCH);
}

#[test]
fn a_clone_with_changes() {
    let (mut snap, mut view) = cloned();
    press(&mut view, &snap, "left enter , 3 e - 5 enter down right");
    answered(&mut snap, &view, &[(3, 0.913), (4, 0.9)]);
    both("launch_clone", &snap, &mut view);
    narrow("launch_clone", &snap, &mut view);
    let left = press(&mut view, &snap, "esc 5");
    assert_eq!(left, None);
    let Some(Effect::Do(Command::Launch(order))) = press(&mut view, &snap, "L") else {
        panic!("{view:?}")
    };
    let specs = order.sweep.expand().unwrap();
    assert_eq!(specs.iter().map(|s| (s.lr, s.epochs)).collect::<Vec<_>>(), [(5e-6, 4), (3e-5, 4)]);
}

/// Slanted triangles, one for each group of layers, from the epoch in which it unfreezes.
#[test]
fn rates_of_groups_are_drawn_before_anything_runs() {
    let (mut snap, mut view) = cloned();
    let mut run = many().into_iter().find(|run| run.id == RunId(12)).unwrap();
    for (key, value) in
        [("schedule", "slanted"), ("unfreeze", "gradual"), ("layer_decay", "2.6"), ("epochs", "9")]
    {
        run.spec.set(key, value).unwrap();
    }
    view.form = Some(Form::of(&run));
    answered(&mut snap, &view, &[]);
    both("launch_groups", &snap, &mut view);
    assert!(text(&snap, &mut view, 160, 45).contains("8 groups"));

    run.spec.model = "majority".into();
    view.form = Some(Form::of(&run));
    answered(&mut snap, &view, &[]);
    assert!(text(&snap, &mut view, 160, 45).contains("majority is fitted in one go"));
}

#[test]
fn a_learning_rate_is_looked_for_and_its_bounds_are_taken() {
    let (snap, mut view) = cloned();
    let effect = press(&mut view, &snap, "f");
    let Some(Effect::FindRate(pairs)) = effect else { panic!("{effect:?}") };
    assert!(pairs.contains(&"model=minilm".to_owned()), "{pairs:?}");
    assert!(pairs.iter().all(|pair| !pair.starts_with("lr=")), "{pairs:?}");
    crate::tui::screens::launch::rates_found(
        &mut view,
        r#"{"suggestion":{"rate":1e-4,"lowest":3e-4,"bounds":[1e-5,3e-4]}}"#,
    );
    let form = view.form.as_ref().unwrap();
    assert_eq!(form.text(form.row()), "log(1e-5,3e-4)");
    crate::tui::screens::launch::rates_found(&mut view, r#"{"suggestion":null}"#);
    assert!(view.notice.as_ref().unwrap().text.contains("lr stays as it was"));
}

#[test]
fn a_search_says_when_runs_are_judged_and_what_it_takes_at_worst() {
    let (mut snap, mut view) = cloned();
    let form = view.form.as_mut().unwrap();
    let plan = [("trials", "20"), ("prune", "asha"), ("confirm", "2"), ("until", "2h")];
    for (name, value) in plan {
        let at = SWEEP_KEYS.iter().position(|key| key.name == name).unwrap();
        form.set(Row::Sweep(at), value);
    }
    let lr = KEYS.iter().position(|key| key.name == "lr").unwrap();
    form.set(Row::Key(lr), "log(1e-6,1e-3)");
    answered(&mut snap, &view, &[]);
    let shown = text(&snap, &mut view, 160, 45);
    // Six runs confirm: 26 of 2m10.
    for words in ["26 runs", "at worst", "goes on after epoch", "3 fresh seeds: 6 runs", "after 2h"]
    {
        assert!(shown.contains(words), "{words}\n{shown}");
    }
}

#[test]
fn a_wrong_value_is_told_while_it_is_typed() {
    let (snap, mut view) = cloned();
    press(&mut view, &snap, "enter x");
    both("launch_wrong", &snap, &mut view);
    press(&mut view, &snap, "esc");
    assert!(view.form.as_ref().unwrap().check(None).sweep.is_some(), "esc drops what was typed");
}

#[test]
fn a_run_that_is_there_is_launched_again_only_after_a_yes() {
    let (mut snap, mut view) = cloned();
    answered(&mut snap, &view, &[(12, 0.913)]);
    assert!(text(&snap, &mut view, 160, 45).contains("you already ran this: 0.9130 on Tue (r12)"));
    assert_eq!(press(&mut view, &snap, "L"), None);
    assert!(matches!(view.popup, Some(Popup::Confirm(..))));
    assert!(matches!(press(&mut view, &snap, "y"), Some(Effect::Do(Command::Launch(_)))));
}

#[test]
fn models_are_picked_from_a_list() {
    let (mut snap, mut view) = cloned();
    press(&mut view, &snap, "home down enter");
    assert_eq!(
        events::question(&view, &snap),
        Some(Question::Choices(Which::Models, String::new(), None))
    );
    let model = |name: &str, problem: Option<&str>| Model {
        name: name.into(),
        family: Some("bert".into()),
        parameters: Some(22_713_216),
        bytes: 91 << 20,
        licence: None,
        problem: problem.map(str::to_owned),
    };
    let models = vec![model("gpt2", Some("no tokenizer.json")), model("minilm", None)];
    let choices = Choices {
        which: Which::Models,
        models,
        hub: vec![("FacebookAI/roberta-base", "RoBERTa")],
        files: Vec::new(),
        columns: Vec::new(),
        profile: None,
    };
    snap.answers.choices = Some(Arc::new(choices));
    both("launch_pick", &snap, &mut view);
    press(&mut view, &snap, "g p tab esc");
    let form = view.form.as_ref().unwrap();
    assert_eq!(form.check(None).varied, [("model", Some(2))]);
    press(&mut view, &snap, "enter o w n / m enter");
    assert_eq!(view.form.as_ref().unwrap().text(view.form.as_ref().unwrap().row()), "own/m");
    press(&mut view, &snap, "enter r o b");
    assert!(text(&snap, &mut view, 120, 30).contains("enter fetches it into models/roberta-base"));
    let effect = press(&mut view, &snap, "enter");
    let Some(Effect::Verb(words, true)) = effect else { panic!("{effect:?}") };
    assert_eq!(words, ["models", "pull", "FacebookAI/roberta-base"]);
    assert_eq!(view.form.as_ref().unwrap().text(view.form.as_ref().unwrap().row()), "roberta-base");
}

#[test]
fn a_form_is_saved_with_what_differs_from_the_defaults() {
    let (snap, mut view) = cloned();
    let effect = press(&mut view, &snap, "w t w o enter");
    let Some(Effect::Do(Command::SaveSweep(name, pairs))) = effect else { panic!("{effect:?}") };
    assert_eq!(name, "two");
    let keys: Vec<&str> = pairs.iter().map(|(k, _)| k.as_str()).collect();
    assert_eq!(keys, ["model", "data", "lr"]);
}

/// Clicks on the words, as the screen shows them.
fn click(view: &mut View, snap: &Snapshot, words: &str) -> Option<Effect> {
    let shown = text(snap, view, 160, 45);
    let (row, line) = shown.lines().enumerate().find(|(_, l)| l.contains(words)).expect(words);
    let column = crate::tui::text::width(&line[..line.find(words).unwrap()]) as u16;
    let keymap = screens::keymap(&std::collections::BTreeMap::new()).unwrap();
    let theme = Theme::new(false, Depth::True);
    let mut buf = ratatui::buffer::Buffer::empty(view.area);
    let mut canvas = Canvas::new(&mut buf, &theme);
    crate::tui::draw::draw(&mut canvas, snap, view, &keymap);
    let hits = canvas.hits;
    let event = Event::Mouse(MouseEvent {
        kind: MouseEventKind::Down(MouseButton::Left),
        column,
        row: row as u16,
        modifiers: KeyModifiers::NONE,
    });
    let effect = events::input(event, view, snap, &keymap, &hits).1;
    screens::settle(view, snap);
    effect
}

#[test]
fn a_run_is_cloned_changed_and_launched_by_mouse_alone() {
    let snap = board(many());
    let mut view = large();
    click(&mut view, &snap, "r12");
    assert_eq!(view.runs.at, Some(RunId(12)));
    click(&mut view, &snap, "clone");
    assert_eq!(view.screen, ScreenId::LAUNCH);
    click(&mut view, &snap, "epochs");
    click(&mut view, &snap, "→ more");
    click(&mut view, &snap, "▶ launch the run");
    let effect = click(&mut view, &snap, "▶ launch the run");
    let Some(Effect::Do(Command::Launch(order))) = effect else { panic!("{effect:?}") };
    assert_eq!(order.sweep.base.epochs, 4);
    click(&mut view, &snap, "1 Runs");
    assert!(!text(&snap, &mut view, 160, 45).contains("x stop"), "r12 has ended");
    click(&mut view, &snap, "r18  lr=");
    click(&mut view, &snap, "x stop");
    assert!(matches!(view.popup, Some(Popup::Confirm(..))));
    assert_eq!(click(&mut view, &snap, "n no"), None);
    assert_eq!(view.popup, None);
}

#[test]
fn what_the_board_would_refuse_is_said_once_and_at_its_key() {
    let (mut snap, mut view) = cloned();
    answered(&mut snap, &view, &[]);
    assert!(text(&snap, &mut view, 160, 45).contains("launch the run"));
    let mut facts = (*snap.answers.form.clone().unwrap()).clone();
    facts.problem = Some(("data", "data/nope.csv: there is no such file.".into()));
    snap.answers.form = Some(Arc::new(facts));
    let screen = text(&snap, &mut view, 160, 45);
    assert!(!screen.contains("launch the run") && !screen.contains("1 run"), "{screen}");
    assert!(screen.contains("one key is wrong") && screen.contains("no such file"), "{screen}");
    assert!(screen.lines().any(|l| l.contains(" data  ") && l.contains('✗')), "{screen}");
}
