"""Tiny models of every family and form of checkpoint, made anew with a seed: docket against transformers in float32.

    python families.py TEST_PROGRAM [SEED]      build/release/tests/unit/worker/model/test_golden_families

The models, their limits and what they are judged by: tests/golden/families/make_families.py.
"""

import pathlib
import random
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "golden/families"))
import make_families  # noqa: E402


def main():
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.randrange(100, 10**6)
    with tempfile.TemporaryDirectory() as folder:
        for name in make_families.CASES:
            make_families.make(name, pathlib.Path(folder, name), seed)
        done = subprocess.run([sys.argv[1], folder], capture_output=True, text=True)
    good = done.returncode == 0
    print("\n".join(line for line in (done.stdout + done.stderr).splitlines() if "ERROR: " in line or "models" in line))
    print(f"families: seed {seed}, {len(make_families.CASES)} models: {'passed' if good else 'FAILED'}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
