use super::*;
use crate::spec::keys::tests::other_values;
use crate::tui::fixtures::queued;

fn key(name: &str) -> Row {
    Row::Key(KEYS.iter().position(|k| k.name == name).unwrap())
}

#[test]
fn a_clone_is_the_run_again() {
    let mut run = queued(1);
    run.spec.data = "data/a,b.csv".into();
    run.spec.dropout = Some(0.2);
    let form = Form::of(&run);
    let sweep = form.check(None).sweep.unwrap();
    assert_eq!((sweep.len(), sweep.next(0).unwrap()), (1, run.spec));
    assert_eq!(form.row(), key("lr"));
    assert!(!KeyGroup::ALL.iter().any(|g| form.is_changed(Row::Group(*g))));
}

#[test]
fn a_built_in_network_brings_its_rate_unless_one_was_typed() {
    let mut form = Form::of(&queued(1));
    let rates = |form: &mut Form, models: &[&str]| -> Vec<String> {
        let one = |model: &&str| {
            form.set(key("model"), model);
            form.text(key("lr")).to_owned()
        };
        models.iter().map(one).collect()
    };
    assert_eq!(
        rates(&mut form, &["gru", "ulmfit", "minilm", "tfidf-nb"]),
        ["0.001", "0.004", "2e-5", "2e-5"]
    );
    form.set(key("lr"), "3e-4,1e-3");
    assert_eq!(rates(&mut form, &["gru", "minilm"]), ["3e-4,1e-3", "3e-4,1e-3"]);
}

#[test]
fn a_key_is_found_by_part_of_its_name_wherever_it_is_folded() {
    let mut form = Form::of(&queued(1));
    let mut find = |words: &str| {
        form.find(words);
        form.row()
    };
    assert_eq!(find("lim"), key("limit"));
    assert_eq!(find("DECAY"), key("decay_all"), "what begins so comes first");
    assert_eq!(find("rate"), find("rate"), "what is in the middle of a name counts, too");
    let before = find("limit");
    assert_eq!(find("no such key"), before);
}

#[test]
fn every_value_of_every_key_survives_the_form() {
    for key in KEYS {
        for value in other_values(key) {
            let mut run = queued(1);
            // One of a number of folds says nothing without the other.
            (run.spec.folds, run.spec.fold) = match key.name {
                "folds" => (0, 1),
                "fold" => (1000, 0),
                _ => (0, 0),
            };
            run.spec.set(key.name, &value).unwrap();
            let sweep = Form::of(&run).check(None).sweep.unwrap();
            assert_eq!((sweep.len(), sweep.next(0).unwrap()), (1, run.spec), "{}", key.name);
        }
    }
}

#[test]
fn each_key_is_checked_as_it_is_typed() {
    let form = Form::of(&queued(1));
    let wrong = form.check(Some((key("lr"), "fast")));
    assert!(wrong.sweep.is_none());
    assert!(wrong.error(key("lr")).unwrap().contains("a number from 0 to 10"));
    let right = form.check(Some((key("lr"), "1e-5,2e-5")));
    assert_eq!(right.varied, [("lr", Some(2))]);
    assert_eq!(right.sweep.unwrap().len(), 2);
    let split = form.check(Some((key("split"), "0.9,0.9,0.1")));
    assert!(split.error(key("split")).unwrap().contains("sum to 1"));
    let empty = Form::new(&RunSpec::default()).check(None);
    assert!(empty.error(key("model")).is_some() && empty.error(key("data")).is_some());
}

#[test]
fn draws_ask_for_their_number() {
    let mut form = Form::of(&queued(1));
    let row = |name: &str| sweep_row(name).unwrap();
    let trials = row("trials");
    assert!(!form.rows().contains(&trials));
    form.set(key("lr"), "log(1e-6,1e-3)");
    assert!(form.rows().contains(&trials) && !form.rows().contains(&row("eta")));
    assert!(form.check(None).error(trials).unwrap().contains("trials=20"));
    form.set(trials, "12");
    assert_eq!(form.check(None).sweep.unwrap().len(), 12);
    let pairs = form.pairs(&queued(1).spec);
    assert_eq!(pairs, [("lr".into(), "log(1e-6,1e-3)".into()), ("trials".into(), "12".into())]);
    form.step(row("prune"), true);
    form.step(row("search"), false);
    form.set(row("eta"), "4");
    assert!(form.rows().contains(&row("grace")));
    let sweep = form.check(None).sweep.unwrap();
    assert_eq!((sweep.planned(), sweep.plan.prune.unwrap().eta), (12, 4));
    form.set(row("grace"), "0.1");
    assert!(form.check(None).error(row("grace")).unwrap().contains("half a one"));
}

#[test]
fn arrows_halve_a_rate_and_walk_words() {
    let mut form = Form::of(&queued(1));
    form.step(key("lr"), false);
    assert_eq!(form.text(key("lr")), "1e-5");
    assert!(form.is_changed(key("lr")) && form.is_changed(Row::Group(KeyGroup::Experiment)));
    form.step(key("epochs"), true);
    form.step(key("batch_size"), false);
    form.step(key("schedule"), true);
    form.step(key("data"), true);
    let texts = ["epochs", "batch_size", "schedule", "data"].map(|k| form.text(key(k)).to_owned());
    assert_eq!(texts, ["4", "16", "cosine", "data/sms_spam.csv"]);
    form.reset(key("lr"));
    assert!(!form.is_changed(key("lr")));
}
