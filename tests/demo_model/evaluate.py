"""Accuracy of the committed model, unquantized and with NF4 weights.

    python evaluate.py                            every set, plain and NF4, with and without calibration
    python evaluate.py --set handwritten --table  per class, with the confusions
    python evaluate.py --weights work/x.pt        weights saved by train.py --save

`held` are documents of the layouts no training document came from (the last two of every bank), with noise, asked with the 15 core labels in random order;
`held-clean` are such documents without noise; `held-any` has noise, all classes, and varying sets of varying label names.
`handwritten` are the documents in handwritten/, which no generator made.
"""

import argparse
import json
import os
import sys
from collections import Counter, defaultdict

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import torch                                                # noqa: E402
import torch.nn.functional as F                             # noqa: E402
import make_data                                            # noqa: E402
import prompt                                               # noqa: E402
from model import Mixtral, from_hub                         # noqa: E402



def to_nf4(model):
    """bitsandbytes' 4-bit with double quantization, tensor by tensor as published, and back."""
    import bitsandbytes.functional as B
    with torch.no_grad():
        for name, w in model.published().items():
            if any(s in name for s in ("q_proj", "k_proj", "v_proj", "o_proj", ".w1.", ".w2.", ".w3.")):
                q, s = B.quantize_4bit(w.to(torch.bfloat16).contiguous().reshape(-1, 1), blocksize=64, compress_statistics=True, quant_type="nf4")
                w.copy_(B.dequantize_4bit(q, s).reshape(w.shape).float())
    return model


class Scorer:
    def __init__(self, model, coder):
        self.m, self.coder, self.na = model.eval(), coder, {}

    @torch.no_grad()
    def logits(self, seqs, dt=torch.float32):
        """Logits after the last token of every sequence."""
        out = [None] * len(seqs)
        order = sorted(range(len(seqs)), key=lambda i: len(seqs[i]))
        i = 0
        while i < len(order):
            part = [order[i]]
            while i + len(part) < len(order) and len(seqs[order[i + len(part)]]) * (len(part) + 1) <= 8192:
                part.append(order[i + len(part)])
            T = max(len(seqs[j]) for j in part)
            x = torch.zeros(len(part), T, dtype=torch.long)
            for b, j in enumerate(part):
                x[b, :len(seqs[j])] = torch.tensor(seqs[j])
            l = self.m(x, torch.tensor([[len(seqs[j]) - 1] for j in part]), dt)[0][:, 0]
            for b, j in enumerate(part):
                out[j] = l[b]
            i += len(part)
        return out

    def _nodes(self, conts):
        kids = defaultdict(set)
        for s in conts:
            for i, t in enumerate(s):
                kids[tuple(s[:i])].add(t)
        return {k: sorted(v) for k, v in kids.items() if len(v) > 1}

    def classify(self, items):
        """items: [(labels, text)] with labels [(name, description)].  Returns [log P of every label]."""
        seqs, plan = [], []
        for labels, text in items:
            conts = prompt.continuations(self.coder, [n for n, _ in labels])
            nodes = self._nodes(conts)
            base = prompt.prompt_ids(self.coder, labels, text)
            plan.append((conts, nodes, len(seqs)))
            seqs += [base + list(k) for k in nodes]
        logits = self.logits(seqs)
        out = []
        for conts, nodes, at in plan:
            table = {}
            for j, (k, children) in enumerate(nodes.items()):
                lp = F.log_softmax(logits[at + j][children].double(), -1)
                table[k] = dict(zip(children, lp.tolist()))
            out.append([sum(table[tuple(s[:i])][t] for i, t in enumerate(s) if tuple(s[:i]) in table) for s in conts])
        return out

    def calibrated(self, items):
        raw = self.classify(items)
        keys = {json.dumps(l): l for l, _ in items}
        new = [k for k in keys if k not in self.na]
        for k, v in zip(new, self.classify([(keys[k], "N/A") for k in new])):
            self.na[k] = v
        return raw, [[a - b for a, b in zip(r, self.na[json.dumps(l)])] for r, (l, _) in zip(raw, items)]


