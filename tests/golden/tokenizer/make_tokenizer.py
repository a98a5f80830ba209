"""Makes the tokenizers and cases of this folder with the tokenizers library, which is the judge.

    python make_tokenizer.py                 writes *.json and *.cases
    python make_tokenizer.py --word-ranges   writes worker/model/word_ranges.inc

Made with tokenizers 0.23.3. A line of a .cases file is [flags, text, ids, decoded]: flags are those of tokenizer.h (1 added tokens, 2 template,
4 the text goes on); text is {"hex": bytes} where it is no UTF-8, and {"of": piece, "times": n} where it is long; ids are [n, sha256 of int32] where
they are many; decoded is null where it is the text, and missing where it is long.
"""

import copy
import hashlib
import json
import pathlib
import random
import struct
import sys

from tokenizers import AddedToken, Tokenizer, models, trainers

import families

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
SPECIAL, TEMPLATE, CONTINUE = 1, 2, 4
LONG = 150  # ids

PIECES = ["the ", "Hello", " world", "  ", "   ", " ", "\t", "\n", "\r\n", "</s>", "<s>", "<unk>", "<0x41>", "<0x", "[INST]", "[/INST]", "▁", "▁▁", "é", "e\u0301",
          "日本語", "中", "🙂", "👩‍👩‍👧", "\u200d", "\u200b", "\ufeff", "\u0001", "\x7f", "\u0085", "\u00a0", "\u3000", "^", "aaaa", "xxxx", "1234", "0.5", "ﷺ", "Ω", "ß", "\U0010ffff",
          "\ufffd", "ñ", "Ж", "क्षि", "ไทย", "//", "==", "_", "X", "a", "b", " a", "é́́́", "Invoice", "Total due: ", "\u202e", "<|im_start|>", "MARK", "wordy", "soft"]

MORE = ["<|eot_id|>", "<|im_end|>", "<end_of_turn>", "it's", "DON'T", "'LL", "'ſ", "\r\n\n", "\n \n", "(a)", "##", "a,b;", "~", "||", "12345678", "Ⅷ½", "٣٤", "\u0323\u0301", "Å", "ﬁ",
        "\u1100\u1161\u11a8", "\u0345\u0301\u0334", "\U00011dd5\U00011de3", "\u0897", "\u180e", "\U0001fa89", "\U00016d40", "ǅ", "ʰ", "  \n", "\t\t", " 's", "(((", "<think>"]


def trained(size, byte_fallback):
    """A small vocabulary from our own sample documents, in the shape that a Mixtral has."""
    text = [p.read_text(encoding="utf-8").replace(" ", "▁") for p in sorted((ROOT / "tests/demo_model/handwritten").glob("*.txt"))]
    # cut before each mark, so that it only stands in front
    words = [w for t in text for w in t.replace("▁", "\0▁").split("\0") if w]
    t = Tokenizer(models.BPE())
    t.train_from_iterator(words, trainers.BpeTrainer(vocab_size=size, show_progress=False, initial_alphabet=list("abcdefghijklmnopqrstuvwxyzé中▁ ")))
    spec = json.loads(t.to_str())["model"]
    names = ["<unk>", "<s>", "</s>"] + [f"<0x{b:02X}>" for b in range(256)] * byte_fallback
    names += [token for token, _ in sorted(spec["vocab"].items(), key=lambda item: item[1])]
    return {name: i for i, name in enumerate(names)}, spec["merges"]


def added(identity, content, **flags):
    entry = dict(id=identity, content=content, single_word=False, lstrip=False, rstrip=False, normalized=False, special=False)
    return {**entry, **flags}


