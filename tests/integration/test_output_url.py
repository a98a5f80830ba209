"""A job's results at the place that it names (`output.url`): what arrives there, and what becomes of a place that does not take them. Row U13, P18."""

import gzip
import hashlib
import json
import socket
import subprocess
import sys

import pytest

import jobs
from file_host import Host, Silent, in_turn, send, status, redirect
from support import BUILD, COMMANDS, LABELS, MODEL, MODEL_CACHE, ROOT, TEXTS, assert_failed, missing, result_codes

PRIVATE = {"RUNPOD_ALLOW_PRIVATE_DOWNLOAD_URLS": "true"}
SECRET = "CANARY-77aa"
PATIENCE_S = 60

pytestmark = pytest.mark.skipif(missing("docket") is not None, reason=str(missing("docket")))


class Place:
    """Takes what is put there; `kept` maps a path to (headers, bytes) of the last time."""

    def __init__(self):
        self.kept, self.puts = {}, []
        self.host = Host()

    def take(self, answer=None):
        def handle(handler):
            length = int(handler.headers["Content-Length"])
            body = handler.rfile.read(length)
            path = handler.path.partition("?")[0]
            self.puts.append((handler.command, handler.path))
            if answer:
                answer(handler)
            else:
                self.kept[path] = (dict(handler.headers), body)
                send(handler, 200, b"x" * 200000)  # what is said back is of no interest
        return handle


@pytest.fixture
def place():
    made = Place()
    yield made
    made.host.close()


def ask(platform, output, documents=None, job_id="u", **changes):
    documents = documents or [{"id": f"d{number}", "text": text} for number, text in enumerate(TEXTS[:3])] + [{"id": "bad", "content_base64": "@"}]
    platform.submit({"id": job_id, "input": {"labels": LABELS, "documents": documents, "output": output, **changes}})
    return platform.wait_answer(job_id, PATIENCE_S * jobs.PATIENCE)


def test_results_arrive_there_line_by_line_packed_as_wanted_and_in_the_answer_too(make_platform, start, place, tmp_path):
    platform = make_platform()
    worker = start("docket", platform, **PRIVATE)
    for packing, unpack in (("none", lambda body: body), ("gzip", gzip.decompress), ("zstd", None), (None, lambda body: body)):
        name = packing or "plain"
        place.host.files[f"/bucket/{name}.jsonl"] = place.take()
        url = f"{place.host.url}/bucket/{name}.jsonl"
        output = ask(platform, {"url": f"{url}?X-Signature={SECRET}#part", "format": "jsonl", **({"compression": packing} if packing else {})},
                     job_id=name)["output"]
        headers, body = place.kept[f"/bucket/{name}.jsonl"]
        assert headers.get("Content-Encoding") == {"gzip": "gzip", "zstd": "zstd"}.get(packing)
        assert output["results_url"] == url and output["results_count"] == 4 and "warnings" not in output
        assert output["results_bytes"] == len(body) and output["results_sha256"] == hashlib.sha256(body).hexdigest()
        if unpack is None:
            (tmp_path / "x.jsonl.zst").write_bytes(body)
            said = subprocess.run([str(BUILD / "docket"), "extract", "--json", "x.jsonl.zst"], cwd=tmp_path, capture_output=True, timeout=60, check=True)
            lines = json.loads(said.stdout)["text"]
        else:
            lines = unpack(body).decode("utf-8")
        there = [json.loads(line) for line in lines.splitlines()]
        assert there == output["results"] and result_codes({"output": {**output, "results": there}}) == ["ok", "ok", "ok", "content_base64_invalid"]
    assert all(command == "PUT" and SECRET in path for command, path in place.puts)
    assert worker.stop() == 0
    assert SECRET not in worker.text()


def test_results_of_more_than_8_MB_are_there_alone(make_platform, start, place):
    platform = make_platform()
    start("docket", platform, **PRIVATE)
    place.host.files["/big"] = place.take()
    long = "The committee met and decided nothing of note. " * 66000
    documents = [{"id": f"d{number}", "text": long} for number in range(3)]
    output = ask(platform, {"url": f"{place.host.url}/big"}, documents, options={"return_text": True, "max_document_tokens": 16})["output"]
    assert output["results"] == [] and output["results_count"] == 3 and output["summary"]["ok"] == 3
    there = [json.loads(line) for line in place.kept["/big"][1].splitlines()]
    assert [result["id"] for result in there] == ["d0", "d1", "d2"] and all(len(result["text"]) > 3e6 for result in there)


