"""Rows U1 to U15: documents from URLs. The real worker, and hosts on this machine that do everything wrong."""

import gzip
import json
import pathlib
import socket
import subprocess
import sys
import threading

import pytest

import jobs
from file_host import Host, Silent, after, cut, drip, endless, in_turn, redirect, status, wait_until
from support import COMMANDS, LABELS, MODEL, MODEL_CACHE, ROOT, SANITIZED, TEXTS, assert_failed, classify_input, result_codes, same_essence, essence

PRIVATE = {"RUNPOD_ALLOW_PRIVATE_DOWNLOAD_URLS": "true", "FETCH_SLOW_SECONDS": "1", "FETCH_SECONDS": "60"}
SECRET = "CANARY-5d1f"
PATIENCE_S = 60


@pytest.fixture
def host():
    made = Host()
    yield made
    made.close()


def ask(platform, documents, job_id="u", **changes):
    source = {"documents_url": documents} if isinstance(documents, str) else {"documents": documents}
    platform.submit({"id": job_id, "input": {"labels": LABELS, **source, **changes}})
    return platform.wait_answer(job_id, PATIENCE_S * jobs.PATIENCE)


def test_whatever_a_host_does_has_its_code_and_harms_no_other(make_platform, start, host):
    """U4 to U11: one job, and every document in it is a fault of its own."""
    good = TEXTS[0]
    cases = {
        "/good.txt": (good, "ok"),
        "/empty": ("", "document_empty"),
        "/missing": (status(404), "fetch_not_found"),
        "/gone": (status(410), "fetch_not_found"),
        "/expired": (status(403), "fetch_forbidden"),
        "/broken": (status(500), "fetch_server_error"),
        "/gateway": (in_turn(status(502), status(503), good), "ok"),
        "/limited": (in_turn(status(429, Retry_After="1"), good), "ok"),
        "/limited_for_hours": (status(429, Retry_After="290"), "fetch_rate_limited"),
        "/cut": (cut(b"only this", 4000), "fetch_truncated"),
        "/cut_once": (in_turn(cut(b"only this", 4000), good), "ok"),
        "/endless": (endless, "fetch_too_large"),
        "/drip": (drip(host), "fetch_too_slow"),
        "/moved": (redirect("/good.txt"), "ok"),
        "/moved_far": (redirect(f"{host.url}/moved?{SECRET}", 307), "ok"),
        "/circle": (redirect("/circle"), "url_redirect_refused"),
        "/to_file": (redirect("file:///etc/hostname"), "url_redirect_refused"),
        "/nowhere": (status(302), "url_redirect_refused"),
        "/packed": (lambda handler: _packed(handler, good), "ok"),
    }
    host.files = {path: answer for path, (answer, _) in cases.items()}
    documents = [{"id": path, "url": f"{host.url}{path}?X-Signature={SECRET}"} for path in cases]
    documents += [{"id": "no_one", "url": f"http://127.0.0.1:{_free_port()}/?{SECRET}"},
                  {"id": "scheme", "url": f"ftp://127.0.0.1/?{SECRET}"}, {"id": "user", "url": f"http://u:{SECRET}@127.0.0.1/"},
                  {"id": "text", "text": good}]
    want = [code for _, code in cases.values()] + ["fetch_connect_failed", "url_scheme_not_allowed", "url_invalid", "ok"]
    platform = make_platform()
    worker = start("docket", platform, LOG_LEVEL="trace", MAX_DOCUMENT_BYTES="1000000", **PRIVATE)
    answer = ask(platform, documents)
    got = result_codes(answer)
    assert dict(zip([document["id"] for document in documents], got)) == dict(zip([document["id"] for document in documents], want))
    assert [result["id"] for result in answer["output"]["results"]] == [document["id"] for document in documents]
    retryable = {result["error"]["code"]: result["error"]["retryable"] for result in answer["output"]["results"]
                 if result["status"] == "error"}
    assert not retryable["fetch_forbidden"] and not retryable["fetch_too_large"] and retryable["fetch_server_error"]
    assert host.asked("/broken") == 3 and host.asked("/missing") == 1 and host.asked("/limited_for_hours") == 1
    assert answer["output"]["results"][0]["document"]["filename"] == "good.txt"
    assert answer["output"]["results"][0]["timing_ms"]["fetch"] > 0
    assert SECRET not in json.dumps(answer) and SECRET not in worker.text()
    assert f"/good.txt?X-Signature={SECRET}" in host.requests          # a signed URL arrives whole