def tokenizer_file(vocab, merges, **parts):
    specials = ["<unk>", "<s>", "</s>"]
    template = dict(type="TemplateProcessing", single=[{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
                    pair=[{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
                    special_tokens={"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}})
    model = dict(type="BPE", dropout=None, unk_token="<unk>", continuing_subword_prefix=None, end_of_word_suffix=None, fuse_unk=True, byte_fallback=True,
                 ignore_merges=False, vocab=vocab, merges=merges)
    return dict(version="1.0", truncation=None, padding=None, added_tokens=[added(i, s, special=True) for i, s in enumerate(specials)] + parts.get("added", []),
                normalizer=parts.get("normalizer"), pre_tokenizer=parts.get("pre_tokenizer"), post_processor=template, decoder=parts.get("decoder"),
                model={**model, **parts.get("model", {})})


def tokenizers():
    vocab, merges = trained(1000, True)
    replace = dict(type="Replace", pattern={"String": " "}, content="▁")
    unmark = dict(type="Replace", pattern={"String": "▁"}, content=" ")
    strip = dict(type="Strip", content=" ", start=1, stop=0)
    yield "prepend", 1500, tokenizer_file(
        vocab, [" ".join(m) for m in merges], normalizer=dict(type="Sequence", normalizers=[dict(type="Prepend", prepend="▁"), replace]),
        decoder=dict(type="Sequence", decoders=[unmark, dict(type="ByteFallback"), dict(type="Fuse"), strip]))
    vocab, merges = trained(500, True)
    n = len(vocab)
    metaspace = dict(type="Metaspace", replacement="▁", prepend_scheme="first", split=True)
    yield "metaspace", 500, tokenizer_file(
        vocab, merges, pre_tokenizer=metaspace, decoder=dict(type="Sequence", decoders=[dict(type="ByteFallback"), {**metaspace}]),
        model=dict(ignore_merges=True, fuse_unk=False), added=[added(n, "[INST]", special=True), added(n + 1, "<|im_start|>", lstrip=True, rstrip=True)])
    vocab, merges = trained(300, False)
    n = len(vocab)
    yield "added", 500, tokenizer_file(
        vocab, merges, normalizer=replace, pre_tokenizer=dict(type="Metaspace", replacement="▁", prepend_scheme="always", split=False),
        model=dict(byte_fallback=False, fuse_unk=True),
        added=[added(n, "MARK", single_word=True), added(n + 1, "soft", normalized=True, lstrip=True), added(n + 2, "wordy", normalized=True, single_word=True, rstrip=True),
               added(n + 3, "[/INST]", special=True, rstrip=True), added(n + 4, "[/INST] b", normalized=True)])
    for name, make in families.ALL.items():
        yield name, 2000, make()


def judges(spec):
    """The library with added tokens, without, and without the mark in front."""
    plain = copy.deepcopy(spec)
    blank = [a for a in plain["added_tokens"] if not a["special"] and not a["content"].strip(" \t\r\n▁")]
    # tokens of white space stay; those behind them keep their ids, and what is not in the vocabulary a place with a name that no text has
    plain["added_tokens"] = [a if a in blank else {**a, "content": f"\ue123{a['id']}\ue123", "normalized": False} for a in plain["added_tokens"]
                             if a in blank or (blank and a["content"] not in plain["model"]["vocab"])]
    on = families.without_prefix(plain)
    return [Tokenizer.from_str(json.dumps(s)) for s in (spec, plain, on)]


def texts(n, seed, pieces=None):
    r, pieces = random.Random(seed), pieces or PIECES
    yield from ["", " ", "  ", "▁", "\n", "a", " a", "a "]
    for piece in ["x", "^", " ", "1", "e\u0301", "👩\u200d", "ab", "中", "</s>", "Invoice ", "\n\n", "=", "▁"]:
        yield dict(of=piece, times=r.randint(300, 900))
    for times in (100000, 65536):
        yield dict(of="x", times=times)
        yield dict(of="the", times=times // 3)
        yield dict(of=" ", times=times)
        yield dict(of=" Total due:\t1,240.00\n", times=times // 20)
    for _ in range(n - 29):
        kind = r.random()
        if kind < .55:
            yield "".join(r.choice(pieces) for _ in range(r.randint(1, 7)))
        elif kind < .68:
            yield "".join(chr(r.choice([r.randint(1, 127), r.randint(0x80, 0x7ff), r.randint(0x800, 0xd7ff), r.randint(0x10000, 0x1ffff)])) for _ in range(r.randint(1, 9)))
        elif kind < .74:
            yield r.choice(pieces) * r.randint(2, 20)
        elif kind < .94:
            yield "".join(r.choice(" aeiounrst  ▁ABC.,") for _ in range(r.randint(1, 40)))
        else:
            raw = bytearray("".join(r.choice(pieces) for _ in range(r.randint(1, 4))).encode())
            for _ in range(r.randint(1, 4)):
                raw[r.randrange(len(raw))] = r.choice([0x80, 0xbf, 0xc0, 0xc2, 0xe0, 0xe2, 0xed, 0xf0, 0xf4, 0xf5, 0xff])
            yield dict(hex=bytes(raw).hex())


def value(text):
    if isinstance(text, str):
        return text
    return text["of"] * text["times"] if "of" in text else bytes.fromhex(text["hex"]).decode("utf-8", "replace")


def line_of(flags, text, ids, decoded=()):
    line = [flags, text]
    if len(ids) > LONG:
        line.append([len(ids), hashlib.sha256(struct.pack(f"<{len(ids)}i", *ids)).hexdigest()])
    else:
        line += [ids, *decoded]
    return json.dumps(line, ensure_ascii=False, separators=(",", ":")).replace("\x7f", "\\u007f")


def cases(name, spec, n, seed):
    full, plain, on = judges(spec)
    flag_sets = [0, 0, CONTINUE, SPECIAL | TEMPLATE, SPECIAL, TEMPLATE]
    if '"add_prefix_space": true' in json.dumps(spec["pre_tokenizer"]):
        flag_sets[2] = 0  # the library has no text that goes on
    whole_words = spec["model"]["ignore_merges"]
    for i, text in enumerate(texts(n, seed, PIECES + MORE if name in families.ALL else PIECES)):
        flags = flag_sets[i % len(flag_sets)]
        judge = full if flags & SPECIAL else on if flags & CONTINUE else plain
        ids = judge.encode(value(text), add_special_tokens=bool(flags & TEMPLATE)).ids
        if whole_words and not flags & SPECIAL and {a["id"] for a in spec["added_tokens"] if a["special"]} & set(ids[bool(flags & TEMPLATE):]):
            continue  # the library finds "</s>" as a whole word in the vocabulary; documents never become special tokens here
        decoded = full.decode(ids, skip_special_tokens=False)
        yield line_of(flags, text, ids, [None if decoded == value(text) else decoded])


def word_ranges():
    t = Tokenizer(models.BPE(vocab={"a": 0}, merges=[]))
    t.add_tokens([AddedToken("X", single_word=True, normalized=False)])
    points = [c for c in range(0x110000) if not 0xd800 <= c < 0xe000]
    ranges = []
    for c, found in zip(points, t.encode_batch(["X" + chr(c) for c in points])):
        if 1 in found.ids:
            continue  # the token was found, so the character behind it belongs to no word
        if ranges and ranges[-1][1] == c - 1:
            ranges[-1][1] = c
        else:
            ranges.append([c, c])
    lines = ["/* \\w of the tokenizers library 0.23.3, asked of it character by character (tests/golden/tokenizer/make_tokenizer.py). */"]
    line = ""
    for first, last in ranges:
        entry = f"{{0x{first:x}, 0x{last:x}}}, "
        if len(line) + len(entry) > 120:
            lines.append(line.rstrip())
            line = ""
        line += entry
    (ROOT / "worker/model/word_ranges.inc").write_text("\n".join([*lines, line.rstrip()]) + "\n", encoding="utf-8")
    print(len(ranges), "ranges")


def main():
    if sys.argv[1:] == ["--word-ranges"]:
        word_ranges()
        return
    for seed, (name, n, spec) in enumerate(tokenizers()):
        (HERE / f"{name}.json").write_text(json.dumps(spec, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")
        lines = list(cases(name, spec, n, seed))
        (HERE / f"{name}.cases").write_text("\n".join(lines) + "\n", encoding="utf-8")
        print(name, len(lines), "cases")


if __name__ == "__main__":
    main()
