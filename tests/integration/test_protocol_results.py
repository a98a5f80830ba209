"""Posting: bodies and headers of results, reports and progress; retries, refusals, redirects; refresh; chunks of the reference."""

import json
import time

import pytest

from faults import Fault
from protocol import both, differs, mock, ours, sdk_only

VALUES = {
    "string": "text", "empty_string": "", "number": 17, "float": 0.25, "true": True, "false": False, "null": None,
    "list": [1, "a", None], "empty_list": [], "object": {"b": 1, "a": {"c": [2]}}, "unicode": "Größe 日本 😀", "quotes": 'a"b\\c\n\t',
    "nested_output": {"output": 1},
}


@both
def test_values_come_back_as_they_are(kind, make_platform, start):
    platform = make_platform()
    for name, value in VALUES.items():
        platform.submit(mock(name, result=value))
    start(kind, platform)
    platform.wait_all(40)
    for name, value in VALUES.items():
        assert platform.job(name).answer == {"output": value}, name
        assert len(platform.job(name).finals) == 1


@both
def test_an_empty_object_is_posted_without_output(kind, make_platform, start):
    platform = make_platform()
    platform.submit(mock("a", result={}))
    start(kind, platform)
    assert platform.wait_answer("a") == ({} if differs(kind, "empty-object") else {"output": {}})


@both
def test_result_request(kind, make_platform, start):
    platform = make_platform()
    platform.submit(mock("job-1", result={"text": "Größe", "list": [1, 2]}))
    start(kind, platform)
    platform.wait_answer("job-1")
    post = platform.seen("done")[0]
    assert (post.method, post.target.replace("%20", "+")) == \
        ("POST", "/v2/test-endpoint/job-done/worker-1/job-1?gpu=TEST+GPU&isStream=false")
    assert post.header("Content-Type") == "application/x-www-form-urlencoded"
    assert post.header("charset") == "utf-8"
    assert post.header("Authorization") == platform.key
    assert post.header("X-Request-ID") == "job-1"
    assert post.header("Content-Length") == str(len(post.body))
    assert post.header("Transfer-Encoding") is None
    assert post.body.startswith(b'{"output": {"text":') and b'"Gr\xc3\xb6\xc3\x9fe"' in post.body
    assert json.loads(post.body) == {"output": {"text": "Größe", "list": [1, 2]}}


@both
def test_each_post_carries_its_own_id(kind, make_platform, start):
    platform = make_platform(hold_s=0.2)
    for number in range(12):
        platform.submit(mock(f"j{number}", delay=0.1, result=number))
    start(kind, platform, MAX_CONCURRENCY="4")
    platform.wait_all(30)
    assert all(post.header("X-Request-ID") == post.job for post in platform.seen("done"))


@both
def test_error_report(kind, make_platform, start):
    """`error` is a string that holds JSON: six keys in this order, escaped to ASCII; no output beside it."""
    platform = make_platform()
    platform.submit(mock("a", error="kaputt: Größe \"x\""))
    start(kind, platform, RUNPOD_POD_HOSTNAME="host-7")
    answer = platform.wait_answer("a")
    assert list(answer) == ["error"] and isinstance(answer["error"], str)
    report = json.loads(answer["error"])
    assert list(report) == ["error_type", "error_message", "error_traceback", "hostname", "worker_id", "runpod_version"]
    assert "kaputt: Größe \"x\"" in report["error_message"]
    assert (report["hostname"], report["worker_id"], report["runpod_version"]) == ("host-7", "worker-1", "1.12.0")
    assert all(isinstance(value, str) for value in report.values())
    assert answer["error"].isascii()
    assert platform.job("a").state == "FAILED"


@both
def test_unknown_host_in_the_report(kind, make_platform, start):
    platform = make_platform()
    platform.submit(mock("a", error="x"))
    start(kind, platform, RUNPOD_POD_HOSTNAME=None)
    assert json.loads(platform.wait_answer("a")["error"])["hostname"] == "unknown"


