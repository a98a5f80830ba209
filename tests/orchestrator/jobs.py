"""The queue: jobs, their states, the workers they are bound to, and when they go back.

Knows states, times and ids; knows neither HTTP nor faults. One lock guards everything, so tests may look at any time.
"""

import collections
import dataclasses
import threading
import time
import uuid

IN_QUEUE, IN_PROGRESS = "IN_QUEUE", "IN_PROGRESS"
COMPLETED, FAILED, CANCELLED, TIMED_OUT, EXPIRED = "COMPLETED", "FAILED", "CANCELLED", "TIMED_OUT", "EXPIRED"
PATIENCE = 1.0              # factor for all time limits of waiting; more for slow builds
FINAL = {COMPLETED, FAILED, CANCELLED, TIMED_OUT, EXPIRED}


@dataclasses.dataclass
class Delivery:
    at: float
    worker: str


@dataclasses.dataclass
class Post:
    """One body that arrived for a job: result, progress value or stream chunk."""
    at: float
    worker: str
    body: object
    raw: bytes
    taken_as: str          # "answer", "repeat", "ignored", "progress", "late progress", "chunk"


@dataclasses.dataclass
class Job:
    id: str
    payload: object                 # a dict, or bytes that go out as they are
    not_before: float
    submitted_at: float
    ttl_s: float = 86400.0
    execution_timeout_s: float = 600.0
    state: str = IN_QUEUE
    worker: str = None
    bound_at: float = 0.0
    named_at: float = 0.0
    finished_at: float = 0.0
    retries: int = 0
    answer: dict = None
    deliveries: list = dataclasses.field(default_factory=list)
    posts: list = dataclasses.field(default_factory=list)

    @property
    def finals(self):
        return [post for post in self.posts if post.taken_as in ("answer", "repeat", "ignored")]

    @property
    def progress(self):
        return [post for post in self.posts if post.taken_as in ("progress", "late progress")]

    @property
    def chunks(self):
        return [post for post in self.posts if post.taken_as == "chunk"]


@dataclasses.dataclass
class Worker:
    id: str
    first_seen: float
    last_ping: float = None
    pings: list = dataclasses.field(default_factory=list)       # (time, list of ids)
    stops: list = dataclasses.field(default_factory=list)       # ids waiting on the stop channel


