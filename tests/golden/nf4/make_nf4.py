"""Makes nf4.bin: tensors with the bytes that bitsandbytes makes of them. Needs torch and bitsandbytes 0.50 (CPU).

    python make_nf4.py nf4.bin

Codes, scales and dequantized values are the library's own. Two things are not, because its CPU path is off there:
rows are flattened first (its dequantize_4bit is wrong for rows that are no multiple of 64), and the 8-bit codes of nested
scales are the nearest entries of its map (its CPU look-up table misses 0.2 % of them by one).

File, little-endian: "nf4 v1\\0\\0", f32 nested_map[256], u32 n_tensors, then for each tensor: u32 format (0 f32, 1 f16, 2 bf16),
u32 rows, u32 cols, then without padding: values, in their format; codes, u8 [(n + 1) / 2]; absmax, f32 [n_blocks];
nested absmax_codes, u8 [n_blocks]; nested_absmax, f32 [ceil(n_blocks / 256)]; nested_offset, f32; the dequantized values of
the nested form, in the tensor's format.
"""
import struct
import sys

import bitsandbytes
import torch
from bitsandbytes import functional
from bitsandbytes.backends.default import ops

torch.manual_seed(20261121)
MAP = functional.create_dynamic_map().to(torch.float32)
TYPES = {torch.float32: 0, torch.float16: 1, torch.bfloat16: 2}


def raw(tensor):
    return tensor.contiguous().view(torch.uint8).numpy().tobytes()


def nested(absmax):
    offset = absmax.double().mean().float()
    difference = absmax - offset
    codes, scales = [], []
    for block in difference.split(256):
        scale = block.abs().max()
        x = block / scale if scale > 0 else block
        codes.append(torch.searchsorted((MAP[1:] + MAP[:-1]) / 2, x).to(torch.uint8))
        scales.append(scale)
    return torch.cat(codes), torch.stack(scales), offset


def tensor_record(values):
    flat = values.flatten()
    packed, state = functional.quantize_4bit(flat, blocksize=64, quant_type="nf4")
    absmax = state.absmax.float()
    codes8, absmax2, offset = nested(absmax)
    _, both = functional.quantize_4bit(flat, blocksize=64, quant_type="nf4", compress_statistics=True)
    assert torch.equal(both.state2.code.float(), MAP)
    ulps = abs(int(both.offset.view(torch.int32)) - int(offset.view(torch.int32)))
    assert ulps <= 4, ulps
    if ulps == 0:
        assert torch.equal(both.state2.absmax, absmax2)
        assert absmax2[0] == 0 or (both.absmax.int() - codes8.int()).abs().max() <= 1
    scale = MAP[codes8.long()] * absmax2.repeat_interleave(256)[: len(absmax)] + offset
    back = ops._dequantize_4bit_compute(packed.flatten(), scale, state.code, 64, flat.shape, flat.dtype)
    rows, cols = values.shape
    head = struct.pack("<III", TYPES[values.dtype], rows, cols)
    return head + b"".join(map(raw, [flat, packed.flatten(), absmax, codes8, absmax2, offset.reshape(1), back]))


def gaussian(rows, cols, dtype, scale=0.05):
    return (torch.randn(rows, cols) * scale).to(dtype)


def with_zero_blocks(dtype):
    values = gaussian(6, 128, dtype)
    values[1] = 0
    values[3, :64] = 0
    values[4] = -0.0
    return values


def extreme(dtype):
    info = torch.finfo(dtype)
    largest = min(info.max, torch.finfo(torch.float32).max / 64)  # the library's mean of scales is a sum in f32
    values = gaussian(8, 64, torch.float32, 1.0)
    values[0] *= largest / 8
    values[1, 5] = largest
    values[2] *= info.tiny * 4  # around the smallest normal number
    values[3] *= info.tiny / 4  # subnormal
    values[4] = largest
    values[5] = -info.smallest_normal
    values[6, ::2] = 0
    values[7] = torch.linspace(-1, 1, 64)
    return values.clamp(-largest, largest).to(dtype)


tensors = [gaussian(256, 96, torch.bfloat16), gaussian(64, 288, torch.float16), gaussian(40, 100, torch.float32)]
for kind in TYPES:
    tensors += [gaussian(7, 33, kind), gaussian(1, 1, kind), gaussian(3, 64, kind), gaussian(5, 13, kind, 3.0)]
    tensors += [with_zero_blocks(kind), extreme(kind)]

with open(sys.argv[1], "wb") as out:
    out.write(b"nf4 v1\0\0" + raw(MAP) + struct.pack("<I", len(tensors)))
    for tensor in tensors:
        out.write(tensor_record(tensor))
print(f"{len(tensors)} tensors, bitsandbytes {bitsandbytes.__version__}, torch {torch.__version__}")
