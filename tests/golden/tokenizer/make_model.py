"""Trains sentencepiece.model, a small one of Llama's construction, and writes sentencepiece.cases with SentencePiece as the judge.

    python make_model.py        made with sentencepiece 0.2.3
"""

import io
import json
import pathlib

import sentencepiece

import families
import make_tokenizer as maker

HERE = pathlib.Path(__file__).resolve().parent


def main():
    model = io.BytesIO()
    lines = [line for text in families.corpus() for line in text.splitlines() if line]
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(lines), model_writer=model, model_type="bpe", vocab_size=800, byte_fallback=True,
                                             normalization_rule_name="identity", remove_extra_whitespaces=False, split_digits=True, character_coverage=1.0,
                                             user_defined_symbols=["<mark>", "▁▁▁", "[X]"], allow_whitespace_only_pieces=True, minloglevel=2, num_threads=1)
    (HERE / "sentencepiece.model").write_bytes(model.getvalue())
    judge = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    out = []
    for i, text in enumerate(maker.texts(2000, 4242, maker.PIECES + maker.MORE + ["<mark>", "[X]", "▁▁▁", "    "])):
        if "hex" in text if isinstance(text, dict) else False:
            continue  # SentencePiece counts broken bytes otherwise
        flags = [maker.SPECIAL, maker.SPECIAL | maker.TEMPLATE][i % 2]
        ids = [judge.bos_id()] * bool(flags & maker.TEMPLATE) + judge.encode(maker.value(text))
        out.append(maker.line_of(flags, text, ids))
    (HERE / "sentencepiece.cases").write_text("\n".join(out) + "\n", encoding="utf-8")
    print(len(out), "cases")


if __name__ == "__main__":
    main()
