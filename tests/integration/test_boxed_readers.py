"""What programs in boxes read: scans as images and in PDF, and documents of before 2007, by docket extract and in one job."""

import base64
import json
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "hostile"))
import make  # noqa: E402

from support import BUILD, LABELS, TEXTS, missing

HERE = pathlib.Path(__file__).resolve().parent
BOXED = HERE.parent / "documents" / "boxed"
PAGES = [(BOXED / f"page_{number}.txt").read_text(encoding="utf-8") for number in (1, 2)]
SCANS = {"scan.png": 1, "scan.jpg": 1, "scan.webp": 1, "scan_two_pages.tiff": 2, "scan.pdf": 2}

pytestmark = pytest.mark.skipif(missing("docket") is not None, reason=str(missing("docket")))


def extract(*words, **variables):
    said = subprocess.run([str(BUILD / "docket"), "extract", "--json", *words], cwd=BOXED, capture_output=True, timeout=300, check=False,
                          env={"PATH": "/usr/bin:/bin", **variables})
    return [json.loads(line) for line in said.stdout.splitlines()], said.stderr.decode()


def extract_with(places, *words, **variables):
    """As extract, where the files of `places` are others: {place: other}. Skips where no mount namespace can be had."""
    mounts = [f"{other}={place}" for place, other in places.items()]
    said = subprocess.run([sys.executable, str(HERE / "mounts.py"), *mounts, "--", str(BUILD / "docket"), "extract", "--json", *words], cwd=BOXED,
                          capture_output=True, timeout=300, check=False, env={"PATH": "/usr/bin:/bin", **variables})
    if said.returncode == 77:
        pytest.skip(said.stderr.decode())
    return [json.loads(line) for line in said.stdout.splitlines()], said.stderr.decode()


def installed_data():
    found = sorted(pathlib.Path("/usr/share/tesseract-ocr").glob("*/tessdata"))
    return found[-1], sorted(path.name.split(".")[0] for path in found[-1].glob("*.traineddata") if path.name != "osd.traineddata")


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


def test_languages_of_a_job_and_of_a_document_are_those_that_are_installed(make_platform, start):
    """A job's are checked before anything is read; a document's are its own matter."""
    _, installed = installed_data()
    scan = base64.b64encode((BOXED / "scan.png").read_bytes()).decode("ascii")
    platform = make_platform()
    start("docket", platform, OCR_LANGUAGES="xyz")

    def submit(languages, *documents):
        return platform.submit({"input": {"labels": LABELS, "documents": list(documents), "options": {"return_text": True, **languages}}})

    image, text = {"filename": "scan.png", "content_base64": scan}, {"text": TEXTS[0]}
    own = submit({"ocr_languages": ["eng"]}, image, text)
    wrong = submit({"ocr_languages": ["eng", "klingon"]}, text)
    mixed = submit({}, image, {**image, "ocr_languages": ["eng"]}, {**image, "ocr_languages": ["klingon"]}, text)
    assert platform.wait(lambda: all(job.answer is not None for job in (own, wrong, mixed)), 240)
    results = own.answer["output"]["results"]
    assert [result["status"] for result in results] == ["ok", "ok"]
    assert_reads(results[0]["text"], PAGES[:1])
    want = f'options.ocr_languages: "klingon" is no language that images are read in here; installed: {", ".join(installed)}'
    assert want in wrong.answer["error"].replace("\\", "") and "job_field_invalid" in wrong.answer["error"]
    results = mixed.answer["output"]["results"]
    assert [result["status"] for result in results] == ["error", "ok", "error", "ok"]
    for result, name in ((results[0], "xyz"), (results[2], "klingon")):
        assert result["error"]["code"] == "ocr_unavailable" and f'"{name}"' in result["error"]["message"]
        assert all(language in result["error"]["message"] for language in installed)


@pytest.mark.parametrize("share", [0, 0.0001, 0.5])
def test_I5_data_that_is_cut_short_is_said_at_the_start_and_of_the_document(share, tmp_path):
    folder, _ = installed_data()
    whole = (folder / "eng.traineddata").read_bytes()
    (tmp_path / "eng").write_bytes(whole[:int(share * len(whole))])
    (tmp_path / "eng").chmod(0o644)
    tmp_path.chmod(0o755)
    read, stderr = extract_with({str(folder / "eng.traineddata"): str(tmp_path / "eng")}, "scan.png", "page_1.txt", "--log-level", "warn")
    assert [document.get("error", {}).get("code") for document in read] == ["ocr_unavailable", None]
    assert '"eng" is damaged' in read[0]["error"]["message"] and read[0]["error"]["retryable"] is True
    assert "eng (a language of images, whose data is damaged)" in stderr


