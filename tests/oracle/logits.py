"""docket logits against transformers: every logit of 20 handwritten documents with the prompt around them.

    python logits.py [flags for docket, such as --cpu-isa avx2]

`none` is judged by MixtralForCausalLM in float32 with the stored weights, `nf4` by the same with every linear weight
replaced by bitsandbytes' NF4 (double quantization, scale codes by the definition: judge.py). Passes with a relative L2
of at most 2e-3 for each document and the same largest logit at every position.
"""

import pathlib
import random
import sys
import tempfile

import torch

import judge

N_DOCUMENTS = 20


def docket_logits(ids, quantization, vocabulary, flags):
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "logits.f32")
        judge.docket("logits", "--tokens", ",".join(map(str, ids)), "--quantization", quantization, "--out", str(path), *flags)
        values = torch.frombuffer(bytearray(path.read_bytes()), dtype=torch.float32)
    return values.view(len(ids), vocabulary)


def compare(judges, coder, labels, text, flags):
    """A row for each way of weights, or None: a router could choose otherwise."""
    ids = judge.prompt.prompt_ids(coder, labels, text)
    want, rows = {}, {}
    for way, one in judges.items():
        want[way], closest = one.logits(ids)
        if closest < judge.NEAR_TIE and way != "nf4, library's scale codes":
            return None
    got = {q: docket_logits(ids, q, want["none"].shape[1], flags) for q in ("none", "nf4")}
    for way in judges:
        g = got[way.split(",")[0]]
        first, second = want[way].topk(2, -1)[0].unbind(-1)
        rows[way] = (judge.relative_l2(g, want[way]), int((g.argmax(-1) != want[way].argmax(-1)).sum()),
                     (first - second).min().item(), len(ids))
    return rows


def main():
    folder, coder, flags = judge.snapshot(), judge.prompt.Coder(), sys.argv[1:]
    judges = {"none": judge.Judge(judge.load(folder)), "nf4": judge.Judge(judge.load_nf4(folder)),
              "nf4, library's scale codes": judge.Judge(judge.load_nf4(folder, library_scales=True))}
    labels = [(name, None) for name in judge.hand_labels()]
    documents = judge.handwritten()
    random.Random(20).shuffle(documents)
    all_rows, drawn = [], 0
    while len(all_rows) < N_DOCUMENTS and drawn < len(documents):
        rows = compare(judges, coder, labels, documents[drawn][1], flags)
        drawn += 1
        if rows:
            all_rows.append(rows)
    good = len(all_rows) == N_DOCUMENTS
    tokens = sum(rows["none"][3] for rows in all_rows)
    print(f"{len(all_rows)} documents, {tokens} positions; {drawn - len(all_rows)} more had a router that two correct "
          "implementations may read differently")
    for way in judges:
        l2 = sorted(rows[way][0] for rows in all_rows)
        other = sum(rows[way][1] for rows in all_rows)
        print(f"{way}: relative L2 {l2[len(l2) // 2]:.2e} in the middle, {l2[-1]:.2e} at most; "
              f"{other} of {tokens} positions with another largest logit "
              f"(closest two: {min(rows[way][2] for rows in all_rows):.1e} apart)")
        if way != "nf4, library's scale codes":  # that one is shown, not judged
            good = good and l2[-1] <= judge.RELATIVE_L2 and other == 0
    print("logits: passed" if good else "logits: FAILED")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
