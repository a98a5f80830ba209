"""The shape of every final post, checked by hand and strictly: unknown keys, missing keys, wrong types, sums that do not add up.

Follows the documentation of the job's output. Knows no worker; raises AssertionError naming the JSON path.
"""

import math
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
CODES = {name: (scope, stage, retryable == "true") for name, scope, stage, retryable in
         re.findall(r'ERROR_CODE\((\w+), "(\w+)", "(\w+)", (\w+)', (ROOT / "worker/base/error_codes.def").read_text(encoding="utf-8"))}
REPORT_KEYS = ["error_type", "error_message", "error_traceback", "hostname", "worker_id", "runpod_version"]


def check_answer(body):
    """A whole final post: {"output": …}, {"error": "…"}, with or without stopPod."""
    _keys("$", body, (), ("output", "error", "stopPod"))
    assert body.get("stopPod", True) is True, "$.stopPod: want true or no key"
    if "error" in body:
        assert isinstance(body["error"], str) and body["error"].strip(), "$.error: want a string that says something"
        assert "output" not in body or isinstance(body["output"], dict), "$.output beside an error: want an object"
        return
    check_output(body.get("output"))


def check_output(output, at="$.output"):
    if isinstance(output, dict) and output.get("object") == "chat.completion":
        return
    _keys(at, output, ("object", "status", "fingerprint", "results", "summary", "model", "usage", "timing_ms", "gpu", "cost", "worker"),
          ("metadata", "warnings", "results_url", "results_bytes", "results_sha256", "results_count"))
    if "results_url" in output:
        _check_place(at, output)
    assert output["object"] == "classification", f"{at}.object: {output['object']!r}"
    assert re.fullmatch(r"dk1-[0-9a-f]{8,64}", output["fingerprint"]), f"{at}.fingerprint: {output['fingerprint']!r}"
    results = output["results"]
    assert isinstance(results, list), f"{at}.results: want a list"
    if any(warning.startswith(("result_compacted", "results_kept")) for warning in output.get("warnings", [])):
        assert len(results) in (0, output["summary"]["documents"]), f"{at}.results: {len(results)} of {output['summary']['documents']}"
        return  # what was left out cannot be checked
    for index, result in enumerate(results):
        _check_result(f"{at}.results[{index}]", result, index)
    if not results and output.get("results_count"):
        return  # they are elsewhere alone, and the sums are over them
    failed = [result for result in results if result["status"] == "error"]
    assert output["status"] == ("completed_with_errors" if failed else "completed"), \
        f"{at}.status: {output['status']!r} with {len(failed)} failed"
    ids = [result.get("id", result.get("custom_id")) for result in results]
    assert len(set(ids)) == len(ids), f"{at}.results: an id stands twice"
    _check_summary(f"{at}.summary", output["summary"], results)
    _keys(f"{at}.model", output["model"], ("name", "revision", "quantization", "compute_dtype", "calibration"))
    _text(f"{at}.model.name", output["model"]["name"])
    _check_usage(f"{at}.usage", output["usage"])
    for key in ("input_tokens", "output_tokens", "total_tokens"):
        total = sum(result["usage"][key] for result in results if result.get("usage"))
        assert output["usage"][key] == total, f"{at}.usage.{key}: {output['usage'][key]}, the documents' sum is {total}"
    _times(f"{at}.timing_ms", output["timing_ms"], ("queue", "cold_start", "fetch", "extract", "ocr", "inference", "execution"))
    _check_gpu(f"{at}.gpu", output["gpu"])
    _check_cost(f"{at}.cost", output["cost"], results)
    _keys(f"{at}.worker", output["worker"], ("id", "version"))
    _text(f"{at}.worker.version", output["worker"]["version"])


def _check_place(at, output):
    _text(f"{at}.results_url", output["results_url"])
    assert "?" not in output["results_url"], f"{at}.results_url: holds a query, which may be a key"
    assert re.fullmatch(r"[0-9a-f]{64}", output["results_sha256"]), f"{at}.results_sha256: {output['results_sha256']!r}"
    for key in ("results_bytes", "results_count"):
        assert isinstance(output[key], int) and output[key] > 0, f"{at}.{key}: {output[key]!r}"
    assert output["results_count"] == output["summary"]["documents"], f"{at}.results_count: not the number of documents"


