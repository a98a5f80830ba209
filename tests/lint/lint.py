#!/usr/bin/python3
"""make lint: layout, static analysis by two programs, and the rules of this house. Names each tool, its seconds and its findings."""

import concurrent.futures
import os
import pathlib
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import banned                                   # noqa: E402
import include_direction                        # noqa: E402
import sizes                                    # noqa: E402
from rules import ROOT, files                   # noqa: E402

PRODUCT = ("kernels", "worker", "handlers")
ALL = (*PRODUCT, "tests")
# Headers of libraries that lie in folders of their own.
LIBRARIES = subprocess.run(["pkg-config", "--cflags-only-I", "gmime-3.0", "libgsf-1", "uchardet"], capture_output=True, text=True).stdout.replace("-I", "-isystem").split()
COMPILE = [*LIBRARIES, "-std=c17", "-D_GNU_SOURCE", "-I.", "-DDOCKET_VERSION=\"lint\"", "-DDOCKET_COMMIT=\"lint\""]


def flags_for(path):
    """As the Makefile: files of one instruction set get its flags."""
    if path.endswith("_avx512.c"):
        return ["-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl", "-mavx512vbmi", "-mfma", "-mf16c", "-mavx2"]
    return ["-mavx2", "-mfma", "-mf16c"] if path.endswith("_avx2.c") else []


def run(*command):
    outcome = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    return outcome.returncode, (outcome.stdout + outcome.stderr).strip()


def clang_format():
    code, output = run("clang-format", "--dry-run", "-Werror", "--ferror-limit=1", *files(".c", ".h", folders=ALL))
    return [] if code == 0 else [line for line in output.split("\n") if ": error:" in line] or [output]


def clang_tidy_one(path):
    code, output = run("clang-tidy", "--quiet", path, "--", *COMPILE, *flags_for(path))
    lines = [line for line in output.split("\n") if ": warning:" in line or ": error:" in line]
    return lines if lines or code == 0 else [f"{path}: {output[-500:]}"]


def clang_tidy():
    paths = [path for path in files(".c", folders=PRODUCT) if not path.startswith("kernels/examples/")]  # whose header is installed
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        return sorted({line for lines in pool.map(clang_tidy_one, paths) for line in lines})


def cppcheck():
    code, output = run("cppcheck", "--quiet", "--std=c11", "--language=c", "-I.", "-D_GNU_SOURCE", f"-j{os.cpu_count()}",
                       "--enable=warning,performance,portability", "--inline-suppr", "--error-exitcode=1",
                       f"--suppressions-list={ROOT / 'tests/lint/cppcheck.txt'}", "--template={file}:{line}: {id}: {message}", *PRODUCT)
    return [] if code == 0 else output.split("\n")


CHECKS = {"include direction": include_direction.wrong_edges, "banned calls": banned.banned, "sizes": sizes.too_long,
          "clang-format": clang_format, "cppcheck": cppcheck, "clang-tidy": clang_tidy}


def main():
    wanted = sys.argv[1:] or list(CHECKS)
    failed = []
    for name in wanted:
        begun = time.monotonic()
        found = CHECKS[name]()
        print("\n".join(found[:60]) + "\n" if found else "", end="")
        print(f"  {name:20} {len(found)} findings  {time.monotonic() - begun:.1f} s", flush=True)
        failed += [name] * bool(found)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
