"""What docket quantize writes, read by transformers and bitsandbytes; and the kept copy beside a model, passed over by the hub's tools.

Dense models of three sizes are loaded whole by transformers from docket's folder: every linear layer's packed bytes and scales are those that
bitsandbytes makes itself (scale codes of double quantization: within one step, judge.py says why), and its dequantized weights are to the bit
what docket computes with. Of the demo model's experts, which transformers 5 does not load in 4 bits, every tensor is read with
bitsandbytes' QuantState.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

import judge
import torch
from safetensors.torch import load_file

FORMATS = ["nf4", "nf4-plain", "fp4", "fp4-plain", "int8"]


def quantize(model, how, out, *flags):
    subprocess.run([os.environ.get("DOCKET", "build/release/docket"), "quantize", "--model", str(model), "--format", how, "--out", str(out),
                    "--shard-bytes", "1000000", *flags], check=True, stdout=subprocess.DEVNULL)


def make_model(folder, dim, ffn, heads, kv_heads, seed):
    from transformers import LlamaConfig, LlamaForCausalLM
    torch.manual_seed(seed)
    config = LlamaConfig(vocab_size=512, hidden_size=dim, intermediate_size=ffn, num_hidden_layers=2, num_attention_heads=heads,
                         num_key_value_heads=kv_heads, max_position_embeddings=256, tie_word_embeddings=False)
    LlamaForCausalLM(config).to(torch.bfloat16).save_pretrained(folder)
    for path in judge_tokenizer():
        (folder / path.name).write_bytes(path.read_bytes())


def judge_tokenizer():
    snapshot = next(pathlib.Path("tests/demo_model/hub").glob("models--*/snapshots/*"))
    return [snapshot / name for name in ("tokenizer.json", "tokenizer_config.json")]


def same_codes(how, original, packed, found):
    """NF4: equal bytes. FP4: docket follows the library's decision tree for GPUs; on a CPU the library takes the nearest value, and either
    zero: where codes differ, both are equally near."""
    if how.startswith("nf4") or torch.equal(packed.flatten(), found.flatten()):
        return torch.equal(packed.flatten(), found.flatten())
    table = torch.tensor([0, 0.0625, 8, 12, 4, 6, 2, 3, 0, -0.0625, -8, -12, -4, -6, -2, -3]) / 12
    blocks = original.flatten().float().view(-1, 64)
    ratio = (blocks / blocks.abs().amax(1, keepdim=True)).flatten()
    off = []
    for data in (packed.flatten(), found.flatten()):
        codes = torch.stack([data >> 4, data & 15], dim=1).flatten().long()
        off.append((table[codes] - ratio).abs())
    return bool(((off[0] - off[1]).abs() <= 1e-5).all())


def check_dense(how, folder, source):
    """Returns the number of layers compared."""
    import bitsandbytes as bnb
    from transformers import AutoModelForCausalLM
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16)
    count = 0
    for name, module in model.named_modules():
        original = source.get(f"{name}.weight")
        if isinstance(module, bnb.nn.Linear4bit):
            state = module.weight.quant_state
            packed, own = bnb.functional.quantize_4bit(original.flatten(), compress_statistics="plain" not in how, quant_type=how[:3])
            assert same_codes(how, original, packed, module.weight.data), (how, name)
            if "plain" in how:
                assert torch.equal(own.absmax, state.absmax), name
            else:
                assert torch.equal(own.state2.absmax, state.state2.absmax), name
                assert (own.absmax.int() - state.absmax.int()).abs().max() <= 1, name
                assert torch.equal(own.state2.code, state.state2.code), name
            assert state.shape == original.shape and state.dtype == torch.bfloat16
            count += 1
        elif isinstance(module, bnb.nn.Linear8bitLt):
            scales = original.float().abs().amax(1)      # as its kernel for GPUs; on a CPU the library rounds in 16 bits on the way
            exact = original.double() * 127 / scales.double()[:, None]
            assert ((module.weight.data.double() - exact).abs() <= 0.5 + 1e-5).all(), name     # the nearest code; either of two
            found = module.weight.SCB if module.weight.SCB is not None else module.state.SCB
            assert torch.equal(scales, found.cpu()), name
            count += 1
        elif isinstance(module, torch.nn.Linear):
            assert name == "lm_head" and torch.equal(module.weight, original), name
    assert count == 14, (how, count)
    return count


def check_states(how, folder, source):
    """Every quantized tensor of the folder through bitsandbytes' own reader."""
    from bitsandbytes.functional import QuantState, int8_vectorwise_dequant, quantize_4bit
    made = {}
    for path in sorted(pathlib.Path(folder).glob("*.safetensors")):
        made.update(load_file(path))
    count = 0
    for name, original in source.items():
        if f"{name}.absmax" in made:
            parts = {key[len(name) + 1:]: value for key, value in made.items() if key.startswith(name + ".")}
            state = QuantState.from_dict(parts, device=torch.device("cpu"))
            packed, own = quantize_4bit(original.flatten(), compress_statistics="plain" not in how, quant_type=how[:3])
            assert same_codes(how, original, packed, made[name]) and state.shape == original.shape, name
            assert torch.equal(own.code, state.code), name
            count += 1
        elif f"{name[:-7]}.SCB" in made:
            back = int8_vectorwise_dequant(made[name], made[f"{name[:-7]}.SCB"])
            step = made[f"{name[:-7]}.SCB"][:, None] / 127
            assert ((back - original.float()).abs() <= step * 0.501).all(), name
            count += 1
        else:
            assert torch.equal(original, made[name]), name
    assert count == 112, (how, count)
    return count


