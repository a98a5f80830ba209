"""Rows J1 to J22: what a job may look like. The real worker and the demo model; one worker serves the whole table.

Each case: the job (an input, or the exact bytes of the whole job) and what must come: `ok`, `failed` with one of these codes,
`documents` with these codes, or `unanswered`: a log line, and the worker goes on.
"""

import itertools
import json
import time

import pytest

from support import LABELS, TEXTS, assert_failed, base64_of, classify_input, result_codes

SHARED_VARIABLES = {"MAX_CONCURRENCY": "1"}
TEXT = TEXTS[0]
numbers = itertools.count(1)


def ok(count=1):
    return "documents", ["ok"] * count


def failed(*codes, said=""):
    return "failed", codes, said


def documents(*codes):
    return "documents", list(codes)


def one(**document):
    """An input with one document of these keys."""
    return {"labels": LABELS, "documents": [document]}


def raw(text):
    """The whole job by bytes; ID stands for its id."""
    return text if isinstance(text, bytes) else text.encode("utf-8")


def whole(input_text):
    """The bytes of a job around the bytes of its input."""
    input_text = input_text if isinstance(input_text, bytes) else input_text.encode("utf-8")
    return b'{"id": "ID", "input": ' + input_text + b"}"


def input_json(**changes):
    return json.dumps({**classify_input(), **changes})


GOOD_INPUT = json.dumps(classify_input())
DOCUMENT = b'{"labels": ["invoice", "resume"], "documents": [{"text": "%s"}]}'

