"""NF4, FP4 (nested and plain) and int8 of the kernels' library against bitsandbytes, on random weights of many kinds.

    python formats.py LIBRARY [MILLIONS] [SEED]       build/release/lib/libdocket_kernels.so, 52 million weights a format

Bit-equal must be: packed codes, absmax, offset, nested absmax and map, the values that come back, int8's codes and scales. Three
things the library does otherwise on a CPU than on a GPU, whose arithmetic is the definition; they are judged by a restatement
of that, and counted: 8-bit codes of nested scales (a table that is one step off now and then), FP4's decision limits (middles
instead of the tree's literals, another side of ties, the sign of zeros), and a short last block (a division instead of a product
with the reciprocal). The values that it must restate lie next to a limit; that is checked for each of them.
"""

import ctypes
import sys

import judge
import torch
from bitsandbytes import functional
from bitsandbytes.backends.default import ops

FORMATS = {"nf4": 3, "nf4_nested": 4, "fp4": 5, "fp4_nested": 6, "int8": 7}
TREE = torch.tensor([0.00260417, 0.0859375, 0.20833333, 0.29166667, 0.4166667, 0.583333, 0.8333333])
TREE_CODES = torch.tensor([0, 1, 6, 7, 4, 5, 2, 3], dtype=torch.uint8)
BLOCK, NESTED_BLOCK = 64, 256
PARTS = ["codes", "absmax", "absmax_codes", "nested_absmax", "nested_map", "offset", "scales", "zeros"]


class Desc(ctypes.Structure):
    _fields_ = [("format", ctypes.c_int), ("rows", ctypes.c_size_t), ("cols", ctypes.c_size_t)]


class Parts(ctypes.Structure):
    _fields_ = [(p, ctypes.c_float if p == "offset" else ctypes.c_void_p) for p in PARTS] + [("block_size", ctypes.c_uint32)]


class Error(ctypes.Structure):
    _fields_ = [("code", ctypes.c_int), ("message", ctypes.c_char * 256)]


def check(status, error):
    if status != 0:
        raise SystemExit(f"docket: {error.message.decode()}")


