"""The heartbeat: its request, its rhythm under every load, what switches it off."""

import time

import pytest

from faults import Fault
from protocol import both, differs, mock, ours
from support import burn_cpu

ALLOWED = 1.6           # intervals between two beats as seen from outside; the worker's own limit is 1.2


@both
def test_idle_request(kind, make_platform, start):
    platform = make_platform()
    start(kind, platform, "worker-a")
    ping = platform.wait_seen(1, "ping")[0]
    assert (ping.method, ping.target, ping.body) == ("GET", "/v2/test-endpoint/ping/worker-a?runpod_version=1.12.0", b"")
    assert ping.header("Authorization") == platform.key
    assert ping.header("Content-Type") is None


@both
def test_ids_are_joined_by_an_encoded_comma(kind, make_platform, start):
    platform = make_platform(hold_s=0.2)
    platform.submit(mock("b1", delay=4))
    platform.submit(mock("b2", delay=4))
    start(kind, platform, MAX_CONCURRENCY="3")
    assert platform.wait(lambda: any("," in (ping.argument("job_id") or "") for ping in platform.seen("ping")), 10)
    ping = [ping for ping in platform.seen("ping") if "," in (ping.argument("job_id") or "")][0]
    assert "job_id=b1%2Cb2" in ping.target or "job_id=b2%2Cb1" in ping.target
    assert ping.query[-1] == ("runpod_version", "1.12.0")
    platform.wait_all(10)
    assert platform.wait(lambda: platform.seen("ping")[-1].argument("job_id") is None, 5)


@both
def test_a_query_in_the_template_is_kept(kind, make_platform, start):
    platform = make_platform()
    variables = platform.environment()
    start(kind, platform, RUNPOD_WEBHOOK_PING=variables["RUNPOD_WEBHOOK_PING"] + "?gpu=TEST+GPU")
    assert platform.wait_seen(1, "ping")[0].query == [("gpu", "TEST GPU"), ("runpod_version", "1.12.0")]


@both
def test_the_first_beat_comes_at_once(kind, make_platform, start):
    platform = make_platform()
    start(kind, platform)
    ping, take = platform.wait_seen(1, "ping")[0], platform.wait_seen(1, "take")[0]
    if differs(kind, "first-beat"):
        assert abs(ping.at - take.at) < 1
    else:
        assert ping.at <= take.at and ping.number < take.number


@both
def test_the_rhythm(kind, make_platform, start):
    platform = make_platform(ping_interval_s=1)
    start(kind, platform)
    platform.wait_seen(5, "ping")
    gaps = platform.gaps("ping")
    assert all(0.85 <= gap <= ALLOWED for gap in gaps), gaps


@both
def test_an_interval_below_one_second(kind, make_platform, start):
    platform = make_platform()
    worker = start(kind, platform, RUNPOD_PING_INTERVAL="500")
    if differs(kind, "interval"):
        platform.wait_seen(1, "take")
        time.sleep(2)
        assert len(platform.seen("ping")) <= 1
        return
    platform.wait_seen(3, "ping")
    assert all(0.85 <= gap <= ALLOWED for gap in platform.gaps("ping"))
    assert worker.wait_log("config_clamped")[0]["level"] == "WARN"


@both
@pytest.mark.parametrize("value", ["soon", "", "1e4", "-5", "99999999999999999999"])
def test_an_interval_that_is_no_number(value, kind, make_platform, start):
    platform = make_platform()
    worker = start(kind, platform, RUNPOD_PING_INTERVAL=value)
    if differs(kind, "interval"):
        return
    platform.wait_seen(1, "ping")
    if value:
        worker.wait_log("config_clamped")
    assert worker.alive


@both
@pytest.mark.parametrize("variable", ["RUNPOD_AI_API_KEY", "RUNPOD_POD_ID", "RUNPOD_WEBHOOK_PING"])
def test_no_heartbeat_without(variable, kind, make_platform, start):
    platform = make_platform(rules=False, key="" if variable == "RUNPOD_AI_API_KEY" else "test-key-of-the-queue")
    platform.submit(mock("a", result=1))
    worker = start(kind, platform, **{variable: None})
    assert platform.wait_answer("a") == {"output": 1}
    time.sleep(1.2)
    assert not platform.seen("ping")
    if kind != "sdk":
        assert variable in str(worker.wait_log("heartbeat_disabled")[0])
    if variable == "RUNPOD_POD_ID":
        assert len(platform.seen("take")[0].worker) >= 8 and "$" not in platform.seen("take")[0].worker


@both
@pytest.mark.parametrize("status", [401, 404, 429, 500, 503])
def test_refused_beats_go_on(status, kind, make_platform, start):
    platform = make_platform(Fault("ping", times=2, status=status))
    start(kind, platform)
    platform.wait_seen(4, "ping", timeout_s=12)
    platform.submit(mock("a", result=1))
    assert platform.wait_answer("a") == {"output": 1}


