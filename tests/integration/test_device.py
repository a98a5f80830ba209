"""Where the model runs: on a GPU (whose code is run by the CPU here), on the CPU, and what is said when it cannot be."""

import json
import subprocess

import pytest

from support import BUILD, MODEL, MODEL_CACHE, ROOT, SANITIZED

EMULATED = BUILD / "libdocket_cuda_emulated.so"
LABELS = "invoice,receipt,payslip"
TEXT = "Invoice number 4711. Total due: 20 euro, payable within 30 days."


def _docket(*arguments, **environment):
    return subprocess.run([str(BUILD / "docket"), *arguments, "--model", MODEL, "--hub-cache", str(MODEL_CACHE)], cwd=ROOT,
                          capture_output=True, text=True, timeout=240, env={"PATH": "/usr/bin", "LOG_LEVEL": "info", **environment})


def _classify(tmp_path, *arguments):
    document = tmp_path / "a.txt"
    document.write_text(TEXT, encoding="utf-8")
    return _docket("classify", "--labels", LABELS, str(document), "--jsonl", *arguments)


@pytest.mark.parametrize("quantization, cache", [("none", "f16"), ("nf4", "f16"), ("fp4", "f32"), ("int8", "q8_0"), ("q4", "q4_0")])
def test_a_document_gets_the_same_label_on_either_device(tmp_path, quantization, cache):
    if not EMULATED.exists():
        pytest.fail(f"{EMULATED} is not built")
    form = ("--quantization", quantization, "--kv-cache-format", cache)
    on_cpu = _classify(tmp_path, "--device", "cpu", *form)
    on_gpu = _classify(tmp_path, "--device", "cuda", "--cuda-library", str(EMULATED), *form)
    assert on_cpu.returncode == 0 and on_gpu.returncode == 0, on_gpu.stderr
    cpu, gpu = json.loads(on_cpu.stdout), json.loads(on_gpu.stdout)
    assert gpu["label"] == cpu["label"] == "invoice"
    assert abs(gpu["confidence"] - cpu["confidence"]) < 0.05        # operands of bf16 against f32


def test_a_gpu_that_was_asked_for_and_is_not_there_is_an_error(tmp_path):
    answer = _classify(tmp_path, "--device", "cuda", "--cuda-library", str(tmp_path / "none.so"))
    assert answer.returncode == 69 and "none.so" in answer.stderr, answer.stderr


def test_a_library_that_is_none_is_an_error(tmp_path):
    library = tmp_path / "text.so"
    library.write_text("no library", encoding="utf-8")
    answer = _classify(tmp_path, "--device", "cuda", "--cuda-library", str(library))
    assert answer.returncode == 69 and "text.so" in answer.stderr, answer.stderr


@pytest.mark.skipif(SANITIZED, reason="said once is enough")
def test_auto_takes_the_cpu_and_says_why(tmp_path):
    answer = _classify(tmp_path, "--device", "auto", "--cuda-library", str(tmp_path / "none.so"))
    assert answer.returncode == 0 and json.loads(answer.stdout)["label"] == "invoice"


def _on_gpu(tmp_path, nvml, **environment):
    answer = _docket("classify", "--labels", "a,b", "--json", "--no-calibrate", *_short(tmp_path), "--device", "cuda", "--cuda-library", str(EMULATED),
                     "--nvml-library", str(nvml), "--log-level", "info", **environment)
    assert answer.returncode == 0, answer.stderr
    return json.loads(answer.stdout)["gpu"], answer.stderr


def _short(tmp_path):
    document = tmp_path / "short.txt"
    document.write_text("Invoice 4711", encoding="utf-8")
    return [str(document)]


def test_a_gpus_memory_errors_and_energy_are_what_its_driver_says(tmp_path):
    gpu, log = _on_gpu(tmp_path, BUILD / "libdocket_fake_nvml.so")
    assert (gpu["memory_total_bytes"], gpu["memory_used_bytes"], gpu["memory_free_bytes"]) == (24 * 10**9, 5 * 10**9, 19 * 10**9)
    assert gpu["driver_version"] == "570.86.15" and gpu["ecc_errors"] == 1 and gpu["energy_joules"] == 0 and gpu["utilization"] == 0.83
    assert "state=found" in log and "compute_capability=9.0" in log and "driver_version=570.86.15" in log


