#!/bin/sh
# Makes every fixture in tests/golden anew, for the demo model as it is now: ORACLE_PYTHON=… tests/golden/remake.sh
# ORACLE_PYTHON: a Python that has what tests/oracle/requirements.txt names (`make oracle` makes one in build/oracle).
set -eu
cd "$(dirname "$0")/../.."
: "${ORACLE_PYTHON:?a Python with the packages of tests/oracle/requirements.txt, such as build/oracle/bin/python}"
export HF_HUB_OFFLINE=1 TRANSFORMERS_VERBOSITY=error TORCHDYNAMO_DISABLE=1

# These belong to the demo model and its tokenizer.
"$ORACLE_PYTHON" tests/demo_model/prompt.py
"$ORACLE_PYTHON" tests/golden/nf4_model/make_nf4_model.py
"$ORACLE_PYTHON" tests/golden/logits/make_logits.py

# These belong to the libraries alone.
"$ORACLE_PYTHON" tests/golden/nf4/make_nf4.py tests/golden/nf4/nf4.bin
"$ORACLE_PYTHON" tests/golden/fp4_int8/make_fp4_int8.py tests/golden/fp4_int8/fp4_int8.bin
"$ORACLE_PYTHON" tests/golden/families/make_families.py
"$ORACLE_PYTHON" tests/golden/tokenizer/make_tokenizer.py
"$ORACLE_PYTHON" tests/golden/tokenizer/make_model.py
"$ORACLE_PYTHON" tests/golden/chat/make_chat.py
