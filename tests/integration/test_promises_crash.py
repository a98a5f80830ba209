"""P1, P5 to P9: kills, lost answers, signals, duplicates, poison. Every answer is compared with an undisturbed run."""

import contextlib
import random
import signal
import subprocess
import time

import pytest

import jobs
from faults import TAKES, Fault, mixture
from protocol import mock
from support import SEED, SIGNAL_S, SOAK, classify_input, error_codes, essence, result_codes, same_essence

N_JOBS = 10000 if SOAK else 1000
N_KILLS = 500 if SOAK else 60


def job_input(number):
    """Mostly one document; every twentieth job has twelve, so that kills also hit jobs half done."""
    return classify_input(count=12 if number % 20 == 7 else 1, seed=number)


@pytest.fixture(scope="session")
def undisturbed(certificates, tmp_path_factory):
    """Answers of a run in which nothing happens, by job number."""
    import conftest

    class Item:
        pass

    item = Item()
    platform = conftest._platforms(certificates, item)(hold_s=0.3)
    start = conftest._workers(tmp_path_factory.mktemp("undisturbed"), item)
    for number in range(N_JOBS):
        platform.submit({"id": f"j{number}", "input": job_input(number)})
    began = time.monotonic()
    start("docket", platform)
    platform.wait_all(300 if not SOAK else 3000)
    print(f"undisturbed: {N_JOBS} jobs in {time.monotonic() - began:.1f} s")
    answers = [platform.job(f"j{number}").answer for number in range(N_JOBS)]
    platform.assert_answered(allow_repeats=False)
    conftest._end_workers(item)
    conftest._end_platforms(item)
    assert all(set(result_codes(answer)) == {"ok"} for answer in answers)
    return [essence(answer) for answer in answers]


def assert_equal_to_undisturbed(platform, undisturbed, excused=()):
    """Same labels, same scores to 1e-6, and no job has two answers that contradict each other."""
    poisoned = 0
    for number, wanted in enumerate(undisturbed):
        job = platform.job(f"j{number}")
        assert job.answer is not None, f"{job.id}: no answer"
        if error_codes(job.answer) == ["job_poisoned"] or "job_poisoned" in error_codes(job.answer)[:1]:
            assert job.id in excused, f"{job.id}: poisoned without two kills: {job.answer}"
            poisoned += 1
            continue
        for post in job.finals:
            assert same_essence(essence(post.body), wanted), f"{job.id}: {essence(post.body)} instead of {wanted}"
    return poisoned


class Fleet:
    """Workers that are started again with the same id and the same spool."""

    def __init__(self, start, platform, ids, spool, kind="docket", **variables):
        self.start, self.platform, self.spool, self.kind, self.variables = start, platform, spool, kind, variables
        self.workers = {worker_id: self._new(worker_id) for worker_id in ids}
        self.deaths = []                # (id, exit code)

    def _new(self, worker_id):
        return self.start(self.kind, self.platform, worker_id, spool=self.spool, **self.variables)

    def kill(self, worker_id):
        """SIGKILL, then again; returns the ids of the jobs that it had in hand."""
        in_hand = [job.id for job in list(self.platform.queue.jobs.values())
                   if job.state == "IN_PROGRESS" and job.worker == worker_id]
        self.workers[worker_id].kill()
        self.deaths.append((worker_id, -9))
        self.workers[worker_id] = self._new(worker_id)
        return in_hand

    def mend(self):
        """Start again whoever has died by itself."""
        for worker_id, worker in self.workers.items():
            if not worker.alive:
                self.deaths.append((worker_id, worker.process.returncode))
                self.workers[worker_id] = self._new(worker_id)


