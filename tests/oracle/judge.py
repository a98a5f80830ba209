"""What the comparisons share: the demo model as transformers and bitsandbytes compute it, and docket as a command.

Nothing of docket's own arithmetic is used here.
"""

import hashlib
import json
import logging
import os
import pathlib
import subprocess
import sys

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("TORCHDYNAMO_DISABLE", "1")  # bitsandbytes compiles what runs once here

logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # it would rather have more packages
import bitsandbytes.functional as bnb  # noqa: E402
import torch  # noqa: E402
import transformers  # noqa: E402
from bitsandbytes.backends.default import ops as bnb_default  # noqa: E402
from safetensors.torch import load_file  # noqa: E402
from transformers.masking_utils import AttentionMaskInterface, eager_mask  # noqa: E402
from transformers.models.mixtral.modeling_mixtral import eager_attention_forward  # noqa: E402

transformers.utils.logging.disable_progress_bar()
ROOT = pathlib.Path(__file__).resolve().parents[2]
HANDWRITTEN = ROOT / "tests/demo_model/handwritten"
sys.path.insert(0, str(ROOT / "tests/demo_model"))
import prompt  # noqa: E402

# A router whose 2nd and 3rd probability are closer than this (of themselves) may choose either expert in a correct
# implementation: such inputs are not compared.
NEAR_TIE = 1e-4
RELATIVE_L2 = 2e-3

BLOCK, NESTED_BLOCK = 64, 256


def snapshot():
    return pathlib.Path(prompt.snapshot())


def model_digest(folder):
    """SHA-256 over the lines "<sha256>  <name>" of config.json and the weight files, sorted by name."""
    lines = ""
    for path in sorted(folder.iterdir(), key=lambda p: p.name):
        if path.name == "config.json" or path.suffix == ".safetensors":
            lines += f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n"
    return hashlib.sha256(lines.encode()).hexdigest()


def handwritten():
    """[(path relative to the repository, text)]"""
    index = [json.loads(line) for line in (HANDWRITTEN / "index.jsonl").read_text().splitlines() if line.strip()]
    return [(str((HANDWRITTEN / e["file"]).relative_to(ROOT)), (HANDWRITTEN / e["file"]).read_text()) for e in index]


def hand_labels():
    """The categories that the handwritten documents belong to."""
    index = [json.loads(line) for line in (HANDWRITTEN / "index.jsonl").read_text().splitlines() if line.strip()]
    return sorted({e["label"] for e in index})


# Weights

def tensors(folder):
    """Every tensor of the model's files by name, in the order of the names."""
    found = {}
    for path in folder.glob("*.safetensors"):
        found.update(load_file(path))
    return dict(sorted(found.items()))


def is_quantized(name):
    return name.endswith(("q_proj.weight", "k_proj.weight", "v_proj.weight", "o_proj.weight",
                          ".w1.weight", ".w2.weight", ".w3.weight"))


class NF4:
    """One tensor in NF4 with double quantization.

    Packed codes, absmax, offset, map and nested absmax are bitsandbytes'. The 8-bit codes of the scales are the
    definition's (the entry of the map that lies nearest, an entry for every middle strictly below): the library's
    routine for CPUs looks them up in a table and is one step off now and then; its own are in `library_codes`.
    The tensor is flattened first: the library's dequantization for CPUs is wrong for rows that do not divide into blocks.
    """

    def __init__(self, weight):
        self.shape = weight.shape
        flat = weight.flatten()
        packed, state = bnb.quantize_4bit(flat, blocksize=BLOCK, compress_statistics=True, quant_type="nf4")
        _, plain = bnb.quantize_4bit(flat, blocksize=BLOCK, compress_statistics=False, quant_type="nf4")
        self.packed = packed.flatten()
        self.values = state.code
        self.absmax = plain.absmax
        self.offset = state.offset
        self.map = state.state2.code
        self.nested_absmax = state.state2.absmax
        self.library_codes = state.absmax
        self.state = state
        self.codes = self._nearest(lambda d, scale: d * (1 / scale))

    def _nearest(self, normalize):
        d = self.absmax - self.offset
        scale = self.nested_absmax.repeat_interleave(NESTED_BLOCK)[:d.numel()]
        return torch.searchsorted((self.map[1:] + self.map[:-1]) / 2, normalize(d, scale)).to(torch.uint8)

    def codes_by_division(self):
        return self._nearest(lambda d, scale: d / scale)

    def restored_absmax(self, codes=None):
        """Product rounded, then sum rounded."""
        codes = self.codes if codes is None else codes
        scale = self.nested_absmax.repeat_interleave(NESTED_BLOCK)[:codes.numel()]
        return self.map[codes.long()] * scale + self.offset

    def dequantized(self, codes=None):
        flat = bnb_default._dequantize_4bit_compute(self.packed, self.restored_absmax(codes), self.values, BLOCK,
                                                    (self.shape.numel(),), torch.float32)
        return flat.view(self.shape)


