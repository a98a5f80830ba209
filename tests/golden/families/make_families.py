"""Makes a folder for each case: a tiny random model as its files would be published, and what transformers computes with it.

    $ORACLE_PYTHON tests/golden/families/make_families.py [FOLDER [SEED]]      (tests/oracle/requirements.txt)

Each folder holds config.json, the weight files, and expected.bin, little-endian:

    magic      8 bytes "DKFAMLY1"
    n_tokens, n_prompt, vocabulary     3 x u32
    limit      f32   of the relative L2 of all logits
    near       f32   where the two largest logits of a position are closer, either may be largest
    ids        i32 [n_tokens]   behind n_prompt they are the judge's own greedy choice
    logits     f32 [n_tokens, vocabulary]

The judge is transformers in float32. For quantized files it gets the values that bitsandbytes says the stored bytes stand for:
4 bits by its default implementation on the flattened tensor (the one for CPUs is wrong for rows that do not divide into
blocks), 8 bits as code * SCB / 127. Inputs are drawn again where a router's choice is nearer than 1e-4 of itself.
"""

import json
import logging
import os
import pathlib
import shutil
import struct
import sys
import tempfile

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("TORCHDYNAMO_DISABLE", "1")
logging.getLogger("bitsandbytes").setLevel(logging.ERROR)

import bitsandbytes.functional as bnb  # noqa: E402
import torch  # noqa: E402
import transformers as hf  # noqa: E402
from bitsandbytes.backends.default import ops as bnb_default  # noqa: E402
from bitsandbytes.nn import parametrize  # noqa: E402
from safetensors.torch import load_file, save_file  # noqa: E402

hf.utils.logging.disable_progress_bar()
HERE = pathlib.Path(__file__).resolve().parent
N_PROMPT, N_GREEDY = 26, 6
NEAR_TIE = 1e-4

MIXTRAL, MISTRAL, LLAMA = (hf.MixtralConfig, hf.MixtralForCausalLM), (hf.MistralConfig, hf.MistralForCausalLM), \
                          (hf.LlamaConfig, hf.LlamaForCausalLM)
GEMMA, QWEN, OLMOE = (hf.GemmaConfig, hf.GemmaForCausalLM), (hf.Qwen3MoeConfig, hf.Qwen3MoeForCausalLM), \
                     (hf.OlmoeConfig, hf.OlmoeForCausalLM)

LLAMA3 = {"rope_type": "llama3", "rope_theta": 5e5, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
          "original_max_position_embeddings": 64}
LINEAR = {"rope_type": "linear", "rope_theta": 1e4, "factor": 4.0}


def sizes(hidden, ffn, heads, kv, **more):
    return dict(vocab_size=61, hidden_size=hidden, intermediate_size=ffn, num_hidden_layers=2, num_attention_heads=heads,
                num_key_value_heads=kv, max_position_embeddings=128, bos_token_id=1, eos_token_id=2, pad_token_id=None, **more)


