"""Small tokenizers built as those of the families are: the same normalizers, pre-tokenizers, patterns, post-processors, decoders and
flags, with a vocabulary trained here. For make_tokenizer.py and tests/oracle/families.py.
"""

import json
import pathlib

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from tokenizers import AddedToken

ROOT = pathlib.Path(__file__).resolve().parents[3]
LLAMA_3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
QWEN = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
TEKKEN = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|"
          r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")
DEEPSEEK = [r"[\r\n]", r"\s?[A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-Ֆ]+", r"\s?[!-/:-~！-／：-～‘-‟　-。]+", r"\s+$", r"[一-龥ࠀ-一가-퟿]+"]
MORE = ["Überweisung für Größe, naïve café, coördinate; 価格は1,240円です。請款單 счёт-фактура № 17 فاتورة ضريبية\n", "it's IT'S don't DON'T we'll they'Ve I'm\r\n\t  x\n\n\n    y",
        "क्षि हिन्दी ไทย 한국어 🙂👩‍👩‍👧 ½ Ⅷ ٣٤ e\u0301 n\u0303"] * 4


def corpus():
    return [p.read_text(encoding="utf-8") for p in sorted((ROOT / "tests/demo_model/handwritten").glob("*.txt"))] + MORE


def byte_level(size, pre, specials, normalizer=None, post=None, ignore_merges=False, more=()):
    t = Tokenizer(models.BPE(ignore_merges=ignore_merges))
    if normalizer:
        t.normalizer = normalizer
    t.pre_tokenizer = pre
    t.train_from_iterator(corpus(), trainers.BpeTrainer(vocab_size=size, show_progress=False, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    t.add_special_tokens([AddedToken(s, normalized=False, special=True) for s in specials])
    t.add_tokens(list(more))
    t.decoder = decoders.ByteLevel()
    if post:
        t.post_processor = post(t)
    return json.loads(t.to_str())


def split_then_bytes(*patterns):
    return pre_tokenizers.Sequence([*(pre_tokenizers.Split(Regex(p), "isolated") for p in patterns), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


def bos(token):
    def make(t):
        template = processors.TemplateProcessing(single=f"{token} $A", pair=f"{token} $A {token} $B", special_tokens=[(token, t.token_to_id(token))])
        return processors.Sequence([processors.ByteLevel(trim_offsets=True), template])
    return make


def llama_3():
    return byte_level(900, split_then_bytes(LLAMA_3), ["<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"],
                      post=bos("<|begin_of_text|>"), ignore_merges=True)


def qwen_3():
    flags = dict(normalized=False, special=False)
    return byte_level(900, split_then_bytes(QWEN), ["<|endoftext|>", "<|im_start|>", "<|im_end|>"], normalizer=normalizers.NFC(),
                      post=lambda t: processors.ByteLevel(add_prefix_space=False, trim_offsets=False, use_regex=False),
                      more=[AddedToken(s, **flags) for s in ("<tool_call>", "</tool_call>", "<think>", "</think>")])


def olmoe():
    spaces = [AddedToken(" " * n, normalized=True, special=False) for n in range(24, 1, -1)]
    return byte_level(800, pre_tokenizers.ByteLevel(add_prefix_space=False, trim_offsets=True, use_regex=True), ["|||IP_ADDRESS|||", "<|padding|>", "<|endoftext|>"],
                      normalizer=normalizers.NFC(), post=lambda t: processors.ByteLevel(add_prefix_space=False, trim_offsets=True), more=spaces)


def tekken():
    return byte_level(900, split_then_bytes(TEKKEN), ["<unk>", "<s>", "</s>", "[INST]", "[/INST]"], post=bos("<s>"), ignore_merges=True)


def deepseek():
    steps = [pre_tokenizers.Split(Regex(p), "isolated") for p in DEEPSEEK[:4]] + [pre_tokenizers.Digits(individual_digits=True)]
    steps += [pre_tokenizers.Split(Regex(DEEPSEEK[4]), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    return byte_level(700, pre_tokenizers.Sequence(steps), ["<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>"], post=bos("<｜begin▁of▁sentence｜>"))


def odd():
    """What no family has at once: normal forms, strips, behaviours of splits, a space in front."""
    split = pre_tokenizers.Split
    steps = [split(Regex(r"[,;]"), "merged_with_previous"), split(Regex(r"\("), "merged_with_next"), split(Regex(r"[#=]"), "contiguous"), split("~", "removed"),
             split(Regex(r"[^|]+"), "isolated", invert=True), pre_tokenizers.Digits(individual_digits=False)]
    return byte_level(500, pre_tokenizers.Sequence([*steps, pre_tokenizers.ByteLevel(add_prefix_space=True, use_regex=True)]), ["<s>", "</s>"],
                      normalizer=normalizers.Sequence([normalizers.NFKD(), normalizers.Strip(left=True, right=True), normalizers.NFKC(), normalizers.Replace("<", "«")]))


def marked(size, alphabet="abcdefghijklmnopqrstuvwxyzé中▁ "):
    """A vocabulary over text with marks for spaces: (names with ids, merges)."""
    words = [w for text in corpus() for w in text.replace(" ", "▁").replace("▁", "\0▁").split("\0") if w]
    t = Tokenizer(models.BPE())
    t.train_from_iterator(words, trainers.BpeTrainer(vocab_size=size, show_progress=False, initial_alphabet=list(alphabet)))
    return json.loads(t.to_str())["model"]


def gemma():
    model = marked(800)
    names = ["<pad>", "<eos>", "<bos>", "<unk>"] + ["<start_of_turn>", "<end_of_turn>"] + [f"<0x{b:02X}>" for b in range(256)]
    names += ["\n\n", "\n\n\n", "▁▁", "▁▁▁▁"] + [s for s, _ in sorted(model["vocab"].items(), key=lambda i: i[1])]
    vocab = {name: i for i, name in enumerate(dict.fromkeys(names))}
    merges = [["\n", "\n"], ["\n\n", "\n"], ["\n", "\n\n"], ["▁", "▁"], ["▁▁", "▁▁"]] + model["merges"]
    merges = [m for m in merges if m[0] in vocab and m[1] in vocab]
    return fallback_file(vocab, merges, ["<pad>", "<eos>", "<bos>", "<unk>", "<start_of_turn>", "<end_of_turn>"], bos_token="<bos>",
                         normalizer=dict(type="Replace", pattern={"String": " "}, content="▁"), plain=["\n\n", "\n\n\n", "▁▁▁▁"],
                         pre_tokenizer=dict(type="Split", pattern={"String": " "}, behavior="MergedWithPrevious", invert=False),
                         decoder=dict(type="Sequence", decoders=[dict(type="Replace", pattern={"String": "▁"}, content=" "), dict(type="ByteFallback"), dict(type="Fuse")]))


def mistral_3():
    """Version 3 as newer files have it: Metaspace, instruction marks as tokens."""
    model = marked(900)
    specials = ["<unk>", "<s>", "</s>", "[INST]", "[/INST]", "[TOOL_CALLS]", "[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]"]
    names = specials + [f"<0x{b:02X}>" for b in range(256)] + [s for s, _ in sorted(model["vocab"].items(), key=lambda i: i[1])]
    return fallback_file({n: i for i, n in enumerate(names)}, model["merges"], specials, bos_token="<s>", normalizer=None,
                         pre_tokenizer=dict(type="Metaspace", replacement="▁", prepend_scheme="first", split=False),
                         decoder=dict(type="Sequence", decoders=[dict(type="Replace", pattern={"String": "▁"}, content=" "), dict(type="ByteFallback"), dict(type="Fuse"),
                                                                 dict(type="Strip", content=" ", start=1, stop=0)]))


def fallback_file(vocab, merges, specials, bos_token, normalizer, pre_tokenizer, decoder, plain=()):
    flags = dict(single_word=False, lstrip=False, rstrip=False, normalized=False)
    added = [dict(id=vocab[s], content=s, **flags, special=s in specials) for s in [*specials, *plain]]
    template = dict(type="TemplateProcessing", single=[{"SpecialToken": {"id": bos_token, "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
                    pair=[{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
                    special_tokens={bos_token: {"id": bos_token, "ids": [vocab[bos_token]], "tokens": [bos_token]}})
    model = dict(type="BPE", dropout=None, unk_token="<unk>", continuing_subword_prefix=None, end_of_word_suffix=None, fuse_unk=True, byte_fallback=True,
                 ignore_merges=False, vocab=vocab, merges=merges)
    return dict(version="1.0", truncation=None, padding=None, added_tokens=sorted(added, key=lambda a: a["id"]), normalizer=normalizer, pre_tokenizer=pre_tokenizer,
                post_processor=template, decoder=decoder, model=model)


ALL = dict(llama_3=llama_3, qwen_3=qwen_3, olmoe=olmoe, tekken=tekken, deepseek=deepseek, odd=odd, gemma=gemma, mistral_3=mistral_3)


def without_prefix(spec):
    """The same for a text that goes on after other text: nothing is put in front."""
    spec = json.loads(json.dumps(spec))
    if spec["normalizer"] and spec["normalizer"]["type"] == "Sequence":
        spec["normalizer"]["normalizers"] = [s for s in spec["normalizer"]["normalizers"] if s["type"] != "Prepend"]
    pre = spec["pre_tokenizer"]
    for step in pre["pretokenizers"] if pre and pre["type"] == "Sequence" else [pre] if pre else []:
        if step["type"] == "Metaspace":
            step["prepend_scheme"] = "never"
    return spec
