"""Rows A, D, O and I: documents that nobody should have to read. tests/hostile/rows.json says what each must become; each is read between
two good ones, alone by docket extract and all of them in one job of the worker."""

import base64
import ctypes
import email.header
import errno
import io
import json
import os
import pathlib
import platform as platform_of
import struct
import subprocess
import sys
import tarfile

import pytest

from support import BUILD, LABELS, TEXTS, missing, result_codes

HOSTILE = pathlib.Path(__file__).resolve().parents[1] / "hostile"
sys.path.insert(0, str(HOSTILE))
import make  # noqa: E402

ROWS = json.loads((HOSTILE / "rows.json").read_text(encoding="utf-8"))
DOCKET = str(BUILD / "docket")

pytestmark = pytest.mark.skipif(missing("docket") is not None, reason=str(missing("docket")))


def bytes_of(row):
    return getattr(make, row["make"])(**row.get("with", {}))


def assert_codes(row, got):
    want = list(row["codes"])
    if want == ["many"]:
        assert len(got) == 10001 and got[-1] == "archive_too_many_members", got[-3:]
        return
    if want[0] == "some":
        assert got[:-1] == ["ok"] * (len(got) - 1), got
        got, want = got[-1:], want[1:]
    assert len(got) == len(want), (row["row"], got)
    for one, allowed in zip(got, want):
        assert one in (allowed if isinstance(allowed, list) else [allowed]), (row["row"], got)


def extract(folder, *words):
    said = subprocess.run([DOCKET, "extract", "--json", *words], cwd=folder, capture_output=True, timeout=300, check=False,
                          env={"PATH": "/usr/bin:/bin"})
    return [json.loads(line) for line in said.stdout.splitlines()], said


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["row"])
def test_row(row, tmp_path):
    name = row["filename"]
    (tmp_path / "1.txt").write_text(TEXTS[0])
    (tmp_path / name).write_bytes(bytes_of(row))
    (tmp_path / "3.txt").write_text(TEXTS[1])
    documents, said = extract(tmp_path, "1.txt", name, "3.txt")
    assert documents[0]["text"] == TEXTS[0] and documents[-1]["text"] == TEXTS[1], said.stderr
    inner = documents[1:-1]
    assert all(document["id"] == name or document["id"].startswith(name + "/") for document in inner)
    assert all("\n" not in document["id"] and "/../" not in document["id"] and "\u202e" not in document["id"] for document in inner)
    assert_codes(row, [document.get("error", {}).get("code", "ok") for document in inner])
    assert {fact: inner[0][fact] for fact in row.get("facts", {})} == row.get("facts", {})
    assert said.stderr == b""


def test_all_rows_in_one_job_harm_no_good_document(make_platform, start):
    rows = [row for row in ROWS if not row.get("slow")]
    documents = []
    for number, row in enumerate(rows):
        if number % 4 == 0:
            documents.append({"id": f"good-{number}", "text": TEXTS[number % len(TEXTS)]})
        documents.append({"id": f"bad-{number}", "filename": row["filename"],
                          "content_base64": base64.b64encode(bytes_of(row)).decode("ascii")})
    documents.append({"id": "good-last", "content_base64": base64.b64encode(TEXTS[0].encode()).decode("ascii")})
    platform = make_platform()
    start("docket", platform)
    job = platform.submit({"input": {"labels": LABELS, "documents": documents}})
    assert platform.wait(lambda: job.answer is not None, 240)
    results = job.answer["output"]["results"]
    good = [result for result in results if result["id"].startswith("good-")]
    assert len(good) == (len(rows) + 3) // 4 + 1 and all(result["status"] == "ok" for result in good)
    for number, row in enumerate(rows):
        mine = [result for result in results if result["id"] == f"bad-{number}" or result["id"].startswith(f"bad-{number}/")]
        assert_codes(row, [result["error"]["code"] if result["status"] == "error" else "ok" for result in mine])


def test_pages_beyond_the_limit_are_left_and_it_is_said(tmp_path):
    (tmp_path / "long.pdf").write_bytes(make.pdf_of_pages(7))
    (read,), _ = extract(tmp_path, "long.pdf", "--max-pages", "3")
    assert (read["pages"], read["pages_read"], read["pages_left"]) == (None, 3, True)
    assert "page 2" in read["text"] and "page 3" not in read["text"]
    (read,), _ = extract(tmp_path, "long.pdf", "--max-pages", "7")
    assert (read["pages"], read["pages_read"], read["pages_left"]) == (7, 7, False)


@pytest.mark.parametrize("words", ["Please transfer the sum of 412 euros within thirty days of this notice",
                                   "The quick brown fox jumps over the lazy dog, 0123456789 times. PACK MY BOX WITH FIVE DOZEN LIQUOR JUGS"])
