"""Memory of a whole run, judged by valgrind: nothing that the worker took is lost when it ends."""

import base64
import io
import shutil
import zipfile

import pytest

import support
from support import classify_input

N_JOBS = 100


def _zip():
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.txt", "Invoice number 4711, total due 20 euro.")
        archive.writestr("b/c.txt", "Payslip for March.")
    return base64.b64encode(whole.getvalue()).decode()


def _input(number):
    """Mostly sound; some refused, some with an archive, some with a document that cannot be read."""
    if number % 10 == 3:
        return {"labels": ["only one"], "documents": []}
    if number % 20 == 7:
        return {"labels": support.LABELS, "documents": [{"id": "z", "content_base64": _zip(), "filename": "two.zip"}]}
    if number % 20 == 9:
        return {"labels": support.LABELS, "documents": [{"id": "p", "path": "/etc/passwd"}, {"id": "t", "text": "Receipt, 3 euro."}]}
    return classify_input(seed=number)


@pytest.mark.only_soak
@pytest.mark.skipif(support.SANITIZED, reason="valgrind runs no sanitized program")
def test_valgrind_finds_no_leak_in_a_hundred_jobs(make_platform, start, tmp_path):
    if not shutil.which("valgrind"):
        pytest.fail("valgrind is not installed: deploy/install-deps.sh --tools")
    report = tmp_path / "valgrind.txt"
    platform = make_platform(hold_s=2, rules=False)           # its rules know no program that is fifty times slower
    jobs = [platform.submit({"input": _input(number)}) for number in range(N_JOBS)]
    command = ["valgrind", "--leak-check=full", "--show-leak-kinds=definite,indirect,possible", "--errors-for-leak-kinds=definite,indirect,possible",
               "--error-exitcode=99", "--fair-sched=yes", f"--log-file={report}", *support.COMMANDS["docket"]]
    worker = start("docket", platform, command=command, judged=False, MAX_CONCURRENCY="2", CPU_THREADS="1")
    platform.wait_all(2400)
    code = worker.stop(300)
    said = report.read_text(encoding="utf-8", errors="replace")
    assert all(job.finals for job in jobs)
    assert code == 0, said[-6000:]
    assert "definitely lost: 0 bytes" in said or "no leaks are possible" in said, said[-3000:]