@pytest.mark.soak
def test_P1_kills_at_any_instant(make_platform, start, undisturbed, tmp_path):
    """No job unanswered, no wrong answer, no contradictory pair. Kills fall at random moments and right after a take, a post,
    a heartbeat. A job that two kills hit may be answered as poisoned: that is promise P9."""
    chance = random.Random(SEED)
    platform = make_platform(missed_pings=2, ping_interval_s=1, hold_s=0.3)
    fleet = Fleet(start, platform, ["w0", "w1"], tmp_path / "spool", CPU_THREADS="1", LOG_LEVEL="info")
    hits = {}
    share = -(-N_JOBS // N_KILLS)
    for kill in range(N_KILLS):
        for number in range(kill * share, min((kill + 1) * share, N_JOBS)):
            platform.submit({"id": f"j{number}", "input": job_input(number)})
        victim = chance.choice(["w0", "w1"])
        aim = chance.choice(["random", "random", "take", "done", "ping"])
        if aim == "random":
            time.sleep(chance.uniform(0, 0.5))
        else:
            ops = TAKES if aim == "take" else (aim,)
            seen = len(platform.seen(*ops, worker=victim))
            platform.wait(lambda: len(platform.seen(*ops, worker=victim)) > seen, 1.0)
            time.sleep(chance.choice([0, 0, 0.0005, 0.002, 0.01]))
        for job_id in fleet.kill(victim):
            hits[job_id] = hits.get(job_id, 0) + 1
    platform.wait_all(90)
    twice = {job_id for job_id, count in hits.items() if count >= 2}
    poisoned = assert_equal_to_undisturbed(platform, undisturbed, twice)
    repeats = sum(len(job.finals) - 1 for job in platform.queue.jobs.values())
    print(f"seed {SEED}: {N_KILLS} kills hit {len(hits)} jobs, {len(twice)} twice; {poisoned} poisoned, {repeats} repeated posts")
    assert all(code == -9 for _, code in fleet.deaths)


@pytest.mark.soak
def test_a_thousand_jobs_in_bad_weather(make_platform, start, undisturbed, tmp_path):
    """Five percent of all requests go wrong in eight ways; every answer is the one of the undisturbed run."""
    platform = make_platform(*mixture(0.05), hold_s=0.3, missed_pings=3, ping_interval_s=1)
    for number in range(N_JOBS):
        platform.submit({"id": f"j{number}", "input": job_input(number)})
    worker = start("docket", platform, MAX_CONCURRENCY="8", LOG_LEVEL="info")
    platform.wait_all(240)
    assert_equal_to_undisturbed(platform, undisturbed)
    broken = [request for request in platform.requests if request.fault]
    assert len(broken) > 20 and len({request.fault for request in broken}) == 8
    assert worker.alive
    worker.stop(40)
    assert worker.process.returncode == 0


def test_kill_in_mid_batch_resumes_where_it_was(make_platform, start, tmp_path):
    """Documents that were done before the kill are not done again."""
    count = 1500
    platform = make_platform(missed_pings=1, ping_interval_s=1)
    platform.submit({"id": "big", "input": classify_input(count=count)})
    first = start("docket", platform, spool=tmp_path / "spool", LOG_LEVEL="debug")
    assert platform.wait(lambda: platform.job("big").deliveries, 20)
    first.wait_log("document_done", 40, timeout_s=40)
    first.kill()
    assert platform.job("big").answer is None, "too fast for this test: more documents are needed"
    second = start("docket", platform, spool=tmp_path / "spool", LOG_LEVEL="debug")
    answer = platform.wait_answer("big", 90)
    assert result_codes(answer) == ["ok"] * count
    assert second.wait_log("job_resumed")
    resumed = second.wait_log("job_done")[0]["resumed"]
    assert 40 <= resumed < count, f"{resumed} of {count} documents were found done"
    undisturbed = make_platform()
    undisturbed.submit({"id": "big", "input": classify_input(count=count)})
    start("docket", undisturbed, "worker-2", spool=tmp_path / "other")
    assert same_essence(essence(undisturbed.wait_answer("big", 90)), essence(answer))


def test_SIGTERM_in_mid_batch_answers_what_it_holds(make_platform, start):
    platform = make_platform()
    platform.submit({"id": "big", "input": classify_input(count=600)})
    worker = start("docket", platform)
    assert platform.wait(lambda: platform.job("big").deliveries, 20)
    time.sleep(0.2)
    worker.terminate()
    at = time.monotonic()
    assert result_codes(platform.wait_answer("big", 60)) == ["ok"] * 600
    assert worker.exit_code(15) == 0
    assert not platform.seen(*TAKES, since=at + SIGNAL_S)


def test_SIGTERM_with_a_short_grace_hands_back(make_platform, start, tmp_path):
    """A job that cannot be finished in time is answered by the next worker, which finds what was done."""
    platform = make_platform(missed_pings=1)
    platform.submit({"id": "big", "input": classify_input(count=3000)})
    first = start("docket", platform, spool=tmp_path / "spool", DRAIN_SECONDS="1")
    assert platform.wait(lambda: platform.job("big").deliveries, 20)
    time.sleep(0.3)
    first.terminate()
    at = time.monotonic()
    code = first.exit_code(10)
    assert time.monotonic() - at < 3.5 * jobs.PATIENCE and code in (0, 75)
    assert platform.job("big").answer is None
    start("docket", platform, spool=tmp_path / "spool")
    assert result_codes(platform.wait_answer("big", 90)) == ["ok"] * 3000


@pytest.fixture
def own_disk(tmp_path):
    folder = tmp_path / "disk"
    folder.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m,mode=700", "none", str(folder)], capture_output=True, check=False)
    if made.returncode != 0:
        pytest.skip("no right to mount a file system")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=False)


