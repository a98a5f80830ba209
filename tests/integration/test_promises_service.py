"""P10, P13, P14, P23, P24 and the quiet worker: heartbeat under load, answers of every shape, flat memory, no secret, whole lines."""

import json
import pathlib
import signal
import subprocess
import threading
import time

import pytest

from answer_check import check_answer
from faults import TAKES, Fault
from protocol import mock
from support import BUILD, LABELS, SANITIZED, SOAK, TEXTS, burn_cpu, classify_input, error_codes, result_codes

ALLOWED = 3.2 if SANITIZED else 1.6      # intervals between two beats as seen from outside


def beats(platform, since, until):
    times = [ping.at for ping in platform.seen("ping") if since <= ping.at <= until]
    edges = [since, *times, until]
    return max(later - earlier for earlier, later in zip(edges, edges[1:]))


@pytest.mark.quiet
@pytest.mark.soak
@pytest.mark.parametrize("load", ["busy_cores", "log_not_read", "slow_queue", "inside_one_job"])
def test_P10_the_heartbeat_keeps_its_rhythm(load, make_platform, start):
    seconds = 60 if SOAK else 5
    faults = [Fault((*TAKES, "done", "stop"), delay_s=0.7)] if load == "slow_queue" else []
    platform = make_platform(*faults, ping_interval_s=1)
    options = {"stdout": subprocess.PIPE, "judged": False, "LOG_LEVEL": "trace"} if load == "log_not_read" else {}
    worker = start("docket", platform, MAX_CONCURRENCY="4", **options)
    platform.wait_seen(1, "take-batch", timeout_s=20)
    burners = burn_cpu(2, seconds + 30) if load in ("busy_cores", "inside_one_job") else []
    stop = threading.Event()

    def feed():
        number = 0
        while not stop.is_set():
            if platform.queue.unfinished() < 8:
                platform.submit({"input": classify_input(count=1500 if load == "inside_one_job" else 20, seed=number)})
                number += 1
            else:
                time.sleep(0.01)

    feeder = threading.Thread(target=feed)
    feeder.start()
    try:
        began = time.monotonic() + 0.5
        time.sleep(seconds + 0.5)
        ended = time.monotonic()
    finally:
        stop.set()
        feeder.join()
        for burner in burners:
            burner.kill()
            burner.wait()
    assert beats(platform, began, ended) <= ALLOWED, platform.gaps("ping")
    assert platform.seen("done") or load == "inside_one_job" or SANITIZED      # which may need longer for its first job
    if load == "log_not_read":
        worker.kill()
        worker.process.stdout.close()


def test_P10_no_beat_from_a_process_that_was_stopped(make_platform, start):
    platform = make_platform(ping_interval_s=1)
    worker = start("docket", platform, LOAD="lazy")
    platform.wait_seen(1, "ping")
    worker.signal(signal.SIGSTOP)
    time.sleep(0.2)
    at = time.monotonic()
    time.sleep(2.5)
    assert not platform.seen("ping", since=at)
    worker.signal(signal.SIGCONT)
    assert platform.wait_seen(1, "ping", since=at, timeout_s=1.0), "the first beat comes at once"


# P13: answers of every shape