CASES = {
    # broken text
    "J1-not_json": (raw("not json at all"), "unanswered"),
    "J1-empty": (raw(""), "unanswered"),
    "J1-cut": (raw('{"id": "ID", "input": {"labels": ["a", "b'), "answered_or_not", "job_malformed"),
    "J1-two_documents": (raw(f'{{"id": "ID", "input": {GOOD_INPUT}}}{{"id": "x2", "input": 1}}'), "answered_or_not", "job_malformed"),
    "J1-trailing_bytes": (raw(f'{{"id": "ID", "input": {GOOD_INPUT}}} xyz'), "answered_or_not", "job_malformed"),
    "J1-broken_inside": (whole('{"labels": ["a" "b"]}'), *failed("job_malformed", said="byte")),
    "J2-33_levels": (whole('{"labels": ' + "[" * 32 + "]" * 32 + "}"), *failed("job_too_deep")),
    "J2-100000_brackets": (whole("[" * 100000 + "]" * 100000), *failed("job_too_deep")),
    "J3-two_million_values": (whole('{"labels": [' + "0," * 1999999 + "0]}"), *failed("job_too_large")),
    "J4-body_over_20_mb": (whole('{"labels": ["a", "b"], "documents": [{"text": "' + "x" * 22_000_000 + '"}]}'),
                           "answered_or_not", "job_too_large"),
    "J5-documents_twice": (whole('{"labels": ["a", "b"], "documents": [], "documents": [{"text": "x"}]}'),
                           *failed("job_field_duplicate", said="documents")),
    "J5-escaped_twin": (whole('{"labels": ["a", "b"], "l\\u0061bels": ["c", "d"], "documents": [{"text": "x"}]}'),
                        *failed("job_field_duplicate", said="labels")),
    "J5-deep": (whole('{"labels": ["a", "b"], "documents": [{"text": "x", "id": "1", "id": "2"}]}'),
                *failed("job_field_duplicate", said="id")),
    "J5-id_twice": (raw(f'{{"id": "ID", "input": {GOOD_INPUT}, "id": "ID"}}'), "answered_or_not", "job_field_duplicate"),
    "J6-invalid_utf8": (whole(DOCUMENT % b"a\xff\xfeb"), *failed("job_encoding_invalid")),
    "J6-overlong": (whole(DOCUMENT % b"a\xc0\xafb"), *failed("job_encoding_invalid")),
    "J6-cesu": (whole(DOCUMENT % b"a\xed\xa0\xbd\xed\xb8\x80b"), *failed("job_encoding_invalid")),
    "J6-lone_surrogate": (whole(DOCUMENT % b"a\\ud800b"), *failed("job_encoding_invalid")),
    "J6-cut_sequence": (whole(DOCUMENT % b"a\xe2\x82"), *failed("job_encoding_invalid")),
    "J7-nul_in_label": ({**classify_input(), "labels": ["invoice\0x", "resume"]}, *failed("job_field_invalid", "labels_invalid")),
    "J7-nul_in_id": (one(id="a\0b", text=TEXT), *failed("job_field_invalid")),
    "J7-nul_in_filename": (one(filename="a\0.pdf", text=TEXT), *failed("job_field_invalid")),
    "J7-nul_in_text": (one(text=f"{TEXT}\0{TEXT}"), *ok()),
    "J8-nan": (whole('{"labels": ["a", "b"], "documents": [{"text": "x"}], "options": {"threshold": NaN}}'), *failed("job_malformed")),
    "J8-1e999": (whole('{"labels": ["a", "b"], "documents": [{"text": "x"}], "options": {"threshold": 1e999}}'),
                 *failed("job_field_invalid")),
    **{f"J8-{text}": (whole('{"labels": ["a", "b"], "documents": [{"text": "x"}], "options": {"top_k": %s}}' % text),
                      *failed("job_malformed")) for text in ("01", "1.", "+1", "0x10", ".5", "-", "1e", "Infinity")},
    **{f"J9-{text}": (whole('{"labels": ["a", "b"], "documents": [{"text": "x"}], "options": {"max_document_tokens": %s}}' % text),
                      *failed("job_field_invalid", said="max_document_tokens"))
       for text in ("9007199254740993", "-1", "1.5", "1e30", "true", '"12"')},
    "J10-byte_order_mark": (raw(b"\xef\xbb\xbf" + b'{"id": "ID", "input": ' + GOOD_INPUT.encode() + b"}"),
                            "answered_or_not", "job_encoding_invalid"),
    "J10-utf_16": (('{"id": "ID", "input": ' + GOOD_INPUT + "}").encode("utf-16"), "unanswered"),
    "J11-wrong_case": ({"Labels": LABELS, "documents": [{"text": TEXT}]}, *failed("job_field_unknown", said="Labels")),
    "J11-unknown_key": ({**classify_input(), "lables": 1}, *failed("job_field_unknown", said="labels")),
    "J11-unknown_in_document": (one(ulr="https://x.example/", text=TEXT), *failed("job_field_unknown", said="ulr")),
    "J11-unknown_option": ({**classify_input(), "options": {"topk": 1}}, *failed("job_field_unknown", said="top_k")),
    "J11-proto": ({**classify_input(), "__proto__": {"a": 1}}, *failed("job_field_unknown", said="__proto__")),
    "J12-missing": (raw('{"id": "ID"}'), *failed("job_field_invalid", said="input")),
    "J12-null": (whole("null"), *failed("job_field_invalid")),
    "J12-array": (whole("[]"), *failed("job_field_invalid")),
    "J12-string": (whole('"text"'), *failed("job_field_invalid")),
    "J12-number": (whole("7"), *failed("job_field_invalid")),
    "J12-empty_object": (whole("{}"), *failed("job_field_invalid", "labels_invalid")),
    "J12-text_alone": ({"labels": LABELS, "text": TEXT}, *ok()),
    "J12-document_alone": ({"labels": LABELS, "document": TEXT}, *ok()),
    "J12-zero_shot": ({"inputs": TEXT, "parameters": {"candidate_labels": LABELS}}, *ok()),
    "J12-zero_shot_list": ({"inputs": TEXTS[:3], "parameters": {"candidate_labels": LABELS}}, *ok(3)),
    "J14-none": ({"labels": [], "documents": [{"text": TEXT}]}, *failed("labels_invalid")),
    "J14-one": ({"labels": ["a"], "documents": [{"text": TEXT}]}, *failed("labels_invalid")),
    "J14-257": ({"labels": [f"label {n}" for n in range(257)], "documents": [{"text": TEXT}]}, *failed("labels_invalid")),
    "J14-256": ({"labels": [f"label {n}" for n in range(256)], "documents": [{"text": TEXT}]}, *ok()),
    "J14-same": ({"labels": ["a", "b", "a"], "documents": [{"text": TEXT}]}, *failed("labels_invalid")),
    "J14-same_after_nfc": ({"labels": ["caf\u00e9", "cafe\u0301"], "documents": [{"text": TEXT}]}, *failed("labels_invalid")),
    "J14-equal_up_to_space": ({"labels": ["invoice", "invoice "], "documents": [{"text": TEXT}]}, *failed("labels_invalid")),
    "J14-differ_in_case": ({"labels": ["Invoice", "invoice"], "documents": [{"text": TEXT}]}, *ok()),
    "J14-101_bytes": ({"labels": ["x" * 101, "b"], "documents": [{"text": TEXT}]}, *failed("labels_invalid")),
    "J14-100_bytes": ({"labels": ["x" * 100, "b"], "documents": [{"text": TEXT}]}, *ok()),
    "J14-not_a_string": ({"labels": ["a", 5], "documents": [{"text": TEXT}]}, *failed("job_field_invalid", "labels_invalid")),
    "J15-prefix": ({"labels": ["invoice", "invoice reminder", "invoice reminder second"], "documents": [{"text": TEXT}]}, *ok()),
    "J15-empty": ({"labels": ["", "b"], "documents": [{"text": TEXT}]}, *failed("labels_invalid")),
    "J15-only_a_special_token": ({"labels": ["</s>", "b"], "documents": [{"text": TEXT}]}, *failed("labels_invalid")),
    "J15-newline": ({"labels": ["tax\nnotice", "b"], "documents": [{"text": TEXT}]}, *ok()),
    "J15-white_space": ({"labels": ["  ", "b"], "documents": [{"text": TEXT}]}, *failed("labels_invalid")),
    "J16-none": ({"labels": LABELS, "documents": []}, *failed("job_field_invalid")),
    "J16-10001": ({"labels": LABELS, "documents": [{"text": "x"}] * 10001}, *failed("job_field_invalid", said="10001")),
    "J16-10000_empty": ({"labels": LABELS, "documents": [{"text": ""}] * 10000}, *documents(*["document_empty"] * 10000)),
    "J16-same_ids": ({"labels": LABELS, "documents": [{"id": "a", "text": TEXT}, {"id": "a", "text": TEXT}]},
                     *failed("job_field_invalid", said="a")),
    "J16-clash_with_made_up": ({"labels": LABELS, "documents": [{"text": TEXT}, {"id": "doc-1", "text": TEXT}]},
                               *failed("job_field_invalid", said="doc-1")),
    "J16-custom_id": ({"labels": LABELS, "documents": [{"custom_id": "mine", "text": TEXT}]}, *ok()),
    "J17-top_k": ({**classify_input(), "options": {"top_k": -1}}, *failed("job_field_invalid", said="top_k")),
    "J17-threshold": ({**classify_input(), "options": {"threshold": 2}}, *failed("job_field_invalid", said="threshold")),
    "J17-max_document_tokens": ({**classify_input(), "options": {"max_document_tokens": 2147483648}},
                                *failed("job_field_invalid", said="max_document_tokens")),
    "J17-long_documents": ({**classify_input(), "options": {"long_documents": "maybe"}}, *failed("job_field_invalid")),
    "J18-two_sources": (one(text=TEXT, content_base64=base64_of(TEXT)), *documents("document_source_invalid")),
    "J18-no_source": (one(id="a", filename="x.txt"), *documents("document_source_invalid")),
    "J18-among_good_ones": ({"labels": LABELS, "documents": [{"text": TEXT}, {"id": "x"}, {"text": TEXT}]},
                            *documents("ok", "document_source_invalid", "ok")),
    "J19-good": (one(content_base64=base64_of(TEXT), filename="a.txt"), *ok()),
    "J19-white_space": (one(content_base64=base64_of(TEXT)[:20] + "\n  " + base64_of(TEXT)[20:]), *ok()),
    "J19-url_alphabet": (one(content_base64=base64_of("??>>~~ text \u00fb").replace("+", "-").replace("/", "_")),
                         "one_of", ("ok", "content_base64_invalid")),
    "J19-wrong_padding": (one(content_base64="YWJj=YWJj"), *documents("content_base64_invalid")),
    "J19-no_base64": (one(content_base64="this is not base64!"), *documents("content_base64_invalid")),
    "J19-14_mb": (one(content_base64=base64_of(TEXT * 100000)[:14_000_000]), "one_of", ("ok", "document_too_large")),
    "J21-256_labels_of_100_bytes": ({"labels": [f"{n:03} " + "word " * 19 for n in range(256)],
                                     "documents": [{"text": TEXT}] * 5}, "one_of_job", ("ok", "labels_invalid",
                                                                                       "job_exceeds_memory_plan", "prompt_too_long")),
    "J22-instructions_of_1_mb": ({**classify_input(), "instructions": "Statements from a bank are never invoices. " * 25000},
                                 *failed("job_field_invalid", "prompt_too_long", said="instructions")),
    "J22-instructions_longer_than_the_context": ({**classify_input(), "instructions": "Banks never send invoices. " * 3600},
                                                 "one_of_job", ("prompt_too_long",)),
}


