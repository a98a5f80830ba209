"""The commands that need no queue, as a person or a script calls them; and docket health beside a worker that runs."""

import io
import json
import os
import struct
import subprocess
import zipfile

import pytest

from support import BUILD, MODEL, MODEL_CACHE, TEXTS, classify_input, missing

DOCKET = str(BUILD / "docket")
MODEL_FLAGS = ["--model", MODEL, "--hub-cache", str(MODEL_CACHE)]
LABELS = ["--labels", "invoice,resume,meeting minutes"]
OK, DOCUMENTS_FAILED, USAGE, INPUT, MISSING, CONFIG = 0, 1, 64, 65, 66, 78

pytestmark = pytest.mark.skipif(missing("docket") is not None, reason=str(missing("docket")))


def docket(*words, stdin=b"", cwd=None, **variables):
    return subprocess.run([DOCKET, *[str(word) for word in words]], input=stdin, capture_output=True, timeout=120, cwd=cwd,
                          env={"PATH": "/usr/bin:/bin", **variables}, check=False)


@pytest.fixture
def inbox(tmp_path):
    """a/…, a hidden file, a link, an archive with two members, a damaged one."""
    folder = tmp_path / "inbox"
    (folder / "a").mkdir(parents=True)
    (folder / "a" / "two.txt").write_text(TEXTS[1])
    (folder / "one.txt").write_text(TEXTS[0])
    (folder / ".hidden").write_text("not for you")
    (folder / "link.txt").symlink_to(folder / "one.txt")
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as out:
        out.writestr("three.txt", TEXTS[2])
        out.writestr("four.txt", TEXTS[3])
    (folder / "post.zip").write_bytes(archive.getvalue())
    (folder / "cut.zip").write_bytes(archive.getvalue()[:40])
    return folder


def test_classify_walks_a_folder_and_goes_on_after_errors(inbox):
    said = docket("classify", *MODEL_FLAGS, *LABELS, "inbox", "--jsonl", cwd=inbox.parent)
    assert said.returncode == DOCUMENTS_FAILED, said.stderr
    results = [json.loads(line) for line in said.stdout.splitlines()]
    assert [result["id"] for result in results] == ["inbox/a/two.txt", "inbox/cut.zip/three.txt", "inbox/one.txt",
                                                   "inbox/post.zip/three.txt", "inbox/post.zip/four.txt"]
    assert [result["status"] for result in results] == ["ok", "error", "ok", "ok", "ok"]
    assert all(abs(sum(entry["score"] for entry in result["scores"]) - 1) < 1e-5 for result in results if result["status"] == "ok")


def test_classify_reads_files_whose_names_no_job_can_say(tmp_path):
    """Bytes that are no UTF-8 and line ends: spelled out, so that two such files stay two; one that is not there is said to be missing."""
    names = {b"na\xefve.txt": "na%EFve.txt", b"na\xeave.txt": "na%EAve.txt", b"new\nline.txt": "new%0Aline.txt"}
    for name, text in zip(names, TEXTS):
        with open(bytes(tmp_path) + b"/" + name, "wb") as file:
            file.write(text.encode())
    said = docket("classify", *MODEL_FLAGS, *LABELS, ".", "--jsonl", cwd=tmp_path)
    results = [json.loads(line) for line in said.stdout.splitlines()]
    assert said.returncode == OK and {result["id"] for result in results} == {"./" + name for name in names.values()}
    assert {result["document"]["filename"] for result in results} == set(names.values())
    said = docket("classify", *MODEL_FLAGS, *LABELS, os.fsdecode(b"na\xefve.txt"), os.fsdecode(b"go\xefne.txt"), "--jsonl", cwd=tmp_path)
    there, gone = map(json.loads, said.stdout.splitlines())
    assert said.returncode == DOCUMENTS_FAILED and there["status"] == "ok"
    assert (gone["id"], gone["error"]["code"]) == ("go%EFne.txt", "path_not_found")


