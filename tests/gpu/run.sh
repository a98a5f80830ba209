#!/bin/bash
# Proves and measures the CUDA backend on the GPU of this machine. Needs bash, make, a C and C++ compiler, nvcc, a GPU; no library.
#   tests/gpu/run.sh [--part prove|sanitize|bench|all] [--seconds N] [--out DIR] [--emulated]
# DIR (default: $OUT, else build/gpu/results) gets results.json, written anew after each step, bench.json and steps.log, what all steps
# printed. It ends within N seconds (540 for a part, 1620 for all): a step that takes longer is ended, and what comes then is left out. A
# sanitizer's that was ended and had found nothing is cut_short, no failure.
# --emulated runs the same programs over tests/cuda_emulation, with tiny shapes. Exit code: 0 all steps passed, 1 one failed, 2 wrong usage,
# 3 no GPU or no nvcc.
set -u -o pipefail
cd "$(dirname "$0")/../.." || exit 2

part=all out=${OUT:-build/gpu/results} emulated='' seconds='' python=${PYTHON:-python3}
while [ $# -gt 0 ]; do
    case $1 in
        --part | --out | --seconds)
            [ $# -ge 2 ] || { echo "tests/gpu/run.sh: $1 needs a value" >&2; exit 2; }
            case $1 in --part) part=$2 ;; --out) out=$2 ;; *) seconds=$2 ;; esac
            shift 2 ;;
        --emulated) emulated=1; shift ;;
        *) echo "tests/gpu/run.sh: unknown argument $1" >&2; exit 2 ;;
    esac
done
case $part in prove | sanitize | bench | all) ;; *) echo "tests/gpu/run.sh: --part is \"$part\"; it has to be prove, sanitize, bench or all" >&2; exit 2 ;; esac
[ -n "$seconds" ] || { if [ "$part" = all ]; then seconds=1620; else seconds=540; fi; }
[[ $seconds =~ ^[1-9][0-9]{0,5}$ ]] || { echo "tests/gpu/run.sh: --seconds is \"$seconds\"; it has to be a number from 1" >&2; exit 2; }
end=$((SECONDS + seconds))
mkdir -p "$out" || exit 2

steps='' failed=0 files='' may_end=''
# What compute-sanitizer begins a finding with.
complaints='^=+ +(Invalid|Error|Warning|Race|Potential|Barrier|Divergent|Program hit|Address)'
trap 'rm -rf "$files"' EXIT
note() { # name, state, seconds, remark
    printf '%-28s %-8s %4s s  %s\n' "$1" "$2" "$3" "${4:-}"
    steps="$steps${steps:+,}
    {\"step\": \"$1\", \"state\": \"$2\", \"seconds\": $3, \"remark\": \"${4:-}\"}"
    [ "$2" != failed ] || failed=1
}
step() { # name, most seconds, command...: its output goes to the log, its end is shown after a failure
    local name=$1 most=$2 begun=$SECONDS left=$((end - SECONDS)) code
    shift 2
    [ -z "$emulated" ] || most=$((most * 8)) # another machine's minutes, and it may be busy
    [ "$most" -lt $left ] || most=$left
    if [ $left -lt 2 ]; then
        note "$name" left_out 0 "no time: the $seconds s are over"
        return 1
    fi
    timeout -k 10 "$most" "$@" > "$out/step" 2>&1
    code=$?
    { echo "=== $name, exit code $code"; cat "$out/step"; } >> "$out/steps.log"
    if [ $code = 0 ]; then
        note "$name" passed $((SECONDS - begun))
    else
        tail -n 30 "$out/step"
        if { [ $code = 124 ] || [ $code = 137 ]; } && [ -n "$may_end" ] && ! grep -qE "$complaints" "$out/step"; then
            note "$name" cut_short $((SECONDS - begun)) "ended after $most s, nothing found until then"
        elif [ $code = 124 ] || [ $code = 137 ]; then
            note "$name" failed $((SECONDS - begun)) "ended after $most s, see steps.log"
        else
            note "$name" failed $((SECONDS - begun)) "exit code $code, see steps.log"
        fi
    fi
    [ "$name" != device ] || [ $code != 0 ] || cat "$out/step"
    case $name in models | bench | whole_models | transformers) cat "$out/step" ;; esac
    rm -f "$out/step"
    write_results
    return $code
}
json_of() { # a file, or null where it is not there or not whole
    if [ -s "$1" ] && { ! command -v "$python" > /dev/null || "$python" -m json.tool "$1" > /dev/null 2>&1; }; then cat "$1"; else echo null; fi
}
write_results() {
    {
        printf '{\n  "device": "%s",\n  "part": "%s",\n  "steps": [%s\n  ],\n  "bench": ' "$device" "$part" "$steps"
        json_of "$out/bench.json"
        printf ',\n  "whole_models": '
        json_of "$out/whole_models.json"
        printf ',\n  "transformers": '
        json_of "$out/transformers.json"
        echo '}'
    } > "$out/results.json"
}
finish() {
    write_results
    # The goals beside what was found, and into the results.
    if [ -s "$out/whole_models.json" ] && command -v "$python" > /dev/null; then "$python" tests/gpu/goals.py "$out/results.json"; fi
    if [ $failed = 0 ]; then echo "all steps passed: $out/results.json"; else echo "a step FAILED: $out/results.json"; fi
    exit $failed
}
rm -f "$out/bench.json" "$out/whole_models.json" "$out/transformers.json" "$out/results.json" "$out/steps.log"

