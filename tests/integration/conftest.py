"""Fixtures: a queue, workers, and what must hold after every test whatever it did."""

import pathlib
import signal
import sys

import pytest

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parent), str(pathlib.Path(__file__).resolve().parents[1] / "orchestrator")]

import lanes                                    # noqa: E402
import support                                  # noqa: E402
from answer_check import check_answer           # noqa: E402
from certificates import Certificates           # noqa: E402
from faults import TAKES, Fault                 # noqa: E402
from orchestrator import Orchestrator           # noqa: E402


pytest_config = []


def pytest_report_header():
    lines = [f"seed: {support.SEED} (SEED=n for another), soak: {'yes' if support.SOAK else 'no'}"]
    lines += [f"{kind}: {support.missing(kind) or ' '.join(support.COMMANDS[kind])}" for kind in support.COMMANDS]
    return lines


def _end_early(*_):
    raise KeyboardInterrupt             # an end by a time limit still ends what the fixtures started


def pytest_configure(config):
    pytest_config.append(config)
    signal.signal(signal.SIGTERM, _end_early)
    for line in ("sdk: needs the reference SDK", "quiet: measures the machine, so it runs alone",
                 "soak: has a long form with SOAK=1", "only_soak: runs only with SOAK=1"):
        config.addinivalue_line("markers", line)


def pytest_collection_modifyitems(config, items):
    """Cases of the reference SDK run only where one is (make oracle), and what takes minutes only with SOAK=1; neither counts as
    skipped elsewhere."""
    def not_here(item):
        sdk = item.get_closest_marker("sdk") or "sdk" in getattr(getattr(item, "callspec", None), "params", {}).values()
        return (sdk and not support.SDK_PYTHON) or (item.get_closest_marker("only_soak") and not support.SOAK)

    config.hook.pytest_deselected(items=[item for item in items if not_here(item)])
    items[:] = [item for item in items if not not_here(item)]
    if lanes.LANE:
        items[:] = lanes.lane_of_this_process(items)


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session):
    if lanes.LANE or lanes.few(session.config, session.items):
        return None
    return lanes.run(session)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_logreport(report):
    if lanes.LANE:
        lanes.write_report(pytest_config[0], report)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        for worker in getattr(item, "workers", []):
            report.sections.append((f"{worker.kind} {worker.variables.get('RUNPOD_POD_ID')}", worker.tail(25)))
        for platform in getattr(item, "platforms", []):
            report.sections.append(("queue", "\n".join(platform.tail(20))))


@pytest.fixture(scope="session")
def certificates():
    made = Certificates()
    yield made
    made.close()


def _platforms(certificates, item):
    item.platforms = []

    def make(*faults, rules=True, **options):
        options.setdefault("hold_s", 0.4)
        options.setdefault("stop_hold_s", 1.0)
        options.setdefault("seed", support.SEED)
        platform = Orchestrator(faults=faults, certificates=certificates, **options).start()
        platform.rules = rules
        item.platforms.append(platform)
        return platform

    return make


def _end_platforms(item):
    try:
        for platform in item.platforms:
            if platform.rules:
                platform.assert_rules()
    finally:
        for platform in item.platforms:
            platform.close()


@pytest.fixture
def make_platform(certificates, request):
    """make_platform(*faults, rules=False, **options) -> Orchestrator. With `rules` no worker may have broken one."""
    yield _platforms(certificates, request.node)
    _end_platforms(request.node)


def _workers(folder, item):
    item.workers = []

    def start(kind, platform=None, worker_id="worker-1", listener="main", spool=None, command=None, stdout=None, judged=True,
              options=None, **variables):
        reason = support.missing(kind)
        if reason:
            pytest.skip(reason)
        environment = {**platform.environment(worker_id, listener), **variables} if platform else variables
        own = folder / f"{worker_id}.{len(item.workers)}"
        worker = support.Worker(kind, environment, own, spool or folder / "spool", command, stdout, **(options or {}))
        worker.judged, worker.platform = judged, platform
        item.workers.append(worker)
        return worker

    return start


def _end_workers(item):
    """Nothing outlives its test; then the promises that hold for all of them."""
    for worker in item.workers:
        worker.kill()
    for worker in item.workers:
        if worker.judged and worker.kind != "sdk":
            worker.assert_log_lines()
            key = worker.variables.get("RUNPOD_AI_API_KEY", "")
            assert not (len(key) > 8 and key in worker.text()), "the key stands in the log"
            assert "ERROR: AddressSanitizer" not in worker.text() and "runtime error:" not in worker.text(), worker.tail(40)
    for platform in {id(worker.platform): worker.platform for worker in item.workers
                     if worker.judged and worker.kind == "docket" and worker.platform is not None}.values():
        for job in platform.queue.jobs.values():
            for body in {post.raw: post.body for post in job.finals}.values():
                check_answer(body)


@pytest.fixture
def start(tmp_path, request):
    """start(kind, platform, worker_id, ..., NAME=value) -> Worker. judged=False: its log is meant to be odd."""
    yield _workers(tmp_path, request.node)
    _end_workers(request.node)


@pytest.fixture(scope="module")
def shared(certificates, tmp_path_factory, request):
    """For tables of jobs: one queue and one docket for a whole module, shared["platform"] and shared["worker"]."""
    reason = support.missing("docket")
    if reason:
        pytest.skip(reason)

    class Item:
        pass

    item = Item()
    platform = _platforms(certificates, item)(hold_s=0.4)
    worker = _workers(tmp_path_factory.mktemp("shared"), item)("docket", platform, **getattr(request.module, "SHARED_VARIABLES", {}))
    yield {"platform": platform, "worker": worker}
    try:
        _end_workers(item)
    finally:
        _end_platforms(item)


@pytest.fixture(scope="session")
def refused_for_long(certificates, tmp_path_factory):
    """A worker whose key is refused from the first test of the session on; test_zz_last.py looks at its end."""
    if support.missing("docket"):
        pytest.skip(support.missing("docket"))
    platform = Orchestrator(faults=[Fault(TAKES, status=401)], certificates=certificates, hold_s=1).start()
    worker = support.Worker("docket", {**platform.environment("refused"), "LOAD": "lazy"}, tmp_path_factory.mktemp("refused"),
                            tmp_path_factory.mktemp("refused-spool"))
    yield platform, worker
    worker.kill()
    platform.close()


@pytest.fixture(scope="session", autouse=True)
def _long_ones_begin_first(request):
    if any("refused_for_long" in getattr(item, "fixturenames", ()) for item in request.session.items) and \
            not support.missing("docket"):
        request.getfixturevalue("refused_for_long")
