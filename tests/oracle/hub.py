"""What docket fetched against huggingface_hub and transformers, offline; and the other way round: docket reads what huggingface_hub
downloaded from the same imitation of a hub. No network but loopback."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "integration"))

from hub_server import Hub                                                      # noqa: E402

MODEL = "docket/demo-mixtral"
SNAPSHOT = next((ROOT / "tests/demo_model/hub/models--docket--demo-mixtral/snapshots").iterdir())
FILES = {path.name: path.read_bytes() for path in SNAPSHOT.iterdir()}
COMMIT = "0123456789abcdef0123456789abcdef01234567"

# Settings of the library are read once, at its import: each look is a process of its own.
OFFLINE = """
import json, sys
from huggingface_hub import snapshot_download, try_to_load_from_cache
folder, names = snapshot_download(sys.argv[1]), sys.argv[2:]
assert all(str(try_to_load_from_cache(sys.argv[1], name)).startswith(folder) for name in names)
from transformers import AutoModelForCausalLM, AutoTokenizer
model, tokenizer = AutoModelForCausalLM.from_pretrained(sys.argv[1]), AutoTokenizer.from_pretrained(sys.argv[1])
print(json.dumps({"folder": folder, "parameters": model.num_parameters(), "ids": tokenizer("Total due: 41.20 EUR").input_ids}))
"""
DOWNLOAD = """
import sys
from huggingface_hub import snapshot_download
print(snapshot_download(sys.argv[1], max_workers=2))
"""


def run(line, **variables):
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGING"))}
    said = subprocess.run(line, env={**kept, **variables}, capture_output=True, text=True, timeout=600, check=False)
    assert said.returncode == 0, f"{line[:3]}: {said.stderr[-2000:]}"
    return said.stdout


def main():
    docket = os.environ["DOCKET"]
    with tempfile.TemporaryDirectory() as folder, Hub(FILES, MODEL, COMMIT) as hub:
        ours, theirs, shared = (str(pathlib.Path(folder) / name) for name in ("ours", "theirs", "shared"))
        fetch = [docket, "models", "fetch", MODEL, "--json", "--piece-bytes", "262144"]
        run(fetch, HF_ENDPOINT=hub.endpoint, HF_HUB_CACHE=ours)
        told = json.loads(run([sys.executable, "-c", OFFLINE, MODEL, *FILES], HF_HUB_OFFLINE="1", HF_HUB_CACHE=ours))
        assert told["folder"] == f"{ours}/models--docket--demo-mixtral/snapshots/{COMMIT}", told
        ids = json.loads(subprocess.run([docket, "tokenize", "--model", MODEL, "--hub-cache", ours], input=b"Total due: 41.20 EUR",
                                        capture_output=True, check=True).stdout)
        assert ids == told["ids"], (ids, told["ids"])
        plan = json.loads(run([docket, "plan", "--model", MODEL, "--hub-cache", ours, "--json"]))
        assert plan["parameters"] == told["parameters"], (plan["parameters"], told["parameters"])
        print(f"hub: huggingface_hub and transformers load what docket fetched: {told['parameters']} parameters, as docket plan counts")

        run([sys.executable, "-c", DOWNLOAD, MODEL], HF_ENDPOINT=hub.endpoint, HF_HUB_CACHE=theirs, HF_HUB_DISABLE_XET="1")
        before = len(hub.requests)
        again = json.loads(run(fetch, HF_ENDPOINT=hub.endpoint, HF_HUB_CACHE=theirs))
        assert again["network_bytes"] == 0 and len(hub.requests) == before + 1
        verified = json.loads(run([docket, "models", "verify", MODEL, "--json"], HF_HUB_CACHE=theirs))
        assert verified["intact"] and all(file["proven"] for file in verified["files"])
        layout = [sorted(str(p.relative_to(c)) for part in ("blobs", "refs", "snapshots")
                         for p in (pathlib.Path(c) / "models--docket--demo-mixtral" / part).rglob("*") if p.is_file())
                  for c in (ours, theirs)]
        assert layout[0] == layout[1], layout
        print("hub: docket reads, proves and completes what huggingface_hub downloaded; both leave the same files")

        results = []
        threads = [threading.Thread(target=lambda line=line: results.append(run(
            line, HF_ENDPOINT=hub.endpoint, HF_HUB_CACHE=shared, HF_HUB_DISABLE_XET="1")))
            for line in (fetch, [sys.executable, "-c", DOWNLOAD, MODEL])]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(results) == 2
        assert json.loads(run([docket, "models", "verify", MODEL, "--json"], HF_HUB_CACHE=shared))["intact"]
        print("hub: both at once into one cache: intact")


if __name__ == "__main__":
    main()
