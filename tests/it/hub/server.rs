//! A hub in this process that behaves well or badly.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::shell::{Done, Shell};

pub const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

pub const TOKEN: &str = "hf_secretsecretsecret";

/// The usual name of its one repository.
pub const REPO: &str = "org/tiny";

/// What the server does besides serving.
#[derive(Debug, Clone, Default)]
pub struct Manner {
    /// Ends the connection after so many bytes of a large file, so many times.
    pub cut: Option<(usize, usize)>,
    /// Wants the token.
    pub private: bool,
    /// Sends on to another host for large files.
    pub elsewhere: Option<u16>,
    /// Announces another checksum than that of the bytes.
    pub lies: bool,
    /// Sends everything whatever was asked for.
    pub deaf_to_ranges: bool,
    /// Answers 503 so many times.
    pub busy: usize,
    /// Only a pickle.
    pub pickle: bool,
    /// That pickle is one of torch's.
    pub torch: bool,
    /// The hub's robot made safetensors of this commit.
    pub robot: Option<&'static str>,
    /// Sends everything on to another port of this host.
    pub port: Option<u16>,
    /// Announces more bytes than any disk has.
    pub huge: bool,
    /// Ends each connection after so many bytes of a large file, each time another number unless `even`.
    pub drip: Option<usize>,
    pub even: bool,
    /// Sends a byte of a large file now and then.
    pub slow: bool,
    /// What its repository is called, if not [`REPO`].
    pub repo: Option<&'static str>,
}

/// A request: path, then headers in lower case.
#[derive(Debug, Clone)]
pub struct Request {
    pub path: String,
    pub headers: BTreeMap<String, String>,
}

pub struct Server {
    pub port: u16,
    pub seen: Arc<Mutex<Vec<Request>>>,
    pub state: Arc<Mutex<Manner>>,
}

/// A commit of the robot's.
const CONVERTED: &str = "89abcdef0123456789abcdef0123456789abcdef";

/// Files of a repository whose weights torch wrote.
pub fn torch_files() -> BTreeMap<&'static str, Vec<u8>> {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let read = |name: &str| std::fs::read(fixtures.join(name)).unwrap();
    BTreeMap::from([
        ("config.json", read("families/roberta/config.json")),
        ("tokenizer.json", read("families/roberta/tokenizer.json")),
        ("pytorch_model.bin", read("pickles/roberta.bin")),
    ])
}

/// What the hub says of the pull requests of a repository, one of which is the robot's under that title.
fn converted(path: &str, manner: &Manner, title: &str) -> Option<Value> {
    if path.starts_with("/api/models/org/tiny/discussions?p=0") {
        let of = |num: u32, author: &str| {
            json!({
                "num": num, "title": title, "status": "open", "isPullRequest": true,
                "author": { "name": author },
            })
        };
        return Some(json!({ "discussions": [of(3, "somebody"), of(7, "SFconvertbot")] }));
    }
    if path == "/api/models/org/tiny/commits/refs%2Fpr%2F7" {
        return Some(json!([{ "id": CONVERTED }, { "id": COMMIT }]));
    }
    let is_its = path.starts_with("/api/models/org/tiny/revision/refs%2Fpr%2F7?");
    is_its.then(|| {
        let mut listing = listing(&Manner { pickle: false, ..manner.clone() });
        listing["sha"] = CONVERTED.into();
        listing
    })
}

pub fn files() -> BTreeMap<&'static str, Vec<u8>> {
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
    pub fn start(manner: Manner) -> Self {
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

    pub fn seen(&self) -> Vec<Request> {
        self.seen.lock().unwrap().clone()
    }

    pub fn pull(&self, shell: &Shell, more: &[&str], token: Option<&str>) -> Done {
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
    let request = Request { path, headers };
    log.lock().unwrap().push(request.clone());
    respond(&mut stream, &request, state.lock().unwrap())
}

fn respond(
    stream: &mut TcpStream,
    request: &Request,
    mut manner: MutexGuard<'_, Manner>,
) -> std::io::Result<()> {
    let path = &request.path;
    if manner.busy > 0 {
        manner.busy -= 1;
        return answer(stream, "503 Busy", "", b"");
    }
    let authorized =
        request.headers.get("authorization").is_some_and(|a| *a == format!("Bearer {TOKEN}"));
    if let Some(port) = manner.port {
        let to = format!("Location: http://127.0.0.1:{port}{path}\r\n");
        return answer(stream, "307 Temporary Redirect", &to, b"");
    }
    if manner.private && !authorized {
        return answer(stream, "401 Unauthorized", "", b"{}");
    }
    if let Some(converted) = manner.robot.and_then(|title| converted(path, &manner, title)) {
        return answer(stream, "200 OK", "", converted.to_string().as_bytes());
    }
    let repo = manner.repo.unwrap_or(REPO);
    if path.starts_with(&format!("/api/models/{repo}/revision/main?")) {
        return answer(stream, "200 OK", "", listing(&manner).to_string().as_bytes());
    }
    let all = if manner.torch { torch_files() } else { files() };
    let name = path.rsplit('/').next().unwrap();
    let wanted = path.starts_with(&format!("/{repo}/resolve/{COMMIT}/"))
        || path.starts_with(&format!("/{repo}/resolve/{CONVERTED}/"))
        || path.starts_with("/elsewhere/");
    let Some(bytes) = all.get(name).filter(|_| wanted) else {
        return answer(stream, "404 Not Found", "", b"{}");
    };
    if let (Some(port), "model.safetensors") = (manner.elsewhere, name) {
        let to = format!("Location: http://localhost:{port}/elsewhere/{name}\r\n");
        return answer(stream, "302 Found", &to, b"");
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
    if name != "model.safetensors" {
        return answer(stream, status, &more, body);
    }
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n{more}\r\n", body.len());
    if manner.drip.is_some() || manner.slow {
        return drip(stream, &head, body, manner);
    }
    if let Some((after, times @ 1..)) = manner.cut {
        manner.cut = Some((after, times - 1));
        stream.write_all(head.as_bytes())?;
        return stream.write_all(&body[..after.min(body.len())]);
    }
    answer(stream, status, &more, body)
}

/// A part of a file, and then no more or a byte now and then.
fn drip(
    stream: &mut TcpStream,
    head: &str,
    body: &[u8],
    mut manner: MutexGuard<'_, Manner>,
) -> std::io::Result<()> {
    let few = manner.drip.unwrap_or(0);
    let next = if few > 40_000 { few - 20_000 } else { few + 20_001 };
    let (even, slow) = (manner.even, manner.slow);
    manner.drip = manner.drip.map(|n| if even { n } else { next });
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
    for (name, mut bytes) in if manner.torch { torch_files() } else { files() } {
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
