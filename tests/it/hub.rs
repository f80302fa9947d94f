//! Models from a hub: the real command against a server in this process that behaves well or badly.

pub mod server;

use serde_json::{Value, json};

use super::shell::Shell;
use server::{COMMIT, Manner, Server, TOKEN, files, torch_files};

fn whole(shell: &Shell, name: &str) {
    for (file, bytes) in files() {
        let there = std::fs::read(shell.path(&format!("models/{name}/{file}"))).ok();
        let want = (!["pytorch_model.bin", "run.py"].contains(&file)).then_some(bytes);
        assert!(there == want, "{file}");
    }
    let left: Vec<_> = std::fs::read_dir(shell.path("models")).unwrap().flatten().collect();
    assert!(left.iter().all(|e| !e.file_name().to_string_lossy().starts_with('.')), "{left:?}");
}

#[test]
fn a_model_is_pulled_and_listed_with_its_licence() {
    let (shell, server) = (Shell::board(), Server::start(Manner::default()));
    let done = server.pull(&shell, &[], None);
    assert_eq!(done.code, 0, "{done}");
    assert!(done.out.contains("model.safetensors"), "{done}");
    whole(&shell, "tiny");
    let models = shell.json(&["models"]);
    let tiny = models.as_array().unwrap().iter().find(|m| m["name"] == "tiny").unwrap();
    assert_eq!((&tiny["licence"], &tiny["problem"]), (&json!("apache-2.0"), &Value::Null));
    assert_eq!(tiny["family"], json!("bert"));
    // A second pull would overwrite what runs were started from.
    let done = server.pull(&shell, &[], None);
    assert!(done.code == 2 && done.err.contains("--name"), "{done}");
    assert_eq!(server.pull(&shell, &["--name", "tiny-2", "--json"], None).code, 0);
    whole(&shell, "tiny-2");
    let paths: Vec<String> = server.seen().into_iter().map(|r| r.path).collect();
    assert!(
        paths.iter().all(|p| !p.contains("pytorch_model") && !p.contains("run.py")),
        "{paths:?}"
    );
}

#[test]
fn an_interrupted_pull_goes_on_where_it_stopped() {
    // Within one pull: the connection breaks twice, and the server is busy once.
    let manner = Manner { cut: Some((100_000, 2)), busy: 0, ..Manner::default() };
    let (shell, server) = (Shell::board(), Server::start(manner));
    let done = server.pull(&shell, &[], None);
    assert_eq!(done.code, 0, "{done}");
    whole(&shell, "tiny");
    let ranges: Vec<String> =
        server.seen().iter().filter_map(|r| r.headers.get("range").cloned()).collect();
    assert_eq!(ranges, ["bytes=100000-", "bytes=200000-"]);

    // Over two pulls: the first gives up, the second takes what it left.
    let manner = Manner { cut: Some((0, 99)), ..Manner::default() };
    let (shell, dead) = (Shell::board(), Server::start(manner));
    let part = format!("models/.pull-org--tiny-{COMMIT}/model.safetensors.part");
    let done = dead.pull(&shell, &[], None);
    assert!(done.code == 3 && done.err.contains("model.safetensors"), "{done}");
    shell.write(&part, &files()["model.safetensors"][..12345]);
    assert!(!shell.ok(&["models"]).contains("pull-org"));
    let server = Server::start(Manner::default());
    assert_eq!(server.pull(&shell, &[], None).code, 0);
    whole(&shell, "tiny");
    let asked: Vec<String> = server.seen().iter().map(|r| r.path.clone()).collect();
    assert_eq!(asked.len(), 2, "the small files were there already: {asked:?}");
    assert_eq!(server.seen()[1].headers["range"], "bytes=12345-");
}

#[test]
fn a_server_that_sends_everything_again_is_understood() {
    let manner = Manner { cut: Some((100_000, 1)), deaf_to_ranges: true, ..Manner::default() };
    let (shell, server) = (Shell::board(), Server::start(manner));
    let done = server.pull(&shell, &[], None);
    assert_eq!(done.code, 0, "{done}");
    whole(&shell, "tiny");
}

#[test]
fn a_wrong_checksum_keeps_nothing_of_the_file() {
    let manner = Manner { lies: true, ..Manner::default() };
    let (shell, server) = (Shell::board(), Server::start(manner));
    let done = server.pull(&shell, &[], None);
    assert!(done.code == 3 && done.err.contains("model.safetensors was damaged"), "{done}");
    assert!(!shell.path("models/tiny").exists());
    let folder = shell.path(&format!("models/.pull-org--tiny-{COMMIT}"));
    let left = std::fs::read_dir(folder).unwrap().flatten();
    assert!(left.into_iter().all(|e| !e.file_name().to_string_lossy().contains("safetensors")));
}

