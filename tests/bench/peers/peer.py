"""One llama.cpp process that measures when it is asked: a line "prefill N" or "decode N CONTEXT" on standard input, an answer of JSON each.
Run by compare.py with the Python of an environment that holds llama-cpp-python."""

import ctypes
import json
import random
import sys
import time

import llama_cpp as api


class Peer:
    def __init__(self, path, n_threads, n_context):
        quiet = api.llama_log_callback(lambda level, text, data: None)
        api.llama_log_set(quiet, ctypes.c_void_p(0))
        self.kept = quiet
        api.llama_backend_init()
        parameters = api.llama_model_default_params()
        parameters.n_gpu_layers = 0
        self.model = api.llama_model_load_from_file(path.encode(), parameters)
        if not self.model:
            raise SystemExit(f"{path}: llama.cpp does not load it")
        settings = api.llama_context_default_params()
        settings.n_ctx = n_context
        settings.n_batch = settings.n_ubatch = 512
        settings.n_threads = settings.n_threads_batch = n_threads
        self.context = api.llama_init_from_model(self.model, settings)
        self.n_vocab = api.llama_vocab_n_tokens(api.llama_model_get_vocab(self.model))
        self.memory = api.llama_get_memory(self.context)
        self.random = random.Random(1)

    def feed(self, n):
        tokens = (api.llama_token * n)(*(self.random.randrange(self.n_vocab) for _ in range(n)))
        if api.llama_decode(self.context, api.llama_batch_get_one(tokens, n)) != 0:
            raise SystemExit("llama_decode failed")
        api.llama_synchronize(self.context)

    def timed(self, n, steps, context):
        api.llama_memory_clear(self.memory, True)
        if context:
            self.feed(context)
        wall, processor = time.perf_counter(), time.process_time()
        for _ in range(steps):
            self.feed(n)
        return {"seconds": time.perf_counter() - wall, "processor_seconds": time.process_time() - processor, "tokens": n * steps}


def main():
    path, n_threads, n_context = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    peer = Peer(path, n_threads, n_context)
    features = api.llama_print_system_info().decode()
    print(json.dumps({"ready": True, "features": features}), flush=True)
    for line in sys.stdin:
        kind, *numbers = line.split()
        if kind == "prefill":
            answer = peer.timed(int(numbers[0]), 1, 0)
        elif kind == "decode":
            answer = peer.timed(1, int(numbers[0]), int(numbers[1]))
        else:
            raise SystemExit(f"{line!r}: no such measurement")
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
