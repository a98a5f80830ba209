"""Trains the BPE tokenizer on generated documents and writes tokenizer.json.

    python train_tokenizer.py --out work/tokenizer.json --size 4096
"""

import argparse
import json
import os
import random
import re
import sys
from collections import Counter

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import make_data                                            # noqa: E402
import noise                                                # noqa: E402
import prompt                                               # noqa: E402



def pieces(text):
    text = text.replace(" ", "▁")
    for m in re.finditer(r"▁?[^\W\d_]+|▁?(?:([^\w\s▁])\1+)|▁?[^\w\s▁]|▁?_+|▁?\d|▁|\s", text):
        yield m.group(0)


def corpus(banks, n, seed):
    r = random.Random(seed)
    counts = Counter()
    for i in range(n):
        c = r.choice(list(banks))
        if r.random() < 0.5:
            t = make_data.make_doc(banks, c, f"tok{seed}{i}", clean=True)
        else:
            t = make_data.make_doc(banks, c, f"tok{seed}{i}")
        x = r.random()
        ls = t.split("\n")
        t = "\n".join(l.upper() if r.random() < 0.12 else l.lower() if r.random() < 0.12 else l for l in ls)
        if x < 0.1:
            t = t.upper()
        counts.update(pieces(t))
        labels = [(n, d) for _, n, d in make_data.label_set(banks, c, r)]
        if i % 4 == 0:
            a, b = prompt.parts(labels, multi_label=r.random() < 0.1)
            counts.update(pieces(a.split("Categories:")[1] + b))
    common = Counter()
    for w, n in counts.items():                            # every frequent word also in capitals
        if len(w) > 3 and n > 8:
            common[w.upper()] += n // 12
            common[w.title().replace("▁", "▁")] += n // 20
    counts.update(common)
    for w in noise.WORDS:
        counts["▁" + w] += 30
    for s in (prompt.parts([])[0], prompt.parts([])[1], prompt.parts([], multi_label=True)[0], prompt.parts([], multi_label=True)[1], " [INST] [/INST] Category: Categories: yes no Instructions: Example:"):
        for w in pieces(s):
            counts[w] += 20000
    return counts


def train(counts, size):
    from tokenizers import Tokenizer, models, trainers, pre_tokenizers, Regex
    bytes_ = [f"<0x{i:02X}>" for i in range(256)]
    special = ["<unk>", "<s>", "</s>"] + bytes_
    runs = [x * n for x in ("▁",) for n in (2, 4, 8, 16)]
    chars = Counter()
    for w, n in counts.items():
        for ch in w:
            chars[ch] += n
    keep = {c for c, n in chars.items() if n >= 40 and not c.isspace()} | set(map(chr, range(33, 127))) | {"▁"}
    t = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True))
    t.pre_tokenizer = pre_tokenizers.Split(Regex("\u0000"), "removed")
    tr = trainers.BpeTrainer(vocab_size=size - len(runs) - 256 - 3 + 3, special_tokens=["<unk>", "<s>", "</s>"], initial_alphabet=sorted(keep), limit_alphabet=len(keep), show_progress=False,
                             min_frequency=2, max_token_length=24)
    # one piece a line, repeated by its (scaled) count
    scale = max(1.0, sum(counts.values()) / 6e6)

    def lines():
        buf = []
        for w, n in sorted(counts.items()):
            if w.strip() and all(c in keep for c in w):
                for _ in range(max(1, round(n / scale))):
                    buf.append(w)
                    if len(buf) >= 4096:
                        yield "\u0000".join(buf)
                        buf = []
        yield "\u0000".join(buf)
    t.train_from_iterator(lines(), tr)
    m = json.loads(t.to_str())["model"]
    merges = [tuple(x) if isinstance(x, list) else tuple(x.split(" ")) for x in m["merges"]]
    learned = sorted((i, s) for s, i in m["vocab"].items() if s not in ("<unk>", "<s>", "</s>"))
    vocab = {s: i for i, s in enumerate(special)}
    for _, s in learned:
        vocab[s] = len(vocab)
    half = "▁"
    for run in runs:                                       # runs of spaces merge last
        merges.append((half, half))
        half = run
        vocab[run] = len(vocab)
    assert len(vocab) <= size, len(vocab)
    spec = {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [{"id": i, "content": s, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True} for i, s in enumerate(["<unk>", "<s>", "</s>"])],
        "normalizer": {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "▁"}, {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]},
        "pre_tokenizer": None,
        "post_processor": {"type": "TemplateProcessing",
                           "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
                           "pair": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "<s>", "type_id": 1}}, {"Sequence": {"id": "B", "type_id": 1}}],
                           "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}}},
        "decoder": {"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]},
        "model": {"type": "BPE", "dropout": None, "unk_token": "<unk>", "continuing_subword_prefix": None, "end_of_word_suffix": None, "fuse_unk": True, "byte_fallback": True, "ignore_merges": False,
                  "vocab": vocab, "merges": [list(x) for x in merges]},
    }
    for a, b in merges:
        assert "\n" not in a + b and not (len(a + b) > 1 and sum(c.isdigit() for c in a + b) > 1), (a, b)
    return spec


def check(path, banks, n=400):
    """Without the pre-tokenizer the ids are those of the pieces, one after the other (but for the runs of spaces, which no piece holds)."""
    coder = prompt.Coder(path)
    bad = toks = words = 0
    r = random.Random(5)
    for i in range(n):
        c = r.choice(list(banks))
        t = re.sub(" {2,}", " ", make_data.make_doc(banks, c, f"chk{i}"))
        ids = coder.cont(t)
        one = []
        for p in pieces(t):
            one += coder.cont(p)
        bad += ids != one
        toks += len(ids)
        words += len(t.split())
        for cut in range(0, len(t), 97):                    # a newline is a clean seam
            if t[cut:cut + 1] == "\n":
                assert coder.cont(t[:cut]) + coder.cont(t[cut:]) == ids
    print(f"{bad} of {n} documents differ from their pieces; {toks / words:.2f} tokens a word")
    return bad


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--out", default=os.path.join(HERE, "work", "tokenizer.json"))
    ap.add_argument("--size", type=int, default=4096)
    ap.add_argument("--docs", type=int, default=8000)
    ap.add_argument("--seed", type=int, default=1)
    a = ap.parse_args()
    banks = make_data.load_banks()
    os.makedirs(os.path.dirname(os.path.abspath(a.out)), exist_ok=True)
    spec = train(corpus(banks, a.docs, a.seed), a.size)
    with open(a.out, "w") as f:
        json.dump(spec, f, ensure_ascii=False, indent=1)
        f.write("\n")
    print("vocabulary", len(spec["model"]["vocab"]), "merges", len(spec["model"]["merges"]))
    if check(a.out, banks):
        print("warning: the pre-tokenizer mattered")


if __name__ == "__main__":
    main()