#[test]
fn the_token_goes_to_the_hub_and_nowhere_else() {
    let elsewhere = Server::start(Manner::default());
    let manner = Manner { private: true, elsewhere: Some(elsewhere.port), ..Manner::default() };
    let (shell, server) = (Shell::board(), Server::start(manner));
    for token in [None, Some("hf_wrong")] {
        let done = server.pull(&shell, &[], token);
        assert!(done.code == 2 && done.err.contains("HF_TOKEN"), "{done}");
    }
    // By the file that `hf auth login` writes.
    shell.write("hf-home/token", TOKEN);
    let done = server.pull(&shell, &[], None);
    assert_eq!(done.code, 0, "{done}");
    whole(&shell, "tiny");
    let there = elsewhere.seen();
    assert_eq!(there.len(), 1);
    assert!(!there[0].headers.contains_key("authorization"), "{there:?}");
}

/// Another port may be another user's.
#[test]
fn the_token_does_not_go_to_another_port() {
    let other = Server::start(Manner::default());
    let server = Server::start(Manner { port: Some(other.port), ..Manner::default() });
    let shell = Shell::board();
    let done = server.pull(&shell, &[], Some(TOKEN));
    assert_eq!(done.code, 0, "{done}");
    assert!(server.seen().iter().all(|request| request.headers.contains_key("authorization")));
    let there = other.seen();
    assert!(there.len() >= 4, "{there:?}");
    assert!(there.iter().all(|r| !r.headers.contains_key("authorization")), "{there:?}");
    // In a circle.
    let first = Server::start(Manner::default());
    let second = Server::start(Manner { port: Some(first.port), ..Manner::default() });
    first.state.lock().unwrap().port = Some(second.port);
    let done = first.pull(&Shell::board(), &[], None);
    assert!(done.code == 3 && done.err.contains("more than 10 times"), "{done}");
}

#[test]
fn a_disk_that_cannot_hold_a_model_is_found_out_first() {
    let (shell, server) =
        (Shell::board(), Server::start(Manner { huge: true, ..Manner::default() }));
    let done = server.pull(&shell, &[], None);
    assert!(done.code == 3 && done.err.contains("nothing was fetched"), "{done}");
    assert_eq!(server.seen().len(), 1, "the listing alone");
}

/// It was asked again for ever once, as long as each connection brought a byte.
#[test]
fn a_server_that_never_comes_to_an_end_is_given_up() {
    // A few bytes at a time; and from the start each time, now more and now fewer.
    for (drip, deaf_to_ranges) in [(1, false), (1, true)] {
        let manner = Manner { drip: Some(drip), deaf_to_ranges, ..Manner::default() };
        let (shell, server) = (Shell::board(), Server::start(manner));
        if !deaf_to_ranges {
            server.state.lock().unwrap().even = true;
        }
        let done = server.pull(&shell, &[], None);
        assert!(done.code == 3 && done.err.contains("model.safetensors"), "{done}");
        assert!(server.seen().len() < 40, "{}", server.seen().len());
    }
    let (shell, server) =
        (Shell::board(), Server::start(Manner { slow: true, ..Manner::default() }));
    let start = std::time::Instant::now();
    let args = ["models", "pull", "org/tiny"];
    let mut command = shell.command(&args);
    command.env("HF_ENDPOINT", format!("http://127.0.0.1:{}", server.port));
    command.env("TUNEBOARD_PACE_MS", "200");
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(3) && said.contains("next to nothing"), "{said}");
    assert!(start.elapsed().as_secs() < 60);
    assert!(server.seen().len() < 20);
}

