"""The loop: how many jobs at once, freed slots, signals, the end, files and log lines."""

import signal
import time

import pytest

from faults import TAKES, Fault
from protocol import both, differs, mock, ours
from support import SIGNAL_S


@both
def test_never_more_jobs_in_hand_than_allowed(kind, make_platform, start):
    platform = make_platform(hold_s=0.2)
    for number in range(9):
        platform.submit(mock(f"j{number}", delay=0.3, result=number))
    start(kind, platform, MAX_CONCURRENCY="3")
    most = 0
    while platform.queue.unfinished():
        most = max(most, len([job for job in list(platform.queue.jobs.values()) if job.state == "IN_PROGRESS"]))
        time.sleep(0.005)
        assert time.monotonic() - platform.job("j0").submitted_at < 40
    assert most == 3


@both
def test_a_freed_slot_takes_more_while_others_run(kind, make_platform, start):
    platform = make_platform(hold_s=0.2)
    platform.submit(mock("long", delay=9, result=0))
    for number in range(4):
        platform.submit(mock(f"short{number}", delay=0.1, result=number))
    start(kind, platform, MAX_CONCURRENCY="2")
    platform.wait_all(40)
    long_end = platform.job("long").finished_at
    assert all(platform.job(f"short{number}").finished_at < long_end for number in range(4))


@both
def test_order_of_a_single_slot_is_the_queues(kind, make_platform, start):
    platform = make_platform(hold_s=0.2)
    for number in range(6):
        platform.submit(mock(f"j{number}", result=number))
    start(kind, platform)
    platform.wait_all(30)
    assert [post.job for post in platform.seen("done")] == [f"j{number}" for number in range(6)]


@ours
def test_a_surplus_is_kept_in_order_and_no_take_comes_before_it_is_done(kind, make_platform, start):
    platform = make_platform(Fault("take-batch", nth=1, surplus=6), hold_s=0.2)
    for number in range(8):
        platform.submit(mock(f"j{number}", delay=0.2, result=number))
    start(kind, platform, MAX_CONCURRENCY="2")
    platform.wait_all(20)
    takes = platform.seen(*TAKES)
    assert takes[0].argument("batch_size") == "2" and all(len(job.deliveries) == 1 for job in platform.queue.jobs.values())
    started = [post.job for post in platform.seen("done")]
    assert [sorted(started[at:at + 2]) for at in range(0, 8, 2)] == [[f"j{at}", f"j{at + 1}"] for at in range(0, 8, 2)]
    assert all(take.at >= platform.job("j5").finished_at - 0.3 for take in takes[1:])


# Signals


@both
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["term", "int"])
def test_shutdown_waits_for_the_running_job(number, kind, make_platform, start):
    platform = make_platform(hold_s=0.2, stop_hold_s=0.2)
    platform.submit(mock("a", delay=3, result=1))
    worker = start(kind, platform)
    assert platform.wait(lambda: platform.job("a").deliveries)
    time.sleep(0.3)
    worker.signal(number)
    at = time.monotonic()
    assert platform.wait_answer("a") == {"output": 1}
    assert worker.exit_code(10) == 0
    late = platform.seen(*TAKES, since=at + (1.0 if differs(kind, "slow-shutdown") else SIGNAL_S))
    assert not late, "a take after the signal"


@both
def test_shutdown_drains_everything_in_hand(kind, make_platform, start):
    platform = make_platform(hold_s=0.2, stop_hold_s=0.2)
    for number in range(3):
        platform.submit(mock(f"j{number}", delay=2, result=number))
    worker = start(kind, platform, MAX_CONCURRENCY="3")
    assert platform.wait(lambda: all(job.deliveries for job in platform.queue.jobs.values()))
    worker.terminate()
    platform.wait_all(20)
    assert worker.exit_code(10) == 0
    platform.assert_answered(allow_repeats=False)


@both
def test_idle_shutdown(kind, make_platform, start):
    """The open poll is given two seconds, then aborted; the reference waits for its end."""
    platform = make_platform(hold_s=6, stop_hold_s=6)
    worker = start(kind, platform)
    platform.wait_seen(1, "take")
    platform.wait_seen(1, "stop")
    time.sleep(0.2)
    at = time.monotonic()
    assert worker.stop() == 0
    took = time.monotonic() - at
    assert (took > 4) if differs(kind, "slow-shutdown") else (took <= 3.5), f"{took:.2f} s"