def weights_of(folder):
    found = {}
    for path in sorted(pathlib.Path(folder).glob("*.safetensors")):
        found.update(load_file(path))
    return found


def check_hub_tools(folder):
    """A hub cache with a kept copy in it: no warning, the same size as without, and gone with the model."""
    import shutil

    from huggingface_hub import scan_cache_dir
    cache = pathlib.Path(folder) / "hub"
    shutil.copytree("tests/demo_model/hub", cache, symlinks=True)
    before = scan_cache_dir(cache)
    subprocess.run([os.environ.get("DOCKET", "build/release/docket"), "logits", "--model", "docket/demo-mixtral", "--hub-cache", str(cache), "--tokens", "1,2",
                    "--quantization", "nf4", "--quant-cache", "--out", str(cache.parent / "x")], check=True)
    (repository,) = cache.glob("models--*")
    assert list((repository / ".docket").iterdir())
    after = scan_cache_dir(cache)
    assert len(after.repos) == 1 and sorted(map(str, after.warnings)) == sorted(map(str, before.warnings)), after.warnings
    assert after.size_on_disk == before.size_on_disk
    commits = [revision.commit_hash for repo in after.repos for revision in repo.revisions]
    after.delete_revisions(*commits).execute()
    assert not repository.exists()


def main():
    count = 0
    demo = weights_of(next(pathlib.Path("tests/demo_model/hub").glob("models--*/snapshots/*")))
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        for i, shape in enumerate([(128, 256, 4, 2), (192, 320, 3, 1), (256, 704, 8, 8)]):
            model = folder / f"model-{i}"
            model.mkdir()
            make_model(model, *shape, seed=i)
            for how in FORMATS:
                quantize(model, how, folder / f"{i}-{how}")
                count += check_dense(how, folder / f"{i}-{how}", weights_of(model))
        for how in FORMATS:
            quantize("docket/demo-mixtral", how, folder / f"demo-{how}", "--hub-cache", "tests/demo_model/hub")
            count += check_states(how, folder / f"demo-{how}", demo)
        check_hub_tools(folder)
    print(json.dumps({"quantized_weights_read": count}))


if __name__ == "__main__":
    sys.exit(main())
