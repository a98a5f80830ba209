#!/usr/bin/python3
"""Leaves out each barrier of the CUDA kernels in turn. Something has to notice: values, a deadlock, or the race detector.

    tests/cuda_emulation/barriers.py [--build build/release] [--tsan build/tsan] [--only rows.cu:14,attention] [--both]

A row for each barrier; the exit code is 1 if the loss of one goes unnoticed or the intact kernels fail, 2 if a program is not built. The race
detector, which takes ten times as long, is asked where the values show nothing; with --both always. A barrier costs at most the five suites
in both builds, 90 seconds of a processor.
"""

import argparse
import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
KERNELS = ROOT / "kernels" / "cuda"
SUITES = ("test_backends", "test_products", "test_attention", "test_company", "test_steps")
CARDS = ("8.0", "7.5")                                                  # the second has a stage of shared memory, and waits differently
SECONDS = 600


def barriers():
    for source in sorted([*KERNELS.glob("*.cu"), *KERNELS.glob("*.cuh")]):
        for number, line in enumerate(source.read_text(encoding="utf-8").splitlines(), 1):
            if re.search(r"\bBLOCK_BARRIER\(\);", line) and not line.lstrip().startswith("#define"):
                yield f"{source.relative_to(ROOT)}:{number}"


def run(program, skip, card):
    """What was seen: "" for nothing, else how it was noticed; and whether the barrier was reached."""
    environment = {**os.environ, "CONFORMANCE": "short", "EMULATION_CARDS": card, "TSAN_OPTIONS": "halt_on_error=1:exitcode=66"}
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
    """Suites one after another until one notices; on the second card where the first never comes to the barrier. How, and whether one came."""
    for card in CARDS:
        reached = False
        for suite in SUITES:
            seen, there = run(build / "tests" / "cuda_emulation" / suite, skip, card)
            reached |= there
            if seen:
                return f"{seen} ({suite}{'' if card == CARDS[0] else ' on ' + card})", True
        if reached:
            return "", True
    return "", False


def judge(builds, barrier, both):
    values, reached = look(builds[0], barrier)
    if values and not both:
        return values, None, True
    race, there = look(builds[1], barrier)
    return values, race, reached or there


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/release")
    parser.add_argument("--tsan", type=pathlib.Path, default=ROOT / "build/tsan")
    parser.add_argument("--only", default="", help="barriers whose FILE:LINE holds one of these, with commas between them")
    parser.add_argument("--both", action="store_true", help="the race detector judges what the values show, too")
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
    chosen = [barrier for barrier in barriers() if any(word in barrier for word in options.only.split(","))]
    unnoticed = []
    print(f"{'barrier left out':42} {'by the values':34} by the race detector")
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for barrier, (values, race, reached) in zip(chosen, pool.map(lambda barrier: judge(builds, barrier, options.both), chosen)):
            print(f"{barrier:42} {values or '-':34} {'not asked' if race is None else race or '-'}{'' if reached else '   never reached'}", flush=True)
            if not values and not race:
                unnoticed.append(barrier)
    print(f"{len(chosen) - len(unnoticed)} of {len(chosen)} barriers are missed when they are left out"
          + "".join(f"\n  nobody misses {barrier}" for barrier in unnoticed))
    return 1 if unnoticed or not chosen else 0


if __name__ == "__main__":
    sys.exit(main())
