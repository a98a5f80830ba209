"""Rows C1 to C10: settings and surroundings. The real worker; LOAD=lazy where no document needs to be read."""

import os
import pathlib
import socket
import stat
import subprocess
import threading
import time

import pytest

from faults import Fault
from support import BUILD, SANITIZED, SOAK, classify_input, result_codes

DRAINED, USAGE, CANNOT_CREATE, CONFIG = 0, 64, 73, 78


def refused(start, code, *said, platform=None, **variables):
    """The worker ends at once with this code and says these words; returns everything that it wrote."""
    worker = start("docket", platform, judged=False, LOAD="lazy", **variables)
    assert worker.exit_code(10) == code, worker.tail()
    for word in said:
        assert word in worker.text(), f"{word!r} is not said: {worker.tail()}"
    return worker.text()


def works(platform, start, **options):
    """The worker starts, answers one job and ends with 0 on SIGTERM; returns it."""
    worker = start("docket", platform, **options)
    job = platform.submit({"input": classify_input()})
    assert result_codes(platform.wait_answer(job.id, 40)) == ["ok"]
    assert worker.stop() == DRAINED
    return worker


@pytest.mark.parametrize("value", ["abc", "-1", "0", "1e9", "257", "", "4 ", " 4", "0x4", "4.5", "99999999999999999999"])
def test_C1_a_number_that_cannot_be_read(value, make_platform, start):
    text = refused(start, CONFIG, "MAX_CONCURRENCY", platform=make_platform(), MAX_CONCURRENCY=value)
    assert "1 to 256" in text or ("1" in text and "256" in text), "the range is not said"


@pytest.mark.parametrize("name, value", [("QUANTIZATION", "nf5"), ("LOAD", "sometimes"), ("LOG_FORMAT", "xml"), ("LOG_LEVEL", "loud"),
                                         ("GPU_PRICE_PER_SECOND", "-1"), ("GPU_PRICE_PER_SECOND", "nan"), ("REFRESH_WORKER", "maybe"),
                                         ("MODEL_NAME", "a\x07b")])
def test_C1_other_settings(name, value, make_platform, start):
    variables = {"LOAD": "lazy", name: value}
    worker = start("docket", make_platform(), judged=False, **variables)
    assert worker.exit_code(10) == CONFIG and name in worker.text(), worker.tail()


def test_C2_a_misspelt_setting_of_ours(make_platform, start):
    text = refused(start, CONFIG, "DOCKET_MAX_CONCURENCY", platform=make_platform(), DOCKET_MAX_CONCURENCY="4")
    assert "MAX_CONCURRENCY" in text, "the nearest name is not said"


def test_C2_foreign_variables_are_ignored(make_platform, start):
    works(make_platform(), start, FOO="1", MAX_CONCURENCY="x", RUNPOD_SOMETHING_NEW="y", VLLM_X="1")


@pytest.mark.parametrize("name, url", [
    ("no_id", "https://127.0.0.1:9/v2/e/job-take/fixed?gpu=x"),
    ("clear_text_to_a_public_host", "http://queue.example/v2/e/job-take/$ID"),
    ("clear_text_to_a_public_address", "http://93.184.216.34/v2/e/job-take/$ID"),
    ("user_info", "https://user:SECRET-PASSWORD@127.0.0.1:9/v2/e/job-take/$ID"),
    ("newline", "https://127.0.0.1:9/v2/e/job-take/$ID\nX-Evil: 1"),
    ("other_scheme", "ftp://127.0.0.1/v2/e/job-take/$ID"),
    ("file", "file:///etc/passwd?$ID"),
    ("no_url", "job-take/$ID"),
    ("empty", ""),
])
def test_C3_take_urls_that_are_refused(name, url, make_platform, start):
    text = refused(start, CONFIG, "RUNPOD_WEBHOOK_GET_JOB", platform=make_platform(), RUNPOD_WEBHOOK_GET_JOB=url)
    assert "SECRET-PASSWORD" not in text


def test_C3_clear_text_with_the_switch(make_platform, start):
    """With ALLOW_CLEAR_TEXT the start goes on (and the queue is not there)."""
    worker = start("docket", make_platform(rules=False), LOAD="lazy", ALLOW_CLEAR_TEXT="true",
                   RUNPOD_WEBHOOK_GET_JOB="http://queue.invalid/v2/e/job-take/$ID")
    worker.wait_log("take_error", timeout_s=15)
    assert worker.alive