def _packed(handler, text):
    body = gzip.compress(text.encode("utf-8"))
    handler.send_response(200)
    handler.send_header("Content-Encoding", "gzip")
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def _free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def test_without_leave_no_connection_goes_to_this_machine(make_platform, start):
    """P18, U1, U2, U4: listeners on loopback that must stay silent, also when a proxy is named in the environment."""
    v4 = Silent()
    v6 = Silent("::1", socket.AF_INET6) if socket.has_ipv6 and _has_v6_loopback() else None
    hosts = ["127.0.0.1", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "localhost", "localhost.", "a.localhost", "0.0.0.0", "0",
             "[::ffff:127.0.0.1]", "[::127.0.0.1]", "[64:ff9b::7f00:1]", "[::ffff:7f00:1]", socket.gethostname()]
    urls = [f"http://{name}:{v4.port}/{SECRET}" for name in hosts] + [f"https://127.0.0.1:{v4.port}/"]
    urls += [f"http://[::1]:{v6.port}/"] if v6 else []
    platform = make_platform()
    worker = start("docket", platform, http_proxy=f"http://127.0.0.1:{v4.port}", https_proxy=f"http://127.0.0.1:{v4.port}",
                   ALL_PROXY=f"http://127.0.0.1:{v4.port}", NO_PROXY="127.0.0.1,localhost")
    answer = ask(platform, [{"url": url} for url in urls] + [{"text": TEXTS[0]}])
    got = result_codes(answer)
    assert got[-1] == "ok"
    assert set(got[:-1]) <= {"url_address_blocked", "fetch_dns_failed"} and got.count("fetch_dns_failed") <= 1, got
    assert_failed(ask(platform, f"http://127.0.0.1:{v4.port}/list", "list"), "job_field_invalid")
    assert worker.stop() == 0
    v4.close()
    if v6:
        v6.close()


def _has_v6_loopback():
    try:
        with socket.socket(socket.AF_INET6) as one:
            one.bind(("::1", 0))
    except OSError:
        return False
    return True


@pytest.mark.parametrize("leaf,want", [("good", "ok"), ("wrong_host", "fetch_tls_failed"), ("expired", "fetch_tls_failed"),
                                       ("unknown_ca", "fetch_tls_failed")])
def test_certificates_are_checked(make_platform, start, certificates, leaf, want):
    """U12."""
    host = Host({"/a.txt": TEXTS[0]}, certificates.server_context(leaf))
    try:
        platform = make_platform()
        start("docket", platform, **{"SSL_CERT_FILE": certificates.ca_file, **PRIVATE})
        assert result_codes(ask(platform, [{"url": f"{host.url}/a.txt"}, {"text": TEXTS[1]}])) == [want, "ok"]
    finally:
        host.close()


def test_the_first_answers_do_not_wait_for_the_last_documents(make_platform, start, host):
    """Documents that arrive late hold only themselves: those before them are classified, kept and reported meanwhile."""
    arrived = threading.Event()
    host.files = {"/early": TEXTS[0], "/late": after(arrived, TEXTS[1]), "/other": TEXTS[2]}
    platform = make_platform()
    worker = start("docket", platform, **{**PRIVATE, "FETCH_SLOW_SECONDS": "60"})
    platform.submit({"id": "u", "input": {"labels": LABELS, "documents": [{"url": f"{host.url}/{name}"}
                                                                            for name in ("early", "late", "other")]}})
    wait_until(lambda: worker.log("document_done") and host.asked("/other"), PATIENCE_S * jobs.PATIENCE)
    assert len(worker.log("document_done")) == 1
    arrived.set()
    answer = platform.wait_answer("u", PATIENCE_S * jobs.PATIENCE)
    assert result_codes(answer) == ["ok"] * 3
    plain = {"labels": LABELS, "documents": [{"text": text} for text in TEXTS[:3]]}
    platform.submit({"id": "plain", "input": plain})
    assert same_essence(essence(answer), essence(platform.wait_answer("plain", PATIENCE_S)))