SHAPES = {
    "one": classify_input(),
    "many": classify_input(count=64),
    "custom_ids": {"labels": LABELS, "documents": [{"custom_id": f"c{n}", "text": TEXTS[n]} for n in range(3)]},
    "no_ids": {"labels": LABELS, "documents": [{"text": text} for text in TEXTS]},
    "mixed": {"labels": LABELS, "documents": [{"text": TEXTS[0]}, {"text": ""}, {"path": "x"}, {}, {"content_base64": "!"},
                                              {"text": " \n\t "}, {"text": TEXTS[1], "content_base64": "eA=="}]},
    "all_bad": {"labels": LABELS, "documents": [{"text": ""}, {"text": "   "}]},
    "described_labels": {"labels": [{"name": "invoice", "description": "asks for payment"}, {"name": "letter", "threshold": 0.4}],
                         "documents": [{"text": TEXTS[0]}]},
    "multi_label": {"labels": LABELS, "multi_label": True, "documents": [{"text": text} for text in TEXTS]},
    "top_k_1": {**classify_input(3), "options": {"top_k": 1}},
    "top_k_many": {**classify_input(3), "options": {"top_k": 200}},
    "threshold": {**classify_input(3), "options": {"threshold": 0.99}},
    "abstain": {**classify_input(6), "options": {"abstain": {"below": 0.999, "label": "needs_review"}}},
    "abstain_never": {**classify_input(6), "options": {"abstain": {"below": 0.0, "label": "needs_review"}}},
    "no_calibration": {**classify_input(3), "options": {"calibrate": False}},
    "instructions": {**classify_input(3), "instructions": "Statements from a bank are never invoices."},
    "examples": {**classify_input(2), "examples": [{"text": "Total due: 41.20 EUR", "labels": ["invoice"]}]},
    "metadata": {**classify_input(1), "metadata": {"tenant": "acme", "traceparent": "00-x"}},
    "long_document": {"labels": LABELS, "documents": [{"text": " ".join(TEXTS) * 400}]},
    "long_in_chunks": {"labels": LABELS, "documents": [{"text": " ".join(TEXTS) * 60}], "options": {"long_documents": "chunk"}},
    "short_limit": {**classify_input(3), "options": {"max_document_tokens": 16}},
    "unicode": {"labels": ["Rechnung", "Lebenslauf", "会議議事録"], "documents": [{"text": "Größe 日本 😀 " * 20}]},
    "two_labels": {"labels": ["a", "b"], "documents": [{"text": TEXTS[0]}]},
    "return_text": {**classify_input(1), "options": {"return_text": True}},
    "questions": {"labels": LABELS, "documents": [{"text": TEXTS[0]}],
                  "questions": [{"name": "personal_data", "type": "predicate", "instructions": "Does it name a private person?"}]},
    "children": {"labels": [{"name": "contract", "children": [{"name": "employment"}, {"name": "other"}]}, "invoice"],
                 "documents": [{"text": TEXTS[0]}]},
}
NOT_YET = {"questions", "children", "return_text", "examples", "multi_label", "long_in_chunks"}
# what a first version may refuse, by name and as a whole


@pytest.mark.parametrize("name", SHAPES)
def test_P13_answers_follow_the_schema(name, shared):
    platform = shared["platform"]
    job = platform.submit({"input": SHAPES[name]})
    answer = platform.wait_answer(job.id, 60)
    check_answer(answer)
    if "error" in answer:
        assert name in NOT_YET, answer["error"]
        assert error_codes(answer)[0] in ("job_field_unknown", "job_field_invalid", "labels_invalid")
        return
    results = answer["output"]["results"]
    assert len(results) == len(SHAPES[name]["documents"])
    top_k = SHAPES[name].get("options", {}).get("top_k", 3)
    n_labels = len(SHAPES[name]["labels"])
    for result in results:
        if result["status"] == "ok":
            assert len(result["scores"]) == min(top_k, n_labels)
            if top_k >= n_labels and result["label"] is not None and name != "children":
                assert abs(sum(score["score"] for score in result["scores"]) - 1) <= 1e-5
    if name == "abstain":
        assert all(result["label"] == "needs_review" for result in results if result["abstained"])
        assert any(result["abstained"] for result in results)
    if name in ("long_document", "short_limit"):
        assert all(result["document"]["truncated"] and result["document"]["tokens_dropped"] > 0 for result in results)


def test_P13_costs_add_up_and_the_cold_start_is_charged_once(make_platform, start):
    platform = make_platform()
    for number in range(3):
        platform.submit({"id": f"j{number}", "input": classify_input(count=5, seed=number)})
    start("docket", platform, MAX_CONCURRENCY="1", LOAD="lazy", GPU_PRICE_PER_SECOND="0.5")
    platform.wait_all(40)
    costs = [platform.job(f"j{number}").answer["output"]["cost"] for number in range(3)]
    assert costs[0]["cold_start_usd"] > 0 and costs[1]["cold_start_usd"] == costs[2]["cold_start_usd"] == 0
    assert all(cost["price_per_second"] == 0.5 and cost["compute_usd"] > 0 for cost in costs)


def test_P13_an_unknown_price_is_null(make_platform, start):
    platform = make_platform()
    job = platform.submit({"input": classify_input()})
    start("docket", platform, GPU_PRICE_PER_SECOND=None)
    cost = platform.wait_answer(job.id, 40)["output"]["cost"]
    assert cost["total_usd"] is None or cost["price_source"]


# P14


