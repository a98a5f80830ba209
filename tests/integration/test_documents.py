"""Every committed document through docket extract: the words that were put in come out, and nothing needs more than the sandbox gives."""

import json
import pathlib
import re
import subprocess

import pytest

from support import BUILD, missing

FIXTURES = pathlib.Path(__file__).resolve().parents[1] / "documents" / "fixtures"
NAMES = sorted(path.name for path in FIXTURES.iterdir() if (FIXTURES / f"{path.name}.txt").exists()) if FIXTURES.is_dir() else []

pytestmark = pytest.mark.skipif(missing("docket") is not None, reason=str(missing("docket")))


# What is taken out of every text, and counted.
INVISIBLE = str.maketrans("\f", "\n", "\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u2060\u2066\u2067\u2068\u2069\ufeff\u00ad")


def words(text):
    return text.translate(INVISIBLE).split()


def test_fixtures_read_in_the_sandbox_as_they_were_written():
    said = subprocess.run([str(BUILD / "docket"), "extract", "--json", *NAMES], cwd=FIXTURES, capture_output=True, timeout=300, check=False)
    read = {}
    for line in said.stdout.splitlines():
        document = json.loads(line)
        read[document["id"]] = document
    assert NAMES
    for name in NAMES:
        assert "error" not in read[name], (name, read[name]["error"])
        written = (FIXTURES / f"{name}.txt").read_text(encoding="utf-8")
        parts = re.findall(r"^\[([^\]]+\.\w+)\]$", written, re.M)  # documents inside
        assert all(f"{name}/{part}" in read for part in parts), (name, sorted(read))
        want = words(re.sub(r"^\[[^\]]+\.\w+\]$", "", written, flags=re.M))
        assert " ".join(want) in " ".join(words(read[name]["text"])), name  # e-mail has its head in front


LANGUAGES = {"libreoffice.docx": None, "page_iso-8859-7.html": "el", "page_windows-1255.html": "he", "page_windows-1251.html": "ru",
             "page_shift_jis.html": "ja", "page_euc-kr.html": "ko", "page_gb18030.html": "zh", "page_big5.html": "zh"}


def test_the_language_of_a_document_is_told_in_every_format_or_null():
    said = subprocess.run([str(BUILD / "docket"), "extract", "--json", *LANGUAGES, "../boxed/page_1.txt", "../boxed/scan.pdf", "../boxed/scan.png",
                           "../boxed/prices.csv"], cwd=FIXTURES, capture_output=True, timeout=300, check=False)
    read = {document["id"]: document["language"] for document in map(json.loads, said.stdout.splitlines())}
    for name, tag in LANGUAGES.items():
        if tag:
            assert read[name] == tag, name
    assert [read[f"../boxed/{name}"] for name in ("page_1.txt", "scan.pdf", "scan.png", "prices.csv")] == ["en", "en", "en", None]


def test_the_language_stands_in_the_result_of_a_job(make_platform, start):
    texts = [line.split("\t") for line in (FIXTURES.parent / "languages.tsv").read_text(encoding="utf-8").splitlines()]
    texts = [(tag, text) for tag, text in texts if "?" not in tag]
    platform = make_platform()
    start("docket", platform)
    job = platform.submit({"input": {"labels": ["letter", "other"], "documents": [{"text": text} for _, text in texts]}})
    assert platform.wait(lambda: job.answer is not None, 120)
    assert [result["document"]["language"] for result in job.answer["output"]["results"]] == [tag or None for tag, _ in texts]
