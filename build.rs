//! Builds the trainer's C++ part (src/train/native) and tells the linker where the trainer finds
//! libtorch at run time, and the trainer which libtorch it was built against.
//!
//! torch-sys knows the folder and hands it to its direct dependants as `DEP_TCH_LIBTORCH_LIB`. Rpath
//! and C++ part go into `tuneboard-train` alone: the plain forms would reach the board's executable
//! too, and make each of its starts load half a gigabyte of libraries.

use std::env;
use std::fs;
use std::path::Path;

/// Set where a wheel is built (scripts/wheel.py): the trainer then looks for libtorch in the `torch` package beside
/// its own, and runs with older C and C++ libraries than this machine's.
const WHEEL: &str = "TUNEBOARD_WHEEL";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-env=TUNEBOARD_BUILD={}", facts());
    if env::var_os("CARGO_FEATURE_TRAIN").is_none() {
        return;
    }
    // Absent where torch-sys links nothing (documentation builds); the loader then goes by its own
    // search path.
    let folder = env::var("DEP_TCH_LIBTORCH_LIB").unwrap_or_default();
    let version = version(Path::new(&folder)).unwrap_or_else(|| "unknown".to_owned());
    println!("cargo::rustc-env=TUNEBOARD_LIBTORCH_VERSION={version}");
    if folder.is_empty() {
        return;
    }
    println!("cargo::rerun-if-env-changed={WHEEL}");
    if env::var("CARGO_CFG_TARGET_FAMILY").is_ok_and(|f| f == "unix") {
        let place = if env::var_os(WHEEL).is_some() { "$ORIGIN/../../torch/lib" } else { &folder };
        println!("cargo::rustc-link-arg-bin=tuneboard-train=-Wl,-rpath,{place}");
    }
    #[cfg(feature = "train")]
    native(Path::new(&folder));
}

/// The profile, the machine and the features, for `tuneboard --version`.
fn facts() -> String {
    let out = env::var("OUT_DIR").unwrap_or_default();
    // `target/[TRIPLE/]PROFILE/build/tuneboard-HASH/out`; $PROFILE knows `debug` and `release` alone.
    let profile = Path::new(&out).iter().rev().nth(3).unwrap_or_default().to_string_lossy();
    let train =
        if env::var_os("CARGO_FEATURE_TRAIN").is_some() { ", with the trainer" } else { "" };
    format!("{profile} for {}{train}", env::var("TARGET").unwrap_or_default())
}

/// The kernels, once for each instruction set, and what binds them to libtorch.
#[cfg(feature = "train")]
fn native(lib: &Path) {
    const SOURCE: &str = "src/train/native";
    println!("cargo::rerun-if-changed={SOURCE}");
    const AVX2: &[&str] = &["-mavx2", "-mfma"];
    const AVX512: &[&str] = &[
        "-mavx2",
        "-mfma",
        "-mavx512f",
        "-mavx512bw",
        "-mavx512dq",
        "-mavx512vl",
        "-mprefer-vector-width=512",
    ];
    // GCC's own headers are where it sees something uninitialised.
    const AMX: &[&str] = &[
        "-mavx512bf16",
        "-mamx-tile",
        "-mamx-bf16",
        "-Wno-uninitialized",
        "-Wno-maybe-uninitialized",
    ];
    let compiler = || {
        let mut build = cc::Build::new();
        // Always optimised: a development build trains as fast as a release.
        build.cpp(true).std("c++17").opt_level(3).debug(false).cargo_metadata(false);
        build.warnings(true).flag("-Wno-psabi").flag("-fno-math-errno");
        build
    };
    let is = |what, value| env::var(what).is_ok_and(|v| v == value);
    let is_x86 = is("CARGO_CFG_TARGET_ARCH", "x86_64");
    // Not all compilers know these instructions.
    let has_amx = is_x86
        && is("CARGO_CFG_TARGET_OS", "linux")
        && AMX.iter().all(|flag| compiler().is_flag_supported(flag).unwrap_or(false));
    let mut sets = vec![("portable", Vec::new())];
    if is_x86 {
        sets.extend([("avx2", AVX2.to_vec()), ("avx512", AVX512.to_vec())]);
    }
    if has_amx {
        sets.push(("amx", [AVX512, AMX].concat()));
    }
    let mut objects = Vec::new();
    for (set, flags) in sets {
        let mut build = compiler();
        build.define("TUNEBOARD_ISA", set).flags(flags);
        // One object for each set: the names must differ.
        let out = Path::new(&env::var("OUT_DIR").unwrap_or_default()).join(set);
        build.out_dir(out);
        let mut exact = build.clone();
        exact.flag("-ffp-contract=off").file(format!("{SOURCE}/adam.cpp"));
        build.files(["attention", "kernels"].map(|name| format!("{SOURCE}/{name}.cpp")));
        if set == "amx" {
            build.file(format!("{SOURCE}/amx.cpp"));
        }
        objects.extend(exact.compile_intermediates());
        objects.extend(build.compile_intermediates());
    }
    let mut build = compiler();
    if has_amx {
        build.define("TUNEBOARD_AMX", None);
    }
    let include = lib.parent().unwrap_or(lib).join("include");
    build.flag("-isystem").flag(&include);
    build.flag("-isystem").flag(include.join("torch/csrc/api/include"));
    build.flag("-fopenmp").objects(objects);
    let sources = ["fused", "many", "memory", "product", "watch"];
    build.files(sources.map(|name| format!("{SOURCE}/{name}.cpp")));
    if env::var_os(WHEEL).is_some() {
        build.file(format!("{SOURCE}/older.cpp"));
    }
    build.compile("tuneboard_native");
    let out = env::var("OUT_DIR").unwrap_or_default();
    for argument in [format!("{out}/libtuneboard_native.a"), "-lstdc++".into(), "-lgomp".into()] {
        println!("cargo::rustc-link-arg-bin=tuneboard-train={argument}");
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
