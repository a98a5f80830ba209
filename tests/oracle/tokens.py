"""docket tokenize against the tokenizers library, and --decode back (not named tokenize.py: Python has a module of that name).

The handwritten documents, and 1,000 strings made to be hostile: every id must be the same, and the ids must decode to the
same text. Then 300 lists of random ids, with bytes that make no character: their text must be the same.
"""

import json
import random
import sys

from tokenizers import Tokenizer

import judge

PIECES = [
    " ", "  ", "   ", " " * 17, "\t", "\n", "\r\n", "\r", "\0", "\x01", "\x7f", "\x85", "\xa0", "\u2028", "\u3000", "\ufeff",
    "▁", "▁▁", " ▁", "<s>", "</s>", "<unk>", "<s", "s>", "<0x0A>", "<0x00>", "[INST]", " [/INST]", "<|im_end|>", "<pad>",
    "the", "Invoice", "invoice", "INVOICE", "ing", "tion", "word", "Total due:", "e.g.", "don't", "a", "A", "é", "e\u0301",
    "ß", "ǅ", "İ", "ﬁ", "½", "№", "価格", "请款单", "счёт", "فاتورة", "שלום", "हिन्दी", "ไทย", "한국어", "한", "🙂", "👩‍👩‍👧", "🇩🇪", "👍🏽",
    "\u200b", "\u200d", "\u202e", "\u0301" * 5, "\ue000", "\U0010ffff", "\ufffd", "\U0001d54f", "0", "1234567890", "12/03/2021",
    "1,240.00", "€", "¥", "...", "-" * 33, "." * 20, "=" * 12, "\\", "\"", "'", "{}", "</", "&amp;", "%s", "#" * 7, "_" * 9,
    "https://files.example/a?b=c", "aaaaaaaaaaaaaaaaaaaaaaaaaaaa", "ababababab", "xqzjkvw",
]


def hostile(n):
    draw = random.Random(1000)
    found = ["", " ", "  ", "\n", "\0", "▁", "<s>", "</s><s>", "a" * 5000, " " * 3000, "▁ " * 500, "🙂" * 700, "<s>" * 300]
    while len(found) < n:
        kind = draw.random()
        if kind < 0.6:
            text = "".join(draw.choice(PIECES) for _ in range(draw.randint(1, 30)))
        elif kind < 0.8:  # any characters at all
            planes = [(0, 0x7f), (0x80, 0x7ff), (0x800, 0xd7ff), (0xe000, 0xffff), (0x10000, 0x10ffff)]
            text = "".join(chr(draw.randint(*draw.choice(planes))) for _ in range(draw.randint(1, 60)))
        else:             # few characters, so that merges compete
            letters = draw.choice(["ab ", "the ", "in ", "o0", " \n", "▁ a", "ing", "é e", "-. "])
            text = "".join(draw.choice(letters) for _ in range(draw.randint(1, 200)))
        found.append(text)
    return found


def first_difference(got, want):
    at = next((i for i, (g, w) in enumerate(zip(got, want)) if g != w), min(len(got), len(want)))
    return f"at {at}: docket {got[at:at + 6]!r}, tokenizers {want[at:at + 6]!r}"


def main():
    library = Tokenizer.from_file(str(judge.snapshot() / "tokenizer.json"))
    texts = [text for _, text in judge.handwritten()] + hostile(1000)
    wrong = n_ids = 0
    lists = []
    for text in texts:
        want = library.encode(text).ids
        got = json.loads(judge.docket("tokenize", stdin=text.encode()))
        n_ids += len(want)
        lists.append(want)
        if got != want:
            wrong += 1
            print(f"encode {text[:60]!r}: {first_difference(got, want)}")
    draw = random.Random(300)
    size = library.get_vocab_size()
    lists += [[draw.choice([draw.randrange(size), draw.randrange(3, 259)]) for _ in range(draw.randint(0, 40))]
              for _ in range(300)]
    wrong_back = 0
    for ids in lists:
        want = library.decode(ids, skip_special_tokens=False)
        got = judge.docket("tokenize", "--decode", stdin=json.dumps(ids).encode()).decode("utf-8", "strict")
        if got != want:
            wrong_back += 1
            print(f"decode {ids[:12]}…: {first_difference(got, want)}")
    print(f"{len(texts)} texts, {n_ids} ids: {wrong} texts differ; {len(lists)} lists of ids: {wrong_back} decode otherwise")
    print("tokens: FAILED" if wrong or wrong_back else "tokens: passed")
    return 1 if wrong or wrong_back else 0


if __name__ == "__main__":
    sys.exit(main())