@pytest.mark.parametrize("name, file, code", [
    ("pdftotext", "scan.pdf", "sandbox_unavailable"), ("tesseract", "scan.png", "ocr_unavailable"),
    ("catdoc", "minutes.doc", "sandbox_unavailable"), ("xls2csv", "prices.xls", "sandbox_unavailable"),
    ("unrtf", "minutes.rtf", "sandbox_unavailable"), ("pdftoppm", "scan.pdf", "sandbox_unavailable"), ("pdfinfo", "scan.pdf", "sandbox_unavailable")])
def test_a_program_that_is_missing_is_named_at_the_start_and_by_its_documents_alone(name, file, code, tmp_path):
    nothing = tmp_path / "nothing"
    nothing.write_bytes(b"")
    nothing.chmod(0o644)
    read, stderr = extract_with({shutil.which(name, path="/usr/bin"): str(nothing)}, file, "page_1.txt", "--log-level", "warn")
    assert read[0]["error"]["code"] == code and read[0]["error"]["retryable"] is True
    assert name in read[0]["error"]["message"] and "not installed" in read[0]["error"]["message"]
    assert "error" not in read[1] and f"{name} (" in stderr


def test_D7_a_pdf_whose_hidden_text_nobody_can_look_for_is_read_and_says_so(tmp_path):
    (tmp_path / "nothing").write_bytes(b"")
    (tmp_path / "nothing").chmod(0o644)
    read, stderr = extract_with({shutil.which("pdftohtml", path="/usr/bin"): str(tmp_path / "nothing")}, "hidden.pdf", "page_1.txt", "--log-level", "warn")
    assert not any("error" in document for document in read) and "pdftohtml (hidden text in PDF)" in stderr
    assert [document["unseen_left"] for document in read] == [True, False] and "secret words" in read[0]["text"]


def test_ocr_always_auto_and_never_in_a_job_and_no_more_pages_than_its_tokens_need(make_platform, start):
    """A page with a text layer, and scans: always reads all from their images, auto only those without text, never none."""
    def given(name, content):
        return {"id": name, "filename": name, "content_base64": base64.b64encode(content).decode("ascii")}

    platform = make_platform()
    start("docket", platform)
    layered = make.pdf(["Please transfer the sum of 412 euros within thirty days"])
    documents = [given("layered.pdf", layered), given("scan.pdf", (BOXED / "scan.pdf").read_bytes()),
                 given("scan.tiff", (BOXED / "scan_two_pages.tiff").read_bytes()), {"id": "text", "text": TEXTS[0]}]
    wanted = ("auto", "always", "never")
    jobs = [platform.submit({"input": {"labels": LABELS, "documents": documents, "options": {"return_text": True, "ocr": word}}}) for word in wanted]
    small = platform.submit({"input": {"labels": LABELS, "documents": documents[1:3], "options": {"return_text": True, "max_document_tokens": 16}}})
    assert platform.wait(lambda: all(job.answer is not None for job in (*jobs, small)), 240)
    results = {word: job.answer["output"]["results"] for word, job in zip(wanted, jobs)}
    assert [[result.get("document", {}).get("ocr") for result in results[word]] for word in wanted] == [
        [False, True, True, False], [True, True, True, False], [False, None, None, False]]
    for word in ("auto", "always"):
        assert "412 euros within thirty days" in " ".join(results[word][0]["text"].split())
        for scan in results[word][1:3]:
            assert_reads(scan["text"], PAGES)
    assert [result["error"]["code"] for result in results["never"][1:3]] == ["document_empty", "document_no_text"]
    for scan in small.answer["output"]["results"]:
        assert "ocr_pages_left: 1" in scan["warnings"]
        assert_reads(scan["text"], PAGES[:1])


def test_pages_of_a_document_are_those_that_the_job_asks_for(make_platform, start):
    def given(name, content, pages):
        return {"filename": name, "content_base64": base64.b64encode(content).decode("ascii"), "pages": pages}

    platform = make_platform()
    start("docket", platform, MAX_PAGES="3")
    five = make.pdf([f"this is sheet {number}" for number in range(1, 6)])
    two = (BOXED / "scan_two_pages.tiff").read_bytes()
    cases = [(given("a.pdf", five, "2-3"), [2, 3], False), (given("a.pdf", five, "4-"), [4, 5], False), (given("a.pdf", five, "5"), [5], False),
             (given("a.pdf", five, "1-"), [1, 2, 3], True), (given("a.pdf", five, "3-9"), [3, 4, 5], False), (given("a.pdf", five, "6"), None, False),
             (given("a.tiff", two, "2"), PAGES[1:], False), (given("b.pdf", (BOXED / "scan.pdf").read_bytes(), "2-2"), PAGES[1:], False),
             (given("a.tiff", two, "3"), None, False), (given("a.docx", five[:0] + b"plain words of a letter", "1"), None, False),
             ({"text": TEXTS[0], "pages": "1"}, None, False)]
    job = platform.submit({"input": {"labels": LABELS, "documents": [case[0] for case in cases], "options": {"return_text": True}}})
    assert platform.wait(lambda: job.answer is not None, 240)
    for (document, want, more), result in zip(cases, job.answer["output"]["results"]):
        if want is None:
            assert result["error"]["code"] == "document_source_invalid" and "pages: " in result["error"]["message"], result
            continue
        assert result["document"]["pages_read"] == len(want), result
        assert any("document_too_many_pages" in warning for warning in result["warnings"]) is more
        if isinstance(want[0], int):
            assert re.findall(r"sheet (\d)", result["text"]) == [str(number) for number in want]
        else:
            assert_reads(result["text"], want)


