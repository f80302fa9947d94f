//! Models from a hub: the real command against a server in this process that behaves well or badly.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::shell::{Done, Shell};

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
const TOKEN: &str = "hf_secretsecretsecret";

/// What the server does besides serving.
#[derive(Debug, Clone, Default)]
struct Manner {
    /// Ends the connection after so many bytes of a large file, so many times.
    cut: Option<(usize, usize)>,
    /// Wants the token.
    private: bool,
    /// Sends on to another host for large files.
    elsewhere: Option<u16>,
    /// Announces another checksum than that of the bytes.
    lies: bool,
    /// Sends everything whatever was asked for.
    deaf_to_ranges: bool,
    /// Answers 503 so many times.
    busy: usize,
    /// Only a pickle.
    pickle: bool,
    /// Sends everything on to another port of this host.
    port: Option<u16>,
    /// Announces more bytes than any disk has.
    huge: bool,
    /// Ends each connection after so many bytes of a large file, each time another number unless `even`.
    drip: Option<usize>,
    even: bool,
    /// Sends a byte of a large file now and then.
    slow: bool,
}

/// A request: path, then headers in lower case.
#[derive(Debug, Clone)]
struct Request {
    path: String,
    headers: BTreeMap<String, String>,
}

struct Server {
    port: u16,
    seen: Arc<Mutex<Vec<Request>>>,
    state: Arc<Mutex<Manner>>,
}

fn files() -> BTreeMap<&'static str, Vec<u8>> {
    let tiny = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/models/tiny-bert");
    let read = |name: &str| std::fs::read(tiny.join(name)).unwrap();
    BTreeMap::from([
        ("config.json", read("config.json")),
        ("tokenizer.json", read("tokenizer.json")),
        ("model.safetensors", read("model.safetensors")),
        ("pytorch_model.bin", b"a pickle".to_vec()),
        ("run.py", b"import os".to_vec()),
    ])
}

impl Server {
    fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let state = Arc::new(Mutex::new(manner));
        let server = Self { port, seen: seen.clone(), state: state.clone() };
        let log = seen;
        // It ends with the process; a blocked accept holds nothing up.
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (log, state) = (log.clone(), state.clone());
                thread::spawn(move || {
                    let _ = serve(stream, &log, &state);
                });
            }
        });
        server
    }

    fn seen(&self) -> Vec<Request> {
        self.seen.lock().unwrap().clone()
    }

    fn pull(&self, shell: &Shell, more: &[&str], token: Option<&str>) -> Done {
        let args = [&["models", "pull", "org/tiny"], more].concat();
        let mut command = shell.command(&args);
        command.env("HF_ENDPOINT", format!("http://127.0.0.1:{}/", self.port));
        command.env("HF_HOME", shell.path("hf-home"));
        if let Some(token) = token {
            command.env("HF_TOKEN", token);
        }
        let output = command.output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let (out, err) = (text(output.stdout), text(output.stderr));
        assert!(!out.contains(TOKEN) && !err.contains(TOKEN), "{out}{err}");
        Done::new(output.status.code().unwrap_or(-1), out, err, &args.join(" "))
    }
}