# Models

def attention_with_half_cache(module, query, key, value, *rest, **more):
    return eager_attention_forward(module, query, key.half().float(), value.half().float(), *rest, **more)


HALF_CACHE = "eager_half_cache"  # keys and values in 16 bits, as docket's batch engine keeps them
transformers.AttentionInterface.register(HALF_CACHE, attention_with_half_cache)
AttentionMaskInterface.register(HALF_CACHE, eager_mask)


def load(folder, attention="eager"):
    """Float32 arithmetic on the stored weights: every bf16 parameter is a float32 number, nothing else is rounded."""
    model = transformers.MixtralForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation=attention,
                                                            experts_implementation="eager")
    return model.eval()


@torch.no_grad()
def load_nf4(folder, attention="eager", library_scales=False):
    """The same with every q, k, v, o, w1, w2, w3 quantized by itself and put back."""
    model = load(folder, attention)
    for name, weight in tensors(folder).items():
        if not is_quantized(name):
            continue
        nf4 = NF4(weight)
        value = nf4.dequantized(nf4.library_codes if library_scales else None)
        layer = model.model.layers[int(name.split(".")[2])]
        if ".experts." in name:
            expert, which = name.split(".")[5:7]
            experts, expert, half = layer.mlp.experts, int(expert), value.shape[0]
            if which == "w2":
                target = experts.down_proj[expert]
            else:
                target = experts.gate_up_proj[expert][:half] if which == "w1" else experts.gate_up_proj[expert][half:]
        else:
            target = getattr(layer.self_attn, name.split(".")[4]).weight
        assert target.shape == value.shape, name
        target.copy_(value)
    return model


class Judge:
    """A model, and how near its routers came to choosing otherwise."""

    def __init__(self, model):
        self.model, self.closest = model, 1.0
        for layer in model.model.layers:
            layer.mlp.gate.register_forward_hook(self._watch)

    def _watch(self, router, _, output):
        p = output[0].float().softmax(-1).topk(router.top_k + 1, -1)[0]
        gap = (p[:, router.top_k - 1] - p[:, router.top_k]) / p[:, router.top_k - 1]
        self.closest = min(self.closest, gap.min().item())

    @torch.no_grad()
    def logits(self, ids):
        """[tokens, vocabulary] of every position, and the closest tie of a router on the way."""
        self.closest = 1.0
        out = self.model(input_ids=torch.tensor([ids]), use_cache=False).logits[0]
        return out, self.closest


def relative_l2(got, want):
    return ((got.double() - want.double()).norm() / want.double().norm()).item()


# docket

def docket(command, *flags, stdin=None):
    """What the program prints; anything but exit code 0 ends the comparison with its message."""
    program = os.environ.get("DOCKET", str(ROOT / "build/release/docket"))
    where = [] if command == "--version" else ["--model", str(snapshot())]
    done = subprocess.run([program, command, *where, *flags], input=stdin, capture_output=True, cwd=ROOT)
    if done.returncode != 0:
        sys.exit(f"docket {command}: exit code {done.returncode}: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout
