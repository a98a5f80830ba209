"""Taking jobs: requests, answers of every kind, URL templates, the stop channel."""

import dataclasses
import json
import time

import pytest

from faults import TAKES, Fault
from protocol import both, differs, mock, ours

JSON = "application/json"


@both
def test_single_take_request(kind, make_platform, start):
    platform = make_platform()
    start(kind, platform, "worker-a")
    take = platform.wait_seen(1, "take")[0]
    assert (take.method, take.path, take.body) == ("GET", "/v2/test-endpoint/job-take/worker-a", b"")
    assert take.query == [("gpu", "TEST GPU"), ("job_in_progress", "0")]
    assert take.header("Authorization") == platform.key
    assert take.header("Content-Type") == JSON
    assert take.header("User-Agent")
    assert take.header("X-Request-ID") is None


@both
def test_batch_take_request_then_single_form_for_the_last_slot(kind, make_platform, start):
    platform = make_platform(hold_s=1)
    start(kind, platform, MAX_CONCURRENCY="4")
    first = platform.wait_seen(1, "take-batch", timeout_s=20)[0]
    assert first.path == "/v2/test-endpoint/job-take-batch/worker-1"
    assert first.query == [("gpu", "TEST GPU"), ("batch_size", "4"), ("job_in_progress", "0")]
    for number in range(3):
        platform.submit(mock(f"j{number}", delay=6, result=number))
    last = platform.wait_seen(1, "take", timeout_s=10)[0]
    assert last.query == [("gpu", "TEST GPU"), ("job_in_progress", "1")]
    assert all(take.argument("batch_size") != "1" for take in platform.seen("take-batch"))


EMPTY_ANSWERS = {
    "no_content": Fault(TAKES, nth=1, status=204),
    "400_of_a_paused_endpoint": Fault(TAKES, nth=1, status=400),
    "401": Fault(TAKES, nth=1, status=401),
    "403": Fault(TAKES, nth=1, status=403),
    "404": Fault(TAKES, nth=1, status=404),
    "429": Fault(TAKES, nth=1, status=429),
    "500": Fault(TAKES, nth=1, status=500),
    "503": Fault(TAKES, nth=1, status=503),
    "html": Fault(TAKES, nth=1, body="<html>hello</html>", content_type="text/html"),
    "job_as_text": Fault(TAKES, nth=1, body='{"id": "x", "input": {}}', content_type="text/plain"),
    "empty_body": Fault(TAKES, nth=1, status=200, body=b""),
    "null": Fault(TAKES, nth=1, body="null"),
    "number": Fault(TAKES, nth=1, body="17"),
    "string": Fault(TAKES, nth=1, body='"job"'),
    "empty_list": Fault(TAKES, nth=1, body="[]"),
    "empty_object": Fault(TAKES, nth=1, body="{}"),
    "broken_json": Fault(TAKES, nth=1, body='{"id": "x", "input'),
    "broken_json_without_id": Fault(TAKES, nth=1, body='{"input": {"mock'),
    "object_without_id": Fault(TAKES, nth=1, body='{"input": {"mock_return": 1}}'),
    "object_without_input": Fault(TAKES, nth=1, body='{"id": "x"}'),
    "closed": Fault(TAKES, nth=1, drop="after-read"),
    "reset": Fault(TAKES, nth=1, drop="after-read", reset=True),
    "wrong_length": Fault(TAKES, nth=1, body="[]", content_length=99),
}


@both
@pytest.mark.parametrize("name", EMPTY_ANSWERS)
def test_takes_go_on_after(name, kind, make_platform, start):
    platform = make_platform(EMPTY_ANSWERS[name], rules=name not in ("object_without_input", "broken_json"))
    platform.submit(mock("next", result="fine"))
    start(kind, platform)
    assert platform.wait_answer("next") == {"output": "fine"}
    if name == "429":
        first, second = platform.seen(*TAKES)[:2]
        assert second.at - first.at >= 0.9


@both
@pytest.mark.parametrize("name", ["no_content", "400_of_a_paused_endpoint", "401", "500", "empty_list", "broken_json_without_id", "reset",
                                  "429"])
def test_storm_of_quick_answers_is_no_hot_loop(name, kind, make_platform, start):
    fault = dataclasses.replace(EMPTY_ANSWERS[name], nth=None)
    platform = make_platform(fault)
    worker = start(kind, platform)
    platform.wait_seen(1, *TAKES)
    used = worker.cpu_seconds()
    began = time.monotonic()
    time.sleep(2)
    count = len(platform.seen(*TAKES, since=began))
    if differs(kind, "hot-loop") and name != "429":
        assert count > 50
        return
    assert count <= 2 / 0.25 + 1, f"{count} takes in 2 s"
    assert worker.cpu_seconds() - used < 0.3