@both
def test_a_failed_job_does_not_end_the_worker(kind, make_platform, start):
    platform = make_platform()
    platform.submit(mock("a", error="x"))
    platform.submit(mock("b", result=1))
    start(kind, platform)
    assert platform.wait_answer("b") == {"output": 1}


# Refresh


@both
def test_refresh_by_a_result_goes_on_polling(kind, make_platform, start):
    platform = make_platform()
    platform.submit(mock("a", result={"x": 1}, refresh=True))
    worker = start(kind, platform)
    answer = platform.wait_answer("a")
    assert answer == {"output": {"x": 1}, "stopPod": True}
    assert list(answer)[-1] == "stopPod"
    platform.submit(mock("b", result=1))
    assert platform.wait_answer("b") == {"output": 1}
    assert worker.alive


@both
def test_refresh_by_configuration_ends_after_the_job(kind, make_platform, start):
    platform = make_platform(hold_s=0.2)
    platform.submit(mock("a", result=1))
    worker = start(kind, platform, REFRESH_WORKER="1")
    assert platform.wait_answer("a") == {"output": 1, "stopPod": True}
    assert worker.exit_code(15) == 0
    assert len(platform.seen("done")) == 1


# Retries


@both
def test_server_errors_are_retried_until_accepted(kind, make_platform, start):
    platform = make_platform(Fault("done", nth=1, status=500), Fault("done", nth=2, status=503))
    platform.submit(mock("a", result="x" * 1000))
    start(kind, platform)
    assert platform.wait_answer("a", 20) == {"output": "x" * 1000}
    posts = platform.seen("done")
    assert len(posts) == 3 and len({post.body for post in posts}) == 1
    assert min(platform.gaps("done")) >= 0.4, platform.gaps("done")


@both
def test_the_id_stays_in_the_heartbeat_while_its_result_waits(kind, make_platform, start):
    platform = make_platform(Fault("done", times=2, status=500))
    platform.submit(mock("a", result=1))
    start(kind, platform)
    platform.wait_seen(1, "done")
    refused = platform.seen("done")[0].at
    platform.wait_answer("a", 20)
    accepted = platform.seen("done")[-1].at
    between = [ping for ping in platform.seen("ping") if refused + 0.05 < ping.at < accepted]
    assert between and all("a" in (ping.argument("job_id") or "").split(",") for ping in between)


@both
def test_a_slot_is_free_only_after_the_answer_is_safe(kind, make_platform, start):
    """With a queue that refuses results for good, takes end or go on; nothing is lost when it recovers."""
    platform = make_platform(Fault("done", times=4, status=502))
    for number in range(3):
        platform.submit(mock(f"j{number}", result=number))
    start(kind, platform)
    if differs(kind, "results-dropped"):
        return
    platform.wait_all(40)
    assert [platform.job(f"j{number}").answer for number in range(3)] == [{"output": number} for number in range(3)]


RETRIED = {
    "408": Fault("done", times=2, status=408),
    "425": Fault("done", times=2, status=425),
    "429": Fault("done", times=2, status=429),
    "429_retry_after": Fault("done", times=1, status=429, headers=(("Retry-After", "2"),)),
    "closed_before": Fault("done", times=2, drop="after-read"),
    "reset": Fault("done", times=2, drop="after-read", reset=True),
    "status_line_cut": Fault("done", times=1, drop="after-status"),
    "garbage": Fault("done", times=1, raw=b"\x16\x03\x01garbage\r\n\r\n"),
}


@both
@pytest.mark.parametrize("name", RETRIED)
def test_lost_posts_are_repeated(name, kind, make_platform, start):
    fault = RETRIED[name]
    platform = make_platform(fault)
    platform.submit(mock("a", result={"x": 1}))
    start(kind, platform)
    if differs(kind, "results-dropped") and name != "garbage":      # an answer that is no HTTP counts there as a server error
        platform.wait_seen(1, "done")
        time.sleep(3)
        assert len(platform.seen("done")) == 1 and platform.job("a").answer is None
        return
    assert platform.wait_answer("a", 20) == {"output": {"x": 1}}
    posts = platform.seen("done")
    assert len(posts) == fault.times + 1 and len({post.body for post in posts}) == 1
    if name == "429_retry_after":
        assert platform.gaps("done")[0] >= 1.9


