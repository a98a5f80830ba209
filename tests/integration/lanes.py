"""Several pytest processes side by side: most of these tests wait for a clock, so two cores can carry six of them.

Which test runs in which lane is fixed; every test has its own queue, workers and folders, so lanes do not touch. Tests marked `quiet`
measure the machine: they run alone, after all lanes. LANES=0 runs everything in one process, as do runs of a few tests.
"""

import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

import pytest

from support import end_with_us

LANE = os.environ.get("INTEGRATION_LANE")               # in a lane: the file with its test ids; reports go beside it
FEW = 24
# Seconds of whole files on two idle cores, for an even spread; `test_zz_last.py` has a lane of its own.
WEIGHTS = {"test_promises_crash.py": 170, "test_protocol_take.py": 85, "test_rows_queue.py": 90, "test_protocol_results.py": 70,
           "test_protocol_heartbeat.py": 50, "test_promises_service.py": 45, "test_rows_job.py": 45, "test_protocol_loop.py": 45,
           "test_rows_config.py": 30}


def few(config, items):
    return (os.environ.get("LANES") == "0" or len(items) < FEW or config.option.collectonly or config.option.usepdb
            or config.option.maxfail or config.option.capture == "no")


def lane_of_this_process(items):
    """In a lane: the items that belong to it."""
    wanted = set(pathlib.Path(LANE).read_text(encoding="utf-8").split("\n"))
    return [item for item in items if item.nodeid in wanted]


def write_report(config, report):
    with open(f"{LANE}.reports", "a", encoding="utf-8") as out:
        out.write(json.dumps(config.hook.pytest_report_to_serializable(config=config, report=report)) + "\n")


def spread(items, n_lanes):
    """Files to lanes, heaviest first, each to the lane that has least."""
    files = {}
    for item in items:
        files.setdefault(item.path.name, []).append(item)
    lanes = [[0.0, []] for _ in range(n_lanes)]
    for name in sorted(files, key=lambda name: (-WEIGHTS.get(name, 5), name)):
        lane = min(lanes, key=lambda lane: lane[0])
        lane[0] += WEIGHTS.get(name, 5)
        lane[1] += files[name]
    return [lane[1] for lane in lanes if lane[1]]


class Lane:
    def __init__(self, config, items, folder, name):
        self.items = {item.nodeid: item for item in items}
        self.finished = set()
        self.file = folder / name
        self.file.write_text("\n".join(self.items), encoding="utf-8")
        self.output = open(folder / f"{name}.output", "w+b")
        self.read = 0
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(config.rootpath)]
        command += ["-c", str(config.inipath)] if config.inipath else []
        self.process = subprocess.Popen([*command, str(pathlib.Path(__file__).parent)], stdout=self.output, stderr=subprocess.STDOUT,
                                        env={**os.environ, "INTEGRATION_LANE": str(self.file)}, cwd=config.invocation_params.dir,
                                        preexec_fn=end_with_us(signal.SIGTERM))

    def reports(self, config):
        path = pathlib.Path(f"{self.file}.reports")
        if not path.exists():
            return
        with open(path, "rb") as lines:
            lines.seek(self.read)
            for line in lines:
                if not line.endswith(b"\n"):
                    return
                self.read += len(line)
                report = config.hook.pytest_report_from_serializable(config=config, data=json.loads(line))
                if isinstance(report.longrepr, list):
                    report.longrepr = tuple(report.longrepr)        # why it was skipped: JSON knows no tuples
                yield report

    def text(self):
        self.output.seek(0)
        return self.output.read().decode("utf-8", "replace")


def _say(config, lane, report):
    item = lane.items[report.nodeid]
    if report.when == "setup":
        config.hook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    config.hook.pytest_runtest_logreport(report=report)
    if report.when == "teardown":
        lane.finished.add(item.nodeid)
        config.hook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)


def run(session):
    """The whole loop of the first process."""
    config = session.config
    quiet = [item for item in session.items if item.get_closest_marker("quiet")]
    last = [item for item in session.items if item.path.name == "test_zz_last.py"]
    others = [item for item in session.items if item not in quiet and item not in last]
    with tempfile.TemporaryDirectory(prefix="lanes-") as scratch:
        folder = pathlib.Path(scratch)
        groups = spread(others, int(os.environ.get("LANES", "5")))
        lanes = [Lane(config, items, folder, f"lane{number}") for number, items in enumerate(groups)]
        slow = [Lane(config, last, folder, "last")] if last else []
        try:
            _follow(config, lanes, lanes + slow)
            for number, item in enumerate(quiet):
                following = quiet[number + 1] if number + 1 < len(quiet) else None
                item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            _follow(config, slow, slow)
        finally:
            for lane in lanes + slow:
                lane.process.terminate()
            for lane in lanes + slow:
                try:
                    lane.process.wait(20)
                except subprocess.TimeoutExpired:
                    lane.process.kill()
                lane.output.close()
    return True


def _follow(config, until_these, lanes):
    """Hands on what the lanes report, until some of them have ended."""
    while True:
        ended = all(lane.process.poll() is not None for lane in until_these)
        for lane in lanes:
            for report in lane.reports(config):
                _say(config, lane, report)
        if ended:
            break
        time.sleep(0.1)
    for lane in until_these:
        for nodeid in lane.items.keys() - lane.finished:
            report = pytest.TestReport(nodeid, lane.items[nodeid].location, {}, "failed",
                                       f"its lane ended with {lane.process.returncode}\n{lane.text()[-3000:]}", "call")
            config.hook.pytest_runtest_logreport(report=report)