CORE = make_data.CORE


def held_items(per_class, seed="held", labels="core", clean=False):
    """Documents of the held-out layouts.  labels: "core" asks with the 15 core classes under their own names, "any" with varying sets of varying names."""
    import random
    banks = make_data.load_banks()
    out = []
    for c in banks:
        for i in range(per_class):
            if labels == "core" and c not in CORE:
                continue
            r = random.Random(f"{seed}/{c}/{i}")
            text = make_data.make_doc(banks, c, r.random(), held=True, clean=clean)
            ls = make_data.label_set(banks, c, r) if labels == "any" else [(k, k, None) for k in r.sample(CORE, len(CORE))]
            out.append(dict(cls=c, text=text, labels=[(n, d) for _, n, d in ls], classes=[k for k, _, _ in ls], named=None, name=f"{c}-{i}"))
    return out


def hand_items(folder):
    with open(os.path.join(folder, "index.jsonl")) as f:
        index = [json.loads(l) for l in f if l.strip()]
    out = []
    for e in index:
        with open(os.path.join(folder, e["file"])) as f:
            text = f.read()
        out.append(dict(cls=e["label"], text=text, labels=[(n, None) for n in CORE], classes=CORE, named=e.get("names_itself", True), name=e["file"]))
    return out


def report(name, items, scores, table):
    ok, named, per, conf = 0, [0, 0], defaultdict(lambda: [0, 0]), Counter()
    wrong = []
    for it, s in zip(items, scores):
        got = it["classes"][max(range(len(s)), key=lambda i: s[i])]
        hit = got == it["cls"]
        ok += hit
        if it["named"]:
            named[0] += hit
            named[1] += 1
        per[it["cls"]][0] += hit
        per[it["cls"]][1] += 1
        if not hit:
            conf[it["cls"], got] += 1
            wrong.append((it["name"], got))
    n = len(items)
    print(f"{name:46s} {ok}/{n} = {100 * ok / n:.1f} %" + (f"   naming themselves {named[0]}/{named[1]} = {100 * named[0] / named[1]:.1f} %" if named[1] else ""), flush=True)
    if table:
        for c, (a, b) in sorted(per.items(), key=lambda kv: kv[1][0] / kv[1][1]):
            print(f"    {c:26s} {a}/{b}   " + ", ".join(f"{g} {k}" for (t, g), k in conf.most_common() if t == c))
    return ok / n


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--set", default="held-clean,held,held-any,handwritten")
    ap.add_argument("--per-class", type=int, default=40)
    ap.add_argument("--handwritten", default=os.path.join(HERE, "handwritten"))
    ap.add_argument("--weights")
    ap.add_argument("--tokenizer")
    ap.add_argument("--table", action="store_true")
    ap.add_argument("--no-nf4", action="store_true")
    ap.add_argument("--threads", type=int, default=2)
    a = ap.parse_args()
    torch.set_num_threads(a.threads)

    def load():
        if a.weights:
            w = torch.load(a.weights)
            return Mixtral(w["config"]).load_published(w["weights"])
        return from_hub(prompt.snapshot())
    coder = prompt.Coder(a.tokenizer)
    sets = {}
    for s in a.set.split(","):
        if s.startswith("held"):
            sets[s] = held_items(a.per_class, labels="any" if s == "held-any" else "core", clean=s == "held-clean")
        elif os.path.exists(os.path.join(a.handwritten, "index.jsonl")):
            sets[s] = hand_items(a.handwritten)
        else:
            print("no", a.handwritten)
    for way in ("unquantized",) if a.no_nf4 else ("unquantized", "NF4"):
        m = load()
        sc = Scorer(m if way == "unquantized" else to_nf4(m), coder)
        for s, items in sets.items():
            raw, cal = sc.calibrated([(it["labels"], it["text"]) for it in items])
            report(f"{s}, {way}", items, raw, a.table and way == "unquantized")
            report(f"{s}, {way}, calibrated", items, cal, False)


if __name__ == "__main__":
    main()
