#!/usr/bin/env python3
"""A stand-in for the platform's queue: the worker side of the protocol over HTTPS on loopback, with faults on demand.

A library for tests (`with Orchestrator(...) as platform`) and a program (see README.md). It runs in a thread of its own.
"""

import argparse
import asyncio
import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from certificates import Certificates                                            # noqa: E402
from faults import FaultPlan                                                     # noqa: E402
from jobs import FINAL, Queue                                                    # noqa: E402
from wire import BadRequest, Response, hang_up, parse_target, read_request, send  # noqa: E402

OPERATION_OF_ROUTE = {"job-take": "take", "job-take-batch": "take-batch", "job-stop": "stop", "ping": "ping",
                      "job-done": "done", "job-stream": "stream"}
MAX_RESULT_BYTES = 20 * 1024 * 1024
MAX_READ_BYTES = 256 * 1024 * 1024
DEFAULT_KEY = "test-key-of-the-queue"


class Orchestrator:
    """One endpoint. Listeners: `main`, and by `add_listener` others with a wrong certificate, a silent one, and so on."""

    def __init__(self, faults=(), jobs=(), seed=1, hold_s=5.0, stop_hold_s=5.0, ping_interval_s=1.0, missed_pings=3,
                 requeue_unnamed=True, plain=False, key=DEFAULT_KEY, endpoint="test-endpoint", port=0,
                 certificates=None, max_result_bytes=MAX_RESULT_BYTES, answer_headers=()):
        self.faults = FaultPlan(faults, seed)
        self.queue = Queue(ping_interval_s, missed_pings, requeue_unnamed)
        self.hold_s, self.stop_hold_s, self.plain, self.key, self.endpoint = hold_s, stop_hold_s, plain, key, endpoint
        self.max_result_bytes = max_result_bytes
        self.answer_headers = list(answer_headers)
        self.requests = []
        self.connections = 0
        self.paused_workers = set()
        self.ports = {}
        self.on_stop_pod = None
        self._port = port
        self._own_certificates = certificates is None and not plain
        self.certificates = Certificates() if self._own_certificates else certificates
        self._servers, self._wakers, self._writers = [], set(), set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="orchestrator", daemon=True)
        self._closing = False
        for job in jobs:
            self.submit(**job) if "payload" in job else self.submit(job)

    # Life

    def start(self):
        self._thread.start()
        self.queue.on_offer = lambda: self._loop.call_soon_threadsafe(self._wake)
        self.add_listener("main", port=self._port)
        asyncio.run_coroutine_threadsafe(self._clockwork(), self._loop)
        return self

    def close(self):
        if self._closing:
            return
        self._closing = True
        self.queue.on_offer = lambda: None
        asyncio.run_coroutine_threadsafe(self._shut(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()
        if self._own_certificates:
            self.certificates.close()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.close()

    def add_listener(self, name, leaf="good", tls_1_0=False, protocols=("http/1.1",), plain=None, handler=None, port=0):
        """Another door to the same queue; `handler(reader, writer)` replaces the protocol. Returns its port."""
        plain = self.plain if plain is None else plain
        context = None if plain else self.certificates.server_context(leaf, tls_1_0, protocols)

        async def accept(reader, writer):
            if server is not None and server not in self._servers:      # its handshake ended after close_listener
                hang_up(writer, True)
                return
            await self._connection(name, reader, writer, handler)

        async def open_port():
            options = {"ssl_handshake_timeout": 600} if context else {}
            return await asyncio.start_server(accept, "127.0.0.1", port, ssl=context, limit=256 * 1024, backlog=256, **options)

        server = None
        server = asyncio.run_coroutine_threadsafe(open_port(), self._loop).result(10)
        self._servers.append(server)
        self.ports[name] = server.sockets[0].getsockname()[1]
        return self.ports[name]

    def close_listener(self, name="main"):
        """Connection refused from now on, until `add_listener(name, port=...)`."""
        port = self.ports[name]

        async def shut():
            for server in list(self._servers):
                if server.sockets and server.sockets[0].getsockname()[1] == port:
                    server.close()
                    self._servers.remove(server)
            for writer in list(self._writers):
                hang_up(writer, True)

        asyncio.run_coroutine_threadsafe(shut(), self._loop).result(10)
        return port

    def environment(self, worker_id="worker-1", listener="main", **changes):
        """What the platform would export. A value of None removes the variable."""
        base = f"{'http' if self.plain else 'https'}://127.0.0.1:{self.ports[listener]}/v2/{self.endpoint}"
        variables = {
            "RUNPOD_WEBHOOK_GET_JOB": f"{base}/job-take/$ID?gpu=TEST+GPU",
            "RUNPOD_WEBHOOK_POST_OUTPUT": f"{base}/job-done/$RUNPOD_POD_ID/$ID?gpu=TEST+GPU",
            "RUNPOD_WEBHOOK_POST_STREAM": f"{base}/job-stream/$RUNPOD_POD_ID/$ID?gpu=TEST+GPU",
            "RUNPOD_WEBHOOK_PING": f"{base}/ping/$RUNPOD_POD_ID",
            "RUNPOD_PING_INTERVAL": str(int(self.queue.ping_interval_s * 1000)),
            "RUNPOD_AI_API_KEY": self.key,
            "RUNPOD_POD_ID": worker_id,
            "RUNPOD_ENDPOINT_ID": self.endpoint,
        }
        if not self.plain:
            variables["SSL_CERT_FILE"] = variables["REQUESTS_CA_BUNDLE"] = self.certificates.ca_file
        variables.update(changes)
        return {name: value for name, value in variables.items() if value is not None}

    # Jobs (thin names over the queue)

    def submit(self, payload, **options):
        return self.queue.submit(payload, **options)

    def cancel(self, job_id):
        self.queue.cancel(job_id)

    def job(self, job_id):
        return self.queue.jobs[job_id]

    def wait(self, predicate, timeout_s=10.0):
        return self.queue.wait(predicate, timeout_s)

    def wait_all(self, timeout_s=30.0):
        """Until every job is final; fails naming those that are not."""
        if not self.queue.wait(lambda: self.queue.unfinished() == 0, timeout_s):
            left = [f"{job.id[:60]}: {job.state}, {len(job.deliveries)} deliveries"
                    for job in self.queue.jobs.values() if job.state not in FINAL]
            raise AssertionError(f"{len(left)} jobs not final after {timeout_s} s: {left[:8]}")

    def wait_answer(self, job_id, timeout_s=15.0):
        job = self.job(job_id)
        if not self.wait(lambda: job.answer is not None, timeout_s):
            raise AssertionError(f"no answer to {job_id!r} after {timeout_s} s; state {job.state}, "
                                 f"{len(job.deliveries)} deliveries; last requests: {self.tail()}")
        return job.answer

    # What was seen

    def seen(self, *ops, worker=None, job=None, since=0.0, listener=None):
        """Recorded requests in order of arrival. No op means all."""
        return [request for request in list(self.requests)
                if (not ops or request.op in ops) and (worker is None or request.worker == worker)
                and (job is None or request.job == job) and request.at >= since
                and (listener is None or request.listener == listener)]

    def wait_seen(self, count, *ops, timeout_s=10.0, **filters):
        """Until so many requests of these operations have been read; returns them."""
        if not self.wait(lambda: len(self.seen(*ops, **filters)) >= count, timeout_s):
            raise AssertionError(f"{len(self.seen(*ops, **filters))} of {count} {ops} requests after {timeout_s} s; "
                                 f"last requests: {self.tail()}")
        return self.seen(*ops, **filters)

    def tail(self, count=8):
        return [f"{request.op} {request.target[-60:]} -> {request.status} {request.fault or ''}".strip()
                for request in list(self.requests)[-count:]]

    def gaps(self, *ops, worker=None, since=0.0, until=None):
        """Seconds between one request and the next."""
        times = [request.at for request in self.seen(*ops, worker=worker, since=since) if until is None or request.at <= until]
        return [later - earlier for earlier, later in zip(times, times[1:])]

    def assert_rules(self):
        """What no worker may do, whatever the weather."""
        assert not self.queue.violations, self.queue.violations[:5]

    def assert_answered(self, allow_repeats=True):
        """Every job has an answer, and no two answers of a job contradict each other."""
        for job in self.queue.jobs.values():
            assert job.answer is not None, f"{job.id[:60]}: {job.state} without an answer"
            if not allow_repeats:
                assert len(job.finals) == 1, f"{job.id[:60]}: {len(job.finals)} final posts"

    # The server

    def _run(self):
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    def _wake(self):
        for waker in self._wakers:
            waker.set()

    async def _clockwork(self):
        while not self._closing:
            self.queue.tick()
            await asyncio.sleep(min(0.25, self.queue.ping_interval_s / 4))

    async def _shut(self):
        for server in self._servers:
            server.close()
        for writer in list(self._writers):
            writer.transport.abort()
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _connection(self, listener, reader, writer, handler):
        self.connections += 1
        number = self.connections
        self._writers.add(writer)
        try:
            if handler is not None:
                await handler(reader, writer)
                return
            fault = self.faults.pick("connect")
            if fault is not None:
                if fault.delay_s:
                    await asyncio.sleep(fault.delay_s)
                hang_up(writer, fault.reset)
                return
            while await self._exchange(listener, number, reader, writer):
                pass
        except (ConnectionError, OSError, asyncio.CancelledError, BadRequest, ValueError) as error:
            if isinstance(error, (BadRequest, ValueError)):
                self.queue.violations.append(f"unreadable request: {error}")
        finally:
            self._writers.discard(writer)
            with contextlib.suppress(Exception):
                writer.close()

    async def _exchange(self, listener, connection, reader, writer):
        request = await read_request(reader, writer, len(self.requests) + 1, connection, time.monotonic, MAX_READ_BYTES)
        if request is None:
            return False
        request.listener = listener
        self._route(request)
        fault = self.faults.pick(request.op, request.worker, request.job)
        if fault is not None:
            request.fault = fault.name or fault.drop or fault.flood or (f"status {fault.status}" if fault.status else "fault")
        with self.queue.changed:
            self.requests.append(request)
            self.queue.changed.notify_all()
        response = await self._answer(request, fault, reader, writer)
        if fault is not None and fault.delay_s:
            await asyncio.sleep(fault.delay_s)
        going_on = await send(writer, request, response, fault)
        with self.queue.changed:
            request.answered_at = time.monotonic()
            self.queue.changed.notify_all()
        if request.header("Connection", "").lower() == "close":
            return False
        return going_on

    def _route(self, request):
        path, request.query = parse_target(request.target)
        parts = path.split("/")
        if len(parts) >= 5 and parts[1] == "v2" and parts[3] in OPERATION_OF_ROUTE:
            request.endpoint, request.op = parts[2], OPERATION_OF_ROUTE[parts[3]]
            request.worker = urllib.parse.unquote(parts[4].partition("&")[0])
            if len(parts) > 5:
                request.job = urllib.parse.unquote("/".join(parts[5:]))
        if request.op == "done" and b'"IN_PROGRESS"' in request.body[:200]:
            request.op = "progress"

    async def _answer(self, request, fault, reader, writer):
        """The queue's part, unless the fault says that it never happens; then the answer, changed as the fault wants it."""
        plain_answer = Response(200, b"{}", headers=list(self.answer_headers))
        if fault is not None and fault.replaces_answer and not fault.applies:
            response = plain_answer
        else:
            response = await self._serve(request, fault, reader, writer)
            response.headers.extend(self.answer_headers)
        if fault is not None:
            response.status = fault.status or response.status
            response.headers.extend(fault.headers)
            response.content_type = fault.content_type or response.content_type
            if fault.body is not None:
                response.body = fault.body.encode("utf-8") if isinstance(fault.body, str) else fault.body
                if response.status == 204:
                    response.status = 200
        return response

    async def _serve(self, request, fault, reader, writer):
        if request.op == "unknown":
            return Response(404, b'{"error": "no such route"}')
        if request.header("Authorization", "") != self.key:
            self.queue.violations.append(f"{request.op}: Authorization is not the key")
            return Response(401, b'{"error": "unauthorized"}')
        if request.op in ("take", "take-batch"):
            return await self._take(request, fault, reader, writer)
        if request.op == "stop":
            return await self._stop(request, reader, writer)
        if request.op == "ping":
            ids = [job for value in (request.argument("job_id"),) if value for job in value.split(",")]
            self.queue.ping(request.worker, ids)
            return Response(200, b"{}")
        return self._post(request)

    async def _held(self, hold_s, reader, writer, attempt):
        """attempt() until it gives something, the peer leaves, or the hold ends."""
        deadline = time.monotonic() + hold_s
        waker = asyncio.Event()
        self._wakers.add(waker)
        try:
            while True:
                waker.clear()
                if reader.at_eof() or writer.transport.is_closing():
                    raise ConnectionResetError("the peer left during the long poll")
                found = attempt()
                left = deadline - time.monotonic()
                if found or left <= 0:
                    return found
                due = self.queue.due_in()
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(waker.wait(), min(left, 0.2, due if due else 0.2))
        finally:
            self._wakers.discard(waker)

    async def _take(self, request, fault, reader, writer):
        if request.worker in self.paused_workers:
            return Response(400, b'{"error": "paused"}')
        count = int(request.argument("batch_size", "1"))
        if fault is not None and fault.elements is not None:
            return self._jobs(request, list(fault.elements))
        surplus = fault.surplus if fault is not None else 0
        jobs = await self._held(self.hold_s, reader, writer, lambda: self.queue.take(request.worker, count + surplus))
        if not jobs:
            return Response(204)
        if fault is not None and fault.duplicate:
            jobs = [job for job in jobs for _ in (0, 1)]
        return self._jobs(request, jobs)

    @staticmethod
    def _jobs(request, jobs):
        encoded = [job if isinstance(job, bytes) else json.dumps(job, ensure_ascii=False).encode("utf-8", "surrogatepass")
                   for job in jobs]
        single = request.op == "take" and len(jobs) == 1
        return Response(200, encoded[0] if single else b"[" + b", ".join(encoded) + b"]")

    async def _stop(self, request, reader, writer):
        ids = await self._held(self.stop_hold_s, reader, writer, lambda: self.queue.take_stops(request.worker))
        return Response(200, json.dumps({"jobsToStop": ids}).encode()) if ids else Response(204)

    def _post(self, request):
        if len(request.body) > self.max_result_bytes:
            return Response(400, b'{"error": "body too large"}')
        try:
            body = json.loads(request.body.decode("utf-8"), parse_constant=_refuse_constant)
            if not isinstance(body, dict):
                raise ValueError("not an object")
        except ValueError as error:
            self.queue.violations.append(f"{request.op}: {error}")
            return Response(400, b'{"error": "invalid JSON"}')
        if request.op == "stream":
            return Response(self.queue.chunk(request.worker, request.job, body, request.body), b"{}")
        status = self.queue.post(request.worker, request.job, body, request.body)
        if body.get("stopPod") and self.on_stop_pod:
            self.on_stop_pod(request.worker)
        return Response(status, b"{}")


def _refuse_constant(name):
    raise ValueError(f"{name} is not JSON")


# The program


def read_jobs(path):
    """One job a line; the key "queue" holds delay_s, ttl_s, execution_timeout_s and is not sent."""
    with open(path, encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                try:
                    payload = json.loads(line)
                    options = payload.pop("queue", {})
                except (ValueError, AttributeError) as error:
                    raise SystemExit(f"{path}:{number}: want one JSON object a line: {error}") from error
                yield payload, options


def print_table(queue, out=sys.stdout):
    print(f"{'job':40} {'state':12} {'worker':14} {'tries':>5} {'posts':>5} {'seconds':>8}  answer", file=out)
    for job in queue.jobs.values():
        seconds = f"{job.finished_at - job.submitted_at:8.3f}" if job.finished_at else " " * 8
        answer = json.dumps(job.answer, ensure_ascii=False) if job.answer is not None else ""
        if job.answer is not None and isinstance(job.answer.get("output"), dict) and "results" in job.answer["output"]:
            results = job.answer["output"]["results"]
            answer = ", ".join(str(result.get("label") or result.get("labels") or result.get("error", {}).get("code"))
                               for result in results[:6]) + (", …" if len(results) > 6 else "")
        print(f"{job.id[:40]:40} {job.state:12} {str(job.worker or '')[:14]:14} {len(job.deliveries):5} {len(job.finals):5} "
              f"{seconds}  {answer[:100]}", file=out)


def main():
    parser = argparse.ArgumentParser(description="A queue for one worker, on loopback. Prints the variables to export as JSON "
                                                 "on one line, serves until every job is final, prints a table.")
    parser.add_argument("--jobs", required=True, help="file with one job a line")
    parser.add_argument("--scenario", help="JSON: {\"faults\": [...], \"seed\": 1}")
    parser.add_argument("--deadline", type=float, default=300.0, help="seconds until it gives up (300)")
    parser.add_argument("--hold", type=float, default=2.0, help="seconds that an empty take is held (2)")
    parser.add_argument("--ping-interval-ms", type=int, default=1000)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--http", action="store_true", help="plain HTTP")
    parser.add_argument("--worker-id", default="worker-1")
    parser.add_argument("--results", help="file for the answers, one a line")
    parser.add_argument("worker", nargs="*", help="after --: a worker to start with these variables and to stop at the end")
    options = parser.parse_args()

    scenario = json.loads(pathlib.Path(options.scenario).read_text(encoding="utf-8")) if options.scenario else {}
    with Orchestrator(faults=scenario.get("faults", ()), seed=scenario.get("seed", 1), hold_s=options.hold,
                      ping_interval_s=options.ping_interval_ms / 1000, plain=options.http, port=options.port) as platform:
        for payload, job_options in read_jobs(options.jobs):
            platform.submit(payload, **job_options)
        variables = platform.environment(options.worker_id)
        print(json.dumps(variables), flush=True)
        process = subprocess.Popen(options.worker, env={**os.environ, **variables}, stdout=sys.stderr) if options.worker else None
        finished = _serve_until_done(platform, process, options.deadline)
        if process is not None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        print_table(platform.queue)
        if options.results:
            with open(options.results, "w", encoding="utf-8") as out:
                for job in platform.queue.jobs.values():
                    out.write(json.dumps({"id": job.id, "state": job.state, "answer": job.answer}, ensure_ascii=False) + "\n")
        if not finished:
            print(f"not every job was final: {platform.queue.unfinished()} left", file=sys.stderr)
        return 0 if finished else 1


def _serve_until_done(platform, process, deadline_s):
    deadline = time.monotonic() + deadline_s
    while time.monotonic() < deadline:
        if platform.wait(lambda: platform.queue.unfinished() == 0, 1.0):
            return True
        if process is not None and process.poll() is not None:
            print(f"the worker ended with exit code {process.returncode}", file=sys.stderr)
            return False
    return False


if __name__ == "__main__":
    sys.exit(main())
