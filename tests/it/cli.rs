//! The command line as people and scripts use it.

use std::fs;
use std::io::Read;
use std::process::Stdio;

use serde_json::{Value, json};

use super::rig::until;
use super::shell::Shell;

const RUN: [&str; 3] = ["run", "model=fake epoch_ms=20", "data=data/mail.csv"];

/// What `show --json` says beyond `ls --json`.
const DETAIL: [&str; 9] =
    ["children", "classes", "curves", "differs", "facts", "note", "parent", "waits_for", "why"];

fn keys(object: &Value) -> Vec<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}

/// A board with a finished run r1, a finished sweep s1 (r2, r3) and a failed run r4.
fn worked() -> Shell {
    let shell = Shell::board();
    shell.ok(&[&RUN[..], &["epochs=2", "--wait"]].concat());
    shell.ok(&["sweep", RUN[1], RUN[2], "epochs=1", "lr=1e-5,5e-5", "--wait"]);
    let failed =
        shell.run(&["run", "model=fake epoch_ms=20 fail", RUN[2], "--wait", "--name", "bad"]);
    assert_eq!(failed.code, 1, "{failed}");
    shell
}

#[test]
fn without_a_board_every_verb_says_what_to_do() {
    let shell = Shell::empty();
    for verb in [
        &["ls"][..],
        &[],
        &["run", "lr=1"],
        &["show", "r1"],
        &["stop", "r1"],
        &["models"],
        &["reindex"],
        &["runner"],
        &["logs", "r1"],
        &["confusion", "r1"],
        &["sweep", "lr=1,2"],
    ] {
        shell.refuses(verb, 3, "`tuneboard init` makes one.");
    }
    shell.refuses(&["--board", "nowhere", "ls"], 3, "There is no board in nowhere");
}

