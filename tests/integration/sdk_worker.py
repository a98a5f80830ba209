"""The reference worker: the real `runpod` SDK with the same mock handler as mock_worker.c. Run by the SDK's own Python.

Input keys: mock_return, mock_delay (seconds), mock_progress {updates, wait_time}, mock_error, mock_crash, mock_refresh,
mock_spin (seconds of CPU on all cores), mock_stream (list; only with MOCK_STREAM=1, when the handler is a generator).
"""

import asyncio
import multiprocessing
import os
import time

# The SDK's start checks look at memory, disk and 8.8.8.8; they are not what is compared here.
os.environ.setdefault("RUNPOD_SKIP_AUTO_SYSTEM_CHECKS", "true")
os.environ.setdefault("RUNPOD_SKIP_GPU_CHECK", "true")

import runpod                                                       # noqa: E402


def spin(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass


async def handle(job):
    settings = job["input"]
    if settings.get("mock_crash"):
        os.abort()
    progress = settings.get("mock_progress")
    if progress:
        for number in range(progress["updates"]):
            runpod.serverless.progress_update(job, f"update {number + 1} of {progress['updates']}")
            await asyncio.sleep(progress["wait_time"])
    if settings.get("mock_spin"):
        burners = [multiprocessing.Process(target=spin, args=(settings["mock_spin"],)) for _ in range(os.cpu_count())]
        for burner in burners:
            burner.start()
        while any(burner.is_alive() for burner in burners):
            await asyncio.sleep(0.05)
    if settings.get("mock_delay"):
        await asyncio.sleep(settings["mock_delay"])
    if settings.get("mock_error"):
        raise Exception(settings["mock_error"])
    result = settings.get("mock_return")
    if settings.get("mock_refresh"):
        return {**(result if isinstance(result, dict) else {"result": result}), "refresh_worker": True}
    return result


def stream(job):
    settings = job["input"]
    for value in settings["mock_stream"]:
        yield value
    if settings.get("mock_error"):
        raise Exception(settings["mock_error"])


concurrency = int(os.environ.get("MAX_CONCURRENCY", "1"))
options = {
    "handler": stream if os.environ.get("MOCK_STREAM") == "1" else handle,
    "concurrency_modifier": lambda _: concurrency,
    "refresh_worker": os.environ.get("REFRESH_WORKER") == "1",
    "return_aggregate_stream": os.environ.get("MOCK_AGGREGATE") == "1",
}

if __name__ == "__main__":
    runpod.serverless.start(options)