def test_P5_results_outlive_their_queue(make_platform, start, own_disk):
    """Posts refused for long, three restarts (two of them kills), a full disk in between; then each accepted once, oldest first."""
    platform = make_platform(Fault("done", status=503), missed_pings=1000, requeue_unnamed=False)
    spool = own_disk / "spool"
    count = 0

    def compute(more, **settings):
        nonlocal count
        done = len(worker.log("job_done"))
        for number in range(count, count + more):
            platform.submit(mock(f"j{number}", result={"n": number}, **settings))
        count += more
        return lambda: worker.wait_log("job_done", done + more, timeout_s=30)

    def run():
        return start("mock_worker", platform, spool=spool, SPOOL_MIN_FREE_BYTES="1", RUNPOD_SKIP_AUTO_SYSTEM_CHECKS="true")

    for _ in range(2):
        worker = run()
        compute(3)()
        time.sleep(0.1)
        worker.kill()
    worker = run()
    wait = compute(1, delay=1.5)
    assert platform.wait(lambda: platform.job("j6").deliveries, 20)
    time.sleep(0.3)
    with open(own_disk / "ballast", "wb", buffering=0) as ballast, contextlib.suppress(OSError):
        while True:
            ballast.write(b"x" * 4096)
    wait()                                              # cannot be written down: kept in memory
    worker.wait_log("spool_problem")
    (own_disk / "ballast").unlink()
    compute(2)()
    worker.terminate()
    time.sleep(0.5)
    worker.terminate()
    assert worker.exit_code(40) == 75
    platform.faults.clear()
    from_here = time.monotonic()
    run()
    platform.wait_all(90)
    accepted = [post.job for post in platform.seen("done", since=from_here)]
    assert sorted(accepted) == sorted(set(accepted)) and len(accepted) == count
    ages = [int(job[1:]) for job in accepted]
    assert sum(abs(place - age) for place, age in enumerate(ages)) <= count, f"not oldest first: {ages}"
    assert all(len(platform.job(f"j{number}").deliveries) == 1 for number in range(count))
    assert all(platform.job(f"j{number}").answer == {"output": {"n": number}} for number in range(count))


@pytest.mark.parametrize("fault", [Fault("done", nth=1, applies=True, drop="after-read"), Fault("done", nth=1, drop="after-read", reset=True),
                                   Fault("done", nth=1, applies=True, drop="after-status"),
                                   Fault("done", nth=1, applies=True, cut_after=0, content_length=2),
                                   Fault("done", nth=1, applies=True, raw=b"")],
                         ids=["after_the_last_byte", "before", "partial_status_line", "body_missing", "silence"])
def test_P6_a_lost_answer_is_repeated_without_harm(fault, make_platform, start):
    platform = make_platform(fault)
    platform.submit({"id": "a", "input": classify_input()})
    platform.submit({"id": "b", "input": classify_input(seed=1)})
    start("docket", platform, MAX_CONCURRENCY="1")
    platform.wait_all(40)
    time.sleep(1.5)
    assert len({post.body for post in platform.seen("done", job="a")}) == 1
    assert 1 <= len(platform.seen("done", job="a")) <= 2 and len(platform.seen("done", job="b")) == 1
    assert result_codes(platform.job("a").answer) == ["ok"]