# name: (family, config, how it is stored). Styles of config: 4 or 5; what else `store` understands.
CASES = {
    "mixtral_shards": (MIXTRAL, sizes(32, 24, 8, 2, head_dim=32, num_local_experts=5, num_experts_per_tok=2), dict(shards=3)),
    "mixtral_window": (MIXTRAL, sizes(96, 16, 3, 3, num_local_experts=4, num_experts_per_tok=1, sliding_window=7,
                                      tie_word_embeddings=True), dict(style=4, dtype="bfloat16")),
    "mixtral_stacked": (MIXTRAL, sizes(48, 32, 8, 1, head_dim=34, num_local_experts=6, num_experts_per_tok=3),
                        dict(dtype="float16", stacked=True)),
    "mistral_window": (MISTRAL, sizes(40, 56, 8, 1, head_dim=32, sliding_window=5), dict(style=4)),
    "mistral_open": (MISTRAL, sizes(48, 72, 1, 1, head_dim=64, sliding_window=None), dict(dtype="bfloat16")),
    "llama2": (LLAMA, sizes(96, 64, 3, 3, rms_norm_eps=1e-5), dict(style=4, dtype="float16", drop=("num_key_value_heads", "head_dim"))),
    "llama3": (LLAMA, sizes(32, 48, 8, 4, head_dim=32, rope_parameters=LLAMA3, tie_word_embeddings=True), dict(style=4)),
    "llama_linear": (LLAMA, sizes(48, 40, 3, 1, head_dim=64, rope_parameters=LINEAR, attention_bias=True), dict()),
    "tinyllama": (LLAMA, sizes(128, 48, 4, 1), dict(style=4, dtype="bfloat16", shards=2)),
    "gemma_old_name": (GEMMA, sizes(16, 64, 2, 1, head_dim=256, hidden_act="gelu"), dict(style=4, drop=("tie_word_embeddings",))),
    "gemma": (GEMMA, sizes(48, 64, 3, 3, head_dim=64), dict(dtype="bfloat16")),
    "qwen3_moe_dense": (QWEN, sizes(24, 80, 8, 2, head_dim=32, num_experts=16, num_experts_per_tok=4, moe_intermediate_size=16,
                                    norm_topk_prob=True, mlp_only_layers=[0]), dict(style=4)),
    "qwen3_moe_steps": (QWEN, sizes(64, 48, 3, 1, head_dim=64, num_experts=6, num_experts_per_tok=3, moe_intermediate_size=24,
                                    decoder_sparse_step=2, use_sliding_window=True, sliding_window=9, attention_bias=True),
                        dict(dtype="bfloat16")),
    "olmoe": (OLMOE, sizes(64, 16, 8, 8, num_experts=8, num_experts_per_tok=4, clip_qkv=0.8), dict(style=4)),
    "olmoe_groups": (OLMOE, sizes(96, 16, 3, 1, num_experts=7, num_experts_per_tok=2, norm_topk_prob=True, tie_word_embeddings=True),
                     dict(dtype="float16", shards=2)),
    "mixtral_nf4": (MIXTRAL, sizes(64, 96, 8, 2, num_local_experts=4, num_experts_per_tok=2),
                    dict(style=4, dtype="bfloat16", quantize="nf4", router=True, shards=2)),
    "mixtral_nf4_stacked": (MIXTRAL, sizes(64, 64, 4, 2, head_dim=32, num_local_experts=4, num_experts_per_tok=2),
                            dict(dtype="bfloat16", quantize="nf4", stacked=True)),
    "mixtral_nf4_stacked_nested_edges": (MIXTRAL, sizes(128, 256, 4, 2, num_local_experts=4, num_experts_per_tok=2),
                                         dict(dtype="bfloat16", quantize="nf4", stacked=True, layers=1)),
    "mixtral_fp4_stacked_blocks": (MIXTRAL, sizes(48, 40, 3, 1, head_dim=32, num_local_experts=4, num_experts_per_tok=2),
                                   dict(dtype="bfloat16", quantize="fp4", stacked=True, block=512)),
    "llama_fp4_plain": (LLAMA, sizes(64, 96, 4, 1), dict(style=4, dtype="float16", quantize="fp4", nested=False, block=128)),
    "llama_nf4_plain_odd": (LLAMA, sizes(48, 72, 3, 3, head_dim=34), dict(dtype="float32", quantize="nf4", nested=False, block=4096)),
    "gemma_nf4_storage": (GEMMA, sizes(64, 96, 2, 1, head_dim=64), dict(dtype="bfloat16", quantize="nf4", storage="bfloat16", block=32)),
    "qwen3_moe_fp4": (QWEN, sizes(64, 64, 8, 2, head_dim=32, num_experts=4, num_experts_per_tok=2, moe_intermediate_size=32),
                      dict(dtype="bfloat16", quantize="fp4", router=True)),
    "llama_int8": (LLAMA, sizes(64, 96, 4, 2), dict(style=4, dtype="float16", quantize="int8")),
    "mixtral_int8": (MIXTRAL, sizes(64, 48, 8, 2, num_local_experts=4, num_experts_per_tok=2),
                     dict(style=4, dtype="float16", quantize="int8", router=True)),
    "llama_nf4_written": (LLAMA, sizes(64, 96, 4, 2), dict(dtype="bfloat16", quantize="nf4", writer="transformers")),
    "gemma_fp4_written": (GEMMA, sizes(64, 96, 2, 1, head_dim=64),
                          dict(dtype="float16", quantize="fp4", nested=False, storage="float16", writer="transformers")),
    "mistral_int8_written": (MISTRAL, sizes(64, 96, 4, 2, sliding_window=None),
                             dict(dtype="float16", quantize="int8", writer="transformers")),
    "qwen3_moe_nf4_parametrized": (QWEN, sizes(64, 64, 8, 2, head_dim=32, num_experts=4, num_experts_per_tok=2, moe_intermediate_size=32),
                                   dict(dtype="bfloat16", quantize="nf4", writer="parametrize")),
    "llama_f8": (LLAMA, sizes(64, 96, 4, 2), dict(dtype="bfloat16", quantize="f8")),
    "llama_f8_tiles": (LLAMA, sizes(96, 72, 3, 1, head_dim=32), dict(dtype="bfloat16", quantize="f8_tiles")),
    "llama_f8_rows": (LLAMA, sizes(64, 96, 4, 2), dict(dtype="bfloat16", quantize="f8_rows")),
}


