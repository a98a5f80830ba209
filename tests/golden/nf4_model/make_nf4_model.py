"""Makes nf4_model.txt: what bitsandbytes makes of every linear tensor of the demo model in NF4 with double quantization.

    $ORACLE_PYTHON tests/golden/nf4_model/make_nf4_model.py [FILE]      (tests/oracle/requirements.txt)

The first line names the model: `model SHA-256`, over "<sha256>  <name>\\n" of config.json and *.safetensors, sorted by name.
The second is `map SHA-256`, of the 256 f32 that the 8-bit codes stand for, the same for all tensors. Then a line for each
tensor, in the order of the names:

    name  rows  cols  codes  scales  nested_absmax  offset

codes: SHA-256 of the packed codes. scales: of the absmax as they come back from their 8-bit codes, f32, little-endian; the
8-bit codes are the definition's (tests/oracle/judge.py says why not the library's own). nested_absmax: of the f32 scales of
the scales. offset: its f32 bits in hex.
"""

import hashlib
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "oracle"))
import judge  # noqa: E402


def sha256(tensor):
    return hashlib.sha256(tensor.contiguous().numpy().tobytes()).hexdigest()


def lines(folder, note=lambda name, nf4: None):
    """`note` sees every quantized tensor."""
    yield f"model {judge.model_digest(folder)}"
    map_line = None
    for name, weight in judge.tensors(folder).items():
        if judge.is_quantized(name):
            nf4 = judge.NF4(weight)
            note(name, nf4)
            if map_line is None:
                map_line = f"map {sha256(nf4.map)}"
                yield map_line
            assert map_line == f"map {sha256(nf4.map)}"
            rows, cols = weight.shape
            offset = nf4.offset.reshape(1).view(judge.torch.int32).item() & 0xffffffff
            yield (f"{name} {rows} {cols} {sha256(nf4.packed)} {sha256(nf4.restored_absmax())} "
                   f"{sha256(nf4.nested_absmax)} {offset:08x}")


def main():
    path = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "nf4_model.txt"
    text = "".join(line + "\n" for line in lines(judge.snapshot()))
    path.write_text(text)
    print(f"{path.name}: {text.count(chr(10)) - 2} tensors")


if __name__ == "__main__":
    main()
