//! Input that is wrong in every way we could think of: each gives its sentence and its exit code.
//! `Shell::run` holds for all of them that nothing panics and that no control character comes out.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use serde_json::json;

use super::shell::Shell;

const OK: &str = "model=fake";
const DATA: &str = "data=data/mail.csv";

#[test]
fn configs() {
    for (config, complaint) in [
        ("[defaults\nlr = 1", "TOML parse error at line 1"),
        ("[defaults]\nlr = 1e-5\nlr = 2e-5", "duplicate key"),
        ("[default]\nlr = 1e-5", "there is no `default`; did you mean defaults?"),
        ("defaults = 3", "`defaults` must be a table, written [defaults]."),
        ("[defaults]\nlearning = 1", "[defaults]: There is no key `learning`"),
        ("[defaults]\nlr = 'fast'", "[defaults]: `lr=fast` is not valid"),
        ("[defaults]\nepochs = -1", "`epochs=-1` is not valid: a whole number from 1"),
        ("[defaults]\nepochs = 2026-01-01", "a number, a text, true, false or a list"),
        ("[defaults]\npool = 'meen'", "did you mean `mean`?"),
        ("[defaults]\nsplit = [0.5, 0.5]", "three shares that sum to 1"),
        ("[sites.moon]\nslots = 1", "[sites.moon]: `kind` is missing: ssh or slurm."),
        ("[sites.local]\nslots = 'many'", "[sites.local]: `slots` takes a whole number"),
        ("[sites.local]\nslot = 1", "there is no `slot`; did you mean slots?"),
        ("[sites]\nlocal = 5", "`sites.local` must be a table."),
        ("[sweeps]\nfirst = 3", "`sweeps.first` must be a table."),
        ("[tui]\ntheme = 'pink'", "theme takes auto, dark, light or terminal"),
        ("[tui]\nplot = 'dots'", "plot takes braille, block or ascii"),
        ("[tui.columns]\nall = 'id,colour'", "`colour` is no column"),
        ("[tui]\nmouse = 'yes'", "[tui]: invalid type"),
        ("[defaults]\nmodel = \"a\\u001b[31mb\"", "control characters are not allowed"),
        ("\"\\u001b]0;x\\u0007\" = 1", "there is no `"),
        ("\u{0}", "TOML parse error"),
    ] {
        let shell = Shell::board();
        shell.write("config.toml", config);
        shell.refuses(&["ls"], 2, complaint);
        // No run could do better with it.
        shell.refuses(&["run", OK, DATA], 2, complaint);
    }
    let shell = Shell::board();
    shell.write("config.toml", b"[defaults]\nmodel = \"\xff\"");
    shell.refuses(&["ls"], 3, "config.toml: stream did not contain valid UTF-8");
}

