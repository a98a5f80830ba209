"""The script for a machine with a GPU: its programs run over the emulation here, and it says when there is no GPU."""

import json
import os
import subprocess

import pytest

from support import BUILD, ROOT, SANITIZED

SCRIPT = ROOT / "tests" / "gpu" / "run.sh"


def _run(*arguments, **environment):
    return subprocess.run([str(SCRIPT), *arguments], cwd=ROOT, capture_output=True, text=True, timeout=600,
                          env={**os.environ, "BUILD_DIR": str(BUILD), **environment})


@pytest.mark.skipif(SANITIZED, reason="a build of its own, without sanitizers")
def test_its_programs_run_over_the_emulation(tmp_path):
    answer = _run("--emulated", "--out", str(tmp_path))
    assert answer.returncode == 0, answer.stdout + answer.stderr
    results = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    states = {step["step"]: step["state"] for step in results["steps"]}
    assert results["device"] == "emulated on the host"
    assert {name for name, state in states.items() if state == "passed"} == {"build", "truth", "test_backends", "test_products", "test_attention", "test_company", "test_placement", "bench", "whole_models"}
    assert {name for name, state in states.items() if state != "passed"} == {"answers", "transformers", "memcheck", "racecheck", "synccheck"}
    rows = results["bench"]["rows"]
    assert {row["operation"] for row in rows} == {"linear", "expert_ffn", "attention"}
    assert {row["format"] for row in rows if row["operation"] == "linear"} == {"nf4_nested", "bf16"}
    assert all(row["seconds"] > 0 and row["bytes"] > 0 and row["operations"] > 0 for row in rows)
    model, loaded = results["whole_models"]
    assert model["model"].startswith("tiny") and {row["step"] for row in model["rows"]} >= {"prefill", "decode", "documents"}
    assert all(row["problem"] is None and row["rate"] > 0 for row in model["rows"])
    assert loaded["rows"][0]["step"] == "load" and loaded["rows"][0]["amount"] > 100000 and not list(tmp_path.glob("docket-load-*"))
    assert "ok (0 of" in (tmp_path / "steps.log").read_text(encoding="utf-8")


@pytest.mark.skipif(SANITIZED, reason="a build of its own, without sanitizers")
def test_a_kernel_that_is_wrong_fails_it(tmp_path):
    source = (ROOT / "kernels" / "cuda" / "multiply.cu").read_text(encoding="utf-8").splitlines()
    first = next(number for number, line in enumerate(source, 1) if "BLOCK_BARRIER();" in line)
    answer = _run("--emulated", "--part", "prove", "--out", str(tmp_path), EMULATION_SKIP=f"multiply.cu:{first}")
    states = {step["step"]: step["state"] for step in json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))["steps"]}
    assert answer.returncode == 1 and states["test_backends"] == "failed" and states["truth"] == "passed", answer.stdout


def test_without_a_gpu_it_says_so(tmp_path):
    answer = _run("--out", str(tmp_path), NVIDIA_SMI=str(tmp_path / "nvidia-smi"))
    assert answer.returncode == 3 and "no GPU" in answer.stderr and not (tmp_path / "results.json").exists()


def test_what_takes_longer_than_there_is_time_is_ended_and_said(tmp_path):
    for name, text in (("nvidia-smi", "case $* in *name*) echo Emulated ;; *) echo 9.0 ;; esac"), ("make", "sleep 300"), ("nvcc", "exit 1")):
        (tmp_path / name).write_text(f"#!/bin/bash\n{text}\n", encoding="utf-8")
        (tmp_path / name).chmod(0o755)
    answer = _run("--out", str(tmp_path / "out"), "--seconds", "3", NVIDIA_SMI=str(tmp_path / "nvidia-smi"), PATH=f"{tmp_path}:{os.environ['PATH']}")
    build, = json.loads((tmp_path / "out" / "results.json").read_text(encoding="utf-8"))["steps"]
    assert answer.returncode == 1 and build["state"] == "failed" and "ended after" in build["remark"], answer.stdout


@pytest.mark.parametrize("arguments, named", [(["--part", "half"], "half"), (["--fast"], "--fast"), (["--out"], "--out"), (["--seconds", "0"], "--seconds")])
def test_wrong_usage_is_named(tmp_path, arguments, named):
    answer = _run(*arguments)
    assert answer.returncode == 2 and named in answer.stderr
