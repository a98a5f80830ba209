"""Rows Q1 to Q14: what a queue may answer. The real worker; where only the queue matters the model is not loaded."""

import asyncio
import email.utils
import json
import re
import signal
import time

import pytest

from faults import TAKES, Fault
from support import COMMANDS, SANITIZED, SOAK, classify_input, result_codes


def answered(platform, timeout_s=40, **changes):
    """One more job goes through."""
    job = platform.submit({"input": classify_input()}, **changes)
    assert result_codes(platform.wait_answer(job.id, timeout_s)) == ["ok"]
    return job


# Q1: no connection, or one that must not be trusted


@pytest.mark.parametrize("group", ["tls", "network"])
def test_Q1_back_off_never_a_hot_loop_never_unverified(group, make_platform, start):
    """Several workers at once, each with its own trouble, watched for six seconds."""
    platform = make_platform()
    attempts = {}

    def count(name):
        attempts[name] = 0

        async def handler(reader, writer):
            attempts[name] += 1
            writer.transport.abort()
        return handler

    variables = {}
    if group == "tls":
        for leaf in ("wrong_host", "expired", "unknown_ca"):
            platform.add_listener(leaf, leaf=leaf)
            variables[leaf] = platform.environment(leaf, leaf)
        platform.add_listener("tls_1_0", tls_1_0=True)
        variables["tls_1_0"] = platform.environment("tls_1_0", "tls_1_0")
        platform.add_listener("no_tls", plain=True, handler=count("no_tls"))
        variables["no_tls"] = platform.environment("no_tls", "no_tls")
    else:
        platform.add_listener("hangs_up", handler=count("hangs_up"))
        variables["hangs_up"] = platform.environment("hangs_up", "hangs_up")
        variables["refused"] = {name: re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:9", value)
                                for name, value in platform.environment("refused").items()}
        variables["no_such_name"] = {name: re.sub(r"127\.0\.0\.1:\d+", "queue.invalid", value)
                                     for name, value in platform.environment("no_such_name").items()}
    workers = {name: start("docket", None, name, LOAD="lazy", **values) for name, values in variables.items()}
    time.sleep(6)
    for name, worker in workers.items():
        errors = worker.wait_log("take_error")
        assert 2 <= len(errors) <= 8, f"{name}: {len(errors)} tries in 6 s"
        assert worker.cpu_seconds() < 1.5, f"{name}: {worker.cpu_seconds()} s of CPU"
        assert all(line["level"] == "WARN" for line in errors)
        assert worker.alive
    assert not platform.requests, "a request was sent over a connection that was not verified"
    for name, worker in workers.items():
        worker.terminate()
    for name, worker in workers.items():
        assert worker.exit_code(10) == 0, name


def test_Q1_a_queue_that_comes_back(make_platform, start):
    platform = make_platform(missed_pings=1000)
    worker = start("docket", platform)
    answered(platform)
    port = platform.close_listener()
    worker.wait_log("take_error")
    time.sleep(1)
    platform.add_listener("main", port=port)
    answered(platform)
    assert worker.stop() == 0


# Q2: the key is refused


def test_Q2_a_refused_key_is_tried_slowly_and_never_shown(make_platform, start):
    platform = make_platform(Fault(TAKES, nth=range(1, 4), status=401), Fault(TAKES, nth=range(4, 6), status=403), key="K" * 20 + "9876")
    worker = start("docket", platform)
    answered(platform)
    assert "K" * 6 not in worker.text()
    assert min(platform.gaps(*TAKES)[:5]) >= 0.2
    assert worker.stop() == 0


@pytest.mark.parametrize("status", [401, 403])
def test_Q2_a_key_that_stays_refused_ends_the_worker(status, make_platform, start):
    """The same loop with a patience of four seconds; the real five minutes: test_zz_last.py, with SOAK=1."""
    platform = make_platform(Fault(TAKES, status=status))
    worker = start("mock_worker", platform, command=[*COMMANDS["mock_worker"], "--auth-patience", "4"])
    at = time.monotonic()
    assert worker.exit_code(20) == 76
    assert 3.5 < time.monotonic() - at < 12
    assert 2 <= len(platform.seen(*TAKES)) <= 10 and platform.key not in worker.text()
    assert worker.log("exit")[-1]["level"] == "ERROR"