#[test]
fn runs() {
    let shell = Shell::board();
    for (pairs, complaint) in [
        (&["lr"][..], "`lr` is not of the form key=value; did you mean `lr=...`?"),
        (&["=3"], "`=3` is not of the form key=value"),
        (&["lrr=1e-5"], "There is no key `lrr`; did you mean `lr`?"),
        (&["\x1b[31mlr=1"], "There is no key `lr`"),
        (&["lr="], "`lr=` is not valid"),
        (&["lr=NaN"], "a number from 0 to 10 is expected"),
        (&["lr=1e99"], "a number from 0 to 10 is expected"),
        (&["lr=-1"], "a number from 0 to 10 is expected"),
        (&["epochs=0"], "a whole number from 1 to 100000 is expected"),
        (&["epochs=1.5"], "a whole number from 1 to 100000 is expected"),
        (&["batch_size=99999999999999999999"], "a whole number from 1 to 65536 is expected"),
        (&["seed=-1"], "`seed=-1` is not valid"),
        (&["optimizer=adamm"], "did you mean `adam`?"),
        (&["task=translate"], "it takes classify"),
        (&["stratify=maybe"], "it takes true or false"),
        (&["split=0.9,0.1"], "three shares that sum to 1"),
        (&["split=0,0.5,0.5"], "the train share must be above 0"),
        (&["split=0.9,0.1,0"], "the test share is 0 and no test= file is given"),
        (&["split_column=part", "val=x.csv"], "drop one of the two"),
        (&["device=tpu"], "it takes auto, cpu or cuda:N"),
        (&["device=gpu"], "did you mean `cuda:0`"),
        (&["dropout=1"], "a number from 0 to 0.95 is expected"),
        (&["lr=1e-5,2e-5"], "`lr` has 2 values and a run takes one: use `tuneboard sweep`."),
        (&["lr=log(1e-6,1e-3)"], "use `tuneboard sweep`"),
        (&["trials=3"], "`trials` belongs to a sweep"),
        (&["model="], "it must not be empty"),
        (&["model=fakee"], "There is no model `fakee` (did you mean `fake`?)"),
        (&["model=\x1b]0;x\x07"], "control characters are not allowed"),
        (&["data=data/mial.csv"], "There is no file data/mial.csv; did you mean `mail.csv`?"),
        (&["text=body"], "body"),
        (&["--tag", "two words"], "a tag is one word"),
        (&["--name", ""], "The name must be one line and not empty."),
        (&["--name", "a\x1b[2Jb"], "The name must not hold control characters"),
        (&["--wait", "--hold"], "cannot be used with"),
    ] {
        let args = [&["run", OK, DATA], pairs].concat();
        shell.refuses(&args, 2, complaint);
    }
    shell.refuses(&["run"], 2, "required arguments were not provided");
    shell.refuses(&["run", OK], 2, "`data` is missing");
    shell.refuses(&["run", DATA], 2, "`model` is missing");
    assert_eq!(shell.json(&["ls"]), json!([]), "nothing of it was queued");
}

#[test]
fn sweeps() {
    let shell = Shell::board();
    for (words, complaint) in [
        (&["fisrt"][..], "There is no sweep `fisrt` in the config: add [sweeps.fisrt]"),
        (&["lr=1e-5,fast"], "`lr=fast` is not valid"),
        (&["lr=1e-5,1e-5"], "is listed twice"),
        (&["lr=1e-5,"], "`lr=` is not valid"),
        (&["seed=5..1"], "a range goes upwards"),
        (&["seed=0..99999"], "has at most 10000 values"),
        (&["seed=a..b"], "a range is written 0..2"),
        (&["lr=log(1e-3)"], "`lr=log(1e-3)` is not valid"),
        (&["lr=log(0,1)", "trials=3"], "above 0 for log"),
        (&["lr=uniform(2,1)", "trials=3"], "the lower bound must be below the upper"),
        (&["pool=uniform(0,1)", "trials=3"], "only keys that take numbers"),
        (&["lr=log(1e-6,1e-3)"], "add trials=20"),
        (&["trials=0"], "trials must be at least 1"),
        (&["trials=many"], "a whole number is expected"),
        (&["trials=1000000"], "trials may be at most 100000"),
        (&["seed=0..999", "split_seed=0..999"], "it would make 1000000 runs"),
        (&["model=fake,nope"], "There is no model `nope`"),
        (&["data=data/mail.csv,data/none.csv"], "There is no file data/none.csv"),
    ] {
        let args = [&["sweep", OK, DATA], words].concat();
        // A name stands first.
        let args = if words[0].contains('=') { args } else { vec!["sweep", words[0]] };
        shell.refuses(&args, 2, complaint);
    }
    shell.refuses(&["sweep", "--dry-run", "--wait", OK, DATA], 2, "cannot be used with");
    assert_eq!(shell.json(&["ls"]), json!([]), "nothing of it was queued");
}

