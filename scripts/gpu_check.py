#!/usr/bin/env python3
"""What scripts/gpu_check.sh runs. --dry does every step on the CPU at toy size, and measures nothing worth keeping."""
import argparse, importlib.util, json, math, os, pathlib, random, shutil, signal, subprocess, sys, tempfile, time

ROOT = pathlib.Path(__file__).resolve().parent.parent
# Dense bfloat16 floating-point operations a second, as the makers state them.
PEAKS = {"H200": 989e12, "H100": 989e12, "A100": 312e12, "L40S": 362e12, "L4": 121e12, "4090": 165e12}
SIZES = {
    "bert-base": ("bert", dict(hidden_size=768, num_hidden_layers=12, num_attention_heads=12, intermediate_size=3072,
                               vocab_size=30522, max_position_embeddings=512, type_vocab_size=2)),
    "gpt2-124m": ("gpt2", dict(n_embd=768, n_layer=12, n_head=12, vocab_size=50257, n_positions=1024, n_ctx=1024)),
    "minilm": ("bert", dict(hidden_size=384, num_hidden_layers=6, num_attention_heads=12, intermediate_size=1536,
                            vocab_size=30522, max_position_embeddings=512, type_vocab_size=2)),
    "distilbert": ("distilbert", dict(dim=768, n_layers=6, n_heads=12, hidden_dim=3072, vocab_size=30522,
                                      max_position_embeddings=512)),
}
# Where the goals for an H200 stand: docs/benchmarks.md.
MODEL_FLOPS_GOAL, EAGER_GOAL = 0.45, 1.5
WORDS = 900


def toy(sizes):
    small = dict(hidden_size=64, dim=64, n_embd=64, num_hidden_layers=2, n_layers=2, n_layer=2, num_attention_heads=4,
                 n_heads=4, n_head=4, intermediate_size=128, hidden_dim=128, vocab_size=1000)
    return {key: small.get(key, value) for key, value in sizes.items()}


class Check:
    def __init__(self, a):
        self.a = a
        self.end = time.monotonic() + 60 * a.minutes
        self.device = "cpu" if a.dry else "cuda:0"
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="gpu-check-"))
        self.verdicts, self.rows = [], []
        self.trainer, self.environment = trainer(a.trainer)

    def left(self):
        return self.end - time.monotonic()

    def verdict(self, name, passed, words):
        """`passed` None: not measured."""
        self.verdicts.append({"name": name, "passed": passed, "words": words})
        print(f"{ {True: 'pass', False: 'FAIL', None: 'none'}[passed]}  {name}: {words}", flush=True)

    def model(self, name):
        folder = self.folder / name
        if not folder.is_dir():
            family, sizes = SIZES[name]
            sizes = toy(sizes) if self.a.dry else sizes
            write_model(folder, family, sizes)
        return folder

    def data(self, rows, words):
        """Rows of so many words each, or of the lengths of text messages; a word of its own betrays a class."""
        path = self.folder / f"{rows}-{words}.csv"
        if not path.exists():
            draw = random.Random(5)
            with path.open("w") as file:
                file.write("text,label\n")
                for row in range(rows):
                    label = row % 2
                    count = words or max(3, min(120, round(draw.lognormvariate(2.7, 0.7))))
                    said = [f"w{draw.randrange(WORDS // 2) * 2 + (label if draw.random() < 0.2 else 0)}"
                            for _ in range(count)]
                    file.write(" ".join(said) + f",{'ham' if label else 'spam'}\n")
        return path

    def spec(self, model, data, **more):
        spec = {"model": str(model), "data": str(data), "device": self.device, "init": "random", "lr": 5e-5, "epochs": 2,
                "batch_size": 32, "precision": "bf16", "eval_every": "epoch", "split": [0.9, 0.05, 0.05], "seed": 1}
        return {key: value for key, value in {**spec, **more}.items() if value is not None}

    def start(self, spec):
        run = self.run(spec)
        return run, self.start_in(run)

    def run(self, spec):
        """A new folder of a run."""
        run = pathlib.Path(tempfile.mkdtemp(dir=self.folder, prefix="run-"))
        (run / "spec.toml").write_text("".join(f"{key} = {json.dumps(value)}\n" for key, value in spec.items()))
        return run

    def start_in(self, run):
        log = (run / "out.log").open("ab")
        return subprocess.Popen([self.trainer, run], stdout=log, stderr=log, env=self.environment, cwd=self.folder)

    def train(self, spec):
        """The events of a whole run."""
        run, process = self.start(spec)
        return self.finish(run, process)

    def finish(self, run, process):
        try:
            code = process.wait(timeout=max(1, self.left()))
        except subprocess.TimeoutExpired:
            process.kill()
            raise OutOfTime from None
        if code:
            raise Failed((run / "out.log").read_text(errors="replace").strip().splitlines()[-1:] or [f"exit {code}"])
        return events(run)


