//! The documents say what is: their links lead somewhere, their commands are commands, and README's loop works.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::shell::Shell;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every page of the repository, by its path.
fn pages() -> BTreeMap<PathBuf, String> {
    let mut pages = BTreeMap::new();
    for folder in ["", "docs", "data", "models", "runs"] {
        for entry in fs::read_dir(root().join(folder)).unwrap().flatten() {
            if entry.path().extension().is_some_and(|ending| ending == "md") {
                pages.insert(entry.path(), fs::read_to_string(entry.path()).unwrap());
            }
        }
    }
    assert!(pages.len() > 12, "the pages were found");
    pages
}

/// The blocks of shell commands of a page.
fn commands(page: &str) -> Vec<&str> {
    page.split("\n```").filter_map(|piece| piece.strip_prefix("sh\n")).collect()
}

/// As GitHub makes anchors of headings.
fn anchors(page: &str) -> BTreeSet<String> {
    let headings = page.lines().filter(|line| line.starts_with('#'));
    let anchor = |line: &str| {
        let text = line.trim_start_matches('#').trim().to_lowercase();
        let kept = text.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    headings.map(anchor).collect()
}

#[test]
fn links_lead_somewhere() {
    let pages = pages();
    let mut wrong = Vec::new();
    let mut seen = 0;
    for (path, page) in &pages {
        for piece in page.split("](").skip(1) {
            let Some((link, _)) = piece.split_once(')') else { continue };
            if link.contains("://") || link.contains(' ') {
                continue;
            }
            seen += 1;
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let to = if file.is_empty() { path.clone() } else { path.parent().unwrap().join(file) };
            let is_there = to.exists();
            let has_anchor = || {
                let page = fs::read_to_string(&to).unwrap_or_default();
                anchor.is_empty() || anchors(&page).contains(anchor)
            };
            if !is_there || !has_anchor() {
                wrong.push(format!("{}: {link}", path.display()));
            }
        }
    }
    assert!(seen > 30, "the links were found");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The commands of a line, without its comment.
fn pieces(line: &str) -> Vec<&str> {
    let mut quote = None;
    let line = line.split(" #").next().unwrap_or_default();
    let ends = |c: char| {
        match (quote, c) {
            (None, '\'' | '"') => quote = Some(c),
            (Some(open), c) if open == c => quote = None,
            _ => {}
        }
        quote.is_none() && ";|<>&".contains(c)
    };
    line.split(ends).collect()
}

/// A command with `--help` behind it is refused as it would be without, for a verb or a flag that is not there.
#[test]
fn every_command_is_one() {
    let shell = Shell::empty();
    let mut lines = Vec::new();
    for (path, page) in pages() {
        for block in commands(&page) {
            let block = block.replace("\\\n", " ");
            lines.extend(block.lines().map(|line| (path.display().to_string(), line.to_owned())));
        }
    }
    // The examples of each verb, what is said of them two spaces behind.
    let help = shell.ok(&["help"]);
    let verbs = help.lines().filter_map(|line| line.strip_prefix("  ")?.split(' ').next());
    for verb in verbs.filter(|verb| verb.chars().all(|c| c.is_ascii_lowercase() || c == '-')) {
        let page = shell.run(&["help", verb]).out;
        let examples = page.lines().filter_map(|line| line.trim().split("  ").next());
        lines.extend(examples.map(|line| (format!("help {verb}"), line.to_owned())));
    }
    let mut seen = 0;
    for (from, line) in &lines {
        for command in pieces(line) {
            let Some(words) = command.trim().strip_prefix("tuneboard ") else { continue };
            let mut sh = std::process::Command::new("sh");
            sh.args(["-c", &format!("\"$0\" {words} --help"), env!("CARGO_BIN_EXE_tuneboard")]);
            let done = sh.current_dir(shell.path("")).output().unwrap();
            let said = String::from_utf8_lossy(&done.stderr);
            assert!(done.status.success(), "{from}: {command}\n{said}");
            seen += 1;
        }
    }
    assert!(seen > 100, "{seen} commands were found");
}

/// The loop as README has it, line by line, with a small model from a hub of ours and the real trainer. What would
/// take minutes is only planned; the dashboard has tests of its own.
#[cfg(feature = "train")]
#[test]
fn the_readmes_loop_works() {
    use super::hub::server::{Manner, Server};

    let page = fs::read_to_string(root().join("README.md")).unwrap();
    let (_, after) = page.split_once("## The loop").unwrap();
    let block = commands(after)[0];
    let shell = Shell::training();
    let repo = "sentence-transformers/all-MiniLM-L6-v2";
    let hub = Server::start(Manner { repo: Some(repo), ..Manner::default() });
    let row = |i: u32| {
        let (word, label) = if i.is_multiple_of(3) { ("prize", "spam") } else { ("lunch", "ham") };
        format!("{i} {word},{label}")
    };
    let rows = (0..60).map(row).collect::<Vec<_>>().join("\n");
    let bin = Path::new(env!("CARGO_BIN_EXE_tuneboard")).parent().unwrap().display().to_string();
    let env: Vec<_> = shell
        .command::<&str>(&[])
        .get_envs()
        .filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())))
        .collect();
    let mut done = Vec::new();
    for line in block.lines().filter(|line| !line.trim().is_empty()) {
        let command =
            line.split(" #").next().unwrap_or_default().split("    #").next().unwrap().trim();
        let command = match command {
            "tuneboard" => continue,
            search if search.contains("trials=") => format!("{search} max_length=16 --dry-run"),
            sweep if sweep.starts_with("tuneboard sweep") => {
                format!("{sweep} batch_size=32 max_length=16 --wait")
            }
            other => other.to_owned(),
        };
        let is_first = done.is_empty();
        let place = if is_first { shell.path("") } else { shell.path("my-board") };
        let mut sh = std::process::Command::new("sh");
        sh.args(["-c", &command]).current_dir(place).env_clear().envs(env.iter().cloned());
        sh.env("PATH", format!("{bin}:{}", std::env::var("PATH").unwrap_or_default()));
        sh.env("TUNEBOARD_DEVICE", "cpu");
        sh.env("HF_ENDPOINT", format!("http://127.0.0.1:{}", hub.port));
        let said = sh.stdin(std::process::Stdio::null()).output().unwrap();
        let text = [said.stdout, said.stderr].map(|x| String::from_utf8_lossy(&x).into_owned());
        // A quick run may have ended before somebody stops it.
        let ended = command.starts_with("tuneboard stop") && text[1].contains("is done;");
        assert!(said.status.success() || ended, "{command}\n{}\n{}", text[0], text[1]);
        done.push(command);
        if is_first {
            shell.write("my-board/data/reviews.csv", format!("text,label\n{rows}"));
        }
    }
    assert!(done.len() > 10, "{done:?}");
    assert!(shell.path("my-board/spam-detector/model.safetensors").is_file(), "{done:?}");
}