@pytest.mark.soak
def test_P14_memory_descriptors_and_threads_stay_flat(make_platform, start):
    """Good and hostile jobs mixed. Grown memory after the first half must not grow further in the second."""
    half = 10000 if SOAK else 700
    platform = make_platform(Fault("take-batch", nth=range(5, 100000, 40), status=500), Fault("done", nth=range(9, 100000, 60), status=500))
    worker = start("docket", platform, MAX_CONCURRENCY="4", LOG_LEVEL="warn")
    measured = []

    def state():
        platform.wait(lambda: False, 1.5)                               # idle again
        return worker.resident_bytes(), worker.descriptors(), worker.threads()

    def run(base):
        for number in range(half):
            kind = number % 10
            platform.submit({"id": f"j{base + number}", "input":
                             {"labels": ["a"], "documents": []} if kind == 3 else
                             {"labels": LABELS, "documents": [{"text": ""}, {"x": 1}]} if kind == 5 else
                             [[[]]] if kind == 7 else classify_input(count=1 + number % 4, seed=number)})
        platform.wait_all(300)
        measured.append(state())

    for turn in range(3):
        run(turn * half)
    (early, early_fds, early_threads), (late, late_fds, late_threads) = measured[1], measured[2]
    print("resident bytes, descriptors, threads:", measured)
    assert SANITIZED or late - early < 1_000_000, f"{early} then {late} bytes"
    assert late_threads == early_threads and abs(late_fds - early_fds) <= 2, measured


@pytest.mark.quiet
@pytest.mark.parametrize("kind", ["mock_worker", "docket"])
def test_an_idle_worker_uses_less_than_a_hundredth_of_a_core(kind, make_platform, start):
    """The one measured bound: heartbeat every second, polls of five."""
    platform = make_platform(hold_s=5, stop_hold_s=5)
    worker = start(kind, platform)
    job = platform.submit(mock("a", result=1) if kind == "mock_worker" else {"input": classify_input()})
    platform.wait_answer(job.id, 40)
    time.sleep(1)
    used, began = worker.cpu_seconds(), time.monotonic()
    time.sleep(6)
    share = (worker.cpu_seconds() - used) / (time.monotonic() - began)
    assert share < (0.05 if SANITIZED else 0.01), f"{share:.2%} of a core"


# P23


CANARY = "CANARY-7f3a"


@pytest.mark.parametrize("log_format", ["json", "text"])
@pytest.mark.parametrize("level", ["trace", "info"])
def test_P23_no_secret_in_any_output(level, log_format, make_platform, start, tmp_path):
    key, token = f"{CANARY}-key-of-the-queue", f"{CANARY}-hf-token"
    platform = make_platform(Fault(TAKES, nth=2, status=500), Fault("done", nth=1, status=500), Fault("ping", nth=2, status=401),
                             key=key, rules=False)
    worker = start("docket", platform, "worker-c", spool=tmp_path / "spool", LOG_LEVEL=level, LOG_FORMAT=log_format, judged=False,
                   HF_TOKEN=token, BUCKET_SECRET_ACCESS_KEY=f"{CANARY}-bucket", RUNPOD_API_KEY=f"{CANARY}-pod",
                   RUNPOD_WEBHOOK_PING=platform.environment()["RUNPOD_WEBHOOK_PING"] + f"?token={CANARY}-query")
    documents = [{"id": "text", "text": f"{CANARY}-text and some more words to read"},
                 {"id": "base64", "content_base64": "Q0FOQVJZLTdmM2E="}]
    link = {"id": "url", "url": f"https://user:{CANARY}-password@127.0.0.1:9/file.pdf?X-Amz-Signature={CANARY}-signature"}
    platform.submit({"id": "a", "input": {"labels": LABELS, "documents": documents, "instructions": f"{CANARY}-instructions",
                                          "metadata": {"tenant": "t"}},
                     "s3Config": {"accessId": "x", "accessSecret": f"{CANARY}-s3"}, "webhook": f"https://x.example/?k={CANARY}-hook"})
    platform.submit({"id": "b", "input": {"labels": [f"{CANARY}-label", "b"], "documents": f"{CANARY}-wrong-type"}})
    platform.submit({"id": "c", "input": {"labels": LABELS, "documents": [link]}})
    answers = {job_id: platform.wait_answer(job_id, 40) for job_id in ("a", "b", "c")}
    assert result_codes(answers["a"])[0] == "ok"
    command_line = pathlib.Path(f"/proc/{worker.pid}/cmdline").read_bytes().decode()
    time.sleep(1.2)
    names = [str(path) for path in (tmp_path / "spool").rglob("*")]
    assert worker.stop(40) == 0
    said = {"log": worker.text(), "command line": command_line, "names in the spool": "\n".join(names),
            "answer to a": json.dumps(answers["a"]), "answer to c": json.dumps(answers["c"]),
            "heartbeats": "\n".join(ping.target.replace(f"?token={CANARY}-query", "") for ping in platform.seen("ping"))}
    for where, text in said.items():
        assert CANARY not in text, f"{where}: …{text[max(0, text.index(CANARY) - 200):text.index(CANARY) + 60]}…"
    # the answer to b may show its caller what it found in a wrong place; the log may not


