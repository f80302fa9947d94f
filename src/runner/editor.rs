//! Programs that take the terminal over for a while: the user's editor, and our own verbs.

use std::env;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::Command;

use super::error::{Result, RunnerError};

/// Does a verb of this program on the terminal, for the board at `root`; its words stay there until enter is pressed
/// if `waits`, or if it does not end well. False then.
///
/// # Errors
/// A program that cannot be started.
pub fn verb(root: &Path, words: &[String], waits: bool) -> Result<bool> {
    let program = env::current_exe().map_err(RunnerError::io(Path::new("tuneboard")))?;
    if waits {
        let _ = writeln!(io::stderr(), "$ tuneboard {}", words.join(" "));
    }
    let ended = Command::new(&program).arg("--board").arg(root).args(words).status();
    let is_well = ended.map_err(RunnerError::io(&program))?.success();
    if waits || !is_well {
        let _ = writeln!(io::stderr(), "\nenter goes back to the dashboard");
        let _ = io::stdin().read_line(&mut String::new());
    }
    Ok(is_well)
}

/// The text as the user leaves it in `$VISUAL`, else `$EDITOR`, else `vi`; `None` if the editor did not
/// end well. Words of the variable are its arguments; no shell is involved. `name` ends the file's name.
///
/// # Errors
/// An editor that cannot be started, a file that cannot be written or read back.
pub fn edit(text: &str, name: &str) -> Result<Option<String>> {
    let path = env::temp_dir().join(format!("tuneboard-{}-{name}", std::process::id()));
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
    let mut file = made.map_err(RunnerError::io(&path))?;
    file.write_all(text.as_bytes()).map_err(RunnerError::io(&path))?;
    drop(file);
    let variable = |name| env::var(name).ok().filter(|v| !v.trim().is_empty());
    let editor = variable("VISUAL").or_else(|| variable("EDITOR")).unwrap_or_else(|| "vi".into());
    let mut words = editor.split_whitespace();
    let program = words.next().unwrap_or("vi");
    let ended = Command::new(program).args(words).arg(&path).status();
    let edited = ended.map_err(RunnerError::io(program.as_ref())).and_then(|status| {
        let read = || fs::read_to_string(&path).map_err(RunnerError::io(&path));
        status.success().then(read).transpose()
    });
    let _ = fs::remove_file(&path);
    edited
}