fn serve(
    mut stream: TcpStream,
    log: &Mutex<Vec<Request>>,
    state: &Mutex<Manner>,
) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let path = lines.next().unwrap()?.split(' ').nth(1).unwrap().to_owned();
    let mut headers = BTreeMap::new();
    for line in lines {
        let line = line?;
        let Some((name, value)) = line.split_once(": ") else { break };
        headers.insert(name.to_lowercase(), value.to_owned());
    }
    let request = Request { path: path.clone(), headers };
    log.lock().unwrap().push(request.clone());
    let mut manner = state.lock().unwrap();
    if manner.busy > 0 {
        manner.busy -= 1;
        return answer(&mut stream, "503 Busy", "", b"");
    }
    let authorized =
        request.headers.get("authorization").is_some_and(|a| *a == format!("Bearer {TOKEN}"));
    if let Some(port) = manner.port {
        let to = format!("Location: http://127.0.0.1:{port}{path}\r\n");
        return answer(&mut stream, "307 Temporary Redirect", &to, b"");
    }
    if manner.private && !authorized {
        return answer(&mut stream, "401 Unauthorized", "", b"{}");
    }
    if path.starts_with("/api/models/org/tiny/revision/main?") {
        return answer(&mut stream, "200 OK", "", listing(&manner).to_string().as_bytes());
    }
    let all = files();
    let name = path.rsplit('/').next().unwrap();
    let wanted = path.starts_with(&format!("/org/tiny/resolve/{COMMIT}/"))
        || path.starts_with("/elsewhere/");
    let Some(bytes) = all.get(name).filter(|_| wanted) else {
        return answer(&mut stream, "404 Not Found", "", b"{}");
    };
    if let (Some(port), "model.safetensors") = (manner.elsewhere, name) {
        let to = format!("Location: http://localhost:{port}/elsewhere/{name}\r\n");
        return answer(&mut stream, "302 Found", &to, b"");
    }
    let range = request.headers.get("range").filter(|_| !manner.deaf_to_ranges);
    let from: usize = range.map_or(0, |r| r[6..].trim_end_matches('-').parse().unwrap());
    let (status, more) = match range {
        Some(_) => {
            let (end, all) = (bytes.len() - 1, bytes.len());
            ("206 Partial Content", format!("Content-Range: bytes {from}-{end}/{all}\r\n"))
        }
        None => ("200 OK", String::new()),
    };
    let body = &bytes[from..];
    if let ("model.safetensors", true, slow) =
        (name, manner.drip.is_some() || manner.slow, manner.slow)
    {
        let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n{more}\r\n", body.len());
        let few = manner.drip.map_or(0, |n| n);
        let even = manner.even;
        manner.drip = manner.drip.map(|n| {
            if even {
                n
            } else if n > 40_000 {
                n - 20_000
            } else {
                n + 20_001
            }
        });
        drop(manner);
        stream.write_all(head.as_bytes())?;
        stream.write_all(&body[..few.min(body.len())])?;
        if !slow {
            return Ok(());
        }
        loop {
            stream.write_all(&body[..1])?;
            stream.flush()?;
            thread::sleep(std::time::Duration::from_millis(20));
        }
    }
    if let (Some((after, times @ 1..)), "model.safetensors") = (manner.cut, name) {
        manner.cut = Some((after, times - 1));
        let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n{more}\r\n", body.len());
        stream.write_all(head.as_bytes())?;
        return stream.write_all(&body[..after.min(body.len())]);
    }
    answer(&mut stream, status, &more, body)
}

fn answer(stream: &mut TcpStream, status: &str, more: &str, body: &[u8]) -> std::io::Result<()> {
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {length}\r\n");
    stream.write_all(format!("{head}{more}\r\n").as_bytes())?;
    stream.write_all(body)
}

fn listing(manner: &Manner) -> Value {
    let hex = |bytes: &[u8]| {
        Sha256::digest(bytes).iter().fold(String::new(), |mut text, byte| {
            write!(text, "{byte:02x}").unwrap();
            text
        })
    };
    let mut siblings = Vec::new();
    for (name, mut bytes) in files() {
        if manner.pickle && name.ends_with(".safetensors") {
            continue;
        }
        let size =
            if manner.huge && name.ends_with(".safetensors") { 1 << 60 } else { bytes.len() };
        if manner.lies && name.ends_with(".safetensors") {
            bytes[100] ^= 1;
        }
        siblings.push(json!({ "rfilename": name, "size": size, "lfs": { "sha256": hex(&bytes), "size": size } }));
    }
    json!({ "sha": COMMIT, "siblings": siblings, "cardData": { "license": "apache-2.0" } })
}

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
fn what_is_not_there_or_only_a_pickle_is_refused() {
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
    assert!(done.code == 2 && done.err.contains("save_pretrained"), "{done}");
    assert_eq!(server.seen().len(), 1, "nothing was fetched");

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
    shell.refuses(
        &["models", "add", "elsewhere/my model", "--name", "p"],
        2,
        "only as a pickle (pytorch_model.bin)",
    );
}