def quantize(library, name, weight):
    """docket's parts of a float32 weight [rows, cols], and the values that they hold."""
    rows, cols = weight.shape
    n, blocks = rows * cols, -(-rows * cols // BLOCK)
    nested, int8 = name.endswith("nested"), name == "int8"
    out = {"codes": torch.empty(n if int8 else (n + 1) // 2, dtype=torch.uint8)}
    if nested:
        out |= {"absmax_codes": torch.empty(blocks, dtype=torch.uint8), "nested_map": torch.empty(256),
                "nested_absmax": torch.empty(-(-blocks // NESTED_BLOCK))}
    else:
        out["absmax"] = torch.empty(rows if int8 else blocks)
    desc, error, parts = Desc(FORMATS[name], rows, cols), Error(), Parts()
    for key, tensor in out.items():
        setattr(parts, key, tensor.data_ptr())
    source, back = weight.contiguous(), torch.empty(rows, cols)
    pointers = ctypes.byref(desc), ctypes.byref(parts), ctypes.byref(error)
    check(library.docket_quantize(pointers[0], ctypes.c_void_p(source.data_ptr()), pointers[1], pointers[2]), error)
    check(library.docket_dequantize(pointers[0], pointers[1], ctypes.c_void_p(back.data_ptr()), pointers[2]), error)
    if nested:
        out["offset"] = torch.tensor(parts.offset)
    return out, back


def same(a, b):
    a, b = a.contiguous().reshape(-1), b.contiguous().reshape(-1)
    return a.dtype == b.dtype and a.shape == b.shape and torch.equal(a.view(torch.uint8), b.view(torch.uint8))


def unpack(packed, n):
    return torch.stack([packed >> 4, packed & 15], 1).flatten()[:n]


class Judge:
    def __init__(self):
        self.weights, self.restated, self.scale_codes, self.failures = {}, {}, 0, []

    def expect(self, name, kind, what, good):
        if not good:
            self.failures.append(f"{name}, {kind}: {what} differ")

    def codes_4bit(self, name, kind, flat, packed, absmax):
        """The library's codes with those restated that its CPU routine chooses otherwise; each of them must be a near tie."""
        codes = unpack(packed, flat.numel())
        scale = absmax.clamp(min=1e-38).repeat_interleave(BLOCK)[:flat.numel()]
        x = flat * (1 / scale)
        if name.startswith("fp4"):
            ours = TREE_CODES[torch.searchsorted(TREE, x.abs())] + 8 * (x < 0).to(torch.uint8)
            limits = torch.cat([-TREE, TREE])
        else:
            values = functional.get_4bit_type("nf4", device="cpu")
            limits = (values[1:] + values[:-1]) / 2
            ours = codes.clone()                    # but for the short block, where the library divides
            tail = flat.numel() // BLOCK * BLOCK
            ours[tail:] = torch.bucketize(x[tail:], limits).to(torch.uint8)
        other = (ours != codes).nonzero().flatten()
        at = x[other]
        near = (at[:, None] - limits).abs().min(1)[0] < 1e-6 if len(other) else torch.ones(0, dtype=torch.bool)
        zero = (codes[other] & 7 == 0) & (ours[other] & 7 == 0) if name.startswith("fp4") else torch.zeros_like(near)
        self.expect(name, kind, "codes away from a limit", bool((near | zero).all()))
        self.restated[name] = self.restated.get(name, 0) + int((near & ~zero).sum())
        return ours

    def four_bits(self, library, name, kind, weight, dtype):
        flat = weight.flatten()
        quant_type = name.split("_")[0]
        packed, state = functional.quantize_4bit(flat.to(dtype), blocksize=BLOCK, quant_type=quant_type)
        absmax = state.absmax.float()
        got, back = quantize(library, name, weight)
        if flat.numel() % BLOCK:    # a short last block gets at least 1e-38 for its absmax there; anywhere else what it is
            absmax[-1] = flat[flat.numel() // BLOCK * BLOCK:].abs().max()
        codes = self.codes_4bit(name, kind, flat, packed.flatten(), absmax)
        self.expect(name, kind, "codes", same(unpack(got["codes"], flat.numel()), codes))
        if name.endswith("nested"):
            absmax = self.nested(name, kind, absmax, got)
        else:
            self.expect(name, kind, "absmax", same(got["absmax"], absmax))
        table = functional.get_4bit_type(quant_type, device="cpu").float()
        padded = torch.nn.functional.pad(codes, (0, flat.numel() % 2))
        want = ops._dequantize_4bit_compute(padded[::2] << 4 | padded[1::2], absmax, table, BLOCK, (flat.numel(),), torch.float32)
        self.expect(name, kind, "values", bool((back.flatten() == want).all()))

    def nested(self, name, kind, absmax, got):
        offset = absmax.double().mean().float()
        map_ = functional.create_dynamic_map().float()
        d = torch.nn.functional.pad(absmax - offset, (0, -absmax.numel() % NESTED_BLOCK)).view(-1, NESTED_BLOCK)
        scale = d.abs().max(1)[0]
        codes = torch.searchsorted((map_[1:] + map_[:-1]) / 2, d * (1 / scale.clamp(min=1e-38)[:, None])).to(torch.uint8)
        codes = codes.flatten()[:absmax.numel()]
        theirs, state = functional.quantize_blockwise(absmax - offset, blocksize=NESTED_BLOCK)
        step = (theirs.int() - codes.int()).abs()
        self.scale_codes += int((step > 0).sum())
        x = (d / scale.clamp(min=1e-38)[:, None]).flatten()[:absmax.numel()]
        normal = (scale > 1e-37).repeat_interleave(NESTED_BLOCK)[:absmax.numel()]
        # Its table has 65,536 bins: only next to 0, where the map is finer, is it off by more than a step.
        self.expect(name, kind, "scale codes by more than a step", bool(((x.abs() < 1e-3) | ~normal)[step > 1].all()))
        for key, want in {"offset": offset, "nested_map": map_, "nested_absmax": scale, "absmax_codes": codes}.items():
            self.expect(name, kind, key, same(got[key], want))
        self.expect(name, kind, "the library's nested absmax", same(state.absmax.float(), scale))
        return map_[codes.long()] * scale.repeat_interleave(NESTED_BLOCK)[:codes.numel()] + offset

    def int8(self, library, kind, weight):
        codes, scale, _ = functional.int8_vectorwise_quant(weight.clone())
        got, back = quantize(library, "int8", weight)
        self.expect("int8", kind, "scales", same(got["absmax"], scale.float()))
        few = scale < 127 / torch.finfo(torch.float32).max     # there the library's factor is infinite
        codes[few] = (weight[few] * torch.finfo(torch.float32).max).clamp(-127, 127).round().to(torch.int8)
        self.expect("int8", kind, "codes", same(got["codes"].view(torch.int8).view(weight.shape), codes))
        self.expect("int8", kind, "values", same(back, functional.int8_vectorwise_dequant(codes, scale.float())))

    def see(self, library, kind, weight, dtype):
        weight = weight.to(dtype).float()
        for name in FORMATS:
            if name == "int8":
                self.int8(library, kind, weight)
            else:
                self.four_bits(library, name, kind, weight, dtype)
            self.weights[name] = self.weights.get(name, 0) + weight.numel()


def kinds(rows, cols, g):
    """[(name, weight [rows, cols])]"""
    bell = torch.randn(rows, cols, generator=g)
    spread = torch.exp(3 * torch.randn(rows, 1, generator=g))
    zeros = bell * 0.05
    zeros[::3] = 0
    zeros[1::5, : cols // 2] = -0.0
    ties = torch.randint(-12, 13, (rows, cols), generator=g).float() / 12        # limits and middles of FP4 lie on some
    ties[:, ::BLOCK] = 1
    return [("bell", bell * 0.02), ("rows of all sizes", bell * spread), ("even", torch.rand(rows, cols, generator=g) - 0.5),
            ("heavy tails", bell / torch.rand(rows, cols, generator=g).clamp(1e-4)), ("zeros", zeros),
            ("denormals", bell * 1e-40), ("near the smallest", bell * 1e-37), ("large", bell * 1e30), ("ties", ties),
            ("few values", torch.randint(-3, 4, (rows, cols), generator=g).float()), ("one sign", bell.abs() + 0.1)]


def main():
    library = ctypes.CDLL(sys.argv[1])
    millions = float(sys.argv[2]) if len(sys.argv) > 2 else 52
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    g = torch.Generator().manual_seed(seed)
    judged = Judge()
    shapes = [(1024, 1024), (1000, 1000), (511, 1023), (3, 33), (1, 1), (2048, 96), (7, 64)]
    turn = 0
    while judged.weights.get("int8", 0) < millions * 1e6:
        rows, cols = shapes[turn % len(shapes)]
        for kind, weight in kinds(rows, cols, g):
            dtype = (torch.float32, torch.bfloat16, torch.float16)[turn % 3]
            if dtype == torch.float16 and kind in ("large", "denormals", "near the smallest", "heavy tails", "rows of all sizes"):
                dtype = torch.float32
            judged.see(library, f"{kind} [{rows}, {cols}] {str(dtype)[6:]} seed {seed} turn {turn}", weight, dtype)
        turn += 1
    for name, n in judged.weights.items():
        print(f"{name}: {n} weights, {judged.restated.get(name, 0)} next to a limit where the library's routine for CPUs differs")
    print(f"{judged.scale_codes} of the library's 8-bit codes of scales are off the definition")
    for failure in judged.failures[:20]:
        print(failure)
    print(f"formats: {'FAILED, ' + str(len(judged.failures)) + ' times' if judged.failures else 'passed'}")
    return 1 if judged.failures else 0


if __name__ == "__main__":
    sys.exit(main())
