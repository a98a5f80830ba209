"""The numbers that the start-up self-test of a device expects: worker/model/selftest.c holds them as literals.

    python tests/golden/selftest.py          (numpy and bitsandbytes: tests/oracle/requirements.txt)

Inputs are small fractions made by rule, exact in every format; everything behind them is computed here in float64. Prints a
line for each check: linear in f32, nf4 and nested (three outputs, then the L2 norm of all), route (experts and
weights of each row), attention (three outputs, then the norm).
"""

import bitsandbytes.functional as bnb
import numpy as np
import torch


def grid(*sizes):
    return np.meshgrid(*(np.arange(n) for n in sizes), indexing="ij")


def show(name, picked, everything):
    print(name, [float(f"{v:.7g}") for v in picked], float(f"{np.sqrt((everything.astype(float) ** 2).sum()):.9g}"))


def linear(weight, x):
    def show_linear(name, w):
        out = x.astype(float) @ w.T.astype(float)
        show(name, (out[0, 0], out[1, 7], out[2, 31]), out)

    show_linear("f32", weight)
    for name, nested in (("nf4", False), ("nested", True)):
        packed, state = bnb.quantize_4bit(torch.tensor(weight).flatten(), compress_statistics=nested, quant_type="nf4", blocksize=64)
        show_linear(name, bnb.dequantize_4bit(packed, state).view(weight.shape).float().numpy())


def route(gate, x):
    logits = x.astype(float) @ gate.T.astype(float)
    p = np.exp(logits - logits.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    for row in p:
        two = np.argsort(-row, kind="stable")[:2]
        print("route", two, row[two] / row[two].sum())


def attention(n_tokens=5, n_heads=2, size=32, theta=10000):
    """Two query heads on one key/value head, causal, with RoPE (pairs i and i + size / 2)."""
    t, h, d = grid(n_tokens, n_heads, size)
    q = (((t * 7 + h * 5 + d * 3) % 19) - 9) / 8.0
    t, d = grid(n_tokens, size)
    k = (((t * 11 + d * 5) % 17) - 8) / 8.0
    v = (((t * 3 + d * 13) % 29) - 14) / 16.0
    frequency = np.array([1.0 / theta ** (2 * i / size) for i in range(size // 2)], dtype=np.float32).astype(float)

    def rotate(x, position):
        c, s = np.cos(position * frequency), np.sin(position * frequency)
        a, b = x[:size // 2], x[size // 2:]
        return np.concatenate([a * c - b * s, b * c + a * s])

    keys = np.stack([rotate(k[p], p) for p in range(n_tokens)])
    out = np.zeros((n_tokens, n_heads, size))
    for p in range(n_tokens):
        for head in range(n_heads):
            score = keys[:p + 1] @ rotate(q[p, head], p) / np.sqrt(size)
            weight = np.exp(score - score.max())
            out[p, head] = weight / weight.sum() @ v[:p + 1]
    show("attention", (out[1, 0, 3], out[4, 1, 17], out[3, 0, 31]), out)


def main():
    i, j = grid(32, 192)
    weight = (((i * 31 + j * 17) % 97) - 48).astype(np.float32) / 64
    i, j = grid(3, 192)
    x = (((i * 13 + j * 7) % 23) - 11).astype(np.float32) / 8
    linear(weight, x)
    route(weight[:8] / 8, x)
    attention()


if __name__ == "__main__":
    main()