def test_a_place_that_does_not_take_them_loses_no_result(make_platform, start, place):
    """Its answer is a warning; the results are in the job's answer. Redirects are refused: nobody named the place that they lead to."""
    platform = make_platform()
    start("docket", platform, **PRIVATE)
    elsewhere = Silent()
    closed = socket.socket()
    closed.bind(("127.0.0.1", 0))
    cases = {
        "/forbidden": (place.take(status(403)), "fetch_forbidden"),
        "/moved": (place.take(redirect(f"http://127.0.0.1:{elsewhere.port}/x", 307)), "url_redirect_refused"),
        "/broken": (place.take(status(500)), "fetch_server_error"),
        "/shaky": (in_turn(place.take(status(503)), place.take()), None),
        "/early": (lambda handler: (send(handler, 413), setattr(handler, "close_connection", True)), "fetch_"),
    }
    place.host.files = {path: answer for path, (answer, _) in cases.items()}
    for path, (_, code) in cases.items():
        output = ask(platform, {"url": f"{place.host.url}{path}?{SECRET}"}, job_id=path[1:])["output"]
        assert [result["status"] for result in output["results"]] == ["ok", "ok", "ok", "error"]
        if code:
            (warning,) = output["warnings"]
            assert warning.startswith(f"output_failed: {code}") and SECRET not in warning and "results_url" not in output
        else:
            assert output["results_url"] == f"{place.host.url}{path}"
    assert len([path for _, path in place.puts if path.startswith("/broken")]) == 3
    output = ask(platform, {"url": f"http://127.0.0.1:{closed.getsockname()[1]}/"}, job_id="closed")["output"]
    assert output["warnings"][0].startswith("output_failed: ") and "fetch_connect_failed" in output["warnings"][0]
    closed.close()
    elsewhere.close()  # asserts that nobody came


@pytest.mark.parametrize("room", ["short form", "nothing"])
def test_U13_results_that_neither_place_nor_answer_take_are_kept_in_the_spool(room, make_platform, start, place, tmp_path):
    """The answer says where; the file outlives the worker, and a later one leaves it."""
    platform = make_platform()
    spool = tmp_path / "spool"
    limits = {"MAX_RESULT_BYTES": "65536", "SPOOL_DIR": str(spool), "RUNPOD_POD_ID": "w"}
    worker = start("docket", platform, **PRIVATE, **limits)
    place.host.files["/x"] = place.take(status(403))
    count = 80 if room == "short form" else 900
    documents = [{"id": f"d{number}", "text": f"Total due: {number} EUR"} for number in range(count)]
    output = ask(platform, {"url": f"{place.host.url}/x?{SECRET}", "compression": "gzip"}, documents)["output"]
    failed, kept = [warning for warning in output["warnings"] if not warning.startswith("result_compacted")]
    assert failed.startswith("output_failed: fetch_forbidden") and kept.startswith(f"results_kept: the worker keeps all {count} results")
    assert len(output["results"]) == (count if room == "short form" else 0) and output["summary"]["ok"] == count
    assert worker.stop() == 0
    start("docket", platform, **PRIVATE, **limits)
    name = kept.split(" as ")[1].split(" of its")[0]
    (file,) = spool.glob(f"*/{name}")
    assert file.stat().st_mode & 0o777 == 0o600 and file.parent.name == "undelivered"
    there = [json.loads(line) for line in gzip.decompress(file.read_bytes()).splitlines()]
    assert [result["id"] for result in there] == [document["id"] for document in documents]
    assert all(result["scores"] and result["document"]["sha256"] for result in there)
    (said,) = worker.log("results_kept")
    assert said["file"] == name and said["bytes"] == file.stat().st_size and SECRET not in worker.text()


def test_U13_a_place_that_is_never_public_is_refused_before_any_work(make_platform, start):
    """P18: no connection goes to this machine without leave; what spelling alone shows is the job's mistake."""
    silent = Silent()
    platform = make_platform()
    start("docket", platform)
    for number, (url, code) in enumerate({
            f"http://127.0.0.1:{silent.port}/x": "url_address_blocked", f"http://2130706433:{silent.port}/x": "url_address_blocked",
            f"http://localhost:{silent.port}/x": "url_address_blocked", "ftp://files.example/x": "url_scheme_not_allowed",
            "file:///etc/hostname": "url_scheme_not_allowed", "https://user:word@files.example/": "url_invalid", "": "url_invalid"}.items()):
        answer = ask(platform, {"url": url}, job_id=f"j{number}")
        assert_failed(answer, "job_field_invalid")
        assert "output.url" in answer["error"] and code in answer["error"], answer
    silent.close()


@pytest.mark.parametrize("name", ["private.test", "mixed.test", "rebinds.test", "alias.test", "families.test", "metadata.test"])
def test_U13_names_that_lead_to_a_private_address_get_no_byte(name, tmp_path):
    wanted = {"labels": LABELS, "documents": [{"text": TEXTS[0]}, {"url": "http://rebinds.test:8080/a"}], "output": {"url": f"http://{name}:8080/x"}}
    done = subprocess.run([sys.executable, str(ROOT / "tests/integration/public_net.py"), json.dumps(wanted), *COMMANDS["docket"], "--model", MODEL,
                           "--hub-cache", str(MODEL_CACHE)], capture_output=True, text=True, timeout=300, cwd=tmp_path,
                          env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "TMPDIR": str(tmp_path)})
    if done.returncode == 77:
        pytest.skip(f"no network namespace here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    world = json.loads(done.stdout)
    assert world["result"] and world["visited"] == [], world
    assert world["result"]["output"]["warnings"][0].startswith("output_failed: url_address_blocked: "), world["result"]["output"]["warnings"]
    assert world["result"]["output"]["results"][0]["status"] == "ok"
