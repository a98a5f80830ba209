"""The checker itself: the documented example passes, and each damage to it is found."""

import copy

import pytest

from answer_check import check_answer

GOOD = {"output": {
    "object": "classification", "status": "completed_with_errors", "fingerprint": "dk1-5f0c00000000",
    "results": [
        {"index": 0, "custom_id": "a-17", "status": "ok", "label": "invoice", "confidence": 0.94, "margin": 0.90, "abstained": False,
         "scores": [{"label": "invoice", "score": 0.94}, {"label": "receipt", "score": 0.04}, {"label": "contract", "score": 0.02}],
         "answers": [{"name": "personal_data", "type": "predicate", "probability": 0.12}],
         "document": {"filename": None, "media_type": "text/plain", "detected_by": "content", "bytes": 1310, "pages": None,
                      "pages_read": None, "characters": 1204, "language": None, "ocr": False, "truncated": False,
                      "tokens_dropped": 0, "sha256": "0" * 64},
         "warnings": [],
         "usage": {"input_tokens": 402, "input_tokens_details": {"cached_tokens": 118}, "output_tokens": 0, "total_tokens": 402},
         "timing_ms": {"fetch": 0.0, "extract": 0.1, "ocr": 0.0, "tokenize": 0.4, "wait": 2.0, "inference": 31.0, "total": 33.5},
         "cost_usd": 0.0000519},
        {"index": 1, "id": "b", "status": "error",
         "error": {"code": "document_encrypted", "message": "scan.pdf needs a password", "stage": "extract", "param": "documents[1]",
                   "page": None, "retryable": False},
         "cost_usd": 0.0002798}],
    "summary": {"documents": 2, "ok": 1, "failed": 1, "abstained": 0, "labels": {"invoice": 1}, "errors": {"document_encrypted": 1}},
    "model": {"name": "m", "revision": "r", "quantization": "nf4", "compute_dtype": "bfloat16", "calibration": "contextual"},
    "usage": {"input_tokens": 402, "input_tokens_details": {"cached_tokens": 118}, "output_tokens": 0, "total_tokens": 402},
    "timing_ms": {"queue": 0.0, "cold_start": 0.0, "fetch": 210.0, "extract": 4.1, "ocr": 0.0, "inference": 31.0, "execution": 214.0},
    "gpu": {"name": "NVIDIA H200", "memory_total_bytes": 1, "memory_used_bytes": 0, "memory_free_bytes": 0, "memory_peak_bytes": 0,
            "driver_version": None, "ecc_errors": None, "energy_joules": 41.5, "utilization": None,
            "layers_on_gpu": 32, "layers_total": 32},
    "cost": {"currency": "USD", "price_per_second": 0.00155, "price_source": "table", "compute_usd": 0.0003317, "cold_start_usd": 0.0,
             "total_usd": 0.0003317, "per_document_usd": 0.0001659, "excludes": ["idle_time"]},
    "worker": {"id": "w", "version": "1"}}}

DAMAGE = {
    "unknown_key": lambda out: out.update(extra=1),
    "missing_key": lambda out: out.pop("gpu"),
    "status": lambda out: out.update(status="completed"),
    "index": lambda out: out["results"][0].update(index=1),
    "both_ids": lambda out: out["results"][1].update(custom_id="b"),
    "same_id": lambda out: out["results"][1].update(id="a-17"),
    "score_over_one": lambda out: out["results"][0]["scores"][0].update(score=1.2),
    "score_not_a_number": lambda out: out["results"][0]["scores"][0].update(score="0.9"),
    "score_nan": lambda out: out["results"][0]["scores"][0].update(score=float("nan")),
    "sum_over_one": lambda out: out["results"][0]["scores"][1].update(score=0.5),
    "unsorted": lambda out: out["results"][0]["scores"].reverse(),
    "margin": lambda out: out["results"][0].update(margin=0.1),
    "confidence": lambda out: out["results"][0].update(confidence=0.5),
    "unknown_code": lambda out: out["results"][1]["error"].update(code="oops"),
    "wrong_stage": lambda out: out["results"][1]["error"].update(stage="fetch"),
    "path_in_message": lambda out: out["results"][1]["error"].update(message="cannot open /tmp/x"),
    "address_in_message": lambda out: out["results"][1]["error"].update(message="object at 0x7ffdeadbeef"),
    "summary": lambda out: out["summary"].update(ok=2),
    "summary_labels": lambda out: out["summary"].update(labels={}),
    "usage_sum": lambda out: out["usage"].update(input_tokens=403, total_tokens=403),
    "total_tokens": lambda out: out["results"][0]["usage"].update(total_tokens=1),
    "negative_tokens": lambda out: out["results"][0]["usage"].update(output_tokens=-1),
    "cost_sum": lambda out: out["results"][0].update(cost_usd=0.5),
    "cost_without_price": lambda out: out["cost"].update(price_per_second=None),
    "digest": lambda out: out["results"][0]["document"].update(sha256="x"),
}


def test_the_documented_example_passes():
    check_answer(copy.deepcopy(GOOD))
    check_answer({"error": "job_malformed: byte 3"})
    check_answer({"error": "x", "stopPod": True})


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_is_found(name):
    answer = copy.deepcopy(GOOD)
    DAMAGE[name](answer["output"])
    with pytest.raises(AssertionError):
        check_answer(answer)


@pytest.mark.parametrize("body", [{}, {"error": {"code": "x"}}, {"error": ""}, {"output": None}, {"output": [], "stopPod": False},
                                  {"output": 1, "more": 2}])
def test_bodies_that_are_no_answer(body):
    with pytest.raises(AssertionError):
        check_answer(body)