if [ -n "$emulated" ]; then
    device='emulated on the host' build=${BUILD_DIR:-build/release}
    step build 1500 make -j2 --no-print-directory B="$build" gpu-emulated || finish
    programs=$build/gpu/emulated tiny=tiny length=short cases=2 twin=$programs/truth library=$build/libdocket_cuda_emulated.so
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
    # Another nvcc or gcc may warn of what ours does not, or spill a register: no reason to learn nothing of this GPU.
    step build 400 make -j"$(nproc)" --no-print-directory B=$build CUDA_ARCHS="$capability" WARNINGS=-Wall NVCC_WARNINGS= SPILLS=allowed gpu-programs || finish
    grep -hE '[1-9][0-9]* bytes spill' $build/cuda/*.ptxas > "$out/spills.log" && echo "kernels spill registers here: $out/spills.log"
    # cuBLASLt is the toolkit's, or came with PyTorch.
    libraries=/usr/local/cuda/lib64:$("$python" -c 'import glob, sysconfig; print(*glob.glob(sysconfig.get_path("purelib") + "/nvidia/*/lib"), sep=":")' 2> /dev/null)
    found=${LD_LIBRARY_PATH-} # PyTorch's own is to find its own
    export LD_LIBRARY_PATH="${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}$libraries"
    programs=$build/gpu/device tiny='' length=long cases=300 twin=$build/gpu/emulated/truth library=$build/libdocket_cuda.so
fi
echo "device: $device"
step device 60 "$programs/truth" device || finish
files=$(mktemp -d "$build/files-XXXXXX") || exit 2

# Whether the headers that the emulation replaces do what their twins do, and every kernel against the reference.
if [ "$part" = prove ] || [ "$part" = all ]; then
    # In the machine's own instructions; a disassembler comes with the toolkit, or not.
    if [ -n "$emulated" ] || ! command -v "$python" > /dev/null; then
        note early left_out 0 'judges code for a GPU only'
    else
        "$python" tests/gpu/early.py "$build"/cuda/*.o > "$out/early.log" 2>&1
        case $? in
            0) note early passed 0 "$(head -n 1 "$out/early.log")" ;;
            3) note early left_out 0 'no cuobjdump, or no code for compute capability 9.0 and up' ;;
            *) note early failed 0 'see early.log' ;;
        esac
    fi
    # shellcheck disable=SC2016 # the inner shell expands them
    step truth 60 env EMULATION_SEED=3 TWIN="$twin" DEVICE="$programs/truth" RESULTS="$out/truth.bin" \
        bash -c '"$TWIN" write "$RESULTS" && "$DEVICE" compare "$RESULTS"'
    rm -f "$out/truth.bin"
    step test_products 150 env CONFORMANCE=$length "$programs/test_products"
    step test_beside 90 env CONFORMANCE=$length "$programs/test_beside"
    step models 180 "$programs/models" "$library" "$files" $tiny
    step test_attention 120 env CONFORMANCE=$length "$programs/test_attention"
    step test_attention_random 120 env CONFORMANCE=$length ATTENTION_CASES=$cases "$programs/test_attention_random"
    step test_backends 180 env CONFORMANCE=$length "$programs/test_backends"
    step test_placement 60 "$programs/test_placement"
    step test_company 120 env CONFORMANCE=$length "$programs/test_company"
    step test_steps 60 env CONFORMANCE=$length "$programs/test_steps"
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
        elif ! timeout 60 "$sanitizer" --tool $tool "$programs/truth" write "$out/truth.bin" > "$out/refused" 2>&1 && grep -q 'not supported' "$out/refused"; then
            note $tool left_out 0 'compute-sanitizer does not work on this machine'
        else
            # Each instruction is watched: the short cases, and those first that reach most kernels.
            suites='test_products test_beside test_attention test_backends test_steps' length=shortest may_end=yes
            [ $tool != memcheck ] || suites="$suites test_company models" length=short
            for suite in $suites; do
                words=''
                [ "$suite" != models ] || words="$library $files tiny"
                # shellcheck disable=SC2086 # words
                step "$tool-$suite" 50 env CONFORMANCE=$length "$sanitizer" --tool $tool --error-exitcode 9 "$programs/$suite" $words
            done
            may_end=''
        fi
        rm -f "$out/refused" "$out/truth.bin"
    done
fi

if [ "$part" = bench ] || [ "$part" = all ]; then
    step bench 180 "$programs/bench" "$out/bench.json" $tiny
    step whole_models 240 "$programs/whole_models" "$out/whole_models.json" "$library" $tiny "$files"
    # The same work by PyTorch and transformers, where they are.
    if [ -n "$emulated" ]; then
        note transformers left_out 0 'needs a GPU'
    elif ! "$python" -c 'import torch, transformers' 2> /dev/null; then
        note transformers left_out 0 'PyTorch or transformers is not installed'
    else
        step transformers 300 env LD_LIBRARY_PATH="$found" "$python" tests/gpu/transformers_bench.py "$out/transformers.json"
    fi
fi
finish
