//! The rules of the house (docs/architecture.md), held by reading the source.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::source::{code, files};

/// Which modules a module may name besides itself.
const MAY_USE: [(&str, &[&str]); 15] = [
    ("spec", &[]),
    ("weights", &["spec"]),
    ("model_config", &["spec"]),
    ("events", &["spec"]),
    ("gpus", &[]),
    ("dataset", &["spec"]),
    ("query", &["spec"]),
    ("hub", &["spec"]),
    ("board", &["spec", "query", "weights", "model_config"]),
    ("store", &["spec", "events", "query"]),
    ("runner", &["spec", "events", "board", "store", "gpus"]),
    ("order", &["spec", "board", "dataset", "store"]),
    ("analysis", &["spec", "events", "query", "store", "dataset"]),
    (
        "tui",
        &["spec", "events", "query", "board", "store", "analysis", "dataset", "runner", "order"],
    ),
    (
        "cli",
        &[
            "spec", "events", "query", "board", "store", "analysis", "dataset", "runner", "order",
            "hub", "tui", "weights", "gpus",
        ],
    ),
];

/// Words that only these modules may write.
const OWNS: [(&str, &[&str]); 15] = [
    ("hf_hub", &["hub"]),
    ("ureq", &["hub"]),
    ("nvml_wrapper", &["gpus"]),
    ("rusqlite", &["store"]),
    ("plotters", &["analysis"]),
    ("resvg", &["analysis"]),
    ("ratatui", &["tui"]),
    ("crossterm", &["tui"]),
    ("tch::", &["train"]),
    ("tokenizers::", &["train"]),
    ("clap::", &["cli", "train"]),
    ("signal_hook", &["runner", "tui", "train"]),
    ("process::Command", &["runner"]),
    ("println!", &[]),
    ("io::stdout()", &["cli", "tui", "train"]),
];

fn source() -> BTreeMap<PathBuf, String> {
    let files = files("src");
    assert!(files.len() > 50, "the source was found");
    files
}

/// `cli/ls.rs` -> `cli`; `board.rs` -> `board`.
fn module(path: &Path) -> String {
    let first = path.components().next().unwrap().as_os_str().to_string_lossy();
    first.trim_end_matches(".rs").to_owned()
}

/// The modules of ours that a file names as `crate::x` or `crate::{x, y}`.
fn named(code: &str, prefix: &str) -> Vec<String> {
    let mut names = Vec::new();
    for (at, _) in code.match_indices(prefix) {
        let rest = &code[at + prefix.len()..];
        let word = |s: &str| s.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        if let Some(list) = rest.strip_prefix('{') {
            let mut depth = 1;
            let end = list.find(|c| {
                depth += i32::from(c == '{') - i32::from(c == '}');
                depth == 0
            });
            let mut level = 0;
            for part in list[..end.unwrap_or(0)].split_inclusive(['{', '}', ',']) {
                if level == 0 {
                    names.push(word(part.trim_start()));
                }
                level += i32::from(part.ends_with('{')) - i32::from(part.ends_with('}'));
            }
        } else {
            names.push(word(rest));
        }
    }
    names.retain(|n: &String| !n.is_empty());
    names
}

#[test]
fn names_are_found_in_every_form() {
    let code =
        "use crate::spec::{a, b};\nuse crate::{store::{Reader, Run}, dataset};\ncrate::tui::run()";
    assert_eq!(named(code, "crate::"), ["spec", "store", "dataset", "tui"]);
}

