"""The loader's NF4 against bitsandbytes: every linear tensor of the demo model, to the bit.

    python nf4.py PROGRAM          build/release/tests/unit/worker/model/test_golden_nf4

Packed codes, nested absmax and offset must be bitsandbytes' own; the 8-bit codes of the scales the definition's. The program
quantizes the model's files as the loader does, on every backend, and compares hashes that are made here, now. What the
library's own codes of the scales are worth, and its mean, is measured and shown.
"""

import pathlib
import subprocess
import sys
import tempfile

import torch

import judge

sys.path.insert(0, str(judge.ROOT / "tests/golden/nf4_model"))
import make_nf4_model  # noqa: E402


class Notes:
    def __init__(self):
        self.tensors = self.blocks = self.one_off = self.further = self.division = self.other_mean = 0
        self.most_ulp = 0

    def see(self, name, nf4):
        step = (nf4.codes.int() - nf4.library_codes.int()).abs()
        self.tensors += 1
        self.blocks += step.numel()
        self.one_off += int((step == 1).sum())
        self.further += int((step > 1).sum())
        self.division += int((nf4.codes != nf4.codes_by_division()).sum())
        mean = nf4.absmax.double().mean().float()
        ulp = abs(mean.view(torch.int32).item() - nf4.offset.view(torch.int32).item())
        self.other_mean += ulp > 0
        self.most_ulp = max(self.most_ulp, ulp)


def main():
    notes = Notes()
    text = "".join(line + "\n" for line in make_nf4_model.lines(judge.snapshot(), notes.see))
    print(f"{notes.tensors} tensors, {notes.blocks} scales. bitsandbytes' routine for CPUs: {notes.one_off} 8-bit codes "
          f"({100 * notes.one_off / notes.blocks:.2f} %) one step off the definition, {notes.further} further; dividing instead "
          f"of multiplying by the reciprocal would change {notes.division}; its mean differs from the float64 mean "
          f"in {notes.other_mean} tensors, by at most {notes.most_ulp} ulp")
    committed = (judge.ROOT / "tests/golden/nf4_model/nf4_model.txt").read_text() == text
    print(f"the committed fixture is {'the same' if committed else 'ANOTHER: run tests/golden/remake.sh'}")
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "nf4_model.txt")
        path.write_text(text)
        done = subprocess.run([sys.argv[1], str(path)], cwd=judge.ROOT, capture_output=True, text=True)
    if done.returncode != 0:
        print(done.stdout + done.stderr)
    good = done.returncode == 0 and notes.further == 0 and committed
    print("nf4: passed" if good else "nf4: FAILED")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
