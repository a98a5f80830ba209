"""docket bench: what it reports, in which form, and what it refuses. No number is judged but those that arithmetic gives."""

import json
import signal
import subprocess
import time

import pytest

from support import BUILD, MODEL, MODEL_CACHE, missing

DOCKET = str(BUILD / "docket")
EMULATED = BUILD / "libdocket_cuda_emulated.so"
QUICK = ["--seconds", "0.02", "--decode", "4"]
STEPS = ["quantize", "prefill", "packed", "decode", "decode", "decode", "dense", "experts", "documents", "documents", "labels", "labels", "labels"]

pytestmark = pytest.mark.skipif(missing("docket") is not None, reason=str(missing("docket")))


def _bench(*words, expect=0):
    said = subprocess.run([DOCKET, "bench", *words], env={"PATH": "/usr/bin"}, capture_output=True, text=True, timeout=300, check=False)
    assert said.returncode == expect, said.stdout + said.stderr
    return said


def _check(told):
    """What holds in every report."""
    assert set(told) == {"model", "quantization", "kv_cache_format", "device", "variant", "arithmetic", "is_gpu", "threads", "layers", "parameters",
                         "parameters_per_token", "make_seconds", "interrupted", "ceilings", "rows", "memory",
                         "device_memory_used_bytes", "device_memory_total_bytes"}
    for ceiling in told["ceilings"]:
        assert ceiling["rate"] > 0 and ceiling["unit"] in ("operations", "bytes")
    names = {ceiling["name"] for ceiling in told["ceilings"]}
    for row in told["rows"]:
        if row["problem"]:
            assert set(row) == {"step", "what", "problem"}
            continue
        assert row["rate"] > 0 and row["seconds"] > 0 and row["amount"] > 0 and row["rounds"] >= 1
        assert row["unit"] in ("tokens", "documents", "bytes")
        assert set(row["of_ceilings"]) <= names and all(value > 0 for value in row["of_ceilings"].values())
    for line in told["memory"]:
        assert line["planned_bytes"] > 0
        if line["found_bytes"] is not None:
            assert line["difference_bytes"] == line["found_bytes"] - line["planned_bytes"]
    return told


@pytest.mark.parametrize("words", [[], ["--quantization", "nf4"], ["--quantization", "int8,attention=q8", "--kv-cache-format", "q8_0"],
                                   ["--device", "cpu", "--cpu-isa", "reference"]])
def test_a_synthetic_model_is_measured_in_every_step(words):
    told = _check(json.loads(_bench("--synthetic", "tiny", "--json", "--document-tokens", "40", "--prefix-tokens", "20", "--tokens", "64",
                                    *QUICK, *words).stdout))
    assert told["model"] == "tiny (random weights)" and told["make_seconds"] > 0 and not told["interrupted"] and told["layers"] == 2
    assert [row["step"] for row in told["rows"]] == STEPS
    assert [row["problem"] for row in told["rows"]] == [None] * len(STEPS)
    memory = {line["what"]: line for line in told["memory"]}
    # Exactly what was predicted, and an allocation more for every weight.
    weights = memory["weights, the device's form"]
    assert 0 <= weights["difference_bytes"] <= 64 * 1024
    by_step = {row["step"]: row for row in told["rows"]}
    assert by_step["experts"]["share_of"] == "of the dense rate per active parameter"
    assert by_step["quantize"]["of_ceilings"].keys() == {"read"} == set(by_step["quantize"]["of_ceilings"])
    assert "read" in by_step["decode"]["of_ceilings"] and "read" not in by_step["prefill"]["of_ceilings"]