@pytest.mark.parametrize("name", CASES)
def test_job(name, shared):
    job, kind, *details = CASES[name]
    platform, job_id = shared["platform"], f"{name.split('-')[0]}-{next(numbers)}"
    if isinstance(job, bytes):
        platform.queue.submit_raw(job.replace(b"ID", job_id.encode()), job_id)
    else:
        platform.submit({"id": job_id, "input": job})
    if kind in ("unanswered", "answered_or_not"):
        _expect_unanswered(shared, job_id, details)
        return
    answer = platform.wait_answer(job_id, 45)
    if kind == "failed":
        assert_failed(answer, *details[0])
        assert details[1].lower() in answer["error"].lower(), f"{details[1]!r} is not said in {answer['error']}"
        assert platform.job(job_id).state == "FAILED"
    elif kind == "documents":
        assert result_codes(answer) == details[0]
    elif kind == "one_of":
        assert len(result_codes(answer)) == 1 and result_codes(answer)[0] in details[0]
    elif "error" in answer:
        assert_failed(answer, *details[0])
    else:
        assert set(result_codes(answer)) <= set(details[0])
    assert shared["worker"].alive


def _expect_unanswered(shared, job_id, codes):
    """Where no id could be read nothing can be posted: a line in the log instead. Where one could, a failed answer."""
    platform, worker, job = shared["platform"], shared["worker"], shared["platform"].job(job_id)
    before = len(worker.log("take_malformed")) + len(worker.log("take_error"))

    def logged():
        return len(worker.log("take_malformed")) + len(worker.log("take_error")) > before

    assert platform.wait(lambda: job.deliveries, 10)
    delivered = job.deliveries[0].at
    deadline = time.monotonic() + 8
    while job.answer is None and not logged() and time.monotonic() < deadline:
        taken_again = [take for take in platform.seen("take") if take.at > delivered + 0.1]
        if not codes and len(taken_again) >= 2:
            break                                       # an empty body is an empty answer: not worth a line
        time.sleep(0.05)
    if job.answer is not None:
        assert codes, f"answered: {job.answer}"
        assert_failed(job.answer, *codes)
    else:
        platform.cancel(job_id)
    after = platform.submit({"id": f"after-{job_id}", "input": classify_input()})
    assert result_codes(platform.wait_answer(after.id, 40)) == ["ok"]