def test_classify_prints_the_jobs_output(inbox):
    said = docket("classify", *MODEL_FLAGS, *LABELS, inbox / "one.txt", inbox / "a", "--json", GPU_PRICE_PER_SECOND="0.001")
    assert said.returncode == OK, said.stderr
    output = json.loads(said.stdout)
    assert output["object"] == "classification" and output["status"] == "completed"
    assert output["summary"]["documents"] == 2 and output["cost"]["compute_usd"] > 0
    assert [result["index"] for result in output["results"]] == [0, 1]


def test_classify_gives_what_the_queue_would_get(inbox):
    """The same text as a job of one document on the command line and among others: the same scores."""
    alone = json.loads(docket("classify", *MODEL_FLAGS, *LABELS, inbox / "one.txt", "--jsonl").stdout)
    among = [json.loads(line) for line in docket("classify", *MODEL_FLAGS, *LABELS, inbox, "--jsonl").stdout.splitlines()]
    other = next(result for result in among if result["id"].endswith("one.txt"))
    for mine, theirs in zip(alone["scores"], other["scores"]):
        assert mine["label"] == theirs["label"] and abs(mine["score"] - theirs["score"]) <= 1e-6
    local = docket("worker", *MODEL_FLAGS, "--test_input",
                   json.dumps({"input": {"labels": ["invoice", "resume", "meeting minutes"], "documents": [{"text": TEXTS[0]}]}}))
    assert local.returncode == OK, local.stdout
    answer = json.loads(local.stdout.decode().partition("Job result: ")[2].split("\n")[0])
    for mine, theirs in zip(alone["scores"], answer["output"]["results"][0]["scores"]):
        assert mine["label"] == theirs["label"] and abs(mine["score"] - theirs["score"]) <= 1e-6


def test_classify_shows_a_table(inbox):
    said = docket("classify", *MODEL_FLAGS, *LABELS, inbox, "-", stdin=TEXTS[0].encode()).stdout.decode().splitlines()
    assert said[0].split() == ["label", "confidence", "document"]
    assert len(said) == 7 and said[-1].endswith("  -") and "document_corrupt" in said[2]
    assert not any("\033" in line for line in said), "colour without a terminal"


def test_classify_takes_options(inbox):
    said = docket("classify", *MODEL_FLAGS, *LABELS, "--description", "invoice=asks for money", "--multi-label", "--label-threshold",
                  "resume=0.9", "--top-k", "2", "--no-calibrate", "--json", inbox / "one.txt")
    assert said.returncode == OK, said.stderr
    output = json.loads(said.stdout)
    assert output["model"]["calibration"] is None or output["model"]["calibration"] == "none"
    assert output["results"][0]["label"] is None and len(output["results"][0]["scores"]) == 2


@pytest.mark.parametrize("words, code, wanted", [
    (["classify", *MODEL_FLAGS, "x.txt"], USAGE, "no labels"),
    (["classify", *MODEL_FLAGS, *LABELS], USAGE, "no files"),
    (["classify", *LABELS, "x.txt"], USAGE, "no model"),
    (["classify", *MODEL_FLAGS, "--labels", "one", "/etc/hostname"], USAGE, "labels"),
    (["classify", *MODEL_FLAGS, *LABELS, "--description", "nothing=x", "/etc/hostname"], USAGE, "being one of the labels"),
    (["classify", *MODEL_FLAGS, *LABELS, "--abstain-below", "2", "x"], USAGE, "want a number from 0 to 1"),
    (["classify", "--model", "no/such", *LABELS, "/etc/hostname"], MISSING, "no/such"),
    (["logits", *MODEL_FLAGS, "--tokens", "1,2,70000", "--out", "/dev/null"], INPUT, "70000"),
    (["logits", *MODEL_FLAGS, "--tokens", "1,two", "--out", "/dev/null"], USAGE, "two"),
    (["logits", *MODEL_FLAGS, "--tokens", "1"], USAGE, "--out"),
    (["tokenize", *MODEL_FLAGS, "a word"], USAGE, "one word too many"),
    (["worker", "--hf-token", "geheim"], USAGE, "HF_TOKEN"),
    (["frobnicate"], USAGE, "no such command"),
    (["--frobnicate"], USAGE, "want a command first"),
    (["health", "--logs", "/no/such/file"], MISSING, "/no/such/file"),
])
def test_what_is_wrong_is_said(words, code, wanted):
    said = docket(*words)
    assert said.returncode == code and wanted in (said.stdout + said.stderr).decode(), said
    assert b"geheim" not in said.stdout + said.stderr


