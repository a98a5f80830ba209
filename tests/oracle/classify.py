"""docket classify against the same scores computed with transformers, on 30 handwritten documents.

The judge builds the prompt (tests/demo_model/prompt.py), makes the tree of the labels' tokens, takes at every branching the
softmax over its children, adds up the logarithms on each label's path, divides by the prior of the content-free document
"N/A" and normalizes. Four ways: one label, without calibration, many labels, and one label with NF4 weights. Every
probability within 1e-3 of a judge that rounds keys and values to 16 bits, as docket's engine keeps them; how far a judge
without that rounding is away is shown, not judged.
"""

import json
import math
import random
import sys

import torch

import judge

N_DOCUMENTS = 30
LIMIT = 1e-3
CONTENT_FREE = "N/A"


def add_end(paths, end):
    """Where a path is the beginning of another, the end token closes it."""
    def begins_another(p):
        return any(len(q) > len(p) and q[:len(p)] == p for q in paths)
    return [p + [end] if begins_another(p) else p for p in paths]


def log_probabilities(one, base, paths):
    children = {}
    for path in paths:
        for i, token in enumerate(path):
            children.setdefault(tuple(path[:i]), set()).add(token)
    log_p = {}
    for at, tokens in children.items():
        if len(tokens) > 1:
            order = sorted(tokens)
            logits = one.logits(base + list(at))[0][-1]
            log_p[at] = dict(zip(order, logits[order].double().log_softmax(-1).tolist()))
    return [sum(log_p[tuple(path[:i])][token] for i, token in enumerate(path) if tuple(path[:i]) in log_p) for path in paths]


class Expected:
    def __init__(self, one, names, multi_label, calibrate):
        self.one, self.names, self.multi_label = one, names, multi_label
        self.coder = judge.prompt.Coder()
        self.labels = [(name, None) for name in names]
        answers = [f"{name}: {word}" for name in names for word in ("yes", "no")] if multi_label else names
        self.paths = add_end([judge.prompt.continuation(self.coder, a, multi_label) for a in answers], judge.prompt.EOS)
        self.prior = self._log_p(CONTENT_FREE) if calibrate else [0.0] * len(self.paths)

    def _log_p(self, text):
        ids = judge.prompt.prompt_ids(self.coder, self.labels, text, multi_label=self.multi_label)
        return log_probabilities(self.one, ids, self.paths)

    def probabilities(self, text):
        score = [p - q for p, q in zip(self._log_p(text), self.prior)]
        if not self.multi_label:
            return dict(zip(self.names, torch.tensor(score, dtype=torch.double).softmax(-1).tolist()))
        return {name: 1 / (1 + math.exp(score[2 * i + 1] - score[2 * i])) for i, name in enumerate(self.names)}


def largest_difference(got, want):
    return max(abs(got[label] - want[label]) for label in want)


def compare(what, judges, multi_label, calibrate, documents, names, *flags):
    half, exact = (Expected(one, names, multi_label, calibrate) for one in judges)
    out = judge.docket("classify", "--jsonl", "--labels", ",".join(names), "--max-document-tokens", str(judge.prompt.MAX_DOC),
                       *flags, *[name for name, _ in documents])
    results = {r["id"]: r for r in map(json.loads, out.splitlines())}
    assert len(results) == len(documents), "a result for each document"
    worst, worst_exact, other = 0.0, 0.0, 0
    for name, text in documents:
        want = half.probabilities(text)
        got = {s["label"]: s["score"] for s in results[name]["scores"]}
        assert got.keys() == want.keys(), "a score for each label"
        worst = max(worst, largest_difference(got, want))
        worst_exact = max(worst_exact, largest_difference(got, exact.probabilities(text)))
        other += max(got, key=got.get) != max(want, key=want.get)
    print(f"{what}: {len(documents)} documents, probabilities at most {worst:.2e} off, {other} other answers; "
          f"{worst_exact:.2e} from keys and values in 32 bits")
    return worst <= LIMIT


def main():
    folder, names, documents = judge.snapshot(), judge.hand_labels(), judge.handwritten()
    random.Random(30).shuffle(documents)
    documents = documents[:N_DOCUMENTS]
    plain = [judge.Judge(judge.load(folder, attention)) for attention in (judge.HALF_CACHE, "eager")]
    nf4 = [judge.Judge(judge.load_nf4(folder, attention)) for attention in (judge.HALF_CACHE, "eager")]
    few = names[:5]
    good = [
        compare("one label", plain, False, True, documents, names),
        compare("one label, not calibrated", plain, False, False, documents, names, "--no-calibrate"),
        compare("many labels", plain, True, True, documents[:10], few, "--multi-label"),
        compare("one label, nf4", nf4, False, True, documents, names, "--quantization", "nf4"),
    ]
    print("classify: passed" if all(good) else "classify: FAILED")
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
