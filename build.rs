//! Tells the linker where the trainer finds libtorch at run time, and the trainer which libtorch it
//! was built against.
//!
//! torch-sys knows the folder and hands it to its direct dependants as `DEP_TCH_LIBTORCH_LIB`. The
//! rpath goes into `tuneboard-train` alone: the plain `rustc-link-arg` form would reach the board's
//! executable too, and make each of its starts load half a gigabyte of libraries.

use std::env;
use std::fs;
use std::path::Path;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if env::var_os("CARGO_FEATURE_TRAIN").is_none() {
        return;
    }
    // Absent where torch-sys links nothing (documentation builds); the loader then goes by its own
    // search path.
    let folder = env::var("DEP_TCH_LIBTORCH_LIB").unwrap_or_default();
    let version = version(Path::new(&folder)).unwrap_or_else(|| "unknown".to_owned());
    println!("cargo::rustc-env=TUNEBOARD_LIBTORCH_VERSION={version}");
    if !folder.is_empty() && env::var("CARGO_CFG_TARGET_FAMILY").is_ok_and(|f| f == "unix") {
        println!("cargo::rustc-link-arg-bin=tuneboard-train=-Wl,-rpath,{folder}");
    }
}

/// Archives of libtorch carry `build-version`, the Python package `version.py`.
fn version(lib: &Path) -> Option<String> {
    let root = lib.parent()?;
    if let Ok(text) = fs::read_to_string(root.join("build-version")) {
        return Some(text.trim().to_owned());
    }
    let text = fs::read_to_string(root.join("version.py")).ok()?;
    let line = text.lines().find(|line| line.starts_with("__version__"))?;
    Some(line.split(['\'', '"']).nth(1)?.to_owned())
}
