#!/usr/bin/env python3
"""The same fine-tuning as tuneboard-train's, written in PyTorch; `make bench-peers` races the two.

  notebook  what a tutorial does: every text padded to max_length, 2 rows a batch, Adam, 32-bit
  tuned     what a careful engineer does: rows of like length together, padded to the longest of the batch, fused
            attention and AdamW, bfloat16 autocast

Prints one JSON line. Needs torch and transformers.
"""
import argparse, json, resource, sys, time

began = time.perf_counter()
import numpy, pandas, torch, transformers
from torch.nn import functional as F


class Classifier(torch.nn.Module):
    def __init__(self, folder, classes, flat):
        super().__init__()
        self.trunk = transformers.AutoModel.from_pretrained(folder)
        width = self.trunk.config.hidden_size
        self.flat = flat
        self.head = torch.nn.Linear(width * flat if flat else width, classes)

    def forward(self, ids, mask):
        hidden = self.trunk(input_ids=ids, attention_mask=mask).last_hidden_state
        if self.flat:
            return self.head(hidden.flatten(1))
        weight = mask.unsqueeze(-1).to(hidden.dtype)
        return self.head((hidden * weight).sum(1) / weight.sum(1))


def collate(rows, tokens, labels, pad, length=None):
    length = length or max(len(tokens[r]) for r in rows)
    ids = numpy.full((len(rows), length), pad, dtype=numpy.int64)
    mask = numpy.zeros((len(rows), length), dtype=numpy.int64)
    for at, row in enumerate(rows):
        ids[at, : len(tokens[row])] = tokens[row]
        mask[at, : len(tokens[row])] = 1
    return torch.from_numpy(ids), torch.from_numpy(mask), torch.tensor([labels[r] for r in rows])


def grouped(rows, tokens, size, rng):
    """Batches of rows of like length, in random order."""
    rows, batches = rng.permutation(rows), []
    for start in range(0, len(rows), size * 50):
        stretch = sorted(rows[start : start + size * 50], key=lambda row: -len(tokens[row]))
        batches += [stretch[at : at + size] for at in range(0, len(stretch), size)]
    return [batches[at] for at in rng.permutation(len(batches))]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--loop", choices=["notebook", "tuned"], required=True)
    parser.add_argument("--model", required=True, help="a checkpoint folder")
    parser.add_argument("--data", required=True, help="a CSV file with the columns text and spam")
    parser.add_argument("--limit", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--max-length", type=int, default=128)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--precision", choices=["fp32", "bf16"], default="bf16")
    parser.add_argument("--threads", type=int, default=0)
    a = parser.parse_args()
    notebook = a.loop == "notebook"
    half = a.precision == "bf16" and not notebook
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if a.threads:
        torch.set_num_threads(a.threads)
    torch.manual_seed(a.seed)
    rng = numpy.random.default_rng(a.seed)

    data = pandas.read_csv(a.data).dropna().sample(frac=1, random_state=35)
    data = data.head(a.limit) if a.limit else data
    names = sorted(data["spam"].astype(str).unique())
    labels = [names.index(str(label)) for label in data["spam"]]
    cut = [int(0.8 * len(data)), int(0.9 * len(data))]
    train, val, test = range(cut[0]), range(cut[0], cut[1]), range(cut[1], len(data))
    tokenizer = transformers.AutoTokenizer.from_pretrained(a.model)
    tokens = tokenizer(data["text"].astype(str).tolist(), truncation=True, max_length=a.max_length)["input_ids"]

    model = Classifier(a.model, len(names), a.max_length if notebook else 0).to(device)
    size = 2 if notebook else 32
    if notebook:
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-5)
    else:
        optimizer = torch.optim.AdamW(model.parameters(), lr=5e-5, fused=True)

    def place(rows):
        batch = collate(rows, tokens, labels, tokenizer.pad_token_id, a.max_length if notebook else None)
        return [tensor.to(device) for tensor in batch]

    def score(rows):
        model.eval()
        rows, right = sorted(rows, key=lambda row: -len(tokens[row])), 0
        with torch.no_grad(), torch.autocast(device, torch.bfloat16, enabled=half):
            for at in range(0, len(rows), size):
                ids, mask, y = place(rows[at : at + size])
                right += (model(ids, mask).argmax(1) == y).sum().item()
        return right / max(len(rows), 1)

    seconds = cpu = first = 0.0
    for _ in range(a.epochs):
        model.train()
        start, start_cpu = time.perf_counter(), time.process_time()
        if notebook:
            rows = rng.permutation(train)
            batches = [rows[at : at + size] for at in range(0, len(rows), size)]
        else:
            batches = grouped(train, tokens, size, rng)
        for rows in batches:
            ids, mask, y = place(rows)
            optimizer.zero_grad()
            with torch.autocast(device, torch.bfloat16, enabled=half):
                logits = model(ids, mask)
            loss = F.cross_entropy(logits.float(), y)
            loss.backward()
            optimizer.step()
            if notebook:
                loss.item()
            first = first or time.perf_counter() - began
        if device == "cuda":
            torch.cuda.synchronize()
        seconds += time.perf_counter() - start
        cpu += time.process_time() - start_cpu
    rows = len(train) * a.epochs
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({
        "loop": a.loop, "device": device, "precision": "bf16" if half else "fp32", "threads": torch.get_num_threads(),
        "torch": torch.__version__, "transformers": transformers.__version__, "python": sys.version.split()[0],
        "tokens": numpy.mean([len(tokens[row]) for row in train]),
        "squares": numpy.mean([len(tokens[row]) ** 2 for row in train]), "examples_per_s": rows / seconds, "examples_per_cpu_s": rows / cpu, "first_step_s": first,
        "val_acc": score(val), "test_acc": score(test), "peak_bytes": peak,
    }))


main()
