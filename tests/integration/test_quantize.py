"""docket quantize, and the quantized copy that a worker keeps beside its model: exact, whole or not there, never trusted blindly."""

import json
import os
import pathlib
import random
import resource
import shutil
import signal
import struct
import subprocess
import time

import pytest

from support import BUILD, MODEL, MODEL_CACHE, SANITIZED, missing

DOCKET = str(BUILD / "docket")
OK, USAGE, IO = 0, 64, 74
TOKENS = "1,5,9,13,700,42,8,2000"
FORMATS = ["nf4", "nf4-plain", "fp4", "fp4-plain", "int8", "q8", "q4", "q2", "q1", "q2,attention=nf4,head=q8,embedding=int8"]

pytestmark = pytest.mark.skipif(missing("docket") is not None, reason=str(missing("docket")))


def small_files():
    """A disk that is full after a megabyte."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))


def start(*words, **how):
    return subprocess.Popen([DOCKET, *[str(word) for word in words]], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                            env={"PATH": "/usr/bin:/bin", "NO_COLOR": "1"}, **how)


def docket(*words, **how):
    process = start(*words, **how)
    out, errors = process.communicate(timeout=120)
    return subprocess.CompletedProcess(words, process.returncode, out, errors)


def logits(folder, *flags, model=MODEL, cache=MODEL_CACHE, **how):
    """The bytes of the logits, and what was logged."""
    out = pathlib.Path(folder) / f"logits-{random.random()}"
    said = docket("logits", "--model", model, "--hub-cache", cache, "--tokens", TOKENS, "--out", out, "--log-level", "info", *flags, **how)
    assert said.returncode == OK, said.stderr
    result = out.read_bytes()
    out.unlink()
    return result, said.stderr


def quantize(out, how, *flags, model=MODEL, cache=MODEL_CACHE, **options):
    return docket("quantize", "--model", model, "--hub-cache", cache, "--format", how, "--out", out, *flags, **options)


def tensors(folder):
    """Name → (dtype, shape, bytes) of all weight files, read as the format says."""
    found = {}
    for path in sorted(pathlib.Path(folder).glob("*.safetensors")):
        data = path.read_bytes()
        (length,) = struct.unpack("<Q", data[:8])
        for name, entry in json.loads(data[8:8 + length]).items():
            if name == "__metadata__":
                continue
            begin, end = entry["data_offsets"]
            found[name] = (entry["dtype"], entry["shape"], data[8 + length + begin:8 + length + end])
    return found


@pytest.mark.parametrize("how", FORMATS)
def test_a_quantized_folder_computes_exactly_what_quantizing_at_load_does(how, tmp_path):
    said = quantize(tmp_path / "made", how, "--shard-bytes", "2000000", "--json")
    assert said.returncode == OK, said.stderr
    report = json.loads(said.stdout)
    files = sorted(os.listdir(tmp_path / "made"))
    assert report["files"] == len([name for name in files if name.endswith(".safetensors")]) > 1
    assert {"config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors.index.json"} <= set(files)
    assert os.listdir(tmp_path) == ["made"]
    want, _ = logits(tmp_path, "--quantization", how)
    got, log = logits(tmp_path, model=tmp_path / "made")
    assert got == want
    assert f"quantization={how} " in log or f'quantization="{how}" ' in log, log
    config = json.loads((tmp_path / "made" / "config.json").read_text())["quantization_config"]
    assert config["quant_method"] == report["quant_method"] == ("docket" if how[0] == "q" else "bitsandbytes")


def test_what_is_not_quantized_is_copied_to_the_bit(tmp_path):
    assert quantize(tmp_path / "made", "nf4").returncode == OK
    source = tensors(next((MODEL_CACHE / f"models--{MODEL.replace('/', '--')}" / "snapshots").iterdir()))
    made = tensors(tmp_path / "made")
    copied = [name for name in source if "norm" in name or "embed" in name or "lm_head" in name or ".gate." in name]
    assert len(copied) >= 5 and all(made[name] == source[name] for name in copied)
    assert (tmp_path / "made" / "tokenizer.json").read_bytes() == next(MODEL_CACHE.glob("models--*/snapshots/*/tokenizer.json")).read_bytes()


def test_nothing_is_overwritten_and_nothing_quantized_twice(tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "mine").write_text("stays")
    said = quantize(tmp_path / "there", "nf4")
    assert said.returncode != OK and "is there already" in said.stderr
    assert os.listdir(tmp_path / "there") == ["mine"]
    assert quantize(tmp_path / "made", "nf4").returncode == OK
    said = quantize(tmp_path / "again", "nf4", model=tmp_path / "made")
    assert said.returncode != OK and "quantized already" in said.stderr
    assert sorted(os.listdir(tmp_path)) == ["made", "there"]


def test_quantize_says_what_is_wrong_with_its_flags(tmp_path):
    for flags, words in ((["--format", "none"], "not none"), (["--format", "nf4,heads=q8"], "heads=q8"), ([], "--format")):
        said = docket("quantize", "--model", MODEL, "--hub-cache", MODEL_CACHE, "--out", tmp_path / "x", *flags)
        assert said.returncode != OK and words in said.stderr, said.stderr
    said = docket("quantize", "--model", MODEL, "--hub-cache", MODEL_CACHE, "--format", "nf4")
    assert said.returncode == USAGE and "--out" in said.stderr
    assert os.listdir(tmp_path) == []


def test_a_full_disk_leaves_nothing(tmp_path):
    said = quantize(tmp_path / "made", "nf4", preexec_fn=small_files)
    assert said.returncode == IO and "made" in said.stderr, (said.returncode, said.stderr)
    assert os.listdir(tmp_path) == []


def test_killed_at_any_moment_it_leaves_no_folder_of_that_name(tmp_path):
    begin = time.monotonic()
    assert quantize(tmp_path / "whole", "nf4").returncode == OK
    usual = time.monotonic() - begin
    for i in range(12):
        out = tmp_path / f"made-{i}"
        process = start("quantize", "--model", MODEL, "--hub-cache", MODEL_CACHE, "--format", "nf4", "--out", out)
        time.sleep(usual * (i + 1) / 13)
        process.send_signal(signal.SIGKILL if i % 2 else signal.SIGTERM)
        process.communicate(timeout=60)
        if out.exists():                                # it was faster: then it is whole
            assert tensors(out) == tensors(tmp_path / "whole")
        if i % 2 == 0:                                  # asked to stop, it tidies up (or had not begun)
            assert not list(tmp_path.glob(f"made-{i}.tmp-*"))


# The kept copy. Each test has a cache of its own to write into.

@pytest.fixture
def cache(tmp_path):
    folder = tmp_path / "hub"
    shutil.copytree(MODEL_CACHE, folder, symlinks=True)
    return folder


@pytest.fixture(scope="module")
def exact(tmp_path_factory):
    return logits(tmp_path_factory.mktemp("exact"), "--quantization", "nf4")[0]


def kept(tmp_path, cache, **how):
    """Loads with QUANT_CACHE, and says which states were logged."""
    result, log = logits(tmp_path, "--quantization", "nf4", "--quant-cache", cache=cache, **how)
    lines = [line for line in log.splitlines() if "event=kept_copy" in line]
    states = [line.split("state=")[1].split()[0] for line in lines]
    assert ("source=kept_copy" in log) == (states == ["hit"]), log
    return result, states, "\n".join(lines)


def copy_of(cache):
    (folder,) = [path for path in cache.glob("models--*/.docket/*") if "." not in path.name]
    return folder


def test_the_second_load_takes_the_copy_and_computes_the_same(tmp_path, cache, exact):
    assert kept(tmp_path, cache)[:2] == (exact, ["miss", "written"])
    assert sorted(os.listdir(copy_of(cache))) == ["docket.json", "model.safetensors"]
    for _ in range(2):
        assert kept(tmp_path, cache)[:2] == (exact, ["hit"])
    assert len(os.listdir(copy_of(cache).parent)) == 1


@pytest.mark.skipif(SANITIZED, reason="what is written, not how")
def test_a_model_on_two_devices_makes_the_same_copy_and_takes_it(tmp_path, cache):
    """Half of its layers on a GPU, the others on the CPU."""
    assert kept(tmp_path, cache)[1] == ["miss", "written"]
    by_cpu = tensors(copy_of(cache))
    shutil.rmtree(copy_of(cache).parent)
    two = ("--device", "cuda", "--cuda-library", BUILD / "libdocket_cuda_emulated.so", "--gpu-layers", "2", "--max-model-len", "128")
    first, log = logits(tmp_path, "--quantization", "nf4", "--quant-cache", *two, cache=cache)
    assert "layers_on_host=2" in log and "state=written" in log, log
    assert tensors(copy_of(cache)) == by_cpu
    again, log = logits(tmp_path, "--quantization", "nf4", "--quant-cache", *two, cache=cache)
    assert "layers_on_host=2" in log and "source=kept_copy" in log and again == first, log
    assert kept(tmp_path, cache)[1] == ["hit"]


def test_without_the_setting_no_copy_is_made_or_used(tmp_path, cache, exact):
    assert logits(tmp_path, "--quantization", "nf4", cache=cache)[0] == exact
    assert not list(cache.glob("models--*/.docket"))
    assert "kept_copy" not in logits(tmp_path, "--quantization", "none", "--quant-cache", cache=cache)[1]
    assert not list(cache.glob("models--*/.docket"))


def test_any_changed_byte_is_found_and_the_copy_made_again(tmp_path, cache, exact):
    kept(tmp_path, cache)
    rng = random.Random(7)
    folder = copy_of(cache)
    weights = (folder / "model.safetensors").stat().st_size
    (length,) = struct.unpack("<Q", (folder / "model.safetensors").read_bytes()[:8])
    used = len((folder / "model.safetensors").read_bytes()[8:8 + length].rstrip())
    places = [("model.safetensors", at) for at in (0, 9, 8 + rng.randrange(used), 8 + length, weights - 1)]
    places += [("model.safetensors", rng.randrange(8 + length, weights)) for _ in range(6)]
    places += [("docket.json", rng.randrange((folder / "docket.json").stat().st_size - 1)) for _ in range(4)]
    for name, at in places:
        data = bytearray((folder / name).read_bytes())
        data[at] ^= 1 << rng.randrange(7)
        (folder / name).write_bytes(data)
        result, states, log = kept(tmp_path, cache)
        assert (result, states) == (exact, ["set_aside", "written"]), (name, at, log)
        assert sorted(os.listdir(folder.parent)) == [folder.name]
    assert kept(tmp_path, cache)[1] == ["hit"]


@pytest.mark.parametrize("name", ["docket.json", "model.safetensors"])
def test_missing_and_cut_files_are_made_again(name, tmp_path, cache, exact):
    kept(tmp_path, cache)
    size = (copy_of(cache) / name).stat().st_size
    for change in (lambda path: path.unlink(), lambda path: os.truncate(path, 0), lambda path: os.truncate(path, size - 1),
                   lambda path: path.write_bytes(path.read_bytes() + b"    "), lambda path: (path.unlink(), path.symlink_to("/etc/passwd"))):
        change(copy_of(cache) / name)
        result, states, log = kept(tmp_path, cache)
        if name == "docket.json" and states == ["hit"]:     # white space behind JSON says nothing
            continue
        assert (result, states) == (exact, ["set_aside", "written"]), log
    assert kept(tmp_path, cache)[:2] == (exact, ["hit"])


def test_a_source_that_changed_makes_a_new_copy(tmp_path, cache, exact):
    kept(tmp_path, cache)
    weights = next(cache.glob("models--*/snapshots/*/model-00001-of-00002.safetensors"))
    os.utime(weights, ns=(1, 1_700_000_000_000_000_000))
    _, states, log = kept(tmp_path, cache)
    assert states == ["set_aside", "written"] and "changed since" in log, log
    config = next(cache.glob("models--*/snapshots/*/config.json"))
    config.write_text(config.read_text().replace('"rope_theta": 10000.0', '"rope_theta": 20000.0'))
    result, states, log = kept(tmp_path, cache)
    assert states == ["set_aside", "written"] and "config.json" in log and result != exact
    assert kept(tmp_path, cache)[:2] == (result, ["hit"])


def test_formats_have_copies_of_their_own(tmp_path, cache):
    for how in ("nf4", "nf4-plain", "nf4"):
        logits(tmp_path, "--quantization", how, "--quant-cache", cache=cache)
    names = sorted(path.name.split("-", 1)[1] for path in cache.glob("models--*/.docket/*"))
    assert names == ["nf4", "nf4-plain"]


def test_killed_at_any_moment_the_next_one_finds_a_good_copy_or_none(tmp_path, cache, exact):
    begin = time.monotonic()
    kept(tmp_path, cache)
    usual = time.monotonic() - begin
    flags = ["--model", MODEL, "--hub-cache", cache, "--tokens", TOKENS, "--quantization", "nf4", "--quant-cache", "--out", tmp_path / "x"]
    for i in range(15):
        shutil.rmtree(copy_of(cache), ignore_errors=True)
        process = start("logits", *flags)
        time.sleep(usual * (i + 1) / 16)
        process.kill()
        process.communicate(timeout=60)
        result, states, log = kept(tmp_path, cache)
        assert result == exact and states in (["hit"], ["miss", "written"]), log
        assert kept(tmp_path, cache)[1] == ["hit"]


def test_several_at_once_do_each_other_no_harm(tmp_path, cache, exact):
    for damaged in (False, True):
        if damaged:
            path = copy_of(cache) / "model.safetensors"
            data = bytearray(path.read_bytes())
            data[-1] ^= 1
            path.write_bytes(data)
        outs = [tmp_path / f"{damaged}-{i}" for i in range(5)]
        flags = ["--model", MODEL, "--hub-cache", cache, "--tokens", TOKENS, "--quantization", "nf4", "--quant-cache"]
        processes = [start("logits", *flags, "--out", out) for out in outs]
        for process in processes:
            _, errors = process.communicate(timeout=120)
            assert process.returncode == OK, errors
        assert all(out.read_bytes() == exact for out in outs)
    # the last to set a copy aside may have come after the last to write one
    assert kept(tmp_path, cache)[1] in (["hit"], ["miss", "written"])
    assert kept(tmp_path, cache)[:2] == (exact, ["hit"])
    assert not list(cache.glob("models--*/.docket/*.tmp-*"))


def test_a_full_disk_costs_a_warning(tmp_path, cache, exact):
    result, states, log = kept(tmp_path, cache, preexec_fn=small_files, restore_signals=False)
    assert (result, states) == (exact, ["miss", "not_written"]) and "WARN" in log, log
    assert os.listdir(next(cache.glob("models--*/.docket"))) == []


def test_a_place_that_cannot_be_written_costs_a_warning(tmp_path, cache, exact):
    (next(cache.glob("models--*")) / ".docket").write_text("in the way")
    result, states, log = kept(tmp_path, cache)
    assert (result, states) == (exact, ["miss", "not_written"]) and "WARN" in log, log


def test_a_model_in_a_plain_folder_keeps_its_copy_there(tmp_path, cache, exact):
    folder = tmp_path / "model"
    shutil.copytree(next(cache.glob("models--*/snapshots/*")), folder)
    flags = ["--quantization", "nf4", "--quant-cache"]
    assert logits(tmp_path, *flags, model=folder)[0] == exact
    result, log = logits(tmp_path, *flags, model=folder)
    assert result == exact and "state=hit" in log
    assert os.listdir(folder / ".docket") == ["folder-nf4"]
