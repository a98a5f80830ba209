"""A GGUF file of a model's shape with random weights in Q4_0. Usage: random_gguf.py SHAPE FILE"""

import sys

import gguf
import numpy

SHAPES = {
    "tinyllama": dict(layers=22, dim=2048, ffn=5632, vocab=32000, heads=32, kv_heads=4, experts=0, used=0, theta=1e4, context=2048),
    "mixtral-4-layers": dict(layers=4, dim=4096, ffn=14336, vocab=32000, heads=32, kv_heads=8, experts=8, used=2, theta=1e6, context=32768),
}
BLOCK, BLOCK_BYTES = 32, 18              # an f16 scale and 32 codes


def weight(rng, *shape):
    """Blocks whose values have variance 1 / columns; a few megabytes of them, repeated."""
    n_blocks = int(numpy.prod(shape)) // BLOCK
    some = min(n_blocks, 1 << 18)
    blocks = rng.integers(0, 256, size=(some, BLOCK_BYTES), dtype=numpy.uint8)
    scale = 1 / (4.6 * shape[-1] ** 0.5) * rng.uniform(0.5, 1.5, size=some)
    blocks[:, :2] = scale.astype(numpy.float16).view(numpy.uint8).reshape(some, 2)
    whole = numpy.resize(blocks, (n_blocks, BLOCK_BYTES))
    return whole.reshape(*shape[:-1], shape[-1] // BLOCK * BLOCK_BYTES)


def main():
    name, path = sys.argv[1], sys.argv[2]
    s = SHAPES[name]
    rng = numpy.random.default_rng(1)
    out = gguf.GGUFWriter(path, "llama")
    head = s["dim"] // s["heads"]
    out.add_name(name)
    out.add_context_length(s["context"])
    out.add_embedding_length(s["dim"])
    out.add_block_count(s["layers"])
    out.add_feed_forward_length(s["ffn"])
    out.add_head_count(s["heads"])
    out.add_head_count_kv(s["kv_heads"])
    out.add_rope_dimension_count(head)
    out.add_rope_freq_base(s["theta"])
    out.add_layer_norm_rms_eps(1e-5)
    out.add_vocab_size(s["vocab"])
    out.add_tokenizer_model("no_vocab")
    if s["experts"]:
        out.add_expert_count(s["experts"])
        out.add_expert_used_count(s["used"])

    def add(tensor, *shape):
        out.add_tensor(tensor, weight(rng, *shape), raw_dtype=gguf.GGMLQuantizationType.Q4_0)

    def norm(tensor):
        out.add_tensor(tensor, numpy.ones(s["dim"], dtype=numpy.float32))

    add("token_embd.weight", s["vocab"], s["dim"])
    for layer in range(s["layers"]):
        block = f"blk.{layer}."
        norm(block + "attn_norm.weight")
        norm(block + "ffn_norm.weight")
        add(block + "attn_q.weight", s["dim"], s["dim"])
        add(block + "attn_k.weight", s["kv_heads"] * head, s["dim"])
        add(block + "attn_v.weight", s["kv_heads"] * head, s["dim"])
        add(block + "attn_output.weight", s["dim"], s["dim"])
        stack, tail = ((s["experts"],), "_exps") if s["experts"] else ((), "")
        if s["experts"]:
            router = rng.standard_normal((s["experts"], s["dim"])).astype(numpy.float32) / s["dim"] ** 0.5
            out.add_tensor(block + "ffn_gate_inp.weight", router)
        add(block + f"ffn_gate{tail}.weight", *stack, s["ffn"], s["dim"])
        add(block + f"ffn_up{tail}.weight", *stack, s["ffn"], s["dim"])
        add(block + f"ffn_down{tail}.weight", *stack, s["dim"], s["ffn"])
    norm("output_norm.weight")
    add("output.weight", s["vocab"], s["dim"])
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()


if __name__ == "__main__":
    main()