class OutOfTime(Exception):
    pass


class Failed(Exception):
    pass


def events(run):
    lines = (run / "events.jsonl").read_bytes().split(b"\n")
    return [json.loads(line) for line in lines if line.strip()]


def of(events, kind, split=None):
    found = [event["kind"][kind] for event in events if isinstance(event["kind"], dict) and kind in event["kind"]]
    return [what for what in found if split is None or what["split"] == split]


def losses(events):
    """Train and val loss of each epoch."""
    return [what["values"]["loss"] for split in ("train", "val") for what in of(events, "eval", split)]


def trainer(given):
    """The trainer, and an environment in which it finds libtorch."""
    places = [given] if given else [ROOT / "target" / kind / "tuneboard-train" for kind in ("dist", "release", "debug")]
    found = next((pathlib.Path(place) for place in places if place and pathlib.Path(place).is_file()), None)
    if found is None:
        if given:
            sys.exit(f"gpu_check: there is no trainer {given}.")
        subprocess.run(["make", "build"], cwd=ROOT, check=True)
        found = ROOT / "target/release/tuneboard-train"
    libraries = []
    if os.environ.get("LIBTORCH"):
        libraries.append(pathlib.Path(os.environ["LIBTORCH"]) / "lib")
    if spec := importlib.util.find_spec("torch"):
        libraries.append(pathlib.Path(spec.submodule_search_locations[0]) / "lib")
    paths = [str(path) for path in libraries if path.is_dir()] + [os.environ.get("LD_LIBRARY_PATH", "")]
    return str(found.resolve()), {**os.environ, "LD_LIBRARY_PATH": ":".join(filter(None, paths)), "TUNEBOARD_QUIET": "1"}


def write_model(folder, family, sizes):
    folder.mkdir()
    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    vocab = {word: at for at, word in enumerate(specials + [f"w{i}" for i in range(WORDS)])}
    is_bert = family != "gpt2"
    piece = lambda name: {"SpecialToken": {"id": name, "type_id": 0}}
    text = {"Sequence": {"id": "A", "type_id": 0}}
    frame = [piece("[CLS]"), text, piece("[SEP]")] if is_bert else [text]
    post = {"type": "TemplateProcessing", "single": frame,
            "pair": frame + [{"Sequence": {"id": "B", "type_id": 1}}, *([piece("[SEP]")] if is_bert else [])],
            "special_tokens": {name: {"id": name, "ids": [vocab[name]], "tokens": [name]} for name in specials[2:4]}}
    added = [{"id": vocab[name], "content": name, "special": True, "single_word": False, "lstrip": False,
              "rstrip": False, "normalized": False} for name in specials]
    tokenizer = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": added, "normalizer": None,
                 "pre_tokenizer": {"type": "WhitespaceSplit"}, "post_processor": post, "decoder": None,
                 "model": {"type": "WordLevel", "vocab": vocab, "unk_token": "[UNK]"}}
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    config = {"model_type": family, "pad_token_id": 0, **sizes}
    (folder / "config.json").write_text(json.dumps(config))


