"""Rows R2, R3 and P26 of the catalogue: a GPU without memory, and one that is lost. The CUDA sources run on the CPU; EMULATION_FAIL orders failures."""

import json
import subprocess

import pytest

from support import BUILD, MODEL, MODEL_CACHE, ROOT, classify_input, error_codes

EMULATED = BUILD / "libdocket_cuda_emulated.so"
LOST = {"illegal address": 700, "assertion": 710, "hardware stack": 714, "misaligned": 716, "program counter": 718, "launch failure": 719,
        "uncorrected ECC": 214}
ON_GPU = {"DEVICE": "cuda", "CUDA_LIBRARY": str(EMULATED), "MAX_MODEL_LEN": "256", "LOAD": "eager"}


@pytest.fixture
def worker(make_platform, start, tmp_path):
    """A worker on the emulated GPU that has answered one job, and the file that orders a failure."""
    if not EMULATED.exists():
        pytest.fail(f"{EMULATED} is not built")
    platform = make_platform(ping_interval_s=1)
    orders = tmp_path / "orders"
    running = start("docket", platform, EMULATION_FAIL=str(orders), judged=False, **ON_GPU)
    running.wait_log("ready", timeout_s=120)
    platform.submit({"id": "before", "input": short()})
    assert not error_codes(platform.wait_answer("before", 120))
    return platform, running, orders


def short(count=1):
    return classify_input(count=count, labels=["invoice", "receipt"], options={"calibrate": False}) | \
        {"documents": [{"text": f"Invoice {number}"} for number in range(count)]}


def order(orders, error, times):
    part = orders.with_suffix(".part")
    part.write_text(f"{error} {times}")
    part.rename(orders)


@pytest.mark.parametrize("name", ["illegal address", "uncorrected ECC"])
def test_R3_a_lost_device_fails_its_jobs_as_retryable_and_ends_the_worker(worker, name):
    platform, running, orders = worker
    order(orders, LOST[name], 1)
    platform.submit({"id": "during", "input": short()})
    answer = platform.wait_answer("during", 120)
    assert error_codes(answer)[:1] == ["accelerator_lost"], answer
    report = json.loads(answer["error"]) if answer["error"].startswith("{") else answer["error"]
    assert "accelerator_lost" in json.dumps(report)
    assert running.exit_code(60) == 69
    assert not error_codes(platform.job("before").answer)       # what was computed stays


def test_R2_a_pass_without_memory_is_halved_and_nothing_is_lost(worker):
    platform, running, orders = worker
    platform.submit({"id": "want", "input": short(3)})
    want = platform.wait_answer("want", 120)["output"]["results"]
    order(orders, 2, 1)
    platform.submit({"id": "got", "input": short(3)})
    got = platform.wait_answer("got", 120)["output"]["results"]
    assert [(r["status"], r["label"], r["confidence"]) for r in got] == [(r["status"], r["label"], r["confidence"]) for r in want]
    [event] = running.wait_log("out_of_memory", timeout_s=20)
    assert event["done"] == "halved" and event["pass_tokens"] > 1
    assert running.alive


@pytest.mark.parametrize("memory", [1_000_000, 30_000_000])
def test_R2_no_memory_while_loading_ends_with_the_numbers(memory, tmp_path):
    """The driver said that there is enough, then somebody else took it."""
    document = tmp_path / "a.txt"
    document.write_text("Invoice", encoding="utf-8")
    answer = subprocess.run([str(BUILD / "docket"), "classify", "--labels", "a,b", str(document), "--model", MODEL, "--hub-cache", str(MODEL_CACHE),
                             "--device", "cuda", "--cuda-library", str(EMULATED)], cwd=ROOT, capture_output=True, text=True, timeout=240,
                            env={"PATH": "/usr/bin", "EMULATION_MEMORY": str(memory)}, check=False)
    assert answer.returncode == (69 if memory < 8 << 20 else 71), answer.stderr      # not even its ring; or not the model
    assert "out of memory" in answer.stderr or "no memory" in answer.stderr, answer.stderr