#[test]
fn modules_use_what_they_may() {
    let rules: BTreeMap<&str, &[&str]> = MAY_USE.into_iter().collect();
    let mut wrong = Vec::new();
    for (path, text) in source() {
        let module = module(&path);
        let Some(allowed) = rules.get(module.as_str()) else { continue };
        for name in named(&code(&text), "crate::") {
            let ours = rules.contains_key(name.as_str());
            if ours && name != module && !allowed.contains(&name.as_str()) {
                wrong.push(format!("{} names crate::{name}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn crates_have_one_owner() {
    let mut wrong = Vec::new();
    for (path, text) in source() {
        let (module, code) = (module(&path), code(&text));
        for (word, owners) in OWNS {
            let mut found = code.match_indices(word);
            // `ratatui` is a word, `bratatui` is not.
            let whole = found
                .any(|(at, _)| !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_'));
            if whole && !owners.contains(&module.as_str()) {
                wrong.push(format!("{} writes {word}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The dashboard and the command line reach the runner and each other by these doors only.
#[test]
fn the_runner_has_few_doors() {
    let doors = [
        "run",
        "ensure",
        "edit",
        "verb",
        "reindex",
        "trainer_command",
        "trainer_lines",
        "trainer_output",
        "packages",
        "packages_of",
        "check_site",
        "SiteCheck",
        "install",
        "fetch",
        "alive",
        "Doubts",
        "lock_holder",
        "interrupted",
        "RunnerError",
        "Left",
        "Reindexed",
        "waste",
        "remove",
        "Waste",
    ];
    for (path, text) in source() {
        if !["cli", "tui"].contains(&module(&path).as_str()) {
            continue;
        }
        let code = code(&text);
        // A file that imports the module names its parts as `runner::x`; cli has a verb of that name.
        let imported = code.contains("crate::runner") || code.contains(" runner}");
        let prefix = if imported { "runner::" } else { "crate::runner::" };
        for name in named(&code, prefix) {
            assert!(doors.contains(&name.as_str()), "{} uses runner::{name}", path.display());
        }
        for name in named(&code, "crate::tui::") {
            assert!(
                module(&path) == "tui"
                    || ["run", "Link", "TuiError", "Verb"].contains(&name.as_str()),
                "{} uses tui::{name}",
                path.display()
            );
        }
    }
}

#[test]
fn the_trainer_never_opens_the_database() {
    for (path, text) in source() {
        if module(&path) == "train" {
            // Of the analysis only the arithmetic: what a run reports is what the board computes.
            let code = code(&text).replace("tuneboard::analysis::metrics::", "");
            for name in named(&code, "tuneboard::") {
                let allowed = ["spec", "events", "dataset", "weights", "model_config", "gpus"]
                    .contains(&name.as_str());
                assert!(allowed, "{} names tuneboard::{name}", path.display());
            }
        }
    }
}

/// The training loop knows no task, and nothing outside a family's own folder names a family.
#[test]
fn the_training_loop_names_no_task_and_no_family() {
    let mut wrong = Vec::new();
    for (path, text) in source() {
        let is_test = path.iter().any(|part| part.to_string_lossy().starts_with("parity"));
        // Networks, and how their tokenizers are put together.
        let of_families = ["train/model", "train/tokenize"].iter().any(|f| path.starts_with(f));
        if module(&path) != "train" || of_families || is_test {
            continue;
        }
        let code = code(&text);
        let named = code
            .split("Family::")
            .skip(1)
            .filter(|rest| rest.starts_with(char::is_uppercase) && !rest.starts_with("ALL"));
        wrong.extend(named.map(|rest| format!("{}: {:.20}", path.display(), rest)));
        if path.starts_with("train/trainer") && (code.contains("Task") || code.contains(".task")) {
            wrong.push(format!("{} names a task", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn only_out_rs_prints_for_the_command_line() {
    for (path, text) in source() {
        if module(&path) == "cli" && path != Path::new("cli/out.rs") {
            for word in ["io::stdout", "io::stderr", "print!(", "eprint", "\\x1b["] {
                assert!(!code(&text).contains(word), "{} writes {word}", path.display());
            }
        }
    }
}

#[test]
fn tuneboard_never_links_libtorch() {
    let listed = Command::new("readelf").args(["-d", env!("CARGO_BIN_EXE_tuneboard")]).output();
    if let Ok(listed) = listed
        && listed.status.success()
    {
        let needed = String::from_utf8_lossy(&listed.stdout).into_owned();
        assert!(needed.contains("NEEDED"), "{needed}");
        assert!(!needed.contains("torch") && !needed.contains("libc10"), "{needed}");
        return;
    }
    // Without binutils: the dynamic string table is part of the file, and names what is loaded.
    let bytes = fs::read(env!("CARGO_BIN_EXE_tuneboard")).unwrap();
    for name in [&b"libtorch_cpu.so\0"[..], b"libtorch.so\0", b"libc10.so\0"] {
        assert!(!bytes.windows(name.len()).any(|w| w == name));
    }
}

#[test]
fn files_stay_readable() {
    let mut long: Vec<String> = Vec::new();
    for folder in ["src", "tests", "benches", "examples"] {
        let files = files(folder);
        let is_long = |(_, text): &(&PathBuf, &String)| text.lines().count() > 400;
        let found = files.iter().filter(is_long);
        long.extend(found.map(|(path, _)| format!("{folder}/{}", path.display())));
    }
    assert!(long.is_empty(), "more than 400 lines: {long:?}; split them by meaning");
}

#[test]
fn figures_are_named_in_one_table() {
    let names: Vec<String> = tuneboard::spec::metrics::METRICS
        .iter()
        .flat_map(|metric| ["train", "val", "test"].map(|s| format!("\"{s}/{}\"", metric.name)))
        .collect();
    let is_test = |path: &Path| {
        let path = path.to_string_lossy();
        ["/tests", "fixtures.rs", "parity"].iter().any(|part| path.contains(part))
    };
    let mut wrong = Vec::new();
    for (path, text) in source().iter().filter(|(path, _)| !is_test(path)) {
        let code = code(text);
        let written = names.iter().filter(|name| code.contains(*name));
        wrong.extend(written.map(|name| format!("{} writes {name}", path.display())));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// What Cargo.toml promises of old compilers holds for the crates that it locks too.
#[test]
fn no_dependency_asks_for_a_newer_rust_than_we_do() {
    let listed = Command::new(env!("CARGO"))
        .args(["metadata", "--locked", "--offline", "--format-version", "1"])
        .args(["--filter-platform", "x86_64-unknown-linux-gnu"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&listed.stdout).unwrap();
    let version = |package: &serde_json::Value| -> Vec<u32> {
        let asked = package["rust_version"].as_str().unwrap_or("1");
        asked.split('.').take(2).filter_map(|part| part.parse().ok()).collect()
    };
    let packages = metadata["packages"].as_array().unwrap();
    let ours = packages.iter().find(|package| package["name"] == "tuneboard").map(version).unwrap();
    let newer: Vec<_> = packages.iter().filter(|p| version(p) > ours).map(|p| &p["name"]).collect();
    assert!(
        newer.is_empty(),
        "{newer:?} ask for a newer Rust than rust-version in Cargo.toml says"
    );
}
