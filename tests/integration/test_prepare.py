"""docket models prepare: from a name to a model that a worker loads quantized; each model for itself."""

import json
import os
import shutil
import subprocess
import time

import pytest

import jobs
from hub_server import Hub
from support import BUILD, MODEL, MODEL_CACHE, missing

DOCKET = str(BUILD / "docket")
SNAPSHOT = next((MODEL_CACHE / "models--docket--demo-mixtral" / "snapshots").iterdir())
FILES = {path.name: path.read_bytes() for path in SNAPSHOT.iterdir()}
COMMIT = "c0ffee" * 6 + "1234"
OK, FAILED, USAGE, CONFIG = 0, 1, 64, 78
SHORT_NAMES = ["tinyllama", "mistral-7b", "mistral-7b-instruct", "gemma-2b", "llama2-7b", "mixtral-8x7b-instruct"]

pytestmark = pytest.mark.skipif(missing("docket") is not None, reason=str(missing("docket")))


@pytest.fixture
def hub():
    with Hub(FILES, MODEL, COMMIT) as server:
        yield server


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


def docket(hub, cache, *words, expect=OK):
    environment = {"PATH": "/usr/bin:/bin", "NO_COLOR": "1", "HF_ENDPOINT": hub.endpoint, "HF_HUB_CACHE": str(cache)}
    said = subprocess.run([DOCKET, *[str(word) for word in words]], env=environment, capture_output=True, text=True, timeout=120,
                          check=False)
    assert said.returncode == expect, said.stderr + said.stdout
    return said


def prepare(hub, cache, *words, expect=OK):
    return json.loads(docket(hub, cache, "models", "prepare", "--json", *words, expect=expect).stdout)


def first(report):
    return report["models"][0]


def load(hub, cache, *words):
    """What a load says of where its weights come from."""
    said = docket(hub, cache, "logits", "--model", MODEL, "--tokens", "1,5,9", "--out", cache / "logits", "--log-level", "info", *words)
    return said.stderr


def test_a_model_that_is_not_there_is_fetched_quantized_and_proven(hub, cache):
    report = prepare(hub, cache, MODEL, "--format", "nf4")
    one = first(report)
    assert (report["ready"], report["failed"]) == (1, 0)
    assert one["ready"] and one["fetched"] and one["commit"] == COMMIT and one["failed_step"] is None
    assert one["network_bytes"] == sum(len(content) for content in FILES.values())
    assert (one["quantization"], one["quantized"]) == ("nf4", "made")
    assert os.path.isdir(one["quantized_folder"]) and 0 < one["worst_share_of_limit"] <= 1 and one["matrices"] > 5
    asked = len(hub.requests)
    assert "source=kept_copy" in load(hub, cache, "--quantization", "nf4", "--quant-cache"), "a worker takes what was prepared"
    again = first(prepare(hub, cache, MODEL, "--format", "nf4"))
    assert (again["ready"], again["fetched"], again["quantized"]) == (True, False, "there")
    assert len(hub.requests) == asked, "nothing is asked of the hub for a model that is there"


def test_none_only_fetches_and_proves(hub, cache):
    one = first(prepare(hub, cache, MODEL, "--format", "none"))
    assert (one["ready"], one["quantization"], one["quantized"], one["quantized_folder"]) == (True, "none", "as_stored", None)
    assert not list(cache.glob("models--*/.docket"))


def test_a_folder_in_place_of_the_copy(hub, cache, tmp_path):
    flags = [MODEL, "--format", "q4", "--out", tmp_path / "made"]
    one = first(prepare(hub, cache, *flags))
    assert one["quantized"] == "made" and one["quantized_folder"] == str(tmp_path / "made" / f"docket--demo-mixtral-{COMMIT[:12]}-q4")
    assert not list(cache.glob("models--*/.docket"))
    docket(hub, cache, "logits", "--model", one["quantized_folder"], "--tokens", "1,5,9", "--out", tmp_path / "logits")
    assert first(prepare(hub, cache, *flags))["quantized"] == "there"
    assert len(os.listdir(tmp_path / "made")) == 1


def test_a_model_that_is_quantized_already_stays_as_it_is(hub, cache, tmp_path):
    made = first(prepare(hub, cache, MODEL, "--format", "nf4", "--out", tmp_path / "made"))["quantized_folder"]
    one = first(prepare(hub, cache, made, "--format", "nf4"))
    assert (one["ready"], one["quantization"], one["quantized"], one["quantized_folder"]) == (True, "nf4", "as_stored", None)


def test_one_that_fails_is_its_own_line_and_the_others_go_on(hub, cache):
    said = docket(hub, cache, "models", "prepare", "no/such", "a b/c", MODEL, f"{MODEL}@v9", "--format", "nf4", expect=FAILED)
    lines = said.stdout.splitlines()
    assert lines[0].startswith("no/such  FAILED at fetch: hub_refused: ")
    assert lines[1].startswith("a b/c  FAILED at fetch: ") and "org/name" in lines[1]
    assert lines[2].startswith(f"{MODEL}  ready as nf4, ") and "fetched " in lines[2]
    assert lines[3].startswith(f"{MODEL}  FAILED at fetch: ") and "v9" in lines[3]
    assert lines[4] == "1 of 4 models ready"


