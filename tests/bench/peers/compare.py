#!/usr/bin/env python3
"""docket beside llama.cpp on this machine: the same shapes with random weights, run in turn, ratio by ratio.

    tests/bench/peers/compare.py [--shape tinyllama|mixtral-4-layers] [--isa auto|avx2] [--pairs 5] [--threads 2]
        [--compute-dtype auto] [--quantization nf4,head=nf4] [--prefill 512] [--decode 64] [--docket build/release/docket] [--work build/peers]

Builds llama.cpp from the source package of llama-cpp-python into an environment under --work (network, some minutes, once); --isa avx2
compares a llama.cpp without AVX-512 with docket --cpu-isa avx2. Weights there are Q4_0, all matrices (4.5 bits). Each pair is one
measurement of either, directly one after the other. Wall time is what counts on a machine of one's own; processor time, of all threads,
on a shared one: it does not see threads that wait, but sees those that wait by spinning, as OpenMP's do."""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
NO_AVX512 = ("-DGGML_NATIVE=OFF -DGGML_AVX=ON -DGGML_AVX2=ON -DGGML_FMA=ON -DGGML_F16C=ON -DGGML_BMI2=ON -DGGML_AVX512=OFF")


def environment(work, isa):
    """The Python of an environment with llama.cpp, built if it is not there."""
    folder = work / ("avx2" if isa == "avx2" else "native")
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    if subprocess.run([str(python), "-c", "import llama_cpp, gguf"], capture_output=True, check=False).returncode:
        print(f"building llama.cpp into {folder}", flush=True)
        arguments = f"{NO_AVX512 if isa == 'avx2' else ''} -DLLAVA_BUILD=OFF -DMTMD_BUILD=OFF"
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", "--no-cache-dir", "--no-binary", "llama-cpp-python", "llama-cpp-python",
                        "gguf"], check=True,
                       env={**os.environ, "CMAKE_ARGS": arguments, "CMAKE_BUILD_PARALLEL_LEVEL": str(os.cpu_count())})
    return str(python)


class Peer:
    def __init__(self, python, model, threads, context, yielding):
        waiting = {"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "0"} if yielding else {}
        self.process = subprocess.Popen([python, str(HERE / "peer.py"), str(model), str(threads), str(context)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True, env={**os.environ, **waiting})
        self.features = self.answer()["features"]
        self.threads = threads

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit("llama.cpp has ended")
        return json.loads(line)

    def measure(self, *words):
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()
        found = self.answer()
        return found["tokens"] / found["seconds"], found["tokens"] * self.threads / found["processor_seconds"]

    def close(self):
        self.process.stdin.close()
        self.process.wait(timeout=60)


def docket(options, step, *words):
    command = [options.docket, "bench", "--synthetic", options.shape, "--quantization", options.quantization, "--json", "--only", step,
               "--seconds", str(options.seconds), "--device", "cpu", "--cpu-isa", options.isa, "--compute-dtype", options.compute_dtype, "--cpu-threads", str(options.threads), *map(str, words)]
    told = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
    [row] = told["rows"]
    if row["problem"]:
        raise SystemExit(f"docket: {row['problem']}")
    return row["rate"], row["rate_by_processor_time"], told


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", default="tinyllama", choices=["tinyllama", "mixtral-4-layers"])
    parser.add_argument("--isa", default="auto", choices=["auto", "avx2"])
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--yielding", action="store_true", help="llama.cpp's threads sleep where they would spin: on a shared machine they stand still else")
    parser.add_argument("--prefill", type=int, default=512)
    parser.add_argument("--decode", type=int, default=64)
    parser.add_argument("--compute-dtype", default="auto", help="of docket")
    parser.add_argument("--quantization", default="nf4,head=nf4")
    parser.add_argument("--seconds", type=float, default=0.1, help="of each measurement of docket: one round, if that takes longer")
    parser.add_argument("--docket", default=str(ROOT / "build/release/docket"))
    parser.add_argument("--work", type=pathlib.Path, default=ROOT / "build/peers")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    python = environment(options.work, options.isa)
    model = options.work / f"{options.shape}.gguf"
    if not model.exists():
        half = model.with_suffix(".part")
        subprocess.run([python, str(HERE / "random_gguf.py"), options.shape, str(half)], check=True)
        half.rename(model)
    peer = Peer(python, model, options.threads, 1024, options.yielding)
    peer.measure("prefill", 16)                                         # its first pass touches the weights
    rows = []
    for number in range(options.pairs):
        for step, theirs, ours in (("prefill", ("prefill", options.prefill), ("--tokens", options.prefill)),
                                   ("decode", ("decode", options.decode, 64), ("--decode", options.decode, "--together", 1))):
            their_wall, their_processor = peer.measure(*theirs)
            our_wall, our_processor, told = docket(options, step, *ours)
            if not rows:
                print(f"{options.shape}, {options.threads} threads, docket {options.quantization} ({told['variant']} in {told['arithmetic']}) beside llama.cpp Q4_0 "
                      f"({', '.join(word.strip() for word in peer.features.split('|') if 'AVX' in word)})")
                print(f"{'pair':4} {'step':8} {'docket':>9} {'llama.cpp':>9} {'ratio':>6}   by processor time {'docket':>9} {'llama.cpp':>9} {'ratio':>6}")
            rows.append((step, our_wall / their_wall, our_processor / their_processor))
            print(f"{number + 1:4} {step:8} {our_wall:9.2f} {their_wall:9.2f} {our_wall / their_wall:6.2f}   {'':17} {our_processor:9.2f} "
                  f"{their_processor:9.2f} {our_processor / their_processor:6.2f}", flush=True)
    peer.close()
    for step in ("prefill", "decode"):
        walls, processors = ([row[i] for row in rows if row[0] == step] for i in (1, 2))
        print(f"{step}: median ratio {statistics.median(walls):.2f} of wall time ({min(walls):.2f} to {max(walls):.2f}), "
              f"{statistics.median(processors):.2f} of processor time ({min(processors):.2f} to {max(processors):.2f})")


if __name__ == "__main__":
    main()
