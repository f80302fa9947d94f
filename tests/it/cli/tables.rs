//! Tables for people, and what `ls` chooses.

use serde_json::{Value, json};

use super::{RUN, worked};

/// Snapshots without times and numbers of threads.
fn filters() -> insta::Settings {
    let mut filters = insta::Settings::clone_current();
    filters.add_filter(r"\d+m \d\ds|\b\d+s\b", "[t]");
    filters.add_filter(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "[time]");
    filters.add_filter(r"on cpu \d+ threads", "on cpu [n] threads");
    filters.add_filter(r"On the disk .*", "On the disk [size]");
    filters
}

#[test]
fn tables_of_runs() {
    let shell = worked();
    filters().bind(|| {
        insta::assert_snapshot!(shell.ok(&["ls"]), @r#"
        id  state   name                   epoch  val acc  val loss  test acc  time  tags
        r1  done    fake epoch_ms=20-mail    2/2   0.6667    0.0476    0.7500    [t]
        r2  done    lr=1e-5                  1/1   0.5000    0.0909    0.7500    [t]
        r3  done    lr=5e-5                  1/1   0.5000    0.0909    0.7500    [t]
        r4  failed  bad                    1.5/3   0.5000    0.0909         -    [t]
        "#);
        insta::assert_snapshot!(shell.ok(&["show", "r1"]), @r#"
        r1  fake epoch_ms=20-mail  done
        epoch 2/2  step 20  local cpu/0  [t] on its device
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

        On the disk [size]
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
    });
}

#[test]
fn a_failed_run_says_why() {
    let shell = worked();
    filters().bind(|| {
        insta::assert_snapshot!(shell.ok(&["show", "r4"]), @r#"
        r4  bad  failed
        epoch 1.5/3  step 15  local cpu/0  [t] on its device
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

        On the disk [size]

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
    });
    let shown = shell.json(&["show", "r4"]);
    assert_eq!(shown["outcome"], json!("failed"));
    assert_eq!(shown["why"], json!("The loss is NaN at step 15."));
}

#[test]
fn tables_of_what_is_to_be_queued() {
    let shell = worked();
    filters().bind(|| {
        insta::assert_snapshot!(
            shell.ok(&["sweep", RUN[1], RUN[2], "epochs=1", "lr=1e-5,5e-5,1e-4", "--dry-run"]), @r#"
        run  lr    already run
          1  1e-5  r2 0.7500
          2  5e-5  r3 0.7500
          3  1e-4
        At worst [t] on one device for 3 runs.
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
