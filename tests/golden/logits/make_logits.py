"""Makes logits.bin: what transformers computes for 20 short pieces of the handwritten documents with the demo model.

    $ORACLE_PYTHON tests/golden/logits/make_logits.py      (tests/oracle/requirements.txt; the judge: tests/oracle/judge.py)

Float32 arithmetic on the stored weights ("none"), and on weights that went through bitsandbytes' NF4 with double
quantization ("nf4"). Pieces are drawn again where a router's 2nd and 3rd probability are closer than 1e-4 of themselves,
or where the two largest logits of a position are closer than 1e-3: a correct implementation may answer otherwise there.

Little-endian, no padding:

    magic          8 bytes  "DKLOGIT1"
    model          64 bytes of hex: SHA-256 over "<sha256>  <name>\\n" of config.json and *.safetensors, sorted by name
    n_documents, n_columns, vocabulary     3 x u32
    columns        u32 [n_columns]: the places in the vocabulary whose logits are kept
    for each document:
        n_tokens   u32
        ids        i32 [n_tokens]
        twice, for none and for nf4:
            largest    i32 [n_tokens]             the place of the largest logit
            norm       f32 [n_tokens]             L2 norm over the whole vocabulary
            logits     f32 [n_tokens, n_columns]
"""

import pathlib
import random
import struct
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "oracle"))
import numpy as np  # noqa: E402

import judge        # noqa: E402

# docket computes 64 positions at a time: lengths about that, and one of one token.
LENGTHS = [1, 33, 48, 63, 64, 65, 100, 17, 40, 80, 32, 64, 65, 50, 70, 31, 90, 24, 55, 16]
N_COLUMNS = 32
CLOSE_LOGITS = 1e-3


def pieces(coder):
    """(ids, name) without end: the beginning of a document or a part of it, behind <s>."""
    documents = judge.handwritten()
    draw = random.Random(7)
    while True:
        name, text = draw.choice(documents)
        ids = coder.enc(text)
        at = draw.choice([0, draw.randrange(max(1, len(ids) - 100))])
        yield [judge.prompt.BOS] + ids[at:], name


def answer(one, ids, columns):
    """The arrays of one document and way, or None where they may not be compared."""
    logits, closest = one.logits(ids)
    two = logits.topk(2, -1)[0]
    if closest < judge.NEAR_TIE or (two[:, 0] - two[:, 1]).min() < CLOSE_LOGITS:
        return None
    return (logits.argmax(-1).numpy().astype("<i4"), logits.double().norm(dim=-1).numpy().astype("<f4"),
            logits[:, columns].numpy().astype("<f4"))


def main():
    folder = judge.snapshot()
    judges = [judge.Judge(judge.load(folder)), judge.Judge(judge.load_nf4(folder))]
    vocabulary = judges[0].model.config.vocab_size
    columns = np.linspace(0, vocabulary - 1, N_COLUMNS).astype("<u4")
    out = b"DKLOGIT1" + judge.model_digest(folder).encode()
    out += struct.pack("<3I", len(LENGTHS), N_COLUMNS, vocabulary) + columns.tobytes()
    drawn, source = 0, pieces(judge.prompt.Coder())
    for length in LENGTHS:
        while True:
            ids, name = next(source)
            drawn += 1
            ids = ids[:length]
            answers = [answer(one, ids, columns.astype(int)) for one in judges] if len(ids) == length else [None]
            if all(answers):
                break
        out += struct.pack("<I", length) + np.array(ids, "<i4").tobytes()
        out += b"".join(array.tobytes() for way in answers for array in way)
    (HERE / "logits.bin").write_bytes(out)
    print(f"logits.bin: {len(LENGTHS)} pieces of {drawn} drawn, {sum(LENGTHS)} positions, {len(out)} bytes")


if __name__ == "__main__":
    main()
