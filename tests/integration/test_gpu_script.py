"""The script for a machine with a GPU: its programs run over the emulation here, and it says when there is no GPU."""

import json
import os
import subprocess

import pytest

from support import BUILD, ROOT, SANITIZED

SCRIPT = ROOT / "tests" / "gpu" / "run.sh"


def _run(*arguments, **environment):
    return subprocess.run([str(SCRIPT), *arguments], cwd=ROOT, capture_output=True, text=True, timeout=1500,
                          env={**os.environ, "BUILD_DIR": str(BUILD), **environment})


@pytest.mark.skipif(SANITIZED, reason="a build of its own, without sanitizers")
def test_its_programs_run_over_the_emulation(tmp_path):
    answer = _run("--emulated", "--out", str(tmp_path))
    assert answer.returncode == 0, answer.stdout + answer.stderr
    results = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    states = {step["step"]: step["state"] for step in results["steps"]}
    assert results["device"] == "emulated on the host"
    assert {name for name, state in states.items() if state == "passed"} == {"build", "device", "truth", "models", "test_backends", "test_products", "test_beside", "test_attention", "test_attention_random", "test_company", "test_placement", "test_steps", "bench", "whole_models"}
    assert {name for name, state in states.items() if state != "passed"} == {"early", "answers", "transformers", "memcheck", "racecheck", "synccheck"}
    rows = results["bench"]["rows"]
    assert {row["operation"] for row in rows} == {"linear", "expert_ffn", "attention", "quantize", "expand"}
    assert {row["format"] for row in rows if row["operation"] == "linear"} == {"nf4_nested", "bf16"}
    assert all(row["seconds"] > 0 and row["bytes"] > 0 and (row["operations"] > 0 or row["operation"] in ("quantize", "expand")) for row in rows)
    model, loaded, stored = results["whole_models"]
    assert model["model"].startswith("tiny") and {row["step"] for row in model["rows"]} >= {"prefill", "decode", "documents"}
    assert all(row["problem"] is None and row["rate"] > 0 for row in model["rows"])
    assert loaded["rows"][0]["step"] == "load" and loaded["rows"][0]["amount"] > 100000 and not list(tmp_path.glob("docket-load-*"))
    assert {row["what"] for row in loaded["rows"]} >= {"copies to the GPU alone", "quantizing there alone"}
    assert stored["model"].endswith("in nf4") and stored["rows"][0]["what"].endswith("quantized when they were stored")
    assert stored["rows"][0]["amount"] < 0.5 * loaded["rows"][0]["amount"] and "quantizing there alone" not in {row["what"] for row in stored["rows"]}
    assert len(results["goals"]) > 8 and any(goal["met"] for goal in results["goals"])
    log = (tmp_path / "steps.log").read_text(encoding="utf-8")
    assert log.count("the same bits") >= 8 and log.count("logits ") >= 15 and "FAILED" not in log
    assert "ok (0 of" in (tmp_path / "steps.log").read_text(encoding="utf-8")


@pytest.mark.skipif(SANITIZED, reason="a build of its own, without sanitizers")
def test_a_kernel_that_is_wrong_fails_it(tmp_path):
    source = (ROOT / "kernels" / "cuda" / "multiply.cu").read_text(encoding="utf-8").splitlines()
    first = next(number for number, line in enumerate(source, 1) if "BLOCK_BARRIER();" in line)
    answer = _run("--emulated", "--part", "prove", "--out", str(tmp_path), EMULATION_SKIP=f"multiply.cu:{first}")
    states = {step["step"]: step["state"] for step in json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))["steps"]}
    assert answer.returncode == 1 and states["test_backends"] == "failed" and states["truth"] == "passed", answer.stdout


def _goals(tmp_path, whole_models, transformers=None):
    path = tmp_path / "results.json"
    path.write_text(json.dumps({"whole_models": whole_models, "transformers": transformers}), encoding="utf-8")
    said = subprocess.run([str(ROOT / "tests" / "gpu" / "goals.py"), str(path)], capture_output=True, text=True, timeout=60, check=True).stdout
    return {goal["what"]: (goal["found"], goal["met"]) for goal in json.loads(path.read_text(encoding="utf-8"))["goals"]}, said


