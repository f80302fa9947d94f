//! The trainer as a process: what it writes, how it stops, how it goes on, what it refuses.

#![cfg(feature = "train")]

mod outputs;
mod own_head;
mod refusals;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use safetensors::SafeTensors;
use serde_json::{Value, json};
use tuneboard::dataset::predictions;
use tuneboard::events::{Ending, Event, EventKind, Saved, Split, Tail, is_of_machine};
use tuneboard::spec::Task;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

/// A working directory with one model and one data set.
pub struct Desk(tempfile::TempDir);

impl Desk {
    pub fn new() -> Self {
        let desk = Self(tempfile::tempdir().unwrap());
        let model = desk.path("models/tiny");
        fs::create_dir_all(&model).unwrap();
        for name in ["config.json", "model.safetensors", "tokenizer.json"] {
            fs::copy(fixtures().join("models/tiny-bert").join(name), model.join(name)).unwrap();
        }
        let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/sms_spam.csv");
        fs::copy(data, desk.path("sms.csv")).unwrap();
        desk
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Makes a run's folder; `more` is appended to the spec.
    pub fn run_folder(&self, name: &str, more: &str) -> PathBuf {
        let folder = self.path(name);
        fs::create_dir_all(&folder).unwrap();
        let spec = format!(
            "model = \"tiny\"\ndata = \"sms.csv\"\nprecision = \"fp32\"\nkeep = \"both\"\n{more}"
        );
        fs::write(folder.join("spec.toml"), spec).unwrap();
        folder
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tuneboard-train"));
        command.args(args).current_dir(self.0.path());
        command.env("TUNEBOARD_QUIET", "1").env("TUNEBOARD_DEVICE", "cpu");
        command.env("TUNEBOARD_THREADS", "1");
        command
    }

    pub fn train(&self, run: &str) -> Output {
        self.command(&[run]).output().unwrap()
    }

    pub fn start(&self, run: &str) -> Child {
        self.command(&[run]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }
}

impl Desk {
    /// Starts a run and stops it as a person would, once it has reported the step.
    pub fn stop_at(&self, run: &str, step: u64) {
        assert!(self.signal_at(run, step, libc::SIGTERM).success());
        assert_eq!(ending(&events(&self.path(run))), Some(Ending::Stopped));
    }

    /// Trains until a step is reported, and sends a signal then.
    pub fn signal_at(&self, run: &str, step: u64, signal: i32) -> ExitStatus {
        let mut child = self.start(run);
        let path = self.path(run).join("events.jsonl");
        let folder = self.path(run);
        wait_until("the step to stop at", || {
            fs::exists(&path).unwrap()
                && step_losses(&events(&folder)).keys().any(|reported| *reported >= step)
        });
        // SAFETY: a signal to a child of this test that has not been waited for.
        unsafe { libc::kill(child.id() as i32, signal) };
        child.wait().unwrap()
    }
}

pub fn events(run: &Path) -> Vec<Event> {
    let batch = Tail::at(0).read(&run.join("events.jsonl"), 64 << 20).unwrap();
    assert!(batch.foreign.iter().all(|f| f.why.contains("EOF")), "{:?}", batch.foreign);
    batch.events
}

pub fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_mins(2);
    while !is_so() {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The figures a reader ends up with, to the bit: what a resumption voids is voided. Throughput and
/// memory are left out.
pub fn figures(events: &[Event]) -> BTreeMap<String, u64> {
    let mut kept: Vec<&Event> = Vec::new();
    for event in events {
        if matches!(event.kind, EventKind::Resumed { .. }) {
            kept.retain(|e| e.step <= event.step);
        }
        kept.push(event);
    }
    let mut figures = BTreeMap::new();
    for event in kept {
        match &event.kind {
            EventKind::Eval { split, epoch, values } => {
                for (name, value) in values.iter().filter(|(n, _)| !is_of_machine(n)) {
                    figures.insert(format!("{split}/{name} {epoch}"), value.0.to_bits());
                }
            }
            EventKind::Confusion { split, epoch, counts } => {
                let flat = counts.iter().flatten().enumerate();
                for (cell, count) in flat {
                    figures.insert(format!("{split} cell {cell} {epoch}"), *count);
                }
            }
            _ => {}
        }
    }
    figures
}

/// The smoothed loss at each step that happened to be reported.
pub fn step_losses(events: &[Event]) -> BTreeMap<u64, u64> {
    let loss = |event: &Event| match &event.kind {
        EventKind::Metrics { values, .. } => {
            Some((event.step, values["train/step_loss"].0.to_bits()))
        }
        _ => None,
    };
    events.iter().filter_map(loss).collect()
}

pub fn ending(events: &[Event]) -> Option<Ending> {
    match &events.last()?.kind {
        EventKind::Ended { ending, .. } => Some(*ending),
        _ => None,
    }
}

pub const SMALL: &str = "max_length = 24\nlimit = 400\nepochs = 2\nbatch_size = 8\nlr = 1e-3\n\
                     dropout = 0.1\naccumulate = 2\n";

#[test]
fn a_run_writes_its_whole_story() {
    let desk = Desk::new();
    let run = desk.run_folder("r1", SMALL);
    let output = desk.train("r1");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let events = events(&run);
    assert!(matches!(events[0].kind, EventKind::Started(_)));
    assert_eq!(ending(&events), Some(Ending::Done));
    let figures = figures(&events);
    assert!(figures.contains_key("train/loss 1") && figures.contains_key("train/acc 2"));
    // The figures of its task, all of them and no others.
    for split in ["val", "test"] {
        let reported = events.iter().rev().find_map(|event| match &event.kind {
            EventKind::Eval { split: of, values, .. } if of.to_string() == split => Some(values),
            _ => None,
        });
        let mut want = Task::Classify.figures().to_vec();
        let reported = reported.unwrap();
        if split == "test" {
            // How sure it is, and what a temperature would make of that, where one is best for the val rows.
            want.push("ece");
            let fitted = ["calibrated_ece", "temperature"];
            assert_eq!(reported.contains_key(fitted[0]), reported.contains_key(fitted[1]));
            want.extend(fitted.into_iter().filter(|name| reported.contains_key(*name)));
        }
        want.sort_unstable();
        assert!(reported.keys().filter(|name| !is_of_machine(name)).eq(want), "{split}");
    }
    assert!(f64::from_bits(figures["train/loss 2"]) < f64::from_bits(figures["train/loss 1"]));

    // The test says how far it is from its start on, after everything of the epochs.
    let begun = events.iter().position(|e| {
        matches!(e.kind, EventKind::Evaluating { split: Split::Test, done: 0, rows: 40 })
    });
    let tested =
        events.iter().position(|e| matches!(e.kind, EventKind::Eval { split: Split::Test, .. }));
    assert!(
        begun < tested
            && begun > events.iter().rposition(|e| matches!(e.kind, EventKind::Metrics { .. }))
    );

    // What an epoch gave comes before the checkpoint that makes it count.
    let of_epoch_1 = |wanted: fn(&EventKind) -> bool| events.iter().position(|e| wanted(&e.kind));
    let val =
        of_epoch_1(|k| matches!(k, EventKind::Eval { split: Split::Val, epoch: 1, .. })).unwrap();
    let last =
        of_epoch_1(|k| matches!(k, EventKind::Saved { what: Saved::Last, epoch: 1, .. })).unwrap();
    assert!(val < last);

    // Predictions agree with the figures.
    let val = predictions::read(&run.join("predictions/val-0002.parquet")).unwrap();
    assert_eq!(val.rows.len(), 40);
    let right = val.labels.iter().zip(&val.predicted).filter(|(a, b)| a == b).count();
    assert!((right as f64 / 40.0 - f64::from_bits(figures["val/acc 2"])).abs() < 1e-12);
    let loss = val.loss.iter().map(|l| f64::from(*l)).sum::<f64>() / 40.0;
    assert!((loss - f64::from_bits(figures["val/loss 2"])).abs() < 1e-12);

    // Nothing but its own folder.
    let mut names: Vec<_> =
        fs::read_dir(desk.path("")).unwrap().map(|e| e.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["models", "r1", "sms.csv"]);

    // Started again, a finished run is left alone.
    let before = fs::read(run.join("events.jsonl")).unwrap();
    assert!(desk.train("r1").status.success());
    assert_eq!(fs::read(run.join("events.jsonl")).unwrap(), before);
}

#[test]
fn the_best_checkpoint_is_a_model_again() {
    let desk = Desk::new();
    let run = desk.run_folder("r1", &SMALL.replace("epochs = 2", "epochs = 1"));
    assert!(desk.train("r1").status.success());
    let best = run.join("checkpoints/best");
    let config: Value =
        serde_json::from_slice(&fs::read(best.join("config.json")).unwrap()).unwrap();
    // No class of transformers has a head on the mean.
    assert_eq!(
        (&config["architectures"], &config["tuneboard_pool"]),
        (&Value::Null, &json!("mean"))
    );
    assert_eq!(config["id2label"]["1"], json!("1"));
    // As the start of another run, with its head.
    let spec = format!("{}\nmodel = \"r1/checkpoints/best\"\n", SMALL.replace("= 2", "= 1"));
    fs::create_dir_all(desk.path("r2")).unwrap();
    fs::write(desk.path("r2/spec.toml"), format!("data = \"sms.csv\"\n{spec}")).unwrap();
    assert!(desk.train("r2").status.success());
    let notes = events(&desk.path("r2")).into_iter().any(|e| match e.kind {
        EventKind::Note { text, .. } => text.contains("head is new"),
        _ => false,
    });
    assert!(!notes);
}

/// Invariant 7 of docs/architecture.md.
#[test]
fn a_resumed_run_equals_the_uninterrupted_one_to_the_bit() {
    resumes(&SMALL.replace("limit = 400", "limit = 1600"));
}

#[test]
fn a_resumed_adapter_equals_the_uninterrupted_one_to_the_bit() {
    let spec = SMALL.replace("limit = 400", "limit = 1600");
    resumes(&format!("adapter = \"lora\"\nlora_dropout = 0.1\n{spec}"));
}

fn resumes(spec: &str) {
    let desk = Desk::new();
    let whole = desk.run_folder("whole", spec);
    assert!(desk.train("whole").status.success());
    let want = events(&whole);

    // SIGTERM in the middle of the first epoch, SIGKILL in the middle of the second.
    let broken = desk.run_folder("broken", spec);
    let reported = |run: &Path, at_least: u64| {
        fs::exists(run.join("events.jsonl")).unwrap()
            && step_losses(&events(run)).keys().any(|s| *s >= at_least)
    };
    let mut child = desk.start("broken");
    wait_until("steps of the first epoch", || reported(&broken, 10));
    // SAFETY: a signal to a child of this test that has not been waited for.
    unsafe { libc::kill(child.id() as i32, libc::SIGTERM) };
    assert!(child.wait().unwrap().success());
    let stopped = events(&broken);
    assert_eq!(ending(&stopped), Some(Ending::Stopped));
    let stopped_at = stopped.last().unwrap().step;
    assert!((10..80).contains(&stopped_at), "stopped at {stopped_at}");

    let mut child = desk.start("broken");
    wait_until("steps of the second epoch", || reported(&broken, 85));
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(ending(&events(&broken)).is_none_or(|e| e != Ending::Done));

    assert!(desk.train("broken").status.success());
    let got = events(&broken);
    let resumed: Vec<(u64, u32, u32)> = got
        .iter()
        .filter_map(|e| match e.kind {
            EventKind::Resumed { epoch, attempt } => Some((e.step, epoch, attempt)),
            _ => None,
        })
        .collect();
    assert_eq!(resumed, [(stopped_at, 0, 2), (80, 1, 3)]);
    assert_eq!(figures(&got), figures(&want));
    let (got, want) = (step_losses(&got), step_losses(&want));
    let both: Vec<_> = got.keys().filter(|step| want.contains_key(step)).collect();
    assert!(both.iter().all(|step| got[step] == want[step]));
}

#[test]
fn a_kill_in_the_middle_of_a_save_leaves_a_checkpoint() {
    let desk = Desk::new();
    let run = desk.run_folder("r1", SMALL);
    assert!(desk.train("r1").status.success());
    let want = figures(&events(&run));
    let at = |name: &str| run.join("checkpoints").join(name);
    for (from, to) in [("last", "last.old"), ("last", "last.new")] {
        // As if killed between the two renames of a swap, and before Ended.
        fs::rename(at(from), at(to)).unwrap();
        fs::create_dir_all(at("last.tmp-1")).unwrap();
        let text = fs::read_to_string(run.join("events.jsonl")).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        fs::write(run.join("events.jsonl"), lines[..lines.len() - 1].join("\n") + "\n{\"v\":1,")
            .unwrap();
        assert!(desk.train("r1").status.success());
        assert!(at("last/model.safetensors").is_file() && !at("last.tmp-1").exists());
        assert!(!at(to).exists());
        assert_eq!(figures(&events(&run)), want);
    }
}

/// `unfreeze=head`: what the frozen encoder says of the texts is computed once, for this run and those
/// after it, and changes no figure.
#[test]
fn vectors_of_a_frozen_encoder_are_kept_and_change_nothing() {
    let desk = Desk::new();
    let more = format!("{SMALL}unfreeze = \"head\"\n");
    let cache = desk.path("cache");
    let train = |name: &str, cached: bool| {
        let run = desk.run_folder(name, &more);
        let mut command = desk.command(&[name]);
        if cached {
            command.env("TUNEBOARD_CACHE_DIR", &cache);
        }
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        figures(&events(&run))
    };
    let kept = || -> BTreeMap<String, Vec<u8>> {
        let files = fs::read_dir(&cache).unwrap().map(|e| e.unwrap());
        files.map(|e| (e.file_name().into_string().unwrap(), fs::read(e.path()).unwrap())).collect()
    };
    let alone = train("alone", false);
    assert!(!cache.exists());
    assert_eq!(train("first", true), alone);
    let files = kept();
    let kinds: Vec<&str> = files.keys().map(|name| name.split('-').next().unwrap()).collect();
    assert_eq!(kinds, ["tokens", "vectors"]);
    assert_eq!(train("second", true), alone);
    assert_eq!(kept(), files);
    // Another length is another set of ids, hence of vectors.
    desk.run_folder("other", &more.replace("max_length = 24", "max_length = 16"));
    let mut command = desk.command(&["other"]);
    assert!(command.env("TUNEBOARD_CACHE_DIR", &cache).output().unwrap().status.success());
    assert_eq!(kept().len(), 4);
    // What is damaged is made anew.
    for name in files.keys() {
        fs::write(cache.join(name), b"damaged").unwrap();
    }
    assert_eq!(train("third", true), alone);
    assert_eq!(kept().len(), 4);
    // Only the head has learned.
    let weights = |run: &str| fs::read(desk.path(run).join("checkpoints/best/model.safetensors"));
    let (trained, given) =
        (weights("alone").unwrap(), fs::read(desk.path("models/tiny/model.safetensors")).unwrap());
    let (trained, given) =
        (SafeTensors::deserialize(&trained).unwrap(), SafeTensors::deserialize(&given).unwrap());
    let name = "encoder.layer.1.output.dense.weight";
    let bert = trained.tensor(&format!("bert.{name}")).unwrap();
    let was = given.names().into_iter().find(|n| n.ends_with(name)).unwrap();
    assert_eq!(bert.data(), given.tensor(was).unwrap().data());
}