@both
def test_lost_beats_go_on(kind, make_platform, start):
    platform = make_platform(Fault("ping", times=2, drop="after-read", reset=True))
    start(kind, platform)
    platform.wait_seen(4, "ping", timeout_s=12)


@both
def test_a_beat_without_an_answer_does_not_end_them(kind, make_platform, start):
    """The limit of one beat is two intervals."""
    platform = make_platform(Fault("ping", nth=2, delay_s=30, status=200, body="{}"))
    start(kind, platform)
    platform.wait_seen(4, "ping", timeout_s=12)
    assert max(platform.gaps("ping")) <= 3.6


@both
def test_beats_go_on_while_a_job_runs_and_name_it(kind, make_platform, start):
    platform = make_platform()
    platform.submit(mock("long", delay=4, result=1))
    start(kind, platform)
    platform.wait_answer("long")
    job = platform.job("long")
    during = [ping for ping in platform.seen("ping") if job.bound_at + 0.2 < ping.at < job.finished_at]
    assert len(during) >= 2 and all(ping.argument("job_id") == "long" for ping in during)


@both
@pytest.mark.quiet
def test_beats_go_on_while_every_core_is_busy(kind, make_platform, start):
    platform = make_platform(ping_interval_s=1)
    platform.submit(mock("spin", spin=5, result=1))
    start(kind, platform, MAX_CONCURRENCY="2")
    platform.wait_seen(2, "ping")
    burners = burn_cpu(2, 20)
    try:
        platform.wait_answer("spin", 30)
    finally:
        for burner in burners:
            burner.kill()
            burner.wait()
    limit = 2.0 if kind == "sdk" else ALLOWED
    gaps = platform.gaps("ping")
    assert len(gaps) >= 4 and max(gaps) <= limit, gaps


@both
def test_beats_go_on_while_draining(kind, make_platform, start):
    platform = make_platform(hold_s=0.2, stop_hold_s=0.2)
    platform.submit(mock("long", delay=5, result=1))
    worker = start(kind, platform)
    assert platform.wait(lambda: platform.job("long").deliveries)
    worker.terminate()
    at = time.monotonic()
    platform.wait_answer("long")
    during = [ping for ping in platform.seen("ping", since=at + 0.1) if ping.at < platform.job("long").finished_at]
    assert len(during) >= 3 and all(ping.argument("job_id") == "long" for ping in during)
    assert worker.exit_code() == 0


@both
def test_workers_do_not_share_their_lists(kind, make_platform, start):
    platform = make_platform()
    for number in range(2):
        platform.submit(mock(f"j{number}", delay=4))
    for number in range(2):
        start(kind, platform, f"w{number}")
    assert platform.wait(lambda: all(platform.job(f"j{number}").deliveries for number in range(2)))
    platform.wait_all(20)
    for number in range(2):
        ids = {ping.argument("job_id") for ping in platform.seen("ping", worker=f"w{number}")} - {None}
        mine = {job.id for job in platform.queue.jobs.values() if job.deliveries[0].worker == f"w{number}"}
        assert ids == mine and len(mine) == 1


@ours
def test_a_list_over_64_kib_is_cut_at_a_comma(kind, make_platform, start):
    platform = make_platform(hold_s=0.2, requeue_unnamed=False)
    ids = [f"{number:03}-" + "x" * 1020 for number in range(72)]
    for job_id in ids:
        platform.submit(mock(job_id, delay=3))
    start(kind, platform, MAX_CONCURRENCY="72")
    assert platform.wait(lambda: all(platform.job(job_id).deliveries for job_id in ids), 15)
    platform.wait_all(20)
    longest = max((ping.argument("job_id") or "" for ping in platform.seen("ping")), key=len)
    named = longest.split(",")
    assert 32 * 1024 < len(longest) <= 64 * 1024
    assert set(named) <= set(ids)


@ours
def test_no_beat_after_the_end(kind, make_platform, start):
    platform = make_platform(hold_s=0.2)
    worker = start(kind, platform)
    platform.wait_seen(1, "ping")
    assert worker.stop() == 0
    ended = time.monotonic()
    time.sleep(1.5)
    assert not platform.seen("ping", since=ended + 0.1)


@pytest.mark.parametrize("kind", ["sdk"])
def test_the_reference_beats_on_after_its_death(kind, make_platform, start):
    platform = make_platform(rules=False)
    worker = start(kind, platform)
    platform.wait_seen(1, "ping")
    worker.process.kill()
    worker.process.wait()
    died = time.monotonic()
    assert differs(kind, "beats-after-death") and platform.wait_seen(2, "ping", since=died + 0.2)