def test_D8_glyphs_without_letters_are_read_from_the_image_or_not_taken_for_text(words, tmp_path):
    (tmp_path / "a.pdf").write_bytes(make.pdf_without_letters(words))
    (read,), _ = extract(tmp_path, "a.pdf")
    assert read["ocr"] is True and read["control_characters"] == 0
    assert words.split()[1] in read["text"] and sum(word in read["text"] for word in words.split()) > len(words.split()) * 2 // 3, read["text"]
    (read,), _ = extract(tmp_path, "a.pdf", "--ocr", "never")
    if "error" in read:
        assert read["error"]["code"] == "document_no_text"
    else:
        assert read["control_characters"] > 0 and words.split()[1] not in read["text"]  # the count says what it is


def test_both_types_are_told(tmp_path):
    (tmp_path / "letter.docx").write_bytes(make.pdf())
    (tmp_path / "clip.txt").write_bytes(b"\0\0\0\x18ftypmp42" + bytes(100))
    (pdf, clip), said = extract(tmp_path, "letter.docx", "clip.txt")
    assert pdf["media_type"] == "application/pdf" and pdf["media_type_by_name"].endswith("wordprocessingml.document")
    assert clip["media_type"] == "video/mp4" and clip["media_type_by_name"] == "text/plain"
    assert clip["error"]["code"] == "document_type_unsupported" and said.returncode == 1


def test_extract_reads_files_whatever_bytes_their_names_are_made_of(tmp_path):
    """Two names that are no UTF-8 and look alike are two files; names of members without a charset are shown as far as they can be."""
    folder = bytes(tmp_path)
    for name, text in ((b"na\xefve.txt", b"one"), (b"na\xeave.txt", b"two"), (b"new\nline.txt", b"three")):
        with open(folder + b"/" + name, "wb") as file:
            file.write(text)
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w", encoding="latin-1", format=tarfile.USTAR_FORMAT) as tar:
        entry = tarfile.TarInfo("gr\xfc\xdfe.txt")
        entry.size = 4
        tar.addfile(entry, io.BytesIO(b"four"))
    (tmp_path / "x.tar").write_bytes(archive.getvalue())
    read, said = extract(tmp_path, ".")
    assert said.returncode == 0 and said.stderr == b""
    assert sorted(document["text"] for document in read) == ["four", "one", "three", "two"]
    assert all("\n" not in document["id"] for document in read) and {document["id"] for document in read} >= {"./na%EFve.txt", "./na%EAve.txt", "./new%0Aline.txt"}
    assert read[-1]["id"] == "./x.tar/gr%FC%DFe.txt"
    read, _ = extract(tmp_path, os.fsdecode(b"na\xefve.txt"))
    assert [document["text"] for document in read] == ["one"]


WORDS = ["Rent for May", "=?utf-8?q?Gr=C3=BC=C3=9Fe?=", "=?UTF-8?B?R3LDvMOfZQ==?=", "=?iso-8859-1?Q?caf=E9_noir?=",
         "=?utf-8?q?Gr=C3=BC?= =?utf-8?q?=C3=9Fe?=", "=?utf-8?b?R3LD?= =?utf-8?b?vMOfZQ==?=", "Re: =?utf-8?q?caf=C3=A9?= tonight",
         "=?utf-8?q?=3D=3Futf-8=3Fq=3Fx=3F=3D?=", "=?iso-2022-jp?B?GyRCRnxLXBsoQg==?=", "=?koi8-r?B?8NLJ18XU?=", "=?utf-8?q?a=ZZb?=",
         "=?utf-8?q?never closed", "=?utf-8?q?a=0D=0AFrom:_x@y.z?=", "Gr\u00fc\u00dfe", "=?shift_jis?B?k/qWew==?=", "=?gb2312?B?1tC5+g==?=",
         "=?windows-1252?q?=80_5?=", "=?big5?B?pKSk5Q==?=", "=?euc-kr?B?x9GxuQ==?=", "=?" * 1000, "=?utf-8?q?one?=\r\n =?utf-8?q?_two?="]


def test_O9_words_of_headers_are_decoded_once_and_as_python_decodes_them(tmp_path):
    """What they hold stays on the line of its header, line ends of their own as well."""
    names = [f"{number:02}.eml" for number in range(len(WORDS))]
    for name, words in zip(names, WORDS):
        (tmp_path / name).write_bytes(f"From: {words if '@' not in words else ''} <a@b.example>\r\nSubject: {words}\r\n\r\nbody\r\n".encode())
    read, said = extract(tmp_path, *names)
    assert said.returncode == 0
    for words, document in zip(WORDS, read):
        (subject,) = [line for line in document["text"].splitlines() if line.startswith("Subject: ")]
        (sender,) = [line for line in document["text"].splitlines() if line.startswith("From:")]
        want = " ".join(str(email.header.make_header(email.header.decode_header(words.replace("\r\n", "")))).split())
        assert subject == f"Subject: {want}", words
        assert "?" in want or "@" in want or want in sender, (words, sender)


