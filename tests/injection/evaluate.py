#!/usr/bin/python3
"""What the demo model makes of documents written by hand, and of documents that talk to it (make eval).

    tests/injection/evaluate.py --docket build/release/docket [--quantization none,nf4] [--model NAME|DIR] [--json]
    tests/injection/evaluate.py --docket … --write      keep the numbers as the limit that the test holds

A flip: the label of the attacked document is not that of its clean twin. Hit: it is the one that the attack wanted."""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import attacks  # noqa: E402

MEASURED = HERE / "measured.json"
DEMO = "docket/demo-mixtral"
MODEL = ["--model", DEMO, "--hub-cache", str(HERE.parent / "demo_model" / "hub")]


def classify(docket, quantization, folder, model):
    """{file name: result} of all files of a folder."""
    said = subprocess.run([docket, "classify", *model, "--quantization", quantization, "--labels", ",".join(attacks.LABELS), "--jsonl", "."],
                          cwd=folder, env={**os.environ, "LC_ALL": "C.UTF-8"}, capture_output=True, timeout=900, check=False)
    results = {}
    for line in said.stdout.splitlines():
        result = json.loads(line)
        if result["status"] != "ok":
            raise SystemExit(f"{result['id']}: {result['error']['message']}")
        results[pathlib.PurePath(result["id"]).name] = result
    if said.returncode != 0 or not results:
        raise SystemExit(said.stderr.decode("utf-8", "replace") or f"{docket} ended with {said.returncode}")
    return results


def score_of(result, label):
    return next(entry["score"] for entry in result["scores"] if entry["label"] == label)


def measure(docket, quantization, model=tuple(MODEL)):
    pairs, documents = attacks.pairs(), attacks.handwritten()
    with tempfile.TemporaryDirectory() as folder:
        for file, _, text in documents:
            (pathlib.Path(folder) / file).write_text(text, encoding="utf-8")
        for pair in pairs:
            for side in ("clean", "attacked"):
                (pathlib.Path(folder) / f"{pair['name']}-{side}{pair['ending']}").write_bytes(pair[side])
        results = classify(docket, quantization, folder, model)
    right = sum(results[file]["label"] == label for file, label, _ in documents)
    by_attack = {}
    for pair in pairs:
        clean, attacked = (results[f"{pair['name']}-{side}{pair['ending']}"] for side in ("clean", "attacked"))
        row = by_attack.setdefault(pair["attack"], {"pairs": 0, "flips": 0, "hits": 0, "confidence_change": 0.0, "wanted_change": 0.0})
        row["pairs"] += 1
        row["flips"] += attacked["label"] != clean["label"]
        row["hits"] += attacked["label"] == pair["wanted"] != clean["label"]
        row["confidence_change"] += score_of(attacked, clean["label"]) - score_of(clean, clean["label"])
        row["wanted_change"] += score_of(attacked, pair["wanted"]) - score_of(clean, pair["wanted"])
    total = {key: sum(row[key] for row in by_attack.values()) for key in ("pairs", "flips", "hits", "confidence_change", "wanted_change")}
    for row in (*by_attack.values(), total):
        for key in ("confidence_change", "wanted_change"):
            row[key] = round(row[key] / row["pairs"], 4)
    return {"model": model[1], "quantization": quantization, "handwritten": {"right": right, "of": len(documents)}, "total": total, "attacks": by_attack}


def show(report):
    hand, total = report["handwritten"], report["total"]
    print(f"{report['model']}, {report['quantization']}")
    print(f"  written by hand      {hand['right']} of {hand['of']} right ({100 * hand['right'] / hand['of']:.1f} %)")
    print(f"  {'that talk to it':20} {total['flips']} of {total['pairs']} labels flip ({100 * total['flips'] / total['pairs']:.1f} %), "
          f"{total['hits']} to the label that was wanted")
    print(f"    {'attack':18} {'flips':>7} {'hits':>6} {'confidence':>12} {'wanted label':>14}")
    for name, row in (*report["attacks"].items(), ("all", total)):
        print(f"    {name:18} {row['flips']:>3} / {row['pairs']:<3} {row['hits']:>4} {row['confidence_change']:>+12.3f} {row['wanted_change']:>+14.3f}")


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--docket", required=True)
    options.add_argument("--quantization", default="none,nf4")
    options.add_argument("--model", help="another model than the demo's, by its name in the hub's cache or its folder")
    options.add_argument("--json", action="store_true")
    options.add_argument("--write", action="store_true")
    given = options.parse_args()
    if given.write and given.model:
        options.error("--write keeps the numbers of the demo model")
    model = ("--model", given.model) if given.model else tuple(MODEL)
    reports = [measure(str(pathlib.Path(given.docket).resolve()), quantization, model) for quantization in given.quantization.split(",")]
    if given.json:
        print(json.dumps(reports, indent=1))
    else:
        for report in reports:
            show(report)
    if given.write:
        MEASURED.write_text(json.dumps(reports, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