@both
def test_content_type_with_parameters_is_json(kind, make_platform, start):
    platform = make_platform(Fault("take", content_type="application/json; charset=utf-8"))
    platform.submit(mock("a", result=1))
    start(kind, platform)
    assert platform.wait_answer("a") == {"output": 1}


@both
def test_a_chunked_answer_is_an_answer(kind, make_platform, start):
    platform = make_platform(Fault("take", chunked=True))
    platform.submit(mock("a", result=1))
    start(kind, platform)
    assert platform.wait_answer("a") == {"output": 1}


@both
def test_an_array_in_answer_to_a_single_take_is_taken(kind, make_platform, start):
    platform = make_platform()
    platform.queue.submit_raw(b'[{"id": "a", "input": {"mock_return": 1}}]', "a")
    start(kind, platform)
    assert platform.wait_answer("a") == {"output": 1}


@both
def test_unknown_keys_of_a_job_are_ignored(kind, make_platform, start):
    platform = make_platform()
    platform.submit({**mock("a", result="x"), "delayTime": 12, "webhook": "https://hook.example/x", "batchId": "b1",
                     "s3Config": {"accessId": "i", "accessSecret": "s"}, "retries": 0, "status": "IN_QUEUE", "new": [1, {}]})
    start(kind, platform)
    assert platform.wait_answer("a") == {"output": "x"}


@both
def test_batch_element_without_id_spares_its_siblings(kind, make_platform, start):
    platform = make_platform(Fault("take-batch", nth=1, elements=[mock("left", result=1), {"input": {}},
                                                                   mock("right", result=2)]))
    platform.rules = False                              # these ids are handed out behind the queue's back
    worker = start(kind, platform, MAX_CONCURRENCY="3", judged=False)
    if differs(kind, "element-without-id"):
        assert worker.exit_code(20) == 1
        return
    platform.wait_seen(2, "done")
    assert {post.job for post in platform.seen("done")} == {"left", "right"}
    worker.wait_log("take_malformed")
    assert worker.alive


BAD_IDS = {"null": None, "number": 7, "object": {"a": 1}, "list": [], "empty": "", "cr_lf": "a\r\nX-Evil: 1", "nul": "a\0b",
           "ten_kilobytes": "x" * 10240, "true": True}


@ours
@pytest.mark.parametrize("name", BAD_IDS)
def test_an_unusable_id_is_logged_and_passed_over(name, kind, make_platform, start):
    platform = make_platform(Fault("take", nth=1, elements=[{"id": BAD_IDS[name], "input": {"mock_return": 1}}]))
    platform.submit(mock("next", result="fine"))
    worker = start(kind, platform)
    assert platform.wait_answer("next") == {"output": "fine"}
    assert len(platform.seen("done")) == 1
    line = worker.wait_log("take_malformed")[0]
    assert line["level"] == "ERROR"


@pytest.mark.parametrize("kind", ["sdk"])
def test_an_id_that_is_no_string_disables_the_reference(kind, make_platform, start):
    platform = make_platform(Fault("take", nth=1, elements=[{"id": None, "input": {"mock_return": 1}}]))
    start(kind, platform)
    platform.wait_seen(1, "take")
    time.sleep(3)
    assert differs(kind, "unusable-id") and len(platform.seen("take")) <= 2


ODD_IDS = ["sync-5e0ae067-0000-0000-0000-000000000000-u1", "a b", "a/b", "../../x", "a?b=c", "a#b", "50%", "%2e%2e", "ü-日本", "a&b;c=d",
           "quote\"'", "back\\slash", "x" * 1024]


@both
@pytest.mark.parametrize("job_id", ODD_IDS, ids=range(len(ODD_IDS)))
def test_ids_are_percent_encoded_in_urls(job_id, kind, make_platform, start):
    platform = make_platform(rules=kind != "sdk")
    platform.submit(mock(job_id, result=1))
    start(kind, platform)
    if differs(kind, "id-unescaped") and any(mark in job_id for mark in " /?#%&;ü\"\\"):
        platform.wait_seen(1, "take", timeout_s=10)
        return
    assert platform.wait_answer(job_id) == {"output": 1}
    target = platform.seen("done")[0].target
    assert target.count("/") == 5 and "/../" not in target and not target.partition("?")[0].endswith("/..")