@both
def test_a_job_on_the_last_poll_is_not_lost(kind, make_platform, start):
    platform = make_platform(hold_s=8, stop_hold_s=0.2, missed_pings=100)
    worker = start(kind, platform)
    platform.wait_seen(1, "take")
    time.sleep(0.2)
    worker.terminate()
    time.sleep(0.4)
    platform.submit(mock("last", delay=0.3, result=1))
    assert worker.exit_code(15) == 0
    if differs(kind, "lost-on-shutdown"):
        assert platform.job("last").deliveries and platform.job("last").answer is None
        platform.rules = False
        return
    if platform.job("last").deliveries:
        assert platform.job("last").answer == {"output": 1}


@ours
def test_a_second_signal_ends_at_once(kind, make_platform, start):
    platform = make_platform(hold_s=0.2)
    platform.submit(mock("a", delay=60))
    worker = start(kind, platform)
    assert platform.wait(lambda: platform.job("a").deliveries)
    time.sleep(0.2)
    worker.terminate()
    time.sleep(0.5)
    assert worker.alive
    at = time.monotonic()
    worker.terminate()
    worker.exit_code(5)
    assert time.monotonic() - at < 2


@ours
def test_the_end_with_unposted_results_says_75(kind, make_platform, start, tmp_path):
    """Results that the queue does not accept stay in the spool; the next start posts them."""
    platform = make_platform(Fault("done", status=503), hold_s=0.2)
    platform.submit(mock("a", result="kept"))
    worker = start(kind, platform, spool=tmp_path / "kept")
    platform.wait_seen(1, "done")
    worker.terminate()
    time.sleep(0.2)
    worker.terminate()
    assert worker.exit_code(30) == 75
    platform.faults.clear()
    start(kind, platform, spool=tmp_path / "kept")
    assert platform.wait_answer("a", 20) == {"output": "kept"}
    assert len(platform.job("a").deliveries) == 1, "computed again although the result was in the spool"


# Files and lines


@both
def test_nothing_is_written_beside_the_spool(kind, make_platform, start):
    platform = make_platform(hold_s=0.2)
    platform.submit(mock("a", result=1))
    worker = start(kind, platform)
    platform.wait_answer("a")
    files = {path.name for path in worker.folder.iterdir()} - {"stdout.log", "stderr.log"}
    assert not files or (kind == "sdk" and not files & {".runpod_jobs.pkl"})


@ours
def test_log_lines_are_json_on_the_platform_and_readable_when_asked(kind, make_platform, start):
    platform = make_platform(hold_s=0.2)
    on_platform = start(kind, platform, "w1", LOG_FORMAT=None)
    elsewhere = start(kind, platform, "w2", LOG_FORMAT="text", judged=False)
    platform.wait_seen(1, "take", worker="w1")
    platform.wait_seen(1, "take", worker="w2")
    on_platform.wait_log("worker_started")
    time.sleep(0.2)
    lines = elsewhere.output.read_text(encoding="utf-8").splitlines()
    assert lines and not any(line.startswith("{") for line in lines)
    assert lines[0].split("|")[0].strip() in ("INFO", "DEBUG", "WARN") and lines[0].index("|") == 7


@ours
@pytest.mark.parametrize("name", ["WARNING", "warn", "INFO", "Debug", "ERROR", "TRACE", "NOTSET"])
def test_level_names_of_the_platform(name, kind, make_platform, start):
    platform = make_platform(hold_s=0.2)
    platform.submit(mock("a", result=1))
    worker = start(kind, platform, LOG_LEVEL=None, RUNPOD_LOG_LEVEL=name)
    assert platform.wait_answer("a") == {"output": 1}
    levels = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR"]
    lowest = {"WARNING": "WARN", "NOTSET": None}.get(name, name.upper())
    seen = {line["level"] for line in worker.log()}
    if lowest is None:
        assert not seen
    else:
        assert all(levels.index(level) >= levels.index(lowest) for level in seen)


@ours
def test_inputs_and_outputs_are_not_logged(kind, make_platform, start):
    platform = make_platform(hold_s=0.2)
    platform.submit(mock("a", result="MARKER-OF-THE-OUTPUT", marker="MARKER-OF-THE-INPUT"))
    worker = start(kind, platform, LOG_LEVEL="trace")
    platform.wait_answer("a")
    worker.stop()
    assert "MARKER-OF" not in worker.text()


@ours
def test_two_workers_share_a_queue_and_a_spool_folder(kind, make_platform, start, tmp_path):
    platform = make_platform(hold_s=0.2)
    for number in range(40):
        platform.submit(mock(f"j{number}", delay=0.05, result=number))
    for number in range(2):
        start(kind, platform, f"w{number}", spool=tmp_path / "shared", MAX_CONCURRENCY="2")
    platform.wait_all(20)
    platform.assert_answered(allow_repeats=False)
    assert len({job.deliveries[0].worker for job in platform.queue.jobs.values()}) == 2