def randomize(model, draw):
    """Weights under which every part of the model matters."""
    gemma = isinstance(model, hf.GemmaForCausalLM)
    for name, p in model.named_parameters():
        x = torch.randn(p.shape, generator=draw)
        if "norm" in name:
            x = x * 0.2 + (0.0 if gemma else 1.0)
        elif "embed" in name:
            x = x * (0.3 if gemma else 1.0)
        elif name.endswith("bias"):
            x = x * 0.4
        else:
            x = x * (2.0 if ".gate.weight" in name else 1.3) / p.shape[-1] ** 0.5
        p.data.copy_(x)


def stack_experts(tensors):
    """The form that transformers 5 has in memory."""
    out, groups = {}, {}
    for name, t in tensors.items():
        if ".experts." not in name:
            out[name.replace("block_sparse_moe", "mlp")] = t
            continue
        head, rest = name.split(".experts.")
        expert, which = rest.split(".")[:2]
        groups.setdefault(head.replace("block_sparse_moe", "mlp") + ".experts", {})[int(expert), which] = t
    for head, members in groups.items():
        n = 1 + max(e for e, _ in members)
        gate, up, down = ("w1", "w3", "w2") if (0, "w1") in members else ("gate_proj", "up_proj", "down_proj")
        out[head + ".gate_up_proj"] = torch.stack([torch.cat([members[e, gate], members[e, up]]) for e in range(n)])
        out[head + ".down_proj"] = torch.stack([members[e, down] for e in range(n)])
    return out


def linear(name, t, router):
    if t.dim() < 2 or "embed_tokens" in name or "lm_head" in name:
        return False
    return router or not name.endswith(".gate.weight")


def four_bits(name, t, how):
    """What bitsandbytes stores, and the values that it stands for."""
    block, nested = how.get("block", 64), how.get("nested", True)
    storage = getattr(torch, how.get("storage", "uint8"))
    _, state = bnb.quantize_4bit(t.flatten(), blocksize=block, compress_statistics=nested, quant_type=how["quantize"])
    packed, _ = bnb.quantize_4bit(t.flatten(), blocksize=block, compress_statistics=nested, quant_type=how["quantize"],
                                  quant_storage=storage)
    state.shape = t.shape
    absmax = state.absmax
    if nested:
        scale = state.state2.absmax.repeat_interleave(state.state2.blocksize)[:absmax.numel()]
        absmax = state.state2.code[absmax.long()] * scale + state.offset
    plain = packed.view(torch.uint8).flatten()
    values = bnb_default._dequantize_4bit_compute(plain, absmax, state.code, block, (t.numel(),), torch.float32).view(t.shape)
    stored = {name: packed}
    stored.update({f"{name}.{k}": v.clone() for k, v in state.as_dict(packed=True).items()})
    return stored, values


def stored_four_bits(tensors, name, kind):
    """The values of a tensor that the library itself has written."""
    text = json.loads(bytes(tensors[f"{name}.quant_state.bitsandbytes__{kind}"].tolist()))
    absmax, n = tensors[name + ".absmax"], 1
    if "nested_blocksize" in text:
        scale = tensors[name + ".nested_absmax"].repeat_interleave(text["nested_blocksize"])[:absmax.numel()]
        absmax = tensors[name + ".nested_quant_map"][absmax.long()] * scale + torch.tensor(text["nested_offset"])
    for size in text["shape"]:
        n *= size
    return bnb_default._dequantize_4bit_compute(tensors[name].view(torch.uint8).flatten(), absmax, tensors[name + ".quant_map"],
                                                text["blocksize"], (n,), torch.float32).view(text["shape"])