CALL = re.compile(r"(\d+) +(\w+)\(")  # also of one that another process interrupts in the log


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed (deploy/install-deps.sh --tools)")
def test_P19_programs_in_boxes_make_no_call_that_their_filter_does_not_know(tmp_path):
    """Each of them on documents of its kind: an update of Debian's that needs more is noticed here, not by documents that are not read."""
    source = (HERE.parents[1] / "handlers" / "documents" / "sandbox_layers.c").read_text(encoding="utf-8")
    known = set(re.findall(r"CALL\((\w+)\)", source[source.index("static const int always"):]))
    names = ["scan.pdf", "scan.png", "scan.jpg", "scan.webp", "scan_two_pages.tiff", "minutes.doc", "prices.xls", "minutes.rtf",
             "hidden.pdf", "ocr_layer.pdf"]
    log = tmp_path / "calls"
    command = ["strace", "-f", "-qq", "-s", "64", "-o", str(log), str(BUILD / "docket"), "extract", "--json", "--ocr-max-pages", "1", *names]
    said = subprocess.run(command, cwd=BOXED, capture_output=True, timeout=300, check=False, env={"PATH": "/usr/bin:/bin"})
    if said.returncode != 0 and "ptrace" in said.stderr.decode():
        pytest.skip("processes cannot be traced here")
    read = [json.loads(line) for line in said.stdout.splitlines()]
    assert [document["id"] for document in read] == names and not any("error" in document for document in read)
    programs, calls = {}, {}
    for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
        began = re.match(r'(\d+) +execve\("(/usr/bin/\w+)"', line)
        if began:
            programs[began[1]] = began[2]
            continue
        assert not (line.split()[0] in programs and "killed by SIGSYS" in line), line
        call = CALL.match(line)
        if call and call[1] in programs:
            refusal = re.search(r" = -1 (E\w+)", line)
            calls.setdefault(programs[call[1]], {}).setdefault(call[2], set()).add(refusal and refusal[1])
    assert {pathlib.PurePath(name).name for name in calls} == {"pdftotext", "pdftohtml", "pdfinfo", "pdftoppm", "tesseract", "catdoc",
                                                                  "xls2csv", "unrtf"}
    for program, made in calls.items():
        assert {"execve"}.isdisjoint(made), f"{program} started another"
        strange = set(made) - known
        assert strange <= {"clone3"}, f"{program}: {strange}"  # for which the C library takes clone
        refused = {name for name, errors in made.items() if errors & {"ENOSYS", "EPERM"}}
        assert refused <= {"clone3"}, f"{program} was refused {refused}"


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
    worker = start("docket", platform)
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
    whole = next(line for line in worker.log("job_done") if line["requestId"] == jobs[0].id)
    assert whole["ocr_pages"] == 3 and "compute_usd" in whole and abs(whole["ocr_seconds"] * 1000 - read["timing_ms"]["ocr"]) < 1
    lines = {line["document_index"]: line for line in worker.log("document_done") + worker.log("document_failed") if line["requestId"] == jobs[0].id}
    assert [lines[number]["ocr_pages"] for number in range(5)] == [0, 2, 1, 0, 0]  # the blank one was looked at, too
    assert abs(lines[1]["ocr_seconds"] * 1000 - times["ocr"]) < 1 and lines[2]["ocr_seconds"] > 0 == lines[0]["ocr_seconds"]
    costs = [result["cost_usd"] for result in read["results"]]
    assert costs[1] == max(costs) and abs(sum(costs) - read["cost"]["compute_usd"]) < 1e-9  # what OCR took is in its document's price
    assert never["results"][1]["status"] == "error" and never["results"][2]["error"]["code"] == "document_no_text"
    assert "ocr_pages_left: 1" in one["results"][1]["warnings"]
