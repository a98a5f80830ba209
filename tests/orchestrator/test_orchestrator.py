"""The tool itself: its rules, its faults byte by byte, its speed. Needs no worker."""

import http.client
import json
import pathlib
import socket
import ssl
import subprocess
import sys
import threading
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from certificates import Certificates           # noqa: E402
from faults import TAKES, Fault, from_json      # noqa: E402
from orchestrator import Orchestrator           # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent


class Client:
    """Just enough of a worker."""

    def __init__(self, platform, worker="w1", listener="main"):
        self.platform, self.worker, self.listener = platform, worker, listener
        context = None if platform.plain else ssl.create_default_context(cafile=platform.certificates.ca_file)
        kind = http.client.HTTPConnection if platform.plain else http.client.HTTPSConnection
        options = {} if platform.plain else {"context": context}
        self.connection = kind("127.0.0.1", platform.ports[listener], timeout=10, **options)

    def call(self, method, operation, rest="", body=None, key=None):
        self.connection.request(method, f"/v2/{self.platform.endpoint}/{operation}/{self.worker}{rest}", body=body,
                                headers={"Authorization": key or self.platform.key})
        answer = self.connection.getresponse()
        return answer.status, answer.read()

    def take(self, count=1):
        if count == 1:
            return self.call("GET", "job-take", "?gpu=x&job_in_progress=0")
        return self.call("GET", "job-take-batch", f"?gpu=x&batch_size={count}&job_in_progress=0")

    def ping(self, *ids):
        return self.call("GET", "ping", f"?job_id={'%2C'.join(ids)}" if ids else "")

    def done(self, job_id, body):
        return self.call("POST", "job-done", f"/{job_id}?gpu=x&isStream=false",
                         body=body if isinstance(body, (bytes, str)) else json.dumps(body))

    def stop(self):
        return self.call("GET", "job-stop", "?gpu=x")


@pytest.fixture(params=["https", "http"])
def platform(request):
    with Orchestrator(hold_s=0.2, stop_hold_s=0.2, ping_interval_s=0.1, plain=request.param == "http") as made:
        yield made


@pytest.fixture
def client(platform):
    return Client(platform)


def test_a_job_is_handed_out_once_and_its_first_answer_counts(platform, client):
    platform.submit({"id": "a", "input": 1})
    assert client.take() == (200, b'{"id": "a", "input": 1}')
    assert client.take()[0] == 204
    assert client.done("a", {"status": "IN_PROGRESS", "output": 50})[0] == 200
    assert client.done("a", {"output": "first"})[0] == 200
    assert client.done("a", {"output": "second"})[0] == 200
    job = platform.job("a")
    assert (job.state, job.answer, [post.taken_as for post in job.posts]) == (
        "COMPLETED", {"output": "first"}, ["progress", "answer", "repeat"])
    platform.assert_rules()


def test_an_error_must_be_a_string_to_fail_a_job(platform, client):
    for job_id, error, state in (("s", "boom", "FAILED"), ("o", {"a": 1}, "COMPLETED"), ("e", "", "COMPLETED")):
        platform.submit({"id": job_id, "input": 1})
        client.take()
        client.done(job_id, {"error": error})
        assert platform.job(job_id).state == state


def test_batches_are_arrays_of_at_most_the_number_asked_for(platform, client):
    for number in range(5):
        platform.submit({"id": str(number), "input": number})
    assert [job["id"] for job in json.loads(client.take(3)[1])] == ["0", "1", "2"]
    assert [job["id"] for job in json.loads(client.take(3)[1])] == ["3", "4"]


def test_an_empty_take_is_held_and_answered_when_a_job_comes(platform, client):
    started = time.monotonic()
    assert client.take()[0] == 204
    assert time.monotonic() - started >= 0.2
    platform.hold_s = 5
    threading.Timer(0.2, lambda: platform.submit({"id": "late", "input": 1})).start()
    assert client.take()[0] == 200


def test_a_worker_that_stops_pinging_loses_its_jobs_with_the_same_id(platform, client):
    platform.submit({"id": "a", "input": 1})
    client.ping()
    client.take()
    client.ping("a")
    assert platform.wait(lambda: platform.job("a").state == "IN_QUEUE", 3)
    assert platform.job("a").retries == 1
    assert json.loads(Client(platform, "w2").take()[1])["id"] == "a"