#[test]
fn a_new_board_says_what_to_do_next() {
    let shell = Shell::empty();
    insta::assert_snapshot!(shell.ok(&["init"]), @r#"
    The board is [board].
    Next: put a checkpoint folder under models/ and a data file under data/, then
      tuneboard run model=NAME data=data/FILE.csv
    "#);
    let config = fs::read_to_string(shell.path("config.toml")).unwrap();
    shell.write("config.toml", format!("{config}# mine\n"));
    shell.ok(&["init"]);
    assert!(fs::read_to_string(shell.path("config.toml")).unwrap().ends_with("# mine\n"));
    insta::assert_snapshot!(shell.ok(&["ls"]), @"No runs yet. `tuneboard run model=NAME data=FILE` queues one; `tuneboard models` lists the models.");
    insta::assert_snapshot!(shell.ok(&["models"]), @"No models yet. `tuneboard models pull ORG/NAME` fetches one; or put a checkpoint folder (config.json, tokenizer.json, model.safetensors) under [board]/models.");
    let done = shell.run::<&str>(&[]);
    assert!(
        done.out.starts_with("No runs yet.") && done.err.contains("needs a terminal"),
        "{done}"
    );
    assert_eq!(shell.json(&["ls"]), json!([]));
    // From a folder below, the board is found.
    fs::create_dir(shell.path("data/below")).unwrap();
    let below = shell.command(&["ls"]).current_dir(shell.path("data/below")).output().unwrap();
    assert!(below.status.success());
}

#[test]
fn a_run_from_the_queue_to_its_figures() {
    let shell = Shell::board();
    let queued = shell.ok(&[&RUN[..], &["epochs=2", "--wait"]].concat());
    let lines: Vec<&str> = queued.lines().collect();
    assert_eq!(lines[0], "Queued r1 (fake epoch_ms=20-mail).");
    assert!(
        lines.contains(
            &"r1 epoch 1/2  train/loss 0.0909  train/acc 0.5000  val/loss 0.0909  val/acc 0.5000"
        ) || lines.iter().any(|l| l.starts_with("r1 epoch 2/2")),
        "{queued}"
    );
    let end = lines.last().unwrap();
    assert!(
        end.starts_with("r1 done in ") && end.ends_with("test/loss 0.5000  test/acc 0.7500"),
        "{end}"
    );

    let listed = shell.json(&["ls"]);
    let run = &listed[0];
    let contract = [
        "id", "name", "state", "outcome", "spec", "epoch", "epochs", "last", "best", "created",
        "started", "ended", "site", "sweep", "tags",
    ];
    let mut sorted = contract;
    sorted.sort_unstable();
    assert_eq!(keys(run), sorted);
    assert_eq!(
        (&run["id"], &run["state"], &run["outcome"]),
        (&json!("r1"), &json!("ended"), &json!("done"))
    );
    assert_eq!((&run["epoch"], &run["epochs"]), (&json!(2.0), &json!(2)));
    assert_eq!(run["last"]["test/acc"], json!(0.75));
    assert_eq!(run["best"]["val/acc"], json!(2.0 / 3.0));
    assert_eq!(
        (&run["site"], &run["sweep"], &run["tags"]),
        (&json!("local"), &json!(null), &json!([]))
    );
    for time in ["created", "started", "ended"] {
        let text = run[time].as_str().unwrap();
        assert!(text.ends_with('Z'), "{text}");
        chrono::DateTime::parse_from_rfc3339(text).unwrap();
    }
    assert_eq!(run["spec"]["epochs"], json!(2));

    let shown = shell.json(&["show", "r1"]);
    let mut detail: Vec<&str> = contract.iter().copied().chain(DETAIL).collect();
    detail.sort_unstable();
    assert_eq!(keys(&shown), detail);
    assert_eq!(shown["curves"]["val/acc"], json!([[1.0, 0.5], [2.0, 2.0 / 3.0]]));
    assert_eq!(shown["differs"], json!(["model", "data", "epochs"]));
    assert_eq!(shown["facts"]["labels"], json!(["ham", "spam"]));

    let confusion = shell.json(&["confusion", "r1", "--split", "test"]);
    assert_eq!(confusion["labels"], json!(["ham", "spam"]));
    assert_eq!(confusion["counts"], json!([[5, 1], [2, 3]]));
    assert_eq!(confusion["normalized"], json!([[5.0 / 6.0, 1.0 / 6.0], [0.4, 0.6]]));
    let all = shell.json(&["confusion", "1", "--normalize", "all"]);
    assert_eq!(all["normalized"][1][0], json!(2.0 / 11.0));
}

#[test]
fn tables_for_people() {
    let shell = worked();
    let mut filters = insta::Settings::clone_current();
    filters.add_filter(r"\d+m \d\ds|\b\d+s\b", "[t]");
    filters.add_filter(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "[time]");
    filters.add_filter(r"on cpu \d+ threads", "on cpu [n] threads");
    filters.bind(|| {
        insta::assert_snapshot!(shell.ok(&["ls"]), @r#"
        id  state   name                   epoch  val acc  val loss  test acc  time  tags
        r1  done    fake epoch_ms=20-mail    2/2   0.6667    0.0476    0.7500    [t]
        r2  done    lr=1e-5                  1/1   0.5000    0.0909    0.7500    [t]
        r3  done    lr=5e-5                  1/1   0.5000    0.0909    0.7500    [t]
        r4  failed  bad                    1.5/3   0.5000    0.0909         -    [t]
        "#);
        insta::assert_snapshot!(shell.ok(&["show", "r1"]), @r#"
        r1  fake epoch_ms=20-mail  done
        epoch 2/2  step 20  local cpu/0  [t]
        queued [time]  started [time]  ended [time]
        1 weights  2 classes  rows 80 train, 10 val, 10 test  cpu fp32

        What differs from the defaults
        key     value             default
        model   fake epoch_ms=20  -
        data    data/mail.csv     -
        epochs  2                 3

        metric             last    best  epoch  curve
        test/acc         0.7500  0.7500      2  ▅
        test/loss        0.5000  0.5000      2  ▅
        train/acc        0.6667  0.6667      2  ▁█
        train/loss       0.0476  0.0476      2  █▁
        train/step_loss  0.0476  0.0476      2  █▅▄▃▃▂▂▂▂▂▂▁▁▁▁▁▁▁▁▁
        val/acc          0.6667  0.6667      2  ▁█
        val/loss         0.0476  0.0476      2  █▁
        The lowest val loss is that of epoch 2.

        The test rows by class
        class  rows  precision  recall      f1
        ham       6     0.7143  0.8333  0.7692
        spam      5     0.7500  0.6000  0.6667
        "#);
        insta::assert_snapshot!(shell.ok(&["show", "r4"]), @r#"
        r4  bad  failed
        epoch 1.5/3  step 15  local cpu/0  [t]
        queued [time]  started [time]  ended [time]
        1 weights  2 classes  rows 80 train, 10 val, 10 test  cpu fp32

        What differs from the defaults
        key    value                  default
        model  fake epoch_ms=20 fail  -
        data   data/mail.csv          -

        metric             last    best  epoch  curve
        train/acc        0.5000  0.5000      1  ▅
        train/loss       0.0909  0.0909      1  ▅
        train/step_loss  0.0625  0.0625    1.5  █▅▄▃▃▂▂▂▂▁▁▁▁▁▁
        val/acc          0.5000  0.5000      1  ▅
        val/loss         0.0909  0.0909      1  ▅
        The lowest val loss is that of epoch 1.

        failed: The loss is NaN at step 15.
        Its last words:
          fake trainer on cpu [n] threads
          step 1
          step 2
          step 3
          step 4
          step 5
          step 6
          step 7
          step 8
          step 9
          step 10
          step 11
          step 12
          step 13
          step 14
          step 15
        Next: tuneboard logs r4, or tuneboard resume r4
        "#);
        insta::assert_snapshot!(shell.ok(&["confusion", "r1"]), @r#"
        r1 fake epoch_ms=20-mail: test rows after epoch 2; rows are true, columns predicted

        true \ predicted      ham     spam
        ham               5 0.833  1 0.167
        spam              2 0.400  3 0.600

        class          rows  precision  recall      f1
        ham               6     0.7143  0.8333  0.7692
        spam              5     0.7500  0.6000  0.6667
        macro mean       11     0.7321  0.7167  0.7179
        weighted mean    11     0.7305  0.7273  0.7226
        accuracy 0.7273, balanced accuracy 0.7167, macro F1 0.7179, MCC 0.4485, kappa 0.4407

        Commonest mistakes
        count  true  taken for
            2  spam  ham
            1  ham   spam
        "#);
        insta::assert_snapshot!(
            shell.ok(&["sweep", RUN[1], RUN[2], "epochs=1", "lr=1e-5,5e-5,1e-4", "--dry-run"]), @r#"
        run  lr    already run
          1  1e-5  r2 0.7500
          2  5e-5  r3 0.7500
          3  1e-4
        3 runs, 2 already run. Nothing was queued.
        "#);
        insta::assert_snapshot!(
            shell.ok(&[&RUN[..], &["epochs=1", "lr=1e-5", "--dry-run"]].concat()), @r#"
        key     value             default
        model   fake epoch_ms=20
        data    data/mail.csv
        lr      1e-5              5e-5
        epochs  1                 3
        1 run, already run: r2 0.7500. Nothing was queued.
        "#);
        let plan = shell.json(&[&RUN[..], &["lr=7e-5", "--dry-run"]].concat());
        assert_eq!(plan["already"], Value::Null);
        assert_eq!(plan["spec"]["lr"], json!(7e-5));
        insta::assert_snapshot!(shell.ok(&["models"]), @r#"
        name                   family  weights  on disk  licence  problem
        fake                   bert          0     33 B  -
        fake epoch_ms=20       bert          0     33 B  -
        fake epoch_ms=20 fail  bert          0     33 B  -
        fake epoch_ms=20 nan   bert          0     33 B  -
        "#);
        insta::assert_snapshot!(shell.ok(&["data", "data/mail.csv"]), @r#"
        data/mail.csv: 40 rows
        CSV, UTF-8: text `text`, label `label`.
        columns text, label

        class  rows    share  train  val  test
        ham      26   65.0 %     23    3     0
        spam     14   35.0 %      9    1     4
        all      40  100.0 %     32    4     4

        lengths     min  median  95 %  max
        characters   13      14    14   14
        words         3       3     3    3

        content hash 48dd3a5a7409bf97
        "#);
    });
}

#[test]
fn lists_are_filtered_and_sorted() {
    let shell = worked();
    let ids = |args: &[&str]| {
        let list = shell.json(&[&["ls"], args].concat());
        let ids: Vec<String> =
            list.as_array().unwrap().iter().map(|r| r["id"].as_str().unwrap().to_owned()).collect();
        ids.join(" ")
    };
    assert_eq!(ids(&[]), "r1 r2 r3 r4");
    assert_eq!(ids(&["--state", "failed"]), "r4");
    assert_eq!(ids(&["--sweep", "s1", "--sort", "lr", "--desc"]), "r3 r2");
    assert_eq!(ids(&["--sort", "val/acc", "--desc", "--limit", "1"]), "r1");
    assert_eq!(ids(&["bad"]), "r4");
    assert_eq!(ids(&["done", "lr=1e-5"]), "r2");
    shell.ok(&["tag", "s1", "best", "sms"]);
    assert_eq!(ids(&["best"]), "r2 r3");
    shell.ok(&["tag", "r2", "--remove", "best"]);
    assert_eq!(shell.json(&["ls", "--sweep", "1"])[0]["tags"], json!(["sms"]));
    shell.ok(&["archive", "s1"]);
    assert_eq!(ids(&[]), "r1 r4");
    assert_eq!(ids(&["--all"]), "r1 r2 r3 r4");
    shell.ok(&["archive", "--undo", "s1"]);
    assert_eq!(ids(&[]), "r1 r2 r3 r4");
    shell.ok(&["rename", "r4", "worst"]);
    shell.ok(&["note", "r4", "diverged"]);
    assert_eq!(ids(&["worst"]), "r4");
    assert_eq!(ids(&["diverged"]), "r4");
    assert_eq!(shell.ok(&["note", "r4"]), "r4: diverged\n");
}

#[test]
fn a_failed_run_says_why() {
    let shell = worked();
    let shown = shell.json(&["show", "r4"]);
    assert_eq!(shown["outcome"], json!("failed"));
    assert_eq!(shown["why"], json!("The loss is NaN at step 15."));
}

#[test]
fn texts_longer_than_a_model_takes_are_refused_before_they_are_queued() {
    let shell = Shell::board();
    let config = r#"{"model_type":"bert","max_position_embeddings":40}"#;
    shell.fake_model("short", config);
    let sweep = ["sweep", "model=short", RUN[2], "max_length=32,128"];
    shell.refuses(&sweep, 2, "more than the 40 positions of short; set max_length=40 or less");
    assert_eq!(shell.json(&["ls"]), json!([]));
    shell.ok(&["run", "model=short", RUN[2], "max_length=40", "--hold"]);
}

#[test]
fn numbers_that_json_lacks_are_words() {
    let shell = Shell::board();
    shell.ok(&["run", "model=fake epoch_ms=20 nan", RUN[2], "epochs=1", "--wait"]);
    assert_eq!(shell.json(&["ls"])[0]["last"]["val/loss"], json!("NaN"));
    assert_eq!(shell.json(&["show", "r1"])["curves"]["val/loss"], json!([[1.0, "NaN"]]));
}

#[test]
fn wishes_change_what_they_say_and_nothing_else() {
    let shell = Shell::board();
    let held = shell.json(&[&RUN[..], &["--hold"]].concat());
    assert_eq!(held, json!({ "sweep": null, "runs": ["r1"] }));
    let sweep = shell.json(&["sweep", RUN[1], RUN[2], "epochs=1", "seed=0..1", "--hold"]);
    assert_eq!(sweep, json!({ "sweep": "s1", "runs": ["r2", "r3"] }));
    assert!(shell.ok(&["ls"]).contains("held"));
    assert_eq!(shell.ok(&["hold", "r1"]), "r1 is held already.\n");
    shell.refuses(&["retry", "r1"], 2, "r1 is queued; stop it first.");
    // One that does not exist: nothing is done to the others.
    shell.refuses(&["resume", "s1", "r7"], 2, "There is no run r7");
    assert_eq!(shell.json(&["ls", "--state", "held"]).as_array().unwrap().len(), 3);
    assert_eq!(shell.ok(&["resume", "s1"]), "Resuming r2, r3.\n");
    until("the sweep is done", || {
        shell.json(&["ls", "--state", "done"]).as_array().unwrap().len() == 2
    });
    shell.refuses(&["resume", "r2"], 2, "`tuneboard retry --from-start r2` trains it again.");
    shell.refuses(&["retry", "s1"], 2, "add --from-start");
    assert_eq!(shell.ok(&["stop", "r1", "r2"]), "Stopping r1.\nr2 has ended already (done).\n");
    until("r1 is stopped", || shell.json(&["show", "r1"])["outcome"] == json!("stopped"));
    assert_eq!(shell.ok(&["resume", "r1"]), "Resuming r1.\n");
    until("r1 is done", || shell.json(&["show", "r1"])["outcome"] == json!("done"));
    assert_eq!(shell.ok(&["retry", "--from-start", "r1"]), "Back in the queue: r1.\n");
    until("r1 is done again", || shell.json(&["show", "r1"])["outcome"] == json!("done"));
    assert_eq!(shell.json(&["show", "r1"])["curves"]["val/acc"].as_array().unwrap().len(), 3);
}

#[test]
fn a_live_run_is_stopped_and_its_log_followed() {
    let shell = Shell::board();
    shell.ok(&["run", "model=fake", RUN[2], "epochs=500"]);
    until("it trains", || shell.json(&["show", "r1"])["state"] == json!("running"));
    let mut follower = shell.command(&["logs", "-f", "r1"]).stdout(Stdio::piped()).spawn().unwrap();
    shell.refuses(&["archive", "r1"], 2, "only runs that have ended can be archived");
    assert_eq!(shell.ok(&["stop", "r1"]), "Stopping r1.\n");
    let mut followed = String::new();
    follower.stdout.take().unwrap().read_to_string(&mut followed).unwrap();
    assert!(follower.wait().unwrap().success(), "it ends with the run");
    assert!(
        followed.starts_with("fake trainer on cpu") && followed.contains("step 1\n"),
        "{followed}"
    );
    assert_eq!(shell.json(&["show", "r1"])["outcome"], json!("stopped"));
    assert_eq!(shell.ok(&["logs", "r1"]), followed);
    assert_eq!(
        shell.ok(&["logs", "r1", "-n", "1"]),
        format!("{}\n", followed.lines().last().unwrap())
    );
}

#[test]
fn sweeps_take_lists_ranges_draws_and_names() {
    let shell = Shell::board();
    let config = "[defaults]\nepochs = 1\n[sweeps.first]\nmodel = \"fake\"\ndata = \"data/mail.csv\"\nlr = [1e-5, 2e-5]\n";
    shell.write("config.toml", config);
    let runs = |args: &[&str]| {
        let plan = shell.json(&[&["sweep", "--dry-run"], args].concat());
        let names =
            plan["runs"].as_array().unwrap().iter().map(|r| r["name"].as_str().unwrap().to_owned());
        names.collect::<Vec<_>>().join(" | ")
    };
    assert_eq!(runs(&["first"]), "lr=1e-5 | lr=2e-5");
    assert_eq!(runs(&["first", "lr=3e-5", "seed=1..2"]), "seed=1 | seed=2");
    let drawn = runs(&["first", "lr=log(1e-6,1e-3)", "trials=3", "sweep_seed=7"]);
    assert_eq!(drawn.matches("lr=").count(), 3);
    assert_eq!(drawn, runs(&["first", "lr=log(1e-6,1e-3)", "trials=3", "sweep_seed=7"]));
    assert_eq!(shell.json(&["ls"]), json!([]), "a dry run queues nothing");
}

#[test]
fn the_database_can_be_made_again() {
    let shell = worked();
    shell.ok(&["note", "r1", "keep me"]);
    let before = shell.json(&["show", "r1"]);
    until("the runner has left", || shell.run(&["reindex"]).code == 0);
    assert_eq!(shell.json(&["show", "r1"]), before);
    shell.write("runs/board.db", "this is no database, though it is long enough to be one");
    shell.refuses(&["ls"], 3, "run `tuneboard reindex`");
    let done = shell.run(&["reindex"]);
    assert!(
        done.code == 0 && done.err.contains("Nothing of the old database can be read"),
        "{done}"
    );
    // The note too: it stands in the journal.
    assert_eq!(shell.json(&["show", "r1"]), before);
}

#[test]
fn waiting_ends_with_the_worst_news() {
    let shell = Shell::board();
    let done = shell.run(&[
        "sweep",
        "model=fake epoch_ms=20,fake epoch_ms=20 fail",
        RUN[2],
        "epochs=2",
        "--wait",
    ]);
    assert_eq!(done.code, 1);
    assert!(
        done.err.contains("1 of 2 runs did not end well: r2 failed; `tuneboard show r2` says why."),
        "{done}"
    );
    assert!(
        done.out.contains("r2 failed in ") && done.out.contains("The loss is NaN at step 15."),
        "{done}"
    );
}

#[test]
fn waiting_tells_each_epoch_with_its_own_figures() {
    let shell = Shell::board();
    let out = shell.ok(&[&RUN[..], &["epochs=3", "--wait"]].concat());
    // The fake trainer's accuracy after epoch n is n / (n + 1).
    let told: Vec<&str> = out.lines().filter(|line| line.starts_with("r1 epoch ")).collect();
    assert_eq!(told.len(), 3, "{out}");
    for (line, (epoch, accuracy)) in told.iter().zip([(1, "0.5"), (2, "0.666"), (3, "0.75")]) {
        assert!(line.starts_with(&format!("r1 epoch {epoch}/3  train/loss ")), "{line}");
        assert!(line.contains(&format!("  val/acc {accuracy}")), "{line}");
    }
}

#[test]
fn ctrl_c_stops_waiting_and_nothing_else() {
    let shell = Shell::board();
    let mut waiting = shell
        .command(&["run", "model=fake", RUN[2], "epochs=500", "--wait"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    until("it trains", || {
        let runs = shell.json(&["ls"]);
        runs[0]["state"] == json!("running")
    });
    super::rig::kill(waiting.id() as i32, libc::SIGINT);
    let status = waiting.wait().unwrap();
    let mut said = String::new();
    waiting.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    let last = "No longer waiting; the runs go on. `tuneboard ls` shows them.\n";
    assert!(status.code() == Some(1) && said.ends_with(last), "{status}: {said}");
    assert_eq!(shell.json(&["show", "r1"])["state"], json!("running"));
}

#[test]
fn whoever_stops_reading_is_no_error() {
    let shell = Shell::board();
    shell.write("runs/r1/out.log", "x".repeat(100).as_str());
    shell.ok(&[&RUN[..], &["--hold"]].concat());
    let line = "a line of a log\n".repeat(100_000);
    shell.write("runs/r1/out.log", line);
    let mut child = shell
        .command(&["logs", "r1"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!((child.wait().unwrap().code(), said.as_str()), (Some(0), ""));
}

#[test]
fn the_doctor_finds_what_is_broken() {
    let shell = Shell::board();
    let level = |name: &str| {
        let done = shell.run(&["doctor", "--json"]);
        let checks: Value = serde_json::from_str(&done.out).unwrap();
        let found = checks.as_array().unwrap().iter().find(|c| c["name"] == name).cloned();
        (done.code, found.unwrap_or_default()["level"].as_str().unwrap_or("absent").to_owned())
    };
    for name in ["disk", "clock", "file locks", "SQLite", "database", "runner"] {
        assert_eq!(level(name).1, "ok", "{name}");
    }
    // The fake trainer knows nothing of libtorch.
    assert_eq!(level("libtorch"), (1, "fail".into()));
    shell.write("runs/board.db", "this is no database, though it is long enough to be one");
    assert_eq!(level("database"), (1, "fail".into()));
    shell.write("config.toml", "[nonsense]");
    assert_eq!(level("board"), (1, "fail".into()));
}

/// From the command to the figures with the real trainer: `run --wait`, `data --model`, `doctor`.
#[cfg(feature = "train")]
#[test]
fn a_real_model_is_trained() {
    let shell = Shell::training();
    let done = shell.run(&[
        "run",
        "model=tiny",
        "data=data/mail.csv",
        "epochs=2",
        "max_length=16",
        "device=cpu",
        "threads=1",
        "split=0.6,0.2,0.2",
        "--wait",
    ]);
    assert_eq!(done.code, 0, "{done}");
    let shown = shell.json(&["show", "r1"]);
    for metric in ["train/loss", "train/acc", "val/loss", "val/acc", "val/f1"] {
        assert_eq!(shown["curves"][metric].as_array().unwrap().len(), 2, "{metric}");
    }
    for metric in ["test/loss", "test/acc", "test/f1", "train/examples_per_s", "train/tokens_per_s"]
    {
        assert!(shown["last"][metric].is_number(), "{metric}: {shown}");
    }
    let confusion = shell.json(&["confusion", "r1", "--split", "test"]);
    let rows = confusion["counts"].as_array().unwrap().iter().flat_map(|r| r.as_array().unwrap());
    assert_eq!(rows.map(|n| n.as_u64().unwrap()).sum::<u64>(), 8);
    assert_eq!(confusion["figures"]["accuracy"], shown["last"]["test/acc"]);
    let supports = confusion["classes"].as_array().unwrap().iter().map(|c| c["support"].as_u64());
    assert_eq!(supports.flatten().sum::<u64>(), 8);
    let loss = |value: &serde_json::Value| value.as_f64().unwrap();
    let (from_file, reported) =
        (&confusion["probabilities"]["log_loss"], &shown["last"]["test/loss"]);
    assert!((loss(from_file) - loss(reported)).abs() < 1e-6, "{confusion}");
    let profile = shell.json(&["data", "data/mail.csv", "--model", "tiny"]);
    assert!(profile["tokens"]["min"].as_u64().unwrap() >= 5, "two specials and three words");
    let doctor = shell.json(&["doctor"]);
    let torch = doctor.as_array().unwrap().iter().find(|c| c["name"] == "libtorch").unwrap();
    assert_eq!(torch["level"], json!("ok"), "{torch}");
}

#[test]
fn help_teaches() {
    let shell = Shell::empty();
    insta::assert_snapshot!(shell.ok(&["--help"]), @r#"
    Launch, watch, compare and remember fine-tuning runs without leaving the terminal

    Usage: tuneboard [OPTIONS] [COMMAND]

    Commands:
      demo         Try it: a new board with data, a small model and a sweep that trains
      init         Make a board: config.toml, data/, models/ and runs/
      run          Queue one run
      sweep        Queue many runs: every combination of the values given, or random draws
      ls           List runs
      show         Show everything about a run; without an id, all keys of a run and their defaults
      logs         Show what a run's trainer printed
      stop         Save runs and end them
      hold         Keep runs waiting in the queue
      resume       Resume held, stopped or failed runs from their last checkpoint
      retry        Put ended runs back into the queue
      clone        Queue a run like another one, with some keys changed
      compare      Put runs side by side and say whether they differ by more than chance
      confusion    Show which classes a run takes for which
      errors       Show the texts that runs get wrong, the surest mistakes first
      predict      Ask a trained run for the classes of texts
      tokenize     Show what a model's tokenizer makes of texts
      export       Write runs, curves, confusion counts or predictions as a table, or a run's model as a
                   folder
      tag          Put tags on runs, or take them off
      note         Write a note on a run, or read it
      rename       Give a run another name
      archive      Hide runs from lists; nothing is deleted
      rm           Throw runs away; `restore` brings them back until they are purged
      restore      Bring runs back from the trash
      models       List the checkpoints under models/, add one, or fetch one from a Hugging Face hub
      data         Look into a data file: columns, classes, lengths, duplicates, how it is split
      sites        List the sites where runs go: this machine, SSH hosts, Slurm clusters
      doctor       Check libtorch, CUDA, disk, terminal, clock, file locks and the database
      reindex      Rebuild the database from the folders under runs/
      runner       Run the queue in the foreground
      trust        Trust a board that others can write, or no longer
      completions  Print a completion script for a shell
      help         Print this message or the help of the given subcommand(s)

    Options:
      -h, --help     Print help
      -V, --version  Print version

    Everywhere:
          --board <DIR>  The board's folder; else $TUNEBOARD_BOARD, else this folder or the nearest
                         above it
          --json         Print JSON for scripts instead of text for people

    A first session:
      tuneboard demo            a board with data, a model and a sweep, to look at
      tuneboard init my-board && cd my-board
      tuneboard run model=minilm data=data/sms_spam.csv epochs=1 --wait
      tuneboard sweep model=minilm data=data/sms_spam.csv lr=2e-5,5e-5 seed=0..2
      tuneboard                 opens the dashboard
      tuneboard ls --sort val/acc --desc

    Exit codes: 0 ok, 1 a run failed, 2 usage or bad input, 3 board busy or missing, 70 our own bug.
    "#);
    insta::assert_snapshot!(shell.ok(&["sweep", "--help"]), @r#"
    Queue many runs: every combination of the values given, or random draws

    Usage: tuneboard sweep [OPTIONS] <NAME|KEY=VALUES>...

    Arguments:
      <NAME|KEY=VALUES>...  A named sweep, and pairs

    Options:
          --dry-run      Check everything and show the runs, but queue nothing
          --name <NAME>  A name for people
          --tag <WORD>   Put a tag on it; may be given more than once
          --hold         Queue it, but leave it waiting for `tuneboard resume`
          --wait         Show progress until the end; exit 0 only if all went well
      -h, --help         Print help

    Everywhere:
          --board <DIR>  The board's folder; else $TUNEBOARD_BOARD, else this folder or the nearest
                         above it
          --json         Print JSON for scripts instead of text for people

    Values: a list lr=1e-5,5e-5; a range seed=0..4 (both ends included); with trials=N also draws
    lr=log(1e-6,1e-3) and dropout=uniform(0,0.3). With search=tpe the trials after the first ten are
    chosen where those before promise most (docs/search.md). A comma inside a value is written \,
    NAME is a table [sweeps.NAME] of config.toml; pairs behind it win. A sweep may have stages, of
    which one starts from the runs of another (docs/huggingface.md).

    Examples:
      tuneboard sweep model=minilm data=data/sms_spam.csv lr=2e-5,5e-5,1e-4 epochs=1,2 --dry-run
      tuneboard sweep first seed=0..2
      tuneboard sweep 'lr=log(1e-6,1e-3)' trials=40 search=tpe model=minilm data=data/sms_spam.csv
      tuneboard sweep 'lr=log(1e-6,1e-3)' trials=20 model=minilm data=data/sms_spam.csv --wait
    "#);
    insta::assert_snapshot!(shell.ok(&["ls", "-h"]), @r#"
    List runs

    Usage: tuneboard ls [OPTIONS] [QUERY]...

    Arguments:
      [QUERY]...  Words that must all occur, and tests

    Options:
          --view <NAME>    A query saved under [views] in config.toml
          --save <NAME>    Save the query under this name in [views] of config.toml
          --state <STATE>  Only runs in this state; may be given more than once [possible values:
                           queued, starting, running, stopping, ended, done, failed, stopped, pruned,
                           lost, held, live]
          --sweep <sN>     Only the runs of this sweep
          --sort <KEY>     By id, name, state, time, a key of a run, or the best value of a metric
          --desc           Turn the order round
          --limit <N>      At most that many
          --archived       Archived runs too [alias: --all]
          --trash          Runs in the trash instead
      -h, --help           Print help

    Everywhere:
          --board <DIR>  The board's folder; else $TUNEBOARD_BOARD, else this folder or the nearest
                         above it
          --json         Print JSON for scripts instead of text for people

    A query is words that must all occur in a run's id, name, spec, state, tags or note, and tests of
    keys,
    metrics, state, tags and time (docs/query.md). Quote it, since < and > mean something to a shell.

    Examples:
      tuneboard ls                          every run that is not archived
      tuneboard ls minilm sms               those that name both
      tuneboard ls 'acc>0.9 lr<3e-5 model:minilm tag:best -state:failed since:7d'
      tuneboard ls 'view:good loss<0.1'     `good = "acc>0.9"` stands under [views] in config.toml
      tuneboard ls 'acc>0.9 tag:best' --save good     from now on `tuneboard ls view:good`
      tuneboard ls --state running          those that train now
      tuneboard ls --sweep s3 --sort val/acc --desc --limit 5
      tuneboard ls --sort lr                by any key of a run (`tuneboard show` lists them)
      tuneboard ls --json | jq '.[] | select(.outcome == "failed") | .id'
    "#);
    insta::assert_snapshot!(shell.run(&["swep"]).err, @r#"
    error: unrecognized subcommand 'swep'

      tip: a similar subcommand exists: 'sweep'

    Usage: tuneboard [OPTIONS] [COMMAND]

    For more information, try '--help'.
    "#);
    insta::assert_snapshot!(shell.run(&["ls", "--sate", "done"]).err, @r#"
    error: unexpected argument '--sate' found

      tip: a similar argument exists: '--state'

    Usage: tuneboard ls --state <STATE> [QUERY]...

    For more information, try '--help'.
    "#);
    let keys = shell.json(&["show"]);
    let lr = keys.as_array().unwrap().iter().find(|k| k["key"] == "lr").unwrap();
    assert_eq!(lr["default"], json!("5e-5"));
    for shell_name in ["bash", "zsh", "fish"] {
        let script = shell.command(&["completions", shell_name]).output().unwrap();
        assert!(String::from_utf8(script.stdout).unwrap().contains("confusion"));
    }
    assert!(shell.ok(&["--version"]).starts_with("tuneboard 0."));
}