def parity(check):
    """Each tiny model of the repository trains alike on the CPU in 32 bits and here in 32 and 16 bits."""
    fixtures = ROOT / "tests/fixtures"
    folders = [path.parent for part in ("models", "families") for path in sorted(fixtures.glob(f"{part}/*/config.json"))
               if (path.parent / "model.safetensors").is_file() and (path.parent / "tokenizer.json").is_file()]
    data = ROOT / "data/sms_spam.csv"
    compared, worst = 0, {"fp32": (0.0, ""), "bf16": (0.0, "")}
    for folder in folders:
        if compared >= (3 if check.a.dry else 4) and (check.a.dry or check.left() < 0.6 * 60 * check.a.minutes):
            break
        spec = check.spec(folder, data, init="pretrained", limit=160, epochs=2, batch_size=8, max_length=24, dropout=0,
                          lr=1e-3, split=[0.8, 0.1, 0.1])
        try:
            want = losses(check.train({**spec, "device": "cpu", "precision": "fp32", "threads": 1}))
        except Failed as error:
            print(f"      {folder.name} does not train on the CPU: {' '.join(error.args[0])}")
            continue
        for precision in worst:
            got = losses(check.train({**spec, "precision": precision}))
            gap = max((abs(a - b) for a, b in zip(got, want)), default=math.inf) if len(got) == len(want) else math.inf
            worst[precision] = max(worst[precision], (gap, folder.name))
        compared += 1
    for precision, most in (("fp32", 2e-3), ("bf16", 0.1)):
        gap, name = worst[precision]
        check.verdict(f"numbers in {precision}", compared > 0 and gap < most,
                      f"losses of {compared} families within {gap:.1e} of the CPU's in 32 bits ({name}; at most {most})")


def flops(name, dry, length):
    """Floating-point operations a token of a training step: 6 for each weight of a product, and attention's."""
    family, sizes = SIZES[name]
    sizes = toy(sizes) if dry else sizes
    width = sizes.get("hidden_size") or sizes.get("dim") or sizes.get("n_embd")
    layers = sizes.get("num_hidden_layers") or sizes.get("n_layers") or sizes.get("n_layer")
    wide = sizes.get("intermediate_size") or sizes.get("hidden_dim") or 4 * width
    return 6 * layers * (4 * width * width + 2 * width * wide) + 12 * layers * width * length


def speed(check, gpu):
    peak = next((peak for name, peak in PEAKS.items() if name in gpu), None)
    shapes = [(32, 128), (2, 128), (32, None)] if not check.a.dry else [(4, 16)]
    for name in list(SIZES)[:2] if check.a.dry else SIZES:
        for batch, length in shapes:
            if check.left() < 60 and not check.a.dry:
                return
            steps = 6 if check.a.dry else (60 if batch > 2 else 200)
            specials = 0 if name.startswith("gpt2") else 2
            data = check.data(round(batch * steps / 0.9), length and length - specials)
            spec = check.spec(check.model(name), data, batch_size=batch, max_length=length or 128)
            seen = of(check.train(spec), "eval", "train")[-1]["values"]
            row = {"model": name, "batch": batch, "length": length or "messages", "tokens_per_s": seen["tokens_per_s"],
                   "examples_per_s": seen["examples_per_s"], "peak_memory_bytes": seen.get("peak_memory_bytes")}
            row |= watched(check, spec)
            if peak and length:
                row["model_flops_utilisation"] = seen["tokens_per_s"] * flops(name, False, length) / peak
            for peer in ("eager", "compile") if check.left() > 90 or check.a.dry else ():
                if peer == "compile" and (check.a.dry or name not in ("bert-base", "gpt2-124m")):
                    continue
                if rate := race(check, name, batch, length, steps, peer):
                    row[peer] = rate
            check.rows.append(row)
            told = [f"{row['examples_per_s']:9.1f} examples/s"]
            told += [f"{100 * row['model_flops_utilisation']:.0f} % of the peak"] if "model_flops_utilisation" in row else []
            told += [f"{row['launches']:.0f} launches a step"] if row.get("launches") else []
            told += [f"{row['examples_per_s'] / row[peer]:.2f} x {peer}" for peer in ("eager", "compile") if peer in row]
            print(f"      {name:<12}{batch:>4} x {row['length']!s:<9}" + "  ".join(told), flush=True)