TEMPLATES = {
    # name: (replacement of "?gpu=TEST+GPU" in all templates, the query that must arrive at take)
    "raw_space": ("?gpu=NVIDIA RTX A5000", [("gpu", "NVIDIA RTX A5000")]),
    "percent_20": ("?gpu=NVIDIA%20RTX%20A5000", [("gpu", "NVIDIA RTX A5000")]),
    "plus": ("?gpu=NVIDIA+RTX+A5000", [("gpu", "NVIDIA RTX A5000")]),
    "non_ascii": ("?gpu=Größe", [("gpu", "Größe")]),
    "question_mark_at_the_end": ("?", []),
}


@both
@pytest.mark.parametrize("name", TEMPLATES)
def test_templates(name, kind, make_platform, start):
    ending, query = TEMPLATES[name]
    platform = make_platform()
    platform.submit(mock("a", result=1))
    variables = {key: value.replace("?gpu=TEST+GPU", ending) for key, value in platform.environment().items()}
    start(kind, platform, **variables)
    assert platform.wait_answer("a") == {"output": 1}
    assert [pair for pair in platform.seen("take")[0].query if pair[0] in ("gpu",)] == query
    assert [pair for pair in platform.seen("done")[0].query if pair[0] == "gpu"] == query
    assert platform.seen("done")[0].argument("isStream") == "false"
    assert " " not in platform.seen("take")[0].target and platform.seen("take")[0].target.isascii()


@both
def test_template_without_query(kind, make_platform, start):
    platform = make_platform()
    platform.submit(mock("a", result=1))
    start(kind, platform, **{key: value.replace("?gpu=TEST+GPU", "") for key, value in platform.environment().items()})
    assert platform.wait_answer("a") == {"output": 1}
    mark = "&" if differs(kind, "bare-ampersand") else "?"
    assert platform.seen("take")[0].target == f"/v2/test-endpoint/job-take/worker-1{mark}job_in_progress=0"
    assert platform.seen("done")[0].target == f"/v2/test-endpoint/job-done/worker-1/a{mark}isStream=false"


@both
def test_gpu_placeholder(kind, make_platform, start):
    """Replaced when the type is known; left as it is when not."""
    platform = make_platform()
    platform.submit(mock("a", result=1))
    variables = {key: value.replace("TEST+GPU", "$RUNPOD_GPU_TYPE_ID") for key, value in platform.environment().items()}
    start(kind, platform, **variables, RUNPOD_GPU_TYPE_ID="NVIDIA H200")
    assert platform.wait_answer("a") == {"output": 1}
    wanted = "$RUNPOD_GPU_TYPE_ID" if differs(kind, "placeholders") else "NVIDIA H200"
    assert platform.seen("take")[0].argument("gpu") == wanted
    assert platform.seen("done")[0].argument("gpu") == wanted


@both
def test_worker_placeholder_in_the_take_url(kind, make_platform, start):
    platform = make_platform()
    variables = platform.environment()
    variables["RUNPOD_WEBHOOK_GET_JOB"] = variables["RUNPOD_WEBHOOK_GET_JOB"].replace("$ID", "$RUNPOD_POD_ID")
    start(kind, platform, **variables)
    take = platform.wait_seen(1, "take")[0]
    assert take.worker == ("$RUNPOD_POD_ID" if differs(kind, "placeholders") else "worker-1")


# The stop channel


@both
def test_stop_request(kind, make_platform, start):
    platform = make_platform()
    start(kind, platform)
    stop = platform.wait_seen(1, "stop")[0]
    assert (stop.method, stop.target.replace("%20", "+")) == ("GET", "/v2/test-endpoint/job-stop/worker-1?gpu=TEST+GPU")
    assert stop.header("Authorization") == platform.key
    assert stop.header("Content-Type") == JSON


@both
def test_no_stop_channel_without_the_segment(kind, make_platform, start):
    platform = make_platform(rules=False)
    variables = platform.environment()
    variables["RUNPOD_WEBHOOK_GET_JOB"] = variables["RUNPOD_WEBHOOK_GET_JOB"].replace("/job-take/", "/take-a-job/")
    start(kind, platform, **variables)
    platform.wait_seen(1, "unknown")
    time.sleep(0.5)
    assert not platform.seen("stop")


