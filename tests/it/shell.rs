//! The real executable in a board of its own, with an environment that is the same everywhere.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;
use tuneboard::board::Board;
use tuneboard::runner;
use tuneboard::store::{Reader, Store};

use super::rig::kill;

/// What a command did.
pub struct Done {
    pub code: i32,
    pub out: String,
    pub err: String,
    said: String,
}

pub struct Shell {
    dir: TempDir,
    home: TempDir,
    trainer: PathBuf,
}

impl Shell {
    /// An empty folder: no board yet.
    pub fn empty() -> Self {
        let trainer = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/fake_trainer.py");
        Self { dir: tempfile::tempdir().unwrap(), home: tempfile::tempdir().unwrap(), trainer }
    }

    /// A board with a small data set and the models `fake`, `fake epoch_ms=20` and `fake fail`.
    pub fn board() -> Self {
        let shell = Self::empty();
        shell.ok(&["init"]);
        for model in ["fake", "fake epoch_ms=20", "fake epoch_ms=20 fail", "fake epoch_ms=20 nan"] {
            shell.fake_model(model, r#"{"model_type":"bert"}"#);
        }
        let rows = (0..40)
            .map(|i| format!("text number {i},{}\n", if i % 3 == 0 { "spam" } else { "ham" }));
        shell.write("data/mail.csv", format!("text,label\n{}", rows.collect::<String>()));
        shell
    }

    /// Puts a folder with that config under models/ which has all files of a model, and nothing in them.
    pub fn fake_model(&self, name: &str, config: &str) {
        let weights = [&2_u64.to_le_bytes()[..], b"{}"].concat();
        self.write(&format!("models/{name}/config.json"), config);
        self.write(&format!("models/{name}/tokenizer.json"), "{}");
        self.write(&format!("models/{name}/model.safetensors"), weights);
    }

    /// The same, but runs are trained by the real trainer on a real, tiny BERT.
    #[cfg(feature = "train")]
    pub fn training() -> Self {
        let mut shell = Self::board();
        shell.trainer = PathBuf::from(env!("CARGO_BIN_EXE_tuneboard-train"));
        shell.model("tiny", "tiny-bert");
        shell
    }

    /// Puts a model of the fixtures under models/.
    #[cfg(feature = "train")]
    pub fn model(&self, name: &str, fixture: &str) {
        let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/models");
        for file in ["config.json", "tokenizer.json", "model.safetensors"] {
            let bytes = fs::read(models.join(fixture).join(file)).unwrap();
            self.write(&format!("models/{name}/{file}"), bytes);
        }
    }

    /// Puts every family of the fixtures under models/ that has weights and a head; gives their names.
    #[cfg(feature = "train")]
    pub fn families(&self) -> Vec<String> {
        let families = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/families");
        let mut names = Vec::new();
        for entry in fs::read_dir(families).unwrap().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let from = entry.path();
            let files =
                ["config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors"];
            if !files.iter().all(|file| from.join(file).is_file()) {
                continue;
            }
            for file in files {
                self.write(&format!("models/{name}/{file}"), fs::read(from.join(file)).unwrap());
            }
            names.push(name);
        }
        names.sort();
        names
    }

    /// Runs the trainer in the board's folder, as the runner would.
    #[cfg(feature = "train")]
    pub fn trainer(&self, args: &[&str]) -> std::process::Output {
        let mut command = Command::new(&self.trainer);
        command.args(args).current_dir(self.dir.path()).stdin(Stdio::null());
        command.env("TUNEBOARD_QUIET", "1").env("TUNEBOARD_DEVICE", "cpu").output().unwrap()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The home of the user who runs it.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub fn command<S: AsRef<OsStr>>(&self, args: &[S]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tuneboard"));
        command
            .args(args)
            .current_dir(self.dir.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.home.path())
            .env("TZ", "UTC")
            .env("LC_ALL", "C.UTF-8")
            .env("COLUMNS", "100")
            .env("TUNEBOARD_TRAIN", &self.trainer)
            .env("TUNEBOARD_IDLE_MS", "200")
            .stdin(Stdio::null());
        // The trainer may find libtorch by it.
        if let Some(libraries) = std::env::var_os("LD_LIBRARY_PATH") {
            command.env("LD_LIBRARY_PATH", libraries);
        }
        command
    }

    /// Runs it. Whatever it does, it must not panic and must not write control characters.
    pub fn run<S: AsRef<OsStr>>(&self, args: &[S]) -> Done {
        let output = self.command(args).output().unwrap();
        let words: Vec<_> = args.iter().map(|a| a.as_ref().to_string_lossy()).collect();
        let root = self.dir.path().canonicalize().unwrap();
        let text = |bytes: Vec<u8>| {
            let text = String::from_utf8(bytes).expect("output is UTF-8");
            text.replace(&root.display().to_string(), "[board]")
        };
        let done = Done {
            code: output.status.code().unwrap_or(-1),
            said: words.join(" "),
            out: text(output.stdout),
            err: text(output.stderr),
        };
        for stream in [&done.out, &done.err] {
            let bad = stream.chars().find(|c| c.is_control() && *c != '\n');
            assert_eq!(bad, None, "{done}");
            assert!(!stream.contains("panicked") && !stream.contains("internal error"), "{done}");
        }
        done
    }

    /// Runs it and takes nothing but success.
    pub fn ok<S: AsRef<OsStr>>(&self, args: &[S]) -> String {
        let done = self.run(args);
        assert_eq!(done.code, 0, "{done}");
        done.out
    }

    /// Its JSON.
    pub fn json<S: AsRef<OsStr>>(&self, args: &[S]) -> Value {
        let mut args: Vec<&OsStr> = args.iter().map(AsRef::as_ref).collect();
        args.push(OsStr::new("--json"));
        serde_json::from_str(&self.ok(&args)).unwrap()
    }

    /// Runs it, expects this exit code and this in its complaint.
    pub fn refuses<S: AsRef<OsStr>>(&self, args: &[S], code: i32, complaint: &str) {
        let done = self.run(args);
        assert!(
            done.code == code && done.err.contains(complaint),
            "want {code} `{complaint}`\n{done}"
        );
    }
}

impl Done {
    /// For a command that was started another way.
    pub fn new(code: i32, out: String, err: String, said: &str) -> Self {
        Self { code, out, err, said: said.to_owned() }
    }
}

impl std::fmt::Display for Done {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { code, out, err, said } = self;
        write!(f, "tuneboard {said:?}: exit {code}\n--- stdout\n{out}\n--- stderr\n{err}")
    }
}

impl Drop for Shell {
    /// Ends the runner and the trainers that commands have left behind.
    fn drop(&mut self) {
        let Ok(board) = Board::open(self.dir.path()) else { return };
        let Ok(reader) = Reader::open(&board.database()) else { return };
        if let Ok(Some(info)) = reader.runner()
            && runner::alive(&info)
        {
            kill(info.process.pid as i32, libc::SIGKILL);
        }
        let Ok(store) = Store::open(&board.database()) else { return };
        for run in store.unfinished().unwrap_or_default() {
            if let Ok(Some(process)) = store.process(run.id) {
                kill(-(process.pid as i32), libc::SIGKILL);
            }
        }
    }
}