#[test]
fn data_files() {
    let shell = Shell::board();
    for (name, content, complaint) in [
        ("empty.csv", "", "empty"),
        ("head.csv", "text,label\n", "row"),
        ("short.csv", "text,label\na,0\nb\n", "row 2"),
        ("long.csv", "text,label\na,0,9\n", "row 1"),
        ("missing.csv", "text,label\na,0\nb,\n", "row 2"),
        ("one.csv", "text,label\na,0\nb,0\nc,0\nd,0\n", "class"),
        ("quote.csv", "text,label\n\"a,0\nb\n", "quote"),
        ("columns.csv", "a,b\n1,2\n", "column"),
        ("odd.jsonl", "{\"text\":\"a\",\"label\":0}\n{\"text\":\n", "row 2"),
        ("list.jsonl", "[1,2]\n", "only one column"),
        ("tiny.csv", "text,label\na,0\nb,1\n", "row"),
        ("fake.parquet", "PAR1 but not really", "Parquet"),
        ("esc.csv", "te\x1b[31mxt,la\x07bel\na,0\n", "column"),
    ] {
        shell.write(&format!("data/{name}"), content);
        let data = format!("data=data/{name}");
        shell.refuses(&["run", OK, &data], 2, complaint);
    }
    shell.write("data/bytes.csv", b"text,label\nab\xff\xfe,0\nb,1\n");
    shell.refuses(&["run", OK, "data=data/bytes.csv", "encoding=utf-8"], 2, "is not UTF-8 at");
    shell.refuses(&["run", OK, "data=data"], 2, "data");
    shell.refuses(&["data", "none.csv"], 2, "There is no file none.csv");
    shell.refuses(&["data", "data/mail.csv", "lr"], 2, "not of the form key=value");
    shell.refuses(&["data", "data/mail.csv", "--model", "nope"], 2, "There is no model `nope`");
    assert_eq!(shell.json(&["ls"]), json!([]), "nothing of it was queued");
}

#[test]
fn ids_and_words() {
    let shell = Shell::board();
    shell.refuses(&["show", "r1"], 2, "this board has no runs yet");
    shell.ok(&["run", OK, DATA, "--hold"]);
    for (args, complaint) in [
        (&["show", "r7"][..], "There is no run r7; the newest is r1."),
        (&["show", "x7"], "`x7` is not the id of a run; ids look like r42."),
        (&["show", "r-1"], "is not the id of a run"),
        (&["show", "r99999999999"], "is not the id of a run"),
        (&["show", "s4"], "There is no sweep s4: this board has no sweeps yet."),
        (&["show", "sx"], "`sx` is not the id of a sweep"),
        (&["show", "\x1b[31mr1"], "is not the id of a run"),
        (&["stop"], "required arguments were not provided"),
        (&["stop", "r1", "r2"], "There is no run r2"),
        (&["logs", "r1", "-n", "x"], "invalid value 'x'"),
        (&["ls", "--sort", "speed"], "Runs cannot be sorted by `speed`"),
        (&["ls", "--state", "dnoe"], "invalid value 'dnoe'"),
        (&["ls", "--sweep", "s9"], "There is no sweep s9"),
        (&["ls", "--limit", "-1"], "unexpected argument '-1'"),
        (&["confusion", "r1"], "r1 has no confusion counts of test: none was counted yet."),
        (&["confusion", "r1", "--split", "tset"], "invalid value 'tset'"),
        (&["confusion", "r1", "--normalize", "rows"], "invalid value 'rows'"),
        (&["tag", "r1", "a b"], "a tag is one word"),
        (&["tag", "r1", "a\x1b[31m"], "must not hold control characters"),
        (&["note", "r1", "a\x07b"], "The note must not hold control characters"),
        (&["rename", "r1", "a\nb"], "The name must be one line"),
        (&["rename", "r1", " "], "The name must be one line and not empty."),
        (&["completions", "tcsh"], "invalid value 'tcsh'"),
        (&["\x1b]0;evil\x07"], "unrecognized subcommand"),
        (&["ls", "--jsno"], "unexpected argument '--jsno'"),
    ] {
        shell.refuses(args, 2, complaint);
    }
    let bytes = |text: &[u8]| OsString::from_vec(text.to_vec());
    shell.refuses(&[bytes(b"show"), bytes(b"r\xff")], 2, "invalid UTF-8");
    shell.refuses(
        &[bytes(b"--board"), bytes(b"no\xffwhere"), bytes(b"ls")],
        3,
        "There is no board in",
    );
}