# Q3: Retry-After


def test_Q3_retry_after_is_clamped(make_platform, start):
    """One worker for each value, at once. Below one second: one second; beyond five minutes: no take while we watch."""
    now = time.time()
    cases = {
        # name: (header, seconds after which the next take may come, by when it must have come; None: not while we watch)
        "zero": ("0", 0.9, 4), "negative": ("-5", 0.2, 8), "two": ("2", 1.9, 5), "garbage": ("soon", 0.2, 8),
        "date_in_the_past": (email.utils.formatdate(now - 86400, usegmt=True), 0.9, 8),
        "date": (email.utils.formatdate(now + 4, usegmt=True), 0.9, 8),
        "far": ("1e12", None, None), "a_million_years": ("31536000000000", None, None),
        "date_of_a_skewed_clock": (email.utils.formatdate(now + 3 * 86400, usegmt=True), None, None),
    }
    cases["far"] = ("1000000000000", None, None)
    platform = make_platform(*[Fault(TAKES, worker=name, nth=1, status=429, headers=(("Retry-After", header),))
                               for name, (header, _, _) in cases.items()])
    for name in cases:
        start("docket", platform, name, LOAD="lazy")
    for name in cases:
        platform.wait_seen(1, *TAKES, worker=name)
    time.sleep(8.5)
    for name, (header, earliest, latest) in cases.items():
        takes = platform.seen(*TAKES, worker=name)
        if earliest is None:
            assert len(takes) == 1, f"{name}: took again after {takes[1].at - takes[0].at:.1f} s"
        else:
            assert len(takes) > 1, f"{name}: never took again"
            assert earliest <= takes[1].at - takes[0].at <= latest, f"{name}: {takes[1].at - takes[0].at:.2f} s"


# Q4: a storm of 500


@pytest.mark.soak
def test_Q4_a_storm_of_errors_piles_results_up_and_loses_none(make_platform, start):
    """Takes work, results do not: the spool fills, the heartbeat goes on, then everything is delivered."""
    seconds = 60 if SOAK else 4
    platform = make_platform(Fault("done", status=500, name="storm"), ping_interval_s=1)
    jobs = [platform.submit({"input": classify_input(seed=number)}) for number in range(12)]
    worker = start("docket", platform, MAX_CONCURRENCY="4")
    platform.wait_seen(1, "done", timeout_s=40)
    time.sleep(seconds)
    per_job = {job.id: len(platform.seen("done", job=job.id)) for job in jobs}
    assert max(per_job.values()) <= 4 + seconds, f"retries are not capped: {per_job}"
    assert max(platform.gaps("ping")) <= 1.6, platform.gaps("ping")
    platform.faults.clear()
    platform.wait_all(80)
    platform.assert_answered()
    assert all(len(job.deliveries) == 1 for job in jobs), "a job was delivered again although its result was in the spool"
    assert worker.stop(40) == 0


def test_Q4_a_storm_on_takes_leaves_the_heartbeat_alone(make_platform, start):
    platform = make_platform(Fault(TAKES, status=500), ping_interval_s=1)
    start("docket", platform, LOAD="lazy")
    platform.wait_seen(1, *TAKES)
    time.sleep(6)
    assert len(platform.seen(*TAKES)) <= 8
    assert max(platform.gaps("ping")) <= 1.6


# Q5, Q11: answers that cannot be read