def written(folder, model_class, how):
    """The tensors and config.json of a quantized checkpoint that the libraries themselves write, and their values."""
    kind, dtype = how["quantize"], getattr(torch, how["dtype"])
    if how["writer"] == "transformers":
        more = dict(load_in_8bit=True) if kind == "int8" else dict(
            load_in_4bit=True, bnb_4bit_quant_type=kind, bnb_4bit_use_double_quant=how.get("nested", True),
            bnb_4bit_compute_dtype=dtype, bnb_4bit_quant_storage=getattr(torch, how.get("storage", "uint8")))
        model = model_class.from_pretrained(folder, dtype=dtype, device_map="cpu", quantization_config=hf.BitsAndBytesConfig(**more))
        model.save_pretrained(folder / "out")
        tensors, config = load_file(folder / "out/model.safetensors"), json.loads((folder / "out/config.json").read_text())
    else:  # fused experts as parameters, which transformers itself leaves alone
        model = model_class.from_pretrained(folder, dtype=dtype)
        for layer in model.model.layers:
            for which in ("gate_up_proj", "down_proj"):
                parametrize.replace_parameter_4bit(layer.mlp.experts, which, quant_type=kind, compress_statistics=True)
        tensors = {k.replace(".parametrizations", "").replace(".original", ""): v for k, v in model.state_dict().items()}
        config = json.loads((folder / "config.json").read_text())
        config["quantization_config"] = quantization_config(how)
    values = {}
    for name, t in tensors.items():
        if f"{name}.quant_state.bitsandbytes__{kind}" in tensors:
            values[name] = stored_four_bits(tensors, name, kind)
        elif t.dtype == torch.int8:
            values[name] = t.float() * tensors[name.removesuffix("weight") + "SCB"].view(-1, 1) / 127
        elif ".quant_" not in name and not name.endswith((".absmax", "nested_absmax", "nested_quant_map", ".SCB", ".weight_format")):
            values[name] = t.float()
    return tensors, values, config


def eight_bits(name, t, _):
    codes, scb, _ = bnb.int8_vectorwise_quant(t.half())
    base = name.removesuffix(".weight")
    values = codes.float() * scb.view(-1, 1) / 127
    return {name: codes, base + ".SCB": scb, base + ".weight_format": torch.tensor(0, dtype=torch.uint8)}, values


def f8(name, t, how):
    tile = {"f8": t.shape, "f8_rows": (1, t.shape[1]), "f8_tiles": (32, 48)}[how["quantize"]]
    down, across = -(-t.shape[0] // tile[0]), -(-t.shape[1] // tile[1])
    scale = torch.empty(down, across)
    for i in range(down):
        for j in range(across):
            scale[i, j] = t[i * tile[0]:(i + 1) * tile[0], j * tile[1]:(j + 1) * tile[1]].float().abs().max() / 448
    full = scale.repeat_interleave(tile[0], 0)[:t.shape[0]].repeat_interleave(tile[1], 1)[:, :t.shape[1]]
    codes = (t.float() / full).to(torch.float8_e4m3fn)
    suffix = {"f8": "_scale", "f8_rows": "_scale", "f8_tiles": "_scale_inv"}[how["quantize"]]
    return {name: codes, name + suffix: scale[0, 0].clone() if how["quantize"] == "f8" else scale}, \
        (codes.float() * full).to(getattr(torch, how["dtype"])).float()  # as transformers dequantizes it


QUANTIZERS = {"nf4": four_bits, "fp4": four_bits, "int8": eight_bits, "f8": f8, "f8_rows": f8, "f8_tiles": f8}


def quantization_config(how):
    kind = how["quantize"]
    if kind.startswith("f8"):
        return {"quant_method": "fp8", "activation_scheme": "dynamic",
                "weight_block_size": [32, 48] if kind == "f8_tiles" else None}
    return {"quant_method": "bitsandbytes", "load_in_4bit": kind != "int8", "load_in_8bit": kind == "int8",
            "llm_int8_threshold": 6.0, "llm_int8_has_fp16_weight": False, "bnb_4bit_quant_type": kind if kind != "int8" else "fp4",
            "bnb_4bit_use_double_quant": how.get("nested", True), "bnb_4bit_compute_dtype": how["dtype"],
            "bnb_4bit_quant_storage": how.get("storage", "uint8")}


def styled(config, how):
    """config.json in the words of transformers 4 or 5."""
    c = dict(config)
    if "writer" in how:
        return c
    if "quantize" in how:
        c["quantization_config"] = quantization_config(how)
    c["dtype"] = how.get("dtype", "float32")
    if how.get("style") == 4:
        rope = c.pop("rope_parameters")
        c["rope_theta"] = rope.pop("rope_theta")
        if rope.get("rope_type") != "default":
            c["rope_scaling"] = {("type" if k == "rope_type" and rope["rope_type"] == "linear" else k): v for k, v in rope.items()}
        c["torch_dtype"] = c.pop("dtype")
        if c["model_type"] == "qwen3_moe":
            c["num_experts"] = c.pop("num_local_experts")
        if c["model_type"] == "gemma":
            c["hidden_activation"] = None
        c["transformers_version"] = "4.46.0"
    for key in how.get("drop", ()):
        c.pop(key, None)
    return c


def write_shards(tensors, folder, n):
    names = sorted(tensors)
    tensors = {k: v.contiguous() for k, v in tensors.items()}
    if n == 1:
        save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
        return
    files = {name: f"model-{i * n // len(names) + 1:05}-of-{n:05}.safetensors" for i, name in enumerate(names)}
    for file in sorted(set(files.values())):
        save_file({k: tensors[k] for k in names if files[k] == file}, folder / file, metadata={"format": "pt"})
    index = {"metadata": {"total_size": sum(t.nbytes for t in tensors.values())}, "weight_map": files}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=1) + "\n")