#[test]
fn events_with_torn_and_foreign_lines() {
    let shell = Shell::board();
    shell.ok(&["run", "model=fake epoch_ms=20", DATA, "epochs=2", "--wait"]);
    let whole = std::fs::read_to_string(shell.path("runs/r1/events.jsonl")).unwrap();
    let before = shell.json(&["show", "r1"]);
    let torn = &whole[..whole.len() - 30];
    for (events, why) in [
        (format!("{whole}{{\"v\":1,\"t\":17"), "a torn last line"),
        (format!("\n\n{whole}\n"), "blank lines"),
        (format!("not json\n{whole}"), "a foreign first line"),
        (whole.replace('\n', "\n{\"v\":1}\n"), "an unfinished object behind every line"),
        (
            whole.replace('\n', "\n{\"v\":99,\"t\":1,\"step\":1,\"kind\":\"new\"}\n"),
            "a later version",
        ),
        (whole.replace('\n', "\n\u{1b}[31m\u{7}\n"), "escape sequences"),
        (whole.replace('\n', "\r\n"), "CR LF"),
    ] {
        shell.write("runs/r1/events.jsonl", &events);
        super::rig::until("the runner has left", || shell.run(&["reindex"]).code == 0);
        let after = shell.json(&["show", "r1"]);
        for key in ["outcome", "last", "best", "curves", "epoch"] {
            assert_eq!(after[key], before[key], "{why}: {key}");
        }
    }
    shell.write("runs/r1/events.jsonl", b"\xff\xfe\0\0binary\nmore\n");
    shell.ok(&["reindex"]);
    assert_eq!(shell.json(&["show", "r1"])["curves"], json!({}));
    shell.write("runs/r1/events.jsonl", torn);
    shell.ok(&["reindex"]);
    assert_eq!(shell.json(&["show", "r1"])["last"]["test/acc"], json!(0.75));
    // Without the old database and its journal, the spec of the folder counts.
    for file in ["board.db", "board.db-wal", "board.db-shm", "board.journal"] {
        let _ = std::fs::remove_file(shell.path(&format!("runs/{file}")));
    }
    shell.write("runs/r1/spec.toml", "lr = \"\x1b[31mfast");
    let done = shell.run(&["reindex"]);
    assert!(done.code == 1 && done.out.contains("Left out r1:"), "{done}");
}

