"""P20, P22: what documents cannot get, and what they cannot take. P11, P16, P18 and P19: test_rows_documents.py, test_rows_url.py and
unit/handlers/documents/test_sandbox_layers.c; P28, P29: test_injection.py."""

import base64
import json
import pathlib
import re

import pytest

from support import LABELS, SANITIZED, TEXTS, missing
from test_rows_documents import ROWS, bytes_of

CANARY = "CANARY-91be"
JOB_BYTES = 14_000_000  # of documents: 20 MB as base64 in JSON

pytestmark = pytest.mark.skipif(missing("docket") is not None, reason=str(missing("docket")))


def hostile_documents(slow):
    documents, size = [], 0
    for number, row in enumerate(ROWS):
        if row.get("slow") and not slow:
            continue
        content = bytes_of(row)
        if size + len(content) > JOB_BYTES:
            continue
        size += len(content)
        documents.append({"id": f"bad-{number}", "filename": row["filename"], "content_base64": base64.b64encode(content).decode("ascii")})
    return documents + [{"id": "good", "content_base64": base64.b64encode(TEXTS[0].encode()).decode("ascii")}]


def extract_server(parent):
    for folder in pathlib.Path("/proc").iterdir():
        try:
            if folder.name.isdigit() and b"extract-server" in (folder / "cmdline").read_bytes().split(b"\0"):
                if re.search(rf"^PPid:\s+{parent}$", (folder / "status").read_text(), re.M):
                    return folder
        except OSError:
            continue
    raise AssertionError("no extract server")


def memory_of(folder):
    """All that it can write to; of the rest it has only what lies in files."""
    with open(folder / "maps", encoding="ascii") as maps, open(folder / "mem", "rb", buffering=0) as memory:
        for line in maps:
            first, last = (int(end, 16) for end in line.split()[0].split("-"))
            if line.split()[1].startswith("rw") and last - first < 1 << 30:
                try:
                    memory.seek(first)
                    yield memory.read(last - first)
                except (OSError, ValueError, OverflowError):
                    continue


def test_P20_nothing_secret_is_where_documents_are_read_or_comes_back(make_platform, start, tmp_path):
    platform = make_platform(key=f"{CANARY}-key-of-the-queue")
    worker = start("docket", platform, "worker-c", spool=tmp_path / "spool", HF_TOKEN=f"{CANARY}-hf-token", judged=False,
                   BUCKET_SECRET_ACCESS_KEY=f"{CANARY}-bucket")
    secret = platform.submit({"input": {"labels": LABELS, "documents": [{"id": "other", "text": f"{CANARY}-text of another job"}]}})
    assert platform.wait(lambda: secret.answer is not None, 60)
    job = platform.submit({"input": {"labels": LABELS, "documents": hostile_documents(slow=False)}})
    assert platform.wait(lambda: job.answer is not None, 240)
    assert job.answer["output"]["results"][-1]["status"] == "ok"
    assert CANARY not in json.dumps(job.answer) and CANARY not in worker.text()
    server = extract_server(worker.pid)
    for one in (server, extract_server(server.name)):  # its twin for light work
        try:
            assert (one / "environ").read_bytes() == b"LD_BIND_NOW=1\0"
            links = sorted(str(link.readlink()) for link in (one / "fd").iterdir())
            assert any(CANARY.encode() in piece for piece in memory_of(pathlib.Path(f"/proc/{worker.pid}"))), "the search finds nothing"
            assert all(CANARY.encode() not in piece for piece in memory_of(one))
        except PermissionError:
            return  # they show themselves to nobody but root: good as well
        assert [link for link in links if not link.startswith(("/dev/null", "socket:", "anon_inode:"))] == [], links
        assert sum(link.startswith("socket:") for link in links) == 1, links


def test_P22_hostile_documents_take_less_than_300_MB_of_the_worker(make_platform, start):
    platform = make_platform()
    worker = start("docket", platform)
    first = platform.submit({"input": {"labels": LABELS, "documents": [{"text": TEXTS[0]}]}})
    assert platform.wait(lambda: first.answer is not None, 60)

    def peak():
        return int(re.search(r"^VmHWM:\s+(\d+) kB", pathlib.Path(f"/proc/{worker.pid}/status").read_text(), re.M).group(1)) / 1024

    before = peak()
    job = platform.submit({"input": {"labels": LABELS[:2], "documents": hostile_documents(slow=True)}})
    assert platform.wait(lambda: job.answer is not None, 300)
    assert job.answer["output"]["results"][-1]["status"] == "ok"
    grown = peak() - before
    assert grown < (3000 if SANITIZED else 300), f"{grown:.0f} MB"
