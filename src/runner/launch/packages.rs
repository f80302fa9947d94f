//! The Python environment that this executable was installed into, if it was.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use crate::runner::error::{Result, RunnerError};

/// Where the trainer lies among the packages: beside the `torch` that it loads.
pub(super) const PACKAGE: &str = "tuneboard/bin";
/// The releases of torch that the trainer is built for; `tch` in Cargo.toml names one.
const TORCH: &str = "2.11.";

/// The folders of Python packages that belong to this executable, as pip and uv lay them out:
/// `bin/../lib/python3.x/site-packages` (Debian: `dist-packages`), and `bin/..` after `pip install --target`.
pub fn packages() -> Vec<PathBuf> {
    let exe = env::current_exe().and_then(fs::canonicalize).ok();
    exe.as_deref().and_then(|exe| exe.parent()?.parent()).map(packages_of).unwrap_or_default()
}

/// The folders of packages in an environment, those of its newest Python first.
pub fn packages_of(root: &Path) -> Vec<PathBuf> {
    let listed = fs::read_dir(root.join("lib")).into_iter().flatten().flatten();
    let mut pythons: Vec<(u32, PathBuf)> = listed
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            Some((name.strip_prefix("python3.")?.parse().ok()?, entry.path()))
        })
        .collect();
    pythons.sort();
    let folders = pythons.into_iter().rev().flat_map(|(_, python)| {
        ["site-packages", "dist-packages"].map(|folder| python.join(folder))
    });
    folders.chain([root.to_owned()]).filter(|folder| folder.is_dir()).collect()
}

/// Looks whether a trainer that lies in a Python package has the torch it loads.
///
/// # Errors
/// [`RunnerError::NoTorch`]: it is not installed there, or is another release.
pub(super) fn torch_beside(trainer: &Path) -> Result<()> {
    let folder = trainer.parent().filter(|folder| folder.ends_with(PACKAGE));
    let Some(packages) = folder.and_then(|folder| folder.ancestors().nth(2)) else { return Ok(()) };
    let torch = packages.join("torch");
    let lacks = |what: String| Err(RunnerError::NoTorch(what));
    if !torch.join("lib/libtorch_cpu.so").is_file() {
        return lacks(format!("the package torch is not in {}", packages.display()));
    }
    let text = fs::read_to_string(torch.join("version.py")).unwrap_or_default();
    let version =
        text.lines().find_map(|line| line.strip_prefix("__version__ = ")?.split('\'').nth(1));
    match version {
        Some(version) if !version.starts_with(TORCH) => {
            lacks(format!("torch {version} is in {}, and it needs 2.11", packages.display()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packaged_trainer_says_which_torch_it_lacks() {
        let site = tempfile::tempdir().unwrap();
        let trainer = site.path().join(PACKAGE).join("tuneboard-train");
        let said = || torch_beside(&trainer).map_err(|e| e.to_string());
        assert!(said().unwrap_err().contains("the package torch is not in"));
        let torch = site.path().join("torch");
        fs::create_dir_all(torch.join("lib")).unwrap();
        fs::write(torch.join("lib/libtorch_cpu.so"), "").unwrap();
        fs::write(torch.join("version.py"), "__version__ = '2.9.1+cpu'\n").unwrap();
        let wrong = said().unwrap_err();
        assert!(wrong.contains("torch 2.9.1+cpu is in"), "{wrong}");
        assert!(wrong.contains("pip install 'torch==2.11.*'"), "{wrong}");
        fs::write(torch.join("version.py"), "__version__ = '2.11.0'\n").unwrap();
        assert_eq!(said(), Ok(()));
        assert!(torch_beside(Path::new("/opt/bin/tuneboard-train")).is_ok(), "not a package's");
    }

    #[test]
    fn the_newest_python_goes_first_and_a_target_folder_last() {
        let root = tempfile::tempdir().unwrap();
        for folder in ["python3.9/site-packages", "python3.12/dist-packages", "python3.x", "perl"] {
            fs::create_dir_all(root.path().join("lib").join(folder)).unwrap();
        }
        let lib = root.path().join("lib");
        let expected = [
            lib.join("python3.12/dist-packages"),
            lib.join("python3.9/site-packages"),
            root.path().to_owned(),
        ];
        assert_eq!(packages_of(root.path()), expected);
    }
}