def _check_result(at, result, index):
    common = ("index", "status", "cost_usd")
    names = ("id", "custom_id")
    if result.get("status") == "ok":
        _keys(at, result, (*common, "label", "confidence", "margin", "abstained", "scores", "document", "warnings", "usage", "timing_ms"),
              (*names, "labels", "answers", "text", "chunks", "explanation", "evidence"))
        _check_scores(at, result)
        _check_document(f"{at}.document", result["document"])
        assert isinstance(result["warnings"], list), f"{at}.warnings: want a list"
        for number, warning in enumerate(result["warnings"]):
            _text(f"{at}.warnings[{number}]", warning)
        _check_usage(f"{at}.usage", result["usage"])
        assert result["usage"]["input_tokens"] > 0, f"{at}.usage.input_tokens: 0"
        _times(f"{at}.timing_ms", result["timing_ms"], ("fetch", "extract", "ocr", "tokenize", "wait", "inference", "total"))
    else:
        assert result.get("status") == "error", f"{at}.status: {result.get('status')!r}"
        _keys(at, result, (*common, "error"), (*names, "document", "usage", "timing_ms"))
        check_error(f"{at}.error", result["error"])
    assert result["index"] == index, f"{at}.index: {result['index']}"
    assert len([name for name in names if name in result]) == 1, f"{at}: want one of id and custom_id"
    _text(f"{at}.id", result.get("id", result.get("custom_id")))
    _amount(f"{at}.cost_usd", result["cost_usd"], null=True)


def check_error(at, error):
    _keys(at, error, ("code", "message", "stage", "retryable"), ("param", "page"))
    assert error["code"] in CODES, f"{at}.code: {error['code']!r} is not in error_codes.def"
    scope, stage, retryable = CODES[error["code"]]
    assert scope == "document", f"{at}.code: {error['code']} is of scope {scope}"
    assert (error["stage"], error["retryable"]) == (stage, retryable), f"{at}: stage or retryable differ from error_codes.def"
    check_message(f"{at}.message", error["message"])


def check_message(at, message):
    _text(at, message)
    assert len(message.encode("utf-8")) <= 512, f"{at}: {len(message.encode('utf-8'))} bytes"
    assert not re.search(r"0x[0-9a-f]{6,}", message), f"{at}: an address in {message!r}"
    assert not re.search(r"(^|[\s'\"(])/(usr|home|root|tmp|var|etc|work|proc)/", message), f"{at}: a path in {message!r}"


def _check_scores(at, result):
    scores = result["scores"]
    assert isinstance(scores, list) and scores, f"{at}.scores: want a list that is not empty"
    last = math.inf
    for number, entry in enumerate(scores):
        _keys(f"{at}.scores[{number}]", entry, ("label", "score"))
        _text(f"{at}.scores[{number}].label", entry["label"])
        _share(f"{at}.scores[{number}].score", entry["score"])
        assert entry["score"] <= last, f"{at}.scores: not sorted"
        last = entry["score"]
    labels = [entry["label"] for entry in scores]
    assert len(set(labels)) == len(labels), f"{at}.scores: a label stands twice"
    assert isinstance(result["abstained"], bool), f"{at}.abstained: want true or false"
    if result["label"] is None:
        assert isinstance(result.get("labels"), list), f"{at}.labels: want a list where label is null"
        assert set(result["labels"]) <= set(labels) or len(result["labels"]) >= len(labels), f"{at}.labels: not among the scores"
    else:
        _text(f"{at}.label", result["label"])
        assert sum(entry["score"] for entry in scores) <= 1 + 1e-5, f"{at}.scores: sum over 1"
        _share(f"{at}.confidence", result["confidence"])
        assert result["margin"] is None or -1e-9 <= result["margin"] <= 1 + 1e-9, f"{at}.margin: {result['margin']!r}"
        if not result["abstained"] and result["label"] in labels:
            assert abs(result["confidence"] - scores[0]["score"]) <= 1e-5, f"{at}.confidence: not the best score"
            if len(scores) > 1:
                assert abs(result["margin"] - (scores[0]["score"] - scores[1]["score"])) <= 1e-5, f"{at}.margin: not first minus second"
    for number, answer in enumerate(result.get("answers", [])):
        place = f"{at}.answers[{number}]"
        assert answer.get("type") in ("choice", "predicate", "score"), f"{place}.type: {answer.get('type')!r}"
        _text(f"{place}.name", answer.get("name"))
        if answer["type"] == "predicate":
            _share(f"{place}.probability", answer["probability"])
        for entry in answer.get("probabilities", []):
            _share(f"{place}.probabilities", entry["probability"])


def _check_document(at, document):
    _keys(at, document, ("filename", "media_type", "detected_by", "bytes", "pages", "pages_read", "characters", "language", "ocr",
                         "truncated", "tokens_dropped", "sha256"), ("hidden_characters",))
    for key in ("bytes", "characters", "tokens_dropped"):
        _count(f"{at}.{key}", document[key], null=key == "tokens_dropped")
    for key in ("pages", "pages_read"):
        _count(f"{at}.{key}", document[key], null=True)
    assert re.fullmatch(r"[0-9a-f]{64}", document["sha256"]), f"{at}.sha256: {document['sha256']!r}"
    for key in ("ocr", "truncated"):
        assert isinstance(document[key], bool), f"{at}.{key}: want true or false"


