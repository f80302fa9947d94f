"""`peers.py --families`: how fast the families are for the work that they are, ours and PyTorch's tuned loop.

Each has random weights of its published sizes cut to six layers, and reads the same tokens (MiniLM's). The machine may
be shared: what counts is the processor time of one epoch's training steps, on one thread, the two in turn.

    GFLOP of an example = 3 x (2 T W + 4 S L d) / 1e9

with T and S the means over its train rows of the number of tokens and of its square, W the numbers in the matrices of
the L blocks (d their width): a product of a token with a matrix is two operations a number, attention multiplies twice
with T x T scores, and the backward pass costs twice the forward one. Padding, embeddings, norms and head count nothing.
"""
import json, os, pathlib, shutil, statistics, subprocess, sys, tempfile, time

TICKS = os.sysconf("SC_CLK_TCK")
SHAPES = {
    "bert": {"num_hidden_layers": 6},
    "distilbert": {"n_layers": 6},
    "roberta": {"num_hidden_layers": 6, "vocab_size": 50265, "max_position_embeddings": 514, "type_vocab_size": 1,
                "layer_norm_eps": 1e-5, "pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2},
    "modernbert": {"num_hidden_layers": 6},
}
MAKE = """
import json, sys, torch, transformers
family, shape, folder = sys.argv[1], json.loads(sys.argv[2]), sys.argv[3]
torch.manual_seed(0)
config = transformers.AutoConfig.for_model(family, **shape)
model = transformers.AutoModel.from_config(config)
model.save_pretrained(folder)
blocks = [p.numel() for n, p in model.named_parameters() if p.dim() == 2 and "embedding" not in n and "pooler" not in n]
print(json.dumps({"weights": sum(blocks), "layers": config.num_hidden_layers, "width": config.hidden_size}))
"""


def make(family, tokenizer, folder, environment):
    """A checkpoint with random weights; gives the sizes that its work is counted by."""
    folder.mkdir()
    made = subprocess.run([sys.executable, "-c", MAKE, family, json.dumps(SHAPES[family]), str(folder)],
                          stdout=subprocess.PIPE, text=True, env=environment, check=True)
    shutil.copy(tokenizer / "tokenizer.json", folder)
    (folder / "tokenizer_config.json").write_text(json.dumps(
        {"tokenizer_class": "PreTrainedTokenizerFast", "pad_token": "[PAD]", "unk_token": "[UNK]"}))
    return json.loads(made.stdout.splitlines()[-1])


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def ours(a, model, seed):
    """Processor milliseconds and wall milliseconds of an example, from the trainer's start of the first step to its
    report of the last."""
    with tempfile.TemporaryDirectory() as folder:
        spec = {"model": str(model), "data": str(a.data), "epochs": 1, "lr": 5e-5, "batch_size": 32, "limit": a.limit,
                "seed": seed, "precision": a.precision, "threads": a.threads, "pool": "mean", "max_length": 128,
                "eval_every": "epoch", "keep": "none", "device": "cpu"}
        lines = [f"{key} = {json.dumps(value)}" for key, value in spec.items()]
        pathlib.Path(folder, "spec.toml").write_text("\n".join(lines))
        process = subprocess.Popen([str(a.trainer), folder], stdout=subprocess.DEVNULL, env={**os.environ,
                                   "TUNEBOARD_QUIET": "1"})
        path, seen, first, events = pathlib.Path(folder, "events.jsonl"), 0, None, []
        while process.poll() is None:
            text = path.read_bytes() if path.is_file() else b""
            whole = text[: text.rfind(b"\n") + 1]
            now = (cpu_seconds(process.pid), time.perf_counter()) if len(whole) > seen else None
            for line in whole[seen:].splitlines():
                event = json.loads(line)
                name, what = next(iter(event["kind"].items()))
                if name == "started":
                    rows, steps, first = what["rows"][0], what["total_steps"], now
                if name == "metrics" and event["step"] == steps:
                    process.kill()
                    process.wait()
                    return {key: 1e3 * (end - begin) / rows for key, begin, end in zip(("cpu", "wall"), first, now)}
            seen = len(whole)
            time.sleep(0.005)
        sys.exit(f"{a.trainer} ended with {process.returncode} on {model}")


def theirs(a, model, seed, environment):
    """The same of torch_peer.py's tuned loop, and the tokens of its train rows."""
    command = [sys.executable, str(pathlib.Path(__file__).parent / "torch_peer.py"), "--loop", "tuned", "--model",
               str(model), "--data", str(a.data), "--limit", str(a.limit), "--seed", str(seed), "--precision",
               a.precision, "--threads", str(a.threads)]
    printed = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment,
                             check=True).stdout
    told = json.loads(printed.strip().splitlines()[-1])
    return {"cpu": 1e3 / told["examples_per_cpu_s"], "wall": 1e3 / told["examples_per_s"],
            "tokens": told["tokens"], "squares": told["squares"]}


def race(a, environment):
    """Prints a line for each race, then a table of medians and ratios."""
    with tempfile.TemporaryDirectory() as folder:
        families = a.families.split(",") if a.families != "all" else list(SHAPES)
        models = {name: pathlib.Path(folder, name) for name in families}
        sizes = {name: make(name, a.model, models[name], environment) for name in families}
        mine = {name: [] for name in families}
        its = {name: [] for name in families}
        print(f"{'round':>5} {'family':<11} {'':<8} {'processor ms':>12} {'wall ms':>8}   of an example", flush=True)
        for turn in range(a.rounds):
            order = families[turn % len(families):] + families[:turn % len(families)]
            for name in order:
                racers = [("trainer", mine, lambda: ours(a, models[name], turn)),
                          ("PyTorch", its, lambda: theirs(a, models[name], turn, environment))]
                for who, results, run in racers[:: 1 if turn % 2 == 0 else -1]:
                    result = run()
                    results[name].append(result)
                    print(f"{turn:>5} {name:<11} {who:<8} {result['cpu']:>12.2f} {result['wall']:>8.2f}", flush=True)
        median = lambda results, key: statistics.median(result[key] for result in results)
        told = its[families[0]][0]
        gflop = {name: 3 * (2 * told["tokens"] * size["weights"]
                            + 4 * told["squares"] * size["layers"] * size["width"]) / 1e9
                 for name, size in sizes.items()}
        rate = lambda name, results, key: gflop[name] * 1e3 / median(results[name], key)
        print(f"\n{a.precision}, {a.threads} thread(s), {told['tokens']:.1f} tokens a row; GFLOP/s of processor time\n")
        print("| family | GFLOP an example | trainer | of BERT's, round by round | PyTorch | times PyTorch, round by "
              "round | the same by wall time |\n|---|---|---|---|---|---|---|")

        def spread(ratios):
            return f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"

        for name in families:
            against = [gflop[name] / gflop[families[0]] * bert["cpu"] / own["cpu"]
                       for own, bert in zip(mine[name], mine[families[0]])]
            times = {key: [other[key] / own[key] for own, other in zip(mine[name], its[name])]
                     for key in ("cpu", "wall")}
            print(f"| {name} | {gflop[name]:.2f} | {rate(name, mine, 'cpu'):.0f} | {spread(against)} | "
                  f"{rate(name, its, 'cpu'):.0f} | {spread(times['cpu'])} | {spread(times['wall'])} |")
