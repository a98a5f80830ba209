"""The demo model is right as often with products in bf16 as in f32; in int8 nearly. Its logits: tests/unit/worker/model/test_golden_logits.c."""

import sys

import pytest

from support import BUILD, ROOT, missing

sys.path.insert(0, str(ROOT / "tests" / "injection"))
import attacks  # noqa: E402
import evaluate  # noqa: E402

pytestmark = pytest.mark.skipif(missing("docket") is not None, reason=str(missing("docket")))


def share_that_is_right(dtype, folder, monkeypatch):
    """Of the documents written by hand, unquantized and in nf4 together."""
    monkeypatch.setenv("COMPUTE_DTYPE", dtype)
    documents, right = attacks.handwritten(), 0
    for quantization in ("none", "nf4"):
        results = evaluate.classify(str(BUILD / "docket"), quantization, folder, evaluate.MODEL)
        right += sum(results[file]["label"] == label for file, label, _ in documents)
    return right / (2 * len(documents))


def test_bf16_is_right_as_often_as_f32_and_int8_nearly(tmp_path, monkeypatch, capsys):
    for file, _, text in attacks.handwritten():
        (tmp_path / file).write_text(text, encoding="utf-8")
    exact = share_that_is_right("f32", tmp_path, monkeypatch)
    rounded = share_that_is_right("bf16", tmp_path, monkeypatch)  # f32 where the processor does not multiply it
    assert abs(rounded - exact) <= 0.005, (rounded, exact)
    try:
        coarse = share_that_is_right("int8", tmp_path, monkeypatch)
    except SystemExit as refused:
        assert "int8" in str(refused), refused
        return
    with capsys.disabled():
        print(f" f32 {exact:.1%}, bf16 {rounded:.1%}, int8 {coarse:.1%} ", end="")
    assert abs(coarse - exact) <= 0.02, (coarse, exact)
