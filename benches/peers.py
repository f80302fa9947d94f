#!/usr/bin/env python3
"""Races tuneboard-train against the same fine-tuning in PyTorch (torch_peer.py) and prints ratios with their spread.

All take part in each round, one after the other, and the order turns from round to round, so that a machine that slows
down slows all alike. PyTorch and transformers are taken from this Python if it has them, or else fetched once into the
cache folder (PyTorch alone is 3.5 GB with its CUDA libraries).
"""
import argparse, importlib.util, json, os, pathlib, statistics, subprocess, sys, tempfile, time

import families

ROOT = pathlib.Path(__file__).resolve().parent.parent
CACHE = pathlib.Path(os.environ.get("TUNEBOARD_CACHE") or
                     pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "tuneboard")
PACKAGES = ["torch==2.11.0", "transformers==5.24.0", "pandas", "numpy"]


def peer_environment():
    """An environment in which Python finds the peers' packages."""
    if all(importlib.util.find_spec(name) for name in ("torch", "transformers", "pandas")):
        return dict(os.environ)
    folder = CACHE / "peers"
    if not (folder / "complete").is_file():
        print(f"fetching {', '.join(PACKAGES)} into {folder}", flush=True)
        subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
                        "--root-user-action=ignore", "--upgrade", "--target", str(folder), *PACKAGES], check=True)
        (folder / "complete").touch()
    return {**os.environ, "PYTHONPATH": str(folder)}


def finish(process):
    """Waits; gives the processor seconds and the peak of resident memory."""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{' '.join(process.args)} ended with {process.returncode}")
    return {"cpu_s": usage.ru_utime + usage.ru_stime, "peak_bytes": usage.ru_maxrss * 1024}


def race_trainer(a, seed):
    with tempfile.TemporaryDirectory() as folder:
        spec = {"model": str(a.model), "data": str(a.data), "epochs": a.epochs, "lr": 5e-5, "batch_size": 32,
                "limit": a.limit, "seed": seed, "precision": a.precision, "threads": a.threads}
        lines = [f"{key} = {json.dumps(value)}" for key, value in spec.items()]
        pathlib.Path(folder, "spec.toml").write_text("\n".join(lines))
        began = time.time()
        process = subprocess.Popen([str(a.trainer), folder], stdout=subprocess.DEVNULL, cwd=ROOT,
                                   env={**os.environ, "TUNEBOARD_QUIET": "1"})
        result = finish(process)
        train = []
        for line in pathlib.Path(folder, "events.jsonl").read_text().splitlines():
            event = json.loads(line)
            name, what = next(iter(event["kind"].items()))
            if name == "metrics":
                result.setdefault("first_step_s", event["t"] / 1000 - began)
            if name == "eval" and what["split"] == "train":
                train.append(what["values"]["examples_per_s"])
            if name == "eval" and what["split"] == "test":
                result["test_acc"] = what["values"]["acc"]
        return {**result, "examples_per_s": statistics.harmonic_mean(train)}


def race_peer(a, loop, seed, environment):
    limit = a.notebook_limit if loop == "notebook" else a.limit
    command = [sys.executable, str(ROOT / "benches/torch_peer.py"), "--loop", loop, "--model", str(a.model), "--data",
               str(a.data), "--limit", str(limit), "--epochs", str(a.epochs if loop == "tuned" else 1), "--seed",
               str(seed), "--precision", a.precision, "--threads", str(a.threads)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment)
    printed = process.stdout.read()
    result = finish(process)
    told = json.loads(printed.strip().splitlines()[-1])
    return {**told, **result}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trainer", type=pathlib.Path, default=ROOT / "target/release/tuneboard-train")
    parser.add_argument("--model", type=pathlib.Path, default=ROOT / "models/minilm")
    parser.add_argument("--data", type=pathlib.Path, default=ROOT / "data/sms_spam.csv")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--limit", type=int, default=0, help="rows for trainer and tuned peer; 0 = all")
    parser.add_argument("--notebook-limit", type=int, default=250, help="rows for the notebook's loop; 0 = no such race")
    parser.add_argument("--precision", choices=["fp32", "bf16"], default="bf16")
    parser.add_argument("--threads", type=int, default=0, help="0 = all cores")
    parser.add_argument("--families", nargs="?", const="all", help="race these instead, by the work that they are "
                        "(families.py): all, or some as bert,modernbert; --limit 200 --threads 1 if not given")
    a = parser.parse_args()
    a.trainer, a.model, a.data = a.trainer.absolute(), a.model.absolute(), a.data.absolute()
    environment = peer_environment()
    if a.families:
        a.limit, a.threads = a.limit or 200, a.threads or 1
        return families.race(a, environment)
    racers = {"trainer": lambda seed: race_trainer(a, seed),
              "tuned": lambda seed: race_peer(a, "tuned", seed, environment)}
    if a.notebook_limit:
        racers["notebook"] = lambda seed: race_peer(a, "notebook", seed, environment)
    names, results = list(racers), {name: [] for name in racers}
    print(f"{'round':>5} {'':>9} {'examples/s':>10} {'test acc':>8} {'peak MB':>8} {'first step':>10} {'processor':>9}")
    for turn in range(a.rounds):
        for name in names[turn % len(names):] + names[:turn % len(names)]:
            result = racers[name](turn)
            results[name].append(result)
            print(f"{turn:>5} {name:>9} {result['examples_per_s']:>10.1f} {result['test_acc']:>8.4f} "
                  f"{result['peak_bytes'] / 1e6:>8.0f} {result['first_step_s']:>8.2f} s {result['cpu_s']:>7.1f} s", flush=True)
    for name in names[1:]:
        ratios = [mine["examples_per_s"] / its["examples_per_s"]
                  for mine, its in zip(results["trainer"], results[name])]
        accuracy = [statistics.mean(run["test_acc"] for run in results[who]) for who in ("trainer", name)]
        print(f"trainer / {name}: {statistics.median(ratios):.2f} times the examples/s "
              f"({min(ratios):.2f} to {max(ratios):.2f}); mean test accuracy {accuracy[0]:.4f} / {accuracy[1]:.4f}")


main()