def _check_summary(at, summary, results):
    _keys(at, summary, ("documents", "ok", "failed", "abstained", "labels", "errors"))
    ok = [result for result in results if result["status"] == "ok"]
    failed = [result for result in results if result["status"] == "error"]
    wanted = {"documents": len(results), "ok": len(ok), "failed": len(failed),
              "abstained": len([result for result in ok if result["abstained"]])}
    for key, value in wanted.items():
        assert summary[key] == value, f"{at}.{key}: {summary[key]}, want {value}"
    codes = {}
    for result in failed:
        codes[result["error"]["code"]] = codes.get(result["error"]["code"], 0) + 1
    assert summary["errors"] == codes, f"{at}.errors: {summary['errors']}, want {codes}"
    labels = {}                             # documents that got no sure answer are counted as abstained instead
    for result in ok:
        for label in [] if result["abstained"] else ([result["label"]] if result["label"] is not None else result["labels"]):
            labels[label] = labels.get(label, 0) + 1
    counted = {label: count for label, count in summary["labels"].items() if count}
    assert counted == labels, f"{at}.labels: {counted}, want {labels}"


def _check_usage(at, usage):
    _keys(at, usage, ("input_tokens", "input_tokens_details", "output_tokens", "total_tokens"))
    for key in ("input_tokens", "output_tokens", "total_tokens"):
        _count(f"{at}.{key}", usage[key])
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"], f"{at}.total_tokens: not the sum"
    _keys(f"{at}.input_tokens_details", usage["input_tokens_details"], ("cached_tokens",))
    _count(f"{at}.input_tokens_details.cached_tokens", usage["input_tokens_details"]["cached_tokens"])
    assert usage["input_tokens_details"]["cached_tokens"] <= usage["input_tokens"], f"{at}: more cached than all tokens"


def _check_gpu(at, gpu):
    _keys(at, gpu, ("name", "memory_total_bytes", "memory_used_bytes", "memory_free_bytes", "memory_peak_bytes", "driver_version",
                    "ecc_errors", "energy_joules", "utilization", "layers_on_gpu", "layers_total"))
    for key in ("energy_joules", "utilization"):
        assert gpu[key] is None or (isinstance(gpu[key], (int, float)) and gpu[key] >= 0), f"{at}.{key}: {gpu[key]!r}"
    for key in gpu:
        if key not in ("name", "driver_version", "energy_joules", "utilization"):
            _count(f"{at}.{key}", gpu[key], null=True)


def _check_cost(at, cost, results):
    _keys(at, cost, ("currency", "price_per_second", "price_source", "compute_usd", "cold_start_usd", "total_usd", "per_document_usd",
                     "excludes"))
    assert cost["currency"] == "USD", f"{at}.currency: {cost['currency']!r}"
    assert isinstance(cost["excludes"], list), f"{at}.excludes: want a list"
    amounts = ("price_per_second", "compute_usd", "cold_start_usd", "total_usd", "per_document_usd")
    if cost["price_per_second"] is None:
        for key in amounts:
            assert cost[key] is None, f"{at}.{key}: {cost[key]!r} with an unknown price"
        assert all(result["cost_usd"] is None for result in results), f"{at}: documents cost something with an unknown price"
        return
    for key in amounts:
        _amount(f"{at}.{key}", cost[key], null=key == "per_document_usd" and not results)
    _text(f"{at}.price_source", cost["price_source"])
    _near(f"{at}.total_usd", cost["total_usd"], cost["compute_usd"] + cost["cold_start_usd"])
    if results:
        _near(f"{at}.compute_usd", cost["compute_usd"], sum(result["cost_usd"] for result in results))


def _near(at, found, wanted):
    assert abs(found - wanted) <= 1e-9 + 1e-5 * abs(wanted), f"{at}: {found}, want {wanted}"


def _keys(at, value, required, optional=()):
    assert isinstance(value, dict), f"{at}: want an object, got {type(value).__name__}"
    for key in required:
        assert key in value, f"{at}.{key}: missing"
    for key in value:
        assert key in required or key in optional, f"{at}.{key}: unknown key"


def _text(at, value):
    assert isinstance(value, str) and value, f"{at}: want text, got {value!r}"
    assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", value), f"{at}: control characters in {value!r}"


def _count(at, value, null=False):
    if value is None and null:
        return
    assert isinstance(value, int) and not isinstance(value, bool) and value >= 0, f"{at}: want a count, got {value!r}"


def _amount(at, value, null=False):
    if value is None and null:
        return
    assert isinstance(value, (int, float)) and not isinstance(value, bool), f"{at}: want a number, got {value!r}"
    assert math.isfinite(value) and value >= 0, f"{at}: {value!r}"


def _share(at, value):
    _amount(at, value)
    assert value <= 1 + 1e-9, f"{at}: {value!r} is over 1"


def _times(at, times, keys):
    _keys(at, times, keys)
    for key in keys:
        _amount(f"{at}.{key}", times[key], null=True)
