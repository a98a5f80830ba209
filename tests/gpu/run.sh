#!/bin/bash
# Proves and measures the CUDA backend on the GPU of this machine. Needs bash, make, a C and C++ compiler, nvcc, a GPU; no library.
#   tests/gpu/run.sh [--part prove|sanitize|bench|all] [--out DIR] [--emulated]
# DIR (default: $OUT, else build/gpu/results) gets results.json, bench.json and steps.log, what all steps printed. --emulated runs the same programs
# over tests/cuda_emulation, with tiny shapes. Exit code: 0 all steps passed, 1 one failed, 2 wrong usage, 3 no GPU or no nvcc.
set -u -o pipefail
cd "$(dirname "$0")/../.." || exit 2

part=all out=${OUT:-build/gpu/results} emulated=
while [ $# -gt 0 ]; do
    case $1 in
        --part | --out)
            [ $# -ge 2 ] || { echo "tests/gpu/run.sh: $1 needs a value" >&2; exit 2; }
            if [ "$1" = --part ]; then part=$2; else out=$2; fi
            shift 2 ;;
        --emulated) emulated=1; shift ;;
        *) echo "tests/gpu/run.sh: unknown argument $1" >&2; exit 2 ;;
    esac
done
case $part in prove | sanitize | bench | all) ;; *) echo "tests/gpu/run.sh: --part is \"$part\"; it has to be prove, sanitize, bench or all" >&2; exit 2 ;; esac
mkdir -p "$out" || exit 2

steps='' failed=0
note() { # name, state, seconds, remark
    printf '%-28s %-8s %4s s  %s\n' "$1" "$2" "$3" "${4:-}"
    steps="$steps${steps:+,}
    {\"step\": \"$1\", \"state\": \"$2\", \"seconds\": $3, \"remark\": \"${4:-}\"}"
    [ "$2" != failed ] || failed=1
}
step() { # name, command...: its output goes to the log, its end is shown after a failure
    local name=$1 begun=$SECONDS code
    shift
    "$@" > "$out/step" 2>&1
    code=$?
    { echo "=== $name, exit code $code"; cat "$out/step"; } >> "$out/steps.log"
    if [ $code = 0 ]; then
        note "$name" passed $((SECONDS - begun))
    else
        tail -n 30 "$out/step"
        note "$name" failed $((SECONDS - begun)) "exit code $code, see steps.log"
    fi
    case $name in bench | whole_models | transformers) cat "$out/step" ;; esac
    rm -f "$out/step"
    return $code
}
finish() {
    {
        printf '{\n  "device": "%s",\n  "part": "%s",\n  "steps": [%s\n  ],\n  "bench": ' "$device" "$part" "$steps"
        if [ -s "$out/bench.json" ]; then cat "$out/bench.json"; else echo null; fi
        printf ',\n  "whole_models": '
        if [ -s "$out/whole_models.json" ]; then cat "$out/whole_models.json"; else echo null; fi
        printf ',\n  "transformers": '
        if [ -s "$out/transformers.json" ]; then cat "$out/transformers.json"; else echo null; fi
        echo '}'
    } > "$out/results.json"
    [ $failed = 0 ] && echo "all steps passed: $out/results.json" || echo "a step FAILED: $out/results.json"
    exit $failed
}
rm -f "$out/bench.json" "$out/whole_models.json" "$out/transformers.json" "$out/results.json" "$out/steps.log"

if [ -n "$emulated" ]; then
    device='emulated on the host' build=${BUILD_DIR:-build/release}
    step build make -j2 --no-print-directory B="$build" gpu-emulated || finish
    programs=$build/gpu/emulated tiny=tiny length=short twin=$programs/truth library=$build/libdocket_cuda_emulated.so
else
    smi=${NVIDIA_SMI:-nvidia-smi} build=build/gpu
    device=$("$smi" --query-gpu=name --format=csv,noheader 2> /dev/null | head -n 1)
    capability=$("$smi" --query-gpu=compute_cap --format=csv,noheader 2> /dev/null | head -n 1 | tr -d '. ')
    if [ -z "$device" ] || ! [[ $capability =~ ^[0-9]+$ ]]; then
        echo "no GPU: $smi names none; --emulated runs the same programs on the CPU" >&2
        exit 3
    fi
    command -v nvcc > /dev/null || [ -x /usr/local/cuda/bin/nvcc ] || { echo "no nvcc: the CUDA toolkit is needed to build for $device" >&2; exit 3; }
    [ "$capability" != 90 ] || capability=90a
    step build make -j"$(nproc)" --no-print-directory B=$build CUDA_ARCHS="$capability" gpu-programs || finish
    programs=$build/gpu/device tiny='' length=long twin=$build/gpu/emulated/truth library=$build/libdocket_cuda.so
fi
echo "device: $device"

# Whether the headers that the emulation replaces do what their twins do, and every kernel against the reference.
if [ "$part" = prove ] || [ "$part" = all ]; then
    # shellcheck disable=SC2317 # step calls it
    truth() { EMULATION_SEED=3 "$twin" write "$out/truth.bin" && "$programs/truth" compare "$out/truth.bin"; }
    step truth truth
    rm -f "$out/truth.bin"
    step test_backends env CONFORMANCE=$length "$programs/test_backends"
    step test_products env CONFORMANCE=$length "$programs/test_products"
    step test_attention env CONFORMANCE=$length "$programs/test_attention"
    step test_placement "$programs/test_placement"
    step test_company env CONFORMANCE=$length "$programs/test_company"
    note answers left_out 0 'needs the program and its libraries: docket classify --device cuda'
fi

# The sanitizer of the toolkit; the emulation has sanitizers of its own.
if [ "$part" = sanitize ] || [ "$part" = all ]; then
    sanitizer=$(PATH=$PATH:/usr/local/cuda/bin:/usr/local/cuda/compute-sanitizer command -v compute-sanitizer)
    for tool in memcheck racecheck synccheck; do
        if [ -n "$emulated" ]; then
            note $tool left_out 0 'judges a GPU only'
        elif [ -z "$sanitizer" ]; then
            note $tool left_out 0 'compute-sanitizer is not installed'
        else
            for suite in test_backends test_products test_attention test_company; do
                step "$tool-$suite" env CONFORMANCE=short timeout 150 "$sanitizer" --tool $tool --error-exitcode 9 "$programs/$suite"
            done
        fi
    done
fi

if [ "$part" = bench ] || [ "$part" = all ]; then
    step bench timeout 400 "$programs/bench" "$out/bench.json" $tiny
    step whole_models timeout 900 "$programs/whole_models" "$out/whole_models.json" "$library" $tiny "$out"
    # The same work by PyTorch and transformers, where they are.
    if [ -n "$emulated" ]; then
        note transformers left_out 0 'needs a GPU'
    elif ! "${PYTHON:-python3}" -c 'import torch, transformers' 2> /dev/null; then
        note transformers left_out 0 'PyTorch or transformers is not installed'
    else
        step transformers timeout 600 "${PYTHON:-python3}" tests/gpu/transformers_bench.py "$out/transformers.json"
    fi
fi
finish