def watched(check, spec):
    """What a step launches, and how often it waits, by libtorch's profiler."""
    done = subprocess.run([check.trainer, "watch", check.run(spec), "--steps", "4"], capture_output=True, text=True,
                          env=check.environment, timeout=max(1, check.left()))
    if done.returncode:
        raise Failed(done.stderr.strip().splitlines()[-1:] or [f"exit {done.returncode}"])
    # The profiler may say something of its own first.
    asked = json.loads(done.stdout.strip().splitlines()[-1])
    return {"launches": asked["launches"] / asked["steps"], "operations": asked["operations"] / asked["steps"],
            "waits": asked["waits"], "waiting": asked["waiting"]}


def waiting(check):
    """A step that waits for the GPU lets it idle."""
    rows = [row for row in check.rows if row.get("waits")]
    names = "; ".join(sorted({row["waiting"] for row in rows}))
    if check.a.dry:
        # Gradients of rows alone, which only a CPU takes, are sorted out by their ids.
        return check.verdict("nothing waits within a step", None, f"a CPU takes steps of its own: {names or 'no waits'}")
    check.verdict("nothing waits within a step", not rows if check.rows else None,
                  names or f"{len(check.rows)} models and shapes, four steps each")


def race(check, name, batch, length, steps, how):
    """Examples a second of the same fine-tuning in PyTorch; None where it is not to be had."""
    if not importlib.util.find_spec("torch"):
        return None
    words = json.dumps([name, batch, length, steps, how, check.device, check.a.dry])
    try:
        done = subprocess.run([sys.executable, __file__, "--peer", words], capture_output=True, text=True,
                              timeout=max(1, min(90, check.left())))
        return json.loads(done.stdout.strip().splitlines()[-1])
    except (subprocess.TimeoutExpired, IndexError, json.JSONDecodeError):
        return None


