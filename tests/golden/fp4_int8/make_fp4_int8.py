"""Makes fp4_int8.bin: tensors with the bytes that bitsandbytes makes of them in FP4 (plain and nested) and int8. Needs torch and
bitsandbytes 0.50 (CPU).

    python make_fp4_int8.py fp4_int8.bin

Codes, scales and values are the library's own but where its CPU routines are not what its GPU kernels compute (tests/oracle/formats.py
judges the same way): the sign of a zero in FP4 is the source's; the absmax of a short last block is what it is; 8-bit codes of nested
scales are the nearest entries of the map; int8 rows whose largest value is so small that 127 over it overflows are scaled by the
largest float. Values next to a decision limit of FP4, where the two differ too, are replaced by half of themselves.

File, little-endian: "fp4int8\\0", f32 nested_map[256], u32 n_tensors, then for each tensor: u32 format (0 f32, 1 f16, 2 bf16),
u32 rows, u32 cols, then without padding: values, in their format; FP4: codes, u8 [(n + 1) / 2]; absmax, f32 [n_blocks]; nested
absmax_codes, u8 [n_blocks]; nested_absmax, f32 [ceil(n_blocks / 256)]; nested_offset, f32; the dequantized values of the nested form,
in the tensor's format; int8: codes [n]; absmax, f32 [rows]; the dequantized values, in the tensor's format.
"""
import pathlib
import struct
import sys

import bitsandbytes
import torch
from bitsandbytes import functional
from bitsandbytes.backends.default import ops

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "oracle"))
from formats import BLOCK, NESTED_BLOCK, TREE, TREE_CODES, unpack  # noqa: E402

torch.manual_seed(20261122)
MAP = functional.create_dynamic_map().to(torch.float32)
TABLE = functional.get_4bit_type("fp4", device="cpu").float()
TYPES = {torch.float32: 0, torch.float16: 1, torch.bfloat16: 2}
LARGEST = torch.finfo(torch.float32).max


def raw(tensor):
    return tensor.contiguous().view(torch.uint8).numpy().tobytes()


def fp4(flat):
    """Codes, absmax; and where the library's codes are others for another reason than the sign of a zero."""
    packed, state = functional.quantize_4bit(flat, blocksize=BLOCK, quant_type="fp4")
    x = flat.float()
    absmax = state.absmax.float()
    if len(x) % BLOCK:
        absmax[-1] = x[len(x) // BLOCK * BLOCK:].abs().max()
    theirs = unpack(packed.flatten(), len(x))
    part = x * (1 / absmax.clamp(min=1e-38)).repeat_interleave(BLOCK)[:len(x)]
    codes = TREE_CODES[torch.searchsorted(TREE, part.abs())] + 8 * (part < 0).to(torch.uint8)
    return codes, absmax, (codes != theirs) & ((codes & 7 != 0) | (theirs & 7 != 0))


def nested(absmax):
    offset = absmax.double().mean().float()
    d = torch.nn.functional.pad(absmax - offset, (0, -len(absmax) % NESTED_BLOCK)).view(-1, NESTED_BLOCK)
    scale = d.abs().max(1)[0]
    x = d * (1 / scale.clamp(min=1e-38)[:, None])
    codes = torch.searchsorted((MAP[1:] + MAP[:-1]) / 2, x).to(torch.uint8).flatten()[:len(absmax)]
    theirs, state = functional.quantize_blockwise(absmax - offset, blocksize=NESTED_BLOCK)
    assert torch.equal(state.absmax.float(), scale) and torch.equal(state.code.float(), MAP)
    normal = (scale > 1e-37).repeat_interleave(NESTED_BLOCK)[:len(absmax)] & (x.flatten()[:len(absmax)].abs() >= 1e-3)
    assert ((theirs.int() - codes.int()).abs()[normal] <= 1).all()
    return codes, scale, offset


def int8(values):
    codes, scale, _ = functional.int8_vectorwise_quant(values.float())
    scale = scale.float()
    few = scale < 127 / LARGEST
    codes[few] = (values.float()[few] * LARGEST).clamp(-127, 127).round().to(torch.int8)
    return codes, scale, functional.int8_vectorwise_dequant(codes, scale)


def tensor_record(values):
    flat = values.flatten().clone()
    for _ in range(50):
        codes, absmax, other = fp4(flat)
        if not other.any():
            break
        flat[other] /= 2
    assert not other.any()
    values = flat.view(values.shape)
    codes8, absmax2, offset = nested(absmax)
    scale = MAP[codes8.long()] * absmax2.repeat_interleave(NESTED_BLOCK)[:len(absmax)] + offset
    padded = torch.nn.functional.pad(codes, (0, len(codes) % 2))
    packed = padded[::2] << 4 | padded[1::2]
    back = ops._dequantize_4bit_compute(packed, scale, TABLE, BLOCK, flat.shape, torch.float32)
    rows8, scale8, back8 = int8(values)
    head = struct.pack("<III", TYPES[values.dtype], *values.shape)
    parts = [values, packed, absmax, codes8, absmax2, offset.reshape(1), back.to(values.dtype)]
    return head + b"".join(map(raw, parts + [rows8, scale8, back8.to(values.dtype)]))


def gaussian(rows, cols, dtype, scale=0.05):
    return (torch.randn(rows, cols) * scale).to(dtype)


def with_zero_blocks(dtype):
    values = gaussian(4, 128, dtype)
    values[1] = 0
    values[2, :64] = -0.0
    return values


def extreme(dtype):
    info = torch.finfo(dtype)
    largest = min(info.max, torch.finfo(torch.float32).max / 64)  # the library's mean of scales is a sum in f32
    values = gaussian(6, 64, torch.float32, 1.0)
    values[0] *= largest / 8
    values[1, 5] = largest
    values[2] *= info.tiny * 4  # around the smallest normal number
    values[3] *= info.tiny / 4  # subnormal
    values[4] = -largest
    values[5] = torch.linspace(-1, 1, 64)
    return values.clamp(-largest, largest).to(dtype)


tensors = [gaussian(130, 128, torch.bfloat16), gaussian(8, 288, torch.float16), gaussian(20, 100, torch.float32)]
for kind in TYPES:
    tensors += [gaussian(7, 33, kind), gaussian(1, 1, kind), gaussian(3, 64, kind), gaussian(5, 13, kind, 3.0)]
    tensors += [with_zero_blocks(kind), extreme(kind)]

with open(sys.argv[1], "wb") as out:
    out.write(b"fp4int8\0" + raw(MAP) + struct.pack("<I", len(tensors)))
    for tensor in tensors:
        out.write(tensor_record(tensor))
print(f"{len(tensors)} tensors, bitsandbytes {bitsandbytes.__version__}, torch {torch.__version__}")