def test_extract_names_what_is_no_file_and_goes_on(tmp_path):
    (tmp_path / "good.txt").write_text("words")
    (tmp_path / "empty.txt").write_bytes(b"")
    (tmp_path / "empty").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "ring").symlink_to("ring")
    with open(tmp_path / "huge.pdf", "wb") as file:
        file.write(b"%PDF-1.4\n")
        file.truncate(2 << 30)
    wrong = {"pipe": "not a regular file", "/dev/zero": "not a regular file", "huge.pdf": "larger than 67108864 bytes",
             "ring": "Too many levels of symbolic links", "nowhere/x": "No such file"}
    read, said = extract(tmp_path, "empty.txt", *wrong, "empty", "good.txt")
    assert [document.get("text", document.get("error", {}).get("code")) for document in read] == ["document_empty", "words"]
    lines = said.stderr.decode().splitlines()
    assert said.returncode == 1 and len(lines) == len(wrong)
    for line, (name, words) in zip(lines, wrong.items()):
        assert words in line and name.rsplit("/", 1)[0] in line, line
    said = subprocess.run([DOCKET, "extract", "--json", "good.txt"], cwd=tmp_path, capture_output=True, timeout=60, check=False,
                          env={"PATH": "/usr/bin:/bin", "TMPDIR": "/nowhere", "HOME": "/nowhere"})
    assert json.loads(said.stdout)["text"] == "words"  # nothing is written, so no folder for it is needed


def test_extract_reads_standard_input_and_names_what_is_not_there(tmp_path):
    said = subprocess.run([DOCKET, "extract", "-"], input=TEXTS[0].encode(), capture_output=True, timeout=120, check=False)
    assert said.returncode == 0 and TEXTS[0].encode() in said.stdout
    _, said = extract(tmp_path, "missing.txt")
    assert said.returncode == 1 and b"missing.txt" in said.stderr
    assert subprocess.run([DOCKET, "extract"], capture_output=True, timeout=120, check=False).returncode == 64


def without_calls(*numbers):
    """To be run before exec: these system calls are answered as an old kernel answers them, for good."""
    refuse, allow = 0x00050000 | errno.ENOSYS, 0x7FFF0000
    program = [(0x20, 0, 0, 0)]  # the call's number
    for number in numbers:
        program += [(0x15, 0, 1, number), (0x06, 0, 0, refuse)]
    program.append((0x06, 0, 0, allow))
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *line) for line in program))
    head = ctypes.create_string_buffer(struct.pack("@HxxxxxxP", len(program), ctypes.addressof(code)))
    libc = ctypes.CDLL(None, use_errno=True)

    def before_exec(kept=code):  # to which the head only points
        if not kept or libc.prctl(38, 1, 0, 0, 0) != 0 or libc.prctl(22, 2, head, 0, 0) != 0:
            os._exit(99)

    return before_exec


@pytest.mark.parametrize("missing_layer, number", [("landlock", 444), ("seccomp", {"x86_64": 317}.get(platform_of.machine(), 277))])
def test_a_kernel_without_a_layer_is_told_and_strict_refuses_it(missing_layer, number, tmp_path):
    (tmp_path / "a.txt").write_text(TEXTS[0])
    for mode, want in (("auto", 0), ("strict", 77)):
        said = subprocess.run([DOCKET, "extract", "a.txt", "--sandbox", mode, "--log-level", "info"], cwd=tmp_path, capture_output=True,
                              timeout=120, check=False, env={"PATH": "/usr/bin:/bin"}, preexec_fn=without_calls(number))
        assert said.returncode == want, said.stderr
        layers = said.stderr.split(b"layers", 1)[1].split(b"\n")[0]
        assert missing_layer.encode() not in layers and b"limits" in layers
        assert (TEXTS[0].encode() in said.stdout) == (mode == "auto")
        assert (b"SANDBOX=strict" in said.stderr) == (mode == "strict")


def test_strict_names_its_layers_or_refuses_to_start(tmp_path):
    (tmp_path / "a.txt").write_text(TEXTS[0])
    _, said = extract(tmp_path, "a.txt", "--sandbox", "strict", "--log-level", "info")
    if said.returncode == 77:
        assert b"SANDBOX=strict" in said.stderr
    else:
        assert said.returncode == 0 and b"seccomp" in said.stderr and b"no_privileges" in said.stderr