def peer(words):
    """The same model, batches and optimiser in PyTorch: fused attention, fused AdamW, bfloat16 autocast."""
    import torch
    from torch.nn import functional as F

    name, batch, length, steps, how, device, dry = json.loads(words)
    family, sizes = SIZES[name]
    sizes = toy(sizes) if dry else sizes
    width = sizes.get("hidden_size") or sizes.get("dim") or sizes.get("n_embd")
    layers = sizes.get("num_hidden_layers") or sizes.get("n_layers") or sizes.get("n_layer")
    heads = sizes.get("num_attention_heads") or sizes.get("n_heads") or sizes.get("n_head")
    wide = sizes.get("intermediate_size") or sizes.get("hidden_dim") or 4 * width
    causal = family == "gpt2"

    class Block(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.qkv, self.mix = torch.nn.Linear(width, 3 * width), torch.nn.Linear(width, width)
            self.widen, self.narrow = torch.nn.Linear(width, wide), torch.nn.Linear(wide, width)
            self.norms = torch.nn.ModuleList([torch.nn.LayerNorm(width), torch.nn.LayerNorm(width)])

        def attend(self, x, mask):
            rows, length, _ = x.shape
            q, k, v = self.qkv(x).view(rows, length, 3, heads, width // heads).permute(2, 0, 3, 1, 4)
            p = 0.1 if self.training else 0.0
            causes = causal and mask is None
            y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, dropout_p=p, is_causal=causes)
            return F.dropout(self.mix(y.transpose(1, 2).reshape(rows, length, width)), 0.1, self.training)

        def forward(self, x, mask):
            act = lambda y: F.gelu(y, approximate="tanh" if causal else "none")
            wide = lambda y: F.dropout(self.narrow(act(self.widen(y))), 0.1, self.training)
            if causal:
                x = x + self.attend(self.norms[0](x), mask)
                return x + wide(self.norms[1](x))
            x = self.norms[0](x + self.attend(x, mask))
            return self.norms[1](x + wide(x))

    class Classifier(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.words = torch.nn.Embedding(sizes["vocab_size"], width)
            self.places = torch.nn.Embedding(512, width)
            self.norm = torch.nn.LayerNorm(width)
            self.blocks = torch.nn.ModuleList([Block() for _ in range(layers)])
            self.head = torch.nn.Linear(width, 2)

        def forward(self, ids, real):
            x = self.norm(self.words(ids) + self.places.weight[: ids.shape[1]])
            mask = None
            if real is not None:
                mask = real[:, None, None, :]
                if causal:
                    mask = mask & torch.ones(ids.shape[1], ids.shape[1], dtype=torch.bool, device=ids.device).tril()
            for block in self.blocks:
                x = block(x, mask)
            weight = torch.ones_like(ids) if real is None else real
            weight = weight.unsqueeze(-1).to(x.dtype)
            return self.head((x * weight).sum(1) / weight.sum(1))

    draw = random.Random(5)
    counts = [length or max(5, min(122, round(draw.lognormvariate(2.7, 0.7)) + 2)) for _ in range(batch * steps)]
    # Rows of like length together, as ours.
    counts.sort()
    batches = [counts[at : at + batch] for at in range(0, len(counts), batch)]
    draw.shuffle(batches)
    kind = "cuda" if device.startswith("cuda") else "cpu"
    model = Classifier().to(device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-5, fused=True)
    run = torch.compile(model, dynamic=length is None) if how == "compile" else model
    wait = torch.cuda.synchronize if kind == "cuda" else lambda: None
    for epoch in range(2):
        wait()
        began = time.perf_counter()
        for rows in batches:
            longest = max(rows)
            ids = torch.randint(5, WORDS, (len(rows), longest)).to(device, non_blocking=True)
            real = None
            if min(rows) < longest:
                real = (torch.arange(longest)[None] < torch.tensor(rows)[:, None]).to(device, non_blocking=True)
            labels = torch.randint(0, 2, (len(rows),)).to(device, non_blocking=True)
            optimizer.zero_grad()
            with torch.autocast(kind, torch.bfloat16):
                logits = run(ids, real)
            F.cross_entropy(logits.float(), labels).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
        wait()
        rate = len(counts) / (time.perf_counter() - began)
    print(json.dumps(rate))


def packing(check):
    """Runs side by side on one GPU."""
    alone = None
    for together in (1, 2) if check.a.dry else (1, 2, 4):
        if check.left() < 40 and not check.a.dry:
            return check.verdict("several at once", None, "no time was left")
        rows = 40 if check.a.dry else 4000
        spec = check.spec(check.model("minilm"), check.data(rows, None), max_length=128)
        started = [check.start({**spec, "seed": seed}) for seed in range(together)]
        rates = [of(check.finish(*one), "eval", "train")[-1]["values"]["examples_per_s"] for one in started]
        total = sum(rates)
        alone = alone or total
        print(f"      {together} at once: {total:9.1f} examples/s together", flush=True)
    check.verdict("several at once", True if check.a.dry else total >= 0.9 * alone,
                  f"{together} runs give {total / alone:.2f} times what one gives")


def memory(check):
    """A batch that does not fit goes through in parts."""
    if check.a.dry:
        return check.verdict("too little memory", None, "a CPU has no allocator to exhaust")
    for batch in (4096, 16384):
        spec = check.spec(check.model("bert-base"), check.data(2 * batch, 510), batch_size=batch, max_length=512, epochs=1,
                          split=[0.98, 0.01, 0.01])
        notes = [note["text"] for note in of(check.train(spec), "note")]
        if halved := [note for note in notes if "Memory did not suffice" in note]:
            return check.verdict("too little memory", True, f"{len(halved)} halvings of a batch of {batch}, then done")
    return check.verdict("too little memory", None, "everything fitted")


def resume(check):
    """A run that is killed goes on from its checkpoint, and ends as one that was left alone."""
    rows = 200 if check.a.dry else 4000
    spec = check.spec(check.model("minilm"), check.data(rows, None), epochs=3, max_length=64, threads=1)
    want = of(check.train(spec), "eval", "val")
    run, process = check.start(spec)
    while process.poll() is None and not ((run / "events.jsonl").exists() and of(whole(run), "saved")):
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    got = {what["epoch"]: what for what in of(check.finish(run, check.start_in(run)), "eval", "val")}
    gaps = [abs(got[what["epoch"]]["values"]["loss"] - what["values"]["loss"]) for what in want if what["epoch"] in got]
    most = 1e-6 if check.a.dry else 0.05
    check.verdict("kill -9 and resume", len(gaps) == len(want) and max(gaps) <= most,
                  f"{len(gaps)} of {len(want)} epochs, val loss within {max(gaps, default=math.inf):.1e}")


def whole(run):
    """The events so far; the last line may be half written."""
    lines = (run / "events.jsonl").read_bytes().split(b"\n")[:-1]
    return [json.loads(line) for line in lines if line.strip()]


def goals(check, gpu):
    """What the design asks of an H200, as far as it was measured."""
    for name in ("bert-base", "gpt2-124m"):
        rows = {row["batch"]: row for row in check.rows if row["model"] == name and row["length"] == 128}
        share = rows.get(32, {}).get("model_flops_utilisation")
        check.verdict(f"{name}: utilisation at 32 x 128", share and share >= MODEL_FLOPS_GOAL if "H200" in gpu else None,
                      f"{100 * share:.0f} % of the peak (goal {100 * MODEL_FLOPS_GOAL:.0f} on an H200)" if share
                      else "not measured")
        for batch in (32, 2):
            row = rows.get(batch, {})
            for how, goal in (("eager", EAGER_GOAL), ("compile", 1.0)):
                ratio = row["examples_per_s"] / row[how] if how in row else None
                check.verdict(f"{name}: batch {batch} beside {how}", ratio and ratio >= goal,
                              f"{ratio:.2f} times (goal {goal})" if ratio else "not measured")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trainer", help="a built tuneboard-train")
    parser.add_argument("--minutes", type=float, default=6)
    parser.add_argument("--out", default="gpu_check.json", help="where the JSON goes")
    parser.add_argument("--dry", action="store_true", help="every step at toy size on the CPU")
    parser.add_argument("--peer", help=argparse.SUPPRESS)
    a = parser.parse_args()
    if a.peer:
        return peer(a.peer)
    check = Check(a)
    try:
        probe = subprocess.run([check.trainer, "probe"], capture_output=True, text=True, env=check.environment)
        found = json.loads(probe.stdout) if probe.returncode == 0 else {}
        gpu = gpu_name() or "CPU"
        print(f"trainer {check.trainer}, {json.dumps(found)}, {gpu}", flush=True)
        if not a.dry and not found.get("cuda"):
            sys.exit("gpu_check: the trainer's libtorch sees no GPU; --dry runs every step on the CPU.")
        for name, stage in (("numbers", parity), ("speed", lambda check: speed(check, gpu)), ("packing", packing),
                            ("resume", resume), ("memory", memory)):
            try:
                stage(check)
            except OutOfTime:
                check.verdict(name, None, "no time was left")
            except Failed as error:
                check.verdict(name, False, f"the trainer failed: {' '.join(error.args[0])}")
        waiting(check)
        if not a.dry:
            goals(check, gpu)
        report = {"gpu": gpu, "dry": a.dry, "probe": found, "verdicts": check.verdicts, "speed": check.rows}
        pathlib.Path(a.out).write_text(json.dumps(report, indent=1) + "\n")
        failed = [verdict["name"] for verdict in check.verdicts if verdict["passed"] is False]
        print(f"{len(check.verdicts) - len(failed)} of {len(check.verdicts)} without a fault; {a.out}")
        sys.exit(bool(failed))
    finally:
        shutil.rmtree(check.folder, ignore_errors=True)


def gpu_name():
    try:
        said = subprocess.run(["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"], capture_output=True, text=True)
        return said.stdout.strip().splitlines()[0] if said.returncode == 0 else None
    except (OSError, IndexError):
        return None


if __name__ == "__main__":
    main()