@both
def test_stop_ends_one_job_without_a_post_and_spares_the_other(kind, make_platform, start):
    platform = make_platform(hold_s=1, ping_interval_s=1)
    platform.submit(mock("stopped", delay=30, result=1))
    platform.submit(mock("sibling", delay=3, result=2))
    start(kind, platform, MAX_CONCURRENCY="2")
    assert platform.wait(lambda: platform.job("stopped").deliveries and platform.job("sibling").deliveries)
    time.sleep(0.3)
    platform.cancel("stopped")
    assert platform.wait_answer("sibling") == {"output": 2}
    assert platform.wait(lambda: platform.seen("ping")[-1].argument("job_id") is None, 5)
    assert not platform.seen("done", job="stopped")


@both
def test_a_stopped_job_leaves_the_heartbeat(kind, make_platform, start):
    platform = make_platform(hold_s=1)
    platform.submit(mock("stopped", delay=30))
    start(kind, platform)
    assert platform.wait(lambda: any(ping.argument("job_id") == "stopped" for ping in platform.seen("ping")), 10)
    platform.cancel("stopped")
    at = time.monotonic()
    assert platform.wait(lambda: any(ping.argument("job_id") is None for ping in platform.seen("ping", since=at + 0.5)), 5)


ODD_STOPS = ['{"jobsToStop": null}', '{"jobsToStop": ["nobody"]}', "{}", '{"jobsToStop": [5, null, {}]}', '{"jobsToStop": ["a', None, "4", None,
             '["a"]']


@both
def test_odd_stop_lists_change_nothing(kind, make_platform, start):
    platform = make_platform(*[Fault("stop", nth=place + 2, body=body) for place, body in enumerate(ODD_STOPS) if body], stop_hold_s=0.1)
    platform.submit(mock("a", delay=40, result=1))
    start(kind, platform, MAX_CONCURRENCY="2")
    platform.wait_seen(len(ODD_STOPS) + 1, "stop", timeout_s=30)
    platform.submit(mock("b", result=2))
    assert platform.wait_answer("b") == {"output": 2}
    assert "a" in (platform.wait_seen(len(platform.seen("ping")) + 2, "ping")[-1].argument("job_id") or "").split(",")
    platform.cancel("a")


@both
def test_strings_of_a_mixed_stop_list_count(kind, make_platform, start):
    platform = make_platform(Fault("stop", nth=2, body='{"jobsToStop": [5, null, "a", {}]}'), stop_hold_s=0.2)
    platform.submit(mock("a", delay=20, result=1))
    start(kind, platform)
    assert platform.wait(lambda: platform.seen("ping") and platform.seen("ping")[-1].argument("job_id") == "a", 10)
    assert platform.wait(lambda: platform.seen("ping")[-1].argument("job_id") is None, 10)
    assert not platform.seen("done")
    platform.cancel("a")


@both
@pytest.mark.parametrize("fault", [Fault("stop", times=2, status=500), Fault("stop", times=1, status=429),
                                   Fault("stop", times=2, body="<p>", content_type="text/html"),
                                   Fault("stop", times=2, drop="after-read")], ids=["500", "429", "html", "closed"])
def test_stop_channel_survives(fault, kind, make_platform, start):
    platform = make_platform(fault)
    start(kind, platform)
    seen = platform.wait_seen(fault.times + 1, "stop", timeout_s=15)
    gaps = platform.gaps("stop")[:fault.times]
    assert seen and sum(gaps) >= 0.9, f"gaps {gaps}"        # a lost connection may be tried again once at once


@ours
def test_stop_for_a_job_that_waits_for_its_turn(kind, make_platform, start):
    """Handed out in surplus, not started: it never starts."""
    platform = make_platform(Fault("take-batch", nth=1, surplus=1))
    for name in ("a", "b", "waiting"):
        platform.submit(mock(name, delay=2, result=name))
    start(kind, platform, MAX_CONCURRENCY="2")
    assert platform.wait(lambda: platform.job("waiting").deliveries)
    platform.cancel("waiting")
    assert platform.wait_answer("a") == {"output": "a"} and platform.wait_answer("b") == {"output": "b"}
    time.sleep(2.6)
    assert not platform.seen("done", job="waiting")


@both
def test_stop_lists_of_a_hundred_thousand_ids(kind, make_platform, start):
    ids = [f"job-{number}" for number in range(100000)]
    platform = make_platform(Fault("stop", nth=1, body=json.dumps({"jobsToStop": ids})))
    platform.submit(mock("a", result=1))
    start(kind, platform)
    platform.wait_seen(2, "stop", timeout_s=10)
    assert platform.wait_answer("a") == {"output": 1}
