"""Tokenizers of all families against the tokenizers library and SentencePiece, on random strings.

    python tokenizer_families.py [--strings 20000] [--seed N] [--only NAME]

Each tokenizer of tests/golden/tokenizer/families.py, and the real vocabularies of Mistral (v1, v2, v3) that mistral-common brings, as
tokenizer.json by the published rule and as tokenizer.model. Strings go to one docket in batches, a line each; ids and decoded text
must be equal. Without --seed each run draws others and prints its seed.
"""

import argparse
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import time

from tokenizers import Tokenizer

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/golden/tokenizer"))
import families  # noqa: E402
import make_tokenizer  # noqa: E402

PIECES = make_tokenizer.PIECES + make_tokenizer.MORE
BATCH = 2000


def draw(r):
    kind = r.random()
    if kind < 0.45:
        return "".join(r.choice(PIECES) for _ in range(r.randint(1, 12)))
    if kind < 0.75:
        planes = [(1, 0x7f), (0x80, 0x7ff), (0x800, 0xd7ff), (0xe000, 0xffff), (0x10000, 0x1ffff), (0x20000, 0x10ffff)]
        return "".join(chr(r.randint(*r.choice(planes))) for _ in range(r.randint(1, 24)))
    if kind < 0.85:  # marks and what they stand on
        return "".join(r.choice("ae\u0301\u0323\u0345\u0334ñÅ가각ᄀ\u1161\u11a8क\u094dﷺﬁ½①ｶﾞ \n") for _ in range(r.randint(1, 24)))
    letters = r.choice(["ab ", "the ", "in ", "o0", " \n", "▁ a", "ing", "é e", "-. ", "\r\n\t x", "'sStTlL ", "12 ٣½", "(),;#=~|"])
    return "".join(r.choice(letters) for _ in range(r.randint(1, 60)))


def run(folder, texts, flags=()):
    """[(ids, decoded)] as docket gives them."""
    program = os.environ.get("DOCKET", str(ROOT / "build/release/docket"))
    lines = "".join(json.dumps(t) + "\n" for t in texts)
    done = subprocess.run([program, "tokenize", "--model", str(folder), "--lines", *flags], input=lines.encode(), capture_output=True)
    if done.returncode != 0:
        sys.exit(f"docket tokenize: exit code {done.returncode}: {done.stderr.decode(errors='replace').strip()}")
    return [json.loads(line) for line in done.stdout.decode().splitlines()]


def published(model_bytes):
    """tokenizer.json from a real tokenizer.model: all pairs whose join is a piece, ordered by the joined piece's score, then ids."""
    from sentencepiece import sentencepiece_model_pb2 as proto
    model = proto.ModelProto()
    model.ParseFromString(model_bytes)
    vocab = {p.piece: i for i, p in enumerate(model.pieces)}
    normal = {p.piece for p in model.pieces if p.type == 1}
    merges = []
    for i, p in enumerate(model.pieces):
        if p.type != 1:
            continue
        for at in range(1, len(p.piece)):
            left, right = p.piece[:at], p.piece[at:]
            if left in normal and right in normal:
                merges.append((-p.score, vocab[left], vocab[right], left, right))
    specials = [p.piece for p in model.pieces if p.type in (2, 3)]
    prefix = dict(type="Prepend", prepend="▁")
    replace = dict(type="Replace", pattern={"String": " "}, content="▁")
    decoder = dict(type="Sequence", decoders=[dict(type="Replace", pattern={"String": "▁"}, content=" "), dict(type="ByteFallback"), dict(type="Fuse"),
                                              dict(type="Strip", content=" ", start=1, stop=0)])
    return families.fallback_file(vocab, [[m[3], m[4]] for m in sorted(merges)], specials, "<s>", dict(type="Sequence", normalizers=[prefix, replace]), None, decoder)


def subjects(folder):
    """(name, folder of a model, judge of ids, judge of texts or None)"""
    for name, make in families.ALL.items():
        spec = make()
        place = folder / name
        place.mkdir()
        (place / "config.json").write_text("{}")
        (place / "tokenizer.json").write_text(json.dumps(spec))
        library = Tokenizer.from_str(json.dumps(spec))
        yield name, place, lambda t, l=library: l.encode(t).ids, lambda ids, l=library: l.decode(ids, skip_special_tokens=False)
    import mistral_common
    import sentencepiece
    for path in sorted((pathlib.Path(mistral_common.__file__).parent / "data").glob("*.model.v?")):
        spec = published(path.read_bytes())
        for kind in ("json", "model"):
            place = folder / f"mistral{path.suffix}.{kind}"
            place.mkdir()
            (place / "config.json").write_text("{}")
            if kind == "json":
                (place / "tokenizer.json").write_text(json.dumps(spec))
                library = Tokenizer.from_str(json.dumps(spec))
                yield place.name, place, lambda t, l=library: l.encode(t).ids, lambda ids, l=library: l.decode(ids, skip_special_tokens=False)
            else:
                (place / "tokenizer.model").write_bytes(path.read_bytes())
                real = sentencepiece.SentencePieceProcessor(model_file=str(path))
                yield place.name, place, lambda t, l=real: [l.bos_id(), *l.encode(t)], None


def main():
    a = argparse.ArgumentParser()
    a.add_argument("--strings", type=int, default=20000)
    a.add_argument("--seed", type=int, default=int(time.time()))
    a.add_argument("--only")
    a = a.parse_args()
    wrong = total = 0
    with tempfile.TemporaryDirectory() as folder:
        for name, place, encode, decode in subjects(pathlib.Path(folder)):
            if a.only and a.only not in name:
                continue
            r, bad, started = random.Random(f"{a.seed} {name}"), 0, time.time()
            for at in range(0, a.strings, BATCH):
                texts = [draw(r) for _ in range(min(BATCH, a.strings - at))]
                for text, (ids, back) in zip(texts, run(place, texts), strict=True):
                    want = encode(text)
                    if ids != want or (decode and back != decode(want)):
                        bad += 1
                        if bad <= 3:
                            print(f"{name}: {text!r}\n  docket {ids} {back!r}\n  judge  {want} {decode and decode(want)!r}")
            total += a.strings
            wrong += bad
            print(f"{name}: {a.strings} strings, {bad} differ, {time.time() - started:.0f} s", flush=True)
    print(f"families: seed {a.seed}, {total} strings, {wrong} differ: {'FAILED' if wrong else 'passed'}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
