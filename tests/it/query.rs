//! Queries answered by a real database, and asked on the command line.

use std::collections::BTreeMap;

use serde_json::json;
use tuneboard::events::{Batch, Event, EventKind, Number, Split, VERSION};
use tuneboard::query::Query;
use tuneboard::spec::{Desired, Outcome, RunId, RunSpec, RunState, Sweep};
use tuneboard::store::{Listing, NewRun, NewSweep, Sort, Store};

use super::shell::Shell;

/// r1 to r6: lr 1e-5 to 6e-5, val accuracy 0.90 to 0.95 in r1 to r5, none in r6; r3 and r4 are a sweep,
/// r2 failed, r5 done, r1 archived.
fn board(dir: &std::path::Path) -> Store {
    let mut store = Store::open(&dir.join("board.db")).unwrap();
    let new = |nth: u32| NewRun {
        name: format!("run number {nth}"),
        spec: RunSpec {
            model: if nth.is_multiple_of(2) { "MiniLM".into() } else { "bert".into() },
            data: "sms.csv".into(),
            lr: f64::from(nth) * 1e-5,
            dropout: (nth == 5).then_some(0.2),
            ..RunSpec::default()
        },
        desired: if nth == 6 { Desired::Hold } else { Desired::Run },
    };
    let sweep = Sweep::parse(RunSpec::default(), [("lr", "3e-5,4e-5")]).unwrap();
    store.enqueue(None, &[new(1), new(2)]).unwrap();
    store.enqueue(Some(&NewSweep { name: "s".into(), sweep }), &[new(3), new(4)]).unwrap();
    store.enqueue(None, &[new(5), new(6)]).unwrap();
    for nth in 1..=5_u32 {
        let value = |x: f64| BTreeMap::from([("acc".to_owned(), Number(x))]);
        // The second epoch is worse, so that best and last differ.
        let events = [(1, 0.89 + f64::from(nth) / 100.0), (2, 0.5)].map(|(epoch, acc)| Event {
            v: VERSION,
            t: 5_000,
            step: u64::from(epoch),
            kind: EventKind::Eval { split: Split::Val, epoch, values: value(acc) },
        });
        let batch = Batch { events: events.to_vec(), offset: 9, ..Batch::default() };
        store.ingest(RunId(nth), 0, &batch).unwrap();
    }
    let failed = Outcome::Failed { why: "no luck".into(), last_lines: String::new() };
    store.set_state(RunId(2), &RunState::Ended(failed)).unwrap();
    store.set_state(RunId(5), &RunState::Ended(Outcome::Done)).unwrap();
    store.set_archived(&[RunId(1)], true).unwrap();
    store.set_tags(RunId(3), &["best".into(), "Sms".into()]).unwrap();
    store.set_tags(RunId(4), &["bestial".into()]).unwrap();
    store.set_note(RunId(5), "Why so low?\nAsk Ann").unwrap();
    store
}

#[test]
fn a_query_finds_the_runs_it_means() {
    let dir = tempfile::tempdir().unwrap();
    let store = board(dir.path());
    for (text, want) in [
        ("", &[2, 3, 4, 5, 6][..]),
        ("acc>0.915", &[3, 4, 5]),
        ("-acc>0.915", &[2, 6]),
        ("acc:0.92..0.93", &[3, 4]),
        ("acc.last>0.9", &[]),
        ("val/acc.last=0.5 acc>=0.94", &[5]),
        ("val/nothing>0", &[]),
        ("lr<3e-5", &[2]),
        ("lr:3e-5..4e-5", &[3, 4]),
        ("-lr:3e-5..4e-5", &[2, 5, 6]),
        ("dropout>0.1", &[5]),
        ("model:minilm", &[2, 4, 6]),
        ("model=mini", &[]),
        ("model:mini,bert acc>0.9", &[2, 3, 4, 5]),
        ("tag:best", &[3]),
        ("tag:sms,bestial", &[3, 4]),
        ("-tag:best acc>0.9", &[2, 4, 5]),
        ("best", &[3, 4]),
        ("note:\"ask ann\"", &[5]),
        ("name:\"number 4\"", &[4]),
        ("state:failed,done", &[2, 5]),
        ("-state:failed", &[3, 4, 5, 6]),
        ("state:held", &[6]),
        ("state:ended -state:done", &[2]),
        ("sweep:s1", &[3, 4]),
        ("-sweep:s1", &[2, 5, 6]),
        ("id:r3..r4,6", &[3, 4, 6]),
        ("since:1h", &[2, 3, 4, 5, 6]),
        ("before:1h", &[]),
        ("before:2020-01-01", &[]),
        ("since:2020-01-01 acc>0.945", &[]),
        ("archived:yes", &[1]),
        ("archived:any lr<3e-5", &[1, 2]),
        ("epoch>=2", &[2, 3, 4, 5]),
        ("-epoch>=2", &[6]),
        ("r5", &[5]),
        ("\"no such thing\"", &[]),
    ] {
        let query = Query::parse(text).unwrap();
        let mut listing = Listing { query, ..Listing::default() };
        let found = |listing: &Listing| -> Vec<u32> {
            store.reader().ids(listing).unwrap().iter().map(|id| id.0).collect()
        };
        assert_eq!(found(&listing), want, "{text}");
        listing.descending = true;
        let turned: Vec<u32> = want.iter().rev().copied().collect();
        assert_eq!(found(&listing), turned, "{text}, turned round");
        let first = store.reader().first_ids(&listing, 1).unwrap();
        assert_eq!(first.first().map(|id| id.0), turned.first().copied(), "{text}, the first");
    }
    let sorted = Listing {
        query: Query::parse("acc>0.91 -tag:best").unwrap(),
        sort: Sort::Best("val/acc".into()),
        descending: true,
        ..Listing::default()
    };
    let ids: Vec<u32> = store.reader().ids(&sorted).unwrap().iter().map(|id| id.0).collect();
    assert_eq!(ids, [5, 4]);
}