@both
def test_results_survive_a_queue_that_is_away(kind, make_platform, start):
    platform = make_platform(missed_pings=1000)
    platform.submit(mock("a", delay=1.5, result=1))
    start(kind, platform)
    assert platform.wait(lambda: platform.job("a").deliveries)
    time.sleep(0.3)
    port = platform.close_listener()
    time.sleep(3)
    platform.add_listener("main", port=port)
    if differs(kind, "results-dropped"):
        time.sleep(3)
        assert platform.job("a").answer is None
        return
    assert platform.wait_answer("a", 30) == {"output": 1}


@both
@pytest.mark.parametrize("status", [400, 404, 409, 410, 413, 422])
def test_refused_results_end_in_a_short_error(status, kind, make_platform, start):
    """One more try, then the short form, so that the caller gets an end state."""
    full = Fault("done", nth=[1, 2], status=status)
    platform = make_platform(full)
    platform.submit(mock("a", result="y" * 5000))
    worker = start(kind, platform)
    if differs(kind, "refused-results"):
        platform.wait_seen(1, "done")
        time.sleep(2)
        assert len(platform.seen("done")) == 1
        return
    answer = platform.wait_answer("a", 20)
    assert list(answer) == ["error"] and answer["error"].startswith("result_rejected:")
    posts = platform.seen("done")
    assert [len(post.body) > 5000 for post in posts] == [True, True, False]
    worker.wait_log("result_rejected")
    assert worker.alive


@ours
def test_a_short_error_that_is_refused_too_ends_it(kind, make_platform, start):
    platform = make_platform(Fault("done", job="a", status=404))
    platform.submit(mock("a", result=1))
    platform.submit(mock("b", result=2))
    start(kind, platform)
    assert platform.wait_answer("b", 20) == {"output": 2}
    time.sleep(4)
    assert len(platform.seen("done", job="a")) <= 4
    platform.cancel("a")


@both
@pytest.mark.parametrize("status", [301, 302, 303])
def test_a_redirect_that_would_lose_the_body_is_not_followed(status, kind, make_platform, start):
    platform = make_platform(Fault("done", times=1, status=status, headers=(("Location", "/v2/test-endpoint/elsewhere/x/y"),)))
    platform.submit(mock("a", result=1))
    start(kind, platform)
    if differs(kind, "redirects"):
        assert platform.wait_seen(1, "unknown")[0].method == "GET"
        platform.rules = False
        return
    assert platform.wait_answer("a", 20) == {"output": 1}
    assert not platform.seen("unknown")


@both
@pytest.mark.parametrize("status", [307, 308])
def test_a_redirect_of_the_same_origin_is_followed_with_the_body(status, kind, make_platform, start):
    platform = make_platform()
    target = f"{platform.environment()['RUNPOD_WEBHOOK_PING'].partition('/ping/')[0]}/job-done/worker-1/a?gpu=x&isStream=false&moved=1"
    platform.faults.add(Fault("done", times=1, status=status, headers=(("Location", target),)))
    platform.submit(mock("a", result={"x": 1}))
    start(kind, platform)
    assert platform.wait_answer("a", 20) == {"output": {"x": 1}}
    first, second = platform.seen("done")
    assert (second.method, second.body, second.argument("moved")) == ("POST", first.body, "1")


@ours
@pytest.mark.parametrize("status", [307, 308])
def test_a_redirect_elsewhere_is_not_followed(status, kind, make_platform, start):
    platform, stranger = make_platform(), make_platform(rules=False)
    base = stranger.environment()["RUNPOD_WEBHOOK_PING"].partition("/ping/")[0]
    platform.faults.add(Fault("done", times=2, status=status, headers=(("Location", f"{base}/job-done/worker-1/a?x=1"),)))
    platform.submit(mock("a", result=1))
    start(kind, platform)
    assert platform.wait_answer("a", 20) == {"output": 1}
    assert not stranger.requests