/// The board looks at headers and sizes; what lies deeper the trainer finds out.
#[cfg(feature = "train")]
#[test]
fn checkpoints() {
    let shell = Shell::training();
    let tiny = |file: &str| std::fs::read(shell.path(&format!("models/tiny/{file}"))).unwrap();
    let (config, tokenizer) = (tiny("config.json"), tiny("tokenizer.json"));
    let weights = tiny("model.safetensors");
    let configured = |from: &str, to: &str| {
        let text = String::from_utf8(config.clone()).unwrap();
        assert!(text.contains(from));
        text.replace(from, to).into_bytes()
    };
    let evil = b"{\"model_type\": \"\x1b[31m\"".to_vec();
    let (half, none) = (weights[..weights.len() / 2].to_vec(), Vec::new());
    // Name, config, tokenizer, weights (None = no such file), and what is said about it.
    let odd = [
        ("torn", b"{\"model_type\":".to_vec(), Some(&tokenizer), Some(&weights), "config.json"),
        ("evil", evil, Some(&tokenizer), Some(&weights), "config.json"),
        ("bare", b"{}".to_vec(), Some(&tokenizer), Some(&weights), ""),
        ("other", configured("\"bert\"", "\"whale\""), Some(&tokenizer), Some(&weights), "whale"),
        ("wide", configured(": 64", ": 96"), Some(&tokenizer), Some(&weights), "hidden_size 96"),
        ("wordless", config.clone(), None, Some(&weights), "tokenizer.json"),
        ("garbled", config.clone(), Some(&half), Some(&weights), "tokenizer.json"),
        ("weightless", config.clone(), Some(&tokenizer), None, "model.safetensors"),
        ("empty", config.clone(), Some(&tokenizer), Some(&none), "model.safetensors"),
        ("half", config.clone(), Some(&tokenizer), Some(&half), "model.safetensors"),
        ("text", config.clone(), Some(&tokenizer), Some(&config), "model.safetensors"),
    ];
    for (name, config, tokenizer, weights, _) in &odd {
        shell.write(&format!("models/{name}/config.json"), config);
        for (file, bytes) in [("tokenizer.json", tokenizer), ("model.safetensors", weights)] {
            if let Some(bytes) = bytes {
                shell.write(&format!("models/{name}/{file}"), bytes);
            }
        }
    }
    shell.ok(&["models"]);
    for (name, .., said) in &odd {
        let model = format!("model={name}");
        let args = ["run", &model, DATA, "epochs=1", "max_length=16", "device=cpu", "--wait"];
        let done = shell.run(&args);
        let why = match done.code {
            // Refused before anything is queued.
            2 => done.err.trim_end().to_owned(),
            // What only the trainer finds out.
            1 => {
                let runs = shell.json(&["ls", "--limit", "1"]);
                let id = runs[0]["id"].as_str().unwrap();
                assert_eq!(runs[0]["outcome"], json!("failed"), "{name}: {done}");
                shell.json(&["show", id])["why"].as_str().unwrap().to_owned()
            }
            _ => panic!("{name}: {done}"),
        };
        assert!(why.contains(said) && why.ends_with('.'), "{name}: {why}");
        assert!(!why.contains("panick"), "{name}: {why}");
    }
}

#[test]
fn escape_sequences_in_what_trainers_and_files_say() {
    let shell = Shell::board();
    let evil = "\x1b[2J\x1b]0;owned\x07\u{9b}31m\u{202e}";
    shell.ok(&["run", "model=fake epoch_ms=20", DATA, "epochs=1", "--wait"]);
    let events = std::fs::read_to_string(shell.path("runs/r1/events.jsonl")).unwrap();
    let json = serde_json::to_string(evil).unwrap();
    let json = json.trim_matches('"');
    let events = events
        .replace("\"ham\"", &format!("\"ham{json}\""))
        .replace("\"done\", \"why\": \"\"", &format!("\"failed\", \"why\": \"no{json}luck\""))
        .replace("\"val/", &format!("\"val{json}/"));
    shell.write("runs/r1/events.jsonl", events);
    shell.write("runs/r1/out.log", format!("{evil}hello\r\nloading 10%\rloading 20%\n\0\x08"));
    for file in ["board.db", "board.db-wal", "board.db-shm", "r1/meta.json"] {
        let _ = std::fs::remove_file(shell.path(&format!("runs/{file}")));
    }
    super::rig::until("the runner has left", || shell.run(&["reindex"]).code == 0);
    // `run` holds that nothing of it comes out.
    shell.ok(&["show", "r1"]);
    shell.ok(&["ls"]);
    shell.ok(&["confusion", "r1"]);
    assert!(shell.ok(&["logs", "r1"]).contains("hello\n"));
    shell.json(&["show", "r1"]);
    shell.json(&["confusion", "r1"]);
    let rows = (0..40).map(|i| format!("text {evil} {i},ham{evil}{}\n", i % 2));
    shell.write("data/evil.csv", format!("text,label\n{}", rows.collect::<String>()));
    shell.ok(&["data", "data/evil.csv"]);
    shell.json(&["data", "data/evil.csv"]);
    let model = format!("models/a{evil}b/config.json");
    shell.write(&model, format!("{{\"model_type\":{}}}", serde_json::to_string(evil).unwrap()));
    shell.ok(&["models"]);
    shell.json(&["models"]);
}