def test_C3_clear_text_to_loopback_needs_no_switch(make_platform, start):
    works(make_platform(plain=True), start)


@pytest.mark.parametrize("key", ["abc\r\nX-Evil: 1", "abc\ndef", "schlüssel", "tab\there"])
def test_C4_keys_that_would_break_a_header(key, make_platform, start):
    refused(start, CONFIG, "RUNPOD_AI_API_KEY", platform=make_platform(), RUNPOD_AI_API_KEY=key)


# C5: the spool folder


def test_C5_a_missing_folder_is_made_for_us_alone(make_platform, start, tmp_path):
    spool = tmp_path / "deep" / "er" / "spool"
    works(make_platform(), start, spool=spool)
    assert stat.S_IMODE(spool.stat().st_mode) == 0o700


def test_C5_a_folder_that_cannot_be_made(make_platform, start, tmp_path):
    (tmp_path / "file").write_text("x")
    refused(start, CANNOT_CREATE, platform=make_platform(), SPOOL_DIR=str(tmp_path / "file" / "spool"))


def test_C5_a_folder_of_others_is_said(make_platform, start, tmp_path):
    """World-writable: anyone could put answers there. A warning; the folders in it are ours alone."""
    spool = tmp_path / "open"
    spool.mkdir()
    spool.chmod(0o777)
    worker = works(make_platform(), start, spool=spool)
    assert [line for line in worker.log("config_warning") if line["setting"] == "SPOOL_DIR" and line["level"] == "WARN"]
    assert all(stat.S_IMODE(path.stat().st_mode) & 0o077 == 0 for path in spool.rglob("*"))


def test_C5_a_link(make_platform, start, tmp_path):
    (tmp_path / "real").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    worker = start("docket", make_platform(), spool=tmp_path / "link", judged=False, LOAD="lazy")
    assert worker.exit_code(10) in (CANNOT_CREATE, CONFIG)


@pytest.fixture
def small_disk(tmp_path):
    """A file system of its own; None where this may not be made."""
    folder = tmp_path / "disk"
    folder.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m,mode=700", "none", str(folder)], capture_output=True, check=False)
    yield folder if made.returncode == 0 else None
    if made.returncode == 0:
        subprocess.run(["umount", "-l", str(folder)], check=False)


def test_C5_a_disk_that_is_nearly_full_stops_takes_and_not_posts(make_platform, start, small_disk):
    if small_disk is None:
        pytest.skip("no right to mount a file system")
    platform = make_platform()
    worker = start("docket", platform, spool=small_disk / "spool", LOAD="lazy", RUNPOD_SKIP_AUTO_SYSTEM_CHECKS="true")
    worker.wait_log("spool_problem")
    platform.wait_seen(2, "ping")
    assert not platform.seen("take", "take-batch"), "takes go on although there is no room for results"
    assert worker.alive


def test_C5_a_small_disk_is_enough_when_allowed(make_platform, start, small_disk):
    if small_disk is None:
        pytest.skip("no right to mount a file system")
    works(make_platform(), start, spool=small_disk / "spool", SPOOL_MIN_FREE_BYTES="0")


# C6: what lies in the spool


def spooled_result(make_platform, start, spool):
    """A spool with one result that the queue has refused so far; returns its files."""
    platform = make_platform(Fault("done", status=503), requeue_unnamed=False, missed_pings=1000)
    platform.submit({"id": "spooled", "input": classify_input()})
    worker = start("docket", platform, spool=spool)
    platform.wait_seen(1, "done", timeout_s=40)
    worker.kill()
    files = [path for path in spool.rglob("*") if path.is_file() and path.stat().st_size > 200]
    assert files, "no result in the spool"
    return files


