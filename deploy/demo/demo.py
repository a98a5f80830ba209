#!/usr/bin/python3
"""make demo: a queue on loopback, a worker, a dozen documents. Uses the test queue (tests/orchestrator) as the platform.

What it prints comes from the queue's answers and from the worker's log, nothing is computed here but sums.
"""

import base64
import io
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time
import zipfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOCUMENTS = ROOT / "deploy" / "demo" / "documents"
OUT = ROOT / "build" / "demo"
sys.path.insert(0, str(ROOT / "tests" / "orchestrator"))

from orchestrator import Orchestrator                                           # noqa: E402

LABELS = ["invoice", "receipt", "purchase order", "bank statement", "payslip", "employment contract",
          "non-disclosure agreement", "resume", "insurance claim", "medical report", "tax notice", "utility bill",
          "shipping notice", "meeting minutes", "complaint letter"]
PRICE = "0.00031"       # USD a second: what a worker with an RTX 4090 costs; here it is only for the arithmetic
REFUSED = ["document_corrupt", "document_type_unsupported"]
LIMIT_SECONDS = 60
COLOUR = sys.stdout.isatty() and "NO_COLOR" not in os.environ


def bold(text):
    return f"\033[1m{text}\033[0m" if COLOUR else text


def red(text):
    return f"\033[31m{text}\033[0m" if COLOUR else text


def say(text=""):
    print(text, flush=True)


def document(name):
    return {"id": name, "text": (DOCUMENTS / name).read_text(encoding="utf-8")}


