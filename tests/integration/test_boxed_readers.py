"""What programs in boxes read: scans as images and in PDF, and documents of before 2007, by docket extract and in one job."""

import base64
import json
import pathlib
import subprocess

import pytest

from support import BUILD, LABELS, TEXTS, missing

BOXED = pathlib.Path(__file__).resolve().parents[1] / "documents" / "boxed"
PAGES = [(BOXED / f"page_{number}.txt").read_text(encoding="utf-8") for number in (1, 2)]
SCANS = {"scan.png": 1, "scan.jpg": 1, "scan.webp": 1, "scan_two_pages.tiff": 2, "scan.pdf": 2}

pytestmark = pytest.mark.skipif(missing("docket") is not None, reason=str(missing("docket")))


def extract(*words, **variables):
    said = subprocess.run([str(BUILD / "docket"), "extract", "--json", *words], cwd=BOXED, capture_output=True, timeout=300, check=False,
                          env={"PATH": "/usr/bin:/bin", **variables})
    return [json.loads(line) for line in said.stdout.splitlines()], said.stderr.decode()


def distance(one, other):
    """Insertions, deletions and replacements from one to the other."""
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        last, row[0] = row[0], i
        for j, b in enumerate(other, 1):
            last, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, last + (a != b))
    return row[-1]


def assert_reads(text, pages):
    want, got = " ".join(" ".join(pages).split()), " ".join(text.split())
    assert distance(want, got) < 0.02 * len(want), got


def test_clean_scans_are_read_with_fewer_than_two_errors_in_a_hundred_characters():
    read, stderr = extract(*SCANS)
    assert stderr == "" and [document["id"] for document in read] == list(SCANS)
    for document in read:
        n = SCANS[document["id"]]
        assert "error" not in document, document
        assert document["ocr"] is True and document["pages"] == document["pages_read"] == n and document["ocr_ms"] > 0
        assert_reads(document["text"], PAGES[:n])


def test_images_are_read_only_if_wanted_and_pages_only_up_to_their_number():
    read, _ = extract("scan.pdf", "scan.png", "blank.png", "--ocr", "never")
    assert [document["error"]["code"] for document in read] == ["document_empty", "document_no_text", "document_no_text"]
    read, _ = extract("blank.png", "scan_two_pages.tiff", "scan.pdf", "--ocr-max-pages", "1")
    assert read[0]["error"]["code"] == "document_no_text"
    for document in read[1:]:
        assert_reads(document["text"], PAGES[:1])


def test_a_language_that_is_not_there_is_said_at_the_start_and_of_the_document():
    read, stderr = extract("scan.png", "scan.pdf", "page_1.txt", "--log-level", "warn", OCR_LANGUAGES="xyz")
    assert [document.get("error", {}).get("code") for document in read] == ["ocr_unavailable", "ocr_unavailable", None]
    assert read[0]["error"]["retryable"] is True and "xyz" in read[0]["error"]["message"]
    assert stderr.count("xyz (a language of images)") == 1
    for word in ("-c", "eng/../eng", "a b"):
        (document,), _ = extract("scan.png", OCR_LANGUAGES=word)
        assert document["error"]["code"] in ("ocr_unavailable", "sandbox_unavailable")


def test_a_page_that_takes_too_long_is_ocr_timeout():
    (document,), _ = extract("scan.png", OCR_TIMEOUT_SECONDS="0.1")
    assert document["error"]["code"] == "ocr_timeout" and "0.1 s" in document["error"]["message"]


def test_documents_of_before_2007_are_read_in_every_script_unless_switched_off():
    names = ("minutes.doc", "minutes.rtf", "prices.xls")
    (doc, rtf, xls), _ = extract(*names)
    want = ["Minutes of the harbour board, café Größe naïve.", "Rope and shackles were ordered — “twice”.", "Привет мир."]
    assert doc["text"].split("\n")[:3] == want and doc["media_type"] == "application/msword"
    assert rtf["text"].split("\n")[:3] == want
    assert xls["text"].split("\n")[:3] == ["item\tamount\twhen", "Rope café\t118.5\tx", "Привет\t64\ty"]
    read, _ = extract(*names, LEGACY_OFFICE="off")
    assert [document["error"]["code"] for document in read] == ["unsupported_media_type"] * 3


def test_a_scan_among_good_documents_of_a_job(make_platform, start):
    def given(name):
        return {"id": name, "filename": name, "content_base64": base64.b64encode((BOXED / name).read_bytes()).decode("ascii")}

    platform = make_platform()
    start("docket", platform)
    documents = [{"id": "good-1", "text": TEXTS[0]}, given("scan.pdf"), given("blank.png"), given("minutes.doc"), {"id": "good-2", "text": TEXTS[1]}]
    jobs = [platform.submit({"input": {"labels": LABELS, "documents": documents, "options": {"return_text": True, **options}}})
            for options in ({}, {"ocr": "never"}, {"ocr_max_pages": 1})]
    assert platform.wait(lambda: all(job.answer is not None for job in jobs), 240)
    read, never, one = (job.answer["output"] for job in jobs)
    assert [result["status"] for result in read["results"]] == ["ok", "ok", "error", "ok", "ok"]
    scan = read["results"][1]
    assert scan["document"]["ocr"] is True and scan["document"]["pages"] == 2
    assert_reads(scan["text"], PAGES)
    times = scan["timing_ms"]
    assert times["ocr"] > 0 and times["total"] >= times["ocr"] + times["extract"]
    assert read["timing_ms"]["ocr"] >= times["ocr"] - 0.01  # the blank page took its time, too
    assert scan["cost_usd"] is None or scan["cost_usd"] > 0
    assert never["results"][1]["status"] == "error" and never["results"][2]["error"]["code"] == "document_no_text"
    assert "ocr_pages_left: 1" in one["results"][1]["warnings"]