class Queue:
    """Rules: first in, first out; requeued jobs go in front; a job belongs to the worker that took it until it is final."""

    def __init__(self, ping_interval_s, missed_pings=3, requeue_unnamed=True):
        self.lock = threading.RLock()
        self.changed = threading.Condition(self.lock)
        self.jobs = {}
        self.workers = {}
        self.violations = []
        self.ping_interval_s = ping_interval_s
        self.missed_pings = missed_pings
        self.requeue_unnamed = requeue_unnamed
        self._ready = collections.deque()       # (not_before, job or None, payload), in delivery order
        self._unfinished = 0
        self.on_offer = lambda: None            # called when something may have become ready to hand out

    # Submission

    def submit(self, payload, delay_s=0.0, ttl_s=86400.0, execution_timeout_s=600.0):
        now = time.monotonic()
        payload = dict(payload)
        payload.setdefault("id", f"{uuid.uuid4()}-u1")
        job = Job(payload["id"], payload, now + delay_s, now, ttl_s, execution_timeout_s)
        with self.lock:
            if job.id in self.jobs:
                raise ValueError(f"job {job.id!r} exists; use deliver_again")
            self.jobs[job.id] = job
            self._unfinished += 1
            self._ready.append((job.not_before, job, payload))
            self._offer()
        return job

    def submit_element(self, element):
        """Any JSON value in a job's place: null, a number, an object without an id. Nothing is tracked."""
        with self.lock:
            self._ready.append((0.0, None, element))
            self._offer()

    def submit_raw(self, raw, job_id=None, **options):
        """Exactly these bytes as the job. With an id (the one that a lenient reader would find) answers are tracked."""
        if job_id is None:
            self.submit_element(raw)
            return None
        job = self.submit({"id": job_id}, **options, delay_s=1e9)
        with self.lock:
            self._ready = collections.deque(entry for entry in self._ready if entry[1] is not job)
            job.payload = raw
            self._ready.append((0.0, job, raw))
            self._offer()
        return job

    def deliver_again(self, job_id, payload=None, delay_s=0.0):
        """Hand out an id once more, whatever its state, optionally with another payload."""
        with self.lock:
            job = self.jobs[job_id]
            self._ready.append((time.monotonic() + delay_s, job, payload or job.payload))
            self._offer()

    def purge(self):
        """Take back everything that nobody has taken yet."""
        with self.lock:
            for _, job, _ in self._ready:
                if job is not None and job.state == IN_QUEUE:
                    self._finish(job, CANCELLED)
            self._ready.clear()

    # What workers do

    def take(self, worker_id, at_most):
        """Up to at_most payloads that are due, bound to the worker."""
        now = time.monotonic()
        taken = []
        with self.lock:
            self._worker(worker_id)
            kept = collections.deque()
            while self._ready and len(taken) < at_most:
                not_before, job, payload = self._ready.popleft()
                if not_before > now:
                    kept.append((not_before, job, payload))
                    continue
                if job is not None and job.state in (CANCELLED, TIMED_OUT, EXPIRED):
                    continue
                if job is not None:
                    job.deliveries.append(Delivery(now, worker_id))
                    if job.state not in FINAL:
                        job.state, job.worker, job.bound_at, job.named_at = IN_PROGRESS, worker_id, now, now
                taken.append(payload)
            self._ready.extendleft(reversed(kept))
            if taken:
                self.changed.notify_all()
        return taken

    def due_in(self):
        """Seconds until something can be taken: 0 now, None never."""
        now = time.monotonic()
        with self.lock:
            times = [not_before for not_before, job, _ in self._ready
                     if job is None or job.state not in (CANCELLED, TIMED_OUT, EXPIRED)]
        return max(0.0, min(times) - now) if times else None

    def ping(self, worker_id, job_ids):
        now = time.monotonic()
        with self.lock:
            worker = self._worker(worker_id)
            worker.last_ping = now
            worker.pings.append((now, job_ids))
            for job_id in job_ids:
                job = self.jobs.get(job_id)
                if job is not None and job.worker == worker_id:
                    job.named_at = now
            self.changed.notify_all()

    def post(self, worker_id, job_id, body, raw):
        """A body on the done route. Returns the HTTP status that the queue gives."""
        now = time.monotonic()
        with self.lock:
            job = self.jobs.get(job_id)
            if job is None or job.state == EXPIRED:
                if job is None:
                    self.violations.append(f"result for an id that was never handed out: {job_id!r}")
                else:
                    job.posts.append(Post(now, worker_id, body, raw, "ignored"))
                self.changed.notify_all()
                return 404
            if body.get("status") == IN_PROGRESS:
                late = job.answer is not None and not any(delivery.at > job.finished_at for delivery in job.deliveries)
                job.posts.append(Post(now, worker_id, body, raw, "late progress" if late else "progress"))
                if late:
                    self.violations.append(f"progress after the result of {job_id!r}")
            elif job.answer is not None:
                job.posts.append(Post(now, worker_id, body, raw, "repeat"))
            elif job.state in FINAL:
                job.posts.append(Post(now, worker_id, body, raw, "ignored"))
            else:
                job.posts.append(Post(now, worker_id, body, raw, "answer"))
                job.answer = body
                error = body.get("error")
                self._finish(job, FAILED if isinstance(error, str) and error else COMPLETED)
            self.changed.notify_all()
            return 200

    def chunk(self, worker_id, job_id, body, raw):
        with self.lock:
            job = self.jobs.get(job_id)
            if job is None:
                return 404
            job.posts.append(Post(time.monotonic(), worker_id, body, raw, "chunk"))
            self.changed.notify_all()
            return 200

    def take_stops(self, worker_id):
        with self.lock:
            worker = self._worker(worker_id)
            stops, worker.stops = worker.stops, []
            return stops

    # What the platform does

    def cancel(self, job_id):
        self._end(job_id, CANCELLED)

    def send_stop(self, worker_id, ids):
        """Raw content for a worker's stop channel, checked by nobody."""
        with self.lock:
            self._worker(worker_id).stops.extend(ids)
            self._offer()

    def _end(self, job_id, state):
        with self.lock:
            job = self.jobs[job_id]
            if job.state in FINAL:
                return
            if job.state == IN_PROGRESS:
                self._worker(job.worker).stops.append(job_id)
            self._finish(job, state)
            self._offer()

    def tick(self):
        """Expiry, execution timeouts, lost workers. Called several times per heartbeat interval."""
        now = time.monotonic()
        allowed = self.missed_pings * self.ping_interval_s
        with self.lock:
            for job in self.jobs.values():
                if job.state in FINAL:
                    continue
                if now - job.submitted_at > job.ttl_s:
                    self._end(job.id, EXPIRED)
                elif job.state == IN_PROGRESS and now - job.bound_at > job.execution_timeout_s:
                    self._end(job.id, TIMED_OUT)
                elif job.state == IN_PROGRESS:
                    worker = self._worker(job.worker)
                    if worker.last_ping is None:
                        continue
                    silent = now - max(worker.last_ping, job.bound_at) > allowed
                    unnamed = self.requeue_unnamed and now - job.named_at > allowed
                    if silent or unnamed:
                        job.state, job.worker = IN_QUEUE, None
                        job.retries += 1
                        self._ready.appendleft((0.0, job, job.payload))
                        self._offer()

    # For tests

    def wait(self, predicate, timeout_s):
        """True as soon as predicate() holds; False after timeout_s (times PATIENCE). The predicate runs under the lock."""
        deadline = time.monotonic() + timeout_s * PATIENCE
        with self.changed:
            while not predicate():
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                self.changed.wait(min(left, 0.5))
            return True

    def unfinished(self):
        return self._unfinished

    def _offer(self):
        self.changed.notify_all()
        self.on_offer()

    def _finish(self, job, state):
        job.state = state
        job.finished_at = time.monotonic()
        self._unfinished -= 1

    def _worker(self, worker_id):
        if worker_id not in self.workers:
            self.workers[worker_id] = Worker(worker_id, time.monotonic())
        return self.workers[worker_id]