@pytest.mark.soak
def test_P7_SIGTERM_at_random_phases(make_platform, start, tmp_path):
    """No take afterwards, everything held is answered or handed back, the end comes within the grace."""
    chance = random.Random(SEED)
    rounds, graces = (67 if SOAK else 6), (2, 5, 10)
    platform = make_platform(missed_pings=2, ping_interval_s=1, hold_s=1)
    number = 0
    for turn in range(rounds):
        workers = {}
        for grace in graces:
            worker_id = f"w{grace}-{turn}"
            workers[grace] = start("docket", platform, worker_id, spool=tmp_path / "spool", DRAIN_SECONDS=str(grace), CPU_THREADS="1",
                                   MAX_CONCURRENCY="2", LOG_LEVEL="info")
        for _ in range(12):
            platform.submit({"id": f"j{number}", "input": classify_input(count=chance.choice([1, 1, 8, 60]), seed=number)},
                            delay_s=chance.uniform(0, 0.8))
            number += 1
        platform.wait(lambda: any(platform.seen(*TAKES, worker=f"w{grace}-{turn}") for grace in graces), 5)
        signals, began = {}, {}
        for grace in chance.sample(graces, len(graces)):
            time.sleep(chance.uniform(0, 0.5))
            began[grace] = workers[grace].holds(signal.SIGTERM)
            workers[grace].terminate()
            signals[grace] = time.monotonic()
        for grace, worker in workers.items():
            code = worker.exit_code(grace + 5)
            ended = time.monotonic()
            assert code in (0, 75) or (code == -signal.SIGTERM and not began[grace]), f"exit {code}"
            assert ended - signals[grace] < max(grace, 3.5) + 1.5 * jobs.PATIENCE, f"{ended - signals[grace]:.1f} s with a grace of {grace} s"
            late = platform.seen(*TAKES, worker=f"w{grace}-{turn}", since=signals[grace] + SIGNAL_S)
            assert not late, f"take {late[0].at - signals[grace]:.2f} s after the signal"
    start("docket", platform, "sweeper", spool=tmp_path / "spool")
    platform.wait_all(60)
    for job in platform.queue.jobs.values():
        assert set(result_codes(job.answer)) == {"ok"}
        for post in job.finals:
            assert same_essence(essence(post.body), essence(job.answer))


def test_P7_SIGTERM_before_the_worker_runs_drains_it_too(make_platform, start):
    """From main on: while the extract server is started, before the settings are read, before there is a thread."""
    platform = make_platform(hold_s=1)
    for turn in range(4):
        worker = start("docket", platform, f"w{turn}", CPU_THREADS="1")
        while not worker.holds(signal.SIGTERM):
            assert worker.alive, worker.tail()
        worker.terminate()
        assert worker.exit_code(20) == 0


def computed(*workers):
    """How often each job was really computed, by the workers' own lines."""
    counts = {}
    for worker in workers:
        for line in worker.log("job_done"):
            counts[line["requestId"]] = counts.get(line["requestId"], 0) + 1
    return counts


@pytest.mark.parametrize("when", ["together", "while_running", "after_acceptance", "after_a_restart"])
def test_P8_a_duplicate_is_computed_once(when, make_platform, start, tmp_path):
    platform = make_platform()
    job = {"id": "twice", "input": classify_input(count=300 if when == "while_running" else 3)}
    if when == "together":
        platform.faults.add(Fault("take-batch", nth=1, duplicate=True))
    platform.submit(job)
    workers = [start("docket", platform, spool=tmp_path / "spool", MAX_CONCURRENCY="4")]
    if when == "while_running":
        assert platform.wait(lambda: platform.job("twice").deliveries, 20)
        platform.queue.deliver_again("twice")
    answer = platform.wait_answer("twice", 60)
    posts = len(platform.job("twice").finals)
    if when == "after_acceptance":
        platform.queue.deliver_again("twice")
        assert platform.wait(lambda: len(platform.job("twice").finals) > posts, 15)
    if when == "after_a_restart":
        assert workers[0].stop() == 0
        workers.append(start("docket", platform, spool=tmp_path / "spool", MAX_CONCURRENCY="4"))
        platform.queue.deliver_again("twice")
        assert platform.wait(lambda: len(platform.job("twice").finals) > posts, 40)
    time.sleep(0.5)
    assert all(same_essence(essence(post.body), essence(answer)) for post in platform.job("twice").finals)
    if when != "after_a_restart":               # a clean end forgets accepted answers
        assert computed(*workers) == {"twice": 1}
        assert workers[0].log("job_duplicate")


