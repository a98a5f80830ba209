#!/usr/bin/python3
"""Leaves out each barrier of the CUDA kernels in turn, each wait of the host side for a stream or an event, each record of an event; of
each wait for asynchronous copies one group; the waits of kernels that begin early (kernels/cuda/early.cuh), which values cannot show.
Something has to notice: values, a deadlock, or the race detector.

    tests/cuda_emulation/barriers.py [--build build/release] [--tsan build/tsan] [--only rows.cu:14,attention] [--both] [--tenth SEED]

A row for each place; the exit code is 1 if the loss of one goes unnoticed or the intact kernels fail, 2 if a program is not built. Each suite
runs intact first and says which places it comes to and when: a place is looked for where it is reached soonest, and the first notice
ends it. The race detector, which takes ten times as long, is asked where the values show nothing; with --both always; never without --tsan.
"""

import argparse
import concurrent.futures
import os
import pathlib
import random
import re
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
KERNELS = ROOT / "kernels" / "cuda"
SUITES = ("test_products", "test_beside", "test_attention", "test_placement", "test_company", "test_parts", "test_backends", "test_steps")
STEPS = ("test_steps", "test_decode")                                   # who records steps, whose kernels begin early on the newest card
NEWEST = "9.0"
CARDS = ("8.0", "7.5", "8.6")                                           # the others have fewer stages of shared memory, and wait differently
SEEDS = ("1", "2", "3", "4")                                            # for streams: who is late is a matter of luck
SHORT = ("test_products", "test_attention", "test_placement", "test_steps")  # where streams are looked at, if they come to the place
HOST = re.compile(r"\bcuda(StreamWaitEvent|StreamSynchronize|EventSynchronize|EventRecord)\(")
DEVICE = re.compile(r"\bBLOCK_BARRIER\(\);|\bcopy_wait<")
EARLY = re.compile(r"\bWAIT_FOR_FORMER\(\);")
SECONDS = 900
# Waits whose loss nothing can show, by the text of their line: when a device is closed, whatever frees memory behind them waits as well.
UNSEEN = {
    ("backend_cuda.cu", "if (device->stream) cudaStreamSynchronize(device->stream);"),
    ("library.cu", "if (l->second) cudaStreamSynchronize(l->second);"),
    ("placement.cu", "if (p->copies) cudaStreamSynchronize(p->copies);"),
    ("placement.cu", "if (p->answers) cudaStreamSynchronize(p->answers);"),
}


def places():
    for source in sorted([*KERNELS.glob("*.cu"), *KERNELS.glob("*.cuh")]):
        if source.name in ("launch.cuh", "copy.cuh"):
            continue
        for number, line in enumerate(source.read_text(encoding="utf-8").splitlines(), 1):
            if (HOST.search(line) or DEVICE.search(line) or EARLY.search(line)) and (source.name, line.strip()) not in UNSEEN:
                yield f"{source.relative_to(ROOT)}:{number}", bool(HOST.search(line)), bool(EARLY.search(line))


def run(build, suite, card, skip="", seed="1", reached=None):
    """What was seen: "" for nothing, else how it was noticed."""
    environment = {**os.environ, "CONFORMANCE": "short", "EMULATION_CARDS": card, "TSAN_OPTIONS": "halt_on_error=1:exitcode=66",
                   "CMOCKA_TEST_ABORT": "1", "EMULATION_SEED": seed, **({"EMULATION_REACHED": reached} if reached else {})}
    if skip:
        environment["EMULATION_SKIP"] = skip
    try:
        done = subprocess.run([str(build / "tests" / "cuda_emulation" / suite)], cwd=ROOT, env=environment, capture_output=True, text=True,
                              errors="replace", timeout=SECONDS)
    except subprocess.TimeoutExpired:
        return f"still running after {SECONDS} s"
    if done.returncode == 0:
        return ""
    if done.returncode == 66:
        return "race"
    both = done.stdout + done.stderr
    return "deadlock" if "deadlock" in both else "values" if done.returncode in (1, -6) else f"signal {-done.returncode}"


def learn(build, suite, card):
    """The suite intact: what went wrong, and {place: seconds until it is first reached}. Kept beside the suite until that is newer."""
    program = build / "tests" / "cuda_emulation" / suite
    kept = program.with_name(f"{suite}.{card}.reached")
    seen = ""
    if not kept.exists() or kept.stat().st_mtime < program.stat().st_mtime:
        with tempfile.TemporaryDirectory() as scratch:
            path = pathlib.Path(scratch) / "reached"
            seen = run(build, suite, card, reached=str(path))
            rows = path.read_text(encoding="utf-8") if path.exists() else ""
        if seen:
            return seen, {}
        kept.write_text(rows, encoding="utf-8")
    rows = [line.split() for line in kept.read_text(encoding="utf-8").splitlines()]
    return seen, {place.removeprefix("./"): float(seconds) for place, seconds in rows}