def test_a_bad_variable_stops_every_command():
    for command in ("worker", "classify", "tokenize", "logits", "bench", "health"):
        said = docket(command, MAX_CONCURRENCY="abc")
        assert said.returncode == CONFIG and b"MAX_CONCURRENCY" in said.stdout + said.stderr, said


def test_tokenize_and_back():
    text = "Total due: 41.20 €\n  two  spaces, 日本 and \U0001f4c4"
    ids = docket("tokenize", *MODEL_FLAGS, stdin=text.encode())
    assert ids.returncode == OK and isinstance(json.loads(ids.stdout), list)
    back = docket("tokenize", *MODEL_FLAGS, "--decode", stdin=ids.stdout)
    assert back.returncode == OK and text in back.stdout.decode()


@pytest.mark.parametrize("quantization", ["none", "nf4"])
def test_logits_are_float32_of_tokens_by_vocabulary(quantization, tmp_path):
    out = tmp_path / "logits.bin"
    said = docket("logits", *MODEL_FLAGS, "--tokens", "1,5,9,13", "--quantization", quantization, "--out", out)
    assert said.returncode == OK, said.stderr
    values = struct.unpack(f"<{out.stat().st_size // 4}f", out.read_bytes())
    assert len(values) % 4 == 0 and len(values) >= 4 * 256 and all(abs(value) < 1e4 for value in values)
    assert os.listdir(tmp_path) == ["logits.bin"]


def test_version_names_the_libraries():
    said = docket("--version", "--verbose").stdout.decode()
    assert said.startswith("docket 0.1.0 (commit ") and all(name in said for name in ("libcurl", "cJSON", "libarchive", "PCRE2", "OpenSSL"))


def test_docket_alone_is_the_worker_on_a_platform_and_help_elsewhere(make_platform, start):
    assert docket().stdout.startswith(b"usage: docket COMMAND")
    platform = make_platform()
    worker = start("docket", platform, command=[DOCKET])
    job = platform.submit({"input": classify_input()})
    assert "output" in platform.wait_answer(job.id, 40)
    assert worker.stop() == 0


def test_health_beside_a_worker_and_from_its_log(make_platform, start, tmp_path):
    platform = make_platform()
    spool = tmp_path / "spool"
    variables = {"SPOOL_DIR": str(spool), "RUNPOD_POD_ID": "worker-1", "RUNPOD_PING_INTERVAL": "1000"}
    assert docket("health", **variables).returncode == 1
    worker = start("docket", platform, spool=spool)
    worker.wait_log("ready", timeout_s=40)
    alive = docket("health", **variables)
    assert alive.returncode == 0 and alive.stdout.startswith(b"healthy"), alive
    job = platform.submit({"input": classify_input(3)})
    platform.wait_answer(job.id, 40)
    assert worker.stop() == 0
    log = docket("health", "--logs", worker.output, "--ended")
    assert log.returncode == 0 and log.stdout.startswith(b"healthy"), log.stdout.decode()
    spoilt = b"\n".join(line for line in worker.output.read_bytes().split(b"\n") if b'"job_done"' not in line)
    told = docket("health", "--logs", "-", "--json", stdin=spoilt)
    assert told.returncode == 2 and json.loads(told.stdout)["verdict"] == "unknown", told.stdout


def test_health_finds_a_killed_worker(make_platform, start):
    platform = make_platform()
    worker = start("docket", platform)
    worker.wait_log("ready", timeout_s=40)
    worker.kill()
    told = docket("health", "--logs", worker.output, "--ended")
    assert told.returncode == 1 and b"killed?" in told.stdout