def test_operations_are_those_of_the_shape():
    """tiny: 2 layers of dim 128, 4 heads on 2 of 32, 2 of 4 experts of 192; of the last layer keys and values, and one query."""
    told = json.loads(_bench("--synthetic", "tiny", "--json", "--only", "prefill", "--tokens", "64", *QUICK).stdout)
    qkv, out, ffn = 128 * (128 + 2 * 64), 128 * 128, 2 * 3 * 128 * 192 + 4 * 128
    assert told["parameters_per_token"] == 2 * (qkv + out + ffn)
    assert told["parameters"] == 2 * 512 * 128 + 2 * (qkv + out + 4 * 3 * 128 * 192 + 4 * 128 + 2 * 128) + 128
    want = 2 * (64 * (qkv + out + ffn) + 64 * 2 * 128 * 64 + 128 * 128 + out + ffn) + 4 * 128 * (64 * 65 // 2 + 64)
    [row] = told["rows"]
    assert abs(row["operations_per_second"] * row["seconds"] / want - 1) < 0.01


def test_steps_can_be_chosen_and_layers_counted():
    told = _check(json.loads(_bench("--synthetic", "mixtral-8x22b", "--layers", "3", "--json", "--only", "decode", "--synthetic", "tiny", *QUICK).stdout))
    assert {row["step"] for row in told["rows"]} == {"decode"} and told["layers"] == 3


def test_a_table_for_people():
    said = _bench("--synthetic", "tiny", *QUICK, "--quantization", "q4", "--tokens", "32", "--document-tokens", "20").stdout
    for word in ("tiny (random weights), q4", "ceilings", "read", "prefill", "decode", "of the dense rate", "documents/s", "planned", "found"):
        assert word in said, word
    assert "nan" not in said and "inf" not in said.replace("information", "")


def test_a_model_on_disk_is_measured_with_its_files():
    told = _check(json.loads(_bench("--model", MODEL, "--hub-cache", str(MODEL_CACHE), "--json", "--quantization", "nf4", *QUICK, "--tokens", "64",
                                    "--document-tokens", "40", "--prefix-tokens", "20", "--documents", "3", "--words", "20").stdout))
    steps = [row["step"] for row in told["rows"]]
    assert steps[:2] == ["load", "disk"] and steps[2:] == STEPS + ["classify"] and told["make_seconds"] is None
    load, disk = told["rows"][:2]
    assert load["problem"] is None and load["amount"] > 1e6
    if disk["problem"] is None:                                        # not every file system can be read past the cache
        assert disk["amount"] >= load["amount"] and load["share"] > 0
    else:
        assert "page cache" in disk["problem"]


def test_the_gpu_backend_is_measured_too():
    if not EMULATED.exists():
        pytest.skip("the emulated library belongs to the release build")
    told = _check(json.loads(_bench("--synthetic", "tiny", "--json", "--layers", "1", "--device", "cuda", "--cuda-library", str(EMULATED), "--seconds",
                                    "0.01", "--decode", "2", "--tokens", "16", "--only", "quantize,decode,experts", "--quantization", "nf4").stdout))
    told_by_driver = [row for row in told["memory"] if row["what"] == "all, as the driver counts"]
    assert len(told_by_driver) == 1 and told_by_driver[0]["found_bytes"] > 0      # there is no NVML here: the runtime says it
    assert [row["difference_bytes"] for row in told["memory"] if row["what"] == "all"] == [0]
    assert told["is_gpu"] and {ceiling["name"] for ceiling in told["ceilings"]} == {"copy", "products"}
    assert all(row["problem"] is None and row["rate_by_processor_time"] is None for row in told["rows"])
    assert all("copy" in row["of_ceilings"] for row in told["rows"] if row["step"] == "decode")


@pytest.mark.parametrize("graphs", ["auto", "off"])
def test_steps_of_generation_are_measured_with_graphs_and_without(graphs):
    if not EMULATED.exists():
        pytest.skip("the emulated library belongs to the release build")
    told = json.loads(_bench("--synthetic", "tiny", "--json", "--layers", "1", "--device", "cuda", "--cuda-library", str(EMULATED), "--seconds", "0.01",
                             "--only", "decode", "--decode", "4", "--together", "2", "--gpu-products", "own", "--cuda-graphs", graphs).stdout)
    without = [row["what"].endswith(", without graphs") for row in told["rows"] if row["step"] == "decode"]
    assert without == ([False, True] if graphs == "auto" else [False])


def test_a_model_on_disk_is_measured_stage_by_stage_on_a_gpu():
    if not EMULATED.exists():
        pytest.skip("the emulated library belongs to the release build")
    told = _check(json.loads(_bench("--model", MODEL, "--hub-cache", str(MODEL_CACHE), "--json", "--device", "cuda", "--cuda-library", str(EMULATED),
                                    "--seconds", "0.01", "--only", "quantize", "--max-model-len", "128").stdout))
    loads = {row["what"]: row for row in told["rows"] if row["step"] == "load"}
    copied = next(row for what, row in loads.items() if "copies" in what)
    whole = next(row for what, row in loads.items() if "files" in what)
    assert copied["amount"] == whole["amount"] and copied["seconds"] < whole["seconds"], loads
    assert [row["difference_bytes"] for row in told["memory"] if row["what"] == "all"] == [0], told["memory"]


@pytest.mark.parametrize("words, code, named", [
    ([], 64, "--synthetic"),
    (["--synthetic", "gpt-5"], 78, "gpt-5"),
    (["--synthetic", "tiny", "--only", "prefill,lunch"], 64, "lunch"),
    (["--synthetic", "tiny", "--layers", "0"], 64, "--layers"),
    (["--model", MODEL, "--layers", "2"], 64, "--layers"),
    (["--synthetic", "tiny", "--quantization", "nf5"], 78, "nf5"),
    (["--synthetic", "tiny", "more"], 64, "more"),
    (["--model", "no/such"], 66, "no/such"),
])
def test_what_cannot_be_is_said(words, code, named):
    assert named in _bench(*words, expect=code).stderr


def test_what_does_not_fit_is_refused_with_the_numbers():
    said = _bench("--synthetic", "mixtral-8x22b", "--layers", "1024", expect=71).stderr
    assert "mixtral-8x22b as none needs" in said and "GiB may be used" in said and "weights" in said


def test_a_step_that_cannot_be_is_a_line_and_the_rest_goes_on():
    told = _check(json.loads(_bench("--synthetic", "tiny", "--json", "--max-model-len", "100", "--tokens", "64", *QUICK).stdout))
    problems = {row["step"]: row["problem"] for row in told["rows"]}
    assert "the context has 100" in problems["documents"] and problems["decode"] is None


def test_an_interrupt_keeps_what_was_measured():
    """While the weights are made it ends with a word; in the middle of a measurement, with a report of what there is."""
    for wait in (0.2, 0.5, 1, 2, 4, 8):
        bench = subprocess.Popen([DOCKET, "bench", "--synthetic", "tiny", "--json", "--seconds", "600", "--decode", "1024", "--only", "decode"],
                                 env={"PATH": "/usr/bin"}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            time.sleep(wait)
            bench.send_signal(signal.SIGINT)
            out, err = bench.communicate(timeout=240)
        finally:
            bench.kill()
        if bench.returncode == -signal.SIGINT:                         # not even begun
            continue
        assert bench.returncode == 0, err
        if out:
            told = json.loads(out)
            assert told["interrupted"] and len(told["rows"]) < 3
            return
        assert "stopped at" in err
    pytest.fail("no measurement was reached in eight seconds")
