#!/bin/sh
# Compares docket with its outside judges: tests/oracle/run.sh [build/release]. README.md says what is compared with what.
# ORACLE_PYTHON: a Python that has what requirements.txt names; without it one is made in build/oracle (5.8 GB, network).
set -eu
cd "$(dirname "$0")/../.."
build=${1:-build/release}
nf4_test=$build/tests/unit/worker/model/test_golden_nf4
families_test=$build/tests/unit/worker/model/test_golden_families
make -s VARIANT="$(basename "$build")" "$build/docket" "$nf4_test" "$families_test" lib

if [ -z "${ORACLE_PYTHON:-}" ]; then
    ORACLE_PYTHON=build/oracle/bin/python
    if ! cmp -s tests/oracle/requirements.txt build/oracle/installed; then
        python3 -m venv build/oracle
        build/oracle/bin/pip install --quiet -r tests/oracle/requirements.txt
        cp tests/oracle/requirements.txt build/oracle/installed
    fi
fi

export DOCKET="$PWD/$build/docket" HF_HUB_OFFLINE=1 TRANSFORMERS_VERBOSITY=error
table=
failed=0
judge() { # name, command: shows what it prints, and keeps a row for the table
    name=$1
    shift
    begun=$(date +%s)
    if "$@"; then verdict=passed; else verdict=FAILED failed=1; fi
    table="$table$(printf '  %-22s %-8s %5d s' "$name" "$verdict" $(($(date +%s) - begun)))
"
}
judge nf4 "$ORACLE_PYTHON" tests/oracle/nf4.py "$nf4_test"
judge formats "$ORACLE_PYTHON" tests/oracle/formats.py "$PWD/$build/lib/libdocket_kernels.so"
judge tokens "$ORACLE_PYTHON" tests/oracle/tokens.py
judge tokenizer_families "$ORACLE_PYTHON" tests/oracle/tokenizer_families.py --strings "${STRINGS:-65000}"
judge logits "$ORACLE_PYTHON" tests/oracle/logits.py
judge classify "$ORACLE_PYTHON" tests/oracle/classify.py
judge families "$ORACLE_PYTHON" tests/oracle/families.py "$families_test"
judge quantize "$ORACLE_PYTHON" tests/oracle/quantize.py
judge hub "$ORACLE_PYTHON" tests/oracle/hub.py
printf '%s' "$table"
exit $failed