J13 = {
    "slashes_and_marks": ("/../?#%0d%0a", True), "dots": ("..", True), "percent": ("%2e%2e%2f", True), "unicode": ("Größe-日本", True),
    "1024_bytes": ("x" * 1024, True), "missing": (None, False), "null": (json.loads("null"), False), "empty": ("", False),
    "ten_kilobytes": ("y" * 10240, False), "number": (17, False), "list": (["a"], False), "crlf": ("a\r\nb", False), "nul": ("a\0b", False),
}


@pytest.mark.parametrize("name", J13)
def test_job_id(name, shared):
    """J13: an id that can be used comes back percent-encoded; any other is logged at ERROR and passed over."""
    job_id, usable = J13[name]
    platform, worker = shared["platform"], shared["worker"]
    if usable:
        platform.submit({"id": job_id, "input": classify_input()})
        assert result_codes(platform.wait_answer(job_id, 40)) == ["ok"]
        target = platform.seen("done", job=job_id)[0].target
        assert target.partition("?")[0].count("/") == 5 and "/../" not in target
        return
    before = len(worker.log("take_malformed"))
    job = {"input": classify_input()} if name == "missing" else {"id": job_id, "input": classify_input()}
    platform.queue.submit_element(job)
    line = worker.wait_log("take_malformed", before + 1)[-1]
    assert line["level"] == "ERROR"


def test_J20_the_same_id_twice_and_with_other_input(shared):
    platform = shared["platform"]
    first = classify_input(seed=1)
    platform.submit({"id": "J20", "input": first})
    platform.queue.deliver_again("J20")
    answer = platform.wait_answer("J20", 40)
    assert platform.wait(lambda: len(platform.job("J20").deliveries) == 2, 10)
    platform.queue.deliver_again("J20")
    assert platform.wait(lambda: len(platform.job("J20").finals) >= 2, 10), "no stored answer for a repeated delivery"
    assert all(post.body == answer for post in platform.job("J20").finals), "the stored answer is posted again, byte for byte"
    platform.queue.deliver_again("J20", {"id": "J20", "input": classify_input(count=2, seed=2)})
    assert platform.wait(lambda: len(platform.job("J20").finals[-1].body["output"]["results"]) == 2, 20), "other input is a new job"


def test_shape_of_the_error_of_a_failed_job(shared):
    """`error` is a string whose JSON has the six keys that callers of the platform parse."""
    platform = shared["platform"]
    platform.submit({"id": "shape", "input": {"labels": LABELS, "documents": [{"text": TEXT}], "options": {"top_k": "many"}}})
    report = json.loads(platform.wait_answer("shape", 40)["error"])
    assert list(report) == ["error_type", "error_message", "error_traceback", "hostname", "worker_id", "runpod_version"]
    assert report["error_type"] == "job_field_invalid"
    assert "options.top_k" in report["error_message"] and "\n" not in report["error_message"]
