use std::env;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;

use crate::board::Board;
use crate::runner::error::{Result, RunnerError};
use crate::runner::process::{own_session, trainer_argument};
use crate::runner::text::clean;
use crate::spec::{Placement, RunId};

use super::packages::{PACKAGE, packages, torch_beside};

/// The trainer's name, beside `tuneboard` and on `PATH`.
const TRAINER: &str = "tuneboard-train";

/// The trainer: what `[sites.local] trainer` names, else `$TUNEBOARD_TRAIN`, else `tuneboard-train`
/// beside this executable, else in the Python package that brought it, else on `PATH`.
///
/// # Errors
/// [`RunnerError::NoTrainer`], which says how to get it; [`RunnerError::NoTorch`]; a trainer that the config of a board names
/// which is not trusted.
pub fn trainer_command(board: &Board) -> Result<PathBuf> {
    let configured = board.config.sites.get("local").map(|site| site.trainer.clone());
    if configured.as_ref().is_some_and(|path| !path.as_os_str().is_empty()) {
        board.check_trust()?;
    }
    let named = [
        (configured, "`trainer` of [sites.local] in config.toml"),
        (env::var_os("TUNEBOARD_TRAIN").map(PathBuf::from), "TUNEBOARD_TRAIN"),
    ];
    for (path, by) in named {
        if let Some(path) = path.filter(|path| !path.as_os_str().is_empty()) {
            let path = board.root().join(path);
            return if path.is_file() {
                Ok(path)
            } else {
                Err(RunnerError::NoTrainer(format!(
                    "{} is not there, though {by} names it; `make build` makes one",
                    path.display()
                )))
            };
        }
    }
    let beside = env::current_exe().ok().and_then(|exe| exe.parent().map(Path::to_path_buf));
    let path = env::var_os("PATH").unwrap_or_default();
    let found = beside
        .into_iter()
        .chain(packages().into_iter().map(|folder| folder.join(PACKAGE)))
        // An empty entry would be the working folder, whoever may write there.
        .chain(env::split_paths(&path).filter(|folder| folder.is_absolute()))
        .map(|folder| folder.join(TRAINER))
        .find(|file| file.is_file());
    let found = found.ok_or_else(|| {
        RunnerError::NoTrainer(format!(
            "{TRAINER} is not beside tuneboard, in its Python package or on PATH; `make build` makes it, \
             `pip install 'tuneboard[train]'` brings it"
        ))
    })?;
    torch_beside(&found)?;
    Ok(found)
}

/// Starts the trainer on a run whose folder is ready. `log` gets what it prints. `alone` is what CUDA has to be told
/// where the trainer may see its own device only.
pub(in crate::runner) fn start(
    board: &Board,
    trainer: &Path,
    id: RunId,
    (at, alone): (&Placement, Option<&str>),
    log: File,
) -> io::Result<Child> {
    let mut command = Command::new(trainer);
    command
        .arg(trainer_argument(id))
        .current_dir(board.root())
        .env("TUNEBOARD_DEVICE", &at.device)
        .env("TUNEBOARD_THREADS", at.threads.to_string())
        .env("TUNEBOARD_QUIET", "1")
        .env("TUNEBOARD_CACHE_DIR", board.cache())
        .env("OMP_NUM_THREADS", at.threads.to_string())
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log);
    if at.device == "cpu" {
        // Opening the driver would cost time, and memory on a GPU that another run is using.
        command.env("CUDA_VISIBLE_DEVICES", "");
    } else if env::var_os("CUDA_DEVICE_ORDER").is_none() {
        // The driver's order, in which the slots are numbered; CUDA's own is by speed.
        command.env("CUDA_DEVICE_ORDER", "PCI_BUS_ID");
    }
    if let Some(uuid) = alone {
        command.env("CUDA_VISIBLE_DEVICES", uuid).env("TUNEBOARD_DEVICE", "cuda:0");
    }
    own_session(&mut command);
    command.spawn()
}

/// Runs the trainer in the board's folder until it ends, gives it `stdin` and returns what it printed:
/// `tuneboard-train probe|lengths|tokenize|predict ...`.
///
/// # Errors
/// No trainer; its sentence if it refuses what it was given, or its last words if it failed otherwise.
pub fn trainer_output(board: &Board, args: &[&str], stdin: &str) -> Result<String> {
    let mut printed = String::new();
    trainer_lines(board, args, stdin, |line| {
        printed.push_str(line);
        printed.push('\n');
    })?;
    Ok(printed)
}

/// The same, a line at a time, as soon as it is printed.
///
/// # Errors
/// As [`trainer_output`].
pub fn trainer_lines(
    board: &Board,
    args: &[&str],
    stdin: &str,
    mut tell: impl FnMut(&str),
) -> Result<()> {
    let trainer = trainer_command(board)?;
    let failed = |why: String| RunnerError::Trainer { args: args.join(" "), why };
    let mut child = Command::new(&trainer)
        .args(args)
        .current_dir(board.root())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| failed(format!("{}: {e}", trainer.display())))?;
    let (pipe, printed) = (child.stdin.take(), child.stdout.take());
    let output = thread::scope(|scope| {
        // A trainer that prints while it reads would block on a full pipe if we wrote first. That it
        // may stop reading early is its business.
        scope.spawn(move || pipe.map(|mut pipe| pipe.write_all(stdin.as_bytes())));
        // What it says aside is read meanwhile, for the same reason.
        let ended = scope.spawn(move || child.wait_with_output());
        for line in printed.into_iter().flat_map(|pipe| BufReader::new(pipe).split(b'\n')) {
            tell(&String::from_utf8_lossy(&line?));
        }
        ended.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    });
    let output = output.map_err(|e| failed(e.to_string()))?;
    if output.status.success() {
        return Ok(());
    }
    let words = String::from_utf8_lossy(&output.stderr);
    let last = words.lines().map(clean).rfind(|line| !line.is_empty());
    // clap exits with 2 as well: a trainer that does not know the verb is not the user's mistake.
    let is_refusal = output.status.code() == Some(2) && !words.starts_with("error: ");
    if let (true, Some(sentence)) = (is_refusal, &last) {
        return Err(RunnerError::Refused(sentence.clone()));
    }
    Err(failed(last.unwrap_or_else(|| output.status.to_string())))
}