def test_P8_two_workers_on_one_volume_compute_it_once(make_platform, start, tmp_path):
    platform = make_platform()
    platform.submit({"id": "twice", "input": classify_input(count=300)})
    workers = {worker_id: start("docket", platform, worker_id, spool=tmp_path / "spool", CPU_THREADS="1") for worker_id in ("w0", "w1")}
    assert platform.wait(lambda: platform.job("twice").deliveries, 20)
    first = platform.job("twice").deliveries[0].worker
    platform.paused_workers.add(first)                  # the second delivery goes to the other one
    platform.queue.deliver_again("twice")
    assert platform.wait(lambda: len(platform.job("twice").deliveries) == 2, 20)
    platform.wait_answer("twice", 60)
    assert platform.wait(lambda: platform.seen("ping")[-1].argument("job_id") is None
                         and platform.seen("ping")[-2].argument("job_id") is None, 20), "somebody still waits"
    assert all(same_essence(essence(post.body), essence(platform.job("twice").answer)) for post in platform.job("twice").finals)
    assert computed(*workers.values()) == {"twice": 1}


@pytest.mark.parametrize("shared_spool", [True, False], ids=["shared_spool", "own_spools"])
def test_P9_a_poison_job_costs_at_most_two_crashes_of_a_worker(shared_spool, make_platform, start, tmp_path):
    """A fleet of three; whoever dies is started again. The poison is answered, its neighbours lose nothing."""
    platform = make_platform(missed_pings=1, ping_interval_s=1)
    fleet = Fleet(start, platform, ["w0", "w1", "w2"] if shared_spool else ["w0"], tmp_path / "spool", "mock_worker", MAX_CONCURRENCY="3")
    for number in range(20):
        platform.submit(mock(f"before{number}", delay=0.05, result=number))
    platform.submit(mock("poison", crash=True))
    for number in range(20):
        platform.submit(mock(f"after{number}", delay=0.05, result=number))
    deadline = time.monotonic() + 60
    while platform.queue.unfinished() and time.monotonic() < deadline:
        platform.wait(lambda: platform.queue.unfinished() == 0, 0.05)
        fleet.mend()
    platform.wait_all(1)
    crashes = [code for _, code in fleet.deaths]
    assert crashes and all(code == -signal.SIGABRT for code in crashes), crashes
    assert len(crashes) <= 2, f"{len(crashes)} crashes for one poison job"
    assert error_codes(platform.job("poison").answer)[:1] == ["job_poisoned"]
    for kind in ("before", "after"):
        for number in range(20):
            assert platform.job(f"{kind}{number}").answer == {"output": number}


def test_P9_a_job_that_two_kills_hit_is_answered(make_platform, start, tmp_path):
    """As the kernel does when memory runs out: no last word. The third delivery names the job, and its neighbour is answered."""
    platform = make_platform(missed_pings=1, ping_interval_s=1)
    platform.submit(mock("greedy", delay=60))
    for turn in range(2):
        worker = start("mock_worker", platform, spool=tmp_path / "spool", MAX_CONCURRENCY="2")
        assert platform.wait(lambda: len(platform.job("greedy").deliveries) > turn, 20)
        time.sleep(0.3)
        worker.kill()
    platform.submit(mock("neighbour", result=1))
    start("mock_worker", platform, spool=tmp_path / "spool", MAX_CONCURRENCY="2")
    assert error_codes(platform.wait_answer("greedy", 20))[:1] == ["job_poisoned"]
    assert platform.wait_answer("neighbour") == {"output": 1}