def test_P23_spooled_files_are_for_us_alone_and_go_when_accepted(make_platform, start, tmp_path):
    platform = make_platform(Fault("done", times=2, status=500))
    platform.submit({"id": "a", "input": classify_input(count=3)})
    spool = tmp_path / "spool"
    start("docket", platform, spool=spool)
    platform.wait_seen(1, "done", timeout_s=40)
    kept = [path for path in spool.rglob("*")]
    assert kept and all(path.stat().st_mode & 0o077 == 0 for path in kept), [oct(path.stat().st_mode) for path in kept]
    platform.wait_answer("a", 20)
    platform.submit({"id": "b", "input": classify_input()})
    platform.wait_answer("b", 20)
    time.sleep(0.5)
    text = classify_input(count=3)["documents"][0]["text"].encode()
    for path in spool.rglob("*"):
        if path.is_file():
            assert text not in path.read_bytes(), f"{path.name} holds text of a document"


def test_P23_help_shows_no_values():
    if not (BUILD / "docket").exists():
        pytest.skip("docket is not built")
    for arguments in (["--help"], ["worker", "--help"], ["--version"], ["--version", "--verbose"]):
        done = subprocess.run([str(BUILD / "docket"), *arguments], capture_output=True, text=True, timeout=20, check=False,
                              env={"PATH": "/usr/bin:/bin", "RUNPOD_AI_API_KEY": f"{CANARY}-key", "HF_TOKEN": f"{CANARY}-token"})
        assert CANARY not in done.stdout + done.stderr and done.stdout, arguments


# P24


ODD_STRINGS = {"newline": "a\nb\r\nc", "ansi": "\x1b[31mred\x1b[0m\x1b]0;title\x07", "bidi": "abc\u202edef\u2066ghi", "nul": "a\0b",
               "separators": "a\u2028b\u2029c\u0085d", "quotes": '","level":"ERROR"}{"x":"', "long": "x" * 10_000_000,
               "broken_pair": "\ud83d", "tabs": "a\tb\vc", "unicode": "Größe 日本 😀"}


@pytest.mark.parametrize("name", ODD_STRINGS)
def test_P24_one_event_one_line(name, shared):
    """Strings in every place that a line may repeat; the lines themselves are judged when the worker ends, here at once."""
    platform, worker, text = shared["platform"], shared["worker"], ODD_STRINGS[name]
    short = text[:200]
    inputs = [
        {"labels": [short, "b"], "documents": [{"text": TEXTS[0]}]},
        {"labels": LABELS, "documents": [{"id": short, "text": TEXTS[0]}]},
        {"labels": LABELS, "documents": [{"filename": short, "text": TEXTS[0]}, {"filename": short, "content_base64": "!"}]},
        {"labels": LABELS, "documents": [{"text": TEXTS[0]}], text: 1},
        {"labels": LABELS, "documents": [{"text": TEXTS[0], text: 1}]},
        {"labels": LABELS, "documents": [{"text": text}]},
        {"labels": LABELS, "documents": [{"path": text}, {"url": short}]},
        {"labels": LABELS, "documents": [{"text": TEXTS[0]}], "options": {"long_documents": text}},
    ]
    jobs = [platform.queue.submit_raw(json.dumps({"id": f"{name}-{number}", "batchId": "b" + short, "input": job_input}).encode(),
                                      f"{name}-{number}") for number, job_input in enumerate(inputs)]
    for job in jobs:
        answer = platform.wait_answer(job.id, 60)
        check_answer(answer)
        if "error" in answer:
            assert len(answer["error"]) < 3000 and not set(json.loads(answer["error"])["error_message"]) & set("\n\r\x1b\0\u202e")
    worker.assert_log_lines()


def test_P24_odd_words_from_the_queue(make_platform, start):
    odd = "\x1b[31m\u202e" + "y" * 3000
    platform = make_platform(
        Fault(TAKES, nth=1, status=500, body=odd.encode() + b"\r\n\0"),
        Fault(TAKES, nth=2, body="{}", content_type="text/\x1b[31mhtml\t"),
        Fault(TAKES, nth=3, raw=b"HTTP/1.1 500 \x1b[31mbad\r\nContent-Length: 0\r\n\r\n"),
        Fault(TAKES, nth=4, status=307, headers=(("Location", "https://x.example/\x1b[31m" + "z" * 5000),)),
        Fault("done", nth=1, status=500, body="\n{}\n"), Fault("ping", nth=2, status=500, body="\x1b[2J"))
    job = platform.submit({"input": classify_input()})
    worker = start("docket", platform, LOG_LEVEL="trace", MAX_CONCURRENCY="1")
    assert result_codes(platform.wait_answer(job.id, 60)) == ["ok"]
    worker.stop(40)
    worker.assert_log_lines()
    assert "\x1b" not in worker.text()