def test_a_job_that_its_worker_does_not_name_goes_back(platform, client):
    platform.submit({"id": "a", "input": 1})
    client.take()
    for _ in range(8):
        client.ping("something-else")
        time.sleep(0.05)
    assert platform.wait(lambda: platform.job("a").retries == 1, 1)


def test_cancel_and_timeout_reach_the_stop_channel_and_late_results_are_ignored(platform, client):
    platform.submit({"id": "a", "input": 1})
    platform.submit({"id": "b", "input": 1}, execution_timeout_s=0.1)
    platform.submit({"id": "c", "input": 1}, ttl_s=0.1)
    client.take(3)
    platform.cancel("a")
    assert json.loads(client.stop()[1])["jobsToStop"][0] == "a"
    assert platform.wait(lambda: platform.job("b").state == "TIMED_OUT" and platform.job("c").state == "EXPIRED", 2)
    assert client.done("a", {"output": 1})[0] == 200
    assert client.done("b", {"output": 1})[0] == 200
    assert client.done("c", {"output": 1})[0] == 404
    assert platform.job("a").answer is None


def test_the_wrong_key_invalid_json_and_large_bodies_are_refused(platform, client):
    platform.submit({"id": "a", "input": 1})
    assert client.call("GET", "job-take", key="wrong")[0] == 401
    client.take()
    assert client.done("a", "{not json")[0] == 400
    assert client.done("a", '{"output": NaN}')[0] == 400
    platform.max_result_bytes = 10
    assert client.done("a", {"output": "too long for it"})[0] == 400
    assert len(platform.queue.violations) == 3


def test_faults_count_the_requests_that_match_them(platform, client):
    platform.faults.add(Fault(TAKES, nth=2, status=500), Fault("ping", times=1, status=503, headers=(("Retry-After", "7"),)))
    assert [client.take()[0] for _ in range(3)] == [204, 500, 204]
    assert [client.ping()[0] for _ in range(2)] == [503, 200]