@ours
@pytest.mark.parametrize("op", ["take", "stop", "ping"])
def test_no_other_redirect_is_ever_followed(op, kind, make_platform, start):
    platform, stranger = make_platform(), make_platform(rules=False)
    base = stranger.environment()["RUNPOD_WEBHOOK_PING"].partition("/ping/")[0]
    platform.faults.add(Fault(op, times=2, status=307, headers=(("Location", f"{base}/{op}/x"),)))
    platform.submit(mock("a", result=1))
    start(kind, platform)
    assert platform.wait_answer("a", 20) == {"output": 1}
    platform.wait_seen(3, op)
    assert not stranger.requests and not platform.seen("unknown")


# Progress


@both
def test_progress_request(kind, make_platform, start):
    platform = make_platform()
    platform.submit(mock("a", progress={"updates": 2, "wait_time": 1.3}, result="end"))
    start(kind, platform)
    assert platform.wait_answer("a") == {"output": "end"}
    updates = platform.seen("progress")
    assert len(updates) == 2
    assert updates[0].target.replace("%20", "+") == "/v2/test-endpoint/job-done/worker-1/a?gpu=TEST+GPU&isStream=false"
    body = json.loads(updates[0].body)
    assert list(body) == ["status", "output"] and body["status"] == "IN_PROGRESS"
    assert updates[0].header("Content-Type") == "application/x-www-form-urlencoded"
    assert platform.job("a").state == "COMPLETED"


@ours
def test_progress_is_limited_and_never_follows_the_result(kind, make_platform, start):
    platform = make_platform(hold_s=0.2)
    for number in range(5):
        platform.submit(mock(f"j{number}", progress={"updates": 60, "wait_time": 0.02}, result=number))
    start(kind, platform, MAX_CONCURRENCY="5")
    platform.wait_all(20)
    time.sleep(1.5)
    for number in range(5):
        job = platform.job(f"j{number}")
        assert not [post for post in job.posts if post.taken_as == "late progress"]
        assert len(job.progress) <= 4, f"{len(job.progress)} updates in 1.2 s"


@both
def test_refused_progress_never_comes_after_the_result(kind, make_platform, start):
    platform = make_platform(Fault("progress", status=500), rules=False)
    platform.submit(mock("a", progress={"updates": 3, "wait_time": 0.5}, result=1))
    start(kind, platform)
    assert platform.wait_answer("a", 20) == {"output": 1}
    done = platform.seen("done")[0].at
    time.sleep(3.5)
    late = platform.seen("progress", since=done)
    assert bool(late) == differs(kind, "late-progress"), late


@ours
def test_progress_without_an_answer_does_not_hold_the_result_for_ever(kind, make_platform, start):
    """The result waits for the update before it, so that none comes late; at most ten seconds."""
    platform = make_platform(Fault("progress", delay_s=60, status=200, body="{}"), rules=False)
    platform.submit(mock("a", progress={"updates": 1, "wait_time": 0.2}, result=1))
    start(kind, platform)
    assert platform.wait_answer("a", 13) == {"output": 1}


# Chunks: only the reference has handlers that yield


@sdk_only
def test_chunks_of_the_reference(kind, make_platform, start):
    assert differs(kind, "no-streams")
    platform = make_platform()
    platform.submit({"id": "a", "input": {"mock_stream": ["x", {"y": 1}]}})
    start(kind, platform, MOCK_STREAM="1", MOCK_AGGREGATE="1")
    assert platform.wait_answer("a") == {"output": ["x", {"y": 1}]}
    assert [json.loads(chunk.body) for chunk in platform.seen("stream")] == [{"output": "x"}, {"output": {"y": 1}}]
    assert all(chunk.argument("isStream") == "false" for chunk in platform.seen("stream"))
    assert platform.seen("done")[0].argument("isStream") == "true"
