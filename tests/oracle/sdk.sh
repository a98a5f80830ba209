#!/bin/sh
# Runs the protocol's tests with the reference SDK in docket's place: tests/oracle/sdk.sh [build/release]. Where the two differ stands
# in tests/integration/sdk_differences.json, with the reason. Installs the SDK into build/sdk unless RUNPOD_SDK_PYTHON names a Python.
set -eu
cd "$(dirname "$0")/../.."
if [ -z "${RUNPOD_SDK_PYTHON:-}" ]; then
    RUNPOD_SDK_PYTHON=$PWD/build/sdk/bin/python
    if [ ! -e build/sdk/installed ]; then
        python3 -m venv build/sdk
        build/sdk/bin/pip install --quiet runpod==1.12.0
        touch build/sdk/installed
    fi
fi
export RUNPOD_SDK_PYTHON
exec /usr/bin/python3 tests/run.py --build "${1:-build/release}" integration -k sdk
