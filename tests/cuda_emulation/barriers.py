#!/usr/bin/python3
"""Leaves out each barrier of the CUDA kernels in turn. Something has to notice: values, a deadlock, or the race detector.

    tests/cuda_emulation/barriers.py [--build build/release] [--tsan build/tsan] [--only rows.cu:14]

A row for each barrier; the exit code is 1 if the loss of one goes unnoticed or the intact kernels fail, 2 if a program is not built.
"""

import argparse
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
KERNELS = ROOT / "kernels" / "cuda"
SUITES = ("test_backends", "test_products", "test_attention", "test_company")
SECONDS = 600


def barriers():
    for source in sorted([*KERNELS.glob("*.cu"), *KERNELS.glob("*.cuh")]):
        for number, line in enumerate(source.read_text(encoding="utf-8").splitlines(), 1):
            if re.search(r"\bBLOCK_BARRIER\(\);", line) and not line.lstrip().startswith("#define"):
                yield f"{source.relative_to(ROOT)}:{number}"


def run(program, skip):
    """What was seen: "" for nothing, else how it was noticed; and whether the barrier was reached."""
    environment = {**os.environ, "CONFORMANCE": "short", "TSAN_OPTIONS": "halt_on_error=1:exitcode=66"}
    if skip:
        environment["EMULATION_SKIP"] = skip
    try:
        done = subprocess.run([str(program)], cwd=ROOT, env=environment, capture_output=True, text=True, errors="replace", timeout=SECONDS)
    except subprocess.TimeoutExpired:
        return f"still running after {SECONDS} s", True
    reached = "no thread came to the barrier" not in done.stderr
    if done.returncode == 0:
        return "", reached
    if done.returncode == 66:
        return "race", True
    return "deadlock" if "deadlock" in done.stderr else "values" if done.returncode > 0 else f"signal {-done.returncode}", True


def look(build, skip):
    """Suites one after another until one notices."""
    reached = False
    for suite in SUITES:
        seen, there = run(build / "tests" / "cuda_emulation" / suite, skip)
        reached |= there
        if seen:
            return f"{seen} ({suite})", True
    return "", reached


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/release")
    parser.add_argument("--tsan", type=pathlib.Path, default=ROOT / "build/tsan")
    parser.add_argument("--only", default="", help="barriers whose FILE:LINE holds this")
    options = parser.parse_args()
    builds = [options.build.resolve(), options.tsan.resolve()]
    for build in builds:
        for suite in SUITES:
            if not (build / "tests" / "cuda_emulation" / suite).exists():
                print(f"{build}/tests/cuda_emulation/{suite} is not built: make barriers builds it")
                return 2
        seen, _ = look(build, "")
        if seen:
            print(f"the intact kernels fail in {build}: {seen}")
            return 1
    chosen = [barrier for barrier in barriers() if options.only in barrier]
    unnoticed = []
    print(f"{'barrier left out':34} {'by the values':34} by the race detector")
    for barrier in chosen:
        (values, reached), (race, _) = (look(build, barrier) for build in builds)
        print(f"{barrier:34} {values or '-':34} {race or '-'}{'' if reached or race else '   never reached'}", flush=True)
        if not values and not race:
            unnoticed.append(barrier)
    print(f"{len(chosen) - len(unnoticed)} of {len(chosen)} barriers are missed when they are left out"
          + "".join(f"\n  nobody misses {barrier}" for barrier in unnoticed))
    return 1 if unnoticed or not chosen else 0


if __name__ == "__main__":
    sys.exit(main())
