#!/usr/bin/env python3
"""The work of docket bench done by PyTorch and transformers, on the same device, in bf16 with random weights: prefill of one sequence, decoding,
documents behind a shared prefix (each computed whole: what generate-style code does), and the experts of one layer.

    tests/gpu/transformers_bench.py FILE [--shape mixtral-8x7b|mixtral-4-layers|mistral-7b|tiny] [--device cuda|cpu] [--seconds 2]

Prints a table and writes it as JSON to FILE. Exit code 4: PyTorch or transformers is not there, or not the device."""

import argparse
import json
import sys
import time

SHAPES = {
    "tiny": dict(layers=2, dim=128, ffn=192, vocab=512, heads=4, kv_heads=2, experts=4, used=2),
    "mistral-7b": dict(layers=32, dim=4096, ffn=14336, vocab=32000, heads=32, kv_heads=8, experts=0, used=0),
    "mixtral-4-layers": dict(layers=4, dim=4096, ffn=14336, vocab=32000, heads=32, kv_heads=8, experts=8, used=2),
    "mixtral-8x7b": dict(layers=32, dim=4096, ffn=14336, vocab=32000, heads=32, kv_heads=8, experts=8, used=2),
}
try:
    import torch
    import transformers
except ImportError as missing:
    print(f"not there: {missing}")
    sys.exit(4)


def parameters(s):
    head = s["dim"] // s["heads"]
    attention = s["dim"] * head * (2 * s["heads"] + 2 * s["kv_heads"])
    return 2 * s["vocab"] * s["dim"] + s["layers"] * (attention + 3 * s["dim"] * s["ffn"] * max(1, s["experts"]))


def build(name, device):
    s = SHAPES[name]
    common = dict(vocab_size=s["vocab"], hidden_size=s["dim"], intermediate_size=s["ffn"], num_hidden_layers=s["layers"],
                  num_attention_heads=s["heads"], num_key_value_heads=s["kv_heads"], max_position_embeddings=32768, sliding_window=None)
    if s["experts"]:
        config = transformers.MixtralConfig(num_local_experts=s["experts"], num_experts_per_tok=s["used"], **common)
        kind = transformers.MixtralForCausalLM
    else:
        config, kind = transformers.MistralConfig(**common), transformers.MistralForCausalLM
    config.tie_word_embeddings = False
    with torch.device("meta"):
        model = kind(config).to(torch.bfloat16)
    model.to_empty(device=device)
    with torch.no_grad():
        for weight in model.parameters():
            weight.fill_(1) if weight.dim() == 1 else weight.normal_(0, weight.shape[-1] ** -0.5)
        for module in model.modules():                                  # rotary tables are no parameters, and were emptied
            if hasattr(module, "inv_freq"):
                head = s["dim"] // s["heads"]
                frequencies = 1e4 ** -(torch.arange(0, head, 2, device=device, dtype=torch.float32) / head)
                module.inv_freq.copy_(frequencies)
    return model.eval(), s


class Bench:
    def __init__(self, name, device, seconds):
        self.device, self.seconds, self.rows = device, seconds, []
        self.model, self.shape = build(name, device)
        self.name = name

    def wait(self):
        if self.device == "cuda":
            torch.cuda.synchronize()

    def measure(self, step, what, unit, amount, work):
        try:
            work()
            self.wait()
            best, spent = float("inf"), 0.0
            while spent < self.seconds:
                begin = time.perf_counter()
                work()
                self.wait()
                took = time.perf_counter() - begin
                best, spent = min(best, took), spent + took
        except RuntimeError as failure:                                 # out of memory, say: the rest goes on
            self.rows.append({"step": step, "what": what, "problem": str(failure).splitlines()[0][:200]})
            print(f"{step:10} {what:44} not measured: {self.rows[-1]['problem']}")
            return
        self.rows.append({"step": step, "what": what, "problem": None, "unit": unit, "seconds": best, "rate": amount / best})
        print(f"{step:10} {what:44} {amount / best:12.2f} {unit}/s", flush=True)

    def tokens(self, rows, n):
        return torch.randint(0, self.shape["vocab"], (rows, n), device=self.device)

    def experts(self, rows):
        layer = self.model.model.layers[0]
        block = getattr(layer, "mlp", None) or layer.block_sparse_moe
        x = torch.randn((1, rows, self.shape["dim"]), device=self.device, dtype=torch.bfloat16)
        self.measure("experts", f"{rows} rows through {self.shape['used']} of {self.shape['experts']} experts", "tokens", rows, lambda: block(x))

    @torch.inference_mode()
    def all(self, prefill, decode, document, prefix):
        ids = self.tokens(1, prefill)
        self.measure("prefill", f"1 sequence of {prefill} tokens", "tokens", prefill, lambda: self.model(ids, logits_to_keep=1, use_cache=False))
        for together in (1, 8, 32):
            ids_now, context = self.tokens(together, 1), self.tokens(together, 64)

            def steps(ids_now=ids_now, context=context):
                cache = self.model(context, use_cache=True, logits_to_keep=1).past_key_values
                self.wait()
                begin = time.perf_counter()
                for _ in range(decode):
                    cache = self.model(ids_now, past_key_values=cache, use_cache=True).past_key_values
                self.wait()
                self.decoded = time.perf_counter() - begin
            best = [float("inf")]

            def timed(steps=steps, best=best):
                steps()
                best[0] = min(best[0], self.decoded)
            self.measure("decode", f"batch {together}, {decode} steps behind 64 tokens", "tokens", together * decode, timed)
            if self.rows[-1]["problem"] is None:                        # the context is not counted
                self.rows[-1].update(seconds=best[0], rate=together * decode / best[0])
                print(f"{'':10} {'  without its context':44} {together * decode / best[0]:12.2f} tokens/s")
        if self.shape["experts"]:
            self.experts(prefill)
        for n in (1, 8):
            ids_many = self.tokens(n, prefix + document)
            self.measure("documents", f"{n} of {document} tokens, prefix of {prefix} in each", "documents", n,
                         lambda ids_many=ids_many: self.model(ids_many, logits_to_keep=1, use_cache=False))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file")
    parser.add_argument("--shape", choices=list(SHAPES))
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--seconds", type=float, default=2.0)
    options = parser.parse_args()
    if options.device == "cuda" and not torch.cuda.is_available():
        print("this PyTorch sees no GPU")
        sys.exit(4)
    name = options.shape
    if name is None:
        free = torch.cuda.mem_get_info()[0] if options.device == "cuda" else 8 << 30
        name = next(shape for shape in ("mixtral-8x7b", "mixtral-4-layers", "tiny") if 2 * parameters(SHAPES[shape]) * 1.15 < free)
    tiny = name == "tiny"
    bench = Bench(name, options.device, options.seconds)
    device = torch.cuda.get_device_name() if options.device == "cuda" else "cpu"
    print(f"torch {torch.__version__}, transformers {transformers.__version__}, {name} in bf16 on {device}")
    bench.all(*((32, 2, 24, 16) if tiny else (512, 64, 1000, 300)))
    with open(options.file, "w", encoding="utf-8") as out:
        json.dump({"torch": torch.__version__, "transformers": transformers.__version__, "model": name, "device": device, "rows": bench.rows}, out,
                  indent=1)


if __name__ == "__main__":
    main()