@pytest.mark.parametrize("fake", ["none.so", "init=9"])
def test_without_nvml_the_backend_is_asked_and_work_goes_on(tmp_path, fake):
    """R7: one line in the log, numbers of the driver null, memory from the runtime."""
    gpu, log = _on_gpu(tmp_path, tmp_path / fake if fake == "none.so" else BUILD / "libdocket_fake_nvml.so",
                       **({"FAKE_NVML": fake} if fake != "none.so" else {}))
    assert gpu["memory_total_bytes"] == 4 << 30 and 0 < gpu["memory_peak_bytes"] < gpu["memory_total_bytes"]
    assert gpu["driver_version"] is None and gpu["ecc_errors"] is None and gpu["energy_joules"] is None and gpu["utilization"] is None
    assert log.count("event=gpu_stats") == 1 and "state=absent" in log


def test_an_nvml_that_dies_later_costs_its_numbers_only(tmp_path):
    gpu, log = _on_gpu(tmp_path, BUILD / "libdocket_fake_nvml.so", FAKE_NVML="memory=15 from=2")
    assert gpu["energy_joules"] is None and gpu["memory_total_bytes"] == 4 << 30
    assert log.count("state=lost") == 1 and "GPU is lost" in log


DRIVER = 512 << 20                  # what docket plan counts for the driver, less what the emulated one takes