def test_a_slow_host_has_eight_places_and_starves_nobody(make_platform, start, host):
    """U14."""
    gate = threading.Event()
    fast = Host({"/f": TEXTS[1]}, address="127.0.0.2")
    try:
        host.files = {"/s": after(gate, TEXTS[0])}
        platform = make_platform()
        start("docket", platform, **{**PRIVATE, "FETCH_SLOW_SECONDS": "60", "MAX_CONCURRENCY": "4"})
        slow = [{"url": f"{host.url}/s"} for _ in range(40)]
        platform.submit({"id": "slow", "input": {"labels": LABELS, "documents": slow + [{"url": f"{fast.url}/f"}]}})
        platform.submit({"id": "slow2", "input": {"labels": LABELS, "documents": slow}})
        wait_until(lambda: host.now >= 8 and fast.asked("/f"), PATIENCE_S * jobs.PATIENCE)
        assert result_codes(ask(platform, [{"url": f"{fast.url}/f"}] * 3, "fast")) == ["ok"] * 3
        gate.set()
        for job_id in ("slow", "slow2"):
            assert set(result_codes(platform.wait_answer(job_id, PATIENCE_S * jobs.PATIENCE))) == {"ok"}
        assert host.most == 8
    finally:
        gate.set()
        fast.close()


def test_a_job_that_is_stopped_leaves_its_downloads(make_platform, start, host):
    gate = threading.Event()
    host.files = {"/s": after(gate, TEXTS[0])}
    platform = make_platform()
    worker = start("docket", platform, **{**PRIVATE, "FETCH_SLOW_SECONDS": "60"})
    platform.submit({"id": "u", "input": {"labels": LABELS, "documents": [{"url": f"{host.url}/s"}] * 3}})
    wait_until(lambda: host.now == 3, PATIENCE_S * jobs.PATIENCE)
    platform.queue.cancel("u")
    worker.wait_log("job_stopped", timeout_s=PATIENCE_S)
    gate.set()
    assert result_codes(ask(platform, [{"text": TEXTS[0]}], "next")) == ["ok"]


@pytest.mark.parametrize("pack", ["plain", "gzip"])
def test_a_list_is_fetched_and_a_bad_line_is_only_that_document(make_platform, start, host, pack):
    lines = [json.dumps({"id": "one", "url": f"{host.url}/a?{SECRET}"}), "{broken", json.dumps({"id": "two", "text": TEXTS[1]}),
             json.dumps({"id": "three", "url": "http://[::1"}), json.dumps({"id": "one", "text": "again"})]
    body = "\n".join(lines).encode("utf-8")
    host.files = {"/a": TEXTS[0], "/list": gzip.compress(body) if pack == "gzip" else body}
    platform = make_platform()
    worker = start("docket", platform, **PRIVATE)
    answer = ask(platform, f"{host.url}/list?{SECRET}")
    assert result_codes(answer) == ["ok", "document_source_invalid", "ok", "url_invalid", "document_source_invalid"]
    results = answer["output"]["results"]
    assert [result["id"] for result in results] == ["one", "doc-2", "two", "three", "doc-5"]
    assert results[1]["error"]["message"].startswith("documents_url line 2: ")
    assert results[3]["error"]["message"].startswith("documents_url line 4: url: ")
    assert SECRET not in json.dumps(answer) and SECRET not in worker.text()


def test_a_list_that_cannot_be_had_fails_the_job(make_platform, start, host):
    host.files = {"/broken": status(500), "/empty": "", "/html": "<html>no list</html>", "/endless": endless}
    platform = make_platform()
    start("docket", platform, **{**PRIVATE, "RUNPOD_MAX_DOWNLOAD_BYTES": "1000000"})
    assert_failed(ask(platform, f"{host.url}/broken", "a"), "documents_list_unreachable")
    assert_failed(ask(platform, f"{host.url}/missing", "b"), "documents_list_unreachable")
    assert_failed(ask(platform, f"{host.url}/empty", "c"), "job_field_invalid")
    assert_failed(ask(platform, f"{host.url}/endless", "d"), "job_too_large")
    assert_failed(ask(platform, "ftp://127.0.0.1/list", "e"), "job_field_invalid")
    assert result_codes(ask(platform, f"{host.url}/html", "f")) == ["document_source_invalid"]
    platform.submit({"id": "both", "input": {**classify_input(), "documents_url": f"{host.url}/list"}})
    assert_failed(platform.wait_answer("both", PATIENCE_S), "job_field_invalid")


