#!/usr/bin/env python3
"""Builds the wheel of both executables into dist/; `make wheel` calls it.

The trainer lies in the package and loads the libtorch of the `torch` package beside it; both run with glibc 2.28 and
libstdc++ of GCC 8 or later, wherever they were built: zig brings the symbols of old libraries (scripts/manylinux-cc).
Tools come from PyPI into target/wheel-tools, pinned here.
Options: --quick (a development build for this machine alone), --check (install it into a fresh environment and train).
"""
import json, os, pathlib, re, shutil, subprocess, sys, tempfile, venv, zipfile

import setup

ROOT = pathlib.Path(__file__).resolve().parent.parent
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target").absolute()
PACKAGE = ROOT / "python/tuneboard"
TOOLS = ["maturin==1.16.0", "cargo-zigbuild==0.24.1", "ziglang==0.17.1"]
# manylinux_2_28: what every system has that torch itself supports.
NEWEST = {"GLIBC": (2, 28), "GLIBCXX": (3, 4, 25), "CXXABI": (1, 3, 11)}
# EX_TEMPFAIL: no fault of this repository; .ci/run goes on.
UNAVAILABLE = 75
SHELLS = {"bash": "tuneboard.bash", "zsh": "_tuneboard", "fish": "tuneboard.fish"}


def fail(text):
    sys.exit(f"wheel: {text}")


def run(*command, **options):
    done = subprocess.run([str(word) for word in command], cwd=options.pop("cwd", ROOT), **options)
    if done.returncode:
        fail(f"`{' '.join(str(word) for word in command[:4])} ...` ended with {done.returncode}.")
    return done.stdout


def tools():
    """The folder with maturin and zig; fetched once."""
    folder = TARGET / "wheel-tools"
    stamp = folder / "pinned"
    if not stamp.is_file() or stamp.read_text() != "\n".join(TOOLS):
        venv.create(folder, with_pip=True, clear=True)
        pip = [folder / "bin/pip", "install", "--quiet", "--disable-pip-version-check", *TOOLS]
        if subprocess.run(pip).returncode:
            print("wheel: maturin and zig cannot be fetched from PyPI.", file=sys.stderr)
            sys.exit(UNAVAILABLE)
        stamp.write_text("\n".join(TOOLS))
    return folder / "bin"


def too_new(program):
    """Versions of C and C++ symbols that a manylinux_2_28 system need not have."""
    found = set(re.findall(rb"\b(GLIBC|GLIBCXX|CXXABI)_([0-9.]+)\0", program.read_bytes()))
    numbers = {(kind.decode(), tuple(int(n) for n in number.split(b"."))) for kind, number in found}
    return sorted(f"{kind}_{'.'.join(map(str, number))}" for kind, number in numbers if number > NEWEST[kind])


def build(quick):
    """Both executables; gives the dashboard's path and the wheel's."""
    environment = {**os.environ, "TUNEBOARD_WHEEL": "1", "PATH": f"{tools()}:{os.environ['PATH']}",
                   "CARGO_TARGET_DIR": str(TARGET)}
    if not quick:
        environment["CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_LINKER"] = str(ROOT / "scripts/manylinux-cc")
    profile = "dev" if quick else "dist"
    run("cargo", "build", "--locked", "--profile", profile, "--features", "train", env=environment)
    built = TARGET / ("debug" if quick else "dist")
    for folder in ("bin", "share"):
        shutil.rmtree(PACKAGE / folder, ignore_errors=True)
        (PACKAGE / folder).mkdir()
    shutil.copy2(built / "tuneboard-train", PACKAGE / "bin")
    (PACKAGE / "share/tuneboard.1").write_bytes(run(built / "tuneboard", "man", stdout=subprocess.PIPE))
    for shell, name in SHELLS.items():
        (PACKAGE / "share" / name).write_bytes(run(built / "tuneboard", "completions", shell, stdout=subprocess.PIPE))
    if not quick:
        for program in (built / "tuneboard", built / "tuneboard-train"):
            if newer := too_new(program):
                fail(f"{program.name} wants {', '.join(newer)}, which manylinux_2_28 does not have.")
    run("maturin", "build", "--locked", "--profile", profile, "--features", "train", "--out", ROOT / "dist",
        "--compatibility", "linux" if quick else "manylinux_2_28", env=environment)
    wheel = max((ROOT / "dist").glob("tuneboard-*.whl"), key=lambda path: path.stat().st_mtime)
    modes = {entry.filename: entry.external_attr >> 16 for entry in zipfile.ZipFile(wheel).infolist()}
    for name in (f"tuneboard-{version()}.data/scripts/tuneboard", "tuneboard/bin/tuneboard-train"):
        if not modes.get(name, 0) & 0o111:
            fail(f"{name} is not in the wheel as an executable.")
    print(f"wheel: {wheel.relative_to(ROOT)}, {wheel.stat().st_size / 1e6:.1f} MB; tuneboard "
          f"{(built / 'tuneboard').stat().st_size / 1e6:.1f} MB, trainer "
          f"{(built / 'tuneboard-train').stat().st_size / 1e6:.1f} MB unpacked")
    return wheel


def version():
    return re.search(r'^version = "(.*)"', (ROOT / "Cargo.toml").read_text(), re.M)[1]


def check(wheel):
    """What a user does first, in an environment that has nothing else."""
    with tempfile.TemporaryDirectory() as place:
        home = pathlib.Path(place)
        venv.create(home / "venv", with_pip=True)
        python = home / "venv/bin/python"
        environment = {"HOME": place, "PATH": f"{home}/venv/bin:/usr/bin:/bin", "LANG": "C.UTF-8"}
        run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index", wheel)
        told = run(home / "venv/bin/tuneboard", "--version", env=environment, stdout=subprocess.PIPE, text=True)
        if version() not in told:
            fail(f"`tuneboard --version` says {told!r}.")
        demo = ["tuneboard", "demo", "model=tfidf-logreg", "data=data/sms_spam.csv", "limit=300", "--dir", home / "board"]
        without = subprocess.run([*demo, "--yes"], env=environment, cwd=home, capture_output=True, text=True)
        if "pip install 'torch==2.11.*'" not in without.stderr:
            fail(f"without torch, `tuneboard demo` says {without.stderr!r}.")
        torch, _ = setup.libtorch()
        packages = next((home / "venv/lib").glob("python3*")) / "site-packages"
        # The libtorch of this machine in the place of 2 GB from PyPI; what it links lies beside it.
        for name in {torch.name, "nvidia"}:
            if (torch.parent / name).exists():
                (packages / name).symlink_to(torch.parent / name)
        run(*demo, env=environment, cwd=home)
        rows = json.loads(run("tuneboard", "ls", "--json", "--board", home / "board", env=environment,
                              stdout=subprocess.PIPE))
        states = [row.get("outcome", row["state"]) for row in rows]
        if not states or set(states) != {"done"}:
            fail(f"the runs of the demo are {states}.")
        print(f"wheel: installed into a fresh environment, {len(states)} runs done")


if __name__ == "__main__":
    built = build("--quick" in sys.argv)
    if "--check" in sys.argv:
        check(built)
