//! `--help` and what is said of mistakes.

use serde_json::json;

use crate::shell::Shell;

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
      queue        List the runs that wait, in their order, or move some of them
      resume       Resume held, stopped or failed runs from their last checkpoint
      retry        Put ended runs back into the queue
      clone        Queue a run like another one, with some keys changed
      compare      Put runs side by side and say whether they differ by more than chance
      confusion    Show which classes a run takes for which
      ensemble     Let runs answer together, and say whether that is better than each of them
      calibrate    Make a run's probabilities honest: one temperature, fitted on its val rows
      errors       Show the texts that runs get wrong, the surest mistakes first
      predict      Ask a trained run what it makes of texts
      tokenize     Show what a model's tokenizer makes of texts
      export       Write runs, curves, confusion counts or predictions as a table, or a run's model as a
                   folder
      tag          Put tags on runs, or take them off
      note         Write a note on a run, or read it
      rename       Give a run another name
      archive      Hide runs from lists; nothing is deleted
      rm           Throw runs away; `restore` brings them back until they are purged
      restore      Bring runs back from the trash
      gc           Delete what ended runs need no more
      models       List the checkpoints under models/, add one, or fetch one from a Hugging Face hub
      data         Look into a data file: columns, classes, lengths, duplicates, how it is split
      lr-find      Find a learning rate: some steps whose rate grows, and where the loss falls
      sites        List the sites where runs go: this machine, SSH hosts, Slurm clusters
      doctor       Check libtorch, CUDA, disk, terminal, clock, file locks and the database
      reindex      Rebuild the database from the folders under runs/
      runner       Run the queue in the foreground
      trust        Trust a board that others can write, or no longer
      completions  Print a completion script for a shell
      man          Print the manual page
      help         Print this message or the help of the given subcommand(s)

    Options:
          --plain    The dashboard as lines, one for each change: for screen readers, logs and pipes
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
}

#[test]
fn a_verb_explains_itself() {
    let shell = Shell::empty();
    insta::assert_snapshot!(shell.ok(&["sweep", "--help"]), @r#"
    Queue many runs: every combination of the values given, or random draws

    Usage: tuneboard sweep [OPTIONS] <NAME|KEY=VALUES>...

    Arguments:
      <NAME|KEY=VALUES>...  A named sweep, or one that was queued as s3, and pairs

    Options:
          --dry-run      Check everything and show the runs, but queue nothing
          --replay       Show how each run of a sweep was chosen, and what pruning makes of it
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
    chosen where those before promise most; with prune=asha runs that fall behind are stopped, and
    confirm=3 runs the best three again on fresh seeds (docs/search.md; `tuneboard show` has all keys
    of a sweep). A comma inside a value is written \,
    NAME is a table [sweeps.NAME] of config.toml; pairs behind it win. A sweep may have stages, of
    which one starts from the runs of another (docs/huggingface.md).

    Examples:
      tuneboard sweep model=minilm data=data/sms_spam.csv lr=2e-5,5e-5,1e-4 epochs=1,2 --dry-run
      tuneboard sweep first seed=0..2
      tuneboard sweep 'lr=log(1e-6,1e-3)' trials=40 search=tpe prune=asha model=minilm data=a.csv --wait
      tuneboard sweep s3 trials+=20 until=4h      more of a sweep that was queued
      tuneboard sweep --replay s3
    "#);
}

#[test]
fn a_verb_with_many_options_explains_them() {
    let shell = Shell::empty();
    insta::assert_snapshot!(shell.ok(&["ls", "-h"]), @r#"
    List runs

    Usage: tuneboard ls [OPTIONS] [QUERY]...

    Arguments:
      [QUERY]...  Words that must all occur, and tests

    Options:
          --view <NAME>      A query saved under [views] in config.toml
          --save <NAME>      Save the query under this name in [views] of config.toml
          --state <STATE>    Only runs in this state; may be given more than once [possible values:
                             queued, starting, running, stopping, ended, done, failed, stopped, pruned,
                             lost, held, live, testing]
          --sweep <sN>       Only the runs of this sweep
          --sort <KEY>       By id, name, state, time, a key of a run, or the best value of a metric
          --desc             Turn the order round
          --columns <NAMES>  Which columns, with commas between: id, state, name, curve, time, disk,
                             speed, flags, tags, keys, metrics, last:METRIC, METRIC@3 for its value at
                             the end of epoch 3
          --limit <N>        At most that many
          --archived         Archived runs too [alias: --all]
          --trash            Runs in the trash instead
      -h, --help             Print help

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
      tuneboard ls --columns id,model,lr,val/acc,disk     these columns
      tuneboard ls --sort lr                by any key of a run (`tuneboard show` lists them)
      tuneboard ls --json | jq '.[] | select(.outcome == "failed") | .id'
    "#);
}

#[test]
fn mistakes_are_answered_and_keys_listed() {
    let shell = Shell::empty();
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
