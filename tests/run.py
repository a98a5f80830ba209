#!/usr/bin/python3
"""Runs the suites, shows a line for each program, and counts over all of them.

    tests/run.py [--build build/release] [suite ...] [-k expression] [-m marker]

Suites: unit (C programs with cmocka), fuzz (fuzz targets over their committed corpus), rules (documents and the cheap lints),
orchestrator (the test queue's own tests), integration; without a name all of them. `search` looks for new fuzz inputs.
The last line is `N passed, M failed, K skipped`; the exit code is 0 when nothing failed.
"""

import argparse
import concurrent.futures
import itertools
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree

ROOT = pathlib.Path(__file__).resolve().parents[1]
TESTS = ROOT / "tests"
PROGRAM_SECONDS = 900
PYTEST_SECONDS = 3600
# Suites of the emulation that run once more, in short: cards of other instructions or shared memory, a library that refuses few rows.
ONCE_MORE = {**{f"test_backends on {card}": {"EMULATION_CARDS": card, "CONFORMANCE": length}
                for card, length in (("7.5", "shortest"), ("8.6", "short"), ("9.0", "short"))},
             **{f"{suite} on 7.5": {"EMULATION_CARDS": "7.5"} for suite in ("test_products", "test_attention")},
             "test_beside on 7.5": {"EMULATION_CARDS": "7.5", "CONFORMANCE": "short"},
             **{f"{suite} on 9.0": {"EMULATION_CARDS": "9.0"} for suite in ("test_steps", "test_decode")},  # kernels begin early there
             **{f"test_placement with seed {seed}": {"EMULATION_SEED": seed} for seed in ("2", "3", "4")},
             "test_products of few rows": {"EMULATION_BLAS_ROWS": "64"}}


class Count:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0
        self.names = []

    def add(self, name, passed, failed, skipped, seconds, output=""):
        self.passed, self.failed, self.skipped = self.passed + passed, self.failed + failed, self.skipped + skipped
        if failed:
            self.names.append(name)
            print(output.rstrip())
        words = [f"{passed} passed"] + [f"{failed} FAILED"] * bool(failed) + [f"{skipped} skipped"] * bool(skipped)
        print(f"  {name:58} {', '.join(words):28} {seconds:6.1f} s", flush=True)


def run_program(command, timeout, environment):
    """Output, exit code and seconds; a program that hangs is ended with all it started."""
    begun = time.monotonic()
    if not pathlib.Path(command[0]).exists():
        return f"{command[0]} is not built", 127, 0.0
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment, cwd=ROOT,
                               start_new_session=True)
    try:
        output, _ = process.communicate(timeout=timeout)
        code = process.returncode
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, 9)
        output, _ = process.communicate()
        output += f"\nended after {timeout} s\n".encode()
        code = 124
    return output.decode("utf-8", "replace"), code, time.monotonic() - begun


def cmocka_counts(output, code):
    total = sum(int(number) for number in re.findall(r"^\[=+\] Running (\d+) test", output, re.M))
    passed = len(re.findall(r"^\[       OK \]", output, re.M))
    skipped = len(re.findall(r"^\[  SKIPPED \] \S+$", output, re.M))
    skipped = min(skipped, total - passed) if total else 0
    if code == 0:
        return (total - skipped, 0, skipped) if total else (1, 0, 0)
    return passed, max(1, total - passed - skipped), skipped


def sources(*folders, prefix):
    return sorted(path for folder in folders for path in (TESTS / folder).rglob(f"{prefix}_*.c"))


def environment_for(build):
    environment = {**os.environ, "BUILD_DIR": str(build)}
    environment.setdefault("ASAN_OPTIONS", "detect_leaks=1:abort_on_error=0:strict_string_checks=1")
    environment.setdefault("UBSAN_OPTIONS", "print_stacktrace=1:halt_on_error=1")
    environment.setdefault("TSAN_OPTIONS", "halt_on_error=1:second_deadlock_stack=1")
    return environment


def suite_unit(count, build, _):
    failed = []
    names = [source.relative_to(TESTS).with_suffix("") for source in sources("unit", "conformance", "cuda_emulation", prefix="test")]
    names += [pathlib.Path("cuda_emulation") / name.name for name in names if name.parts[0] == "conformance" or name.name == "test_parts"]
    other = {pathlib.Path("cuda_emulation") / name: {"CONFORMANCE": "short", **more} for name, more in ONCE_MORE.items()}
    if build.name in ("asan", "tsan"):                                                                                  # slow enough as it is
        other = {}
    names += other
    # The conformance suites compute and measure nothing: as many at once as there are processors. Everything else one by one.
    heavy = [name for name in names if name.parts[0] in ("conformance", "cuda_emulation")]
    program_of = lambda name: build / "tests" / name.parent / name.name.split()[0]                                      # noqa: E731
    run = lambda name: (name, *run_program([str(program_of(name))], PROGRAM_SECONDS, {**environment_for(build), **other.get(name, {})}))  # noqa: E731
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for name, output, code, seconds in itertools.chain(pool.map(run, reversed(heavy)), map(run, (n for n in names if n not in heavy))):
            if may_be_load(output, code) and len(failed) < 3:
                failed.append(name)
                print(f"{output.rstrip()}\n  {name} failed; run once more at the end", flush=True)
            else:
                count.add(str(name), *cmocka_counts(output, code), seconds, output)
    for name in failed:
        _, output, code, seconds = run(name)
        count.add(str(name), *cmocka_counts(output, code), seconds, output)