#[test]
fn a_query_is_saved_as_a_view() {
    let shell = crate::shell::Shell::board();
    let said = shell.run(&["ls", "acc>0.9", "tag:best", "--save", "good"]);
    assert!(said.code == 0 && said.err.contains("tuneboard ls view:good"), "{said}");
    let config = std::fs::read_to_string(shell.path("config.toml")).unwrap();
    assert!(config.contains("good = \"acc>0.9 tag:best\""), "{config}");
    assert_eq!(shell.ok(&["ls", "view:good"]), shell.ok(&["ls", "acc>0.9 tag:best"]));
    shell.refuses(&["ls", "acc>0.5", "--save", "good"], 2, "good");
    shell.refuses(&["ls", "acc>", "--save", "bad"], 2, "Column");
    shell.refuses(&["ls", "--save", "nothing"], 2, "QUERY");
}

#[test]
fn verbs_take_queries_where_they_take_runs() {
    let shell = Shell::board();
    let sweep = ["sweep", "model=fake epoch_ms=20", "data=data/mail.csv", "epochs=1"];
    shell.ok(&[&sweep[..], &["lr=1e-5,3e-5,9e-5", "--wait"]].concat());
    let ids = |args: &[&str]| -> Vec<String> {
        let rows = shell.json(args);
        rows.as_array().unwrap().iter().map(|r| r["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids(&["ls", "lr<5e-5 state:done", "acc>=0.5"]), ["r1", "r2"]);
    shell.ok(&["tag", "lr:2e-5..1", "best"]);
    assert_eq!(ids(&["ls", "tag:best"]), ["r2", "r3"]);
    let config = std::fs::read_to_string(shell.path("config.toml")).unwrap();
    shell.write("config.toml", format!("{config}\n[views]\ngood = \"tag:best lr<5e-5\"\n"));
    assert_eq!(ids(&["ls", "view:good"]), ["r2"]);
    assert_eq!(ids(&["ls", "--view", "good", "--state", "failed"]), [] as [&str; 0]);
    let archived = shell.json(&["archive", "view:good"]);
    assert_eq!(archived["runs"], json!(["r2"]));
    assert_eq!(ids(&["ls", "tag:best"]), ["r3"]);
    assert_eq!(ids(&["ls", "tag:best archived:any"]), ["r2", "r3"]);

    shell.refuses(
        &["ls", "acc>0.9 batchsize=3"],
        2,
        "Column 9 of the query: there is no key `batchsize`; did you mean `batch_size`?",
    );
    shell.refuses(&["archive", "acc>0.99"], 2, "No run matches `acc>0.99`.");
    shell.refuses(&["archive", "minilm"], 2, "`minilm` is not the id of a run");
    shell.refuses(&["ls", "--view", "god"], 2, "there is no view `god`");
    shell.write("config.toml", format!("{config}\n[views]\nbad = \"acc>\"\n"));
    shell.refuses(&["ls"], 2, "[views], bad: Column 5 of the query: a value is missing here.");
}

#[test]
fn what_is_thrown_away_comes_back_until_it_is_purged() {
    let shell = Shell::board();
    let sweep = ["sweep", "model=fake epoch_ms=20", "data=data/mail.csv", "epochs=1"];
    shell.ok(&[&sweep[..], &["lr=1e-5,3e-5,9e-5", "--wait"]].concat());
    let ids = |args: &[&str]| -> Vec<String> {
        let rows = shell.json(args);
        rows.as_array().unwrap().iter().map(|r| r["id"].as_str().unwrap().to_owned()).collect()
    };
    shell.ok(&["archive", "r1"]);
    let thrown = shell.ok(&["rm", "r1", "lr>5e-5"]);
    assert_eq!(thrown, "In the trash: r1, r3. Undo: tuneboard restore r1 r3\n");
    assert_eq!(ids(&["ls", "--archived"]), ["r2"]);
    assert_eq!(ids(&["ls", "--trash"]), ["r1", "r3"]);
    for verb in ["show", "resume", "archive", "logs", "clone"] {
        shell.refuses(
            &[verb, "r3"],
            2,
            "r3 is in the trash; `tuneboard restore r3` brings it back.",
        );
    }
    // The trash outlives the database.
    shell.ok(&["reindex"]);
    assert_eq!(ids(&["ls", "--trash"]), ["r1", "r3"]);

    assert_eq!(shell.json(&["restore", "r1", "lr>5e-5"])["runs"], json!(["r1", "r3"]));
    assert_eq!(ids(&["ls"]), ["r2", "r3"], "r1 was archived and is so again");
    shell.refuses(&["restore", "r2"], 2, "Not in the trash: r2.");

    assert!(shell.path("runs/r3").exists());
    assert_eq!(shell.json(&["rm", "--purge", "r3"]), json!({ "runs": ["r3"], "purged": true }));
    assert!(!shell.path("runs/r3").exists());
    shell.refuses(&["show", "r3"], 2, "There is no run r3");
    shell.ok(&["rm", "r1"]);
    assert_eq!(shell.ok(&["rm", "--empty"]), "Deleted for ever: r1.\n");
    // The number of a purged run is not given again.
    let again = shell.json(&["clone", "r2", "seed=1", "--hold"]);
    assert_eq!(again["runs"], json!(["r4"]));
    shell.ok(&["reindex"]);
    assert_eq!(ids(&["ls", "--archived"]), ["r2", "r4"]);
    shell.refuses(
        &["rm", "r4"],
        2,
        "r4 has not ended: `tuneboard stop r4` ends it; nothing was changed.",
    );
    shell.refuses(&["rm", "--purge", "r4"], 2, "r4 has not ended");
}

#[test]
fn a_clone_tells_what_changes_and_what_ran_already() {
    let shell = Shell::board();
    shell.ok(&["run", "model=fake epoch_ms=20", "data=data/mail.csv", "epochs=1", "--wait"]);
    let same = shell.run(&["clone", "r1", "--hold"]);
    assert!(
        same.err.contains("nothing changes; already run: r1 (done, test/acc 0.7500)"),
        "{same}"
    );
    let other = shell.run(&["clone", "r1", "lr=1e-5", "--hold", "--name", "slower"]);
    assert!(other.err.contains("slower: lr 5e-5 -> 1e-5\n"), "{other}");
    assert!(other.out.contains("Queued and held r3 (slower)."), "{other}");
    let sweep = shell.json(&["clone", "r1", "seed=1..2", "--hold"]);
    assert_eq!(sweep["sweep"], json!("s1"));
    shell.refuses(&["clone", "r1", "lrr=1"], 2, "did you mean `lr`?");
    shell.refuses(&["clone", "r1", "data=nowhere.csv"], 2, "There is no file nowhere.csv");
}

#[test]
fn notes_are_written_in_the_users_editor() {
    let shell = Shell::board();
    shell.ok(&["run", "model=fake", "data=data/mail.csv", "--hold"]);
    shell.ok(&["note", "r1", "first"]);
    let edit = |editor: &str| {
        let mut command = shell.command(&["note", "r1", "--edit"]);
        let out = command.env("EDITOR", editor).env_remove("VISUAL").output().unwrap();
        (out.status.code().unwrap(), String::from_utf8(out.stderr).unwrap())
    };
    // Words behind the program are its arguments; what stands there is no shell's.
    assert_eq!(edit("sed -i s/first/second;thought/").0, 0);
    assert_eq!(shell.json(&["note", "r1"])["note"], json!("second;thought"));
    let (code, why) = edit("false");
    assert!(code == 2 && why.contains("the note stays"), "{code} {why}");
    assert_eq!(edit("no-such-editor").0, 3);
    assert_eq!(shell.json(&["note", "r1"])["note"], json!("second;thought"));
}
