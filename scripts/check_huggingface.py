#!/usr/bin/env python3
"""Loads a checkpoint of tuneboard's with transformers and compares: the labels, the ids of each text, the logits; of
pairs and of the tasks beside classification (docs/tasks.md) what `predict` says.

    python3 scripts/check_huggingface.py CHECKPOINT_DIR[:CHECKPOINT_DIR...] TUNEBOARD_TRAIN TEXT...

An adapter is put beside its base by peft. The checkpoint's head must be one that transformers has (config.json names it in `architectures`). Prints the largest
difference; exit code 1 if it is more than 2e-5 or an id differs, 3 if transformers or torch cannot be imported.
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

try:
    import torch
    import transformers
    from safetensors.torch import load_file, save_file
    from transformers import AutoModelForSequenceClassification, AutoModelForTokenClassification, AutoTokenizer
except ImportError as e:
    print(f"check_huggingface: skipped: {e}")
    sys.exit(3)

TOLERANCE = 2e-5
folders, trainer, texts = sys.argv[1].split(os.pathsep), sys.argv[2], sys.argv[3:]


def answers(folder, config, tokenizer):
    """What `predict` says of each text against what transformers makes of it."""
    task, pairs = config.get("tuneboard_task", "classify"), config.get("tuneboard_pairs", False)
    of_tokens = task == "tag"
    loader = AutoModelForTokenClassification if of_tokens else AutoModelForSequenceClassification
    model, loading = loader.from_pretrained(folder, output_loading_info=True)
    assert type(model).__name__ == config["architectures"][0], type(model)
    assert not loading["missing_keys"] and not loading["unexpected_keys"] and not loading["mismatched_keys"], loading
    model.eval()
    problem = {"classify": "single_label_classification", "multilabel": "multi_label_classification",
               "regress": "regression"}.get(task)
    assert model.config.problem_type == problem, model.config.problem_type
    labels = [model.config.id2label[i] for i in range(model.config.num_labels)]
    rows = [{"words": text.split()} if of_tokens else {"text": text} for text in texts if text.split()]
    if pairs:
        for row, other in zip(rows, reversed(texts)):
            row["pair"] = other
    length = min(config["max_position_embeddings"] - 2, 128)
    said = subprocess.run([trainer, "predict", str(folder), "--max-length", str(length), "--device", "cpu",
                           "--precision", "fp32"], input="".join(json.dumps(row) + "\n" for row in rows), text=True,
                          capture_output=True, check=True).stdout
    head, *said = [json.loads(line) for line in said.splitlines()]
    assert labels == head.get("labels", head.get("targets", head.get("tags"))), (labels, head)
    assert len(said) == len(rows)
    gap = 0.0
    for row, ours in zip(rows, said):
        first = row["words"] if of_tokens else row["text"]
        batch = tokenizer(first, row.get("pair"), truncation="longest_first", max_length=length, return_tensors="pt",
                          is_split_into_words=of_tokens)
        with torch.no_grad():
            logits = model(**batch).logits[0]
        if of_tokens:
            # A word's tag is that of its first token.
            places = [batch.word_ids().index(word) for word in range(len(first))]
            best, tag = torch.softmax(logits[places], -1).max(-1)
            assert ours["given"] == [labels[t] for t in tag.tolist()], (ours, tag)
            want, got = best, ours["probabilities"]
        elif task == "regress":
            want, got = logits, ours["values"]
        elif task == "multilabel":
            want, got = torch.sigmoid(logits), ours["probabilities"]
            given = [name for name, p, least in zip(labels, want.tolist(), head["thresholds"]) if p >= least]
            assert ours["given"] == given, (ours, given)
        else:
            want, got = torch.softmax(logits, -1), ours["probabilities"]
            assert ours["label"] == labels[int(want.argmax())]
        scale = max(1.0, want.abs().max().item())
        gap = max(gap, (torch.tensor(got) - want).abs().max().item() / scale)
    print(f"check_huggingface: transformers {transformers.__version__}: {type(model).__name__}, task={task}"
          f"{', pairs' if pairs else ''}, {len(rows)} texts: answers differ by at most {gap:.1e}")
    return gap


def check(folder):
    config = json.loads((folder / "config.json").read_text())
    tokenizer = AutoTokenizer.from_pretrained(folder, add_prefix_space=True) if (
        config.get("tuneboard_task") == "tag" and config["model_type"] == "roberta") else AutoTokenizer.from_pretrained(folder)
    if config.get("tuneboard_task") or config.get("tuneboard_pairs"):
        return answers(folder, config, tokenizer)
    if (folder / "adapter_config.json").is_file():
        # An adapter names what it stands beside from the board on, in which this runs.
        try:
            from peft import PeftConfig, PeftModel
        except ImportError as e:
            print(f"check_huggingface: {folder}: not asked: {e}")
            return 0.0
        base = PeftConfig.from_pretrained(folder).base_model_name_or_path
        labelled = transformers.AutoConfig.from_pretrained(folder)
        base = AutoModelForSequenceClassification.from_pretrained(base, config=labelled, dtype=torch.float32,
                                                                  ignore_mismatched_sizes=True)
        assert type(base).__name__ == config["architectures"][0], type(base)
        adapted = PeftModel.from_pretrained(base, folder)
        adapted.eval()
        learnt = [name for name, _ in adapted.named_parameters() if "lora_" in name or "modules_to_save" in name]
        assert len(learnt) >= len(load_file(folder / "adapter_model.safetensors")), "all of the adapter is in its place"
        model = adapted.merge_and_unload()
    else:
        model, loading = AutoModelForSequenceClassification.from_pretrained(folder, output_loading_info=True)
        assert type(model).__name__ == config["architectures"][0], type(model)
        assert not loading["missing_keys"] and not loading["unexpected_keys"] and not loading["mismatched_keys"], loading
    model.eval()
    assert model.dtype == torch.float32, model.dtype
    labels = [model.config.id2label[i] for i in range(model.config.num_labels)]
    assert model.config.label2id == {label: i for i, label in enumerate(labels)}

    length = min(model.config.max_position_embeddings, 128)
    lines = "".join(json.dumps({"text": text}) + "\n" for text in texts)
    said = subprocess.run([trainer, "tokenize", str(folder), "--max-length", str(length)], input=lines, text=True,
                          capture_output=True, check=True).stdout
    ours = [json.loads(line)["ids"] for line in said.splitlines()]
    theirs = tokenizer(texts, truncation=True, max_length=length)["input_ids"]
    assert ours == theirs, next((o, t) for o, t in zip(ours, theirs) if o != t)

    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    if model.config.pad_token_id is None:
        model.config.pad_token_id = tokenizer.pad_token_id
    batch = tokenizer(texts, truncation=True, max_length=length, padding=True, return_tensors="pt")
    inputs = {key: batch[key].contiguous() for key in ("input_ids", "attention_mask")}
    with torch.no_grad():
        want = model(**inputs).logits
    with tempfile.TemporaryDirectory() as scratch:
        save_file(inputs, f"{scratch}/in.safetensors")
        subprocess.run([trainer, "forward", str(folder), "--input", f"{scratch}/in.safetensors", "--output",
                        f"{scratch}/out.safetensors"], check=True)
        got = load_file(f"{scratch}/out.safetensors")["logits"]
    gap = (got - want).abs().max().item()
    print(f"check_huggingface: transformers {transformers.__version__}, torch {torch.__version__}: "
          f"{type(model).__name__}, labels {labels}, {len(texts)} texts: ids equal, logits differ by at most {gap:.1e}")
    return gap


sys.exit(max(check(pathlib.Path(folder)) for folder in folders) > TOLERANCE)
