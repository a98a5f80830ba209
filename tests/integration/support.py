"""Workers as processes: how each kind is started, watched, measured and always ended. Knows no test."""

import base64
import ctypes
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "orchestrator"))

import jobs                                                                     # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("BUILD_DIR", ROOT / "build" / "release")).resolve()
SOAK = os.environ.get("SOAK") == "1"
SEED = int(os.environ.get("SEED", "1"))
SDK_PYTHON = os.environ.get("RUNPOD_SDK_PYTHON")
MODEL = "docket/demo-mixtral"
MODEL_CACHE = ROOT / "tests" / "demo_model" / "hub"
TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")

SANITIZED = BUILD.name in ("asan", "tsan")               # slower and larger: waits are longer, sizes are not judged
if SANITIZED:
    jobs.PATIENCE = 4.0

SIGNAL_S = 0.5           # from a signal until a process on a busy machine has seen it, and what it sent before has arrived

COMMANDS = {
    "docket": [str(BUILD / "docket"), "worker"],
    "mock_worker": [str(BUILD / "tests" / "mock_worker")],
    "sdk": [SDK_PYTHON or "python3", str(ROOT / "tests" / "integration" / "sdk_worker.py")],
}
for _kind in COMMANDS:
    if os.environ.get(f"{_kind.upper()}_COMMAND"):
        COMMANDS[_kind] = os.environ[f"{_kind.upper()}_COMMAND"].split()

# The tables of the C code: what stands there is what may be answered and logged.
CODES = set(re.findall(r"ERROR_CODE\((\w+)", (ROOT / "worker/base/error_codes.def").read_text(encoding="utf-8")))
EVENTS = set(re.findall(r"LOG_EVENT\((\w+)", (ROOT / "worker/base/events.def").read_text(encoding="utf-8")))


def missing(kind):
    """Why this kind of worker cannot be started here, or None."""
    if kind == "sdk":
        return None if SDK_PYTHON else "RUNPOD_SDK_PYTHON is not set"
    if not pathlib.Path(COMMANDS[kind][0]).exists():
        return f"{COMMANDS[kind][0]} is not built"
    if kind == "docket" and not MODEL_CACHE.exists():
        return f"{MODEL_CACHE} is not there"
    return None


_libc = ctypes.CDLL(None, use_errno=True)


def end_with_us(number):
    """For preexec_fn: the kernel sends the child this signal when our process dies, however it dies."""
    return lambda: _libc.prctl(1, number)


class Worker:
    """A worker process in a group of its own. Its two outputs go to files, so that nothing blocks unless a test wants it."""

    def __init__(self, kind, variables, folder, spool=None, command=None, stdout=None, **options):
        self.kind, self.folder, self.spool = kind, folder, spool
        folder.mkdir(parents=True, exist_ok=True)
        self.variables = {"PATH": "/usr/bin:/bin", "HOME": str(folder), "TMPDIR": str(folder), "LOG_FORMAT": "json",
                          "LOG_LEVEL": "debug", **({"SPOOL_DIR": str(spool)} if spool else {}), **DEFAULTS.get(kind, {}),
                          **variables}
        self.variables = {name: value for name, value in self.variables.items() if value is not None}
        self.output, self.errors = folder / "stdout.log", folder / "stderr.log"
        with open(self.output, "ab") as out, open(self.errors, "ab") as err:
            self.process = subprocess.Popen(command or COMMANDS[kind], env=self.variables, cwd=folder, start_new_session=True,
                                            stdin=subprocess.DEVNULL, stdout=stdout or out, stderr=err,
                                            preexec_fn=end_with_us(signal.SIGKILL), **options)
        self.pid = self.process.pid

    def holds(self, number):
        """Whether a signal would be heard or kept rather than end it: it is caught or blocked. No when it is gone."""
        try:
            status = dict(line.split(":\t", 1) for line in pathlib.Path(f"/proc/{self.pid}/status").read_text().splitlines() if ":\t" in line)
        except OSError:
            return False
        return any(int(status[key], 16) >> (number - 1) & 1 for key in ("SigBlk", "SigCgt") if key in status)

    # Ending

    def signal(self, number):
        self.process.send_signal(number)

    def terminate(self):
        self.signal(signal.SIGTERM)

    def kill(self):
        """SIGKILL to the whole group, and wait."""
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait(10)

    def exit_code(self, timeout_s=20.0):
        try:
            return self.process.wait(timeout_s * jobs.PATIENCE)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {timeout_s} s; {self.tail()}") from None

    def stop(self, timeout_s=20.0):
        self.terminate()
        return self.exit_code(timeout_s)

    @property
    def alive(self):
        return self.process.poll() is None

    # Its words

    def text(self):
        return (self.output.read_bytes() + self.errors.read_bytes()).decode("utf-8", "replace")

    def tail(self, lines=12):
        return "last lines:\n" + "\n".join(line[:400] for line in self.text().splitlines()[-lines:])

    def log(self, event=None):
        """The JSON lines of standard output, all or those of one event."""
        if event is not None and event not in EVENTS:
            raise ValueError(f"event {event!r} is not in events.def")
        lines = []
        for raw in self.output.read_bytes().split(b"\n"):
            if raw.startswith(b"{"):
                try:
                    line = json.loads(raw)
                except ValueError:
                    continue                    # the last line may be in the making; assert_log_lines judges the rest
                if event is None or line.get("event") == event:
                    lines.append(line)
        return lines

    def wait_log(self, event, count=1, timeout_s=10.0):
        deadline = time.monotonic() + timeout_s * jobs.PATIENCE
        while len(self.log(event)) < count:
            assert time.monotonic() < deadline, f"{len(self.log(event))} of {count} {event} lines; {self.tail()}"
            time.sleep(0.02)
        return self.log(event)

    def assert_log_lines(self):
        """One event, one line, valid JSON, known events, the fixed keys, no line over 4,096 characters."""
        raw_lines = self.output.read_bytes().split(b"\n")
        if not self.alive and self.process.returncode >= 0:
            assert raw_lines[-1] == b"", f"the last line has no end: {raw_lines[-1][:200]!r}"
        for raw in raw_lines[:-1]:
            text = raw.decode("utf-8")
            assert len(text) <= 4096, f"a line of {len(text)} characters"
            assert not re.search(r"[\x00-\x1f\x7f\u202a-\u202e\u2066-\u2069]", text), f"control character in {text[:200]!r}"
            line = json.loads(text)
            assert list(line)[:3] == ["requestId", "message", "level"], f"keys {list(line)[:4]}"
            assert line["level"] in ("TRACE", "DEBUG", "INFO", "WARN", "ERROR"), line["level"]
            assert line["event"] in EVENTS, f"event {line['event']!r} is not in events.def"

    # Its use of the machine

    def cpu_seconds(self):
        fields = pathlib.Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii").rpartition(") ")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def resident_bytes(self):
        return int(pathlib.Path(f"/proc/{self.pid}/statm").read_text(encoding="ascii").split()[1]) * PAGE

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def threads(self):
        return len(os.listdir(f"/proc/{self.pid}/task"))

    def children(self):
        """Ids of all descendants, by the kernel's lists."""
        found, todo = [], [self.pid]
        while todo:
            pid = todo.pop()
            for task in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
                try:
                    ids = [int(child) for child in task.read_text(encoding="ascii").split()]
                except OSError:
                    continue
                found += ids
                todo += ids
        return found