def test_all_means_every_short_name(hub, cache):
    report = prepare(hub, cache, "--all", "--format", "nf4", expect=FAILED)
    assert [one["asked"] for one in report["models"]] == SHORT_NAMES
    assert all("/" in one["model"] and one["failed_step"] == "fetch" and one["code"] == "hub_refused" for one in report["models"])
    assert (report["ready"], report["failed"]) == (0, 6)


def test_a_short_name_is_the_model_that_it_stands_for(hub, cache):
    shutil.copytree(MODEL_CACHE / "models--docket--demo-mixtral", cache / "models--google--gemma-2b", symlinks=True)
    one = first(prepare(hub, cache, "gemma-2b", "--format", "q8"))
    assert (one["ready"], one["asked"], one["model"], one["quantization"]) == (True, "gemma-2b", "google/gemma-2b", "q8")


def test_a_damaged_file_is_found_before_anything_is_made_of_it(hub, cache):
    docket(hub, cache, "models", "fetch", MODEL)
    blob = next(cache.glob("models--*/snapshots/*/*.safetensors")).resolve()
    content = bytearray(blob.read_bytes())
    content[-5] ^= 1
    blob.write_bytes(content)
    one = first(prepare(hub, cache, MODEL, "--format", "nf4", expect=FAILED))
    assert (one["failed_step"], one["code"]) == ("verify", "model_checksum_wrong")
    assert not list(cache.glob("models--*/.docket"))


def test_what_was_half_fetched_is_completed(hub, cache):
    docket(hub, cache, "models", "fetch", MODEL)
    link = next(cache.glob("models--*/snapshots/*/model-00001*.safetensors"))
    link.resolve().unlink()
    link.unlink()
    one = first(prepare(hub, cache, MODEL, "--format", "nf4"))
    assert one["ready"] and one["fetched"] and one["network_bytes"] == len(FILES[link.name])


def test_a_copy_that_cannot_be_left_is_a_failure_here(hub, cache):
    docket(hub, cache, "models", "fetch", MODEL)
    (next(cache.glob("models--*")) / ".docket").write_text("in the way")
    one = first(prepare(hub, cache, MODEL, "--format", "nf4", expect=FAILED))
    assert one["failed_step"] == "quantize" and "the copy was not left there" in one["error"]


def test_weights_that_give_no_numbers_are_found(hub, cache):
    """A NaN in a norm passes every checksum, when it was published so."""
    changed = 0
    for name in [each for each in FILES if each.endswith(".safetensors")]:
        data = bytearray(FILES[name])
        length = int.from_bytes(data[:8], "little")
        for tensor, entry in json.loads(data[8:8 + length]).items():
            if tensor.endswith("norm.weight"):
                changed += 1
                at = 8 + length + entry["data_offsets"][0]
                data[at:at + 2] = {"BF16": b"\xc0\x7f", "F16": b"\x00\x7e"}[entry["dtype"]]
        hub.files[name] = bytes(data)
    said = docket(hub, cache, "models", "prepare", MODEL, "--format", "nf4", expect=FAILED)
    assert "  FAILED at validate: " in said.stdout and "the weights cannot be right" in said.stdout
    line = next(line for line in said.stderr.splitlines() if "event=weights_not_finite" in line)
    assert f"nan={changed} infinite=0 first=model." in line


def test_a_signal_ends_the_one_in_hand_and_those_behind_it(hub, cache):
    hub.faults["gate"] = 1_000_000                      # bytes after which the line stands still
    environment = {"PATH": "/usr/bin:/bin", "NO_COLOR": "1", "HF_ENDPOINT": hub.endpoint, "HF_HUB_CACHE": str(cache)}
    process = subprocess.Popen([DOCKET, "models", "prepare", MODEL, "gemma-2b", "--format", "nf4"], env=environment,
                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    deadline = time.monotonic() + 60 * jobs.PATIENCE
    while hub.sent < 1_000_000:
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.02)
    process.terminate()
    out, _ = process.communicate(timeout=60 * jobs.PATIENCE)
    first_line, second, last = out.splitlines()
    assert process.returncode == FAILED and first_line.startswith(f"{MODEL}  FAILED at fetch: ")
    assert second == "gemma-2b  FAILED at name: stopped" and last == "0 of 2 models ready"


def test_wrong_command_lines(hub, cache):
    for words, part in (([], "want one model or more"), (["--all", MODEL], "not both"), ([MODEL, "--out", "x"], "--format")):
        assert part in docket(hub, cache, "models", "prepare", *words, expect=USAGE).stderr
    assert "want none, nf4" in docket(hub, cache, "models", "prepare", MODEL, "--format", "nf5", expect=CONFIG).stderr
    assert not hub.requests and not cache.exists()
