"""The list of deliberate differences is complete and holds nothing stale; with the SDK at hand, requests are compared one by one."""

import json
import pathlib
import re

import pytest

import support
from protocol import DIFFERENCES, HEADER_DIFFERENCES, mock

HERE = pathlib.Path(__file__).parent


def test_every_difference_is_tested_and_has_a_reason():
    used = set()
    for path in HERE.glob("test_protocol_*.py"):
        used |= set(re.findall(r'differs\(kind, "([\w-]+)"\)', path.read_text(encoding="utf-8")))
    assert used == set(DIFFERENCES)
    for name, entry in DIFFERENCES.items():
        assert set(entry) == {"sdk", "docket", "reason"} and all(entry.values()), name


def _record(make_platform, start, kind):
    """One scenario: two plain jobs, one with progress, one that fails; then idle."""
    platform = make_platform(hold_s=0.3)
    platform.submit(mock("j1", result=[1, "é", None, True, {"a": 0.5}]))
    platform.submit(mock("j2", progress={"updates": 1, "wait_time": 1.2}, result="x"))
    platform.submit(mock("j3", error="kaputt"))
    worker = start(kind, platform, RUNPOD_POD_HOSTNAME="h")
    platform.wait_all(30)
    platform.wait_seen(len(platform.seen("take")) + 1, "take")
    platform.wait_seen(len(platform.seen("ping")) + 2, "ping")
    platform.wait_seen(1, "stop")
    worker.kill()
    return platform


@pytest.mark.sdk
def test_requests_equal_the_references(make_platform, start):
    if support.missing("mock_worker"):
        pytest.skip(support.missing("mock_worker"))
    ours, theirs = (_record(make_platform, start, kind) for kind in ("mock_worker", "sdk"))
    pairs = {
        "take": [record.seen("take")[0] for record in (ours, theirs)],
        "take when idle again": [record.seen("take")[-1] for record in (ours, theirs)],
        "stop": [record.seen("stop")[0] for record in (ours, theirs)],
        "ping idle": [[ping for ping in record.seen("ping") if not ping.argument("job_id")][-1] for record in (ours, theirs)],
        "ping busy": [[ping for ping in record.seen("ping") if ping.argument("job_id") == "j2"][0] for record in (ours, theirs)],
        "progress": [record.seen("progress")[0] for record in (ours, theirs)],
        **{f"result {job}": [record.seen("done", job=job)[0] for record in (ours, theirs)] for job in ("j1", "j2", "j3")},
    }
    for name, (mine, reference) in pairs.items():
        assert (mine.method, mine.path, mine.query) == (reference.method, reference.path, reference.query), name
        if name != "result j3":             # its traceback and type are the language's own
            assert (mine.body[:11], mine.body and json.loads(mine.body)) == (reference.body[:11], reference.body and json.loads(reference.body)), name
        headers = [{key.title(): value for key, value in request.headers if key.lower() not in ("host", "content-length")}
                   for request in (mine, reference)]
        for header in sorted(set(headers[0]) | set(headers[1])):
            values = [found.get(header) for found in headers]
            assert values[0] == values[1] or header in {key.title() for key in HEADER_DIFFERENCES}, f"{name}: {header}: {values}"
