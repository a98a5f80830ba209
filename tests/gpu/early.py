#!/usr/bin/python3
"""What the compiler put in front of the wait of kernels that begin early (kernels/cuda/early.cuh), in the machine's own instructions.

    tests/gpu/early.py build/release/cuda/*.o [--cuobjdump PATH]

In code for compute capability 9.0 and up: a kernel that waits at all touches none of the device's memory before its last wait; but those in
READERS may read there, and do not write. Exit code 1: one does; 3: there is no cuobjdump, or no such code.
"""

import argparse
import re
import shutil
import subprocess
import sys

FIND = ("cuobjdump", "/usr/local/cuda/bin/cuobjdump")
# Weights, constants, and behind a wait of their own who has which rows.
READERS = ("multiply_few", "route_chains", "route_at_once")
FUNCTION = re.compile(r"Function : (\S+)")
INSTRUCTION = re.compile(r"^\s+/\*[0-9a-f]{4,}\*/\s+(?:@!?U?P\w+ )?([A-Z][A-Z0-9_.]*)")
READS, WRITES = {"LD", "LDG", "LDGSTS", "UBLKCP", "UTMALDG", "TEX", "TLD"}, {"ST", "STG", "ATOM", "ATOMG", "RED", "REDG", "UTMASTG"}


def kernels_of(text):
    """{name: its instructions in order}"""
    found, name = {}, None
    for line in text.splitlines():
        if begins := FUNCTION.search(line):
            found[name := begins[1]] = []
        elif name and (instruction := INSTRUCTION.match(line)):
            found[name].append(instruction[1].split(".")[0])
    return found


def judge(name, instructions):
    """What is wrong with it; None: it never waits."""
    waits = [at for at, what in enumerate(instructions) if what == "ACQBULK"]
    if not waits:
        return None
    before = instructions[:waits[-1]]
    bad = [what for what in before if what in WRITES or (what in READS and not any(reader in name for reader in READERS))]
    return f"{name}: in front of the wait: {', '.join(sorted(set(bad)))}" if bad else ""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("objects", nargs="+")
    parser.add_argument("--cuobjdump", default=next(filter(None, map(shutil.which, FIND)), ""))
    options = parser.parse_args()
    if not options.cuobjdump:
        print("cuobjdump is not there: nothing was looked at")
        return 3
    found = []
    for path in options.objects:
        text = subprocess.run([options.cuobjdump, "-sass", path], capture_output=True, text=True, check=True).stdout
        found += [seen for seen in (judge(*kernel) for kernel in kernels_of(text).items()) if seen is not None]
    wrong = [seen for seen in found if seen]
    print(f"{len(found)} kernels wait, {len(wrong)} of them too late" + "".join(f"\n  {seen}" for seen in wrong))
    return 1 if wrong else 0 if found else 3


if __name__ == "__main__":
    sys.exit(main())