class Judge:
    def __init__(self, build, tsan, both, pool):
        self.build, self.tsan, self.both, self.pool = build, tsan, both, pool
        self.maps, self.intact = {}, {}

    def learn(self, wanted, cards=CARDS, suites=SUITES):
        """Of one card after the other while there is a place that nobody came to. False, and said, if the intact kernels fail."""
        for card in cards:
            if wanted <= {place for reached in self.maps.values() for place in reached}:
                return True
            runs = [(suite, card) for suite in suites]
            for (suite, _), (seen, reached) in zip(runs, self.pool.map(lambda r: learn(self.build, *r), runs)):
                self.maps[suite, card] = reached
                if seen:
                    print(f"the intact kernels fail: {seen} ({suite} on {card})")
                    return False
        return True

    def where(self, place, is_host):
        """Suites that come to the place, the soonest first; on the second card where none does on the first."""
        for card in (*CARDS, NEWEST):
            found = sorted((reached[place], suite, card) for (suite, c), reached in self.maps.items() if c == card and place in reached)
            if found:
                short = [suite for _, suite, _ in found if suite in SHORT]
                return [(suite, card) for _, suite, card in found if not (is_host and short) or suite in SHORT]
        return []

    def race(self, place, suites):
        for suite, card in suites:
            if (suite, card) not in self.intact:
                self.intact[suite, card] = run(self.tsan, suite, card)
            if self.intact[suite, card]:
                return f"the intact kernels: {self.intact[suite, card]} ({suite} on {card})", False
            seen = run(self.tsan, suite, card, place)
            if seen:
                return f"{seen} ({suite}{'' if card == CARDS[0] else ' on ' + card})", True
        return "", True

    def judge(self, place, is_host, is_early):
        """By the values, by the detector (None: not asked), whether it is reached."""
        suites = self.where(place, is_host)
        values = ""
        for seed in () if is_early else SEEDS if is_host else SEEDS[:1]:
            for suite, card in suites:
                seen = values or run(self.build, suite, card, place, seed)
                if seen and not values:
                    values = f"{seen} ({suite}{'' if card == CARDS[0] else ' on ' + card})"
        if not self.tsan or (values and not self.both):
            return values, None, bool(suites)
        race, sound = self.race(place, suites)
        return values, race if sound else f"({race})", bool(suites)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/release")
    parser.add_argument("--tsan", type=pathlib.Path, help="a build with the race detector")
    parser.add_argument("--only", default="", help="places whose FILE:LINE holds one of these, with commas between them")
    parser.add_argument("--both", action="store_true", help="the race detector judges what the values show, too")
    parser.add_argument("--tenth", type=int, metavar="SEED", help="one place of ten, chosen by the number")
    options = parser.parse_args()
    begin = time.monotonic()
    builds = [options.build.resolve(), *([options.tsan.resolve()] if options.tsan else [])]
    everything = list(places())
    chosen = [p for p in everything if any(word in p[0] for word in options.only.split(","))]
    if options.tenth is not None:
        chosen = sorted(random.Random(options.tenth).sample(chosen, (len(chosen) + 9) // 10))
    usual, early = {place for place, _, is_early in chosen if not is_early}, {place for place, _, is_early in chosen if is_early}
    for build in builds:
        for suite in {*(SUITES if usual else ()), *(STEPS if early else ())}:
            if not (build / "tests" / "cuda_emulation" / suite).exists():
                print(f"{build}/tests/cuda_emulation/{suite} is not built: make barriers builds it")
                return 2
    unnoticed = []
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        judge = Judge(builds[0], builds[1] if options.tsan else None, options.both, pool)
        if not judge.learn(usual) or not judge.learn(early, (NEWEST,), STEPS):
            return 1
        print(f"{time.monotonic() - begin:.0f} s to learn which suite comes where\n{'left out':42} {'by the values':34} by the race detector")
        for (place, *_), (values, race, reached) in zip(chosen, pool.map(lambda p: judge.judge(*p), chosen)):
            print(f"{place:42} {values or '-':34} {'not asked' if race is None else race or '-'}{'' if reached else '   never reached'}", flush=True)
            if not values and (not race or race.startswith("(")):
                unnoticed.append(place)
    print(f"{len(chosen) - len(unnoticed)} of {len(chosen)} are missed when they are left out; {time.monotonic() - begin:.0f} s"
          + "".join(f"\n  nobody misses {place}" for place in unnoticed))
    return 1 if unnoticed or not chosen else 0


if __name__ == "__main__":
    sys.exit(main())