def test_goals_stand_beside_what_was_found(tmp_path):
    row = {"problem": None, "share": None, "share_of": None, "of_ceilings": {}}
    mixtral = {"model": "mixtral-8x7b (random weights)", "layers": 32, "ceilings": [{"name": "copy", "rate": 4e12}],
               "rows": [{**row, "step": "documents", "what": "36 of 1000 tokens, 16 labels, prefix of 300", "rate": 20, "share": 0.96},
                        {**row, "step": "documents", "what": "36 of 1000 tokens, 16 labels, prefix of 300 in each", "rate": 15},
                        {**row, "step": "packed", "what": "a", "rate": 1, "amount": 16384, "of_ceilings": {"products": 0.8}},
                        {**row, "step": "packed", "what": "b", "rate": 1, "amount": 4096, "of_ceilings": {"products": 0.1}},
                        {**row, "step": "labels", "what": "36 of 1000 tokens, 256 labels, prefix of 300", "rate": 1, "share": 1.3, "share_of": "of the time with 2"},
                        {**row, "step": "prefill", "what": "1 sequence of 512 tokens", "problem": "no memory"}],
               "memory": [{"what": "all, as the driver counts", "planned_bytes": 1000, "found_bytes": 1015}]}
    own = {"model": "mixtral-8x7b (random weights), own kernels", "rows": [{**row, "step": "decode", "what": "batch 1, 64 steps behind 64 tokens",
                                                                            "rate": 400, "of_ceilings": {"copy": 0.5}}], "memory": [], "ceilings": []}
    files = {"model": "files of 14.5 GB in bf16", "rows": [{**row, "step": "load", "what": "3 files, quantizing included", "rate": 1e9, "seconds": 14},
                                                           {**row, "step": "load", "what": "quantizing there alone", "rate": 3e12}], "memory": [], "ceilings": []}
    stored = {"model": "files of 4.1 GB in nf4", "rows": [{**row, "step": "load", "what": "1 files, quantized when they were stored", "rate": 1e9, "seconds": 4}],
              "memory": [], "ceilings": []}
    pytorch = {"model": "mixtral-8x7b", "rows": [{"step": "documents", "what": "8 of 1000 tokens, prefix of 300 in each", "problem": None, "rate": 12},
                                                 {"step": "decode", "what": "batch 1, 64 steps behind 64 tokens", "problem": None, "rate": 40}]}
    goals, said = _goals(tmp_path, [mixtral, own, files, stored], pytorch)
    assert goals["decoding, batch 1: of the copy rate"] == (0.5, "none") and goals["largest packed pass: of the best product"] == (0.8, "wish")
    assert goals["documents a second (all 32 layers)"] == (20, "floor") and goals["shared prefix: of the saving that it could be"] == (0.96, "wish")
    assert goals["256 labels: times the time of 2"] == (1.3, "none") and goals["256 labels, first tokens shared"] == (None, None)
    assert goals["loading what is stored in nf4: times bf16's speed"] == (3.5, "floor")
    assert goals["memory: off the plan"][1] == "floor" and goals["quantizing alone: of the copy rate"][1] == "wish"
    assert goals["times PyTorch in bf16: documents, prefix in each"] == (1.25, "floor") and goals["times PyTorch in bf16: decoding, batch 1"] == (10, "wish")
    assert goals["times PyTorch in bf16: prefill of one sequence"] == (None, None) and "not measured" in said


def _early(tmp_path, *kernels):
    """What is said of kernels with these instructions, as the disassembler prints them."""
    lines = [line for name, instructions in kernels for line in
             (f"\t\tFunction : {name}", *(f"        /*{16 * at:04x}*/                   {text} ;" for at, text in enumerate(instructions)))]
    (tmp_path / "sass").write_text("\n".join(lines), encoding="utf-8")
    tool = tmp_path / "cuobjdump"
    tool.write_text(f"#!/bin/sh\ncat {tmp_path}/sass\n", encoding="utf-8")
    tool.chmod(0o755)
    return subprocess.run([str(ROOT / "tests" / "gpu" / "early.py"), "an.o", "--cuobjdump", str(tool)], capture_output=True, text=True, timeout=60, check=False)


def test_what_touches_memory_before_its_wait_is_found(tmp_path):
    waits = ("LDC R1, c[0x0][0x28]", "LDS R2, [R1]", "ACQBULK", "LDG.E R3, desc[UR4][R2.64]", "STG.E desc[UR4][R2.64], R3", "EXIT")
    reads = ("@P0 LDG.E.CONSTANT R3, desc[UR4][R2.64]", *waits)
    plain = ("STG.E desc[UR4][R2.64], R3", "EXIT")
    assert (said := _early(tmp_path, ("norm", waits), ("old", plain))).returncode == 0 and said.stdout == "1 kernels wait, 0 of them too late\n"
    said = _early(tmp_path, ("norm", waits), ("_Z4rope", reads), ("_Z12multiply_few", reads))
    assert said.returncode == 1 and "3 kernels wait, 1 of them too late" in said.stdout and "_Z4rope: in front of the wait: LDG" in said.stdout
    assert _early(tmp_path, ("_Z12multiply_few", ("@!P1 STG.E desc[UR4][R2.64], R3", *waits))).returncode == 1
    assert _early(tmp_path, ("old", plain)).returncode == 3


def test_goals_of_nothing_are_all_unknown(tmp_path):
    for whole_models in (None, []):
        assert set(_goals(tmp_path, whole_models)[0].values()) == {(None, None)}


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


def test_a_gpu_that_cannot_be_used_ends_it_with_one_line(tmp_path):
    truth = ROOT / "build" / "gpu" / "device" / "truth"
    if not truth.exists():
        pytest.skip("the programs for a GPU are not built here")
    said = subprocess.run([str(truth), "device"], capture_output=True, text=True, timeout=60, check=False)
    if said.returncode == 0:
        pytest.skip("there is a GPU")
    assert said.returncode == 3 and said.stdout.startswith("no GPU can be used: ") and said.stdout.count("\n") == 1


@pytest.mark.parametrize("arguments, named", [(["--part", "half"], "half"), (["--fast"], "--fast"), (["--out"], "--out"), (["--seconds", "0"], "--seconds")])
def test_wrong_usage_is_named(tmp_path, arguments, named):
    answer = _run(*arguments)
    assert answer.returncode == 2 and named in answer.stderr
