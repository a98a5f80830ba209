"""docket validate: numbers that agree with the formats' definitions, and an exit code that follows them; caches in every format."""

import json
import subprocess

import pytest

from support import BUILD, MODEL, MODEL_CACHE, missing

DOCKET = str(BUILD / "docket")
MODEL_FLAGS = ["--model", MODEL, "--hub-cache", str(MODEL_CACHE)]
# Bits a weight, and the relative L2 error on Gaussian weights that the format has by its definition (percent).
EXPECTED = {"nf4": (4.126953125, 9.20), "nf4-plain": (4.5, 9.20), "fp4": (4.126953125, 12.2), "fp4-plain": (4.5, 12.2), "int8": (8, 0.78),
            "q8": (8.5, 0.527), "q4": (4.5, 8.96), "q2": (2.5, 32.5), "q1": (1.25, 59.8)}

pytestmark = pytest.mark.skipif(missing("docket") is not None, reason=str(missing("docket")))


def docket(*words):
    return subprocess.run([DOCKET, *[str(word) for word in words]], capture_output=True, timeout=300, text=True,
                          env={"PATH": "/usr/bin:/bin"}, check=False)


def validate(*flags):
    said = docket("validate", "--json", *flags)
    assert said.returncode == 0, said.stderr or said.stdout
    return json.loads(said.stdout)


def has_whole_numbers():
    with open("/proc/cpuinfo", encoding="utf-8") as facts:
        return "avx2" in facts.read().split()


F32, BF16, INT8, INT16 = (["--compute-dtype", name] for name in ("f32", "bf16", "int8", "int16"))
AVX2 = ["--cpu-isa", "avx2"]
# Relative L2 error of a product that each kind of arithmetic may have: of sums; of operands with 8 bits before the point; with 7 bits
# of the largest of 64, where those beyond 6 are large; with 13 and 12 bits of it.
EXACT, ROUNDED, CODED, FINELY_CODED = 1e-5, 4e-3, 4e-2, 6e-4


@pytest.mark.parametrize("flags, limit", [(F32, EXACT), (BF16, ROUNDED), (INT8, CODED), (INT16, FINELY_CODED),
                                          (AVX2 + INT8, CODED), (AVX2, FINELY_CODED), (AVX2 + F32, EXACT),
                                          (["--cpu-isa", "reference"], EXACT), (["--device", "reference"], EXACT)])
def test_every_format_is_as_exact_as_its_definition(flags, limit):
    if (INT8[1] in flags or INT16[1] in flags or "avx2" in flags) and not has_whole_numbers():
        pytest.skip("this processor multiplies no whole numbers")
    report = validate(*flags)
    assert report["pass"] and [row["format"] for row in report["formats"]] == list(EXPECTED)
    for row in report["formats"]:
        bits, percent = EXPECTED[row["format"]]
        assert row["pass"] and row["bits_per_weight"] == bits
        assert abs(100 * row["gaussian_relative_l2"] / percent - 1) < 0.02, row
        assert 0 < row["kernel_made"]["worst_share_of_limit"] <= 1 and row["kernel_made"]["relative_l2"] < limit, row


@pytest.mark.parametrize("flags, dtype", [(F32, "float32"), (AVX2 + INT8, "int8"), (AVX2, "int16"), (AVX2 + F32, "float32")])
def test_an_answer_says_what_was_computed_in(flags, dtype, tmp_path):
    if "avx2" in flags and not has_whole_numbers():
        pytest.skip("this processor has no AVX2")
    (tmp_path / "a.txt").write_text("Invoice 17. Total due: 41.20 EUR within 30 days.")
    said = docket("classify", *MODEL_FLAGS, *flags, "--json", "--labels", "invoice,letter", tmp_path / "a.txt")
    assert said.returncode == 0, said.stderr
    assert json.loads(said.stdout)["model"]["compute_dtype"] == dtype