BROKEN = {
    "Q5-html": Fault(TAKES, nth=1, body="<html>" + "x" * 5000, content_type="text/html"),
    "Q5-empty": Fault(TAKES, nth=1, status=200, body=b""),
    "Q5-wrong_length": Fault(TAKES, nth=1, body="[]", content_length=1000),
    "Q5-length_too_short": Fault(TAKES, nth=1, body='{"id": "x", "input": {"a": 1}}', content_length=9),
    "Q5-chunked_and_cut": Fault(TAKES, nth=1, body='{"id": "x", "input": {}}', chunked=True, cut_after=6),
    "Q5-gzip_bomb": Fault(TAKES, nth=1, body="x", flood="gzip"),
    "Q5-two_gigabytes": Fault(TAKES, nth=1, body="x", flood="body"),
    "Q11-header_of_1_mb": Fault(TAKES, nth=1, status=204, flood="big-header"),
    "Q11-10000_headers": Fault(TAKES, nth=1, status=204, flood="headers"),
    "Q11-status_line_of_1_mb": Fault(TAKES, nth=1, body="x", flood="big-status"),
    "Q11-http_0_9": Fault(TAKES, nth=1, raw=b'{"id": "x", "input": {}}'),
    "Q11-continue_for_ever": Fault(TAKES, nth=1, body="x", flood="continue"),
    "Q11-early_hints_flood": Fault(TAKES, nth=1, body="x", flood="early-hints"),
    "Q11-header_without_end": Fault(TAKES, nth=1, raw=b"HTTP/1.1 200 OK\r\nContent-Type: application/json"),
    "Q11-two_lengths": Fault(TAKES, nth=1, raw=b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                                               b"Content-Length: 2\r\nContent-Length: 4\r\n\r\n[]"),
    "Q11-negative_length": Fault(TAKES, nth=1, raw=b"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\n[]"),
    "Q11-nul_in_header": Fault(TAKES, nth=1, raw=b"HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 2\r\n\r\n[]"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_answers_that_cannot_be_read(name, make_platform, start):
    """The transfer ends early, a line is logged, the next take works."""
    platform = make_platform(BROKEN[name], rules=False)
    worker = start("docket", platform, LOAD="lazy", MAX_CONCURRENCY="1")
    platform.wait_seen(1, *TAKES)
    before = worker.resident_bytes()
    takes = platform.wait_seen(2, *TAKES, timeout_s=12)
    assert platform.wait(lambda: takes[0].answered_at is not None or takes[0].bytes_sent > 0, 2)
    assert takes[0].bytes_sent < 40_000_000, f"read {takes[0].bytes_sent} bytes"
    assert SANITIZED or worker.resident_bytes() - before < 64_000_000
    assert worker.alive
    if name not in ("Q5-empty", "Q11-10000_headers", "Q11-header_without_end"):      # those may pass for an empty answer
        assert platform.wait(lambda: worker.log("take_error") or worker.log("take_malformed") or worker.log("job_failed"), 2), \
            worker.tail()


def test_Q5_a_slow_answer_is_an_answer(make_platform, start):
    platform = make_platform(Fault("take", nth=1, slow_bytes_per_s=200))
    start("docket", platform, MAX_CONCURRENCY="1")
    answered(platform)


# Q6: batches


def test_Q6_bad_elements_are_logged_and_good_ones_run(make_platform, start):
    good = [{"id": name, "input": classify_input()} for name in ("first", "last")]
    elements = [good[0], None, 17, "text", [], {"input": {}}, {"id": 5, "input": {}}, good[1]]
    platform = make_platform(Fault("take-batch", nth=1, elements=elements), rules=False)
    worker = start("docket", platform, MAX_CONCURRENCY="4")
    posts = platform.wait_seen(2, "done", timeout_s=40)
    assert {post.job for post in posts} == {"first", "last"}
    assert all(result_codes(json.loads(post.body)) == ["ok"] for post in posts)
    assert worker.log("take_malformed")


@pytest.mark.soak
def test_Q6_ten_thousand_jobs_when_four_were_asked(make_platform, start):
    """Kept in order, no take before they are done; a short form of the row in the ordinary run."""
    count = 10000 if SOAK else 400
    platform = make_platform(Fault("take-batch", nth=1, surplus=count), requeue_unnamed=False)
    jobs = [platform.submit({"input": classify_input(seed=number)}) for number in range(count)]
    start("docket", platform, MAX_CONCURRENCY="4")
    platform.wait_all(60 if not SOAK else 600)
    assert all(len(job.deliveries) == 1 for job in jobs)
    takes = platform.seen(*TAKES)
    assert len(takes) < 10 or takes[1].at > jobs[-10].finished_at - 1
    order = [int(re.search(r"Reference (\d+)-", job.payload["input"]["documents"][0]["text"]).group(1))
             for job in sorted(jobs, key=lambda job: job.finished_at)]
    # One may come late without limit, when its answer's thread has to wait; none may come before those that were begun first.
    assert max(number - place for place, number in enumerate(order)) <= 16, "not in order"


# Q7: redirects


def test_Q7_redirects(make_platform, start):
    platform, stranger = make_platform(), make_platform(rules=False)
    here = platform.environment()["RUNPOD_WEBHOOK_PING"].partition("/ping/")[0]
    there = stranger.environment()["RUNPOD_WEBHOOK_PING"].partition("/ping/")[0]
    platform.faults.add(Fault("take", nth=1, status=307, headers=(("Location", f"{there}/job-take/w"),)),
                        Fault("done", nth=1, status=302, headers=(("Location", f"{here}/elsewhere/w/a"),)),
                        Fault("done", nth=2, status=307, headers=(("Location", f"{there}/job-done/w/a?x=1"),)),
                        Fault("done", nth=3, status=308, headers=(("Location", "/v2/test-endpoint/job-done/worker-1/a?moved=1"),)))
    platform.submit({"id": "a", "input": classify_input()})
    worker = start("docket", platform, MAX_CONCURRENCY="1")
    platform.wait_answer("a", 60)
    assert platform.seen("done")[-1].argument("moved") == "1" and platform.seen("done")[-1].method == "POST"
    assert not stranger.requests and not platform.seen("unknown")
    assert worker.log("queue_redirect") or worker.log("post_retried")


# Q8, Q9: the stop channel


@pytest.mark.parametrize("ids", [["nobody", "no-one"], [None, 3, {}, ["x"]], [f"id-{n}" for n in range(100000)], ["x" * 100000], ["\r\n\0"]],
                         ids=["unknown", "no_strings", "100000", "long", "control"])
def test_Q8_odd_stop_lists(ids, make_platform, start):
    platform = make_platform(Fault("stop", nth=1, body=json.dumps({"jobsToStop": ids})), stop_hold_s=0.3)
    worker = start("docket", platform)
    platform.wait_seen(2, "stop")
    answered(platform)
    assert worker.alive


def test_Q9_stop_while_the_result_is_posted(make_platform, start):
    """Posted or not, never half; afterwards the worker is as before."""
    platform = make_platform(Fault("done", delay_s=0.05), stop_hold_s=2)
    worker = start("docket", platform, MAX_CONCURRENCY="2")
    answered(platform)
    for number in range(20):
        job = platform.submit({"id": f"j{number}", "input": classify_input(seed=number)})
        assert platform.wait(lambda: job.deliveries, 10)
        time.sleep(0.004 * number)
        platform.cancel(job.id)
    answered(platform)
    platform.wait_seen(len(platform.seen("ping")) + 2, "ping")
    assert platform.seen("ping")[-1].argument("job_id") is None, "a stopped job is still named"
    assert all(len(platform.seen("done", job=f"j{number}")) <= 1 for number in range(20))
    assert worker.stop() == 0


# Q10: answers to results


Q10 = {
    # name: (fault, posts of the full result, posts of the short form)
    "garbage_200": (Fault("done", nth=1, applies=True, status=200, body=b"\xff\x00<html>"), 1, 0),
    "201": (Fault("done", nth=1, applies=True, status=201, body="created"), 1, 0),
    "204": (Fault("done", nth=1, applies=True, status=204), 1, 0),
    "cut_after_the_body": (Fault("done", nth=1, applies=True, drop="after-read", reset=True), 2, 0),
    "partial_status_line": (Fault("done", nth=1, applies=True, drop="after-status"), 2, 0),
    "400": (Fault("done", nth=[1, 2], status=400), 2, 1),
    "413": (Fault("done", nth=[1, 2], status=413), 2, 1),
    "404_also_for_the_short_form": (Fault("done", nth=[1, 2, 3], status=404), 2, 2),
}


@pytest.mark.parametrize("name", Q10)
def test_Q10_answers_to_a_result(name, make_platform, start):
    fault, full, short = Q10[name]
    platform = make_platform(fault)
    platform.submit({"id": "a", "input": classify_input()})
    worker = start("docket", platform)
    platform.wait_seen(full + short, "done", job="a", timeout_s=40)
    time.sleep(1.5)
    posts = platform.seen("done", job="a")
    bodies = [b'"results"' in post.body for post in posts]
    assert bodies == [True] * full + [False] * short
    assert len({post.body for post in posts if b'"results"' in post.body}) == 1, "a repeat says the same"
    if short:
        assert json.loads(posts[-1].body)["error"].startswith("result_rejected:")
        assert worker.log("result_rejected")
        assert list(worker.spool.rglob("rejected/*")), "the full result is not kept aside"
    assert worker.alive


# Q12: HTTP/2


@pytest.mark.parametrize("kind", ["goaway", "reset_flood"])
def test_Q12_http_2_that_misbehaves(kind, make_platform, start):
    """Only a client that agrees to HTTP/2 gets it; either way the worker goes on."""
    platform = make_platform()

    def frame(kind_, flags, stream, payload=b""):
        return len(payload).to_bytes(3, "big") + bytes([kind_, flags]) + stream.to_bytes(4, "big") + payload

    async def http_2(reader, writer):
        agreed = writer.transport.get_extra_info("ssl_object").selected_alpn_protocol()
        if agreed != "h2":
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()
            writer.close()
            return
        await reader.read(4096)
        writer.write(frame(4, 0, 0) + frame(4, 1, 0))
        await asyncio.sleep(0.1)
        if kind == "goaway":
            writer.write(frame(7, 0, 0, (0).to_bytes(4, "big") + (0).to_bytes(4, "big")))
        else:
            for _ in range(2000):
                writer.write(frame(3, 0, 1, (8).to_bytes(4, "big")))
        await writer.drain()
        await asyncio.sleep(0.2)
        writer.transport.abort()

    platform.add_listener("h2", protocols=("h2", "http/1.1"), handler=http_2)
    worker = start("docket", platform, listener="h2", LOAD="lazy")
    time.sleep(4)
    assert 1 <= len(worker.wait_log("take_error")) <= 8
    assert worker.cpu_seconds() < 1.5 and worker.alive


# Q13, Q14: time


def test_Q13_a_server_clock_that_is_three_days_off(make_platform, start):
    wrong = email.utils.formatdate(time.time() + 3 * 86400, usegmt=True)
    platform = make_platform(answer_headers=[("Date", wrong), ("Last-Modified", wrong), ("Expires", wrong)])
    worker = start("docket", platform)
    answered(platform)
    assert worker.stop() == 0


@pytest.mark.soak
def test_Q14_a_process_that_stood_still(make_platform, start):
    """Stale connections are dropped, the beat comes first, nothing is posted twice."""
    seconds = 60 if SOAK else 5
    platform = make_platform(missed_pings=1000, hold_s=0.4)
    worker = start("docket", platform)
    answered(platform)
    job = platform.submit({"input": classify_input(count=400)})
    assert platform.wait(lambda: job.deliveries, 10)
    time.sleep(0.05)
    worker.signal(signal.SIGSTOP)
    time.sleep(0.5)
    port = platform.close_listener()                    # what it is connected to goes away meanwhile
    time.sleep(seconds - 0.5)
    platform.add_listener("main", port=port)
    again = time.monotonic()
    worker.signal(signal.SIGCONT)
    platform.wait_answer(job.id, 40)
    first = platform.seen("ping", "done", "progress", since=again)[0]
    assert first.op == "ping", f"{first.op} came before the first beat"
    assert len(platform.seen("done", job=job.id)) == 1
    answered(platform)
    assert worker.stop() == 0