def may_be_load(output, code):
    """Whether a busy machine may be why it failed: an assertion did not hold, or it took too long; never a crash or a sanitizer's report."""
    return (code == 124 or 0 < code < 100) and "Sanitizer" not in output and "runtime error" not in output


def suite_fuzz(count, build, _):
    for source in sources("fuzz", prefix="fuzz"):
        program = build / "tests" / "fuzz" / source.stem
        corpus = TESTS / "fuzz" / "corpus" / source.stem.removeprefix("fuzz_")
        command = [str(program)] + ([str(corpus)] if corpus.exists() else [])
        output, code, seconds = run_program(command, PROGRAM_SECONDS, environment_for(build))
        count.add(f"fuzz/{source.stem}", int(code == 0), int(code != 0), 0, seconds, output)


def search_one(source, build, options):
    short = source.stem.removeprefix("fuzz_")
    found, corpus = build / "found" / short, TESTS / "fuzz" / "corpus" / short
    dictionary = TESTS / "fuzz" / f"{short}.dict"
    found.mkdir(parents=True, exist_ok=True)
    command = [str(build / "tests" / "fuzz" / source.stem), f"-max_total_time={options.seconds}", f"-seed={options.seed}",
               "-rss_limit_mb=2048", "-timeout=30", "-print_final_stats=1", f"-artifact_prefix={found}/finding-", str(found)]
    command += ([str(corpus)] if corpus.exists() else []) + ([f"-dict={dictionary}"] if dictionary.exists() else [])
    return source, *run_program(command, options.seconds + 120, environment_for(build))


def suite_search(count, build, options):
    targets = [source for source in sources("fuzz", prefix="fuzz") if not options.k or re.search(options.k, source.stem)]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for source, output, code, seconds in pool.map(lambda source: search_one(source, build, options), targets):
            executed = re.search(r"number_of_executed_units:\s*(\d+)", output)
            count.add(f"{source.stem}: {executed[1] if executed else '?'} inputs", int(code == 0), int(code != 0), 0, seconds, output[-6000:])


def read_report(report):
    """Tests, failures, skips, and the names of what failed."""
    total = failed = skipped = 0
    for suite in xml.etree.ElementTree.parse(report).getroot().iter("testsuite"):
        total += int(suite.get("tests", 0))
        failed += int(suite.get("failures", 0)) + int(suite.get("errors", 0))
        skipped += int(suite.get("skipped", 0))
    return total, failed, skipped


def run_pytest(count, name, build, folder, extra, again=False):
    """With `again`, what failed is run once more, alone: timing against a busy machine is not a fault of the program. Said aloud."""
    with tempfile.TemporaryDirectory() as scratch:
        report, cache = pathlib.Path(scratch) / "report.xml", pathlib.Path(scratch) / "cache"
        begun = time.monotonic()
        command = [sys.executable, "-m", "pytest", "-q", "-o", "addopts=-ra", "-o", f"cache_dir={cache}", f"--junitxml={report}", str(folder), *extra]
        code = subprocess.run(command, cwd=ROOT, env=environment_for(build), timeout=PYTEST_SECONDS).returncode
        if not report.exists():
            count.add(name, 0, 1, 0, time.monotonic() - begun, f"pytest left no report; exit code {code}")
            return
        total, failed, skipped = read_report(report)
        if again and code == 1 and 0 < failed <= 5:
            report.unlink()
            print(f"  {failed} failed; run once more, alone", flush=True)
            code = subprocess.run([*command, "--last-failed"], cwd=ROOT, env=environment_for(build), timeout=PYTEST_SECONDS).returncode
            failed = read_report(report)[1] if report.exists() else failed
        if code not in (0, 1, 5):
            failed = max(failed, 1)
        count.add(name, max(0, total - failed - skipped), failed, skipped, time.monotonic() - begun)


def suite_rules(count, build, _):
    run_pytest(count, "rules", build, TESTS / "lint", [])


def suite_orchestrator(count, build, _):
    run_pytest(count, "orchestrator", build, TESTS / "orchestrator", [])


def suite_integration(count, build, options):
    extra = (["-k", options.k] if options.k else []) + (["-m", options.m] if options.m else [])
    run_pytest(count, "integration", build, TESTS / "integration", extra, again=True)


SUITES = {"unit": suite_unit, "fuzz": suite_fuzz, "rules": suite_rules, "orchestrator": suite_orchestrator,
          "integration": suite_integration, "search": suite_search}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build/release", type=pathlib.Path)
    parser.add_argument("--seconds", default=60, type=int, help="search: for each target")
    parser.add_argument("--seed", default=0, type=int, help="search: the same inputs again; 0: others each time")
    parser.add_argument("-k", help="integration: as pytest's; search: a pattern of targets")
    parser.add_argument("-m", help="integration: as pytest's")
    parser.add_argument("suites", nargs="*", metavar="suite", choices=[[], *SUITES])
    options = parser.parse_args()
    build = (ROOT / options.build).resolve()
    count = Count()
    begun = time.monotonic()
    for name in options.suites or [name for name in SUITES if name != "search"]:
        print(f"{name}", flush=True)
        SUITES[name](count, build, options)
    if count.names:
        print(f"failed: {', '.join(count.names)}")
    print(f"{time.monotonic() - begun:.0f} s")
    print(f"{count.passed} passed, {count.failed} failed, {count.skipped} skipped")
    return 1 if count.failed else 0


if __name__ == "__main__":
    sys.exit(main())