def test_a_model_layer_by_layer():
    report = validate(*MODEL_FLAGS, *F32)
    rows = {row["format"]: row for row in report["formats"]}
    assert report["pass"] and set(rows) == set(EXPECTED)
    for name, row in rows.items():
        outputs, weights = row["outputs_relative_l2"], row["weights_relative_l2"]
        assert len(outputs["attention"]) == len(outputs["ffn"]) == weights["layers"] >= 4
        assert all(0 < value < 2 for value in outputs["attention"] + outputs["ffn"] + [outputs["logits"]]), (name, outputs)
        assert abs(100 * weights["ffn"] / EXPECTED[name][1] - 1) < 0.15, (name, weights)
        assert row["kernel_model"]["worst_share_of_limit"] <= 1
    # More bits, less error: in the first layer, which no other error has reached.
    first = {name: row["outputs_relative_l2"]["attention"][0] for name, row in rows.items()}
    assert first["q8"] < first["q4"] < first["q2"] < first["q1"] and first["int8"] < first["nf4"] < first["fp4"], first
    cache = {name: entry["logits"] for name, entry in report["kv_cache"].items()}
    assert set(cache) == {"f16", "q8_0", "q4_0"} and 0 < cache["f16"] < cache["q8_0"] < cache["q4_0"] < 1


def test_labelled_documents(tmp_path):
    for name, text in (("a.txt", "Invoice 17. Total due: 41.20 EUR within 30 days. Please pay to our bank account."),
                       ("b.txt", "Minutes of the board meeting on Tuesday. Present: all members. The agenda was accepted.")):
        (tmp_path / name).write_text(text)
    (tmp_path / "list.jsonl").write_text('{"file": "a.txt", "label": "invoice"}\n\n{"file": "b.txt", "label": "meeting_minutes"}\n')
    report = validate(*MODEL_FLAGS, "--formats", "q8", "--eval", tmp_path / "list.jsonl")
    assert report["evaluation_unquantized"]["documents"] == 2 and report["evaluation_unquantized"]["errors"] == 0
    assert report["formats"][0]["evaluation"]["agreement"] == 1.0
    assert report["formats"][0]["evaluation"]["accuracy"] == report["evaluation_unquantized"]["accuracy"]
    text = docket("validate", *MODEL_FLAGS, "--formats", "q8", "--eval", tmp_path / "list.jsonl").stdout
    assert "2 labelled documents" in text and "pass" in text


def test_what_is_wrong_is_said(tmp_path):
    (tmp_path / "bad.jsonl").write_text('{"file": "a.txt", "label": "x"}\n{"label": 3}\n')
    for flags, words in ((["--formats", "nf4,q3"], '"q3"'), (["--eval", tmp_path / "bad.jsonl"], "--eval needs a model"),
                         ([*MODEL_FLAGS, "--eval", tmp_path / "bad.jsonl"], "line 2"), (["--formats", "none"], '"none"')):
        said = docket("validate", *flags)
        assert said.returncode not in (0, 1) and words in said.stderr, said.stderr
    made = docket("quantize", *MODEL_FLAGS, "--format", "int8", "--out", tmp_path / "int8")
    assert made.returncode == 0, made.stderr
    said = docket("validate", "--model", tmp_path / "int8", "--formats", "nf4")
    assert said.returncode != 0 and "stored in int8" in said.stderr


@pytest.mark.parametrize("how", ["f16", "f32", "q8_0", "q4_0"])
def test_documents_are_classified_with_every_cache_format(how, tmp_path):
    (tmp_path / "a.txt").write_text("Invoice 17. Total due: 41.20 EUR within 30 days. Please pay to our bank account.")
    said = docket("classify", *MODEL_FLAGS, "--labels", "invoice,resume", "--kv-cache-format", how, "--json", tmp_path / "a.txt")
    assert said.returncode == 0, said.stderr
    (result,) = json.loads(said.stdout)["results"]
    assert result["label"] == "invoice"