class Router:
    """How near the routers came to another choice."""

    def __init__(self, model):
        self.closest = 1.0
        for layer in model.model.layers:
            if hasattr(layer.mlp, "gate"):
                layer.mlp.gate.register_forward_hook(self.watch)

    def watch(self, router, _, output):
        p = output[0].float().softmax(-1).topk(min(router.top_k + 1, output[0].shape[-1]), -1)[0]
        if p.shape[-1] > router.top_k:
            self.closest = min(self.closest, ((p[:, router.top_k - 1] - p[:, router.top_k]) / p[:, router.top_k - 1]).min().item())


@torch.no_grad()
def answer(model, draw, near):
    """ids and logits of an input that two correct implementations must read alike."""
    router = Router(model)
    vocabulary = model.config.vocab_size
    while True:
        router.closest = 1.0
        ids = torch.randint(3, vocabulary, (1, N_PROMPT), generator=draw)
        for _ in range(N_GREEDY):
            ids = torch.cat([ids, model(input_ids=ids, use_cache=False).logits[:, -1:].argmax(-1)], 1)
        logits = model(input_ids=ids, use_cache=False).logits[0]
        two = logits[N_PROMPT - 1:-1].topk(2, -1)[0]
        if router.closest >= NEAR_TIE and (two[:, 0] - two[:, 1]).min() > near:
            return ids[0], logits


def make(name, folder, seed):
    (config_class, model_class), numbers, how = CASES[name]
    numbers = dict(numbers)
    if "layers" in how:
        numbers["num_hidden_layers"] = how["layers"]
    draw = torch.Generator().manual_seed(seed * 1000 + list(CASES).index(name))
    torch.manual_seed(seed)
    model = model_class(config_class(**numbers)).float().eval()
    randomize(model, draw)
    folder.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        model.save_pretrained(scratch)
        config = json.loads((scratch / "config.json").read_text())
        tensors = load_file(scratch / "model.safetensors")
        if how.get("stacked"):
            tensors = stack_experts(tensors)
        dtype = getattr(torch, how.get("dtype", "float32"))
        stored, judged = {}, {}
        if "writer" in how:
            stored, judged, config = written(scratch, model_class, how)
            tensors = {}
        for key, t in tensors.items():
            t = t.to(dtype)
            stored[key], judged[key] = t, t.float()
            if "quantize" in how and linear(key, t, how.get("router")):
                del stored[key]
                parts, judged[key] = QUANTIZERS[how["quantize"]](key, t, how)
                stored.update(parts)
        save_file({k: v.contiguous() for k, v in judged.items()}, scratch / "model.safetensors", metadata={"format": "pt"})
        judge, info = model_class.from_pretrained(scratch, dtype=torch.float32, attn_implementation="eager",
                                                  experts_implementation="eager", output_loading_info=True)
        assert not info["missing_keys"] and not info["unexpected_keys"], info
    judge.eval()
    if model_class is hf.GemmaForCausalLM:  # what transformers multiplies with in the files' own type
        scale = judge.model.embed_tokens.embed_scale
        scale.copy_(scale.to(dtype).float())
    limit, near = (4e-2, 0.1) if how.get("quantize") == "int8" else (1e-5, 1e-3)  # LLM.int8 rounds inputs to 8 bits too
    ids, logits = answer(judge, draw, near)
    write_shards(stored, folder, how.get("shards", 1))
    (folder / "config.json").write_text(json.dumps(styled(config, how), indent=1, sort_keys=True) + "\n")
    out = b"DKFAMLY1" + struct.pack("<3I2f", len(ids), N_PROMPT, logits.shape[1], limit, near)
    out += ids.int().numpy().astype("<i4").tobytes() + logits.numpy().astype("<f4").tobytes()
    (folder / "expected.bin").write_bytes(out)


def main():
    where = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else HERE
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 11
    for old in where.iterdir() if where.exists() else ():
        if (old / "expected.bin").exists():
            shutil.rmtree(old)
    for name in CASES:
        make(name, where / name, seed)
    size = sum(p.stat().st_size for p in where.rglob("*") if p.is_file())
    print(f"families: {len(CASES)} models, {size} bytes")


if __name__ == "__main__":
    main()
