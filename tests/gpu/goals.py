#!/usr/bin/env python3
"""What docket wants of a GPU beside what tests/gpu/run.sh found there: prints a table and writes it into the results, as "goals".

    tests/gpu/goals.py results.json

Each line has a floor, below which something is wrong, and a wish. What was not measured is null. Ratios are of ceilings, or of another
program's work, from the same run; the two of documents a second are an H200's (790 TFLOP/s: 31 at best)."""

import json
import sys

NF4_BYTES = 2 + 4.126953125 / 8     # read and written for a weight in bf16


def report_of(results, *words, without=()):
    for report in results.get("whole_models") or []:
        if all(word in report["model"] for word in words) and not any(word in report["model"] for word in without):
            return report
    return {"rows": [], "memory": [], "ceilings": []}


def rows_of(report, step, *words):
    return [row for row in report["rows"] if row["step"] == step and not row["problem"] and all(word in row["what"] for word in words)]


def first(rows, key, inner=None):
    """The value of the first row, or None."""
    value = rows[0].get(key) if rows else None
    return value.get(inner) if inner and value else value


def ceiling_of(report, name):
    return next((ceiling["rate"] for ceiling in report["ceilings"] if ceiling["name"] == name), None)


def memory_off(report, what):
    for line in report["memory"]:
        if line["what"] == what and line["found_bytes"] and line["planned_bytes"]:
            return abs(line["found_bytes"] / line["planned_bytes"] - 1)
    return None


def times(ours, theirs):
    return ours / theirs if ours and theirs else None


def beside_transformers(results, ours, own):
    """How many times as fast as the same work by PyTorch: by step, where both measured the same model."""
    other = results.get("transformers") or {}
    same = other.get("model") and other["model"] in ours.get("model", "")
    rows = [row for row in other.get("rows", []) if same and not row["problem"]]

    def rate(step, *words):
        return next((row["rate"] for row in rows if row["step"] == step and all(word in row["what"] for word in words)), None)
    return [("prefill of one sequence", times(first(rows_of(ours, "prefill"), "rate"), rate("prefill"))),
            ("decoding, batch 1", times(first(rows_of(own, "decode", "batch 1,"), "rate"), rate("decode", "batch 1,"))),
            ("decoding, batch 32", times(first(rows_of(own, "decode", "batch 32,"), "rate"), rate("decode", "batch 32,"))),
            ("documents, prefix in each", times(first(rows_of(ours, "documents", "in each"), "rate"), rate("documents", "8 of")))]


def goals_of(results):
    """(what, found, floor, wish, whether more is better)"""
    mixtral, own = report_of(results, "mixtral", without=("own kernels",)), report_of(results, "own kernels")
    loaded, stored = report_of(results, "files of", "in bf16"), report_of(results, "files of", "in nf4")
    together = [row for row in rows_of(mixtral, "documents") if "in each" not in row["what"]]
    packed = sorted(rows_of(mixtral, "packed"), key=lambda row: row["amount"])[-1:]
    quantized, copy = first(rows_of(loaded, "load", "quantizing there alone"), "rate"), ceiling_of(mixtral, "copy")
    lines = [("decoding, batch 1: of the copy rate", first(rows_of(own, "decode", "batch 1,"), "of_ceilings", "copy"), 0.60, 0.82, True),
             ("largest packed pass: of the best product", first(packed, "of_ceilings", "products"), 0.43, 0.76, True),
             ("documents a second (all 32 layers)", first(together, "rate") if mixtral.get("layers") == 32 else None, 18, 25, True),
             ("shared prefix: of the saving that it could be", first(together, "share"), 0.85, 0.95, True),
             ("256 labels: times the time of 2", first([row for row in rows_of(mixtral, "labels", " 256 ") if "shared" not in (row["share_of"] or "")],
                                                       "share"), 1.25, 1.05, False),
             ("256 labels, first tokens shared", first([row for row in rows_of(mixtral, "labels", " 256 ") if "shared" in (row["share_of"] or "")],
                                                       "share"), 1.25, 1.10, False),
             ("loading: of a raw read of the files", first(rows_of(loaded, "load", "quantizing included"), "share"), 0.85, 0.95, True),
             ("loading what is stored in nf4: times bf16's speed", times(first(rows_of(loaded, "load", "quantizing included"), "seconds"),
                                                                         first(rows_of(stored, "load", "when they were stored"), "seconds")), 3.3, 3.7, True),
             ("quantizing alone: of the copy rate", times(quantized and quantized / 2 * NF4_BYTES, copy), 0.50, 0.80, True),
             ("memory: off the plan", memory_off(mixtral, "all, as the driver counts"), 0.02, 0.01, False),
             ("memory behind the work: off the plan", memory_off(mixtral, "all, behind the work"), 0.02, 0.01, False)]
    return lines + [(f"times PyTorch in bf16: {what}", found, 1.2, 1.5, True) for what, found in beside_transformers(results, mixtral, own)]


def met(found, floor, wish, more):
    if found is None:
        return None
    reached = (lambda limit: found >= limit) if more else (lambda limit: found <= limit)
    return "wish" if reached(wish) else "floor" if reached(floor) else "none"


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        results = json.load(file)
    results["goals"] = [{"what": what, "found": found, "floor": floor, "wish": wish, "more_is_better": more, "met": met(found, floor, wish, more)}
                        for what, found, floor, wish, more in goals_of(results)]
    print(f"{'goal':50} {'found':>9} {'floor':>7} {'wish':>7}  met")
    for goal in results["goals"]:
        found = "-" if goal["found"] is None else f"{goal['found']:.3f}"
        print(f"{goal['what']:50} {found:>9} {goal['floor']:7.2f} {goal['wish']:7.2f}  {goal['met'] or 'not measured'}")
    with open(sys.argv[1], "w", encoding="utf-8") as file:
        json.dump(results, file, indent=1)


if __name__ == "__main__":
    main()