RAW_CASES = {
    "empty": (Fault("take", status=200, body=b""), b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 0\r\n\r\n"),
    "null": (Fault("take", body="null"), b"Content-Length: 4\r\n\r\nnull"),
    "html": (Fault("take", body="<p>", content_type="text/html"), b"Content-Type: text/html\r\nContent-Length: 3\r\n\r\n<p>"),
    "lying_length": (Fault("take", body="{}", content_length=9), b"Content-Length: 9\r\n\r\n{}"),
    "cut": (Fault("take", body='{"id": 1}', cut_after=3), b'Content-Length: 9\r\n\r\n{"i'),
    "chunked_and_cut": (Fault("take", body="abcdef", chunked=True, cut_after=2), b"Transfer-Encoding: chunked\r\n\r\n6\r\nab"),
    "http_0_9": (Fault("take", raw=b"<html>hello"), b"<html>hello"),
    "dropped": (Fault("take", drop="after-read"), b""),
    "status_line_cut": (Fault("take", drop="after-status"), b"HTTP/1.1 200 "),
    "redirect": (Fault("take", status=307, headers=(("Location", "/x"),)), b"HTTP/1.1 307 Temporary Redirect"),
}


@pytest.mark.parametrize("name", RAW_CASES)
def test_the_bytes_of_a_fault(name):
    fault, wanted = RAW_CASES[name]
    with Orchestrator(hold_s=0.1, plain=True, faults=[fault]) as platform:
        with socket.create_connection(("127.0.0.1", platform.ports["main"]), timeout=5) as raw:
            raw.sendall(f"GET /v2/e/job-take/w HTTP/1.1\r\nAuthorization: {platform.key}\r\nConnection: close\r\n\r\n".encode())
            received = b""
            while piece := raw.recv(65536):
                received += piece
    assert wanted in received if wanted else received == b""


@pytest.mark.parametrize("kind", ["continue", "early-hints", "headers", "big-header", "big-status", "body", "gzip", "stall"])
def test_a_flood_ends_when_the_peer_leaves(kind):
    with Orchestrator(plain=True, faults=[Fault("take", flood=kind)]) as platform:
        with socket.create_connection(("127.0.0.1", platform.ports["main"]), timeout=5) as raw:
            raw.sendall(b"GET /v2/e/job-take/w HTTP/1.1\r\n\r\n")
            assert raw.recv(64)
        assert platform.seen("take")


def test_a_lost_answer_may_have_been_applied(platform, client):
    platform.submit({"id": "a", "input": 1})
    client.take()
    platform.faults.add(Fault("done", applies=True, drop="after-read", times=1))
    with pytest.raises((http.client.RemoteDisconnected, ConnectionError, ssl.SSLError)):
        client.done("a", {"output": 1})
    assert platform.job("a").answer == {"output": 1}


def test_raw_jobs_go_out_as_they_are_and_are_tracked(platform, client):
    platform.queue.submit_raw(b'{"id": "a", "id": "b"}', "a")
    platform.queue.submit_raw(b"\xff")
    assert client.take() == (200, b'{"id": "a", "id": "b"}')
    assert client.take(2) == (200, b"[\xff]")
    assert client.done("a", {"output": 1})[0] == 200


def test_elements_surplus_and_duplicates(platform, client):
    platform.faults.add(Fault("take-batch", nth=1, elements=[None, 3, {"input": 1}]), Fault("take-batch", nth=2, surplus=2),
                        Fault("take-batch", duplicate=True))
    for number in range(6):
        platform.submit({"id": str(number), "input": 0})
    assert client.take(2)[1] == b'[null, 3, {"input": 1}]'
    assert len(json.loads(client.take(2)[1])) == 4
    assert [job["id"] for job in json.loads(client.take(2)[1])] == ["4", "4", "5", "5"]


@pytest.mark.parametrize("leaf", ["wrong_host", "expired", "not_yet_valid", "unknown_ca"])
def test_bad_certificates_are_bad(leaf):
    with Orchestrator() as platform:
        platform.add_listener("bad", leaf=leaf)
        with pytest.raises(ssl.SSLCertVerificationError):
            Client(platform, listener="bad").ping()
        assert Client(platform).ping()[0] == 200


def test_a_listener_can_close_and_come_back():
    with Orchestrator(plain=True) as platform:
        port = platform.close_listener()
        with pytest.raises(ConnectionError):
            Client(platform).ping()
        platform.add_listener("main", port=port)
        assert Client(platform).ping()[0] == 200


def test_certificates_leave_nothing_behind():
    made = Certificates()
    made.close()
    assert not made.folder.exists()


def test_a_misspelt_fault_is_named():
    with pytest.raises(ValueError, match="statsu"):
        from_json({"op": "take", "statsu": 500})


def test_a_thousand_jobs_pass_quickly():
    """The limit that counts is 500 requests a second; measured rates are twenty times that."""
    with Orchestrator(hold_s=0.1) as platform:
        for number in range(1000):
            platform.submit({"id": str(number), "input": number})
        client = Client(platform)
        started = time.monotonic()
        while True:
            status, body = client.take()
            if status == 204:
                break
            client.done(json.loads(body)["id"], {"output": None})
        rate = len(platform.requests) / (time.monotonic() - started)
        platform.assert_answered(allow_repeats=False)
        assert rate > 500, f"{rate:.0f} requests a second"


def test_the_program_prints_one_line_of_variables_and_a_table(tmp_path):
    jobs = tmp_path / "jobs.jsonl"
    jobs.write_text('{"id": "a", "input": 1}\n\n{"id": "b", "input": 2, "queue": {"delay_s": 0.1}}\n')
    worker = tmp_path / "worker.py"
    worker.write_text(f"""
import json, os, sys, types
sys.path.insert(0, {str(HERE)!r})
from test_orchestrator import Client
from urllib.parse import urlsplit
url = urlsplit(os.environ["RUNPOD_WEBHOOK_GET_JOB"])
client = Client(types.SimpleNamespace(plain=True, ports={{"main": url.port}}, endpoint="test-endpoint",
                                      key=os.environ["RUNPOD_AI_API_KEY"]))
while True:
    status, body = client.take()
    if status == 200:
        client.done(json.loads(body)["id"], {{"output": "fine"}})
""")
    done = subprocess.run([sys.executable, str(HERE / "orchestrator.py"), "--http", "--jobs", str(jobs), "--deadline", "20",
                           "--results", str(tmp_path / "out"), "--", sys.executable, str(worker)],
                          capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    first, table = done.stdout.split("\n", 1)
    assert json.loads(first)["RUNPOD_POD_ID"] == "worker-1"
    assert table.count("COMPLETED") == 2
    assert [json.loads(line)["answer"] for line in (tmp_path / "out").read_text().splitlines()] == [{"output": "fine"}] * 2