@pytest.mark.parametrize("damage", ["half", "one_bit", "future_version", "empty", "none"])
def test_C6_damaged_records_are_set_aside(damage, make_platform, start, tmp_path):
    spool = tmp_path / "kept"
    files = spooled_result(make_platform, start, spool)
    for path in files:
        data = bytearray(path.read_bytes())
        if damage == "half":
            data = data[:len(data) // 2]
        elif damage == "one_bit":
            data[len(data) // 2] ^= 4
        elif damage == "future_version":
            data = bytearray(data[:64].replace(b"1", b"9")) + data[64:]
        elif damage == "empty":
            data = bytearray()
        path.write_bytes(bytes(data))
    platform = make_platform(rules=False)                # it has never handed out the spooled job
    worker = start("docket", platform, spool=spool)
    job = platform.submit({"input": classify_input()})
    assert result_codes(platform.wait_answer(job.id, 40)) == ["ok"]
    if damage == "none":
        assert [post.job for post in platform.seen("done")].count("spooled") >= 1
    else:
        worker.wait_log("spool_problem")
        assert not platform.seen("done", job="spooled"), "a damaged record was posted"


def test_C6_foreign_files_are_left_alone(make_platform, start, tmp_path):
    spool = tmp_path / "kept"
    files = spooled_result(make_platform, start, spool)
    strangers = []
    for folder in {spool, *[path.parent for path in files]}:
        for name in ("README.txt", ".hidden", "core", "x" * 200):
            strangers.append(folder / name)
            strangers[-1].write_text("not ours")
        (folder / "folder").mkdir(exist_ok=True)
        os.mkfifo(folder / "pipe")
    platform = make_platform(rules=False)
    works(platform, start, spool=spool)
    assert [post.job for post in platform.seen("done")].count("spooled") >= 1
    assert all(path.exists() or list(spool.rglob(path.name)) for path in strangers), "somebody's file is gone"


@pytest.mark.soak
def test_C6_many_records_do_not_delay_the_start(make_platform, start, tmp_path):
    count = 100000 if SOAK else 10000
    spool = tmp_path / "kept"
    files = spooled_result(make_platform, start, spool)
    for number in range(count):
        (files[0].parent / f"{number:06}{files[0].suffix}").write_bytes(b"damaged")
    platform = make_platform(rules=False)
    began = time.monotonic()
    start("docket", platform, spool=spool, LOAD="lazy")
    take = platform.wait_seen(1, "take", "take-batch", timeout_s=20)[0]
    assert take.at - began < 2.0 + (2.0 if SOAK else 0), f"first take after {take.at - began:.1f} s"


# C7 to C9: surroundings


class Proxy:
    """A CONNECT proxy that counts."""

    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.connects = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                client, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self._tunnel, args=(client,), daemon=True).start()

    def _tunnel(self, client):
        head = b""
        while b"\r\n\r\n" not in head:
            piece = client.recv(4096)
            if not piece:
                return
            head += piece
        self.connects.append(head.split(b"\r\n")[0].decode())
        host, port = head.split()[1].decode().rsplit(":", 1)
        server = socket.create_connection((host, int(port)))
        client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        for source, sink in ((client, server), (server, client)):
            threading.Thread(target=self._copy, args=(source, sink), daemon=True).start()

    @staticmethod
    def _copy(source, sink):
        try:
            while piece := source.recv(65536):
                sink.sendall(piece)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass


def test_C7_the_queue_is_reached_through_the_proxy(make_platform, start):
    platform, proxy = make_platform(), Proxy()
    url = f"http://127.0.0.1:{proxy.port}"
    works(platform, start, https_proxy=url, HTTPS_PROXY=url)
    assert proxy.connects and all(line.startswith("CONNECT 127.0.0.1:") for line in proxy.connects)
    proxy.socket.close()


def test_C7_a_proxy_that_is_not_there_is_said(make_platform, start):
    platform = make_platform()
    worker = start("docket", platform, LOAD="lazy", https_proxy="http://127.0.0.1:9")
    worker.wait_log("take_error", timeout_s=15)
    assert not platform.requests


def test_C8_children_get_an_empty_environment(make_platform, start):
    """Whatever processes the worker starts: none of its variables reach them."""
    platform = make_platform()
    marker = "MARKER-OF-THE-ENVIRONMENT"
    worker = start("docket", platform, MALLOC_ARENA_MAX="2", OMP_NUM_THREADS="1", GCONV_PATH="/nonexistent", MARKER=marker)
    job = platform.submit({"input": classify_input(count=200)})
    seen = 0
    own = pathlib.Path(f"/proc/{worker.pid}/cmdline").read_bytes()
    while not platform.wait(lambda: job.answer is not None, 0.01):
        for pid in worker.children():
            try:
                if pathlib.Path(f"/proc/{pid}/cmdline").read_bytes() == own:
                    continue  # between its making and its exec it still shows the worker's memory
                environment = pathlib.Path(f"/proc/{pid}/environ").read_bytes()
                name = pathlib.Path(f"/proc/{pid}/comm").read_text(encoding="utf-8")
            except OSError:
                continue
            seen += 1
            assert marker.encode() not in environment and b"RUNPOD_AI_API_KEY" not in environment, name
    assert result_codes(job.answer) == ["ok"] * 200


def test_C9_no_home_and_a_user_without_a_name(make_platform, start, tmp_path):
    if os.geteuid() != 0:
        pytest.skip("only root can start a worker as another user")
    platform = make_platform()
    tmp_path.chmod(0o711)
    spool = tmp_path / "nobodys"
    spool.mkdir(mode=0o700)
    os.chown(spool, 54321, 54321)
    # the certificate and the model must be readable for others, and so must the way to them
    platform.certificates.folder.chmod(0o755)
    for folder in list(tmp_path.parents)[:3]:
        folder.chmod(folder.stat().st_mode | 0o111)
    works(platform, start, spool=spool, HOME=None, TMPDIR=str(spool), options={"user": 54321, "group": 54321, "extra_groups": []})


def test_C9_a_root_that_cannot_be_written(make_platform, start, tmp_path):
    """Its own mount space with / read-only; only the spool is writable."""
    spool = tmp_path / "writable"
    spool.mkdir()
    script = (f"mount --bind {spool} {spool} && mount -o remount,ro,bind / && exec {BUILD}/docket worker")
    probe = subprocess.run(["unshare", "--mount", "sh", "-c", "mount -o remount,ro,bind /"], capture_output=True, check=False)
    if probe.returncode != 0:
        pytest.skip("no right to make a mount space")
    works(make_platform(), start, spool=spool / "spool", command=["unshare", "--mount", "--propagation", "private", "sh", "-c", script])


CLOCK_OF_1970 = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <sys/time.h>
#include <time.h>
time_t time(time_t *out) { if (out) *out = 86400; return 86400; }
int gettimeofday(struct timeval *out, void *zone) { (void)zone; out->tv_sec = 86400; out->tv_usec = 0; return 0; }
int clock_gettime(clockid_t clock, struct timespec *out)
{
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(clock, out);
    if (clock == CLOCK_REALTIME) out->tv_sec = 86400;
    return result;
}
"""


def test_C9_a_clock_in_1970_is_said(make_platform, start, tmp_path):
    (tmp_path / "clock.c").write_text(CLOCK_OF_1970)
    built = subprocess.run(["cc", "-shared", "-fPIC", "-o", str(tmp_path / "clock.so"), str(tmp_path / "clock.c"), "-ldl"],
                           capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    first = []                                          # a sanitizer wants to be loaded before anything else
    if SANITIZED:
        name = f"lib{BUILD.name}.so"
        first = [subprocess.run(["cc", f"-print-file-name={name}"], capture_output=True, text=True, check=True).stdout.strip()]
    platform = make_platform()
    worker = start("docket", platform, LOAD="lazy", LD_PRELOAD=":".join([*first, str(tmp_path / "clock.so")]))
    line = worker.wait_log("take_error", timeout_s=15)[0]
    assert line["ts"].startswith("1970-01-02") and "clock" in line["error"], line
    assert not platform.requests


@pytest.mark.parametrize("flag, variable", [("--api-key", "RUNPOD_AI_API_KEY"), ("--hf-token", "HF_TOKEN")])
@pytest.mark.parametrize("form", ["separate", "joined"])
def test_C10_secrets_on_the_command_line(flag, variable, form, start, make_platform):
    arguments = [flag, "SECRET-VALUE-7"] if form == "separate" else [f"{flag}=SECRET-VALUE-7"]
    worker = start("docket", make_platform(), judged=False, command=[str(BUILD / "docket"), "worker", *arguments])
    assert worker.exit_code(10) == USAGE
    assert variable in worker.text() and "SECRET-VALUE-7" not in worker.text()