#[test]
fn what_is_not_there_or_no_pickle_of_tensors_is_refused() {
    let (shell, server) = (Shell::board(), Server::start(Manner::default()));
    let done = server.pull(&shell, &["--name", "x", "--board", "."], None);
    assert_eq!(done.code, 0, "{done}");
    let mut command = shell.command(&["models", "pull", "org/none@v2"]);
    command.env("HF_ENDPOINT", format!("http://127.0.0.1:{}", server.port));
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("org/none@v2 is not there"));

    let server = Server::start(Manner { pickle: true, ..Manner::default() });
    let done = server.pull(&shell, &[], None);
    let why = "pytorch_model.bin: it is no file of torch.save";
    assert!(done.code == 2 && done.err.contains(why), "{done}");
    assert!(!shell.path("models/tiny").exists(), "nothing was added");

    shell.refuses(&["models", "pull", "../etc/passwd"], 2, "ORG/NAME");
    let mut command = shell.command(&["models", "pull", "org/tiny"]);
    let output = command.env("HF_ENDPOINT", "http://127.0.0.1:9").output().unwrap();
    assert_eq!(output.status.code(), Some(3), "nobody listens there");
}

#[test]
fn folders_are_added_without_their_pickles() {
    let shell = Shell::board();
    for (name, bytes) in files() {
        shell.write(&format!("elsewhere/my model/{name}"), bytes);
    }
    shell.write("elsewhere/my model/README.md", "---\nlicense: mit\n---\n");
    shell.refuses(&["models", "add", "elsewhere/my model"], 2, "--name");
    let added = shell.json(&["models", "add", "elsewhere/my model", "--name", "mine"]);
    assert_eq!((&added["name"], &added["licence"]), (&json!("mine"), &json!("mit")));
    whole(&shell, "mine");
    let file = "elsewhere/my model/model.safetensors";
    shell.ok(&["models", "add", file, "--name", "again"]);
    shell.refuses(&["models", "add", "elsewhere/my model", "--name", "mine"], 2, "exists already");
    std::os::unix::fs::symlink("/etc/hostname", shell.path("elsewhere/my model/vocab.txt"))
        .unwrap();
    let args = ["models", "add", "elsewhere/my model", "--name", "linked"];
    shell.refuses(&args, 2, "vocab.txt is a link that leads out of its folder");
    assert!(!shell.path("models/linked").exists());
    std::fs::remove_file(shell.path("elsewhere/my model/vocab.txt")).unwrap();
    shell.refuses(&["models", "add", "nowhere"], 2, "nowhere cannot be read");
    shell.refuses(&["models", "add", "elsewhere"], 2, "no config.json");
    std::fs::remove_file(shell.path(file)).unwrap();
    let args = ["models", "add", "elsewhere/my model", "--name", "p"];
    shell.refuses(&args, 2, "pytorch_model.bin: it is no file of torch.save");
    assert!(!shell.path("models/p").exists());
    for (name, bytes) in torch_files() {
        shell.write(&format!("elsewhere/my model/{name}"), bytes);
    }
    let added = shell.json(&args);
    assert_eq!((&added["family"], &added["problem"]), (&json!("roberta"), &Value::Null));
    assert!(shell.path("models/p/model.safetensors").is_file());
    assert!(!shell.path("models/p/pytorch_model.bin").exists());
    assert!(shell.path("elsewhere/my model/pytorch_model.bin").is_file(), "the source stays");
}

#[test]
fn a_pickle_of_tensors_is_kept_as_safetensors() {
    let shell = Shell::board();
    let server = Server::start(Manner { torch: true, ..Manner::default() });
    let done = server.pull(&shell, &[], None);
    assert!(done.code == 0 && done.err.contains("written as safetensors"), "{done}");
    let model = shell.json(&["models"]);
    let model = model.as_array().unwrap().iter().find(|m| m["name"] == "tiny").unwrap().clone();
    assert_eq!((&model["family"], &model["problem"]), (&json!("roberta"), &Value::Null));
    assert!(shell.path("models/tiny/model.safetensors").is_file());
    assert!(!shell.path("models/tiny/pytorch_model.bin").exists());
}

#[test]
fn the_robots_conversion_of_the_same_commit_is_taken_before_a_pickle() {
    const TITLE: &str = "Adding `safetensors` variant of this model";
    let shell = Shell::board();
    let manner = Manner { pickle: true, robot: Some(TITLE), ..Manner::default() };
    let server = Server::start(manner.clone());
    let done = server.pull(&shell, &[], None);
    assert!(done.code == 0 && done.err.contains("refs/pr/7"), "{done}");
    whole(&shell, "tiny");
    assert!(server.seen().iter().all(|r| !r.path.contains("pytorch_model")), "no pickle came");
    // What others propose is not the hub's word.
    let server = Server::start(Manner { robot: Some("Better weights"), ..manner });
    let done = server.pull(&shell, &["--name", "other"], None);
    assert!(done.code == 2 && done.err.contains("no file of torch.save"), "{done}");
}