def test_the_platforms_limit_on_downloads_holds(make_platform, start, host):
    host.files = {"/a": "word " * 300, "/b": "word " * 100}
    platform = make_platform()
    start("docket", platform, **{**PRIVATE, "RUNPOD_MAX_DOWNLOAD_BYTES": "1000"})
    assert result_codes(ask(platform, [{"url": f"{host.url}/a"}, {"url": f"{host.url}/b"}])) == ["fetch_too_large", "ok"]


def test_many_large_documents_are_held_within_the_limit(make_platform, start, host):
    """P22: what is fetched ahead counts; the memory of twenty large files at once is never needed."""
    host.files = {"/large": b"word " * 1_000_000}                     # 5 MB
    platform = make_platform()
    worker = start("docket", platform, "large", READ_AHEAD_BYTES="16777216", **PRIVATE)
    assert result_codes(ask(platform, [{"text": TEXTS[0]}], "first")) == ["ok"]
    documents = [{"url": f"{host.url}/large"}] * 20
    assert result_codes(ask(platform, documents, options={"max_document_tokens": 32})) == ["ok"] * 20
    peak = int(next(line for line in pathlib.Path(f"/proc/{worker.pid}/status").read_text().splitlines()
                    if line.startswith("VmHWM")).split()[1]) * 1024
    assert SANITIZED or peak < 300_000_000, f"{peak} bytes"


NAMED = {
    "good.test:8080/a": "ok", "GOOD.test.:8080/a?x=1": "ok", "93.184.216.34:8080/a": "ok",
    "private.test:8080/": "url_address_blocked", "metadata.test:8080/": "url_address_blocked",
    "carrier.test:8080/": "url_address_blocked", "loopback.test:8080/": "url_address_blocked",
    "loopback6.test:8080/": "url_address_blocked", "local6.test:8080/": "url_address_blocked",
    "mapped.test:8080/": "url_address_blocked", "mixed.test:8080/": "url_address_blocked",
    "families.test:8080/": "url_address_blocked", "many.test:8080/": "url_address_blocked",
    "alias.test:8080/": "url_address_blocked", "rebinds.test:8080/broken": "url_address_blocked",
    "10.0.0.5:8080/": "url_address_blocked", "[fd00::5]:8080/": "url_address_blocked",
    "silent.test:8080/": "fetch_dns_failed", "nobody.test:8080/": "fetch_dns_failed",
    "good.test:8080/to/good.test:8080/a": "ok",
    "good.test:8080/to/10.0.0.5:8080/": "url_redirect_refused", "good.test:8080/to/private.test:8080/": "url_redirect_refused",
    "good.test:8080/to/alias.test:8080/": "url_redirect_refused", "good.test:8080/to/families.test:8080/": "url_redirect_refused",
    "good.test:8080/to/localhost:8080/": "url_redirect_refused", "good.test:8080/to/2130706433:8080/": "url_redirect_refused",
}


def test_names_that_lie_lead_to_no_private_address(tmp_path):
    """P18, U2, U3: public and private addresses that are really there, in a network of its own, with a name server of its own."""
    documents = [{"url": f"http://{url}"} for url in NAMED]
    done = subprocess.run([sys.executable, str(ROOT / "tests/integration/public_net.py"),
                           json.dumps({"labels": LABELS, "documents": documents}), *COMMANDS["docket"], "--model", MODEL,
                           "--hub-cache", str(MODEL_CACHE)], capture_output=True, text=True, timeout=300, cwd=tmp_path,
                          env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "TMPDIR": str(tmp_path)})
    if done.returncode == 77:
        pytest.skip(f"no network namespace here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    world = json.loads(done.stdout)
    assert world["result"], world["output"]
    assert dict(zip(NAMED, result_codes(world["result"]))) == NAMED
    assert world["silent"] >= 5 and world["visited"] == []
    assert any(one.endswith("/a?x=1") for one in world["seen"])
