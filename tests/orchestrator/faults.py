"""What may go wrong, and when: a scripted list of faults, each counted by itself.

Knows operations and descriptions; the bytes are made in wire.py.
"""

import dataclasses
import random

TAKES = ("take", "take-batch")
OPERATIONS = ("connect", "take", "take-batch", "stop", "ping", "done", "progress", "stream")


@dataclasses.dataclass
class Fault:
    """One kind of trouble. Which requests: `op` (one, several, or "any"), `job`, `worker`, then `nth` of those that match
    (1 = the first; a number or a list) or `chance`; at most `times` often. What happens: the fields below; all but
    `applies` are about the answer. With `applies` the queue does its part first, so that the answer to something that
    did happen is lost."""
    op: object = "any"
    job: str = None
    worker: str = None
    nth: object = None
    chance: float = None
    times: int = None
    name: str = None
    # the answer
    applies: bool = False
    status: int = None
    reason: str = None
    headers: object = ()                # pairs, or a dict in JSON
    content_type: str = None
    body: object = None                 # bytes or text; None leaves the body as it would have been
    delay_s: float = 0.0                # before the answer
    # its bytes
    drop: str = None                    # "before-read", "after-read", "after-status"; op "connect": "before-read"
    reset: bool = False                 # end with a reset instead of a polite close
    cut_after: int = None               # close after so many bytes of the body
    content_length: int = None          # says so, whatever the body is
    chunked: bool = False
    slow_bytes_per_s: float = None
    raw: bytes = None                   # exactly these bytes instead of an answer, then close
    flood: str = None                   # "continue", "early-hints", "headers", "big-header", "big-status", "body", "gzip", "stall"
    # take only
    elements: list = None               # the list that is handed out instead of jobs
    surplus: int = 0                    # so many jobs more than asked for
    duplicate: bool = False             # every job twice in one list
    # bookkeeping
    seen: int = 0
    used: int = 0

    @property
    def replaces_answer(self):
        """Such a fault keeps the queue from doing its part, unless `applies`; the others only deform a true answer."""
        return bool(self.status is not None or self.body is not None or self.raw is not None or self.drop or self.flood)

    def matches(self, op, worker, job):
        wanted = (self.op,) if isinstance(self.op, str) else tuple(self.op)
        if self.op == "any":
            wanted = OPERATIONS[1:]
        return (op in wanted and (self.worker is None or self.worker == worker)
                and (self.job is None or self.job == job))


class FaultPlan:
    """The first fault that matches wins. Chances come from one seeded generator. Faults given at the start are copied, so that a
    table of them can be used again."""

    def __init__(self, faults=(), seed=1):
        self.random = random.Random(seed)
        self.faults = [dataclasses.replace(fault, seen=0, used=0) if isinstance(fault, Fault) else from_json(fault)
                       for fault in faults]

    def add(self, *faults):
        self.faults.extend(faults)
        return faults[-1]

    def clear(self):
        self.faults = []

    def pick(self, op, worker=None, job=None):
        chosen = None
        for fault in self.faults:
            if not fault.matches(op, worker, job):
                continue
            fault.seen += 1                 # every fault counts all requests that match it, also those that another one took
            if chosen is not None or (fault.times is not None and fault.used >= fault.times):
                continue
            if fault.nth is not None and fault.seen not in ([fault.nth] if isinstance(fault.nth, int) else fault.nth):
                continue
            if fault.chance is not None and self.random.random() >= fault.chance:
                continue
            fault.used += 1
            chosen = fault
        return chosen


def from_json(description):
    known = {field.name for field in dataclasses.fields(Fault)} - {"seen", "used"}
    unknown = set(description) - known
    if unknown:
        raise ValueError(f"fault: unknown key {sorted(unknown)[0]!r}; known: {', '.join(sorted(known))}")
    fault = Fault(**description)
    if isinstance(fault.headers, dict):
        fault.headers = tuple(fault.headers.items())
    if isinstance(fault.raw, str):
        fault.raw = fault.raw.encode("utf-8")
    return fault


def mixture(share, seed_names=True):
    """The usual weather: `share` of all requests go wrong, in every way that a network has, spread over all operations."""
    each = share / 8
    names = (lambda name: name) if seed_names else (lambda name: None)
    return [
        Fault("any", chance=each, status=500, name=names("500")),
        Fault("any", chance=each, status=503, headers=(("Retry-After", "1"),), name=names("503")),
        Fault("any", chance=each, status=429, headers=(("Retry-After", "1"),), name=names("429")),
        Fault("any", chance=each, drop="before-read", reset=True, name=names("reset before")),
        Fault("any", chance=each, applies=True, drop="after-read", name=names("answer lost")),
        Fault("any", chance=each, applies=True, drop="after-status", name=names("status line cut")),
        Fault("any", chance=each, applies=True, cut_after=5, reset=True, name=names("body cut")),
        Fault("any", chance=each, applies=True, delay_s=0.3, name=names("late")),
    ]