DEFAULTS = {
    "mock_worker": {"MAX_CONCURRENCY": "1"},
    "docket": {"MODEL_NAME": MODEL, "HF_HUB_CACHE": str(MODEL_CACHE), "GPU_PRICE_PER_SECOND": "0.001"},
    "sdk": {"LOG_FORMAT": None, "LOG_LEVEL": None, "RUNPOD_LOG_LEVEL": "DEBUG"},
}


# Jobs for the real handler

LABELS = ["invoice", "resume", "meeting_minutes"]
TEXTS = [
    "Please transfer 412.20 EUR within 30 days. Item: 4 office chairs, unit price 103.05 EUR. Thank you for your business.",
    "Work experience: 2014 to 2020 nurse at the city hospital. Education: diploma in nursing. Languages: English, Polish.",
    "Present: Anna, Omar, Li. The board approved the budget. Next meeting on Tuesday. Action: Omar sends the plan.",
    "Total due: 88.00 USD. Invoice number 20391. Pay by bank transfer.",
    "I am a software developer with eight years of practice in C and Python, looking for a position in Lisbon.",
    "Agenda item 3: roof repair. Vote: five in favour, none against. The chair closed the meeting at 18:40.",
]


def classify_input(count=1, seed=0, **changes):
    """A small job: `count` documents, each a few words that differ by seed and place."""
    documents = [{"id": f"d{number}", "text": f"{TEXTS[(seed + number) % len(TEXTS)]} Reference {seed}-{number}."}
                 for number in range(count)]
    return {"labels": LABELS, "documents": documents, **changes}


def error_codes(answer):
    """Codes of error_codes.def that stand in the error of an answer, in order."""
    error = answer.get("error") if isinstance(answer, dict) else None
    return [word for word in re.findall(r"[a-z][a-z0-9_]+", error) if word in CODES] if isinstance(error, str) else []


def assert_failed(answer, *codes):
    """The job FAILED with one of these codes, and `error` is a string."""
    assert isinstance(answer.get("error"), str) and answer["error"], f"want an error string, got {json.dumps(answer)[:400]}"
    found = error_codes(answer)
    assert found and found[0] in codes, f"want {' or '.join(codes)}, got {answer['error'][:400]}"


def result_codes(answer):
    """Per document: the error code, or "ok"."""
    assert "output" in answer, f"no output: {json.dumps(answer)[:400]}"
    return ["ok" if result["status"] == "ok" else result["error"]["code"] for result in answer["output"]["results"]]


def essence(answer):
    """What must be equal however often a job was disturbed: labels and scores, or the error."""
    if "output" not in answer:
        return error_codes(answer)[:1] or answer.get("error")
    return [(result["index"], result.get("id"), result["status"],
             result.get("label"), [(entry["label"], round(entry["score"], 6)) for entry in result.get("scores", [])],
             result.get("error", {}).get("code")) for result in answer["output"]["results"]]


def same_essence(one, other):
    """essence() with scores compared to 1e-6 instead of by their digits."""
    if not (isinstance(one, list) and isinstance(other, list)) or len(one) != len(other):
        return one == other
    for left, right in zip(one, other):
        if isinstance(left, str) or isinstance(right, str):
            if left != right:
                return False
            continue
        if left[:4] != right[:4] or left[5] != right[5] or len(left[4]) != len(right[4]):
            return False
        for (left_label, left_score), (right_label, right_score) in zip(left[4], right[4]):
            if left_label != right_label or not abs(left_score - right_score) <= 2e-6:
                return False
    return True


def base64_of(text):
    return base64.b64encode(text if isinstance(text, bytes) else text.encode("utf-8")).decode("ascii")


def burn_cpu(processes, seconds):
    """Processes that keep every core busy; ended by the caller or by time."""
    code = f"import time\nend = time.monotonic() + {seconds}\nwhile time.monotonic() < end: pass"
    return [subprocess.Popen([sys.executable, "-c", code], preexec_fn=end_with_us(signal.SIGKILL)) for _ in range(processes)]