def packed(names, cut=None):
    """A zip archive with these documents, as base64; cut: only so much of it."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as out:
        for name in names:
            out.write(DOCUMENTS / name, f"inbox/{name}")
    content = archive.getvalue()
    return base64.b64encode(content[:int(len(content) * cut)] if cut else content).decode("ascii")


def jobs():
    names = sorted(path.name for path in DOCUMENTS.glob("*.txt"))
    one, some, rest = names[:1], names[1:8], names[8:]
    yield "one document", [document(name) for name in one]
    yield "seven documents in one job", [document(name) for name in some]
    yield "an archive with four members", [{"id": "post.zip", "content_base64": packed(rest), "filename": "post.zip"}]
    yield "a good document between a damaged archive and a film", [
        {"id": "damaged.zip", "content_base64": packed(rest, cut=0.4), "filename": "damaged.zip"},
        document(one[0]) | {"id": "good.txt"},
        {"id": "film.mp4", "content_base64": base64.b64encode(b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom").decode("ascii"),
         "filename": "film.mp4"},
    ]


class Worker:
    def __init__(self, program, variables):
        self.log_path = OUT / "worker.log"
        self.log_path.unlink(missing_ok=True)
        own = {"MODEL_NAME": "docket/demo-mixtral", "HF_HUB_CACHE": str(ROOT / "tests" / "demo_model" / "hub"),
               "QUANTIZATION": "nf4", "GPU_PRICE_PER_SECOND": PRICE, "SPOOL_DIR": str(OUT / "spool"), "PATH": os.environ["PATH"]}
        with open(self.log_path, "wb") as log:
            self.started = time.monotonic()
            self.process = subprocess.Popen([program], env={**own, **variables}, cwd=OUT, stdout=log, stderr=subprocess.STDOUT)

    def events(self, name):
        lines = self.log_path.read_text(encoding="utf-8", errors="replace").splitlines()
        return [line for line in (json.loads(raw) for raw in lines if raw.startswith("{") and raw.endswith("}")) if line["event"] == name]

    def wait_event(self, name, deadline):
        while not self.events(name):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"the worker said no \"{name}\"; its log: {self.log_path}\n" + self.tail())
            time.sleep(0.01)
        return self.events(name)[0]

    def tail(self):
        return "\n".join(self.log_path.read_text(encoding="utf-8", errors="replace").splitlines()[-8:])


def show_start(worker, deadline):
    ready = worker.wait_event("ready", deadline)
    device, model = worker.wait_event("device_found", deadline), worker.wait_event("model_loaded", deadline)
    say(f"  device   {device['name']} ({device['variant']}, {device['threads']} threads)")
    say(f"  model    {model['model']} in {model['quantization']}: {model['read_bytes'] / 1e6:.1f} MB read in {model['load_seconds']:.2f} s "
        f"({model['read_gigabytes_per_second']:.2f} GB/s), {model['weights_bytes'] / 1e6:.1f} MB of weights")
    say(f"  memory   {model['memory_used_bytes'] / 1e6:.0f} MB used, {model['memory_free_bytes'] / 1e9:.1f} GB free")
    say(f"  ready    {ready['seconds']:.2f} s after the start")


def show_answer(answer):
    if "output" not in answer:
        say("  " + red(f"FAILED: {answer.get('error')}"))
        return []
    output = answer["output"]
    for result in output["results"]:
        name = result.get("id") or result.get("custom_id")
        if result["status"] == "ok":
            say(f"  {name:38} {bold(format(result['label'], '25'))} {result['confidence']:5.2f}  {result['usage']['total_tokens']:5} tokens "
                f"{result['timing_ms']['inference']:7.1f} ms  ${result['cost_usd']:.7f}")
        else:
            say(f"  {name:38} {red(result['error']['code'])}: {result['error']['message']}")
    summary, cost, timing = output["summary"], output["cost"], output["timing_ms"]
    say(f"  = {summary['ok']} of {summary['documents']} documents, {output['usage']['total_tokens']} tokens in {timing['execution'] / 1e3:.2f} s, "
        f"memory {output['gpu']['memory_peak_bytes'] / 1e6:.0f} MB, ${cost['compute_usd']:.7f} at ${cost['price_per_second']} a second")
    return output["results"]


def main():
    program = str(pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "build" / "release" / "docket").resolve())
    begun = time.monotonic()
    deadline = begun + LIMIT_SECONDS
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    with Orchestrator(hold_s=1.0, stop_hold_s=1.0, endpoint="demo", key="demo-key") as queue:
        variables = queue.environment("demo-worker")
        say(bold("The queue") + f"   {variables['RUNPOD_WEBHOOK_GET_JOB'].partition('/job-take')[0]} (a stand-in for the platform, on this machine)")
        say(bold("The worker"))
        worker = Worker(program, variables)
        results = []
        try:
            show_start(worker, deadline)
            for number, (title, documents) in enumerate(jobs(), 1):
                job = f"job-{number}"
                say(bold(f"Job {number}") + f"       {title}")
                queue.submit({"id": job, "input": {"labels": LABELS, "documents": documents}})
                if not queue.wait(lambda: queue.job(job).answer is not None, max(1.0, deadline - time.monotonic())):
                    raise SystemExit(f"no answer to {job}; the worker's log: {worker.log_path}\n{worker.tail()}")
                with open(OUT / "answers.jsonl", "a", encoding="utf-8") as out:
                    out.write(json.dumps({"id": job, **queue.job(job).answer}, ensure_ascii=False) + "\n")
                results += show_answer(queue.job(job).answer)
            worker.process.send_signal(signal.SIGTERM)
            code = worker.process.wait(20)
        finally:
            if worker.process.poll() is None:
                worker.process.kill()
                worker.process.wait()
        good = [result for result in results if result["status"] == "ok"]
        codes = sorted(result["error"]["code"] for result in results if result["status"] != "ok")
        health = subprocess.run([program, "health", "--logs", str(worker.log_path), "--ended"], capture_output=True, text=True)
        verdict = health.stdout.split("\n")[0] or health.stderr
        say(bold("Summary"))
        say(f"  {len(good)} documents classified, {len(codes)} refused as meant ({', '.join(codes)}), "
            f"{len(queue.seen('ping'))} heartbeats, {len(queue.seen('done'))} results posted")
        say(f"  total ${sum(result.get('cost_usd') or 0 for result in results):.7f}; the worker drained and ended with exit code {code}; "
            f"docket health: {verdict}")
        say(f"  {time.monotonic() - begun:.1f} s in all. Answers: build/demo/answers.jsonl, log: build/demo/worker.log")
        as_meant = code == 0 and len(good) >= 13 and codes == REFUSED and verdict == "healthy"
        if not as_meant:
            say(red("  not as it should be: ") + f"{health.stdout}{health.stderr}{worker.tail()}")
        return 0 if as_meant else 1


if __name__ == "__main__":
    sys.exit(main())