def _budgets():
    """Budgets by where docket plan leaves something: the middle of the range of each."""
    ways = {}
    for tenth in range(200, 800, 4):
        budget = tenth * 100_000
        said = subprocess.run([str(BUILD / "docket"), "plan", "--model", MODEL, "--hub-cache", str(MODEL_CACHE), "--context", "128",
                               "--gpu-memory", str(budget + DRIVER), "--json"], capture_output=True, text=True, env={}, check=True)
        row = json.loads(said.stdout)["contexts"][0]
        way = "none" if not row["fits"] else "layers" if row["layers_on_host"] else "experts" if row["experts_on_host"] else \
            "embedding" if row["embedding_on_host"] else "all"
        ways.setdefault(way, []).append(budget)
    return {way: found[len(found) // 2] for way, found in ways.items()}


@pytest.fixture(scope="module")
def budgets():
    return _budgets()


def _placed(tmp_path, *words):
    answer = _docket("classify", "--labels", "invoice,receipt", "--json", "--no-calibrate", "--max-model-len", "128", *_short(tmp_path), "--device", "cuda",
                     "--cuda-library", str(EMULATED), "--log-level", "info", *words)
    assert answer.returncode == 0, answer.stderr
    out = json.loads(answer.stdout)
    events = {}
    for line in answer.stderr.splitlines():
        words = dict(word.split("=", 1) for word in line.split() if "=" in word)
        events[words.get("event")] = words
    plan, taken = events["memory_plan"], events["memory_taken"]
    assert abs(float(taken["off_percent"])) < 2 and int(taken["used_bytes"]) <= int(taken["peak_bytes"]) + 1
    expanded = int(events["model_loaded"]["expanded_bytes"])
    assert out["gpu"]["memory_peak_bytes"] <= 1.02 * (int(plan["device_bytes"]) + expanded), "more was taken than planned, while it ran"
    return out, plan


@pytest.mark.parametrize("quantization", ["none", "nf4"])
def test_wherever_the_parts_lie_the_answer_is_the_same(tmp_path, budgets, quantization):
    """All on the GPU; the embedding, experts, or layers on the host because the budget is too small for them."""
    # Unquantized with one regime of products, whatever the passes: then experts on the host give the same bits.
    form = ("--quantization", quantization, *(("--gpu-products", "own") if quantization == "none" else ()))
    whole, plan = _placed(tmp_path, *form)
    assert (plan["embedding_on_host"], plan["experts_on_host"], plan["layers_on_host"]) == ("false", "0", "0")
    ways = {"experts", "layers"} if quantization == "none" else {"layers"}
    for way in sorted(ways):
        out, plan = _placed(tmp_path, *form, *(("--gpu-memory-budget", str(budgets[way])) if quantization == "none" else ("--gpu-layers", "2")))
        assert int(plan["device_bytes"]) <= int(plan["budget_bytes"])
        assert (int(plan["experts_on_host"]) > 0) == (way == "experts") and (int(plan["layers_on_host"]) > 0) == (way == "layers")
        got, want = out["results"][0], whole["results"][0]
        assert got["label"] == want["label"]
        # Experts on the host are the same bytes; layers on the CPU are rounded elsewhere.
        off = abs(got["confidence"] - want["confidence"])
        assert off == 0 if way == "experts" else off < 0.01, (way, off, plan)
        assert out["gpu"]["layers_on_gpu"] == 4 - int(plan["layers_on_host"])


def test_a_budget_that_holds_nothing_is_refused_with_the_numbers(tmp_path):
    answer = _docket("classify", "--labels", "a,b", *_short(tmp_path), "--device", "cuda", "--cuda-library", str(EMULATED), "--gpu-memory-budget", "10MB")
    assert answer.returncode == 71, answer.stderr
    for word in ("in MiB", "weights 11.08", "9.54 may be used of the device", "lacking"):
        assert word in answer.stderr, answer.stderr


@pytest.mark.parametrize("words, says", [(("--gpu-memory-budget", "lots"), "lots"), (("--gpu-layers", "0"), "--gpu-layers"),
                                         (("--gpu-layers", "some"), "some"), (("--gpu-layers", "5"), "4 layers")])
def test_bad_placements_are_named(tmp_path, words, says):
    answer = _docket("classify", "--labels", "a,b", *_short(tmp_path), "--device", "cuda", "--cuda-library", str(EMULATED), *words)
    assert answer.returncode == 78 and says in answer.stderr, answer.stderr
NO_CARD = [
    ({"EMULATION_CARDS": ""}, (), "no CUDA-capable device is detected"),
    ({"EMULATION_DRIVER": "none"}, (), "no NVIDIA driver is installed here"),
    ({"EMULATION_DRIVER": "old"}, (), "the driver is for CUDA 11.8, at least 13.0 is needed"),
    ({"EMULATION_CARDS": "7.0"}, (), "device 0, emulated on the host: compute capability 7.0, at least 7.5 is needed"),
    ({"EMULATION_CARDS": "11.0", "EMULATION_CODE": "7.5,8.0,10.0,12.0"}, (),
     "device 0, emulated on the host: compute capability 11.0: this library has no code for it, but for sm_75 "),
    ({"EMULATION_CARDS": "8.0,9.0"}, ("--cuda-device", "2"), "device 2 of 2: they are counted from 0"),
]


@pytest.mark.skipif(SANITIZED, reason="said once is enough")
@pytest.mark.parametrize("environment, arguments, why", NO_CARD, ids=["no_card", "no_driver", "old_driver", "old_card", "no_code", "no_such_card"])
def test_a_gpu_that_cannot_be_used_is_said_in_one_line(tmp_path, environment, arguments, why):
    document = tmp_path / "a.txt"
    document.write_text(TEXT, encoding="utf-8")
    ask = ("classify", "--labels", LABELS, str(document), "--jsonl", "--cuda-library", str(EMULATED), *arguments)
    wanted = _docket(*ask, "--device", "cuda", **environment)
    assert wanted.returncode == 69, wanted.stderr
    said = wanted.stderr.splitlines()[-1]
    assert said.startswith("docket: accelerator_lost: cuda: ") and why in said, wanted.stderr
    either = _docket(*ask, "--device", "auto", **environment)
    assert either.returncode == 0 and json.loads(either.stdout)["label"] == "invoice", either.stderr
    said = [line for line in either.stderr.splitlines() if "event=backend_fallback" in line]
    assert len(said) == 1 and "serves=cpu" in said[0] and why in said[0], either.stderr
    assert [" backend=cpu " in line for line in either.stderr.splitlines() if "event=device_found" in line] == [True], either.stderr


@pytest.mark.skipif(SANITIZED, reason="said once is enough")
def test_without_cublaslt_the_own_kernels_serve_and_the_reason_is_said(tmp_path):
    gpu = ("--device", "cuda", "--cuda-library", str(EMULATED), "--max-model-len", "128", "--no-calibrate")
    answer = _docket("classify", "--labels", "a,b", *_short(tmp_path), *gpu, EMULATION_BLAS="none")
    assert answer.returncode == 0, answer.stderr
    found = [line for line in answer.stderr.splitlines() if "event=device_found" in line]
    assert len(found) == 1 and 'products="own kernels: libcublasLt.so.12: cannot open' in found[0], answer.stderr
    wanted = _docket("classify", "--labels", "a,b", *_short(tmp_path), *gpu, "--gpu-products", "library", EMULATION_BLAS="none")
    assert wanted.returncode == 69 and "products through cuBLASLt: libcublasLt.so.12: cannot open" in wanted.stderr.splitlines()[-1], wanted.stderr


@pytest.mark.skipif(SANITIZED, reason="said once is enough")
def test_the_second_of_two_cards_is_the_one_that_serves(tmp_path):
    document = tmp_path / "a.txt"
    document.write_text(TEXT, encoding="utf-8")
    answer = _docket("classify", "--labels", LABELS, str(document), "--jsonl", "--device", "cuda", "--cuda-library", str(EMULATED),
                     "--cuda-device", "1", EMULATION_CARDS="7.0,8.6")
    assert answer.returncode == 0 and json.loads(answer.stdout)["label"] == "invoice", answer.stderr
    found = [line for line in answer.stderr.splitlines() if "event=device_found" in line]
    assert len(found) == 1 and 'name="emulated on the host, number 1" variant=sm_86' in found[0], answer.stderr


@pytest.mark.skipif(SANITIZED, reason="said once is enough")
@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_each_stage_of_loading_has_its_rate(tmp_path, device):
    answer = _docket("classify", "--labels", "a,b", *_short(tmp_path), "--device", device, "--cuda-library", str(EMULATED), "--quantization", "nf4",
                     "--max-model-len", "128", "--no-calibrate", "--log-format", "json", "--log-level", "info")
    [loaded] = [json.loads(line) for line in answer.stderr.splitlines() if '"model_loaded"' in line]
    for stage in ("read", "disk", "quantize", "device"):
        assert loaded[f"{stage}_gigabytes_per_second"] > 0, loaded
    assert (loaded["copy_gigabytes_per_second"] is None) == (device == "cpu")     # where nothing is copied there is no rate
    assert 0 <= loaded["read_past_cache_bytes"] <= loaded["read_bytes"]


@pytest.mark.skipif(SANITIZED, reason="what is computed, not how")
def test_a_16_bit_form_changes_no_score_and_is_reported(tmp_path):
    gpu = ("--device", "cuda", "--cuda-library", str(EMULATED), "--quantization", "nf4", "--gpu-products", "library")
    without, beside = (_classify(tmp_path, *gpu, "--log-format", "json", "--expand", how) for how in ("off", "on"))
    assert without.returncode == 0 and beside.returncode == 0, beside.stderr
    assert json.loads(beside.stdout)["scores"] == json.loads(without.stdout)["scores"]
    loaded = [json.loads(line) for answer in (without, beside) for line in answer.stderr.splitlines() if '"model_loaded"' in line]
    assert [line["expanded_layers"] for line in loaded] == [0, 4]
    assert loaded[0]["expanded_bytes"] == 0 and loaded[1]["expanded_bytes"] > loaded[1]["weights_bytes"]
    assert all(line["products"].startswith("cuBLASLt") for line in loaded)


@pytest.mark.skipif(SANITIZED, reason="what is planned, not how")
def test_a_16_bit_form_that_was_asked_for_comes_before_large_passes(tmp_path):
    form = ("--quantization", "nf4", "--gpu-products", "library", "--expand")
    _, large = _placed(tmp_path, *form, "off")
    _, small = _placed(tmp_path, *form, "on", "--gpu-memory-budget", str(int(large["device_bytes"]) + 1_000_000))
    assert int(large["pass_tokens"]) == 16384, large
    assert (int(small["pass_tokens"]), int(small["kv_slots"])) < (16384, int(large["kv_slots"])), small


@pytest.mark.skipif(SANITIZED, reason="said once is enough")
def test_a_16_bit_form_that_nobody_uses_is_refused(tmp_path):
    answer = _classify(tmp_path, "--device", "cpu", "--quantization", "nf4", "--expand", "on")
    assert answer.returncode != 0 and "EXPAND" in answer.stderr and "CPU" in answer.stderr, answer.stderr
